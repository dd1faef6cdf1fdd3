"""Requests to the platform within a deadline, never repeated blindly.

A request that was certainly not executed waits as it is told and is repeated. One of which that
is not known is repeated only after a look at the call has shown that it was not done.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from catapult.errors import (
    AccountError,
    CallNotActiveError,
    CatapultError,
    RefusedError,
    TryAgainError,
    UnknownOutcomeError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.ledger import Attempt
    from catapult.client import Client
    from catapult.transfer import Audio, Transfer
    from catapult.wire import CallResource

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.15, 1.0
_CLOCK_SKEW = 5.0
"""Seconds by which the platform's clock may differ from ours when legs are told apart by time."""


class CallGoneError(Exception):
    """The call is over: nothing more is to be done for it."""


class GaveUpError(Exception):
    """The time is up, or the account is refused: the platform's own fallback must act."""


class Patience:
    """Asks the platform on behalf of one callback, until its deadline (monotonic seconds)."""

    def __init__(self, client: Client, deadline: float) -> None:
        self._client = client
        self._deadline = deadline
        self._pause = _FIRST_PAUSE

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self._deadline - time.monotonic()

    def answer(self, call_id: str) -> None:
        """Answer an incoming call. Raises CallGoneError, RefusedError or GaveUpError."""
        self._insist(
            lambda: self._client.answer(call_id, timeout=self.left),
            lambda: self._look(call_id).state != "started",
        )

    def reject(self, call_id: str) -> None:
        """Reject a call that was not answered. Raises RefusedError or GaveUpError."""
        self._until_over(call_id, lambda: self._client.reject(call_id, timeout=self.left))

    def hang_up(self, call_id: str) -> None:
        """Hang up a leg. Raises RefusedError or GaveUpError; one that is over is no error."""
        self._until_over(call_id, lambda: self._client.hang_up(call_id, timeout=self.left))

    def announce(self, call_id: str, audio: Audio, tag: str) -> None:
        """Play something to a call. Raises CallGoneError, RefusedError or GaveUpError.

        Whether an announcement was begun cannot be asked, so one in doubt counts as begun.
        """
        self._insist(
            lambda: self._client.speak(call_id, audio, tag=tag, timeout=self.left),
            lambda: self._look(call_id).is_active,
        )

    def transfer(self, attempt: Attempt, order: Transfer) -> str | None:
        """Transfer the call of `attempt`; return the leg's id, None if it is not known yet.

        Raises CallGoneError, RefusedError (this destination is refused) or GaveUpError.
        """
        found: list[str] = []

        def done() -> bool:
            legs = self.legs_of(attempt)
            found.extend(legs)
            return bool(legs)

        sent = self._insist(
            lambda: self._client.transfer(attempt.call_id, order, timeout=self.left), done
        )
        return sent or (found[0] if found and found[0] else None)

    def is_active(self, call_id: str) -> bool:
        """Return whether an incoming call is active; False when it is over. Raises GaveUpError.

        A state in between (being set up, or coming back from a transfer) is waited out. A leg
        that we made ourselves is never routed, so it counts as over.
        """
        try:
            while True:
                call = self._look(call_id)
                if call.direction == "out":
                    return False
                if call.is_active:
                    return True
                self._wait(None, GaveUpError("the call does not become active"))
        except CallGoneError:
            return False

    def legs_of(self, attempt: Attempt) -> list[str]:
        """Return the ids of the legs that an attempt has already made; "" for one not named.

        Raises CallGoneError when the call itself is over.
        """
        call = self._look(attempt.call_id)
        legs = [leg.id for leg in self._calls_to(attempt.transfer_to) if _is_of(leg, attempt)]
        if not legs and call.state == "transferring":
            return [""]
        return legs

    def _calls_to(self, number: str) -> list[CallResource]:
        try:
            return (
                self._insist(
                    lambda: self._client.list_calls(to=number, timeout=self.left), lambda: False
                )
                or []
            )
        except RefusedError:
            return []

    def _until_over(self, call_id: str, send: Callable[[], None]) -> None:
        def is_over() -> bool:
            self._look(call_id)
            return False

        try:
            self._insist(send, is_over)
        except CallGoneError:
            return

    def _look(self, call_id: str) -> CallResource:
        """Return the call as it is. Raises CallGoneError if it is over, GaveUpError."""
        while True:
            try:
                call = self._client.get_call(call_id, timeout=self.left)
            except (CallNotActiveError, RefusedError) as error:
                if isinstance(error, AccountError):
                    raise GaveUpError(str(error)) from error
                raise CallGoneError(str(error)) from error
            except CatapultError as error:
                self._wait(getattr(error, "wait", None), error)
                continue
            if call.is_over:
                raise CallGoneError(f"the call is {call.state}")
            return call

    def _insist(self, send: Callable[[], T], done: Callable[[], bool]) -> T | None:
        """Send until it is done. `done` is asked after each doubt; None if it says so."""
        while True:
            try:
                return send()
            except AccountError as error:
                raise GaveUpError(str(error)) from error
            except TryAgainError as error:
                self._wait(error.wait, error)
            except (UnknownOutcomeError, CallNotActiveError) as error:
                if done():
                    return None
                self._wait(None, error)

    def _wait(self, told: float | None, error: Exception) -> None:
        """Wait as told, or a little longer each time; give up if that is past the deadline."""
        pause = told if told is not None else self._pause
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        if pause >= self.left:
            raise GaveUpError(str(error)) from error
        time.sleep(pause)


def _is_of(leg: CallResource, attempt: Attempt) -> bool:
    """Return whether an outbound leg was made by an attempt: by its token, or else by its time."""
    if leg.direction != "out":
        return False
    if leg.callback_url is not None:
        return attempt.token in leg.callback_url
    return (
        leg.start_time is not None
        and leg.start_time.timestamp() >= attempt.started_at - _CLOCK_SKEW
    )
