"""Calls from beginning to end: the rows of the state tables and the documented sequences."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator_helpers import ANN, BOB, BUSINESS, CALLER, DIVERSION, Lab, code_of

if TYPE_CHECKING:
    from collections.abc import Iterator

INVALID_STATE = (403, "call-invalid-state")
TRANSFER = {"state": "transferring", "transferTo": ANN}


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(numbers=(BUSINESS,), switches={"audio_s": 0.05}) as lab:
        lab.emulator.destination(ANN, after=0.05)
        lab.emulator.destination(BOB, "no-answer")
        yield lab
        assert lab.emulator.problems() == []


def manual(lab: Lab) -> str:
    """A call that waits for the router to answer it."""
    lab.application(autoAnswer=False)
    call = lab.emulator.dial(CALLER, BUSINESS)
    lab.hear("incomingcall", call)
    return call


# The inbound leg


def test_auto_answer(lab: Lab) -> None:
    call = lab.dial()
    assert lab.story(call) == ["incomingcall", "answer"]
    assert lab.state(call) == "active"


def test_manual_answer(lab: Lab) -> None:
    call = manual(lab)
    assert lab.state(call) == "started"
    assert lab.api("POST", f"calls/{call}", {"state": "active"}).status_code == 200
    lab.hear("answer", call)
    assert lab.state(call) == "active"
    assert code_of(lab.api("POST", f"calls/{call}", {"state": "active"})) == INVALID_STATE
    assert code_of(lab.api("POST", f"calls/{call}", {"state": "rejected"})) == INVALID_STATE


def test_reject(lab: Lab) -> None:
    call = manual(lab)
    lab.post(f"calls/{call}", {"state": "rejected"})
    lab.hear("hangup(CALL_REJECTED)", call)
    assert lab.state(call) == "rejected"


def test_caller_gives_up_before_the_answer(lab: Lab) -> None:
    call = manual(lab)
    lab.emulator.hang_up(call)
    lab.hear("hangup(ORIGINATOR_CANCEL)", call)
    assert lab.state(call) == "completed"


def test_nobody_answers_an_inbound_call(lab: Lab) -> None:
    lab.emulator.switch(unanswered_s=0.1)
    call = manual(lab)
    lab.hear("hangup(NO_ANSWER)", call)
    assert lab.state(call) == "completed"


@pytest.mark.parametrize("who", ["router", "caller"])
def test_either_side_ends_an_active_call(lab: Lab, who: str) -> None:
    call = lab.dial()
    if who == "router":
        lab.post(f"calls/{call}", {"state": "completed"})
    else:
        lab.emulator.hang_up(call)
    lab.hear("hangup(NORMAL_CLEARING)", call)
    assert lab.state(call) == "completed"


def test_transfer_before_the_answer(lab: Lab) -> None:
    call = manual(lab)
    assert code_of(lab.api("POST", f"calls/{call}", TRANSFER)) == INVALID_STATE
    assert lab.state(call) == "started"


@pytest.mark.parametrize(
    "body",
    [TRANSFER, {"state": "active"}, {"state": "completed"}, {"state": "rejected"}, {"tag": "x"}],
    ids=lambda body: body.get("state", "tag"),
)
def test_nothing_changes_a_call_that_is_over(lab: Lab, body: dict[str, Any]) -> None:
    call = lab.dial()
    lab.post(f"calls/{call}", {"state": "completed"})
    assert code_of(lab.api("POST", f"calls/{call}", body)) == INVALID_STATE


# Transfers


def test_transfer_answered_and_hung_up_by_the_destination(lab: Lab) -> None:
    lab.emulator.destination(ANN, after=0.05, talk=0.1)
    a = lab.dial()
    response = lab.api("POST", f"calls/{a}", TRANSFER | {"callbackUrl": f"{lab.ear.url}/b"})
    assert (response.status_code, response.content) == (201, b"")
    b = response.headers["Location"].rpartition("/")[2]
    assert b.startswith("c-")
    assert b != a
    assert (lab.state(a), lab.state(b)) == ("transferring", "started")
    lab.until(lambda: lab.leg(a)["talksTo"] == [b] and lab.leg(b)["talksTo"] == [a])
    lab.hear("hangup(NORMAL_CLEARING)", a)
    lab.hear("hangup(NORMAL_CLEARING)", b)
    assert lab.story(a) == ["incomingcall", "answer", "hangup(NORMAL_CLEARING)"]
    assert lab.story(b) == ["answer", "hangup(NORMAL_CLEARING)"]
    assert {heard.path for heard in lab.of(a)} == {"/a"}
    assert {heard.path for heard in lab.of(b)} == {"/b"}
    assert (lab.state(a), lab.state(b)) == ("completed", "completed")


def test_joined_legs_are_active(lab: Lab) -> None:
    a, b = lab.joined()
    assert (lab.state(a), lab.state(b)) == ("active", "active")


@pytest.mark.parametrize("side", ["a", "b"])
@pytest.mark.parametrize("who", ["router", "person"])
def test_either_side_ends_a_joined_call(lab: Lab, side: str, who: str) -> None:
    a, b = lab.joined()
    leg = {"a": a, "b": b}[side]
    if who == "router":
        lab.post(f"calls/{leg}", {"state": "completed"})
    else:
        lab.emulator.hang_up(leg)
    lab.hear("hangup(NORMAL_CLEARING)", a)
    lab.hear("hangup(NORMAL_CLEARING)", b)


@pytest.mark.parametrize(
    ("does", "cause", "state"),
    [
        ("busy", "USER_BUSY", "completed"),
        ("reject", "CALL_REJECTED", "rejected"),
        ("unallocated", "UNALLOCATED_NUMBER", "completed"),
    ],
)
def test_destination_is_not_reached(lab: Lab, does: str, cause: str, state: str) -> None:
    lab.emulator.destination(ANN, does, after=0.02)
    a = lab.dial()
    b = lab.transfer(a)
    lab.hear(f"hangup({cause})", b)
    assert lab.state(b) == state
    assert lab.state(a) == "active"
    assert lab.story(a) == ["incomingcall", "answer"]


def test_any_other_cause(lab: Lab) -> None:
    lab.control("POST", "destinations", {"number": ANN, "does": {"cause": "SWITCH_CONGESTION"}})
    lab.hear("hangup(SWITCH_CONGESTION)", lab.transfer(lab.dial()))


def test_ring_limit_of_the_platform(lab: Lab) -> None:
    lab.emulator.switch(transfer_ring_s=0.1)
    b = lab.transfer(lab.dial(), BOB)
    lab.hear("hangup(NO_ANSWER)", b)
    assert lab.story(b) == ["timeout", "hangup(NO_ANSWER)"]
    assert "callState" not in lab.of(b)[0].event


def test_leg_that_ends_in_silence(lab: Lab) -> None:
    lab.emulator.destination(ANN, "silent", after=0.02)
    a = lab.dial()
    b = lab.transfer(a)
    lab.until(lambda: lab.state(b) == "error")
    assert lab.state(a) == "active"
    assert lab.story(b) == []


def test_second_transfer_while_the_first_rings(lab: Lab) -> None:
    a = lab.dial()
    b = lab.transfer(a, BOB)
    assert code_of(lab.api("POST", f"calls/{a}", TRANSFER)) == INVALID_STATE
    assert (lab.state(a), lab.state(b)) == ("transferring", "started")


@pytest.mark.parametrize("who", ["router", "caller"])
def test_caller_leaves_while_the_destination_rings(lab: Lab, who: str) -> None:
    a = lab.dial()
    b = lab.transfer(a, BOB)
    if who == "router":
        lab.post(f"calls/{a}", {"state": "completed"})
    else:
        lab.emulator.hang_up(a)
    lab.hear("hangup(NORMAL_CLEARING)", a)
    lab.hear("hangup(ORIGINATOR_CANCEL)", b)


def test_ring_timer_of_the_router_then_the_next_destination(lab: Lab) -> None:
    a = lab.dial()
    first = lab.transfer(a, BOB)
    lab.post(f"calls/{first}", {"state": "completed"})
    lab.hear("hangup(ORIGINATOR_CANCEL)", first)
    second = lab.transfer(a, ANN)
    lab.until(lambda: lab.leg(a)["talksTo"] == [second])
    assert lab.story(a) == ["incomingcall", "answer"]


def test_whisper_comes_between_the_answer_and_the_join(lab: Lab) -> None:
    lab.emulator.switch(audio_s=0.2)
    a = lab.dial()
    whisper = {"sentence": "A caller", "fileUrl": "https://media.example.test/gong.wav"}
    b = lab.transfer(a, whisperAudio=whisper | {"loopEnabled": True})
    lab.hear("playback(started)", b)
    assert lab.state(a) == "transferring"
    assert lab.leg(b)["talksTo"] == []
    lab.until(lambda: lab.leg(b)["talksTo"] == [a])
    lab.hear("speak(done)", b)
    assert lab.story(b) == [
        "answer",
        "playback(started)",
        "playback(done)",
        "speak(started)",
        "speak(done)",
    ]


def test_destination_hangs_up_during_the_whisper(lab: Lab) -> None:
    lab.emulator.switch(audio_s=5)
    a = lab.dial()
    b = lab.transfer(a, whisperAudio={"sentence": "A caller"})
    lab.hear("speak(started)", b)
    lab.emulator.hang_up(b)
    lab.hear("hangup(NORMAL_CLEARING)", b)
    assert lab.state(a) == "active"
    assert lab.leg(a)["talksTo"] == []


def test_second_leg_answers_before_the_transfer_is(lab: Lab) -> None:
    """The race: the answer of the transfer is still on its way when B's events arrive."""
    lab.emulator.destination(ANN, after=0)
    a = lab.dial()
    lab.emulator.fault("lose-answer", on={"state": "transferring"}, seconds=0.3)
    started = time.monotonic()
    with pytest.raises(OSError, match=r"aborted|closed|reset"):
        lab.transfer(a)
    finished = time.monotonic()
    answer = next(heard for heard in lab.ear.heard if heard.path == "/b")
    assert started < answer.time < finished


