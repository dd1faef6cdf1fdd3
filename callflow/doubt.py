"""Makes a leg once, although the answer to the request for it may be lost.

A lost answer leaves open whether the platform has executed the request. A request that is repeated
although it was executed tears down a conversation, or rings a phone twice. So the request is in
doubt until one of these is true:

It was executed, if
- an event has come that carries the leg's token: the ledger has it;
- or the caller's call is `transferring`, and the platform did not refuse the request;
- or the list of calls has a call with the token in its callback URL.

It was not executed, if
- a complete list of calls has none.

Nothing else proves anything: a list that is refused, too slow, or empty says only that nothing is
known. A list is complete up to the moment of the request when the list has shown a call of ours of
that age, because new calls may show late: see `_lag`. While nothing is known the request is not
repeated. See docs/adr/0021-a-request-in-doubt.md.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from callflow import clock
from callflow.patience import GONE, CallGoneError, GaveUpError
from catapult.errors import CallNotActiveError, CatapultError, RefusedError, UnknownOutcomeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.patience import Patience
    from callflow.record import Leg
    from catapult.wire import CallResource

LONGEST_LAG = 6.0
"""Seconds after which the list of calls is taken to show every call. No page says how late it may
be; delays of up to five seconds are tested."""
_MARGIN = 0.5
"""Seconds by which the list may be later than it was a moment ago, and an event than the list."""
_LISTED = 100
"""Newest calls among which a call is looked for."""
_GLANCE = 0.2
"""Seconds between two looks into the ledger while nothing is known."""
_LONGEST_FAILURE = 15.0
"""Seconds after which a destination is left for the next one: the platform answers questions, but
the request for this destination fails each time."""
_CLOCK_SKEW = 5.0
"""Seconds by which the platform's clock may differ from ours when legs are told apart by time."""


class NotWantedError(Exception):
    """Nobody waits any more for the leg that was to be made."""


class Watch(Protocol):
    """What the ledger knows of a leg while the platform is asked to make the leg."""

    seen_at: float
    """When we first heard of the caller's call, in epoch seconds."""

    def leg(self) -> Leg | None:
        """Return the leg as it is now; None when the ledger does not have it any more."""

    def sending(self) -> None:
        """Note that the request goes out now: whoever takes over must ask what became of it."""


class NotKnownError(GaveUpError):
    """Whether a leg was made cannot be told from what the platform says."""


class LegSearch:
    """Looks for one leg of a call among the platform's calls."""

    def __init__(self, patience: Patience, leg: Leg, seen_at: float) -> None:
        self._patience = patience
        self._leg = leg
        self._seen_at = seen_at
        self.lag = leg.list_lag
        """How late the list of calls may be, in seconds; None as long as that is not known."""

    def id_of(self, call: CallResource | None) -> str | None:
        """Return the id of a leg of which no event has come; None if there is no such leg.

        `call` is the caller's call, None if it is over. Raises NotKnownError if the platform's
        answers do not tell.
        """
        found = self.found(call, _sent_at(self._leg))
        if found is None or "" in found:
            raise NotKnownError("the list of calls does not tell what became of the leg")
        return found[0] if found else None

    def found(self, call: CallResource | None, since: float) -> list[str] | None:
        """Return the ids of what a request has made, nothing if the request was not executed.

        `since` is when the request was last under way (monotonic seconds). None if the list of
        calls does not tell. An id is "" where a call cannot be told from those of other callers.
        """
        asked_at = time.monotonic()
        listed = self._patience.ask(
            lambda client, timeout: client.list_calls(
                to=self._leg.transfer_to, size=_LISTED, timeout=timeout
            )
        )
        if listed is None:
            return None
        ids = (_id_if_of(each, self._leg) for each in listed)
        found = [each for each in ids if each is not None]
        if found:
            return found
        lag = self._lag(call) if call else LONGEST_LAG
        return [] if lag is not None and asked_at >= since + lag else None

    def _lag(self, call: CallResource) -> float | None:
        """Return how late the list of calls may be, None if it does not show the caller's call.

        The list shows the caller's call when that call is `age` old, so the list is no later than
        that: what it does not show `age` after a request was not made by the request.
        """
        if self.lag is None:
            listed = self._patience.ask(
                lambda client, timeout: client.list_calls(
                    from_=call.from_ or None, size=_LISTED, timeout=timeout
                )
            )
            if any(each.id == call.id for each in listed or ()):
                began = call.start_time.timestamp() if call.start_time else self._seen_at
                age = clock.now() - min(began, self._seen_at)
                self.lag = min(max(age, 0.0) + _MARGIN, LONGEST_LAG)
        return self.lag


