"""What is to be done for a call, and when: pure functions of its record."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from callflow import record as states
from routing.words import BUSY, FAILURE, NO_ANSWER, REJECTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callflow.record import Leg, Record

LEASE = 5.0
"""Seconds after which somebody else takes over from a worker that does not come back."""
ANSWER_PATIENCE = 4.0
"""Seconds to wait for the answer event before the platform is asked whether it was lost."""
PARTING = 2.5
"""Seconds in which the other leg's end follows the first one's, or is looked into."""
WHISPER_PATIENCE = 20.0
"""Seconds after which a whisper whose end nobody reports counts as over."""
RETRY, LONGEST_RETRY = 1.0, 30.0
"""Seconds until a task that failed in mid-call is tried again: twice as long each time while the
platform refuses the account, up to the longest."""
LONGEST_ANNOUNCEMENT = 120.0
"""Seconds after which an announcement whose end nobody reports counts as over."""
LONGEST_SILENCE = 7200.0
"""Seconds after which a conversation of which nothing was heard is looked into."""

ANSWER, CHECK_ANSWERED, ROUTE, SETTLE, NEXT = "answer", "check-answered", "route", "settle", "next"
RING_OUT, HANG_UP_LEG, CHECK_LEG, WHISPER, JOIN = (
    *("ring-out", "hang-up-leg", "check-leg"),
    *("whisper", "join"),
)
HANG_UP, CHECK_PARTED = "hang-up", "check-parted"

_OUTCOMES = (NO_ANSWER, BUSY, REJECTED, FAILURE)
"""Of several outcomes of one ring group the first one of these counts."""


class Task(NamedTuple):
    """Something to do at `due` (epoch seconds), perhaps with one leg."""

    due: float
    name: str
    token: str | None = None


def agenda(record: Record) -> Iterator[Task]:
    """Yield everything that is to be done for a call, now or later."""
    start = record.retry_at or 0.0
    if record.state == states.NEW:
        yield from _while_new(record)
    elif record.state == states.ANSWERING:
        yield _while_answering(record, start)
    elif record.state == states.ROUTING:
        yield Task(start, _routing_task(record))
    elif record.state == states.RINGING:
        yield from _while_ringing(record, start)
    elif record.state == states.CONNECTED:
        yield from _while_connected(record, start)
    elif record.state == states.ANNOUNCING:
        yield Task(max(start, record.announced_until or 0.0), HANG_UP)
    elif record.state == states.ENDING:
        yield Task(start, HANG_UP)
    for leg in record.legs:
        if leg.cancelled and leg.is_open:
            yield _tidy(record, leg, start)


def due(record: Record, now: float) -> Task | None:
    """Return what is to be done first, if its time has come."""
    ready = [task for task in agenda(record) if task.due <= now]
    return min(ready, key=lambda task: task.due, default=None)


def wake_at(record: Record) -> float | None:
    """Return when somebody should look at the call again: a task is due, or its holder is late."""
    if record.holder is not None:
        return record.held_until
    return min((task.due for task in agenda(record)), default=None)


def _while_new(record: Record) -> Iterator[Task]:
    if not record.given_back:  # else the platform's fallback has it
        since = max(record.seen_at, record.checked_at or 0.0)
        yield Task(since + ANSWER_PATIENCE, CHECK_ANSWERED)


def _while_answering(record: Record, start: float) -> Task:
    if record.answered_by_us_at is None:
        return Task(start, ANSWER)
    since = max(record.answered_by_us_at, record.checked_at or 0.0)
    return Task(since + ANSWER_PATIENCE, CHECK_ANSWERED)


def _routing_task(record: Record) -> str:
    if any(leg.state == states.SENDING for leg in record.current):
        return SETTLE
    return ROUTE if record.rule is None else NEXT


def _while_ringing(record: Record, start: float) -> Iterator[Task]:
    winner = winner_of(record)
    if winner is not None:
        if winner.whisper is None or winner.whisper_over:
            yield Task(start, JOIN, winner.token)
        elif winner.whispered_at is None:
            yield Task(start, WHISPER, winner.token)
        else:
            yield Task(max(start, winner.whispered_at + WHISPER_PATIENCE), JOIN, winner.token)
        return
    for leg in record.current:
        if leg.is_open and not leg.cancelled and leg.ring_until is not None:
            yield Task(max(start, leg.ring_until), RING_OUT, leg.token)


def _while_connected(record: Record, start: float) -> Iterator[Task]:
    for leg in record.current:
        if leg.joined and leg.ended_at is not None:
            yield Task(max(start, leg.ended_at + PARTING), CHECK_PARTED, leg.token)
        elif leg.joined and leg.answered_at is not None:
            heard = max(leg.answered_at, leg.checked_at or 0.0)
            yield Task(max(start, heard + LONGEST_SILENCE), CHECK_LEG, leg.token)


def _tidy(record: Record, leg: Leg, start: float) -> Task:
    """Return when to hang up a leg not wanted any more: the platform's own have a moment."""
    if leg.created:
        return Task(start, HANG_UP_LEG, leg.token)
    return Task(max(start, (record.ended_at or 0.0) + PARTING), HANG_UP_LEG, leg.token)


def winner_of(record: Record) -> Leg | None:
    """Return the leg of a ring group that answered first and waits to be joined."""
    for leg in record.current:
        if leg.created and leg.state == states.ANSWERED and not leg.cancelled:
            return leg
    return None


def ring_until(leg: Leg, now: float) -> float:
    """Return when a leg that was sent just now has rung for long enough.

    One that we called has a time-out of its own ("Catapult: Create call"); ours comes after it.
    """
    return now + leg.ring + (1.0 if leg.created else 0.0)


def reckon(record: Record, now: float) -> None:
    """Bring the call's state in line with its legs, after one of them has changed."""
    legs = record.current
    if not legs or record.outcome or any(leg.state == states.SENDING for leg in legs):
        return
    record.move("sent")
    if record.state == states.RINGING:
        if any(leg.joined for leg in legs):
            record.move("joined")
        elif not any(leg.is_open for leg in legs):
            outcomes = [leg.outcome or FAILURE for leg in legs]
            record.outcome = min(outcomes, key=_OUTCOMES.index)
            record.cause = legs[-1].cause
            record.move("failed")
            record.note(now, "outcome", outcome=record.outcome, cause=record.cause)
    if record.state == states.CONNECTED and any(leg.created and not leg.is_open for leg in legs):
        joined = [leg for leg in legs if leg.joined]
        if joined and not joined[0].is_open:
            record.move("parted")  # the bridge does not end the other leg by itself
