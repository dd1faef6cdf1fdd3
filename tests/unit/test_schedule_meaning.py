"""Every sentence of the rules reference about time, at instants chosen to break it."""

from __future__ import annotations

import datetime as dt
import random
from typing import TYPE_CHECKING

import pytest
from dateutil.rrule import rrulestr

from routing.countries import PublicHolidays, country_of
from routing.dates import Calendar, parse_days
from routing.reader import read

if TYPE_CHECKING:
    from routing.schedule import Schedule

FILE = """\
version: 1
timezone: {zone}
{calendars}
schedules:
  s:
{schedule}
lines:
  main:
    numbers: +19195551000
    rules: [{{when: {{during: s}}, reject: true}}]
    otherwise: {{reject: true}}
emergency: {{reject: true}}
"""


def schedule(text: str, calendars: str = "", zone: str = "America/New_York") -> Schedule:
    """Read the schedule whose keys `text` has, one a line."""
    calendars = f"calendars:\n  {calendars}" if calendars else ""
    indented = "\n".join(f"    {line}" for line in text.splitlines())
    return read(FILE.format(zone=zone, calendars=calendars, schedule=indented)).schedules["s"]


def instant(text: str) -> dt.datetime:
    """Return an instant written with its offset."""
    return dt.datetime.fromisoformat(text)


NIGHT = "hours: {fri: 22:00-06:00}"
OFFICE = "hours: {mon-fri: '09:00-12:30, 13:30-17:00'}"
CHRISTMAS = f"{OFFICE}\nexcept: [{{dates: 2026-12-25, hours: closed}}]"
NIGHTS = "hours: {mon-sun: 22:00-06:00}"
NIGHT_OFF = f"{NIGHTS}\nexcept: [{{dates: 12-25, hours: closed}}]"
LATE = "hours: {sun: '00:00-24:00'}"
EARLY = "hours: {sun: 01:30-02:30}"
FIRST_WINS = """\
hours: {mon-sun: 09:00-17:00}
except:
  - {dates: 2026-12-31, hours: 10:00-14:00}
  - {dates: 2026-12-24..2027-01-02, hours: closed}
  - {dates: 2027-01-02, hours: open}"""
OBSERVED = "hours: {mon-sun: 09:00-17:00}\nexcept: [{dates: us, hours: closed}]"

