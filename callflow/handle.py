"""A call in progress: each event claims, decides, acts and records.

The only place where deciding (`routing`) and doing (`catapult`) meet. A call is claimed in the
ledger before anything is done for it, so it is routed once however often, and in whatever order,
its events arrive.
"""

from __future__ import annotations

import datetime as dt
import secrets
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from callflow.ledger import (
    ANNOUNCING,
    ANSWERED,
    ENDED,
    OVER,
    RINGING,
    SENT,
    Attempt,
    CallRecord,
    Entry,
    LedgerError,
    Plan,
    Seen,
)
from callflow.patience import CallGoneError, GaveUpError, Patience
from catapult.errors import RefusedError
from routing import route as routes
from routing.callers import is_withheld, normal_party
from routing.conditions import Call, Facts
from routing.router import route
from routing.rules import RejectAction
from routing.words import BUSY, FAILURE, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.ledger import Ledger
    from callflow.rulebook import Rulebook
    from catapult.client import Client
    from catapult.events import Event
    from routing.route import Move, Progress, Route
    from routing.rules import Destination, RuleSet
    from settings import Settings

FRESH = 5.0
"""Seconds for which an answer event proves that the call is active."""
_ANNOUNCEMENT = "announcement"
_MARGIN = 0.25
"""Seconds of the budget that are left for our own answer to the callback."""


class NotRoutedError(Exception):
    """The call could not be routed in time; the platform should turn to its fallback."""


class UnknownLegError(Exception):
    """A leg's token names no attempt."""


