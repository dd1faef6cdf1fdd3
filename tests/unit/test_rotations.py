"""Rotations: whose turn it is, and that the member rings wherever the rotation is named."""

# ruff: noqa: E501 - the table has one line for each mistake

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing import route as routes
from routing.conditions import Call, Facts
from routing.expectations import test as judged
from routing.problems import Problem, RulesError
from routing.reader import read
from routing.reading.values import instant
from routing.rotation import Rotation
from routing.router import destinations_met, route, walk
from routing.rules import Destination, RuleSet

NEW_YORK, SYDNEY = ZoneInfo("America/New_York"), ZoneInfo("Australia/Sydney")
ZONES = st.sampled_from(
    [
        NEW_YORK,
        SYDNEY,
        *map(ZoneInfo, ("Europe/Berlin", "America/Santiago", "Australia/Lord_Howe", "UTC")),
    ]
)
MEMBERS = tuple(Destination(f"+1919555010{n}", name) for n, name in enumerate("abcd"))
wall = dt.datetime.fromisoformat
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
EVERY = (
    st.integers(1, 60).map(lambda n: n * HOUR)
    | st.integers(1, 20).map(lambda n: n * DAY)
    | st.integers(1, 5).map(lambda n: n * 7 * DAY)
)
STARTS = st.datetimes(wall("2026-01-01"), wall("2026-12-31")).map(
    lambda at: at.replace(second=0, microsecond=0)
)
INSTANTS = st.datetimes(wall("2025-06-01"), wall("2028-01-01"), timezones=st.just(dt.UTC))
# The days around changes of the clocks, north and south.
CHANGES = st.builds(
    lambda day, minutes: day + dt.timedelta(minutes=minutes),
    st.sampled_from(
        [
            dt.datetime(year, month, day, tzinfo=dt.UTC)
            for year in (2026, 2027)
            for month, day in ((3, 8), (3, 14), (4, 4), (4, 5), (9, 6), (10, 3), (10, 25), (11, 1))
        ]
    ),
    st.integers(-2880, 2880),
)
ROTATIONS = st.builds(
    lambda zone, start, every, count: Rotation("oncall", zone, start, every, MEMBERS[:count]),
    ZONES,
    STARTS,
    EVERY,
    st.integers(1, 4),
)


@settings(max_examples=500, deadline=None)
@given(ROTATIONS, INSTANTS | CHANGES)
def test_it_is_the_turn_that_counting_hand_overs_on_the_wall_clock_gives(
    rotation: Rotation, at: dt.datetime
) -> None:
    there = at.astimezone(rotation.zone).replace(tzinfo=None)
    number, ends = 0, rotation.start + rotation.every
    while ends <= there:
        number, ends = number + 1, ends + rotation.every
    member = rotation.members[number % len(rotation.members)]
    assert rotation.member(at, {}) == member
    assert rotation.state(at) == member.label


@settings(max_examples=300, deadline=None)
@given(ZONES, STARTS, st.integers(1, 40), st.integers(2, 4), INSTANTS | CHANGES)
def test_walking_day_by_day_in_the_zone_comes_to_the_same_turn(
    zone: ZoneInfo, start: dt.datetime, days: int, count: int, at: dt.datetime
) -> None:
    """Hand-overs as instants: at the same time of day, on one day after another."""
    rotation = Rotation("oncall", zone, start, days * DAY, MEMBERS[:count])
    passed, day = 0, start + days * DAY
    while (hand_over := day.replace(tzinfo=zone)).astimezone(dt.UTC) <= at:
        if abs(at - hand_over.astimezone(dt.UTC)) < 3 * HOUR and _shifts(day, zone):
            return  # a hand-over in an hour that comes twice, or is skipped
        passed, day = passed + 1, day + days * DAY
    if abs(at - hand_over.astimezone(dt.UTC)) < 3 * HOUR and _shifts(day, zone):
        return
    assert rotation.member(at, {}) == MEMBERS[passed % count]


def _shifts(day: dt.datetime, zone: ZoneInfo) -> bool:
    """Whether the clocks change within some hours of a wall time."""
    around = [(day + n * HOUR).replace(tzinfo=zone).utcoffset() for n in (-4, 4)]
    return around[0] != around[1]