def test_transfer_has_no_ring_limit_tag_or_fallback_of_its_own(lab: Lab) -> None:
    ignored = {"callTimeout": 1, "tag": "t", "fallbackUrl": f"{lab.ear.url}/f"}
    b = lab.transfer(lab.dial(), **ignored)
    assert "tag" not in lab.hear("answer", b).event
    assert "fallbackUrl" not in lab.get(f"calls/{b}")


@pytest.mark.parametrize("key", ["transferTo", "transferCallerId", "whisperAudio"])
def test_transfer_keys_mean_nothing_without_the_state(lab: Lab, key: str) -> None:
    call = lab.dial()
    assert lab.post(f"calls/{call}", {key: {"sentence": "x"}}) == ""
    assert len(lab.emulator.calls()) == 1


# What the destination sees


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [(None, CALLER), ("private", "private"), (CALLER, CALLER), (BUSINESS, BUSINESS)],
)
def test_caller_id(lab: Lab, wanted: str | None, seen: str) -> None:
    b = lab.transfer(lab.dial(), transferCallerId=wanted)
    assert lab.hear("answer", b).event["from"] == seen
    assert lab.trace(b)["from"] == seen
    assert lab.get(f"calls/{b}")["from"] == seen


def test_the_second_leg_has_no_caller_of_its_own_to_show(lab: Lab) -> None:
    _, b = lab.joined()
    refused = lab.api("POST", f"calls/{b}", TRANSFER | {"transferCallerId": CALLER})
    assert code_of(refused) == (400, "validation-error")


