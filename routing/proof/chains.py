"""Everything that can follow once a rule is chosen: every outcome of every attempt."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from routing.conditions import Facts
from routing.route import first_move, next_move
from routing.words import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from routing.route import Attempt, Move, Route

ORDINARY = Facts()
"""Nobody is busy or away."""


class Ring(NamedTuple):
    """One attempt of a chain: the stage, who rings, for how long, and how it ends."""

    stage: str
    rings: tuple[str, ...]
    seconds: int
    outcome: str


class Visit(NamedTuple):
    """An attempt that can come about, and the outcomes of those before it."""

    attempt: Attempt
    outcomes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chains:
    """What can follow: every attempt, the stages used and how, the longest that it can ring."""

    visits: tuple[Visit, ...]
    stages: Mapping[int, tuple[str, ...]]
    """Stage -> outcomes that lead to it."""
    longest: tuple[Ring, ...]

    @property
    def seconds(self) -> int:
        """The longest that a caller can ring."""
        return sum(ring.seconds for ring in self.longest)


def joined(every: Sequence[Chains]) -> Chains:
    """Return what can follow when any of these can."""
    stages: dict[int, tuple[str, ...]] = {}
    for each in every:
        stages = {**each.stages, **stages}
    visits = tuple(visit for each in every for visit in each.visits)
    return Chains(visits, stages, max((each.longest for each in every), key=_seconds))


def chains(route: Route, first: Iterable[Facts] = (ORDINARY,)) -> Chains:
    """Return what can follow, when the facts at first are one of these and anything later.

    A destination that is busy later on is as one whose attempt ended with `busy`, so that the
    facts of later attempts need not be told apart.
    """
    first_moves = [first_move(route, facts) for facts in first]
    moves: dict[_Place, tuple[Move, tuple[str, ...]]] = {}
    after: dict[_Place, list[_Place]] = {}
    stages: dict[int, tuple[str, ...]] = {}
    waiting: deque[tuple[Move, tuple[str, ...]]] = deque((move, ()) for move in first_moves)
    while waiting:
        move, outcomes = waiting.popleft()
        for stage in move.progress.used:
            stages.setdefault(stage, outcomes)
        place = _place(move)
        if place in moves or move.attempt is None:
            continue
        moves[place] = (move, outcomes)
        following = [next_move(route, move.progress, each, ORDINARY) for each in OUTCOMES]
        after[place] = [_place(each) for each in following]
        waiting += [(m, (*outcomes, o)) for m, o in zip(following, OUTCOMES, strict=True)]
    visits = {
        (place.stage, place.step, place.rings): Visit(move.attempt, outcomes)
        for place, (move, outcomes) in reversed(moves.items())
        if move.attempt
    }
    longest = _Longest(moves, after)
    best = max((longest.of(_place(move)) for move in first_moves), key=_seconds)
    return Chains(tuple(visits.values())[::-1], stages, best)


class _Place(NamedTuple):
    """Where a call stands, as far as what can follow depends on it."""

    stage: int
    step: int
    used: frozenset[int]
    rings: tuple[str, ...]


def _place(move: Move) -> _Place:
    at = move.progress
    rings = tuple(each.label for each in move.attempt.destinations) if move.attempt else ()
    return _Place(at.stage, at.step, frozenset(at.used), rings)


@dataclass(slots=True)
class _Longest:
    """Finds the longest chain from each place, each one once; no chain comes to a place again."""

    moves: Mapping[_Place, tuple[Move, tuple[str, ...]]]
    after: Mapping[_Place, list[_Place]]
    known: dict[_Place, tuple[Ring, ...]] = field(default_factory=dict)

    def of(self, place: _Place) -> tuple[Ring, ...]:
        attempt = self.moves[place][0].attempt if place in self.moves else None
        if attempt is None:
            return ()
        if place not in self.known:
            ways = [
                (Ring(attempt.stage, place.rings, attempt.ring, outcome), *self.of(following))
                for outcome, following in zip(OUTCOMES, self.after[place], strict=True)
            ]
            self.known[place] = max(ways, key=_seconds)
        return self.known[place]


def _seconds(chain: tuple[Ring, ...]) -> int:
    return sum(ring.seconds for ring in chain)