@settings(max_examples=300, deadline=None)
@given(ROTATIONS, INSTANTS | CHANGES)
def test_a_day_has_the_turns_that_it_says(rotation: Rotation, at: dt.datetime) -> None:
    there = at.astimezone(rotation.zone)
    second = there.hour * 3600 + there.minute * 60 + there.second
    day = rotation.course_of(there.date())
    assert rotation.state(at) == [label for begin, label in day if begin <= second][-1]
    assert {begin for begin, _ in day} == {0, *rotation.turns_on(there.date())}


def weekly(zone: ZoneInfo, start: str, days: int = 7) -> Rotation:
    return Rotation("oncall", zone, wall(start), days * DAY, MEMBERS[:3])


@pytest.mark.parametrize(
    ("rotation", "at", "label"),
    [
        (weekly(NEW_YORK, "2026-11-30T09:00"), "2025-01-01T09:00", "a"),
        (weekly(NEW_YORK, "2026-11-30T09:00"), "2026-11-30T08:59", "a"),
        (weekly(NEW_YORK, "2026-11-30T09:00"), "2026-12-07T08:59", "a"),
        (weekly(NEW_YORK, "2026-11-30T09:00"), "2026-12-07T09:00", "b"),
        (weekly(NEW_YORK, "2026-11-30T09:00"), "2026-12-21T09:00", "a"),
        (weekly(NEW_YORK, "2026-03-02T09:00"), "2026-03-09T08:59", "a"),  # clocks went forward
        (weekly(NEW_YORK, "2026-03-02T09:00"), "2026-03-09T09:00", "b"),
        (weekly(NEW_YORK, "2026-10-26T09:00"), "2026-11-02T08:59", "a"),  # clocks went back
        (weekly(NEW_YORK, "2026-10-26T09:00"), "2026-11-02T09:00", "b"),
        (weekly(SYDNEY, "2026-03-30T09:00"), "2026-04-06T08:59", "a"),
        (weekly(SYDNEY, "2026-03-30T09:00"), "2026-04-06T09:00", "b"),
        (weekly(SYDNEY, "2026-09-28T09:00"), "2026-10-05T08:59", "a"),
        (weekly(SYDNEY, "2026-09-28T09:00"), "2026-10-05T09:00", "b"),
        # A hand-over at a time that is skipped happens when the clocks go forward.
        (weekly(NEW_YORK, "2026-03-01T02:30"), "2026-03-08T01:59", "a"),
        (weekly(NEW_YORK, "2026-03-01T02:30"), "2026-03-08T03:00", "b"),
        # A wall time that comes twice belongs to the same turn both times.
        (weekly(NEW_YORK, "2026-10-25T01:30"), "2026-11-01T01:29-04:00", "a"),
        (weekly(NEW_YORK, "2026-10-25T01:30"), "2026-11-01T01:30-04:00", "b"),
        (weekly(NEW_YORK, "2026-10-25T01:30"), "2026-11-01T01:29-05:00", "a"),
        (weekly(NEW_YORK, "2026-10-25T01:30"), "2026-11-01T01:30-05:00", "b"),
    ],
)
def test_the_hand_over_is_at_the_same_wall_time(rotation: Rotation, at: str, label: str) -> None:
    assert rotation.state(instant(at, rotation.zone)) == label


@pytest.mark.parametrize("zone", [NEW_YORK, SYDNEY])
def test_a_day_is_24_hours_on_the_wall_clock(zone: ZoneInfo) -> None:
    start = wall("2026-01-01T09:00")
    daily = Rotation("a", zone, start, DAY, MEMBERS)
    hourly = Rotation("a", zone, start, 24 * HOUR, MEMBERS)
    assert daily == hourly
    for number in range(400 * 24):
        at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + number * HOUR
        assert daily.state(at) == daily.state(at + dt.timedelta(minutes=59))


def test_an_override_decides_alone_unless_it_names_nobody_of_the_rotation() -> None:
    rotation = weekly(NEW_YORK, "2026-11-30T09:00")
    at = instant("2026-12-07T09:00", NEW_YORK)
    assert rotation.member(at, {"oncall": "c"}).label == "c"
    assert rotation.turn(at, {"oncall": "c"}).because() == "set by an override"
    for other in ({"oncall": "nobody"}, {"oncall": "closed"}, {"office": "c"}):
        assert rotation.member(at, other).label == "b"
    assert rotation.turn(at, {}).because() == (
        "its turn from Mon 2026-12-07 09:00 to Mon 2026-12-14 09:00"
    )
    assert rotation.turn(instant("2026-11-01T00:00", NEW_YORK), {}).because() == (
        "the first one until Mon 2026-12-07 09:00"
    )


