"""Days of every year, Easter, and a country's holidays: all, some, and those it misses."""

from __future__ import annotations

import datetime as dt
import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import holidays
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.countries import Country, holiday_of
from routing.dates import EasterDays, Yearly, YearlyRange, parse_days
from routing.proof.findings import INFO, WARNING
from routing.proof.prove import prove
from routing.proof.subdivisions import subdivisions
from routing.reader import read

if TYPE_CHECKING:
    from routing.proof.findings import Finding
    from routing.rules import RuleSet

FILE = """\
version: 1
timezone: America/New_York
{calendars}
schedules:
  s:
    hours: open
    except: [{{dates: {dates}, hours: closed}}]
lines:
  main:
    numbers: +19195551000
    rules: [{{when: {{during: s}}, reject: true}}]
    otherwise: {{reject: true}}
emergency: {{reject: true}}
"""
TODAY = dt.date(2026, 3, 1)


def rules_of(dates: str, calendars: str = "") -> RuleSet:
    section = f"calendars: {{{calendars}}}" if calendars else ""
    return read(FILE.format(dates=dates, calendars=section))


def closed(dates: str, years: range, calendars: str = "") -> dict[str, str]:
    """Return the days of some years on which a schedule is closed, with what they are called."""
    schedule = rules_of(dates, calendars).schedules["s"]
    found = {}
    for year in years:
        for number in range(366):
            day = dt.date(year, 1, 1) + dt.timedelta(days=number)
            hours = schedule.hours_on(day)
            if day.year == year and hours.exception is not None:
                found[str(day)] = hours.exception
    return found


RANGES = [
    ("12-24..01-02", ["2026-12-23", "2027-01-03"], ["2026-12-24", "2026-12-31", "2027-01-02"]),
    ("12-24 .. 01-02", ["2028-01-03", "2028-07-01"], ["2028-01-01", "2028-12-24"]),
    ("12-24..12-26", ["2026-12-23", "2026-12-27", "2026-01-01"], ["2026-12-24", "2026-12-26"]),
    ("07-04..07-04", ["2026-07-03", "2026-07-05"], ["2026-07-04", "2027-07-04"]),
    ("02-29..03-02", ["2027-02-28", "2027-03-03"], ["2027-03-01", "2028-02-29", "2028-03-02"]),
    ("02-27..02-29", ["2027-03-01", "2028-03-01"], ["2027-02-27", "2027-02-28", "2028-02-29"]),
    ("02-29..02-29", ["2027-02-28", "2027-03-01"], ["2028-02-29"]),
    ("01-01..12-31", [], ["2026-01-01", "2026-12-31", "2028-02-29"]),
    ("03-01..02-28", ["2028-02-29"], ["2026-03-01", "2027-02-28", "2026-12-31"]),
]


@pytest.mark.parametrize(("text", "outside", "inside"), RANGES, ids=[each[0] for each in RANGES])
def test_a_yearly_range(text: str, outside: list[str], inside: list[str]) -> None:
    days = parse_days(text)
    assert days is not None
    assert [day for day in outside if days.name_of(dt.date.fromisoformat(day))] == []
    shown = text.replace(" ", "")
    assert {days.name_of(dt.date.fromisoformat(day)) for day in inside} == {shown}
    assert days.last_day() is None


leap_days = st.integers(0, 365).map(lambda n: dt.date(2024, 1, 1) + dt.timedelta(days=n))


@given(leap_days, leap_days, st.dates(dt.date(2000, 1, 1), dt.date(2100, 12, 31)))
def test_a_yearly_range_is_what_lies_between_its_ends(
    first: dt.date, last: dt.date, day: dt.date
) -> None:
    """Walk through a leap year from the first day on until the last one."""
    days = YearlyRange(Yearly(first.month, first.day), Yearly(last.month, last.day))
    every = [dt.date(2024, 1, 1) + dt.timedelta(days=n) for n in range(366)]
    place = every.index(first)
    inside = set()
    for each in every[place:] + every[:place]:
        inside.add((each.month, each.day))
        if each == last:
            break
    assert (days.name_of(day) is not None) == ((day.month, day.day) in inside)