MOMENTS = [
    # a window belongs to the day on which it starts; it is half-open
    (NIGHT, "2026-03-06T21:59:59-05:00", False),
    (NIGHT, "2026-03-06T22:00:00-05:00", True),
    (NIGHT, "2026-03-07T02:00:00-05:00", True),
    (NIGHT, "2026-03-07T05:59:59-05:00", True),
    (NIGHT, "2026-03-07T06:00:00-05:00", False),
    (NIGHT, "2026-03-06T02:00:00-05:00", False),
    ("hours: {sun: 22:00-06:00}", "2026-03-09T02:00:00-04:00", True),
    (OFFICE, "2026-03-09T08:59:59.999-04:00", False),
    (OFFICE, "2026-03-09T09:00:00-04:00", True),
    (OFFICE, "2026-03-09T12:29:59.999-04:00", True),
    (OFFICE, "2026-03-09T12:30:00-04:00", False),
    (OFFICE, "2026-03-09T13:30:00-04:00", True),
    (OFFICE, "2026-03-09T17:00:00-04:00", False),
    (OFFICE, "2026-03-08T10:00:00-04:00", False),
    # 24:00 and whole days
    (LATE, "2026-03-07T23:59:59-05:00", False),
    (LATE, "2026-03-08T00:00:00-05:00", True),
    (LATE, "2026-03-08T23:59:59-04:00", True),
    (LATE, "2026-03-09T00:00:00-04:00", False),
    ("hours: {sun: 22:00-00:00}", "2026-03-08T23:30:00-04:00", True),
    ("hours: {sun: 22:00-00:00}", "2026-03-09T00:00:00-04:00", False),
    ("hours: open", "2026-03-09T00:00:00-04:00", True),
    ("hours: closed", "2026-03-09T00:00:00-04:00", False),
    ("hours: {mon: open}", "2026-03-09T00:00:00-04:00", True),
    ("hours: {mon: open}", "2026-03-10T00:00:00-04:00", False),
    # the hour that comes twice in autumn is inside both times
    (EARLY, "2026-11-01T01:29:59-04:00", False),
    (EARLY, "2026-11-01T01:30:00-04:00", True),
    (EARLY, "2026-11-01T01:00:00-05:00", False),
    (EARLY, "2026-11-01T01:45:00-05:00", True),
    (EARLY, "2026-11-01T02:29:59-05:00", True),
    (EARLY, "2026-11-01T02:30:00-05:00", False),
    # the hour that is skipped in spring never comes
    (EARLY, "2026-03-08T01:59:59-05:00", True),
    (EARLY, "2026-03-08T03:00:00-04:00", False),
    ("hours: {sun: 02:00-03:00}", "2026-03-08T01:59:59-05:00", False),
    ("hours: {sun: 02:00-03:00}", "2026-03-08T03:00:00-04:00", False),
    ("hours: {sat: 22:00-02:30}", "2026-03-08T01:59:59-05:00", True),
    ("hours: {sat: 22:00-02:30}", "2026-03-08T03:00:00-04:00", False),
    # days: ranges that wrap, lists
    ("hours: {fri-mon: 09:00-10:00}", "2026-03-08T09:30:00-04:00", True),
    ("hours: {fri-mon: 09:00-10:00}", "2026-03-09T09:30:00-04:00", True),
    ("hours: {fri-mon: 09:00-10:00}", "2026-03-10T09:30:00-04:00", False),
    ("hours: {'mon, wed': 09:00-10:00}", "2026-03-11T09:30:00-04:00", True),
    ("hours: {'mon, wed': 09:00-10:00}", "2026-03-10T09:30:00-04:00", False),
    ("hours: {'mon-tue, Fri': [09:00-10:00, 11:00-12:00]}", "2026-03-13T11:30:00-04:00", True),
    ("hours: {wed-wed: 09:00-10:00}", "2026-03-12T09:30:00-04:00", False),
    # except looks at the day on which a window starts
    (CHRISTMAS, "2026-12-25T10:00:00-05:00", False),
    (CHRISTMAS, "2026-12-24T10:00:00-05:00", True),
    (NIGHT_OFF, "2026-12-25T05:59:59-05:00", True),
    (NIGHT_OFF, "2026-12-25T22:30:00-05:00", False),
    (NIGHT_OFF, "2026-12-26T02:00:00-05:00", False),
    (NIGHT_OFF, "2026-12-26T22:00:00-05:00", True),
    # the first exception that matches wins; ranges may cross a year
    (FIRST_WINS, "2026-12-31T09:30:00-05:00", False),
    (FIRST_WINS, "2026-12-31T10:30:00-05:00", True),
    (FIRST_WINS, "2026-12-24T10:30:00-05:00", False),
    (FIRST_WINS, "2027-01-02T10:30:00-05:00", False),
    (FIRST_WINS, "2027-01-03T10:30:00-05:00", True),
    (FIRST_WINS, "2026-12-23T10:30:00-05:00", True),
    # yearly days
    (f"{OFFICE}\nexcept: [{{dates: 07-04, hours: open}}]", "2027-07-04T23:00:00-04:00", True),
    (f"{OFFICE}\nexcept: [{{dates: 02-29, hours: open}}]", "2028-02-29T23:00:00-05:00", True),
    (f"{OFFICE}\nexcept: [{{dates: 02-29, hours: open}}]", "2027-03-01T23:00:00-05:00", False),
    # a zone of its own
    (f"{OFFICE}\ntimezone: Europe/Berlin", "2026-03-09T09:00:00-04:00", True),
    (f"{OFFICE}\ntimezone: Europe/Berlin", "2026-03-09T16:30:00-04:00", False),
    (f"{NIGHT}\ntimezone: Asia/Tokyo", "2026-03-06T13:00:00+00:00", True),
]


@pytest.mark.parametrize(("text", "at", "is_open"), MOMENTS)
def test_a_moment(text: str, at: str, is_open: bool) -> None:
    assert schedule(text).judge(instant(at), {}).open is is_open


