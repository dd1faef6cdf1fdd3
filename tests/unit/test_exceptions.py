"""Exceptions of a schedule: hours by weekday, cut hours, conditions on days, and `like`."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opening_hours import OpeningHours

from routing.dates import DateRange, Yearly
from routing.problems import RulesError
from routing.proof.sweep import Sweep, changes, instant
from routing.proof.timeline import Override, Supposed, timeline
from routing.reader import read
from routing.schedule import (
    EVERY_WEEKDAY,
    Exceptional,
    Schedule,
    Window,
    cut,
)

if TYPE_CHECKING:
    from routing.rules import RuleSet

FILE = """\
version: 1
timezone: America/New_York
destinations:
  desk: {transferTo: +19195550101}
  night: {transferTo: +18005550199}
calendars:
  us: {country: US}
  summer: 06-01..08-31
  thursdays: "FREQ=WEEKLY;BYDAY=TH;UNTIL=20261231T045959Z"
schedules:
%s
lines:
  main:
    numbers: +19195551000
    rules:
%s
    otherwise: {transferTo: night}
emergency: {transferTo: night}
"""
RULE = "      - {name: %s, when: {during: %s}, transferTo: desk}"
DAY = 86_400


def rules_of(schedules: str, *asked: str) -> RuleSet:
    """Read some schedules; a rule of the only line asks for each of them, or for those `asked`."""
    names = [line.split(":")[0] for line in schedules.splitlines() if line[:1] != " "]
    indented = "\n".join(f"  {line}" for line in schedules.splitlines())
    return read(FILE % (indented, "\n".join(RULE % (name, name) for name in asked or names)))


def schedule(text: str) -> Schedule:
    indented = "\n".join(f"  {line}" for line in text.splitlines())
    return rules_of(f"s:\n{indented}").schedules["s"]


def hours_on(found: Schedule, day: str) -> str:
    return ", ".join(map(str, found.hours_on(dt.date.fromisoformat(day)).windows)) or "closed"


def at(text: str, zone: str = "America/New_York") -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


OFFICE = "hours: {mon-thu: '09:00-12:30, 13:30-17:00', fri: 09:00-15:00, sat: 22:00-06:00}\n"
DATES = "except: [{dates: 12-01..12-31, %s}]"
DAYS = [
    # what the exception says; 2026-12-01 is a Tuesday
    ("until: 12:00", {"12-01": "09:00-12:00", "12-04": "09:00-12:00", "12-06": "closed"}),
    ("until: 14:00", {"12-01": "09:00-12:30, 13:30-14:00", "12-04": "09:00-14:00"}),
    ("until: 09:00", {"12-01": "closed", "12-04": "closed"}),
    ("until: 24:00", {"12-01": "09:00-12:30, 13:30-17:00", "12-05": "22:00-24:00"}),
    ("until: 00:00", {"12-01": "09:00-12:30, 13:30-17:00", "12-05": "22:00-24:00"}),
    ("until: 23:00", {"12-05": "22:00-23:00"}),
    ("from: 10:00", {"12-01": "10:00-12:30, 13:30-17:00", "12-04": "10:00-15:00"}),
    ("from: 13:00", {"12-01": "13:30-17:00", "12-05": "22:00-06:00"}),
    ("from: 16:00", {"12-01": "16:00-17:00", "12-04": "closed"}),
    ("from: 23:30", {"12-05": "23:30-06:00", "12-01": "closed"}),
    ("from: 10:00, until: 14:00", {"12-01": "10:00-12:30, 13:30-14:00", "12-05": "closed"}),
    ("from: 16:00, until: 02:00", {"12-01": "16:00-17:00", "12-05": "22:00-02:00"}),
    ("hours: {mon-fri: 10:00-14:00, sat: closed}", {"12-01": "10:00-14:00", "12-05": "closed"}),
    ("hours: {mon: 10:00-14:00, sat: open}", {"12-01": "closed", "12-05": "00:00-24:00"}),
    ("hours: closed, days: mon-fri", {"12-01": "closed", "12-05": "22:00-06:00"}),
    ("hours: closed, days: 'tue, sat'", {"12-01": "closed", "12-02": "09:00-12:30, 13:30-17:00"}),
    ("hours: closed, days: [fri-mon, tue]", {"12-01": "closed", "12-05": "closed"}),
    ("until: 12:00, days: fri", {"12-01": "09:00-12:30, 13:30-17:00", "12-04": "09:00-12:00"}),
    ("hours: closed, within: us", {"12-24": "09:00-12:30, 13:30-17:00", "12-25": "closed"}),
    ("hours: closed, within: [us, 12-24]", {"12-24": "closed", "12-25": "closed"}),
    ("hours: closed, within: thursdays", {"12-24": "closed", "12-31": "09:00-12:30, 13:30-17:00"}),
    (
        "hours: {fri: 10:00-11:00}, days: fri-sat, within: us",
        {"12-25": "10:00-11:00", "12-26": "22:00-06:00", "12-18": "09:00-15:00"},
    ),
    ("hours: 09:00-09:00", {"12-01": "09:00-09:00"}),
]


@pytest.mark.parametrize(("says", "wanted"), DAYS, ids=[each[0] for each in DAYS])
def test_the_hours_of_a_day(says: str, wanted: dict[str, str]) -> None:
    found = schedule(OFFICE + DATES % says)
    assert {day: hours_on(found, f"2026-{day}") for day in wanted} == wanted
    assert hours_on(found, "2026-11-30") == "09:00-12:30, 13:30-17:00"


def test_a_day_that_an_entry_does_not_hold_for_is_that_of_the_next_entry() -> None:
    found = schedule(
        OFFICE + "except:\n"
        "  - {dates: us, within: summer, hours: open}\n"
        "  - {dates: us, days: fri, until: 12:00}\n"
        "  - {dates: us, hours: closed}"
    )
    assert hours_on(found, "2026-07-03") == "00:00-24:00"
    assert hours_on(found, "2026-12-25") == "09:00-12:00"
    assert hours_on(found, "2026-11-26") == "closed"
    noon = found.judge(at("2026-12-25T12:30"), {})
    assert noon.because() == "12:30 on Friday is after closing (us: Christmas Day)"


clocks = st.integers(0, 24 * 12).map(lambda n: n * 300)


@st.composite
def windows(draw: st.DrawFn) -> tuple[Window, ...]:
    found = []
    for _ in range(draw(st.integers(0, 3))):
        start, end = draw(clocks.filter(lambda s: s < DAY)), draw(clocks)
        found.append(Window(start, end if end > start else end + DAY))
    return tuple(found)


weeks = st.tuples(*[windows()] * 7)
parts = st.tuples(clocks.filter(lambda s: s < DAY), st.integers(1, 2 * DAY)).map(
    lambda pair: Window(pair[0], min(pair[0] + pair[1], 2 * DAY))
)


def seconds(found: tuple[Window, ...]) -> set[int]:
    return {second for each in found for second in range(each.start, each.end, 300)}


@given(windows(), parts)
@settings(max_examples=100)
def test_a_cut_is_what_windows_and_part_have_in_common(
    usual: tuple[Window, ...], part: Window
) -> None:
    whole = Window(part.start - part.start % 300, part.end - part.end % 300 or 300)
    assert seconds(cut(usual, whole)) == seconds(usual) & seconds((whole,))


FIRST = dt.date(2026, 10, 29)


@st.composite
def exceptionals(draw: st.DrawFn) -> Exceptional:
    """Exceptions around the day on which clocks go back in New York."""

    def dates() -> tuple[DateRange | Yearly, ...]:
        day = FIRST + dt.timedelta(days=draw(st.integers(0, 7)))
        if draw(st.booleans()):
            return (Yearly(day.month, day.day),)
        return (DateRange(day, day + dt.timedelta(days=draw(st.integers(0, 4)))),)

    weekdays = frozenset(draw(st.sets(st.integers(0, 6), min_size=1)) or EVERY_WEEKDAY)
    hours = draw(st.none() | weeks)
    return Exceptional(dates(), hours, draw(parts), weekdays, draw(st.just(()) | st.builds(dates)))


def open_at(
    week: tuple[tuple[Window, ...], ...], written: list[Exceptional], wall: dt.datetime
) -> bool:
    """Judge a moment on the wall by walking through the windows of that day and the day before."""
    for back in (0, 1):
        day = wall.date() - dt.timedelta(days=back)
        found = week[day.weekday()]
        for each in written:
            inside = not each.within or any(days.name_of(day) for days in each.within)
            if (
                day.weekday() in each.weekdays
                and inside
                and any(days.name_of(day) for days in each.days)
            ):
                usual = week[day.weekday()]
                found = cut(usual, each.part) if each.hours is None else each.hours[day.weekday()]
                break
        second = wall.hour * 3600 + wall.minute * 60 + wall.second + back * DAY
        if any(window.start <= second < window.end for window in found):
            return True
    return False


@given(weeks, st.lists(exceptionals(), max_size=4), st.lists(st.integers(0, 9 * 288), min_size=20))
@settings(max_examples=60, deadline=None)
def test_exceptions_agree_with_a_walk_day_by_day(
    week: tuple[tuple[Window, ...], ...], written: list[Exceptional], moments: list[int]
) -> None:
    zone = ZoneInfo("America/New_York")
    found = Schedule(
        "s", zone, week, tuple(hours for each in written for hours in each.of(week, zone))
    )
    start = dt.datetime.combine(FIRST, dt.time(), zone).astimezone(dt.UTC)
    for number in moments:
        moment = start + dt.timedelta(minutes=5 * number)
        wall = moment.astimezone(zone).replace(tzinfo=None)
        assert found.judge(moment, {}).open == open_at(week, written, wall), moment


@given(weeks, st.lists(exceptionals(), max_size=3))
@settings(max_examples=25, deadline=None)
def test_the_sweep_misses_no_instant_of_an_exception(
    week: tuple[tuple[Window, ...], ...], written: list[Exceptional]
) -> None:
    zone = ZoneInfo("America/New_York")
    found = Schedule(
        "s", zone, week, tuple(hours for each in written for hours in each.of(week, zone))
    )
    start = dt.datetime(2026, 10, 30, tzinfo=dt.UTC)
    moments = Sweep(start, 4).moments([found])
    pieces = [(at_, moments.kinds[kind][0]) for at_, kind in moments.pieces]
    for minutes in range(0, 4 * 1440, 5):
        moment = start + dt.timedelta(minutes=minutes)
        is_open = [state for begin, state in pieces if instant(begin) <= moment][-1]
        assert found.judge(moment, {}).open == is_open, moment


@pytest.mark.parametrize(
    ("says", "oracle"),
    [
        ("dates: 12-24, until: 12:00", "Dec 24 09:00-12:00"),
        ("dates: 12-24..01-02, hours: closed", "Dec 24-Jan 02 off"),
        ("dates: easter+1, hours: closed", "easter +1 day off"),
        ("dates: easter-2, hours: 10:00-11:00", "easter -2 days 10:00-11:00"),
        ("dates: 06-01..08-31, days: fri, until: 14:00", "Jun-Aug Fr 09:00-14:00"),
        ("dates: 06-01..08-31, hours: {mon-fri: 08:00-14:00}", "Jun-Aug off; Jun-Aug Mo-Fr 08:00-14:00"),
    ],
)  # fmt: skip
def test_opening_hours_of_openstreetmap_agree(says: str, oracle: str) -> None:
    found = schedule(f"hours: {{mon-fri: 09:00-17:00, sat: 09:00-12:30}}\nexcept: [{{{says}}}]")
    judge = OpeningHours(f"Mo-Fr 09:00-17:00; Sa 09:00-12:30; {oracle}")
    wall = dt.datetime(2026, 1, 1, 0, 30)  # noqa: DTZ001 - wall time
    while wall.year < 2028:
        mine = found.judge(wall.replace(tzinfo=found.zone), {}).open
        assert mine == judge.is_open(wall), wall
        wall += dt.timedelta(minutes=210)


LIKE = """\
office:
  hours: {mon-fri: 09:00-17:00}
  except:
    - {dates: us, hours: closed}
    - {dates: 12-31, until: 12:45}
