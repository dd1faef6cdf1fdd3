"""The proof of a rules file: what can never happen, what must not happen, what does happen when.

Exact, not sampled: every instant of the sweep at which a schedule opens or closes, and every class
of caller, presence, busy state and diversion that the rules tell apart, judged by the evaluator
that routes calls. Each finding has a witness: a call that shows it.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from routing.conditions import Call, Facts
from routing.proof import dead
from routing.proof.chains import Chains, chains, joined
from routing.proof.coverage import Place, failing, results, untested
from routing.proof.findings import ERROR, INFO, WARNING, Finding
from routing.proof.following import routes
from routing.proof.looking import clocks_of
from routing.proof.loops import Loop, loops
from routing.proof.reach import Reach, first_worlds, instants, reach, stages_of
from routing.proof.regions import TooManyWorldsError
from routing.proof.subdivisions import subdivisions
from routing.proof.sweep import SWEEP_DAYS, Sweep
from routing.proof.timeline import home_zone
from routing.proof.week import Timetable, timetable
from routing.proof.wording import action_words
from routing.proof.worlds import Witness
from routing.router import route
from routing.rules import InTurn, RotatingStep, TransferAction
from routing.words import HANDLERS, OTHERWISE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from routing.expectations import Result
    from routing.rules import Line, RuleSet, Stage, Step

__all__ = ["SWEEP_DAYS", "LineProof", "Proof", "prove"]
ENDS_SOON = 60
"""Days before its end from which on a calendar is warned of."""
Reached = tuple[str, str]
"""The rule that an ordinary caller gets, and what it does."""


@dataclass(frozen=True, slots=True)
class LineProof:
    """What is known of one line: who is reached when, the longest that it can ring."""

    line: Line
    when: Timetable[Reached]
    longest: Chains | None
    """The chains of the rule in which a caller can ring longest."""
    alive: tuple[Stage, ...]
    """Every stage that can be used."""


@dataclass(slots=True)
class Proof:
    """Everything that is proved of a file; `results` are those of its expectations."""

    start: dt.datetime
    zone: ZoneInfo
    findings: list[Finding] = field(default_factory=list)
    lines: dict[str, LineProof] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)

    def of(self, severity: str) -> list[Finding]:
        """Return the findings of a severity."""
        return [each for each in self.findings if each.severity == severity]


def prove(rules: RuleSet, start: dt.datetime, tick: Callable[[], object] = lambda: None) -> Proof:
    """Prove a file for the sweep from `start`; `tick` is called once for each line done."""
    zone = home_zone(rules)
    sweep = Sweep(start, zone=zone)
    proof = Proof(sweep.start, zone)
    expectations: dict[str | None, list[int]] = defaultdict(list)
    for index, each in enumerate(rules.expectations):
        called = rules.line_by_number.get(each.to)
        expectations[called.name if called else None].append(index)
    judged: dict[int, Result] = {}
    for line in (None, *rules.lines.values()):
        indexes = expectations[line.name if line else None]
        expected = [rules.expectations[index] for index in indexes]
        found, reached = results(rules, expected, partial(instants, rules, sweep))
        judged.update(zip(indexes, found, strict=True))
        if line is not None:
            proof.lines[line.name], findings = _line(rules, line, sweep, reached)
            proof.findings += findings
            tick()
    proof.results = [judged[index] for index in range(len(judged))]
    proof.findings = [
        *_loops(rules, proof, sweep),
        *_failed(rules, proof),
        *proof.findings,
        *_calendars(rules, sweep.start),
        *subdivisions(rules.countries, sweep.start.date()),
        *_without_turn(rules, sweep),
    ]
    return proof


def _failed(rules: RuleSet, proof: Proof) -> Iterator[Finding]:
    for index, result in enumerate(proof.results):
        if not result.passed:
            shown = failing(rules, index, result)
            yield Finding(ERROR, "expectation-failed", ("expect", index), result.because, shown)


def _line(
    rules: RuleSet, line: Line, sweep: Sweep, reached: set[Place]
) -> tuple[LineProof, list[Finding]]:
    clocks = clocks_of(line)
    moments = sweep.moments(clocks)
    when = timetable(
        sweep.timetable(clocks), lambda kind: _ordinary(rules, line, moments.samples[kind])
    )
    gap = [*_only_otherwise(rules, line, when, moments.first)]
    try:
        found = reach(rules, line, sweep)
        every = [
            _chains(rules, found, index) if region else None
            for index, region in enumerate(found.chosen)
        ]
        findings = [
            *(finding for _, finding in dead.unreached(rules, found, sweep)),
            *(f for n, each in enumerate(every[:-1]) if each for f in _idle(found, n, each)),
            *gap,
            *_untested(rules, found, [each.stages if each else () for each in every], reached),
        ]
    except TooManyWorldsError:
        alive = tuple(dict.fromkeys(stage for stages in stages_of(line) for stage in stages))
        return LineProof(line, when, None, alive), [_not_proved(line), *gap]
    longest = max((each for each in every if each), key=lambda each: each.seconds, default=None)
    alive = tuple(
        stages[number]
        for stages, known in zip(stages_of(line), every, strict=True)
        for number in (known.stages if known else ())
    )
    return LineProof(line, when, longest, alive), findings


def _not_proved(line: Line) -> Finding:
    message = (
        f"the rules of {line.name!r} tell too many cases apart: which of them can never be chosen, "
        "what no expectation reaches and how long it rings is not known"
    )
    return Finding(WARNING, "not-proved", ("lines", line.name), message)


def _chains(rules: RuleSet, found: Reach, index: int) -> Chains:
    line, region = found.line, found.chosen[index]
    every = [
        chains(each, [shown.facts for shown in first_worlds(found, each.stages, part)])
        for each, part in routes(found.space, rules, line, index, region, line.numbers[0])
    ]
    return joined(every)


def _ordinary(rules: RuleSet, line: Line, at: dt.datetime) -> Reached:
    """Return what a caller in no list gets when nobody is busy or away."""
    chosen = route(rules, Call(line.numbers[0], rules.default_caller, at), Facts())
    return chosen.rule, action_words(chosen.stages[0].action)


def _idle(found: Reach, index: int, known: Chains) -> Iterator[Finding]:
    """Yield what can never be used of a rule that can be chosen."""
    line, rule = found.line, found.line.rules[index]
    action = rule.stages[0].action
    if not isinstance(action, TransferAction):
        return
    keys = ("lines", line.name, "rules", index)
    shown = found.witness(found.chosen[index])
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
        for name, labels in _named_by(step):
            if dialed.isdisjoint(labels):
                message = (
                    f"rule {rule.name!r} never dials {name}: it is busy, or its person not "
                    "available, whenever the rule is chosen"
                )
                yield Finding(WARNING, "never-dialed", keys, message, shown)


def _named_by(step: Step) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what a step names, and who rings for it; for a rotation one after another does."""
    for each in step.targets if isinstance(step, RotatingStep) else step.destinations:
        if isinstance(each, InTurn):
            yield each.rotation.name, each.rotation.labels
        else:
            yield each.label, [each.label]


