"""Loops: calls that come back to one of our own lines for ever.

A transfer to a number of ours is a new call to it. What is so in the world is taken to stay as it
is, and the new call brings what the transfer gave it: caller, diversion reason. So a loop is one
that really goes round: a line that sends calls on at night and one that sends them back by day
are none, and `when: {diverted: any}` ends one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from catapult.transfer import is_number
from routing.callers import ANONYMOUS
from routing.proof.chains import walk_all
from routing.proof.classes import Party, domains_of
from routing.proof.worlds import (
    CALLER,
    DIVERTED,
    Domains,
    Witness,
    World,
    answers,
    call_in,
    facts_in,
    witness,
)
from routing.route import first_move
from routing.router import route
from routing.rules import TransferAction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from routing.proof.sweep import Sweep
    from routing.route import Attempt
    from routing.rules import Destination, RuleSet, Stage

_EVERY_WAY = 500
"""Steps for which every way round is looked for; after that each place is visited once."""


class Hop(NamedTuple):
    """One transfer of a loop: from a line, by a rule and stage of it, to a number of ours."""

    line: str
    rule: str
    stage: str
    to: str
    witness: Witness

    @property
    def words(self) -> str:
        """The rule, the handler if it is not the rule itself, and the outcomes before."""
        stage = "" if self.stage == self.rule else f", {self.stage}"
        after = f" after {', '.join(self.witness.outcomes)}" if self.witness.outcomes else ""
        return f"{self.rule}{stage}{after}"


@dataclass(frozen=True, slots=True)
class Loop:
    """Transfers that lead back to where they began."""

    hops: tuple[Hop, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The lines, in order, the first again at the end."""
        return (*(hop.line for hop in self.hops), self.hops[0].line)


class _Arrival(NamedTuple):
    """A call to a number of ours, and what a transfer gave it; None is as the first call was."""

    to: str
    given: tuple[tuple[tuple[str, str], object], ...] = ()


class _Transfer(NamedTuple):
    rule: str
    stage: str
    outcomes: tuple[str, ...]
    next: _Arrival


def loops(rules: RuleSet, sweep: Sweep, alive: Mapping[str, Sequence[Stage]]) -> list[Loop]:
    """Return a loop for each round trip over our lines; `alive` has the stages that can be used."""
    onward = _entangled(
        {line: {rules.line_by_number[n].name for n in _own(rules, alive[line])} for line in alive}
    )
    if not onward:
        return []
    conditions = [c for name in onward for rule in rules.lines[name].rules for c in rule.conditions]
    domains = domains_of(conditions, sweep, rules.default_caller)
    search = _Search(rules, domains)
    for name in onward:
        for number in rules.lines[name].numbers:
            if any(number in _own(rules, alive[each]) for each in onward):
                search.go(_Arrival(number), {}, ())
    order = {name: number for number, name in enumerate(rules.lines)}
    found = _telling(sorted(search.found.values(), key=lambda loop: len(loop.hops)))
    return sorted(found, key=lambda loop: [order[name] for name in loop.names])


def _telling(found: Iterable[Loop]) -> list[Loop]:
    """Return the loops, without those that pass a line twice and are put together from others."""
    kept: list[Loop] = []
    known: set[tuple[str, str]] = set()
    for loop in found:
        ways = set(pairwise(loop.names))
        if len({hop.line for hop in loop.hops}) == len(loop.hops) or not ways <= known:
            kept.append(loop)
            known |= ways
    return kept


def _own(rules: RuleSet, stages: Iterable[Stage]) -> set[str]:
    """Return the numbers of ours that stages transfer to."""
    return {
        each.party
        for stage in stages
        if isinstance(stage.action, TransferAction)
        for step in stage.action.steps
        for each in step.destinations
        if each.party in rules.line_by_number
    }


def _entangled(onward: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return only the lines that may lie on a way round: something leads there and on."""
    while True:
        reached = {name for names in onward.values() for name in names}
        left = {
            name: {each for each in names if each in onward}
            for name, names in onward.items()
            if name in reached and names & onward.keys()
        }
        if left == onward:
            return left
        onward = left


@dataclass(slots=True)
class _Search:
    rules: RuleSet
    domains: Domains
    found: dict[tuple[str, ...], Loop] = field(default_factory=dict)
    steps: int = 0
    seen: set[object] = field(default_factory=set)

    def go(
        self, arrival: _Arrival, world: World, path: tuple[tuple[_Arrival, _Transfer], ...]
    ) -> None:
        """Follow a call through our lines until it leaves them or is where it was before."""
        before = [each for each, _ in path]
        if arrival in before:
            self._note(path[before.index(arrival) :], world)
            return
        self.steps += 1
        place = (arrival, frozenset(world.items()))
        if self.steps > _EVERY_WAY and place in self.seen:
            return
        self.seen.add(place)
        for transfers, split in answers(lambda w: self._transfers(arrival, w), world, self.domains):
            for transfer in transfers:
                self.go(transfer.next, split, (*path, (arrival, transfer)))

    def _transfers(self, arrival: _Arrival, world: World) -> list[_Transfer]:
        """Return every transfer to a number of ours that can come about."""
        facts = facts_in(world)
        chosen = route(self.rules, call_in({**world, **dict(arrival.given)}, arrival.to), facts)
        if not _own(self.rules, chosen.stages):
            return []
        known = walk_all(chosen, [first_move(chosen, facts)], facts)
        return [
            _Transfer(chosen.rule, attempt.stage, outcomes, _arrival(arrival, attempt, each))
            for attempt, outcomes in known.visits
            for each in attempt.destinations
            if each.party in self.rules.line_by_number
        ]

    def _note(self, cycle: tuple[tuple[_Arrival, _Transfer], ...], world: World) -> None:
        hops = [self._hop(*each, world) for each in cycle]
        order = list(self.rules.lines)
        first = min(range(len(hops)), key=lambda index: order.index(hops[index].line))
        loop = Loop((*hops[first:], *hops[:first]))
        self.found.setdefault(loop.names, loop)

    def _hop(self, arrival: _Arrival, transfer: _Transfer, world: World) -> Hop:
        whole = {**world, **dict(arrival.given)}
        shown = witness(whole, self.domains, arrival.to, transfer.outcomes)
        line = self.rules.line_by_number[arrival.to].name
        return Hop(line, transfer.rule, transfer.stage, transfer.next.to, shown)


def _arrival(before: _Arrival, attempt: Attempt, destination: Destination) -> _Arrival:
    """Return the call that a transfer makes.

    Destinations that ring together are called by us, so that they see a number of ours and no
    diversion.
    """
    given = dict(before.given)
    written = attempt.caller_id(destination)
    if len(attempt.destinations) > 1:
        given[CALLER] = Party(written if written and is_number(written) else before.to)
        given[DIVERTED] = None
        return _Arrival(destination.party, tuple(sorted(given.items())))
    if written is not None:
        given[CALLER] = Party(written) if is_number(written) else Party(ANONYMOUS, withheld=True)
    treatment = destination.parameters.diversion_treatment
    if treatment != "propagate":
        given[DIVERTED] = attempt.reason_for(destination) if treatment == "stack" else None
    return _Arrival(destination.party, tuple(sorted(given.items(), key=lambda i: i[0])))
