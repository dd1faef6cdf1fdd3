"""Sends one HTTP request to the platform, on connections that requests keeps.

requests and urllib3 do the work; this file adds what a call needs beyond that: whether a request
that failed was sent, a deadline for the whole exchange, and a limit on the answer's size. See
docs/adr/0022-requests-speaks-to-the-platform.md.
"""

from __future__ import annotations

import ssl
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from requests import PreparedRequest, Request, RequestException
from requests.adapters import DEFAULT_CA_BUNDLE_PATH, HTTPAdapter
from requests.sessions import Session
from requests.utils import select_proxy
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError, ProxyError

from catapult.errors import UnknownOutcomeError, UnreachableError
from catapult.transfer import InvalidParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from requests import Response

MAX_BODY = 1024 * 1024
"""Bytes of an answer that are read; a full page of calls has about that many."""
DROPPED = (ConnectionError, ssl.SSLError)
"""Causes of an unknown outcome that a kept connection has, too, if it was closed at that moment."""
_CHUNK = 64 * 1024
_MOST_KEPT = 1024
"""Connections that are kept: as many as a worker may have at once."""


class Answer(NamedTuple):
    """What the platform answered. The names of headers may be looked up in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Sender:
    """Sends requests to the origin of `url`. One object serves all threads.

    `connect_timeout` and `read_timeout` are seconds for each step; the exchange as a whole has a
    deadline. Proxies and certificates come from the environment, as requests reads it, once. Raises
    InvalidParameterError if they cannot be used.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], connect_timeout: float, read_timeout: float
    ) -> None:
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._template = Request("GET", url, headers=dict(headers)).prepare()
        found = Session().merge_environment_settings(url, {}, stream=True, verify=None, cert=None)
        self._proxies = dict(found["proxies"])
        _check_proxy(select_proxy(url, self._proxies))
        is_tls = urlsplit(url).scheme == "https"
        self._adapter = _Adapter(_context(found["verify"]) if is_tls else None)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._adapter.close()

    def exchange(self, method: str, url: str, body: bytes | None, deadline: float) -> Answer:
        """Send a request and return its answer, by `deadline` (monotonic seconds).

        Raises UnreachableError if nothing was sent, else UnknownOutcomeError.
        """
        left = deadline - time.monotonic()
        if left <= 0:
            raise UnreachableError("no time is left")
        timeout: Any = Timeout(
            connect=min(left, self._connect_timeout), read=min(left, self._read_timeout)
        )
        request = self._request(method, url, body)
        try:
            response = self._adapter.send(
                request, stream=True, timeout=timeout, proxies=self._proxies
            )
            with closing(response):
                content = b"".join(_body(response, deadline))
        except (RequestException, HTTPError) as error:
            *above, cause = _causes(error)
            name = type(cause).__name__
            if any(isinstance(each, NewConnectionError | ProxyError) for each in (*above, cause)):
                raise UnreachableError(f"no connection: {name}") from cause
            raise UnknownOutcomeError(f"no answer: {name}") from cause
        return Answer(response.status_code, response.headers, content)

    def _request(self, method: str, url: str, body: bytes | None) -> PreparedRequest:
        request = self._template.copy()
        request.method, request.url, request.body = method, url, body
        if body is not None:
            request.headers["Content-Type"] = "application/json"
        if method != "GET":
            request.headers["Content-Length"] = str(len(body or b""))
        return request


def _body(response: Response, deadline: float) -> Iterator[bytes]:
    """Yield the answer's body as it arrives."""
    size = 0
    while piece := response.raw.read1(_CHUNK, decode_content=True):
        size += len(piece)
        if size > MAX_BODY:
            raise UnknownOutcomeError("the answer is too long")
        if time.monotonic() > deadline:
            raise UnknownOutcomeError("the answer took too long")
        yield piece


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error of requests and what lies beneath, which urllib3 keeps in several places."""
    yield error
    beneath = getattr(error, "reason", None) or error.__cause__
    if not isinstance(beneath, BaseException):
        beneath = next((each for each in error.args if isinstance(each, BaseException)), None)
    if beneath is not None:
        yield from _causes(beneath)


class _Adapter(HTTPAdapter):
    """Keeps connections, and one TLS context for all of them: making one takes milliseconds."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=_MOST_KEPT, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs, ssl_context=self._context)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave the certificates to the context, which has read them."""


class _Unconnected:
    """A connection of which each failure to connect, TLS included, is told apart from others."""

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        except (OSError, HTTPError) as error:
            raise NewConnectionError(self, type(error).__name__) from error  # type: ignore[arg-type]


class _PlainConnection(_Unconnected, HTTPConnection):
    """Over plain HTTP."""


class _TlsConnection(_Unconnected, HTTPSConnection):
    """Over TLS."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS = {"http": _PlainPool, "https": _TlsPool}


def _check_proxy(proxy: str | None) -> None:
    """Raise InvalidParameterError for a proxy that cannot be used."""
    if not proxy:
        return
    via = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    if via.scheme != "http" or not via.hostname:
        raise InvalidParameterError("HTTPS_PROXY", "is no http:// proxy")


def _context(verify: bool | str | None) -> ssl.SSLContext:
    """Return the TLS context with the certificates of a file or a folder, or the usual ones."""
    certificates = Path(verify if isinstance(verify, str) else DEFAULT_CA_BUNDLE_PATH)
    if not certificates.exists():
        raise InvalidParameterError("REQUESTS_CA_BUNDLE", "names no file")
    place = {"capath" if certificates.is_dir() else "cafile": str(certificates)}
    try:
        return ssl.create_default_context(**place)  # type: ignore[arg-type]
    except OSError as error:
        raise InvalidParameterError("REQUESTS_CA_BUNDLE", "holds no certificates") from error
