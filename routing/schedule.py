"""Schedules: whether an instant lies in named opening hours, and why.

A window belongs to the day on which it starts. The instant is turned into wall time of the
schedule's zone; windows are half-open, so an hour that comes twice in autumn is inside both
times and one that is skipped in spring never comes.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from routing.problems import Wrong
from routing.words import OVERRIDES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zoneinfo import ZoneInfo

    from routing.dates import Days

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY = 86_400
_ONE_DAY = dt.timedelta(days=1)
_TIME = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])")


class Window(Struct, frozen=True, gc=False):
    """Seconds from the start of its day; `end` is over 86,400 when it runs past midnight."""

    start: int
    end: int

    def __str__(self) -> str:
        return _from_to(self.start, self.end)


ALWAYS = (Window(0, _DAY),)
NEVER: tuple[Window, ...] = ()
Week = tuple[tuple[Window, ...], ...]
"""The windows that start on Monday to Sunday."""
EVERY_WEEKDAY = frozenset(range(7))


class SpecialHours(Struct, frozen=True):
    """Hours that replace the weekly ones on some days: those of `within`, and on some weekdays."""

    days: tuple[Days, ...]
    windows: tuple[Window, ...]
    weekdays: frozenset[int] = EVERY_WEEKDAY
    within: tuple[Days, ...] = ()

    def name_of(self, day: dt.date) -> str | None:
        """Return what `day` is among these days, or None."""
        if day.weekday() not in self.weekdays:
            return None
        name = _name_in(self.days, day)
        return None if self.within and _name_in(self.within, day) is None else name


def _name_in(sets: Iterable[Days], day: dt.date) -> str | None:
    for days in sets:
        name = days.name_of(day)
        if name is not None:
            return name
    return None


class Exceptional(Struct, frozen=True):
    """An exception as it is written: for whatever weekly hours, in whatever zone."""

    days: tuple[Days, ...]
    hours: Week | None
    """Windows of Monday to Sunday; without them the usual ones are cut to `part`."""
    part: Window
    weekdays: frozenset[int] = EVERY_WEEKDAY
    within: tuple[Days, ...] = ()

    def of(self, week: Week, zone: ZoneInfo) -> Iterator[SpecialHours]:
        """Yield the hours that it gives to a schedule."""
        days = tuple(each.in_zone(zone) for each in self.days)
        within = tuple(each.in_zone(zone) for each in self.within)
        by_windows: dict[tuple[Window, ...], set[int]] = {}
        for weekday in self.weekdays:
            by_windows.setdefault(self.windows_on(weekday, week), set()).add(weekday)
        for windows, weekdays in by_windows.items():
            yield SpecialHours(days, windows, frozenset(weekdays), within)

    def windows_on(self, weekday: int, week: Week) -> tuple[Window, ...]:
        """Return the windows that it makes of those of a weekday."""
        return cut(week[weekday], self.part) if self.hours is None else self.hours[weekday]


def cut(windows: Iterable[Window], part: Window) -> tuple[Window, ...]:
    """Return what of some windows lies within a part of their day."""
    found = (Window(max(each.start, part.start), min(each.end, part.end)) for each in windows)
    return tuple(each for each in found if each.start < each.end)


class DayHours(Struct, frozen=True):
    """The windows that start on one day, and the exception they come from, by its name."""

    windows: tuple[Window, ...]
    exception: str | None = None


class Verdict(Struct, frozen=True, gc=False):
    """Whether a schedule is open at an instant, with what decided it."""

    open: bool
    wall: dt.datetime
    hours: DayHours
    window: Window | None = None
    override: str | None = None
    set_for: str | None = None
    """The schedule that the override is set for, if it is another one."""

    def because(self) -> str:
        """Return the reason in words: `12:45 on Monday is between windows`."""
        if self.override is not None:
            other = f" of {self.set_for}" if self.set_for else ""
            return f"set {self.override} by an override{other}"
        day = DAY_NAMES[self.wall.weekday()]
        clock = f"{_clock(_second_of(self.wall))} on {day}"
        exception = f" ({self.hours.exception})" if self.hours.exception else ""
        if self.window is not None:
            over = self.window.end > _DAY and _second_of(self.wall) < self.window.start
            owner = f"{DAY_NAMES[self.wall.weekday() - 1]}'s " if over else ""
            return f"{clock} is in {owner}{self.window}{exception}"
        if not self.hours.windows:
            return f"{day} {self.wall:%Y-%m-%d} is closed all day{exception}"
        return f"{clock} is {self._closed()}{exception}"

    def _closed(self) -> str:
        windows = self.hours.windows
        second = _second_of(self.wall)
        if second < min(window.start for window in windows):
            return "before opening"
        if second >= max(window.end for window in windows):
            return "after closing"
        return "between windows"


class Overrides(Protocol):
    """What schedules are set to at run time."""

    def get(self, name: str, /) -> str | None:
        """Return whether a schedule is set `open` or `closed`; None if it is not set."""


_NO_OVERRIDES: Overrides = MappingProxyType[str, str]({})


@dataclass(slots=True)
class Schedule:
    """Named opening hours. Immutable in meaning; it remembers the hours of recent days."""

    name: str
    zone: ZoneInfo
    week: Week
    exceptions: tuple[SpecialHours, ...] = ()
    like: tuple[str, ...] = ()
    """The schedules whose overrides count where it has none itself, the nearest first."""
    _days: dict[dt.date, DayHours] = field(default_factory=dict, repr=False, compare=False)
    _last: tuple[dt.datetime, Overrides, Verdict] | None = field(
        default=None, repr=False, compare=False
    )
    _course: tuple[dt.date | None, tuple[Window, ...]] = field(
        default=(None, ()), repr=False, compare=False
    )

    def judge(self, at: dt.datetime, overrides: Overrides) -> Verdict:
        """Return the verdict for the aware instant `at`; an override in force decides alone.

        Rules of one line ask for the same call again and again, and its trace once more.
        """
        last = self._last
        if last is not None and last[0] is at and last[1] is overrides:
            return last[2]
        verdict = self._judge(at, overrides)
        self._last = at, overrides, verdict
        return verdict

    def _judge(self, at: dt.datetime, overrides: Overrides) -> Verdict:
        wall = at.astimezone(self.zone)
        day = wall.date()
        today = self.hours_on(day)
        override = overrides.get(self.name)
        if override in OVERRIDES:
            return Verdict(override == "open", wall, today, override=override)
        for other in self.like:
            override = overrides.get(other)
            if override in OVERRIDES:
                return Verdict(override == "open", wall, today, override=override, set_for=other)
        second = _second_of(wall)
        for window in today.windows:
            if window.start <= second < window.end:
                return Verdict(True, wall, today, window)
        yesterday = self.hours_on(day - _ONE_DAY)
        for window in yesterday.windows:
            if second < window.end - _DAY:
                return Verdict(True, wall, yesterday, window)
        return Verdict(False, wall, today)

    def state(self, at: dt.datetime) -> bool:
        """Return whether it is open by its hours alone."""
        return self.judge(at, _NO_OVERRIDES).open

    def turns_on(self, day: dt.date) -> Iterator[int]:
        """Yield the seconds of a day at which a window begins or ends."""
        yesterday, today = self.course_of(day)
        for before, windows in ((0, today), (_DAY, yesterday)):
            for window in windows:
                yield from (
                    second
                    for second in (window.start - before, window.end - before)
                    if 0 <= second < _DAY
                )

    def course_of(self, day: dt.date) -> tuple[tuple[Window, ...], tuple[Window, ...]]:
        """Return the windows that begin on the day before and on the day.

        Sweeps ask for each day once, in order, so that the hours are not remembered.
        """
        known, before = self._course
        if known != day - _ONE_DAY:
            before = self._reckon(day - _ONE_DAY).windows
        today = self._reckon(day).windows
        self._course = day, today
        return before, today

    def hours_on(self, day: dt.date) -> DayHours:
        """Return the windows that start on `day`; the first exception that has it replaces them."""
        known = self._days.get(day)
        if known is None:
            if len(self._days) > 1000:
                self._days.clear()
            known = self._days[day] = self._reckon(day)
        return known

    def _reckon(self, day: dt.date) -> DayHours:
        for exception in self.exceptions:
            name = exception.name_of(day)
            if name is not None:
                return DayHours(exception.windows, name)
        return DayHours(self.week[day.weekday()])


def parse_days_of_week(text: str) -> list[int]:
    """Return the weekdays (Monday is 0) of `mon`, `fri-mon` or `mon, wed`; raises Wrong."""
    found: list[int] = []
    for part in text.split(","):
        ends = [_day_of_week(word.strip(), text) for word in part.split("-")]
        if len(ends) > 2:
            raise Wrong("bad-day", f"{part.strip()!r} is no range of days; write mon-fri")
        length = (ends[-1] - ends[0]) % 7 + 1
        found += [(ends[0] + step) % 7 for step in range(length)]
    return found


def parse_windows(text: str) -> tuple[Window, ...]:
    """Return the windows of `09:00-12:30, 13:30-17:00`, `open` or `closed`; raises Wrong."""
    if text in {"open", "closed"}:
        return ALWAYS if text == "open" else NEVER
    return tuple(_window(part.strip()) for part in text.split(","))


def _window(text: str) -> Window:
    start_text, dash, end_text = text.partition("-")
    if not dash:
        raise Wrong("bad-window", f"{text!r} is no window; write 09:00-17:00, open or closed")
    start, end = parse_time(start_text.strip()), parse_time(end_text.strip())
    if start == _DAY:
        raise Wrong("bad-window", f"{text} cannot start at 24:00; that is 00:00 of the next day")
    return Window(start, end if end > start else end + _DAY)


def parse_time(text: str) -> int:
    """Return the seconds of a day until the time `09:00`; raises Wrong."""
    match = _TIME.fullmatch(text)
    hour, minute = (int(match[1]), int(match[2])) if match else (99, 0)
    if hour * 60 + minute > 24 * 60:
        raise Wrong("bad-time", f"{text!r} is no time; write it as 09:00, from 00:00 to 24:00")
    return (hour * 60 + minute) * 60


def _day_of_week(word: str, text: str) -> int:
    if word.lower() not in DAYS:
        raise Wrong("bad-day", f"{word or text!r} is no day; the days are {', '.join(DAYS)}")
    return DAYS.index(word.lower())


def _second_of(wall: dt.datetime) -> int:
    return wall.hour * 3600 + wall.minute * 60 + wall.second


@lru_cache(4096)
def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second % 3600 // 60:02}"


@lru_cache(4096)
def _from_to(start: int, end: int) -> str:
    return f"{_clock(start)}-{_clock(end - _DAY if end > _DAY else end)}"