STACKED = {"origTo": BUSINESS, "reason": "follow-me", "counter": 2}


@pytest.mark.parametrize(
    ("treatment", "inbound", "seen"),
    [
        (None, DIVERSION, []),
        ("none", DIVERSION, []),
        ("propagate", DIVERSION, [DIVERSION]),
        ("propagate", None, []),
        ("stack", DIVERSION, [DIVERSION, STACKED]),
        ("stack", None, [STACKED | {"counter": 1}]),
    ],
)
def test_diversion(lab: Lab, treatment: str | None, inbound: Any, seen: Any) -> None:
    a = lab.dial(diversion=inbound)
    b = lab.transfer(a, diversionTreatment=treatment, diversionReason="follow-me")
    assert lab.trace(b)["diversion"] == seen
    assert len(lab.trace(b)["diversionHeader"]) == len(seen)


def test_diversion_header_text(lab: Lab) -> None:
    b = lab.transfer(lab.dial(), diversionTreatment="stack")
    assert lab.trace(b)["diversionHeader"] == [f"<sip:{BUSINESS}>;reason=unknown;counter=1"]


def test_a_bad_diversion_reason_matters_only_when_stacking(lab: Lab) -> None:
    a = lab.dial()
    bad = TRANSFER | {"diversionReason": "boredom"}
    refused = lab.api("POST", f"calls/{a}", bad | {"diversionTreatment": "stack"})
    assert code_of(refused) == (400, "validation-error")
    assert lab.api("POST", f"calls/{a}", bad).status_code == 201


# Outbound calls and bridges


def created(lab: Lab, to: str = ANN, **more: Any) -> str:
    body = {"from": BUSINESS, "to": to, "callbackUrl": f"{lab.ear.url}/c", "tag": "a-leg"}
    return lab.post("calls", body | more)


