"""Takes a call, does what its agenda asks for, records what came of it, and looks again.

Nobody else works on the call meanwhile; what happens to it is recorded by others and found at
the next look. A worker that dies leaves a lease behind that runs out.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from callflow import agenda, changes, clock, setback
from callflow.facts import NoRulesError
from callflow.ledger import LedgerError, UnchangedError, UnknownCallError, of_known
from callflow.pacing import Pacer
from callflow.patience import (
    AccountRefusedError,
    CallGoneError,
    GaveUpError,
    Patience,
    TakenOverError,
)
from callflow.record import ANSWERING, ROUTING, SENDING
from callflow.tasks import Job, Tasks
from catapult.errors import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.agenda import Task
    from callflow.facts import FactFinder
    from callflow.ledger import Ledger
    from callflow.record import Record
    from callflow.tasks import Start
    from catapult.client import Client
    from settings import Settings

_MOST_RETRIES = 60
_LONGEST_WORK = 30.0
"""Seconds that work may take while no callback waits for it."""
_STEP = 0.5
"""Seconds by which the clock must differ from what has passed to have been set."""
_MARGIN = 0.25
"""Seconds of the budget that are left for our own answer to a callback."""


class NotRoutedError(Exception):
    """The call could not be routed in time; the platform should turn to its fallback."""


class _Taken(NamedTuple):
    """A call that was taken, what is to be done for it, and what was decided at once."""

    record: Record
    task: Task
    start: Start | None


class Worker:
    """Does the work of calls. One object serves all threads of a process.

    `later` is given work for which nobody waits; unless told otherwise it is done at once.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        client: Client,
        facts: FactFinder,
        tell: Callable[..., None],
        later: Callable[[Callable[[], None]], None] = lambda work: work(),
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._client = client
        self._tell = tell
        self._later = later
        self._pacer = Pacer(ledger)
        self._tasks = Tasks(settings, ledger, facts, tell)

    def work(self, call_id: str, fact: Callable[[Record], None] | None = None) -> None:
        """Record a fact of a call, if there is one, and do what is due for it.

        Once a destination is dialed for a fact, the rest is done later, and its failures are told:
        they are not the platform's to mend, and whoever takes over finds out what was done.

        Raises NotRoutedError if the call could not be routed, LedgerError.
        """
        me, is_told = secrets.token_hex(8), fact is not None
        budget = self._settings.callback_budget - _MARGIN if fact else _LONGEST_WORK
        deadline = time.monotonic() + budget
        self._tasks.ask_ahead()
        try:
            taken = self._take(call_id, me, fact, is_event=is_told, at_once=True)
            self._go_on(taken, me, deadline, told=is_told)
        except TakenOverError:
            return
        except UnknownCallError:
            if is_told:
                raise NotRoutedError("the ledger has lost the call") from None

    def _go_on(self, taken: _Taken | None, me: str, deadline: float, *, told: bool) -> None:
        """Do what is due, task by task."""
        while taken is not None:
            record, task, start = taken
            job = Job(record, task, self._patience(record, me, deadline), start)
            try:
                change = self._do(job, me, told=told)
            except LedgerError as error:
                if not (told and job.has_dialed):
                    raise
                self._tell("ledger-failed", call_id=record.call_id, error=str(error))
                return
            if told and job.has_dialed:
                self._later(partial(self._finish, record.call_id, me, deadline, change))
                return
            taken = self._take(record.call_id, me, change)

    def _finish(
        self, call_id: str, me: str, deadline: float, change: Callable[[Record], None]
    ) -> None:
        """Note what came of a task for which the platform did not wait, and go on."""
        try:
            self._go_on(self._take(call_id, me, change), me, deadline, told=False)
        except (TakenOverError, UnknownCallError):
            return
        except LedgerError as error:
            self._tell("ledger-failed", call_id=call_id, error=str(error))
        except Exception as error:  # noqa: BLE001 - nobody else would tell
            self._tell("timer-failed", call_id=call_id, error=type(error).__name__)

    def _take(
        self,
        call_id: str,
        me: str,
        fact: Callable[[Record], None] | None,
        *,
        is_event: bool = False,
        at_once: bool = False,
    ) -> _Taken | None:
        """Apply a fact and take the call if something is due and nobody has it; else let go.

        What can be decided then is decided `at_once`. Only an event makes a call known.
        """

        def change(record: Record, in_progress: Callable[[str], int]) -> _Taken | None:
            now, holder = clock.now(), record.holder
            is_mended = (fact is None or setback.was_ahead(record, now)) and setback.mend(
                record, now
            )
            if fact is not None:
                fact(record)
                agenda.reckon(record, now)
            task = _next_task(record, me, now)
            if task is not None:
                start = self._tasks.start_at_once(record, task, in_progress) if at_once else None
                return _Taken(record, task, start)
            if fact is None and record.holder == holder and not is_mended:
                raise UnchangedError
            return None

        try:
            return self._ledger.update(call_id, change if is_event else of_known(change))
        except UnknownCallError:
            raise
        except UnchangedError:
            return None

    def _do(self, job: Job, me: str, *, told: bool) -> Callable[[Record], None]:
        """Do one task; return what it changes in the record.

        A call that cannot be routed the first time is given back while the platform waits to be
        `told`, so that its fallback acts; in mid-call there is nobody else, so we try again.
        """
        call_id = job.record.call_id
        try:
            return self._tasks.do(job)
        except CallGoneError as error:
            self._tell("call-over", call_id=call_id, because=str(error))
            return changes.over(str(error))
        except (GaveUpError, RefusedError, NoRulesError) as error:
            because, is_refusal = str(error), isinstance(error, AccountRefusedError)
            is_known = is_refusal and job.record.retries > 0  # a line for each try is no news
            told_of = {"call_id": call_id, "task": job.task.name, "because": because}
            self._tell("not-routed", quiet=is_known, **told_of)
            if not told or _is_under_way(self._ledger.load(call_id) or job.record):
                return lambda record: _try_later(record, because, is_refusal=is_refusal)
            with suppress(UnknownCallError):
                give_back = partial(_give_back, because=because, is_refusal=is_refusal)
                self._take(call_id, me, give_back)
            raise NotRoutedError(because) from error

    def _patience(self, record: Record, me: str, deadline: float) -> Patience:
        """Return patience that renews the lease before it runs out.

        A step of the clock makes it shorter for others, whichever way, so it is renewed then, too.
        A call that was taken over is renewed before each request: if its ledger is going away, two
        may have taken it, one in the ledger and one in its copy, and one of them finds out so.
        """
        was_taken_over = record.doubt and record.retries > 0
        ahead = clock.now() - time.monotonic()
        end = min(record.held_until - ahead, time.monotonic() + agenda.LEASE)

        def hold(seconds: float) -> None:
            nonlocal end, ahead
            now, wall = time.monotonic(), clock.now()
            is_sure = now + seconds + 0.5 <= end and abs(wall - now - ahead) < _STEP
            if is_sure and not was_taken_over:
                return
            length = max(agenda.LEASE, seconds + 1.0)
            end, ahead = now + length, wall - now
            extend = of_known(lambda record, _: _extend(record, me, wall + length))
            if not self._ledger.update(record.call_id, extend):
                raise TakenOverError

        return Patience(self._client, deadline, hold, self._pacer)


