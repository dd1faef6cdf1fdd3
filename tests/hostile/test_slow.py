"""Whoever sends slowly, or nothing at all, keeps nobody else waiting."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Self

import pytest

from tests.hostile.timing import slowest_of
from tests.scenario.rules import PLAIN, RULES
from tests.service import CALLBACKS, PAIRS, Service, event

if TYPE_CHECKING:
    from collections.abc import Iterator

CROWD = 40
HEAD = (
    f"POST {CALLBACKS} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {PAIRS[0]}\r\n"
    "Content-Type: application/json\r\n"
).encode()
BODY = json.dumps(event("dtmf", "c-slow", PLAIN)).encode()
LONG = HEAD + b"Content-Length: 5000\r\n\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TONE = b"GET /media/ringing.wav HTTP/1.1\r\nHost: x\r\n\r\n"

SLOW = {
    "nothing": b"",
    "a part of the first line": b"POST /call",
    "a part of the headers": HEAD,
    "no body": LONG,
    "a part of the body": LONG + b'{"eventType": ',
    "no chunk": CHUNKED,
    "a part of a chunk": CHUNKED + b'20\r\n{"eventType": ',
    "no last chunk": CHUNKED + b"2\r\n{}\r\n",
    "no request, and no end": b"nonsense\r\n\r\n",
    "no credentials, and no end": b"GET /callbacks/catapult HTTP/1.0\r\n\r\n",
    "a long body that never comes": HEAD + b"Content-Length: 99999999\r\n\r\n",
    "no reading of what it asked for": TONE * 50,
}


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(RULES, stub=True, WEB_CONCURRENCY="1") as service:
        yield service


class Crowd:
    """Connections that have sent the beginning of a request and stay."""

    def __init__(self, service: Service, begin: bytes, size: int = CROWD) -> None:
        self.socks = [self._connect(service.port) for _ in range(size)]
        self.send(begin)

    @staticmethod
    def _connect(port: int) -> socket.socket:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # it reads nothing
        sock.connect(("127.0.0.1", port))
        sock.setblocking(False)
        return sock

    def send(self, data: bytes) -> None:
        for sock in self.socks:
            with contextlib.suppress(OSError):
                sock.send(data)

    def answered(self) -> list[bytes]:
        """What each was told, once all have been closed."""
        answers = []
        for sock in self.socks:
            sock.settimeout(10)
            with contextlib.suppress(ConnectionError):
                answers.append(b"".join(iter(partial(sock.recv, 65_536), b"")))
        return answers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for sock in self.socks:
            sock.close()


@pytest.mark.xdist_group("slow")
class TestSlow:
    @pytest.mark.parametrize("name", SLOW)
    def test_a_crowd_that_is_slow_keeps_nobody_waiting(self, service: Service, name: str) -> None:
        with Crowd(service, SLOW[name]):
            time.sleep(0.2)
            assert slowest_of(service, 10) < 3

    def test_nor_does_a_byte_now_and_then(self, service: Service) -> None:
        with Crowd(service, HEAD) as crowd:
            for _ in range(10):
                crowd.send(b"X")
                assert slowest_of(service, 2) < 3

    def test_a_request_may_come_in_pieces(self, service: Service) -> None:
        request = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
        pieces = b"%x\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(BODY), BODY)
        chunked = (
            CHUNKED
            + b"".join([b"1\r\n{\r\n"])
            + b"".join(b"1;x=y\r\n%c\r\n" % byte for byte in BODY[1:])
            + b"0\r\n\r\n"
        )
        for whole in (request, CHUNKED + pieces, chunked):
            with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for start in range(0, len(whole), 97):
                    sock.sendall(whole[start : start + 97])
                    time.sleep(0.002)
                assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
                sock.sendall(whole * 3)  # and then in one go with others behind it
                answers = b""
                while answers.count(b"HTTP/1.1 200 ") < 3:
                    answers += sock.recv(65_536)

    def test_whoever_expects_to_be_asked_for_the_body_is(self, service: Service) -> None:
        with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
            sock.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY))
            assert sock.recv(100).startswith(b"HTTP/1.1 100 ")
            sock.sendall(BODY)
            assert b"HTTP/1.1 200 " in sock.recv(100)


def test_a_connection_may_be_idle_after_a_request_whose_body_nobody_read(service: Service) -> None:
    """What is left of one request is not the beginning of the next."""
    head = HEAD.replace(PAIRS[0].encode(), b"d3Jvbmc6d3Jvbmc=")
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
        sock.sendall(head + f"Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
        told = b""
        while not told.endswith(b"}}"):
            told += sock.recv(65_536)
        assert told.startswith(b"HTTP/1.1 401 ")
        sock.settimeout(11)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.sendall(HEAD + f"Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
        assert sock.recv(65_536).startswith(b"HTTP/1.1 200 ")
