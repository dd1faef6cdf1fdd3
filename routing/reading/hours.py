"""Reading hours: windows of a day, the days of a week, and what of it may not be meant."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from routing.problems import Wrong, as_meant
from routing.reading import meant
from routing.reading.document import Items, Mapping, Node, Text
from routing.reading.shapes import (
    Context,
    ListOf,
    OneOrMore,
    Scalar,
    Schema,
    entries_of,
    made,
    map_schema,
    wrong_kind,
)
from routing.reading.slips import refuse_split_values, without_dashes
from routing.schedule import (
    ALWAYS,
    DAYS,
    NEVER,
    Week,
    Window,
    parse_days_of_week,
    parse_time,
    parse_windows,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routing.problems import Path

_TIME = "(?:[01]?[0-9]|2[0-4]):[0-5][0-9]"
_WINDOW = f"{_TIME} *- *{_TIME}"
_ANY_DAY = "|".join("".join(f"[{c.upper()}{c}]" for c in day) for day in DAYS)
_SOME_DAYS = f"(?:{_ANY_DAY})(?: *- *(?:{_ANY_DAY}))?"
_DAYS = f"^ *{_SOME_DAYS}(?: *, *{_SOME_DAYS})* *$"
_DAY = 86_400
_LONG = 18 * 3600
"""Most seconds of a window that nobody wonders about."""
_LAST_MINUTE = _DAY - 60


def _windows(text: str) -> tuple[Window, ...]:
    try:
        return parse_windows(text)
    except Wrong as wrong:
        raise as_meant(wrong, text, meant.windows(text)) from None


def _days_of_week(text: str) -> list[int]:
    try:
        return parse_days_of_week(text)
    except Wrong as wrong:
        raise as_meant(wrong, text, meant.days(text)) from None


def _time(text: str) -> int:
    try:
        return parse_time(text)
    except Wrong as wrong:
        raise as_meant(wrong, text, meant.time(text)) from None


CLOCK = Scalar(
    "a time such as 12:00",
    _time,
    # Some editors take 12:00 for the number 720.
    {"type": ["string", "integer"], "pattern": f"^{_TIME}$"},
)
WEEKDAYS = OneOrMore(
    Scalar(
        "days such as mon-fri",
        lambda text: frozenset(_days_of_week(text)),
        {"type": "string", "pattern": _DAYS},
    )
)


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of one day, as one text or as a list."""

    what: str = "windows such as 09:00-12:30, 13:30-17:00"

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return windows, or `open` or `closed`, as text or as a list."""
        text = {"type": "string", "pattern": f"^(?:open|closed| *{_WINDOW}(?: *, *{_WINDOW})* *)$"}
        return OneOrMore(Scalar(self.what, _windows, text)).schema(defined)

    def read(self, node: Node, path: Path, context: Context) -> tuple[Window, ...] | None:
        """Return the windows."""
        shape = Scalar(self.what, _windows)
        if isinstance(node, Items):
            parts = ListOf(shape).read(node, path, context) or []
            found = tuple(window for windows in parts for window in windows)
        else:
            found = shape.read(node, path, context) or NEVER
        for code, message in doubts(found):
            context.problems.warn(node, path, code, message)
        return found


def doubts(windows: tuple[Window, ...]) -> Iterator[tuple[str, str]]:
    """Yield what is probably not meant by the windows of a day: a code and a message for each."""
    whole = [each for each in windows if each.end - each.start == _DAY]
    if whole and len(windows) > 1:
        message = f"{whole[0]} is a whole day; leave out the windows beside it"
        yield "whole-day", message
        return
    for each in windows:
        yield from _doubts_of(each)
    before: Window | None = None
    for each in sorted(windows, key=lambda each: (each.start, each.end)):
        if before and each.start <= before.end:
            yield _meeting(before, each)
        if before is None or each.end > before.end:
            before = each


def _meeting(before: Window, after: Window) -> tuple[str, str]:
    touch = after.start == before.end
    code, verb = ("touching-windows", "touch") if touch else ("overlapping-windows", "overlap")
    both = Window(before.start, max(before.end, after.end))
    message = f"{before} and {after} {verb}"
    if both.end - both.start <= _DAY:
        message += f"; as one window they are {both}"
    return code, message


def _doubts_of(window: Window) -> Iterator[tuple[str, str]]:
    length = window.end - window.start
    if window.end == _LAST_MINUTE:
        yield (
            "last-minute",
            f"{window} leaves out the last minute of the day; 24:00 may end a window",
        )
    elif _LONG < length < _DAY:
        hours, minutes = length // 3600, length % 3600 // 60
        lasts = f"{hours} h" + (f" {minutes} min" if minutes else "")
        until = " of the next day" if window.end > _DAY else ""
        end = str(window).partition("-")[2]
        message = f"{window} lasts {lasts}, until {end}{until}; times are from 00:00 to 24:00"
        if _DAY < window.end < _DAY + _DAY // 2:
            later = str(Window(window.start, window.end - _DAY // 2))
            message += f", so is {later} meant?"
        yield "long-window", message


class WeekHours:
    """`hours` by day of the week, or `open` or `closed` for every day."""

    what = "hours by day, such as mon-fri: 09:00-17:00"

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return windows by day, or `open` or `closed`."""
        days = map_schema(Windows().schema(defined), propertyNames={"pattern": _DAYS})
        return {"anyOf": [{"enum": ["open", "closed"]}, days]}

    def read(self, node: Node, path: Path, context: Context) -> Week | None:
        """Return the windows of Monday to Sunday."""
        if isinstance(node, Text) and node.text in {"open", "closed"}:
            return (ALWAYS if node.text == "open" else NEVER,) * 7
        node = without_dashes(node, path, context.problems)
        if not isinstance(node, Mapping):
            self._refuse(node, path, context)
            return None
        week: list[tuple[Window, ...] | None] = [None] * 7
        named = [key for key in node.entries if not key[:1].isdigit()]
        refuse_split_values(node, path, context.problems, named)
        for key, (key_node, value) in entries_of(node, path, context, self.what).items():
            days = made(partial(_days_of_week, key), key_node, (path, key), context) or []
            windows = Windows().read(value, (path, key), context)
            for day in days:
                if week[day] is not None:
                    message = f"{DAYS[day]} is named twice; give each day one entry"
                    context.problems.error(key_node, (path, key), "repeated-day", message)
                week[day] = windows or NEVER
        return tuple(windows or NEVER for windows in week)

    def _refuse(self, node: Node, path: Path, context: Context) -> None:
        """Note that hours are not written by day, and how they would be."""
        written = _hours_meant(node)
        if written is None:
            wrong_kind(node, path, context, self.what)
        else:
            message = f"hours are written by day; write {written}"
            context.problems.error(node, path, "not-a-mapping", message)


def _hours_meant(node: Node) -> str | None:
    """Return hours by day from texts such as `9-17`, `mon-fri 9-17` or a list of these."""
    if isinstance(node, Text) and (windows := meant.windows(node.text)):
        return windows if windows in {"open", "closed"} else f"{{mon-sun: {_bracketed(windows)}}}"
    items = node.items if isinstance(node, Items) else [node]
    found = [meant.day_and_windows(each.text) for each in items if isinstance(each, Text)]
    if not found or None in found:
        return None
    return "{" + ", ".join(f"{each[0]}: {_bracketed(each[1])}" for each in found if each) + "}"


def _bracketed(windows: str) -> str:
    """Return windows as they are written within {…}."""
    return f"[{windows}]" if "," in windows else windows
