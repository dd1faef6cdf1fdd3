"""The sweep misses no instant: it agrees with the schedule's own verdict at every minute."""

from __future__ import annotations

import datetime as dt
import itertools
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.dates import DateRange, Yearly
from routing.proof.sweep import Sweep, instant
from routing.proof.week import Hours, timetable, week_words
from routing.schedule import Schedule, SpecialHours, Window

ZONES = [
    *("America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "America/Havana"),
    *("Africa/Cairo", "Asia/Beirut", "Asia/Kolkata", "Africa/Casablanca", "UTC"),
]
CHANGES = [
    dt.datetime(2026, month, day, tzinfo=dt.UTC)
    for month, day in [
        (2, 14),
        (3, 7),
        (3, 28),
        (4, 4),
        (4, 23),
        (10, 3),
        (10, 24),
        (10, 29),
        (11, 1),
    ]
]
MINUTE = dt.timedelta(minutes=1)
clocks = st.sampled_from([0, 1, 90, 119, 120, 150, 180, 540, 1020, 1380, 1439]).map(
    lambda m: m * 60
)


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, ...]:
    found = []
    for _ in range(draw(st.integers(0, 2))):
        start, end = draw(clocks), draw(clocks | st.just(86_400))
        if start != end:
            found.append(Window(start, end if end > start else end + 86_400))
    return tuple(found)


@st.composite
def schedules(draw: st.DrawFn) -> tuple[Schedule, dt.datetime]:
    first = draw(st.sampled_from(CHANGES)) - dt.timedelta(hours=draw(st.integers(0, 30)))
    day = first.date() + dt.timedelta(days=1)
    special = draw(st.lists(st.tuples(st.booleans(), st.integers(0, 2), windows()), max_size=2))
    exceptions = tuple(
        SpecialHours(
            (Yearly(day.month, day.day) if yearly else DateRange(day, day + dt.timedelta(days=n)),),
            hours,
        )
        for yearly, n, hours in special
    )
    week = tuple(draw(windows()) for _ in range(7))
    return Schedule("s", ZoneInfo(draw(st.sampled_from(ZONES))), week, exceptions), first


@settings(max_examples=60, deadline=None)
@given(schedules())
def test_the_state_between_two_turns_is_that_of_every_minute(
    case: tuple[Schedule, dt.datetime],
) -> None:
    schedule, start = case
    moments = Sweep(start, 4).moments([schedule])
    pieces = [(instant(at), moments.kinds[kind][0]) for at, kind in moments.pieces]
    pieces.append((instant(moments.end), not pieces[-1][1]))
    at = start.replace(hour=0)  # the sweep has whole days
    for (began, is_open), (ended, after) in itertools.pairwise(pieces):
        assert at == began
        assert after != is_open
        while at < ended:
            assert schedule.judge(at, {}).open == is_open, at
            at += MINUTE


@settings(max_examples=40, deadline=None)
@given(schedules(), st.sampled_from(ZONES))
def test_the_table_is_true_at_every_time_that_the_clocks_show(
    case: tuple[Schedule, dt.datetime], home: str
) -> None:
    """Also today, on the last day, and when an hour comes twice or never."""
    schedule, start = case
    zone = ZoneInfo(home)
    days = 12
    sweep = Sweep(start, days, zone)
    moments = sweep.moments([schedule])
    table = timetable(sweep.timetable([schedule]), lambda kind: moments.kinds[kind][0]).hours
    at, end = instant(moments.pieces[0][0]), instant(moments.end)
    assert at.astimezone(zone).date() == start.astimezone(zone).date()
    shown: dict[tuple[dt.date, int], set[bool]] = {}
    while at < end:
        wall = at.astimezone(zone)
        second = wall.hour * 3600 + wall.minute * 60
        shown.setdefault((wall.date(), second), set()).add(schedule.judge(at, {}).open)
        at += dt.timedelta(minutes=15)
    assert len({date for date, _ in shown}) == days
    for (date, second), states in shown.items():
        told = {label for label, hours in table.items() if says(hours, date, second)}
        if not any(date.weekday() in hours.changing for hours in table.values()):
            assert told == states


