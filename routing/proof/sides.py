"""Two rules files side by side: one space of worlds, and how each file sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from routing.conditions import Call, Facts
from routing.looks import Caller, Fullness, OverrideOf
from routing.proof.classes import domains_of
from routing.proof.looking import clocks_in, dialed_by, looked_at
from routing.proof.reach import first_of, holding, overridden, stages_of
from routing.proof.regions import EVERYWHERE, Space
from routing.proof.worlds import (
    AT,
    BUSY,
    CALLER,
    DIVERTED,
    ORDINARY,
    OVERRIDE,
    OWN,
    PRESENCE,
    OpenFacts,
    View,
    Witness,
    party_in,
    settled,
    variable_of,
)
from routing.reading.callers import free_number, join
from routing.words import AVAILABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.callers import CallerList
    from routing.looks import Look
    from routing.proof.regions import Region
    from routing.proof.sweep import Sweep
    from routing.proof.worlds import Domains, Variable, World
    from routing.rules import Line, RuleSet, Stage


class Load(NamedTuple):
    """The capacities that two files give a destination; None where it has none."""

    old: int | None
    new: int | None

    @property
    def steps(self) -> tuple[int, ...]:
        """The numbers of calls from which on it is full by one of the files, and before them 0."""
        return (0, *sorted({each for each in self if each is not None}))

    @property
    def values(self) -> tuple[tuple[bool, bool], ...]:
        """Whether it is full by the old and by the new rules, as more and more calls come."""
        return tuple(
            cast("tuple[bool, bool]", tuple(c is not None and calls >= c for c in self))
            for calls in self.steps
        )


class Side(View):
    """How one of two files sees a world, and one of its lines; None is for a number on no line."""

    def __init__(
        self, rules: RuleSet, line: Line | None, index: int, shared: Mapping[Variable, str]
    ) -> None:
        super().__init__()
        self.rules = rules
        self.line = line
        self.index = index
        self._shared = shared
        self.stages: list[tuple[Stage, ...]] = stages_of(line) if line else [rules.emergency]
        self.looks: list[Look] = looked_at(line)
        self.dialed: list[Look] = [look for each in self.stages for look in dialed_by(each)]

    def name(self, kind: str, name: str) -> str:
        """Return the name of a destination or schedule that both files share."""
        return self._shared.get((kind, name), name)

    def variable(self, look: Look) -> Variable:
        """Return what is one way or another where a condition looks."""
        kind, name = variable_of(look)
        return kind, self.name(kind, name)

    def callers(self) -> dict[str, CallerList]:
        """Return the lists that conditions name, and those that they write themselves."""
        named = (word for each in self.looks if isinstance(each, Caller) for word in each.written)
        return {word: join([word], self.rules.callers) for word in dict.fromkeys(named)}

    def facts(self, world: World) -> Facts:
        """Return facts that tell only what is settled."""
        return cast("Facts", _SideFacts(world, self))

    def chosen(self, space: Space) -> tuple[Region, ...]:
        """Return where each rule is chosen, and at the end where none is."""
        if self.line is None:
            return (EVERYWHERE,)
        return first_of(space, [holding(space, each.conditions, self) for each in self.line.rules])

    def witness(self, world: World, to: str, outcomes: tuple[str, ...]) -> Witness:
        """Return the call of a world, with the facts that this file can know."""
        party = party_in(world)
        call = Call(to, party.address, world[AT], party.withheld, world[DIVERTED])
        busy = (n for n in self.rules.limited if self._is_full(world, n))
        states = {p: world.get((PRESENCE, p), AVAILABLE) for p in sorted(self.rules.persons)}
        settable = self.rules.settable
        sets = {name: world.get((OVERRIDE, self.name(OVERRIDE, name))) for name in settable}
        facts = Facts(
            frozenset(busy),
            {person: state for person, state in states.items() if state != AVAILABLE},
            {name: state for name, state in sets.items() if state in settable[name]},
        )
        return Witness(call, facts, outcomes)

    def _is_full(self, world: World, name: str) -> bool:
        value = world.get((BUSY, self.name(BUSY, name)))
        return value is not None and bool(value[self.index])


class _SideFacts(OpenFacts):
    __slots__ = ("_side",)

    def __init__(self, world: World, side: Side) -> None:
        super().__init__(world)
        self._side = side
        self.overrides = _SideOverrides(world, side)

    def is_busy(self, destination: str) -> bool:
        value = settled(self._world, (BUSY, self._side.name(BUSY, destination)))
        return bool(value[self._side.index]) if isinstance(value, tuple) else bool(value)


class _SideOverrides:
    __slots__ = ("_side", "_world")

    def __init__(self, world: World, side: Side) -> None:
        self._world, self._side = world, side

    def get(self, name: str, /) -> str | None:
        return cast("str | None", settled(self._world, (OVERRIDE, self._side.name(OVERRIDE, name))))


class Pair:
    """The line that one called number has in each of two files."""

    def __init__(
        self,
        sides: tuple[tuple[RuleSet, Line | None], tuple[RuleSet, Line | None]],
        renamed: Mapping[Variable, str],
        sweep: Sweep,
    ) -> None:
        (old, old_line), (new, new_line) = sides
        self.old = Side(old, old_line, 0, {})
        self.new = Side(new, new_line, 1, renamed)
        self.looks = [*self.old.looks, *self.new.looks]
        self.clocks = clocks_in(self.looks_and_dialed)
        self.moments = sweep.moments(self.clocks)
        self.days = sweep.timetable(self.clocks)
        self.callers = (self.old.callers(), self.new.callers())
        self.loads = self._loads()

    def _loads(self) -> dict[str, Load]:
        sides = (self.old, self.new)
        capacities = [
            {side.name(BUSY, name): limit for name, limit in side.rules.limited.items()}
            for side in sides
        ]
        names = {
            side.variable(look)[1]
            for side in sides
            for look in (*side.looks, *side.dialed)
            if isinstance(look, Fullness)
        }
        return {name: Load(*(each.get(name) for each in capacities)) for name in names}

    def space(self, *, overrides: bool = False, everybody: bool = True) -> Space:
        """Return all worlds that both lines tell apart.

        Without `everybody`, those in which nobody is busy or away.
        """
        looks: list[Look] = [
            OverrideOf(side.name(OVERRIDE, each.name), each.states)
            if isinstance(each, OverrideOf)
            else each
            for side in (self.old, self.new)
            for each in (*side.looks, *side.dialed)
            if not isinstance(each, (Caller, Fullness))
        ]
        lists = [(name, each) for side in self.callers for name, each in side.items()]
        looks += [Caller(each, (name,)) for name, each in lists]
        free = free_number(each for _, each in lists)
        domains = domains_of(looks, self.moments.first, free)
        domains |= {(BUSY, name): load.values for name, load in self.loads.items()}
        if overrides:
            domains |= overridden(looks)
        if not everybody:
            domains |= {v: values[:1] for v, values in domains.items() if v[0] in ORDINARY}
        return Space(self._in_order(domains))

    def _in_order(self, domains: Domains) -> Domains:
        """Return the domains with what rules look at together side by side."""
        order = dict.fromkeys([AT, OWN, CALLER, DIVERTED])
        for side in (self.old, self.new):
            order |= dict.fromkeys(side.variable(look) for look in (*side.looks, *side.dialed))
        return {variable: domains[variable] for variable in order}

    @property
    def looks_and_dialed(self) -> list[Look]:
        """What decides which rule is chosen, and who of its destinations rings."""
        return [each for side in (self.old, self.new) for each in (*side.looks, *side.dialed)]

    @property
    def decisive(self) -> set[Variable]:
        """What decides which rule is chosen; the rest only decides which destinations ring."""
        return {side.variable(each) for side in (self.old, self.new) for each in side.looks}


def whole(space: Space, region: Region) -> World:
    """Return a world of a region in which everything is settled, the most ordinary way."""
    world: dict[Variable, Any] = {v: values[0] for v, values in space.domains.items()}
    return world | space.first(region)


def renamed(old: RuleSet, new: RuleSet) -> dict[Variable, str]:
    """Return the names of the new file for what is the same under another name in the old one."""
    found: dict[Variable, str] = {}
    for kind, before, after in (
        (BUSY, old.destinations, new.destinations),
        (OVERRIDE, old.schedules, new.schedules),
        (OVERRIDE, old.rotations, new.rotations),
    ):
        gone = [each for each in before if each not in after]
        for name in after:
            same = [e for e in gone if name not in before and _same(before[e], after[name])]
            if len(same) == 1:
                found[kind, name] = gone.pop(gone.index(same[0]))
    return found


def _same(before: Any, after: Any) -> bool:
    """Return whether two destinations, schedules or rotations differ in nothing but names."""
    parts = next(parts for parts in _PARTS if hasattr(before, parts[0]))
    return all(getattr(before, part) == getattr(after, part) for part in parts)


_PARTS = (
    ("week", "zone", "exceptions", "like"),
    ("every", "zone", "start", "members"),
    ("transfer_to", "capacity", "person"),
)
