"""What becomes of a connection on which a body arrives that nobody reads."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.hostile.flood import PATHS
from tests.scenario.rules import PLAIN
from tests.service import CALLBACKS, PAIRS, event, new_call_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.service import Service

AUTH = f"Authorization: Basic {PAIRS[0]}\r\nContent-Type: application/json\r\n"
KIB_64 = 64 * 1024
CLOSES, STAYS = b"Connection: close", b"Connection: keep-alive"


def head(path: str, more: str, method: str = "POST") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()


def with_length(path: str, size: int, more: str = "") -> bytes:
    return head(path, f"Content-Length: {size}\r\n{more}") + b" " * size


def in_chunks(path: str, size: int, more: str = "") -> bytes:
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b" " * size)
    return head(path, f"Transfer-Encoding: chunked\r\n{more}") + chunks


def good() -> bytes:
    body = json.dumps(event("answer", new_call_id(), PLAIN)).encode()
    return head(CALLBACKS, f"{AUTH}Content-Length: {len(body)}\r\n") + body


class Connection:
    """A connection whose answers are read one by one."""

    def __init__(self, service: Service) -> None:
        self.sock = socket.create_connection(("127.0.0.1", service.port), timeout=5)
        self.read = b""

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self.sock.sendall(data)

    def answer(self) -> tuple[int, bytes]:
        """The next answer: its status and its head."""
        while b"\r\n\r\n" not in self.read:
            self._more()
        told, _, rest = self.read.partition(b"\r\n\r\n")
        length = int(told.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        while len(rest) < length:
            self.read = rest
            self._more()
            rest = self.read
        self.read = rest[length:]
        return int(told.split()[1]), told

    def _more(self) -> None:
        data = self.sock.recv(65_536)
        assert data, "it was closed"
        self.read += data

    def closed(self, seconds: float) -> bytes:
        """Wait until it is closed; return what was said before that."""
        self.sock.settimeout(seconds)
        with contextlib.suppress(ConnectionError):
            while data := self.sock.recv(65_536):
                self.read += data
        self.sock.close()
        return self.read


@pytest.fixture
def connection(stubbed: Service) -> Iterator[Connection]:
    connection = Connection(stubbed)
    yield connection
    connection.sock.close()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD"])
def test_a_short_body_costs_nobody_the_connection(
    connection: Connection, method: str, path: str
) -> None:
    for shape in (with_length, in_chunks):
        request = shape(path, 3000).replace(b"POST", method.encode(), 1)
        if method == "HEAD":  # its answer says how long a body would be, and has none
            connection.send(request)
            time.sleep(0.2)
            assert connection.sock.recv(65_536).startswith(b"HTTP/1.1 ")
            continue
        connection.send(request)
        assert STAYS in connection.answer()[1]
    connection.send(good())
    assert connection.answer()[0] == 200


@pytest.mark.parametrize(
    ("size", "wanted"), [(KIB_64 - 1, STAYS), (KIB_64, STAYS), (KIB_64 + 1, CLOSES)]
)
@pytest.mark.parametrize("path", PATHS)
def test_64_kib_of_it_are_read_away(
    connection: Connection, path: str, size: int, wanted: bytes
) -> None:
    connection.send(with_length(path, size))
    assert wanted in connection.answer()[1]
    if wanted == STAYS:
        connection.send(good())
        assert connection.answer()[0] == 200
    else:
        assert connection.closed(2) == b""


@pytest.mark.parametrize("shape", [with_length, in_chunks])
@pytest.mark.parametrize("size", [KIB_64 + 1, KIB_64 + 5000, 3 * KIB_64, 5_000_000])
def test_413_closes_the_connection_and_says_so(
    connection: Connection, shape: Callable[..., bytes], size: int
) -> None:
    connection.send(shape(CALLBACKS, size, AUTH) + good())
    status, told = connection.answer()
    assert (status, CLOSES in told) == (413, True)
    assert connection.closed(3) == b""


@pytest.mark.parametrize(
    "body", [b"1\r\nx\r\nz\r\n", b"-1\r\n", b"1\r\nxx", b"0\r\nX Y\r\n\r\n", b"1;\x00\r\nx\r\n"]
)
def test_a_body_that_breaks_off_gets_no_second_answer(connection: Connection, body: bytes) -> None:
    connection.send(head("/nothing", "Transfer-Encoding: chunked\r\n") + body + good())
    assert connection.answer()[0] == 404
    assert connection.closed(3) == b""


@pytest.mark.xdist_group("trickles")
@pytest.mark.parametrize("begin", ["Content-Length: 5000", "Transfer-Encoding: chunked"])
def test_a_trickle_of_a_body_ends_in_time_without_a_second_answer(
    connection: Connection, begin: str
) -> None:
    connection.send(head("/nothing", f"{begin}\r\n"))
    assert connection.answer()[0] == 404
    begun = time.monotonic()
    piece = b"x" if "Length" in begin else b"1\r\nx\r\n"
    connection.sock.settimeout(0.1)
    while time.monotonic() - begun < 15:
        connection.send(piece)
        try:
            assert connection.sock.recv(100) == b""
            break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    assert 8 < time.monotonic() - begun < 12
