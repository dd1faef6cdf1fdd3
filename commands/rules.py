"""`flask rules`: check, explain and test the rules file."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from commands.check import check
from commands.compare import diff, replay
from commands.explanation import as_data, as_text
from commands.output import (
    JSON_OPTION,
    good_rules,
    known,
    pairs,
    print_json,
    rules_path,
)
from commands.timeline import timeline_command
from routing.callers import can_call, is_withheld, normal_party
from routing.conditions import Call, Facts
from routing.coverage import results
from routing.problems import Wrong, did_you_mean
from routing.reach import instants
from routing.reading.values import instant
from routing.router import route, walk
from routing.sweep import Sweep
from routing.words import DIVERSION_REASONS, OUTCOME_BY_CAUSE, OUTCOMES, OVERRIDES, PRESENCE_STATES

if TYPE_CHECKING:
    from routing.expectations import Result
    from routing.rules import RuleSet


@click.group("rules")
def rules() -> None:
    """Check, explain and test the routing rules."""


for _command in (check, diff, replay, timeline_command):
    rules.add_command(_command)


def _test(found: RuleSet) -> list[Result]:
    sweep = Sweep(dt.datetime.now(dt.UTC))
    return results(found, partial(instants, found, sweep))[0]


@rules.command("test")
@click.argument("file", required=False)
@JSON_OPTION
def test(file: str | None, as_json: bool) -> None:
    """Judge each `expect` of the rules: pass, or fail with the difference."""
    path = rules_path(file)
    judged = _test(good_rules(path, as_json=as_json))
    failed = [each for each in judged if not each.passed]
    passed = len(judged) - len(failed)
    if as_json:
        listed = [
            {"line": each.place, "passed": each.passed, "because": each.because} for each in judged
        ]
        print_json({"passed": passed, "failed": len(failed), "results": listed})
    else:
        for each in judged:
            mark = click.style("pass", fg="green") if each.passed else click.style("FAIL", fg="red")
            because = "" if each.passed else f": {each.because}"
            click.echo(f"{mark} {path}:{each.place}{because}")
        click.echo(f"{passed} passed, {len(failed)} failed")
    if failed:
        raise click.exceptions.Exit(1)


@rules.command("explain")
@click.option("--to", "to", required=True, metavar="N", help="A line's name or a called number.")
@click.option("--from", "caller", metavar="N", help="Default: a number in no caller list.")
@click.option("--anonymous", is_flag=True, help="The caller withholds the number.")
@click.option("--at", metavar="TIME", help="2026-03-09T09:00 in the file's zone. Default: now.")
@click.option("--busy", multiple=True, metavar="D", help="A destination at its capacity.")
@click.option("--presence", multiple=True, metavar="P=STATE", help="A person's presence.")
@click.option("--override", multiple=True, metavar="S=STATE", help="A schedule set open or closed.")
@click.option("--diverted", metavar="REASON", help="The call came in with this diversion reason.")
@click.option("--outcome", multiple=True, metavar="O", help="How the attempts end, in order.")
@click.option("--rules", "file", metavar="FILE", help="Another rules file.")
@JSON_OPTION
def explain(to: str, file: str | None, as_json: bool, **given: Any) -> None:
    """Show the route of a call: each rule and why, then each attempt with its request."""
    found = good_rules(rules_path(file), as_json=as_json)
    call = _call(found, to, given)
    facts = Facts(
        frozenset(known("destination", name, found.limited) for name in given["busy"]),
        pairs("--presence", given["presence"], found.persons, PRESENCE_STATES),
        pairs("--override", given["override"], found.schedules, OVERRIDES),
    )
    outcomes = [known("outcome", each, (*OUTCOMES, *OUTCOME_BY_CAUSE)) for each in given["outcome"]]
    chosen = route(found, call, facts)
    walked = walk(chosen, facts, outcomes)
    if as_json:
        print_json(as_data(walked))
    else:
        click.echo(as_text(call, walked, len(outcomes), found.zone))


def _call(found: RuleSet, to: str, given: dict[str, Any]) -> Call:
    caller: str | None = given["caller"]
    line = found.lines.get(to)
    number = line.numbers[0] if line else normal_party(to)
    if line is None and not to.startswith(("+", "sip:")):
        hint = did_you_mean(to, found.lines)
        raise click.UsageError(f"--to: no line is called {to!r}, and it is no number{hint}")
    party = found.default_caller if caller is None else normal_party(caller)
    if not can_call(party):
        raise click.UsageError(f"--from: {caller!r} is no number, sip:user@host or anonymous")
    if given["diverted"] is not None:
        known("diversion reason", given["diverted"], DIVERSION_REASONS)
    withheld = given["anonymous"] or is_withheld(party)
    return Call(number, party, _instant(found, given["at"]), withheld, given["diverted"])


def _instant(found: RuleSet, at: str | None) -> dt.datetime:
    if at is None:
        return dt.datetime.now(dt.UTC)
    try:
        return instant(at, found.zone)
    except Wrong as wrong:
        raise click.UsageError(f"--at: {wrong}") from None
