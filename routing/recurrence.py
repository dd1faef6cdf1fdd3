"""The days of an RFC 5545 recurrence rule, as calendars export it or people write it.

The RFC (section 3.3.10) makes of these rules instants; here a rule says days. What the RFC forbids
is refused, because `dateutil`, which reckons the days, passes over most of it in silence.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, structs

from routing.problems import Wrong, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from zoneinfo import ZoneInfo

    from routing.dates import Days

_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_WITHIN_A_DAY = {"HOURLY", "MINUTELY", "SECONDLY"}
_TIMES = {"BYHOUR", "BYMINUTE", "BYSECOND"}
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_DAY_NAMES = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")
_ALL_WEEK = "BYDAY=" + ",".join(_WEEKDAYS)


class _Numbers(NamedTuple):
    """What a part holds: one number or several, from 1 to `most`, perhaps counted from the end."""

    most: int
    signed: bool = False
    several: bool = True

    def fit(self, value: str) -> bool:
        """Return whether the value of a part is such numbers."""
        sign = "[+-]?" if self.signed else ""
        each = value.split(",") if self.several else [value]
        good = (re.fullmatch(f"{sign}[0-9]{{1,5}}", number) for number in each)
        return all(good) and all(1 <= abs(int(number)) <= self.most for number in each)

    def __str__(self) -> str:
        return f"1 to {self.most}" + (f", or -{self.most} to -1" if self.signed else "")


_NUMBERS = {
    "INTERVAL": _Numbers(1000, several=False),
    "COUNT": _Numbers(10_000, several=False),
    "BYMONTH": _Numbers(12),
    "BYMONTHDAY": _Numbers(31, signed=True),
    "BYYEARDAY": _Numbers(366, signed=True),
    "BYWEEKNO": _Numbers(53, signed=True),
    "BYSETPOS": _Numbers(366, signed=True),
}
_PARTS = ("FREQ", "DTSTART", *_NUMBERS, "UNTIL", "BYDAY", "WKST")
_WEEKDAY = re.compile(rf"([+-]?[0-9]{{1,2}})?({'|'.join(_WEEKDAYS)})")
_LOOKS_LIKE = re.compile(
    rf"\s*(RRULE:|DTSTART[;:]|({'|'.join((*_PARTS, *_TIMES))})\s*=)", re.IGNORECASE
)
_START = re.compile(r"\bDTSTART(?:;[A-Z]+=[^:;\s]+)*[:=]([^;\s]+);?")
_PROPERTY = re.compile(r"(?:^|\s)([A-Z]+)(?:;[A-Z]+=[^:;\s]+)*:")
_MOMENT = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)(?:T([01]\d|2[0-3]):?([0-5]\d):?([0-5]\d|60)(Z?))?", re.ASCII
)
_LATE = dt.date(9960, 1, 1)
"""The years from here on are of every kind: whatever comes back, comes back within 28 years."""
_ALIKE = 19 * 400
"""Years after which the days of the week and the leap years are the same again."""


class Recurrence(Struct, frozen=True):
    """The days of a recurrence rule.

    `start` and `until` are days, or instants as long as no zone says which days they are.
    """

    rule: str
    """As it is shown."""
    pattern: str
    """What `dateutil` is given: all but its beginning and its end."""
    start: dt.date | None = None
    until: dt.date | None = None
    doubt: str | None = None
    """What may not be meant, for a warning."""

    def name_of(self, day: dt.date) -> str | None:
        """Return the rule as it is written if `day` belongs to it."""
        return self.rule if day in _days_of(self, day.year) else None

    def last_day(self) -> dt.date | None:
        """Return the day that UNTIL or COUNT ends with, or None."""
        if self.until is not None:
            return _as_day(self.until)
        if self.start is not None and "COUNT=" in self.pattern:
            return max(_iterate(self.pattern, _as_day(self.start), dt.date.max))
        return None

    def in_zone(self, zone: ZoneInfo) -> Days:
        """Return the rule with the days that its instants are in a zone."""
        if not (isinstance(self.start, dt.datetime) or isinstance(self.until, dt.datetime)):
            return self
        start, until = self.start, self.until
        if isinstance(start, dt.datetime):
            start = start.astimezone(zone).date()
        if isinstance(until, dt.datetime):
            until = _last_begun(until, zone)
        return structs.replace(self, start=start, until=until)


def _last_begun(at: dt.datetime, zone: ZoneInfo) -> dt.date:
    """Return the last day whose start is not after an instant."""
    day = at.astimezone(zone).date()
    tomorrow = day + dt.timedelta(days=1)
    # Clocks that go back over midnight show a day, and then again the one before.
    return tomorrow if dt.datetime.combine(tomorrow, dt.time(), zone) <= at else day


def looks_like_recurrence(text: str) -> bool:
    """Return whether a text is meant to be a recurrence rule."""
    return _LOOKS_LIKE.match(text) is not None or "FREQ=" in text.upper()


def parse_recurrence(text: str) -> Recurrence:
    """Return the rule that `text` writes; raises Wrong.

    Only rules whose days do not hang on an unwritten start are taken: `COUNT` or an `INTERVAL`
    above 1 needs `DTSTART=20260105;` in front.
    """
    start, parts = _parts(text)
    _check_together(parts)
    if start is None:
        _check_without_start(parts)
    until = _moment("UNTIL", parts["UNTIL"]) if "UNTIL" in parts else None
    doubt = _doubt(start, parts) if start else None
    shown = _joined(parts)
    rule = Recurrence(shown, _joined(parts, {"UNTIL"}), start, until, doubt)
    if not _has_a_day(rule, parts):
        raise Wrong("bad-recurrence", f"no day ever fits this rule: {shown}")
    return rule


def _joined(parts: dict[str, str], without: Collection[str] = ()) -> str:
    return ";".join(f"{key}={value}" for key, value in parts.items() if key not in without)


def _doubt(start: dt.date, parts: dict[str, str]) -> str | None:
    """Return what may not be meant: every third week on one day, where a week was thought of."""
    if parts["FREQ"] != "WEEKLY" or parts.get("INTERVAL", "1") == "1" or "BYDAY" in parts:
        return None
    day = start.weekday()
    return (
        f"without BYDAY this is {_DAY_NAMES[day]} only, the weekday of DTSTART; "
        f"add BYDAY={_WEEKDAYS[day]} if so, or {_ALL_WEEK} for whole weeks"
    )


def _parts(text: str) -> tuple[dt.date | None, dict[str, str]]:
    """Return the start of a rule and its other parts."""
    upper, start = text.upper(), None
    given = _START.search(upper)
    if given:
        start = _moment("DTSTART", given[1])
        upper = f"{upper[: given.start()]} {upper[given.end() :]}"
    upper = upper.strip().removeprefix("RRULE:")
    other = _PROPERTY.search(upper)
    if other:
        message = f"{other[1]} cannot stand here; a rule is made of DTSTART and one RRULE only"
        raise Wrong("bad-recurrence", message)
    parts: dict[str, str] = {}
    for part in filter(None, re.sub(r"\s", "", upper).split(";")):
        key, _, value = part.partition("=")
        if key in parts or (key == "DTSTART" and start):
            raise Wrong("bad-recurrence", f"{key} stands twice; keep one of them")
        _check_part(part, key, value)
        parts[key] = value
    if "DTSTART" in parts:
        start = _moment("DTSTART", parts.pop("DTSTART"))
    if "FREQ" not in parts:
        raise Wrong("bad-recurrence", f"FREQ is missing: one of {', '.join(_FREQUENCIES)}")
    return start, parts


def _check_part(part: str, key: str, value: str) -> None:
    """Raise Wrong for a part that cannot be, whatever stands beside it."""
    if key in _TIMES or (key == "FREQ" and value in _WITHIN_A_DAY):
        days = f"; FREQ is one of {', '.join(_FREQUENCIES)}" if key == "FREQ" else ""
        message = f"{part}: a calendar is made of whole days; write hours in the schedule{days}"
        raise Wrong("bad-recurrence", message)
    if key not in _PARTS:
        hint = did_you_mean(key, _PARTS) or f"; the parts are {', '.join(_PARTS)}"
        raise Wrong("bad-recurrence", f"{part!r} is not a part of an RFC 5545 rule{hint}")
    if not value:
        raise Wrong("bad-recurrence", f"{key} has no value; write {key}=…")
    if key == "FREQ" and value not in _FREQUENCIES:
        raise Wrong("bad-recurrence", f"FREQ must be one of {', '.join(_FREQUENCIES)}")
    if key == "WKST" and value not in _WEEKDAYS:
        message = f"WKST={value} is no day; the days are {', '.join(_WEEKDAYS)}"
        raise Wrong("bad-recurrence", message)
    if key == "BYDAY":
        _check_weekdays(value)
    numbers = _NUMBERS.get(key)
    if numbers and not numbers.fit(value):
        raise Wrong("bad-recurrence", f"{key}={value} is not possible; it can be {numbers}")


def _check_weekdays(value: str) -> None:
    for day in value.split(","):
        found = _WEEKDAY.fullmatch(day)
        if not found:
            message = f"BYDAY: {day!r} is no day; the days are {', '.join(_WEEKDAYS)}"
            raise Wrong("bad-recurrence", message)
        if not 1 <= abs(int(found[1] or 1)) <= 53:
            message = f"BYDAY: {day} is not possible; the number is 1 to 53, or -53 to -1"
            raise Wrong("bad-recurrence", message)


def _check_together(parts: dict[str, str]) -> None:
    """Raise Wrong for parts that RFC 5545 does not allow together."""
    freq = parts["FREQ"]
    numbers = [abs(int(day[1])) for day in _WEEKDAY.finditer(parts.get("BYDAY", "")) if day[1]]
    of_months = freq == "MONTHLY" or "BYMONTH" in parts
    refused = (
        ({"COUNT", "UNTIL"} <= parts.keys(), "COUNT must not stand with UNTIL; keep one of them"),
        (
            numbers and freq in {"DAILY", "WEEKLY"},
            f"a number before a day in BYDAY must not stand with FREQ={freq}; write FREQ=MONTHLY",
        ),
        (
            numbers and "BYWEEKNO" in parts,
            "a number before a day in BYDAY must not stand with BYWEEKNO; leave one of them out",
        ),
        (
            of_months and max(numbers, default=0) > 5,
            "BYDAY: a month has at most five of each weekday; the number is 1 to 5, or -5 to -1",
        ),
        (
            freq == "WEEKLY" and "BYMONTHDAY" in parts,
            "BYMONTHDAY must not stand with FREQ=WEEKLY; write FREQ=MONTHLY",
        ),
        *(
            (freq != "YEARLY" and key in parts, f"{key} must stand with FREQ=YEARLY, not {freq}")
            for key in ("BYYEARDAY", "BYWEEKNO")
        ),
        (
            [key for key in parts if key.startswith("BY")] == ["BYSETPOS"],
            "BYSETPOS picks from the days of another part, so it needs one, such as BYDAY",
        ),
    )
    for wrong, message in refused:
        if wrong:
            raise Wrong("bad-recurrence", message)


def _check_without_start(parts: dict[str, str]) -> None:
    """Raise Wrong for a rule whose days hang on a start that is not written."""
    if parts.get("INTERVAL", "1") != "1" or "COUNT" in parts:
        message = "INTERVAL and COUNT count from a day: put DTSTART=20260105; in front"
        if parts["FREQ"] == "WEEKLY" and "BYDAY" not in parts:
            message += f", and say which days: {_ALL_WEEK} for whole weeks"
        raise Wrong("bad-recurrence", message)
    if parts["FREQ"] != "DAILY" and not parts.keys() & {"BYDAY", "BYMONTHDAY", "BYYEARDAY"}:
        days = "BYDAY" if parts["FREQ"] == "WEEKLY" else "BYDAY or BYMONTHDAY"
        raise Wrong("bad-recurrence", f"say which days: add {days}")


def _moment(key: str, text: str) -> dt.date:
    """Return the day, or with `Z` the instant, of DTSTART or UNTIL; raises Wrong.

    A time without `Z` is one on the clock of that day.
    """
    found = _MOMENT.fullmatch(text.upper())
    try:
        if not found:
            raise ValueError
        day = dt.date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        message = f"{key}={text} is no day; write {key}=20260105, or with a time 20260105T235959Z"
        raise Wrong("bad-recurrence", message) from None
    if not 1970 <= day.year <= 2200:
        raise Wrong("bad-recurrence", f"{key}={text} is too far away; the year is 1970 to 2200")
    if not found[7]:
        return day
    clock = dt.time(int(found[4]), int(found[5]), min(int(found[6]), 59), tzinfo=dt.UTC)
    return dt.datetime.combine(day, clock)


def _has_a_day(rule: Recurrence, parts: dict[str, str]) -> bool:
    """Return whether a rule ever has a day.

    `dateutil` searches up to the last year that Python knows, so the search is made near it.
    """
    if not any(_iterate(_joined(parts, {"UNTIL", "COUNT", "INTERVAL"}), _LATE, dt.date.max)):
        return False
    if not rule.start:
        return True
    start = _as_day(rule.start)
    later = start.replace(year=start.year + _ALIKE)
    first = next(_iterate(_joined(parts, {"UNTIL", "COUNT"}), later, dt.date.max), None)
    if first is None:
        return False
    # An instant may be the day before or after that of UTC in some zone.
    slack = any(isinstance(each, dt.datetime) for each in (rule.start, rule.until))
    late_by = start + (first - later) - _as_day(rule.until or dt.date.max)
    return late_by <= dt.timedelta(days=slack)


def _as_day(day: dt.date) -> dt.date:
    return day.date() if isinstance(day, dt.datetime) else day


@lru_cache(maxsize=512)
def _days_of(rule: Recurrence, year: int) -> frozenset[dt.date]:
    # Without a start of its own a rule begins a month early, so that the week around New Year's
    # Day is whole.
    start = _as_day(rule.start) if rule.start else dt.date(year - 1, 12, 1)
    last = dt.date(year, 12, 31)
    if rule.until:
        last = min(last, _as_day(rule.until))
    return frozenset(day for day in _iterate(rule.pattern, start, last) if day.year == year)


def _iterate(pattern: str, start: dt.date, last: dt.date) -> Iterator[dt.date]:
    """Yield the days of a pattern from one day to another."""
    from dateutil.rrule import rrulestr  # noqa: PLC0415 - 20 ms that most files do not need

    if "BYWEEKNO=" in pattern and not re.search("BYDAY=|BYMONTHDAY=|BYYEARDAY=", pattern):
        # The RFC takes the weekday of the start, dateutil the whole week.
        pattern += f";BYDAY={_WEEKDAYS[start.weekday()]}"
    for at in rrulestr(pattern, dtstart=dt.datetime.combine(start, dt.time())):
        if at.date() > last:
            return
        yield at.date()
