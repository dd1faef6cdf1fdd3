"""What is no YAML is told in our words, where the mistake is, with the line as it should be."""

# ruff: noqa: E501, RUF001 - the tables have one line for each mistake, odd signs among them

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from routing.problems import Problem, RulesError
from routing.reader import read

SHIPPED = Path("routing_rules.yaml").read_text("utf-8")
GOOD = """\
version: 1
timezone: America/New_York
destinations:
  desk: {transferTo: +19195550101, capacity: 2}
  bo:
    transferTo: +19195550103
    ring: 20s
schedules:
  office: {hours: {mon-fri: 09:00-17:00}}
lines:
  main:
    numbers: +19195551000
    rules:
      - name: closed
        when: {outside: office}
        announce: {sentence: "We are closed", voice: julie}
      - name: open
        transferTo: [desk, bo]
        onBusy: {announce: "Please call later"}
    otherwise: desk
emergency: bo
expect:
  - {at: 2026-03-09T09:00, to: main, rings: [[desk, bo]]}
"""
# fmt: off
# what is there, what is written instead with « where the mistake is, the line as it should be
MENDED = [
    # blanks, colons and dashes left out
    ("timezone: America", "timezone:«America", "timezone: America/New_York"),
    ("timezone: America", "timezone «America", "timezone: America/New_York"),
    ("timezone: America", "timezone« = America", "timezone: America/New_York"),
    ("timezone: America", "timezone« :America", "timezone: America/New_York"),
    ("version: 1", "version:«1", "version: 1"),
    ("    ring: 20s", "    ring:«20s", "ring: 20s"),
    ("    transferTo: +", "    transferTo:«+", "transferTo: +19195550103"),
    ("    rules:\n", "    rules«\n", "rules:"),
    ("  desk: {", "  desk« {", "desk: {transferTo: +19195550101, capacity: 2}"),
    ("      - name: open", "      -«name: open", "- name: open"),
    ("  - {at", "  -«{at", "- {at: 2026-03-09T09:00, to: main, rings: [[desk, bo]]}"),
    # indentation
    ("    ring: 20s", "     «ring: 20s", "ring: 20s"),
    ("    ring: 20s", "   «ring: 20s", "ring: 20s"),
    ("        when", "       «when", "when: {outside: office}"),
    ("        when", "         «when", "when: {outside: office}"),
    ("emergency: bo", " «emergency: bo", "emergency: bo"),
    ("    ring: 20s", "«\tring: 20s", "ring: 20s"),
    ("        when", "      «\twhen", "when: {outside: office}"),
    # quotes
    ('"We are closed"', '«"We are closed', 'announce: {sentence: "We are closed, voice: julie"}'),
    ('"Please call later"', "«'Please call later", "onBusy: {announce: 'Please call later'}"),
    ('"Please call later"', "«'We're closed'", "onBusy: {announce: \"We're closed\"}"),
    ('"Please call later"', '«"Say "later" again"', "onBusy: {announce: 'Say \"later\" again'}"),
    ('"Please call later"', '«"later" please', "onBusy: {announce: '\"later\" please'}"),
    ('"Please call later"', '«"c:\\later"', "onBusy: {announce: 'c:\\later'}"),
    ('"Please call later"', "«Hours: 9 to 5", 'onBusy: {announce: "Hours: 9 to 5"}'),
    ('"Please call later"', "«@home", 'onBusy: {announce: "@home"}'),
    ('"Please call later"', "«`home`", 'onBusy: {announce: "`home`"}'),
    ('"Please call later"', "«%s", 'onBusy: {announce: "%s"}'),
    ('"Please call later"', "«* 1", 'onBusy: {announce: "* 1"}'),
    ('"Please call later"', "«& co", 'onBusy: {announce: "& co"}'),
    ('"Please call later"', "«!a!b c", 'onBusy: {announce: "!a!b c"}'),
    ("    otherwise: desk", "    otherwise: «| desk", 'otherwise: "| desk"'),
    ("timezone: America/New_York", 'timezone: «"America/New_York', 'timezone: "America/New_York"'),
    ("timezone: America", "timezone«：America", "timezone: America/New_York"),
    # brackets and commas
    ("{outside: office}", "«{outside: office", "when: {outside: office}"),
    ("[desk, bo]", "«[desk, bo", "transferTo: [desk, bo]"),
    ("[desk, bo]", "[desk, bo«}", "transferTo: [desk, bo]"),
    ("{outside: office}", "{outside: office}«}", "when: {outside: office}"),
    ("[[desk, bo]]}", "[[desk, bo]]«", "- {at: 2026-03-09T09:00, to: main, rings: [[desk, bo]]}"),
    ("to: main, rings", "to: main« rings", "- {at: 2026-03-09T09:00, to: main, rings: [[desk, bo]]}"),
    ("+19195550101, cap", "+19195550101«; cap", "desk: {transferTo: +19195550101, capacity: 2}"),
    ("otherwise: desk", "otherwise: «transferTo: desk", "otherwise: {transferTo: desk}"),
    ("numbers: +19195551000", "numbers: «- +19195551000", "numbers: [+19195551000]"),
]
# fmt: on


