"""The controls beside the API: dialling, destinations, faults, the log, reset, the command line."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from flask import Flask

from commands.emulator import emulator_command
from tests.emulator_helpers import ANN, BOB, BUSINESS, CALLER, Lab, code_of

if TYPE_CHECKING:
    from collections.abc import Iterator

TRANSFER = {"state": "transferring", "transferTo": ANN}
BROKEN = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        lab.emulator.destination(ANN, after=0.02)
        yield lab


# People


def test_a_person_dials_and_hangs_up(lab: Lab) -> None:
    response = lab.control("POST", "calls", {"from": CALLER, "to": BUSINESS})
    call = response.json()["callId"]
    lab.hear("answer", call)
    assert lab.control("POST", f"calls/{call}/hangup").json() == {}
    lab.hear("hangup(NORMAL_CLEARING)", call)


def test_a_person_declines_a_ringing_leg(lab: Lab) -> None:
    lab.emulator.destination(ANN, "no-answer")
    b = lab.transfer(lab.dial())
    lab.control("POST", f"calls/{b}/hangup")
    lab.hear("hangup(CALL_REJECTED)", b)


def test_a_person_presses_keys(lab: Lab) -> None:
    call = lab.dial()
    lab.control("POST", f"calls/{call}/digits", {"digits": "4"})
    assert lab.hear("dtmf", call).event["dtmfDigit"] == "4"


def test_dialled_numbers_come_into_being(lab: Lab) -> None:
    lab.dial(BOB)
    assert [row["number"] for row in lab.get("phoneNumbers")] == [BOB]


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("calls", {"from": "nobody", "to": BUSINESS}, "from"),
        ("calls", {"from": CALLER, "to": "12"}, "to"),
        ("calls", {"from": CALLER, "to": BUSINESS, "diversion": "x"}, "diversion"),
        ("calls", [], "object"),
        ("calls/c-none/hangup", {}, "c-none"),
        ("destinations", {"number": ANN, "does": "dance"}, "busy"),
        ("destinations", {"number": ANN, "does": "busy", "after": -1}, "after"),
        ("destinations", {"number": "12"}, "number"),
        ("destinations", {"number": ANN, "cause": "lower case"}, "cause"),
        ("faults", {"does": "explode"}, "lose-answer"),
        ("faults", {"does": "drop", "on": {"colour": "red"}}, "path"),
        ("faults", {"does": "drop", "on": {"event": "answer"}}, "overtake"),
        ("faults", {"does": "drop", "chance": 2}, "0 to 1"),
        ("faults", {"does": "drop", "times": "often"}, "times"),
        ("faults", {"does": "status", "status": 99}, "status"),
        ("faults", {"does": "hang", "seconds": "long"}, "seconds"),
        ("faults", {"does": "status", "headers": "X"}, "headers"),
    ],
)
def test_controls_say_what_is_wrong(lab: Lab, path: str, body: Any, word: str) -> None:
    response = lab.control("POST", path, body)
    assert response.status_code == 400
    assert word in response.json()["error"]


def test_unknown_control_says_what_exists(lab: Lab) -> None:
    response = lab.control("POST", "telephone")
    assert response.status_code == 404
    assert "POST destinations" in response.json()["error"]


def test_who_talks_to_whom(lab: Lab) -> None:
    a, b = lab.joined()
    lab.emulator.destination(BOB, "no-answer")
    other = lab.dial(BOB)
    ringing = lab.transfer(other, BOB)
    legs = {leg["callId"]: leg for leg in lab.control("GET", "calls").json()}
    assert (legs[a]["talksTo"], legs[b]["talksTo"], legs[b]["parent"]) == ([b], [a], a)
    assert legs[other]["reaching"] == ringing
    assert [leg for leg in legs if legs[leg]["ringing"]] == [ringing]


def test_default_destination_answers_after_200_ms_and_talks(lab: Lab) -> None:
    began = time.monotonic()
    b = lab.transfer(lab.dial(), BOB)
    lab.hear("answer", b)
    assert 0.2 <= time.monotonic() - began < 1.5
    assert lab.state(b) == "active"


def test_number_of_an_application_that_takes_no_calls(lab: Lab) -> None:
    texts = {"name": "texts", "incomingMessageUrl": "https://router.example.test/texts"}
    app = lab.post("applications", texts)
    lab.post("phoneNumbers", {"number": BOB, "applicationId": app})
    refused = lab.control("POST", "calls", {"from": CALLER, "to": BOB})
    assert refused.status_code == 400
    assert lab.get("errors")[0]["code"] == "no-callback-for-call"


# Faults


def test_status_fault_for_a_state_and_a_number_of_times(lab: Lab) -> None:
    a = lab.dial()
    lab.control(
        "POST",
        "faults",
        {
            "on": {"method": "POST", "state": "transferring"},
            "does": "status",
            "status": 503,
            "times": 2,
        },
    )
    assert lab.api("POST", f"calls/{a}", {"tag": "x"}).status_code == 200
    statuses = [lab.api("POST", f"calls/{a}", TRANSFER).status_code for _ in range(3)]
    assert statuses == [503, 503, 201]
    assert len(lab.emulator.calls()) == 2


def test_status_fault_with_everything_said(lab: Lab) -> None:
    lab.emulator.fault(
        "status",
        on={"path": "/bridges", "method": "GET"},
        status=429,
        code="rate-limit-reached",
        headers={"X-RateLimit-Reset": "1"},
    )
    assert lab.api("GET", "calls").status_code == 200
    response = lab.api("GET", "bridges")
    assert code_of(response) == (429, "rate-limit-reached")
    assert response.headers["X-RateLimit-Reset"] == "1"
    assert "message" not in response.json()


@pytest.mark.parametrize("body", ["not JSON", {"code": "odd"}])
def test_status_fault_with_its_own_body(lab: Lab, body: Any) -> None:
    lab.emulator.fault("status", status=500, body=body)
    response = lab.api("GET", "calls")
    assert response.status_code == 500
    assert (response.text if isinstance(body, str) else response.json()) == body


def test_garbage(lab: Lab) -> None:
    lab.emulator.fault("garbage")
    response = lab.api("GET", "calls")
    assert response.status_code == 502
    assert response.headers["Content-Type"] == "text/html"
    assert response.text.startswith("<html>")


def test_drop_does_not_execute(lab: Lab) -> None:
    a = lab.dial()
    lab.emulator.fault("drop")
    with pytest.raises(BROKEN):
        lab.api("POST", f"calls/{a}", TRANSFER)
    assert len(lab.emulator.calls()) == 1
    assert lab.emulator.log("request")[-1]["dropped"]


def test_lose_answer_executes(lab: Lab) -> None:
    a = lab.dial()
    lab.emulator.fault("lose-answer")
    with pytest.raises(BROKEN):
        lab.api("POST", f"calls/{a}", TRANSFER)
    assert len(lab.emulator.calls()) == 2
    assert lab.api("POST", f"calls/{a}", {"tag": "x"}).status_code == 200


def test_hang_keeps_the_client_waiting_and_executes_nothing(lab: Lab) -> None:
    a = lab.dial()
    lab.emulator.fault("hang", seconds=0.3)
    began = time.monotonic()
    with pytest.raises(BROKEN):
        lab.api("POST", f"calls/{a}", TRANSFER)
    assert time.monotonic() - began >= 0.3
    assert len(lab.emulator.calls()) == 1


def test_faults_for_ever_until_they_are_cleared(lab: Lab) -> None:
    lab.emulator.fault("status", times=None)
    assert {lab.api("GET", "calls").status_code for _ in range(5)} == {503}
    lab.control("DELETE", "faults")
    assert lab.api("GET", "calls").status_code == 200


def test_a_connection_that_is_broken_off(lab: Lab) -> None:
    lab.emulator.fault("reset")
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        lab.api("GET", "calls")


@pytest.mark.parametrize("path", ["calls", "calls/{}"])
def test_a_body_that_takes_its_time(lab: Lab, path: str) -> None:
    call_id = lab.dial()
    lab.emulator.fault("slow", seconds=0.3)
    method, body = ("GET", None) if path == "calls" else ("POST", TRANSFER)
    with lab.api(method, path.format(call_id), body, stream=True) as response:
        began = time.monotonic()
        assert response.content
        assert time.monotonic() - began >= 0.2
    assert len(lab.emulator.calls()) == (2 if body else 1)


def test_chance_is_the_same_for_the_same_caller_and_seed(lab: Lab) -> None:
    def struck(seed: int, caller: str) -> list[int]:
        lab.emulator.reset()
        lab.emulator.switch(seed=seed)
        lab.emulator.fault("status", chance=0.3, times=None)
        call_id = lab.emulator.dial(caller, BUSINESS)
        return [lab.api("GET", f"calls/{call_id}").status_code for _ in range(60)]

    first = struck(1, CALLER)
    assert 5 < first.count(503) < 35
    assert struck(1, CALLER) == first
    assert struck(2, CALLER) != first
    assert struck(1, BOB) != first


def test_chances_add_up(lab: Lab) -> None:
    for status in (500, 502):
        lab.emulator.fault("status", status=status, chance=0.5, times=None)
    statuses = [lab.api("GET", "calls").status_code for _ in range(40)]
    assert set(statuses) == {500, 502}


# The log


def test_log_tells_everything_in_order(lab: Lab) -> None:
    a = lab.dial()
    b = lab.transfer(a, diversionTreatment="stack", diversionReason="away")
    lab.hear("answer", b)
    lab.until(lambda: all("took" in row for row in lab.emulator.log("callback")))
    log = lab.control("GET", "log").json()
    assert [row["n"] for row in log] == list(range(len(log)))
    assert [row["time"] for row in log] == sorted(row["time"] for row in log)
    happened = [row["kind"] for row in log if row["kind"] in {"answered", "joined"}]
    assert happened == ["answered", "answered", "joined"]
    log = [row for row in log if row["kind"] not in set(happened)]
    assert [row.get("event") or row["kind"] for row in log] == [
        "leg",
        "incomingcall",
        "answer",
        "request",
        "leg",
        "answer",
    ]
    incoming, request, second = log[1], log[3], log[4]
    assert (incoming["url"], incoming["method"], incoming["status"], incoming["leg"]) == (
        f"{lab.ear.url}/a",
        "POST",
        200,
        a,
    )
    assert request["body"]["transferTo"] == ANN
    assert (request["status"], request["headers"]["Location"].endswith(b)) == (201, True)
    assert (second["parent"], second["from"], second["to"]) == (a, CALLER, ANN)
    assert second["diversion"] == [{"origTo": BUSINESS, "reason": "away", "counter": 1}]
    since = lab.control("GET", "log?since=4&kind=leg").json()
    assert [row["callId"] for row in since] == [b]


def test_problems(lab: Lab) -> None:
    lab.dial()
    assert lab.control("GET", "problems").json() == []
    lab.ear.replies["/a"] = 418
    lab.emulator.dial(CALLER, BUSINESS)
    lab.until(lambda: lab.control("GET", "problems").json())
    (first, *_) = lab.control("GET", "problems").json()
    assert (first["status"], first["problem"]) == (418, "answered 418")


def test_reset(lab: Lab) -> None:
    lab.emulator.switch(location="absolute")
    lab.emulator.fault("status", times=None)
    lab.dial()
    assert lab.control("POST", "reset").json() == {}
    assert lab.control("GET", "log").json() == []
    assert lab.get("calls") == []
    assert lab.control("GET", "switches").json()["location"]["value"] == "relative"
    lab.dial()


# The command line


def serve(*command: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    return process, line.strip().rpartition(" ")[2]


def test_it_runs_alone_with_its_options() -> None:
    process, url = serve(
        sys.executable,
        "-m",
        "emulator",
        *("--port", "0", "--callback-url", "http://us:pw@127.0.0.1:9/a"),
        *("--user-id", "u-1", "--token", "t", "--secret", "s", "--number", ANN),
        *("--switch", "location=absolute", "--callback-method", "get", "--no-auto-answer"),
    )
    try:
        auth = ("t", "s")
        (app,) = requests.get(f"{url}/users/u-1/applications", auth=auth, timeout=5).json()
        assert (app["callbackHttpMethod"], app["autoAnswer"]) == ("get", False)
        assert app["incomingCallUrl"] == "http://***:***@127.0.0.1:9/a"
        (number,) = requests.get(f"{url}/users/u-1/phoneNumbers", auth=auth, timeout=5).json()
        assert number["number"] == ANN
        made = requests.post(f"{url}/users/u-1/bridges", json={}, auth=auth, timeout=5)
        assert made.headers["Location"].startswith(url)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_flask_command_refuses_an_unknown_switch() -> None:
    app = Flask(__name__)
    app.cli.add_command(emulator_command)
    runner = app.test_cli_runner()
    result = runner.invoke(
        args=["emulator", "--callback-url", "http://127.0.0.1:9", "--switch", "colour=red"]
    )
    assert result.exit_code == 2
    assert "transfer_failure" in result.output


def test_flask_command_is_a_plain_command_called_emulator() -> None:
    app = Flask(__name__)
    app.cli.add_command(emulator_command)
    result = app.test_cli_runner().invoke(args=["emulator", "--help"])
    assert result.exit_code == 0
    options = ("--port", "--callback-url", "--user-id", "--token", "--secret", "--host")
    for option in (*options, "--number", "--callback-method", "--no-auto-answer", "--switch"):
        assert option in result.output


# Pages in a browser

FOREIGN = {
    "an origin": {"Origin": "https://evil.example.org"},
    "an origin on this machine": {"Origin": "http://127.0.0.1:1"},
    "an origin without a name": {"Origin": "null"},
    "a form": {"Content-Type": "text/plain"},
    "a form with a character set": {"Content-Type": "Text/Plain; charset=UTF-8"},
    "a form with files": {"Content-Type": "multipart/form-data; boundary=x"},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "the same site": {"Sec-Fetch-Site": "same-site"},
    "a name that was made to mean us": {"Host": "evil.example.org:8055"},
    "the same without a port": {"Host": "evil.example.org"},
    "a name that looks like an address": {"Host": "127.0.0.1.example.org:8055"},
    "a name that looks like ours": {"Host": "localhost.example.org"},
    "both of a name": {"Host": "evil.example.org", "Origin": "http://evil.example.org"},
}
NEAR = {
    "nothing": {},
    "what curl sends": {"Content-Type": "application/x-www-form-urlencoded"},
    "a name": {"Host": "localhost:8055"},
    "a name of a network": {"Host": "emulator:8055"},
    "a name of this machine": {"Host": "host.docker.internal:8055"},
    "another address": {"Host": "[::1]:8055"},
    "its own origin": {"Host": "localhost:8055", "Origin": "http://localhost:8055"},
    "a person at a browser": {"Sec-Fetch-Site": "none"},
}
CONTROLS = [
    ("POST", "calls", {"from": CALLER, "to": BUSINESS}),
    ("GET", "log", None),
    ("GET", "calls", None),
    ("POST", "switches", {}),
    ("DELETE", "faults", None),
    ("POST", "reset", {}),
]


@pytest.mark.parametrize("name", FOREIGN)
def test_a_page_in_a_browser_controls_nothing(lab: Lab, name: str) -> None:
    for prefix in ("_control", "%5fcontrol", "%5Fcontrol"):
        for method, path, body in CONTROLS:
            headers = {"Content-Type": "application/json"} | FOREIGN[name]
            url = f"{lab.emulator.origin}/{prefix}/{path}"
            answer = requests.request(method, url, json=body, headers=headers, timeout=5)
            assert answer.status_code in {403, 404}, (method, url)
            assert prefix != "_control" or answer.status_code == 403
    assert lab.emulator.calls() == []


@pytest.mark.parametrize("name", NEAR)
def test_whoever_is_near_does(lab: Lab, name: str) -> None:
    for method, path, body in CONTROLS:
        url = f"{lab.emulator.origin}/_control/{path}"
        answer = requests.request(method, url, json=body, headers=NEAR[name], timeout=5)
        assert answer.status_code == 200, (method, url, answer.text)
