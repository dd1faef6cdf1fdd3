"""Schedules agree with two independent judges, at thousands of random instants.

`opening_hours` is the evaluator of OpenStreetMap's opening hours, which shares our windows but
lets a later rule for a day cut off the night before it. So it judges schedules without exceptions;
those with exceptions are judged minute by minute, by a list of the minutes that are open.
"""

from __future__ import annotations

import datetime as dt
import random
from zoneinfo import ZoneInfo

import pytest
from opening_hours import OpeningHours

from routing.dates import DateRange, Days, Yearly
from routing.schedule import DAYS, Schedule, SpecialHours, Window, parse_windows

ZONES = ["America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]
CHANGES = [
    dt.datetime(2026, month, day, tzinfo=dt.UTC)
    for month, day in [(3, 8), (3, 29), (4, 4), (10, 3), (10, 25), (11, 1)]
]
SEEDS = range(40)
Week = list[list[str]]


def random_clock(chance: random.Random) -> str:
    return f"{chance.randrange(24):02}:{chance.choice((0, 15, 30, 59)):02}"


def random_windows(chance: random.Random) -> list[str]:
    """Windows that do not overlap within the day; the last one may run past midnight."""
    clocks = sorted({random_clock(chance) for _ in range(chance.choice((0, 2, 2, 2, 4)))})
    windows = [f"{a}-{b}" for a, b in zip(clocks[::2], clocks[1::2], strict=False)]
    if windows and chance.random() < 0.4:
        end = chance.choice(("24:00", min(random_clock(chance), clocks[0])))
        start = windows.pop().partition("-")[0]
        windows += [f"{start}-{end}"] if end != start else []
    return windows


def read_windows(texts: list[str]) -> tuple[Window, ...]:
    return tuple(window for text in texts for window in parse_windows(text))


def random_instants(chance: random.Random, zone: ZoneInfo, week: Week, count: int) -> list:
    """Instants of which many lie at the edge of a window or near a change of the clocks."""
    edges = [edge for day in week for window in day for edge in window.split("-")]
    found = []
    for _ in range(count):
        at = chance.choice(CHANGES) + dt.timedelta(minutes=chance.randrange(-2880, 2880))
        if chance.random() < 0.3:
            at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
            at += dt.timedelta(seconds=chance.randrange(365 * 86_400))
        if edges and chance.random() < 0.5:
            hour, minute = map(int, chance.choice(edges).split(":"))
            wall = at.astimezone(zone).replace(hour=hour % 24, minute=minute, second=0)
            at = wall.astimezone(dt.UTC) + dt.timedelta(seconds=chance.choice((-1, 0, 1)))
        found.append(at)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_weekly_hours_agree_with_opening_hours(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    zone = ZoneInfo(ZONES[seed % len(ZONES)])
    week = [random_windows(chance) for _ in range(7)]
    schedule = Schedule("s", zone, tuple(read_windows(day) for day in week))
    # Each window is a rule of its own that adds to the others, so that no day cuts off a night.
    rules = [
        f"{DAYS[day].title()[:2]} {window}"
        for day, windows in enumerate(week)
        for window in windows
    ]
    oracle = OpeningHours(", ".join(rules) or "off")
    for at in random_instants(chance, zone, week, 100):
        wall = at.astimezone(zone).replace(tzinfo=None)
        assert schedule.judge(at, {}).open == oracle.is_open(wall), (week, at, rules)


def open_minutes(
    week: Week, special: list[tuple[Days, list[str]]], first: dt.date, days: int
) -> set[dt.datetime]:
    """Every wall-clock minute that is open, by walking through each window."""
    found = set()
    for day in (first + dt.timedelta(days=n) for n in range(-1, days)):
        windows = next((w for d, w in special if d.name_of(day)), week[day.weekday()])
        for window in windows:
            (h1, m1), (h2, m2) = (map(int, edge.split(":")) for edge in window.split("-"))
            length = (h2 * 60 + m2 - h1 * 60 - m1) % 1440 or 1440
            start = dt.datetime.combine(day, dt.time(h1, m1))
            found |= {start + dt.timedelta(minutes=n) for n in range(length)}
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_exceptions_agree_with_a_walk_minute_by_minute(seed: int) -> None:
    chance = random.Random(1000 + seed)  # noqa: S311 - not for secrets
    zone = ZoneInfo(ZONES[seed % len(ZONES)])
    week = [random_windows(chance) for _ in range(7)]
    special: list[tuple[Days, list[str]]] = []
    first = chance.choice(CHANGES).date() - dt.timedelta(days=4)
    for _ in range(chance.randrange(1, 4)):
        day = first + dt.timedelta(days=chance.randrange(8))
        length = dt.timedelta(days=chance.randrange(3))
        days = chance.choice((Yearly(day.month, day.day), DateRange(day, day + length)))
        special.append((days, random_windows(chance)))
    schedule = Schedule(
        "s",
        zone,
        tuple(read_windows(day) for day in week),
        tuple(SpecialHours((days,), read_windows(windows)) for days, windows in special),
    )
    minutes = open_minutes(week, special, first, 9)
    start = dt.datetime.combine(first, dt.time(), zone).astimezone(dt.UTC)
    for _ in range(300):
        at = start + dt.timedelta(seconds=chance.randrange(8 * 86_400))
        wall = at.astimezone(zone).replace(tzinfo=None, second=0, fold=0)
        assert schedule.judge(at, {}).open == (wall in minutes), (week, special, at)
