"""Sets of worlds, as decision diagrams: what holds in some worlds is known without trying each.

A region is a number. Its node looks at one variable, and says for the values that can still be
right which region follows; variables come in a fixed order, equal nodes are one, and a node that
does not tell anything apart is left out. So two regions are the same set of worlds exactly if
they are the same number, and the size grows with what rules tell apart in a row, not with the
number of combinations.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeVar

from routing.proof.worlds import ORDINARY, AskedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from routing.proof.worlds import Domains, Variable, World

T = TypeVar("T")
Region = int
NOWHERE: Region = 0
EVERYWHERE: Region = 1
MOST_NODES = 200_000
"""Nodes of one space. More are needed only for rules that are made for it."""
_END = 1 << 30
"""The level of the two regions that look at nothing."""


class TooManyWorldsError(Exception):
    """The rules tell more worlds apart than can be kept."""


class UndeclaredLookError(TypeError):
    """A condition looks at something that its `looks_at` does not name."""


class Space:
    """All worlds that some rules tell apart. `domains` says what, and in which order."""

    def __init__(self, domains: Domains, most: int = MOST_NODES) -> None:
        self.domains = domains
        self._most = most
        self._variables = list(domains)
        self._level = {variable: n for n, variable in enumerate(domains)}
        self._full = [(1 << len(values)) - 1 for values in domains.values()]
        self._levels = [_END, _END]
        self._edges: list[tuple[tuple[int, Region], ...]] = [(), ()]
        self._known: dict[tuple[int, frozenset[tuple[int, Region]]], Region] = {}
        self._both: dict[tuple[Region, Region], Region] = {}
        self.kept: dict[object, Any] = {}
        """What others have found out about this space."""
        self._not: dict[Region, Region] = {NOWHERE: EVERYWHERE, EVERYWHERE: NOWHERE}

    def values(self, variable: Variable) -> tuple[Any, ...]:
        """Return the values of a variable; what nothing tells apart has the usual one only."""
        return self.domains.get(variable) or ORDINARY[variable[0]]

    def where(self, variable: Variable, values: Collection[Any]) -> Region:
        """Return the worlds in which a variable has one of some values."""
        known = self.values(variable)
        mask = sum(1 << n for n, value in enumerate(known) if value in values)
        return self._literal(variable, mask)

    def _literal(self, variable: Variable, mask: int) -> Region:
        if variable not in self._level:
            return EVERYWHERE if mask else NOWHERE
        return self._node(self._level[variable], [(mask, EVERYWHERE)])

    def both(self, first: Region, second: Region) -> Region:
        """Return the worlds that are in both regions."""
        pair = (first, second) if first < second else (second, first)
        end = self._met(pair)
        if end is None:
            end = self._both.get(pair)
        return self._walk(pair) if end is None else end

    def _met(self, pair: tuple[Region, Region]) -> Region | None:
        first, second = pair
        if second in {first, EVERYWHERE}:
            return first
        if first == EVERYWHERE:
            return second
        return None if first and second else NOWHERE

    def other(self, region: Region) -> Region:
        """Return the worlds that are not in a region."""
        waiting = [region]
        while waiting:
            each = waiting[-1]
            if each in self._not:
                waiting.pop()
                continue
            missing = [child for _, child in self._edges[each] if child not in self._not]
            if missing:
                waiting += missing
                continue
            level, edges = self._levels[each], self._edges[each]
            rest = self._full[level] & ~sum(mask for mask, _ in edges)
            inverse = self._node(level, [*((m, self._not[c]) for m, c in edges), (rest, 1)])
            self._not[each], self._not[inverse] = inverse, each
        return self._not[region]

    def without(self, first: Region, second: Region) -> Region:
        """Return the worlds of the first region that are not in the second."""
        return self.both(first, self.other(second))

    def either(self, first: Region, second: Region) -> Region:
        """Return the worlds that are in one of two regions, or in both."""
        if not first or not second:
            return first or second
        return self.other(self.both(self.other(first), self.other(second)))

    def any_of(self, regions: Iterable[Region]) -> Region:
        """Return the worlds that are in one of the regions."""
        found = NOWHERE
        for each in regions:
            found = self.either(found, each)
        return found

    def all_of(self, regions: Iterable[Region]) -> Region:
        """Return the worlds that are in each of the regions."""
        found = EVERYWHERE
        for each in regions:
            found = self.both(found, each)
        return found

    def parts(
        self, ask: Callable[[World], T], declared: Collection[Variable] | None = None
    ) -> dict[T, Region]:
        """Return what `ask` answers, with the worlds in which it does; together they are all.

        `declared` is what it may look at. Raises UndeclaredLookError if it looks at more.
        """
        return self._split(ask, {}, declared)

    def _split(
        self, ask: Callable[[World], T], world: World, declared: Collection[Variable] | None
    ) -> dict[T, Region]:
        try:
            return {ask(world): EVERYWHERE}
        except AskedError as asked:
            variable = asked.variable
        if declared is not None and variable not in declared:
            raise UndeclaredLookError(" ".join(variable))
        alike: dict[frozenset[tuple[T, Region]], int] = defaultdict(int)
        for number, value in enumerate(self.values(variable)):
            found = self._split(ask, {**world, variable: value}, declared)
            alike[frozenset(found.items())] |= 1 << number
        joined: dict[T, Region] = {}
        for parts, mask in alike.items():
            here = self._literal(variable, mask)
            for answer, region in parts:
                part = self.both(here, region)
                joined[answer] = self.either(joined.get(answer, NOWHERE), part)
        return joined

    def first(self, region: Region) -> World:
        """Return a world of a region that is not empty: the most ordinary values first."""
        world: World = {}
        while region != EVERYWHERE:
            variable = self._variables[self._levels[region]]
            mask, region = min(self._edges[region], key=lambda edge: edge[0] & -edge[0])
            world[variable] = self.domains[variable][(mask & -mask).bit_length() - 1]
        return world

    def whatever(self, region: Region, variables: Collection[Variable]) -> Region:
        """Return the worlds that are in a region if these variables are changed as need be."""
        free = {self._level[each] for each in variables}
        known = {NOWHERE: NOWHERE, EVERYWHERE: EVERYWHERE}
        waiting = [region]
        while waiting:
            each = waiting[-1]
            missing = [child for _, child in self._edges[each] if child not in known]
            if each in known or missing:
                waiting += missing
                if not missing:
                    waiting.pop()
                continue
            level = self._levels[each]
            here = [(mask, known[child]) for mask, child in self._edges[each]]
            if level in free:
                known[each] = self.any_of(child for _, child in here)
            else:
                known[each] = self._node(level, here)
        return known[region]

    def looked_at(self, region: Region) -> list[Variable]:
        """Return the variables that decide whether a world is in a region, in order."""
        levels = {self._levels[each] for each in self._nodes(region)}
        return [self._variables[level] for level in sorted(levels)]

    def possible(self, region: Region, variable: Variable) -> tuple[Any, ...]:
        """Return the values that a variable has somewhere in a region."""
        level = self._level[variable]
        mask = 0 if self._levels[region] <= level else self._full[level]
        for node in self._nodes(region):
            here = self._levels[node]
            for values, child in self._edges[node]:
                if here == level:
                    mask |= values
                elif here < level < self._levels[child]:
                    mask = self._full[level]
        return tuple(v for n, v in enumerate(self.domains[variable]) if mask >> n & 1)

    def _nodes(self, region: Region) -> Iterator[Region]:
        seen, waiting = {NOWHERE, EVERYWHERE}, [region]
        while waiting:
            each = waiting.pop()
            if each not in seen:
                seen.add(each)
                yield each
                waiting += [child for _, child in self._edges[each]]

    def _walk(self, pair: tuple[Region, Region]) -> Region:
        """Intersect two regions from the leaves up, each pair of nodes once."""
        known = self._both
        waiting = [pair]
        while waiting:
            each = waiting[-1]
            if each in known:
                waiting.pop()
                continue
            end = self._met(each)
            if end is not None:
                known[each] = end
                continue
            level, branches = self._branches(*each)
            missing = [pair for _, pair in branches if pair not in known]
            if missing:
                waiting += missing
            else:
                known[each] = self._node(level, [(mask, known[pair]) for mask, pair in branches])
        return known[pair]

    def _branches(
        self, first: Region, second: Region
    ) -> tuple[int, list[tuple[int, tuple[Region, Region]]]]:
        """Return the level of the first variable of both, and what follows its values."""
        mine, its = self._levels[first], self._levels[second]
        if mine < its:
            return mine, [(mask, (child, second)) for mask, child in self._edges[first]]
        if its < mine:
            return its, [(mask, (first, child)) for mask, child in self._edges[second]]
        return mine, [
            (mask & other, (child, grandchild))
            for mask, child in self._edges[first]
            for other, grandchild in self._edges[second]
            if mask & other
        ]

    def _node(self, level: int, branches: Iterable[tuple[int, Region]]) -> Region:
        """Return the region with these branches, whose values have none in common."""
        masks: dict[Region, int] = defaultdict(int)
        for mask, child in branches:
            if mask and child:
                masks[child] |= mask
        if not masks:
            return NOWHERE
        if len(masks) == 1:
            ((child, mask),) = masks.items()
            if mask == self._full[level]:
                return child
        edges = tuple((mask, child) for child, mask in masks.items())
        key = level, frozenset(edges)
        if key not in self._known:
            if len(self._levels) >= self._most:
                raise TooManyWorldsError
            self._known[key] = len(self._levels)
            self._levels.append(level)
            self._edges.append(edges)
        return self._known[key]
