"""The proof of a rules file: what can never happen, what must not happen, what does happen when.

Exact, not sampled: every instant of the sweep at which a schedule opens or closes, and every class
of caller, presence, busy state and diversion that the rules tell apart, judged by the evaluator
that routes calls. Each finding has a witness: a call that shows it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from routing.conditions import Call, Facts
from routing.proof import dead
from routing.proof.chains import Chains, chains, plain_route
from routing.proof.coverage import Place, failing, proposal, results
from routing.proof.findings import ERROR, INFO, WARNING, Finding
from routing.proof.loops import Loop, loops
from routing.proof.reach import Reach, first_worlds, instants, reach, stages_of
from routing.proof.sweep import SWEEP_DAYS, Sweep
from routing.proof.week import Timetable, timetable
from routing.proof.wording import action_words
from routing.proof.worlds import AT, witness
from routing.router import route
from routing.rules import TransferAction
from routing.subdivisions import subdivisions
from routing.words import HANDLERS, OTHERWISE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from routing.expectations import Result
    from routing.proof.worlds import Witness, World
    from routing.rules import Line, RuleSet, Stage

__all__ = ["SWEEP_DAYS", "LineProof", "Proof", "prove"]
ENDS_SOON = 60
"""Days before its end from which on a calendar is warned of."""
Reached = tuple[str, str]
"""The rule that an ordinary caller gets, and what it does."""


@dataclass(frozen=True, slots=True)
class LineProof:
    """What is known of one line: who is reached when, and everything that can follow."""

    found: Reach
    zone: ZoneInfo | dt.timezone
    when: Timetable[Reached]
    worlds: tuple[tuple[World, ...], ...]
    """For each rule and then `otherwise`: worlds that stand for all in which it is chosen."""
    chains: tuple[Chains | None, ...]
    """For each rule and then `otherwise`; None where it can never be chosen."""

    def witness(self, index: int) -> Witness:
        """Return a call that gets a rule."""
        return witness(self.worlds[index][0], self.found.domains, self.found.line.numbers[0])

    @property
    def longest(self) -> Chains | None:
        """The chains of the rule in which a caller can ring longest."""
        alive = [each for each in self.chains if each]
        return max(alive, key=lambda each: each.seconds, default=None)

    @property
    def alive(self) -> tuple[Stage, ...]:
        """Every stage that can be used."""
        return tuple(
            stages_of(self.found, index)[number]
            for index, known in enumerate(self.chains)
            for number in (known.stages if known else ())
        )


@dataclass(slots=True)
class Proof:
    """Everything that is proved of a file; `results` are those of its expectations."""

    start: dt.datetime
    findings: list[Finding] = field(default_factory=list)
    lines: dict[str, LineProof] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)

    def of(self, severity: str) -> list[Finding]:
        """Return the findings of a severity."""
        return [each for each in self.findings if each.severity == severity]


def prove(rules: RuleSet, start: dt.datetime, tick: Callable[[], object] = lambda: None) -> Proof:
    """Prove a file for the sweep from `start`; `tick` is called once for each line done."""
    sweep = Sweep(start)
    proof = Proof(sweep.start)
    for line in rules.lines.values():
        proof.lines[line.name] = _line(rules, line, sweep)
        tick()
    proof.loops = loops(rules, sweep, {name: each.alive for name, each in proof.lines.items()})
    proof.findings = [
        *(_loop(rules, each) for each in proof.loops),
        *_expectations(rules, proof, sweep),
        *(finding for each in proof.lines.values() for finding in _of_line(rules, each, sweep)),
        *_calendars(rules, sweep.start),
        *subdivisions(rules.countries, sweep.start.date()),
    ]
    return proof


def _line(rules: RuleSet, line: Line, sweep: Sweep) -> LineProof:
    found = reach(rules, line, sweep)
    zone = rules.zone or next((each.zone for each in found.schedules), dt.UTC)
    days = sweep.timetable(found.schedules, zone)
    at = found.domains[AT]
    when = timetable(days, lambda kind: _ordinary(rules, line, at[kind]))
    worlds = tuple(
        tuple(first_worlds(found, index)) if each else () for index, each in enumerate(found.worlds)
    )
    every = tuple(_chains(found, index, each) for index, each in enumerate(worlds))
    return LineProof(found, zone, when, worlds, every)


def _chains(found: Reach, index: int, worlds: Sequence[World]) -> Chains | None:
    line = found.line
    facts = [witness(each, found.domains, line.numbers[0]).facts for each in worlds]
    return chains(plain_route(line, stages_of(found, index)), facts) if facts else None


def _ordinary(rules: RuleSet, line: Line, at: dt.datetime) -> Reached:
    """Return what a caller in no list gets when nobody is busy or away."""
    chosen = route(rules, Call(line.numbers[0], rules.default_caller, at), Facts())
    return chosen.rule, action_words(chosen.stages[0].action)


def _of_line(rules: RuleSet, proved: LineProof, sweep: Sweep) -> Iterator[Finding]:
    for index, each in enumerate(proved.chains[:-1]):
        if each is None:
            yield dead.rule(rules, proved.found, index, sweep)
        else:
            yield from _idle(proved, index, each)
    yield from _only_otherwise(rules, proved)


def _idle(proved: LineProof, index: int, known: Chains) -> Iterator[Finding]:
    """Yield what can never be used of a rule that can be chosen."""
    line, rule = proved.found.line, proved.found.line.rules[index]
    action = rule.stages[0].action
    if not isinstance(action, TransferAction):
        return
    keys = ("lines", line.name, "rules", index)
    shown = proved.witness(index)
    for number, stage in enumerate(rule.stages):
        if stage.name in HANDLERS and number and number not in known.stages:
            message = f"{stage.name} of rule {rule.name!r} can never run: no attempt ends that way"
            yield Finding(WARNING, "dead-handler", (*keys, stage.name), message, shown)
    dialed = {
        each.label
        for visit in known.visits
        for each in visit.attempt.destinations
        if visit.attempt.stage == rule.stages[0].name
    }
    for step in action.steps:
        for each in step.destinations:
            if each.label not in dialed:
                message = (
                    f"rule {rule.name!r} never dials {each.label}: it is busy, or its person not "
                    "available, whenever the rule is chosen"
                )
                yield Finding(WARNING, "never-dialed", keys, message, shown)


def _only_otherwise(rules: RuleSet, proved: LineProof) -> Iterator[Finding]:
    line = proved.found.line
    if not line.rules:
        return
    for kind, at in enumerate(proved.found.domains[AT]):
        rule, words = label = _ordinary(rules, line, proved.found.domains[AT][kind])
        if rule == OTHERWISE:
            hours = proved.when.hours.get(label)
            message = f"only `otherwise` ({words}) catches an ordinary caller"
            message += f": {hours}" if hours else f" at {at.astimezone(proved.zone):%Y-%m-%d %H:%M}"
            shown = witness({AT: at}, proved.found.domains, line.numbers[0])
            keys = ("lines", line.name, OTHERWISE)
            yield Finding(INFO, "only-otherwise", keys, message, shown)
            return


def _loop(rules: RuleSet, loop: Loop) -> Finding:
    first = loop.hops[0]
    line = rules.lines[first.line]
    index = next((i for i, rule in enumerate(line.rules) if rule.name == first.rule), None)
    own = (OTHERWISE,) if index is None else ("rules", index)
    ways = ", ".join(f"{hop.line}: {hop.words}" for hop in loop.hops)
    message = f"a call can go round for ever: {' -> '.join(loop.names)} ({ways})"
    return Finding(ERROR, "loop", ("lines", line.name, *own), message, first.witness, loop=loop)


def _expectations(rules: RuleSet, proof: Proof, sweep: Sweep) -> Iterator[Finding]:
    proof.results, reached = results(rules, partial(instants, rules, sweep))
    for index, result in enumerate(proof.results):
        if not result.passed:
            shown = failing(rules, index, result)
            yield Finding(ERROR, "expectation-failed", ("expect", index), result.because, shown)
    for proved in proof.lines.values():
        yield from _untested(rules, proved, reached)


def _untested(rules: RuleSet, proved: LineProof, reached: set[Place]) -> Iterator[Finding]:
    """Yield the rules and handlers that can be used and that no expectation reaches."""
    line = proved.found.line
    for index, known in enumerate(proved.chains):
        stages = stages_of(proved.found, index)
        rule = line.rules[index].name if index < len(line.rules) else OTHERWISE
        keys = ("lines", line.name, *(("rules", index) if index < len(line.rules) else ()))
        if known is None:
            continue
        for number in sorted(known.stages):
            name = stages[number].name
            place = Place(line.name, rule, name if number else rule)
            if place in reached or (number and name not in HANDLERS):
                continue
            what = f"{name} of rule {rule!r}" if number else f"rule {rule!r}"
            shown = proved.witness(index)
            found = proposal(rules, shown, place, known.stages[number])
            yield Finding(
                INFO,
                "untested",
                (*keys, name) if number or rule == OTHERWISE else keys,
                f"no expectation reaches {what}",
                found.witness if found else shown,
                proposed=found.text if found else None,
            )


def _calendars(rules: RuleSet, start: dt.datetime) -> Iterator[Finding]:
    zone = rules.zone or ZoneInfo("UTC")
    today = start.astimezone(zone).date()
    for name, calendar in rules.calendars.items():
        last = calendar.in_zone(zone).last_day()
        if last is None or last > today + dt.timedelta(days=ENDS_SOON):
            continue
        left = (last - today).days
        when = f"ends on {last}, in {left} days" if left > 0 else f"has no days after {last}"
        message = f"calendar {name!r} {when}"
        yield Finding(WARNING, "calendar-ends", ("calendars", name), message)
