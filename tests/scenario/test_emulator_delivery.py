"""How callbacks are delivered: order, attempts, time-outs, credentials, and the last way out."""

from __future__ import annotations

import base64
import json
import socket
import time
from typing import TYPE_CHECKING

import pytest

from emulator import Emulator
from tests.emulator_helpers import ANN, BOB, BUSINESS, CALLER, Lab

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(numbers=(BUSINESS,)) as lab:
        lab.emulator.destination(ANN, after=0.02)
        yield lab


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/nobody"


def codes(lab: Lab) -> list[str]:
    return [row["code"] for row in lab.get("errors")]


def test_events_of_a_leg_wait_for_each_answer(lab: Lab) -> None:
    lab.ear.replies["/a"] = -0.2
    call = lab.dial()
    first, second = lab.of(call)
    assert [first.event["eventType"], second.event["eventType"]] == ["incomingcall", "answer"]
    assert second.time - first.time >= 0.2


def test_events_of_different_legs_do_not_wait_for_each_other(lab: Lab) -> None:
    lab.ear.replies["/a"] = -0.5
    began = time.monotonic()
    for number in (BUSINESS, ANN, BOB):
        lab.emulator.dial(CALLER, number)
    lab.until(lambda: len(lab.ear.heard) >= 3)
    assert time.monotonic() - began < 0.45


def test_one_attempt_at_each_url(lab: Lab) -> None:
    lab.application(incomingCallFallbackUrl=f"{lab.ear.url}/fallback")
    lab.ear.replies["/a"] = 500
    call = lab.dial()
    lab.until(lambda: len(lab.of(call)) == 4)
    assert [heard.path for heard in lab.of(call)] == ["/a", "/fallback"] * 2
    assert [row["problem"] for row in lab.emulator.problems()] == ["answered 500"] * 2
    assert lab.state(call) == "active"


def test_redirects_are_not_followed_and_not_delivered(lab: Lab) -> None:
    lab.ear.replies["/a"] = 302
    call = lab.emulator.dial(CALLER, BUSINESS)
    lab.until(lab.emulator.problems)
    assert lab.emulator.problems()[0]["problem"] == "answered 302"
    assert lab.story(call)[0] == "incomingcall"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_counts(lab: Lab, status: int) -> None:
    lab.ear.replies["/a"] = status
    lab.dial()
    assert lab.emulator.problems() == []


def test_time_out(lab: Lab) -> None:
    lab.ear.replies["/slow"] = -0.5
    body = {"from": BUSINESS, "to": ANN, "callbackUrl": f"{lab.ear.url}/slow"}
    call = lab.post("calls", body | {"callbackTimeout": "50"})
    lab.until(lambda: "callback-server-timeout" in codes(lab))
    (row,) = [row for row in lab.get("errors") if row["code"] == "callback-server-timeout"]
    details = {one["name"]: one["value"] for one in row["details"]}
    assert details == {
        "callId": call,
        "callbackUrl": f"{lab.ear.url}/slow",
        "callbackMethod": "POST",
        "callbackEvent": "answer",
        "callbackTimeout": "50",
    }
    assert lab.get(f"errors/{row['id']}") == row


def test_credentials_become_a_header_and_are_shown_to_nobody(lab: Lab) -> None:
    secret_url = lab.ear.url.replace("://", "://us%40er:pa%3Ass@")
    application = lab.get("applications")[0]["id"]
    lab.post(f"applications/{application}", {"incomingCallUrl": f"{secret_url}/a?x=1"})
    a = lab.dial()
    b = lab.transfer(a, callbackUrl=f"{secret_url}/b")
    expected = "Basic " + base64.b64encode(b"us@er:pa:ss").decode()
    for leg in (a, b):
        assert lab.hear("answer", leg).headers["Authorization"] == expected
    assert lab.of(a)[0].query == "x=1"
    seen = [
        lab.control("GET", "log").text,
        json.dumps(lab.get(f"applications/{application}")),
        json.dumps(lab.get(f"calls/{b}")),
    ]
    for text in seen:
        assert "***:***@" in text
        assert "pa%3Ass" not in text


