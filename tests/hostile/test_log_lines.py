"""Nothing that comes in can forge a line of the log, or show a number in it."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from logs import JsonFormatter
from tests.scenario.rules import PLAIN, RULES
from tests.service import CALLBACKS, LEGS, Service, event, new_call_id, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

FORGED = '{"time": "x", "level": "CRITICAL", "message": "forged"}'
NUMBERS = ["+12125550142", "12125550142", "%2B12125550142", "(212) 555-0142", "+1 212 555 0142"]
PAYLOADS = [
    f"x\n{FORGED}\n",
    f"x\r\n{FORGED}",
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "\x00\x08\x7f\x85\x9b31m\u2028\u2029\u202e",
    '", "message": "forged", "x": "',
    "\\",
    "\ud800",
    *NUMBERS,
]
PLACES = ("from", "to", "cause", "tag", "callState", "time", "applicationId", "eventType")


@pytest.fixture(scope="module")
def talkative() -> Iterator[Service]:
    """At DEBUG, with failures of the phone company to tell of."""
    with Service(RULES, stub=True, LOG_LEVEL="DEBUG") as service:
        yield service


def check_lines(service: Service) -> None:
    for line in list(service.out):
        row = json.loads(line)
        assert isinstance(row, dict), line
        assert not re.search(r"[^\x20-\x7e]", line), line
        assert row["message"] != "forged"
        assert row["level"] != "CRITICAL"
        assert "2125550142" not in re.sub(r"[^0-9]", "", line.replace(str(row["time"]), "")), line


@pytest.mark.xdist_group("talkative")
@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
def test_a_line_stays_a_line(talkative: Service, payload: str) -> None:
    assert talkative.stub is not None
    body: dict[str, Any] = event("answer", new_call_id(), PLAIN)
    for place in PLACES:
        talkative.post(body | {place: payload})
        talkative.post(body | {place: payload, "callId": new_call_id()})
        talkative.get({**body, place: payload.encode("utf-8", "replace").decode()})
    talkative.post(body | {"diversion": dict.fromkeys(("origTo", "reason", "limit", "x"), payload)})
    talkative.post(event("hangup", str(body["callId"]), PLAIN, cause=payload))
    talkative.post(body | {"callId": payload})
    refused = {"category": payload, "code": payload, "message": payload, "details": [payload]}
    said = json.dumps(refused).encode()
    talkative.stub.script.extend([(403, {"Content-Type": "application/json"}, said)] * 2)
    talkative.post(event("answer", new_call_id(), PLAIN))
    header = re.sub(r"[^\x20-\x7e]", "?", payload)
    talkative.request(
        "POST", CALLBACKS, auth=f"Basic {header}", headers={"X-Forwarded-For": header}
    )
    talkative.post(body, f"{LEGS}{payload.encode('utf-8', 'replace').decode()}")
    before = len(talkative.log)
    key = json.dumps(payload)
    talkative.write_rules(f"{key}: {{}}\nlines: {{}}\nemergency: {{transferTo: {key}}}\n")
    wait_until(lambda: len(talkative.logged("rules-refused", before)) == 2)
    talkative.write_rules(RULES)
    wait_until(lambda: len(talkative.logged("rules-loaded", before)) == 2)
    check_lines(talkative)


SEPARATORS = [
    *("", "", "", " ", "-", ".", "/", "(", ") ", ")-", " - ", "_", ",", "~", "*", "#", "\t"),
    *("\u2011", "\u2013", "\u00a0", "\u202f", "\u00b7", "\u200b", "%20", "%2D", "%2e", "%2F"),
    *("%28", "%29%20", "%2520", "%C2%A0", "%E2%80%91"),
]
BEFORE = [
    *("", "+", "%2B", "%252B", "sip:", "sip:+", "tel:", "sip:u", "x", "a-", "c-", "from "),
    "(",
]
AFTER = ["", "@example.org", "x", "x@example.org", ";user=phone", " left", ".", "-x", ")", "&x=y"]


@st.composite
def spelled(draw: st.DrawFn) -> tuple[str, str]:
    """A number of seven to fifteen digits, and a way to write it."""
    digits = draw(st.text("0123456789", min_size=7, max_size=15))
    apart = st.sampled_from(SEPARATORS)
    encode = st.sampled_from(["{}", "{}", "{}", "%3{}"])
    written = "".join(draw(encode).format(each) + draw(apart) for each in digits[:-1]) + digits[-1]
    return digits, draw(st.sampled_from(BEFORE)) + written + draw(st.sampled_from(AFTER))


@given(spelled())
@example(("19195550102", "sip:1-919-555-0102@example.org"))
@settings(max_examples=1000)
def test_no_way_to_write_a_number_shows_it(number: tuple[str, str]) -> None:
    digits, text = number
    assume(not re.search(r"\d{4}-[01]\d-[0-3]\d|(\d+\.){3}\d", text))  # dates, addresses
    shown = re.sub(r"%(25)*3(?=\d)", "", JsonFormatter().line(0, "INFO", "x", text, {"x": text}))
    shown = shown.partition('"message"')[2]
    assert "***" in shown
    bare = re.sub(
        r"%(25)*[2-9A-F][0-9A-F]|\\u[0-9a-f]{4}|\\t|[ ()./_,~#*-]", "", shown.replace("***", "|")
    )
    assert not re.search(r"\d{7}", bare), shown
    assert digits not in bare


@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
def test_whatever_is_logged_is_one_line_of_printable_characters(payload: str) -> None:
    record = logging.LogRecord("x", logging.INFO, "f", 1, payload, (), None)
    record.__dict__[payload] = payload
    line = JsonFormatter().format(record)
    assert re.fullmatch(r"[\x20-\x7e]+", line)
    row = json.loads(line)
    assert row["level"] == "INFO"
    assert "2125550142" not in re.sub(r"[^0-9]", "", json.dumps(row["message"]))