def _is_under_way(record: Record) -> bool:
    """Whether a call has got further than being routed for the first time, or may have.

    The platform tells of a call twice. The second time nobody else takes it, and a request in doubt
    may be executed: we keep the call.
    """
    dialed = any(leg.state != SENDING for leg in record.legs)
    in_doubt = any(leg.is_being_sent and not leg.unsent for leg in record.current)
    further = record.state not in {ANSWERING, ROUTING}
    return dialed or further or (record.given_back > 0 and in_doubt)


def _next_task(record: Record, me: str, now: float) -> Task | None:
    if record.holder is not None and record.holder != me:
        if record.held_until > now:
            return None
        record.note(now, "taken-over")
        record.doubt = True
        record.retries += 1
        if record.retries > _MOST_RETRIES:
            _give_up(record, now, "whoever worked on it failed")
    record.holder = None
    task = agenda.due(record, now)
    if task is not None:
        record.holder, record.held_until = me, now + agenda.LEASE
    return task


def _give_back(record: Record, because: str, *, is_refusal: bool) -> None:
    """Let go of a call: the platform's fallback takes it, or tells us of it once more.

    The platform tells twice and no more ("Catapult: Callback retries"), so the second time there
    is nobody but us.
    """
    record.given_back += 1
    if record.given_back > 1:
        _try_later(record, because, is_refusal=is_refusal)
        return
    record.note(clock.now(), "gave-up", because=because)
    record.move("not routed")
    record.doubt = True


def _try_later(record: Record, because: str, *, is_refusal: bool) -> None:
    now, pause = clock.now(), agenda.RETRY
    if is_refusal:
        pause = min(pause * 2.0**record.retries, agenda.LONGEST_RETRY)
    record.retries += 1
    record.note(now, "try-later", because=because)
    record.retry_at = now + pause
    if record.retries > _MOST_RETRIES:
        _give_up(record, now, because)


def _give_up(record: Record, now: float, because: str) -> None:
    """Hang up a caller for whom nothing can be done any more, then the legs, then let go."""
    record.retries = 0
    if record.move("refused"):
        record.note(now, "gave-up", because=because)
    elif not record.is_over:
        record.end(now, f"gave up: {because}")
    else:
        for leg in record.legs:
            record.ended(leg.token, None, "given up", now)


def _extend(record: Record, me: str, until: float) -> bool:
    if record.holder != me:
        return False
    record.held_until = until
    return True
