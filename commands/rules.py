"""`flask rules`: check, explain and test the rules file."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from commands.explanation import as_data, as_text
from commands.output import (
    JSON_OPTION,
    good_rules,
    known,
    pairs,
    print_json,
    print_problems,
    problem_line,
    rules_path,
    text_of,
)
from routing import expectations
from routing.callers import can_call, is_withheld, normal_party
from routing.conditions import Call, Facts
from routing.problems import Problem, RulesError, Wrong, did_you_mean
from routing.proof import changes
from routing.reader import read
from routing.reading.values import instant
from routing.router import route, walk
from routing.words import DIVERSION_REASONS, OUTCOME_BY_CAUSE, OUTCOMES, OVERRIDES, PRESENCE_STATES

if TYPE_CHECKING:
    from routing.rules import RuleSet


@click.group("rules")
def rules() -> None:
    """Check, explain and test the routing rules."""


@rules.command("check")
@click.argument("file", required=False)
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@JSON_OPTION
def check(file: str | None, strict: bool, as_json: bool) -> None:
    """Say everything that is wrong with the rules, and whether their expectations hold."""
    path = rules_path(file)
    summary = ""
    try:
        found = read(text_of(path))
        errors, warnings = _failed(found), list(found.warnings)
        summary = _summary(found)
    except RulesError as error:
        errors, warnings = error.errors, error.warnings
    if as_json:
        print_problems(errors, warnings)
    else:
        for each in errors:
            click.echo(problem_line(path, "error", each))
        for each in warnings:
            click.echo(problem_line(path, "warning", each))
        click.echo(f"{path}: {len(errors)} errors, {len(warnings)} warnings{summary}")
    if errors or (strict and warnings):
        raise click.exceptions.Exit(1)


def _failed(found: RuleSet) -> list[Problem]:
    """Return the expectations that fail, as errors of the file."""
    results = _test(found)
    return [
        Problem(result.place, 5, f"expect[{index}]", "expectation-failed", result.because)
        for index, result in enumerate(results)
        if not result.passed
    ]


def _summary(found: RuleSet) -> str:
    count = sum(len(line.rules) for line in found.lines.values())
    return f"; {len(found.lines)} lines, {count} rules, {len(found.expectations)} expectations"


def _test(found: RuleSet) -> list[expectations.Result]:
    now = dt.datetime.now(dt.UTC)
    needed = any(each.at is None for each in found.expectations)
    return expectations.test(found, changes(found, now) if needed else ())


@rules.command("test")
@click.argument("file", required=False)
@JSON_OPTION
def test(file: str | None, as_json: bool) -> None:
    """Judge each `expect` of the rules: pass, or fail with the difference."""
    path = rules_path(file)
    results = _test(good_rules(path, as_json=as_json))
    failed = [each for each in results if not each.passed]
    passed = len(results) - len(failed)
    if as_json:
        listed = [
            {"line": each.place, "passed": each.passed, "because": each.because} for each in results
        ]
        print_json({"passed": passed, "failed": len(failed), "results": listed})
    else:
        for each in results:
            mark = click.style("pass", fg="green") if each.passed else click.style("FAIL", fg="red")
            because = "" if each.passed else f": {each.because}"
            click.echo(f"{mark} {path}:{each.place}{because}")
        click.echo(f"{passed} passed, {len(failed)} failed")
    if failed:
        raise click.exceptions.Exit(1)


@rules.command("explain")
@click.option("--to", "to", required=True, metavar="N", help="A line's name or a called number.")
@click.option("--from", "caller", metavar="N", help="Default: a number in no caller list.")
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
    call = _call(found, to, given["caller"], given["at"], given["diverted"])
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


def _call(
    found: RuleSet, to: str, caller: str | None, at: str | None, diverted: str | None
) -> Call:
    line = found.lines.get(to)
    number = line.numbers[0] if line else normal_party(to)
    if line is None and not to.startswith(("+", "sip:")):
        hint = did_you_mean(to, found.lines)
        raise click.UsageError(f"--to: no line is called {to!r}, and it is no number{hint}")
    party = found.default_caller if caller is None else normal_party(caller)
    if not can_call(party):
        raise click.UsageError(f"--from: {caller!r} is no number, sip:user@host or anonymous")
    if diverted is not None:
        known("diversion reason", diverted, DIVERSION_REASONS)
    return Call(number, party, _instant(found, at), is_withheld(party), diverted)


def _instant(found: RuleSet, at: str | None) -> dt.datetime:
    if at is None:
        return dt.datetime.now(dt.UTC)
    try:
        return instant(at, found.zone)
    except Wrong as wrong:
        raise click.UsageError(f"--at: {wrong}") from None