GOOD = """\
version: 1
timezone: America/New_York
transfer: {diversionTreatment: stack}
dialing: {allow: [+1], deny: [+1900]}
destinations:
  ana: {transferTo: +19195550102, capacity: 1, person: ana, ring: 30s}
  bo: {transferTo: +19195550103, capacity: 1, whisperAudio: {sentence: for bo}}
  cara: +19195550104
rotations:
  oncall: {from: 2026-11-30T09:00, every: 1w, of: [ana, bo]}
  second: {from: 2026-11-30T09:00, every: 1w, of: [bo, ana]}
  any: {from: 2026-11-30, every: 12h, of: [ana, bo, cara]}
schedules:
  office: {hours: {mon-fri: 09:00-17:00}}
lines:
  main:
    numbers: +19195551000
    rules:
      - {name: full, when: {busy: oncall}, transferTo: second}
      - {name: together, when: {from: +14155550123}, transferTo: [oncall, second, ana, any]}
      - {name: in turn, when: {from: +14155550124}, followMe: [{transferTo: oncall}, {transferTo: [second, oncall], ring: 5}]}
    otherwise: {transferTo: oncall, ring: 7}
emergency: {transferTo: any}
"""


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return read(GOOD)


def rings(rules: RuleSet, caller: str, at: str, *outcomes: str, **facts: object) -> list[list[str]]:
    call = Call("+19195551000", caller, instant(at, NEW_YORK))
    known = Facts(**facts)  # type: ignore[arg-type]
    walked = walk(route(rules, call, known), known, outcomes)
    return [[each.label for each in attempt.destinations] for attempt in walked.attempts]


def test_the_member_rings_with_what_is_its_own(rules: RuleSet) -> None:
    call = Call("+19195551000", "+12125550100", instant("2026-11-30T09:00", NEW_YORK))
    chosen = route(rules, call, Facts())
    (attempt,) = walk(chosen, Facts(), ()).attempts
    assert (attempt.destinations[0].transfer_to, attempt.ring) == ("+19195550102", 7)
    later = call_at(call, "2026-12-07T09:00")
    (attempt,) = walk(route(rules, later, Facts()), Facts(), ()).attempts
    audio = attempt.destinations[0].parameters.whisper_audio
    assert audio
    assert audio.sentence == "for bo"
    away = Facts(presence={"ana": "dnd"})
    walked = walk(route(rules, call, away), away, ())
    assert [skip.destination for skip in walked.skipped] == ["ana", "ana"]  # then `any`: ana too


def call_at(call: Call, at: str) -> Call:
    return Call(call.to, call.caller, instant(at, NEW_YORK))


def test_who_is_there_twice_rings_once(rules: RuleSet) -> None:
    monday = "2026-12-07T09:00"
    assert rings(rules, "+14155550123", "2026-12-01T09:00") == [["ana", "bo", "cara"]]
    assert rings(rules, "+14155550123", monday) == [["bo", "ana", "cara"]]
    text = GOOD.replace("[oncall, second, ana, any]", "[oncall, bo]")
    assert rings(read(text), "+14155550123", monday) == [["bo"]]
    assert rings(read(text), "+14155550123", "2026-12-01T09:00") == [["ana", "bo"]]


def test_every_step_of_a_call_goes_by_the_instant_at_which_it_was_routed(rules: RuleSet) -> None:
    call = Call("+19195551000", "+14155550124", instant("2026-12-07T08:59:59", NEW_YORK))
    kept = routes.load(routes.dump(route(rules, call, Facts())))
    walked = walk(kept, Facts(), ["no-answer"])
    assert [[d.label for d in each.destinations] for each in walked.attempts] == [
        ["ana"],
        ["bo", "ana"],
    ]
    assert [(each.rotation, each.member) for each in kept.turns] == [
        *(("oncall", "ana"), ("second", "bo"), ("any", "cara"))
    ]
    assert kept.turns[0].because == "its turn from Mon 2026-11-30 09:00 to Mon 2026-12-07 09:00"


