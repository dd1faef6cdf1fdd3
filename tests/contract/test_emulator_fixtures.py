"""The emulator against every fixture of the wire contract: same keys, types, statuses, headers."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from tests.emulator_helpers import (
    ANN,
    BOB,
    BUSINESS,
    CALLER,
    DIVERSION,
    Lab,
    fixture,
    fixture_text,
    fixtures_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests

    Ask = Callable[[Lab], requests.Response]
    Tell = Callable[[Lab], dict[str, Any]]


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(numbers=(BUSINESS,), switches={"audio_s": 0.02}) as lab:
        lab.emulator.destination(ANN, after=0.02)
        yield lab


def shape(value: Any) -> Any:
    """The keys and types of a value, whatever it says."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


# Errors


def fault(code: str, method: str = "POST", path: str = "calls/c-1") -> Ask:
    def ask(lab: Lab) -> requests.Response:
        lab.emulator.fault("status", code=code, ids=FAULT_IDS.get(code))
        return lab.api(method, path, {})

    return ask


FAULT_IDS = {"call-transfer-error": {"callId": "c-1"}}


def update(body: Any, *, auto_answer: bool = True) -> Ask:
    def ask(lab: Lab) -> requests.Response:
        lab.application(autoAnswer=auto_answer)
        return lab.api("POST", f"calls/{lab.emulator.dial(CALLER, BUSINESS)}", body)

    return ask


def transfer(**more: Any) -> Ask:
    return update({"state": "transferring", "transferTo": ANN, **more})


def create(**more: Any) -> Ask:
    return lambda lab: lab.api("POST", "calls", {"from": BUSINESS, "to": ANN, **more})


def malformed(lab: Lab) -> requests.Response:
    headers = {"Content-Type": "application/json"}
    return lab.api("POST", f"calls/{lab.dial()}", data="{", headers=headers)


def elsewhere(lab: Lab) -> requests.Response:
    call = lab.dial()
    lab.post("bridges", {"callIds": [call]})
    return lab.api("POST", f"bridges/{lab.post('bridges')}", {"callIds": [call]})


def overfull(lab: Lab) -> requests.Response:
    ids = [lab.dial(to) for to in (BUSINESS, ANN, BOB)]
    return lab.api("POST", f"bridges/{lab.post('bridges')}", {"callIds": ids})


def bad_credentials(lab: Lab) -> requests.Response:
    return lab.api("GET", "calls/c-1", auth=("t-emulator", "wrong"))


def foreign(status: str) -> Ask:
    def ask(lab: Lab) -> requests.Response:
        lab.emulator.switch(foreign_user=status)
        lab.base = lab.base.replace("u-emulator", "u-other")
        return lab.api("GET", "calls/c-1")

    return ask


def after_the_end(lab: Lab) -> requests.Response:
    call = lab.dial()
    lab.post(f"calls/{call}", {"state": "completed"})
    return lab.api("POST", f"calls/{call}", {"state": "active"})


def too_many_calls(lab: Lab) -> requests.Response:
    lab.emulator.switch(rate_limits="documented")
    for _ in range(10):
        assert create()(lab).status_code == 201
    return create()(lab)


def too_many_requests(lab: Lab) -> requests.Response:
    call = lab.dial()
    lab.emulator.switch(rate_limits="documented")
    assert lab.api("POST", f"calls/{call}", {"tag": "1"}).status_code == 200
    return lab.api("POST", f"calls/{call}", {"tag": "2"})


def to_nobody(lab: Lab) -> requests.Response:
    lab.emulator.switch(bad_destination="sync")
    lab.emulator.destination(BOB, "unallocated")
    return transfer(transferTo=BOB)(lab)


def get(path: str) -> Ask:
    return lambda lab: lab.api("GET", path)


def two_at_once(lab: Lab) -> requests.Response:
    call = lab.dial()
    lab.emulator.switch(update_conflict="on")
    with ThreadPoolExecutor(2) as pool:
        pair = pool.map(lambda tag: lab.api("POST", f"calls/{call}", {"tag": tag}), "12")
    first, second = sorted(pair, key=lambda response: response.status_code)
    assert first.status_code == 200
    return second


def recording_twice(lab: Lab) -> requests.Response:
    call = lab.dial()
    lab.post(f"calls/{call}", {"recordingEnabled": True})
    return lab.api("POST", f"calls/{call}", {"recordingMaxDuration": 90})


