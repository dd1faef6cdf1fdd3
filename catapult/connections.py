"""Kept connections to one origin, and one HTTP exchange at a time on each.

http.client connects, by a proxy if requests finds one in the environment; httptools reads the
answers. A whole session of requests for each exchange costs many times as much.
"""

from __future__ import annotations

import base64
import http.client
import os
import socket
import ssl
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

import certifi
import httptools

from catapult.errors import UnknownOutcomeError, UnreachableError
from catapult.transfer import InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BODY = 1024 * 1024
"""Bytes of an answer that are read; a full page of calls has about that many."""
_MAX_HEAD = 64 * 1024
_CHUNK = 64 * 1024
_MOST_KEPT = 1024


class Answer(NamedTuple):
    """What came back. The names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


DROPPED = (ConnectionError, ssl.SSLError)
"""Causes of an unknown outcome that a connection has, too, which was closed at that moment."""


class Connections:
    """Connections to the origin of `url`. One object serves all threads.

    `connect_timeout` and `read_timeout` are seconds for each step; the exchange as a whole has a
    deadline. Raises InvalidParameterError for a proxy or certificates that cannot be used.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], connect_timeout: float, read_timeout: float
    ) -> None:
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._way = _way_to(url)
        self._kept: deque[socket.socket] = deque()
        sent = {"Host": self._way.authority, **headers, **self._way.headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())

    def prepare(self) -> None:
        """Read the certificates now, so that processes forked later share them.

        Raises InvalidParameterError if they cannot be read.
        """
        if self._way.is_tls:
            _context(self._way.certificates)

    def close(self) -> None:
        """Close the connections that are kept."""
        while self._kept:
            self._kept.pop().close()

    def exchange(self, method: str, path: str, body: bytes | None, deadline: float) -> Answer:
        """Send a request and return its answer, by `deadline` (monotonic seconds).

        Raises UnreachableError if nothing was sent, else UnknownOutcomeError.
        """
        kind = "" if body is None else "Content-Type: application/json\r\n"
        head = (
            f"{method} {self._way.prefix}{path} HTTP/1.1\r\n{self._head}{kind}"
            f"Content-Length: {len(body or b'')}\r\n\r\n"
        )
        sock = self._kept_one() or self._connect(deadline)
        reader = _Reader()
        try:
            sock.settimeout(self._patience(deadline))
            sock.sendall(head.encode("latin-1") + (body or b""))
            while not reader.is_done:
                sock.settimeout(self._patience(deadline))
                reader.feed(sock.recv(_CHUNK))
        except BaseException as error:
            sock.close()
            if isinstance(error, (OSError, httptools.HttpParserError)):
                raise UnknownOutcomeError(f"no answer: {type(error).__name__}") from error
            raise
        if reader.may_be_kept and not reader.has_more and len(self._kept) < _MOST_KEPT:
            self._kept.append(sock)
        else:
            sock.close()
        return Answer(reader.status, reader.headers, bytes(reader.body))

    def _patience(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise UnknownOutcomeError("the answer took too long")
        return min(left, self._read_timeout)

    def _kept_one(self) -> socket.socket | None:
        """Return the connection used last, None if there is none that is still open."""
        while True:
            try:
                sock = self._kept.pop()
            except IndexError:
                return None
            if _is_quiet(sock):
                return sock
            sock.close()

    def _connect(self, deadline: float) -> socket.socket:
        left = deadline - time.monotonic()
        if left <= 0:
            raise UnreachableError("no time is left")
        try:
            return self._way.connect(min(left, self._connect_timeout))
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise UnreachableError(f"no connection: {type(error).__name__}") from error


class _Reader:
    """Reads one answer as it arrives."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.is_done = self.may_be_kept = self.has_more = False
        self._size = 0
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take what arrived; nothing means that the other side has closed."""
        if not data:
            self._end()
            return
        self._size += len(data)
        self._parser.feed_data(data)
        if len(self.body) > MAX_BODY or self._size > MAX_BODY + _MAX_HEAD:
            raise UnknownOutcomeError("the answer is too long")

    def _end(self) -> None:
        sized = {"content-length", "transfer-encoding"} & self.headers.keys()
        if not self.status or sized:
            raise ConnectionResetError
        self.is_done = True

    # What the parser calls

    def on_message_begin(self) -> None:
        if self.is_done:  # more than one answer to one question: what comes next is anybody's guess
            self.has_more = True
            return
        self.headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.is_done:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if not self.is_done:
            self.status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        if not self.is_done:
            self.body += data

    def on_message_complete(self) -> None:
        if self.status >= 200 and not self.is_done:  # else it only says that one will come
            self.is_done = True
            self.may_be_kept = self._parser.should_keep_alive()


class _Way(NamedTuple):
    """How to get to an origin: directly, or by a proxy."""

    is_tls: bool
    host: str
    port: int
    authority: str
    prefix: str
    """What stands before the path: nothing, unless a proxy is asked for the whole URL."""
    headers: Mapping[str, str]
    tunnel: tuple[str, int, Mapping[str, str]] | None
    certificates: str

    def connect(self, timeout: float) -> socket.socket:
        connection: http.client.HTTPConnection
        if self.is_tls:
            connection = http.client.HTTPSConnection(
                self.host, self.port, timeout=timeout, context=_context(self.certificates)
            )
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        if self.tunnel:
            connection.set_tunnel(self.tunnel[0], self.tunnel[1], dict(self.tunnel[2]))
        connection.connect()
        return connection.sock


def _way_to(url: str) -> _Way:
    """Return the way to an origin, by what the environment says of proxies and certificates."""
    given = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    certificates = given or certifi.where()
    if not Path(certificates).exists():
        raise InvalidParameterError("REQUESTS_CA_BUNDLE", "names no file")
    parts = urlsplit(url)
    is_tls, host = parts.scheme == "https", parts.hostname or ""
    port = parts.port or (443 if is_tls else 80)
    direct = _Way(is_tls, host, port, parts.netloc.rpartition("@")[2], "", {}, None, certificates)
    proxy = _proxy_for(url)
    if not proxy:
        return direct
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if via.scheme != "http" or not via.hostname:
        raise InvalidParameterError("HTTPS_PROXY", "is no http:// proxy")
    user, password = (unquote(each or "") for each in (via.username, via.password))
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    headers = {"Proxy-Authorization": f"Basic {login}"} if user else {}
    by_proxy = direct._replace(host=via.hostname, port=via.port or 80)
    if is_tls:
        return by_proxy._replace(tunnel=(host, port, headers))
    return by_proxy._replace(prefix=f"http://{direct.authority}", headers=headers)


def _proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names, as requests reads it."""
    if not {"http_proxy", "https_proxy", "all_proxy"} & {name.lower() for name in os.environ}:
        return None  # as nearly everywhere, which need not wait until requests is imported
    from requests.utils import get_environ_proxies, select_proxy  # noqa: PLC0415

    proxy: str | None = select_proxy(url, get_environ_proxies(url))
    return proxy


_contexts: dict[str, ssl.SSLContext] = {}


def _context(certificates: str) -> ssl.SSLContext:
    """Return the context for certificates; reading them takes some milliseconds, and 4 MB."""
    if certificates not in _contexts:
        is_folder = Path(certificates).is_dir()
        try:
            _contexts[certificates] = ssl.create_default_context(
                cafile=None if is_folder else certificates,
                capath=certificates if is_folder else None,
            )
        except OSError as error:
            raise InvalidParameterError("REQUESTS_CA_BUNDLE", "holds no certificates") from error
    return _contexts[certificates]


def _is_quiet(sock: socket.socket) -> bool:
    """Return whether nothing has arrived on a kept connection: what does is its end."""
    try:
        sock.settimeout(0)
        socket.socket.recv(sock, 1, socket.MSG_PEEK)  # below TLS
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
