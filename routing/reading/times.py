"""Reading `schedules`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from routing.problems import Path, Wrong
from routing.reading import meant
from routing.reading.calendars import DATES
from routing.reading.document import Items, Mapping
from routing.reading.hours import CLOCK, WEEKDAYS, WeekHours, Windows
from routing.reading.shapes import (
    Built,
    Context,
    Field,
    ListOf,
    Name,
    Record,
    Schema,
    entries_of,
    place_of,
)
from routing.reading.zones import ZONE
from routing.schedule import EVERY_WEEKDAY, NEVER, Exceptional, Schedule, Week, Window

if TYPE_CHECKING:
    from routing.reading.document import Node

_DAY = 86_400
_CUTS = ("until", "from")


class SpecialWindows:
    """`hours` of an exception: windows, the same for each day or by day of the week."""

    what = "closed, open, windows such as 10:00-14:00, or windows by day of the week"

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return windows, or windows by day."""
        return {"anyOf": [Windows().schema(defined), WeekHours().schema(defined)]}

    def read(self, node: Node, path: Path, context: Context) -> Week | None:
        """Return the windows of Monday to Sunday."""
        if isinstance(node, Mapping):
            return WeekHours().read(node, path, context)
        windows = Windows(self.what).read(node, path, context)
        return None if windows is None else (windows,) * 7


def _exceptional(
    values: dict[str, Any], node: Node, path: Path, context: Context
) -> Exceptional | None:
    written = node.entries if isinstance(node, Mapping) else {}
    cuts = [key for key in _CUTS if key in written]
    if "hours" in written and cuts:
        message = f"`{cuts[0]}` cuts the usual hours; it cannot stand beside `hours`"
        context.problems.error(written[cuts[0]][0], (path, cuts[0]), "misplaced-key", message)
    if isinstance(node, Mapping) and not (cuts or "hours" in written or node.merged):
        raise Wrong("missing-key", "an exception needs `hours`, or `until` or `from`")
    hours = values.get("hours", None if cuts else (NEVER,) * 7)
    weekdays = frozenset[int]().union(*values.get("days", (EVERY_WEEKDAY,)))
    within = tuple(values.get("within", ()))
    part = _part(values.get("from"), values.get("until"))
    return Exceptional(tuple(values.get("dates", ())), hours, part, weekdays, within)


def _part(start: int | None, end: int | None) -> Window:
    """Return what `from` and `until` leave of a day and of what of it goes on after midnight."""
    if start == _DAY:
        raise Wrong("bad-time", "`from` cannot be 24:00; that is 00:00 of the next day")
    if start is not None and start == end:
        raise Wrong("bad-window", "`from` and `until` are the same time; write `hours: closed`")
    if end is None:
        return Window(start or 0, 2 * _DAY)
    return Window(start or 0, end if end > (start or 0) else end + _DAY)


_SPECIAL = Built(
    Record(
        "an exception",
        {
            "dates": Field(DATES, "the days it is for", required=True),
            "hours": Field(SpecialWindows(), "closed, open, or windows"),
            "until": Field(CLOCK, "the usual hours, but not after this time"),
            "from": Field(CLOCK, "the usual hours, but not before this time"),
            "days": Field(WEEKDAYS, "only these days of the week"),
            "within": Field(DATES, "only days that are in this calendar, too"),
        },
    ),
    _exceptional,
    {"anyOf": [{"required": [key]} for key in ("hours", *_CUTS)]},
)
SCHEDULE = Record(
    "a schedule",
    {
        "hours": Field(WeekHours(), "windows by day of the week"),
        "except": Field(ListOf(_SPECIAL), "days with other hours; the first that matches wins"),
        "like": Field(Name("schedule"), "a schedule whose exceptions and overrides count, too"),
        "timezone": Field(ZONE, "IANA name of the zone, if not the file's"),
    },
)


class _Draft(NamedTuple):
    """A schedule as it is written."""

    week: Week
    exceptions: tuple[Exceptional, ...]
    zone: ZoneInfo
    like: str | None
    node: Node
    path: Path