# Easter Sundays as almanacs print them, in the west and in the east.
EASTER = {
    2000: ("2000-04-23", "2000-04-30"),
    2008: ("2008-03-23", "2008-04-27"),
    2011: ("2011-04-24", "2011-04-24"),
    2016: ("2016-03-27", "2016-05-01"),
    2019: ("2019-04-21", "2019-04-28"),
    2024: ("2024-03-31", "2024-05-05"),
    2025: ("2025-04-20", "2025-04-20"),
    2026: ("2026-04-05", "2026-04-12"),
    2027: ("2027-03-28", "2027-05-02"),
    2028: ("2028-04-16", "2028-04-16"),
    2038: ("2038-04-25", "2038-04-25"),
}


@pytest.mark.parametrize("year", EASTER)
def test_easter(year: int) -> None:
    for text, sunday in zip(("easter", "orthodox-easter"), EASTER[year], strict=True):
        assert closed(text, range(year, year + 1)) == {sunday: text}


@given(st.integers(1990, 2090), st.integers(-200, 200), st.booleans())
@settings(max_examples=60)
def test_days_are_counted_from_easter(year: int, number: int, orthodox: bool) -> None:
    prefix = "orthodox-" if orthodox else ""
    sunday = next(
        day
        for day in (dt.date(year, 3, 20) + dt.timedelta(days=n) for n in range(60))
        if EasterDays(0, 0, orthodox).name_of(day)
    )
    assert sunday.weekday() == 6
    text = f"{prefix}easter{number:+}"
    days = parse_days(text)
    assert days is not None
    day = sunday + dt.timedelta(days=number)
    assert days.name_of(day) == (text if number else f"{prefix}easter")
    assert days.name_of(day + dt.timedelta(days=1)) is None
    assert days.name_of(day - dt.timedelta(days=1)) is None


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("easter-2", ["2026-04-03"]),
        ("Easter+1", ["2026-04-06"]),
        ("easter + 39", ["2026-05-14"]),
        ("easter+0", ["2026-04-05"]),
        ("easter-2..easter+1", ["2026-04-03", "2026-04-04", "2026-04-05", "2026-04-06"]),
        ("Orthodox Easter-2..orthodox-easter", ["2026-04-10", "2026-04-11", "2026-04-12"]),
        ("easter-100", ["2026-12-18"]),
        ("[easter-2, 12-25]", ["2026-04-03", "2026-12-25"]),
    ],
)
def test_days_around_easter(text: str, days: list[str]) -> None:
    assert list(closed(text, range(2026, 2027))) == days


def test_the_holidays_of_the_package_that_hang_on_easter_are_where_ours_are() -> None:
    for country, text, name in (
        ("GB", "easter-2", "Good Friday"),
        ("NZ", "easter+1", "Easter Monday"),
        ("GR", "orthodox-easter+50", None),
    ):
        every = holidays.country_holidays(country, years=range(2020, 2040))
        for year in range(2020, 2040):
            (day,) = closed(text, range(year, year + 1))
            assert dt.date.fromisoformat(day) in every
            assert name is None or name in every[dt.date.fromisoformat(day)]


US = "us: {country: US, %s}"


def us(more: str, years: range = range(2026, 2029)) -> dict[str, str]:
    return closed("us", years, US % more)


ALL_US = closed("us", range(2026, 2029), "us: {country: US}")


def test_without_a_holiday_its_days_are_usual_ones() -> None:
    left = us("without: Columbus Day")
    gone = ALL_US.keys() - left.keys()
    assert gone == {"2026-10-12", "2027-10-11", "2028-10-09"}
    assert left == {day: name for day, name in ALL_US.items() if day not in gone}


@pytest.mark.parametrize(
    "name", ["Columbus Day", "columbus day", "COLUMBUS  DAY", " Columbus Day", "'Columbus Day'"]
)
def test_a_name_is_known_in_any_case(name: str) -> None:
    assert us(f"without: {name}") == us("without: [Columbus Day]")


def test_an_apostrophe_may_be_a_curly_one() -> None:
    assert us("only: New Year\N{RIGHT SINGLE QUOTATION MARK}s Day") == us('only: "New Year\'s Day"')


def test_an_observed_day_goes_with_its_holiday() -> None:
    assert us("without: Independence Day").keys() == ALL_US.keys() - {
        *("2026-07-03", "2026-07-04", "2027-07-04", "2027-07-05", "2028-07-04"),
    }
    assert us("only: Independence Day") == {
        "2026-07-03": "us: Independence Day (observed)",
        "2026-07-04": "us: Independence Day",
        "2027-07-04": "us: Independence Day",
        "2027-07-05": "us: Independence Day (observed)",
        "2028-07-04": "us: Independence Day",
    }
    assert us('only: "Independence Day (observed)"').keys() == {"2026-07-03", "2027-07-05"}


