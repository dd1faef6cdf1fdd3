"""The record of a call in progress: its state, its legs, and what is to be done when.

Plain data and pure functions. A record changes only inside `Ledger.update`, one atomic step at a
time; whatever holds a reference to one elsewhere holds a snapshot.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import TYPE_CHECKING, Any

import msgspec

from routing.conditions import Call
from routing.words import NO_ANSWER, REJECTED

if TYPE_CHECKING:
    import datetime as dt

NEW, ANSWERING, ROUTING, RINGING = "new", "answering", "routing", "ringing"
CONNECTED, ANNOUNCING, ENDING, OVER = "connected", "announcing", "ending", "over"

TRANSITIONS: dict[tuple[str, str], str] = {
    (NEW, "unanswered"): ANSWERING,
    (NEW, "answered"): ROUTING,
    (ANSWERING, "answered"): ROUTING,
    (ANSWERING, "not routed"): NEW,
    (ROUTING, "not routed"): NEW,
    (ROUTING, "sent"): RINGING,
    (ROUTING, "announcing"): ANNOUNCING,
    (ROUTING, "refused"): ENDING,
    (RINGING, "joined"): CONNECTED,
    (RINGING, "failed"): ROUTING,
    (CONNECTED, "declined"): ROUTING,
    (CONNECTED, "parted"): ENDING,
    (ANNOUNCING, "announced"): ENDING,
    **{
        (state, "hung up"): OVER
        for state in (NEW, ANSWERING, ROUTING, RINGING, CONNECTED, ANNOUNCING, ENDING)
    },
}
"""(state, what happened) -> state. What is not here changes nothing, so a duplicate or an event
out of order does no harm. docs/call-states.md is generated from this table."""

MOST_ENTRIES = 1000
"""Lines that the journal of one call keeps; a sender may repeat events as often as it likes."""

SENDING, DIALED, ANSWERED, ENDED = "sending", "dialed", "answered", "ended"
"""States of a leg: about to be sent (or sent, and not known); under way; answered; over."""


class Leg(msgspec.Struct, omit_defaults=True):
    """One destination rung for a call. `token` stands in its callback URL. Times: epoch seconds."""

    token: str
    round: int
    """Which attempt it belongs to; legs of one ring group share it."""
    destination: str
    transfer_to: str
    stage: str
    reason: str
    request: dict[str, Any]
    ring: int
    started_at: float
    whisper: dict[str, Any] | None = None
    created: bool = False
    """Whether we called it ourselves (a ring group) instead of transferring the call."""
    state: str = SENDING
    unsent: bool = False
    """Whether it is known that its request was never executed."""
    sent_at: float | None = None
    """When its request was sent, if that was later than `started_at`, or not the first time."""
    list_lag: float | None = None
    """How late the platform's list of calls may be, in seconds, as far as this call has shown."""
    sent_again: bool = False
    """Whether its request was repeated: then an event may come from a leg that is not ours."""
    leg_id: str | None = None
    ring_until: float | None = None
    answered_at: float | None = None
    whispered_at: float | None = None
    whisper_over: bool = False
    rung_out: bool = False
    """Whether we end it because it rang for long enough."""
    checked_at: float | None = None
    joined: bool = False
    cancelled: bool = False
    """Whether we want it to end: a loser of a ring group, or its caller left."""
    outcome: str | None = None
    cause: str | None = None
    ended_at: float | None = None

    @property
    def is_being_sent(self) -> bool:
        """Whether its request is about to go out, or went out and may have been executed."""
        return self.state == SENDING

    @property
    def is_open(self) -> bool:
        """Whether the leg is, or may be, in progress."""
        return self.state != ENDED


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One line of a call's journal: an event, a decision, a request. `at` is epoch seconds."""

    at: float
    kind: str
    data: dict[str, Any]


