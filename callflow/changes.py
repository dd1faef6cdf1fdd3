"""What tasks change in a call's record, each as a function of the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callflow import agenda, clock
from callflow.record import DIALED, SENDING
from routing import route as routes
from routing.words import BUSY

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.record import Leg, Record
    from routing.conditions import Facts
    from routing.route import Move, Route

    Change = Callable[[Record], None]


def together(*changes: Change) -> Change:
    """Make several changes, in order."""

    def change(record: Record) -> None:
        for each in changes:
            each(record)

    return change


def noted(kind: str, **data: Any) -> Change:
    """Add a line to the journal."""
    return lambda record: record.note(clock.now(), kind, **data)


def moved(trigger: str) -> Change:
    """Change the state by the table."""

    def change(record: Record) -> None:
        record.move(trigger)

    return change


def over(because: str) -> Change:
    """Note that the call is over."""
    return lambda record: record.end(clock.now(), because)


def decided(chosen: Route, digest: str, at: float, facts: Facts) -> Change:
    """Note where the rules send the call, and what was so at that instant: it can be replayed."""
    known = {
        "busy": sorted(facts.busy),
        "presence": dict(facts.presence),
        "overrides": dict(facts.overrides),
    }

    def change(record: Record) -> None:
        record.plan = routes.dump(chosen)
        record.line, record.rule, record.action = chosen.line, chosen.rule, chosen.action
        record.rules_digest = digest
        record.note(at, "decision", line=chosen.line, rule=chosen.rule, rules=digest, facts=known)

    return change


def skipped(move: Move) -> Change:
    """Note the destinations whose turn came and that were not dialed."""
    return together(
        *(
            noted("skipped", destination=skip.destination, because=skip.because)
            for skip in move.skipped
        )
    )


def answered_by_us() -> Change:
    """Note that we have answered the call; its answer event is awaited."""

    def change(record: Record) -> None:
        record.answered_by_us_at = clock.now()
        record.note(record.answered_by_us_at, "answered-by-us")

    return change


def found_busy() -> Change:
    """Note that every destination filled up between the decision and its turn."""

    def change(record: Record) -> None:
        record.outcome = BUSY
        record.note(clock.now(), "outcome", outcome=BUSY, cause="at capacity")

    return change


def dialed(leg: Leg, leg_id: str | None) -> Change:
    """Note that a leg is under way; its first event may have come before."""

    def change(record: Record) -> None:
        mine, now = record.leg(leg.token), clock.now()
        if mine is None:
            return
        mine.leg_id = leg_id or mine.leg_id
        mine.ring_until = agenda.ring_until(leg, now)
        if mine.state == SENDING:
            mine.state = DIALED
        record.retries = 0
        record.note(now, "dialed", destination=leg.destination, legId=mine.leg_id)

    return change


def ended(leg: Leg, outcome: str | None, cause: str) -> Change:
    """Note that a leg is over."""

    def change(record: Record) -> None:
        now = clock.now()
        record.note(now, "leg-ended", destination=leg.destination, outcome=outcome, cause=cause)
        record.ended(leg.token, outcome, cause, now)

    return change


def of_leg(leg: Leg, **values: Any) -> Change:
    """Set values of a leg."""

    def change(record: Record) -> None:
        mine = record.leg(leg.token)
        if mine is not None:
            for name, value in values.items():
                setattr(mine, name, value)

    return change
