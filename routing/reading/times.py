"""Reading `calendars` and `schedules`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from routing.dates import Calendar, Days, parse_days, public_holidays
from routing.problems import Path, Wrong
from routing.reading.document import Items, Mapping, Text
from routing.reading.shapes import (
    ANY_SCALAR,
    Built,
    Context,
    Field,
    ListOf,
    OneOrMore,
    Record,
    Scalar,
    Schema,
    check_name,
    entries_of,
    made,
    map_schema,
    text_of,
    unknown_name,
)
from routing.reading.values import TEXT, ZONE
from routing.schedule import (
    ALWAYS,
    DAYS,
    NEVER,
    Schedule,
    SpecialHours,
    Window,
    parse_days_of_week,
    parse_windows,
)

if TYPE_CHECKING:
    from routing.reading.document import Node

_KEY_BY_CODE = {
    "unknown-country": "country",
    "unknown-subdivision": "subdivision",
    "unknown-category": "categories",
}
_IN_BRACES = "inside {…} a comma ends the entry: write [09:00-12:30, 13:30-17:00], or use quotes"


_TIME = "(?:[01]?[0-9]|2[0-4]):[0-5][0-9]"
_WINDOW = f"{_TIME} *- *{_TIME}"
_ANY_DAY = "|".join("".join(f"[{c.upper()}{c}]" for c in day) for day in DAYS)
_SOME_DAYS = f"(?:{_ANY_DAY})(?: *- *(?:{_ANY_DAY}))?"
_DAYS = f"^ *{_SOME_DAYS}(?: *, *{_SOME_DAYS})* *$"


class DateItem:
    """A date, range, yearly day or recurrence rule, or the name of a calendar."""

    what = "a date, a range of dates, 07-04, a FREQ= rule or the name of a calendar"

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return any scalar: it may be the name of a calendar."""
        return ANY_SCALAR

    def read(self, node: Node, path: Path, context: Context) -> Days | None:
        """Return the days."""
        text = text_of(node, path, context, self.what)
        if text is None:
            return None
        try:
            days = parse_days(text)
        except Wrong as wrong:
            context.problems.error(node, path, wrong.code, str(wrong))
            return None
        if days is not None:
            return days
        if context.known("calendar", text):
            calendar: Calendar = context.names["calendar"][text]
            return calendar
        unknown_name(node, path, context, "calendar", text)
        return None


DATES = OneOrMore(DateItem())
COUNTRY = Record(
    "a calendar of public holidays",
    {
        "country": Field(TEXT, "the country's ISO 3166 code, such as US", required=True),
        "subdivision": Field(TEXT, "the code of a state or province, such as CA"),
        "categories": Field(OneOrMore(TEXT), "kinds of holidays, such as public, bank"),
    },
)


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
        calendars[name].parts = _parts(value, (path, name), context)
    for name, (key, _) in entries.items():
        context.breathe()
        if _flatten(calendars[name]):
            message = f"calendar {name!r} contains itself"
            context.problems.error(key, (path, name), "calendar-loop", message)


def _parts(node: Node, path: Path, context: Context) -> list[Days]:
    if not isinstance(node, Mapping):
        return DATES.read(node, path, context) or []
    holidays = Built(COUNTRY, _holidays).read(node, path, context)
    return [holidays] if holidays else []


def _holidays(values: dict[str, Any], node: Node, path: Path, context: Context) -> Days | None:
    if "country" not in values or not isinstance(node, Mapping):
        return None
    categories = tuple(values.get("categories", ()))
    try:
        return public_holidays(values["country"], values.get("subdivision"), categories)
    except Wrong as wrong:
        key = _KEY_BY_CODE[wrong.code]
        context.problems.error(node.entries[key][1], (path, key), wrong.code, str(wrong))
        return None


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


