"""The platform refuses our account, or does not answer: /readyz says so, and no caller waits."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.scenario.rules import ANN, PLAIN, PLAIN_BODY, RULES
from tests.service import (
    CALLER,
    NUMBERS,
    Service,
    event,
    free_port,
    new_call_id,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable

HUMAN = "+19195558999"
"""Who answers what the service takes at neither URL."""
JSON = {"Content-Type": "application/json"}


def asked(service: Service) -> list[Any]:
    """The questions for the numbers of the account."""
    if service.stub:
        paths = [(sent.path, sent) for sent in list(service.stub.sent)]
    else:
        assert service.phone is not None
        paths = [(row["path"], row) for row in service.phone.log("request")]
    return [row for path, row in paths if urlsplit(path).path.endswith(NUMBERS)]


def says(service: Service, so: Callable[[int, dict[str, Any]], Any], seconds: float = 15) -> None:
    """Wait until both workers say so: each of eight answers in a row."""
    wait_until(lambda: all(so(*service.readiness()) for _ in range(8)), seconds)


def human(service: Service) -> None:
    """Give the number of the line a person who takes what the service does not."""
    assert service.phone is not None
    account = service.phone.platform.account
    service.phone.dial(CALLER, PLAIN)  # numbers come into being when they are dialed
    wait_until(lambda: service.phone and service.phone.problems())
    account.number(PLAIN).fallback_number = HUMAN


def test_the_platform_is_asked_once_by_all_workers_and_not_for_each_request() -> None:
    with Service(RULES, WEB_CONCURRENCY="3") as service:
        says(service, lambda status, body: status == 200 and body["platform"]["at"])
        says(service, lambda _, body: body["numbers"])
        assert len(asked(service)) == 1
        (row,) = asked(service)
        assert (row["method"], row["status"]) == ("GET", 200)
        status, body = service.readiness()
        assert status == 200
        assert body["platform"]["lastError"] is None
        assert body["warnings"] == ["the account has no phone number: no call can arrive"]


def test_wrong_credentials_are_told_and_the_caller_reaches_a_person() -> None:
    with Service(RULES, ready=False, BANDWIDTH_API_SECRET="wrong") as service:
        assert service.phone is not None
        says(
            service,
            lambda status, body: status == 503 and "401" in (body["platform"]["lastError"] or ""),
        )
        _, body = service.readiness()
        assert body["ready"] is False
        assert body["platform"]["at"].endswith("Z")
        assert body["rules"]["lastError"] is None
        human(service)
        service.phone.destination(HUMAN, does="answer", after=0.1, talk=5)
        call_id = service.dial(PLAIN)
        (leg,) = wait_until(lambda: service.leg(call_id)["talksTo"])
        assert service.leg(leg)["to"] == HUMAN
        assert service.transfers(call_id) == []
        told = [row for row in service.logged("not-routed") if row["call_id"] == call_id]
        assert {row["because"] for row in told} == {"the platform refuses the account"}
        lines = service.logged("account-refused")
        assert 1 <= len(lines) <= 2
        assert "401" in lines[0]["error"]
        assert service.metrics()["callrouter_account_refused"] == 401
        assert len(asked(service)) < 12


def test_an_answer_event_is_given_back_while_nothing_is_known_of_a_refusal(
    stubbed: Service,
) -> None:
    assert stubbed.stub is not None
    body = json.dumps({"category": "authentication", "code": "x", "message": "m"}).encode()
    stubbed.stub.script.append((401, JSON, body))
    call_id = new_call_id()
    assert stubbed.post(event("answer", call_id, PLAIN)).status_code == 503
    assert len(stubbed.transfers(call_id)) == 1
    says(stubbed, lambda status, body: status == 503 and "401" in body["platform"]["lastError"], 5)
    # The next call asks whether that still holds, before it is taken.
    call_id = new_call_id()
    assert stubbed.post(event("incomingcall", call_id, PLAIN)).status_code == 200
    says(stubbed, lambda status, body: status == 200 and body["platform"]["lastError"] is None, 5)
    assert stubbed.post(event("answer", call_id, PLAIN)).status_code == 200
    assert stubbed.transfer_of(call_id) == PLAIN_BODY


@pytest.mark.parametrize(
    ("code", "status"), [("authentication-failed", 401), ("insufficient-available-balance", 403)]
)
def test_a_refusal_in_mid_call_is_told_once_and_not_repeated_each_second(
    code: str, status: int
) -> None:
    with Service(RULES) as service:
        assert service.phone is not None
        says(service, lambda _, body: body["platform"]["at"])
        service.phone.destination(ANN, does="no-answer")
        call_id = service.dial("+19195551013")
        wait_until(lambda: service.transfers(call_id))
        time.sleep(0.3)
        service.phone.fault("status", on={}, code=code, times=None)
        leg = next(each for each in service.phone.calls() if each["direction"] == "out")
        service.phone.hang_up(leg["callId"])  # what follows must ask the platform
        wait_until(lambda: service.logged("not-routed"))
        before = len(service.api_requests())
        says(service, lambda _, body: str(status) in (body["platform"]["lastError"] or ""))
        assert service.readiness()[0] == 503
        time.sleep(9)
        assert len(service.api_requests()) - before <= 4
        assert len(service.logged("not-routed")) == 1
        service.phone.platform.faults.clear()
        says(service, lambda code, body: code == 200 and body["platform"]["lastError"] is None, 25)
        wait_until(lambda: len(service.transfers(call_id)) > 1, 40)
        assert service.logged("account-accepted")


def test_a_refused_caller_id_is_no_refusal_of_the_account(stubbed: Service) -> None:
    assert stubbed.stub is not None
    body = json.dumps({"category": "authorization", "code": "number-access-denied"}).encode()
    stubbed.stub.script.append((401, JSON, body))
    assert stubbed.post(event("answer", new_call_id(), PLAIN)).status_code == 503
    status, answer = stubbed.readiness()
    assert (status, answer["platform"]["lastError"]) == (200, None)


def test_a_platform_that_cannot_be_reached_refuses_nothing() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    with Service(RULES, stub=True, BANDWIDTH_API_URL=url) as service:
        wait_until(lambda: any(service.readiness()[1]["platform"]["lastError"] for _ in range(8)))
        says(service, lambda status, body: status == 200 and body["platform"]["at"] is None)
        assert service.post(event("incomingcall", new_call_id(), PLAIN)).status_code == 200


def test_a_platform_that_says_nothing_delays_neither_the_start_nor_a_call() -> None:
    with Service(RULES, stub=True) as service:
        assert service.stub is not None
        service.stop()
        service.stub.latency = 5
        service.log.clear()
        began = time.monotonic()
        service.start()
        assert service.post(event("incomingcall", new_call_id(), PLAIN)).status_code == 200
        assert time.monotonic() - began < 5
        service.stub.latency = 0


@pytest.mark.parametrize(
    ("status", "body"),
    [(200, b"{}"), (200, b"<html>"), (200, b'[1, {"number": 5}, {}]'), (404, b""), (500, b"")],
)
def test_an_answer_that_makes_no_sense_says_nothing_of_the_account(
    status: int, body: bytes
) -> None:
    with _stubbed_numbers(status, body) as service:
        wait_until(lambda: asked(service))
        says(service, lambda status, body: status == 200 and body["platform"]["lastError"] is None)
        assert service.logged("loop-failed") == []


def _stubbed_numbers(status: int, body: bytes) -> Service:
    service = Service(RULES, stub=True)
    assert service.stub is not None
    usual = service.stub.answer

    def answer(sent: Any) -> Any:
        found = usual(sent)
        return (status, JSON, body) if urlsplit(sent.path).path.endswith(NUMBERS) else found

    service.stub.answer = answer  # type: ignore[method-assign]
    return service


# Numbers


ONE, TWO, ELSEWHERE = "+19195551001", "+19195551002", "+19195557777"


def _with_numbers(*numbers: str) -> Service:
    rows = [{"id": f"n-{number}", "number": number} for number in numbers]
    return _stubbed_numbers(200, json.dumps(rows).encode())


def test_numbers_are_shown_whole_to_this_host_and_counted_for_others() -> None:
    with _with_numbers(ONE, TWO, ELSEWHERE) as service:
        says(service, lambda _, body: body["numbers"])
        status, body = service.readiness()
        assert status == 200
        assert body["numbers"]["onALine"] == 2
        assert body["numbers"]["onNoLine"] == 1
        assert body["numbers"]["which"]["onNoLine"] == [ELSEWHERE]
        assert ONE in body["numbers"]["which"]["onALine"]
        assert body["numbers"]["notOfTheAccount"] > 10
        assert body["warnings"] == []
        stranger = service.request(
            "GET", "/readyz", auth=None, headers={"X-Forwarded-For": "192.0.2.1"}
        )
        assert stranger.status_code == 200
        assert "+1919" not in stranger.text
        assert stranger.json()["numbers"]["onALine"] == 2


def test_an_account_none_of_whose_numbers_is_on_a_line_is_warned_of() -> None:
    with _with_numbers(ELSEWHERE) as service:
        says(service, lambda _, body: body["numbers"])
        status, body = service.readiness()
        assert status == 200
        (warning,) = body["warnings"]
        assert "no number of the account is on any line" in warning
        service.write_rules(RULES.replace(ONE, ELSEWHERE))
        says(service, lambda _, body: body["warnings"] == [])


def test_many_numbers_are_read_page_by_page() -> None:
    with Service(RULES) as service:
        assert service.phone is not None
        service.stop()
        service.log.clear()
        for number in range(2500):
            service.phone.platform.account.numbers[f"+1919{number:07}"] = _number(number)
        before = len(asked(service))
        service.start()
        says(service, lambda _, body: (body["numbers"] or {}).get("onNoLine", 0) >= 2490)
        assert len(asked(service)) - before == 3


def _number(number: int) -> Any:
    from emulator.accounts import Number  # noqa: PLC0415

    return Number(f"+1919{number:07}")


def test_without_a_public_url_all_is_ready_with_a_warning() -> None:
    with Service(RULES, stub=True, PUBLIC_URL=None) as service:
        status, body = service.readiness()
        assert status == 200
        assert body["warnings"][0].startswith("PUBLIC_URL is missing")
        told = service.logged("no-public-url")
        assert {row["because"] for row in told} == {body["warnings"][0]}