def _only_otherwise(
    rules: RuleSet,
    line: Line,
    when: Timetable[Reached],
    instants: Sequence[dt.datetime],
) -> Iterator[Finding]:
    """Yield when no rule matches for an ordinary caller."""
    for at in instants if line.rules else ():
        rule, words = label = _ordinary(rules, line, at)
        if rule == OTHERWISE:
            message = (
                f"at these times no rule matches, and `otherwise` ({words}) takes the call: "
                f"{when.hours[label]}"
            )
            shown = Witness(Call(line.numbers[0], rules.default_caller, at), Facts())
            keys = ("lines", line.name, OTHERWISE)
            yield Finding(INFO, "only-otherwise", keys, message, shown)
            return


def _loops(rules: RuleSet, proof: Proof, sweep: Sweep) -> list[Finding]:
    try:
        proof.loops = loops(rules, sweep, {name: e.alive for name, e in proof.lines.items()})
    except TooManyWorldsError:
        message = (
            "the lines that transfer to one another tell too many cases apart: loops are not known"
        )
        return [Finding(WARNING, "not-proved", ("lines",), message)]
    return [_loop(rules, each) for each in proof.loops]


def _loop(rules: RuleSet, loop: Loop) -> Finding:
    first = loop.hops[0]
    line = rules.lines[first.line]
    index = next((i for i, rule in enumerate(line.rules) if rule.name == first.rule), None)
    own = (OTHERWISE,) if index is None else ("rules", index)
    ways = ", ".join(f"{hop.line}: {hop.words}" for hop in loop.hops)
    verb = "is" if len(loop.full) == 1 else "are"
    ends = f"until {' or '.join(loop.full)} {verb} full" if loop.full else "for ever"
    message = f"a call can go round {ends}: {' -> '.join(loop.names)} ({ways})"
    severity = WARNING if loop.full else ERROR
    return Finding(severity, "loop", ("lines", line.name, *own), message, first.witness, loop=loop)


def _untested(
    rules: RuleSet, found: Reach, alive: Sequence[Collection[int]], reached: set[Place]
) -> Iterator[Finding]:
    """Yield the rules and handlers that can be used and that no expectation reaches."""
    line = found.line
    for place, index, shown, proposed in untested(rules, found, alive, reached):
        handler = place.stage != place.rule
        what = f"{place.stage} of rule {place.rule!r}" if handler else f"rule {place.rule!r}"
        own: tuple[str | int, ...] = ("rules", index) if index < len(line.rules) else (OTHERWISE,)
        keys = ("lines", line.name, *own, *((place.stage,) if handler else ()))
        message = f"no expectation reaches {what}"
        yield Finding(INFO, "untested", keys, message, shown, proposed=proposed)


def _without_turn(rules: RuleSet, sweep: Sweep) -> Iterator[Finding]:
    """Yield the members of rotations whose turn does not come in the sweep."""
    for name, rotation in rules.rotations.items():
        having = {state for (state,) in sweep.moments((rotation,)).kinds}
        for label in rotation.labels:
            if label not in having:
                message = f"in these {sweep.days} days it is never the turn of {label}"
                yield Finding(INFO, "later-turn", ("rotations", name), message)


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
