"""Requests that are too large, too many at once, or none at all."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.scenario.rules import PLAIN
from tests.service import CALLBACKS, PAIRS, event, new_call_id

if TYPE_CHECKING:
    from tests.service import Service

HEAD = (
    f"POST {CALLBACKS} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {PAIRS[0]}\r\n"
    "Content-Type: application/json\r\n"
).encode()


def good(call_id: str) -> bytes:
    body = json.dumps(event("answer", call_id, PLAIN)).encode()
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def exchange(service: Service, request: bytes) -> bytes:
    """Send all, and return all that is answered until the service closes or says no more."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
        with contextlib.suppress(OSError):  # it was closed on us
            sock.sendall(request)
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionError):
            while data := sock.recv(65_536):
                answer += data
    return answer


def statuses(answer: bytes) -> list[int]:
    return [int(each[:3]) for each in answer.split(b"HTTP/1.1 ")[1:]]


LARGE = {
    "a line": (b"GET /" + b"x" * 100_000, 414),
    "a header": (b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, 431),
    "a header, whole": (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
    "headers": (b"GET / HTTP/1.1\r\n" + b"X-1: 1\r\n" * 20_000, 431),
    "headers without end": (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 6_000, 431),
    "a body": (HEAD + b"Content-Length: 5000000\r\n\r\n" + b"x" * 5_000_000, 413),
    "a length": (HEAD + b"Content-Length: " + b"9" * 15 + b"\r\n\r\n", 413),
    "a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n4c4b40\r\n" + b"x" * 5_000_000, 413),
    "a chunk's size": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 5000, 400),
    "a chunk's extension": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 20_000,
        400,
    ),
    "many chunks": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;x=yyyyyy\r\n \r\n" * 30_000,
        400,
    ),
    "trailers": (
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 20_000,
        400,
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_too_large(stubbed: Service, name: str) -> None:
    request, status = LARGE[name]
    begun = time.monotonic()
    answer = exchange(stubbed, request)
    assert time.monotonic() - begun < 5
    # Whoever still sends when we close may not get to read why.
    assert answer == b"" or statuses(answer)[0] == status, answer[:200]
    assert not set(statuses(answer)) - {status, 400}
    assert answer == b"" or b'{"error"' in answer


FRAMING = {
    "two lengths": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length and chunks": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": b"Content-Length: -1\r\n\r\n{}",
    "a length with a sign": b"Content-Length: +2\r\n\r\n{}",
    "a length in another script": "Content-Length: ²\r\n\r\n{}".encode(),
    "an unknown coding": b"Transfer-Encoding: chunked, brotli\r\n\r\n0\r\n\r\n",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"Content-Length : 2\r\n\r\n{}",
    "a folded header": b"X: y\r\n z\r\nContent-Length: 2\r\n\r\n{}",
    "a bare line feed": b"X: y\nContent-Length: 2\r\n\r\n{}",
    "a null in a header": b"X: \x00\r\nContent-Length: 2\r\n\r\n{}",
    "an underscore for a hyphen": b"Content_Length: 300\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("name", FRAMING)
def test_a_request_hidden_in_another_is_not_carried_out(stubbed: Service, name: str) -> None:
    """Where the end of a request is in doubt, nothing behind it is taken for another."""
    call_id = new_call_id()
    answer = exchange(stubbed, HEAD + FRAMING[name] + good(call_id))
    assert answer.startswith(b"HTTP/1.1 ")
    if 200 in statuses(answer):
        assert statuses(answer) == [400, 200], answer  # the first was understood, and no event
        assert name == "an underscore for a hyphen"
    else:
        assert stubbed.transfers(call_id) == []


def test_garbage_behind_a_request_is_no_request(stubbed: Service) -> None:
    call_id = new_call_id()
    answer = exchange(stubbed, good(call_id) + b"\x00\xff garbage\r\n\r\n" + good(call_id))
    assert statuses(answer) == [200, 400]
    assert len(stubbed.transfers(call_id)) == 1


def test_many_requests_at_once_are_answered_in_order(stubbed: Service) -> None:
    calls = [new_call_id() for _ in range(30)]
    bad = HEAD + b"Content-Length: 2\r\n\r\n[]"
    answer = exchange(stubbed, b"".join(good(call_id) + bad for call_id in calls))
    assert statuses(answer) == [200, 400] * 30
    assert all(len(stubbed.transfers(call_id)) == 1 for call_id in calls)
