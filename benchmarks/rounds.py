"""Rounds of several sides by turns, and the figures that are made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.figures import Figure, Goal, Section
from benchmarks.load import Load, Round, measure, send
from benchmarks.sides import OURS, Side, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.upstream import Workshop

Taken = dict[Side, list[Round]]


@dataclass(frozen=True)
class Plan:
    """How long it may take: rounds of each side, and seconds of a round and of its warm-up."""

    workshop: Workshop
    rounds: int
    seconds: float
    warm_up: float
    is_quick: bool = False
    """Without what takes minutes."""


def alternate(sides: Iterable[Side], rounds: int, once: Callable[[Side], Round]) -> Taken:
    """Measure each side so many times, by turns; who begins alternates."""
    order = list(sides)
    taken: Taken = {side: [] for side in order}
    for number in range(rounds):
        for side in order if number % 2 == 0 else reversed(order):
            done = once(side)
            taken[side].append(done)
            print(f"  {number + 1}/{rounds} {side.name}: {done}", flush=True)
    return taken


def routed(plan: Plan, sides: Iterable[Side], load: Load, *, tls: bool) -> Taken:
    """Measure calls that are transferred, each round with a fresh process of its side."""
    with plan.workshop.upstream(load.api_ms, tls=tls) as upstream:

        def once(side: Side) -> Round:
            with running(side, upstream) as service:
                if plan.warm_up:
                    send(service.origin, replace(load, seconds=plan.warm_up))
                return measure(service, upstream, load, transfers=True)

        return alternate(sides, plan.rounds, once)


def pair(
    taken: Taken,
    peer: Side,
    name: str,
    unit: str,
    value: Callable[[Round], float],
    goal: Goal | None = None,
) -> Figure:
    """Return the figure of ours beside a peer."""
    ours, theirs = ([value(each) for each in taken[side]] for side in (OURS, peer))
    return Figure(name, unit, ours, peer.name, theirs, goal)


def section(title: str, conditions: str, figures: list[Figure], *all_taken: Taken) -> Section:
    """Return the section, with the callbacks and the errors of its rounds counted."""
    calls = 0
    errors: dict[str, int] = {}
    for taken in all_taken:
        for side, rounds in taken.items():
            calls += sum(each.heard.sent for each in rounds)
            if wrong := sum(each.errors for each in rounds):
                errors[side.name] = errors.get(side.name, 0) + wrong
    return Section(title, conditions, figures, calls, errors)


def per_second(taken: Round) -> float:
    return taken.per_second


def cpu_ms(taken: Round) -> float:
    return taken.cpu_ms
