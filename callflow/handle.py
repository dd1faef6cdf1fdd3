"""What the platform's events say of a call: each is recorded as a fact, then the call is worked on.

A fact changes the record by the table of its states, so it does not matter how often, in which
order, or at which worker the events arrive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from callflow.facts import NoRulesError
from callflow.ledger import LedgerError, UnchangedError, UnknownLegError
from callflow.leg_tasks import WHISPER
from callflow.record import call_of
from callflow.tasks import ANNOUNCEMENT
from callflow.work import NotRoutedError, Worker
from routing.callers import is_withheld, normal_party
from routing.words import NO_ANSWER, UNKNOWN, diversion_reason, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.facts import FactFinder
    from callflow.ledger import Ledger
    from callflow.record import Record
    from catapult.events import Event
    from settings import Settings

FRESH = 5.0
"""Seconds for which an answer event proves that the call is active."""


class CallHandler:
    """Handles the platform's events. One object serves all threads of a process."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        facts: FactFinder,
        worker: Worker,
        tell: Callable[..., None],
        is_refused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._facts = facts
        self._worker = worker
        self._tell = tell
        self._is_refused = is_refused

    def on_event(self, event: Event, now: float) -> None:
        """Handle an event of an incoming call; `now` is epoch seconds.

        Raises NotRoutedError if the call could not be routed, or not recorded. While the platform
        refuses our requests a new call is not even begun: we could neither transfer nor end it, and
        only now does the platform still turn to somebody else.
        """
        if event.type == "incomingcall" and self._is_refused():
            because = "the platform refuses the account"
            self._tell("not-routed", call_id=event.call_id, because=because)
            raise NotRoutedError(because)
        facts = {
            "incomingcall": self._incoming,
            "answer": self._answered,
            "hangup": _hung_up,
            "reject": _hung_up,
        }
        fact = facts.get(event.type, _played)
        self._work(event.call_id, lambda record: fact(record, event, now))

    def on_leg_event(self, token: str, event: Event, now: float) -> None:
        """Handle an event of a leg, which `token` names.

        Raises UnknownLegError, or NotRoutedError if it could not be recorded.
        """
        call_id = call_of(token)
        if call_id is None:
            raise UnknownLegError
        destination = ""

        def fact(record: Record) -> None:  # may be made several times, so it tells nobody
            nonlocal destination
            destination = _leg(record, token, event, now)

        self._work(call_id, fact)
        if event.type == "answer":
            self._tell("answered", call_id=call_id, destination=destination)

    def _work(self, call_id: str, fact: Callable[[Record], None]) -> None:
        try:
            self._worker.work(call_id, fact)
        except LedgerError as error:
            self._tell("ledger-failed", call_id=call_id, error=str(error))
            raise NotRoutedError(str(error)) from error

    def _incoming(self, record: Record, event: Event, now: float) -> None:
        _see(record, event, now)
        if not self._settings.auto_answer:
            record.move("unanswered")

    def _answered(self, record: Record, event: Event, now: float) -> None:
        was_seen = record.seen_at > 0
        _see(record, event, now)
        sure = self._is_proof(event, now) and (was_seen or self._came_in(record))
        if record.move("answered") and not sure:
            record.doubt = True

    @staticmethod
    def _is_proof(event: Event, now: float) -> bool:
        """Whether the event alone shows that the call is active; else the platform is asked."""
        fresh = event.time is not None and abs(now - event.time.timestamp()) < FRESH
        return fresh and (event.call_state or "").lower() == "active"

    def _came_in(self, record: Record) -> bool:
        """Whether a call that was not announced is surely one that came in.

        Without a callback URL of their own, events of transferred legs may come where those of
        incoming calls do.
        """
        if self._settings.public_url:
            return True
        try:
            return record.to in self._facts.rules().line_by_number
        except NoRulesError:
            return False


def _leg(record: Record, token: str, event: Event, now: float) -> str:
    """Note what an event says of a leg; return the leg's destination. Raises UnknownLegError."""
    leg = record.leg(token)
    if leg is None:
        raise UnknownLegError
    record.note(now, "event", leg=leg.destination, event=Raw(event.raw))
    if leg.sent_again and leg.leg_id not in {None, event.call_id}:
        return leg.destination  # of what an earlier request has made, which is not this leg
    leg.leg_id = leg.leg_id or event.call_id
    if event.type == "answer":
        record.answered(token, event.call_id, now)
    elif event.type in {"hangup", "reject"}:
        record.ended(token, outcome_of(event.cause), event.cause, now)
    elif event.type == "timeout":
        record.ended(token, NO_ANSWER, "timeout", now)
    elif _is_done(event, WHISPER):
        leg.whisper_over = True
    return leg.destination


def _see(record: Record, event: Event, now: float) -> None:
    """Note an event, and what it says of the call the first time."""
    record.note(now, "event", event=Raw(event.raw))
    if record.seen_at:
        return
    caller = normal_party(event.from_ or "")
    record.seen_at = now
    record.to, record.caller = normal_party(event.to or ""), caller
    record.anonymous = event.number_withheld or is_withheld(caller)
    if event.diversion:
        record.diverted = diversion_reason(event.diversion.reason or UNKNOWN)
        record.counter, record.limit = event.diversion.counter, event.diversion.limit


def _hung_up(record: Record, event: Event, now: float) -> None:
    _see(record, event, now)
    record.end(now, event.cause or event.type)


def _played(record: Record, event: Event, now: float) -> None:
    if not record.seen_at:
        raise UnchangedError  # a call that nobody told us of
    record.note(now, "event", event=Raw(event.raw))
    if not _is_done(event, ANNOUNCEMENT):
        return
    if event.tag == ANNOUNCEMENT:  # perhaps before we were told that it was begun
        record.announced = True
    record.move("announced")


def _is_done(event: Event, tag: str) -> bool:
    return (
        event.type in {"speak", "playback"} and event.status == "done" and event.tag in {tag, None}
    )
