"""Which rules of a line can be chosen, in which worlds, and what hides those that cannot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from routing.proof.classes import domains_of, schedules_of
from routing.proof.worlds import (
    BUSY,
    OVERRIDE,
    PRESENCE,
    Domains,
    Variable,
    World,
    answers,
    call_in,
    facts_in,
    mentioned,
)
from routing.router import all_hold
from routing.rules import TransferAction
from routing.words import AVAILABLE, EMERGENCY, HANDLERS_BY_OUTCOME, OTHERWISE, OVERRIDES
from routing.words import BUSY as BUSY_OUTCOME

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from routing.proof.sweep import Sweep
    from routing.rules import Destination, Line, Rule, RuleSet, Stage, Step
    from routing.schedule import Schedule


_LAST = (OTHERWISE, EMERGENCY)


@dataclass(frozen=True, slots=True)
class Reach:
    """For each rule of a line, in order, and then for `otherwise`: worlds in which it is chosen.

    Worlds that differ only in what no later rule looks at are one. An empty tuple is a dead rule.
    """

    line: Line
    schedules: tuple[Schedule, ...]
    domains: Domains
    worlds: tuple[tuple[World, ...], ...]


class Hiding(NamedTuple):
    """An earlier rule that is chosen in place of a dead one, and a world in which it is."""

    rule: Rule
    world: World


def reach(rules: RuleSet, line: Line, sweep: Sweep) -> Reach:
    """Sweep one line: every instant of the sweep, every caller, presence and busy state."""
    conditions = [each for rule in line.rules for each in rule.conditions]
    domains = domains_of(conditions, sweep, rules.default_caller)
    schedules = tuple(schedules_of(conditions))
    worlds = _try_all(line.rules, [{}], domains)
    return Reach(line, schedules, domains, tuple(map(tuple, worlds)))


def instants(rules: RuleSet, sweep: Sweep, number: str) -> tuple[dt.datetime, ...]:
    """Return the first instant of each kind that the line of a called number tells apart."""
    line = rules.line_by_number.get(number)
    conditions = [each for rule in line.rules for each in rule.conditions] if line else []
    return sweep.moments(schedules_of(conditions)).first


def hiding(found: Reach, index: int) -> tuple[Hiding, ...]:
    """Return the earlier rules that hide a dead rule; none if its conditions never hold."""
    rules = found.line.rules
    own = _try_all(rules[index : index + 1], [{}], found.domains, _looked_at(rules[:index]))[0]
    chosen = _try_all(rules[:index], own, found.domains)[:-1]
    return tuple(
        Hiding(rule, worlds[0]) for rule, worlds in zip(rules, chosen, strict=False) if worlds
    )


def by_override(found: Reach, index: int, schedules: Iterable[Schedule]) -> World | None:
    """Return a world in which a rule is chosen if these schedules are set at run time, or None."""
    names = frozenset(each.name for each in schedules)
    domains = found.domains | {(OVERRIDE, name): OVERRIDES for name in names}
    rules = found.line.rules[: index + 1]
    worlds = _try_all(rules, [{}], domains, overridable=names)[index]
    return worlds[0] if worlds else None


def stages_of(found: Reach, index: int) -> tuple[Stage, ...]:
    """Return the stages of a rule; after the last rule, those of `otherwise`."""
    rules = found.line.rules
    return rules[index].stages if index < len(rules) else found.line.otherwise


def first_worlds(found: Reach, index: int) -> list[World]:
    """Return worlds that stand for all in which a rule is chosen, for what can follow.

    They are those in which the first step that can be dialed at all is dialed. A world in which
    it is not is as one in which it is dialed and busy; the steps before it are never dialed.
    """
    rules = found.line.rules[: index + 1]
    for step in _in_turn(stages_of(found, index)):
        free = [_dialable(each) for each in step.destinations]
        together = {variable: value for each in free for variable, value in each.items()}
        if found.domains.keys().isdisjoint(together):
            break
        for starts in ([together], free):
            worlds = [_try_all(rules, [each], found.domains)[index][:1] for each in starts]
            if any(worlds):
                return [world for each in worlds for world in each]
    return list(found.worlds[index][:1])


def _in_turn(stages: Sequence[Stage]) -> Iterator[Step]:
    """Yield the steps that have their turn while nobody can be dialed."""
    by_name = {stage.name: stage for stage in stages[1:]}
    following = (by_name.get(name) for name in (*HANDLERS_BY_OUTCOME[BUSY_OUTCOME], *_LAST))
    for stage in filter(None, (stages[0], *following)):
        if not isinstance(stage.action, TransferAction):
            return
        yield from stage.action.steps


def _dialable(destination: Destination) -> World:
    """Return what lets a destination be dialed."""
    free: World = {(BUSY, destination.label): False}
    if destination.person is not None:
        free[PRESENCE, destination.person] = AVAILABLE
    return free


def _looked_at(rules: Iterable[Rule]) -> frozenset[Variable]:
    return frozenset(variable for rule in rules for variable in mentioned(rule.conditions))


def _try_all(
    rules: Sequence[Rule],
    worlds: list[World],
    domains: Domains,
    keep: frozenset[Variable] = frozenset(),
    *,
    overridable: frozenset[str] = frozenset(),
) -> list[list[World]]:
    """Return for each rule the worlds in which it is chosen, and at the end those of no rule.

    A world goes on to the next rule as long as no rule held. What neither a later rule nor `keep`
    looks at is not told apart any more, so that the number of worlds stays small.
    """
    later = [keep]
    for rule in reversed(rules[1:]):
        later.insert(0, later[0] | mentioned(rule.conditions))
    chosen: list[list[World]] = []
    for rule, wanted in zip(rules, later, strict=False):
        held: dict[frozenset[object], World] = {}
        left: dict[frozenset[object], World] = {}
        for world in worlds:
            for holds, found in answers(
                lambda w, c=rule.conditions: all_hold(  # type: ignore[misc]
                    c, call_in(w, ""), facts_in(w, overridable)
                ),
                world,
                domains,
            ):
                wide = keep if holds else wanted
                alike = frozenset(item for item in found.items() if item[0] in wide)
                (held if holds else left).setdefault(alike, found)
        chosen.append(list(held.values()))
        worlds = list(left.values())
    return [*chosen, worlds]
