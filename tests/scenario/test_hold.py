"""The router holds a call until someone has answered, the caller has left, or all is spent."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.service import Service, run, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator import Emulator

ANN, BOB, CAT, LAST = (f"+1919555300{number}" for number in range(1, 5))
CHAIN, GROUP, NIGHT, SINGLE, WHISPERS, MIXED, TAPED = (f"+1919555400{n}" for n in range(1, 8))
RULES = f"""
version: 1
timezone: UTC
transfer: {{diversionTreatment: stack}}
destinations:
  ann: {ANN}
  bob: {BOB}
  cat: {CAT}
  last: {LAST}
  one: {{transferTo: {ANN}, capacity: 1}}
  two: {{transferTo: {BOB}, capacity: 2}}
  told: {{transferTo: {CAT}, whisperAudio: {{sentence: "Call for {{line}}"}}}}
lines:
  chain:
    numbers: {CHAIN}
    rules:
      - name: hunt
        followMe:
          - {{transferTo: ann, ring: 1s}}
          - {{transferTo: bob, ring: 1s}}
        onBusy: {{transferTo: cat, ring: 1s}}
        onNoAnswer: {{transferTo: last, ring: 1s}}
        onRejected: {{announce: {{sentence: "Declined"}}}}
        onFailure: {{transferTo: last, ring: 1s}}
    otherwise: {{transferTo: cat, ring: 1s}}
  group:
    numbers: {GROUP}
    rules:
      - name: all
        transferTo: [ann, bob, cat]
        ring: 2s
        onNoAnswer: {{transferTo: last}}
        onBusy: {{transferTo: last, diversionReason: away}}
    otherwise: {{reject: true}}
  night: {{numbers: {NIGHT}, otherwise: {{transferTo: ann, ring: 1s}}}}
  single:
    numbers: {SINGLE}
    rules: [{{name: one, transferTo: one, onBusy: {{transferTo: two}}}}]
    otherwise: {{transferTo: last}}
  whispers: {{numbers: {WHISPERS}, otherwise: {{transferTo: [ann, told], ring: 3s}}}}
  taped:
    numbers: {TAPED}
    otherwise: {{transferTo: [ann, bob], recordingEnabled: true, recordingFileFormat: mp3}}
  mixed:
    numbers: {MIXED}
    rules:
      - name: hunt
        followMe: [{{transferTo: [ann, bob], ring: 1s}}, {{transferTo: cat, ring: 2s}}]
    otherwise: {{transferTo: last}}
