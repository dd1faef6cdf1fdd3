"""Nothing that a caller chooses does anything to the terminal of whoever looks at the call."""

from __future__ import annotations

import json
import re
import time
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow.ledger import OVERRIDE, PRESENCE, Setting
from callflow.sqlite import SqliteLedger
from commands.output import Printable, printable, styled
from tests.scenario.rules import PLAIN
from tests.service import PROJECT, Service, event, new_call_id, run

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

BAD = [
    "\x1b]0;title\x07",
    "\x1b[2J\x1b[1;1H",
    "\x9b31m",
    "\x90q\x9c",
    "\u202egnp.exe\u202c",
    "\u2066x\u2069\u200f\u061c",
    "zero\u200b\u200d\u2060\ufeffwidth",
    "soft\u00adhyphen",
    "a\u034fb\ufe0fc\u3164d\U000e0041e",
    "x\n2026-01-01T00:00:00  forged",
    "x\r\x0b\x0cy",
    "x\u2028y\u2029z\x85",
    "\x00\x08\x7f",
    "\t",
    "\ud800",
    "\udfff\ud800",
]


def unfit(text: str) -> list[str]:
    """The characters of a text that should not reach a terminal; line ends may."""
    return [
        each
        for each in text
        if each != "\n"
        and (
            unicodedata.category(each) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
            or (unicodedata.category(each) == "Zs" and each != " ")
            or each in "\u034f\u115f\u3164\ufe0f\uffa0"
        )
    ]


@given(st.text(st.characters(), max_size=60))
def test_what_is_not_printable_is_escaped(text: str) -> None:
    shown = printable(text)
    assert unfit(shown) == []
    assert "\n" not in shown
    assert printable(shown) is shown
    assert (shown == text) is (unfit(text) == [] and "\n" not in text)


@given(st.text(st.characters(), max_size=20))
def test_a_colour_is_of_our_making(text: str) -> None:
    for line in ("x" + styled(text, fg="red") + text, text + styled("x", bold=True)):
        assert isinstance(line, Printable)
        assert unfit(re.sub(r"\x1b\[\d+m", "", line)) == []
        assert len(re.findall("\x1b", line)) == 2


@given(st.characters())
def test_letters_of_any_script_stay(character: str) -> None:
    if unicodedata.category(character)[0] in "LN" and not unfit(character):
        assert printable(character) in {character, character.encode("unicode_escape").decode()}
    if character in "äßñ日本語אبक→✓":
        assert printable(character) == character


@pytest.mark.parametrize("path", sorted((PROJECT / "commands").glob("*.py")), ids=lambda p: p.name)
def test_there_is_one_door_to_the_terminal(path: Path) -> None:
    others = r"click\.(secho|echo|style|UsageError\(|ClickException\()|\bprint\(|sys\.std\w+\.write"
    found = re.findall(others, path.read_text("utf-8"))
    assert not found or path.name == "output.py"


# From outside


@pytest.fixture(scope="module")
def told(_stubbed: Service) -> dict[str, str]:
    """A service that was told of a call for each bad text, everywhere; the commands' settings."""
    service = _stubbed
    assert service.stub is not None
    service.stub.reset()
    for bad in BAD:
        call_id = new_call_id()
        anything: dict[str, Any] = {
            "diversion": dict.fromkeys(("origTo", "reason", "limit", bad), bad),
            "displayName": bad,
            bad: bad,
        }
        places = {"from": f"sip:{bad}@example.org", "tag": bad, "callState": "active"}
        service.post(event("incomingcall", call_id, PLAIN, **places, **anything))
        service.post(event("answer", call_id, PLAIN, **places, **anything))
        sent = service.transfers(call_id)
        if sent:
            path = sent[0].body["callbackUrl"].partition(f":{service.port}")[2]
            service.post(event("hangup", f"c-leg{call_id}", PLAIN, cause=bad), path)
        service.post(event("hangup", call_id, PLAIN, cause=bad, **places))
        other = event("answer", new_call_id(), f"sip:{bad}@x", **{"from": bad})
        service.post(other)
        service.post(event("hangup", other["callId"], PLAIN, cause=bad))
    ledger = SqliteLedger(str(service.ledger_path))
    for bad in BAD:
        if bad.isprintable() or "\ud800" in bad:
            continue
        ledger.set(OVERRIDE, Setting(f"schedule {bad}", f"open {bad}", None), time.time())
        ledger.set(PRESENCE, Setting(f"person {bad}", f"away {bad}", None), time.time())
    ledger.close()
    return {name: service.env[name] for name in ("LEDGER_URL", "ROUTING_RULES")}


