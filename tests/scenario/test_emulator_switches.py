"""Every switch, at every value it takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from requests import ConnectionError  # noqa: A004 - of requests

from tests.emulator_helpers import ANN, BOB, BUSINESS, CALLER, Lab, code_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

TRANSFER = {"state": "transferring", "transferTo": ANN}


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(switches={"audio_s": 0.02}) as lab:
        lab.emulator.destination(ANN, after=0.02)
        lab.emulator.destination(BOB, "no-answer")
        yield lab


def test_unknown_switch_says_what_exists(lab: Lab) -> None:
    response = lab.control("POST", "switches", {"colour": "red"})
    assert response.status_code == 400
    assert "transfer_failure" in response.json()["error"]


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("transfer_failure", "explode", "return|hangup|mixed"),
        ("transfer_ring_s", -1, "a number"),
        ("transfer_ring_s", "soon", "a number"),
        ("router_cancel_cause", "because", "a hangup cause"),
        ("shuffle_callbacks", 1, "on|off"),
    ],
)
def test_wrong_value_says_what_is_allowed(lab: Lab, name: str, value: Any, allowed: str) -> None:
    before = lab.control("GET", "switches").json()
    both = {"whisper_events": "off", name: value}
    response = lab.control("POST", "switches", both)
    assert response.status_code == 400
    assert name in response.json()["error"]
    assert (
        set(allowed.split("|"))
        <= set(response.json()["error"].replace("|", " ").replace(",", " ").split())
        or allowed in response.json()["error"]
    )
    assert lab.control("GET", "switches").json() == before


def test_booleans_are_taken_as_on_and_off(lab: Lab) -> None:
    body = {"whisper_events": False, "allow_impersonation": True}
    switches = lab.control("POST", "switches", body).json()
    assert (switches["whisper_events"], switches["allow_impersonation"]) == ("off", "on")


@pytest.mark.parametrize(
    ("value", "does", "survives"),
    [
        ("return", "busy", True),
        ("return", "unallocated", True),
        ("hangup", "busy", False),
        ("hangup", "no-answer", False),
        ("mixed", "busy", True),
        ("mixed", "no-answer", True),
        ("mixed", "reject", True),
        ("mixed", "unallocated", False),
    ],
)
def test_transfer_failure(lab: Lab, value: str, does: str, *, survives: bool) -> None:
    lab.emulator.switch(transfer_failure=value)
    lab.emulator.destination(ANN, does, after=0.02)
    a = lab.dial()
    lab.hear("hangup", lab.transfer(a))
    if survives:
        assert lab.state(a) == "active"
    else:
        lab.hear("hangup(NORMAL_CLEARING)", a)
        again = lab.api("POST", f"calls/{a}", TRANSFER)
        assert code_of(again) == (403, "call-invalid-state")


def test_a_state_during(lab: Lab) -> None:
    lab.emulator.switch(a_state_during="active")
    a = lab.dial()
    lab.transfer(a, BOB)
    assert lab.state(a) == "active"
    assert lab.leg(a)["state"] == "transferring"
    assert code_of(lab.api("POST", f"calls/{a}", TRANSFER)) == (403, "call-invalid-state")


def test_transfer_ring_s(lab: Lab) -> None:
    lab.emulator.switch(transfer_ring_s="0.15")
    began = time.monotonic()
    lab.hear("timeout", lab.transfer(lab.dial(), BOB))
    assert time.monotonic() - began >= 0.15


@pytest.mark.parametrize(("value", "path"), [("none", None), ("a_url", "/a")])
def test_bleg_events_without_url(lab: Lab, value: str, path: str | None) -> None:
    lab.emulator.switch(bleg_events_without_url=value)
    b = lab.transfer(lab.dial(), callbackUrl=None)
    lab.until(lambda: lab.state(b) == "active")
    if path is None:
        assert lab.story(b) == []
    else:
        assert lab.hear("answer", b).path == path


@pytest.mark.parametrize(
    ("value", "method", "tag", "fallback"),
    [
        ("method_timeout", "GET", None, None),
        ("none", "POST", None, None),
        ("all", "GET", "of-a", "/f"),
    ],
)
def test_bleg_inherit(
    lab: Lab, value: str, method: str, tag: str | None, fallback: str | None
) -> None:
    lab.emulator.switch(bleg_inherit=value)
    lab.application(callbackHttpMethod="GET", incomingCallFallbackUrl=f"{lab.ear.url}/f")
    a = lab.dial()
    lab.post(f"calls/{a}", {"tag": "of-a"})
    answer = lab.hear("answer", lab.transfer(a))
    assert answer.method == method
    assert answer.event.get("tag") == tag
    shown = lab.get(f"calls/{answer.event['callId']}").get("fallbackUrl")
    assert shown == (lab.ear.url + fallback if fallback else None)


@pytest.mark.parametrize("value", ["on", "off"])
def test_whisper_events(lab: Lab, value: str) -> None:
    lab.emulator.switch(whisper_events=value)
    a = lab.dial()
    b = lab.transfer(a, whisperAudio={"sentence": "A caller"})
    lab.until(lambda: lab.leg(a)["talksTo"] == [b])
    lab.emulator.hang_up(b)
    lab.hear("hangup", b)
    assert ("speak(done)" in lab.story(b)) == (value == "on")


@pytest.mark.parametrize(
    ("value", "number", "expected"),
    [
        ("mixed", BOB, "hangup(UNALLOCATED_NUMBER)"),
        ("mixed", "+442079460123", (403, "invalid-destination-number")),
        ("sync", BOB, (403, "invalid-call-to-number")),
        ("sync", "+442079460123", (403, "invalid-destination-number")),
        ("async", BOB, "hangup(UNALLOCATED_NUMBER)"),
        ("async", "+442079460123", "hangup(NORMAL_TEMPORARY_FAILURE)"),
    ],
)
def test_bad_destination(lab: Lab, value: str, number: str, expected: Any) -> None:
    lab.emulator.switch(bad_destination=value)
    lab.emulator.destination(BOB, "unallocated", after=0.02)
    a = lab.dial()
    response = lab.api(
        "POST",
        f"calls/{a}",
        TRANSFER | {"transferTo": number, "callbackUrl": f"{lab.ear.url}/b"},
    )
    if isinstance(expected, tuple):
        assert code_of(response) == expected
        assert lab.state(a) == "active"
    else:
        lab.hear(expected, response.headers["Location"].rpartition("/")[2])


def test_international(lab: Lab) -> None:
    lab.emulator.switch(international="on")
    lab.hear("answer", lab.transfer(lab.dial(), "+442079460123"))


def test_router_cancel_cause(lab: Lab) -> None:
    lab.emulator.switch(router_cancel_cause="NORMAL_CLEARING")
    b = lab.transfer(lab.dial(), BOB)
    lab.post(f"calls/{b}", {"state": "completed"})
    lab.hear("hangup(NORMAL_CLEARING)", b)


def await_silence(lab: Lab) -> None:
    """Wait until nothing has come for much longer than anything is held back."""
    before = -1
    while len(lab.ear.heard) > before:
        before = len(lab.ear.heard)
        time.sleep(0.25)


def shuffled_story(seed: int) -> list[list[str]]:
    with Lab(switches={"shuffle_callbacks": "on", "seed": seed}) as lab:
        stories = []
        for _ in range(4):
            call = lab.emulator.dial(CALLER, BUSINESS)
            lab.emulator.press(call, "12345")
            await_silence(lab)
            stories.append(sorted(lab.story(call)))
        return stories


def test_shuffle_callbacks() -> None:
    first, again, other = shuffled_story(1), shuffled_story(1), shuffled_story(2)
    assert first == again
    assert first != other
    assert any(story.count("dtmf") > 5 for story in first)
    assert all(story.count("dtmf") >= 5 and "answer" in story for story in first)


def test_shuffled_events_come_out_of_order() -> None:
    with Lab(switches={"shuffle_callbacks": "on"}) as lab:
        call = lab.dial()
        lab.emulator.press(call, "1234567890")
        await_silence(lab)
        digits = [one.event["dtmfDigit"] for one in lab.of(call) if "dtmfDigit" in one.event]
        assert set(digits) == set("1234567890")
        assert digits != sorted(digits, key="1234567890".index)


@pytest.mark.parametrize(("value", "start"), [("relative", "/v1/users/"), ("absolute", "http://")])
def test_location(lab: Lab, value: str, start: str) -> None:
    lab.emulator.switch(location=value)
    location = lab.api("POST", "bridges", {}).headers["Location"]
    assert location.startswith(start)
    assert lab.get(f"bridges/{location.rpartition('/')[2]}")["state"] == "created"


def test_retransfer(lab: Lab) -> None:
    a, first = lab.joined()
    second = lab.transfer(a, BOB)
    lab.hear("hangup(NORMAL_CLEARING)", first)
    assert (lab.state(a), lab.state(second)) == ("transferring", "started")
    lab.post(f"calls/{second}", {"state": "completed"})
    lab.emulator.switch(retransfer="reject")
    third = lab.transfer(a, ANN)
    lab.until(lambda: lab.leg(a)["talksTo"] == [third])
    assert code_of(lab.api("POST", f"calls/{a}", TRANSFER)) == (403, "call-invalid-state")
    assert lab.leg(a)["talksTo"] == [third]


def ten_calls_and_a_transfer(lab: Lab) -> requests.Response:
    a = lab.dial()
    lab.emulator.switch(rate_limits="documented")
    for _ in range(10):
        assert lab.api("POST", "calls", {"from": BUSINESS, "to": ANN}).status_code == 201
    return lab.api("POST", f"calls/{a}", TRANSFER)


def test_transfer_counts_as_call(lab: Lab) -> None:
    lab.emulator.switch(transfer_counts_as_call="on")
    assert code_of(ten_calls_and_a_transfer(lab)) == (403, "call-rate-limit")


def test_transfer_does_not_count_as_call(lab: Lab) -> None:
    assert ten_calls_and_a_transfer(lab).status_code == 201


def test_rate_limits(lab: Lab) -> None:
    call = lab.dial()
    lab.emulator.switch(rate_limits="documented")
    assert lab.api("GET", f"calls/{call}").status_code == 200
    limited = lab.api("GET", f"calls/{call}")
    assert code_of(limited) == (429, "rate-limit-reached")
    assert lab.api("GET", "bridges").status_code == 200
    for _ in range(20):
        assert lab.api("GET", "phoneNumbers").status_code == 200
    wait = int(limited.headers["X-RateLimit-Reset"]) / 1000 - time.time()
    assert 0 < wait <= 1
    time.sleep(wait)
    assert lab.api("GET", f"calls/{call}").status_code == 200


def test_what_was_limited_was_not_executed(lab: Lab) -> None:
    a = lab.dial()
    lab.emulator.switch(rate_limits="documented")
    assert [lab.api("POST", f"calls/{a}", TRANSFER).status_code for _ in range(3)] == [
        201,
        429,
        429,
    ]
    assert len(lab.emulator.calls()) == 2


@pytest.mark.parametrize("value", ["off", "on"])
def test_allow_impersonation(lab: Lab, value: str) -> None:
    lab.emulator.switch(allow_impersonation=value)
    stranger = "+12025550123"
    created = lab.api("POST", "calls", {"from": stranger, "to": ANN})
    moved = lab.api("POST", f"calls/{lab.dial()}", TRANSFER | {"transferCallerId": stranger})
    allowed = value == "on"
    assert created.status_code == (201 if allowed else 401)
    assert moved.status_code == (201 if allowed else 400)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("401", (401, "user-access-denied")),
        ("403", (403, "user-access-denied")),
        ("404", (404, "user-not-found")),
    ],
)
def test_foreign_user(lab: Lab, value: str, expected: tuple[int, str]) -> None:
    lab.emulator.switch(foreign_user=value)
    lab.base = lab.base.replace("u-emulator", "u-other")
    assert code_of(lab.api("GET", "calls")) == expected


def test_takeover(lab: Lab) -> None:
    a = lab.dial()
    b = lab.transfer(a, BOB)
    assert code_of(lab.api("POST", f"calls/{b}", {"state": "active"})) == (
        403,
        "call-invalid-state",
    )
    lab.emulator.switch(takeover="on")
    lab.post(f"calls/{b}", {"state": "active"})
    lab.hear("answer", b)
    assert lab.leg(a)["talksTo"] == [b]


def test_register_numbers(lab: Lab) -> None:
    assert lab.control("POST", "calls", {"from": CALLER, "to": BOB}).status_code == 200
    lab.emulator.switch(register_numbers="off")
    assert lab.control("POST", "calls", {"from": CALLER, "to": BOB}).status_code == 200
    refused = lab.control("POST", "calls", {"from": CALLER, "to": ANN})
    assert refused.status_code == 400
    assert ANN in refused.json()["error"]


def test_setup_s(lab: Lab) -> None:
    lab.emulator.switch(setup_s=0.3)
    a = lab.dial()
    assert code_of(lab.api("POST", f"calls/{a}", TRANSFER)) == (503, "call-unavailable")
    lab.until(lambda: lab.api("POST", f"calls/{a}", TRANSFER).status_code == 201)


def test_latency_s(lab: Lab) -> None:
    lab.emulator.switch(latency_s=0.2)
    began = time.monotonic()
    lab.get("calls")
    assert time.monotonic() - began >= 0.2


def test_list_lag_s(lab: Lab) -> None:
    lab.emulator.switch(list_lag_s=0.3)
    call = lab.dial()
    assert lab.get("calls") == []
    assert lab.get(f"calls/{call}")["id"] == call
    time.sleep(0.35)
    assert [each["id"] for each in lab.get("calls")] == [call]


def test_call_list(lab: Lab) -> None:
    call = lab.dial()
    lab.emulator.switch(call_list="empty")
    assert lab.get("calls") == []
    for status in (401, 404, 500):
        lab.emulator.switch(call_list=str(status))
        assert lab.api("GET", "calls").status_code == status
        assert lab.get(f"calls/{call}")["id"] == call
    lab.emulator.switch(call_list="slow")
    with pytest.raises(ConnectionError):
        lab.session.get(f"{lab.base}/calls", timeout=0.5)


def test_update_conflict(lab: Lab) -> None:
    call = lab.dial()
    lab.emulator.switch(update_conflict="on")
    for _ in range(2):
        assert lab.api("POST", f"calls/{call}", {"tag": "x"}).status_code == 200


def test_audio_s(lab: Lab) -> None:
    lab.emulator.switch(audio_s=0.3)
    call = lab.dial()
    lab.post(f"calls/{call}/audio", {"sentence": "Hello"})
    done, started = lab.hear("speak(done)", call), lab.hear("speak(started)", call)
    assert 0.2 < done.time - started.time < 1.5


TESTED_ELSEWHERE = {"diversion_get", "seed", "unanswered_s"}


def test_every_switch_has_a_test(lab: Lab) -> None:
    names = set(lab.control("GET", "switches").json()) - TESTED_ELSEWHERE
    assert names - {name.removeprefix("test_") for name in globals()} == set()
