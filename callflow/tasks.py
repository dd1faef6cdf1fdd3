"""The tasks that route a call. Each one asks the platform and returns what it changes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import to_builtins

from callflow import agenda, changes, clock
from callflow.doubt import NotWantedError, Once, last_sent, left_behind
from callflow.ledger import UnchangedError, UnknownCallError, of_known
from callflow.leg_tasks import LegTasks
from callflow.patience import CallGoneError, GaveUpError, TakenOverError
from callflow.record import Leg, Record, new_token
from catapult.errors import RefusedError
from catapult.transfer import Audio, InvalidParameterError
from routing import route as routes
from routing.conditions import comes_back
from routing.router import route
from routing.rules import RejectAction
from routing.words import FAILURE

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.agenda import Task
    from callflow.changes import Change
    from callflow.facts import FactFinder
    from callflow.ledger import Ledger
    from callflow.patience import Patience
    from catapult.wire import CallResource
    from routing.conditions import Facts
    from routing.route import Attempt, Move, Route
    from routing.rules import Destination, RuleSet
    from settings import Settings

_NOTED = 0.25
"""Seconds after which the moment in the record is too old for the moment of a request."""
ANNOUNCEMENT, TONE = "announcement", "ringing"
"""Tags by which the end of what was played is told apart."""


@dataclass(frozen=True, slots=True)
class Start:
    """A decision: where the rules send the call, the move that comes next, and its legs.

    The legs are in the record, and `noted` too, if there are any.
    """

    route: Route
    move: Move
    noted: Change
    legs: list[Leg] = field(default_factory=list)


@dataclass(slots=True)
class Job:
    """One task of one call: a snapshot of its record, and the means to ask the platform.

    `start` is what was decided when the call was taken; `has_dialed` becomes true when the
    platform has taken an order for a leg.
    """

    record: Record
    task: Task
    patience: Patience
    start: Start | None = None
    has_dialed: bool = False

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


class _UnsureError(UnchangedError):
    """Destinations seem busy, and should be looked at before that is believed."""

    def __init__(self, destinations: list[str]) -> None:
        super().__init__(destinations)
        self.destinations = destinations


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
        self._by_name: dict[str, Callable[[Job], Change]] = {
            agenda.ANSWER: self._answer,
            agenda.CHECK_ANSWERED: self._check_answered,
            agenda.ROUTE: self._route,
            agenda.SETTLE: self._settle,
            agenda.NEXT: self._next,
            agenda.HANG_UP: self._hang_up,
            **LegTasks(ledger, tell).by_name,
        }

    def do(self, job: Job) -> Change:
        """Do a job; return what it changes in the record."""
        return self._by_name[job.task.name](job)

    def ask_ahead(self) -> None:
        """Ask for what `start_at_once` must know, before the record is worked on."""
        if self._facts.has_rules:
            self._facts.ask_ahead(self._facts.rules())

    def start_at_once(
        self, record: Record, task: Task, in_progress: Callable[[str], int]
    ) -> Start | None:
        """Decide while a call is taken, if nothing must be asked of the platform for it."""
        if task.name != agenda.ROUTE or record.doubt or not self._facts.has_rules:
            return None
        rules = self._facts.rules()
        facts = self._facts.facts(rules, record.to, in_progress)
        if self._facts.unsure(facts):
            return None
        return self._start(record, in_progress, self._decide(rules, record, facts))

    def _answer(self, job: Job) -> Change:
        """Answer a call ourselves, or refuse it where the rules say so."""
        start = self._decided(job)
        if start.route.action != "reject":
            job.patience.answer(job.call_id)
            return changes.answered_by_us()
        job.patience.reject(job.call_id)
        self._tell_routed(job, start.route)
        return changes.together(start.noted, changes.over("rejected by the rules"))

    def _check_answered(self, job: Job) -> Change:
        """Find out whether an answer event that has not come was lost."""
        call = job.patience.look(job.call_id)
        if call.direction == "out":
            raise CallGoneError("it is not an incoming call")

        def change(record: Record) -> None:
            record.checked_at = clock.now()
            if call.is_active:
                record.note(record.checked_at, "answer-event-lost")
                record.move("answered")

        return change

    def _route(self, job: Job) -> Change:
        """Route a call that has been answered."""
        start = job.start
        if start is None:
            self._make_sure(job)
            start = self._decided(job, begin=True)
        self._tell_routed(job, start.route)
        return self._make(job, start)

    def _decided(self, job: Job, *, begin: bool = False) -> Start:
        """Judge the rules; `begin` the first move at the same moment."""

        def decide(record: Record, in_progress: Callable[[str], int], facts: Facts) -> Start:
            start = self._decide(self._facts.rules(), record, facts)
            return self._begin(job, record, in_progress, start) if begin else start

        return self._with_facts(job, decide)

    def _with_facts(
        self, job: Job, decide: Callable[[Record, Callable[[str], int], Facts], Start]
    ) -> Start:
        """Decide by what is so at that very moment, after a look at what seems doubtful."""
        rules = self._facts.rules()

        def change(record: Record, in_progress: Callable[[str], int]) -> Start:
            facts = self._facts.facts(rules, record.to, in_progress)
            unsure = self._facts.unsure(facts)
            if unsure:
                raise _UnsureError(unsure)
            return decide(record, in_progress, facts)

        while True:
            self._facts.ask_ahead(rules)
            try:
                return self._ledger.update(job.call_id, of_known(change))
            except _UnsureError as error:
                self._facts.look_at(error.destinations, job.patience)

    @staticmethod
    def _decide(rules: RuleSet, record: Record, facts: Facts) -> Start:
        now = dt.datetime.now(dt.UTC)
        chosen = route(rules, record.call(now), facts)
        move = routes.first_move(chosen, facts)
        decided = changes.decided(chosen, rules.digest, now.timestamp(), facts)
        return Start(chosen, move, changes.together(decided, changes.skipped(move)))

    def _next(self, job: Job) -> Change:
        """Make the move that follows an attempt that did not connect."""
        call = self._make_sure(job)
        if call is not None and call.bridge_id is not None:
            # They were joined by a worker that died before it could say so, and have parted since.
            return changes.together(changes.noted("joined"), changes.moved("refused"))
        chosen, progress = self._at(job)
        outcome = job.record.outcome or FAILURE

        def decide(record: Record, in_progress: Callable[[str], int], facts: Facts) -> Start:
            move = routes.next_move(chosen, progress, outcome, facts, job.record.cause)
            start = Start(chosen, move, changes.skipped(move))
            return self._begin(job, record, in_progress, start)

        return self._make(job, self._with_facts(job, decide))

    def _settle(self, job: Job) -> Change:
        """Make the legs whose requests another worker, or an earlier try, has left in doubt."""
        self._tone(job, on=any(leg.created for leg in job.record.current))
        return self._send_all(job, [leg for leg in job.record.current if leg.is_being_sent])

    def _make_sure(self, job: Job) -> CallResource | None:
        """Raise CallGoneError unless the call is known to be active; return it if it was asked."""
        return job.patience.active(job.call_id) if job.record.doubt else None

    def _at(self, job: Job) -> tuple[Route, routes.Progress]:
        """Return the route of a call in progress, and how far it is on it."""
        stored = self._ledger.load(job.call_id)
        if stored is None:
            raise UnknownCallError
        if stored.plan is None or stored.progress is None:
            raise LookupError(job.call_id)
        progress = {**stored.progress, "used": tuple(stored.progress["used"])}
        return routes.load(stored.plan), routes.Progress(**progress)

    def _begin(
        self, job: Job, record: Record, in_progress: Callable[[str], int], start: Start
    ) -> Start:
        if record.is_over:
            raise CallGoneError("it ended while its next attempt was prepared")
        if record.holder != job.record.holder:
            raise TakenOverError
        return self._start(record, in_progress, start)

    def _start(self, record: Record, in_progress: Callable[[str], int], start: Start) -> Start:
        """Note the legs of a move, before anything is sent; of a move without any, nothing."""
        move, attempt = start.move, start.move.attempt
        if attempt is None:
            return start
        start.noted(record)
        record.progress = to_builtins(move.progress)
        record.round += 1
        record.outcome = record.cause = None
        legs = [leg for leg in self._legs(record, attempt) if _has_room(leg, attempt, in_progress)]
        record.legs = [*record.legs, *legs]
        start.legs.extend(legs)
        return start

    def _make(self, job: Job, start: Start) -> Change:
        """Make a move: ring its destinations, or end the call."""
        if start.move.attempt is None:
            return changes.together(start.noted, self._end(job, start.move, start.route))
        if not start.legs:
            return changes.found_busy()
        self._tone(job, on=start.legs[0].created)
        return self._send_all(job, start.legs)

    def _legs(self, record: Record, attempt: Attempt) -> list[Leg]:
        """Return a leg for each destination: transferred to, or called if they ring together.

        Without a URL for their events they cannot ring together, so the first one rings alone.
        """
        together = bool(self._settings.public_url)
        ringing = attempt.destinations if together else attempt.destinations[:1]
        return [_leg(record, attempt, each, created=len(ringing) > 1) for each in ringing]

    def _send_all(self, job: Job, legs: list[Leg]) -> Change:
        """Send the requests of legs; what came of some is noted even if we give up at another."""
        found: list[Change] = []
        try:
            for leg in legs:
                found.append(self._send(job, leg))  # noqa: PERF401 - see `except`
        except GaveUpError:
            sent = changes.together(*found)
            self._ledger.update(job.call_id, of_known(lambda record, _: sent(record)))
            raise
        return changes.together(*found)

    def _send(self, job: Job, leg: Leg) -> Change:
        """Send the request of a leg that the ledger knows of; return what came of it."""
        try:
            leg_id = self._made_once(job, leg)
        except GaveUpError as error:
            found_out = changes.of_leg(
                leg,
                unsent=error.is_unsent,
                sent_at=error.under_way_until or leg.sent_at,
                list_lag=error.list_lag,
            )
            self._ledger.update(job.call_id, of_known(lambda record, _: found_out(record)))
            raise
        except NotWantedError:
            return changes.ended(leg, None, "not wanted any more")
        except (RefusedError, InvalidParameterError) as error:
            because = str(error) if isinstance(error, RefusedError) else error.parameter
            self._tell("refused", call_id=job.call_id, error=because)
            return changes.ended(leg, FAILURE, because)
        job.has_dialed = True
        self._tell(
            "dialed",
            call_id=job.call_id,
            destination=leg.destination,
            transfer_to=leg.transfer_to,
            reason=leg.reason,
            leg_id=leg_id,
        )
        return changes.dialed(leg, leg_id)

    def _made_once(self, job: Job, leg: Leg) -> str | None:
        """Have the platform make a leg; return its id if it is known already."""
        is_left_behind = job.task.name == agenda.SETTLE and not leg.unsent
        doubt = left_behind(leg) if is_left_behind else None
        watch = _LegWatch(self._ledger, job.record, leg, is_again=is_left_behind)
        client, url = job.patience.client, self._settings.leg_callback_url(leg.token)

        def transfer(timeout: float) -> str | None:
            order = leg.request if url is None else {**leg.request, "callbackUrl": url}
            return client.transfer(job.call_id, order, timeout=timeout)

        def call(timeout: float) -> str | None:
            if not watch.is_wanted():
                raise NotWantedError
            return client.create_call(
                leg.request["from"],
                leg.transfer_to,
                call_timeout=leg.ring,
                callback_url=url or "",
                tag=job.call_id,
                recording_enabled=leg.request.get("recordingEnabled"),
                recording_file_format=leg.request.get("recordingFileFormat"),
                timeout=timeout,
            )

        send = call if leg.created else transfer
        return Once(job.patience, job.call_id, leg, watch).make(send, doubt)

    def _end(self, job: Job, move: Move, chosen: Route) -> Change:
        """Nobody is to be rung (any more): refuse the caller, or tell them."""
        if move.ending is None or isinstance(move.ending, RejectAction):
            return changes.moved("refused")
        audio = chosen.say(move.ending.audio, move.progress.reason)
        self._tone(job, on=False)
        try:
            job.patience.play(job.call_id, audio, tag=ANNOUNCEMENT)
        except RefusedError as error:
            self._tell("refused", call_id=job.call_id, error=str(error))
            return changes.moved("refused")
        self._tell("announcing", call_id=job.call_id)

        def announcing(record: Record) -> None:
            record.move("announcing")
            record.announced_until = clock.now() + agenda.LONGEST_ANNOUNCEMENT
            if record.announced:
                record.move("announced")

        return changes.together(announcing, changes.noted("announce", **audio.body()))

    def _tone(self, job: Job, *, on: bool) -> None:
        """Let the caller hear ringing while destinations are called, and stop it after."""
        if on == job.record.tone:
            return
        if not on:
            job.patience.stop_playing(job.call_id)
        job.record.tone = on
        self._ledger.update(job.call_id, of_known(lambda record, _: setattr(record, "tone", on)))
        if not on:
            return
        try:
            tone = Audio(file_url=self._settings.tone_url)
            job.patience.play(job.call_id, tone, loop=True, tag=TONE)
        except RefusedError as error:
            self._tell("refused", call_id=job.call_id, error=str(error))

    def _hang_up(self, job: Job) -> Change:
        """End the call."""
        job.patience.hang_up(job.call_id)
        rejected = job.record.action == "reject"
        return changes.over("rejected by the rules" if rejected else "hung up by us")

    def _tell_routed(self, job: Job, chosen: Route) -> None:
        if comes_back(job.record.counter, job.record.limit):
            self._tell(
                "came-back",
                call_id=job.call_id,
                counter=job.record.counter,
                limit=job.record.limit,
            )
        self._tell(
            "routed",
            call_id=job.call_id,
            line=chosen.line,
            rule=chosen.rule,
            action=chosen.action,
            because=chosen.trace.steps[-1].because,
        )


class _LegWatch:
    """A leg in the ledger while the platform is asked to make it."""

    def __init__(self, ledger: Ledger, record: Record, leg: Leg, *, is_again: bool) -> None:
        self._ledger = ledger
        self._call_id, self._leg = record.call_id, leg
        self._is_again = is_again
        self.seen_at = record.seen_at

    def leg(self) -> Leg | None:
        """Return the leg as it is now; None when the ledger does not have it any more."""
        record = self._ledger.load(self._call_id)
        return record.leg(self._leg.token) if record else None

    def is_wanted(self) -> bool:
        """Whether nobody has answered or left since the leg was begun."""
        mine = self.leg()
        return mine is not None and not mine.cancelled

    def sending(self) -> None:
        """Note that the request goes out now, unless the record says so already."""
        now, leg = clock.now(), self._leg
        is_again, self._is_again = self._is_again, True
        if not (is_again or leg.unsent) and 0 <= now - last_sent(leg) < _NOTED:
            return
        leg.sent_at, leg.unsent, leg.sent_again = now, False, leg.sent_again or is_again
        noted = changes.of_leg(leg, sent_at=now, unsent=False, sent_again=leg.sent_again)
        self._ledger.update(self._call_id, of_known(lambda record, _: noted(record)))


def _leg(record: Record, attempt: Attempt, destination: Destination, *, created: bool) -> Leg:
    order = attempt.transfer(destination)
    request = attempt.creation(destination) if created else order.body()
    whisper = order.whisper_audio
    return Leg(
        token=new_token(record.call_id),
        round=record.round,
        destination=destination.label,
        transfer_to=destination.transfer_to,
        stage=attempt.stage,
        reason=attempt.reason_for(destination),
        request=request,
        ring=routes.ring_of(destination),
        started_at=clock.now(),
        created=created,
        whisper=to_builtins(whisper) if whisper else None,
    )


def _destination(attempt: Attempt, leg: Leg) -> Destination:
    return next(each for each in attempt.destinations if each.label == leg.destination)


def _has_room(leg: Leg, attempt: Attempt, in_progress: Callable[[str], int]) -> bool:
    capacity = _destination(attempt, leg).capacity
    return capacity is None or in_progress(leg.destination) < capacity
