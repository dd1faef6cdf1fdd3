"""A platform that refuses, hangs, breaks off or talks nonsense: still one transfer, or 503."""

from __future__ import annotations

import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from callflow.sqlite import SqliteLedger
from tests.scenario.rules import ANN, ANSWERING, BOB, PLAIN, PLAIN_BODY, RULES, TELLS
from tests.service import Service, event, free_port, iso, new_call_id, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

TRANSFER = {"method": "POST", "state": "transferring"}


def joined(service: Service, call_id: str) -> str:
    return str(wait_until(lambda: service.leg(call_id)["talksTo"], 20)[0])


def executed(service: Service, call_id: str) -> int:
    """How many legs were made for a call."""
    assert service.phone is not None
    return sum(leg["parent"] == call_id for leg in service.phone.calls())


def check_one_leg(service: Service, call_id: str, to: str = ANN) -> None:
    leg = joined(service, call_id)
    service.settled(call_id)
    assert service.leg(leg)["to"] == to
    assert executed(service, call_id) == 1
    assert service.phone is not None
    service.phone.hang_up(call_id)
    service.settled(call_id)


@pytest.mark.parametrize(
    "fault",
    [
        {"does": "status", "status": 503, "code": "call-unavailable", "times": 3},
        {"does": "status", "status": 409, "code": "call-update-conflict", "times": 2},
        {"does": "status", "status": 429, "code": "rate-limit-reached", "times": 1},
        {"does": "status", "status": 500, "times": 1},
        {"does": "status", "status": 500, "body": "down", "times": 1},
        {"does": "drop", "times": 2},
        {"does": "lose-answer", "times": 1},
        {"does": "garbage", "status": 502, "times": 2},
        {"does": "garbage", "status": 503, "times": 1},
        {"does": "garbage", "status": 429, "times": 1},
    ],
    ids=lambda fault: f"{fault['does']}-{fault.get('status', '')}",
)
@pytest.mark.parametrize("during", ["transferring", "active"])
def test_a_fault_that_passes(phone: Service, fault: dict[str, Any], during: str) -> None:
    assert phone.phone is not None
    phone.phone.switch(a_state_during=during)
    phone.phone.fault(on=TRANSFER, **fault)
    call_id = phone.dial(PLAIN)
    check_one_leg(phone, call_id)
    assert phone.phone.problems() == []


def test_the_wait_that_the_platform_asks_for(phone: Service) -> None:
    assert phone.phone is not None
    reset = int((time.time() + 1.5) * 1000)
    phone.phone.fault(
        "status",
        on=TRANSFER,
        status=429,
        code="rate-limit-reached",
        headers={"X-RateLimit-Reset": str(reset)},
    )
    call_id = phone.dial(PLAIN)
    check_one_leg(phone, call_id)
    first, second = phone.transfers(call_id)
    assert second.at * 1000 >= reset
    assert second.at - first.at < 3
    assert [sent.method for sent in phone.api_requests(call_id)[:2]] == ["POST", "POST"]


def test_a_wait_beyond_the_budget_is_not_begun(stubbed: Service) -> None:
    assert stubbed.stub is not None
    reset = str(int((time.time() + 60) * 1000))
    stubbed.stub.script.append((429, {"X-RateLimit-Reset": reset}, b""))
    call_id, started = new_call_id(), time.monotonic()
    assert stubbed.post(event("answer", call_id, PLAIN)).status_code == 503
    assert time.monotonic() - started < 2
    assert stubbed.post(event("answer", call_id, PLAIN)).status_code == 200
    assert stubbed.transfers(call_id)[-1].body["transferTo"] == ANN


@pytest.mark.parametrize("status", [401, 402])
def test_a_refused_account_is_503_at_once(stubbed: Service, status: int) -> None:
    assert stubbed.stub is not None
    category = {401: "authentication", 402: "payment"}[status]
    body = json.dumps({"category": category, "code": "x", "message": "m"}).encode()
    stubbed.stub.script.append((status, {"Content-Type": "application/json"}, body))
    call_id, started = new_call_id(), time.monotonic()
    answer = stubbed.post(event("answer", call_id, PLAIN))
    assert time.monotonic() - started < 2
    if status == 401:
        assert answer.status_code == 503
        assert len(stubbed.api_requests(call_id)) == 1
    else:
        assert answer.status_code in {200, 503}


def test_a_refused_destination_leads_to_its_handler(phone: Service) -> None:
    assert phone.phone is not None
    call_id = phone.dial("+19195551019")
    check_one_leg(phone, call_id, ANSWERING)
    bodies = [sent.body for sent in phone.transfers(call_id)]
    assert [body["transferTo"] for body in bodies] == ["+442079460001", ANSWERING]
    assert bodies[1]["diversionReason"] == "unavailable"
    tokens = {body["callbackUrl"] for body in bodies}
    assert len(tokens) == 2
    assert phone.phone.problems() == []


