"""`flask rules`: check, explain and test the rules file."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from commands import witness
from commands.check import check
from commands.compare import diff, replay
from commands.explanation import as_data, as_lines
from commands.output import (
    JSON_OPTION,
    WrongUsage,
    busy_names,
    called_number,
    caller_of,
    good_rules,
    known,
    overrides,
    presences,
    print_json,
    rules_path,
    say,
    styled,
    takes_rules,
)
from commands.timeline import timeline_command
from routing.callers import is_withheld
from routing.conditions import Call, Facts
from routing.problems import Wrong
from routing.proof.coverage import failing, results
from routing.proof.reach import instants
from routing.proof.sweep import Sweep
from routing.proof.timeline import home_zone
from routing.reading.values import instant
from routing.router import route, walk
from routing.turns import supposed_busy
from routing.words import DIVERSION_REASONS, OUTCOME_BY_CAUSE, OUTCOMES, UNKNOWN, diversion_reason

if TYPE_CHECKING:
    from pathlib import Path

    from routing.expectations import Result
    from routing.rules import RuleSet


@click.group("rules")
def rules() -> None:
    """Check, explain and test the routing rules."""


for _command in (check, diff, replay, timeline_command):
    rules.add_command(_command)


def _test(found: RuleSet) -> list[Result]:
    sweep = Sweep(dt.datetime.now(dt.UTC), zone=home_zone(found))
    return results(found, found.expectations, partial(instants, found, sweep))[0]


@rules.command("test")
@takes_rules
@JSON_OPTION
def test(file: str | None, as_json: bool) -> None:
    """Judge each `expect` of the rules: pass, or fail with the difference and its cause."""
    path = rules_path(file)
    found = good_rules(path, as_json=as_json)
    judged = _test(found)
    commands = [_explain(found, index, each, file) for index, each in enumerate(judged)]
    failed = sum(not each.passed for each in judged)
    if as_json:
        listed = [
            {
                "line": each.place,
                "passed": each.passed,
                "because": "; ".join(filter(None, (each.because, command))),
            }
            for each, command in zip(judged, commands, strict=True)
        ]
        print_json({"passed": len(judged) - failed, "failed": failed, "results": listed})
    else:
        for each, command in zip(judged, commands, strict=True):
            _print_result(path, each, command)
        say(f"{len(judged) - failed} passed, {failed} failed")
    if failed:
        raise click.exceptions.Exit(1)


def _explain(found: RuleSet, index: int, result: Result, file: str | None) -> str:
    """Return the command that shows the call of an expectation that fails."""
    shown = failing(found, index, result)
    return witness.command(found, shown, file) if shown else ""


def _print_result(path: Path, result: Result, command: str) -> None:
    mark = styled("pass", fg="green") if result.passed else styled("FAIL", fg="red")
    because = "" if result.passed else f": {result.because}"
    say(mark + f" {path}:{result.place}{because}")
    if command:
        say(f"    {command}")


@rules.command("explain")
@takes_rules
@click.option("--to", "to", required=True, metavar="N", help="A line's name or a called number.")
@click.option("--from", "caller", metavar="N", help="Default: a number in no caller list.")
@click.option("--anonymous", is_flag=True, help="The caller withholds the number.")
@click.option("--at", metavar="TIME", help="2026-03-09T09:00 in the file's zone. Default: now.")
@click.option("--busy", multiple=True, metavar="D", help="A destination at its capacity.")
@click.option("--presence", multiple=True, metavar="P=STATE", help="A person's presence.")
@click.option(
    "--override",
    multiple=True,
    metavar="S=STATE",
    help="A schedule set open or closed, or a rotation set to a member.",
)
@click.option("--diverted", metavar="REASON", help="The call came in with this diversion reason.")
@click.option("--diversion-counter", "counter", type=click.IntRange(0), help="How often it was.")
@click.option("--diversion-limit", "limit", type=click.IntRange(0), help="How often it may be.")
@click.option("--outcome", multiple=True, metavar="O", help="How the attempts end, in order.")
@JSON_OPTION
def explain(to: str, file: str | None, as_json: bool, **given: Any) -> None:
    """Show the route of a call: each rule and why, then each attempt with its request."""
    path = rules_path(file)
    found = good_rules(path, as_json=as_json)
    call = _call(found, to, given)
    supposed = Facts(
        busy_names(found, given["busy"]),
        presences(found, given["presence"]),
        overrides(found, given["override"]),
    )
    facts = supposed_busy(found, supposed, call)
    outcomes = [known("outcome", each, (*OUTCOMES, *OUTCOME_BY_CAUSE)) for each in given["outcome"]]
    chosen = route(found, call, facts)
    walked = walk(chosen, facts, outcomes)
    if as_json:
        print_json(as_data(walked))
    else:
        for line in as_lines(call, walked, outcomes, found.zone, path):
            say(line)


def _call(found: RuleSet, to: str, given: dict[str, Any]) -> Call:
    line = found.lines.get(to)
    number = line.numbers[0] if line else called_number(found, to)
    party = caller_of(found, "--from", given["caller"])
    withheld = given["anonymous"] or is_withheld(party)
    diverted, counter = given["diverted"], given["counter"]
    if diverted is not None:
        diverted = known("diversion reason", diversion_reason(diverted), DIVERSION_REASONS)
    reason = diverted or (UNKNOWN if counter else None)
    at = _instant(found, given["at"])
    return Call(number, party, at, withheld, reason, counter, given["limit"])


def _instant(found: RuleSet, at: str | None) -> dt.datetime:
    if at is None:
        return dt.datetime.now(dt.UTC)
    try:
        return instant(at, found.zone)
    except Wrong as wrong:
        raise WrongUsage(f"--at: {wrong}") from None