def says(hours: Hours, date: dt.date, second: int) -> bool:
    """Whether a row of the table has a time."""
    for spans, dates in hours.other.items():
        if date in dates:
            return any(start <= second < end for start, end in spans)
    moment = date.weekday() * 86_400 + second
    return any(start <= moment < end for start, end in hours.week)


def weeks(hours: list[str]) -> dict[str, str]:
    """What is said of a label of each week, Monday to Sunday; `-` is for none all week."""
    monday = dt.date(2026, 3, 2)
    days: dict[tuple[tuple[int, int, int], ...], list[dt.date]] = {}
    for number, label in enumerate(hours):
        dates = [monday + dt.timedelta(days=7 * number + day) for day in range(7)]
        days.setdefault(((0, 86_400, ord(label)),), []).extend(dates)
    return {label: str(each) for label, each in timetable(days, chr).hours.items()}


def test_weeks_that_take_turns_are_not_said_to_be_every_week() -> None:
    turns = weeks(["a", "b", "c"] * 19)
    assert set(turns.values()) == {"changes from week to week: see the timeline"}
    summer = weeks(["a"] * 20 + ["b"] * 13 + ["a"] * 24)
    assert summer["a"].startswith("at any time; not on mon 2026-07-20, tue 2026-07-21, ")
    assert summer["b"] == (
        "on mon 2026-07-20, tue 2026-07-21, wed 2026-07-22 and 88 more days all day"
    )


def office(zone: str = "America/New_York") -> Schedule:
    day = (Window(9 * 3600, 12 * 3600 + 1800), Window(13 * 3600 + 1800, 17 * 3600))
    week = (*[day] * 4, (Window(9 * 3600, 15 * 3600),), (), ())
    closed = SpecialHours((DateRange(dt.date(2026, 12, 25), dt.date(2026, 12, 25)),), ())
    return Schedule("office", ZoneInfo(zone), week, (closed,))


def hours_in_words(schedule: Schedule) -> dict[bool, str]:
    sweep = Sweep(dt.datetime(2026, 3, 1, 5, tzinfo=dt.UTC), zone=schedule.zone)
    moments = sweep.moments([schedule])
    table = timetable(sweep.timetable([schedule]), lambda k: moments.kinds[k][0])
    return {is_open: str(hours) for is_open, hours in table.hours.items()}


def test_hours_in_words_name_the_usual_week_and_the_days_unlike_it() -> None:
    assert hours_in_words(office()) == {
        True: "mon-thu 09:00-12:30, 13:30-17:00; fri 09:00-15:00; not on fri 2026-12-25",
        False: (
            "mon-thu 12:30-13:30, 17:00-09:00; fri 15:00 - mon 09:00; on fri 2026-12-25 all day"
        ),
    }


def test_a_zone_far_away_changes_no_wall_clock() -> None:
    assert hours_in_words(office("Asia/Kolkata")) == hours_in_words(office())


@pytest.mark.parametrize(
    ("spans", "words"),
    [
        (((0, 604_800),), "at any time"),
        (((0, 86_400),), "mon 00:00-24:00"),
        (((3600, 7200), (90_000, 93_600)), "mon, tue 01:00-02:00"),
        (((518_400 + 79_200, 604_800), (0, 21_600)), None),
        (((0, 21_600), (518_400 + 79_200, 604_800)), "sun 22:00-06:00"),
        (((82_800, 90_000),), "mon 23:00-01:00"),
        (((43_200, 129_600),), "mon 12:00 - tue 12:00"),
    ],
)
def test_spans_of_a_week_in_words(spans: tuple[tuple[int, int], ...], words: str | None) -> None:
    if words is not None:
        assert week_words(spans) == words
    assert Hours(spans).seconds == sum(end - start for start, end in spans)
