"""Every instant at which a clock turns (a schedule opens, a day begins), and what is so between.

Between two such instants nothing changes, so what is so at the first of them is so until the
next. Instants at which all clocks are in the same state are one kind: rules cannot tell them
apart.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from routing.proof.clocks import DAY, day_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from routing.looks import Clock

T = TypeVar("T")
SWEEP_DAYS = 400
"""Days that a sweep covers."""
_YEAR = 366
ONE_DAY = dt.timedelta(days=1)
Pattern = tuple[tuple[int, int, int], ...]
"""A day: from one second to another as the clocks on the wall show it, a kind of instant."""
DaysByPattern = dict[Pattern, list[dt.date]]
_NO_TURN = (-1, 0, None)
_KEPT = 32
"""Clocks, and groups of them, whose turns are remembered: lines of one file share schedules."""


def changes(clocks: Iterable[Clock], start: dt.datetime, days: int) -> list[dt.datetime]:
    """Return `start` and every later instant, in order, at which one of the clocks may turn.

    Between two of them nothing changes, so judging each of them judges every instant.
    """
    first, end = start.timestamp(), (start + days * ONE_DAY).timestamp()
    found = {
        at
        for clock in clocks
        for day in _calendar(clock.zone, start.date(), days)
        for at in _edges_on(clock, day)
        if first < at < end
    }
    return [start, *(instant(at) for at in sorted(found))]


def instant(at: int) -> dt.datetime:
    """Return the instant of an epoch second."""
    return dt.datetime.fromtimestamp(at, dt.UTC)


@dataclass(frozen=True, slots=True)
class Moments:
    """What some clocks do together: from each epoch second on, a kind of instant.

    `kinds` has for each kind the state of each clock; `samples` an instant of it, not before the
    start of the sweep where there is one.
    """

    pieces: tuple[tuple[int, int], ...]
    kinds: tuple[tuple[Hashable, ...], ...]
    samples: tuple[dt.datetime, ...]
    first: tuple[dt.datetime, ...]
    """The first instant of each kind that the sweep reaches."""
    end: int


class Sweep:
    """The instants from `start`, a whole minute, for some days.

    The days are whole ones of `zone`: the hours of today that have passed are known, too, for the
    words about today. A clock is known by its identity: two files may share a name.
    """

    def __init__(
        self, start: dt.datetime, days: int = SWEEP_DAYS, zone: dt.tzinfo = dt.UTC
    ) -> None:
        self.start = start.astimezone(dt.UTC).replace(second=0, microsecond=0)
        self.days = days
        self.zone = zone
        today = self.start.astimezone(zone).date()
        self._today = today
        self._midnights = [_midnight(today + n * ONE_DAY, zone) for n in range(days + 1)]
        self._first, self._end = self._midnights[0], self._midnights[-1]
        self._turns: _Kept[list[tuple[int, Hashable]]] = _Kept()
        self._moments: _Kept[Moments] = _Kept()
        self._tables: _Kept[DaysByPattern] = _Kept()
        self._others: dict[int, Sweep] = {}

    def moments(self, clocks: Sequence[Clock]) -> Moments:
        """Return when the clocks are in which states."""
        return self._moments.of(clocks, lambda: self._reckon(clocks))

    def other(self, years: int) -> Sweep:
        """Return the sweep of a year after this one (1, 2, …), or before it (-1, -2, …)."""
        if years not in self._others:
            begin = instant(self._end) if years > 0 else self.start
            ahead = years - 1 if years > 0 else years
            self._others[years] = Sweep(begin + ahead * _YEAR * ONE_DAY, _YEAR, self.zone)
        return self._others[years]

    def timetable(self, clocks: Sequence[Clock]) -> DaysByPattern:
        """Return the days of the sweep by what happens on them."""
        return self._tables.of(clocks, lambda: self._days_by_pattern(self.moments(clocks)))

    def _reckon(self, clocks: Sequence[Clock]) -> Moments:
        turns = [
            (at, index, state)
            for index, clock in enumerate(clocks)
            for at, state in self._turns_of(clock)
        ]
        turns.sort(key=itemgetter(0))
        now: list[Hashable] = [None] * len(clocks)
        kinds: dict[tuple[Hashable, ...], int] = {}
        pieces: list[tuple[int, int]] = []
        for (at, index, state), (following, _, _) in pairwise([*turns, _NO_TURN]):
            now[index] = state
            if at != following:
                number = kinds.setdefault(tuple(now), len(kinds))
                if not pieces or pieces[-1][1] != number:
                    pieces.append((at, number))
        if not clocks:
            kinds[()], pieces = 0, [(self._first, 0)]
        samples, first = self._samples(pieces, len(kinds))
        return Moments(tuple(pieces), tuple(kinds), samples, first, self._end)

    def _samples(
        self, pieces: Sequence[tuple[int, int]], count: int
    ) -> tuple[tuple[dt.datetime, ...], tuple[dt.datetime, ...]]:
        """Return an instant of each kind, and those that are not over."""
        start = int(self.start.timestamp())
        over: dict[int, int] = {}
        coming: dict[int, int] = {}
        ends = [at for at, _ in pieces[1:]] + [self._end]
        for (at, kind), end in zip(pieces, ends, strict=True):
            if end > start:
                coming.setdefault(kind, max(at, start))
            else:
                over[kind] = at
        samples = tuple(instant(coming.get(n, over.get(n, 0))) for n in range(count))
        return samples, tuple(instant(at) for at in sorted(coming.values()))

    def _turns_of(self, clock: Clock) -> list[tuple[int, Hashable]]:
        """Return the instants at which the clock turns, the first one among them."""
        return self._turns.of((clock,), lambda: self._reckon_turns(clock))

    def _reckon_turns(self, clock: Clock) -> list[tuple[int, Hashable]]:
        turns = [(self._first, clock.state(instant(self._first)))]
        for at, state in sorted(_states(clock, self._today, self.days), key=lambda turn: turn[0]):
            if self._first < at < self._end and turns[-1][1] != state:
                turns.append((at, state))
        return turns

    def _days_by_pattern(self, moments: Moments) -> DaysByPattern:
        """Return the days by the kinds of instant on them; most days are as another one is."""
        alike: dict[tuple[int, tuple[tuple[int, int], ...]], list[dt.date]] = defaultdict(list)
        pieces, number, kind = moments.pieces, 0, 0
        for day, (start, end) in enumerate(pairwise(self._midnights)):
            here: list[tuple[int, int]] = []
            while number < len(pieces) and pieces[number][0] < end:
                at, new = pieces[number]
                if at > start and not here:
                    here.append((0, kind))
                here.append((at - start, new))
                kind, number = new, number + 1
            key = end - start, tuple(here) or ((0, kind),)
            alike[key].append(self._today + day * ONE_DAY)
        found: DaysByPattern = defaultdict(list)
        for (length, turns), dates in alike.items():
            for date in dates if length != DAY else dates[:1]:
                pattern = self._pattern(date, turns, length)
                found[pattern] += [date] if length != DAY else dates
        return found

    def _pattern(self, date: dt.date, turns: tuple[tuple[int, int], ...], length: int) -> Pattern:
        """Return what happens on a day by what the clocks on the wall show."""
        ends = [at for at, _ in turns[1:]] + [length]
        if length == DAY:
            return tuple((at, stop, kind) for (at, kind), stop in zip(turns, ends, strict=True))
        wall = day_of(date, self.zone)
        return tuple(
            (span.start, span.end, kind)
            for (at, kind), stop in zip(turns, ends, strict=True)
            for span in wall.spans(
                wall.start + dt.timedelta(seconds=at), wall.start + dt.timedelta(seconds=stop)
            )
        )


class _Kept(dict[tuple[int, ...], tuple[object, T]]):
    """What was found for some clocks, which are known by their identity; a few at a time."""

    def of(self, clocks: Sequence[Clock], find: Callable[[], T]) -> T:
        """Return what is known for the clocks, or find it."""
        key = tuple(map(id, clocks))
        if key not in self:
            if len(self) >= _KEPT:
                self.clear()
            self[key] = (tuple(clocks), find())  # the clocks stay, so that no other gets their id
        return self[key][1]


def _states(clock: Clock, first: dt.date, days: int) -> Iterator[tuple[int, Hashable]]:
    """Yield instants and the state of a clock from each one to the next.

    One of the days that are alike is judged for all, unless the zone's clocks change on it.
    """
    alike: dict[Hashable, list[tuple[int, Hashable]]] = {}
    for day in _calendar(clock.zone, first, days):
        if day.midnight is None:
            for at in {*_edges_on(clock, day)}:
                yield at, clock.state(instant(at))
            continue
        key = clock.course_of(day.date)
        if key not in alike:
            edges = sorted({day.midnight, *_edges_on(clock, day)})
            alike[key] = [(at - day.midnight, clock.state(instant(at))) for at in edges]
        for second, state in alike[key]:
            yield day.midnight + second, state


class _Day(NamedTuple):
    """A day, the epoch second at which it begins, and that of a change of the clocks on it.

    The beginning is None when there is a change, or no midnight: each edge is reckoned by itself.
    """

    date: dt.date
    midnight: int | None
    change: int | None


@lru_cache(maxsize=64)
def _calendar(zone: ZoneInfo, first: dt.date, days: int) -> list[_Day]:
    """Return the days of a sweep in a zone, with some around it."""
    found = []
    for number in range(-2, days + 3):
        day = first + number * ONE_DAY
        change = _clock_change(day, zone)
        midnight = dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
        exists = midnight.astimezone(zone).time() == dt.time()
        plain = exists and change is None
        found.append(_Day(day, int(midnight.timestamp()) if plain else None, change))
    return found


def _edges_on(clock: Clock, day: _Day) -> Iterator[int]:
    """Yield the epoch seconds of a day's turns, and of a change of the clocks on it."""
    for second in clock.turns_on(day.date):
        yield from _at_second(clock.zone, day, second)
    if day.change is not None:
        yield day.change


def _at_second(zone: ZoneInfo, day: _Day, second: int) -> Iterator[int]:
    """Yield the instants at which the clocks show so many seconds of a day: two in autumn."""
    if day.midnight is not None:
        yield day.midnight + second
        return
    wall = dt.datetime.combine(day.date, dt.time()) + dt.timedelta(seconds=second)
    for fold in (0, 1):
        yield int(wall.replace(tzinfo=zone, fold=fold).timestamp())


def _midnight(day: dt.date, zone: dt.tzinfo) -> int:
    """Return the epoch second at which a day begins."""
    return int(dt.datetime.combine(day, dt.time(), zone).timestamp())


def _clock_change(day: dt.date, zone: ZoneInfo) -> int | None:
    """Return the epoch second at which the zone's offset changes on `day`, or None."""
    low, high = _midnight(day, zone), _midnight(day + ONE_DAY, zone)
    before = instant(low).astimezone(zone).utcoffset()
    if before == instant(high).astimezone(zone).utcoffset():
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if instant(middle).astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high
