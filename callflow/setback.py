"""A host's clock that was set back: what a record says of the past then lies in the future.

Without a remedy a lease or a ring would last longer by as much as the clock was set back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from callflow.agenda import LEASE, LONGEST_ANNOUNCEMENT, LONGEST_RETRY

if TYPE_CHECKING:
    from callflow.record import Leg, Record

TOLERATED = 2.0
"""Seconds by which the clocks of hosts may differ."""
_PAST = ("seen_at", "answered_by_us_at", "checked_at", "ended_at")
_PAST_OF_LEG = (
    *("started_at", "sent_at", "answered_at"),
    *("whispered_at", "checked_at", "ended_at"),
)


def was_ahead(record: Record, now: float) -> bool:
    """Return whether a lease was given to the call at a moment that now lies ahead."""
    return record.held_until > now + LEASE + TOLERATED


def mend(record: Record, now: float) -> bool:
    """Bring back what lies further ahead than it can; return whether anything did."""
    waits = [("held_until", LEASE), ("retry_at", LONGEST_RETRY)]
    waits += [("announced_until", LONGEST_ANNOUNCEMENT), *((name, 0.0) for name in _PAST)]
    found = [_bring_back(record, name, now, ahead) for name, ahead in waits]
    for leg in record.legs:
        waits = [("ring_until", leg.ring + 1.0), *((name, 0.0) for name in _PAST_OF_LEG)]
        found += [_bring_back(leg, name, now, ahead) for name, ahead in waits]
    return any(found)


def _bring_back(holder: Record | Leg, name: str, now: float, ahead: float) -> bool:
    moment: float | None = getattr(holder, name)
    if moment is None or moment <= now + ahead + TOLERATED:
        return False
    setattr(holder, name, now + ahead)
    return True
