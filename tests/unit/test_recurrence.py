"""Recurrence rules mean what RFC 5545 says, and what it forbids is refused with its reason.

The examples are those of its section 3.8.5.3, with the dates that it prints. `dateutil` is the
oracle where it follows the RFC; a definition, day by day, is the oracle without it.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.dates import Calendar, Days, parse_days
from routing.problems import Wrong
from routing.reader import read
from routing.recurrence import Recurrence

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
NEW_YORK, TOKYO, HONOLULU = map(ZoneInfo, ("America/New_York", "Asia/Tokyo", "Pacific/Honolulu"))


def days(rule: str) -> Days:
    found = parse_days(rule)
    assert isinstance(found, Recurrence)
    return found


def first_days(found: Days, count: int, start: dt.date = dt.date(1997, 9, 2)) -> list[dt.date]:
    every = (start + dt.timedelta(days=n) for n in range(60 * 366))
    return list(itertools.islice((day for day in every if found.name_of(day)), count))


# The rule, with DTSTART on 2 September 1997 unless it has its own; the first dates, by month.
# ruff: noqa: E501 - one line for each example
# fmt: off
EXAMPLES = [
    ("FREQ=DAILY;COUNT=10", "9/2 9/3 9/4 9/5 9/6 9/7 9/8 9/9 9/10 9/11"),
    ("FREQ=DAILY;UNTIL=19971224T000000Z", "9/2 9/3 9/4"),
    ("FREQ=DAILY;INTERVAL=2", "9/2 9/4 9/6 9/8"),
    ("FREQ=DAILY;INTERVAL=10;COUNT=5", "9/2 9/12 9/22 10/2 10/12"),
    ("DTSTART=19980101;FREQ=YEARLY;UNTIL=20000131T140000Z;BYMONTH=1;BYDAY=SU,MO,TU,WE,TH,FR,SA", "98/1/1 1/2 1/3"),
    ("DTSTART=19980101;FREQ=DAILY;UNTIL=20000131T140000Z;BYMONTH=1", "98/1/1 1/2 1/3"),
    ("FREQ=WEEKLY;COUNT=10", "9/2 9/9 9/16 9/23 9/30 10/7 10/14 10/21 10/28 11/4"),
    ("FREQ=WEEKLY;UNTIL=19971224T000000Z", "9/2 9/9 9/16 9/23 9/30 10/7"),
    ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", "9/2 9/16 9/30 10/14 10/28 11/11"),
    ("FREQ=WEEKLY;UNTIL=19971007T000000Z;WKST=SU;BYDAY=TU,TH", "9/2 9/4 9/9 9/11 9/16 9/18 9/23 9/25 9/30 10/2"),
    ("FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", "9/2 9/4 9/9 9/11 9/16 9/18 9/23 9/25 9/30 10/2"),
    ("DTSTART=19970901;FREQ=WEEKLY;INTERVAL=2;UNTIL=19971224T000000Z;WKST=SU;BYDAY=MO,WE,FR", "9/1 9/3 9/5 9/15 9/17 9/19 9/29 10/1 10/3"),
    ("FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "9/2 9/4 9/16 9/18 9/30 10/2 10/14 10/16"),
    ("DTSTART=19970905;FREQ=MONTHLY;COUNT=10;BYDAY=1FR", "9/5 10/3 11/7 12/5 98/1/2 2/6 3/6 4/3 5/1 6/5"),
    ("DTSTART=19970905;FREQ=MONTHLY;UNTIL=19971224T000000Z;BYDAY=1FR", "9/5 10/3 11/7 12/5"),
    ("DTSTART=19970907;FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "9/7 9/28 11/2 11/30 98/1/4 1/25 3/1 3/29 5/3 5/31"),
    ("DTSTART=19970922;FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "9/22 10/20 11/17 12/22 98/1/19 2/16"),
    ("DTSTART=19970928;FREQ=MONTHLY;BYMONTHDAY=-3", "9/28 10/29 11/28 12/29 98/1/29 2/26"),
    ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", "9/2 9/15 10/2 10/15 11/2 11/15 12/2 12/15 98/1/2 1/15"),
    ("DTSTART=19970930;FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", "9/30 10/1 10/31 11/1 11/30 12/1 12/31 98/1/1 1/31 2/1"),
    ("DTSTART=19970910;FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", "9/10 9/11 9/12 9/13 9/14 9/15 99/3/10 3/11 3/12 3/13"),
    ("FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", "9/2 9/9 9/16 9/23 9/30 11/4 11/11 11/18 11/25 98/1/6"),
    ("DTSTART=19970610;FREQ=YEARLY;COUNT=10;BYMONTH=6,7", "97/6/10 7/10 98/6/10 7/10 99/6/10 7/10"),
    ("DTSTART=19970310;FREQ=YEARLY;INTERVAL=2;COUNT=10;BYMONTH=1,2,3", "97/3/10 99/1/10 2/10 3/10 01/1/10"),
    ("DTSTART=19970101;FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", "97/1/1 4/10 7/19 00/1/1 4/9 7/18 03/1/1 4/10 7/19 06/1/1"),
    ("DTSTART=19970519;FREQ=YEARLY;BYDAY=20MO", "97/5/19 98/5/18 99/5/17"),
    ("DTSTART=19970512;FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "97/5/12 98/5/11 99/5/17"),
    ("DTSTART=19970313;FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "97/3/13 3/20 3/27 98/3/5 3/12"),
    ("DTSTART=19970605;FREQ=YEARLY;BYDAY=TH;BYMONTH=6,7,8", "97/6/5 6/12 6/19 6/26 7/3 7/10"),
    ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "98/2/13 3/13 11/13 99/8/13 00/10/13"),
    ("DTSTART=19970913;FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "9/13 10/11 11/8 12/13 98/1/10 2/7 3/7"),
    ("DTSTART=19961105;FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "96/11/5 00/11/7 04/11/2"),
    ("DTSTART=19970904;FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "9/4 10/7 11/6"),
    ("DTSTART=19970929;FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "9/29 10/30 11/27 12/30 98/1/29 2/26 3/30"),
    ("DTSTART=19970805;FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "97/8/5 8/10 8/19 8/24"),
    ("DTSTART=19970805;FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "97/8/5 8/17 8/19 8/31"),
    ("DTSTART=20070115;FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "07/1/15 1/30 2/15 3/15 3/30"),
]
# fmt: on


def dates(text: str) -> list[dt.date]:
    found, year = [], 1997
    for each in text.split():
        *years, month, day = map(int, each.split("/"))
        if years:
            year = years[0] + (1900 if years[0] > 90 else 2000)
        found.append(dt.date(year, month, day))
    return found


@pytest.mark.parametrize(("rule", "wanted"), EXAMPLES, ids=[each[0] for each in EXAMPLES])
def test_an_example_of_the_rfc(rule: str, wanted: str) -> None:
    text = rule if "DTSTART" in rule else f"DTSTART=19970902;{rule}"
    expected = dates(wanted)
    assert first_days(days(text), len(expected), dt.date(1996, 1, 1)) == expected
    start, _, pattern = text.removeprefix("DTSTART=").partition(";")
    begins = dt.datetime.strptime(start, "%Y%m%d")  # noqa: DTZ007 - days, not instants
    pattern = re.sub(r"UNTIL=(\d{8})T\d{6}Z", r"UNTIL=\1", pattern)
    oracle = itertools.islice(rrulestr(pattern, dtstart=begins), len(expected))
    assert [each.date() for each in oracle] == expected


def test_a_count_ends_a_rule() -> None:
    counted = days("DTSTART=19970902;FREQ=DAILY;COUNT=10")
    assert first_days(counted, 20) == first_days(counted, 10)
    assert counted.last_day() == dt.date(1997, 9, 11)


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        # dateutil has the whole week here; the RFC takes the weekday of the start
        ("DTSTART=20260105;FREQ=YEARLY;BYWEEKNO=20", ["2026-05-11", "2027-05-17", "2028-05-15"]),
        ("DTSTART=20260107;FREQ=YEARLY;BYWEEKNO=20,21", ["2026-05-13", "2026-05-20", "2027-05-19"]),
        (
            "FREQ=YEARLY;BYWEEKNO=1;BYDAY=MO",
            ["2027-01-04", "2028-01-03", "2029-01-01", "2029-12-31"],
        ),
        ("DTSTART=20260131;FREQ=MONTHLY", ["2026-01-31", "2026-03-31", "2026-05-31"]),
        ("DTSTART=20240229;FREQ=YEARLY", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("FREQ=YEARLY;BYDAY=53MO", ["2029-12-31", "2035-12-31", "2040-12-31"]),
    ],
)
def test_weeks_and_what_hangs_on_the_start(rule: str, wanted: list[str]) -> None:
    found = first_days(days(rule), len(wanted), dt.date(2026, 1, 1))
    assert [str(day) for day in found] == wanted


REFUSED = [
    # what the RFC does not allow together
    ("FREQ=WEEKLY;BYDAY=1MO", "number before a day", "FREQ=WEEKLY"),
    ("FREQ=WEEKLY;BYDAY=MO,-1FR", "number before a day", "FREQ=MONTHLY"),
    ("FREQ=DAILY;BYDAY=2TU", "number before a day", "FREQ=DAILY"),
    ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO", "number before a day", "BYWEEKNO"),
    ("FREQ=WEEKLY;BYMONTHDAY=15", "BYMONTHDAY", "FREQ=MONTHLY"),
    ("FREQ=WEEKLY;BYDAY=MO;BYMONTHDAY=-1", "BYMONTHDAY", "FREQ=WEEKLY"),
    ("FREQ=MONTHLY;BYWEEKNO=20;BYDAY=MO", "BYWEEKNO", "FREQ=YEARLY"),
    ("FREQ=WEEKLY;BYWEEKNO=20;BYDAY=MO", "BYWEEKNO", "FREQ=YEARLY"),
    ("FREQ=DAILY;BYWEEKNO=20", "BYWEEKNO", "FREQ=YEARLY"),
    ("FREQ=DAILY;BYYEARDAY=100", "BYYEARDAY", "FREQ=YEARLY"),
    ("FREQ=WEEKLY;BYYEARDAY=100", "BYYEARDAY", "FREQ=YEARLY"),
    ("FREQ=MONTHLY;BYYEARDAY=100", "BYYEARDAY", "FREQ=YEARLY"),
    ("DTSTART=20260105;FREQ=WEEKLY;COUNT=3;UNTIL=20261231", "COUNT", "UNTIL"),
    ("DTSTART=20260105;FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS", "BYDAY"),
    # what is not possible
    ("FREQ=MONTHLY;BYDAY=53MO", "BYDAY", "at most five"),
    ("FREQ=MONTHLY;BYDAY=-6MO", "BYDAY", "at most five"),
    ("FREQ=YEARLY;BYMONTH=11;BYDAY=6FR", "BYDAY", "at most five"),
    ("FREQ=YEARLY;BYDAY=54MO", "BYDAY", "1 to 53"),
    ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY", "1 to 53"),
    ("FREQ=MONTHLY;BYDAY=99MO", "BYDAY", "1 to 53"),
    ("FREQ=MONTHLY;BYDAY=100MO", "BYDAY", "no day"),
    ("FREQ=WEEKLY;BYDAY=XX", "XX", "MO, TU"),
    ("FREQ=WEEKLY;BYDAY=MON", "MON", "MO, TU"),
    ("FREQ=WEEKLY;BYDAY=MO,,TU", "BYDAY", "no day"),
    ("FREQ=YEARLY;BYMONTH=13;BYMONTHDAY=1", "BYMONTH=13", "1 to 12"),
    ("FREQ=YEARLY;BYMONTH=0;BYMONTHDAY=1", "BYMONTH=0", "1 to 12"),
    ("FREQ=YEARLY;BYMONTH=-1;BYMONTHDAY=1", "BYMONTH=-1", "1 to 12"),
    ("FREQ=YEARLY;BYMONTH=JAN;BYMONTHDAY=1", "BYMONTH=JAN", "1 to 12"),
    ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY=0", "-31 to -1"),
    ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY=32", "-31 to -1"),
    ("FREQ=MONTHLY;BYMONTHDAY=1,-32", "BYMONTHDAY", "-31 to -1"),
    ("FREQ=YEARLY;BYYEARDAY=367", "BYYEARDAY", "366"),
    ("FREQ=YEARLY;BYWEEKNO=54;BYDAY=MO", "BYWEEKNO", "53"),
    ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=0", "BYSETPOS", "366"),
    ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=367", "BYSETPOS", "366"),
    ("DTSTART=20260105;FREQ=DAILY;INTERVAL=0", "INTERVAL=0", "1 to 1000"),
    ("DTSTART=20260105;FREQ=DAILY;INTERVAL=-1", "INTERVAL", "1 to 1000"),
    ("DTSTART=20260105;FREQ=DAILY;INTERVAL=1.5", "INTERVAL", "1 to 1000"),
    ("DTSTART=20260105;FREQ=DAILY;INTERVAL=1,2", "INTERVAL", "1 to 1000"),
    ("DTSTART=20260105;FREQ=DAILY;COUNT=0", "COUNT=0", "1 to"),
    ("FREQ=WEEKLY;BYDAY=MO;WKST=XX", "WKST", "MO, TU"),
    ("FREQ=WEEKLY;BYDAY=MO;WKST=1", "WKST", "MO, TU"),
    ("FREQ=WEEKLY;BYDAY=MO;WKST=1MO", "WKST", "MO, TU"),
    # parts that are unknown, empty, missing or there twice
    ("FREQ=WEEKLY;BYDAY=MO;BYDAY=TU", "BYDAY", "twice"),
    ("DTSTART=20260105;FREQ=DAILY;DTSTART=20260106", "DTSTART", "twice"),
    ("FREQ=WEEKLY;FREQ=DAILY;BYDAY=MO", "FREQ", "twice"),
    ("FREQ=WEEKLY;BYDAYS=MO", "BYDAYS", "did you mean 'BYDAY'"),
    ("FREQ=WEEKLY;X-DAYS=MO", "X-DAYS", "the parts are"),
    ("FREQ=WEEKLY;BYEASTER=1", "BYEASTER", "RFC 5545"),
    ("FREQ=WEEKLY;BYDAY", "BYDAY", "value"),
    ("FREQ=WEEKLY;BYDAY=", "BYDAY", "value"),
    ("FREQ=", "FREQ", "value"),
    ("BYDAY=MO;INTERVAL=1", "FREQ", "WEEKLY"),
    ("RRULE:BYDAY=MO", "FREQ", "missing"),
    ("DTSTART=20260105", "FREQ", "missing"),
    ("FREQ=WEEKDAYS;BYDAY=MO", "FREQ", "DAILY"),
    # times of the day
    ("FREQ=HOURLY", "whole days", "DAILY"),
    ("FREQ=MINUTELY;INTERVAL=5", "whole days", "DAILY"),
    ("FREQ=SECONDLY", "whole days", "DAILY"),
    ("FREQ=WEEKLY;BYDAY=MO;BYHOUR=3", "BYHOUR", "whole days"),
    ("FREQ=WEEKLY;BYDAY=MO;BYMINUTE=0", "BYMINUTE", "hours in the schedule"),
    ("FREQ=WEEKLY;BYDAY=MO;BYSECOND=0", "BYSECOND", "whole days"),
    # what hangs on a start that is not written
    ("FREQ=WEEKLY", "BYDAY", "which days"),
    ("FREQ=YEARLY;BYMONTH=11", "BYDAY", "which days"),
    ("FREQ=YEARLY;BYWEEKNO=11", "BYDAY", "which days"),
    ("FREQ=WEEKLY;BYDAY=MO;INTERVAL=2", "DTSTART", "INTERVAL"),
    ("FREQ=WEEKLY;BYDAY=MO;COUNT=2", "DTSTART", "COUNT"),
    ("FREQ=WEEKLY;INTERVAL=3", "DTSTART", "BYDAY=MO,TU,WE,TH,FR,SA,SU"),
    # days and instants that are none
    ("FREQ=WEEKLY;BYDAY=MO;UNTIL=soon", "UNTIL", "20260105"),
    ("FREQ=WEEKLY;BYDAY=MO;UNTIL=20261301", "UNTIL", "20260105"),
    ("FREQ=WEEKLY;BYDAY=MO;UNTIL=20261231T250000Z", "UNTIL", "20260105T235959Z"),
    ("FREQ=WEEKLY;BYDAY=MO;UNTIL=20261231T235959+0100", "UNTIL", "20260105T235959Z"),
    ("FREQ=WEEKLY;BYDAY=MO;UNTIL=20261231235959", "UNTIL", "20260105T235959Z"),
    ("FREQ=WEEKLY;BYDAY=MO;UNTIL=99991231", "UNTIL", "2200"),
    ("DTSTART=soon;FREQ=WEEKLY;BYDAY=MO", "DTSTART", "20260105"),
    # what no calendar of ours can hold
    ("DTSTART:20260105 RRULE:FREQ=WEEKLY;BYDAY=MO EXDATE:20260112", "EXDATE", "RRULE"),
    ("RRULE:FREQ=WEEKLY;BYDAY=MO RRULE:FREQ=WEEKLY;BYDAY=TU", "RRULE", "one RRULE"),
    # never
    ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "no day", "BYMONTHDAY=30"),
    ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "no day", "BYMONTHDAY=30"),
    ("FREQ=YEARLY;BYMONTH=4,6,9,11;BYMONTHDAY=31", "no day", "BYMONTHDAY=31"),
    ("FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=8", "no day", "BYDAY=1MO"),
    ("FREQ=YEARLY;BYYEARDAY=1;BYMONTH=2", "no day", "BYYEARDAY=1"),
    ("DTSTART=20260105;FREQ=DAILY;INTERVAL=7;BYDAY=TU", "no day", "BYDAY=TU"),
    ("DTSTART=20260105;FREQ=YEARLY;INTERVAL=4;BYMONTH=2;BYMONTHDAY=29", "no day", "29"),
    ("DTSTART=20260105;FREQ=DAILY;COUNT=3;BYMONTH=2;BYMONTHDAY=30", "no day", "30"),
    ("DTSTART=20260105;FREQ=DAILY;UNTIL=20251231", "no day", "UNTIL"),
]


@pytest.mark.parametrize(("rule", "what", "why"), REFUSED, ids=[each[0] for each in REFUSED])
def test_what_cannot_be_is_refused_with_its_reason(rule: str, what: str, why: str) -> None:
    with pytest.raises(Wrong) as caught:
        parse_days(rule)
    assert caught.value.code == "bad-recurrence"
    assert what in str(caught.value)
    assert why in str(caught.value)


FRIDAYS = ["2026-01-02", "2026-01-09", "2026-01-16", "2026-01-23"]
FORMS = [
    "DTSTART=20260102;FREQ=WEEKLY;BYDAY=FR",
    "DTSTART=20260102;FREQ=WEEKLY",
    "dtstart=20260102;freq=weekly;byday=fr",
    "DTSTART=20260102;FREQ=WEEKLY;BYDAY=FR;",
    "DTSTART=20260102;FREQ=WEEKLY;BYDAY=FR;WKST=SU",
    " DTSTART = 20260102 ; FREQ = WEEKLY ; BYDAY = FR ",
    "FREQ=WEEKLY;DTSTART=20260102;BYDAY=FR",
    "FREQ=WEEKLY;BYDAY=FR;DTSTART=2026-01-02",
    "RRULE:FREQ=WEEKLY;BYDAY=FR;UNTIL=20261231",
    "rrule:freq=weekly;byday=fr",
    "RRULE: FREQ=WEEKLY;BYDAY=FR",
    "DTSTART:20260102T170000\nRRULE:FREQ=WEEKLY;BYDAY=FR",
    "DTSTART:20260102T170000Z RRULE:FREQ=WEEKLY;BYDAY=FR",
    "DTSTART;VALUE=DATE:20260102\r\nRRULE:FREQ=WEEKLY;BYDAY=FR\r\n",
    "DTSTART;TZID=America/New_York:20260102T090000\nRRULE:FREQ=WEEKLY;WKST=SU;BYDAY=FR",
    "RRULE:FREQ=WEEKLY;BYDAY=FR\nDTSTART;TZID=America/New_York:20260102T090000",
    "BYDAY=FR;FREQ=WEEKLY",
]


@pytest.mark.parametrize("text", FORMS)
def test_a_rule_is_read_as_calendars_export_it(text: str) -> None:
    found = first_days(days(text), 4, dt.date(2026, 1, 1))
    assert [str(day) for day in found] == FRIDAYS


UNTIL = [
    # what is written; the last Thursday that belongs to it in New York, Tokyo and Honolulu
    ("UNTIL=20261231", "2026-12-31", "2026-12-31", "2026-12-31"),
    ("UNTIL=2026-12-31", "2026-12-31", "2026-12-31", "2026-12-31"),
    ("UNTIL=20261231T000000", "2026-12-31", "2026-12-31", "2026-12-31"),
    ("UNTIL=20261231T235959", "2026-12-31", "2026-12-31", "2026-12-31"),
    ("UNTIL=20261230T235959", "2026-12-24", "2026-12-24", "2026-12-24"),
    # midnight in New York is five o'clock, in Tokyo three o'clock of the day before
    ("UNTIL=20261231T045959Z", "2026-12-24", "2026-12-31", "2026-12-24"),
    ("UNTIL=20261231T050000Z", "2026-12-31", "2026-12-31", "2026-12-24"),
    ("UNTIL=20261231T095959Z", "2026-12-31", "2026-12-31", "2026-12-24"),
    ("UNTIL=20261231T100000Z", "2026-12-31", "2026-12-31", "2026-12-31"),
    ("UNTIL=20261230T145959Z", "2026-12-24", "2026-12-24", "2026-12-24"),
    ("UNTIL=20261230T150000Z", "2026-12-24", "2026-12-31", "2026-12-24"),
    ("UNTIL=20270101T045959Z", "2026-12-31", "2026-12-31", "2026-12-31"),
    ("until=2026-12-31t05:00:00z", "2026-12-31", "2026-12-31", "2026-12-24"),
]


@pytest.mark.parametrize("form", ["{};FREQ=WEEKLY;BYDAY=TH", "DTSTART=20260101;FREQ=WEEKLY;{}"])
@pytest.mark.parametrize("case", UNTIL, ids=[each[0] for each in UNTIL])
def test_until_is_an_instant_in_the_zone_of_the_schedule(case: tuple[str, ...], form: str) -> None:
    until, *last_days = case
    rule = days(form.format(until))
    for zone, last in zip((NEW_YORK, TOKYO, HONOLULU), last_days, strict=True):
        found = first_days(rule.in_zone(zone), 100, dt.date(2026, 12, 1))
        assert str(found[-1]) == last, zone
        assert Calendar("c", [rule]).in_zone(zone).last_day() == rule.in_zone(zone).last_day()


@given(
    st.datetimes(dt.datetime(2024, 1, 1), dt.datetime(2027, 12, 31)).map(  # noqa: DTZ001
        lambda at: at.replace(microsecond=0, tzinfo=dt.UTC)
    ),
    st.sampled_from(
        ["America/Havana", "America/Santiago", "Africa/Cairo", "Asia/Beirut", "Asia/Tokyo", "UTC"]
    ).map(ZoneInfo),
)
@settings(max_examples=200, deadline=None)
def test_the_last_day_is_the_last_one_that_has_begun(at: dt.datetime, zone: ZoneInfo) -> None:
    rule = days(f"FREQ=DAILY;UNTIL={at:%Y%m%dT%H%M%SZ}").in_zone(zone)
    last = rule.last_day()
    assert last is not None

    def start(day: dt.date) -> dt.datetime:
        return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)

    assert start(last) <= at < start(last + dt.timedelta(days=1))
    assert rule.name_of(last) is not None
    assert rule.name_of(last + dt.timedelta(days=1)) is None


def test_a_rule_may_have_days_in_some_zones_only() -> None:
    rule = days("DTSTART=20260105;FREQ=WEEKLY;UNTIL=20260104T160000Z")
    assert first_days(rule.in_zone(TOKYO), 1, dt.date(2026, 1, 1)) == [dt.date(2026, 1, 5)]
    assert first_days(rule.in_zone(NEW_YORK), 1, dt.date(2026, 1, 1)) == []


def test_a_start_with_z_is_the_day_that_it_is_in_the_zone() -> None:
    rule = days("DTSTART:20260102T023000Z\nRRULE:FREQ=WEEKLY")
    assert first_days(rule.in_zone(TOKYO), 1, dt.date(2026, 1, 1)) == [dt.date(2026, 1, 2)]
    assert first_days(rule.in_zone(NEW_YORK), 1, dt.date(2026, 1, 1)) == [dt.date(2026, 1, 1)]


ZONES_FILE = """\
version: 1
timezone: America/New_York
calendars: {thursdays: "FREQ=WEEKLY;BYDAY=TH;UNTIL=20261231T045959Z"}
schedules:
  here: {hours: open, except: [{dates: thursdays, hours: closed}]}
  there: {timezone: Asia/Tokyo, hours: open, except: [{dates: [05-01, thursdays], hours: closed}]}
