"""When something is so, in words: the usual week, and the days that are unlike it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from routing.schedule import DAYS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence

L = TypeVar("L")
DAY, WEEK = 86_400, 7 * 86_400
Pattern = tuple[tuple[int, L], ...]
"""A day: from each second on, a label."""
Spans = tuple[tuple[int, int], ...]
"""Seconds of a week (Monday 00:00 is 0) or of a day, from and to."""
_SHOWN = 3
"""Dates that are named; of more there is only the number."""


@dataclass(slots=True)
class Hours:
    """When a label applies: in the usual week, and on days unlike it."""

    week: Spans = ()
    other: dict[Spans, list[dt.date]] = field(default_factory=dict)

    @property
    def seconds(self) -> int:
        """How much of the usual week it is."""
        return sum(end - start for start, end in self.week)

    def __str__(self) -> str:
        parts = [week_words(self.week)] if self.week else []
        parts += [f"{date_words(days)} {day_words(spans)}" for spans, days in self.other.items()]
        return "; ".join(parts)


@dataclass(slots=True)
class Timetable(Generic[L]):
    """Which label applies when. `unlike` has the days that are unlike their usual weekday."""

    hours: dict[L, Hours]
    unlike: dict[Pattern[L], list[dt.date]]


def timetable(
    days: Mapping[Pattern[int], Sequence[dt.date]], label: Callable[[int], L]
) -> Timetable[L]:
    """Return when each label applies; `label` names a kind of instant."""
    by_pattern: dict[Pattern[L], list[dt.date]] = defaultdict(list)
    for pattern, dates in days.items():
        by_pattern[_joined(pattern, label)] += dates
    counts: list[Counter[Pattern[L]]] = [Counter() for _ in DAYS]
    for plain, dates in by_pattern.items():
        for date in dates:
            counts[date.weekday()][plain] += 1
    usual = [count.most_common(1)[0][0] if count else () for count in counts]
    unlike: dict[Pattern[L], list[dt.date]] = {}
    for plain, dates in by_pattern.items():
        rest = sorted(date for date in dates if usual[date.weekday()] != plain)
        if rest:
            unlike[plain] = rest
    return Timetable(_hours(usual, unlike), unlike)


def _joined(pattern: Pattern[int], label: Callable[[int], L]) -> Pattern[L]:
    found: list[tuple[int, L]] = []
    for second, kind in pattern:
        name = label(kind)
        if not found or found[-1][1] != name:
            found.append((second, name))
    return tuple(found)


def _hours(
    usual: Sequence[Pattern[L]], unlike: Mapping[Pattern[L], list[dt.date]]
) -> dict[L, Hours]:
    found: dict[L, Hours] = {}
    for weekday, pattern in enumerate(usual):
        for name, spans in spans_by_label(pattern).items():
            moved = ((start + weekday * DAY, end + weekday * DAY) for start, end in spans)
            hours = found.setdefault(name, Hours())
            hours.week = _merged([*hours.week, *moved])
    for pattern, dates in unlike.items():
        for name, spans in spans_by_label(pattern).items():
            found.setdefault(name, Hours()).other.setdefault(spans, []).extend(dates)
    return found


def spans_by_label(pattern: Pattern[L]) -> dict[L, Spans]:
    """Return the seconds of a day at which each label applies."""
    ends = [second for second, _ in pattern[1:]] + [DAY]
    found: dict[L, Spans] = {}
    for (start, name), end in zip(pattern, ends, strict=True):
        found[name] = (*found.get(name, ()), (start, end))
    return found


def _merged(spans: Iterable[tuple[int, int]]) -> Spans:
    found: list[tuple[int, int]] = []
    for start, end in spans:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return tuple(found)


def week_words(spans: Spans) -> str:
    """Return spans of a week in words: `mon-thu 09:00-12:30, 13:30-17:00; fri 09:00-15:00`."""
    if spans == ((0, WEEK),):
        return "at any time"
    if len(spans) > 1 and spans[0][0] == 0 and spans[-1][1] == WEEK:
        spans = (*spans[1:-1], (spans[-1][0], WEEK + spans[0][1]))
    by_day: dict[int, list[str]] = defaultdict(list)
    long = []
    for start, end in spans:
        day = start // DAY
        if end - start > DAY or (end - start == DAY and start % DAY):
            long.append(f"{DAYS[day]} {_clock(start)} - {DAYS[end // DAY % 7]} {_clock(end)}")
        else:
            by_day[day].append(f"{_clock(start)}-{_clock(end, ends=True)}")
    texts: dict[str, list[int]] = defaultdict(list)
    for day, times in by_day.items():
        texts[", ".join(times)].append(day)
    return "; ".join([*(f"{_day_names(days)} {text}" for text, days in texts.items()), *long])


def day_words(spans: Spans) -> str:
    """Return spans of one day in words."""
    if spans == ((0, DAY),):
        return "all day"
    return ", ".join(f"{_clock(start)}-{_clock(end, ends=True)}" for start, end in spans)


def date_words(days: Sequence[dt.date]) -> str:
    """Return some dates in words; of many the first ones."""
    named = ", ".join(f"{day:%a} {day}".lower() for day in days[:_SHOWN])
    more = len(days) - _SHOWN
    return f"on {named}" + (f" and {more} more days" if more > 0 else "")


def _day_names(days: Sequence[int]) -> str:
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{DAYS[days[0]]}-{DAYS[days[-1]]}"
    return ", ".join(DAYS[day] for day in days)


def _clock(second: int, *, ends: bool = False) -> str:
    minutes = second % DAY // 60
    return "24:00" if ends and not minutes else f"{minutes // 60:02}:{minutes % 60:02}"
