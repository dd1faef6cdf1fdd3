"""Moments as operators write them."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.moments import later
from routing.problems import Wrong

NEW_YORK = ZoneInfo("America/New_York")
SANTIAGO = ZoneInfo("America/Santiago")
NOON = dt.datetime(2026, 3, 4, 12, 0, tzinfo=NEW_YORK)
"""A Wednesday; clocks go forward on Sunday, 8 March at 02:00."""


def at(text: str, now: dt.datetime = NOON, zone: ZoneInfo | None = NEW_YORK) -> str:
    found = later(text, now.astimezone(dt.UTC), zone)
    assert found.tzinfo is dt.UTC
    return found.astimezone(zone or dt.UTC).isoformat(timespec="seconds")


# fmt: off
MOMENTS = [
    ("18:00", "2026-03-04T18:00:00-05:00"),
    ("8:00", "2026-03-05T08:00:00-05:00"),
    ("12:00", "2026-03-05T12:00:00-05:00"),
    ("24:00", "2026-03-05T00:00:00-05:00"),
    ("2h", "2026-03-04T14:00:00-05:00"),
    ("90m", "2026-03-04T13:30:00-05:00"),
    ("1h30m", "2026-03-04T13:30:00-05:00"),
    ("45s", "2026-03-04T12:00:45-05:00"),
    ("5d", "2026-03-09T12:00:00-04:00"),
    ("120h", "2026-03-09T13:00:00-04:00"),
    ("1w", "2026-03-11T12:00:00-04:00"),
    ("1d12h", "2026-03-06T00:00:00-05:00"),
    ("today 18:00", "2026-03-04T18:00:00-05:00"),
    ("tomorrow 08:00", "2026-03-05T08:00:00-05:00"),
    ("tomorrow", "2026-03-05T00:00:00-05:00"),
    ("monday 08:00", "2026-03-09T08:00:00-04:00"),
    ("Mon 08:00", "2026-03-09T08:00:00-04:00"),
    ("monday", "2026-03-09T00:00:00-04:00"),
    ("wednesday 18:00", "2026-03-04T18:00:00-05:00"),
    ("wednesday 08:00", "2026-03-11T08:00:00-04:00"),
    ("wednesday", "2026-03-11T00:00:00-04:00"),
    ("2026-12-24", "2026-12-24T00:00:00-05:00"),
    ("2026-12-24 18:00", "2026-12-24T18:00:00-05:00"),
    ("2026-12-24T18:00", "2026-12-24T18:00:00-05:00"),
    ("2026-12-24T18:00Z", "2026-12-24T13:00:00-05:00"),
    ("2026-12-24T18:00:30+01:00", "2026-12-24T12:00:30-05:00"),
    ("  monday   08:00 ", "2026-03-09T08:00:00-04:00"),
]
WRONG = [
    ("", "names no moment"),
    ("soon", "18:00, 2h"),
    ("90", "90m for minutes"),
    ("tommorow 08:00", "did you mean 'tomorrow'"),
    ("mondey", "did you mean 'monday'"),
    ("monday at 08:00", "did you mean 'monday'"),
    ("25:00", "no time 25:00"),
    ("24:01", "no time 24:01"),
    ("monday 08:75", "no time 08:75"),
    ("2026-02-30", "no day 2026-02-30"),
    ("2026-02-30T08:00", "no day 2026-02-30"),
    ("2026-13-01 08:00", "no day 2026-13-01"),
    ("0h", "has passed"),
    ("-2h", "names no moment"),
    ("today 08:00", "has passed: it was Wed 2026-03-04 08:00 EST"),
    ("today", "has passed"),
    ("2026-03-04T11:59", "has passed"),
    ("2026-03-04", "has passed: it was Wed 2026-03-04 00:00 EST"),
    ("2026-03-08T02:30", "clocks skip it"),
    ("sunday 02:30", "2026-03-08T02:30 does not occur in America/New_York"),
    ("9999999d", "too far away"),
    ("999999999w999999999h", "too far away"),
    ("3000-01-01", "too far away"),
    ("3000-01-01T08:00Z", "too far away"),
]
# fmt: on


@pytest.mark.parametrize(("text", "expected"), MOMENTS, ids=[each[0] for each in MOMENTS])
def test_a_moment(text: str, expected: str) -> None:
    assert at(text) == expected


@pytest.mark.parametrize(("text", "words"), WRONG, ids=[each[0] for each in WRONG])
def test_what_names_no_moment_to_come(text: str, words: str) -> None:
    with pytest.raises(Wrong) as caught:
        at(text)
    assert words in str(caught.value)


def test_a_time_that_comes_twice_is_the_next_one() -> None:
    """On 1 November 2026 the hour from 01:00 comes twice."""
    before = dt.datetime(2026, 11, 1, 0, 30, tzinfo=NEW_YORK)
    between = dt.datetime(2026, 11, 1, 1, 45, tzinfo=NEW_YORK)
    assert at("01:30", before) == "2026-11-01T01:30:00-04:00"
    assert at("01:30", between) == "2026-11-01T01:30:00-05:00"
    assert at("2026-11-01T01:30", between) == "2026-11-01T01:30:00-05:00"


def test_a_day_whose_midnight_is_skipped_begins_later() -> None:
    before = dt.datetime(2026, 9, 5, 12, 0, tzinfo=SANTIAGO)
    assert at("2026-09-06", before, SANTIAGO) == "2026-09-06T01:00:00-03:00"
    assert at("tomorrow", before, SANTIAGO) == "2026-09-06T01:00:00-03:00"
    with pytest.raises(Wrong, match="clocks skip it"):
        at("tomorrow 00:30", before, SANTIAGO)


def test_the_day_is_that_of_the_zone() -> None:
    late = dt.datetime(2026, 3, 5, 3, 0, tzinfo=dt.UTC)  # still Wednesday in New York
    assert at("tomorrow 08:00", late) == "2026-03-05T08:00:00-05:00"
    assert at("thu 08:00", late) == "2026-03-05T08:00:00-05:00"


def test_without_a_zone_only_what_needs_none_is_taken() -> None:
    assert at("2h", zone=None) == "2026-03-04T19:00:00+00:00"
    assert at("2d", zone=None) == "2026-03-06T17:00:00+00:00"
    assert at("2026-03-09T08:00Z", zone=None) == "2026-03-09T08:00:00+00:00"
    for text in ("18:00", "tomorrow", "monday 08:00", "2026-03-09", "2026-03-09T08:00"):
        with pytest.raises(Wrong, match="name no `timezone`"):
            at(text, zone=None)


ZONES = [NEW_YORK, SANTIAGO, ZoneInfo("Asia/Kathmandu"), ZoneInfo("Europe/Rome")]


@given(
    seconds=st.integers(1_577_836_800, 1_893_456_000),
    time=st.times(),
    zone=st.sampled_from(ZONES),
)
def test_a_time_alone_is_ahead_and_no_further_than_a_day(
    seconds: int, time: dt.time, zone: ZoneInfo
) -> None:
    now, text = dt.datetime.fromtimestamp(seconds, dt.UTC), f"{time:%H:%M}"
    found = named(text, now, zone)
    if isinstance(found, str):
        assert "clocks skip it" in found
    else:
        assert dt.timedelta(0) < found - now <= dt.timedelta(hours=25)
        assert f"{found.astimezone(zone):%H:%M}" == text


@given(st.one_of(st.text(max_size=20), st.from_regex(r"[a-z0-9]{1,9} ?[0-9]{1,2}:[0-9]{2}")))
def test_any_text_names_a_moment_to_come_or_is_refused(text: str) -> None:
    found = named(text, NOON, NEW_YORK)
    assert found if isinstance(found, str) else found > NOON


def named(text: str, now: dt.datetime, zone: ZoneInfo) -> dt.datetime | str:
    """Return the moment, or the words with which it is refused."""
    try:
        return later(text, now, zone)
    except Wrong as wrong:
        return str(wrong)