def test_a_route_that_was_kept_before_there_were_rotations_is_read(rules: RuleSet) -> None:
    plain = route(rules, Call("+19195551000", "x", instant("2026-12-01T09:00", NEW_YORK)), Facts())
    data = routes.dump(plain)
    del data["turns"]
    assert routes.load(data).turns == ()


def test_busy_asks_for_the_member_whose_turn_it_is(rules: RuleSet) -> None:
    call = Call("+19195551000", "+12125550100", instant("2026-12-01T09:00", NEW_YORK))
    chosen = route(rules, call, Facts(frozenset({"ana"})))
    assert (chosen.rule, chosen.trace.steps[0].because) == ("full", "oncall (ana) is busy")
    assert chosen.reason == "user-busy"
    chosen = route(rules, call, Facts(frozenset({"bo"})))
    assert chosen.rule == "otherwise"
    assert chosen.trace.steps[0].because == "oncall (ana) is not busy"
    set_ = Facts(frozenset({"bo"}), overrides={"oncall": "bo"})
    assert route(rules, call, set_).rule == "full"


def test_every_member_counts_for_the_busy_state(rules: RuleSet) -> None:
    assert destinations_met(rules, rules.lines["main"]) == {"ana", "bo", "cara"}


# fmt: off
EXPECTED = [
    ("{at: 2026-12-01T09:00, to: main, rings: [ana]}", ""),
    ("{at: 2026-12-01T09:00, to: main, rings: [oncall]}", ""),
    ("{at: 2026-12-01T09:00, to: main, rings: [bo]}", "expected rings [bo], but it rings [ana]"),
    ("{at: 2026-12-01T09:00, to: main, rings: [second]}", "expected rings [bo], but it rings [ana]"),
    ("{to: main, rings: [oncall]}", ""),
    ("{to: main, rings: [ana]}", "expected rings [ana], but it rings [bo]"),
    ("{at: 2026-12-01T09:00, to: main, transferTo: oncall}", ""),
    ("{at: 2026-12-01T09:00, to: main, transferTo: second}", "expected transferTo +19195550103, but it is +19195550102"),
    ("{at: 2026-12-01T09:00, to: main, busy: oncall, rule: full, rings: [bo], diversionReason: user-busy}", ""),
    ("{to: main, busy: [oncall], rule: full, rings: [second]}", ""),
    ("{at: 2026-12-01T09:00, to: main, busy: ana, rule: full}", ""),
    ("{at: 2026-12-01T09:00, to: main, busy: second, rule: otherwise}", ""),
    ("{at: 2026-12-01T00:00, to: +19195559999, busy: any, rings: [any]}", ""),
    ("{at: 2026-12-01T09:00, to: main, overrides: {oncall: bo}, rings: [bo]}", ""),
    ("{to: main, overrides: {oncall: bo, office: closed}, rings: [bo]}", ""),
    ("{to: main, from: +14155550123, rings: [[oncall, second, any]]}", ""),
]
# fmt: on


@pytest.mark.parametrize(("written", "differs"), EXPECTED, ids=[each[0] for each in EXPECTED])
def test_an_expectation_names_the_member_or_the_rotation(written: str, differs: str) -> None:
    text = GOOD
    every = [instant(f"2026-12-{day:02}T12:00", NEW_YORK) for day in range(1, 20)]
    (result,) = judged(read(f"{text}expect:\n  - {written}\n"), every)
    assert result.because.startswith(differs or "as expected")


