"""Stages with rotations: who rings is settled once, at the instant at which a call is routed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, structs

from routing.rules import InTurn, RotatingStep, Stage, Step, TransferAction

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from routing.conditions import Call, Facts
    from routing.rotation import Rotation
    from routing.rules import Destination, RuleSet


class OnTurn(Struct, frozen=True):
    """The member that rings for a rotation, and why it does."""

    rotation: str
    member: str
    because: str


def rotations_in(stages: Iterable[Stage]) -> list[Rotation]:
    """Return the rotations that stages name, each once."""
    found: dict[str, Rotation] = {}
    for stage in stages:
        for step in stage.action.steps if isinstance(stage.action, TransferAction) else ():
            if isinstance(step, RotatingStep):
                turning = (each for each in step.targets if isinstance(each, InTurn))
                found |= {each.rotation.name: each.rotation for each in turning}
    return list(found.values())


def with_members(stages: Sequence[Stage], turns: Mapping[str, int]) -> tuple[Stage, ...]:
    """Return stages in which a member stands for each rotation; `turns` has its place by name."""
    return tuple(_plain(each, turns) if rotations_in((each,)) else each for each in stages)


def _plain(stage: Stage, turns: Mapping[str, int]) -> Stage:
    action = stage.action
    if not isinstance(action, TransferAction):
        return stage
    steps = tuple(_plain_step(each, turns) for each in action.steps)
    return Stage(stage.name, TransferAction(steps, action.follow_me))


def _plain_step(step: Step, turns: Mapping[str, int]) -> Step:
    """Return a step without rotations; who is there twice, by whatever name, rings once."""
    if not isinstance(step, RotatingStep):
        return step
    found: dict[str, Destination] = {}
    for each in step.targets:
        member = each.members[turns[each.rotation.name]] if isinstance(each, InTurn) else each
        found.setdefault(member.transfer_to, member)
    return Step(tuple(found.values()))


def supposed_busy(rules: RuleSet, facts: Facts, call: Call) -> Facts:
    """Return facts in which a rotation that is supposed to be busy is its member's being full.

    A member without a capacity is never busy.
    """
    named = [rules.rotations[name] for name in facts.busy if name in rules.rotations]
    if not named:
        return facts
    members = {each.member(call.at, facts.overrides).label for each in named}
    busy = facts.busy - {each.name for each in named} | (members & rules.limited.keys())
    return structs.replace(facts, busy=busy)