def test_credentials_are_masked_among_the_errors(lab: Lab) -> None:
    lab.ear.replies["/a"] = 500
    url = lab.ear.url.replace("://", "://user:hidden@")
    lab.application(incomingCallUrl=f"{url}/a")
    lab.emulator.dial(CALLER, BUSINESS)
    lab.until(lambda: codes(lab))
    assert "hidden" not in lab.api("GET", "errors").text
    assert "hidden" not in lab.control("GET", "problems").text


def test_no_callback_url_in_credentials_free_headers(lab: Lab) -> None:
    assert "Authorization" not in lab.hear("answer", lab.dial()).headers


# When nobody takes incomingcall


@pytest.mark.parametrize("auto_answer", [True, False])
def test_fallback_number_takes_the_call(lab: Lab, *, auto_answer: bool) -> None:
    lab.application(autoAnswer=auto_answer)
    lab.application(incomingCallFallbackUrl=closed_port())
    lab.ear.replies["/a"] = 503
    lab.emulator.destination(ANN, after=0.02, talk=0.2)
    lab.post(f"phoneNumbers/{BUSINESS.replace('+', '%2B')}", {"fallbackNumber": ANN})
    call = lab.emulator.dial(CALLER, BUSINESS)
    lab.until(lambda: lab.leg(call)["talksTo"])
    (rescue,) = lab.leg(call)["talksTo"]
    assert (lab.leg(rescue)["from"], lab.leg(rescue)["to"]) == (CALLER, ANN)
    assert lab.state(call) == "active"
    lab.hear("hangup(NORMAL_CLEARING)", call)
    assert "answer" not in lab.story(call)


def test_fallback_number_that_does_not_answer_ends_the_call(lab: Lab) -> None:
    lab.ear.replies["/a"] = 503
    lab.emulator.destination(ANN, "busy", after=0.02)
    lab.post(f"phoneNumbers/{BUSINESS.replace('+', '%2B')}", {"fallbackNumber": ANN})
    lab.hear("hangup(USER_BUSY)", lab.emulator.dial(CALLER, BUSINESS))


def test_without_a_fallback_number_the_call_ends_with_an_internal_cause(lab: Lab) -> None:
    lab.application(incomingCallUrl=closed_port())
    call = lab.emulator.dial(CALLER, BUSINESS)
    lab.until(lambda: lab.state(call) == "completed")
    assert lab.leg(call)["cause"] == "UNSPECIFIED"
    lab.until(lambda: "callback-io-error" in codes(lab))


def test_a_call_that_the_router_has_moved_on_needs_no_saving(lab: Lab) -> None:
    lab.application(incomingCallUrlCallbackTimeout=150)
    lab.ear.replies["/a"] = -0.4
    lab.emulator.destination(ANN, "no-answer")
    call = lab.emulator.dial(CALLER, BUSINESS)
    b = lab.transfer(call)
    lab.until(lab.emulator.problems)
    time.sleep(0.05)  # whoever saves calls would have come by now
    assert (lab.state(call), lab.state(b)) == ("transferring", "started")
    assert len(lab.emulator.calls()) == 2


def test_connections_to_the_router_are_kept(lab: Lab) -> None:
    call = lab.dial()
    lab.emulator.press(call, "12345678")
    lab.until(lambda: len(lab.of(call)) == 10)
    assert len({heard.port for heard in lab.of(call)}) == 1


def test_failure_of_a_later_event_saves_nobody(lab: Lab) -> None:
    lab.post(f"phoneNumbers/{BUSINESS.replace('+', '%2B')}", {"fallbackNumber": ANN})
    call = lab.dial()
    lab.ear.replies["/a"] = 500
    lab.emulator.press(call, "1")
    lab.until(lab.emulator.problems)
    assert lab.state(call) == "active"
    assert len(lab.emulator.calls()) == 1


