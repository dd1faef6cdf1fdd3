"""Which rules of a line can be chosen, in which worlds, and what hides those that cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from routing.looks import OverrideOf
from routing.proof.classes import domains_of
from routing.proof.following import skipping
from routing.proof.looking import clocks_in, clocks_of, dialed_by, looked_at
from routing.proof.regions import EVERYWHERE, NOWHERE, Space, UndeclaredLookError
from routing.proof.worlds import CALLER, OVERRIDE, OWN, PLAIN, witness
from routing.rules import TransferAction
from routing.words import BUSY as BUSY_OUTCOME
from routing.words import EMERGENCY, HANDLERS_BY_OUTCOME, OTHERWISE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from routing.conditions import Condition
    from routing.looks import Clock, Look
    from routing.proof.regions import Region
    from routing.proof.sweep import Sweep
    from routing.proof.worlds import Domains, View, Witness
    from routing.rules import Line, Rule, RuleSet, Stage, Step

_LAST = (OTHERWISE, EMERGENCY)


@dataclass(frozen=True, slots=True)
class Reach:
    """For each rule of a line: where its conditions hold, and where it is the one chosen.

    `chosen` has one more at its end, for `otherwise`. A rule that is chosen nowhere is dead.
    """

    line: Line
    clocks: tuple[Clock, ...]
    space: Space
    holds: tuple[Region, ...]
    chosen: tuple[Region, ...]

    def witness(self, region: Region, outcomes: tuple[str, ...] = ()) -> Witness:
        """Return a call of a region."""
        domains = self.space.domains
        return witness(self.space.first(region), domains, self.line.numbers[0], outcomes)


class Hiding(NamedTuple):
    """An earlier rule that is chosen in place of a dead one, and where it is."""

    rule: Rule
    region: Region


def reach(rules: RuleSet, line: Line, sweep: Sweep, *, overrides: bool = False) -> Reach:
    """Sweep one line: every instant, every caller, presence, busy state, and perhaps override.

    Raises TooManyWorldsError.
    """
    looks = looked_at(line)
    dialed = [look for stages in stages_of(line) for look in dialed_by(stages)]
    clocks = clocks_in([*looks, *dialed])
    domains = domains_of([*looks, *dialed], sweep.moments(clocks).first, rules.default_caller)
    if overrides:
        domains |= overridden(looks)
    space = Space(domains)
    holds = tuple(holding(space, rule.conditions) for rule in line.rules)
    return Reach(line, clocks, space, holds, first_of(space, holds))


def overridden(looks: Iterable[Look], view: View = PLAIN) -> Domains:
    """Return what schedules and rotations may be set to."""
    found: Domains = {}
    for each in looks:
        if isinstance(each, OverrideOf):
            known = found.get(view.variable(each), (None,))
            found[view.variable(each)] = tuple(dict.fromkeys([*known, *each.states]))
    return found


def holding(space: Space, conditions: Sequence[Condition], view: View = PLAIN) -> Region:
    """Return where all conditions hold."""
    return space.all_of(_where(space, each, view) for each in conditions)


def _where(space: Space, condition: Condition, view: View) -> Region:
    declared = {view.variable(look) for look in condition.looks_at()}
    declared |= {OWN} if CALLER in declared else set()
    try:
        found = space.parts(
            lambda world: condition.holds(view.call(world), view.facts(world)), declared
        )
    except UndeclaredLookError as error:
        name = type(condition).__name__
        message = f"{name}.holds looks at {error}, and {name}.looks_at does not say so"
        raise UndeclaredLookError(message) from None
    return found.get(True, NOWHERE)


def first_of(space: Space, holds: Sequence[Region]) -> tuple[Region, ...]:
    """Return where each rule is the first whose conditions hold, and at the end where none is."""
    chosen, left = [], EVERYWHERE
    for region in holds:
        chosen.append(space.both(left, region))
        left = space.without(left, region)
    return (*chosen, left)


def instants(rules: RuleSet, sweep: Sweep, number: str) -> tuple[dt.datetime, ...]:
    """Return the first instant of each kind that the line of a called number tells apart.

    Those of all rotations are told apart, because an expectation may name any.
    """
    clocks = [*clocks_of(rules.line_by_number.get(number)), *rules.rotations.values()]
    return sweep.moments(tuple({id(each): each for each in clocks}.values())).first


def hiding(found: Reach, index: int) -> tuple[Hiding, ...]:
    """Return the earlier rules that hide a dead rule; none if its conditions never hold."""
    own = found.holds[index]
    regions = [found.space.both(own, each) for each in found.chosen[:index]]
    return tuple(
        Hiding(rule, each) for rule, each in zip(found.line.rules, regions, strict=False) if each
    )


def with_fewest_overrides(space: Space, region: Region) -> Region:
    """Return the part of a region in which as few schedules as can be are set."""
    settable = [each for each in space.looked_at(region) if each[0] == OVERRIDE]
    for spared in settable:  # one alone, if that is enough
        part = region
        for each in settable:
            if each != spared:
                part = space.both(part, space.where(each, [None]))
        if part:
            return part
    for each in settable:
        region = space.both(region, space.where(each, [None])) or region
    return region


def stages_of(line: Line) -> list[tuple[Stage, ...]]:
    """Return the stages of each rule, and at the end those of `otherwise`."""
    return [*(rule.stages for rule in line.rules), line.otherwise]


def first_worlds(found: Reach, stages: Sequence[Stage], region: Region) -> list[Witness]:
    """Return calls that stand for all of a region in which they go through stages.

    They are those in which the first step that can be dialed at all is dialed. A call for which
    it is not is as one for which it is dialed and busy; the steps before it are never dialed.
    """
    space = found.space
    for step in _in_turn(stages):
        free = [skipping(space, each).get(None, NOWHERE) for each in step.destinations]
        for regions in ([space.all_of(free)], free):
            worlds = [space.both(region, each) for each in regions]
            if any(worlds):
                return [found.witness(each) for each in worlds if each]
    return [found.witness(region)]


def _in_turn(stages: Sequence[Stage]) -> Iterator[Step]:
    """Yield the steps that have their turn while nobody can be dialed."""
    by_name = {stage.name: stage for stage in stages[1:]}
    following = (by_name.get(name) for name in (*HANDLERS_BY_OUTCOME[BUSY_OUTCOME], *_LAST))
    for stage in filter(None, (stages[0], *following)):
        if not isinstance(stage.action, TransferAction):
            return
        yield from stage.action.steps
