"""A day as the clocks show it, also where they are put forward or back, at whatever hour."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo, available_timezones

import pytest

from routing.proof.clocks import DAY, Span, day_of

HOUR = 3600
# date, zone, length in hours, skipped, repeated
DAYS = [
    ("2026-03-09", "America/New_York", 24, None, None),
    ("2026-03-08", "America/New_York", 23, (2, 3), None),
    ("2026-11-01", "America/New_York", 25, None, (1, 2)),
    ("2026-10-04", "Australia/Lord_Howe", 23.5, (2, 2.5), None),
    ("2026-04-05", "Australia/Lord_Howe", 24.5, None, (1.5, 2)),
    ("2025-03-08", "America/Havana", 24, None, None),
    ("2025-03-09", "America/Havana", 23, (0, 1), None),
    ("2025-11-01", "America/Havana", 24, None, None),
    ("2025-11-02", "America/Havana", 25, None, (0, 1)),
    ("2026-04-23", "Africa/Cairo", 24, None, None),
    ("2026-04-24", "Africa/Cairo", 23, (0, 1), None),
    ("2026-10-29", "Africa/Cairo", 25, None, (23, 24)),
    ("2026-10-30", "Africa/Cairo", 24, None, None),
    ("2026-03-28", "America/Nuuk", 23, (23, 24), None),
    ("2026-03-29", "America/Nuuk", 24, None, None),
    ("2026-10-24", "America/Nuuk", 25, None, (23, 24)),
    ("2026-10-25", "America/Nuuk", 24, None, None),
    ("2011-12-30", "Pacific/Apia", 0, None, None),
    ("2026-03-08", "UTC", 24, None, None),
]


@pytest.mark.parametrize(("date", "zone", "hours", "skipped", "repeated"), DAYS)
def test_a_day(
    date: str,
    zone: str,
    hours: float,
    skipped: tuple[float, float] | None,
    repeated: tuple[float, float] | None,
) -> None:
    day = day_of(dt.date.fromisoformat(date), ZoneInfo(zone))
    assert (day.end - day.start) / dt.timedelta(hours=1) == hours
    for found, wanted in ((day.skipped, skipped), (day.repeated, repeated)):
        assert found == (wanted and Span(int(wanted[0] * HOUR), int(wanted[1] * HOUR)))


@pytest.mark.parametrize(("date", "zone"), [each[:2] for each in DAYS])
def test_spans_show_what_the_clocks_show(date: str, zone: str) -> None:
    """Minute by minute, against the wall time of each instant and how often it came before."""
    day = day_of(dt.date.fromisoformat(date), ZoneInfo(zone))
    minute, seen = dt.timedelta(minutes=1), set()
    at = day.start
    while at < day.end:
        wall = at.astimezone(day.zone)
        assert wall.date() == day.date
        second = wall.hour * HOUR + wall.minute * 60
        (span,) = day.spans(at, at + minute)
        twice = day.repeated is not None and day.repeated.start <= second < day.repeated.end
        assert span == Span(second, second + 60, (2 if second in seen else 1) if twice else 0)
        seen.add(second)
        at += minute


def test_spans_are_cut_where_the_clocks_jump() -> None:
    short = day_of(dt.date(2026, 3, 8), ZoneInfo("America/New_York"))
    assert [*short.spans(short.start, short.end)] == [Span(0, 7200), Span(10800, DAY)]
    long = day_of(dt.date(2026, 11, 1), ZoneInfo("America/New_York"))
    late = long.start + dt.timedelta(minutes=90)
    assert [*long.spans(late, long.end)] == [
        Span(5400, 7200, 1),
        Span(3600, 7200, 2),
        Span(7200, DAY),
    ]


def test_a_span_over_the_whole_repeated_time_is_one() -> None:
    day = day_of(dt.date(2026, 11, 1), ZoneInfo("America/New_York"))
    hour = dt.timedelta(hours=1)
    assert [*day.spans(day.start, day.end)] == [Span(0, DAY)]
    assert [*day.spans(day.start + hour, day.start + 3 * hour)] == [Span(3600, 7200)]
    assert [*day.spans(day.start + hour, day.start + 4 * hour)] == [Span(3600, 10800)]


def test_instants_of_other_days_have_no_span() -> None:
    day = day_of(dt.date(2026, 3, 9), ZoneInfo("America/New_York"))
    assert [*day.spans(day.end, day.end + dt.timedelta(hours=1))] == []
    assert [*day.spans(day.start - dt.timedelta(hours=1), day.start)] == []
    assert [*day.spans(day.start, day.start)] == []


def test_every_change_of_the_clocks_is_told_once_on_its_day() -> None:
    wrong = []
    for zone in available_timezones():
        for number in range(365):
            day = day_of(dt.date(2026, 1, 1) + dt.timedelta(days=number), ZoneInfo(zone))
            told = [(day.skipped, -1), (day.repeated, 1)]
            changed = sum(sign * (span.end - span.start) for span, sign in told if span)
            if (day.end - day.start).total_seconds() != DAY + changed:
                wrong.append((zone, day.date))
    assert wrong == []
