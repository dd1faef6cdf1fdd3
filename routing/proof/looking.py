"""What becomes of a call to a line depends on: the one place that collects it.

What makes calls depend on something new (a condition, or a destination whose number changes with
the time) says so here, and everything that is proved, the timeline and `diff` know it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.conditions import looks_of
from routing.looks import Fullness, Instant, Phone, PresenceOf
from routing.rules import TransferAction
from routing.turns import rotations_in
from routing.words import PRESENCE_STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from routing.looks import Clock, Look
    from routing.rules import Line, Stage


def looked_at(line: Line | None) -> list[Look]:
    """Return everything that decides which rule of a line is chosen; on no line, nothing."""
    if line is None:
        return []
    return [look for rule in line.rules for look in looks_of(rule.conditions)]


def dialed_by(stages: Sequence[Stage]) -> Iterator[Look]:
    """Yield everything that decides who of those is dialed whom stages name."""
    for rotation in rotations_in(stages):
        yield from rotation.looks_at()
    for stage in stages:
        steps = stage.action.steps if isinstance(stage.action, TransferAction) else ()
        for each in (destination for step in steps for destination in step.destinations):
            yield Phone(each.party)
            if each.capacity is not None:
                yield Fullness(each.label)
            if each.person is not None:
                yield from (PresenceOf(each.person, (state,)) for state in PRESENCE_STATES)


def clocks_of(line: Line | None) -> tuple[Clock, ...]:
    """Return every clock on which it depends what becomes of a call to a line."""
    stages = [*(rule.stages for rule in line.rules), line.otherwise] if line else []
    dialed = (look for each in stages for look in dialed_by(each))
    return clocks_in([*looked_at(line), *dialed])


def clocks_in(looks: Iterable[Look]) -> tuple[Clock, ...]:
    """Return the clocks, each once: whenever one of them turns, something may change."""
    found = {id(each.clock): each.clock for each in looks if isinstance(each, Instant)}
    return tuple(found.values())