def being_set_up(lab: Lab) -> requests.Response:
    lab.emulator.switch(setup_s=60)
    return update({"state": "active"})(lab)


ERRORS: dict[str, Ask] = {
    "error-400-bridge-call-elsewhere.json": elsewhere,
    "error-400-call-timeout-limit.json": create(callTimeout=301),
    "error-400-callback-url.json": transfer(callbackUrl="nowhere"),
    "error-400-caller-id.json": transfer(transferCallerId="+12025550123"),
    "error-400-diversion-reason.json": transfer(diversionTreatment="stack", diversionReason="?"),
    "error-400-invalid-phone-number.json": transfer(transferTo="5550111"),
    "error-400-malformed-json.json": malformed,
    "error-400-missing-from.json": create(**{"from": None}),
    "error-400-missing-transfer-to.json": transfer(transferTo=None, to=ANN),
    "error-400-recording-file-format.json": transfer(recordingFileFormat="ogg"),
    "error-401-bad-credentials.json": bad_credentials,
    "error-401-number-access-denied.json": create(**{"from": "+12025550123"}),
    "error-401-user-access-denied.json": foreign("401"),
    "error-403-application-access-denied.json": fault(
        "application-access-denied", path="applications/a-1"
    ),
    "error-403-audio-invalid-state.json": lambda lab: lab.api(
        "POST", f"calls/{lab.dial()}/audio", {"fileUrl": ""}
    ),
    "error-403-bridge-full.json": overfull,
    "error-403-call-id-not-found.json": lambda lab: lab.api(
        "POST", "bridges", {"callIds": ["c-1"]}
    ),
    "error-403-call-invalid-state-final.json": after_the_end,
    "error-403-call-invalid-state.json": update(
        {"state": "transferring", "transferTo": ANN}, auto_answer=False
    ),
    "error-403-call-rate-limit.json": too_many_calls,
    "error-403-insufficient-balance.json": fault("insufficient-available-balance", path="calls"),
    "error-403-invalid-call-to-number.json": to_nobody,
    "error-403-invalid-destination.json": transfer(transferTo="+442079460123"),
    "error-404-application-not-found.json": get("applications/a-1"),
    "error-404-bridge-not-found.json": get("bridges/brg-1"),
    "error-404-call-not-found.json": get("calls/c-1"),
    "error-404-number-not-found.json": get("phoneNumbers/n-1"),
    "error-404-resource-not-found.json": get("callz"),
    "error-404-user-not-found.json": foreign("404"),
    "error-409-call-update-conflict.json": two_at_once,
    "error-409-recording-conflict.json": recording_twice,
    "error-429-rate-limit.json": too_many_requests,
    "error-500-backend.json": fault("backend-protocol-support-failure"),
    "error-503-call-creation-failure.json": fault("call-creation-failure", path="calls"),
    "error-503-call-transfer-error.json": fault("call-transfer-error"),
    "error-503-call-unavailable.json": being_set_up,
    "error-503-gateway-unavailable.json": fault("gateway-unavailable"),
}


def test_every_error_fixture_is_provoked() -> None:
    assert set(ERRORS) == {row["file"] for row in fixtures_of("error")}


@pytest.mark.parametrize("row", fixtures_of("error"), ids=lambda row: row["file"])
def test_error(lab: Lab, row: dict[str, Any]) -> None:
    response = ERRORS[row["file"]](lab)
    body, expected = response.json(), fixture(row["file"])
    assert response.status_code == row["status"], body
    assert response.headers["Content-Type"] == "application/json"
    assert set(row["headers"]) <= set(response.headers)
    assert (body["category"], body["code"]) == (expected["category"], expected["code"])
    assert shape(body) == shape(expected)
    details = {one["name"]: one["value"] for one in body["details"]}
    wanted = {one["name"]: one["value"] for one in expected["details"]}
    assert set(details) == set(wanted)
    assert details["requestMethod"] == wanted["requestMethod"]
    assert re.sub(r"\b(c|u|brg|a|n)-\w+", "*", details["requestPath"]) == re.sub(
        r"\b(c|u|brg|a|n)-\w+", "*", wanted["requestPath"]
    )