def test_created_call_is_answered_and_ends(lab: Lab) -> None:
    call = created(lab)
    assert lab.hear("answer", call).event["tag"] == "a-leg"
    lab.post(f"calls/{call}", {"state": "completed"})
    assert lab.hear("hangup(NORMAL_CLEARING)", call).event["tag"] == "a-leg"


def test_created_call_rings_for_its_own_time(lab: Lab) -> None:
    began = time.monotonic()
    call = created(lab, BOB, callTimeout="1")
    lab.hear("hangup(NO_ANSWER)", call)
    assert 1 <= time.monotonic() - began < 3
    assert lab.story(call) == ["timeout", "hangup(NO_ANSWER)"]
    assert lab.get(f"calls/{call}")["callTimeout"] == 1


def test_created_call_without_a_url_tells_nobody(lab: Lab) -> None:
    call = created(lab, callbackUrl=None)
    lab.until(lambda: lab.state(call) == "active")
    assert lab.story(call) == []


def test_events_move_to_a_new_url(lab: Lab) -> None:
    call = lab.dial()
    lab.post(f"calls/{call}", {"callbackUrl": f"{lab.ear.url}/moved", "tag": "now"})
    lab.emulator.hang_up(call)
    hangup = lab.hear("hangup", call)
    assert (hangup.path, hangup.event["tag"]) == ("/moved", "now")


def test_bridge_strategy(lab: Lab) -> None:
    """Answer, ring to the caller, call the destination, join, and end leg by leg."""
    a = lab.dial()
    ring = {"fileUrl": "https://media.example.test/ring.mp3", "loopEnabled": True, "tag": "ring"}
    lab.post(f"calls/{a}/audio", ring)
    lab.hear("playback(started)", a)
    bridge = lab.post("bridges", {"callIds": [a], "bridgeAudio": False})
    assert lab.get(f"bridges/{bridge}")["state"] == "hold"
    b = created(lab, bridgeId=bridge)
    lab.hear("answer", b)
    assert {row["id"] for row in lab.get(f"bridges/{bridge}/calls")} == {a, b}
    assert lab.leg(a)["talksTo"] == []
    lab.post(f"calls/{a}/audio", {"fileUrl": ""})
    lab.hear("playback(done)", a)
    lab.post(f"bridges/{bridge}", {"callIds": [a, b], "bridgeAudio": "true"})
    assert lab.get(f"bridges/{bridge}")["state"] == "active"
    assert lab.leg(a)["talksTo"] == [b]
    lab.emulator.hang_up(a)
    lab.hear("hangup(NORMAL_CLEARING)", a)
    assert lab.state(b) == "active"
    lab.post(f"calls/{b}", {"state": "completed"})
    lab.hear("hangup(NORMAL_CLEARING)", b)
    assert lab.get(f"bridges/{bridge}")["state"] == "completed"


def test_call_that_is_not_answered_never_joins_its_bridge(lab: Lab) -> None:
    lab.emulator.destination(ANN, "busy", after=0.02)
    a = lab.dial()
    bridge = lab.post("bridges", {"callIds": [a]})
    call = created(lab, bridgeId=bridge)
    lab.hear("hangup(USER_BUSY)", call)
    assert [row["id"] for row in lab.get(f"bridges/{bridge}/calls")] == [a]
    assert lab.get(f"bridges/{bridge}")["state"] == "created"
    assert lab.get(f"calls/{call}")["bridgeId"] == bridge


def test_a_full_bridge_takes_no_third_call(lab: Lab) -> None:
    bridge = lab.post("bridges", {"callIds": [lab.dial(), lab.dial(BOB)]})
    call = created(lab, bridgeId=bridge)
    lab.hear("answer", call)
    assert len(lab.get(f"bridges/{bridge}/calls")) == 2
    assert lab.leg(call)["talksTo"] == []


def test_emptied_bridge_is_completed_and_its_calls_go_on(lab: Lab) -> None:
    a, b = lab.dial(), lab.dial(BOB)
    bridge = lab.post("bridges", {"callIds": [a, b]})
    assert lab.leg(a)["talksTo"] == [b]
    lab.post(f"bridges/{bridge}", {"callIds": []})
    assert lab.get(f"bridges/{bridge}")["state"] == "completed"
    assert (lab.state(a), lab.state(b)) == ("active", "active")
    refused = lab.api("POST", f"bridges/{bridge}", {"callIds": [a]})
    assert code_of(refused) == (400, "bridge-invalid-state")


