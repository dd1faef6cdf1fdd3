"""When something is so, in words: the usual week, and the days that are unlike it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import compress, pairwise
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from routing.schedule import DAYS

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Mapping, Sequence

L = TypeVar("L")
DAY, WEEK = 86_400, 7 * 86_400
Pattern = tuple[tuple[int, int, L], ...]
"""A day: from one second to another, as the clocks on the wall show it, a label."""
Spans = tuple[tuple[int, int], ...]
"""Seconds of a week (Monday 00:00 is 0) or of a day, from and to."""
_SHOWN = 3
"""Dates that are named; of more there is only the number."""
_STEADY = 6
"""Weeks for each change from the usual hours of a weekday; with fewer no hours are usual."""
CHANGING = "changes from week to week: see the timeline"


@dataclass(slots=True)
class Hours:
    """When a label applies: in the usual week, and on days unlike it.

    `changing` are the weekdays on which no hours are the usual ones.
    """

    week: Spans = ()
    other: dict[Spans, list[dt.date]] = field(default_factory=dict)
    changing: tuple[int, ...] = ()

    @property
    def seconds(self) -> int:
        """How much of the usual week it is."""
        return sum(end - start for start, end in self.week)

    def __str__(self) -> str:
        return self.words()

    def words(self, *, absent: bool = True) -> str:
        """Return when it is, and with `absent` on which days it is not, though it usually is."""
        parts = [week_words(self.week)] if self.week else []
        for spans, days in self.other.items():
            if spans:
                parts.append(f"{date_words(days)} {day_words(spans)}")
            elif absent:
                parts.append(f"not {date_words(days)}")
        if self.changing:
            every = len(self.changing) == len(DAYS)
            parts.append(CHANGING if every else f"{_day_names(self.changing)} {CHANGING}")
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
    spans = {pattern: spans_by_label(pattern) for pattern in by_pattern}
    shown = {p: _merged(sorted((a, b) for a, b, _ in p)) for p in by_pattern}
    dated = sorted(
        ((date, pattern) for pattern, dates in by_pattern.items() for date in dates),
        key=lambda each: each[0],
    )
    labels = dict.fromkeys(name for _, pattern in dated for name in spans[pattern])
    found: dict[L, Hours] = {name: Hours() for name in labels}
    unlike: dict[Pattern[L], list[dt.date]] = {}
    for weekday in range(len(DAYS)):
        here = [(date, each) for date, each in dated if date.weekday() == weekday]
        odd = set()
        for name, hours in found.items():
            days_of_it = [_Day(date, spans[p].get(name, ()), shown[p]) for date, p in here]
            odd |= set(_note_weekday(hours, weekday, days_of_it))
        for date, plain in here:
            if date in odd:
                unlike.setdefault(plain, []).append(date)
    for hours in found.values():
        by_date = sorted((sorted(dates), spans) for spans, dates in hours.other.items())
        hours.other = {spans: dates for dates, spans in by_date}
    return Timetable(found, {pattern: sorted(dates) for pattern, dates in unlike.items()})


class _Day(NamedTuple):
    """A date, when one label applies on it, and what the clocks on the wall show of it."""

    date: dt.date
    spans: Spans
    shown: Spans

    def is_like(self, usual: Spans) -> bool:
        """Return whether the hours are the usual ones, as far as the clocks show them."""
        return self.spans == usual or self.spans == _cut(usual, self.shown)


def _note_weekday(hours: Hours, weekday: int, days: Sequence[_Day]) -> list[dt.date]:
    """Note one label's hours of a weekday, and return the dates that are unlike the usual ones."""
    counts = Counter(day.spans for day in days)
    if not counts:
        return []
    usual, _ = counts.most_common(1)[0]
    unlike = [not day.is_like(usual) for day in days] if len(counts) > 1 else []
    turns = sum(now > before for before, now in pairwise([False, *unlike]))
    if sum(unlike) * 2 >= len(days) or turns * _STEADY > len(days) > _STEADY:
        hours.changing = (*hours.changing, weekday)
        return []
    moved = ((start + weekday * DAY, end + weekday * DAY) for start, end in usual)
    hours.week = _merged([*hours.week, *moved])
    odd = list(compress(days, unlike))
    for day in odd:
        hours.other.setdefault(day.spans, []).append(day.date)
    return [day.date for day in odd]


def _cut(spans: Spans, shown: Spans) -> Spans:
    """Return the part of some spans that the clocks show."""
    parts = ((max(a, c), min(b, d)) for a, b in spans for c, d in shown)
    return tuple((start, end) for start, end in parts if start < end)


def _joined(pattern: Pattern[int], label: Callable[[int], L]) -> Pattern[L]:
    found: list[tuple[int, int, L]] = []
    for start, end, kind in pattern:
        name = label(kind)
        if found and found[-1][1:] == (start, name):
            found[-1] = (found[-1][0], end, name)
        else:
            found.append((start, end, name))
    return tuple(found)


def spans_by_label(pattern: Pattern[L]) -> dict[L, Spans]:
    """Return the seconds of a day at which each label applies.

    Where an hour comes twice, a label has it if it applies in one of the two.
    """
    found: dict[L, list[tuple[int, int]]] = {}
    for start, end, name in pattern:
        found.setdefault(name, []).append((start, end))
    return {name: _merged(sorted(spans)) for name, spans in found.items()}


def _merged(spans: Iterable[tuple[int, int]]) -> Spans:
    found: list[tuple[int, int]] = []
    for start, end in spans:
        if found and found[-1][1] >= start:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
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
    return f"on {named}" + (f" and {more} more day{'' if more == 1 else 's'}" if more > 0 else "")


def _day_names(days: Sequence[int]) -> str:
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{DAYS[days[0]]}-{DAYS[days[-1]]}"
    return ", ".join(DAYS[day] for day in days)


def _clock(second: int, *, ends: bool = False) -> str:
    minutes = second % DAY // 60
    return "24:00" if ends and not minutes else f"{minutes // 60:02}:{minutes % 60:02}"
