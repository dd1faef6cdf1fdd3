"""Every payload of the platform that is kept as a fixture is read or built as it stands."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from catapult import errors, wire
from catapult.events import Event, parse_post, parse_query
from catapult.transfer import Audio, Transfer
from catapult.values import read_time

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parents[1] / "fixtures"
HERE = FIXTURES / "catapult-v1"
INDEX = json.loads((HERE / "index.json").read_text("utf-8"))
IDS = INDEX["ids"]
SAMPLES = json.loads((FIXTURES / "transfer-examples.json").read_text("utf-8"))
A_LEG, B_LEG = IDS["aLeg"], IDS["bLeg"]
CALLBACK = "https://router.example.test/hooks/leg/7f3a"
TAG = '{"routeId":"r-17","attempt":2}'


def of_kind(kind: str) -> list[Any]:
    rows = [row for row in INDEX["fixtures"] if row["kind"] == kind]
    assert rows, kind
    return [pytest.param(row, id=row["file"]) for row in rows]


def load(file: str) -> Any:
    return json.loads((HERE / file).read_text("utf-8"))


def test_every_fixture_is_of_a_kind_that_is_tested() -> None:
    kinds = {row["kind"] for row in INDEX["fixtures"]}
    assert kinds == {"callback-post", "callback-get-query", "request", "resource", "error"}
    listed = {row["file"] for row in INDEX["fixtures"]} | {"index.json"}
    assert listed == {path.name for path in HERE.iterdir()}


def check_plain_keys(event: Event, body: dict[str, Any]) -> None:
    assert event.type == body["eventType"].lower()
    assert event.call_id == body.get("callId", "")
    assert event.call_state == body.get("callState")
    assert event.cause == body.get("cause")
    assert event.status == body.get("status", body.get("state"))
    assert event.tag == body.get("tag")
    assert event.digits == body.get("digits", body.get("dtmfDigit"))
    assert event.application_id == body.get("applicationId")
    assert (event.diversion is None) == ("diversion" not in body)
    assert (event.time is None) == ("time" not in body)
    assert event.body == body
    json.dumps(event.body, allow_nan=False)


@pytest.mark.parametrize("row", of_kind("callback-post"))
def test_posted_event(row: dict[str, Any]) -> None:
    event = parse_post((HERE / row["file"]).read_bytes())
    body = load(row["file"])
    check_plain_keys(event, body)
    assert event.from_ == body.get("from")
    assert event.to == body.get("to")
    assert event.number_withheld == (str(body.get("withholdCallerNumber")).lower() == "true")


@pytest.mark.parametrize("row", of_kind("callback-get-query"))
def test_event_in_a_query(row: dict[str, Any]) -> None:
    query = (HERE / row["file"]).read_bytes().strip()
    event = parse_query(query)
    check_plain_keys(event, dict(event.body))
    assert event == parse_query(query.decode())
    assert event.from_ in {None, "+19195550142", "+19195550100"}
    assert event.to in {None, "+19195550100", "+19195550111"}
    if event.diversion is not None:
        assert event.diversion.orig_to == "+19195550177"
        assert event.diversion.counter == 1


@pytest.mark.parametrize(
    ("file", "limit"),
    [
        ("get-incomingcall-diversion.txt", 5),
        ("get-incomingcall-diversion-as-printed.txt", None),
    ],
)
def test_diversion_of_a_query(file: str, limit: int | None) -> None:
    diversion = parse_query((HERE / file).read_bytes().strip()).diversion
    assert diversion is not None
    assert (diversion.screen, diversion.privacy, diversion.limit) == ("no", "off", limit)


def test_diversion_in_every_spelling_at_once() -> None:
    event = parse_post((HERE / "event-incomingcall-diversion-quirks.json").read_bytes())
    assert event.diversion is not None
    assert event.diversion.orig_to == "+19195550177"
    assert (event.diversion.counter, event.diversion.limit) == (1, 1)
    assert event.diversion.extra == {"x-vendor": "edge7"}
    assert not event.number_withheld


def test_the_hour_only_offset_is_understood() -> None:
    event = parse_post((HERE / "event-reject.json").read_bytes())
    assert event.time == datetime(2019, 3, 14, 14, 53, 43, tzinfo=UTC)


BUILT: dict[str, wire.Request] = {
    "request-call-create-in-bridge.json": wire.create_call(
        "+19195550100",
        "+19195550111",
        call_timeout=20,
        callback_url=CALLBACK,
        bridge_id=IDS["bridge"],
    ),
    "request-call-answer.json": wire.answer(A_LEG),
    "request-call-reject.json": wire.reject(A_LEG),
    "request-call-hangup.json": wire.hang_up(B_LEG),
    "request-transfer-full.json": wire.transfer(
        A_LEG,
        Transfer(
            "+19195550111",
            transfer_caller_id="+19195550142",
            callback_url=CALLBACK,
            recording_enabled=True,
            recording_file_format="mp3",
            whisper_audio=Audio(
                sentence="A customer is on the line.",
                gender="female",
                locale="en_US",
                voice="susan",
            ),
            diversion_treatment="stack",
            diversion_reason="follow-me",
        ).body(),
    ),
    "request-transfer-sip.json": wire.transfer(
        A_LEG,
        Transfer(
            "sip:agent_mobile@example-corp.bwapp.bwsip.io",
            transfer_caller_id="private",
            callback_url=CALLBACK,
        ).body(),
    ),
    "request-audio-speak.json": wire.speak(
        A_LEG,
        Audio(
            sentence="Please hold while we find someone.",
            gender="female",
            locale="en_US",
            voice="julie",
        ),
        tag="greeting",
    ),
    "request-audio-stop.json": wire.stop_audio(A_LEG),
    "request-bridge-create.json": wire.create_bridge([A_LEG, IDS["outboundCall"]]),
    "request-bridge-empty.json": wire.update_bridge(IDS["bridge"], []),
}
# Requests with parameters that the router does not use: what it does send is part of them.
BUILT_IN_PART: dict[str, wire.Request] = {
    "request-call-create.json": wire.create_call(
        "+19195550100", "+19195550111", call_timeout=20, callback_url=CALLBACK, tag=TAG
    ),
    "request-audio-ringing-loop.json": wire.speak(
        A_LEG, Audio(file_url="https://media.example.test/ring.mp3"), loop=True, tag="ringing"
    ),
}
# Requests that the router never makes.
NOT_BUILT = {
    "request-call-recording-on-string.json",
    "request-call-recording-on-boolean.json",
    "request-call-redirect-callbacks.json",
    "request-call-update-nulls.json",
    "request-application-create.json",
    "request-phonenumber-assign.json",
}


@pytest.mark.parametrize("row", of_kind("request"))
def test_request_is_built(row: dict[str, Any]) -> None:
    file = row["file"]
    assert file in BUILT or file in BUILT_IN_PART or file in NOT_BUILT
    request = BUILT.get(file) or BUILT_IN_PART.get(file)
    if request is None:
        return
    template = row["path"].removeprefix("/v1/users/{userId}")
    assert request.method == row["method"]
    assert request.label.split()[1] == template
    assert request.path.count("/") == template.count("/")
    assert request.body is not None
    if file in BUILT:
        assert request.body == load(file)
    else:
        assert request.body.items() <= load(file).items()


@pytest.mark.parametrize("sample", SAMPLES["examples"], ids=lambda sample: sample["id"])
@pytest.mark.parametrize("variant", ["body", "bodySdkVariant"])
def test_the_transfer_samples_come_out_key_for_key(sample: dict[str, Any], variant: str) -> None:
    if variant not in sample:
        return
    body = sample[variant]
    order = Transfer(
        transfer_to=body["transferTo"],
        transfer_caller_id=body.get("transferCallerId"),
        whisper_audio=Audio(**body["whisperAudio"]) if "whisperAudio" in body else None,
        diversion_treatment=body.get("diversionTreatment"),
        diversion_reason=body.get("diversionReason"),
    )
    assert order.body() == body


ERRORS = {
    "400-bridge-call-elsewhere": errors.RefusedError,
    "400-call-timeout-limit": errors.RefusedError,
    "400-callback-url": errors.RefusedError,
    "400-caller-id": errors.RefusedError,
    "400-diversion-reason": errors.RefusedError,
    "400-invalid-phone-number": errors.RefusedError,
    "400-malformed-json": errors.RefusedError,
    "400-missing-from": errors.RefusedError,
    "400-missing-transfer-to": errors.RefusedError,
    "400-recording-file-format": errors.RefusedError,
    "401-bad-credentials": errors.AccountError,
    "401-number-access-denied": errors.AccountError,
    "401-user-access-denied": errors.AccountError,
    "403-application-access-denied": errors.AccountError,
    "403-audio-invalid-state": errors.RefusedError,
    "403-bridge-full": errors.RefusedError,
    "403-call-id-not-found": errors.RefusedError,
    "403-call-invalid-state": errors.CallNotActiveError,
    "403-call-invalid-state-final": errors.CallNotActiveError,
    "403-call-rate-limit": errors.TryAgainError,
    "403-insufficient-balance": errors.AccountError,
    "403-invalid-call-to-number": errors.RefusedError,
    "403-invalid-destination": errors.RefusedError,
    "404-application-not-found": errors.RefusedError,
    "404-bridge-not-found": errors.RefusedError,
    "404-call-not-found": errors.CallNotActiveError,
    "404-number-not-found": errors.RefusedError,
    "404-resource-not-found": errors.RefusedError,
    "404-user-not-found": errors.AccountError,
    "409-call-update-conflict": errors.TryAgainError,
    "409-recording-conflict": errors.RefusedError,
    "429-rate-limit": errors.TryAgainError,
    "500-backend": errors.UnknownOutcomeError,
    "503-call-creation-failure": errors.RefusedError,
    "503-call-transfer-error": errors.RefusedError,
    "503-call-unavailable": errors.TryAgainError,
    "503-gateway-unavailable": errors.UnknownOutcomeError,
}


@pytest.mark.parametrize("row", of_kind("error"))
def test_error_is_of_its_class(row: dict[str, Any]) -> None:
    body = load(row["file"])
    with pytest.raises(errors.CatapultError) as caught:
        wire.read_response(row["status"], row["headers"], (HERE / row["file"]).read_bytes())
    error = caught.value
    assert type(error) is ERRORS[row["file"].removeprefix("error-").removesuffix(".json")]
    assert (error.status, error.category, error.code) == (
        row["status"],
        body["category"],
        body["code"],
    )
    assert error.message == body.get("message", "")
    assert str(error) == f"{row['status']} {body['code']}"


def check_call(data: dict[str, Any]) -> None:
    call = wire.read_call(data)
    assert (call.id, call.state, call.direction) == (data["id"], data["state"], data["direction"])
    assert (call.from_, call.to) == (data["from"], data["to"])
    assert call.callback_url == data.get("callbackUrl")
    assert call.start_time is not None
    assert call.was_answered == ("activeTime" in data)
    assert (call.end_time is not None) == ("endTime" in data) == call.is_over
    assert call.is_active == (data["state"] == "active")


@pytest.mark.parametrize("row", of_kind("resource"))
def test_resource_is_read(row: dict[str, Any]) -> None:
    data = wire.read_response(200, {}, (HERE / row["file"]).read_bytes())
    assert data == load(row["file"])
    if "call-event" in row["file"]:
        rows = data if isinstance(data, list) else [data]
        assert all(read_time(event["time"]) is not None for event in rows)
    elif row["file"] == "resource-call-list.json":
        assert [call.id for call in wire.read_calls(data)] == [B_LEG, A_LEG]
    elif row["file"].startswith("resource-call-"):
        check_call(data)


@pytest.mark.parametrize("read", [wire.read_call, wire.read_calls])
def test_what_is_no_call_is_told(read: Callable[[object], object]) -> None:
    wrong: tuple[object, ...] = (None, "call", 1, {}, {"id": 7}, [None], [{}])
    for data in wrong:
        with pytest.raises(errors.UnknownOutcomeError):
            read(data)