ONCALL = "{from: 2026-11-30T09:00, every: 1w, of: [ana, bo]}\n  second"
# fmt: off
MISTAKES = [
    (ONCALL, "{from: 2026-11-30T09:00, every: 1w, of: [ana, «carra]}\n  second", "rotations.oncall.of[1]", "unknown-name", "did you mean 'cara'"),
    (ONCALL, "{from: 2026-11-30T09:00, every: 1w, of: [ana, «second]}\n  second", "rotations.oncall.of[1]", "not-a-destination", "is a rotation"),
    (ONCALL, "{from: 2026-11-30T09:00, every: 1w, of: [ana, «oncall]}\n  second", "rotations.oncall.of[1]", "not-a-destination", "is a rotation"),
    (ONCALL, "{from: 2026-11-30T09:00, every: 1w, of: [ana, «+19005550100]}\n  second", "rotations.oncall.of[1]", "dialing-forbidden", "+1900"),
    (ONCALL, "{from: 2026-11-30T09:00, every: 1w, of: «[]}\n  second", "rotations.oncall.of", "empty-list", "empty"),
    (ONCALL, "{from: 2026-11-30T09:00, every: 1w, of: «{a: b}}\n  second", "rotations.oncall.of", "not-a-value", "destination"),
    (ONCALL, "{from: 2026-11-30T09:00, every: «1m, of: [ana]}\n  second", "rotations.oncall.every", "bad-duration", "12h, 1d or 1w"),
    (ONCALL, "{from: 2026-11-30T09:00, every: «60m, of: [ana]}\n  second", "rotations.oncall.every", "bad-duration", "12h, 1d or 1w"),
    (ONCALL, "{from: 2026-11-30T09:00, every: «0h, of: [ana]}\n  second", "rotations.oncall.every", "bad-duration", "at least 1h"),
    (ONCALL, "{from: 2026-11-30T09:00, every: «weekly, of: [ana]}\n  second", "rotations.oncall.every", "bad-duration", "1w"),
    (ONCALL, "{from: 2026-11-30T09:00, every: «7, of: [ana]}\n  second", "rotations.oncall.every", "bad-duration", "7d"),
    (ONCALL, "{from: 2026-11-30T09:00, every: «1.5d, of: [ana]}\n  second", "rotations.oncall.every", "bad-duration", "1d"),
    (ONCALL, "{from: 2026-11-30T09:00, every: «99999w, of: [ana]}\n  second", "rotations.oncall.every", "bad-duration", "1w"),
    (ONCALL, "{from: «monday, every: 1w, of: [ana]}\n  second", "rotations.oncall.from", "bad-time", "2026-11-30T09:00"),
    (ONCALL, "{from: «09:00, every: 1w, of: [ana]}\n  second", "rotations.oncall.from", "bad-time", "2026-11-30T09:00"),
    (ONCALL, "{from: «2026-02-30, every: 1w, of: [ana]}\n  second", "rotations.oncall.from", "bad-time", "there is no day 2026-02-30"),
    (ONCALL, "{from: «2026-13-01T09:00, every: 1w, of: [ana]}\n  second", "rotations.oncall.from", "bad-time", "there is no day 2026-13-01"),
    (ONCALL, "{from: «2026-11-30T25:00, every: 1w, of: [ana]}\n  second", "rotations.oncall.from", "bad-time", "2026-11-30T25:00"),
    (ONCALL, "{from: «2026-03-08T02:30, every: 1w, of: [ana]}\n  second", "rotations.oncall.from", "bad-time", "skip"),
    (ONCALL, "{from: «1926-03-08, every: 1w, of: [ana]}\n  second", "rotations.oncall.from", "bad-time", "too far"),
    (ONCALL, "«{from: 2026-11-30T09:00, every: 1w}\n  second", "rotations.oncall", "missing-key", "of"),
    (ONCALL, "«{every: 1w, of: ana}\n  second", "rotations.oncall", "missing-key", "from"),
    (ONCALL, "{from: 2026-11-30, every: 1w, of: ana, «timezone: UTC}\n  second", "rotations.oncall.timezone", "unknown-key", "from, every, of"),
    (ONCALL, "«[ana, bo]\n  second", "rotations.oncall", "not-a-mapping", "rotation"),
    ("  any: {", "  «ana: {from: 2026-11-30, every: 1w, of: bo}\n  any: {", "rotations.ana", "repeated-name", "a destination is called 'ana' too"),
    ("  any: {", "  «office: {from: 2026-11-30, every: 1w, of: bo}\n  any: {", "rotations.office", "repeated-name", "a schedule is called 'office' too"),
    ("  any: {", "  «+19195550102: {from: 2026-11-30, every: 1w, of: bo}\n  any: {", "rotations.+19195550102", "bad-name", "number"),
    ("otherwise: {transferTo: oncall", "otherwise: {transferTo: «oncal", "lines.main.otherwise.transferTo", "unknown-name", "did you mean 'oncall'"),
    ("transferTo: [oncall, second, ana, any]", "transferTo: [oncall, second, «oncall]", "lines.main.rules[1].transferTo[2]", "repeated-destination", "oncall is there twice"),
    ("when: {busy: oncall}", "when: {busy: «oncal}", "lines.main.rules[0].when.busy", "unknown-name", "did you mean 'oncall'"),
    ("of: [ana, bo, cara]}", "of: cara}\n  never: {from: 2026-11-30, every: 1w, of: cara}", "", "", ""),
    ("emergency:", "expect: [{to: main, overrides: {oncall: «cara}, rings: [ana]}]\nemergency:", "expect[0].overrides.oncall", "unknown-value", "allowed are ana, bo"),
    ("emergency:", "expect: [{to: main, overrides: {«oncal: ana}, rings: [ana]}]\nemergency:", "expect[0].overrides.oncal", "unknown-name", "did you mean 'oncall'"),
    ("emergency:", "expect: [{to: main, overrides: {office: «ana}, rings: [ana]}]\nemergency:", "expect[0].overrides.office", "unknown-value", "open, closed"),
    ("emergency:", "expect: [{to: main, rings: [«oncal]}]\nemergency:", "expect[0].rings[0]", "unknown-name", "did you mean 'oncall'"),
    ("when: {busy: oncall}", "when: {busy: «any}", "", "", ""),
]
# fmt: on