# Audio, digits, recordings


def test_audio_of_a_call_that_rings(lab: Lab) -> None:
    refused = lab.api("POST", f"calls/{manual(lab)}/audio", {"sentence": "Hello"})
    assert code_of(refused) == INVALID_STATE


def test_a_new_sentence_stops_the_old_one(lab: Lab) -> None:
    call = lab.dial()
    lab.post(f"calls/{call}/audio", {"sentence": "One", "loopEnabled": True, "tag": "1"})
    lab.post(f"calls/{call}/audio", {"sentence": "Two", "loopEnabled": True, "tag": "2"})
    lab.post(f"calls/{call}/audio", {"sentence": ""})
    lab.until(lambda: lab.story(call).count("speak(done)") == 2)
    tags = [(one.event["status"], one.event["tag"]) for one in lab.of(call)[2:]]
    assert tags == [("started", "1"), ("done", "1"), ("started", "2"), ("done", "2")]


@pytest.mark.parametrize(
    ("body", "keys", "reason", "digits"),
    [
        ({"maxDigits": 2}, "12", "max-digits", "12"),
        ({}, "7#", "terminating-digit", "7"),
        ({"terminatingDigits": "*"}, "#*", "terminating-digit", "#"),
        ({"interDigitTimeout": "0.05"}, "3", "inter-digit-timeout", "3"),
    ],
)
def test_gather(lab: Lab, body: dict[str, Any], keys: str, reason: str, digits: str) -> None:
    call = lab.dial()
    gather = lab.post(f"calls/{call}/gather", body)
    lab.emulator.press(call, keys)
    event = lab.hear("gather", call).event
    assert (event["gatherId"], event["reason"], event["digits"]) == (gather, reason, digits)
    assert [one.event["dtmfDigit"] for one in lab.of(call) if "dtmfDigit" in one.event] == [*keys]


def test_only_one_gather_at_a_time_and_the_router_may_end_it(lab: Lab) -> None:
    call = lab.dial()
    gather = lab.post(f"calls/{call}/gather", {"prompt": {"sentence": "Press a key"}})
    lab.hear("speak(started)", call)
    duplicate = lab.api("POST", f"calls/{call}/gather", {})
    assert code_of(duplicate) == (409, "call-duplicate-gather-error")
    lab.post(f"calls/{call}/gather/{gather}", {"state": "completed"})
    assert lab.get(f"calls/{call}/gather/{gather}")["state"] == "completed"


def test_tones(lab: Lab) -> None:
    call = lab.dial()
    assert lab.post(f"calls/{call}/dtmf", {"dtmfOut": "1w,W#*D"}) == ""
    for wrong in ("", "x", "1" * 93):
        refused = lab.api("POST", f"calls/{call}/dtmf", {"dtmfOut": wrong})
        assert refused.status_code == 400


def test_several_recordings_in_one_call(lab: Lab) -> None:
    call = lab.dial()
    for flag in ("true", False, True, "false"):
        lab.post(f"calls/{call}", {"recordingEnabled": flag})
        assert lab.get(f"calls/{call}")["recordingEnabled"] == (flag in {True, "true"})
    names = [row["media"].rpartition("/")[2] for row in lab.get(f"calls/{call}/recordings")]
    assert names == [f"{call}-1.wav", f"{call}-2.wav"]
    lab.until(lambda: lab.story(call).count("recording(complete)") == 2)


def test_recording_in_a_transfer_is_of_the_addressed_call(lab: Lab) -> None:
    a = lab.dial()
    b = lab.transfer(a, recordingEnabled="true", recordingFileFormat="MP3")
    assert len(lab.get(f"calls/{a}/recordings")) == 1
    assert lab.get(f"calls/{b}/recordings") == []
    lab.emulator.hang_up(a)
    assert lab.hear("recording", a).event["status"] == "complete"


def test_recording_needs_an_answered_call(lab: Lab) -> None:
    refused = lab.api("POST", f"calls/{manual(lab)}", {"recordingEnabled": True})
    assert code_of(refused) == INVALID_STATE


def test_recording_ends_at_its_cap(lab: Lab) -> None:
    call = lab.dial()
    lab.post(f"calls/{call}", {"recordingEnabled": True, "recordingMaxDuration": 1})
    assert lab.hear("recording(complete)", call).event["callId"] == call
    too_long = lab.api("POST", f"calls/{call}", {"recordingMaxDuration": 3601})
    assert code_of(too_long) == (403, "maximum-recording-value-request")
