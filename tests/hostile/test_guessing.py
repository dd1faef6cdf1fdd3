"""Whoever guesses credentials at speed is stopped, and no call is lost through it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.scenario.rules import PLAIN, RULES
from tests.service import CALLBACKS, LEGS, PAIRS, Service, event, new_call_id, wait_until
from web.tries import LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

RIGHT = f"Basic {PAIRS[0]}"
METRICS = "metrics-distinctive"
THEM, PLATFORM, ELSEWHERE = "198.51.100.7", "203.0.113.9", "192.0.2.1"


def wrong(number: int = 0) -> str:
    return "Basic " + base64.b64encode(f"user:guess {number}".encode()).decode()


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One worker, because each counts for itself."""
    with Service(RULES, stub=True, WEB_CONCURRENCY="1", METRICS_TOKEN=METRICS) as service:
        yield service
        whole = "\n".join(service.out)
        assert METRICS not in whole
        assert "guess" not in whole


def ask(service: Service, auth: Any, address: str | None, path: str = CALLBACKS) -> Any:
    headers = {"X-Forwarded-For": f"{PLATFORM}, {address}"} if address else {}
    return service.post(event("answer", new_call_id(), PLAIN), path, auth=auth, headers=headers)


def guess(service: Service, address: str | None, times: int = LIMIT) -> list[int]:
    return [ask(service, wrong(n), address).status_code for n in range(times)]


@pytest.mark.xdist_group("guessing")
class TestGuessing:
    def test_too_many_tries_are_told_to_wait(self, service: Service) -> None:
        assert guess(service, THEM) == [401] * LIMIT
        answer = ask(service, wrong(), THEM)
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 60
        assert answer.json()["error"]["code"] == "too-many-tries"
        assert set(answer.json()["error"]) == {"code", "message"}
        for path in (CALLBACKS, f"{LEGS}x"):
            assert ask(service, RIGHT, THEM, path).status_code == 429
            assert ask(service, None, THEM, path).status_code == 401

    def test_nobody_else_is(self, service: Service) -> None:
        assert ask(service, RIGHT, ELSEWHERE).status_code == 200

    def test_who_had_the_right_ones_is_heard_whatever_others_try(self, service: Service) -> None:
        assert ask(service, RIGHT, PLATFORM).status_code == 200
        assert guess(service, PLATFORM, LIMIT + 5)[-1] == 429
        assert ask(service, RIGHT, PLATFORM).status_code == 200

    def test_this_host_is_heard(self, service: Service) -> None:
        assert guess(service, None, LIMIT + 5)[-1] == 429
        assert ask(service, RIGHT, None).status_code == 200

    def test_asking_without_credentials_is_no_guess(self, service: Service) -> None:
        address = "192.0.2.77"
        statuses = {ask(service, None, address).status_code for _ in range(2 * LIMIT)}
        assert statuses == {401}
        assert ask(service, RIGHT, address).status_code == 200

    def test_the_token_of_the_metrics_is_guarded_too(self, service: Service) -> None:
        def get(token: str, address: str = "192.0.2.99") -> int:
            headers = {"X-Forwarded-For": address}
            auth = f"Bearer {token}"
            return service.request("GET", "/metrics", auth=auth, headers=headers).status_code

        assert [get(f"guess {n}") for n in range(LIMIT)] == [401] * LIMIT
        assert (get("guess"), get(METRICS)) == (429, 429)
        assert get(METRICS, PLATFORM) == 200
        # Who may read the metrics may not guess at the callbacks for it.
        assert guess(service, "192.0.2.98", LIMIT + 1)[-1] == 429
        assert get(METRICS, "192.0.2.98") == 200
        assert ask(service, RIGHT, "192.0.2.98").status_code == 429

    def test_a_proxy_may_write_an_address_in_any_way(self, service: Service) -> None:
        statuses = [
            ask(service, wrong(n), f"[2001:db8:7::{n:x}]:{40_000 + n}").status_code
            for n in range(LIMIT + 1)
        ]
        assert statuses == [401] * LIMIT + [429]
        assert ask(service, RIGHT, "2001:DB8:7:0::1").status_code == 429
        assert ask(service, RIGHT, "[2001:db8:8::1]:40000").status_code == 200
        # Addresses of the old kind, written as ones of the new, are as many as they were.
        for number in range(LIMIT + 1):
            assert ask(service, wrong(number), f"::ffff:192.0.2.{200 + number}").status_code == 401
        assert ask(service, RIGHT, "::ffff:192.0.2.250").status_code == 200
        assert guess(service, "::ffff:192.0.2.251", LIMIT + 1)[-1] == 429
        assert ask(service, wrong(), "192.0.2.251:4711").status_code == 429

    def test_it_is_counted_and_logged_once_a_minute(self, service: Service) -> None:
        address = "192.0.2.55"
        guess(service, address, LIMIT + 3)
        rows = wait_until(
            lambda: [
                row for row in service.logged("credentials-refused") if row["address"] == address
            ]
        )
        assert [row["tries"] for row in rows] == [1]
        answer = service.request("GET", "/metrics", auth=f"Bearer {METRICS}")
        counted = [
            line for line in answer.text.splitlines() if "credentials_refused_total{" in line
        ]
        assert {line.partition(" ")[0] for line in counted} == {
            'callrouter_credentials_refused_total{status="401"}',
            'callrouter_credentials_refused_total{status="429"}',
        }
