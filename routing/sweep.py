"""Every instant at which a schedule opens or closes, and what is open between two of them.

Between two such instants nothing changes, so what is so at the first of them is so until the
next. Instants that have the same schedules open are one kind: rules cannot tell them apart.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

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
        for at in _edges(schedule, start, days)
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
    """The instants from `start`, a whole minute, for some days. Each schedule is judged once."""

    def __init__(self, start: dt.datetime, days: int = SWEEP_DAYS) -> None:
        self.start = start.astimezone(dt.UTC).replace(second=0, microsecond=0)
        self.days = days
        self._turns: dict[str, list[tuple[int, bool]]] = {}
        self._moments: dict[tuple[str, ...], Moments] = {}
        self._tables: dict[tuple[object, ...], DaysByPattern] = {}

    def moments(self, schedules: Sequence[Schedule]) -> Moments:
        """Return when which of the schedules are open."""
        key = tuple(each.name for each in schedules)
        if key not in self._moments:
            self._moments[key] = self._reckon(schedules)
        return self._moments[key]

    def timetable(self, schedules: Sequence[Schedule], zone: dt.tzinfo) -> DaysByPattern:
        """Return the whole days of the sweep by what happens on them."""
        key = (zone, *(each.name for each in schedules))
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
        if schedule.name not in self._turns:
            first = int(self.start.timestamp())
            end = first + self.days * 86_400
            turns: list[tuple[int, bool]] = []
            for at in sorted({first, *_edges(schedule, self.start, self.days)}):
                if first <= at < end:
                    is_open = schedule.judge(instant(at), {}).open
                    if not turns or turns[-1][1] != is_open:
                        turns.append((at, is_open))
            self._turns[schedule.name] = turns
        return self._turns[schedule.name]


def _edges(schedule: Schedule, start: dt.datetime, days: int) -> Iterator[int]:
    """Yield the epoch seconds of window edges and of changes of the clocks; some more around."""
    for day, midnight, changing in _calendar(schedule.zone, start.date(), days):
        for window in schedule.hours_on(day).windows:
            for second in (window.start, window.end):
                if midnight is not None:
                    yield midnight + second
                else:
                    yield from _at_wall(day, second, schedule.zone)
        if changing is not None:
            yield changing


@lru_cache(maxsize=64)
def _calendar(
    zone: ZoneInfo, first: dt.date, days: int
) -> list[tuple[dt.date, int | None, int | None]]:
    """Return each day, the epoch second at which it begins, and that of a change of the clocks.

    The beginning is None when the clocks change on the day or on the next, on which its windows
    may end: an edge must then be reckoned by itself.
    """
    every = [first + number * ONE_DAY for number in range(-2, days + 3)]
    changing = [_clock_change(day, zone) for day in every]
    return [
        (
            day,
            int(dt.datetime.combine(day, dt.time(), zone).timestamp())
            if changing[index : index + 2] == [None, None]
            else None,
            changing[index],
        )
        for index, day in enumerate(every)
    ]


def _at_wall(day: dt.date, second: int, zone: ZoneInfo) -> Iterator[int]:
    """Yield the instants at which the clocks show so many seconds of `day`: two in autumn."""
    wall = dt.datetime.combine(day, dt.time()) + dt.timedelta(seconds=second)
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
