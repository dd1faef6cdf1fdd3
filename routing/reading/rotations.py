"""Reading `rotations`: destinations that take turns."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

from routing.problems import Path, Wrong
from routing.reading.actions import Target, check_target_name
from routing.reading.shapes import (
    Built,
    Context,
    Field,
    OneOrMore,
    Record,
    Scalar,
    Schema,
    entries_of,
    explained,
    made,
    text_of,
)
from routing.reading.values import instant
from routing.rotation import Rotation

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from routing.reading.document import Node
    from routing.rules import Destination

_EVERY = re.compile(r"([0-9]{1,4})([hdw])")
_UNITS = {"h": dt.timedelta(hours=1), "d": dt.timedelta(days=1), "w": dt.timedelta(weeks=1)}
_START = r"(\d{4}-\d\d-\d\d)([T ]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:?\d\d)?)?"


def every(text: str) -> dt.timedelta:
    """Return the length of a turn, `12h`, `1d` or `2w`; raises Wrong."""
    match = _EVERY.fullmatch(text)
    if not match and text.isdigit():
        message = f"{text} what? write {text}h for hours, {text}d for days or {text}w for weeks"
        raise Wrong("bad-duration", message)
    if not match:
        raise Wrong("bad-duration", f"{text!r} is no length of a turn; write 12h, 1d or 1w")
    length = int(match[1]) * _UNITS[match[2]]
    if not length:
        raise Wrong("bad-duration", f"{text} is too short; a turn takes at least 1h")
    return length


class Start:
    """The wall time at which the first turn begins; a date stands for its beginning."""

    what = "a date and time such as 2026-11-30T09:00, or a date"

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return text that is a date, or a date and a time."""
        return explained({"type": "string", "pattern": f"^{_START}$"}, self.what)

    def read(self, node: Node, path: Path, context: Context) -> dt.datetime | None:
        """Return the wall time in the file's zone."""
        text = text_of(node, path, context, self.what)
        if text is None:
            return None
        zone = context.home_zone()
        return made(lambda: _start(text, zone), node, path, context)


def _start(text: str, zone: ZoneInfo) -> dt.datetime:
    """Return the wall time that is written; raises Wrong."""
    match = re.fullmatch(_START, text)
    if not match:
        raise Wrong("bad-time", f"{text!r} is no date and time; write 2026-11-30T09:00")
    try:
        day = dt.datetime.fromisoformat(match[1])
    except ValueError:
        raise Wrong("bad-time", f"there is no day {match[1]}") from None
    if not match[2]:  # not every day has a midnight; its beginning is what is meant
        instant(f"{text}T12:00", zone)
        return day
    return instant(text, zone).astimezone(zone).replace(tzinfo=None, fold=0)


class RotationMember:
    """A destination that takes turns."""

    what = Target.what
    _target = Target(rotating=False)

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return a target's."""
        return self._target.schema(defined)

    def read(self, node: Node, path: Path, context: Context) -> Destination | None:
        """Return the destination; a rotation cannot take part in another one."""
        text = text_of(node, path, context, self.what)
        if text in context.names["rotation"] and text not in context.names["destination"]:
            message = f"{text!r} is a rotation; those who take turns are destinations"
            context.problems.error(node, path, "not-a-destination", message)
            return None
        found = self._target.read(node, path, context) if text else None
        return None if isinstance(found, Rotation) else found


ROTATION = Record(
    "a rotation",
    {
        "from": Field(Start(), "when the first turn begins, in the file's zone", required=True),
        "every": Field(
            Scalar(
                "a length such as 12h, 1d or 1w",
                every,
                {"type": "string", "pattern": "^(?!0+[hdw])[0-9]{1,4}[hdw]$"},
            ),
            "how long a turn takes: hours, days or weeks",
            required=True,
        ),
        "of": Field(
            OneOrMore(RotationMember()), "the destinations, in the order of their turns", True
        ),
    },
)


def read_rotations(node: Node | None, path: Path, context: Context) -> None:
    """Read every rotation into `context.names`."""
    rotations: dict[str, Any] = context.names.setdefault("rotation", {})
    if node is None:
        return
    entries = entries_of(node, path, context, "names of rotations")
    rotations.update(dict.fromkeys(entries))
    for name, (key, value) in entries.items():
        context.breathe()
        check_target_name(key, path, context)
        for kind in ("destination", "schedule"):
            if name in context.names[kind]:
                message = f"a {kind} is called {name!r} too; a rotation needs a name of its own"
                context.problems.error(key, (path, name), "repeated-name", message)
        rotations[name] = Built(ROTATION, _rotation).read(value, (path, name), context)


def _rotation(values: dict[str, Any], _node: Node, path: Path, context: Context) -> Rotation | None:
    if not values.keys() >= ROTATION.fields.keys() or not values["of"]:
        return None
    return Rotation(
        path[1], context.home_zone(), values["from"], values["every"], tuple(values["of"])
    )