@pytest.mark.parametrize(
    ("there", "written", "path", "code", "word"), MISTAKES, ids=[each[1][:70] for each in MISTAKES]
)
def test_a_mistake_is_found_once_at_its_place(
    there: str, written: str, path: str, code: str, word: str
) -> None:
    assert there in GOOD
    marked = GOOD.replace(there, written, 1)
    before, _, _ = marked.partition("«")
    found = errors_of(marked.replace("«", ""))
    shown = [error.as_json() for error in found]
    assert [(error.path, error.code) for error in found] == ([(path, code)] if path else []), shown
    if path:
        assert word in found[0].message, shown
        place = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        assert (found[0].line, found[0].column) == place or code == "missing-key", shown


def errors_of(text: str) -> list[Problem]:
    try:
        read(text)
    except RulesError as error:
        return error.errors
    return []


def warnings_of(text: str) -> list[tuple[str, str, str]]:
    return [(each.path, each.code, each.message) for each in read(text).warnings]


def test_a_rotation_of_which_nobody_can_be_busy_is_refused_and_a_part_of_it_warned_of() -> None:
    text = GOOD
    some = text.replace("when: {busy: oncall}", "when: {busy: any}")
    message = "cara has no `capacity`, so 'any' is never busy while it is its turn"
    assert ("lines.main.rules[0].when.busy", "never-busy", message) in warnings_of(some)
    none = some.replace("of: [ana, bo, cara]", "of: [cara, +19195550109]")
    (error,) = errors_of(none)
    assert (error.path, error.code) == ("lines.main.rules[0].when.busy", "never-busy")


def test_unused_rotations_are_warned_of_and_members_are_used() -> None:
    text = GOOD.replace("emergency: {transferTo: any}", "emergency: {transferTo: ana}")
    unused = {
        path
        for path, code, _ in warnings_of(text.replace(", ana, any]", "]"))
        if code == "unused-name"
    }
    assert unused == {"rotations.any", "schedules.office"}


def test_rotations_may_stand_below_the_lines_and_need_the_file_s_zone() -> None:
    text = GOOD
    start, end = text.index("rotations:"), text.index("schedules:")
    section = text[start:end]
    assert errors_of(text.replace(section, "") + section) == []
    (error,) = errors_of(text.replace("timezone: America/New_York\n", ""))
    assert (error.path, error.code) == ("timezone", "missing-key")


def test_a_date_stands_for_its_beginning_also_where_clocks_skip_midnight() -> None:
    text = GOOD.replace("America/New_York", "America/Santiago")
    text = text.replace("any: {from: 2026-11-30", "any: {from: 2026-09-06")
    assert read(text).rotations["any"].start == wall("2026-09-06")
    text = text.replace("from: 2026-09-06", "from: 2026-11-30T12:00Z")
    assert read(text).rotations["any"].start == wall("2026-11-30T09:00")
