"""How a rules file is gone through makes no difference: order, pieces, equal parts, and rests."""

from __future__ import annotations

import re
import time
from typing import Any
from unittest import mock

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata

from callflow.background import many_objects_that_stay
from routing.problems import RulesError
from routing.reader import read
from routing.reading.numbers import check_number
from routing.reading.shapes import Context
from tests.unit.test_rules_mistakes import BROKEN, GOOD, MISTAKES

SECTION = re.compile(r"^(?=[^\s#])", re.MULTILINE)
Found = tuple[str, list[Any]]
"""What was read, as text, and the problems."""


def outcome(text: Any) -> Found:
    try:
        rules = read(text)
    except RulesError as error:
        return "", [*error.errors, *error.warnings]
    return repr(rules), list(rules.warnings)


def edited(mistakes: list[tuple[str, ...]]) -> str:
    text = GOOD
    for there, written, *_ in mistakes:
        text = text.replace(there, written.replace("«", ""), 1)
    return text


def independent_of_order(sections: list[str]) -> Found:
    """What comes of these sections in this order, with places counted from their own section."""
    text, start, line = "".join(sections), {}, 1
    for section in sections:
        start[re.split("[:\n]", section)[0]] = line
        line += section.count("\n")
    rules, problems = outcome(text)
    rules = re.sub(r"place=\d+|digest='\w+'|warnings=.*", "", rules)
    found = []
    for each in problems:
        name = re.split(r"[.\[]", each.path)[0]
        at_top = name not in start and (each.line, each.column) == (1, 1)
        first = 1 if at_top else max(line for line in start.values() if line <= each.line)
        message = re.sub(r"line \d+", "line …", each.message)
        found.append((each.line - first, each.column, each.path, each.code, message))
    return rules, sorted(found)


TEXTS = st.builds(edited, st.lists(st.sampled_from(MISTAKES), max_size=3))


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, chance=st.randoms(use_true_random=False))
@example(text=GOOD, chance=None)
def test_the_order_of_the_sections_makes_no_difference(text: str, chance: Any) -> None:
    sections = [each for each in SECTION.split(text) if each]
    shuffled = sections[::-1] if chance is None else chance.sample(sections, len(sections))
    assert independent_of_order(shuffled) == independent_of_order(sections)


@pytest.mark.parametrize("below", ["emergency", "expect", "version", "destinations", "schedules"])
def test_a_section_may_stand_below_the_lines(below: str) -> None:
    sections = [each for each in SECTION.split(GOOD) if each]
    moved = sorted(sections, key=lambda each: each.startswith(below))
    assert independent_of_order(moved) == independent_of_order(sections)
    assert independent_of_order(moved)[0]


@settings(max_examples=200, deadline=None)
@given(
    text=st.one_of(TEXTS, st.sampled_from([each[0] for each in BROKEN])),
    cuts=st.lists(st.floats(0, 1), max_size=6),
)
def test_a_text_in_pieces_is_the_same_text(text: str, cuts: list[float]) -> None:
    places = sorted({0, len(text), *(int(cut * len(text)) for cut in cuts)})
    pieces = [text[start:end] for start, end in zip(places, [*places[1:], None], strict=True)]
    assert outcome(pieces) == outcome(text)


RULES = [
    "{name: a, when: {busy: desk}, transferTo: ana}",
    "{name: b, when: {busy: desk}, transferTo: ana, onBusy: {transferTo: bo}}",
    "{name: c, when: {busy: bo}, transferTo: ana}",
    "{name: d, when: {from: [vip, +1213*]}, followMe: [{transferTo: ana, ring: 5}]}",
    "{when: {outside: office, notFrom: vip}, transferTo: bo, ring: 7}",
    "{when: {outside: office}, reject: true, onBusy: {transferTo: bo}}",
    "{when: {presence: {ana: [dnd]}}, announce: {sentence: hello}}",
    "{when: {not: {from: vip}}, transferTo: nobody}",
    "{name: e, transferTo: +15555550100, diversionReason: away}",
    "{name: ' e', transferTo: '+15555550100'}",
    "{name: e, transferTo: [bo, ana]}",
    "{name: e, transferTo: bo, ana: }",
    "{name: '~', transferTo: bo}",
    "{name: ~, transferTo: bo}",
]
LAST = ["{transferTo: desk}", "{transferTo: ana}", "{transferTo: dek}", "{reject: true}"]
LINES = st.lists(
    st.tuples(st.lists(st.sampled_from(RULES), min_size=1, max_size=4), st.sampled_from(LAST)),
    min_size=2,
    max_size=5,
)


