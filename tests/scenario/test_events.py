"""Events that come twice, late, early, in any order, by GET, or that are nothing of ours."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.scenario.rules import ANN, PLAIN, PLAIN_BODY, REFUSES, TELLS
from tests.service import CALLBACKS, LEGS, PROJECT, event, iso, new_call_id

if TYPE_CHECKING:
    from tests.service import Service

FIXTURES = PROJECT / "tests" / "fixtures" / "catapult-v1"
INDEX = json.loads((FIXTURES / "index.json").read_text())["fixtures"]
POSTED = [row["file"] for row in INDEX if row["kind"] == "callback-post"]
QUERIES = [row["file"] for row in INDEX if row["kind"] == "callback-get-query"]


def statuses(service: Service, events: list[dict[str, Any]], workers: int = 20) -> Counter[int]:
    """Deliver events at the same time; how often each status came."""
    with ThreadPoolExecutor(workers) as pool:
        return Counter(answer.status_code for answer in pool.map(service.post, events))


def methods(service: Service, call_id: str) -> list[str]:
    return [sent.method for sent in service.api_requests(call_id)]


def test_the_same_answer_twenty_times_at_once(stubbed: Service) -> None:
    for _ in range(5):
        call_id = new_call_id()
        stubbed.post(event("incomingcall", call_id, PLAIN))
        assert statuses(stubbed, [event("answer", call_id, PLAIN)] * 20) == {200: 20}
        assert stubbed.transfer_of(call_id) == PLAIN_BODY
        assert len(stubbed.api_requests(call_id)) == 1


def test_the_same_answer_twenty_times_one_after_another(stubbed: Service) -> None:
    call_id = new_call_id()
    sent = [event("incomingcall", call_id, PLAIN), *[event("answer", call_id, PLAIN)] * 20]
    assert [stubbed.post(each).status_code for each in sent] == [200] * 21
    assert len(stubbed.api_requests(call_id)) == 1


def test_duplicates_while_the_platform_is_slow(stubbed: Service) -> None:
    assert stubbed.stub is not None
    stubbed.stub.latency = 0.5
    call_id = new_call_id()
    assert statuses(stubbed, [event("answer", call_id, PLAIN)] * 20) == {200: 20}
    assert len(stubbed.api_requests(call_id)) == 1


def test_answer_without_incomingcall_then_incomingcall(stubbed: Service) -> None:
    call_id = new_call_id()
    for kind in ("answer", "incomingcall", "answer"):
        assert stubbed.post(event(kind, call_id, PLAIN)).status_code == 200
    assert stubbed.transfer_of(call_id) == PLAIN_BODY
    assert len(stubbed.api_requests(call_id)) == 1


@pytest.mark.parametrize("before", [[], ["incomingcall"]], ids=["unknown", "known"])
def test_hangup_before_answer_means_no_request(stubbed: Service, before: list[str]) -> None:
    call_id = new_call_id()
    for kind in [*before, "hangup", "answer", "incomingcall", "answer"]:
        assert stubbed.post(event(kind, call_id, PLAIN)).status_code == 200
    assert stubbed.api_requests(call_id) == []


@pytest.mark.parametrize("number", [PLAIN, REFUSES, TELLS])
def test_incomingcall_alone_asks_nothing(stubbed: Service, number: str) -> None:
    call_id = new_call_id()
    assert stubbed.post(event("incomingcall", call_id, number)).status_code == 200
    assert stubbed.api_requests(call_id) == []


STALE = {
    "10 s old": {"time": iso(10)},
    "an hour old": {"time": iso(3600)},
    "10 s ahead": {"time": iso(-60)},
    "without time": {"time": None},
    "with a time that is none": {"time": "yesterday"},
    "without a state": {"callState": None},
    "of another state": {"callState": "completed"},
}


@pytest.mark.parametrize("name", STALE)
def test_an_answer_that_proves_nothing_is_checked_first(stubbed: Service, name: str) -> None:
    call_id = new_call_id()
    assert stubbed.post(event("answer", call_id, PLAIN, **STALE[name])).status_code == 200
    assert methods(stubbed, call_id) == ["GET", "POST"]
    assert stubbed.transfer_of(call_id) == PLAIN_BODY


@pytest.mark.parametrize("state", ["completed", "rejected", "error"])
def test_a_call_that_is_over_is_left_alone(stubbed: Service, state: str) -> None:
    assert stubbed.stub is not None
    call_id = new_call_id()
    stubbed.stub.states[call_id] = state
    for _ in range(3):
        sent = event("answer", call_id, PLAIN, time=iso(10))
        assert stubbed.post(sent).status_code == 200
    assert methods(stubbed, call_id) == ["GET"]


@pytest.mark.parametrize("offset", ["Z", "+00:00", "milliseconds", "epoch", "hours"])
def test_every_form_of_a_fresh_time_is_proof(stubbed: Service, offset: str) -> None:
    forms = {
        "Z": iso(),
        "+00:00": iso().replace("Z", "+00:00"),
        "milliseconds": iso().replace("Z", ".123Z"),
        "hours": iso(3 * 3600).replace("Z", "-03"),
        "epoch": int(time.time() * 1000),
    }
    call_id = new_call_id()
    stubbed.post(event("answer", call_id, PLAIN, time=forms[offset]))
    assert methods(stubbed, call_id) == ["POST"]


def test_the_parties_are_those_of_the_answer_itself(stubbed: Service) -> None:
    call_id = new_call_id()
    sent = event("answer", call_id, PLAIN) | {"eventType": "ANSWER", "unheard-of": [1, {"a": 2}]}
    assert stubbed.post(sent).status_code == 200
    assert stubbed.transfer_of(call_id) == PLAIN_BODY


@pytest.mark.parametrize("seed", range(40))
def test_any_order_with_duplicates_makes_at_most_one_transfer(stubbed: Service, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - shuffling, no secret
    call_id = new_call_id()
    first = [event("incomingcall", call_id, PLAIN), event("answer", call_id, PLAIN)]
    rest = [
        event("hangup", call_id, PLAIN),
        event("answer", call_id, PLAIN, time=iso(2)),
        event("speak", call_id, PLAIN, status="done", tag="announcement"),
        event("timeout", call_id, PLAIN),
        event("dtmf", call_id, PLAIN, dtmfDigit="1"),
        event("transferComplete", call_id, PLAIN),
        event("no-such-event", call_id, PLAIN),
    ]
    chosen = first + dice.sample(rest, dice.randint(0, len(rest)))
    events = [each for each in chosen for _ in range(dice.randint(1, 3))]
    dice.shuffle(events)
    if dice.random() < 0.5:
        assert set(statuses(stubbed, events, 8)) == {200}
    else:
        assert {stubbed.post(each).status_code for each in events} == {200}
        kinds = [each["eventType"] for each in events]
        left_first = "hangup" in kinds and kinds.index("hangup") < kinds.index("answer")
        assert len(stubbed.transfers(call_id)) == (0 if left_first else 1)
    assert len(stubbed.transfers(call_id)) <= 1
    assert len(stubbed.api_requests(call_id)) <= 2
    shown = [sent.method for sent in stubbed.api_requests(call_id)]
    assert set(shown) <= {"GET", "POST"}


@pytest.mark.parametrize("name", POSTED)
def test_every_event_of_the_contract_posted(stubbed: Service, name: str) -> None:
    body = (FIXTURES / name).read_bytes()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = stubbed.request("POST", CALLBACKS, data=body, headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("name", POSTED)
def test_every_event_of_the_contract_about_a_leg(stubbed: Service, name: str) -> None:
    call_id = new_call_id()
    stubbed.post(event("answer", call_id, PLAIN))
    path = LEGS + stubbed.transfers(call_id)[0].body["callbackUrl"].partition(LEGS)[2]
    answer = stubbed.post(json.loads((FIXTURES / name).read_text()), path)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("name", QUERIES)
def test_every_event_of_the_contract_by_get(stubbed: Service, name: str) -> None:
    query = (FIXTURES / name).read_text().strip()
    for path in (f"{CALLBACKS}?{query}", f"{CALLBACKS}?{query.replace('%2B', '+')}"):
        answer = stubbed.request("GET", path)
        assert (answer.status_code, answer.content) == (200, b"")


def test_a_raw_plus_in_a_get_is_still_the_number(stubbed: Service) -> None:
    call_id = new_call_id()
    query = f"eventType=answer&callId={call_id}&from=+12125550142&to={PLAIN}&callState=active"
    assert stubbed.request("GET", f"{CALLBACKS}?{query}&time={iso()}").status_code == 200
    assert stubbed.transfer_of(call_id) == PLAIN_BODY
    assert len(stubbed.api_requests(call_id)) == 1


def test_a_transcription_has_no_call(stubbed: Service) -> None:
    body = json.loads((FIXTURES / "event-transcription-completed.json").read_text())
    assert "callId" not in body
    assert stubbed.post(body).status_code == 200


@pytest.mark.parametrize("kind", ["incomingcall", "answer", "hangup", "speak"])
@pytest.mark.parametrize(
    "odd",
    [
        {"time": "\ud800"},
        {"time": {"a": [1]}},
        {"from": "\ud800"},
        {"from": 12125550142, "to": ["+19195551001"]},
        {"cause": "\udfff"},
        {"cause": "x" * 60_000},
        {"tag": "\x00"},
        {"diversion": "{{{"},
        {"diversion": [1]},
        {"callState": 7, "status": {"x": None}},
        {"time": 10**30},
        {"displayName": "\ud83d\ude00 Zoë"},
    ],
    ids="-".join,
)
def test_odd_values_are_taken(stubbed: Service, kind: str, odd: dict[str, Any]) -> None:
    call_id = new_call_id()
    body = json.dumps(event(kind, call_id, PLAIN) | odd)
    headers = {"Content-Type": "application/json"}
    answer = stubbed.request("POST", CALLBACKS, data=body, headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")
    assert len(stubbed.transfers(call_id)) == (kind == "answer")


def test_events_of_a_leg_are_recorded_with_its_call(stubbed: Service) -> None:
    call_id = new_call_id()
    stubbed.post(event("answer", call_id, PLAIN))
    path = LEGS + stubbed.transfers(call_id)[0].body["callbackUrl"].partition(LEGS)[2]
    for kind in ("answer", "hangup", "hangup"):
        assert stubbed.post(event(kind, "c-leg", ANN), path).status_code == 200
    assert len(stubbed.api_requests(call_id)) == 1
