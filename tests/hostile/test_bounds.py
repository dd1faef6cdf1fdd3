"""Every bound of docs/security.md on time, size and number, tried from outside."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING

import pytest

import tests.service
from callflow.record import MOST_ENTRIES
from callflow.sqlite import SqliteLedger
from tests.hostile.test_raw_requests import HEAD, exchange, good, statuses
from tests.hostile.test_slow import TONE, Crowd
from tests.scenario.rules import PLAIN, RULES
from tests.service import CALLBACKS, LEGS, Service, event, new_call_id, procfile, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

ARRIVAL = 10.0
"""Seconds within which a request must arrive."""


def closed_after(sock: socket.socket, began: float) -> tuple[float, bytes]:
    """Wait until a connection is closed; return how long that took, and what was said before."""
    sock.settimeout(2 * ARRIVAL)
    said = b""
    with contextlib.suppress(ConnectionError):
        while data := sock.recv(65_536):
            said += data
    return time.monotonic() - began, said


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(RULES, stub=True, WEB_CONCURRENCY="1") as service:
        yield service


@pytest.mark.xdist_group("bounds")
@pytest.mark.parametrize(
    ("begin", "status"),
    [
        (b"GET /heal", b"408 "),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n", b"408 "),
        (HEAD + b"Content-Length: 500\r\n\r\n{", b"400 "),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", b"400 "),
    ],
)
def test_what_does_not_arrive_in_time_is_told_so_and_closed(
    service: Service, begin: bytes, status: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", service.port)) as sock:
        began = time.monotonic()
        sock.sendall(begin)
        took, said = closed_after(sock, began)
    assert said.startswith(b"HTTP/1.1 " + status)
    assert said.count(b"HTTP/1.1 ") == 1
    assert ARRIVAL - 1 < took < ARRIVAL + 3


@pytest.mark.xdist_group("bounds")
def test_an_answer_that_nobody_reads_is_given_up(service: Service) -> None:
    with Crowd(service, TONE * 100, 1) as crowd:
        time.sleep(ARRIVAL + 3)
        took, said = closed_after(crowd.socks[0], time.monotonic())
    assert took < 3  # it was closed already
    assert 0 < said.count(b"HTTP/1.1 200 ") < 100


@pytest.mark.xdist_group("bounds")
def test_a_head_has_64_kib_at_most(service: Service) -> None:
    def sent(headers: int, size: int) -> list[int]:
        fields = b"".join(b"X-%d: %s\r\n" % (number, b"x" * size) for number in range(headers))
        return statuses(
            exchange(service, b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n")
        )

    assert sent(49, 1000) == [200]
    assert sent(7, 8000) == [200]
    assert sent(10, 8000) == [431]
    assert sent(40, 2000) == [431]
    assert sent(51, 10) == [431]
    assert sent(1, 8200) == [431]


@pytest.mark.xdist_group("bounds")
def test_100_idle_connections_are_in_nobodys_way(service: Service) -> None:
    with Crowd(service, b"", 100), Crowd(service, TONE, 100):
        began = time.monotonic()
        for _ in range(10):
            assert service.post(event("answer", new_call_id(), PLAIN)).status_code == 200
        assert time.monotonic() - began < 5


def test_a_worker_takes_as_many_connections_as_files_allow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limited = ["prlimit", "--nofile=200:200"]
    monkeypatch.setattr(tests.service, "procfile", lambda kind: [*limited, *procfile(kind)])
    with Service(RULES, stub=True, WEB_CONCURRENCY="1") as service:
        time.sleep(0.5)
        with Crowd(service, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", (200 - 64) // 2) as crowd:
            wait_until(lambda: crowd.socks[-1].recv(10) == b"HTTP/1.1 2" if _readable(crowd) else 0)
            with socket.create_connection(("127.0.0.1", service.port)) as sock:
                sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                sock.settimeout(1)
                with pytest.raises(TimeoutError):
                    sock.recv(10)
                crowd.socks[0].close()
                sock.settimeout(5)
                assert sock.recv(10) == b"HTTP/1.1 2"


def _readable(crowd: Crowd) -> bool:
    try:
        return bool(crowd.socks[-1].recv(1, socket.MSG_PEEK))
    except BlockingIOError:
        return False


@pytest.mark.xdist_group("bounds")
@pytest.mark.parametrize("status", [b"401", b"404", b"405", b"415"])
def test_a_request_hidden_in_a_body_that_nobody_reads_is_not_carried_out(
    service: Service, status: bytes
) -> None:
    call_id = new_call_id()
    hidden = good(call_id)
    begin = {
        b"401": HEAD.replace(b"Authorization", b"X-Nothing"),
        b"404": HEAD.replace(CALLBACKS.encode(), b"/nothing"),
        b"405": HEAD.replace(b"POST", b"PUT"),
        b"415": HEAD.replace(b"application/json", b"text/plain"),
    }[status]
    other = new_call_id()
    for framing in (
        b"Content-Length: %d\r\n\r\n%s" % (len(hidden), hidden),
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden),
    ):
        answer = exchange(service, begin + framing + good(other))
        assert statuses(answer) == [int(status), 200]
    assert service.transfers(call_id) == []
    wait_until(lambda: len(service.transfers(other)) == 1)


@pytest.mark.xdist_group("bounds")
@pytest.mark.parametrize("keep", ["Connection: keep-alive\r\n", "Connection: Keep-Alive\r\n"])
def test_http_1_0_may_keep_its_connection(service: Service, keep: str) -> None:
    head = f"POST /nothing HTTP/1.0\r\n{keep}Content-Length: 3000\r\n\r\n".encode()
    answer = exchange(service, (head + b" " * 3000) * 3)
    assert answer.count(b" 404 ") == 3
    old = f"POST {CALLBACKS} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()
    assert statuses(exchange(service, old)) == [400]


@pytest.mark.xdist_group("bounds")
def test_strange_names_and_nothing_at_all_are_taken(service: Service) -> None:
    names = ["__proto__", "constructor", "__class__", "\x00", "", "a\x00b", "$where", "{{7*7}}"]
    for name in names:
        body = event("answer", new_call_id(), PLAIN) | {name: {name: name}}
        assert service.post(body).status_code == 200
        assert service.post(body | {"from": f"sip:{name}@{name}", "tag": name}).status_code == 200
    for path in (CALLBACKS, LEGS, "/healthz", "/readyz", "/metrics", "/media/ringing.wav"):
        for method in ("HEAD", "OPTIONS", "TRACE", "PATCH", "DELETE", "PROPFIND", "get", "G\x00T"):
            answer = exchange(
                service, f"{method} {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode("latin-1")
            )
            assert answer.startswith((b"HTTP/1.1 2", b"HTTP/1.1 4"))


@pytest.mark.xdist_group("bounds")
def test_the_journal_of_a_call_ends(service: Service) -> None:

    call_id = new_call_id()
    service.post(event("answer", call_id, PLAIN))
    for _ in range(MOST_ENTRIES + 20):
        assert service.post(event("dtmf", call_id, PLAIN)).status_code == 200
    ledger = SqliteLedger(str(service.ledger_path))
    try:
        assert len(ledger.journal(call_id)) == MOST_ENTRIES
    finally:
        ledger.close()
