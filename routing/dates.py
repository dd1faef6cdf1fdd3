"""Sets of days: single dates, ranges, days of every year, calendars; rules and holidays beside."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from routing.problems import Wrong
from routing.recurrence import looks_like_recurrence, parse_recurrence

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_OF_A_YEAR = re.compile(r"[0-9]{1,2}[-/.][0-9]{1,2}")
_EASTER = re.compile(r"(orthodox[- ])?easter(?: *([+-]) *([0-9]{1,3}))?", re.IGNORECASE)
_FARTHEST = 200
"""Most days before or after Easter."""
_ALIKE = "write both ends alike: 2026-12-24..2027-01-02, 12-24..01-02 or easter-2..easter+1"


class Days(Protocol):
    """A set of days; `name_of` says why a day belongs to it, None when it does not."""

    def name_of(self, day: dt.date) -> str | None:
        """Return what `day` is in this set (`Christmas Day`, `2026-12-31`), or None."""

    def last_day(self) -> dt.date | None:
        """Return the last day of the set, or None when it goes on for ever."""

    def in_zone(self, zone: ZoneInfo) -> Days:
        """Return the set as it is in a zone, where it hangs on one."""


class EveryYear(Struct, frozen=True):
    """What comes again every year, in every zone."""

    def last_day(self) -> dt.date | None:
        """Return None."""
        return None

    def in_zone(self, zone: ZoneInfo) -> Days:  # noqa: ARG002 - one signature for all
        """Return the same days."""
        return self  # type: ignore[return-value]  # each kind has a `name_of`


class DateRange(Struct, frozen=True):
    """The days from `first` to `last`, both included."""

    first: dt.date
    last: dt.date

    def name_of(self, day: dt.date) -> str | None:
        """Return the range as it is written if `day` lies in it."""
        if not self.first <= day <= self.last:
            return None
        return str(self.first) if self.first == self.last else f"{self.first}..{self.last}"

    def is_backwards(self) -> bool:
        """Return whether the range ends before it begins."""
        return self.last < self.first

    def last_day(self) -> dt.date | None:
        """Return the end of the range."""
        return self.last

    def in_zone(self, zone: ZoneInfo) -> Days:  # noqa: ARG002 - one signature for all
        """Return the same days."""
        return self


class Yearly(EveryYear, frozen=True):
    """The same day of every year; 29 February comes in leap years only."""

    month: int
    day: int

    def name_of(self, day: dt.date) -> str | None:
        """Return the day as it is written if `day` is it."""
        return str(self) if (day.month, day.day) == (self.month, self.day) else None

    def __str__(self) -> str:
        return f"{self.month:02}-{self.day:02}"


class YearlyRange(EveryYear, frozen=True):
    """From one day to another of every year, both included; perhaps into the next one."""

    first: Yearly
    last: Yearly

    def name_of(self, day: dt.date) -> str | None:
        """Return the range as it is written if `day` lies in it."""
        first, last = (self.first.month, self.first.day), (self.last.month, self.last.day)
        now = day.month, day.day
        inside = first <= now <= last if first <= last else now >= first or now <= last
        return f"{self.first}..{self.last}" if inside else None


class EasterDays(EveryYear, frozen=True):
    """Days counted from Easter Sunday, from `first` to `last`: -2 is Good Friday."""

    first: int
    last: int
    orthodox: bool = False

    def name_of(self, day: dt.date) -> str | None:
        """Return the days as they are written if `day` is one of them."""
        for year in (day.year, day.year - 1, day.year + 1):
            if self.first <= (day - easter(year, orthodox=self.orthodox)).days <= self.last:
                return str(self)
        return None

    def is_backwards(self) -> bool:
        """Return whether the days end before they begin."""
        return self.last < self.first

    def __str__(self) -> str:
        ends = dict.fromkeys(self._written(days) for days in (self.first, self.last))
        return "..".join(ends)

    def _written(self, days: int) -> str:
        return f"{'orthodox-' if self.orthodox else ''}easter{f'{days:+}' if days else ''}"


class Calendar(Struct):
    """A named set of days, made of other sets."""

    name: str
    parts: list[Days] = field(default_factory=list)

    def name_of(self, day: dt.date) -> str | None:
        """Return what the first part that has `day` calls it."""
        for part in self.parts:
            name = part.name_of(day)
            if name is not None:
                return f"{self.name}: {name}"
        return None

    def last_day(self) -> dt.date | None:
        """Return the last day of all parts, or None if one of them goes on."""
        ends = [part.last_day() for part in self.parts]
        known = [end for end in ends if end is not None]
        return max(known) if known and len(known) == len(ends) else None

    def in_zone(self, zone: ZoneInfo) -> Days:
        """Return the calendar with the days that its parts have in a zone."""
        parts = [part.in_zone(zone) for part in self.parts]
        alike = all(one is other for one, other in zip(parts, self.parts, strict=True))
        return self if alike else Calendar(self.name, parts)


@lru_cache(maxsize=512)
def easter(year: int, *, orthodox: bool) -> dt.date:
    """Return Easter Sunday, by the Gregorian calendar."""
    from dateutil import easter as known  # noqa: PLC0415 - most files do not need it

    return known.easter(year, known.EASTER_ORTHODOX if orthodox else known.EASTER_WESTERN)


def parse_days(text: str) -> Days | None:
    """Return the days that `text` writes; None if it has the form of none (so it is a name).

    Raises Wrong for a date, range or rule that is not possible.
    """
    if looks_like_recurrence(text):
        return parse_recurrence(text)
    if ".." in text:
        return _range(text)
    return _day(text)


def _day(text: str) -> DateRange | Yearly | EasterDays | None:
    if _OF_A_YEAR.fullmatch(text):
        return _yearly(text)
    easter_day = _EASTER.fullmatch(text)
    if easter_day:
        days = int(f"{easter_day[2] or '+'}{easter_day[3] or 0}")
        if abs(days) > _FARTHEST:
            message = f"{text!r} is too far away; write easter-{_FARTHEST} to easter+{_FARTHEST}"
            raise Wrong("bad-date", message)
        return EasterDays(days, days, bool(easter_day[1]))
    if re.match(r"\d{4}\b", text):
        day = parse_date(text)
        return DateRange(day, day)
    return None


def _range(text: str) -> Days:
    first, last = (_end(part.strip()) for part in text.split("..", 1))
    found = _from_to(first, last)
    if found is None:
        raise Wrong("bad-date", f"the ends of {text} differ; {_ALIKE}")
    if isinstance(found, (DateRange, EasterDays)) and found.is_backwards():
        raise Wrong("bad-date", f"the range {text} ends before it begins")
    return found


def _from_to(first: Days, last: Days) -> Days | None:
    if isinstance(first, Yearly) and isinstance(last, Yearly):
        return YearlyRange(first, last)
    if isinstance(first, DateRange) and isinstance(last, DateRange):
        return DateRange(first.first, last.last)
    if isinstance(first, EasterDays) and isinstance(last, EasterDays):
        alike = first.orthodox == last.orthodox
        return EasterDays(first.first, last.last, first.orthodox) if alike else None
    return None


def _end(text: str) -> DateRange | Yearly | EasterDays:
    day = _day(text)
    if day is None:
        raise Wrong("bad-date", f"{text!r} is no date; {_ALIKE}")
    return day


def parse_date(text: str) -> dt.date:
    """Return the date written as `2026-12-31`; raises Wrong."""
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            raise ValueError
        return dt.date.fromisoformat(text)
    except ValueError:
        raise Wrong("bad-date", f"{text!r} is no date; write it as 2026-12-31") from None


def _yearly(text: str) -> Yearly:
    try:
        month, day = int(text[:2]), int(text[3:5])
        dt.date.fromisoformat(f"2024-{text}")  # a leap year: 02-29 is possible
    except ValueError:
        raise Wrong("bad-date", f"{text!r} is no day of a year; write month-day: 07-04") from None
    return Yearly(month, day)