def errors_of(text: str) -> list[Problem]:
    with pytest.raises(RulesError) as caught:
        read(text)
    return caught.value.errors


def marked(there: str, written: str) -> tuple[str, tuple[int, int]]:
    assert GOOD.count(there) >= 1, there
    text = GOOD.replace(there, written, 1)
    before, _, _ = text.partition("«")
    return text.replace("«", ""), (before.count("\n") + 1, len(before) - before.rfind("\n"))


def test_the_file_without_a_mistake_is_good() -> None:
    assert read(GOOD).lines


@pytest.mark.parametrize(("there", "written", "line"), MENDED, ids=[each[1] for each in MENDED])
def test_the_line_is_written_as_it_should_be(there: str, written: str, line: str) -> None:
    text, place = marked(there, written)
    (error,) = errors_of(text)
    assert (error.line, error.code) == (place[0], "syntax"), error
    assert f"write `{line}`" in error.message, error
    if line[0] != "{" and "open" not in written:
        assert error.column <= place[1] + 2, error


def test_a_quote_that_is_open_is_told_where_it_begins() -> None:
    """The parser gives up far below, at the next quote."""
    text = SHIPPED.replace('"Call for {line}"', '"Call for {line}', 1)
    text = text.replace("title: Main Office", 'title: "Main Office"', 1)
    (error,) = errors_of(text)
    line = text[: text.index('"Call')].count("\n") + 1
    column = text.splitlines()[line - 1].index('"Call') + 1
    assert (error.line, error.column) == (line, column)
    assert "quote that begins here is not closed" in error.message


def test_the_mend_is_the_one_with_which_the_rules_are_best() -> None:
    comma = GOOD.replace("to: main, rings", "to: main rings")
    sentence = GOOD.replace('"Please call later"', "Our hours: 9 to 5")
    assert "a comma is missing" in errors_of(comma)[0].message
    assert 'announce: "Our hours: 9 to 5"' in errors_of(sentence)[0].message


def test_a_bracket_that_is_open_is_told_where_it_begins_in_a_large_file_too() -> None:
    more = "".join(f"  d{n}: +19195550101\n" for n in range(6000))
    text = GOOD.replace("{outside: office}", "{outside: office").replace(
        "  bo:\n", f"{more}  bo:\n"
    )
    (error,) = errors_of(text)
    assert error.line == text[: text.index("{outside")].count("\n") + 1
    assert "write `when: {outside: office}`" in error.message


# What the parser says -> a text of which it says so.
THEIRS = {
    "could not find expected ':'": "a: 1\nb\nc: 2\n",
    "did not find expected '!'": "%TAG x y\n---\na: 1\n",
    "did not find expected tag URI": "%TAG ! \n---\na: 1\n",
    "found unexpected ':'": "{a: x :[}\n",
    "did not find expected alphabetic or numeric character": "a: &\n",
    "found unknown directive name": "%FOO bar\n---\na: 1\n",
    "did not find the expected '>'": "a: !<x y\n",
    "found extremely long version number": "%YAML 1111111111.1\n---\na: 1\n",
    "did not find expected version number": "%YAML x\n---\na: 1\n",
    "found a tab character where an indentation space is expected": "a: |\n\tx\n b\n",
    "did not find URI escaped octet": "a: !%zz b\n",
    "found an incorrect leading UTF-8 octet": "a: !%ff b\n",
    "found an incorrect trailing UTF-8 octet": "a: !%c3%20 b\n",
    "found a tab character that violates indentation": "a:\n  b: c\n\td: e\n",
    "found an indentation indicator equal to 0": "a: |0\n  b\n",
    "did not find expected comment or line break": "a: | b\n",
    "found unexpected document indicator": "a: 'b\n---\nc'\n",
    "found unexpected end of stream": "a: 'b\n",
    "found unknown escape character": 'a: "\\q"\n',
    "did not find expected hexdecimal number": 'a: "\\xzz"\n',
    "found invalid Unicode character escape code": 'a: "\\Ud8000000"\n',
    "could not find expected directive name": "% \n---\na: 1\n",
    "found unexpected non-alphabetical character": "%FOO* x\n---\na: 1\n",
    "did not find expected digit or '.' character": "%YAML 1x\n---\na: 1\n",
    "did not find expected whitespace": "%TAG !x!y\n---\na: 1\n",
    "did not find expected whitespace or line break": "%TAG !x! y^\n---\na: 1\n",
    "block sequence entries are not allowed in this context": "a: - b\n",
    "mapping keys are not allowed in this context": "a: b\n? c : ? d\n",
    "mapping values are not allowed in this context": "a: b: c\n",
    "found character that cannot start any token": "a: @b\n",
    "found duplicate %TAG directive": "%TAG !x! y\n%TAG !x! z\n---\na: 1\n",
    "found duplicate %YAML directive": "%YAML 1.1\n%YAML 1.1\n---\na: 1\n",
    "found incompatible YAML document": "%YAML 3.0\n---\na: 1\n",
    "did not find expected <document start>": "a: 1\n...\nb: 2\n",
    "did not find expected node content": "a: ]\n",
    "did not find expected ',' or ']'": "a: [b\nc: d\n",
    "did not find expected '-' indicator": "- a\nb: c\n",
    "did not find expected ',' or '}'": "a: {b: c\nd: e\n",
    "found undefined tag handle": "a: !x!y b\n",
    "did not find expected key": "a: b\n- c\n",
}
_THEIR_WORDS = re.compile(
    r"did not find|could not find|not allowed in this context|cannot start any token|\boctet\b|"
    r"\bindicator\b|while (?:scanning|parsing)|found (?:a|un|in|dup|char|ext)|\bstream\b|<document"
)


