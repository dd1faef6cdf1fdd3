"""The only evaluator: which rule takes a call. First match wins."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from catapult.transfer import is_number
from routing.callers import ANONYMOUS
from routing.conditions import looks_of, reason_of
from routing.looks import Fullness
from routing.route import (
    Attempt,
    Route,
    Skip,
    Trace,
    TraceStep,
    ending_of,
    first_move,
    next_move,
    reason_of_stage,
    reason_without_conditions,
)
from routing.rules import TransferAction
from routing.turns import OnTurn, rotations_in, with_members
from routing.words import EMERGENCY, OTHERWISE, outcome_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from routing.conditions import Call, Condition, Facts
    from routing.route import Move
    from routing.rules import Line, Rule, RuleSet, Stage

_NO_RULE_HELD = TraceStep(OTHERWISE, True, "no rule above held")
_NO_LINE = TraceStep(EMERGENCY, True, "the called number is on no line")


def route(rules: RuleSet, call: Call, facts: Facts) -> Route:
    """Return where `call` goes, given the facts, with the trace of how that was found."""
    chosen = _route(rules, call, facts)
    return _in_turn(chosen, call, facts) if rules.rotations else chosen


def _in_turn(route: Route, call: Call, facts: Facts) -> Route:
    """Return a route in which the members whose turn it is stand for their rotations.

    The call's instant is looked at only where there is a rotation.
    """
    rotations = rotations_in(route.stages)
    if not rotations:
        return route
    turns = [each.turn(call.at, facts.overrides) for each in rotations]
    return structs.replace(
        route,
        stages=with_members(route.stages, {each.rotation: each.index for each in turns}),
        turns=tuple(
            OnTurn(rotation.name, rotation.members[turn.index].label, turn.because())
            for rotation, turn in zip(rotations, turns, strict=True)
        ),
    )


def _route(rules: RuleSet, call: Call, facts: Facts) -> Route:
    line = rules.line_by_number.get(call.to)
    if line is None:
        stages, trace = rules.emergency, Trace(call, facts, (), _NO_LINE)
        return _plain(rules, call, None, EMERGENCY, stages, trace)
    index = first_that_holds(line, call, facts)
    if index < len(line.rules):
        trace = Trace(call, facts, line.rules[: index + 1], None)
        return _chosen(rules, call, line, line.rules[index], facts, trace)
    trace = Trace(call, facts, line.rules, _NO_RULE_HELD)
    return _plain(rules, call, line, OTHERWISE, line.otherwise, trace)


def _chosen(
    rules: RuleSet, call: Call, line: Line, rule: Rule, facts: Facts, trace: Trace
) -> Route:
    reason = reason_by_conditions(rule, facts)
    return _plain(rules, call, line, rule.name, rule.stages, trace, reason)


def reason_by_conditions(rule: Rule, facts: Facts) -> str | None:
    """Return the diversion reason that the conditions of a chosen rule give, if they give one."""
    action = rule.stages[0].action
    follows = isinstance(action, TransferAction) and action.follow_me
    return None if follows else reason_of(rule.conditions, facts)


def _plain(
    rules: RuleSet,
    call: Call,
    line: Line | None,
    rule: str,
    stages: tuple[Stage, ...],
    trace: Trace,
    reason: str | None = None,
) -> Route:
    """Return a route with its conditions' reason, or the one that there is without."""
    if call.comes_back:
        ending = ending_of(stages)
        reason = reason if ending is stages[0] else reason_of_stage(ending)
        stages = (ending,)
    return Route(
        line=line.name if line else None,
        title=line.title if line else call.to,
        rule=rule,
        to=call.to,
        caller=_shown(call),
        calling=call.caller,
        owned=owned_number(rules, call.to),
        reason=reason or reason_without_conditions(stages[0]),
        stages=stages,
        trace=trace,
    )


def owned_number(rules: RuleSet, to: str) -> str:
    """Return a number of the account: the called one, where it is a phone number."""
    return to if is_number(to) else rules.owned or to


def first_that_holds(line: Line, call: Call, facts: Facts) -> int:
    """Return which rule of a line is chosen; the number of its rules if none holds."""
    for index, rule in enumerate(line.rules):
        for condition in rule.conditions:  # `all_hold`, without a call of it for each rule
            if not condition.holds(call, facts):
                break
        else:
            return index
    return len(line.rules)


def _shown(call: Call) -> str:
    """Return who calls as others may hear it: a number that is withheld may come all the same."""
    return ANONYMOUS if call.anonymous else call.caller


def all_hold(conditions: tuple[Condition, ...], call: Call, facts: Facts) -> bool:
    """Return whether a rule with these conditions holds."""
    for condition in conditions:  # noqa: SIM110 - `all` of a generator costs twice the time here
        if not condition.holds(call, facts):
            return False
    return True


def destinations_met(rules: RuleSet, line: Line | None) -> set[str]:
    """Return the names of the destinations whose state may count for a call to a line."""
    stages = [*rules.emergency, *(line.otherwise if line else ())]
    met: set[str] = set()
    for rule in line.rules if line else ():
        stages += rule.stages
        looks = looks_of(rule.conditions)
        met |= {each.destination for each in looks if isinstance(each, Fullness)}
    for stage in stages:
        steps = stage.action.steps if isinstance(stage.action, TransferAction) else ()
        met |= {each.label for step in steps for each in step.destinations}
    return met


class Walk(NamedTuple):
    """The attempts under given outcomes, in order, and how it ended if nobody answered."""

    route: Route
    attempts: tuple[Attempt, ...]
    skipped: tuple[Skip, ...]
    last: Move


def walk(chosen: Route, facts: Facts, outcomes: Sequence[str]) -> Walk:
    """Return the attempts when they end with `outcomes`, in order; the one after those answers.

    An outcome may be given as a hangup cause (`UNALLOCATED_NUMBER`).
    """
    attempts: list[Attempt] = []
    move = first_move(chosen, facts)
    skipped = move.skipped
    for given in outcomes:
        if move.attempt is None:
            break
        attempts.append(move.attempt)
        cause = given if given.isupper() else None
        outcome = outcome_of(cause) if cause else given
        move = next_move(chosen, move.progress, outcome, facts, cause)
        skipped += move.skipped
    if move.attempt is not None:
        attempts.append(move.attempt)
    return Walk(chosen, tuple(attempts), skipped, move)
