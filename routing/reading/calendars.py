"""Reading `calendars`, and dates wherever they may stand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from routing.countries import (
    Country,
    PublicHolidays,
    Some,
    country_of,
    falls_on,
    holiday_names,
    unknown_holiday,
)
from routing.dates import Calendar, Days, parse_days
from routing.problems import Path, Wrong
from routing.reading.document import Mapping
from routing.reading.shapes import (
    ANY_SCALAR,
    Built,
    Context,
    Field,
    OneOrMore,
    Record,
    Schema,
    check_name,
    entries_of,
    made,
    text_of,
    unknown_name,
)
from routing.reading.values import TEXT
from routing.recurrence import Recurrence

if TYPE_CHECKING:
    from routing.reading.document import Node

_KEY_BY_CODE = {
    "unknown-country": "country",
    "unknown-subdivision": "subdivision",
    "unknown-category": "categories",
}
_ALMOST_A_DATE = re.compile(r"[0-9]+[-/.][0-9]+\b|(orthodox[- ]?)?easter\b", re.IGNORECASE)
_WRITE_DATES = (
    "2026-12-31, 12-31, a range such as 12-24..01-02, easter-2, a FREQ= rule, or the name of a "
    "calendar"
)


class Unread:
    """What is read later, when more is known; it is here for its schema."""

    def __init__(self, shape: OneOrMore[Any]) -> None:
        self.shape, self.what = shape, shape.what

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return what the shape says."""
        return self.shape.schema(defined)

    def read(self, node: Node, path: Path, context: Context) -> Node:  # noqa: ARG002 - one signature
        """Return the node."""
        return node


class HolidayItem:
    """Some holidays of a country: the name of one, or dates."""

    what = "the name of a holiday, or dates"

    def __init__(self, country: Country) -> None:
        self.country = country

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return any scalar: which names there are, only the country says."""
        return ANY_SCALAR

    def read(self, node: Node, path: Path, context: Context) -> Some | None:
        """Return what is picked."""
        text = text_of(node, path, context, self.what)
        if text is None:
            return None
        return made(lambda: self._some(text, node, path, context), node, path, context)

    def _some(self, text: str, node: Node, path: Path, context: Context) -> Some:
        names = holiday_names(self.country, text)
        if names:
            return Some(names)
        days = parse_days(text)
        if days is None:
            raise unknown_holiday(self.country, text)
        if not falls_on(self.country, days):
            message = f"no holiday of {self.country} falls on {text}"
            context.problems.warn(node, path, "no-holiday", message)
        return Some(days=(days,))


COUNTRY = Record(
    "a calendar of public holidays",
    {
        "country": Field(TEXT, "the country's ISO 3166 code, such as US", required=True),
        "subdivision": Field(TEXT, "the code of a state or province, such as CA"),
        "categories": Field(OneOrMore(TEXT), "kinds of holidays, such as public, bank"),
        "without": Field(Unread(OneOrMore(TEXT)), "holidays to leave out: names, or dates"),
        "only": Field(Unread(OneOrMore(TEXT)), "the only holidays to take: names, or dates"),
    },
)


def _holidays(values: dict[str, Any], node: Node, path: Path, context: Context) -> Days | None:
    if "country" not in values or not isinstance(node, Mapping):
        return None
    categories = tuple(values.get("categories", ()))
    try:
        country = country_of(values["country"], values.get("subdivision"), categories)
    except Wrong as wrong:
        key = _KEY_BY_CODE[wrong.code]
        context.problems.error(node.entries[key][1], (path, key), wrong.code, str(wrong))
        return None
    if {"only", "without"} <= values.keys():
        key_node = node.entries["without"][0]
        message = "`without` stands beside `only`; write one of them"
        context.problems.error(key_node, (path, "without"), "misplaced-key", message)
    only, without = (
        _some(values[key], (path, key), country, context) if key in values else None
        for key in ("only", "without")
    )
    found = PublicHolidays(country, only, without)
    context.countries.append((path, found))
    return found


def _some(node: Node, path: Path, country: Country, context: Context) -> Some:
    """Read which holidays of a country are meant."""
    picked = OneOrMore(HolidayItem(country)).read(node, path, context) or []
    names = (name for each in picked for name in each.names)
    return Some(frozenset(names), tuple(days for each in picked for days in each.days))


HOLIDAYS = Built(COUNTRY, _holidays, name="country")


class DateItem:
    """A date, range, day of every year or recurrence rule, a country, or a calendar's name."""

    what = "a date, a range of dates, 07-04, a FREQ= rule or the name of a calendar"

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return any scalar, because it may be the name of a calendar; or a country."""
        return {"anyOf": [ANY_SCALAR, HOLIDAYS.schema(defined)]}

    def read(self, node: Node, path: Path, context: Context) -> Days | None:
        """Return the days."""
        if isinstance(node, Mapping):
            return HOLIDAYS.read(node, path, context)
        text = text_of(node, path, context, self.what)
        if text is None:
            return None
        try:
            days = parse_days(text)
        except Wrong as wrong:
            context.problems.error(node, path, wrong.code, str(wrong))
            return None
        if days is None:
            return _named(text, node, path, context)
        if isinstance(days, Recurrence) and days.doubt:
            context.problems.warn(node, path, "which-days", days.doubt)
        return days


def _named(text: str, node: Node, path: Path, context: Context) -> Days | None:
    if context.known("calendar", text):
        calendar: Calendar = context.names["calendar"][text]
        return calendar
    if _ALMOST_A_DATE.match(text):
        message = f"{text!r} is no date; write {_WRITE_DATES}"
        context.problems.error(node, path, "bad-date", message)
    else:
        unknown_name(node, path, context, "calendar", text)
    return None


DATES = OneOrMore(DateItem())


def read_calendars(node: Node | None, path: Path, context: Context) -> None:
    """Read every calendar into `context.names`; they may name one another in any order."""
    calendars: dict[str, Any] = context.names.setdefault("calendar", {})
    if node is None:
        return
    entries = entries_of(node, path, context, "names of calendars")
    for name in entries:
        context.breathe()
        calendars[name] = Calendar(name)
    for name, (key, value) in entries.items():
        context.breathe()
        check_name(key, path, context)
        if _is_days(name):
            context.problems.error(key, (path, name), "bad-name", f"{name!r} is a date itself")
        calendars[name].parts = DATES.read(value, (path, name), context) or []
    for name, (key, _) in entries.items():
        context.breathe()
        if _flatten(calendars[name]):
            message = f"calendar {name!r} contains itself"
            context.problems.error(key, (path, name), "calendar-loop", message)


def _flatten(calendar: Calendar) -> bool:
    """Put the parts of the calendars that `calendar` names in their place.

    Return whether it names itself that way; then it has no days.
    """
    found: dict[int, Days] = {}
    waiting = calendar.parts[::-1]
    calendar.parts = []
    while waiting:
        part = waiting.pop()
        if part is calendar:
            return True
        if id(part) not in found:
            found[id(part)] = part
            waiting += part.parts[::-1] if isinstance(part, Calendar) else []
    calendar.parts = [part for part in found.values() if not isinstance(part, Calendar)]
    return False


def _is_days(name: str) -> bool:
    try:
        return parse_days(name) is not None
    except Wrong:
        return True
