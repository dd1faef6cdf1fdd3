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
    pieces.append((start + dt.timedelta(days=4), not pieces[-1][1]))
    at = start
    for (began, is_open), (ended, after) in itertools.pairwise(pieces):
        assert at == began
        assert after != is_open
        while at < ended:
            assert schedule.judge(at, {}).open == is_open, at
            at += MINUTE


def office(zone: str = "America/New_York") -> Schedule:
    day = (Window(9 * 3600, 12 * 3600 + 1800), Window(13 * 3600 + 1800, 17 * 3600))
    week = (*[day] * 4, (Window(9 * 3600, 15 * 3600),), (), ())
    closed = SpecialHours((DateRange(dt.date(2026, 12, 25), dt.date(2026, 12, 25)),), ())
    return Schedule("office", ZoneInfo(zone), week, (closed,))


def hours_in_words(schedule: Schedule) -> dict[bool, str]:
    sweep = Sweep(dt.datetime(2026, 3, 1, tzinfo=dt.UTC))
    moments = sweep.moments([schedule])
    table = timetable(sweep.timetable([schedule], schedule.zone), lambda k: moments.kinds[k][0])
    return {is_open: str(hours) for is_open, hours in table.hours.items()}


def test_hours_in_words_name_the_usual_week_and_the_days_unlike_it() -> None:
    assert hours_in_words(office()) == {
        True: "mon-thu 09:00-12:30, 13:30-17:00; fri 09:00-15:00",
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
