"""The timeline agrees with the router at every instant, and names what is special on a day."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from routing.conditions import Call
from routing.proof.timeline import Override, Reach, Supposed, Timeline, home_zone, timeline
from routing.reader import read
from routing.router import route, walk

SHIPPED = Path("routing_rules.yaml").read_text("utf-8")
SPLIT = """\
version: 1
timezone: America/New_York
destinations:
  desk: {transferTo: +19195550101, person: ana}
  cell: {transferTo: +19195550102, person: ana}
  bo: {transferTo: +19195550103, capacity: 1}
calendars: {us: {country: US}, ours: [2026-11-03, FREQ=YEARLY;BYMONTH=11;BYDAY=1WE]}
schedules:
  night: {hours: {mon-sun: "00:30-01:40, 02:20-03:10"}}
  day:
    hours: {mon-fri: 08:07-18:45, sat: 22:00-01:30}
    except: [{dates: 2026-11-05, hours: 10:00-11:00}, {dates: [us, ours], hours: closed}]
  abroad:
    timezone: Australia/Lord_Howe
    hours: {mon-sun: 01:45-02:15}
    except: [{dates: 2026-11-10, hours: closed}]
  special: {hours: closed, except: [{dates: 2026-11-06, hours: open}]}
lines:
  main:
    title: Main
    numbers: [+19195551000]
    rules:
      - {name: full, when: {busy: bo}, transferTo: desk}
      - {name: private, when: {from: anonymous}, reject: true}
      - {name: night, when: {during: night}, transferTo: bo}
      - {name: abroad, when: {not: {outside: abroad}}, announce: {sentence: "{line} is abroad"}}
      - {name: day, when: {during: [day, special]}, followMe: [{transferTo: desk}, {transferTo: [cell, bo]}], onNoAnswer: {transferTo: +19195550109}}
    otherwise: {reject: true}
  other: {numbers: +19195551001, otherwise: {transferTo: +19195550109}}