class CallHandler:
    """Handles the platform's events. One object serves all threads of a process.

    `tell` is called with the name of what happened and details, for logs and metrics.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        client: Client,
        rulebook: Rulebook,
        tell: Callable[..., None],
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._client = client
        self._rulebook = rulebook
        self._tell = tell

    def on_event(self, event: Event, now: float) -> None:
        """Handle an event of an incoming call; `now` is epoch seconds.

        Raises NotRoutedError if the call could not be routed, or not recorded.
        """
        try:
            self._on_event(event, now)
        except LedgerError as error:
            self._tell("ledger-failed", call_id=event.call_id, error=str(error))
            raise NotRoutedError(str(error)) from error

    def _on_event(self, event: Event, now: float) -> None:
        seen, entry = _seen(event), _entry(event, now)
        if event.type == "incomingcall":
            self._on_incoming(event, seen, entry)
        elif event.type == "answer":
            record = self._ledger.claim(seen, entry)
            if record is not None:
                self._guarded(record, lambda hurry: self._route(record, event, now, hurry))
        elif event.type in {"hangup", "reject"}:
            self._ledger.note(seen, entry)
            self._over(event.call_id, event.cause or event.type, now)
        else:
            self._ledger.append(event.call_id, entry)
            # A duplicate too: the first delivery may have failed to hang up.
            if _ends_announcement(event):
                self._after_announcement(event)

    def on_leg_event(self, token: str, event: Event, now: float) -> None:
        """Handle an event of a transferred leg, which `token` names.

        Raises UnknownLegError, or NotRoutedError if it could not be recorded.
        """
        try:
            attempt = self._ledger.find_attempt(token)
            if attempt is None:
                raise UnknownLegError
            self._ledger.append(attempt.call_id, _entry(event, now, leg=attempt.destination))
            self._on_leg_event(replace(attempt, leg_id=event.call_id or None), event, now)
        except LedgerError as error:
            raise NotRoutedError(str(error)) from error

    def _on_leg_event(self, attempt: Attempt, event: Event, now: float) -> None:
        if event.type == "answer":
            self._ledger.update_attempt(replace(attempt, state=ANSWERED))
            self._tell("answered", call_id=attempt.call_id, destination=attempt.destination)
        elif event.type == "hangup":
            was_answered = attempt.state == ANSWERED
            outcome = None if was_answered else outcome_of(event.cause)
            self._ledger.update_attempt(
                replace(attempt, state=ENDED, outcome=outcome, cause=event.cause, ended_at=now)
            )
            self._tell("leg-ended", call_id=attempt.call_id, cause=event.cause, outcome=outcome)

    def _on_incoming(self, event: Event, seen: Seen, entry: Entry) -> None:
        if self._settings.auto_answer:
            self._ledger.note(seen, entry)
            return
        record = self._ledger.claim(seen, entry, answering=True)
        if record is not None:
            self._guarded(record, lambda hurry: self._answer(record, event, entry.at, hurry))

    def _guarded(self, record: CallRecord, work: Callable[[Patience], None]) -> None:
        """Do the work for a claimed call; if it cannot be done, give the claim back."""
        deadline = time.monotonic() + self._settings.callback_budget - _MARGIN
        call_id = record.call_id
        try:
            work(Patience(self._client, deadline))
        except CallGoneError as error:
            self._over(call_id, str(error), time.time())
        except (GaveUpError, RefusedError, NotRoutedError) as error:
            self._ledger.release(call_id, Entry(time.time(), "gave-up", {"because": str(error)}))
            self._tell("not-routed", call_id=call_id, because=str(error))
            raise NotRoutedError(str(error)) from error

    def _answer(self, record: CallRecord, event: Event, now: float, patience: Patience) -> None:
        """Answer a call ourselves, or refuse it where the rules say so."""
        rules = self._rules()
        chosen = route(rules, _call(event, now), self._facts(rules))
        if chosen.action == "reject":
            self._decided(record.call_id, chosen, rules, now)
            patience.reject(record.call_id)
            self._over(record.call_id, "rejected by the rules", time.time())
        else:
            patience.answer(record.call_id)
            self._ledger.append(record.call_id, Entry(time.time(), "answered-by-us", {}))

    def _route(self, record: CallRecord, event: Event, now: float, patience: Patience) -> None:
        """Route a claimed call: the only way in for a transfer."""
        call_id = record.call_id
        if not self._is_proof(record, event, now):
            if not patience.is_active(call_id):
                raise CallGoneError("the call is not active any more")
            if self._has_been_sent(record, patience):
                return
        rules = self._rules()
        facts = self._facts(rules)
        chosen = route(rules, _call(event, now), facts)
        self._decided(call_id, chosen, rules, now)
        self._carry_out(call_id, chosen, routes.first_move(chosen, facts), patience)

    def _is_proof(self, record: CallRecord, event: Event, now: float) -> bool:
        """Whether the event alone shows that the call is active; else the platform is asked."""
        first = record.claims == 1
        fresh = event.time is not None and abs(now - event.time.timestamp()) < FRESH
        return first and fresh and event.call_state == "active" and self._is_incoming(record)

    def _is_incoming(self, record: CallRecord) -> bool:
        """Whether the call is surely one that came in.

        Without a callback URL of their own, events of transferred legs may come where those of
        incoming calls do; then a number that nobody gave us is looked at first.
        """
        rules = self._rulebook.rules
        return bool(self._settings.public_url or (rules and record.to in rules.line_by_number))

    def _has_been_sent(self, record: CallRecord, patience: Patience) -> bool:
        """Whether an earlier claim had already transferred the call, and record it if so."""
        story = self._ledger.story(record.call_id)
        for attempt in story.attempts if story else ():
            legs = patience.legs_of(attempt) if attempt.ended_at is None else []
            if legs:
                self._under_way(attempt, legs[0] or None, None)
                return True
            self._ledger.update_attempt(replace(attempt, state=ENDED, ended_at=time.time()))
        return False

    def _carry_out(self, call_id: str, chosen: Route, move: Move, patience: Patience) -> None:
        """Make the moves of a route until one is under way."""
        while True:
            self._note_skipped(call_id, move)
            if move.attempt is None:
                self._end(call_id, chosen, move, patience)
                return
            failed = self._try(call_id, move.attempt, move.progress, patience)
            if failed is None:
                return
            rules = self._rules()
            move = routes.next_move(chosen, move.progress, failed, self._facts(rules))
            if failed == FAILURE and not patience.is_active(call_id):
                raise CallGoneError("the caller left")

    def _try(
        self, call_id: str, planned: routes.Attempt, progress: Progress, patience: Patience
    ) -> str | None:
        """Send one attempt; return None when it is under way, else its outcome."""
        destination = planned.destinations[0]
        token = secrets.token_urlsafe(24)
        order = planned.transfer(destination, self._settings.leg_callback_url(token))
        attempt = _attempt(token, call_id, planned, destination)
        if not self._ledger.begin_attempt(attempt, destination.capacity):
            return BUSY
        try:
            leg_id = patience.transfer(attempt, order)
        except RefusedError as error:
            now = time.time()
            self._ledger.update_attempt(
                replace(attempt, state=ENDED, outcome=FAILURE, cause=str(error), ended_at=now)
            )
            self._tell("refused", call_id=call_id, error=str(error))
            return FAILURE
        self._under_way(attempt, leg_id, progress)
        return None

    def _under_way(self, attempt: Attempt, leg_id: str | None, progress: Progress | None) -> None:
        if leg_id is not None:
            self._ledger.update_attempt(replace(attempt, state=SENT, leg_id=leg_id))
        entry = Entry(time.time(), "transfer", {"to": attempt.destination, "legId": leg_id})
        written = asdict(progress) if progress else None
        self._ledger.set_state(attempt.call_id, RINGING, entry, written)
        self._tell(
            "transferred",
            call_id=attempt.call_id,
            destination=attempt.destination,
            transfer_to=attempt.transfer_to,
            reason=attempt.reason,
            leg_id=leg_id,
        )

    def _end(self, call_id: str, chosen: Route, move: Move, patience: Patience) -> None:
        """End a route that rings nobody (any more): refuse the caller, or tell them."""
        ending = move.ending
        if ending is None or isinstance(ending, RejectAction):
            patience.hang_up(call_id)
            self._over(call_id, "rejected by the rules", time.time())
            return
        audio = chosen.say(ending.audio, move.progress.reason)
        try:
            patience.announce(call_id, audio, _ANNOUNCEMENT)
        except RefusedError as error:
            self._tell("refused", call_id=call_id, error=str(error))
            patience.hang_up(call_id)
            self._over(call_id, "the announcement was refused", time.time())
            return
        self._ledger.set_state(call_id, ANNOUNCING, Entry(time.time(), "announce", audio.body()))
        self._tell("announcing", call_id=call_id)

    def _after_announcement(self, event: Event) -> None:
        story = self._ledger.story(event.call_id)
        if story is None or story.call.state != ANNOUNCING:
            return
        deadline = time.monotonic() + self._settings.callback_budget - _MARGIN
        try:
            Patience(self._client, deadline).hang_up(event.call_id)
        except (GaveUpError, RefusedError) as error:
            raise NotRoutedError(str(error)) from error
        self._over(event.call_id, "the announcement has ended", time.time())

    def _over(self, call_id: str, because: str, now: float) -> None:
        self._ledger.set_state(call_id, OVER, Entry(now, "over", {"because": because}))
        self._tell("call-over", call_id=call_id, because=because)

    def _decided(self, call_id: str, chosen: Route, rules: RuleSet, now: float) -> None:
        data = routes.dump(chosen)
        plan = Plan(chosen.line, chosen.rule, chosen.action, data, rules.digest)
        entry = Entry(now, "decision", {"line": chosen.line, "rule": chosen.rule})
        self._ledger.decide(call_id, plan, entry)
        self._tell(
            "routed",
            call_id=call_id,
            line=chosen.line,
            rule=chosen.rule,
            action=chosen.action,
            because=chosen.trace.steps[-1].because,
        )

    def _note_skipped(self, call_id: str, move: Move) -> None:
        for skip in move.skipped:
            data = {"destination": skip.destination, "because": skip.because}
            self._ledger.append(call_id, Entry(time.time(), "skipped", data))

    def _rules(self) -> RuleSet:
        rules = self._rulebook.rules
        if rules is None:
            raise NotRoutedError("there are no good rules")
        return rules

    def _facts(self, rules: RuleSet) -> Facts:
        """Return what is so now; the ledger is asked only for what the rules can tell apart."""
        limited = rules.limited
        if not limited:
            return Facts()
        counts = self._ledger.in_progress()
        full = {name for name, capacity in limited.items() if counts.get(name, 0) >= capacity}
        return Facts(busy=frozenset(full))


def _seen(event: Event) -> Seen:
    return Seen(event.call_id, normal_party(event.to or ""), normal_party(event.from_ or ""))


def _call(event: Event, now: float) -> Call:
    caller = normal_party(event.from_ or "")
    anonymous = event.number_withheld or is_withheld(caller)
    reason = event.diversion.reason if event.diversion else None
    to = normal_party(event.to or "")
    return Call(to, caller, dt.datetime.fromtimestamp(now, dt.UTC), anonymous, reason)


def _entry(event: Event, now: float, leg: str | None = None) -> Entry:
    """Return the journal's entry of an event, with what tells it from another of its kind.

    The platform may deliver an event twice ("Catapult: Callback retries").
    """
    parts = (event.call_id, event.type, ascii(event.body.get("time")), event.cause, event.status)
    fingerprint = "|".join(part or "" for part in (*parts, event.tag))
    data: dict[str, Any] = {"event": dict(event.body)}
    if leg is not None:
        data["leg"] = leg
    return Entry(now, "event", data, fingerprint)


def _ends_announcement(event: Event) -> bool:
    return (
        event.type in {"speak", "playback"}
        and event.status == "done"
        and event.tag in {_ANNOUNCEMENT, None}
    )


def _attempt(
    token: str, call_id: str, planned: routes.Attempt, destination: Destination
) -> Attempt:
    return Attempt(
        token=token,
        call_id=call_id,
        destination=destination.label,
        transfer_to=destination.transfer_to,
        stage=planned.stage,
        reason=planned.reason_for(destination),
        request=planned.transfer(destination).body(),
        started_at=time.time(),
    )