def test_reset_instant_is_epoch_milliseconds_in_header_and_details(lab: Lab) -> None:
    response = too_many_requests(lab)
    reset = response.headers["X-RateLimit-Reset"]
    assert len(reset) == 13
    assert {"name": "rateLimitResetTime", "value": reset} in response.json()["details"]


# Resources


def call_in(state: str) -> Tell:
    def tell(lab: Lab) -> dict[str, Any]:
        lab.application(autoAnswer=state not in {"started", "rejected"})
        call = lab.emulator.dial(CALLER, BUSINESS)
        if state == "rejected":
            lab.post(f"calls/{call}", {"state": "rejected"})
        if state == "transferring":
            lab.emulator.destination(BOB, "no-answer")
            lab.transfer(call, BOB)
        return dict(lab.get(f"calls/{call}"))

    return tell


def second_leg(does: str, state: str, *, events: bool = True, **more: Any) -> Tell:
    def tell(lab: Lab) -> dict[str, Any]:
        lab.emulator.destination(BOB, does, **more)
        leg = lab.transfer(lab.dial(), BOB, **({} if events else {"callbackUrl": None}))
        lab.until(lambda: lab.state(leg) == state)
        return dict(lab.get(f"calls/{leg}"))

    return tell


def call_list(lab: Lab) -> Any:
    lab.emulator.destination(BOB, after=0)
    call = lab.dial()
    lab.post(f"calls/{call}", {"bridgeId": None})
    b = lab.transfer(call, BOB, whisperAudio={"sentence": "Hello", "loopEnabled": True})
    lab.until(lambda: lab.state(b) == "active")
    return lab.get("calls")


def with_sip_headers(lab: Lab) -> Any:
    sip = "sip:agent_mobile@example-corp.bwapp.bwsip.io"
    headers = {"X-Route-Id": "r-17", "X-Tenant": "demo"}
    return lab.get(f"calls/{lab.emulator.dial(sip, BUSINESS, sipHeaders=headers)}")


def call_events(lab: Lab) -> Any:
    call = lab.dial()
    lab.post(f"calls/{call}/audio", {"fileUrl": "https://media.example.test/ring.mp3"})
    lab.hear("playback(done)", call)
    lab.post(f"calls/{call}", {"state": "completed"})
    return lab.get(f"calls/{call}/events")


def one_event(lab: Lab) -> Any:
    call = lab.dial()
    lab.post(f"calls/{call}", {"state": "completed"})
    row = lab.get(f"calls/{call}/events")[-1]
    return lab.get(f"calls/{call}/events/{row['id']}")


def lost_event(lab: Lab) -> Any:
    call = second_leg("silent", "error", after=0)(lab)["id"]
    row = lab.get(f"calls/{call}/events")[-1]
    return lab.get(f"calls/{call}/events/{row['id']}")


def bridge(lab: Lab, *, completed: bool = False) -> Any:
    bridge_id = lab.post("bridges", {"callIds": [lab.dial(), lab.dial(BOB)]})
    if completed:
        lab.post(f"bridges/{bridge_id}", fixture("request-bridge-empty.json"))
    return lab.get(f"bridges/{bridge_id}")


def application(lab: Lab) -> Any:
    created = lab.post("applications", fixture("request-application-create.json"))
    return lab.get(f"applications/{created}")


def phone_number(lab: Lab) -> Any:
    app = lab.get("applications")[0]["id"]
    number = BUSINESS.replace("+", "%2B")
    assigned = fixture("request-phonenumber-assign.json") | {"applicationId": app}
    lab.post(f"phoneNumbers/{number}", assigned | {"name": "main line"})
    return lab.get(f"phoneNumbers/{number}")


def recording(lab: Lab) -> Any:
    call = lab.dial()
    lab.post(f"calls/{call}", fixture("request-call-recording-on-string.json"))
    lab.post(f"calls/{call}", {"recordingEnabled": "false"})
    (row,) = lab.get(f"calls/{call}/recordings")
    assert row["media"].endswith(f"/media/{call}-1.mp3")
    return lab.get(f"recordings/{row['id']}")


def gather(lab: Lab) -> Any:
    call = lab.dial()
    gather_id = lab.post(f"calls/{call}/gather", {"maxDigits": "1"})
    lab.emulator.press(call, "1")
    return lab.get(f"calls/{call}/gather/{gather_id}")


