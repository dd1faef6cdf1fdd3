"""Whatever a rules file holds, every error has a place in it, and none is a traceback."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.problems import RulesError
from routing.reader import read
from tests.fuzz.targets import check_places
from tests.service import Service, run, wait_until

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "routing_rules.yaml", *sorted((ROOT / "docs/cookbook").glob("*.yaml"))]
SHIPPED = [each.read_text("utf-8") for each in FILES]
PIECES = sorted({word for text in SHIPPED for word in text.split()})
SIGNS = st.sampled_from([*"{}[]:,-?*&!|>'\"%@`#~\t\r\n \x00\x07\x85\u2028\ufeff\ud800", "- ", ": "])
SECONDS = 5.0
"""Most seconds for any of these files, on a busy machine."""


def judge(text: str) -> bool:
    """Read a file; return whether it is good."""
    begun = time.process_time()
    try:
        read(text)
    except RulesError as wrong:
        check_places(wrong, text)
        return False
    finally:
        assert time.process_time() - begun < SECONDS
    return True


@given(text=st.text(st.characters(), max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_text(text: str) -> None:
    assert not judge(text)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A good file with pieces gone, doubled, put elsewhere, or replaced by anything."""
    text = draw(st.sampled_from(SHIPPED))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(text)))
        end = min(len(text), at + draw(st.integers(0, 60)))
        new = draw(st.one_of(SIGNS, st.sampled_from(PIECES), st.just(text[at:end] * 2), st.text()))
        text = text[:at] + new + text[end:]
    return text


@given(text=mutated())
@settings(max_examples=100, deadline=None)
def test_good_files_gone_bad(text: str) -> None:
    judge(text)


def bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 [x, x]"]
    for level in range(1, levels):
        aliases = ", ".join([f"*a{level - 1}"] * width)
        lines.append(f"a{level}: &a{level} [{aliases}]")
    return "\n".join(lines)


LARGE = {
    "an alias bomb": bomb(40, 9),
    "a flat alias bomb": f"a: &a [{'x, ' * 5000}]\nb: [{'*a, ' * 5000}]",
    "an alias to itself": "a: &a {b: *a}",
    "an unknown alias": "a: *b",
    "deep lists": "[" * 20_000,
    "deep mappings": "{a: " * 20_000,
    "deep by indentation": "\n".join(" " * depth + "a:" for depth in range(1000)),
    "deep sequences": "- " * 5000,
    "a huge scalar": "version: " + "9" * 2_000_000,
    "a huge key": "k" * 2_000_000 + ": 1",
    "a huge quoted scalar": 'lines: "' + "\\u00e9" * 300_000 + '"',
    "many keys": "\n".join(f"key{n}: {n}" for n in range(5000)),
    "many of the same key": "lines: {}\n" * 30_000,
    "many unknown names": "lines:\n"
    + "\n".join(
        f"  l{n}: {{numbers: +1919555{n:04}, otherwise: {{transferTo: nobody{n}}}}}"
        for n in range(2000)
    ),
    "many errors of one kind": "destinations:\n" + "\n".join(f"  d{n}: x{n}" for n in range(5000)),
    "many documents": "---\na: b\n" * 10_000,
    "many anchors": "\n".join(f"a{n}: &a{n} x" for n in range(5000)),
    "a long number range": "schedules: {s: {hours: {mon-sun: 00:00-" + "9" * 100_000 + ":00}}}",
    "a date far away": "calendars: {c: [0001-01-01..9999-12-31, 9999-99-99, FREQ=SECONDLY]}",
    "many tags": "a: !!python/object/apply:os.system [x]\n" * 2000,
    "only a byte order mark": "\ufeff",
    "only carriage returns": "\r" * 1000 + "{",
    "line separators": "\u2028\u2029\x85" * 1000 + "{",
}


@pytest.mark.parametrize("name", LARGE)
def test_large_and_strange_files(name: str) -> None:
    assert not judge(LARGE[name])


RAW = {
    "an alias bomb": LARGE["an alias bomb"].encode(),
    "deep lists": LARGE["deep lists"].encode(),
    "nothing": b"",
    "no text": bytes(range(256)),
    "utf-16": SHIPPED[0].encode("utf-16"),
    "half a character": SHIPPED[0].encode() + b"\xc3",
    "control characters": b"lines: \x1b[31m{\x00",
    "a surrogate": "lines: \ud800".encode("utf-8", "surrogatepass"),
}


@pytest.mark.parametrize("name", RAW)
def test_check_says_what_is_wrong(tmp_path: Path, name: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_bytes(RAW[name])
    done = run("flask", "rules", "check", str(file), seconds=30)
    assert (done.returncode, done.stderr) == (1, "")
    assert str(file) in done.stdout
    assert "Traceback" not in done.stdout


def test_a_running_service_refuses_them_and_reads_the_next(stubbed: Service) -> None:
    """The last good rules stay, and the watch goes on."""
    good = stubbed.rules_path.read_bytes()
    try:
        for name in ("an alias bomb", "no text", "control characters", "deep lists"):
            before = len(stubbed.log)
            stubbed.rules_path.write_bytes(RAW[name])
            wait_until(lambda: len(stubbed.logged("rules-refused", before)) == 2)  # noqa: B023
            assert stubbed.readiness()[0] == 503
    finally:
        before = len(stubbed.log)
        stubbed.rules_path.write_bytes(good)
    wait_until(lambda: stubbed.readiness()[0] == 200)
