"""The protocol of the ledger: what happened to each call so far.

The ledger is what makes a call routed once, whatever the number of workers, duplicates or the
order of events. Every method is one atomic step, and none of them is ever held open while the
platform is asked for something.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

NEW, ANSWERING, ROUTING, RINGING = "new", "answering", "routing", "ringing"
CONNECTED, ANNOUNCING, OVER = "connected", "announcing", "over"
"""States of a call: seen; being answered by us; claimed by a worker that routes it; transferred,
or found out to be; talking to a destination; hearing an announcement; ended or left to itself."""

SENDING, SENT, ANSWERED, ENDED = "sending", "sent", "answered", "ended"
"""States of an attempt: about to be sent, or sent and not yet known; under way; answered; over."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a call's journal: an event, a decision, a request. `at` is epoch seconds.

    A `fingerprint` that the call's journal has already makes it a duplicate: kept once, counted.
    """

    at: float
    kind: str
    data: Mapping[str, Any]
    fingerprint: str | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class Seen:
    """A call as an event shows it."""

    call_id: str
    to: str
    caller: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What was decided for a call: its route as data, and the rules it was decided by."""

    line: str | None
    rule: str
    action: str
    route: Mapping[str, Any]
    rules_digest: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One destination rung for a call. `token` stands in the callback URL of its leg."""

    token: str
    call_id: str
    destination: str
    transfer_to: str
    stage: str
    reason: str
    request: Mapping[str, Any]
    started_at: float
    state: str = SENDING
    leg_id: str | None = None
    outcome: str | None = None
    cause: str | None = None
    ended_at: float | None = None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call as the ledger has it. Times are epoch seconds."""

    call_id: str
    to: str
    caller: str
    seen_at: float
    state: str = NEW
    claims: int = 0
    """How often a worker has taken the call for routing; above 1 the first one gave up."""
    plan: Plan | None = None
    progress: Mapping[str, Any] | None = None
    ended_at: float | None = None
    ended_by: str | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """Everything the ledger knows of one call."""

    call: CallRecord
    attempts: tuple[Attempt, ...] = ()
    journal: tuple[Entry, ...] = field(default=())


class Ledger(Protocol):
    """Its contract is one test suite that every backend passes."""

    def note(self, seen: Seen, entry: Entry) -> CallRecord:
        """Record an event of a call, making the call known; return the call as it is now."""

    def claim(self, seen: Seen, entry: Entry, *, answering: bool = False) -> CallRecord | None:
        """Record an event and take the call for routing (or for answering it ourselves).

        Returns the call with its new state to exactly one claimer, None to every other and for a
        call that is over.
        """

    def release(self, call_id: str, entry: Entry) -> None:
        """Give a claimed call back, so that the next event may claim it again."""

    def decide(self, call_id: str, plan: Plan, entry: Entry) -> None:
        """Record the route of a claimed call."""

    def begin_attempt(self, attempt: Attempt, capacity: int | None) -> bool:
        """Record an attempt that is about to be sent.

        Returns False, recording nothing, when `capacity` legs to its destination are in progress.
        """

    def update_attempt(self, attempt: Attempt) -> None:
        """Record what has become of an attempt."""

    def set_state(
        self, call_id: str, state: str, entry: Entry, progress: Mapping[str, Any] | None = None
    ) -> None:
        """Record a call's new state; a call that is over stays over."""

    def append(self, call_id: str, entry: Entry) -> bool:
        """Add to a call's journal; False if it was there already."""

    def find_attempt(self, token: str) -> Attempt | None:
        """Return the attempt that a token names."""

    def in_progress(self) -> dict[str, int]:
        """Return the number of legs in progress by destination."""

    def story(self, call_id: str) -> Story | None:
        """Return everything about one call."""

    def recent(self, limit: int) -> list[CallRecord]:
        """Return the calls seen last, the newest first."""

    def prune(self, before: float) -> int:
        """Forget calls seen before an instant; return how many."""

    def ping(self) -> None:
        """Raise LedgerError if the ledger cannot be written."""

    def close(self) -> None:
        """Close this thread's connection."""


class LedgerError(Exception):
    """The ledger could not be reached, read or written."""