@pytest.mark.parametrize("theirs", THEIRS)
@pytest.mark.parametrize("around", ["{}", "{}" + "x: y\n" * 3000, "z: {{\n" * 3 + "{}"])
def test_the_parsers_words_are_never_ours(theirs: str, around: str) -> None:
    """Neither where a mend is found, nor in a text that is too long for that, nor elsewhere."""
    text = THEIRS[theirs]
    with pytest.raises(yaml.MarkedYAMLError, match=re.escape(theirs)):
        list(yaml.parse(text, yaml.CSafeLoader))
    try:
        read(around.format(text))
    except RulesError as wrong:
        for error in wrong.errors:
            assert not _THEIR_WORDS.search(error.message), error
            assert error.line >= 1 <= error.column
    else:
        raise AssertionError(text)


def test_without_a_mend_the_lines_above_and_the_indentation_are_named() -> None:
    (error,) = errors_of(f'x: {"y" * 200_000}\na: "b\nc: d\n')
    assert (error.line, error.column) == (2, 4)
    assert "is the indentation right, here and in the lines above?" in error.message


@pytest.mark.parametrize("sign", ["\x00", "\x07", "\x1b", "\ufffe", "\ud800"])
def test_a_sign_that_no_file_can_have_is_named(sign: str) -> None:
    (error,) = errors_of(GOOD.replace("  bo:", f"  b{sign}o:"))
    assert (error.line, error.column) == (5, 4)
    assert f"(U+{ord(sign):04X}) cannot stand in a rules file" in error.message


SIGNS = [*"\"'\t{}[],:-#@*&!%|>?`=;", "\u00a0", "\u200b", "\u2013", "\u201c", "\n", " ", "  "]


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, int]:
    """The shipped file with one sign deleted, inserted or swapped, and the line of that."""
    at = draw(st.integers(0, len(SHIPPED) - 2))
    kind = draw(st.sampled_from(["delete", "insert", "swap"]))
    before, rest = SHIPPED[:at], SHIPPED[at:]
    assume("\n" not in rest[:2])  # what is joined to a comment is gone; nobody sees that it was one
    new = {
        "delete": rest[1:],
        "insert": draw(st.sampled_from(SIGNS)) + rest,
        "swap": rest[1] + rest[0] + rest[2:],
    }[kind]
    return before + new, before.count("\n") + 1


FAR = {"unknown-name", "missing-key"}
"""What shows only where something is used, or at what lacks it."""


@settings(max_examples=200, deadline=None)
@given(edit=edits())
@example(edit=(SHIPPED.replace("  main:\n", " main:\n", 1), 46))
def test_one_wrong_sign_is_told_near_it_and_in_plain_words(edit: tuple[str, int]) -> None:
    text, line = edit
    try:
        read(text)
    except RulesError as wrong:
        errors = wrong.errors
    else:
        return
    lines = text.splitlines()
    for error in errors:
        assert 1 <= error.line <= len(lines) + 1, error
        assert 1 <= error.column <= len([*lines, ""][error.line - 1]) + 1, error
        assert not _THEIR_WORDS.search(error.message), error
    near = [abs(error.line - line) <= 3 for error in errors]
    told = any(
        f"line {n}" in e.message or f"{n}:" in e.message for e in errors for n in (line, line - 1)
    )
    assert any(near) or told or {error.code for error in errors} <= FAR, errors
