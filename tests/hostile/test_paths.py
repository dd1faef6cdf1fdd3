"""A path has one spelling, so what a proxy keeps from strangers stays kept from them."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING

import pytest

from tests.scenario.rules import PLAIN
from tests.service import CALLBACKS, LEGS, PAIRS, event, new_call_id

if TYPE_CHECKING:
    from tests.service import Service

OURS = ["/healthz", "/readyz", "/metrics", "/media/ringing.wav"]
HEADERS = (
    f"Host: 127.0.0.1\r\nAuthorization: Basic {PAIRS[0]}\r\nContent-Type: application/json\r\n"
    "Connection: close\r\n"
)


def status(service: Service, target: str, more: str = "", method: str = "GET") -> int:
    body = json.dumps(event("answer", new_call_id(), PLAIN)) if method == "POST" else ""
    request = (
        f"{method} {target} HTTP/1.1\r\n{HEADERS}{more}Content-Length: {len(body)}\r\n\r\n{body}"
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
        sock.sendall(request.encode("latin-1"))
        answer = b""
        with contextlib.suppress(ConnectionError):
            while data := sock.recv(65_536):
                answer += data
    assert answer.count(b"HTTP/1.1 ") == 1
    return int(answer.split()[1])


def spellings(path: str) -> list[str]:
    first, rest = path[1], path[2:]
    return [
        f"/{path}",
        f"//{path}",
        f"/%{ord(first):02x}{rest}",
        f"/%{ord(first):02X}{rest}",
        f"/%25{ord(first):02x}{rest}",
        path[:-1] + f"%{ord(path[-1]):02x}",
        f"/.{path}",
        f"/x/..{path}",
        f"/%2e%2e{path}",
        f"/%2f{path[1:]}",
        f"%2f{path[1:]}",
        f"/\\{path[1:]}",
        f"{path}/",
        f"{path}//",
        f"{path}/..",
        f"{path}/..;",
        f"{path}/.",
        f"{path};",
        f"{path};x=y",
        f"{path};?x",
        f"{path}%00",
        f"{path}%20",
        f"{path}%0a",
        f"{path}%3f",
        f"{path}%23",
        f"{path}#x",
        f"{path}#x?y",
        path.upper(),
        path.title(),
        f"http://127.0.0.1{path}",
        f"http://x{path}",
        f"HTTPS://x:1{path}",
        f"//x{path}",
        f"file://{path}",
        f"{path}\xe9",
    ]


@pytest.mark.parametrize("path", OURS)
def test_a_route_has_no_other_spelling(stubbed: Service, path: str) -> None:
    assert status(stubbed, path) == 200
    assert status(stubbed, f"{path}?x=//%2f..;#") in {200, 400}
    for target in spellings(path):
        assert status(stubbed, target) in {404, 400}, target


def test_nor_have_those_of_callbacks(stubbed: Service) -> None:
    call_id = new_call_id()
    stubbed.post(event("answer", call_id, PLAIN))
    url = stubbed.transfers(call_id)[0].body["callbackUrl"]
    leg = LEGS + url.rpartition("/")[2]
    for path in (CALLBACKS, leg):
        assert status(stubbed, path, method="POST") == 200
        for target in spellings(path):
            if target not in {path.upper(), path.title(), f"{path}/"}:
                assert status(stubbed, target, method="POST") in {404, 400}, target


@pytest.mark.parametrize("target", ["*", "", "?", "metrics", "127.0.0.1:80", ":", "http://", "/?"])
def test_what_is_no_path_is_no_route(stubbed: Service, target: str) -> None:
    for method in ("GET", "OPTIONS", "CONNECT", "HEAD"):
        assert status(stubbed, target, method=method) in {404, 400}


@pytest.mark.parametrize(
    "header",
    [
        "SCRIPT_NAME: /callbacks",
        "Script-Name: /callbacks",
        "PATH_INFO: /metrics",
        "Path-Info: /metrics",
        "X-Forwarded-Prefix: /callbacks",
        "X-Original-URL: /metrics",
        "X-Rewrite-URL: /metrics",
        "X-HTTP-Method-Override: DELETE",
        "REQUEST_URI: /metrics",
        "RAW_URI: /metrics",
        "X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off",
        "X-Forwarded-Protocol: ssl\r\nX-Forwarded-Proto: http",
    ],
)
def test_no_header_changes_the_path(stubbed: Service, header: str) -> None:
    assert status(stubbed, "/healthz", f"{header}\r\n") == 200
    assert status(stubbed, "/nothing", f"{header}\r\n") == 404
    assert status(stubbed, "/callbacks/metrics", f"{header}\r\n") == 404