HOLIDAYS = [
    ("{country: US}", "2026-07-03", True),  # Saturday's holiday is observed on Friday
    ("{country: US}", "2026-07-04", True),
    ("{country: US}", "2026-07-06", False),
    ("{country: US}", "2027-07-05", True),  # Sunday's on Monday
    ("{country: US}", "2027-12-31", True),  # New Year's Day of the next year, on a Saturday
    ("{country: US}", "2028-01-01", True),
    ("{country: us}", "2026-11-26", True),
    ("{country: US}", "2026-11-27", False),
    ("{country: US, subdivision: CA}", "2026-11-27", True),
    ("{country: US, subdivision: California}", "2026-11-27", True),
    ("{country: DE}", "2026-01-06", False),
    ("{country: DE, subdivision: BY}", "2026-01-06", True),
    ("{country: GB, subdivision: SCT}", "2026-11-30", True),
    ("{country: no}", "2026-05-17", True),
    ("{country: US, categories: [public, unofficial]}", "2026-02-14", True),
    ("{country: US}", "2026-02-14", False),
    ("07-04", "2026-07-04", True),
    ("[2026-12-24..2027-01-02, 07-04]", "2027-01-02", True),
    ("[2026-12-24..2027-01-02, 07-04]", "2027-01-03", False),
    ("FREQ=YEARLY;BYMONTH=11;BYDAY=4FR", "2026-11-27", True),
    ("FREQ=YEARLY;BYMONTH=11;BYDAY=4FR", "2026-11-20", False),
    ("FREQ=MONTHLY;BYDAY=-1FR", "2026-01-30", True),
    ("DTSTART=20260105;FREQ=WEEKLY;INTERVAL=2", "2026-01-05", True),
    ("DTSTART=20260105;FREQ=WEEKLY;INTERVAL=2", "2026-01-12", False),
    ("DTSTART=20260105;FREQ=WEEKLY;INTERVAL=2", "2027-01-04", True),
    ("DTSTART=20260105;FREQ=DAILY;COUNT=3", "2026-01-07", True),
    ("DTSTART=20260105;FREQ=DAILY;COUNT=3", "2026-01-08", False),
    ("FREQ=WEEKLY;BYDAY=MO;UNTIL=20260112", "2026-01-12", True),
    ("FREQ=WEEKLY;BYDAY=MO;UNTIL=20260112T000000Z", "2026-01-19", False),
    ("freq=weekly;byday=mo", "2026-01-12", True),
    ("BYDAY=MO;FREQ=WEEKLY", "2026-01-12", True),
    ("FREQ=WEEKLY;BYDAY=MO,FR;BYSETPOS=1", "2026-01-02", False),  # its week began in December
]


@pytest.mark.parametrize(("calendar", "day", "closed"), HOLIDAYS)
def test_a_calendar_has_a_day(calendar: str, day: str, closed: bool) -> None:
    found = schedule("hours: open\nexcept: [{dates: c, hours: closed}]", f"c: {calendar}")
    noon = dt.datetime.fromisoformat(f"{day}T12:00:00-05:00")
    assert found.judge(noon, {}).open is not closed


def test_calendars_may_name_one_another_in_any_order() -> None:
    found = schedule(
        "hours: open\nexcept: [{dates: all, hours: closed}]",
        "all: [us, ours]\n  ours: [05-01, more]\n  more: 05-02\n  us: {country: US}",
    )
    days = ["05-01", "05-02", "12-25", "05-03"]
    instants = [instant(f"2026-{day}T12:00:00-05:00") for day in days]
    assert [found.judge(at, {}).open for at in instants] == [False, False, False, True]


