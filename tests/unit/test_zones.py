"""A zone that stands for no place is warned of, and a mistaken one leads to the one meant."""

from __future__ import annotations

from zoneinfo import available_timezones

import pytest

from routing.problems import RulesError, Wrong
from routing.reader import read
from routing.reading.zones import _BY_OFFSET, _NAMES, zone

FILE = """\
version: 1
timezone: "{zone}"
schedules: {{s: {{hours: open, timezone: "{other}"}}}}
lines:
  main:
    numbers: +19195551000
    rules: [{{when: {{during: s}}, reject: true}}]
    otherwise: {{reject: true}}
emergency: {{reject: true}}
"""

# ruff: noqa: E501 - one line for each place
# fmt: off
MEANT = [
    *[(name, "America/New_York") for name in ("Eastern", "ET", "EDT", "Eastern Time", "UTC-5")],
    *[(name, "America/New_York") for name in ("Eastern Standard Time", "GMT-5", "New York", "-05:00")],
    *[(name, "America/New_York") for name in ("UTC-05:00", "Boston", "new york", "NEW_YORK", "US/Boston")],
    *[(name, "America/New_York") for name in ("New York, NY", "utc -5", "Eastern Daylight Time")],
    *[(name, "America/Chicago") for name in ("CST", "CDT", "Central Time", "Central Standard Time", "Dallas")],
    *[(name, "America/Denver") for name in ("MDT", "Mountain Time", "Mountain Standard Time", "denver")],
    *[(name, "America/Los_Angeles") for name in ("PST", "pst", "Pacific Time", "Pacific Standard Time")],
    *[(name, "America/Los_Angeles") for name in ("Los Angeles", "los_angeles", "San Francisco", "GMT-8")],
    ("US Mountain Standard Time", "America/Phoenix"),
    ("Alaskan Standard Time", "America/Anchorage"),
    ("Hawaiian Standard Time", "Pacific/Honolulu"),
    ("Atlantic Standard Time", "America/Halifax"),
    ("AEST", "Australia/Sydney"),
    ("AUS Eastern Standard Time", "Australia/Sydney"),
    ("sydney", "Australia/Sydney"),
    ("ACST", "Australia/Adelaide"),
    ("AWST", "Australia/Perth"),
    ("NZST", "Pacific/Auckland"),
    *[(name, "Europe/London") for name in ("BST", "London", "UK", "GMT Standard Time", "UTC+0", "utc+00:00")],
    *[(name, "Europe/Berlin") for name in ("CEST", "berlin", "GMT+1", "UTC+1", "W. Europe Standard Time")],
    *[(name, "Europe/Berlin") for name in ("Munich", "Europe/Munich", "MEZ")],
    ("Romance Standard Time", "Europe/Paris"),
    ("Central European Standard Time", "Europe/Warsaw"),
    ("IST", "Asia/Kolkata"),
    ("India Standard Time", "Asia/Kolkata"),
    ("UTC+5:30", "Asia/Kolkata"),
    ("UTC+0530", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("Tokyo Standard Time", "Asia/Tokyo"),
    ("China Standard Time", "Asia/Shanghai"),
    ("MSK", "Europe/Moscow"),
    ("America/Newyork", "America/New_York"),
    ("america/new_york", "America/New_York"),
]
# fmt: on


@pytest.mark.parametrize(("text", "meant"), MEANT)
def test_a_mistaken_zone_leads_to_the_one_that_people_there_mean(text: str, meant: str) -> None:
    with pytest.raises(Wrong, match=f"did you mean '{meant}'") as caught:
        zone(text)
    assert caught.value.code == "unknown-timezone"
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", ["Q", "America", "UTC+25", "UTC-2:45", "Middle Earth", "/", "+"])
def test_what_nobody_can_guess_is_told_how_to_be_written(text: str) -> None:
    with pytest.raises(RulesError) as caught:
        read(FILE.format(zone=text, other="UTC"))
    (error,) = caught.value.errors
    assert error.code == "unknown-timezone"
    assert "America/" in error.message or "did you mean" in error.message


def test_every_zone_that_is_suggested_exists() -> None:
    assert {*_BY_OFFSET.values(), *_NAMES} <= available_timezones()
    names = [name for each in _NAMES.values() for name in each.split(", ")]
    assert len(names) == len(set(names))


WITHOUT_SUMMER_TIME = [
    ("EST", "America/New_York"),
    ("MST", "America/Denver"),
    ("MST", "America/Phoenix"),
    ("HST", "Pacific/Honolulu"),
    ("Etc/GMT+5", "America/New_York"),
    ("Etc/GMT+5", "5 hours behind UTC"),
    ("Etc/GMT+8", "America/Los_Angeles"),
    ("Etc/GMT-1", "Europe/Berlin"),
    ("Etc/GMT-1", "1 hour ahead of UTC"),
    ("Etc/GMT-10", "Australia/Sydney"),
    ("Etc/GMT-14", "14 hours ahead of UTC"),
    ("GMT", "Europe/London"),
    ("Etc/GMT", "Europe/London"),
    ("GMT0", "Europe/London"),
    ("Etc/GMT+0", "Europe/London"),
    ("Greenwich", "Europe/London"),
]


@pytest.mark.parametrize(("name", "word"), WITHOUT_SUMMER_TIME)
def test_a_zone_without_summer_time_is_warned_of_where_its_country_has_it(
    name: str, word: str
) -> None:
    for text, path in (
        (FILE.format(zone=name, other="UTC"), "timezone"),
        (FILE.format(zone="UTC", other=name), "schedules.s.timezone"),
    ):
        (warning,) = read(text).warnings
        assert (warning.code, warning.path) == ("no-summer-time", path)
        assert "no summer time" in warning.message
        assert word in warning.message


@pytest.mark.parametrize(
    "name",
    [
        *("America/New_York", "America/Phoenix", "Pacific/Honolulu", "Asia/Tokyo", "UTC"),
        *("Etc/UTC", "EST5EDT", "CET", "US/Eastern", "US/Arizona", "Zulu", "Asia/Kolkata", "WET"),
    ],
)
def test_a_zone_of_a_place_is_good(name: str) -> None:
    assert read(FILE.format(zone=name, other=name)).warnings == ()
