"""Loops: calls that come back to one of our own lines again and again.

A transfer to a number of ours is a new call to it. What is so in the world is taken to stay as it
is, and the new call brings what the transfer gave it: caller, diversion reason. So a loop is one
that really goes round: a line that sends calls on at night and one that sends them back by day
are none, and `when: {diverted: any}` ends one. A loop through a destination with a capacity ends
by itself once that is full.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from catapult.transfer import is_number
from routing.callers import ANONYMOUS
from routing.proof.classes import Party, domains_of
from routing.proof.following import alone, follow, routes
from routing.proof.looking import clocks_in, dialed_by, looked_at
from routing.proof.reach import first_of, holding, stages_of
from routing.proof.regions import EVERYWHERE, NOWHERE, Space
from routing.proof.worlds import CALLER, DIVERTED, OWN, View, Witness, World, witness
from routing.route import Attempt
from routing.rules import TransferAction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from routing.proof.following import Visit
    from routing.proof.regions import Region
    from routing.proof.sweep import Sweep
    from routing.route import Route
    from routing.rules import Destination, Line, RuleSet, Stage

_EVERY_WAY = 500
"""Steps for which every way round is looked for; after that each place is visited once."""


class Hop(NamedTuple):
    """One transfer of a loop: from a line, by a rule and stage of it, to a number of ours."""

    line: str
    rule: str
    stage: str
    to: str
    witness: Witness
    limit: str | None = None
    """The destination, if it takes only so many calls at once."""

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

    @property
    def full(self) -> tuple[str, ...]:
        """The destinations of the loop that are full after some rounds, so that it ends."""
        return tuple(dict.fromkeys(hop.limit for hop in self.hops if hop.limit is not None))


class _Arrival(NamedTuple):
    """A call to a number of ours, and what a transfer gave it; None is as the first call was."""

    to: str
    given: tuple[tuple[tuple[str, str], object], ...] = ()


class _Transfer(NamedTuple):
    rule: str
    stage: str
    outcomes: tuple[str, ...]
    next: _Arrival
    limit: str | None


def loops(rules: RuleSet, sweep: Sweep, alive: Mapping[str, Sequence[Stage]]) -> list[Loop]:
    """Return a loop for each round trip over our lines; `alive` has the stages that can be used.

    Raises TooManyWorldsError.
    """
    onward = _entangled(
        {line: {rules.line_by_number[n].name for n in _own(rules, alive[line])} for line in alive}
    )
    if not onward:
        return []
    search = _Search(rules, _space(rules, [rules.lines[name] for name in onward], sweep))
    for name in onward:
        for number in rules.lines[name].numbers:
            if any(number in _own(rules, alive[each]) for each in onward):
                search.go(_Arrival(number), EVERYWHERE, ())
    order = {name: number for number, name in enumerate(rules.lines)}
    found = _telling(sorted(search.found.values(), key=lambda loop: len(loop.hops)))
    return sorted(found, key=lambda loop: [order[name] for name in loop.names])


def _space(rules: RuleSet, lines: Sequence[Line], sweep: Sweep) -> Space:
    looks = [look for line in lines for look in looked_at(line)]
    dialed = [look for line in lines for stages in stages_of(line) for look in dialed_by(stages)]
    instants = sweep.moments(clocks_in([*looks, *dialed])).first
    return Space(domains_of([*looks, *dialed], instants, rules.default_caller))


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
    space: Space
    found: dict[tuple[str, ...], Loop] = field(default_factory=dict)
    steps: int = 0
    seen: dict[_Arrival, Region] = field(default_factory=dict)
    chosen: dict[_Arrival, tuple[Region, ...]] = field(default_factory=dict)
    views: dict[object, View] = field(default_factory=dict)

    def go(
        self, arrival: _Arrival, region: Region, path: tuple[tuple[_Arrival, _Transfer], ...]
    ) -> None:
        """Follow calls through our lines until they leave them or are where they were before."""
        before = [each for each, _ in path]
        if arrival in before:
            self._note(path[before.index(arrival) :], region)
            return
        self.steps += 1
        seen = self.seen.get(arrival, NOWHERE)
        if self.steps > _EVERY_WAY and not self.space.without(region, seen):
            return
        self.seen[arrival] = self.space.either(seen, region)
        for transfer, part in sorted(self._transfers(arrival, region), key=_endless_first):
            self.go(transfer.next, part, (*path, (arrival, transfer)))

    def _transfers(self, arrival: _Arrival, region: Region) -> Iterator[tuple[_Transfer, Region]]:
        """Yield every transfer to a number of ours that can come about, and where it does."""
        line = self.rules.line_by_number[arrival.to]
        for index, (chosen, stages) in enumerate(
            zip(self._chosen(arrival, line), stages_of(line), strict=True)
        ):
            here = self.space.both(region, chosen)
            if not here or not _own(self.rules, stages):
                continue
            for route, part in routes(self.space, self.rules, line, index, here, arrival.to):
                for visit in follow(self.space, route, part, self._view(arrival)):
                    yield from self._rings(arrival, route, visit)

    def _chosen(self, arrival: _Arrival, line: Line) -> tuple[Region, ...]:
        """Return where each rule is chosen for a call that arrives so."""
        if arrival not in self.chosen:
            view = self._view(arrival)
            holds = [holding(self.space, rule.conditions, view) for rule in line.rules]
            self.chosen[arrival] = first_of(self.space, holds)
        return self.chosen[arrival]

    def _view(self, arrival: _Arrival) -> View:
        """Return how rules see a call that arrives so: who calls is given by the transfer."""
        if arrival.given not in self.views:
            self.views[arrival.given] = View(_given(arrival))
        return self.views[arrival.given]

    def _rings(
        self, arrival: _Arrival, route: Route, visit: Visit
    ) -> Iterator[tuple[_Transfer, Region]]:
        turn, outcomes = visit
        for number, (destination, region) in enumerate(turn.ringing):
            if destination.party not in self.rules.line_by_number:
                continue
            by_itself = alone(self.space, turn, number)
            others = tuple(each for each, _ in turn.ringing if each is not destination)
            for together, part in (
                ((destination,), by_itself),
                ((destination, *others), self.space.without(region, by_itself)),
            ):
                if part:
                    attempt = Attempt(route, turn.stage.name, together, turn.progress.reason)
                    following = _arrival(arrival, attempt, destination)
                    limit = destination.label if destination.capacity is not None else None
                    name = turn.stage.name
                    yield _Transfer(route.rule, name, outcomes, following, limit), part

    def _note(self, cycle: tuple[tuple[_Arrival, _Transfer], ...], region: Region) -> None:
        world = self.space.first(region)
        hops = [self._hop(*each, world) for each in cycle]
        order = list(self.rules.lines)
        first = min(range(len(hops)), key=lambda index: order.index(hops[index].line))
        loop = Loop((*hops[first:], *hops[:first]))
        known = self.found.get(loop.names)
        if known is None or (known.full and not loop.full):
            self.found[loop.names] = loop

    def _hop(self, arrival: _Arrival, transfer: _Transfer, world: World) -> Hop:
        whole = {**world, **_given(arrival)}
        shown = witness(whole, self.space.domains, arrival.to, transfer.outcomes)
        line = self.rules.line_by_number[arrival.to].name
        return Hop(line, transfer.rule, transfer.stage, transfer.next.to, shown, transfer.limit)


def _given(arrival: _Arrival) -> World:
    given: World = dict(arrival.given)
    return given | {OWN: None} if CALLER in given else given


def _endless_first(each: tuple[_Transfer, Region]) -> bool:
    return each[0].limit is not None


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
