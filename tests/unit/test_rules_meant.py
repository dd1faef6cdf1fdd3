"""What people write for hours, days and durations, and how the language writes it."""

# ruff: noqa: RUF001 - the odd signs are what is tested

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.problems import Wrong
from routing.reading import meant
from routing.reading.values import duration
from routing.schedule import parse_days_of_week, parse_windows

WINDOWS = {
    "9am-5pm": "09:00-17:00",
    "9:00 am-5pm": "09:00-17:00",
    "9 a.m. - 5 p.m.": "09:00-17:00",
    "9AM-5PM": "09:00-17:00",
    "9-17": "09:00-17:00",
    "9-5": "09:00-17:00",
    "8-8": "08:00-20:00",
    "10-6:30": "10:00-18:30",
    "12-1": "12:00-13:00",
    "9-12": "09:00-12:00",
    "9-5pm": "09:00-17:00",
    "1-5pm": "13:00-17:00",
    "9am-5": "09:00-17:00",
    "10pm-6": "22:00-06:00",
    "10pm-6am": "22:00-06:00",
    "22-6": "22:00-06:00",
    "9pm-12am": "21:00-24:00",
    "12am-6am": "00:00-06:00",
    "12pm-6pm": "12:00-18:00",
    "09.00-17.00": "09:00-17:00",
    "9h-17h30": "09:00-17:30",
    "0900-1730": "09:00-17:30",
    "09:00:00-17:00:00": "09:00-17:00",
    "09:00–17:00": "09:00-17:00",
    "09:00 — 17:00": "09:00-17:00",
    "09:00−17:00": "09:00-17:00",
    "09:00\u00a0-\u202f17:00": "09:00-17:00",
    "09:00 to 17:00": "09:00-17:00",
    "09:00..17:00": "09:00-17:00",
    "9-12 and 1:30pm-5pm": "09:00-12:00, 13:30-17:00",
    "9-12; 13-17": "09:00-12:00, 13:00-17:00",
    "9-12/13-17": "09:00-12:00, 13:00-17:00",
    "Closed": "closed",
    "shut": "closed",
    "24/7": "open",
    "all day": "open",
}
DAYS = {
    "Monday": "mon",
    "mondays": "mon",
    "Monday-Friday": "mon-fri",
    "Mon–Fri": "mon-fri",
    "mon—fri": "mon-fri",
    "mon − fri": "mon-fri",
    "mon to fri": "mon-fri",
    "mon..fri": "mon-fri",
    "Mo-Fr": "mon-fri",
    "thurs": "thu",
    "tues, weds": "tue, wed",
    "mon/wed/fri": "mon, wed, fri",
    "mon and wed": "mon, wed",
    "mon wed fri": "mon, wed, fri",
    "Sat & Sun": "sat, sun",
    "weekdays": "mon-fri",
    "weekend": "sat-sun",
    "every day": "mon-sun",
    "mon-fri, weekends": "mon-fri, sat-sun",
}
DURATIONS = {
    "15 seconds": "15s",
    "15sec": "15s",
    "1 min": "1m",
    "20 s": "20s",
    "20S": "20s",
    "20 secs": "20s",
    "1 minute 30 seconds": "1m30s",
    "1 minute and 30 seconds": "1m30s",
    "1.5m": "1m30s",
    "1m 30s": "1m30s",
    "90 sec": "1m30s",
    "0:20": "20s",
    "1:30": "1m30s",
    "1h": "60m",
    "2\u00a0min": "2m",
}
NO_WINDOWS = [
    "",
    "9",
    "09:00",
    "soon",
    "9-25",
    "13pm-2pm",
    "9-10-11",
    "24-6",
    "mon-fri",
    "9:75-10",
    "٩-١٧",
]
NO_DAYS = ["", "m", "t-f", "s", "noday", "mon-fry", "mon-wed-fri", "07-04", "09:00-17:00"]
NO_DURATIONS = ["", "soon", "-5", "2٣", "0.3s", "1.01m", "20x", "20s20s", "fri"]


@pytest.mark.parametrize("text", WINDOWS)
def test_windows(text: str) -> None:
    assert meant.windows(text) == WINDOWS[text]
    parse_windows(WINDOWS[text])


@pytest.mark.parametrize("text", DAYS)
def test_days(text: str) -> None:
    assert meant.days(text) == DAYS[text]
    assert parse_days_of_week(DAYS[text])


@pytest.mark.parametrize("text", DURATIONS)
def test_durations(text: str) -> None:
    assert meant.duration(text) == DURATIONS[text]
    assert duration(DURATIONS[text])


def test_days_and_windows_together() -> None:
    assert meant.day_and_windows("mon-fri 9-17") == ("mon-fri", "09:00-17:00")
    assert meant.day_and_windows("Weekdays: 9am - 5pm") == ("mon-fri", "09:00-17:00")
    assert meant.day_and_windows("mon to fri 9 to 5") == ("mon-fri", "09:00-17:00")
    assert meant.day_and_windows("9-17") is None
    assert meant.day_and_windows("office hours") is None


def test_nothing_is_guessed() -> None:
    assert [each for each in NO_WINDOWS if meant.windows(each)] == []
    assert [each for each in NO_DAYS if meant.days(each)] == []
    assert [each for each in NO_DURATIONS if meant.duration(each)] == []


PIECES = st.sampled_from(
    ["9", "17", "12", "0", "24", ":00", ":60", "am", "pm", "-", "–", " ", ",", "mon", "fri", "min"]
)


@given(st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=12)))
def test_whatever_is_meant_can_be_read(text: str) -> None:
    readers = (
        (meant.windows, parse_windows),
        (meant.days, parse_days_of_week),
        (meant.duration, duration),
    )
    for find, read in readers:
        found = find(text)
        if found is not None:
            try:
                read(found)
            except Wrong as wrong:
                raise AssertionError(f"{text!r}: {found!r}") from wrong
            assert find(found) == found or found in {"open", "closed"}
