"""Signs that nobody sees are named with their place, wherever they are in the way."""

from __future__ import annotations

import unicodedata

import pytest

from routing.problems import Problem, RulesError
from routing.reader import read

GOOD = """\
version: 1
timezone: America/New_York
destinations:
  desk: {transferTo: +19195550101, capacity: 2, ring: 20s}
  bo:
    transferTo: +19195550103
schedules:
  office: {hours: {mon-fri: 09:00-17:00}}
lines:
  main:
    title: Main Office
    numbers: +19195551000
    rules:
      - name: closed now
        when: {outside: office}
        announce: {sentence: Please call again, voice: julie}
    otherwise: [desk, bo]
emergency: bo                   # nothing else worked
expect:
  - {at: 2026-03-09T09:00, to: main, rings: [[desk, bo]]}
"""
BLANKS = "\u00a0\u2007\u2009\u202f\u3000"
NOTHINGS = "\u200b\u200d\u2060\ufeff\u00ad"
# what is there, and what stands instead of it with the sign in the place of «
IN_THE_WAY = [
    ("  desk: {", "««desk: {"),
    ("    transferTo: +19195550103", "  ««transferTo: +19195550103"),
    ("      - name", "      -«name"),
    ("      - name", "      « - name"),
    ("timezone: A", "timezone:«A"),
    ("timezone: A", "timezone«: A"),
    ("timezone: A", "timezone: «A"),
    ("York", "York«"),
    ("bo:\n    transferTo: ", "bo:\n    transferTo:«"),
    ("{transferTo", "{«transferTo"),
    (", capacity", ",«capacity"),
    ("capacity: 2", "capacity:«2"),
    ("capacity: 2", "capacity«: 2"),
    ("capacity: 2,", "capacity: 2«,"),
    ("20s}", "20s«}"),
    ("mon-fri", "mon-«fri"),
    ("[desk, bo]\nem", "[desk,« bo]\nem"),
    ("[desk, bo]\nem", "[«desk, bo]\nem"),
    ("rules:", "«rules:"),
    ("rules:", "rules«:"),
    ("emergency: bo ", "emergency:«bo "),
]
BLANKS_GONE = {"      -«name", "bo:\n    transferTo:«", "  ««transferTo: +19195550103"}
IN_A_VALUE = [
    ("09:00-17:00", "09:00«17:00"),
    ("09:00-17:00", "0«9:00-17:00"),
    ("20s", "2«0s"),
    ("outside: office", "outside: off«ice"),
    ("to: main", 'to: "main«"'),
    ("New_York", "New«York"),
]
HARMLESS = [
    ("Main Office", "Main«Office"),
    ("Please call again", "Please«call again"),
    ("Please call again", '"«Please call again:«"'),
    ("closed now", "closed«now"),
    ("# nothing", "#« nothing"),
    ("# nothing", "# nothing« ##"),
]


def errors_of(text: str) -> list[Problem]:
    with pytest.raises(RulesError) as caught:
        read(text)
    return caught.value.errors


def with_sign(there: str, written: str, sign: str) -> tuple[str, tuple[int, int]]:
    assert there in GOOD
    marked = GOOD.replace(there, written, 1)
    before, _, _ = marked.partition("«")
    place = before.count("\n") + 1, len(before) - before.rfind("\n")
    return marked.replace("«", sign), place


def named(sign: str) -> str:
    return f"(U+{ord(sign):04X})"


@pytest.mark.parametrize("sign", BLANKS + NOTHINGS, ids=named)
@pytest.mark.parametrize(("there", "written"), IN_THE_WAY, ids=[each[1] for each in IN_THE_WAY])
def test_a_sign_in_the_way_is_named_once_at_its_place(there: str, written: str, sign: str) -> None:
    if sign in NOTHINGS and written in BLANKS_GONE:
        return  # without it a blank is missing, too
    if sign == "\ufeff" and written[0] == "«":
        return  # it may begin a line
    text, place = with_sign(there, written, sign)
    (error,) = errors_of(text)
    assert (error.line, error.column) == place, error
    assert named(sign) in error.message, error


def test_the_name_is_the_one_that_people_know() -> None:
    text, _ = with_sign("  desk: {", "««desk: {", "\u00a0")
    (error,) = errors_of(text)
    assert error.message.startswith("a no-break space (U+00A0) stands in the indentation")
    assert "2 of them" in error.message


@pytest.mark.parametrize("sign", BLANKS + NOTHINGS, ids=named)
@pytest.mark.parametrize(("there", "written"), IN_A_VALUE, ids=[each[1] for each in IN_A_VALUE])
def test_a_sign_in_a_value_that_cannot_be_read_is_named(
    there: str, written: str, sign: str
) -> None:
    text, place = with_sign(there, written, sign)
    errors = [each for each in errors_of(text) if each.line == place[0]]
    assert any(named(sign) in each.message for each in errors), errors


@pytest.mark.parametrize("sign", BLANKS + NOTHINGS, ids=named)
@pytest.mark.parametrize(("there", "written"), HARMLESS, ids=[each[1] for each in HARMLESS])
def test_a_sign_in_a_sentence_or_comment_is_let_be(there: str, written: str, sign: str) -> None:
    text, _ = with_sign(there, written, sign)
    assert read(text).lines


def test_every_line_is_told_of_at_once_with_what_else_is_wrong() -> None:
    text = GOOD.replace("  desk:", "\u00a0\u00a0desk:").replace("    rules:", "   \u00a0rules:")
    text = text.replace("timezone: A", "timezone:\u00a0A").replace("rings:", "rngs:")
    errors = errors_of(text)
    assert [each.line for each in errors] == [2, 4, 13, 20]
    assert [named("\u00a0") in each.message for each in errors] == [True, True, True, False]


def test_a_page_pasted_with_no_blanks_but_these_is_told_line_by_line() -> None:
    text = GOOD.replace(" ", "\u00a0")
    errors = errors_of(text)
    assert {each.code for each in errors} == {"invisible-sign"}
    assert len(errors) == sum(" " in line for line in GOOD.splitlines())


@pytest.mark.parametrize("sign", BLANKS + NOTHINGS, ids=named)
def test_columns_are_those_of_the_text_as_it_is(sign: str) -> None:
    text = GOOD.replace("desk: {", f"desk: {sign}{{").replace("\n  - {at", f"{sign}\n  - {{at")
    lines = text.splitlines()
    for error in errors_of(text):
        assert lines[error.line - 1][error.column - 1] == sign
        assert unicodedata.name(sign, "byte order mark")


def test_a_tab_within_a_value_that_cannot_be_read_is_named() -> None:
    (error,) = errors_of(GOOD.replace("09:00-17:00", "09:00\t17:00"))
    assert "a tab (U+0009)" in error.message