emergency: {reject: true}
"""  # noqa: E501 - a rule of the file has one line
FIRSTS = [dt.date(2026, 3, 6), dt.date(2026, 10, 1), dt.date(2026, 10, 30), dt.date(2026, 12, 22)]


def reached(text: str, line: str, first: str, days: int = 1, **given: object) -> Timeline:
    rules = read(text)
    supposed = replace(Supposed(rules.default_caller), **given)
    return timeline(rules, [rules.lines[line]], dt.date.fromisoformat(first), days, supposed)


def override(state: str, *times: str) -> Override:
    start, end = (dt.datetime.fromisoformat(f"2026-{each}-04:00") for each in times)
    return Override("day", state, start, end)


def test_days_of_the_week_change_at_midnight_of_the_files_zone() -> None:
    text = SPLIT.replace("{during: night}", "{weekday: [mon, wed-thu]}").replace(
        "{not: {outside: abroad}}", "{from: anonymous}"
    )
    (line,) = reached(
        text.replace("{during: [day, special]}", "{from: anonymous}"), "main", "2026-03-09", 7
    ).lines  # a Monday
    assert [(each.rule, f"{each.start:%a %H:%M}") for each in line.segments] == [
        ("night", "Mon 04:00"),  # midnight in New York, in UTC
        ("otherwise", "Tue 04:00"),
        ("night", "Wed 04:00"),
        ("otherwise", "Fri 04:00"),
    ]


@pytest.mark.parametrize("text", [SHIPPED, SPLIT], ids=["shipped", "split"])
@pytest.mark.parametrize("first", FIRSTS, ids=str)
def test_every_segment_is_what_the_router_says(text: str, first: dt.date) -> None:
    rules, chance = read(text), random.Random(str(first))  # noqa: S311 - not for secrets
    name = next(iter(rules.schedules))
    start = dt.datetime.combine(first, dt.time(12, 34), dt.UTC)
    overrides = (Override(name, "closed", start, start + dt.timedelta(hours=30)),)
    supposed = Supposed(rules.default_caller, overrides=overrides)
    found = timeline(rules, rules.lines.values(), first, 10, supposed)
    for each in found.lines:
        edges = [edge for segment in each.segments for edge in (segment.start, segment.end)]
        whole = (edges[-1] - edges[0]).total_seconds()
        shift = [dt.timedelta(seconds=chance.randrange(int(whole))) for _ in range(300)]
        instants = [edges[0] + step for step in shift]
        for at in instants + [edge - dt.timedelta(seconds=1) for edge in edges[1:]] + edges[:-1]:
            facts = supposed.facts(at)
            chosen = route(rules, Call(each.line.numbers[0], rules.default_caller, at), facts)
            (segment,) = [one for one in each.segments if one.start <= at < one.end]
            assert (segment.rule, segment.line) == (chosen.rule, chosen.line), at
            attempts = walk(chosen, facts, ()).attempts
            ringing = [tuple(one.label for one in attempt.destinations) for attempt in attempts]
            assert list(segment.reach.steps[:1]) == ringing


@pytest.mark.parametrize("first", FIRSTS, ids=str)
def test_segments_cover_the_days_without_a_gap_and_neighbours_differ(first: dt.date) -> None:
    (line,) = reached(SPLIT, "main", str(first), 10).lines
    assert line.segments[0].start == line.days[0].wall.start
    assert line.segments[-1].end == line.days[-1].wall.end
    for before, after in pairwise(line.segments):
        assert before.end == after.start
        assert not before.goes_on(after)


@pytest.mark.parametrize("first", FIRSTS, ids=str)
def test_days_show_the_segments(first: dt.date) -> None:
    """Each piece of a day, minute by minute, is who is reached when the clocks show it."""
    (line,) = reached(SPLIT, "main", str(first), 4).lines
    minute = dt.timedelta(minutes=1)
    for day in line.days:
        at, shown = day.wall.start, 0
        while at < day.wall.end:
            (now,) = day.wall.spans(at, at + minute)
            (segment,) = [one for one in line.segments if one.start <= at < one.end]
            reaches = {
                reach
                for span, reach in day.pieces
                if span.start <= now.start < span.end and span.time in {0, now.time}
            }
            assert reaches == {segment.reach}, at
            at, shown = at + minute, shown + 60
        twice = day.wall.repeated
        again = twice.end - twice.start if twice else 0
        once = sum(again for span, _ in day.pieces if twice and covers(span, twice))
        assert sum(span.end - span.start for span, _ in day.pieces) + once == shown


def covers(span: object, twice: object) -> bool:
    return (span.time, span.start <= twice.start, span.end >= twice.end) == (0, True, True)


def test_the_steps_are_those_until_a_handler() -> None:
    (line,) = reached(SPLIT, "main", "2026-11-06").lines
    day = next(each for each in line.segments if each.rule == "day")
    assert day.reach == Reach((("desk",), ("cell", "bo")))
    assert (str(day.reach), day.reason) == ("desk → cell + bo", "follow-me")


def test_what_is_supposed_counts() -> None:
    def at_noon(**given: object) -> tuple[str, str]:
        (line,) = reached(SPLIT, "main", "2026-11-06", **given).lines
        noon = dt.datetime(2026, 11, 6, 17, tzinfo=dt.UTC)
        (segment,) = [each for each in line.segments if each.start <= noon < each.end]
        return segment.rule, str(segment.reach)

    assert at_noon() == ("day", "desk → cell + bo")
    assert at_noon(presence={"ana": "dnd"}) == ("day", "bo")
    assert at_noon(busy=frozenset({"bo"})) == ("full", "desk")
    assert at_noon(caller="anonymous") == ("private", "rejected")
    overrides = (override("closed", "11-06T10:00", "11-06T18:00"),)
    assert at_noon(overrides=overrides)[0] == "day"  # `special` is open all the same


def test_what_is_said_is_what_the_caller_hears() -> None:
    (line,) = reached(SPLIT, "main", "2026-10-01").lines
    heard = {str(each.reach) for each in line.segments if each.rule == "abroad"}
    assert heard == {"“Main is abroad”"}


def test_an_override_counts_from_its_start_to_its_end() -> None:
    overrides = (
        override("open", "10-03T07:11", "10-04T09:03"),
        override("closed", "10-03T12:00", "10-03T12:30"),  # the later one counts
    )
    (line,) = reached(SPLIT, "main", "2026-10-03", 2, overrides=overrides).lines
    zone = dt.timezone(dt.timedelta(hours=-4))
    opened = [
        f"{edge.astimezone(zone):%d %H:%M}"
        for each in line.segments
        if each.rule == "day"
        for edge in (each.start, each.end)
    ]
    assert (opened[0], opened[-1]) == ("03 07:11", "04 09:03")
    assert opened.index("03 12:00") % 2 == 1
    assert opened.index("03 12:30") % 2 == 0
    first, second = line.days
    shown = [(span.start, span.end) for span in first.overridden]
    assert shown == [(7 * 3600 + 11 * 60, 86_400), (12 * 3600, 12 * 3600 + 1800)]
    assert [span.end for span in second.overridden] == [9 * 3600 + 3 * 60]


NOTES = [
    ("2026-11-26", [("holiday", "Thanksgiving Day: day closed")]),
    ("2026-11-05", [("holiday", "day 10:00-11:00")]),
    ("2026-11-04", [("holiday", "ours: day closed")]),
    ("2026-11-03", [("holiday", "ours: day closed")]),
    ("2026-11-06", []),  # `special` has no usual hours
    ("2026-11-09", []),
    ("2026-11-10", [("holiday", "abroad closed")]),
    ("2026-11-01", [("clocks", "clocks go back: 01:00-02:00 comes twice")]),
    ("2026-03-08", [("clocks", "clocks go forward: 02:00-03:00 is skipped")]),
    ("2026-10-05", [("override", "day set closed by an override until Tue 06 Oct 08:00")]),
    ("2026-10-06", [("override", "day set closed by an override until Tue 06 Oct 08:00")]),
    ("2026-10-07", []),
]


@pytest.mark.parametrize(("date", "notes"), NOTES)
def test_what_is_special_is_noted(date: str, notes: list[tuple[str, str]]) -> None:
    overrides = (override("closed", "10-05T17:00", "10-06T08:00"),)
    (line,) = reached(SPLIT, "main", date, overrides=overrides).lines
    (day,) = line.days
    assert [(note.kind, note.text) for note in day.notes] == notes


def test_a_line_without_schedules_has_no_notes_of_them() -> None:
    overrides = (override("closed", "11-25T17:00", "11-27T08:00"),)
    (line,) = reached(SPLIT, "other", "2026-11-26", overrides=overrides).lines
    assert line.days[0].notes == ()
    assert len(line.segments) == 1


def test_an_override_without_ends_is_in_force_all_the_time() -> None:
    overrides = (Override("day", "open"),)
    (line,) = reached(SPLIT, "main", "2026-11-26", overrides=overrides).lines
    assert line.days[0].notes[1].text == "day set open by an override"
    assert {each.rule for each in line.segments} == {"night", "abroad", "day"}


def test_the_zone_is_the_file_s_or_the_only_one() -> None:
    bare = SPLIT.replace("timezone: America/New_York\n", "", 1)
    bare = bare.replace("when: {weekday: [mon, wed-thu]}, ", "")  # which needs the file's zone
    alone = bare.replace("    timezone: Australia/Lord_Howe\n", "")
    with_zone = alone.replace("{hours: {", "{timezone: Asia/Tokyo, hours: {")
    with_zone = with_zone.replace("{hours: cl", "{timezone: Asia/Tokyo, hours: cl")
    for name in ("day", "abroad"):
        with_zone = with_zone.replace(f"  {name}:\n", f"  {name}:\n    timezone: Asia/Tokyo\n")
    assert home_zone(read(SPLIT)).key == "America/New_York"
    assert home_zone(read(with_zone)).key == "Asia/Tokyo"
    one_else = with_zone.replace("Asia/Tokyo", "Asia/Seoul", 1)
    assert home_zone(read(one_else)).key == "UTC"


@pytest.mark.parametrize(
    ("zone", "first", "noted"),
    [
        ("America/Havana", "2026-03-07", {"2026-03-08": "00:00-01:00 is skipped"}),
        ("America/Havana", "2026-10-31", {"2026-11-01": "00:00-01:00 comes twice"}),
        ("Africa/Cairo", "2026-04-23", {"2026-04-24": "00:00-01:00 is skipped"}),
        ("America/Santiago", "2026-04-04", {"2026-04-04": "23:00-24:00 comes twice"}),
        ("America/Nuuk", "2026-03-28", {"2026-03-28": "23:00-24:00 is skipped"}),
    ],
)
def test_a_change_at_midnight_is_noted_once(zone: str, first: str, noted: dict[str, str]) -> None:
    (line,) = reached(SPLIT.replace("America/New_York", zone), "other", first, 3).lines
    found = {str(day.wall.date): note.text for day in line.days for note in day.notes}
    assert found.keys() == noted.keys()
    assert [text for day, text in noted.items() if text not in found[day]] == []