def test_some_holidays_may_be_the_only_ones_by_name_or_date() -> None:
    assert us("only: [Thanksgiving Day, 12-25, 2027-01-01]").keys() == {
        *("2026-11-26", "2027-11-25", "2028-11-23"),
        *("2026-12-25", "2027-12-25", "2028-12-25", "2027-01-01"),
    }
    left = us('without: [12-24..01-02, "FREQ=YEARLY;BYMONTH=10;BYDAY=MO"]')
    assert ALL_US.keys() - left.keys() == {
        *("2026-01-01", "2027-01-01", "2028-01-01", "2027-12-24", "2027-12-31"),
        *("2026-12-25", "2027-12-25", "2028-12-25", "2026-10-12", "2027-10-11", "2028-10-09"),
    }


def test_good_friday_alone() -> None:
    found = closed("gf", range(2026, 2028), "gf: {country: GB, only: good friday}")
    assert found == {"2026-04-03": "gf: Good Friday", "2027-03-26": "gf: Good Friday"}


def test_of_two_holidays_on_one_day_one_may_go() -> None:
    texas = "tx: {country: US, subdivision: TX%s}"
    day = "2026-06-19"
    both = "Emancipation Day In Texas; Juneteenth National Independence Day"
    assert closed("tx", range(2026, 2027), texas % "")[day] == f"tx: {both}"
    left = closed("tx", range(2026, 2027), texas % ", without: Emancipation Day in Texas")
    assert left[day] == "tx: Juneteenth National Independence Day"
    assert day not in closed("tx", range(2026, 2027), texas % f', without: "{both}"')


def test_what_a_subdivision_keeps_may_be_left_out() -> None:
    names = "[Texas Independence Day, Cesar Chavez Day, San Jacinto Day, Confederate Memorial Day]"
    texas = "tx: {country: US, subdivision: TX, without: %s}"
    found = closed("tx", range(2026, 2027), texas % names)
    assert "2026-03-02" not in found
    assert found["2026-01-19"] == "tx: Martin Luther King Jr. Day"


@pytest.mark.parametrize("name", ["Karfreitag", "Good Friday", "good friday"])
def test_a_holiday_may_be_named_in_english(name: str) -> None:
    found = closed("de", range(2026, 2027), f"de: {{country: DE, only: {name}}}")
    assert found == {"2026-04-03": "de: Karfreitag"}


def test_names_of_observed_days_in_other_countries() -> None:
    for code, name, own in (
        ("TH", "ชดเชยวันแม่แห่งชาติ", "วันแม่แห่งชาติ"),
        ("GB", "Boxing Day (observed)", "Boxing Day"),
        ("CO", "Día de Todos los Santos (observado)", "Día de Todos los Santos"),
        ("NZ", "Easter Monday", "Easter Monday"),
        ("GB", "Spring Bank Holiday", "Spring Bank Holiday"),
    ):
        assert holiday_of(Country(code), name) == own


def test_a_holiday_is_called_alike_on_every_host() -> None:
    code = (
        "from routing.reading.calendars import country_of;"
        "print(sorted(set(country_of('DE', None, ()).days([2026]).values())))"
    )
    told = set()
    for language in ("C.UTF-8", "en_US.UTF-8", "de_DE.UTF-8"):
        environment = os.environ | {"LANG": language, "LC_ALL": language, "LANGUAGE": language[:5]}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        told.add(done.stdout)
    assert len(told) == 1
    assert "Karfreitag" in told.pop()


def test_years_of_which_nothing_is_known_have_no_days() -> None:
    found = closed("cn", range(2030, 2040), "cn: {country: CN}")
    assert found
    assert closed("in", range(2036, 2037), "in: {country: IN}")


@pytest.mark.parametrize("date", ["2026-10-13", "02-30..03-01", "12-27"])
def test_a_date_that_is_no_holiday_is_warned_of(date: str) -> None:
    if date.startswith("02-30"):
        date = "03-01..03-09"
    (warning,) = rules_of("us", US % f"without: [Columbus Day, {date}]").warnings
    assert (warning.code, warning.path) == ("no-holiday", "calendars.us.without[1]")
    assert date in warning.message
    assert rules_of("us", US % "without: 12-25").warnings == ()


