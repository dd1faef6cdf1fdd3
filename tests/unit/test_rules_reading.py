"""A good rules file means what it looks like, and no text whatever breaks the reader."""

from __future__ import annotations

import datetime as dt
import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from catapult.transfer import VOICES_BY_LOCALE
from routing import expectations
from routing.conditions import Call, Facts
from routing.problems import RulesError
from routing.reader import read
from routing.router import route

SHIPPED = Path("routing_rules.yaml").read_text(encoding="utf-8")
EVERY = [dt.datetime(2026, 3, 9, hour, tzinfo=dt.UTC) for hour in range(24)]
SMALL = """\
version: 1
lines:
  main: {numbers: +19195551000, otherwise: {transferTo: +19195550101}}
emergency: {reject: true}
"""


def test_the_shipped_file_is_good_and_keeps_what_it_promises() -> None:
    rules = read(SHIPPED)
    assert [result for result in expectations.test(rules, EVERY) if not result.passed] == []
    assert rules.default_caller
    assert {warning.code for warning in rules.warnings} <= {"unassigned-number"}


def test_the_least_file_is_good() -> None:
    rules = read(SMALL)
    (line,) = rules.lines.values()
    assert (line.name, line.title, line.numbers, line.rules) == (
        *("main", "main", ("+19195551000",), ()),
    )
    assert rules.expectations == ()


def test_the_digest_names_the_text() -> None:
    assert read(SMALL).digest == read(SMALL).digest
    assert read(SMALL).digest != read(SMALL + "\n").digest


ODD = [
    ("a byte order mark", "\ufeff" + SHIPPED),
    ("windows line ends", SHIPPED.replace("\n", "\r\n")),
    ("a document start", "---" + SHIPPED[SHIPPED.index("\n") :]),
    ("quoted numbers", re.sub(r"(\+1\d{10})", r"'\1'", SHIPPED)),
    ("json", SMALL.replace("version: 1", '"version": "1"')),
]


@pytest.mark.parametrize(("what", "text"), ODD)
def test_the_same_file_in_another_dress_means_the_same(what: str, text: str) -> None:
    plain = read(SMALL if what == "json" else SHIPPED)
    assert list(read(text).lines.values()) == list(plain.lines.values())


def test_unquoted_scalars_mean_what_they_look_like() -> None:
    rules = read(
        """\
version: 1
timezone: UTC
destinations:
  no: {transferTo: +19195550101, ring: 1_0}
  on: {transferTo: +19195550102, recordingEnabled: on}
  1e3: {transferTo: sip:0x10@example.com, recordingEnabled: no, capacity: 010}
schedules: {y: {hours: {sun: 22:00-06:00}, except: [{dates: [07-04, 2026-01-01], hours: off}]}}
lines:
  Zürich:
    title: Züri 🐻
    numbers: +19195551000
    rules: [{name: 1.50, when: {during: y}, transferTo: [no, on]}]
    otherwise: {transferTo: 1e3}
emergency: {reject: true}
""".replace("1_0", "10").replace("hours: off", "hours: closed")
    )
    assert list(rules.destinations) == ["no", "on", "1e3"]
    assert rules.destinations["1e3"].capacity == 10
    assert rules.destinations["on"].parameters.recording_enabled is True
    assert rules.destinations["1e3"].parameters.recording_enabled is False
    assert rules.lines["Zürich"].title == "Züri 🐻"
    assert rules.lines["Zürich"].rules[0].name == "1.50"


def test_an_alias_stands_for_what_is_written_at_its_anchor() -> None:
    rules = read(
        """\
version: 1
lines:
  one:
    numbers: +19195551000
    rules: &shared
      - {when: {from: &new_york +1212*}, transferTo: +19195550101}
      - {when: {from: *new_york}, reject: true}
    otherwise: &end {transferTo: +19195550102}
  two: {numbers: +19195551001, rules: *shared, otherwise: *end}
emergency: *end
"""
    )
    assert rules.lines["one"].rules == rules.lines["two"].rules
    assert [rule.name for rule in rules.lines["two"].rules] == ["rule 1", "rule 2"]