def read_schedules(node: Node | None, path: Path, context: Context) -> None:
    """Read every schedule into `context.names`; they may be like one another in any order."""
    schedules: dict[str, Any] = context.names.setdefault("schedule", {})
    if node is None:
        return
    entries = entries_of(node, path, context, "names of schedules")
    schedules.update(dict.fromkeys(entries))
    drafts = {}
    for name, (_, value) in entries.items():
        _put_below_hours(value, (path, name), context)
        draft = Built(SCHEDULE, _draft).read(value, (path, name), context)
        if draft:
            drafts[name] = draft
    for name in drafts:
        schedules[name] = _schedule(name, drafts, context)


def _put_below_hours(node: Node, path: Path, context: Context) -> None:
    """Note days that stand beside the keys of a schedule, and read them as its `hours`."""
    if not isinstance(node, Mapping) or "hours" in node.entries:
        return
    days = [key for key in node.entries if meant.days(key)]
    if days:
        key, _ = node.entries[days[0]]
        message = "days stand below `hours`; write `hours:` above them, and indent them"
        context.problems.error(key, (path, key.text), "misplaced-key", message)
        entries = {each: node.entries.pop(each) for each in days}
        node.entries["hours"] = key, Mapping(key.line, key.column, entries, merged=True)


def _draft(values: dict[str, Any], node: Node, path: Path, context: Context) -> _Draft:
    written = node.entries if isinstance(node, Mapping) else {}
    needed = {"hours"} if "like" in written else {"hours", "except"}
    if isinstance(node, Mapping) and not written.keys() & needed and not node.merged:
        raise Wrong("missing-key", "a schedule needs `hours`: windows by day of the week")
    zone = values.get("timezone") or (
        ZoneInfo("UTC") if "timezone" in written else context.home_zone()
    )
    week = values.get("hours", (NEVER,) * 7)
    return _Draft(week, tuple(values.get("except", ())), zone, values.get("like"), node, path)


def _schedule(name: str, drafts: dict[str, _Draft], context: Context) -> Schedule:
    draft = drafts[name]
    like = tuple(_like(name, drafts))
    if name in like:
        _refuse(draft, "schedule-loop", f"schedule {name!r} is like itself", context)
    _check_zone(name, drafts, context)
    _check_cuts(draft, context)
    every = (each for other in (name, *like) for each in drafts[other].exceptions)
    exceptions = tuple(hours for each in every for hours in each.of(draft.week, draft.zone))
    return Schedule(name, draft.zone, draft.week, exceptions, like)


def _like(name: str, drafts: dict[str, _Draft]) -> list[str]:
    """Return the schedules that one is like, over any number of others, the nearest first."""
    found: list[str] = []
    other = drafts[name].like
    while other in drafts and other not in found:
        found.append(other)
        other = drafts[other].like
    return found


def _refuse(draft: _Draft, code: str, message: str, context: Context) -> None:
    place = draft.node.get("like") if isinstance(draft.node, Mapping) else None
    context.problems.error(place or draft.node, (draft.path, "like"), code, message)


def _check_zone(name: str, drafts: dict[str, _Draft], context: Context) -> None:
    """Warn of a schedule that is like one of another zone, unless it names its own."""
    draft = drafts[name]
    other = drafts.get(draft.like or "")
    if not other or other.zone.key == draft.zone.key or not isinstance(draft.node, Mapping):
        return
    place = draft.node.get("like")
    if place and "timezone" not in draft.node.entries:
        message = (
            f"{draft.like!r} is in {other.zone.key}, but {name!r} in {draft.zone.key}, because it "
            f"names no zone; write `timezone: {other.zone.key}` if it is meant there, too"
        )
        context.problems.warn(place, (draft.path, "like"), "other-timezone", message)


def _check_cuts(draft: _Draft, context: Context) -> None:
    """Warn of `until` and `from` that leave nothing of any day."""
    written = draft.node.get("except") if isinstance(draft.node, Mapping) else None
    if not isinstance(written, Items) or len(written.items) != len(draft.exceptions):
        return
    for index, (each, node) in enumerate(zip(draft.exceptions, written.items, strict=True)):
        left = (each.windows_on(weekday, draft.week) for weekday in each.weekdays)
        if each.hours is None and not any(left):
            message = "nothing of the usual hours is left on any of these days; write `hours`"
            path = ((draft.path, "except"), index)
            context.problems.warn(place_of(node), path, "nothing-left", message)
