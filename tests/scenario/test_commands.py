"""The commands as a person or a script runs them."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from tests.scenario.rules import ANN, PLAIN, RULES
from tests.service import CALLER, LEGS, PROJECT, Service, event, new_call_id, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WARNED = """
version: 1
timezone: America/New_York
destinations: {ana: {transferTo: +12125550101, capacity: 1}, unused: +12125550102}
lines:
  main:
    numbers: +12125550199
    rules: [{name: night, when: {busy: ana}, transferTo: +12125550103}]
    otherwise: {transferTo: ana}
emergency: {transferTo: +12125550103}
expect:
  - {to: main, rule: otherwise}
"""
FAILING = WARNED + "  - {to: main, rule: night}\n  - {to: main, busy: ana, rule: night}\n"
BROKEN = WARNED.replace("busy: ana", "busy: anna").replace("timezone:", "timezon:")
PROBLEM_KEYS = {"line", "column", "path", "code", "message"}


def one_json(ended: Any) -> Any:
    """Stdout is exactly one JSON document, and nothing was said beside it."""
    decoder = json.JSONDecoder()
    value, end = decoder.raw_decode(ended.stdout)
    assert ended.stdout[end:].strip() == ""
    assert ended.stderr == ""
    assert "\x1b" not in ended.stdout
    return value


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    made = {}
    for name, text in {"warned": WARNED, "failing": FAILING, "broken": BROKEN}.items():
        path = tmp_path / f"{name} rules.yaml"
        path.write_text(text)
        made[name] = str(path)
    return made


class TestCheck:
    def test_the_shipped_rules(self) -> None:
        ended = run("flask", "rules", "check")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "0 errors, 0 warnings" in ended.stdout
        assert run("flask", "rules", "check", "--strict").returncode == 0
        found = one_json(run("flask", "rules", "check", "--json"))
        assert (found["errors"], found["warnings"]) == ([], [])

    def test_the_release_command_of_the_procfile(self) -> None:
        lines = (PROJECT / "Procfile").read_text().splitlines()
        (release,) = (line.split(":", 1)[1].split() for line in lines if line[:8] == "release:")
        assert run(*release).returncode == 0

    def test_warnings(self, files: dict[str, str]) -> None:
        ended = run("flask", "rules", "check", files["warned"])
        assert ended.returncode == 0
        assert f"{files['warned']}:4:" in ended.stdout
        strict = run("flask", "rules", "check", files["warned"], "--strict", "--json")
        assert strict.returncode == 1
        found = one_json(strict)
        assert found["errors"] == []
        assert [set(each) for each in found["warnings"]] == [PROBLEM_KEYS]
        assert found["warnings"][0]["line"] == 4

    def test_errors(self, files: dict[str, str]) -> None:
        ended = run("flask", "rules", "check", files["broken"])
        assert ended.returncode == 1
        assert f"{files['broken']}:3:1: error" in ended.stdout
        as_json = run("flask", "rules", "check", files["broken"], "--json")
        assert as_json.returncode == 1
        errors = one_json(as_json)["errors"]
        assert all(set(each) == PROBLEM_KEYS for each in errors)
        assert {3, 8} <= {each["line"] for each in errors}
        named = next(each for each in errors if each["line"] == 8)
        assert named["path"] == "lines.main.rules[0].when.busy"
        assert named["code"] == "unknown-name"
        assert named["column"] == 40
        assert "ana" in named["message"]

    def test_expectations_that_fail(self, files: dict[str, str]) -> None:
        ended = run("flask", "rules", "check", files["failing"], "--json")
        assert ended.returncode == 1
        (error,) = one_json(ended)["errors"]
        assert error["line"] == 13

    def test_the_rules_that_the_service_uses(self, files: dict[str, str]) -> None:
        assert (
            run("flask", "rules", "check", env={"ROUTING_RULES": files["broken"]}).returncode == 1
        )

    @pytest.mark.parametrize(
        "arguments",
        [
            ["no-such-file.yaml"],
            ["."],
            ["--no-such-option"],
            ["a", "b"],
        ],
    )
    def test_wrong_usage(self, arguments: list[str]) -> None:
        ended = run("flask", "rules", "check", *arguments)
        assert ended.returncode == 2
        assert ended.stdout == ""
        assert "Traceback" not in ended.stderr

    def test_a_file_that_is_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "r.yaml"
        path.write_bytes(b"\xff\xfe\x00")
        ended = run("flask", "rules", "check", str(path))
        assert ended.returncode in {1, 2}
        assert "Traceback" not in ended.stderr


class TestTest:
    def test_the_shipped_rules(self) -> None:
        ended = run("flask", "rules", "test", "--json")
        assert ended.returncode == 0
        found = one_json(ended)
        assert set(found) == {"passed", "failed", "results"}
        assert found["failed"] == 0
        assert found["passed"] == len(found["results"]) > 5
        lines = [each["line"] for each in found["results"]]
        assert lines == sorted(lines)

    def test_failing(self, files: dict[str, str]) -> None:
        ended = run("flask", "rules", "test", files["failing"], "--json")
        assert ended.returncode == 1
        found = one_json(ended)
        assert (found["passed"], found["failed"]) == (2, 1)
        assert [each["line"] for each in found["results"]] == [12, 13, 14]
        assert [each["passed"] for each in found["results"]] == [True, False, True]
        assert all(set(each) == {"line", "passed", "because"} for each in found["results"])
        assert "otherwise" in found["results"][1]["because"]
        text = run("flask", "rules", "test", files["failing"])
        assert text.returncode == 1
        assert f"FAIL {files['failing']}:13" in text.stdout
        assert "2 passed, 1 failed" in text.stdout

    def test_why_it_fails(self, files: dict[str, str]) -> None:
        """The rule that was chosen, why, and the command that shows it."""
        text = run("flask", "rules", "test", files["failing"])
        failed, shown = text.stdout.splitlines()[1:3]
        assert "expected rule 'night', but 'otherwise' was chosen (night: " in failed
        assert "; otherwise: no rule above held" in failed
        assert shown.startswith("    flask rules explain --to main --at ")
        (told,) = one_json(run("flask", "rules", "test", files["failing"], "--json"))["results"][
            1:2
        ]
        assert told["because"].endswith(shown.strip())
        again = run(*shlex.split(shown), "--json")
        assert one_json(again)["rule"] == "otherwise"

    def test_rules_that_are_broken(self, files: dict[str, str]) -> None:
        ended = run("flask", "rules", "test", files["broken"], "--json")
        assert ended.returncode == 1
        assert "Traceback" not in ended.stderr

    def test_no_file(self) -> None:
        assert run("flask", "rules", "test", "nowhere.yaml").returncode == 2


class TestTheFile:
    """Every command takes it in one way, and names it."""

    @pytest.mark.parametrize("command", ["check", "test", "timeline", "explain", "replay", "diff"])
    def test_as_an_argument_or_an_option(self, command: str, files: dict[str, str]) -> None:
        file = files["warned"]
        more = {"explain": ("--to", "main"), "diff": (file,)}.get(command, ())
        first = run("flask", "rules", command, *more, file)
        second = run("flask", "rules", command, *more, "--rules", file)
        assert (first.returncode, first.stderr) == (0, "")
        times = re.compile(r"\d\d\d\d-\d\d-\d\dT\d\d:\d\d|\d\d:\d\d")
        assert times.sub("", first.stdout) == times.sub("", second.stdout)
        both = run("flask", "rules", command, *more, "other.yaml", "--rules", file)
        assert both.returncode == 2
        assert "other.yaml" in both.stderr

    def test_a_timeline_of_one_line(self, files: dict[str, str]) -> None:
        file = files["warned"]
        for words in (("main", file), (file, "main"), ("main", "--rules", file)):
            ended = run("flask", "rules", "timeline", *words)
            assert (ended.returncode, ended.stderr) == (0, "")
            assert ended.stdout.splitlines()[0].endswith(f" Rules of {file}.")
        two = run("flask", "rules", "timeline", "main", "other", file)
        assert (two.returncode, "give one line" in two.stderr) == (2, True)

    @pytest.mark.parametrize(
        ("command", "words"),
        [
            (("explain", "--to", "man"), "no line is called 'man' in {}"),
            (("explain", "--to", "main", "--busy", "ann"), "is called 'ann' in {}"),
            (
                ("explain", "--to", "main", "--presence", "eva=dnd"),
                "no person is called 'eva' in {}",
            ),
            (
                ("explain", "--to", "main", "--override", "x=open"),
                "no schedule is called 'x' in {}",
            ),
            (("timeline", "man"), "no line is called 'man' in {}"),
        ],
    )
    def test_an_unknown_name_says_where_it_was_looked_for(
        self, command: tuple[str, ...], words: str, files: dict[str, str]
    ) -> None:
        file = files["warned"]
        ended = run("flask", "rules", *command, "--rules", file)
        assert ended.returncode == 2
        assert words.format(file) in ended.stderr
        mine = run("flask", "rules", *command)
        assert words.format("routing_rules.yaml") in mine.stderr

    def test_a_missing_file_is_no_line(self) -> None:
        ended = run("flask", "rules", "timeline", "../nowhere.yaml")
        assert (ended.returncode, "../nowhere.yaml: No such file" in ended.stderr) == (2, True)

    def test_what_is_explained_says_by_which_file(self, files: dict[str, str]) -> None:
        ended = run("flask", "rules", "explain", files["warned"], "--to", "main")
        assert ended.stdout.splitlines()[0].endswith(f", by {files['warned']}")


class TestExplain:
    def test_each_outcome_is_named(self) -> None:
        ended = run(
            *("flask", "rules", "explain", "--to", "main", "--at", "2026-03-09T09:00"),
            *("--outcome", "no-answer", "--outcome", "USER_BUSY"),
        )
        tried = [line for line in ended.stdout.splitlines() if line.strip()[:1].isdigit()]
        ends = [line.rpartition(": ")[2] for line in tried]
        assert ends == ["no-answer", "USER_BUSY", "answers"]

    def test_what_the_contract_shows(self) -> None:
        at = "2026-03-09T12:45"
        ended = run("flask", "rules", "explain", "--to", "main", "--at", at, "--json")
        assert ended.returncode == 0
        found = one_json(ended)
        assert (found["line"], found["rule"], found["action"]) == ("main", "closed", "transfer")
        (attempt,) = found["attempts"]
        assert set(attempt) == {
            "destinations",
            "transferTo",
            "ring",
            "diversionReason",
            "request",
        }
        assert attempt["destinations"] == ["answering"]
        assert attempt["transferTo"] == ["+18005550199"]
        assert attempt["ring"] == 20
        assert attempt["diversionReason"] == "time-of-day"
        assert attempt["request"] == {
            "state": "transferring",
            "transferTo": "+18005550199",
            "whisperAudio": {
                "sentence": "Call for Main Office",
                "voice": "julie",
                "locale": "en_US",
            },
            "diversionTreatment": "stack",
            "diversionReason": "time-of-day",
        }
        assert [step["rule"] for step in found["trace"]] == ["block spam", "closed"]
        assert [step["held"] for step in found["trace"]] == [False, True]
        assert all(set(step) == {"rule", "held", "because"} for step in found["trace"])
        assert "between windows" in found["trace"][1]["because"]

    @pytest.mark.parametrize("to", ["main", "+19195551000", "+19195551001"])
    def test_outcomes(self, to: str) -> None:
        found = one_json(
            run(
                *("flask", "rules", "explain", "--json", "--to", to, "--at", "2026-03-09T09:00"),
                *("--outcome", "no-answer", "--outcome", "busy"),
            )
        )
        tried = [attempt["destinations"] for attempt in found["attempts"]]
        assert tried == [["reception"], ["ana", "bo"], ["answering"]]
        reasons = [attempt["diversionReason"] for attempt in found["attempts"]]
        assert reasons == ["follow-me", "follow-me", "user-busy"]
        assert [attempt["ring"] for attempt in found["attempts"]] == [15, 20, 20]
        together = {"from": "+19195551000" if to == "main" else to, "callTimeout": 20}
        assert found["attempts"][1]["requests"] == [
            {"to": "+19195550102"} | together,
            {"to": "+19195550103"} | together,
        ]

    def test_facts(self) -> None:
        found = one_json(
            run(
                *("flask", "rules", "explain", "--json", "--to", "main"),
                *("--at", "2026-03-09T09:00-04:00", "--from", "+13105550100"),
                *("--busy", "reception", "--presence", "ana=dnd"),
            )
        )
        assert found["rule"] == "reception is busy"
        assert found["attempts"][0]["destinations"] == ["answering"]
        assert found["attempts"][0]["diversionReason"] == "do-not-disturb"

    def test_a_caller_who_is_refused(self) -> None:
        found = one_json(
            run("flask", "rules", "explain", "--json", "--to", "main", "--from", "anonymous")
        )
        assert (found["rule"], found["action"], found["attempts"]) == ("block spam", "reject", [])

    def test_a_number_on_no_line(self) -> None:
        found = one_json(run("flask", "rules", "explain", "--json", "--to", "+13105559999"))
        assert (found["line"], found["rule"]) == (None, "emergency")
        assert found["attempts"][0]["diversionReason"] == "unavailable"

    def test_in_words(self) -> None:
        ended = run("flask", "rules", "explain", "--to", "main", "--at", "2026-03-09T09:00")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "follow me" in ended.stdout
        assert '"transferTo": "+19195550101"' in ended.stdout

    def test_it_is_what_the_service_does(self, stubbed: Service) -> None:
        call_id = new_call_id()
        stubbed.post(event("answer", call_id, "+19195551002"))
        env = {"ROUTING_RULES": str(stubbed.rules_path)}
        found = one_json(
            run(
                *("flask", "rules", "explain", "--json"),
                *("--to", "+19195551002", "--from", CALLER),
                env=env,
            )
        )
        assert found["attempts"][0]["request"] == stubbed.transfer_of(call_id)

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["--to", "mian"],
            ["--to", "main", "--at", "noon"],
            ["--to", "main", "--busy", "nobody"],
            ["--to", "main", "--busy", "answering"],
            ["--to", "main", "--presence", "ana"],
            ["--to", "main", "--presence", "ana=asleep"],
            ["--to", "main", "--presence", "bob=dnd"],
            ["--to", "main", "--outcome", "sorry"],
            ["--to", "main", "--from", "4155550123"],
            ["--to", "main", "--from", "grandma"],
            ["--to", "main", "--diverted", "busy"],
            ["--to", "main", "--rules", "nowhere.yaml"],
        ],
        ids=" ".join,
    )
    def test_wrong_usage(self, arguments: list[str]) -> None:
        ended = run("flask", "rules", "explain", *arguments)
        assert ended.returncode == 2
        assert ended.stdout == ""
        assert "Traceback" not in ended.stderr

    def test_a_person_who_is_none_is_called_so(self) -> None:
        ended = run("flask", "rules", "explain", "--to", "main", "--presence", "eva=dnd")
        assert "no person is called 'eva'" in ended.stderr
        ended = run("flask", "rules", "explain", "--to", "main", "--override", "shop=open")
        assert "no schedule is called 'shop'" in ended.stderr

    @pytest.mark.parametrize("caller", ["anonymous", "private", "bob@example.org", "+4930123456"])
    def test_a_caller_as_the_platform_writes_one(self, caller: str) -> None:
        ended = run("flask", "rules", "explain", "--to", "main", "--from", caller)
        assert ended.returncode == 0

    @pytest.mark.parametrize("command", [("test",), ("explain", "--to", "main", "--rules")])
    def test_broken_rules_as_json(self, files: dict[str, str], command: tuple[str, ...]) -> None:
        ended = run("flask", "rules", *command, files["broken"], "--json")
        assert ended.returncode == 1
        assert one_json(ended) == one_json(
            run("flask", "rules", "check", files["broken"], "--json")
        )

    def test_rules_that_are_broken(self, files: dict[str, str]) -> None:
        ended = run("flask", "rules", "explain", "--to", "main", "--rules", files["broken"])
        assert ended.returncode == 1
        assert ended.stdout == ""
        assert f"{files['broken']}:" in ended.stderr


RECORD_KEYS = {
    "callId",
    "from",
    "to",
    "seenAt",
    "state",
    "line",
    "rule",
    "action",
    "rulesHash",
    "endedAt",
    "endedBy",
}


@pytest.fixture(scope="module")
def routed() -> Iterator[tuple[Service, str]]:
    """A service with one finished call."""
    with Service(RULES, stub=True) as service:
        call_id = new_call_id()
        for kind in ("incomingcall", "answer", "answer"):
            service.post(event(kind, call_id, PLAIN))
        path = LEGS + service.transfers(call_id)[0].body["callbackUrl"].partition(LEGS)[2]
        service.post(event("answer", "c-leg", ANN), path)
        service.post(event("hangup", "c-leg", ANN), path)
        service.post(event("hangup", call_id, PLAIN))
        yield service, call_id


@pytest.mark.xdist_group("calls")
class TestCalls:
    def ask(self, routed: tuple[Service, str], *arguments: str) -> Any:
        return run(
            *("flask", "calls", *arguments),
            env={"LEDGER_URL": f"sqlite:///{routed[0].ledger_path}"},
        )

    def test_the_list(self, routed: tuple[Service, str]) -> None:
        ended = self.ask(routed, "list")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert routed[1] in ended.stdout
        (call,) = one_json(self.ask(routed, "list", "--json"))
        assert set(call) >= RECORD_KEYS
        assert (call["callId"], call["from"], call["to"]) == (routed[1], CALLER, PLAIN)
        assert (call["line"], call["rule"], call["action"]) == ("plain", "otherwise", "transfer")
        assert call["rulesHash"] == routed[0].readiness()[1]["rules"]["hash"]
        assert call["state"] == "over"
        assert call["endedBy"] == "NORMAL_CLEARING"

    def test_one_call(self, routed: tuple[Service, str]) -> None:
        ended = self.ask(routed, "show", routed[1])
        assert (ended.returncode, ended.stderr) == (0, "")
        assert '"transferTo": "+19195552001"' in ended.stdout
        call = one_json(self.ask(routed, "show", routed[1], "--json"))
        assert set(call) >= RECORD_KEYS | {"trace", "attempts", "events"}
        assert call["trace"][-1]["held"] is True
        (attempt,) = call["attempts"]
        assert attempt["destination"] == "ann"
        assert attempt["transferTo"] == ANN
        assert attempt["legId"].startswith("c-leg")
        assert attempt["state"] == "ended"
        kinds = [each["event"]["eventType"] for each in call["events"] if "event" in each]
        assert kinds == ["incomingcall", *["answer"] * 3, "hangup", "hangup"]

    def test_what_is_shown_holds_no_way_in(self, routed: tuple[Service, str]) -> None:
        for arguments in (["show", routed[1]], ["show", routed[1], "--json"], ["list", "--json"]):
            shown = self.ask(routed, *arguments).stdout
            assert "callbackUrl" not in shown
            assert "distinctive" not in shown

    def test_a_call_that_nobody_knows(self, routed: tuple[Service, str]) -> None:
        for arguments in (["show", "c-nowhere"], ["show", "c-nowhere", "--json"]):
            ended = self.ask(routed, *arguments)
            assert ended.returncode == 1
            assert ended.stdout == ""
            assert "c-nowhere" in ended.stderr
            assert "Traceback" not in ended.stderr

    def test_an_empty_ledger(self, tmp_path: Path) -> None:
        env = {"LEDGER_URL": f"sqlite:///{tmp_path}/l.sqlite3"}
        assert one_json(run("flask", "calls", "list", "--json", env=env)) == []
        ended = run("flask", "calls", "list", env=env)
        assert (ended.returncode, ended.stdout.strip()) == (0, "no calls yet")

    def test_a_ledger_that_cannot_be_read(self) -> None:
        ended = run("flask", "calls", "list", env={"LEDGER_URL": "sqlite:////proc/no/l.sqlite3"})
        assert ended.returncode == 1
        assert "Traceback" not in ended.stderr

    @pytest.mark.parametrize("arguments", [["show"], ["list", "--limit", "0"], ["nothing"]])
    def test_wrong_usage(self, routed: tuple[Service, str], arguments: list[str]) -> None:
        assert self.ask(routed, *arguments).returncode == 2


class TestRuntime:
    """What operators set while the service runs, on an empty ledger and the rules given here."""

    RULES_FILE = """
