"""What somebody without credentials can read: that something is wrong, and not with what."""

from __future__ import annotations

import json
import re
import socket
from typing import TYPE_CHECKING, Any

import pytest

from tests.scenario.rules import RULES
from tests.service import Service, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET_NUMBER = "+12125550199"
MISTAKES = {
    "a key": f'emergency: {{transferTo: "{SECRET_NUMBER}", x: 1}}',
    "a number twice": f'lines: {{a: {{number: "{SECRET_NUMBER}"}}}}\n' * 2,
    "an unknown name": f'lines: {{a: {{number: "{SECRET_NUMBER}", otherwise: bob}}}}',
    "no YAML": f"a: [{SECRET_NUMBER}\nb: }}",
    "a number that is none": f'emergency: {{transferTo: "{SECRET_NUMBER}23456789"}}',
    "private words": "secret-word: {}",
}
FROM_ELSEWHERE = [
    {"X-Forwarded-For": "203.0.113.9"},
    {"Via": "1.1 proxy"},
    {"X-Real-IP": "127.0.0.1"},
    {"Host": "router.example.org"},
    {"X-Forwarded-Proto": "https"},
    {"CF-Connecting-IP": "127.0.0.1"},
    {"Forwarded": "for=127.0.0.1"},
]


def told(service: Service, headers: dict[str, str]) -> dict[str, Any]:
    return dict(service.request("GET", "/readyz", auth=None, headers=headers).json())


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(RULES, stub=True, WEB_CONCURRENCY="1") as service:
        yield service


@pytest.mark.xdist_group("strangers")
@pytest.mark.parametrize("name", MISTAKES)
def test_a_slip_in_the_rules_shows_strangers_its_place_alone(service: Service, name: str) -> None:
    before = len(service.log)
    service.write_rules(f"version: 1\n{MISTAKES[name]}\n")
    wait_until(lambda: service.logged("rules-refused", before))
    whole = told(service, {})
    assert str(service.folder) in whole["rules"]["lastError"]
    for headers in FROM_ELSEWHERE:
        said = told(service, headers)
        assert said["ready"] is False
        file, line, column, shown = said["rules"]["lastError"].split(":")
        assert file == service.rules_path.name
        assert int(line) > 0
        assert int(column) > 0
        assert re.fullmatch(r" [a-z]+(-[a-z]+)*", shown)
        assert said["rules"]["hash"] == whole["rules"]["hash"]
        text_of_all = json.dumps(said)
        for hidden in (SECRET_NUMBER[1:], "secret-word", str(service.folder), "bob", "/"):
            assert hidden not in text_of_all
    service.write_rules(RULES)
    wait_until(lambda: service.readiness()[0] == 200)


@pytest.mark.xdist_group("strangers")
def test_a_file_that_is_gone_shows_no_path(service: Service) -> None:
    before = len(service.log)
    service.rules_path.unlink()
    wait_until(lambda: service.logged("rules-refused", before))
    assert "No such file" in told(service, {})["rules"]["lastError"]
    for headers in FROM_ELSEWHERE:
        error = told(service, headers)["rules"]["lastError"]
        assert error == f"{service.rules_path.name} cannot be read"
    service.write_rules(RULES)
    wait_until(lambda: service.readiness()[0] == 200)


@pytest.mark.xdist_group("strangers")
def test_the_metrics_are_not_for_those_behind_a_proxy(service: Service) -> None:
    for headers in FROM_ELSEWHERE:
        answer = service.request("GET", "/metrics", auth=None, headers=headers)
        assert answer.status_code == 403
    assert service.request("GET", "/metrics", auth=None).status_code == 200
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as sock:
        # What nginx sends if it is not told to send more.
        sock.sendall(b"GET /metrics HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        assert b" 403 " in sock.recv(100)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_ledger_that_fails_shows_neither_host_nor_path(kind: str) -> None:
    url = f"redis://user-name:pass-word@localhost:{free_port()}/3"
    if kind == "sqlite":
        url = "sqlite:////proc/nowhere/ledger.sqlite3"
    with Service(RULES, stub=True, ready=False, LEDGER_URL=url) as service:
        whole = json.dumps(told(service, {})["ledger"])
        assert ("nowhere" if kind == "sqlite" else "localhost") in whole
        assert "pass-word" not in whole
        for headers in FROM_ELSEWHERE:
            said = told(service, headers)
            assert (said["ready"], said["ledger"]["reachable"]) == (False, False)
            for hidden in ("localhost", "nowhere", "user-name", "/", "proc"):
                assert hidden not in json.dumps(said)
