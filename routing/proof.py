"""The instants at which anything in the rules can change."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from routing.rules import RuleSet
    from routing.schedule import Schedule

SWEEP_DAYS = 400
"""Days that a sweep covers."""
_ONE_DAY = dt.timedelta(days=1)


def changes(rules: RuleSet, start: dt.datetime, days: int = SWEEP_DAYS) -> list[dt.datetime]:
    """Return `start` and every later instant, in order, at which a schedule may open or close.

    Between two of them nothing changes, so judging each of them judges every instant.
    """
    end = start + days * _ONE_DAY
    found = {start}
    for schedule in rules.schedules.values():
        found.update(at for at in _edges(schedule, start, days) if start <= at < end)
    return sorted(found)


def _edges(schedule: Schedule, start: dt.datetime, days: int) -> Iterator[dt.datetime]:
    first = start.astimezone(schedule.zone).date() - _ONE_DAY
    for number in range(days + 3):
        day = first + number * _ONE_DAY
        for window in schedule.hours_on(day).windows:
            for second in (window.start, window.end):
                wall = dt.datetime.combine(day, dt.time()) + dt.timedelta(seconds=second)
                yield from _instants(wall, schedule.zone)
        yield from _clock_changes(day, schedule.zone)


def _instants(wall: dt.datetime, zone: ZoneInfo) -> Iterator[dt.datetime]:
    """Yield the instants at which a clock on the wall shows `wall`: one, two in autumn."""
    for fold in (0, 1):
        yield wall.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC)


def _clock_changes(day: dt.date, zone: ZoneInfo) -> Iterator[dt.datetime]:
    """Yield the instant at which the zone's offset changes on `day`, if it does."""
    low = dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)
    high = dt.datetime.combine(day + _ONE_DAY, dt.time(), zone).astimezone(dt.UTC)
    before = low.astimezone(zone).utcoffset()
    if before == high.astimezone(zone).utcoffset():
        return
    while high - low > dt.timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    yield high.replace(microsecond=0)
