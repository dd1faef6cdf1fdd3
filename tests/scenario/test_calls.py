"""Calls from the first ring to the end, with a phone company that behaves."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.scenario.rules import (
    ANN,
    ANSWERING,
    BOB,
    PLAIN,
    PLAIN_BODY,
    PLAYS,
    REFUSES,
    RULES,
    SINGLE,
    TELLS,
)
from tests.service import Service, wait_until

LIMITED = "+19195551017"


def states(service: Service, call_id: str) -> list[Any]:
    """What was asked for a call: the state of each update, else the method."""
    return [
        sent.body.get("state", "audio") if sent.body else sent.method
        for sent in service.api_requests(call_id)
    ]


def joined(service: Service, call_id: str) -> str:
    """The leg that a caller talks to."""
    return str(wait_until(lambda: service.leg(call_id)["talksTo"])[0])


def test_a_plain_call_takes_exactly_one_request(phone: Service) -> None:
    call_id = phone.dial(PLAIN)
    assert phone.transfer_of(call_id) == PLAIN_BODY
    assert phone.leg(joined(phone, call_id))["to"] == ANN
    phone.settled(call_id)
    assert states(phone, call_id) == ["transferring"]
    assert len(phone.api_requests()) == 1
    assert phone.phone is not None
    assert phone.phone.problems() == []


def test_answering_ourselves_takes_exactly_two(unanswered: Service) -> None:
    call_id = unanswered.dial(PLAIN)
    assert unanswered.transfer_of(call_id) == PLAIN_BODY
    joined(unanswered, call_id)
    unanswered.settled(call_id)
    assert states(unanswered, call_id) == ["active", "transferring"]
    assert len(unanswered.api_requests()) == 2


def test_rejected_after_it_was_answered(phone: Service) -> None:
    call_id = phone.dial(REFUSES)
    wait_until(lambda: phone.leg(call_id)["state"] == "completed")
    phone.settled(call_id)
    assert states(phone, call_id) == ["completed"]


def test_rejected_before_it_is_answered(unanswered: Service) -> None:
    call_id = unanswered.dial(REFUSES)
    wait_until(lambda: unanswered.leg(call_id)["state"] == "rejected")
    unanswered.settled(call_id)
    assert states(unanswered, call_id) == ["rejected"]


@pytest.mark.parametrize(
    ("line", "audio"),
    [
        (TELLS, {"sentence": "Night Desk is closed", "voice": "julie"}),
        (PLAYS, {"fileUrl": "https://example.com/closed.mp3"}),
    ],
)
@pytest.mark.parametrize("kind", ["phone", "unanswered"])
def test_announced_then_hung_up(
    request: pytest.FixtureRequest, kind: str, line: str, audio: dict[str, str]
) -> None:
    service = request.getfixturevalue(kind)
    call_id = service.dial(line)
    wait_until(lambda: service.leg(call_id)["state"] == "completed")
    service.settled(call_id)
    answered = ["active"] if kind == "unanswered" else []
    assert states(service, call_id) == [*answered, "audio", "completed"]
    body = service.api_requests(call_id)[-2].body
    assert {key: body[key] for key in body if key != "tag"} == audio
    assert service.api_requests(call_id)[-2].path.endswith(f"{call_id}/audio")


def test_busy_by_capacity_and_free_again(phone: Service) -> None:
    assert phone.phone is not None
    first = phone.dial(LIMITED)
    assert phone.transfer_of(first)["transferTo"] == SINGLE
    second = phone.dial(LIMITED)
    sent = phone.transfer_of(second)
    assert (sent["transferTo"], sent["diversionReason"]) == (ANSWERING, "user-busy")
    leg = joined(phone, first)
    phone.phone.hang_up(leg)
    phone.ended(leg)
    third = phone.dial(LIMITED)
    assert phone.transfer_of(third)["transferTo"] == SINGLE
    leg = joined(phone, third)
    phone.phone.hang_up(leg)
    phone.ended(leg, third)


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_capacity_is_free_after_a_hangup_of_either_side(phone: Service, who: str) -> None:
    assert phone.phone is not None
    for _ in range(2):
        call_id = phone.dial(LIMITED)
        assert phone.transfer_of(call_id)["transferTo"] == SINGLE
        leg = joined(phone, call_id)
        phone.phone.hang_up(call_id if who == "caller" else leg)
        phone.ended(call_id, leg)


def test_many_callers_at_once_never_exceed_a_capacity(phone: Service) -> None:
    assert phone.phone is not None
    with ThreadPoolExecutor(10) as pool:
        calls = list(pool.map(lambda _: phone.dial("+19195551022"), range(10)))
    wait_until(lambda: len(phone.transfers()) == 10)
    rung = [sent.body["transferTo"] for sent in phone.transfers()]
    assert rung.count(SINGLE) == 1
    assert rung.count(BOB) == 9
    for call_id in calls:
        phone.phone.hang_up(call_id)
    phone.ended(*calls)


def test_fifty_calls_at_once(phone: Service) -> None:
    with ThreadPoolExecutor(25) as pool:
        calls = list(pool.map(lambda _: phone.dial(PLAIN), range(50)))
    wait_until(lambda: len(phone.transfers()) >= 50)
    for call_id in calls:
        phone.settled(call_id)
        assert phone.transfer_of(call_id) == PLAIN_BODY
    assert len(phone.api_requests()) == 50
    assert phone.phone is not None
    assert phone.phone.problems() == []


def test_a_caller_who_leaves_at_once(phone: Service) -> None:
    assert phone.phone is not None
    call_id = phone.dial(PLAIN)
    phone.phone.hang_up(call_id)
    wait_until(lambda: phone.leg(call_id)["state"] == "completed")
    phone.settled(call_id)
    assert len(phone.transfers(call_id)) <= 1
    assert phone.phone.problems() == []


@pytest.mark.parametrize("name", ["phone", "unanswered"])
@pytest.mark.parametrize("seed", range(3))
def test_shuffled_and_doubled_callbacks(
    request: pytest.FixtureRequest, name: str, seed: int
) -> None:
    service = request.getfixturevalue(name)
    service.phone.switch(shuffle_callbacks="on", seed=seed)
    calls = [service.dial(PLAIN) for _ in range(10)]
    for call_id in calls:
        assert service.transfer_of(call_id) == PLAIN_BODY
        joined(service, call_id)
    for call_id in calls:
        service.phone.hang_up(call_id)
    wait_until(lambda: all(leg["state"] == "completed" for leg in service.phone.calls()))
    for call_id in calls:
        service.settled(call_id)
        assert len(service.transfers(call_id)) == 1
    assert service.phone.problems() == []


@pytest.mark.parametrize(
    "switches",
    [
        {"a_state_during": "active"},
        {"location": "absolute"},
        {"transfer_failure": "hangup"},
        {"transfer_failure": "mixed"},
        {"bleg_inherit": "none"},
        {"bleg_inherit": "all"},
        {"whisper_events": "off"},
        {"bleg_events_without_url": "a_url"},
    ],
    ids=lambda switches: "-".join(next(iter(switches.items()))),
)
def test_whatever_the_platform_chooses(phone: Service, switches: dict[str, str]) -> None:
    assert phone.phone is not None
    phone.phone.switch(**switches)
    call_id = phone.dial(PLAIN)
    assert phone.transfer_of(call_id) == PLAIN_BODY
    leg = joined(phone, call_id)
    phone.phone.hang_up(leg)
    wait_until(lambda: phone.leg(call_id)["state"] == "completed")
    phone.settled(call_id)
    phone.settled(leg)
    assert states(phone, call_id) == ["transferring"]
    assert phone.phone.problems() == []


@pytest.mark.parametrize("form", ["json", "as_printed"])
def test_callbacks_by_get(form: str) -> None:
    diversion = {
        "origTo": "+19195550177",
        "reason": "no-answer",
        "screen": "no",
        "privacy": "off",
        "counter": 1,
        "limit": 5,
    }
    with Service(RULES, method="GET") as service:
        assert service.phone is not None
        service.phone.switch(diversion_get=form)
        plain = service.dial(PLAIN)
        diverted = service.dial("+19195551010", diversion=diversion)
        assert service.transfer_of(plain) == PLAIN_BODY
        assert service.transfer_of(diverted)["transferTo"] == ANSWERING
        legs = [joined(service, call_id) for call_id in (plain, diverted)]
        for leg in legs:
            service.phone.hang_up(leg)
            service.settled(leg)
        service.settled(plain)
        assert len(service.api_requests()) == 2
        assert {row["method"] for row in service.phone.log("callback")} == {"GET"}
        assert service.phone.problems() == []


def test_without_a_public_url_a_leg_is_not_taken_for_a_call() -> None:
    with Service(RULES, PUBLIC_URL=None) as service:
        assert service.phone is not None
        service.phone.switch(bleg_events_without_url="a_url")
        call_id = service.dial(PLAIN)
        assert service.transfer_of(call_id) == PLAIN_BODY
        leg = joined(service, call_id)
        wait_until(lambda: [row for row in service.phone.log("callback") if row["leg"] == leg])
        service.settled(leg)
        assert len(service.transfers()) == 1
        service.phone.hang_up(leg)
        service.settled(leg)
        assert len(service.transfers()) == 1
        assert "callbackUrl" not in json.dumps(service.transfers()[0].body)
        assert service.phone.problems() == []
