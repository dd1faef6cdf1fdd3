"""`expect`: each key passes when it should, and says what differs when it should not."""

# ruff: noqa: E501 - a rule of the file has one line

from __future__ import annotations

import datetime as dt

import pytest

from routing import expectations
from routing.reader import read

FILE = """\
version: 1
timezone: America/New_York
transfer: {{diversionTreatment: stack}}
destinations:
  a: {{transferTo: +19195550101, capacity: 2}}
  b: {{transferTo: +19195550102, capacity: 1, person: bea}}
  c: +19195550103
callers:
  spam: [+1900*, anonymous]
schedules:
  office: {{hours: {{mon-fri: 09:00-17:00}}}}
lines:
  main:
    title: Main Office
    numbers: [+19195551000, +19195551001]
    rules:
      - {{name: spam, when: {{from: spam}}, reject: true}}
      - {{name: closed, when: {{outside: office}}, announce: {{sentence: 'Closed, {{reason}}'}}}}
      - {{name: again, when: {{diverted: no-answer}}, transferTo: +19195550109}}
      - {{name: full, when: {{busy: a}}, transferTo: [b, c]}}
      - {{name: all, followMe: [{{transferTo: a}}, {{transferTo: [b, c]}}], onBusy: {{transferTo: c}}}}
    otherwise: {{reject: true}}
emergency: {{transferTo: c}}
expect:
  - {{{entry}}}
"""
PLACE = FILE.count("\n")
OPEN, SHUT = "at: 2026-03-09T09:00, to: main", "at: 2026-03-08T09:00, to: main"

ENTRIES = [
    (f"{OPEN}, rule: all", ""),
    (f"{OPEN}, rule: full", "expected rule 'full', but 'all' was chosen (full: a is not busy)"),
    (f"{OPEN}, rule: otherwise", "expected rule 'otherwise', but 'all' was chosen"),
    (f"{OPEN}, rule: emergency", "expected rule 'emergency', but 'all' was chosen"),
    ("to: +19195559999, rule: emergency, rings: [c], diversionReason: unavailable", ""),
    ("at: 2026-03-09T09:00, to: +19195551001, rule: all", ""),
    ("at: 2026-03-09T13:00Z, to: main, rule: all", ""),
    ("at: 2026-03-09T12:59:59Z, to: main, rule: closed", ""),
    ("at: 2026-03-09T14:00:00+01:00, to: main, rule: all", ""),
    ("at: 2026-03-09 09:00, to: main, rule: all", ""),
    (f"{OPEN}, from: +19005550100, rejects: true", ""),
    (f"{OPEN}, from: anonymous, rejects: yes, rule: spam", ""),
    (f"{OPEN}, rejects: true", "expected the call to be rejected, but it rings a"),
    (f"{SHUT}, rejects: true", "but the caller hears 'Closed, time-of-day'"),
    (f"{SHUT}, announces: 'Closed, time-of-day'", ""),
    (f"{SHUT}, announces: 'Closed, {{reason}}'", ""),
    (f"{SHUT}, announces: Open", "expected the announcement 'Open', but the caller hears 'Closed"),
    (f"{OPEN}, announces: Open", "expected the announcement 'Open', but it rings a"),
    (f"{SHUT}, rings: [a]", "expected rings [a], but it rings []; in the end the caller hears"),
    (f"{SHUT}, diversionReason: away", "expected a transfer, but the caller hears"),
    (f"{OPEN}, rings: [a]", ""),
    (f"{OPEN}, rings: [+19195550101]", ""),
    (f"{OPEN}, rings: [b]", "expected rings [b], but it rings [a]"),
    (f"{OPEN}, outcomes: busy, rings: [a, [b, c]]", ""),
    (f"{OPEN}, outcomes: busy, rings: [a, [c, b]]", ""),
    (f"{OPEN}, outcomes: busy, rings: [a, b]", "expected rings [a, b], but it rings [a, [b, c]]"),
    (f"{OPEN}, outcomes: [busy, USER_BUSY], rings: [a, [b, c], c], diversionReason: user-busy", ""),
    (
        f"{OPEN}, outcomes: [busy, no-answer], rings: [a, [b, c]]",
        "it rings [a, [b, c]]; in the end the call is rejected",
    ),
    (f"{OPEN}, outcomes: [busy, no-answer], rings: [a, [b, c]], rejects: true", ""),
    (f"{OPEN}, presence: {{bea: dnd}}, outcomes: busy, rings: [a, c]", ""),
    (f"{OPEN}, busy: a, rings: [[b, c]]", ""),
    (f"{OPEN}, busy: [a, b], rings: [c]", ""),
    (f"{OPEN}, diverted: no-answer, rings: [+19195550109], transferTo: +19195550109", ""),
    (f"{OPEN}, diversionReason: follow-me", ""),
    (f"{OPEN}, diversionReason: away", "expected diversionReason away, but it is follow-me"),
    (f"{OPEN}, transferTo: +19195550101", ""),
    (f"{OPEN}, transferTo: a", ""),
    (f"{OPEN}, transferTo: c", "expected transferTo +19195550103, but it is +19195550101"),
    (f"{OPEN}, busy: a, transferTo: [b, c]", ""),
    (f"{SHUT}, overrides: {{office: open}}, rule: all", ""),
    (f"{OPEN}, overrides: {{office: closed}}, rule: closed", ""),
    ("to: main, from: +19005550100, rejects: true", ""),
    ("to: main, rule: all", "expected rule 'all', but 'closed' was chosen"),
    ("to: main, rule: all", "at 2026-03-09T22:00:00+00:00"),
]
EVERY = [dt.datetime(2026, 3, 9, hour, tzinfo=dt.UTC) for hour in (16, 22)]


@pytest.mark.parametrize(("entry", "because"), ENTRIES)
def test_an_entry(entry: str, because: str) -> None:
    (result,) = expectations.test(read(FILE.format(entry=entry)), EVERY)
    assert result.passed is not bool(because), result.because
    assert (because or "as expected") in result.because
    assert result.place == PLACE


def test_each_entry_has_a_result_in_order() -> None:
    text = FILE.format(entry=f"{OPEN}, rule: full") + f"  - {{{OPEN}, rule: all}}\n"
    results = expectations.test(read(text), EVERY)
    assert [(result.place, result.passed) for result in results] == [
        (PLACE, False),
        (PLACE + 1, True),
    ]
