"""Words for a set of worlds: when, which callers, who is busy or away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from routing.proof.classes import presence_classes
from routing.proof.week import timetable
from routing.proof.wording import list_words
from routing.proof.worlds import AT, BUSY, CALLER, OVERRIDE, OWN, PRESENCE
from routing.words import PRESENCE_STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from routing.callers import CallerList
    from routing.looks import Look
    from routing.proof.classes import Party
    from routing.proof.regions import Region, Space
    from routing.proof.sides import Load
    from routing.proof.sweep import DaysByPattern, Moments
    from routing.proof.worlds import Variable


class Listed(NamedTuple):
    """A list of callers as a file names it, and whom of a space's parties it has."""

    name: str
    parties: frozenset[Party]


class CallerWords:
    """Names callers by the lists that two files have; of a list that was changed, by the change."""

    def __init__(
        self, parties: Sequence[Party], old: Mapping[str, CallerList], new: Mapping[str, CallerList]
    ) -> None:
        self._all = frozenset(parties)
        before, after = (
            {name: self._members(each) for name, each in lists.items()} for lists in (old, new)
        )
        self._terms: list[Listed] = []
        for name in dict.fromkeys([*before, *after]):
            mine, its = before.get(name), after.get(name)
            if mine is None or its is None or mine == its:
                self._terms.append(Listed(f"in {name}", mine or its or frozenset()))
                continue
            self._terms += [
                Listed(f"in {name}", mine & its),
                Listed(f"added to {name}", its - mine),
                Listed(f"taken out of {name}", mine - its),
            ]
        listed = frozenset().union(*(each.parties for each in self._terms))
        self._unlisted = self._all - listed

    def _members(self, callers: CallerList) -> frozenset[Party]:
        return frozenset(p for p in self._all if callers.has(p.address, anonymous=p.withheld))

    def words(self, parties: Collection[Party]) -> str:
        """Return which callers these are."""
        meant = frozenset(parties)
        if meant == self._all:
            return "any caller"
        if self._unlisted and self._unlisted <= meant:
            return f"any caller not {self._cover(self._all - meant, self._apart)}"
        return f"callers {self._cover(meant, self._but)}"

    def _cover(
        self, meant: frozenset[Party], paired: Callable[[frozenset[Party]], list[Listed]]
    ) -> str:
        """Return the lists that together have these callers and no others, the greatest first."""
        named, left = [], meant
        for find in (self._single, paired, self._one_by_one):
            for each in sorted(find(left), key=lambda term: -len(term.parties)):
                if each.parties <= meant and each.parties & left:
                    named.append(each.name)
                    left -= each.parties
            if not left:
                break
        plain = [name.removeprefix("in ") for name in named if name.startswith("in ")]
        others = [name for name in named if not name.startswith("in ")]
        return " or ".join([*([f"in {' or '.join(plain)}"] if plain else []), *others])

    def _single(self, _left: frozenset[Party]) -> list[Listed]:
        return self._terms

    def _apart(self, left: frozenset[Party]) -> list[Listed]:
        """Return what two lists have in common, and one without the other."""
        near = [each for each in self._terms if each.parties & left]
        return [
            *(Listed(f"{a.name} and {b.name}", a.parties & b.parties) for a in near for b in near),
            *(
                Listed(f"{a.name} and not {b.name}", a.parties - b.parties)
                for a in near
                for b in self._terms
            ),
        ]

    def _but(self, left: frozenset[Party]) -> list[Listed]:
        """Return lists of which some callers are in another one, whom an earlier rule takes."""
        near = [each for each in self._terms if each.parties & left]
        without = [Listed(a.name, a.parties - b.parties) for a in near for b in self._terms]
        return [*without, *self._apart(left)]

    def _one_by_one(self, left: frozenset[Party]) -> list[Listed]:
        return [Listed(self._every_list(each), frozenset([each])) for each in left]

    def _every_list(self, party: Party) -> str:
        names = [each.name for each in self._terms if party in each.parties]
        others = [each.name for each in self._terms if party not in each.parties]
        return " and ".join([*names, *(f"not {name}" for name in others)])


class Words:
    """Puts the worlds of one space into words."""

    def __init__(
        self,
        space: Space,
        days: DaysByPattern,
        moments: Moments,
        looks: Sequence[Look],
        callers: CallerWords,
        loads: Mapping[str, Load],
    ) -> None:
        self._space = space
        self._days, self._moments = days, moments
        self._looks = looks
        self._callers = callers
        self._loads = loads

    def when(self, region: Region) -> str:
        """Return the times of a region."""
        instants = set(self._space.possible(region, AT))
        if len(instants) == len(self._space.values(AT)):
            return "at any time"
        samples = self._moments.samples
        hours = timetable(self._days, lambda kind: samples[kind] in instants).hours
        return hours[True].words(absent=False)

    def case(self, region: Region) -> str:
        """Return the callers of a region, and what else is so there."""
        parts = [self._callers.words(self._space.possible(region, CALLER))]
        for variable in self._space.looked_at(region):
            values = self._space.possible(region, variable)
            if variable not in {AT, CALLER} and len(values) < len(self._space.values(variable)):
                parts.append(self._state(variable, values))
        return ", ".join(parts)

    def is_exact(self, region: Region) -> bool:
        """Return whether the words say all: each thing is as it is whatever the others are."""
        space = self._space
        each = [space.where(v, space.possible(region, v)) for v in space.looked_at(region)]
        return space.all_of(each) == region

    def _state(self, variable: Variable, values: tuple[Any, ...]) -> str:
        kind, name = variable
        if kind == BUSY:
            return load_words(name, self._loads[name], values)
        if kind == PRESENCE:
            return self._presence(name, values)
        if variable == OWN:
            return f"calling from {list_words([each.address for each in values])}"
        if kind == OVERRIDE:
            return f"{name} set {' or '.join(values)} by an override"
        return " or ".join(map(self._diverted, values))

    def _presence(self, person: str, values: tuple[str, ...]) -> str:
        alike = presence_classes(person, self._looks)
        states = {state for each in values for state in alike[each]}
        return f"{person} {' or '.join(s for s in PRESENCE_STATES if s in states)}"

    def _diverted(self, reason: str | None) -> str:
        if reason is None:
            return "not diverted"
        asked = {word for each in self._looks for word in getattr(each, "reasons", ())}
        return f"diverted by {reason}" if reason in asked else "diverted for another reason"


def load_words(name: str, load: Load, values: Collection[tuple[bool, bool]]) -> str:
    """Return how busy a destination is, in words."""
    if load.old == load.new:
        return f"{name} {'busy' if (True, True) in values else 'not busy'}"
    held = [n for n, value in enumerate(load.values) if value in values]
    least, last = load.steps[held[0]], held[-1] + 1
    if last == len(load.steps):
        return f"{name} with {least} or more calls"
    most = load.steps[last] - 1
    if least == 0:
        return f"{name} with fewer than {most + 1} call{'' if most == 0 else 's'}"
    return f"{name} with {least if least == most else f'{least} to {most}'} calls"