@settings(max_examples=200, deadline=None)
@given(lines=LINES)
def test_equal_parts_that_are_read_once_are_as_if_each_was_read(lines: Any) -> None:
    written = "".join(
        f"  l{n}: {{numbers: +1919363100{n}, rules: [{', '.join(rules)}], otherwise: {last}}}\n"
        for n, (rules, last) in enumerate(lines)
    )
    text = GOOD.replace("emergency:", f"{written}emergency:")
    shared = outcome(text)
    with mock.patch.object(Context, "share", lambda _self, _key, part: part):
        assert outcome(text) == shared


def test_lines_that_say_the_same_share_it() -> None:
    rule = "{when: {busy: desk}, transferTo: ana, onBusy: {transferTo: bo}}"
    lines = "".join(
        f"  l{n}: {{numbers: +1919363100{n}, rules: [{rule}], otherwise: {{reject: true}}}}\n"
        for n in range(2)
    )
    rules = read(GOOD.replace("emergency:", f"{lines}emergency:")).lines
    (first,), (second,) = rules["l0"].rules, rules["l1"].rules
    assert first.stages is second.stages
    assert first.conditions is second.conditions
    assert rules["l0"].otherwise is rules["l1"].otherwise


def test_every_line_ends_with_the_emergency_that_stands_below_it() -> None:
    rules = read(GOOD)
    for stages in (rules.lines["main"].otherwise, rules.lines["main"].rules[0].stages):
        assert stages[-1] is rules.emergency[0]
        assert stages[-1].action.steps[0].destinations[0].name == "bo"


def many(count: int) -> str:
    """A file that is large in every section, with as many warnings as it can have."""

    def section(name: str, entry: str) -> str:
        return f"{name}:\n" + "".join(f"  {entry.format(n=n)}\n" for n in range(count))

    callers = ", ".join(f"+1555555{n:04}" for n in range(count))
    return (
        "version: 1\ntimezone: UTC\n"
        + section("destinations", "d{n}: {{transferTo: +1555555{n:04}, capacity: 1}}")
        + section("callers", "c{n}: [+1212{n:04}*]")
        + f"  all: [{callers}]\n"
        + section("calendars", "k{n}: [07-04]")
        + section("schedules", "s{n}: {{hours: {{mon: 09:00-10:00}}}}")
        + section("lines", "l{n}: {{numbers: +1556555{n:04}, otherwise: {{transferTo: d{n}}}}}")
        + "emergency: {reject: true}\n"
        + section("expect", "- {{to: l{n}, rings: [d{n}]}}")
    )


def test_no_stretch_between_two_breaths_is_long() -> None:
    stretches, since = [], time.thread_time()

    def breathe() -> None:
        nonlocal since
        stretches.append(time.thread_time() - since)
        since = time.thread_time()

    with many_objects_that_stay():  # as the rulebook reads
        read(many(3000), breathe)
    assert sum(stretches) > 0.2
    assert max(stretches) < sum(stretches) / 20


NORTH_AMERICAN = [
    pattern
    for region in phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]
    for kind in ("fixed_line", "mobile", "toll_free", "premium_rate", "personal_number", "uan")
    if (known := getattr(PhoneMetadata.metadata_for_region(region), kind))
    and (pattern := known.national_number_pattern)
]
"""How the ranges of country code 1 are written down."""


def is_assigned(number: str) -> bool:
    return phonenumbers.is_valid_number(phonenumbers.parse(number, None))


@settings(max_examples=1000, deadline=None)
@given(
    number=st.one_of(
        st.from_regex(r"[2-9][0-9]{9}", fullmatch=True),
        st.sampled_from(NORTH_AMERICAN).flatmap(
            lambda pattern: st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True)
        ),
    ).filter(lambda number: re.fullmatch(r"[2-9][0-9]{9}", number)),
    ends=st.lists(st.integers(0, 999), max_size=5),
)
def test_a_number_is_assigned_if_the_numbering_plan_says_so(number: str, ends: list[int]) -> None:
    for each in [f"+1{number}", *(f"+1{number[:7]}{end:03}" for end in ends)]:
        assert (check_number(each) is None) == is_assigned(each)
