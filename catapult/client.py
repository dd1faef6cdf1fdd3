"""The thin sender: what `catapult.wire` builds goes out, what comes back is read there.

One Client serves all threads of a process. Connections are made with the first request, so a
Client may be created before a server forks its workers, and are kept for the next one.
"""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from catapult import wire
from catapult.errors import CatapultError, UnknownOutcomeError
from catapult.sender import DROPPED, Sender
from catapult.transfer import Transfer, check_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from catapult.transfer import Audio
    from catapult.wire import CallResource


_MOST_PAGES = 100
"""Pages of a list that are read, at most."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP exchange, for logs and metrics: nothing in it is personal or secret.

    `label` is the method and the path template, such as `POST /calls/{callId} transferring`;
    `status` is None without an answer; `error` is the name of the error class, None if it went
    well. `because` is the text of that error, a status and the platform's code.
    """

    method: str
    label: str
    status: int | None
    seconds: float
    error: str | None
    because: str | None = None


class Client:
    """The platform's API for one account.

    `base_url` ends in the version, `…/v1`. Time-outs are in seconds. Each method takes a
    `timeout`, the seconds left of its caller's budget: it bounds the exchange as a whole, but for
    a slow name look-up. `observe` is called after every exchange, on the calling thread, and must
    not raise.

    Every method raises the errors of `catapult.errors`, and InvalidParameterError for an id or a
    value that could not be sent. Nothing is repeated by itself but a GET whose kept connection
    turned out to be closed: a POST in that place may have been executed.
    """

    def __init__(
        self,
        base_url: str,
        user_id: str,
        token: str,
        secret: str,
        *,
        connect_timeout: float = 3.05,
        read_timeout: float = 5.0,
        observe: Callable[[Exchange], None] | None = None,
    ) -> None:
        check_url("base_url", base_url)
        self._account = f"{base_url.rstrip('/')}/users/{wire.path_id(user_id, 'userId')}"
        self._longest = connect_timeout + read_timeout
        self._observe = observe
        credentials = base64.b64encode(f"{token}:{secret}".encode()).decode()
        headers = {
            "Authorization": f"Basic {credentials}",
            "Accept": "application/json",
            "User-Agent": "callrouter",
        }
        self._sender = Sender(self._account, headers, connect_timeout, read_timeout)

    def __repr__(self) -> str:
        return f"Client({self._account!r})"

    def close(self) -> None:
        """Close the connections that are kept."""
        self._sender.close()

    def get_call(self, call_id: str, *, timeout: float | None = None) -> CallResource:
        """Return the call as the platform sees it now."""
        _, data = self._send(wire.get_call(call_id), timeout)
        return wire.read_call(data)

    def list_calls(
        self,
        *,
        to: str | None = None,
        from_: str | None = None,
        size: int = 25,
        timeout: float | None = None,
    ) -> list[CallResource]:
        """Return the newest calls, at most `size`, of these parties."""
        _, data = self._send(wire.list_calls(to=to, from_=from_, size=size), timeout)
        return wire.read_calls(data)

    def list_numbers(
        self, *, most_pages: int = _MOST_PAGES, timeout: float | None = None
    ) -> list[str]:
        """Return the phone numbers of the account; each page of a thousand may take `timeout`."""
        numbers: list[str] = []
        for page in range(most_pages):
            headers, data = self._send(wire.list_numbers(page), timeout)
            numbers += wire.read_numbers(data)
            if not data or not wire.has_next_page(headers):
                break
        return numbers

    def answer(self, call_id: str, *, timeout: float | None = None) -> None:
        """Answer an incoming call."""
        self._send(wire.answer(call_id), timeout)

    def reject(self, call_id: str, *, timeout: float | None = None) -> None:
        """Reject an incoming call that was not answered."""
        self._send(wire.reject(call_id), timeout)

    def hang_up(self, call_id: str, *, timeout: float | None = None) -> None:
        """Hang up a call; it may ring or talk."""
        self._send(wire.hang_up(call_id), timeout)

    def transfer(
        self, call_id: str, order: Transfer | Mapping[str, Any], *, timeout: float | None = None
    ) -> str | None:
        """Transfer an active call; return the id of the new leg. `order` may be a Transfer's body.

        None means that the transfer is under way and the platform did not name the leg; its first
        event will.
        """
        body = order.body() if isinstance(order, Transfer) else order
        leg_id = self._create(wire.transfer(call_id, body), timeout)
        return None if leg_id == call_id else leg_id  # the call itself is not the new leg

    def speak(
        self,
        call_id: str,
        audio: Audio,
        *,
        loop: bool = False,
        tag: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Speak a sentence or play a file to a call, until stopped if `loop`."""
        self._send(wire.speak(call_id, audio, loop=loop, tag=tag), timeout)

    def stop_audio(
        self, call_id: str, *, sentence: bool = False, timeout: float | None = None
    ) -> None:
        """Stop the file that plays, or the `sentence`; RefusedError if nothing does."""
        self._send(wire.stop_audio(call_id, sentence=sentence), timeout)

    def create_call(  # noqa: PLR0913  the parameters of the page, each with its name
        self,
        from_: str,
        to: str,
        *,
        call_timeout: int,
        callback_url: str,
        bridge_id: str | None = None,
        tag: str | None = None,
        recording_enabled: bool | None = None,
        recording_file_format: str | None = None,
        timeout: float | None = None,
    ) -> str | None:
        """Call a destination for `call_timeout` seconds; return the call's id if it is named."""
        request = wire.create_call(
            from_,
            to,
            call_timeout=call_timeout,
            callback_url=callback_url,
            bridge_id=bridge_id,
            tag=tag,
            recording_enabled=recording_enabled,
            recording_file_format=recording_file_format,
        )
        return self._create(request, timeout)

    def create_bridge(
        self, call_ids: Sequence[str], bridge_audio: bool = True, *, timeout: float | None = None
    ) -> str | None:
        """Create a bridge with up to two calls; return its id if it is named."""
        return self._create(wire.create_bridge(call_ids, bridge_audio=bridge_audio), timeout)

    def update_bridge(
        self,
        bridge_id: str,
        call_ids: Sequence[str],
        bridge_audio: bool | None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        """Replace a bridge's calls; with none it is completed."""
        request = wire.update_bridge(bridge_id, call_ids, bridge_audio=bridge_audio)
        self._send(request, timeout)

    def _create(self, request: wire.Request, timeout: float | None) -> str | None:
        headers, _ = self._send(request, timeout)
        return wire.location_id(headers)

    def _send(self, request: wire.Request, timeout: float | None) -> tuple[Mapping[str, str], Any]:
        deadline = time.monotonic() + (self._longest if timeout is None else timeout)
        try:
            return self._exchange(request, deadline)
        except UnknownOutcomeError as error:
            if request.method != "GET" or not isinstance(error.__cause__, DROPPED):
                raise
        return self._exchange(request, deadline)

    def _exchange(self, request: wire.Request, deadline: float) -> tuple[Mapping[str, str], Any]:
        started = time.monotonic()
        status: int | None = None
        failure = because = None
        body = None if request.body is None else msgspec.json.encode(request.body)
        url = self._account + request.path
        try:
            answer = self._sender.exchange(request.method, url, body, deadline)
            status = answer.status
            data = wire.read_response(status, answer.headers, answer.body, now=time.time())
        except CatapultError as error:
            failure, because = type(error).__name__, str(error)
            raise
        finally:
            if self._observe is not None:
                seconds = time.monotonic() - started
                what = request.method, request.label
                self._observe(Exchange(*what, status, seconds, failure, because))
        return answer.headers, data