lines:
  main:
    numbers: +19195551000
    rules: [{when: {during: [here, there]}, reject: true}]
    otherwise: {reject: true}
emergency: {reject: true}
"""


def test_a_calendar_ends_in_the_zone_of_each_schedule_that_names_it() -> None:
    rules = read(ZONES_FILE)
    day = dt.datetime(2026, 12, 31, 12)  # noqa: DTZ001 - the zone follows
    for name, is_open in (("here", True), ("there", False)):
        schedule = rules.schedules[name]
        assert schedule.judge(day.replace(tzinfo=schedule.zone), {}).open is is_open


def warnings(rule: str) -> list[tuple[str, str]]:
    rules = read(ZONES_FILE.replace("FREQ=WEEKLY;BYDAY=TH;UNTIL=20261231T045959Z", rule))
    return [(each.code, each.message) for each in rules.warnings]


def test_some_weeks_on_the_day_of_the_start_only_are_warned_of() -> None:
    ((code, message),) = warnings("DTSTART=20260106;FREQ=WEEKLY;INTERVAL=3")
    assert code == "which-days"
    assert "Tuesdays only" in message
    assert "BYDAY=TU" in message
    assert "BYDAY=MO,TU,WE,TH,FR,SA,SU" in message
    assert warnings("DTSTART=20260106;FREQ=WEEKLY;INTERVAL=3;BYDAY=TU") == []
    assert warnings("DTSTART=20260106;FREQ=WEEKLY") == []
    assert warnings("DTSTART=20260106;FREQ=DAILY;INTERVAL=3") == []


# A rule without a start, by its definition: whether a day fits each part.


@st.composite
def plain_rules(draw: st.DrawFn) -> dict[str, object]:
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    rule: dict[str, object] = {"FREQ": freq}

    def some(least: int, most: int) -> list[int]:
        return draw(st.lists(st.integers(least, most), min_size=1, max_size=3, unique=True))

    if draw(st.booleans()):
        rule["BYMONTH"] = some(1, 12)
    if freq != "WEEKLY" and draw(st.booleans()):
        rule["BYMONTHDAY"] = [n for n in some(-31, 31) if n] or [1]
    if freq == "YEARLY" and draw(st.booleans()):
        rule["BYYEARDAY"] = [n for n in some(-366, 366) if n] or [1]
    if draw(st.booleans()) or freq == "WEEKLY" or len(rule) == 1 or list(rule)[1:] == ["BYMONTH"]:
        names = draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=3, unique=True))
        of_year = freq == "YEARLY" and not rule.keys() & {"BYMONTH"}
        most = 53 if of_year else 5
        numbered = freq in {"MONTHLY", "YEARLY"} and draw(st.booleans())
        numbers = st.integers(-most, most).filter(bool) if numbered else st.just(0)
        rule["BYDAY"] = [(draw(numbers), name) for name in names]
    return rule


def text_of(rule: dict[str, object]) -> str:
    parts = []
    for key, value in rule.items():
        each = value if isinstance(value, list) else [value]
        shown = (f"{n or ''}{day}" for n, day in each) if key == "BYDAY" else map(str, each)
        parts.append(f"{key}={','.join(shown)}")
    return ";".join(parts)


def fits(rule: dict[str, object], day: dt.date) -> bool:
    month = dt.date(day.year, day.month, 1)
    next_month = (month + dt.timedelta(days=31)).replace(day=1)
    year, next_year = dt.date(day.year, 1, 1), dt.date(day.year + 1, 1, 1)

    def counted(first: dt.date, after: dt.date) -> set[int]:
        return {(day - first).days + 1, (day - after).days}

    def weekday(number: int, name: str) -> bool:
        if WEEKDAYS[day.weekday()] != name:
            return False
        of_year = rule["FREQ"] == "YEARLY" and "BYMONTH" not in rule
        first, after = (year, next_year) if of_year else (month, next_month)
        places = {(day - first).days // 7 + 1, -(((after - day).days - 1) // 7) - 1}
        return not number or number in places

    tests = {
        "BYMONTH": lambda n: n == day.month,
        "BYMONTHDAY": lambda n: n in counted(month, next_month),
        "BYYEARDAY": lambda n: n in counted(year, next_year),
        "BYDAY": lambda pair: weekday(*pair),
    }
    return all(any(map(tests[key], rule[key])) for key in rule.keys() & tests.keys())


@given(plain_rules(), st.integers(1995, 2040))
@settings(max_examples=150, deadline=None)
def test_a_rule_without_a_start_is_what_its_parts_say_day_by_day(
    rule: dict[str, object], year: int
) -> None:
    text = text_of(rule)
    every = [dt.date(year, 1, 1) + dt.timedelta(days=n) for n in range(365)]
    wanted = [day for day in every if fits(rule, day)]
    found, reason = read_or_refused(text)
    if found is None:
        assert "no day ever fits" in reason
        assert wanted == []
    else:
        assert [day for day in every if found.name_of(day)] == wanted


def read_or_refused(text: str) -> tuple[Days | None, str]:
    try:
        return days(text), ""
    except Wrong as wrong:
        return None, str(wrong)


def part(key: str) -> st.SearchStrategy[str]:
    numbers = st.integers(-400, 400)
    named = st.builds(lambda n, d: f"{n or ''}{d}", st.integers(-60, 60), st.sampled_from(WEEKDAYS))
    values = {
        "FREQ": st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY"]),
        "BYDAY": st.lists(named, min_size=1, max_size=3).map(",".join),
        "UNTIL": st.sampled_from(["20261231", "20261231T235959Z", "soon", "19700101"]),
        "DTSTART": st.sampled_from(["20260105", "19700101", "22001231", "20260105T235959Z"]),
        "WKST": st.sampled_from([*WEEKDAYS, "X"]),
    }
    return values.get(key, st.lists(numbers.map(str), min_size=1, max_size=3).map(",".join)).map(
        lambda value: f"{key}={value}"
    )


KEYS = [
    *("DTSTART", "FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTH", "BYMONTHDAY"),
    *("BYYEARDAY", "BYWEEKNO", "BYSETPOS", "WKST"),
]
ANY_RULE = st.lists(st.sampled_from(KEYS), unique=True, max_size=6).flatmap(
    lambda keys: st.tuples(*(part(key) for key in {*keys, "FREQ"})).map(";".join)
)


@given(ANY_RULE)
@settings(max_examples=150, deadline=3000)
def test_every_rule_is_read_or_refused_soon(text: str) -> None:
    found, reason = read_or_refused(text)
    assert found or reason
    if found:
        found.last_day()
        for year in (1999, 2026, 2027, 2199):
            found.in_zone(TOKYO).name_of(dt.date(year, 12, 31))
