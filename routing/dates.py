"""Sets of days: single dates, ranges, yearly days, recurrence rules, public holidays, calendars."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Any, Protocol

from msgspec import Struct, field

from routing.countries import country_holidays
from routing.problems import Wrong, did_you_mean

_RULE_KEYS = {
    *("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "DTSTART"),
    *("BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"),
}
_NUMBERS = {
    "INTERVAL": (1, 1000),
    "COUNT": (1, 1000),
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
}
"""Parts that hold numbers -> the least and the greatest; none of them may be 0."""
_WEEKDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_ENDS = {"INTERVAL", "COUNT", "UNTIL"}
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")


class Days(Protocol):
    """A set of days; `name_of` says why a day belongs to it, None when it does not."""

    def name_of(self, day: dt.date) -> str | None:
        """Return what `day` is in this set (`Christmas Day`, `2026-12-31`), or None."""

    def last_day(self) -> dt.date | None:
        """Return the last day of the set, or None when it goes on for ever."""


class DateRange(Struct, frozen=True):
    """The days from `first` to `last`, both included."""

    first: dt.date
    last: dt.date

    def name_of(self, day: dt.date) -> str | None:
        """Return the range as it is written if `day` lies in it."""
        if not self.first <= day <= self.last:
            return None
        return str(self.first) if self.first == self.last else f"{self.first}..{self.last}"

    def last_day(self) -> dt.date | None:
        """Return the end of the range."""
        return self.last


class Yearly(Struct, frozen=True):
    """The same day of every year; 29 February comes in leap years only."""

    month: int
    day: int

    def name_of(self, day: dt.date) -> str | None:
        """Return the day as it is written if `day` is it."""
        same = day.month == self.month and day.day == self.day
        return f"{self.month:02}-{self.day:02}" if same else None

    def last_day(self) -> dt.date | None:
        """Return None: it comes every year."""
        return None


class Recurrence(Struct, frozen=True):
    """The days of an RFC 5545 recurrence rule."""

    rule: str
    start: dt.date | None = None

    def name_of(self, day: dt.date) -> str | None:
        """Return the rule as it is written if `day` belongs to it."""
        return self.rule if day in _recurring_days(self, day.year) else None

    def last_day(self) -> dt.date | None:
        """Return the day that UNTIL or COUNT ends with, or None."""
        parts = dict(part.split("=", 1) for part in self.rule.split(";"))
        if "UNTIL" in parts:
            return dt.datetime.strptime(parts["UNTIL"][:8], "%Y%m%d").date()  # noqa: DTZ007 - a day
        if "COUNT" in parts:
            return max(_expand(self, self.start or dt.date.min, dt.date.max), default=None)
        return None


class PublicHolidays(Struct, frozen=True):
    """The public holidays of a country, observed days included; data of the `holidays` package."""

    country: str
    subdivision: str | None = None
    categories: tuple[str, ...] = ()

    def name_of(self, day: dt.date) -> str | None:
        """Return the holiday's name if `day` is one."""
        return _holidays_of(self, day.year).get(day)

    def last_day(self) -> dt.date | None:
        """Return None: holidays are reckoned for any year."""
        return None


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


def parse_days(text: str) -> Days | None:
    """Return the days that `text` writes; None if it has the form of none (so it is a name).

    Raises Wrong for a date, range or rule that is not possible.
    """
    if "FREQ=" in text.upper():
        return parse_recurrence(text.upper().removeprefix("RRULE:"))
    if ".." in text:
        first, last = (parse_date(part.strip()) for part in text.split("..", 1))
        if last < first:
            raise Wrong("bad-date", f"the range {text} ends before it begins")
        return DateRange(first, last)
    if re.fullmatch(r"[0-9]{1,2}[-/.][0-9]{1,2}", text):
        return _yearly(text)
    if re.match(r"\d{4}\b", text):
        day = parse_date(text)
        return DateRange(day, day)
    return None


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


def parse_recurrence(text: str) -> Recurrence:
    """Return the recurrence rule that `text` writes; raises Wrong.

    Only rules whose days do not hang on an unwritten start are taken: `COUNT` or an `INTERVAL`
    above 1 needs `DTSTART=20260105;` in front.
    """
    parts = _rule_parts(text)
    start = None
    if "DTSTART" in parts:
        start = dt.datetime.strptime(parts.pop("DTSTART"), "%Y%m%d").date()  # noqa: DTZ007 - a day
    elif parts.get("INTERVAL", "1") != "1" or "COUNT" in parts:
        raise Wrong(
            "bad-recurrence", "INTERVAL and COUNT count from a day: put DTSTART=20260105; in front"
        )
    by_day = parts.keys() & {"BYDAY", "BYMONTHDAY", "BYYEARDAY"}
    if start is None and parts["FREQ"] != "DAILY" and not by_day:
        raise Wrong("bad-recurrence", "say which days: add BYDAY or BYMONTHDAY")
    rule = Recurrence(";".join(f"{key}={value}" for key, value in parts.items()), start)
    _check_some_day(rule, parts)
    return rule