class Doubt:
    """A request of which it is not known whether the platform has executed it."""

    def __init__(self, error: CatapultError, since: float, *, was_refused: bool = False) -> None:
        self.error = error
        self.since = since
        """When the request was last under way, in monotonic seconds."""
        self.was_refused = was_refused


def left_behind(leg: Leg) -> Doubt:
    """Return the doubt about a request of which nobody has noted what became of it."""
    return Doubt(UnknownOutcomeError("a worker was lost"), _sent_at(leg))


def last_sent(leg: Leg) -> float:
    """Return when the request for a leg was last sent (epoch seconds), at most a moment early."""
    return max(leg.started_at, leg.sent_at or 0.0)


def _sent_at(leg: Leg) -> float:
    """Return the same in monotonic seconds, and never a moment to come."""
    return time.monotonic() - max(clock.now() - last_sent(leg), 0.0)


class Once:
    """Has the platform make a leg for a call; see the top of this file."""

    def __init__(self, patience: Patience, call_id: str, leg: Leg, watch: Watch) -> None:
        self._patience = patience
        self._call_id = call_id
        self._leg = leg
        self._watch = watch
        self._search = LegSearch(patience, leg, watch.seen_at)

    def make(self, send: Callable[[float], str | None], doubt: Doubt | None) -> str | None:
        """Return the leg's id, None if its first event will name it.

        `send` sends the request once. `doubt` is what is left of an earlier request. Raises
        CallGoneError, RefusedError (this destination is refused), NotWantedError or GaveUpError,
        which says whether a request is in doubt.
        """
        try:
            while True:
                made = [] if doubt is None else self._made(doubt)
                if made:
                    return made[0] or None
                doubt = None
                try:
                    return self._patience.once(lambda timeout: self._sent(send, timeout))
                except UnknownOutcomeError as error:
                    doubt = Doubt(error, time.monotonic())
                except CallNotActiveError as error:
                    if error.is_unknown:
                        raise CallGoneError(GONE) from error
                    doubt = Doubt(error, time.monotonic(), was_refused=True)
        except GaveUpError as error:
            error.is_unsent = doubt is None
            if doubt is not None:
                error.under_way_until = clock.now() - (time.monotonic() - doubt.since)
            error.list_lag = self._search.lag
            raise

    def _sent(self, send: Callable[[float], str | None], timeout: float) -> str | None:
        self._watch.sending()
        return send(timeout)

    def _made(self, doubt: Doubt) -> list[str]:
        """Return the ids of what the request has made, once that is known."""
        while True:
            made = self._told() or self._asked(doubt)
            if made is not None:
                break
            complete = self._search.lag and doubt.since + self._search.lag
            self._patience.wait(doubt.error, complete, _GLANCE, unless=self._told)
        if not made and clock.now() - self._leg.started_at > _LONGEST_FAILURE:
            raise RefusedError(f"the request failed again and again: {doubt.error}")
        return made

    def _told(self) -> list[str] | None:
        """Return what the ledger knows of the leg, None for nothing."""
        leg = self._watch.leg()
        if leg is None:
            raise CallGoneError("the ledger does not have it any more")
        if leg.leg_id is None and leg.is_being_sent and not leg.cancelled:
            return None
        return [leg.leg_id or ""]

    def _asked(self, doubt: Doubt) -> list[str] | None:
        """Ask the platform what the request has made; None if that is not known."""
        call = self._patience.look(self._call_id)
        is_ringing = call.state == "transferring" and not self._leg.created
        if is_ringing and not doubt.was_refused:
            return [""]
        found = self._search.found(call, doubt.since)
        if found == []:  # what came while the platform was asked counts
            return self._told() or (None if is_ringing else found)
        return found


def _id_if_of(call: CallResource, leg: Leg) -> str | None:
    """Return the id of a call that was made for a leg, None for any other call.

    A call whose callback URL is not shown can be told only by its time. It may be another
    caller's, so it counts as made, and has no id by which it could be hung up.
    """
    if call.direction != "out":
        return None
    if call.callback_url is not None:
        return call.id if leg.token in call.callback_url else None
    began = call.start_time.timestamp() if call.start_time else 0.0
    return "" if began >= leg.started_at - _CLOCK_SKEW else None
