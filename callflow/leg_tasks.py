"""The tasks that look after the legs of a call: ring timers, watchdogs, joining and letting go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callflow import agenda, changes, clock
from callflow.doubt import LONGEST_LAG, LegSearch, NotKnownError, last_sent
from callflow.ledger import of_known
from callflow.patience import CallGoneError
from catapult.errors import RefusedError
from catapult.transfer import Audio
from routing.words import NO_ANSWER, REJECTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.changes import Change
    from callflow.ledger import Ledger
    from callflow.record import Leg, Record
    from callflow.tasks import Job

WHISPER = "whisper"
"""Tag by which the end of a whisper is told apart."""
_LONGEST_WHISPER = 90.0
"""Seconds that no whisper takes: whoever hangs up after that has talked with the caller."""


class LegTasks:
    """The tasks of legs by their names; see `Tasks`."""

    def __init__(self, ledger: Ledger, tell: Callable[..., None]) -> None:
        self._ledger = ledger
        self._tell = tell
        self.by_name: dict[str, Callable[[Job], Change]] = {
            agenda.RING_OUT: self._ring_out,
            agenda.HANG_UP_LEG: self._hang_up_leg,
            agenda.CHECK_LEG: self._check_leg,
            agenda.CHECK_PARTED: self._check_parted,
            agenda.WHISPER: self._whisper,
            agenda.JOIN: self._join,
        }

    def _ring_out(self, job: Job) -> Change:
        """End a leg that has rung for long enough, unless its answer was not reported."""
        leg = job.leg
        try:
            leg_id = leg.leg_id or _search(job).id_of(job.patience.look(job.call_id))
        except NotKnownError:
            if _may_ring(leg):
                raise
            leg_id = None
        if leg_id is None:
            return changes.ended(leg, NO_ANSWER, "it is not there")
        try:
            if job.patience.look(leg_id).is_active:
                return lambda record: record.answered(leg.token, leg_id, clock.now())
        except CallGoneError as error:
            return changes.ended(leg, NO_ANSWER, str(error))
        if not self._ledger.update(job.call_id, of_known(lambda it, _: _has_rung_out(it, leg))):
            return changes.together()  # its answer or its end was reported at this moment
        job.patience.hang_up(leg_id)
        self._tell("rang-out", call_id=job.call_id, destination=leg.destination)
        return changes.ended(leg, NO_ANSWER, "ring timer")

    def _hang_up_leg(self, job: Job) -> Change:
        """Hang up a leg that is not wanted any more."""
        leg = job.leg
        try:
            leg_id = leg.leg_id or _search(job).id_of(None)
        except NotKnownError:
            if leg.created and _may_ring(leg):  # what we transferred ends with its caller
                raise
            leg_id = None
        if leg_id is not None:
            job.patience.hang_up(leg_id)
        return changes.ended(leg, None, "released")

    def _check_leg(self, job: Job) -> Change:
        """Find out whether a conversation of which nothing was heard for long goes on."""
        job.patience.look(job.call_id)
        if job.leg.created:  # its end is not the caller's
            try:
                job.patience.look(job.leg.leg_id or "")
            except CallGoneError as error:
                return changes.ended(job.leg, None, str(error))
        return changes.of_leg(job.leg, checked_at=clock.now())

    def _check_parted(self, job: Job) -> Change:
        """Look after a caller of whom nothing was heard since the destination hung up."""
        job.patience.look(job.call_id)
        leg = job.leg
        listened = (leg.ended_at or 0.0) - (leg.answered_at or 0.0)
        if leg.whisper is None or listened > _LONGEST_WHISPER:
            return changes.moved("parted")

        def declined(record: Record) -> None:  # while it listened: they were never joined
            record.outcome, record.doubt = REJECTED, True
            record.note(clock.now(), "outcome", outcome=REJECTED, cause="left during the whisper")
            record.move("declined")

        return declined

    def _whisper(self, job: Job) -> Change:
        """Whisper to the winner of a ring group before it is joined with the caller."""
        try:
            job.patience.play(job.leg.leg_id or "", Audio(**(job.leg.whisper or {})), tag=WHISPER)
        except (RefusedError, CallGoneError) as error:
            return _winner_lost(job, error)
        return changes.of_leg(job.leg, whispered_at=clock.now())

    def _join(self, job: Job) -> Change:
        """Join the caller with the winner of a ring group."""
        if job.record.tone:
            job.patience.stop_playing(job.call_id)
        try:
            job.patience.join(job.call_id, job.leg.leg_id or "")
        except RefusedError as error:
            return _winner_lost(job, error)
        return changes.together(
            changes.of_leg(job.leg, joined=True),
            lambda record: setattr(record, "tone", False),
            changes.noted("joined", destination=job.leg.destination),
        )


def _has_rung_out(record: Record, leg: Leg) -> bool:
    """Note that a leg is to be hung up after its ring, unless it was answered or is over."""
    mine = record.leg(leg.token)
    if mine is None or mine.answered_at is not None or not mine.is_open:
        return False
    mine.rung_out = True
    return True


def _search(job: Job) -> LegSearch:
    """Look for a leg whose id nobody has told."""
    return LegSearch(job.patience, job.leg, job.record.seen_at)


def _may_ring(leg: Leg) -> bool:
    """Whether a leg of which nothing was heard may still ring: we gave those we called a limit."""
    return not leg.created or clock.now() < last_sent(leg) + leg.ring + LONGEST_LAG


def _winner_lost(job: Job, error: Exception) -> Change:
    """Let a winner go that could not be joined. Raises CallGoneError without a caller."""
    job.patience.look(job.call_id)
    return changes.together(
        changes.noted("not-joined", destination=job.leg.destination, because=str(error)),
        changes.of_leg(job.leg, cancelled=True),
    )
