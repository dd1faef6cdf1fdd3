"""The thin sender: what `catapult.wire` builds goes out, what comes back is read there.

One Client serves all threads of a process. Connections are made with the first request, so a
Client may be created before a server forks its workers, and are kept for the next one.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)

from catapult import wire
from catapult.errors import CatapultError, UnknownOutcomeError, UnreachableError
from catapult.transfer import InvalidParameterError, check_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from catapult.transfer import Audio, Transfer
    from catapult.wire import CallResource

MAX_BODY = 1024 * 1024
"""Bytes of an answer that are read; a full page of calls has about that many."""

_CHUNK = 64 * 1024
# What a kept connection, closed by the other side meanwhile, looks like.
_DROPPED = (ProtocolError, SSLError)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP exchange, for logs and metrics: nothing in it is personal or secret.

    `label` is the method and the path template, such as `POST /calls/{callId} transferring`;
    `status` is None without an answer; `error` is the name of the error class, None if it went
    well.
    """

    method: str
    label: str
    status: int | None
    seconds: float
    error: str | None


class Client:
    """The platform's API for one account.

    `base_url` ends in the version, `…/v1`. Time-outs are in seconds. Each method takes a
    `timeout`, the seconds left of its caller's budget: it bounds the exchange as a whole, but for
    a slow name look-up and headers that come a byte at a time. `observe` is called after every
    exchange, on the calling thread, and must not raise.

    Every method raises the errors of `catapult.errors`, and InvalidParameterError for an id or a
    value that could not be sent. Nothing is repeated by itself but a GET whose kept connection
    turned out to be closed: a POST in that place may have been executed.
    """

    def __init__(  # noqa: PLR0913  settings, each with its name
        self,
        base_url: str,
        user_id: str,
        token: str,
        secret: str,
        *,
        pool_size: int = 64,
        connect_timeout: float = 3.05,
        read_timeout: float = 5.0,
        observe: Callable[[Exchange], None] | None = None,
    ) -> None:
        check_url("base_url", base_url)
        self._root = f"{base_url.rstrip('/')}/users/{wire.path_id(user_id, 'userId')}"
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._observe = observe
        credentials = base64.b64encode(f"{token}:{secret}".encode()).decode()
        self._headers = {
            "Authorization": f"Basic {credentials}",
            "Accept": "application/json",
            "User-Agent": "callrouter",
        }
        self._settings = _environment(base_url)
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=pool_size)

    def __repr__(self) -> str:
        return f"Client({self._root!r})"

    def close(self) -> None:
        """Close the connections that are kept."""
        self._adapter.close()

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
        self, call_id: str, order: Transfer, *, timeout: float | None = None
    ) -> str | None:
        """Transfer an active call; return the id of the new leg.

        None means that the transfer is under way and the platform did not name the leg; its first
        event will.
        """
        leg_id = self._create(wire.transfer(call_id, order), timeout)
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
        budget = self._connect_timeout + self._read_timeout if timeout is None else timeout
        deadline = time.monotonic() + budget
        try:
            return self._exchange(request, deadline)
        except UnknownOutcomeError as error:
            if request.method != "GET" or not isinstance(error.__cause__, _DROPPED):
                raise
        return self._exchange(request, deadline)

    def _exchange(self, request: wire.Request, deadline: float) -> tuple[Mapping[str, str], Any]:
        started = time.monotonic()
        status: int | None = None
        failure: str | None = None
        try:
            status, headers, body = self._converse(request, deadline)
            return headers, wire.read_response(status, headers, body, now=time.time())
        except CatapultError as error:
            failure = type(error).__name__
            raise
        finally:
            if self._observe is not None:
                seconds = time.monotonic() - started
                self._observe(Exchange(request.method, request.label, status, seconds, failure))

    def _converse(
        self, request: wire.Request, deadline: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise UnreachableError("no time is left")
        patience: Any = Timeout(connect=self._connect_timeout, read=self._read_timeout, total=left)
        prepared = self._prepare(request)
        try:
            response = self._adapter.send(prepared, timeout=patience, **self._settings)
            with response:
                return response.status_code, response.headers, _read(response.raw, deadline)
        except (OSError, HTTPError) as error:  # RequestException is an OSError
            root = _root(error)
            raise _failure(root) from root

    def _prepare(self, request: wire.Request) -> requests.PreparedRequest:
        prepared = requests.PreparedRequest()
        body = None if request.body is None else json.dumps(request.body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        prepared.prepare(
            method=request.method,
            url=self._root + request.path,
            headers=self._headers | kind,
            data=body,
        )
        return prepared


class _HTTPSConnection(HTTPSConnection):
    """Tells a failed handshake, when nothing was sent, from a failure on an open connection."""

    def connect(self) -> None:
        try:
            super().connect()
        except (OSError, ValueError, SSLError) as error:
            raise NewConnectionError(self, type(error).__name__) from error


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": HTTPConnectionPool, "https": _HTTPSPool}


def _environment(base_url: str) -> dict[str, Any]:
    """Return what the environment says of proxies and certificates.

    It is read once, as settings are read at the start; that is all the session is for. Requests go
    straight to the adapter, without a session's cookies, redirects and look-ups.
    """
    with requests.Session() as session:
        found: Any = session.merge_environment_settings(
            base_url, {}, stream=True, verify=None, cert=None
        )
    bundle = found["verify"]
    if isinstance(bundle, str) and not Path(bundle).exists():
        raise InvalidParameterError("REQUESTS_CA_BUNDLE", "names no file")
    return dict(found)


def _read(raw: Any, deadline: float) -> bytes:
    """Read a body as it arrives, so that one that trickles cannot outlast the deadline."""
    body = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise UnknownOutcomeError("the answer took too long")
        sock = getattr(raw.connection, "sock", None)
        if sock is not None:
            sock.settimeout(left)
        chunk = raw.read1(_CHUNK)
        if not chunk:
            return bytes(body)
        body += chunk
        if len(body) > MAX_BODY:
            raise UnknownOutcomeError("the answer is too long")


def _root(error: BaseException) -> BaseException:
    """Return what lies under the wrappers; unlike theirs, its text does not have the URL in it."""
    wrapped = error.args[0] if error.args else None
    if isinstance(error, MaxRetryError) and error.reason is not None:
        wrapped = error.reason
    return _root(wrapped) if isinstance(wrapped, BaseException) else error


def _failure(root: BaseException) -> CatapultError:
    name = type(root.__cause__ or root).__name__
    if isinstance(root, ConnectTimeoutError | ProxyError):
        return UnreachableError(f"no connection: {name}")
    return UnknownOutcomeError(f"no answer: {name}")
