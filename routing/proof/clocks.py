"""One day as the clocks on the wall show it, also when they are put forward or back."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400
_SECOND = dt.timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds of a day on the wall; `time` is 1 or 2 where the hour comes twice, else 0."""

    start: int
    end: int
    time: int = 0


@dataclass(frozen=True, slots=True)
class WallDay:
    """The instants of one date, and what the clocks skip or show twice in it."""

    date: dt.date
    zone: dt.tzinfo
    start: dt.datetime
    end: dt.datetime
    skipped: Span | None = None
    repeated: Span | None = None
    again: dt.datetime | None = None
    """The instant at which the repeated time begins for the second time."""

    def spans(self, start: dt.datetime, end: dt.datetime) -> Iterator[Span]:
        """Yield what the clocks show of this day from one instant to another.

        A time that comes twice is told apart only if it does not all lie between the two.
        """
        low, high = max(start, self.start), min(end, self.end)
        cuts = [cut for cut in self._cuts() if low <= cut <= high]
        if self.repeated and len(cuts) == 3:
            yield Span(self.second_of(low), self._last_second(high))
            return
        for first, last in pairwise(sorted({low, *cuts, high})) if low < high else ():
            begin = self.second_of(first)
            yield Span(begin, begin + int((last - first).total_seconds()), self._time(first))

    def second_of(self, at: dt.datetime) -> int:
        """Return the second of the day that the clocks show at an instant of it."""
        wall = at.astimezone(self.zone)
        return wall.hour * 3600 + wall.minute * 60 + wall.second

    def _last_second(self, end: dt.datetime) -> int:
        return DAY if end == self.end else self.second_of(end)

    def _cuts(self) -> Iterator[dt.datetime]:
        if self.skipped:
            yield self.start + self.skipped.start * _SECOND
        if self.repeated and self.again:
            length = (self.repeated.end - self.repeated.start) * _SECOND
            yield from (self.again - length, self.again, self.again + length)

    def _time(self, at: dt.datetime) -> int:
        if not self.repeated or not self.again:
            return 0
        if not self.repeated.start <= self.second_of(at) < self.repeated.end:
            return 0
        return 1 if at < self.again else 2


def day_of(date: dt.date, zone: dt.tzinfo) -> WallDay:
    """Return one day of a zone."""
    start, end = midnight(date, zone), midnight(date + dt.timedelta(days=1), zone)
    early = (start.astimezone(zone) - _naive_midnight(date, zone)).seconds
    if early:  # midnight itself is skipped
        return WallDay(date, zone, start, end, skipped=Span(0, early))
    change = _change(start, end, zone)
    before = int(((change or end) - start).total_seconds())
    if change is None or (change == end and before == DAY):  # at midnight: of the next day
        return WallDay(date, zone, start, end)
    after = before + int((_offset(change, zone) - _offset(start, zone)).total_seconds())
    if after > before:
        return WallDay(date, zone, start, end, skipped=Span(before, after))
    return WallDay(date, zone, start, end, repeated=Span(after, before), again=change)


def midnight(date: dt.date, zone: dt.tzinfo) -> dt.datetime:
    """Return the first instant of a date."""
    return _naive_midnight(date, zone).astimezone(dt.UTC)


def _naive_midnight(date: dt.date, zone: dt.tzinfo) -> dt.datetime:
    return dt.datetime.combine(date, dt.time(), zone)


def _offset(at: dt.datetime, zone: dt.tzinfo) -> dt.timedelta:
    return at.astimezone(zone).utcoffset() or dt.timedelta()


def _change(low: dt.datetime, high: dt.datetime, zone: dt.tzinfo) -> dt.datetime | None:
    """Return the instant between two others at which the zone's offset changes, if it does."""
    before = _offset(low, zone)
    if before == _offset(high, zone):
        return None
    while high - low > _SECOND:
        middle = (low + (high - low) / 2).replace(microsecond=0)
        low, high = (middle, high) if _offset(middle, zone) == before else (low, middle)
    return high