class Record(msgspec.Struct, omit_defaults=True):
    """A call as the ledger has it. Times are epoch seconds."""

    call_id: str
    version: int = 0
    """How many updates it has had."""
    shared: int = 0
    """The last version that the ledger had; only the copies of `callflow.mirror` use it."""
    to: str = ""
    caller: str = ""
    anonymous: bool = False
    diverted: str | None = None
    counter: int | None = None
    """How often the call was diverted before it came in, and how often it may be."""
    limit: int | None = None
    seen_at: float = 0.0
    state: str = NEW
    doubt: bool = False
    """Whether the platform must be asked if the call is active before it is transferred."""
    answered_by_us_at: float | None = None
    holder: str | None = None
    held_until: float = 0.0
    checked_at: float | None = None
    retry_at: float | None = None
    retries: int = 0
    given_back: int = 0
    """How often the platform was told that the call was not routed."""
    line: str | None = None
    rule: str | None = None
    action: str | None = None
    rules_digest: str | None = None
    plan: dict[str, Any] | None = None
    """The route as data; kept beside the record and loaded only with `Ledger.load`."""
    progress: dict[str, Any] | None = None
    round: int = 0
    outcome: str | None = None
    cause: str | None = None
    legs: list[Leg] = []
    tone: bool = False
    """Whether a ringing tone plays to the caller."""
    announced: bool = False
    """Whether the end of the announcement was reported."""
    announced_until: float | None = None
    ended_at: float | None = None
    ended_by: str | None = None
    noted: int = 0
    """Lines of the journal so far."""
    entries: list[Entry] = []
    """What this update adds to the journal."""

    @property
    def is_over(self) -> bool:
        """Whether the call has ended, or is left to itself."""
        return self.state == OVER

    def call(self, at: dt.datetime) -> Call:
        """Return what the rules know of the call, at an instant."""
        diversion = self.diverted, self.counter, self.limit
        return Call(self.to, self.caller, at, self.anonymous, *diversion)

    def note(self, at: float, kind: str, **data: Any) -> None:
        """Add a line to the journal; one call's cannot grow without end."""
        self.noted += 1
        if self.noted <= MOST_ENTRIES:
            self.entries.append(Entry(at, kind, data))

    def move(self, trigger: str) -> bool:
        """Change the state by the table; return whether it changed."""
        state = TRANSITIONS.get((self.state, trigger))
        if state is None:
            return False
        self.state = state
        return True

    def leg(self, token: str) -> Leg | None:
        """Return the leg of a token."""
        return next((leg for leg in self.legs if leg.token == token), None)

    @property
    def current(self) -> list[Leg]:
        """The legs of the attempt at hand."""
        return [leg for leg in self.legs if leg.round == self.round]

    def answered(self, token: str, leg_id: str | None, now: float) -> None:
        """Note that a leg was answered; the first of a ring group wins, the others are let go."""
        leg = self.leg(token)
        if leg is None or leg.answered_at is not None or not leg.is_open:
            return
        leg.leg_id = leg.leg_id or leg_id
        leg.state, leg.answered_at = ANSWERED, now
        if not leg.created:
            leg.joined = True  # the platform joins a transferred leg by itself
            return
        others = [each for each in self.current if each is not leg and each.is_open]
        if any(each.state == ANSWERED and not each.cancelled for each in others):
            leg.cancelled = True
        for each in others if not leg.cancelled else ():
            each.cancelled = True

    def ended(self, token: str, outcome: str | None, cause: str | None, now: float) -> None:
        """Note that a leg is over, and its outcome unless it was joined.

        One that we hung up after its ring has nothing but no-answer for its outcome, whatever its
        cause; one that picked up and left before it was joined has declined.
        """
        leg = self.leg(token)
        if leg is None or not leg.is_open:
            return
        leg.state, leg.ended_at, leg.cause = ENDED, now, cause
        if leg.rung_out:
            leg.outcome = NO_ANSWER
        elif not leg.joined:
            leg.outcome = outcome if leg.answered_at is None else REJECTED
        self.doubt = True

    def end(self, now: float, because: str) -> None:
        """Note that the call is over; its legs are not wanted any more."""
        if self.move("hung up"):
            self.ended_at, self.ended_by = now, because
            for leg in self.legs:
                leg.cancelled = leg.is_open
            self.note(now, "over", because=because)


def new_token(call_id: str) -> str:
    """Return a token for a leg of a call: it names the call, and nobody can guess it."""
    name = base64.urlsafe_b64encode(call_id.encode()).decode().rstrip("=")
    return f"{name}.{secrets.token_urlsafe(24)}"


def call_of(token: str) -> str | None:
    """Return the call that a token names; whether it has such a leg, its record tells."""
    name = token.partition(".")[0]
    try:
        call_id = base64.b64decode(name + "=" * (-len(name) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return call_id or None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def dump(record: Record) -> bytes:
    """Return the record as JSON, without plan and journal."""
    plan, entries = record.plan, record.entries
    record.plan, record.entries = None, []
    text = _encode(record)
    record.plan, record.entries = plan, entries
    return text


def load(text: bytes | str) -> Record:
    """Return the record that `dump` wrote."""
    return _decode(text)


def dump_entries(record: Record) -> bytes:
    """Return what an update adds to the journal, as JSON."""
    return _encode(record.entries)
