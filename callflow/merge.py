"""Two records of one call, changed apart from each other while Redis was away, become one."""

from __future__ import annotations

from typing import Any

from msgspec.structs import fields

from callflow import agenda
from callflow.record import (
    ANNOUNCING,
    ANSWERED,
    ANSWERING,
    CONNECTED,
    DIALED,
    ENDED,
    ENDING,
    NEW,
    OVER,
    RINGING,
    ROUTING,
    SENDING,
    Leg,
    Record,
)

_CALL_STATES = (NEW, ANSWERING, ROUTING, RINGING, CONNECTED, ANNOUNCING, ENDING, OVER)
_CALLER = ("to", "caller", "anonymous", "diverted", "counter", "limit")
"""What an event says of a call the first time."""
_LEG_STATES = (SENDING, DIALED, ANSWERED, ENDED)


def become(record: Record, other: Record) -> None:
    """Make a record what another one is, but for what is to be added to the journal."""
    for field in fields(Record):
        if field.name != "entries":
            setattr(record, field.name, getattr(other, field.name))


def merge(record: Record, other: Record, now: float) -> None:
    """Bring into a record what another one of the same call knows.

    The one that is further on leads: the later conversation, then the later attempt, then the
    later state. What is known of a leg by either counts. Legs that only the other one rang are
    let go, and a call that is over for either is over; the platform is asked before anything is
    sent.
    """
    ahead, behind = (record, other) if _progress(record) >= _progress(other) else (other, record)
    legs = [_leg(leg, behind.leg(leg.token)) for leg in ahead.legs]
    for leg in behind.legs:
        if ahead.leg(leg.token) is None:
            leg.round, leg.cancelled = 0, leg.is_open
            legs.append(leg)
    is_over = record.is_over or other.is_over
    caller = ahead if ahead.to else behind
    known = {name: getattr(caller, name) for name in _CALLER}
    seen_at = min(filter(None, (record.seen_at, other.seen_at)), default=0.0)
    ended_at, ended_by = ahead.ended_at or behind.ended_at, ahead.ended_by or behind.ended_by
    plan = ahead.plan or behind.plan
    become(record, ahead)
    record.legs, record.plan, record.doubt = legs, plan, True
    for name, value in known.items():
        setattr(record, name, value)
    record.seen_at = seen_at
    if is_over:
        record.end(ended_at or now, ended_by or "it ended elsewhere")
    agenda.reckon(record, now)


def _progress(record: Record) -> tuple[float, int, int, int]:
    talking = [leg.started_at for leg in record.legs if leg.joined and leg.is_open]
    return max(talking, default=0.0), record.round, _CALL_STATES.index(record.state), record.version


def _leg(leg: Leg, other: Leg | None) -> Leg:
    """Return what two records know of a leg."""
    if other is None:
        return leg
    further, nearer = sorted((leg, other), key=lambda it: _LEG_STATES.index(it.state))[::-1]
    return Leg(
        **{
            field.name: _known(getattr(further, field.name), getattr(nearer, field.name))
            for field in fields(Leg)
        }
    )


def _known(value: Any, other: Any) -> Any:
    """Return a value, or the other one if nothing is known by it."""
    return other if value is None or value is False else value