def user_errors(lab: Lab) -> Any:
    number = BOB.replace("+", "%2B")
    lab.post("phoneNumbers", {"number": BOB})
    lab.control("POST", "calls", {"from": CALLER, "to": BOB})
    message_only = {"name": "texts", "incomingMessageUrl": "https://router.example.test/texts"}
    app = lab.post("applications", message_only)
    lab.post(f"phoneNumbers/{number}", {"applicationId": app})
    lab.control("POST", "calls", {"from": CALLER, "to": BOB})
    lab.ear.replies |= {"/a": 500, "/slow": -0.3}
    lab.emulator.dial(CALLER, BUSINESS)
    lab.until(lambda: len(lab.get("errors")) >= 3)
    slow = {"from": BUSINESS, "to": ANN, "callbackUrl": f"{lab.ear.url}/slow"}
    lab.post("calls", slow | {"callbackTimeout": 20})
    lab.until(lambda: "callback-server-timeout" in {row["code"] for row in lab.get("errors")})
    rows = {row["code"]: row for row in lab.get("errors")}
    return [rows[row["code"]] for row in fixture("resource-user-errors.json")]


RESOURCES: dict[str, Callable[[Lab], Any]] = {
    "resource-call-inbound-started.json": call_in("started"),
    "resource-call-inbound-active.json": call_in("active"),
    "resource-call-inbound-transferring.json": call_in("transferring"),
    "resource-call-transferred-leg-started.json": second_leg("no-answer", "started"),
    "resource-call-transferred-leg-active.json": second_leg("answer", "active", after=0),
    "resource-call-completed.json": second_leg("answer", "completed", after=0, talk=0.02),
    "resource-call-unanswered.json": second_leg("no-answer", "completed", after=0),
    "resource-call-rejected.json": call_in("rejected"),
    "resource-call-error.json": second_leg("silent", "error", events=False, after=0),
    "resource-call-list.json": call_list,
    "resource-call-sipheaders.json": with_sip_headers,
    "resource-call-events.json": call_events,
    "resource-call-event.json": one_event,
    "resource-call-event-error.json": lost_event,
    "resource-bridge-active.json": bridge,
    "resource-bridge-completed.json": lambda lab: bridge(lab, completed=True),
    "resource-application.json": application,
    "resource-phonenumber.json": phone_number,
    "resource-recording.json": recording,
    "resource-gather.json": gather,
    "resource-user-errors.json": user_errors,
}


def test_every_resource_fixture_is_produced() -> None:
    assert set(RESOURCES) == {row["file"] for row in fixtures_of("resource")}


@pytest.mark.parametrize("name", sorted(RESOURCES))
def test_resource(lab: Lab, name: str) -> None:
    resource, expected = RESOURCES[name](lab), fixture(name)
    if name == "resource-bridge-active.json":
        assert len(resource.pop("callIds")) == 2  # listed by the page, absent from its sample
    assert shape(resource) == shape(expected)
    for key in ("state", "direction", "name", "numberState", "callbackHttpMethod", "reason"):
        if key in expected and not name.startswith("resource-call-event"):
            assert resource[key] == expected[key]


# Callbacks


def inbound(word: str, **more: Any) -> Tell:
    return lambda lab: (
        lab.hear(word, lab.emulator.dial(**({"from_": CALLER, "to": BUSINESS} | more))).event
    )


def outbound(word: str, does: str = "answer", **more: Any) -> Tell:
    def tell(lab: Lab) -> dict[str, Any]:
        lab.emulator.destination(BOB, does, after=0, **more)
        return lab.hear(word, lab.transfer(lab.dial(), BOB)).event

    return tell


def tagged(word: str, does: str = "answer") -> Tell:
    def tell(lab: Lab) -> dict[str, Any]:
        lab.emulator.destination(ANN, does, after=0)
        body = fixture("request-call-create.json") | {
            "callbackUrl": f"{lab.ear.url}/b",
            "callbackHttpMethod": lab.get("applications")[0]["callbackHttpMethod"],
        }
        return lab.hear(word, lab.post("calls", body)).event

    return tell


def manual(**update: Any) -> Tell:
    def tell(lab: Lab) -> dict[str, Any]:
        lab.application(autoAnswer=False)
        call = lab.emulator.dial(CALLER, BUSINESS)
        event = lab.hear("incomingcall", call).event
        assert lab.state(call) == "started"
        if not update:
            return event
        lab.post(f"calls/{call}", update)
        return lab.hear("hangup", call).event

    return tell


