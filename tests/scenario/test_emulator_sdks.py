"""The official SDKs drive the emulator: bandwidth-sdk 3.1.0 (Python), node-bandwidth 4.0.0."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bandwidth
import pytest
from bandwidth.account import BandwidthAccountAPIException
from bandwidth.voice import BandwidthVoiceAPIException

from tests.emulator_helpers import ANN, BOB, BUSINESS, CALLER, Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Drive = Callable[..., Any]

NODE_FOLDER = Path(__file__).parents[1] / "sdk"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(numbers=(BUSINESS,), switches={"audio_s": 5}) as lab:
        lab.emulator.destination(ANN, "no-answer")
        yield lab


def python_client(kind: str, lab: Lab) -> Any:
    origin = lab.emulator.origin
    return bandwidth.client(kind, "u-emulator", "t-emulator", "s-emulator", api_endpoint=origin)


@pytest.fixture
def voice(lab: Lab) -> Any:
    return python_client("voice", lab)


@pytest.fixture
def account(lab: Lab) -> Any:
    return python_client("account", lab)


# Python


def test_python_calls(lab: Lab, voice: Any) -> None:
    call = voice.create_call(BUSINESS, ANN, callback_url=f"{lab.ear.url}/c", tag="t")
    assert voice.get_call(call)["state"] == "started"
    assert [one["id"] for one in voice.list_calls(from_=BUSINESS)] == [call]
    voice.hangup_call(call)
    assert lab.hear("hangup(ORIGINATOR_CANCEL)", call).event["tag"] == "t"


def test_python_transfer(lab: Lab, voice: Any) -> None:
    a = lab.dial()
    b = voice.transfer_call(
        a,
        ANN,
        caller_id="private",
        whisper_audio=voice.build_sentence("A caller", loop_enabled=True),
        callback_url=f"{lab.ear.url}/b",
        diversionTreatment="stack",
        diversionReason="away",
    )
    assert voice.get_call(a)["state"] == "transferring"
    assert lab.trace(b)["from"] == "private"
    assert lab.trace(b)["diversion"][0]["reason"] == "away"


def test_python_audio_recording_and_digits(lab: Lab, voice: Any) -> None:
    call = lab.dial()
    voice.play_audio_to_call(call, sentence="Hello", loop_enabled=True)
    lab.hear("speak(started)", call)
    voice.play_audio_to_call(call, sentence="")
    lab.hear("speak(done)", call)
    voice.play_audio_to_call(call, file_url="https://media.example.test/ring.mp3")
    lab.hear("playback(started)", call)
    voice.toggle_call_recording(call)
    assert voice.get_call(call)["recording_enabled"] is True
    voice.toggle_call_recording(call)
    (recording,) = voice.list_call_recordings(call)
    assert voice.get_recording(recording["id"])["media_name"] == f"{call}-1.wav"
    gather = voice.create_call_gather(call, max_digits=1)
    lab.emulator.press(call, "1")
    assert voice.get_call_gather(call, gather)["digits"] == "1"
    event = next(iter(voice.list_call_events(call)))
    assert voice.get_call_event(call, event["id"])["name"] == "create"


def test_python_answers_and_rejects(lab: Lab, voice: Any) -> None:
    lab.application(autoAnswer=False)
    first, second = lab.emulator.dial(CALLER, BUSINESS), lab.emulator.dial(CALLER, BUSINESS)
    voice.answer_call(first)
    voice.reject_call(second)
    assert voice.get_call(first)["state"] == "active"
    assert voice.get_call(second)["state"] == "rejected"


def test_python_bridges(lab: Lab, voice: Any) -> None:
    calls = [lab.dial(), lab.dial(BOB)]
    bridge = voice.create_bridge(call_ids=calls, bridge_audio=True)
    assert voice.get_bridge(bridge)["state"] == "active"
    assert [one["id"] for one in voice.list_bridge_calls(bridge)] == calls
    voice.play_audio_to_bridge(bridge, sentence="Hello")
    voice.update_bridge(bridge, call_ids=[])
    assert voice.get_bridge(bridge)["state"] == "completed"
    others = [voice.create_bridge() for _ in range(4)]
    assert [one["id"] for one in voice.list_bridges(size=2)] == [*others[::-1], bridge]


def test_python_account(lab: Lab, account: Any) -> None:
    app = account.create_application("python", incoming_call_url=f"{lab.ear.url}/p")
    account.update_application(app, auto_answer=False)
    assert account.get_application(app)["auto_answer"] is False
    number = account.order_phone_number(BOB)
    account.update_phone_number(number, application_id=app)
    assert account.get_phone_number(number)["application_id"] == app
    assert {one["number"] for one in account.list_phone_numbers()} == {BUSINESS, BOB}
    assert lab.hear("incomingcall", lab.emulator.dial(CALLER, BOB)).path == "/p"
    account.delete_application(app)
    with pytest.raises(BandwidthAccountAPIException) as caught:
        account.get_application(app)
    assert (caught.value.status_code, caught.value.code) == (404, "application-not-found")
    row = next(iter(account.list_errors()))
    assert account.get_error(row["id"])["code"] == "application-not-found"


def test_python_errors(lab: Lab, voice: Any) -> None:
    with pytest.raises(BandwidthVoiceAPIException) as caught:
        voice.transfer_call(lab.dial(), None)
    assert (caught.value.status_code, caught.value.code) == (400, "missing-property")


def test_python_trap_a_429_has_no_message(lab: Lab, voice: Any) -> None:
    lab.emulator.switch(rate_limits="documented")
    call = lab.dial()
    voice.get_call(call)
    with pytest.raises(KeyError, match="message"):
        voice.get_call(call)


def test_python_trap_speak_sentence_sends_an_object_as_file(lab: Lab, voice: Any) -> None:
    with pytest.raises(BandwidthVoiceAPIException) as caught:
        voice.speak_sentence_to_call(lab.dial(), "Hello")
    assert caught.value.code == "validation-error"
    assert "fileUrl" in caught.value.message


# Node


@pytest.fixture(scope="session")
def node_sdk() -> Path:
    """The installed SDK; `npm ci` takes it from the lock file, once."""
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed, so the Node SDK cannot run")
    installed = NODE_FOLDER / "node_modules" / ".installed"
    with (NODE_FOLDER / ".lock").open("w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not installed.exists():
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=NODE_FOLDER, check=True, capture_output=True)
            installed.touch()
    return NODE_FOLDER / "drive.js"


@pytest.fixture
def node(lab: Lab, node_sdk: Path) -> Drive:
    def drive(step: str, **given: Any) -> Any:
        command = ["node", str(node_sdk), step, lab.emulator.origin, json.dumps(given)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return drive


def test_the_lock_file_names_no_registry_of_one_machine() -> None:
    lock = json.loads((NODE_FOLDER / "package-lock.json").read_text())
    addresses = {row.get("resolved", "") for row in lock["packages"].values()} - {""}
    assert all(one.startswith("https://registry.npmjs.org/") for one in addresses)
    assert lock["packages"]["node_modules/node-bandwidth"]["version"] == "4.0.0"


def test_node_calls(lab: Lab, node: Drive) -> None:
    a = lab.dial()
    url = f"{lab.ear.url}/b"
    result = node("calls", inbound=a, **{"from": BUSINESS, "to": ANN, "callbackUrl": url})
    assert result["got"]["id"] == result["created"]["id"]
    assert result["got"]["state"] == "started"
    assert [one["id"] for one in result["listed"]] == [result["created"]["id"]]
    assert [one["state"] for one in result["recordings"]] == ["complete"]
    assert result["events"][0]["name"] == result["event"]["name"] == "create"
    b = result["transferred"]["id"]
    assert (result["ringing"]["id"], result["ringing"]["state"]) == (b, "started")
    assert result["ended"]["state"] == "completed"
    lab.hear("hangup(ORIGINATOR_CANCEL)", b)
    assert lab.trace(b)["diversion"] == [{"origTo": BUSINESS, "reason": "away", "counter": 1}]
    lab.hear("hangup", a)
    assert lab.story(a) == [
        "incomingcall",
        "answer",
        *("speak(started)", "speak(done)", "playback(started)", "playback(done)"),
        "recording(complete)",
        "gather(cancelled)",
        "hangup(NORMAL_CLEARING)",
    ]


def test_node_answers_and_rejects(lab: Lab, node: Drive) -> None:
    lab.application(autoAnswer=False)
    first, second = lab.emulator.dial(CALLER, BUSINESS), lab.emulator.dial(CALLER, BUSINESS)
    result = node("manual", first=first, second=second)
    assert (result["first"]["state"], result["second"]["state"]) == ("active", "rejected")


def test_node_bridges(lab: Lab, node: Drive) -> None:
    calls = [lab.dial(), lab.dial(BOB)]
    result = node("bridges", calls=calls)
    assert [one["id"] for one in result["calls"]] == calls
    assert result["got"]["state"] == "active"
    assert result["page"]["hasNextPage"] is True
    assert [one["id"] for one in result["next"]["bridges"]] == [result["created"]["id"]]
    assert result["last"] is False


def test_node_account(lab: Lab, node: Drive) -> None:
    result = node("account", number=BOB, incomingCallUrl=f"{lab.ear.url}/n")
    assert result["got"]["autoAnswer"] is False
    assert result["byNumber"]["applicationId"] == result["created"]["id"]
    assert {one["number"] for one in result["phoneNumbers"]} == {BUSINESS, BOB}
    assert [one["name"] for one in result["applications"]] == ["emulator"]


def test_node_errors(node: Drive) -> None:
    result = node("refused")
    assert (result["missing"]["name"], result["missing"]["statusCode"]) == (
        "UnexpectedResponseError",
        404,
    )
    assert result["errors"][0]["code"] == result["error"]["code"] == "call-not-found"


def test_node_rate_limit(lab: Lab, node: Drive) -> None:
    lab.emulator.switch(rate_limits="documented")
    result = node("limited")
    assert (result["name"], result["statusCode"]) == ("RateLimitError", 429)
    assert len(result["limitReset"]) == 13


def test_node_trap_transfer_needs_a_location(lab: Lab, node: Drive) -> None:
    a = lab.dial()
    lab.emulator.fault("status", status=201, body="", on={"state": "transferring"})
    assert node("locationless", call=a, to=ANN)["name"] == "TypeError"
