"""Rotations: a name that stands for the destination whose turn it is.

A turn is judged as a window of a schedule is, by the clock on the wall: it begins and ends at the
same wall time all the year round. A wall time that comes twice in autumn belongs to the same turn
both times. A hand-over at a time that is skipped in spring happens when the clocks go forward.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from msgspec import Struct

from routing.looks import Instant, OverrideOf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from routing.looks import Look
    from routing.rules import Destination
    from routing.schedule import Overrides


_ONE_DAY, _ONE_SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)


class Turn(Struct, frozen=True):
    """Whose turn it is, from one wall time to another, or by an override."""

    rotation: str
    index: int
    """Which of the members it is."""
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    override: bool = False

    def because(self) -> str:
        """Return in words why it is this member's turn."""
        if self.override:
            return "set by an override"
        if self.start is None:
            return f"the first one until {_shown(self.end)}"
        return f"its turn from {_shown(self.start)} to {_shown(self.end)}"


class Rotation(Struct, frozen=True):
    """Destinations that take turns of one length, the first one from the wall time `start` on."""

    name: str
    zone: ZoneInfo
    start: dt.datetime
    every: dt.timedelta
    members: tuple[Destination, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the members, each once."""
        return tuple(dict.fromkeys(each.label for each in self.members))

    def turn(self, at: dt.datetime, overrides: Overrides) -> Turn:
        """Return whose turn it is at the aware instant `at`; an override in force decides alone.

        An override that names no member, after an edit of the rules, does not count.
        """
        name = overrides.get(self.name)
        if name is not None:
            for index, member in enumerate(self.members):
                if member.label == name:
                    return Turn(self.name, index, override=True)
        wall = at.astimezone(self.zone).replace(tzinfo=None)
        number = self._number(wall)
        start = self.start + number * self.every
        begun = start if start <= wall else None
        return Turn(self.name, number % len(self.members), begun, start + self.every)

    def member(self, at: dt.datetime, overrides: Overrides) -> Destination:
        """Return the destination whose turn it is."""
        return self.members[self.turn(at, overrides).index]

    def looks_at(self) -> tuple[Look, Look]:
        """Return what decides whose turn it is."""
        return Instant(self), OverrideOf(self.name, self.labels)

    def state(self, at: dt.datetime) -> str:
        """Return the name of the member whose turn it is at an instant, without overrides."""
        return self.member(at, {}).label

    def turns_on(self, day: dt.date) -> Iterator[int]:
        """Yield the seconds of a day, as wall clocks show it, at which a turn begins."""
        midnight = dt.datetime.combine(day, dt.time())
        begin, end = max(self.start, midnight), midnight + _ONE_DAY
        at = self.start - (self.start - begin) // self.every * self.every
        while at < end:
            yield (at - midnight) // _ONE_SECOND
            at += self.every

    def course_of(self, day: dt.date) -> tuple[tuple[int, str], ...]:
        """Return whose turn it is on a day from each second on."""
        midnight = dt.datetime.combine(day, dt.time())
        seconds = sorted({0, *self.turns_on(day)})
        walls = (midnight + second * _ONE_SECOND for second in seconds)
        labels = (self.members[self._number(wall) % len(self.members)].label for wall in walls)
        return tuple(zip(seconds, labels, strict=True))

    def _number(self, wall: dt.datetime) -> int:
        """Return how many turns have ended by a wall time; before the first one, 0."""
        return max(0, (wall - self.start) // self.every)


def _shown(wall: dt.datetime | None) -> str:
    return f"{wall:%a %Y-%m-%d %H:%M}"