def heard(kind: str, body_file: str, word: str) -> Tell:
    def tell(lab: Lab) -> dict[str, Any]:
        call = lab.dial()
        lab.post(f"calls/{call}/audio", fixture(body_file) | {"loopEnabled": False})
        event = lab.hear(word, call).event
        assert event["eventType"] == kind
        return event

    return tell


def after(word: str, act: Callable[[Lab, str], Any]) -> Tell:
    def tell(lab: Lab) -> dict[str, Any]:
        call = lab.dial()
        act(lab, call)
        return lab.hear(word, call).event

    return tell


def caller_gave_up(lab: Lab) -> dict[str, Any]:
    lab.emulator.destination(BOB, "no-answer")
    call = lab.dial()
    b = lab.transfer(call, BOB)
    lab.emulator.hang_up(call)
    return lab.hear("hangup", b).event


def abroad(lab: Lab) -> dict[str, Any]:
    lab.emulator.switch(bad_destination="async")
    return lab.hear("hangup", lab.transfer(lab.dial(), "+442079460123")).event


def whispered(lab: Lab) -> dict[str, Any]:
    b = lab.transfer(lab.dial(), whisperAudio={"sentence": "A customer is on the line."})
    return lab.hear("speak(done)", b).event


def record_briefly(lab: Lab, call: str) -> None:
    lab.post(f"calls/{call}", {"recordingEnabled": True})
    lab.post(f"calls/{call}", {"recordingEnabled": False})


def gather_one(lab: Lab, call: str) -> None:
    lab.post(f"calls/{call}/gather", {"maxDigits": 1, "tag": "screen"})
    lab.emulator.press(call, "1")


def gather_and_hang_up(lab: Lab, call: str) -> None:
    lab.post(f"calls/{call}/gather", {"tag": "screen"})
    lab.emulator.hang_up(call)


EVENTS: dict[str, Tell] = {
    "event-incomingcall.json": inbound("incomingcall"),
    "event-incomingcall-manual-answer.json": manual(),
    "event-incomingcall-diversion.json": inbound("incomingcall", diversion=DIVERSION),
    "event-incomingcall-diversion-private.json": inbound(
        "incomingcall",
        diversion=DIVERSION | {"origTo": "Anonymous", "privacy": "full", "reason": "unconditional"},
    ),
    "event-incomingcall-sip.json": inbound(
        "incomingcall", from_="sip:agent_mobile@example-corp.bwapp.bwsip.io"
    ),
    "event-incomingcall-withheld.json": inbound("incomingcall", withheld=True),
    "event-answer-inbound.json": inbound("answer"),
    "event-answer-inbound-diversion.json": inbound("answer", diversion=DIVERSION),
    "event-answer-transferred-leg.json": outbound("answer"),
    "event-answer-outbound-tag.json": tagged("answer"),
    "event-hangup-normal-clearing.json": after(
        "hangup", lambda lab, call: lab.emulator.hang_up(call)
    ),
    "event-hangup-originator-cancel.json": caller_gave_up,
    "event-hangup-user-busy.json": outbound("hangup", "busy"),
    "event-hangup-call-rejected.json": outbound("hangup", "reject"),
    "event-hangup-unallocated-number.json": outbound("hangup", "unallocated"),
    "event-hangup-no-answer.json": outbound("hangup", "no-answer"),
    "event-hangup-normal-temporary-failure.json": abroad,
    "event-hangup-other.json": outbound("hangup", cause="SWITCH_CONGESTION"),
    "event-hangup-tag.json": tagged("hangup", "no-answer"),
    "event-reject.json": manual(state="rejected"),
    "event-timeout.json": outbound("timeout", "no-answer"),
    "event-timeout-tag.json": tagged("timeout", "no-answer"),
    "event-speak-started.json": heard("speak", "request-audio-speak.json", "speak(started)"),
    "event-speak-done.json": heard("speak", "request-audio-speak.json", "speak(done)"),
    "event-playback-started.json": heard(
        "playback", "request-audio-ringing-loop.json", "playback(started)"
    ),
    "event-playback-done.json": heard(
        "playback", "request-audio-ringing-loop.json", "playback(done)"
    ),
    "event-whisper-speak-done.json": whispered,
    "event-dtmf.json": after("dtmf", lambda lab, call: lab.emulator.press(call, "5")),
    "event-gather.json": after("gather", gather_one),
    "event-gather-hung-up.json": after("gather", gather_and_hang_up),
    "event-recording-complete.json": after("recording", record_briefly),
}
NOT_SENT = {
    "event-incomingcall-minimal.json": "the documented keys only; we send what captures show",
    "event-incomingcall-diversion-quirks.json": "spellings from several pages in one payload",
    "event-hangup-documented-keys-only.json": "the documented keys only",
    "event-recording-error.json": "recordings do not fail here",
    "event-transcription-completed.json": "nothing is transcribed",
    "event-transfercomplete.json": "BXML only",
    "event-redirect.json": "BXML only",
}
OPTIONAL = {"displayName", "withholdCallerName", "withholdCallerNumber"}


