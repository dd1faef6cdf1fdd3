"""Every instant at which a schedule opens or closes, and what is open between two of them.

Between two such instants nothing changes, so what is so at the first of them is so until the
next. Instants that have the same schedules open are one kind: rules cannot tell them apart.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from zoneinfo import ZoneInfo

    from routing.rules import RuleSet
    from routing.schedule import Schedule

SWEEP_DAYS = 400
"""Days that a sweep covers."""
ONE_DAY = dt.timedelta(days=1)
DaysByPattern = dict[tuple[tuple[int, int], ...], list[dt.date]]
"""Days by the kind of instant from each second of the day on."""


def changes(rules: RuleSet, start: dt.datetime, days: int = SWEEP_DAYS) -> list[dt.datetime]:
    """Return `start` and every later instant, in order, at which a schedule may open or close.

    Between two of them nothing changes, so judging each of them judges every instant.
    """
    first, end = start.timestamp(), (start + days * ONE_DAY).timestamp()
    found = {
        at
        for schedule in rules.schedules.values()
        for day in _calendar(schedule.zone, start.date(), days)
        for at in _edges_on(schedule, day)
        if first < at < end
    }
    return [start, *(instant(at) for at in sorted(found))]


def instant(at: int) -> dt.datetime:
    """Return the instant of an epoch second."""
    return dt.datetime.fromtimestamp(at, dt.UTC)


@dataclass(frozen=True, slots=True)
class Moments:
    """What some schedules do together: from each epoch second on, a kind of instant.

    `kinds` has for each kind whether each schedule is open; `first` the first instant of it.
    """

    pieces: tuple[tuple[int, int], ...]
    kinds: tuple[tuple[bool, ...], ...]
    first: tuple[dt.datetime, ...]
    end: int


class Sweep:
    """The instants from `start`, a whole minute, for some days.

    Each schedule is judged once. It is known by its identity: two files may share a name.
    """

    def __init__(self, start: dt.datetime, days: int = SWEEP_DAYS) -> None:
        self.start = start.astimezone(dt.UTC).replace(second=0, microsecond=0)
        self.days = days
        self._turns: dict[int, list[tuple[int, bool]]] = {}
        self._moments: dict[tuple[int, ...], Moments] = {}
        self._others: dict[tuple[dt.datetime, int], Sweep] = {}
        self._tables: dict[tuple[object, ...], DaysByPattern] = {}

    def moments(self, schedules: Sequence[Schedule]) -> Moments:
        """Return when which of the schedules are open."""
        key = tuple(map(id, schedules))
        if key not in self._moments:
            self._moments[key] = self._reckon(schedules)
        return self._moments[key]

    def other(self, start: dt.datetime, days: int) -> Sweep:
        """Return a sweep of other days, the same one each time."""
        return self._others.setdefault((start, days), Sweep(start, days))

    def timetable(self, schedules: Sequence[Schedule], zone: dt.tzinfo) -> DaysByPattern:
        """Return the whole days of the sweep by what happens on them."""
        key = (zone, *map(id, schedules))
        if key not in self._tables:
            self._tables[key] = _days_of(self.moments(schedules), zone)
        return self._tables[key]

    def _reckon(self, schedules: Sequence[Schedule]) -> Moments:
        turns = sorted(
            (at, index, is_open)
            for index, schedule in enumerate(schedules)
            for at, is_open in self._turns_of(schedule)
        )
        now = [False] * len(schedules)
        at_each: dict[int, tuple[bool, ...]] = {int(self.start.timestamp()): tuple(now)}
        for at, index, is_open in turns:
            now[index] = is_open
            at_each[at] = tuple(now)
        kinds: dict[tuple[bool, ...], int] = {}
        pieces: list[tuple[int, int]] = []
        first = []
        for at, kind in at_each.items():
            if kind not in kinds:
                first.append(instant(at))
            number = kinds.setdefault(kind, len(kinds))
            if not pieces or pieces[-1][1] != number:
                pieces.append((at, number))
        end = int((self.start + self.days * ONE_DAY).timestamp())
        return Moments(tuple(pieces), tuple(kinds), tuple(first), end)

    def _turns_of(self, schedule: Schedule) -> list[tuple[int, bool]]:
        """Return the instants at which the schedule opens or closes, the start among them."""
        if id(schedule) not in self._turns:
            first = int(self.start.timestamp())
            end = first + self.days * 86_400
            turns = [(first, schedule.judge(self.start, {}).open)]
            for at, is_open in sorted(_states(schedule, self.start, self.days)):
                if first < at < end and turns[-1][1] != is_open:
                    turns.append((at, is_open))
            self._turns[id(schedule)] = turns
        return self._turns[id(schedule)]


def _states(schedule: Schedule, start: dt.datetime, days: int) -> Iterator[tuple[int, bool]]:
    """Yield instants and whether the schedule is open from each one to the next.

    Days on which no clock changes, with the same windows and the same ones on the day before, are
    alike: one of them is judged for all.
    """
    alike: dict[object, list[tuple[int, bool]]] = {}
    for day in _calendar(schedule.zone, start.date(), days):
        if day.midnight is None:
            for at in sorted({*_edges_on(schedule, day)}):
                yield at, schedule.judge(instant(at), {}).open
            continue
        windows = (
            schedule.hours_on(day.date - ONE_DAY).windows,
            schedule.hours_on(day.date).windows,
        )
        if windows not in alike:
            edges = sorted({day.midnight, *_edges_on(schedule, day)})
            judged = ((at, schedule.judge(instant(at), {}).open) for at in edges)
            alike[windows] = [(at - day.midnight, is_open) for at, is_open in judged]
        for second, is_open in alike[windows]:
            yield day.midnight + second, is_open


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


def _edges_on(schedule: Schedule, day: _Day) -> Iterator[int]:
    """Yield the epoch seconds of window edges on a day, and of a change of the clocks."""
    for before, windows in (
        (0, schedule.hours_on(day.date).windows),
        (86_400, schedule.hours_on(day.date - ONE_DAY).windows),
    ):
        for window in windows:
            for second in (window.start - before, window.end - before):
                if 0 <= second < 86_400:
                    yield from _at_second(schedule.zone, day, second)
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


def _clock_change(day: dt.date, zone: ZoneInfo) -> int | None:
    """Return the epoch second at which the zone's offset changes on `day`, or None."""
    low = int(dt.datetime.combine(day, dt.time(), zone).timestamp())
    high = int(dt.datetime.combine(day + ONE_DAY, dt.time(), zone).timestamp())
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


def _days_of(moments: Moments, zone: dt.tzinfo) -> DaysByPattern:
    """Return the whole days of a sweep by what happens on them: the kinds of instant."""
    starts: dict[dt.date, list[tuple[int, int]]] = defaultdict(list)
    for at, kind in moments.pieces:
        wall = instant(at).astimezone(zone)
        starts[wall.date()].append((wall.hour * 3600 + wall.minute * 60 + wall.second, kind))
    found: DaysByPattern = defaultdict(list)
    day = instant(moments.pieces[0][0]).astimezone(zone).date()
    end = instant(moments.end).astimezone(zone).date()
    kind = starts[day][-1][1]
    while (day := day + ONE_DAY) < end:
        pieces = starts.get(day, [])
        whole = pieces if pieces and not pieces[0][0] else [(0, kind), *pieces]
        kind = whole[-1][1]
        found[tuple(whole)].append(day)
    return found