def _check_some_day(rule: Recurrence, parts: dict[str, str]) -> None:
    """Raise Wrong for a rule that fits no day, because the search for one would take for ever."""
    always = [f"{key}={value}" for key, value in parts.items() if key not in _ENDS]
    late = dt.date(9960, 1, 1)  # near the last year that Python knows such a search soon ends
    try:
        found = _iterate(Recurrence(";".join(always)), late).after(
            dt.datetime.combine(late, dt.time()), inc=True
        )
        if found and rule.start:
            found = next(iter(_iterate(rule, rule.start)), None)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise Wrong("bad-recurrence", f"not an RFC 5545 rule: {error}") from None
    if not found:
        raise Wrong("bad-recurrence", "no day ever fits this rule")


def _rule_parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.upper().rstrip(";").split(";"):
        key, equals, value = part.partition("=")
        if not equals or not value or key not in _RULE_KEYS or key in parts:
            raise Wrong("bad-recurrence", f"{part!r} is not a part of an RFC 5545 rule of days")
        parts[key] = _rule_value(key, value)
    if parts.get("FREQ") not in _FREQUENCIES:
        raise Wrong("bad-recurrence", f"FREQ must be one of {', '.join(_FREQUENCIES)}")
    return parts


def _rule_value(key: str, value: str) -> str:
    """Return the checked value of one part; raises Wrong."""
    each = value.split(",")
    good = True
    if key in _NUMBERS:
        least, greatest = _NUMBERS[key]
        numbers = [int(n) if re.fullmatch(r"[+-]?[0-9]{1,4}", n) else 0 for n in each]
        good = all(n != 0 and least <= n <= greatest for n in numbers)
    elif key == "BYDAY":
        found = [_WEEKDAY.fullmatch(day) for day in each]
        good = all(day and abs(int(day[1] or 1)) in range(1, 54) for day in found)
    elif key in {"DTSTART", "UNTIL"}:
        return _rule_date(key, value)
    if not good:
        raise Wrong("bad-recurrence", f"{key}={value} is not possible in an RFC 5545 rule")
    return value


def _rule_date(key: str, text: str) -> str:
    digits = text.replace("-", "")[:8]
    try:
        day = parse_date(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
    except Wrong:
        day = dt.date.min
    if not 1970 <= day.year <= 2200:
        raise Wrong("bad-recurrence", f"{key}={text} is no day; write {key}=20260105")
    return day.strftime("%Y%m%d")


def _iterate(rule: Recurrence, start: dt.date) -> Any:
    from dateutil.rrule import rrulestr  # noqa: PLC0415 - 20 ms that most files do not need

    return rrulestr(rule.rule, dtstart=dt.datetime.combine(start, dt.time()))


def _expand(rule: Recurrence, first: dt.date, last: dt.date) -> frozenset[dt.date]:
    # Without a start of its own a rule begins a month early, so that the week around New Year's
    # Day is whole.
    start = rule.start or dt.date(first.year - 1, 12, 1)
    midnight = dt.time()
    found = _iterate(rule, start).between(
        dt.datetime.combine(first, midnight), dt.datetime.combine(last, midnight), inc=True
    )
    return frozenset(moment.date() for moment in found)


@lru_cache(maxsize=512)
def _recurring_days(rule: Recurrence, year: int) -> frozenset[dt.date]:
    return _expand(rule, dt.date(year, 1, 1), dt.date(year, 12, 31))


@lru_cache(maxsize=128)
def _holidays_of(calendar: PublicHolidays, year: int) -> dict[dt.date, str]:
    return dict(
        country_holidays(
            calendar.country,
            subdiv=calendar.subdivision,
            years=year,
            expand=False,
            categories=calendar.categories or None,
        )
    )


def public_holidays(
    country: str, subdivision: str | None, categories: tuple[str, ...]
) -> PublicHolidays:
    """Return the calendar of a country after checking that its data exists; raises Wrong."""
    try:
        known = country_holidays(country.upper(), expand=False)
    except NotImplementedError:
        message = f"no holidays are known for {country!r}; write an ISO 3166 code such as US"
        raise Wrong("unknown-country", message) from None
    places = {*known.subdivisions, *known.subdivisions_aliases}
    if subdivision is not None and subdivision not in places:
        hint = did_you_mean(subdivision, places) or "; write an ISO 3166 code such as CA"
        message = f"no holidays are known for {subdivision!r} of {country}{hint}"
        raise Wrong("unknown-subdivision", message)
    unknown = [word for word in categories if word not in known.supported_categories]
    if unknown:
        allowed = ", ".join(known.supported_categories)
        raise Wrong(
            "unknown-category", f"{country} has no category {unknown[0]!r}; it has {allowed}"
        )
    return PublicHolidays(country.upper(), subdivision, categories)