def test_every_callback_fixture_is_sent_or_says_why_not() -> None:
    assert set(EVENTS) | set(NOT_SENT) == {row["file"] for row in fixtures_of("callback-post")}


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_callback(lab: Lab, name: str) -> None:
    event, expected = EVENTS[name](lab), fixture(name)
    if not OPTIONAL & set(expected):
        event = {key: value for key, value in event.items() if key not in OPTIONAL}
    assert shape(event) == shape(expected)
    for key in ("eventType", "callState", "cause", "status", "state", "reason", "diversion"):
        assert event.get(key) == expected.get(key)


def test_callback_headers(lab: Lab) -> None:
    call = lab.dial()
    headers, expected = lab.hear("answer", call).headers, fixture("index.json")["callbackHeaders"]
    assert headers["Content-Type"] == expected["Content-Type"]
    assert headers["User-Agent"].startswith("BandwidthAPI/v1")


GET_EVENTS: dict[str, Tell] = {
    "get-incomingcall.txt": inbound("incomingcall"),
    "get-incomingcall-diversion.txt": inbound("incomingcall", diversion=DIVERSION),
    "get-answer.txt": inbound("answer"),
    "get-answer-diversion.txt": inbound("answer", diversion=DIVERSION),
    "get-answer-tag.txt": tagged("answer"),
    "get-hangup.txt": after("hangup", lambda lab, call: lab.emulator.hang_up(call)),
    "get-timeout.txt": outbound("timeout", "no-answer"),
    "get-recording.txt": after("recording", record_briefly),
}
GET_NOT_SENT = {
    "get-incomingcall-diversion-as-printed.txt",  # a switch, tested below
    "get-timeout-raw-plus.txt",  # one page's own way of printing
    "get-gather.txt",  # BXML's gather, with terminatingDigit
    "get-transfercomplete.txt",  # BXML only
    "get-redirect.txt",  # BXML only
}


def test_every_query_fixture_is_sent_or_says_why_not() -> None:
    assert set(GET_EVENTS) | GET_NOT_SENT == {
        row["file"] for row in fixtures_of("callback-get-query")
    }


@pytest.mark.parametrize("name", sorted(GET_EVENTS))
def test_callback_as_query(lab: Lab, name: str) -> None:
    lab.application(callbackHttpMethod="GET")
    event, expected = GET_EVENTS[name](lab), dict(parse_qsl(fixture_text(name).strip()))
    spare = OPTIONAL | {"state"}  # optional, or absent from the recording sample only
    assert set(expected) <= set(event) <= set(expected) | spare
    if "diversion" in expected:
        assert json.loads(event["diversion"]) == json.loads(expected["diversion"])
        query = next(one.query for one in lab.ear.heard if one.event == event)
        assert "&diversion=%7B%22origTo%22%3A%22%2B1" in query
    for flag in OPTIONAL & set(expected) - {"displayName"}:
        assert event[flag] == "false"


def test_diversion_as_printed(lab: Lab) -> None:
    lab.application(callbackHttpMethod="GET")
    lab.emulator.switch(diversion_get="as_printed")
    printed = fixture_text("get-incomingcall-diversion-as-printed.txt").strip()
    keys = ("privacy", "screen", "reason", "counter", "origTo")
    diversion = {key: DIVERSION[key] for key in keys} | {"reason": "unavailable", "limit": 5}
    call = lab.emulator.dial(CALLER, BUSINESS, diversion=diversion)
    query = lab.hear("incomingcall", call).query
    assert query.partition("&diversion=")[2] == printed.partition("&diversion=")[2]
