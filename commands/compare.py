"""`flask rules diff` and `flask rules replay`: which calls go elsewhere by other rules."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

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
from routing.proof.comparison import Comparison, Difference, compare
from routing.proof.wording import action_words, list_words
from routing.reading.values import instant

if TYPE_CHECKING:
    from routing.proof.worlds import Witness
    from routing.router import Walk
    from routing.rules import RuleSet

_PARTLY = (
    "the rules tell too many cases apart; only calls while nobody is busy or away were compared"
)
_EXAMPLES = 3
"""Calls that are named of all that go from one place to another."""


@click.command("diff")
@click.argument("old")
@takes_rules
@click.option("--markdown", is_flag=True, help="A table for a pull request.")
@JSON_OPTION
def diff(old: str, file: str | None, markdown: bool, as_json: bool) -> None:
    """Say in words which calls go elsewhere by the rules of FILE than by the OLD ones."""
    new = rules_path(file)
    before, after = good_rules(Path(old)), good_rules(new)
    found = compare(before, after, dt.datetime.now(dt.UTC))
    show = _as_json if as_json else _as_markdown if markdown else _as_text
    show(found, _File(before, old), _File(after, str(new)))
    if found.differences or found.partly:
        raise click.exceptions.Exit(1)


class _File(NamedTuple):
    """Rules, and the file that has them."""

    rules: RuleSet
    name: str

    def command(self, shown: Witness) -> str:
        """Return the `flask rules explain` of a call by this file."""
        return witness.command(self.rules, shown, self.name)


def _as_json(found: Comparison, old: _File, new: _File) -> None:
    told = [_difference_data(each, old, new) for each in found.differences]
    print_json([*told, *({"line": name, "partly": True} for name in found.partly)])


def _difference_data(each: Difference, old: _File, new: _File) -> dict[str, Any]:
    first = each.where[0]
    return {
        "line": ", ".join(first.lines),
        "when": first.when,
        "case": first.case,
        "where": [
            {"lines": list(place.lines), "when": place.when, "case": place.case}
            for place in each.where
        ],
        "before": each.before,
        "after": each.after,
        "partly": False,
        "witness": {
            **witness.as_data(old.rules, each.old, old.name),
            "explainNew": new.command(each.new),
        },
    }


def _as_text(found: Comparison, old: _File, new: _File) -> None:
    for each in found.differences:
        say(str(each))
        say(f"    {old.command(each.old)}")
        say(f"    {new.command(each.new)}")
    for name in found.partly:
        say(f"{name}: {_PARTLY}")
    count = len(found.differences)
    if count:
        say(f"{count} difference{'' if count == 1 else 's'}")
    elif not found.partly:
        say("no call goes elsewhere")


def _as_markdown(found: Comparison, _old: _File, _new: _File) -> None:
    rows = [
        [
            *(f"**{list_words(place.lines, what=' lines')}**", place.when, place.case),
            *(each.before, each.after),
        ]
        for each in found.differences
        for place in each.where
    ]
    if rows:
        say("| Line | When | Calls | Before | After |")
        say("|---|---|---|---|---|")
    for row in rows:
        say("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    for name in found.partly:
        say()
        say(f"**{name}**: {_PARTLY}.")
    if not rows and not found.partly:
        say("No call goes elsewhere.")


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
