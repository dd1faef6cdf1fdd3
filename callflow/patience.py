"""Requests to the platform within a deadline, never repeated blindly.

A request that was certainly not executed waits as the platform says, and is repeated. A request of
which that is not known is repeated only after a look at the call has shown that it was not
executed. What makes a new leg is in `callflow.doubt`: a look at the call is not enough for that.
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

    from callflow.pacing import Pacer
    from catapult.client import Client
    from catapult.transfer import Audio
    from catapult.wire import CallResource

T = TypeVar("T")

REQUEST = 3.5
"""Seconds that one request may take before a look is taken at what became of it."""
_QUESTION = 2.0
"""Seconds for a question that can stay open: the answer may come from elsewhere meanwhile."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_LONGEST_DOUBT = 3.2
"""Seconds between two questions about a request in doubt: its leg's event may answer them all."""
_FULL = 0.5
"""Seconds until another turn is asked for when the queue is full."""


GONE = "the call is gone"


class CallGoneError(Exception):
    """The call is over: nothing more is to be done for it."""


class TakenOverError(Exception):
    """This worker was late, and another one has taken the call over."""


class GaveUpError(Exception):
    """The time is up, or the account is refused: the platform's own fallback must act."""

    is_unsent = False
    """Whether it is certain that no request for a leg was executed."""
    under_way_until: float | None = None
    """Until when such a request was under way (epoch seconds), if that is not certain."""
    list_lag: float | None = None
    """How late the list of calls may be, in seconds, if that was found out."""


class AccountRefusedError(GaveUpError):
    """The platform refuses our credentials, or the account has no money left."""