def test_a_refused_destination_without_handler_leads_to_otherwise(phone: Service) -> None:
    call_id = phone.dial("+19195551020")
    check_one_leg(phone, call_id, ANN)
    assert phone.transfers(call_id)[-1].body["diversionReason"] == "unconditional"


def test_a_refused_otherwise_leads_to_emergency(phone: Service) -> None:
    check_one_leg(phone, phone.dial("+19195551021"), ANSWERING)


def test_when_everything_is_refused_the_caller_is_told(phone: Service) -> None:
    assert phone.phone is not None
    phone.phone.fault(
        "status", on=TRANSFER, status=403, code="invalid-destination-number", times=None
    )
    call_id = phone.dial("+19195551019")
    wait_until(lambda: phone.leg(call_id)["state"] == "completed")
    phone.settled(call_id)
    assert phone.phone.problems() == []
    tried = [sent.body["transferTo"] for sent in phone.transfers(call_id)]
    assert tried == ["+442079460001", ANSWERING, ANN, ANSWERING]
    assert any("sorry" in str(sent.body) for sent in phone.api_requests(call_id))


@pytest.mark.parametrize("code", ["call-transfer-error", "invalid-call-to-number"])
def test_a_destination_that_cannot_be_had_in_follow_me(phone: Service, code: str) -> None:
    assert phone.phone is not None
    phone.phone.fault("status", on=TRANSFER, code=code)
    check_one_leg(phone, phone.dial("+19195551013"), BOB)


def test_the_call_is_over_when_it_is_to_be_transferred(phone: Service) -> None:
    assert phone.phone is not None
    phone.phone.fault("status", on=TRANSFER, code="call-unavailable", times=None)
    call_id = phone.dial(PLAIN)
    wait_until(lambda: phone.transfers(call_id))
    phone.phone.hang_up(call_id)
    phone.phone.platform.faults.clear()
    wait_until(lambda: phone.leg(call_id)["state"] == "completed")
    phone.settled(call_id)
    assert executed(phone, call_id) == 0
    assert phone.phone.problems() == []


def test_stale_answer_of_a_call_that_is_over(phone: Service) -> None:
    assert phone.phone is not None
    call_id = phone.dial(PLAIN)
    check_one_leg(phone, call_id)
    wait_until(lambda: phone.leg(call_id)["state"] == "completed")
    before = len(phone.api_requests())
    assert phone.post(event("answer", call_id, PLAIN, time=iso(10))).status_code == 200
    assert len(phone.api_requests()) == before


@pytest.mark.parametrize(
    "fault",
    [
        {"does": "drop", "times": 1},
        {"does": "lose-answer", "times": 1},
        {"does": "status", "status": 503, "code": "call-unavailable", "times": 3},
        {"does": "garbage", "times": 1},
    ],
    ids=lambda fault: fault["does"],
)
def test_a_fault_when_we_answer(unanswered: Service, fault: dict[str, Any]) -> None:
    assert unanswered.phone is not None
    unanswered.phone.fault(on={"method": "POST", "state": "active"}, **fault)
    check_one_leg(unanswered, unanswered.dial(PLAIN))
    assert unanswered.phone.problems() == []


def test_a_call_that_is_still_being_set_up(unanswered: Service) -> None:
    assert unanswered.phone is not None
    unanswered.phone.switch(setup_s=1)
    check_one_leg(unanswered, unanswered.dial(PLAIN))
    assert unanswered.phone.problems() == []


def test_the_caller_gives_up_before_we_answer(unanswered: Service) -> None:
    assert unanswered.phone is not None
    on = {"method": "POST", "state": "active"}
    unanswered.phone.fault("status", on=on, code="call-unavailable", times=None)
    call_id = unanswered.dial(PLAIN)
    wait_until(lambda: unanswered.api_requests(call_id))
    unanswered.phone.hang_up(call_id)
    unanswered.phone.platform.faults.clear()
    wait_until(lambda: unanswered.leg(call_id)["state"] == "completed")
    unanswered.settled(call_id)
    assert unanswered.transfers(call_id) == []
    assert unanswered.phone.problems() == []


@pytest.fixture(scope="module")
def _hasty() -> Iterator[Service]:
    with Service(RULES, fallback=True, CALLBACK_BUDGET="2") as service:
        yield service


@pytest.fixture
def hasty(_hasty: Service) -> Service:
    """The service with a short budget, so that tests of it are short."""
    assert _hasty.phone is not None
    _hasty.phone.reset()
    return _hasty


