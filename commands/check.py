"""`flask rules check`: everything that is wrong with a rules file, and what is proved of it."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from commands import witness
from commands.output import (
    JSON_OPTION,
    counted,
    print_json,
    problem_line,
    progress,
    rules_path,
    say,
    takes_rules,
    text_of,
)
from commands.proved import line_data, line_text
from routing.problems import Problem, RulesError, keys_text
from routing.proof.findings import ERROR, INFO, WARNING, Finding
from routing.proof.prove import Proof, prove
from routing.reader import read
from routing.reading.places import Places

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from routing.rules import RuleSet

_PROVED_EXACTLY = "hidden-rule"
"""A warning of the reader that the proof gives better."""
_SHOWN = 20
"""Findings of one kind that are listed as text."""


class _Entry(NamedTuple):
    """A problem of the file; `finding` if it was proved and not just read."""

    severity: str
    problem: Problem
    finding: Finding | None = None


@click.command("check")
@takes_rules
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@JSON_OPTION
def check(file: str | None, strict: bool, as_json: bool) -> None:
    """Say everything that is wrong with the rules, and what is proved of them."""
    path = rules_path(file)
    try:
        text = text_of(path)
        rules = read(text)
    except RulesError as error:
        entries = [_Entry(ERROR, each) for each in error.errors]
        entries += [_Entry(WARNING, each) for each in error.warnings]
        _print(path, entries, None, as_json)
        raise click.exceptions.Exit(1) from None
    with progress(len(rules.lines), "proving") as tick:
        proof = prove(rules, dt.datetime.now(dt.UTC), tick)
    entries = _entries(rules, proof, Places(text))
    _print(path, entries, _Proved(rules, proof, file), as_json)
    severities = {each.severity for each in entries}
    if ERROR in severities or (strict and WARNING in severities):
        raise click.exceptions.Exit(1)


class _Proved(NamedTuple):
    rules: RuleSet
    proof: Proof
    file: str | None


def _entries(rules: RuleSet, proof: Proof, places: Places) -> list[_Entry]:
    entries = [_Entry(WARNING, each) for each in rules.warnings if each.code != _PROVED_EXACTLY]
    for each in proof.findings:
        path = keys_text(each.keys)
        problem = Problem(*places.of(each.keys), path, each.code, each.message)
        entries.append(_Entry(each.severity, problem, each))
    return sorted(entries, key=lambda each: (each.problem.line, each.problem.column))


def _print(path: Path, entries: list[_Entry], proved: _Proved | None, as_json: bool) -> None:
    if as_json:
        print_json(_data(entries, proved))
        return
    for severity in (ERROR, WARNING, INFO):
        _print_entries(path, [each for each in entries if each.severity == severity], proved)
    if proved:
        for line in _proof_text(entries, proved):
            say(line)
    counts = Counter(each.severity for each in entries)
    size = _size(proved.rules) if proved else ""
    say(f"{path}: {counted(counts[ERROR], 'error')}, {counted(counts[WARNING], 'warning')}{size}")


def _print_entries(path: Path, entries: list[_Entry], proved: _Proved | None) -> None:
    seen: Counter[str] = Counter()
    for each in entries:
        code = each.problem.code
        seen[code] += 1
        if each.finding is None or seen[code] <= _SHOWN:
            say(problem_line(path, each.severity, each.problem))
            for line in _shown_by(each.finding, proved):
                say(f"    {line}")
    for code, count in seen.items():
        if count > _SHOWN and any(e.finding for e in entries if e.problem.code == code):
            say(f"… and {count - _SHOWN} more of {code}; --json has all")


def _shown_by(finding: Finding | None, proved: _Proved | None) -> Iterator[str]:
    """Yield the commands that show what is found."""
    if finding is None or proved is None:
        return
    if finding.hidden_by:
        own = [finding.witness] if finding.witness else []
        calls = [*own, *(e.witness for e in finding.hidden_by if e.witness != finding.witness)]
    elif finding.loop:
        calls = [hop.witness for hop in finding.loop.hops]
    else:
        calls = [finding.witness] if finding.witness and not finding.proposed else []
    for each in calls:
        yield witness.command(proved.rules, each, proved.file)


def _proof_text(entries: Iterable[_Entry], proved: _Proved) -> Iterator[str]:
    for each in proved.proof.lines.values():
        yield from line_text(each)
    proposed = [each.finding.proposed for each in entries if each.finding and each.finding.proposed]
    if proposed:
        yield ""
        yield "What `expect` does not reach yet; if these are right, add them:"
        yield from (f"  - {line}" for line in proposed[:_SHOWN])
        if len(proposed) > _SHOWN:
            yield f"  … and {len(proposed) - _SHOWN} more; --json has all"
    yield ""


def _size(rules: RuleSet) -> str:
    count = sum(len(line.rules) for line in rules.lines.values())
    return (
        f"; {counted(len(rules.lines), 'line')}, {counted(count, 'rule')}, "
        f"{counted(len(rules.expectations), 'expectation')}"
    )


def _data(entries: list[_Entry], proved: _Proved | None) -> dict[str, Any]:
    data: dict[str, Any] = {
        key: [_entry_data(each, proved) for each in entries if each.severity == severity]
        for key, severity in (("errors", ERROR), ("warnings", WARNING), ("information", INFO))
    }
    if proved is not None:
        data["lines"] = {name: line_data(each) for name, each in proved.proof.lines.items()}
        data["proposedExpect"] = [
            each.finding.proposed for each in entries if each.finding and each.finding.proposed
        ]
    return data


def _entry_data(entry: _Entry, proved: _Proved | None) -> dict[str, Any]:
    data, found = entry.problem.as_json(), entry.finding
    if found is None or proved is None:
        return data
    rules, _, file = proved
    if found.witness:
        data["witness"] = witness.as_data(rules, found.witness, file)
    if found.hidden_by:
        line = proved.rules.lines[str(found.keys[1])]
        data["hiddenBy"] = [
            {
                "rule": each.rule,
                "line": line.rules[each.index].place,
                "because": each.because,
                "witness": witness.as_data(rules, each.witness, file),
            }
            for each in found.hidden_by
        ]
    if found.loop:
        data["cycle"] = list(found.loop.names)
        data["hops"] = [
            {
                "line": hop.line,
                "rule": hop.rule,
                "stage": hop.stage,
                "transferTo": hop.to,
                "witness": witness.as_data(rules, hop.witness, file),
            }
            for hop in found.loop.hops
        ]
    if found.proposed:
        data["proposedExpect"] = found.proposed
    return data
