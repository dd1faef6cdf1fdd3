"""What two rules files do differently, without a single call: the sweep of both together.

Both lists of rules are turned into regions of one space: where a rule is chosen by the old rules
and another by the new ones. There both routes are followed side by side, through every way in
which attempts can end, and what others notice of them is compared. No world is tried alone.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from routing.looks import Fullness, OverrideOf
from routing.proof.cases import CallerWords, Words
from routing.proof.looking import looked_at
from routing.proof.reach import with_fewest_overrides
from routing.proof.regions import TooManyWorldsError
from routing.proof.sidebyside import Key, SideBySide
from routing.proof.sides import Pair, renamed, whole
from routing.proof.sweep import Sweep
from routing.proof.timeline import home_zone
from routing.proof.wording import list_words
from routing.proof.worlds import BUSY, CALLER, OVERRIDE, OWN, PRESENCE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from routing.proof.regions import Region, Space
    from routing.proof.worlds import Variable, Witness
    from routing.rules import Line, RuleSet

_NO_LINE = "+19995550100"
"""A number that nobody can have, for all that are on no line."""
_SHOWN = 3
"""Places of one difference that are named; of more there is only the number."""


class Where(NamedTuple):
    """Some lines, when and in which case a difference counts for them."""

    lines: tuple[str, ...]
    when: str
    case: str

    def __str__(self) -> str:
        return f"{list_words(self.lines, what=' lines')}, {self.when}, {self.case}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is different: what it was and is, where it counts, and a call that shows it.

    The call is the same for both files, but each knows its own names and capacities.
    """

    before: str
    after: str
    where: tuple[Where, ...]
    old: Witness
    new: Witness

    @property
    def places(self) -> str:
        """Where it counts, in words."""
        shown = "; ".join(map(str, self.where[:_SHOWN]))
        more = sum(len(each.lines) for each in self.where[_SHOWN:])
        return f"{shown}; and {more} more line{'' if more == 1 else 's'}" if more else shown

    def __str__(self) -> str:
        return f"{self.places}: {self.before} → {self.after}"


@dataclass(slots=True)
class Comparison:
    """All differences, and the lines that could be compared only in part."""

    differences: list[Difference]
    partly: list[str]


def compare(old: RuleSet, new: RuleSet, start: dt.datetime) -> Comparison:
    """Return what becomes of calls differently by the new rules."""
    sweep = Sweep(start, zone=home_zone(new))
    names = renamed(old, new)
    numbers: dict[tuple[str | None, str | None], list[str]] = defaultdict(list)
    for number in dict.fromkeys([*old.line_by_number, *new.line_by_number, _NO_LINE]):
        lines = (each.line_by_number.get(number) for each in (old, new))
        before, after = (line.name if line else None for line in lines)
        numbers[before, after].append(number)
    told = _Told()
    for (before, after), called in numbers.items():
        line, later = old.lines[before] if before else None, new.lines[after] if after else None
        if _is_same(old, line, new, later):
            continue
        pair = Pair(((old, line), (new, later)), names, sweep)
        _compare_lines(pair, _names(line, later, called), called[0], told)
    return Comparison(list(told.differences()), told.partly)


def _is_same(old: RuleSet, line: Line | None, new: RuleSet, later: Line | None) -> bool:
    """Return whether nothing at all is different for a line."""
    looks = (look for look in looked_at(line) if isinstance(look, Fullness))
    return (
        line == later
        and (old.owned, old.emergency) == (new.owned, new.emergency)
        and all(old.limited.get(e.destination) == new.limited.get(e.destination) for e in looks)
    )


def _names(line: Line | None, later: Line | None, numbers: list[str]) -> tuple[str, ...]:
    """Return what a line is called; the numbers themselves where they change lines."""
    if line is None and later is None:
        return ("numbers on no line",)
    if line and later and line.name == later.name:
        return (line.name,)
    return tuple(numbers)


def _compare_lines(pair: Pair, names: tuple[str, ...], number: str, told: _Told) -> None:
    """Compare the lines of a number; with overrides only for what is not different without."""
    try:
        _note(pair, pair.space(), names, number, told)
        if any(isinstance(each, OverrideOf) for each in pair.looks_and_dialed):
            _note(pair, pair.space(overrides=True), names, number, told)
    except TooManyWorldsError:
        told.partly += names
        try:
            _note(pair, pair.space(everybody=False), names, number, told)
        except TooManyWorldsError:
            return


def _note(pair: Pair, space: Space, names: tuple[str, ...], number: str, told: _Told) -> None:
    changes = SideBySide(pair, space, number).changes()
    words = Words(
        space,
        pair.days,
        pair.moments,
        pair.looks_and_dialed,
        CallerWords(space.values(CALLER), *pair.callers),
        pair.loads,
    )
    for key, change in changes.items():
        if told.knows(key, names):
            continue
        region = _worth_telling(pair, space, change.region)
        case = words.case(region)
        if not words.is_exact(region) and change.rules:
            case += f", where {list_words(list(change.rules), what=' rules')} is chosen"
        world = whole(space, with_fewest_overrides(space, change.shown))
        shown = tuple(side.witness(world, number, change.outcomes) for side in (pair.old, pair.new))
        told.add(key, change.labels, Where(names, words.when(region), case), shown)


def _worth_telling(pair: Pair, space: Space, region: Region) -> Region:
    """Return a region without what is as usual, or only decides who of a rule's people rings."""
    stranger = space.both(region, space.where(OWN, [None]))
    region = stranger or region
    usual: list[Variable] = [OWN] if stranger else []
    for variable in space.looked_at(region):
        possible = space.possible(region, variable)
        if space.values(variable)[0] in possible and (
            variable[0] == OVERRIDE
            or (variable[0] in {BUSY, PRESENCE} and variable not in pair.decisive)
        ):
            usual.append(variable)
    return space.whatever(region, usual)


@dataclass(slots=True)
class _Told:
    """The differences of all lines, each one once."""

    partly: list[str] = field(default_factory=list)
    _where: dict[Key, list[Where]] = field(default_factory=dict)
    _labels: dict[Key, dict[str, None]] = field(default_factory=dict)
    _shown: dict[Key, tuple[Witness, ...]] = field(default_factory=dict)

    def knows(self, key: Key, names: tuple[str, ...]) -> bool:
        """Return whether a difference is told already of these lines."""
        return any(names == each.lines for each in self._where.get(key, ()))

    def add(
        self, key: Key, labels: dict[str, None], where: Where, shown: tuple[Witness, ...]
    ) -> None:
        """Tell a difference of a line."""
        self._where.setdefault(key, []).append(where)
        self._labels.setdefault(key, {}).update(labels)
        known = self._shown.setdefault(key, shown)
        if len(shown[0].outcomes) < len(known[0].outcomes):
            self._shown[key] = shown

    def differences(self) -> Iterator[Difference]:
        """Yield each difference with all the places where it counts."""
        for key, places in self._where.items():
            lines: dict[tuple[str, str], tuple[str, ...]] = {}
            for each in places:
                lines[each.when, each.case] = (*lines.get((each.when, each.case), ()), *each.lines)
            where = tuple(Where(names, *rest) for rest, names in lines.items())
            labels = list(self._labels[key])
            before = f"{list_words(labels)}: {key.before}" if labels else key.before
            yield Difference(before, key.after, where, *self._shown[key])