emergency: {{transferTo: last, ring: 1s}}
"""


@pytest.fixture(scope="module")
def _house() -> Iterator[Service]:
    with Service(RULES) as service:
        yield service


@pytest.fixture
def house(_house: Service) -> Service:
    company(_house).reset()
    return _house


def company(service: Service) -> Emulator:
    assert service.phone is not None
    return service.phone


def behave(service: Service, **by_number: Any) -> None:
    """How Ann, Bob, Cat and the last one behave: a word, or (word, more)."""
    numbers = {"ann": ANN, "bob": BOB, "cat": CAT, "last": LAST}
    for name, does in by_number.items():
        word, more = (does, {}) if isinstance(does, str) else does
        company(service).destination(numbers[name], word, **{"after": 0.05, **more})


SILENT = ("no-answer", {"after": 60})


def rung(service: Service, call_id: str) -> list[str]:
    """The destinations that were rung for a call, in order."""
    legs = [row for row in company(service).log("leg") if row.get("to") in {ANN, BOB, CAT, LAST}]
    return [row["to"] for row in legs if call_id]


def talks_to(service: Service, call_id: str) -> str | None:
    """The number that a caller talks to."""
    by_id = {row["callId"]: row for row in company(service).calls()}
    talking = by_id[call_id]["talksTo"]
    assert len(talking) < 2
    return by_id[talking[0]]["to"] if talking else None


def reaches(service: Service, call_id: str, number: str, seconds: float = 10.0) -> None:
    wait_until(lambda: talks_to(service, call_id) == number, seconds)


def is_over(service: Service, call_id: str) -> bool:
    row = next(row for row in company(service).calls() if row["callId"] == call_id)
    return row["state"] in {"completed", "rejected", "error"}


def ringing(service: Service) -> list[str]:
    return [row["to"] for row in company(service).calls() if row["ringing"]]


def open_legs(service: Service) -> list[str]:
    return [
        row["to"]
        for row in company(service).calls()
        if row["direction"] == "out" and row["state"] not in {"completed", "rejected", "error"}
    ]


CHAINS = [
    # ann, bob, cat, last -> who is rung in turn; the last one answers
    ({"ann": "busy"}, [ANN, BOB]),
    ({"ann": "busy", "bob": "busy"}, [ANN, BOB, CAT]),
    ({"ann": "busy", "bob": SILENT}, [ANN, BOB, LAST]),
    ({"ann": "unallocated", "bob": "unallocated"}, [ANN, BOB, LAST]),
    ({"ann": "silent", "bob": "busy"}, [ANN, BOB, CAT]),
    ({"ann": "busy", "bob": "busy", "cat": SILENT}, [ANN, BOB, CAT, LAST]),
    ({"ann": "busy", "bob": "busy", "cat": SILENT, "last": "reject"}, [ANN, BOB, CAT, LAST]),
    ({"ann": ("answer", {"cause": "SWITCH_CONGESTION"}), "bob": "busy"}, [ANN, BOB, CAT]),
]


@pytest.mark.parametrize(("people", "rings"), CHAINS[:6])
def test_each_outcome_leads_on(house: Service, people: dict[str, Any], rings: list[str]) -> None:
    behave(house, **people)
    call_id = house.dial(CHAIN)
    reaches(house, call_id, rings[-1])
    assert rung(house, call_id) == rings
    assert company(house).problems() == []


def test_a_declined_call_hears_the_handler_and_is_hung_up(house: Service) -> None:
    behave(house, ann="busy", bob="reject")
    call_id = house.dial(CHAIN)
    wait_until(lambda: is_over(house, call_id))
    said = [sent.body.get("sentence") for sent in house.api_requests(call_id) if sent.body]
    assert "Declined" in said
    assert rung(house, call_id) == [ANN, BOB]


def test_when_every_option_is_spent_the_caller_hears_so(house: Service) -> None:
    behave(house, ann="busy", bob="busy", cat="busy", last="busy")
    call_id = house.dial(CHAIN)
    wait_until(lambda: is_over(house, call_id))
    # the rule, its handler, otherwise, emergency; then the apology
    assert rung(house, call_id) == [ANN, BOB, CAT, CAT, LAST]
    said = [sent.body.get("sentence") or "" for sent in house.api_requests(call_id) if sent.body]
    assert any("sorry" in sentence for sentence in said)


def test_a_ring_lasts_as_long_as_written(house: Service) -> None:
    behave(house, ann=SILENT)
    call_id = house.dial(NIGHT)
    (transfer,) = wait_until(lambda: house.transfers(call_id))
    hung_up = wait_until(
        lambda: [
            sent
            for sent in house.api_requests()
            if sent.body == {"state": "completed"} and call_id not in sent.path
        ]
    )
    assert 0.9 <= hung_up[0].at - transfer.at <= 1.5
    reaches(house, call_id, LAST)


def test_a_caller_who_leaves_ends_the_chain(house: Service) -> None:
    behave(house, ann=SILENT)
    call_id = house.dial(CHAIN)
    wait_until(lambda: ringing(house) == [ANN])
    company(house).hang_up(call_id)
    wait_until(lambda: open_legs(house) == [])
    time.sleep(1.5)  # Ann's ring would have been over
    assert rung(house, call_id) == [ANN]


def test_nobody_is_dialed_above_the_capacity(house: Service) -> None:
    behave(house, ann=("answer", {"after": 0.3}), bob=("answer", {"after": 0.3}))
    with ThreadPoolExecutor(6) as pool:
        calls = list(pool.map(lambda _: house.dial(SINGLE), range(6)))
    for call_id in calls:
        wait_until(lambda call_id=call_id: talks_to(house, call_id))
    reached = sorted(str(talks_to(house, call_id)) for call_id in calls)
    assert reached == [ANN, BOB, BOB, LAST, LAST, LAST]
    with_ann = next(call_id for call_id in calls if talks_to(house, call_id) == ANN)
    company(house).hang_up(with_ann)
    wait_until(lambda: is_over(house, with_ann))
    house.settled(with_ann)
    wait_until(lambda: ANN not in open_legs(house))
    time.sleep(0.2)
    reaches(house, house.dial(SINGLE), ANN)


def test_the_list_of_calls_says_who_keeps_a_destination_busy() -> None:
    with Service(RULES) as service:
        behave(service, ann=("answer", {"talk": None}), bob=("answer", {"talk": None}))
        calls = []
        for number in (ANN, BOB, BOB):
            calls.append(service.dial(SINGLE))
            reaches(service, calls[-1], number)
            service.settled(next(iter(company(service).calls()[-1:]))["callId"])
        env = {"LEDGER_URL": service.env["LEDGER_URL"], "ROUTING_RULES": str(service.rules_path)}
        shown = wait_until(lambda: _listed_as_busy(env))
        assert shown[-2:] == [
            f"one is busy (1 of 1: {calls[0]})",
            f"two is busy (2 of 2: {', '.join(sorted(calls[1:]))})",
        ]
        for call_id, name in zip(calls, ("one", "two", "two"), strict=True):
            (row,) = (line for line in shown[:-2] if line.endswith(call_id))
            assert f" {name} " in row
        listed = json.loads(run("flask", "calls", "list", "--json", env=env).stdout)
        assert {row["callId"]: row["destinations"] for row in listed} == {
            calls[0]: ["one"],
            calls[1]: ["two"],
            calls[2]: ["two"],
        }
        company(service).hang_up(calls[0])
        wait_until(lambda: not any("one is busy" in line for line in _listed(env)))
        service.write_rules("nonsense")
        assert "busy (" not in "".join(_listed(env))


def _listed(env: dict[str, str]) -> list[str]:
    ended = run("flask", "calls", "list", env=env)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


def _listed_as_busy(env: dict[str, str]) -> list[str]:
    lines = _listed(env)
    return lines if "2 of 2" in lines[-1] and lines[-1].count("c-") == 2 else []


def test_a_group_rings_together_and_the_losers_are_let_go(house: Service) -> None:
    behave(house, ann=("answer", {"after": 0.6}), bob=SILENT, cat=SILENT)
    call_id = house.dial(GROUP)
    wait_until(lambda: sorted(ringing(house)) == [ANN, BOB, CAT])
    reaches(house, call_id, ANN)
    wait_until(lambda: open_legs(house) == [ANN], 1.0)
    company(house).hang_up(call_id)
    wait_until(lambda: open_legs(house) == [], 3.0)


def test_two_that_answer_at_once_end_in_one_conversation(house: Service) -> None:
    behave(house, ann=("answer", {"after": 0.3}), bob=("answer", {"after": 0.3}), cat="busy")
    call_id = house.dial(GROUP)
    wait_until(lambda: talks_to(house, call_id))
    wait_until(lambda: len(open_legs(house)) == 1, 2.0)
    winner = talks_to(house, call_id)
    assert open_legs(house) == [winner]
    leg = next(row for row in company(house).calls() if row["to"] == winner)
    company(house).hang_up(leg["callId"])
    wait_until(lambda: is_over(house, call_id), 3.0)


@pytest.mark.parametrize(
    ("people", "reason"),
    [
        ({"ann": SILENT, "bob": "busy", "cat": "busy"}, "no-answer"),
        ({"ann": "busy", "bob": "busy", "cat": "busy"}, "away"),
    ],
)
def test_a_group_that_does_not_answer(house: Service, people: dict[str, Any], reason: str) -> None:
    behave(house, **people)
    call_id = house.dial(GROUP)
    reaches(house, call_id, LAST)
    assert house.transfers(call_id)[-1].body["diversionReason"] == reason


def test_a_caller_who_leaves_stops_the_whole_group(house: Service) -> None:
    behave(house, ann=SILENT, bob=SILENT, cat=SILENT)
    call_id = house.dial(GROUP)
    wait_until(lambda: len(ringing(house)) == 3)
    company(house).hang_up(call_id)
    wait_until(lambda: open_legs(house) == [], 1.5)


def test_a_group_whispers_before_it_joins(house: Service) -> None:
    behave(house, ann=SILENT, cat=("answer", {"after": 0.2}))
    call_id = house.dial(WHISPERS)
    reaches(house, call_id, CAT)
    said = [sent.body.get("sentence") for sent in house.api_requests() if sent.body]
    assert "Call for whispers" in said


def test_a_group_is_recorded_where_it_should_be(house: Service) -> None:
    behave(house, ann=SILENT, bob=("answer", {"after": 0.2}))
    call_id = house.dial(TAPED)
    reaches(house, call_id, BOB)
    made = [
        sent.body for sent in house.api_requests() if sent.path.endswith("/calls") and sent.body
    ]
    assert sorted(body["to"] for body in made) == [ANN, BOB]
    assert [(body["recordingEnabled"], body["recordingFileFormat"]) for body in made] == [
        (True, "mp3"),
        (True, "mp3"),
    ]


def test_a_group_may_be_a_step(house: Service) -> None:
    behave(house, ann=SILENT, bob="busy")
    call_id = house.dial(MIXED)
    reaches(house, call_id, CAT)
    assert sorted(rung(house, call_id)[:2]) == [ANN, BOB]


READINGS = [
    {"a_state_during": "active"},
    {"bleg_events_without_url": "a_url"},
    {"whisper_events": "off"},
    {"router_cancel_cause": "NORMAL_CLEARING"},
    {"router_cancel_cause": "USER_BUSY"},
    {"shuffle_callbacks": "on", "seed": 1},
    {"shuffle_callbacks": "on", "seed": 2},
    {"location": "absolute"},
    {"transfer_failure": "mixed"},
    {"latency_s": 0.3},
]


@pytest.mark.parametrize("switches", READINGS, ids=str)
def test_every_reading_of_the_platform(house: Service, switches: dict[str, Any]) -> None:
    company(house).switch(**switches)
    behave(house, ann="busy", bob=SILENT, last=("answer", {"after": 0.1}))
    call_id = house.dial(CHAIN)
    reaches(house, call_id, LAST)
    assert rung(house, call_id) == [ANN, BOB, LAST]
    behave(house, ann=SILENT, bob=("answer", {"after": 0.3}), cat=SILENT)
    group = house.dial(GROUP)
    reaches(house, group, BOB)
    wait_until(lambda: sorted(open_legs(house)) == [BOB, LAST], 3.0)
    company(house).hang_up(call_id)
    company(house).hang_up(group)
    wait_until(lambda: open_legs(house) == [], 5.0)


def test_a_platform_that_drops_the_caller_after_a_failed_transfer(house: Service) -> None:
    company(house).switch(transfer_failure="hangup")
    behave(house, ann="busy")
    call_id = house.dial(CHAIN)
    wait_until(lambda: is_over(house, call_id))
    time.sleep(0.5)
    assert rung(house, call_id) == [ANN]
    assert len(house.transfers(call_id)) == 1


FAULTS = [
    {"does": "status", "status": 503, "code": "call-unavailable", "category": "unavailable"},
    {"does": "status", "status": 429, "headers": {}},
    {"does": "status", "status": 409, "code": "call-update-conflict", "category": "conflict"},
    {"does": "status", "status": 500, "code": "backend-failure", "category": "backend"},
    {"does": "drop"},
    {"does": "lose-answer"},
    {"does": "garbage"},
]
ON_CHAIN = [
    {"method": "POST", "state": "transferring"},
    {"method": "POST", "state": "completed"},
    {"method": "GET"},
]
ON_GROUP = [
    {"method": "POST", "path": "/audio"},
    {"method": "POST", "path": "/bridges"},
    {"method": "POST", "state": "completed"},
]


@pytest.mark.parametrize("on", ON_CHAIN, ids=str)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_chain_survives_each_fault_of_each_request(
    house: Service, fault: dict[str, Any], on: dict[str, Any]
) -> None:
    behave(house, ann="busy", bob=SILENT, last=("answer", {"after": 0.1}))
    does, more = fault["does"], {key: fault[key] for key in fault if key != "does"}
    company(house).fault(does, on=on, times=2, **more)
    call_id = house.dial(CHAIN)
    reaches(house, call_id, LAST, 20)
    assert rung(house, call_id) == [ANN, BOB, LAST]
    assert open_legs(house) == [LAST]


@pytest.mark.parametrize("on", ON_GROUP, ids=str)
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_group_survives_each_fault_of_each_request(
    house: Service, fault: dict[str, Any], on: dict[str, Any]
) -> None:
    behave(house, ann=("answer", {"after": 0.8}), bob=SILENT, cat="busy")
    does, more = fault["does"], {key: fault[key] for key in fault if key != "does"}
    company(house).fault(does, on=on, times=1, **more)
    call_id = house.dial(GROUP)
    reaches(house, call_id, ANN, 20)
    wait_until(lambda: open_legs(house) == [ANN], 10.0)
    company(house).hang_up(call_id)
    wait_until(lambda: open_legs(house) == [], 10.0)


@pytest.mark.parametrize("does", ["drop", "lose-answer", "garbage"])
def test_a_group_calls_nobody_twice(house: Service, does: str) -> None:
    behave(house, ann=("answer", {"after": 2}), bob=SILENT, cat=SILENT)
    company(house).fault(does, on={"method": "POST", "path": "/calls"}, times=1)
    call_id = house.dial(GROUP)
    reaches(house, call_id, ANN, 20)
    assert sorted(rung(house, call_id)) == [ANN, BOB, CAT]
    wait_until(lambda: open_legs(house) == [ANN], 10.0)


def test_a_hundred_calls_at_once(house: Service) -> None:
    behave(house, ann="busy", bob=SILENT, last=("answer", {"after": 0.1}))
    with ThreadPoolExecutor(25) as pool:
        calls = list(pool.map(lambda _: house.dial(CHAIN), range(100)))
    wait_until(lambda: all(talks_to(house, each) == LAST for each in calls), 30)
    assert len(open_legs(house)) == 100
    assert len(house.transfers()) == 300


def test_a_service_killed_in_mid_ring_goes_on_after_its_restart() -> None:
    with Service(RULES) as service:
        behave(service, ann=SILENT, bob=SILENT, last=("answer", {"after": 0.1}))
        call_id = service.dial(CHAIN)
        wait_until(lambda: ringing(service) == [ANN])
        kill_all(service)
        time.sleep(0.5)
        service.start()
        reaches(service, call_id, LAST)
        assert rung(service, call_id) == [ANN, BOB, LAST]


def test_a_worker_killed_while_it_transfers_is_replaced_by_another() -> None:
    with Service(RULES, forgiven=("Worker (pid:",)) as service:
        company(service).switch(latency_s=1.5)
        call_id = service.dial(NIGHT)
        wait_until(lambda: service.transfers(call_id))
        kill_workers(service)
        reaches(service, call_id, ANN, 15)
        assert len(service.transfers(call_id)) == 1


def kill_all(service: Service) -> None:
    workers = children(service.process.pid)
    service.process.kill()
    service.process.wait()
    for pid in workers:
        kill(pid)


def kill_workers(service: Service) -> None:
    for pid in children(service.process.pid):
        kill(pid)


def children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def test_the_documented_rate_limits_are_waited_out(house: Service) -> None:
    behave(house, ann="busy", last=("answer", {"after": 0.1}))
    company(house).switch(rate_limits="documented")
    calls = [house.dial(NIGHT) for _ in range(3)]
    for call_id in calls:
        reaches(house, call_id, LAST, 30)
    assert len(house.transfers()) <= 2 * len(calls) + 6
    assert sorted(rung(house, calls[0])) == [ANN] * 3 + [LAST] * 3
