"""The tasks of an agenda. Each one asks the platform and returns what it changes in the record."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from callflow import agenda
from callflow.patience import CallGoneError
from callflow.record import DIALED, SENDING, Leg, Record
from catapult.errors import RefusedError
from catapult.transfer import Audio, InvalidParameterError, check_destination, is_number
from routing import route as routes
from routing.conditions import Call
from routing.router import route
from routing.rules import RejectAction
from routing.words import BUSY, FAILURE, NO_ANSWER, REJECTED

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.agenda import Task
    from callflow.facts import FactFinder
    from callflow.ledger import Ledger
    from callflow.patience import Patience
    from routing.route import Attempt, Move, Route
    from settings import Settings

ANNOUNCEMENT, WHISPER_TAG, TONE_TAG = "announcement", "whisper", "ringing"
_LONGEST_ANNOUNCEMENT = 120.0
"""Seconds after which an announcement whose end nobody reports counts as over."""


@dataclass(frozen=True, slots=True)
class Job:
    """One task of one call: a snapshot of its record, and the means to ask the platform."""

    record: Record
    task: Task
    me: str
    patience: Patience

    @property
    def call_id(self) -> str:
        """The call that the job is for."""
        return self.record.call_id

    @property
    def leg(self) -> Leg:
        """The leg that the task is for."""
        leg = self.record.leg(self.task.token or "")
        if leg is None:
            raise LookupError(self.task)
        return leg


class Tasks:
    """Every task by its name. `do` raises CallGoneError, GaveUpError, RefusedError, NoRulesError.

    `tell` is called with the name of what happened and details, for logs and metrics.
    """

    def __init__(
        self, settings: Settings, ledger: Ledger, facts: FactFinder, tell: Callable[..., None]
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._facts = facts
        self._tell = tell
        self._by_name: dict[str, Callable[[Job], Callable[[Record], None]]] = {
            agenda.ANSWER: self._answer,
            agenda.CHECK_ANSWERED: self._check_answered,
            agenda.ROUTE: self._route,
            agenda.SETTLE: self._settle,
            agenda.NEXT: self._next,
            agenda.RING_OUT: self._ring_out,
            agenda.HANG_UP_LEG: self._hang_up_leg,
            agenda.CHECK_LEG: self._check_leg,
            agenda.WHISPER: self._whisper,
            agenda.JOIN: self._join,
            agenda.HANG_UP: self._hang_up,
            agenda.CHECK_PARTED: self._check_parted,
        }

    def do(self, job: Job) -> Callable[[Record], None]:
        """Do a job; return what it changes in the record."""
        return self._by_name[job.task.name](job)

    def _answer(self, job: Job) -> Callable[[Record], None]:
        """Answer a call ourselves, or refuse it where the rules say so."""
        rules = self._facts.rules()
        facts = self._facts.facts(rules, job.patience)
        chosen = route(rules, _call(job.record), facts)
        if chosen.action == "reject":
            job.patience.reject(job.call_id)
            self._tell_routed(job, chosen)

            def rejected(record: Record) -> None:
                _decided(record, chosen, rules.digest)
                record.end(time.time(), "rejected by the rules")

            return rejected
        job.patience.answer(job.call_id)
        return _answered_by_us

    def _check_answered(self, job: Job) -> Callable[[Record], None]:
        """Find out whether an answer event that has not come was lost."""
        call = job.patience.look(job.call_id)
        if call.direction == "out":
            raise CallGoneError("it is not an incoming call")

        def change(record: Record) -> None:
            record.checked_at = time.time()
            if call.is_active:
                record.note(record.checked_at, "answer-event-lost")
                record.move("answered")

        return change

    def _route(self, job: Job) -> Callable[[Record], None]:
        """Route a call that has been answered."""
        self._make_sure(job)
        rules = self._facts.rules()
        facts = self._facts.facts(rules, job.patience)
        chosen = route(rules, _call(job.record), facts)
        self._tell_routed(job, chosen)

        def decide(record: Record) -> None:
            _decided(record, chosen, rules.digest)

        return self._make(job, routes.first_move(chosen, facts), chosen, decide)

    def _next(self, job: Job) -> Callable[[Record], None]:
        """Make the move that follows an attempt that did not connect."""
        self._make_sure(job)
        chosen, progress = self._at(job)
        rules = self._facts.rules()
        facts = self._facts.facts(rules, job.patience)
        outcome = job.record.outcome or FAILURE
        move = routes.next_move(chosen, progress, outcome, facts, job.record.cause)
        return self._make(job, move, chosen, lambda _: None)

    def _settle(self, job: Job) -> Callable[[Record], None]:
        """Send what a worker that died while it sent had not sent."""
        chosen, progress = self._at(job)
        attempt = routes.attempt_at(chosen, progress)
        changes = []
        for leg in job.record.current:
            if leg.state != SENDING:
                continue
            found = job.patience.legs_of(job.call_id, leg)
            if found:
                changes.append(_dialed(leg, found[0] or None))
            else:
                changes.append(self._send(job, attempt, leg))
        return _together(changes)

    def _make_sure(self, job: Job) -> None:
        """Raise CallGoneError unless the call is known to be active."""
        if job.record.doubt and not job.patience.is_active(job.call_id):
            raise CallGoneError("the call is not active any more")

    def _at(self, job: Job) -> tuple[Route, routes.Progress]:
        stored = self._ledger.load(job.call_id)
        if stored is None or stored.plan is None or stored.progress is None:
            raise LookupError(job.call_id)
        progress = dict(stored.progress)
        progress["used"] = tuple(progress["used"])
        return routes.load(stored.plan), routes.Progress(**progress)

    def _make(
        self, job: Job, move: Move, chosen: Route, decide: Callable[[Record], None]
    ) -> Callable[[Record], None]:
        """Make a move: ring its destinations, or end the call."""
        attempt = move.attempt
        if attempt is None:
            return _together([decide, _skipped(move), self._end(job, move, chosen)])
        legs = _legs(job, attempt, together=bool(self._settings.public_url))

        def begin(record: Record, in_progress: Callable[[str], int]) -> list[Leg]:
            decide(record)
            _skipped(move)(record)
            record.progress = asdict(move.progress)
            record.round += 1
            record.outcome = record.cause = None
            free = [leg for leg in legs if _has_room(leg, attempt, in_progress)]
            record.legs += free
            return free

        begun = self._ledger.update(job.call_id, begin)
        if not begun:
            return _found_busy
        if begun[0].created:
            self._play_tone(job)
        else:
            self._quiet(job)
        return _together([self._send(job, attempt, leg) for leg in begun])

    def _send(self, job: Job, attempt: Attempt, leg: Leg) -> Callable[[Record], None]:
        """Send the request of a leg that the ledger knows of; return what came of it."""
        try:
            leg_id = self._request(job, attempt, leg)
        except (RefusedError, InvalidParameterError) as error:
            because = str(error) if isinstance(error, RefusedError) else error.parameter
            self._tell("refused", call_id=job.call_id, error=because)
            return lambda record: record.ended(leg.token, FAILURE, because, time.time())
        self._tell(
            "transferred",
            call_id=job.call_id,
            destination=leg.destination,
            transfer_to=leg.transfer_to,
            reason=leg.reason,
            leg_id=leg_id,
        )
        return _dialed(leg, leg_id)

    def _request(self, job: Job, attempt: Attempt, leg: Leg) -> str | None:
        url = self._settings.leg_callback_url(leg.token)
        destination = next(each for each in attempt.destinations if each.label == leg.destination)
        if not leg.created:
            return job.patience.transfer(job.call_id, leg, attempt.transfer(destination, url))
        caller = attempt.caller_id(destination) or ""
        caller = caller if is_number(caller) else attempt.route.to
        return job.patience.call(job.call_id, leg, check_destination("from", caller), url or "")

    def _end(self, job: Job, move: Move, chosen: Route) -> Callable[[Record], None]:
        """Nobody is to be rung (any more): refuse the caller, or tell them."""
        if move.ending is None or isinstance(move.ending, RejectAction):
            return lambda record: _moved(record, "refused")
        audio = chosen.say(move.ending.audio, move.progress.reason)
        self._quiet(job)
        try:
            job.patience.play(job.call_id, audio, tag=ANNOUNCEMENT)
        except RefusedError as error:
            self._tell("refused", call_id=job.call_id, error=str(error))
            return lambda record: _moved(record, "refused")
        self._tell("announcing", call_id=job.call_id)

        def announcing(record: Record) -> None:
            now = time.time()
            record.move("announcing")
            record.announced_until = now + _LONGEST_ANNOUNCEMENT
            record.note(now, "announce", **audio.body())

        return announcing

    def _play_tone(self, job: Job) -> None:
        """Let the caller hear ringing while a ring group is called."""
        self._ledger.update(job.call_id, lambda record, _: _tone(record, on=True))
        try:
            tone = Audio(file_url=self._settings.tone_url)
            job.patience.play(job.call_id, tone, loop=True, tag=TONE_TAG)
        except RefusedError as error:
            self._tell("refused", call_id=job.call_id, error=str(error))

    def _quiet(self, job: Job) -> None:
        """Stop the ringing tone that a ring group plays to the caller."""
        if job.record.tone:
            job.patience.stop_playing(job.call_id)
            self._ledger.update(job.call_id, lambda record, _: _tone(record, on=False))

    def _ring_out(self, job: Job) -> Callable[[Record], None]:
        """End a leg that has rung for long enough, unless its answer was not reported."""
        leg = job.leg
        leg_id = leg.leg_id or self._find(job, leg)
        if leg_id is None:
            return _ended(leg, NO_ANSWER, "it is not there")
        try:
            if job.patience.look(leg_id).is_active:
                return lambda record: record.answered(leg.token, leg_id, time.time())
        except CallGoneError as error:
            return _ended(leg, NO_ANSWER, str(error))
        self._ledger.update(job.call_id, lambda record, _: _ring_is_over(record, leg.token))
        job.patience.hang_up(leg_id)
        self._tell("rang-out", call_id=job.call_id, destination=leg.destination)
        return _ended(leg, NO_ANSWER, "ring timer")

    def _hang_up_leg(self, job: Job) -> Callable[[Record], None]:
        """Hang up a leg that is not wanted any more."""
        leg = job.leg
        leg_id = leg.leg_id or self._find(job, leg)
        if leg_id is not None:
            job.patience.hang_up(leg_id)
        return _ended(leg, None, "released")

    def _find(self, job: Job, leg: Leg) -> str | None:
        return next(iter(job.patience.find(leg)), None)

    def _check_leg(self, job: Job) -> Callable[[Record], None]:
        """Find out whether a conversation of which nothing was heard for long goes on."""
        job.patience.look(job.call_id)
        token, now = job.leg.token, time.time()
        return lambda record: _checked(record, token, now)

    def _check_parted(self, job: Job) -> Callable[[Record], None]:
        """Look after a caller of whom nothing was heard since the destination hung up."""
        job.patience.look(job.call_id)
        whispered = "whisperAudio" in job.leg.request

        def change(record: Record) -> None:
            if whispered:  # declined while it listened: the legs were never joined
                record.outcome, record.doubt = REJECTED, True
                _moved(record, "declined")
            else:
                _moved(record, "parted")

        return change

    def _whisper(self, job: Job) -> Callable[[Record], None]:
        """Whisper to the winner of a ring group before it is joined with the caller."""
        leg = job.leg
        try:
            job.patience.play(leg.leg_id or "", audio_of(leg.request), tag=WHISPER_TAG)
        except (RefusedError, CallGoneError) as error:
            return self._winner_lost(job, error)
        return lambda record: _whispering(record, leg.token)

    def _join(self, job: Job) -> Callable[[Record], None]:
        """Join the caller with the winner of a ring group."""
        leg = job.leg
        self._quiet(job)
        try:
            job.patience.join(job.call_id, leg.leg_id or "")
        except RefusedError as error:
            return self._winner_lost(job, error)

        def joined(record: Record) -> None:
            mine = record.leg(leg.token)
            if mine is not None:
                mine.joined = True
            record.note(time.time(), "joined", destination=leg.destination)

        return joined

    def _winner_lost(self, job: Job, error: Exception) -> Callable[[Record], None]:
        """Go on without a winner that could not be joined. Raises CallGoneError without a caller."""
        job.patience.look(job.call_id)
        return _ended(job.leg, FAILURE, str(error))

    def _hang_up(self, job: Job) -> Callable[[Record], None]:
        """End the call."""
        job.patience.hang_up(job.call_id)
        because = "the rules reject it" if job.record.action == "reject" else "hung up by us"
        return lambda record: record.end(time.time(), because)

    def _tell_routed(self, job: Job, chosen: Route) -> None:
        self._tell(
            "routed",
            call_id=job.call_id,
            line=chosen.line,
            rule=chosen.rule,
            action=chosen.action,
            because=chosen.trace.steps[-1].because,
        )


def _call(record: Record) -> Call:
    now = dt.datetime.now(dt.UTC)
    return Call(record.to, record.caller, now, record.anonymous, record.diverted)


def _decided(record: Record, chosen: Route, digest: str) -> None:
    record.plan = routes.dump(chosen)
    record.line, record.rule, record.action = chosen.line, chosen.rule, chosen.action
    record.rules_digest = digest
    record.note(time.time(), "decision", line=chosen.line, rule=chosen.rule, rules=digest)


def _answered_by_us(record: Record) -> None:
    record.answered_by_us_at = time.time()
    record.note(record.answered_by_us_at, "answered-by-us")


def _legs(job: Job, attempt: Attempt, *, together: bool) -> list[Leg]:
    """Return a leg for each destination; more than one are called, instead of transferred to.

    Without a URL for their events they cannot ring `together`, so the first one rings alone.
    """
    ringing = attempt.destinations if together else attempt.destinations[:1]
    return [
        Leg(
            token=secrets.token_urlsafe(24),
            round=job.record.round + 1,
            destination=each.label,
            transfer_to=each.transfer_to,
            stage=attempt.stage,
            reason=attempt.reason_for(each),
            request=attempt.transfer(each).body(),
            ring=routes.ring_of(each),
            started_at=time.time(),
            created=len(ringing) > 1,
        )
        for each in ringing
    ]


def _has_room(leg: Leg, attempt: Attempt, in_progress: Callable[[str], int]) -> bool:
    capacity = next(each.capacity for each in attempt.destinations if each.label == leg.destination)
    return capacity is None or in_progress(leg.destination) < capacity


def _skipped(move: Move) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        for skip in move.skipped:
            record.note(time.time(), "skipped", destination=skip.destination, because=skip.because)

    return change


def _found_busy(record: Record) -> None:
    """Every destination filled up between the decision and its turn."""
    record.outcome = BUSY
    record.note(time.time(), "outcome", outcome=BUSY, cause="at capacity")


def _dialed(leg: Leg, leg_id: str | None) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        now = time.time()
        mine = record.leg(leg.token)
        if mine is None:
            return
        mine.leg_id = leg_id or mine.leg_id
        mine.ring_until = agenda.ring_until(leg, now)
        if mine.state == SENDING:  # its first event may have come before the answer
            mine.state = DIALED
        record.note(now, "transfer", destination=leg.destination, legId=mine.leg_id)

    return change


def _ended(leg: Leg, outcome: str | None, cause: str) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        now = time.time()
        record.note(now, "leg-ended", destination=leg.destination, outcome=outcome, cause=cause)
        record.ended(leg.token, outcome, cause, now)

    return change


def _moved(record: Record, trigger: str) -> None:
    record.move(trigger)


def _ring_is_over(record: Record, token: str) -> None:
    leg = record.leg(token)
    if leg is not None:
        leg.rung_out = True


def _whispering(record: Record, token: str) -> None:
    leg = record.leg(token)
    if leg is not None:
        leg.whispered_at = time.time()


def audio_of(request: dict[str, Any]) -> Audio:
    """Return the whisper of a transfer request."""
    body = request["whisperAudio"]
    return Audio(
        body.get("fileUrl"),
        body.get("sentence"),
        body.get("gender"),
        body.get("locale"),
        body.get("voice"),
    )


def _tone(record: Record, *, on: bool) -> None:
    record.tone = on


def _checked(record: Record, token: str, now: float) -> None:
    leg = record.leg(token)
    if leg is not None:
        leg.checked_at = now


def _together(changes: list[Callable[[Record], None]]) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        for each in changes:
            each(record)

    return change
