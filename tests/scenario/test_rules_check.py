"""`flask rules check`, `diff` and `replay` as people run them: output, exit codes, witnesses."""

# ruff: noqa: E501 - a rule of the file has one line

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
import pty
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.rules_check import many_lines
from callflow import changes
from callflow.sqlite import SqliteLedger
from routing.callers import is_withheld
from routing.conditions import Call, Facts
from routing.reader import read
from routing.router import route
from tests.proof_cases import case

if TYPE_CHECKING:
    from callflow.record import Record

PROJECT = Path(__file__).parents[2]
FLASK = str(Path(sys.executable).parent / "flask")
FAULTY = case(
    "name: spam, when: {from: spam}, reject: true\n"
    "name: closed, when: {outside: office}, transferTo: +19195551000\n"
    "name: open, when: {during: office}, followMe: [{transferTo: ana, ring: 12s}, {transferTo: bo}]\n"
    "name: dead, when: {presence: {bo: dnd}, busy: desk, from: vip, diverted: away}, transferTo: desk"
)


def run(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FLASK, *words],
        cwd=PROJECT,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("faulty") / "faulty rules.yaml"
    path.write_text(FAULTY, encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def report(faulty: str) -> dict[str, Any]:
    ended = run("rules", "check", faulty, "--json")
    assert (ended.returncode, ended.stderr) == (1, "")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def explained(witness: dict[str, Any]) -> dict[str, Any]:
    """What `explain` says of a witness, by the very command that was printed."""
    flask, *words = shlex.split(witness["explain"])
    assert flask == "flask"
    ended = run(*words, "--json")
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def line_of(text: str) -> int:
    return next(n for n, line in enumerate(FAULTY.split("\n"), 1) if text in line)


def test_a_loop_is_an_error_and_explain_dials_our_own_line(report: dict[str, Any]) -> None:
    (error,) = report["errors"]
    assert (error["code"], error["line"]) == ("loop", line_of("name: closed"))
    assert error["cycle"] == ["main", "main"]
    assert error["path"] == "lines.main.rules[1]"
    (hop,) = error["hops"]
    found = explained(hop["witness"])
    assert (found["line"], found["rule"]) == ("main", "closed")
    assert found["attempts"][-1]["transferTo"] == ["+19195551000"]


def test_a_dead_rule_is_a_warning_and_explain_shows_what_hides_it(report: dict[str, Any]) -> None:
    (dead,) = [each for each in report["warnings"] if each["code"] == "dead-rule"]
    assert dead["line"] == line_of("name: dead")
    assert dead["column"] == 9
    assert [each["rule"] for each in dead["hiddenBy"]] == [
        "spam",
        "closed",
        "open",
    ]  # spam: a vip who withholds the number
    for each in dead["hiddenBy"]:
        assert each["line"] == line_of(f"name: {each['rule']}")
        found = explained(each["witness"])
        assert found["rule"] == each["rule"]
        assert each["because"] in [step["because"] for step in found["trace"]]
        assert each["witness"]["presence"] == {"bo": "dnd"}
        assert each["witness"]["busy"] == ["desk"]
        assert each["witness"]["diverted"] == "away"


def test_a_witness_who_withholds_the_number_is_explained_too(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        case(
            "name: known, when: {not: {from: anonymous}}, transferTo: desk\n"
            "name: nobody, when: {notFrom: ny}, reject: true\n"
            "name: withheld, transferTo: ana"
        ),
        encoding="utf-8",
    )
    found = json.loads(run("rules", "check", str(path), "--json").stdout)
    (untested,) = [e for e in found["information"] if "'withheld'" in e["message"]]
    assert untested["witness"]["anonymous"] is True
    assert "--anonymous" in untested["witness"]["explain"]
    assert "proposedExpect" not in untested  # `expect` has no word for it
    assert explained(untested["witness"])["rule"] == "withheld"


def test_every_witness_of_untested_rules_gets_its_rule(report: dict[str, Any]) -> None:
    untested = [each for each in report["information"] if each["code"] == "untested"]
    assert {each["path"] for each in untested} == {f"lines.main.rules[{n}]" for n in range(3)}
    for each in untested:
        assert each["proposedExpect"] in report["proposedExpect"]
        assert f"rule {explained(each['witness'])['rule']!r}" in each["message"]


def test_the_longest_ring_and_the_hours_of_a_line(report: dict[str, Any]) -> None:
    line = report["lines"]["main"]
    ring = line["longestRing"]
    assert ring["seconds"] == sum(each["ring"] for each in ring["chain"]) == 12 + 10 + 10 + 10
    assert [each["rings"] for each in ring["chain"]] == [
        ["ana"],
        ["bo"],
        ["answering"],
        ["answering"],
    ]
    hours = {each["rule"]: each for each in line["reached"]}
    assert hours["open"]["week"] == "mon-fri 09:00-17:00"
    assert hours["open"]["hoursOfWeek"] == [d * 24 + h for d in range(5) for h in range(9, 17)]
    assert hours["closed"]["reaches"] == "+19195551000"
    assert line["onlyOtherwise"] == []


def test_the_text_has_places_commands_and_counts(faulty: str) -> None:
    ended = run("rules", "check", faulty)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert f"{faulty}:{line_of('name: dead')}:9: warning: lines.main.rules[3]" in ended.stdout
    assert "main -> main" in ended.stdout
    assert f"--rules '{faulty}'" in ended.stdout
    assert "  open → ana, then bo: mon-fri 09:00-17:00" in ended.stdout
    assert (
        "  rings 42 s at most: open: ana 12 s, bo 10 s, otherwise: answering 10 s" in ended.stdout
    )


def test_warnings_fail_only_when_strict(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(case("name: all, transferTo: desk\nname: dead, transferTo: ana"), "utf-8")
    assert run("rules", "check", str(path)).returncode == 0
    strict = run("rules", "check", str(path), "--strict")
    assert strict.returncode == 1
    assert strict.stdout.count("[dead-rule]") == 1
    assert "[hidden-rule]" not in strict.stdout


def test_the_shipped_rules_are_proved_within_a_second_or_two() -> None:
    began = time.monotonic()
    found = json.loads(run("rules", "check", "--json").stdout)
    assert time.monotonic() - began < 10  # 0.6 s on a free machine
    assert (found["errors"], found["warnings"]) == ([], [])
    codes = [each["code"] for each in found["information"]]
    assert codes == ["no-subdivision", "only-otherwise"]


def on_a_terminal(path: Path) -> str:
    """What appears on a terminal's standard error."""
    leader, follower = pty.openpty()
    command = [FLASK, "rules", "check", str(path)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=follower) as done:
        os.close(follower)
        shown = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while more := os.read(leader, 4096):
                shown += more
        done.wait(60)
    os.close(leader)
    return shown.decode()


def test_a_progress_bar_shows_on_a_terminal_when_it_takes_long(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(many_lines(300), "utf-8")
    shown = on_a_terminal(path)
    assert "proving" in shown
    assert "100%" in shown
    path.write_text(many_lines(2), "utf-8")
    assert on_a_terminal(path) == ""
    quiet = run("rules", "check", str(path))
    assert (quiet.returncode, quiet.stderr) == (0, "")


def test_diff_says_in_words_what_changes(tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    text = (PROJECT / "routing_rules.yaml").read_text("utf-8")
    new.write_text(text.replace("fri: 09:00-15:00", "fri: 09:00-17:00"), "utf-8")
    old = "routing_rules.yaml"
    ended = run("rules", "diff", old, str(new))
    assert (ended.returncode, ended.stderr) == (1, "")
    told = [line for line in ended.stdout.splitlines() if not line.startswith("    ")]
    assert told == [
        "main, fri 15:00-17:00, any caller not in spam, reception busy: answering → ana",
        (
            "main, fri 15:00-17:00, any caller not in spam, reception not busy:"
            " answering → reception, then ana + bo"
        ),
        "2 differences",
    ]
    shown = [line.strip() for line in ended.stdout.splitlines() if line.startswith("    ")]
    rung = [explained({"explain": each})["attempts"][0]["destinations"] for each in shown]
    assert rung == [["answering"], ["ana"], ["answering"], ["reception"]]
    table = run("rules", "diff", old, str(new), "--markdown").stdout.splitlines()
    assert table[:2] == ["| Line | When | Calls | Before | After |", "|---|---|---|---|---|"]
    assert len(table) == 4
    same = run("rules", "diff", old, old)
    assert (same.returncode, same.stdout) == (0, "no call goes elsewhere\n")
    for each in json.loads(run("rules", "diff", old, str(new), "--json").stdout):
        assert explained(each["witness"])["rule"] == "closed"


def test_diff_tells_one_change_once_with_a_call_that_each_file_routes_its_own_way(
    tmp_path: Path,
) -> None:
    rules = "".join(
        f"name: r{n}, when: {{busy: {full}, presence: {{{who}: [dnd, away]}}, from: {caller}}}, transferTo: desk\n"
        for n, (full, who, caller) in enumerate(
            itertools.product(("desk", "ana"), ("ana", "bo"), ("vip", "sip", "spam"))
        )
    )
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(case(rules), "utf-8")
    new.write_text(case(rules, "{transferTo: bo}").replace("capacity: 2", "capacity: 3"), "utf-8")
    ended = run("rules", "diff", str(old), str(new), "--json")
    assert ended.returncode == 1
    found = json.loads(ended.stdout)
    assert ("otherwise: answering", "otherwise: bo") in {(e["before"], e["after"]) for e in found}
    texts = [(each["before"], each["after"]) for each in found]
    assert len(texts) == len(set(texts))
    for each in found:
        ways = [explained({"explain": each["witness"][key]}) for key in ("explain", "explainNew")]
        assert ways[0]["attempts"] != ways[1]["attempts"]
    assert any("desk with 2 calls" in each["case"] for each in found)


def test_diff_says_where_it_compared_only_a_part(tmp_path: Path) -> None:
    """Conditions that each tell many people apart at once, in every other order."""
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(entangled(48, "ana"), "utf-8")
    new.write_text(entangled(48, "bo"), "utf-8")
    ended = run("rules", "diff", str(old), str(new))
    assert ended.returncode == 1
    assert "main: the rules tell too many cases apart" in ended.stdout
    table = run("rules", "diff", str(old), str(new), "--markdown")
    assert (table.returncode, "**main**: the rules tell too many" in table.stdout) == (1, True)
    data = run("rules", "diff", str(old), str(new), "--json")
    assert data.returncode == 1
    assert {"line": "main", "partly": True} in json.loads(data.stdout)
    proved = run("rules", "check", str(old))
    assert "[not-proved]" in proved.stdout


def entangled(count: int, last: str) -> str:
    """Rules that look at many destinations in one order, and then at pairs of them."""
    people = "".join(f"  d{n}: {{transferTo: +1919555{n:04}, capacity: 1}}\n" for n in range(count))
    names = ", ".join(f"d{n}" for n in range(count))
    half = count // 2
    rules = "\n".join(
        f"name: r{n}, when: {{busy: d{n}, not: {{busy: d{n + half}}}}}, transferTo: d{n}"
        for n in range(half)
    )
    first = f"name: first, when: {{from: spam, busy: [{names}]}}, reject: true"
    text = case(f"{first}\n{rules}\nname: last, transferTo: {last}")
    return text.replace("callers:", f"{people}callers:", 1)


def test_diff_of_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert run("rules", "diff", "routing_rules.yaml", str(tmp_path / "none")).returncode == 2
    bad = tmp_path / "bad.yaml"
    bad.write_text("lines: {}", "utf-8")
    assert run("rules", "diff", "routing_rules.yaml", str(bad)).returncode == 1


SHIPPED = (PROJECT / "routing_rules.yaml").read_text("utf-8")
FRIDAY = dt.datetime(2026, 3, 13, 20, 30, tzinfo=dt.UTC)  # 16:30 in New York
MONDAY = dt.datetime(2026, 3, 9, 15, 0, tzinfo=dt.UTC)


def note_call(
    ledger: SqliteLedger, call: Call, facts: Facts, outcomes: tuple[str, ...] = ()
) -> None:
    """Record a call as the service does when it routes one, with what came of it."""
    rules = read(SHIPPED)
    chosen = route(rules, call, facts)
    decided = changes.decided(chosen, rules.digest, call.at.timestamp(), facts)

    def change(record: Record, _: object) -> None:
        record.to, record.caller, record.seen_at = call.to, call.caller, call.at.timestamp() - 1
        record.anonymous, record.diverted = call.anonymous, call.diverted
        decided(record)
        for outcome in outcomes:
            record.note(time.time(), "outcome", outcome=outcome, cause=None)

    ledger.update(f"c-{call.at:%a%H%M%S%f}-{len(facts.busy)}{len(outcomes)}", change)


@pytest.fixture
def ledger(tmp_path: Path) -> tuple[SqliteLedger, str]:
    path = tmp_path / "ledger.sqlite3"
    return SqliteLedger(str(path)), f"sqlite:///{path}"


def call_to(to: str, at: dt.datetime, caller: str = "+12025550100") -> Call:
    return Call(to, caller, at, is_withheld(caller))


def test_replay_finds_the_calls_that_other_rules_send_elsewhere(
    tmp_path: Path, ledger: tuple[SqliteLedger, str]
) -> None:
    book, url = ledger
    main = "+19195551000"
    for n in range(3):
        note_call(book, call_to(main, FRIDAY + dt.timedelta(seconds=n)), Facts())
    note_call(book, call_to(main, MONDAY), Facts(frozenset({"reception"})))
    note_call(book, call_to(main, MONDAY + dt.timedelta(hours=1)), Facts(), ("no-answer", "busy"))
    note_call(book, call_to("+19195559999", MONDAY), Facts())
    book.close()
    same = run("rules", "replay", LEDGER_URL=url)
    assert (same.returncode, same.stdout) == (0, "0 of 6 calls would have gone elsewhere\n")
    new = tmp_path / "new.yaml"
    new.write_text(SHIPPED.replace("fri: 09:00-15:00", "fri: 09:00-17:00"), "utf-8")
    ended = run("rules", "replay", str(new), LEDGER_URL=url)
    assert (ended.returncode, ended.stderr) == (1, "")
    lines = ended.stdout.splitlines()
    assert lines[0] == "main: answering → reception: 3 calls"
    assert lines[-1] == "3 of 6 calls would have gone elsewhere"
    late = run("rules", "replay", str(new), "--since", "2026-03-13T16:30", LEDGER_URL=url)
    assert "2 of 2 calls" in late.stdout  # the first was seen a second before
    wrong = run("rules", "replay", "--since", "yesterday", LEDGER_URL=url)
    assert wrong.returncode == 2


def test_replay_follows_the_outcomes_and_facts_of_the_time(
    tmp_path: Path, ledger: tuple[SqliteLedger, str]
) -> None:
    book, url = ledger
    main = "+19195551000"
    note_call(book, call_to(main, MONDAY), Facts(frozenset({"reception"})))
    note_call(book, call_to(main, MONDAY), Facts(), ("no-answer",))
    late = MONDAY + dt.timedelta(hours=1)
    note_call(book, call_to(main, late), Facts(presence={"ana": "dnd"}), ("no-answer",))
    book.close()
    new = tmp_path / "new.yaml"
    new.write_text(SHIPPED.replace("+19195550103", "+19195550109"), "utf-8")  # bo's number
    found = json.loads(run("rules", "replay", str(new), "--json", LEDGER_URL=url).stdout)
    assert (found["calls"], found["elsewhere"], found["withoutFacts"]) == (3, 2, 0)
    ways = {(each["before"], each["after"]) for each in found["moved"]}
    before, after = "+19195550103", "+19195550109"
    reception, ana = "+19195550101", "+19195550102"
    assert ways == {
        (f"{reception}, then {ana} + {before}", f"{reception}, then {ana} + {after}"),
        (f"{reception}, then {before}", f"{reception}, then {after}"),
    }
