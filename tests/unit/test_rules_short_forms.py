"""What may be written shorter means the same as what is written out."""

# ruff: noqa: E501 - the table has one line for each form

from __future__ import annotations

import pytest

from routing.reader import read

TEXT = """\
version: 1
timezone: America/New_York
transfer: {diversionTreatment: stack}
destinations:
  desk: {transferTo: +19195550101, capacity: 2}
  ana: {transferTo: +19195550102, capacity: 1, person: ana}
  bo: +19195550103
callers: {vip: +14155550123}
calendars: {shut: 07-04}
schedules:
  office: {hours: {mon-fri: 09:00-17:00}, except: [{dates: shut, hours: closed}]}
lines:
  main:
    numbers: +19195551000
    rules:
      - {name: closed, when: {outside: office}, followMe: FOLLOW, onBusy: ON_BUSY}
      - {name: vip, when: {from: vip, busy: desk, presence: {ana: away}}, announce: ANNOUNCE}
    otherwise: OTHERWISE
emergency: EMERGENCY
expect:
  - {at: 2026-03-09T20:00, to: main, outcomes: OUTCOMES, rings: RINGS}
"""
LONG = {
    "FOLLOW": "[{transferTo: desk}, {transferTo: [ana, bo]}]",
    "ON_BUSY": "{transferTo: bo}",
    "ANNOUNCE": "{sentence: 'Hello, you'}",
    "OTHERWISE": "{transferTo: desk}",
    "EMERGENCY": "{transferTo: [desk, bo]}",
    "OUTCOMES": "[no-answer]",
    "RINGS": "[desk, [ana, bo]]",
}
# fmt: off
SHORT = [
    ("FOLLOW", "[desk, [ana, bo]]", LONG["FOLLOW"]),
    ("FOLLOW", "[desk, {transferTo: [ana, bo]}]", LONG["FOLLOW"]),
    ("FOLLOW", "[+19195550107, sip:a@b.example]", "[{transferTo: +19195550107}, {transferTo: sip:a@b.example}]"),
    ("FOLLOW", "desk", "[{transferTo: desk}]"),
    ("FOLLOW", "{transferTo: desk, ring: 15s}", "[{transferTo: desk, ring: 15s}]"),
    ("ON_BUSY", "bo", LONG["ON_BUSY"]),
    ("ON_BUSY", "[desk, bo]", "{transferTo: [desk, bo]}"),
    ("ON_BUSY", "{announce: Nobody is here}", "{announce: {sentence: Nobody is here}}"),
    ("ANNOUNCE", "'Hello, you'", LONG["ANNOUNCE"]),
    ("ANNOUNCE", "yes", "{sentence: 'yes'}"),
    ("OTHERWISE", "desk", LONG["OTHERWISE"]),
    ("OTHERWISE", "+19195550107", "{transferTo: +19195550107}"),
    ("OTHERWISE", "sip:a@b.example", "{transferTo: 'sip:a@b.example'}"),
    ("OTHERWISE", "'desk'", LONG["OTHERWISE"]),
    ("OTHERWISE", "[ana]", "{transferTo: [ana]}"),
    ("EMERGENCY", "[desk, bo]", LONG["EMERGENCY"]),
    ("OUTCOMES", "no-answer", LONG["OUTCOMES"]),
    ("RINGS", "desk", "[desk]"),
]
# fmt: on


def meant(**other: str) -> object:
    """Return all that a call can meet; warnings have other places in other texts."""
    text = TEXT
    for name, value in (LONG | other).items():
        text = text.replace(name, value)
    found = read(text)
    return found.lines, found.emergency, found.expectations, {each.code for each in found.warnings}


@pytest.mark.parametrize(("name", "short", "long"), SHORT, ids=[each[1] for each in SHORT])
def test_a_short_form(name: str, short: str, long: str) -> None:
    assert meant(**{name: short}) == meant(**{name: long})