version: 1
timezone: Europe/Berlin
destinations: {eva: {transferTo: +12125550101, person: eva}}
schedules: {shop: {hours: {mon-sat: 10:00-20:00}, timezone: America/New_York}}
lines:
  main:
    numbers: +12125550199
    rules: [{when: {outside: shop}, reject: true}]
    otherwise: {transferTo: eva}
emergency: {transferTo: eva}
"""

    @pytest.fixture
    def env(self, tmp_path: Path) -> dict[str, str]:
        path = tmp_path / "rules.yaml"
        path.write_text(self.RULES_FILE)
        return {"ROUTING_RULES": str(path), "LEDGER_URL": f"sqlite:///{tmp_path}/ledger.sqlite3"}

    def test_an_override_as_json(self, env: dict[str, str]) -> None:
        arguments = ("override", "set", "shop", "closed", "--until", "2199-01-05T08:00", "--json")
        ended = run("flask", *arguments, env=env)
        assert ended.returncode == 0
        closed = {
            "schedule": "shop",
            "state": "closed",
            "from": None,
            "until": "2199-01-05T13:00:00+00:00",
        }
        assert one_json(ended) == closed
        assert one_json(run("flask", "override", "list", "--json", env=env)) == [closed]
        ended = run("flask", "override", "clear", "shop", "--json", env=env)
        assert ended.returncode == 0
        assert one_json(ended) == {**closed, "state": None, "until": None}
        assert one_json(run("flask", "override", "list", "--json", env=env)) == []

    def test_presence_as_json(self, env: dict[str, str]) -> None:
        ended = run("flask", "presence", "set", "eva", "away", "--json", env=env)
        assert ended.returncode == 0
        away = {"person": "eva", "state": "away", "until": None}
        assert one_json(ended) == away
        assert one_json(run("flask", "presence", "list", "--json", env=env)) == [away]
