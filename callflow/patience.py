"""Requests to the platform within a deadline, never repeated blindly.

A request that was certainly not executed waits as it is told and is repeated. One of which that
is not known is repeated only after a look at the call has shown that it was not done.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypeVar

from catapult.errors import (
    AccountError,
    CallNotActiveError,
    RefusedError,
    TryAgainError,
    UnknownOutcomeError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callflow.pacing import Pacer
    from callflow.record import Leg
    from catapult.client import Client
    from catapult.transfer import Audio
    from catapult.wire import CallResource

T = TypeVar("T")

REQUEST = 3.5
"""Seconds that one request may take before a look is taken at what became of it."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
_FULL = 0.5
"""Seconds until another turn is asked for when the queue is full."""
_LISTED = 100
"""Newest calls to a destination among which a leg is looked for."""
_CLOCK_SKEW = 5.0
"""Seconds by which the platform's clock may differ from ours when legs are told apart by time."""


class CallGoneError(Exception):
    """The call is over: nothing more is to be done for it."""


class TakenOverError(Exception):
    """This worker was late, and another one has taken the call over."""


class NotWantedError(Exception):
    """Nobody waits for the leg any more that was to be made."""


class GaveUpError(Exception):
    """The time is up, or the account is refused: the platform's own fallback must act."""

    is_undone = False
    """Whether the last request failed, and a look has shown that it was not executed."""

    @property
    def is_unsent(self) -> bool:
        """Whether the last request was certainly not executed."""
        return isinstance(self.__cause__, TryAgainError | AccountError)


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
        self._client = client
        self._deadline = deadline
        self._hold = hold
        self._pacer = pacer
        self._paced = False
        self._pause = _FIRST_PAUSE

    def answer(self, call_id: str) -> None:
        """Answer an incoming call. Raises CallGoneError, RefusedError or GaveUpError."""
        self._insist(
            lambda timeout: self._client.answer(call_id, timeout=timeout),
            lambda: self.look(call_id).state != "started",
        )

    def reject(self, call_id: str) -> None:
        """Reject a call that was not answered. Raises RefusedError or GaveUpError."""
        self._until_over(call_id, lambda timeout: self._client.reject(call_id, timeout=timeout))

    def hang_up(self, call_id: str) -> None:
        """Hang up a leg. Raises RefusedError or GaveUpError; one that is over is no error."""
        self._until_over(call_id, lambda timeout: self._client.hang_up(call_id, timeout=timeout))

    def play(self, call_id: str, audio: Audio, *, loop: bool = False, tag: str) -> None:
        """Play something to a call. Raises CallGoneError, RefusedError or GaveUpError.

        Whether it was begun cannot be asked, so one in doubt counts as begun.
        """
        was_refused = False

        def send(timeout: float) -> None:
            nonlocal was_refused
            was_refused = False
            try:
                self._client.speak(call_id, audio, loop=loop, tag=tag, timeout=timeout)
            except CallNotActiveError:
                was_refused = True
                raise

        self._insist(send, lambda: self.look(call_id).is_active and not was_refused)

    def stop_playing(self, call_id: str) -> None:
        """Stop what plays to a call; nothing playing is no error. Raises GaveUpError."""
        try:
            self._insist(
                lambda timeout: self._client.stop_audio(call_id, timeout=timeout), lambda: True
            )
        except RefusedError:
            return

    def transfer(self, call_id: str, leg: Leg, order: Mapping[str, Any]) -> str | None:
        """Transfer a call; return the new leg's id, None if it is not known yet.

        Raises CallGoneError, RefusedError (this destination is refused) or GaveUpError.
        """
        return self._create(
            lambda timeout: self._client.transfer(call_id, order, timeout=timeout),
            lambda: self.legs_of(call_id, leg),
        )

    def call(
        self, call_id: str, leg: Leg, callback_url: str, is_wanted: Callable[[], bool]
    ) -> str | None:
        """Call the destination of a leg for a call; return the new leg's id.

        Raises CallGoneError, RefusedError (this destination is refused), GaveUpError, or
        NotWantedError if `is_wanted` says so before it was called.
        """

        def send(timeout: float) -> str | None:
            if not is_wanted():
                raise NotWantedError
            return self._client.create_call(
                leg.request["from"],
                leg.transfer_to,
                call_timeout=leg.ring,
                callback_url=callback_url,
                tag=call_id,
                recording_enabled=leg.request.get("recordingEnabled"),
                recording_file_format=leg.request.get("recordingFileFormat"),
                timeout=timeout,
            )

        return self._create(send, lambda: self.legs_of(call_id, leg))

    def join(self, call_id: str, leg_id: str) -> None:
        """Join two answered calls. Raises CallGoneError, RefusedError or GaveUpError."""

        def joined() -> bool:
            return self.look(call_id).bridge_id is not None

        try:
            self._insist(
                lambda timeout: self._client.create_bridge([call_id, leg_id], timeout=timeout),
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
            call = self._insist(lambda timeout: self._client.get_call(call_id, timeout=timeout))
        except RefusedError as error:
            raise CallGoneError(str(error)) from error
        if call is None or call.is_over:
            raise CallGoneError(f"the call is {call.state if call else 'gone'}")
        return call

    def legs_of(self, call_id: str, leg: Leg) -> list[str]:
        """Return the ids of what an attempt has already made; "" for one that is not named.

        Raises CallGoneError when the call itself is over.
        """
        call = self.look(call_id)
        found = self.find(leg)
        if not found and call.state == "transferring" and not leg.created:
            return [""]
        return found

    def find(self, leg: Leg) -> list[str]:
        """Return the ids of the calls that were made for a leg. Raises GaveUpError."""

        def listed(timeout: float) -> list[CallResource]:
            return self._client.list_calls(to=leg.transfer_to, size=_LISTED, timeout=timeout)

        try:
            calls = self._insist(listed) or []
        except RefusedError:
            return []
        return [call.id for call in calls if _is_of(call, leg)]

    def _create(
        self, send: Callable[[float], str | None], find: Callable[[], list[str]]
    ) -> str | None:
        found: list[str] = []

        def done() -> bool:
            found.extend(find())
            return bool(found)

        return self._insist(send, done) or (found[0] or None if found else None)

    def _until_over(self, call_id: str, send: Callable[[float], None]) -> None:
        def is_over() -> bool:
            self.look(call_id)
            return False

        try:
            self._insist(send, is_over)
        except CallGoneError:
            return

    def _insist(
        self, send: Callable[[float], T], done: Callable[[], bool] | None = None
    ) -> T | None:
        """Send until it is done. `done` is asked after each doubt; None if it says so.

        Without `done` it is a question, which may be asked again. Whatever ends the patience later,
        a request that was in doubt once is the cause that is told.
        """
        doubts: list[Exception] = []
        try:
            return self._insist_in_doubt(send, done, doubts)
        except GaveUpError as error:
            if not doubts or not error.is_unsent:
                raise
            raise GaveUpError(str(error)) from doubts[0]

    def _insist_in_doubt(
        self,
        send: Callable[[float], T],
        done: Callable[[], bool] | None,
        doubts: list[Exception],
    ) -> T | None:
        while True:
            had_turn = self._take_turn()
            try:
                answer = send(self._time())
            except AccountError as error:
                raise GaveUpError(str(error)) from error
            except TryAgainError as error:
                self._put_off(error, had_turn=had_turn)
            except (UnknownOutcomeError, CallNotActiveError) as error:
                if done is None and isinstance(error, CallNotActiveError):
                    raise
                doubts.append(error)
                if done is not None and done():
                    return None
                try:
                    self._wait(error)
                except GaveUpError as gave_up:
                    gave_up.is_undone = done is not None
                    raise
            else:
                if had_turn:
                    self._pacer.went_well()
                return answer

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


def _is_of(call: CallResource, leg: Leg) -> bool:
    """Return whether an outbound call was made by an attempt: by its token, or else its time."""
    if call.direction != "out":
        return False
    if call.callback_url is not None:
        return leg.token in call.callback_url
    return call.start_time is not None and (
        call.start_time.timestamp() >= leg.started_at - _CLOCK_SKEW
    )