@pytest.mark.xdist_group("hasty")
class TestBudget:
    @pytest.mark.parametrize(
        "fault",
        [
            {"does": "hang", "seconds": 4, "times": 1},
            {"does": "status", "status": 503, "code": "call-unavailable", "times": 5},
            {"does": "garbage", "times": 6},
        ],
        ids=lambda fault: fault["does"],
    )
    def test_the_fallback_routes_it_once(self, hasty: Service, fault: dict[str, Any]) -> None:
        assert hasty.phone is not None
        hasty.phone.fault(on=TRANSFER, **fault)
        check_one_leg(hasty, hasty.dial(PLAIN))
        for problem in hasty.phone.problems():
            assert problem["event"] == "answer"
            assert problem["status"] == 503
            assert problem["took"] < 2.2
        if fault["does"] == "hang":
            assert len(hasty.phone.problems()) == 1

    def test_an_answer_lost_at_the_deadline(self, hasty: Service) -> None:
        """The transfer was executed, and we hear of it only when the budget is spent."""
        assert hasty.phone is not None
        hasty.phone.fault("lose-answer", on=TRANSFER, seconds=3, times=1)
        call_id = hasty.dial(PLAIN)
        check_one_leg(hasty, call_id)
        assert len(hasty.transfers(call_id)) == 1
        assert hasty.phone.problems() == []  # the leg's own events have told us meanwhile

    def test_while_everything_hangs_and_after_it(self, hasty: Service) -> None:
        """The first delivery says so in time; the call is routed when the platform is back."""
        assert hasty.phone is not None
        hasty.phone.fault("hang", seconds=3, times=None)
        call_id = hasty.dial(PLAIN)
        (problem, *_) = wait_until(hasty.phone.problems)
        assert problem["status"] == 503
        assert problem["took"] < 2.2
        hasty.phone.platform.faults.clear()
        check_one_leg(hasty, call_id)

    def test_many_at_once_while_everything_hangs(self, hasty: Service) -> None:
        assert hasty.phone is not None
        hasty.phone.fault("hang", seconds=4, times=None)
        with ThreadPoolExecutor(40) as pool:
            events = [event("answer", new_call_id(), PLAIN) for _ in range(40)]
            answers = list(pool.map(hasty.post, events))
        assert {answer.status_code for answer in answers} == {503}
        assert max(answer.elapsed.total_seconds() for answer in answers) < 3
        hasty.phone.reset()

    def test_hanging_up_after_an_announcement_is_tried_again(self, hasty: Service) -> None:
        assert hasty.phone is not None
        on = {"method": "POST", "state": "completed"}
        hasty.phone.fault("hang", on=on, seconds=3, times=1)
        call_id = hasty.dial(TELLS)
        wait_until(lambda: hasty.leg(call_id)["state"] == "completed")
        hasty.settled(call_id)


def test_an_unreachable_api_is_503() -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    with Service(RULES, stub=True, BANDWIDTH_API_URL=nowhere, CALLBACK_BUDGET="1") as service:
        started = time.monotonic()
        answer = service.post(event("answer", new_call_id(), PLAIN))
        assert answer.status_code == 503
        assert answer.json()["error"]["code"]
        assert time.monotonic() - started < 1.3
        assert service.readiness()[0] == 200


def test_the_documented_rate_limit(phone: Service) -> None:
    assert phone.phone is not None
    phone.phone.switch(rate_limits="documented")
    calls = [phone.dial(PLAIN) for _ in range(3)]
    for call_id in calls:
        check_one_leg(phone, call_id)
        assert phone.transfers(call_id)[0].body | PLAIN_BODY == phone.transfers(call_id)[0].body
    assert phone.phone.problems() == []


@pytest.mark.parametrize("does", ["hang", "lose-answer"])
def test_answering_that_outlasts_the_budget_is_done_by_the_fallback(does: str) -> None:
    with Service(RULES, fallback=True, CALLBACK_BUDGET="1", AUTO_ANSWER="false") as service:
        assert service.phone is not None
        on = {"method": "POST", "state": "active"}
        service.phone.fault(does, on=on, seconds=2, times=1)
        call_id = service.dial(PLAIN)
        check_one_leg(service, call_id)
        (problem,) = service.phone.problems()
        assert (problem["event"], problem["status"]) == ("incomingcall", 503)
        assert len(service.transfers(call_id)) == 1


def test_without_rules_and_public_url_a_call_is_given_back() -> None:
    with Service("lines: nothing", stub=True, ready=False, PUBLIC_URL=None) as service:
        answer = service.post(event("answer", new_call_id(), PLAIN))
        assert answer.status_code == 503
        assert service.transfers() == []


def test_the_ledger_is_not_waited_for_once_the_call_is_transferred() -> None:
    """What came of the transfer is noted as soon as the ledger can be written again."""
    with Service(RULES, stub=True) as service:
        ledger = sqlite3.connect(service.ledger_path, isolation_level=None, check_same_thread=False)

        def transferred() -> int:
            ledger.execute("BEGIN IMMEDIATE")
            return 201

        assert service.stub is not None
        service.stub.script.append(transferred)
        call_id = new_call_id()
        with closing(ledger):
            began = time.monotonic()
            assert service.post(event("answer", call_id, PLAIN)).status_code == 200
            assert time.monotonic() - began < 1.5
        kept = SqliteLedger(str(service.ledger_path))
        wait_until(lambda: "dialed" in [each.kind for each in kept.journal(call_id)], 10)
