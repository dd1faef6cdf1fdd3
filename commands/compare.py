"""`flask rules diff` and `flask rules replay`: which calls go elsewhere by other rules."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callflow.ledger import LedgerError
from callflow.replay import Recorded, recorded
from commands import witness
from commands.output import (
    JSON_OPTION,
    Failure,
    WrongUsage,
    counted,
    good_rules,
    print_json,
    rules_path,
    say,
    service_ledger,
    takes_rules,
)
from routing.problems import Wrong
from routing.proof.comparison import Difference, differences
from routing.proof.wording import action_words
from routing.reading.values import instant

if TYPE_CHECKING:
    from routing.router import Walk
    from routing.rules import RuleSet

_EXAMPLES = 3
"""Calls that are named of all that go from one place to another."""


@click.command("diff")
@click.argument("old")
@takes_rules
@click.option("--markdown", is_flag=True, help="A table for a pull request.")
@JSON_OPTION
def diff(old: str, file: str | None, markdown: bool, as_json: bool) -> None:
    """Say in words which calls go elsewhere by the rules of FILE than by the OLD ones."""
    before, after = good_rules(Path(old)), good_rules(rules_path(file))
    found = list(differences(before, after, dt.datetime.now(dt.UTC)))
    if as_json:
        print_json([_difference_data(each, before, old) for each in found])
    elif markdown:
        for row in _table(found):
            say(row)
    else:
        for each in found:
            say(str(each))
        say(counted(len(found), "difference") if found else "no call goes elsewhere")
    if found:
        raise click.exceptions.Exit(1)


def _difference_data(each: Difference, rules: RuleSet, file: str) -> dict[str, Any]:
    return {
        "line": each.line,
        "when": each.when,
        "case": each.case,
        "before": each.before,
        "after": each.after,
        "partly": each.partly,
        "witness": witness.as_data(rules, each.witness, file),
    }


def _table(found: list[Difference]) -> list[str]:
    if not found:
        return ["No call goes elsewhere."]
    rows = [[f"**{each.line}**", each.when, each.case, each.before, each.after] for each in found]
    return [
        "| Line | When | Calls | Before | After |",
        "|---|---|---|---|---|",
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows),
    ]


@click.command("replay")
@takes_rules
@click.option("--since", metavar="TIME", help="2026-03-09T00:00, the file's time zone.")
@click.option("--limit", default=10_000, show_default=True, type=click.IntRange(1))
@JSON_OPTION
def replay(file: str | None, since: str | None, limit: int, as_json: bool) -> None:
    """Route recorded calls again by the rules of FILE: which would have gone elsewhere."""
    rules = good_rules(rules_path(file), as_json=as_json)
    try:
        calls = list(recorded(service_ledger(), _since(rules, since), limit))
    except LedgerError as error:
        raise Failure(str(error)) from None
    moved = [(each, *_ways(each, rules)) for each in calls]
    moved = [(each, before, after) for each, before, after in moved if before != after]
    unknown = sum(not each.facts_known for each in calls)
    if as_json:
        print_json(
            {
                "calls": len(calls),
                "elsewhere": len(moved),
                "withoutFacts": unknown,
                "moved": [_moved_data(*each) for each in moved],
            }
        )
    else:
        _print_moved(moved)
        note = f"; of {unknown} it is not known who was busy" if unknown else ""
        say(f"{len(moved)} of {counted(len(calls), 'call')} would have gone elsewhere{note}")
    if moved:
        raise click.exceptions.Exit(1)


def _since(rules: RuleSet, since: str | None) -> float:
    try:
        return instant(since, rules.zone).timestamp() if since else 0.0
    except Wrong as wrong:
        raise WrongUsage(f"--since: {wrong}") from None


def _ways(each: Recorded, rules: RuleSet) -> tuple[str, str]:
    """Return where the call went and where it would have gone, in words that differ if they do."""
    before, after = each.as_before(), each.by(rules)
    texts = _way(before), _way(after)
    if texts[0] == texts[1] and _numbers(before) != _numbers(after):
        return _way(before, numbers=True), _way(after, numbers=True)
    return texts if _numbers(before) != _numbers(after) else (texts[0], texts[0])


def _numbers(walked: Walk) -> object:
    """Return what was dialed, step by step, and how the call ended."""
    rung = [sorted(each.transfer_to for each in a.destinations) for a in walked.attempts]
    return rung, walked.last.ending


def _way(walked: Walk, *, numbers: bool = False) -> str:
    parts = [
        " + ".join(each.transfer_to if numbers else each.label for each in attempt.destinations)
        for attempt in walked.attempts
    ]
    ending = walked.last.ending
    if ending is not None:
        parts.append(action_words(ending))
    return ", then ".join(parts)


def _moved_data(each: Recorded, before: str, after: str) -> dict[str, Any]:
    record = each.record
    return {
        "callId": record.call_id,
        "at": each.call.at.isoformat(),
        "to": record.to,
        "from": record.caller,
        "line": record.line,
        "before": before,
        "after": after,
    }


def _print_moved(moved: list[tuple[Recorded, str, str]]) -> None:
    calls: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for each, before, after in moved:
        calls[each.record.line or "no line", before, after].append(each.record.call_id)
    for (line, before, after), ids in sorted(calls.items(), key=lambda item: -len(item[1])):
        say(f"{line}: {before} → {after}: {counted(len(ids), 'call')}")
        say(f"    {', '.join(ids[:_EXAMPLES])}")
