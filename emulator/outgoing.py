"""HTTP requests to the router, on connections that are kept while they are in use."""

from __future__ import annotations

import http.client
import select
import ssl
import threading
import time
from collections import defaultdict
from urllib.parse import urlsplit

# Shorter than any server's keep-alive: a request is never written to a connection that is being
# closed, because what was sent once must not be sent again.
_KEEP_S = 0.5

_Place = tuple[str, str, int | None]


class Outgoing:
    """A pool of connections. A request is made exactly once; redirects are not followed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[_Place, list[tuple[float, http.client.HTTPConnection]]] = defaultdict(list)
        self._tls: ssl.SSLContext | None = None
        self._closed = False

    def request(
        self,
        method: str,
        url: str,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        timeout_s: float,
    ) -> int:
        """Return the status. Raises TimeoutError, OSError, or ValueError for a URL that is none."""
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError("the URL names no host")
        place = (parts.scheme, parts.hostname, parts.port)
        connection = self._take(place, timeout_s)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
        except http.client.HTTPException as error:
            connection.close()
            raise ConnectionError(f"{type(error).__name__}: {error}") from error
        except BaseException:
            connection.close()
            raise
        self._give_back(place, connection, keep=not answer.will_close)
        return answer.status

    def close(self) -> None:
        """Close the connections that nobody uses."""
        with self._lock:
            self._closed = True
            for connections in self._idle.values():
                for _, connection in connections:
                    connection.close()
            self._idle.clear()

    def _take(self, place: _Place, timeout_s: float) -> http.client.HTTPConnection:
        with self._lock:
            idle = self._idle[place]
            while idle:
                since, connection = idle.pop()
                if time.monotonic() - since < _KEEP_S and _is_quiet(connection):
                    connection.sock.settimeout(timeout_s)
                    return connection
                connection.close()
        return self._new(place, timeout_s)

    def _new(self, place: _Place, timeout_s: float) -> http.client.HTTPConnection:
        scheme, host, port = place
        if scheme == "https":
            with self._lock:
                self._tls = self._tls or ssl.create_default_context()
            return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=timeout_s)

    def _give_back(
        self, place: _Place, connection: http.client.HTTPConnection, *, keep: bool
    ) -> None:
        with self._lock:
            if keep and connection.sock is not None and not self._closed:
                self._idle[place].append((time.monotonic(), connection))
                return
        connection.close()


def _is_quiet(connection: http.client.HTTPConnection) -> bool:
    """Whether the other side has neither closed the connection nor said anything unasked."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)