WARNED = [
    ("version: 1\n", "", (1, 1, "version", "missing-key")),
    ("+19195551000", "+15555551000", (3, 19, "lines.main.numbers", "unassigned-number")),
    ("lines:", "callers: {x: +1212*}\nlines:", (2, 11, "callers.x", "unused-name")),
    ("lines:", "destinations: {x: +19195550101}\nlines:", (2, 16, "destinations.x", "unused-name")),
    ("lines:", "calendars: {x: 07-04}\nlines:", (2, 13, "calendars.x", "unused-name")),
    (
        "numbers: +19195551000",
        "numbers: +19195551000, rules: [{reject: true}, {transferTo: +19195550101}]",
        (3, 57, "lines.main.rules[1]", "hidden-rule"),
    ),
    (
        "numbers: +19195551000",
        "numbers: +19195551000, rules: [{reject: true, onBusy: {reject: true}}]",
        (3, 41, "lines.main.rules[0]", "idle-handler"),
    ),
    (
        "{reject: true}",
        "{transferTo: +19195550101, diversionReason: away}",
        (4, 39, "emergency.diversionReason", "idle-diversion-reason"),
    ),
    (
        "{reject: true}",
        "{announce: {sentence: Hallo, locale: de_DE}}",
        (4, 49, "emergency.announce.locale", "unfit-voice"),
    ),
    (
        "{reject: true}",
        "{announce: {sentence: Salut, voice: jolie}}",
        (4, 48, "emergency.announce.voice", "unfit-voice"),
    ),
]


@pytest.mark.parametrize(("there", "written", "expected"), WARNED)
def test_a_warning(there: str, written: str, expected: tuple[int, int, str, str]) -> None:
    found = read(SMALL.replace(there, written, 1)).warnings
    places = {(each.line, each.column, each.path, each.code) for each in found}
    assert expected in places, found
    assert {place[3] for place in places} <= {expected[3], "unassigned-number"}


def test_a_warning_of_a_language_lists_its_voices() -> None:
    text = SMALL.replace("{reject: true}", "{announce: {sentence: Hallo, locale: de}}")
    (message,) = [each.message for each in read(text).warnings if each.code == "unfit-voice"]
    assert message.endswith("add a `voice` that speaks de: katrin, stefan")
    for locale, voices in VOICES_BY_LOCALE.items():
        with_voice = text.replace("locale: de", f"locale: {locale}, voice: {voices[0]}")
        assert "unfit-voice" not in {each.code for each in read(with_voice).warnings}


def test_an_unnamed_rule_may_not_take_the_name_of_another() -> None:
    rules = "[{name: rule 2, reject: true}, {reject: true}]"
    with pytest.raises(RulesError, match="two rules are called 'rule 2'"):
        read(SMALL.replace("otherwise", f"rules: {rules}, otherwise"))


def test_a_line_is_found_by_a_sip_address_without_case_of_its_host() -> None:
    rules = read(SMALL.replace("+19195551000", "'sip:Main@Example.COM'"))
    call = Call("sip:Main@example.com", "+12125550100", EVERY[0])
    assert route(rules, call, Facts()).line == "main"


WORDS = sorted(set(re.findall(r"[^\s,{}\[\]]+", SHIPPED)))
PIECES = [*WORDS, *"{}[]:,-#'\"&*!|>?~\t\n", "&a ", "*a", "<<: *a", "null", "- ", "  ", "\ud800"]
PIECES += ["\x00", "\ufeff", "9999-12-31", "0001-01-01T00:00", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"]
EDIT = st.tuples(
    st.floats(0, 1), st.integers(0, 30), st.one_of(st.sampled_from(PIECES), st.text(max_size=8))
)
SPANS = [match.span() for match in re.finditer(r"[^\s,{}\[\]]+|\{[^{}]*\}|\[[^\[\]]*\]", SHIPPED)]


def reads_or_refuses(text: str) -> None:
    started = time.perf_counter()
    try:
        problems = list(read(text).warnings)
    except RulesError as error:
        problems = [*error.errors, *error.warnings]
        assert problems
    lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text)
    for problem in problems:
        assert 1 <= problem.line <= len(lines) + 1
        assert problem.column >= 1
        assert problem.code
        assert problem.message
    assert time.perf_counter() - started < 5


@settings(max_examples=150, deadline=None)
@given(edits=st.lists(EDIT, min_size=1, max_size=4))
def test_no_edit_of_a_good_file_breaks_the_reader(edits: list[tuple[float, int, str]]) -> None:
    text = SHIPPED
    for where, length, piece in edits:
        start = int(where * len(text))
        text = text[:start] + piece + text[start + length :]
    reads_or_refuses(text)


@settings(max_examples=150, deadline=None)
@given(
    span=st.sampled_from(SPANS), other=st.one_of(st.sampled_from(SPANS), st.sampled_from(PIECES))
)
def test_no_other_node_in_the_place_of_one_breaks_the_reader(
    span: tuple[int, int], other: tuple[int, int] | str
) -> None:
    piece = other if isinstance(other, str) else SHIPPED[slice(*other)]
    reads_or_refuses(SHIPPED[: span[0]] + piece + SHIPPED[span[1] :])


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
@example("\ud800")
@example("a: !!python/object:os.system x")
@example("? ? ? a")
def test_no_text_breaks_the_reader(text: str) -> None:
    reads_or_refuses(text)