def test_an_event_that_cannot_be_written_holds_up_no_other(lab: Lab) -> None:
    lab.application(callbackHttpMethod="GET")
    call = lab.dial()
    lab.post(f"calls/{call}/audio", {"sentence": "x", "loopEnabled": True, "tag": "\ud800"})
    lab.until(lab.emulator.problems)
    lab.emulator.press(call, "1")
    lab.hear("dtmf", call)


def test_a_stopped_emulator_answers_nobody() -> None:
    with Lab() as lab:
        lab.get("calls")
        lab.emulator.stop()
        with pytest.raises(OSError, match=r"refused|aborted|reset"):
            lab.api("GET", "calls")
        lab.emulator = Emulator().start()  # for the lab to stop


def test_get_callbacks_keep_the_query_of_the_url(lab: Lab) -> None:
    lab.application(callbackHttpMethod="GET", incomingCallUrl=f"{lab.ear.url}/a?tenant=7")
    query = lab.hear("answer", lab.dial()).query
    assert query.startswith("tenant=7&eventType=answer&callId=c-")
    assert "&from=%2B19195550142&" in query


@pytest.mark.parametrize(
    ("does", "heard", "problems"),
    [
        ("delay", ["/a incomingcall", "/a answer", "/a hangup"], []),
        ("overtake", ["/a incomingcall", "/a hangup", "/a answer"], []),
        ("repeat", ["/a incomingcall", "/a answer", "/a hangup", "/a answer"], []),
        ("lose", ["/a incomingcall", "/a hangup"], ["lost", "lost"]),
        ("lose-first", ["/a incomingcall", "/f answer", "/a hangup"], ["lost"]),
        (
            "lose-answer",
            ["/a incomingcall", "/a answer", "/f answer", "/a hangup"],
            ["answer lost"],
        ),
    ],
)
def test_a_fault_on_the_way_of_an_event(
    lab: Lab, does: str, heard: list[str], problems: list[str]
) -> None:
    lab.application(incomingCallFallbackUrl=f"{lab.ear.url}/f")
    lab.emulator.fault(does, on={"event": "answer"}, seconds=0.3)
    began = time.monotonic()
    call = lab.emulator.dial(CALLER, BUSINESS)
    lab.emulator.hang_up(call)
    lab.until(lambda: len(lab.of(call)) == len(heard))
    assert time.monotonic() - began > (0.25 if does in {"delay", "overtake", "repeat"} else 0)
    assert [f"{each.path} {each.event['eventType']}" for each in lab.of(call)] == heard
    assert [row["problem"] for row in lab.emulator.problems()] == problems
    assert {row.get("fault") for row in lab.emulator.log("callback")} == {None, does}


def test_a_call_that_was_given_up_hears_nothing_of_what_was_held_back(lab: Lab) -> None:
    lab.post(f"phoneNumbers/{BUSINESS.replace('+', '%2B')}", {"fallbackNumber": ANN})
    lab.emulator.fault("overtake", on={"event": "answer"}, seconds=0.2)
    lab.emulator.fault("lose", on={"event": "incomingcall"})
    call = lab.emulator.dial(CALLER, BUSINESS)
    lab.until(lambda: lab.leg(call)["talksTo"])
    time.sleep(0.3)
    assert lab.story(call) == []
    (rescue,) = (row for row in lab.emulator.log("leg") if row.get("rescue"))
    assert lab.emulator.log("joined")[0]["with"] == rescue["callId"]
    lab.emulator.hang_up(call)
    assert [(row["callId"], row["by"]) for row in lab.emulator.log("ended")] == [
        (call, "person"),
        (rescue["callId"], "platform"),
    ]


def test_a_bridge_joins(lab: Lab) -> None:
    a, b = lab.dial(), lab.post("calls", {"from": BUSINESS, "to": ANN})
    lab.post("bridges", {"callIds": [a, b]})
    lab.until(lambda: lab.emulator.log("joined"))
    (joined,) = lab.emulator.log("joined")
    assert {joined["callId"], joined["with"]} == {a, b}
