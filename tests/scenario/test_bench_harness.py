"""The harness of the benchmarks at work: its stand-in for the API, its load, a section."""

from __future__ import annotations

import socket
import ssl
import time
from typing import TYPE_CHECKING

import pytest

from benchmarks import upstream
from benchmarks.__main__ import missing
from benchmarks.load import Load, send
from benchmarks.rounds import Plan
from benchmarks.sections import SECTIONS
from benchmarks.upstream import Counts

if TYPE_CHECKING:
    from benchmarks.upstream import Workshop


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    if absent := missing():
        pytest.skip(f"not installed: {', '.join(absent)}")
    return upstream.build(tmp_path_factory.mktemp("upstream"))


def exchange(sock: socket.socket, *parts: bytes) -> bytes:
    for part in parts:
        sock.sendall(part)
        time.sleep(0.02)
    return sock.recv(65_536)


@pytest.mark.parametrize("tls", [False, True])
def test_the_upstream_answers_late_and_counts(workshop: Workshop, tls: bool) -> None:
    head = "POST /v1/users/u/calls/{} HTTP/1.1\r\nHost: x\r\nContent-Length: 24\r\n{}\r\n"
    body = b'{"state":"transferring"}'
    with workshop.upstream(100, tls=tls) as api:
        sock = socket.create_connection(("127.0.0.1", int(api.origin.rpartition(":")[2])))
        if api.trusted:
            trust = ssl.create_default_context(cafile=str(api.trusted))
            sock = trust.wrap_socket(sock, server_hostname="localhost")
        with sock:
            before, began = api.counts(), time.monotonic()
            first = exchange(sock, head.format("c-1", "").encode(), body)
            assert 0.1 <= time.monotonic() - began < 1
            again = exchange(sock, head.format("c-1", "").encode() + body)
            active = exchange(sock, b"GET /v1/users/u/calls/c-1 HTTP/1.1\r\n\r\n")
            exchange(sock, head.format("c-2", "Connection: close\r\n").encode() + body)
            assert sock.recv(1) == b""
        counts = api.counts().since(before)
    assert first.startswith(b"HTTP/1.1 201 Created\r\nLocation: /v1/users/u/calls/c-leg")
    assert first.split(b"\r\n")[1] != again.split(b"\r\n")[1]
    assert b'"state": "active"' in active
    assert counts == Counts(transfers=3, repeated=1, others=1, connections=0, malformed=0)


def test_calls_are_sent_at_the_rate_that_is_asked_for(workshop: Workshop) -> None:
    load = Load(connections=50, seconds=2, rate=100, api_ms=50)
    with workshop.upstream(50, tls=False) as api:
        heard = send(api.origin, load)
        assert heard.sent == heard.answered == api.counts().others
    assert 140 < heard.sent < 260
    assert (heard.refused, heard.failed) == (0, 0)
    assert heard.p50 >= 50


def test_a_section_is_measured_end_to_end(workshop: Workshop) -> None:
    section = SECTIONS["start"](Plan(workshop, rounds=1, seconds=1, warm_up=0))
    assert section.errors == {}
    assert section.calls > 400
    assert all(figure.ratio for figure in section.figures)
