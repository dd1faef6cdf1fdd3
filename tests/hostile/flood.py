"""Strangers who send without end; in a process of their own, so that it is not the test that waits.

`python -m tests.hostile.flood PORT NAME CONNECTIONS`
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATHS = (
    "/callbacks/catapult",
    "/callbacks/catapult/legs/x",
    "/healthz",
    "/readyz",
    "/metrics",
    "/media/ringing.wav",
    "/nothing",
)
Pieces = tuple[bytes, bytes, float]
"""What a connection begins with, what it goes on with for ever, and the pause between."""


def _request(method: str, path: str, *headers: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def _chunked(method: str, path: str, *headers: str) -> bytes:
    return _request(method, path, "Transfer-Encoding: chunked", *headers)


def _length(method: str, path: str, *headers: str) -> bytes:
    return _request(method, path, "Content-Length: 1000000000000", *headers)


TINY = b"1\r\nx\r\n" * 10_000
ANYTHING = b"x" * 65_536
FLOODS: dict[str, Callable[[str], Pieces]] = {
    "tiny chunks": lambda path: (_chunked("POST", path), TINY, 0),
    "tiny chunks behind a GET": lambda path: (_chunked("GET", path), TINY, 0),
    "tiny chunks behind a DELETE": lambda path: (_chunked("DELETE", path), TINY, 0),
    "a body without end": lambda path: (_length("POST", path), ANYTHING, 0),
    "a body behind a HEAD": lambda path: (_length("HEAD", path), ANYTHING, 0),
    "one chunk without end": lambda path: (
        _chunked("POST", path) + b"ffffffffff\r\n",
        ANYTHING,
        0,
    ),
    "a trickle of chunks": lambda path: (_chunked("POST", path), b"1\r\nx\r\n", 0.05),
    "a trickle of a body": lambda path: (_length("POST", path), b"x", 0.01),
    "long extensions": lambda path: (
        _chunked("POST", path),
        b"1;" + b"x=y;" * 2000 + b"x\r\nx\r\n",
        0,
    ),
    "long sizes": lambda path: (_chunked("POST", path), b"0" * 8000 + b"1\r\nx\r\n", 0),
    "trailers without end": lambda path: (_chunked("POST", path) + b"0\r\n", b"X: y\r\n" * 5000, 0),
    "headers without end": lambda path: (
        _request("POST", path).removesuffix(b"\r\n"),
        b"a:\r\n" * 5000,
        0,
    ),
    "a header in single bytes": lambda path: (
        _request("POST", path).removesuffix(b"\r\n") + b"a:\r\n" * 12_000,
        b"x",
        0,
    ),
    "a line without end": lambda path: (f"GET {path}?".encode(), ANYTHING, 0),
    "requests": lambda path: (b"", _request("GET", path) * 100, 0),
    "requests that ask the ledger": lambda _: (b"", _request("GET", "/readyz") * 100, 0),
    "requests of one reading each": lambda path: (
        b"",
        _request("GET", path, "X: " + "x" * 5000, "Y: " + "y" * (8192 - 5053 - len(path))),
        0,
    ),
    "requests with unread bodies": lambda path: (
        b"",
        _request("POST", path, "Content-Length: 60000") + b"x" * 60_000,
        0,
    ),
    "bodies to be asked for": lambda path: (
        _chunked("POST", path, "Expect: 100-continue"),
        TINY,
        0,
    ),
}


def flood(port: int, pieces: Pieces) -> None:
    """Send for ever; begin anew whenever the connection is closed. Nothing is read."""
    first, more, pause = pieces
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(15)
            sock.sendall(first)
            while True:
                sock.sendall(more)
                time.sleep(pause)
        time.sleep(0.01)


def shapes(name: str) -> Iterator[Pieces]:
    """Yield one flood after the other, each at another route."""
    return (FLOODS[name](path) for path in itertools.cycle(PATHS))


if __name__ == "__main__":
    _, given_port, given_name, size = sys.argv
    for shape in itertools.islice(shapes(given_name), int(size)):
        threading.Thread(target=flood, args=(int(given_port), shape), daemon=True).start()
    threading.Event().wait()