lunch:
  like: office
  hours: {mon-fri: 12:30-13:30}
  except: [{dates: 11-26, hours: 12:00-13:00}]
bar:
  like: lunch
  hours: {mon-fri: 11:00-13:00}"""


def test_like_takes_the_exceptions_of_the_other_schedule() -> None:
    found = rules_of(LIKE).schedules
    wanted = {
        # weekday, holiday, a day cut at 12:45, and one that lunch has for itself
        "office": ["09:00-17:00", "closed", "09:00-12:45", "closed"],
        "lunch": ["12:30-13:30", "closed", "12:30-12:45", "12:00-13:00"],
        "bar": ["11:00-13:00", "closed", "11:00-12:45", "12:00-13:00"],
    }
    days = ["2026-12-01", "2026-12-25", "2026-12-31", "2026-11-26"]
    assert {name: [hours_on(found[name], day) for day in days] for name in wanted} == wanted


@pytest.mark.parametrize("order", [["lunch", "office"], ["office", "lunch"]])
def test_like_equals_copying_the_exceptions(order: list[str]) -> None:
    entries = "\n    - {dates: us, hours: closed}\n    - {dates: summer, days: fri, until: 13:00}"
    written = {
        "office": f"office:\n  hours: {{mon-fri: 09:00-17:00}}\n  except:{entries}",
        "lunch": "lunch:\n  like: office\n  hours: {mon-sat: 12:30-13:30}",
    }
    like = rules_of("\n".join(written[name] for name in order)).schedules["lunch"]
    copied = rules_of(f"lunch:\n  hours: {{mon-sat: 12:30-13:30}}\n  except:{entries}").schedules
    for number in range(800):
        day = dt.date(2026, 1, 1) + dt.timedelta(days=number)
        assert like.hours_on(day) == copied["lunch"].hours_on(day)


# ruff: noqa: E501 - one line for each case
OVERRIDES = [
    # overrides; whether office, lunch and bar are open on a Tuesday at 12:45, and why
    ({}, "open open open", "12:45 on Tuesday is in 12:30-13:30"),
    ({"office": "closed"}, "closed closed closed", "set closed by an override of office"),
    ({"lunch": "closed"}, "open closed closed", "set closed by an override"),
    ({"office": "closed", "lunch": "open"}, "closed open open", "set open by an override"),
    ({"office": "open", "lunch": "closed"}, "open closed closed", "set closed by an override"),
    ({"bar": "closed"}, "open open closed", "12:45 on Tuesday is in 12:30-13:30"),
    ({"office": "closed", "bar": "open"}, "closed closed open", "set closed by an override of office"),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "states", "because"), OVERRIDES)
def test_an_override_of_the_other_counts_unless_there_is_an_own_one(
    overrides: dict[str, str], states: str, because: str
) -> None:
    found = rules_of(LIKE).schedules
    moment = at("2026-12-01T12:45")
    verdicts = [found[name].judge(moment, overrides) for name in ("office", "lunch", "bar")]
    assert " ".join("open" if each.open else "closed" for each in verdicts) == states
    assert verdicts[1].because() == because


@pytest.mark.parametrize(
    "schedules",
    [
        "a: {like: a, hours: open}",
        "a: {like: b, hours: open}\nb: {like: a, hours: open}",
        "a: {like: b, hours: open}\nb: {like: c, hours: open}\nc: {like: a, hours: open}",
    ],
)
def test_a_circle_of_schedules_is_an_error_at_each_of_them(schedules: str) -> None:
    with pytest.raises(RulesError) as caught:
        rules_of(schedules)
    names = [line[0] for line in schedules.splitlines()]
    assert [(each.path, each.code) for each in caught.value.errors] == [
        (f"schedules.{name}.like", "schedule-loop") for name in names
    ]


def test_a_schedule_that_is_like_one_of_a_circle_is_not_one_of_it() -> None:
    with pytest.raises(RulesError) as caught:
        rules_of("a: {like: b, hours: open}\nb: {like: b, hours: open}")
    assert [each.path for each in caught.value.errors] == ["schedules.b.like"]


def warnings(schedules: str) -> list[tuple[str, str, str]]:
    kept = {"unused-name", "unassigned-number"}
    every = rules_of(schedules).warnings
    return [(each.code, each.path, each.message) for each in every if each.code not in kept]


def test_another_zone_than_that_of_the_schedule_it_is_like_is_warned_of() -> None:
    berlin = "a: {hours: open, timezone: Europe/Berlin}\nb: {like: a, hours: open%s}"
    ((code, path, message),) = warnings(berlin % "")
    assert (code, path) == ("other-timezone", "schedules.b.like")
    assert "timezone: Europe/Berlin" in message
    assert warnings(berlin % ", timezone: America/New_York") == []
    assert warnings(berlin % ", timezone: Europe/Berlin") == []


@pytest.mark.parametrize(
    ("says", "warned"),
    [
        ("until: 08:00", True),
        ("until: 09:00, days: mon-tue", True),
        ("from: 17:00", True),
        ("from: 16:00", False),
        ("until: 12:00, days: sun", True),
        ("hours: closed", False),
    ],
)
def test_a_cut_that_leaves_nothing_is_warned_of(says: str, warned: bool) -> None:
    found = warnings(
        f"s: {{hours: {{mon-fri: 09:00-17:00}}, except: [{{dates: 12-24, {says}}}]}}\n"
        "t: {like: s, hours: {sun: 01:00-02:00}}"
    )
    path = "schedules.s.except[0]"
    assert [each[:2] for each in found] == ([("nothing-left", path)] if warned else [])


DOUBTS = [
    # windows of one day; the code, and words of the message
    (
        "09:00-12:00, 11:00-15:00",
        "overlapping-windows",
        ["09:00-12:00", "11:00-15:00", "09:00-15:00"],
    ),
    ("13:00-17:00, 09:00-13:30", "overlapping-windows", ["09:00-13:30", "13:00-17:00"]),
    ("09:00-17:00, 12:00-13:00", "overlapping-windows", ["09:00-17:00", "12:00-13:00"]),
    ("09:00-12:00, 09:00-12:00", "overlapping-windows", ["09:00-12:00 and 09:00-12:00"]),
    ("22:00-06:00, 23:00-01:00", "overlapping-windows", ["22:00-06:00", "23:00-01:00"]),
    ("09:00-12:00, 12:00-17:00", "touching-windows", ["09:00-12:00", "12:00-17:00", "09:00-17:00"]),
    ("09:00-17:00, 17:00-09:00", "touching-windows", ["09:00-09:00"]),
    ("09:00-05:00", "long-window", ["20 h,", "05:00 of the next day", "09:00-17:00"]),
    ("09:00-03:01", "long-window", ["18 h 1 min,", "next day"]),
    ("05:00-24:00", "long-window", ["19 h,", "24:00"]),
    ("00:00-23:59", "last-minute", ["24:00"]),
    ("18:00-23:59", "last-minute", ["24:00"]),
    ("09:00-09:00, 13:00-14:00", "whole-day", ["09:00-09:00"]),
    ("00:00-24:00, 09:00-17:00", "whole-day", ["00:00-24:00"]),
    ("09:00-09:00", None, []),
    ("00:00-00:00", None, []),
    ("00:00-24:00", None, []),
    ("09:00-03:00", None, []),
    ("06:00-24:00", None, []),
    ("09:00-12:00, 12:01-17:00", None, []),
    ("22:00-06:00, 09:00-17:00", None, []),
    ("22:00-06:00, 06:00-09:00", None, []),
    ("open", None, []),
    ("closed", None, []),
]


@pytest.mark.parametrize("place", ["hours", "except", "by day"])
@pytest.mark.parametrize(("text", "code", "words"), DOUBTS, ids=[each[0] for each in DOUBTS])
def test_windows_that_are_probably_not_meant(
    text: str, code: str | None, words: list[str], place: str
) -> None:
    written, path = {
        "hours": (f'hours: {{mon-fri: "{text}"}}', "hours.mon-fri"),
        "except": (f'hours: open, except: [{{dates: 12-24, hours: "{text}"}}]', "except[0].hours"),
        "by day": (
            f'hours: open, except: [{{dates: 12-24, hours: {{mon: "{text}"}}}}]',
            "except[0].hours.mon",
        ),
    }[place]
    found = warnings(f"s: {{{written}}}")
    assert [each[:2] for each in found] == ([(code, f"schedules.s.{path}")] if code else [])
    assert [word for word in words if word not in found[0][2]] == []


def test_windows_of_different_days_may_meet() -> None:
    assert warnings("s: {hours: {mon: 22:00-06:00, tue: 05:00-23:00, wed: 06:00-24:00}}") == []
    assert warnings('s: {hours: {mon: ["09:00-12:00", "13:00-17:00"], tue: 17:00-09:00}}') == []


def test_a_day_from_nine_to_nine_goes_on_until_nine() -> None:
    found = schedule("hours: {sat: 09:00-09:00}")
    moments = {
        "2026-12-05T08:59:59": False,
        "2026-12-05T09:00": True,
        "2026-12-06T08:59:59": True,
        "2026-12-06T09:00": False,
    }
    assert {text: found.judge(at(text), {}).open for text in moments} == moments
    edges = [
        f"{each.astimezone(found.zone):%a %H:%M}"
        for each in changes([found], at("2026-12-01T00:00"), 7)
        if found.state(each) != found.state(each - dt.timedelta(seconds=1))
    ]
    assert edges == ["Sat 09:00", "Sun 09:00"]
    assert found.judge(at("2026-12-06T01:00"), {}).because() == (
        "01:00 on Sunday is in Saturday's 09:00-09:00"
    )


def shown(schedules: str, date: str, overrides: tuple[Override, ...] = ()) -> list[str]:
    rules = rules_of(schedules)
    supposed = Supposed(rules.default_caller, overrides=overrides)
    first = dt.date.fromisoformat(date)
    (line,) = timeline(rules, rules.lines.values(), first, 1, supposed).lines
    return [note.text for note in line.days[0].notes]


def test_the_timeline_names_exceptions_and_what_became_of_the_hours() -> None:
    texas = "{country: US, subdivision: TX}"
    office = f"s: {{hours: {{mon-fri: 09:00-17:00}}, except: [{{dates: {texas}, hours: closed}}]}}"
    assert shown(office, "2026-04-21") == ["San Jacinto Day: s closed"]
    cut_day = "s: {hours: {mon-fri: 09:00-17:00}, except: [{dates: easter-2, until: 12:00}]}"
    assert shown(cut_day, "2026-04-03") == ["easter-2: s 09:00-12:00"]
    assert shown(LIKE, "2026-12-25") == ["Christmas Day: office closed, lunch closed, bar closed"]
    assert shown(LIKE, "2026-12-31") == ["office 09:00-12:45, lunch 12:30-12:45, bar 11:00-12:45"]
    assert shown(LIKE, "2026-12-30") == []


def test_the_timeline_shows_an_override_of_the_schedule_that_another_one_is_like() -> None:
    rules = rules_of(LIKE, "lunch")
    overrides = (Override("office", "closed", at("2026-12-01T12:00"), at("2026-12-01T13:00")),)
    supposed = Supposed(rules.default_caller, overrides=overrides)
    (line,) = timeline(rules, rules.lines.values(), dt.date(2026, 12, 1), 1, supposed).lines
    (note,) = line.days[0].notes
    assert note.text == "office set closed by an override until Tue 01 Dec 13:00"
    reached = [f"{each.start.astimezone(rules.zone):%H:%M} {each.rule}" for each in line.segments]
    assert reached == ["00:00 otherwise", "13:00 lunch", "13:30 otherwise"]
    assert line.days[0].overridden