def check(done: subprocess.CompletedProcess[str]) -> None:
    for text in (done.stdout, done.stderr):
        assert unfit(text) == [], text
        assert "Traceback" not in text
        assert not re.search("(?m)^2026-01-01T00:00:00", text)


def test_no_command_shows_them_as_they_came(told: dict[str, str]) -> None:
    listed = run("flask", "calls", "list", "--json", "--limit", "100", env=told)
    assert listed.stdout.isascii()
    calls = [each["callId"] for each in json.loads(listed.stdout)]
    assert len(calls) >= len(BAD)
    shown = [run("flask", "calls", "show", call_id, env=told) for call_id in calls]
    for done in shown:
        check(done)
    for escaped in (r"\x1b", r"\u202e", r"\ud800", r"\n2026"):
        assert any(escaped in done.stdout for done in shown)
    commands = [
        ["calls", "list", "--limit", "100"],
        ["rules", "replay"],
        ["override", "list"],
        ["presence", "list"],
    ]
    for command in commands:
        done = run("flask", *command, env=told)
        check(done)
        assert done.returncode in {0, 1}
        assert done.stdout


def test_json_is_ascii(told: dict[str, str]) -> None:
    listed = run("flask", "calls", "list", "--json", env=told)
    call_id = json.loads(listed.stdout)[0]["callId"]
    commands = [
        ["calls", "show", call_id],
        ["rules", "replay"],
        ["rules", "check"],
        ["rules", "explain", "--to", PLAIN],
        ["rules", "timeline", "--days", "1"],
        ["override", "list"],
        ["presence", "list"],
    ]
    for command in commands:
        done = run("flask", *command, "--json", env=told)
        assert re.fullmatch(r"[\n\x20-\x7e]+", done.stdout), command
        json.loads(done.stdout)


@pytest.mark.parametrize("bad", [b"\xff", "\u202e\x1b[31m".encode(), b"c-1\n2026-01-01T00:00:00 x"])
@pytest.mark.parametrize(
    "command",
    [
        ["calls", "show", "X"],
        ["override", "clear", "X"],
        ["override", "set", "X", "open", "--until", "2030-01-01T00:00"],
        ["override", "set", "office", "open", "--until", "X"],
        ["presence", "set", "X", "away"],
        ["rules", "explain", "--to", "X"],
        ["rules", "explain", "--to", PLAIN, "--from", "X"],
        ["rules", "explain", "--to", PLAIN, "--from", "sip:X@example.org"],
        ["rules", "explain", "--to", PLAIN, "--busy", "X"],
        ["rules", "explain", "--to", PLAIN, "--presence", "X=away"],
        ["rules", "explain", "--to", PLAIN, "--at", "X"],
        ["rules", "check", "X"],
        ["rules", "test", "X"],
        ["rules", "timeline", "X"],
        ["rules", "replay", "--since", "X"],
    ],
    ids=" ".join,
)
def test_nor_what_was_typed(told: dict[str, str], command: list[str], bad: bytes) -> None:
    typed = [each.replace("X", bad.decode(errors="surrogateescape")) for each in command]
    done = run("flask", *typed, env=told)
    check(done)
    assert done.returncode in {0, 1, 2}