COUNTRIES_WITHIN = [
    ("[{country: US}, 2026-05-08]", ""),
    ("{country: US, only: Labor Day}", ""),
    ("[shop, {country: US, without: Columbus Day}]", "shop: 05-08"),
    ("shop", "shop: [{country: US}, 12-24..01-02]"),
    ("all", "shop: [{country: US}, 12-24..01-02], all: [shop, 05-08]"),
]


@pytest.mark.parametrize(("dates", "calendars"), COUNTRIES_WITHIN)
def test_a_country_may_stand_among_dates(dates: str, calendars: str) -> None:
    found = closed(dates, range(2026, 2027), calendars)
    assert "2026-09-07" in found
    assert ("2026-05-08" in found) == ("05-08" in dates + calendars)
    assert ("2026-12-24" in found) == ("12-24" in calendars)
    assert found["2026-09-07"].endswith("Labor Day")


def missing(dates: str, calendars: str = "") -> list[Finding]:
    return list(subdivisions(rules_of(dates, calendars).countries, TODAY))


def test_a_country_without_its_subdivision_is_told_of_once_a_calendar() -> None:
    rules = rules_of("[a, b, c]", "a: {country: GB}, b: [12-24, {country: GB}], c: [a, b]")
    found = prove(rules, dt.datetime(2026, 3, 1, tzinfo=dt.UTC)).findings
    told = [each for each in found if each.code == "no-subdivision"]
    assert [each.keys for each in told] == [
        ("calendars", "a", "country"),
        ("calendars", "b", 1, "country"),
    ]
    for each in told:
        assert each.severity == WARNING
        for word in ("ENG", "NIR", "SCT", "WLS", "Easter Monday (2026-04-06; 3 of 4)"):
            assert word in each.message
        assert "Late Summer Bank Holiday (2026-08-31; 3 of 4)" in each.message
        assert "subdivision: ENG" in each.message


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("CA", ["ON", "Thanksgiving Day", "Victoria Day"]),
        ("AU", ["NSW", "Boxing Day", "Labour Day"]),
        ("CH", ["ZH", "Karfreitag", "Ostermontag"]),
        ("DE", ["BY", "Reformationstag"]),
    ],
)
def test_days_that_most_subdivisions_have_are_a_warning(code: str, words: list[str]) -> None:
    (found,) = missing(f"{{country: {code}}}")
    assert (found.severity, found.keys) == (
        WARNING,
        ("schedules", "s", "except", 0, "dates", "country"),
    )
    assert [word for word in words if word not in found.message] == []


def test_days_that_some_subdivisions_have_are_information() -> None:
    (found,) = missing("{country: US}")
    assert found.severity == INFO
    for word in ("AK", "WY", "Good Friday", "Day After Thanksgiving", "subdivision: "):
        assert word in found.message


@pytest.mark.parametrize(
    "country",
    [
        "{country: GB, subdivision: ENG}",
        "{country: GB, only: Good Friday}",
        "{country: JP}",
        "{country: AT}",
        "{country: PL}",
    ],
)
def test_nothing_is_said_where_nothing_is_missing(country: str) -> None:
    assert missing(country) == []


@pytest.mark.parametrize("code", ["GB", "CA", "CH"])
def test_the_days_that_are_missing_are_those_of_the_package(code: str) -> None:
    """Whoever adds every named day by hand has what most of the subdivisions have."""
    (found,) = missing(f"{{country: {code}}}")
    end = TODAY + dt.timedelta(days=400)
    known = holidays.country_holidays(code)
    own = known.default_language
    base = holidays.country_holidays(code, years=[2026, 2027], language=own)
    counts: dict[str, set[str]] = {}
    for part in known.subdivisions:
        every = holidays.country_holidays(code, subdiv=part, years=[2026, 2027], language=own)
        for day, names in every.items():
            if TODAY <= day < end and day not in base:
                for name in names.split("; "):
                    counts.setdefault(name.removesuffix(" (observed)"), set()).add(part)
    for name, parts in counts.items():
        told = re.search(rf"[,:] {re.escape(name)} \(", found.message) is not None
        assert told == (2 * len(parts) > len(known.subdivisions)), name