class Windows(Struct, frozen=True):
    """Windows of one day, as one text or as a list."""

    what: str = "windows such as 09:00-12:30, 13:30-17:00"

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return windows, or `open` or `closed`, as text or as a list."""
        text = {"type": "string", "pattern": f"^(?:open|closed| *{_WINDOW}(?: *, *{_WINDOW})* *)$"}
        return OneOrMore(Scalar(self.what, parse_windows, text)).schema(defined)

    def read(self, node: Node, path: Path, context: Context) -> tuple[Window, ...] | None:
        """Return the windows."""
        shape = Scalar(self.what, parse_windows)
        if not isinstance(node, Items):
            return shape.read(node, path, context)
        parts = ListOf(shape).read(node, path, context) or []
        return tuple(window for windows in parts for window in windows)


class Week:
    """`hours` of a schedule: windows by day of the week, or `open` or `closed`."""

    what = "hours by day, such as mon-fri: 09:00-17:00"

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return windows by day, or `open` or `closed`."""
        days = map_schema(Windows().schema(defined), propertyNames={"pattern": _DAYS})
        return {"anyOf": [{"enum": ["open", "closed"]}, days]}

    def read(self, node: Node, path: Path, context: Context) -> list[tuple[Window, ...]] | None:
        """Return the windows of Monday to Sunday."""
        if isinstance(node, Text) and node.text in {"open", "closed"}:
            return [ALWAYS if node.text == "open" else NEVER] * 7
        week: list[tuple[Window, ...] | None] = [None] * 7
        for key, (key_node, value) in entries_of(node, path, context, self.what).items():
            if re.match(r"\d?\d:\d\d", key):
                context.problems.error(key_node, (path, key), "bad-day", _IN_BRACES)
                continue
            days = self._days(key, key_node, (path, key), context)
            windows = Windows().read(value, (path, key), context)
            for day in days:
                if week[day] is not None:
                    message = f"{DAYS[day]} is named twice; give each day one entry"
                    context.problems.error(key_node, (path, key), "repeated-day", message)
                week[day] = windows or NEVER
        return [windows or NEVER for windows in week]

    def _days(self, key: str, node: Text, path: Path, context: Context) -> list[int]:
        return made(lambda: parse_days_of_week(key), node, path, context) or []


def _special(values: dict[str, Any], _node: Node, _path: Path, _context: Context) -> SpecialHours:
    return SpecialHours(tuple(values.get("dates", ())), values.get("hours", NEVER))


_SPECIAL = Built(
    Record(
        "an exception",
        {
            "dates": Field(DATES, "the days it is for", required=True),
            "hours": Field(
                Windows("closed, open or windows such as 10:00-14:00"),
                "closed, open, or windows",
                required=True,
            ),
        },
    ),
    _special,
)
SCHEDULE = Record(
    "a schedule",
    {
        "hours": Field(Week(), "windows by day of the week"),
        "except": Field(ListOf(_SPECIAL), "days with other hours; the first that matches wins"),
        "timezone": Field(ZONE, "IANA name of the zone, if not the file's"),
    },
)


def read_schedules(node: Node | None, path: Path, context: Context) -> None:
    """Read every schedule into `context.names`."""
    schedules: dict[str, Any] = context.names.setdefault("schedule", {})
    if node is None:
        return
    for name, (_, value) in entries_of(node, path, context, "names of schedules").items():
        build = Built(SCHEDULE, _schedule)
        schedules[name] = build.read(value, (path, name), context)


def _schedule(values: dict[str, Any], node: Node, path: Path, context: Context) -> Schedule | None:
    known = {"hours", "except"}
    if isinstance(node, Mapping) and not node.entries.keys() & known and not node.merged:
        raise Wrong("missing-key", "a schedule needs `hours`: windows by day of the week")
    refused = isinstance(node, Mapping) and "timezone" in node.entries
    zone = values.get("timezone") or (ZoneInfo("UTC") if refused else context.home_zone())
    week = tuple(values.get("hours", [NEVER] * 7))
    return Schedule(path[1], zone, week, tuple(values.get("except", ())))
