"""Whoever has the callback credentials can fill neither memory nor disk, nor spend our requests."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callflow.sqlite import SqliteLedger
from catapult.events import MAX_KEPT, MAX_TEXT, parse_post, parse_query
from tests.hostile.test_bodies import memory
from tests.scenario.rules import PLAIN, REFUSES, RULES, TELLS
from tests.service import Service, event, iso, new_call_id, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = "x" * 60_000
texts = st.text(st.characters(), max_size=30) | st.sampled_from(
    [LONG, "\u2603" * 9000, "\ud800" * 900]
)
values = st.recursive(
    texts
    | st.integers()
    | st.just(9**3000)
    | st.none()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=10,
)


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
@given(st.dictionaries(texts, values, max_size=8))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_what_is_kept_of_an_event_is_short(body: dict[str, Any]) -> None:
    body = {**body, "eventType": "answer", "callId": "c-1"}
    raw = json.dumps(body).encode()
    read = parse_post(raw)
    kept = json.loads(read.raw)
    assert kept == read.body
    assert len(read.raw) <= MAX_KEPT
    assert all(len(each) <= MAX_TEXT for each in texts_in(kept))
    assert kept["eventType"] == "answer"
    assert kept["callId"] == "c-1"
    for text in (read.from_, read.to, read.cause, read.tag, read.status, read.digits):
        assert text is None or len(text) <= MAX_TEXT + len("sip:")
    if len(raw) <= MAX_TEXT:
        assert (read.raw, read.body) == (raw, body)


def test_what_tells_most_is_kept_first() -> None:
    junk = {f"key {number}": "x" * 100 for number in range(200)}
    body = {**junk, "deep": [[["y" * 100] * 50] * 9], **event("hangup", "c-1", PLAIN, cause="BUSY")}
    read = parse_post(json.dumps(body).encode())
    assert {"eventType", "callId", "from", "to", "time", "cause"} <= set(read.body)
    assert "deep" not in read.body
    assert MAX_KEPT - 200 < len(read.raw) <= MAX_KEPT


def test_the_host_of_a_long_caller_stays() -> None:
    body = event("answer", "c-1", PLAIN, **{"from": f"sip:{LONG[:900]}@spam.example.org"})
    read = parse_post(json.dumps(body).encode())
    assert read.from_ is not None
    assert read.from_.startswith("sip:xxx")
    assert read.from_.endswith("xxx@spam.example.org")
    assert len(read.from_) == MAX_TEXT


def test_blanks_are_not_kept() -> None:
    body = json.dumps({"eventType": "dtmf", "callId": "c-1"})
    assert len(parse_post((body + " " * 60_000).encode()).raw) <= len(body)
    assert len(parse_query("eventType=dtmf&callId=c-1&x=" + "+" * 60_000).raw) < 2 * MAX_TEXT


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(RULES, stub=True, WEB_CONCURRENCY="1") as service:
        yield service


def ledger_size(service: Service) -> int:
    """Bytes of the ledger, without SQLite's log, which is used again and again."""
    with contextlib.closing(sqlite3.connect(service.ledger_path)) as db:
        ((pages,),) = db.execute("PRAGMA page_count").fetchall()
        ((size,),) = db.execute("PRAGMA page_size").fetchall()
    return int(pages * size)


def large(call_id: str, kind: str, number: int) -> dict[str, Any]:
    """An event of almost 64 KiB, unlike all others."""
    long = f"{number} {LONG[:15_000]}"
    body = event(kind, call_id, PLAIN, tag=long, displayName=long, **{"from": f"sip:{long}@x"})
    return body | ({"cause": long} if kind == "hangup" else {f"{long}": 1})


@pytest.mark.xdist_group("large events")
@pytest.mark.parametrize("one_call", [True, False])
def test_600_large_events_leave_little_behind(service: Service, one_call: bool) -> None:
    for number in range(60):
        service.post(large(new_call_id(), "answer", number))
    size, lines = memory(service), len(service.out)
    before = ledger_size(service)
    call_id = new_call_id()
    for number in range(600):
        kind = ("incomingcall", "answer", "hangup")[number % 3]
        each = call_id if one_call else f"{call_id}-{number}"
        assert service.post(large(each, kind, number)).status_code in {200, 503}
    assert memory(service) < size + 6 * 1024
    assert sum(map(len, service.out[lines:])) < 2_000_000
    assert ledger_size(service) - before < 600 * 4 * MAX_KEPT
    ledger = SqliteLedger(str(service.ledger_path))
    try:
        journal = [entry.data for entry in ledger.journal(call_id)]
        assert all(len(each) <= MAX_TEXT for each in texts_in(journal))
        assert len(json.dumps(journal)) < 600 * 2 * MAX_KEPT
    finally:
        ledger.close()


# Calls that the platform does not know


@pytest.fixture(scope="module")
def beside_the_emulator() -> Iterator[Service]:
    with Service(RULES) as service:
        yield service


@pytest.mark.xdist_group("invented calls")
@pytest.mark.parametrize("to", [PLAIN, REFUSES, TELLS, "+19195550000", "+19195551013"])
@pytest.mark.parametrize("how", [{}, {"callState": None}, {"time": iso(300)}, {"time": None}])
def test_an_invented_call_costs_one_request(
    beside_the_emulator: Service, to: str, how: dict[str, Any]
) -> None:
    service = beside_the_emulator
    assert service.phone is not None
    call_id = new_call_id()

    def asked() -> list[Any]:
        return [
            (row["method"], row["path"], row["status"])
            for row in service.phone.log("request")
            if call_id in f"{row['path']} {row['body']}"
        ]

    assert service.post(event("answer", call_id, to, **how)).status_code == 200
    wait_until(asked)
    for kind in ("answer", "dtmf", "speak", "incomingcall", "answer", "hangup", "answer"):
        assert service.post(event(kind, call_id, to, **how)).status_code == 200
    assert [status for *_, status in asked()] == [404]


def test_an_invented_call_that_is_to_be_answered_costs_one_too() -> None:
    with Service(RULES, AUTO_ANSWER="false") as service:
        assert service.phone is not None
        phone, call_id = service.phone, new_call_id()
        for kind in ("incomingcall", "incomingcall", "answer", "hangup"):
            assert service.post(event(kind, call_id, PLAIN)).status_code == 200
        asked = [row for row in phone.log("request") if call_id in row["path"]]
        assert [row["status"] for row in asked] == [404]