@pytest.mark.parametrize("seed", range(20))
def test_recurrence_rules_agree_with_dateutil(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    days = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
    rule = chance.choice(
        [
            f"FREQ=WEEKLY;BYDAY={','.join(chance.sample(days, 2))}",
            f"FREQ=MONTHLY;BYDAY={chance.choice((1, 2, 3, 4, 5, -1, -2))}{chance.choice(days)}",
            f"FREQ=MONTHLY;BYMONTHDAY={chance.randrange(1, 32)},{-chance.randrange(1, 20)}",
            f"FREQ=YEARLY;BYMONTH={chance.randrange(1, 13)};BYDAY=1{chance.choice(days)}",
            f"FREQ=YEARLY;BYYEARDAY={chance.randrange(1, 367)}",
            f"FREQ=DAILY;BYMONTH={chance.randrange(1, 13)}",
        ]
    )
    found = parse_days(rule)
    assert found is not None
    start = dt.datetime(2024, 1, 1)  # noqa: DTZ001 - days, not instants
    oracle = {
        moment.date() for moment in rrulestr(rule, dtstart=start).xafter(start, 400, inc=True)
    }
    last = min(max(oracle), dt.date(2027, 12, 31))
    every = (start.date() + dt.timedelta(days=n) for n in range((last - start.date()).days + 1))
    assert {day for day in every if found.name_of(day)} == {day for day in oracle if day <= last}


def test_sets_of_days_know_their_last_day() -> None:
    def last(*texts: str) -> dt.date | None:
        return Calendar("c", [days for text in texts if (days := parse_days(text))]).last_day()

    assert last("2026-12-24..2027-01-02", "2026-07-04") == dt.date(2027, 1, 2)
    assert last("2026-12-24", "07-04") is None
    assert last("FREQ=WEEKLY;BYDAY=MO;UNTIL=2026-01-12") == dt.date(2026, 1, 12)
    assert last("DTSTART=20260105;FREQ=DAILY;COUNT=3") == dt.date(2026, 1, 7)
    assert last("FREQ=WEEKLY;BYDAY=MO") is None
    assert PublicHolidays(country_of("US", None, ())).last_day() is None


WORDS = [
    (OFFICE, "2026-03-09T12:45:00-04:00", "12:45 on Monday is between windows"),
    (OFFICE, "2026-03-09T08:45:00-04:00", "08:45 on Monday is before opening"),
    (OFFICE, "2026-03-09T17:00:00-04:00", "17:00 on Monday is after closing"),
    (OFFICE, "2026-03-09T14:00:00-04:00", "14:00 on Monday is in 13:30-17:00"),
    (OFFICE, "2026-03-08T14:00:00-04:00", "Sunday 2026-03-08 is closed all day"),
    (NIGHT, "2026-03-07T02:00:00-05:00", "02:00 on Saturday is in Friday's 22:00-06:00"),
    ("hours: {sun: 22:00-24:00}", "2026-03-08T22:30:00-04:00", "22:30 on Sunday is in 22:00-24:00"),
    ("hours: open", "2026-03-08T22:30:00-04:00", "22:30 on Sunday is in 00:00-24:00"),
    (CHRISTMAS, "2026-12-25T10:00:00-05:00", "Friday 2026-12-25 is closed all day (2026-12-25)"),
    (
        FIRST_WINS,
        "2026-12-31T15:00:00-05:00",
        "15:00 on Thursday is after closing (2026-12-31)",
    ),
    (
        FIRST_WINS,
        "2026-12-24T15:00:00-05:00",
        "Thursday 2026-12-24 is closed all day (2026-12-24..2027-01-02)",
    ),
    (
        OBSERVED,
        "2026-07-03T12:00:00-04:00",
        "Friday 2026-07-03 is closed all day (us: Independence Day (observed))",
    ),
]


@pytest.mark.parametrize(("text", "at", "words"), WORDS)
def test_the_reason_in_words(text: str, at: str, words: str) -> None:
    calendars = "us: {country: US}" if "us" in text else ""
    assert schedule(text, calendars).judge(instant(at), {}).because() == words


@pytest.mark.parametrize("override", ["open", "closed"])
def test_an_override_decides_alone(override: str) -> None:
    for at in ("2026-12-25T12:00:00-05:00", "2026-03-09T10:00:00-04:00"):
        verdict = schedule(CHRISTMAS).judge(instant(at), {"s": override, "other": "open"})
        assert verdict.open is (override == "open")
        assert verdict.because() == f"set {override} by an override"


def test_the_hours_of_many_days_do_not_fill_the_memory() -> None:
    found = schedule(CHRISTMAS)
    for day in range(3000):
        found.judge(instant("2026-01-01T12:00:00+00:00") + dt.timedelta(days=day), {})
    assert len(found._days) <= 1001  # noqa: SLF001 - nothing else shows it