class Patience:
    """Asks the platform on behalf of one piece of work, until its deadline (monotonic seconds).

    `hold` is called before each request with the seconds that it may take, so that the work is
    not taken for abandoned.
    """

    def __init__(
        self,
        client: Client,
        deadline: float,
        hold: Callable[[float], None],
        pacer: Pacer,
    ) -> None:
        self.client = client
        self._deadline = deadline
        self._hold = hold
        self._pacer = pacer
        self._pause = _FIRST_PAUSE

    def answer(self, call_id: str) -> None:
        """Answer an incoming call. Raises CallGoneError, RefusedError or GaveUpError."""
        self._insist(
            _to_a_call(lambda timeout: self.client.answer(call_id, timeout=timeout)),
            lambda: self.look(call_id).state != "started",
        )

    def reject(self, call_id: str) -> None:
        """Reject a call that was not answered. Raises RefusedError or GaveUpError."""
        self._until_over(call_id, lambda timeout: self.client.reject(call_id, timeout=timeout))

    def hang_up(self, call_id: str) -> None:
        """Hang up a leg. Raises RefusedError or GaveUpError; one that is over is no error."""
        self._until_over(call_id, lambda timeout: self.client.hang_up(call_id, timeout=timeout))

    def play(self, call_id: str, audio: Audio, *, loop: bool = False, tag: str) -> None:
        """Play something to a call. Raises CallGoneError, RefusedError or GaveUpError.

        Whether it was begun cannot be asked, so one in doubt counts as begun.
        """
        was_refused = False

        def send(timeout: float) -> None:
            nonlocal was_refused
            was_refused = False
            try:
                self.client.speak(call_id, audio, loop=loop, tag=tag, timeout=timeout)
            except CallNotActiveError:
                was_refused = True
                raise

        self._insist(_to_a_call(send), lambda: self.look(call_id).is_active and not was_refused)

    def stop_playing(self, call_id: str) -> None:
        """Stop what plays to a call; nothing playing is no error. Raises GaveUpError."""
        try:
            self._insist(
                lambda timeout: self.client.stop_audio(call_id, timeout=timeout), lambda: True
            )
        except RefusedError:
            return

    def join(self, call_id: str, leg_id: str) -> None:
        """Join two answered calls. Raises CallGoneError, RefusedError or GaveUpError."""

        def joined() -> bool:
            return self.look(call_id).bridge_id is not None

        try:
            self._insist(
                lambda timeout: self.client.create_bridge([call_id, leg_id], timeout=timeout),
                joined,
            )
        except RefusedError:
            if not joined():  # by a worker that died before it could say so
                raise

    def active(self, call_id: str) -> CallResource:
        """Return a call that is active. Raises CallGoneError, GaveUpError.

        A state in between (being set up, or coming back from a transfer) is waited out. A call
        that went out is none of ours to route.
        """
        while not (call := self.look(call_id)).is_active:
            self._wait(GaveUpError("the call does not become active"))
        if call.direction == "out":
            raise CallGoneError("it is not an incoming call")
        return call

    def look(self, call_id: str) -> CallResource:
        """Return a call as it is. Raises CallGoneError if it is over, GaveUpError."""
        try:
            call = self._insist(lambda timeout: self.client.get_call(call_id, timeout=timeout))
        except RefusedError as error:
            raise CallGoneError(str(error)) from error
        if call is None or call.is_over:
            raise CallGoneError(f"the call is {call.state}" if call else GONE)
        return call

    def ask(self, question: Callable[[Client, float], T]) -> T | None:
        """Ask something once; None if the platform does not answer soon, or refuses to."""
        try:
            return self.once(lambda timeout: question(self.client, min(timeout, _QUESTION)))
        except (CatapultError, AccountRefusedError):
            return None

    def once(self, send: Callable[[float], T]) -> T:
        """Send a request until it is certain that it reached the platform; return its answer.

        Raises UnknownOutcomeError, CallNotActiveError, RefusedError, or GaveUpError.
        """
        while True:
            had_turn = self._take_turn()
            try:
                answer = send(self._time())
            except AccountError as error:
                raise AccountRefusedError(str(error)) from error
            except TryAgainError as error:
                self._put_off(error, had_turn=had_turn)
            else:
                if had_turn:
                    self._pacer.went_well()
                return answer

    def wait(
        self, error: Exception, until: float | None, glance: float, unless: Callable[[], object]
    ) -> None:
        """Wait `until` a moment (monotonic seconds), or else a little, longer each time.

        Every `glance` seconds `unless` is asked whether there is anything left to wait for.
        """
        pause, self._pause = self._pause, min(self._pause * 2, _LONGEST_DOUBT)
        end = max(until or 0.0, time.monotonic() + pause)
        while (left := end - time.monotonic()) > 0 and not unless():
            self._sleep(min(left, glance), error)

    def _until_over(self, call_id: str, send: Callable[[float], None]) -> None:
        def is_over() -> bool:
            self.look(call_id)
            return False

        try:
            self._insist(_to_a_call(send), is_over)
        except CallGoneError:
            return

    def _insist(
        self, send: Callable[[float], T], done: Callable[[], bool] | None = None
    ) -> T | None:
        """Send until it is done. `done` is asked after each doubt; None if it says so.

        Without `done` it is a question, which may be asked again.
        """
        while True:
            try:
                return self.once(send)
            except (UnknownOutcomeError, CallNotActiveError) as error:
                if done is None and isinstance(error, CallNotActiveError):
                    raise
                if done is not None and done():
                    return None
                self._wait(error)

    def _take_turn(self) -> bool:
        """Wait for our turn while requests are refused for their rate; return whether they are."""
        if not self._pacer.is_needed:
            return False
        too_many = TryAgainError("too many requests")
        while (turn := self._pacer.turn()) is None:
            self._sleep(_FULL, too_many)
        self._sleep(turn, too_many)
        return True

    def _time(self) -> float:
        """Return the seconds that the next request may take."""
        timeout = min(self._deadline - time.monotonic(), REQUEST)
        self._hold(max(timeout, 0.0))
        return timeout

    def _put_off(self, error: TryAgainError, *, had_turn: bool) -> None:
        """Wait before a request that was not executed is repeated."""
        if error.wait is None:
            self._wait(error)
        else:
            self._pacer.refused(had_turn=had_turn)
            self._sleep(error.wait, error)

    def _wait(self, error: Exception) -> None:
        """Wait a little, longer each time."""
        pause, self._pause = self._pause, min(self._pause * 2, _LONGEST_PAUSE)
        self._sleep(pause, error)

    def _sleep(self, seconds: float, error: Exception) -> None:
        """Sleep, keeping hold of the call; give up if that is past the deadline."""
        end = time.monotonic() + seconds
        if end >= self._deadline:
            raise GaveUpError(str(error)) from error
        while (left := end - time.monotonic()) > 0:
            self._hold(min(left, 1.0))
            time.sleep(min(left, 1.0))


def _to_a_call(send: Callable[[float], T]) -> Callable[[float], T]:
    """Return the sending of a request to a call, which raises CallGoneError if it is unknown."""

    def sent(timeout: float) -> T:
        try:
            return send(timeout)
        except CallNotActiveError as error:
            if error.is_unknown:
                raise CallGoneError(GONE) from error
            raise

    return sent
