"""What is proved of rotations: whose turn it is at every instant, and what follows from it."""

# ruff: noqa: E501 - a rule of the file has one line

from __future__ import annotations

import datetime as dt
import itertools
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.conditions import Call, Facts
from routing.proof.comparison import compare
from routing.proof.findings import INFO, WARNING
from routing.proof.prove import Proof, prove
from routing.proof.sweep import SWEEP_DAYS, Sweep
from routing.proof.timeline import Override, Supposed, timeline
from routing.reader import read
from routing.router import route, walk
from tests.proof_cases import START
from tests.unit.test_rotations import ROTATIONS

if TYPE_CHECKING:
    from routing.rules import RuleSet

MAIN, NIGHT = "+19195551000", "+19195551001"
HEAD = """\
version: 1
timezone: America/New_York
destinations:
  ana: {transferTo: +19195550101, capacity: 1, person: ana, ring: 10s}
  bo: {transferTo: +19195550102, capacity: 1, ring: 40s}
  cara: {transferTo: +19195550103, ring: 20s}
  night: +19195551001
rotations:
  oncall: {from: 2026-11-02T09:00, every: 1w, of: [ana, bo, cara]}
  daily: {from: 2026-11-20T21:00, every: 12h, of: [ana, bo]}
  years: {from: 2026-11-30T09:00, every: 60w, of: [ana, cara, bo]}
  ours: {from: 2026-11-30T09:00, every: 1w, of: [ana, night]}
schedules:
  office: {hours: {mon-fri: 09:00-17:00}}
"""


def file(rules: str, otherwise: str = "{transferTo: cara}", more: str = "") -> str:
    listed = "".join(f"      - {{{each.strip()}}}\n" for each in rules.strip().split("\n") if each)
    section = f"    rules:\n{listed}" if listed else ""
    return (
        f"{HEAD}lines:\n  main:\n    numbers: {MAIN}\n{section}"
        f"    otherwise: {otherwise}\n{more}emergency: {{transferTo: cara}}\n"
    )


def proved(rules: str, otherwise: str = "{transferTo: cara}", more: str = "") -> Proof:
    return prove(read(file(rules, otherwise, more)), START)


def messages(proof: Proof, severity: str = WARNING) -> list[tuple[str, str]]:
    return [(each.code, each.message) for each in proof.of(severity)]


@settings(max_examples=40, deadline=None)
@given(ROTATIONS, st.randoms(use_true_random=False))
def test_the_sweep_knows_whose_turn_it_is_at_every_instant(
    rotation: object, chance: random.Random
) -> None:
    sweep = Sweep(START)
    moments = sweep.moments((rotation,))  # type: ignore[arg-type]
    begins = [at for at, _ in moments.pieces]
    for _ in range(200):
        seconds = chance.randrange(SWEEP_DAYS * 86_400 - 86_400)
        at = START + dt.timedelta(seconds=seconds)
        piece = max(n for n, begin in enumerate(begins) if begin <= at.timestamp())
        (state,) = moments.kinds[moments.pieces[piece][1]]
        assert state == rotation.state(at)  # type: ignore[attr-defined]
    for begin in begins[1:]:
        at = dt.datetime.fromtimestamp(begin, dt.UTC)
        before = rotation.state(at - dt.timedelta(seconds=1))  # type: ignore[attr-defined]
        assert before != rotation.state(at)  # type: ignore[attr-defined]


RINGING = (
    "transferTo: oncall",
    "transferTo: [daily, oncall]",
    "followMe: [{transferTo: daily}, {transferTo: ours}]",
    "transferTo: cara",
)
CONDITIONS = (
    "busy: oncall",
    "busy: daily",
    "busy: [ana, daily]",
    "busy: bo",
    "during: office",
    "outside: office",
    "not: {busy: oncall}",
    "not: {busy: daily, during: office}",
    "presence: {ana: away}",
)


def random_file(seed: int) -> str:
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    rules = []
    for number in range(chance.randint(2, 5)):
        chosen = chance.sample(CONDITIONS, chance.choice((0, 1, 1, 2, 2)))
        keys = [each.partition(":")[0] for each in chosen]
        when = ", ".join(dict(zip(keys, chosen, strict=True)).values())
        written = f"when: {{{when}}}, " if when else ""
        rules.append(f"name: r{number}, {written}{chance.choice(RINGING)}")
    return file("\n".join(rules))


HOURS = [START + dt.timedelta(hours=number) for number in range(0, 42 * 24, 3)]
STATES = [
    Facts(frozenset(busy), {"ana": state})
    for busy in ((), ("ana",), ("bo",), ("ana", "bo"))
    for state in ("available", "away")
]


def routes(rules: RuleSet) -> dict[tuple[dt.datetime, int], object]:
    """What becomes of calls at many instants in every state, as others notice it."""
    found = {}
    for (number, facts), at in itertools.product(enumerate(STATES), HOURS):
        chosen = route(rules, Call(MAIN, rules.default_caller, at), facts)
        walked = walk(chosen, facts, ["no-answer"] * 12)
        found[at, number] = [
            [(each.transfer_to, attempt.ring) for each in attempt.destinations]
            for attempt in walked.attempts
        ]
    return found


@pytest.mark.parametrize("seed", range(25))
def test_what_is_proved_of_random_rules_agrees_with_trying_every_call(seed: int) -> None:
    text = random_file(seed)
    rules = read(text)
    chosen, dialed = set(), {}
    for facts, at in itertools.product(STATES, HOURS):
        found = route(rules, Call(MAIN, rules.default_caller, at), facts)
        chosen.add(found.rule)
        walked = walk(found, facts, ["no-answer"] * 12)
        seconds = sum(each.ring for each in walked.attempts)
        dialed[found.rule] = max(seconds, dialed.get(found.rule, 0))
    proof = prove(rules, START)
    findings = proof.findings
    dead = {f.keys[3] for f in findings if f.code in {"dead-rule", "later-rule", "override-rule"}}
    names = [each.name for each in rules.lines["main"].rules]
    assert {names[int(index)] for index in dead} == set(names) - chosen, text
    longest = proof.lines["main"].longest
    assert longest
    assert longest.seconds >= max(dialed.values()), text
    for each in findings:
        if each.witness and each.code == "untested":
            shown = route(rules, each.witness.call, each.witness.facts)
            assert shown.rule in each.message or "otherwise" in each.message


@pytest.mark.parametrize("seed", range(25))
def test_random_rules_differ_exactly_where_a_call_does(seed: int) -> None:
    old, new = (
        read(random_file(seed)),
        read(random_file(seed).replace("[ana, bo, cara]", "[ana, cara, bo]")),
    )
    before, after = routes(old), routes(new)
    found = compare(old, new, START).differences
    by_themselves = [each for each in found if not each.old.facts.overrides]
    assert bool(by_themselves) == any(before[key] != after[key] for key in before), found
    for each in found:
        calls = [(old, each.old), (new, each.new)]
        seen = [
            walk(route(rules, shown.call, shown.facts), shown.facts, shown.outcomes)
            for rules, shown in calls
        ]
        assert [a.destinations for a in seen[0].attempts] != [
            a.destinations for a in seen[1].attempts
        ]


class TestFindings:
    def test_a_rule_that_asks_for_the_member_is_hidden_by_one_that_asks_for_all(self) -> None:
        rules = "name: some, when: {busy: [ana, bo]}, transferTo: cara\nname: tried, when: {busy: daily}, transferTo: cara"
        ((code, message), *_) = messages(proved(rules))
        assert code == "dead-rule"
        assert "'tried' can never be chosen: 'some' (ana is busy) above takes" in message
        swapped = "\n".join(reversed(rules.split("\n")))
        assert messages(proved(swapped)) == []

    def test_a_time_that_excludes_a_member_hides_a_rule(self) -> None:
        """From 09:00 to 17:00 it is always the same one's turn."""
        rules = "name: a, when: {busy: bo}, transferTo: cara\nname: tried, when: {during: office, busy: daily}, transferTo: cara"
        assert messages(proved(rules))[0][0] == "override-rule"
        other = rules.replace("busy: bo", "busy: ana")
        assert messages(proved(other)) == []

    def test_a_rotation_is_never_dialed_only_if_nobody_of_it_is(self) -> None:
        rules = "name: full, when: {busy: daily}, transferTo: daily"
        assert messages(proved(rules)) == [
            (
                "never-dialed",
                "rule 'full' never dials daily: it is busy, or its person not available, whenever the rule is chosen",
            )
        ]
        assert messages(proved("name: some, when: {busy: ana}, transferTo: daily")) == []

    def test_the_longest_ring_is_that_of_the_member_who_rings_longest(self) -> None:
        longest = proved("", "{transferTo: daily}").lines["main"].longest
        assert longest
        assert [(each.rings, each.seconds) for each in longest.longest] == [
            (("bo",), 40),
            (("cara",), 20),
        ]

    def test_who_has_no_turn_in_the_sweep_is_told(self) -> None:
        found = messages(proved("", "{transferTo: years}"), INFO)
        message = "in these 400 days it is never the turn of"
        assert [words for code, words in found if code == "later-turn"] == [
            f"{message} cara",
            f"{message} bo",
        ]

    def test_a_loop_goes_through_the_member_that_is_a_line_of_ours(self) -> None:
        more = f"  night:\n    numbers: {NIGHT}\n    otherwise: {{transferTo: {MAIN}}}\n"
        proof = proved("", "{transferTo: ours}", more)
        (loop,) = proof.loops
        assert loop.names == ("main", "night", "main")
        shown = loop.hops[0].witness
        rules = read(file("", "{transferTo: ours}", more))
        assert rules.rotations["ours"].member(shown.call.at, {}).label == "night"
        during = "name: day, when: {during: office}, transferTo: daily"
        assert proved(during, "{transferTo: cara}", more).loops == []

    def test_an_ordinary_caller_reaches_each_member_at_its_time(self) -> None:
        when = proved("", "{transferTo: daily}").lines["main"].when
        hours = {words: str(each) for (_, words), each in when.hours.items()}
        assert hours == {"ana": "mon-sun 21:00-09:00", "bo": "mon-sun 09:00-21:00"}

    def test_expectations_without_an_instant_are_judged_at_every_turn(self) -> None:
        failing = "expect: [{to: main, rings: [ana]}]\n"
        proof = proved("", "{transferTo: daily}", failing)
        assert proof.results[0].because.startswith("expected rings [ana], but it rings [bo]")
        good = failing.replace("[ana]", "[daily]")
        assert proved("", "{transferTo: daily}", good).results[0].passed
        other = "expect: [{to: main, busy: oncall, rings: [cara]}]\n"
        assert (
            proved("name: full, when: {busy: oncall}, transferTo: cara", "{transferTo: ana}", other)
            .results[0]
            .passed
            is False
        )


OLD = file("name: full, when: {busy: oncall}, transferTo: cara", "{transferTo: oncall}")
SAME = {
    "whole rounds later": (
        "from: 2026-11-02T09:00, every: 1w, of: [ana, bo, cara]",
        "from: 2026-10-12T09:00, every: 7d, of: [ana, bo, cara]",
    ),
    "in hours": ("every: 1w, of: [ana, bo, cara]", "every: 168h, of: [ana, bo, cara]"),
    "twice round": ("of: [ana, bo, cara]", "of: [ana, bo, cara, ana, bo, cara]"),
    "another name": ("oncall", "duty"),
    "one that is not used": ("every: 12h", "every: 8h"),
}
OTHER = {
    "another order": ("of: [ana, bo, cara]", "of: [ana, cara, bo]"),
    "another time": (
        "from: 2026-11-02T09:00, every: 1w, of: [ana, bo, cara]",
        "from: 2026-11-02T08:00, every: 1w, of: [ana, bo, cara]",
    ),
    "another length": ("every: 1w, of: [ana, bo, cara]", "every: 8d, of: [ana, bo, cara]"),
    "one fewer": ("of: [ana, bo, cara]", "of: [ana, bo]"),
    "how a member rings": ("ring: 40s", "ring: 30s"),
    "nobody in turn": ("{transferTo: oncall}", "{transferTo: ana}"),
}


class TestDiff:
    @pytest.mark.parametrize(("old", "new"), SAME.values(), ids=SAME)
    def test_what_is_the_same_is_no_difference(self, old: str, new: str) -> None:
        assert old in OLD
        assert compare(read(OLD), read(OLD.replace(old, new)), START).differences == []

    @pytest.mark.parametrize(("old", "new"), OTHER.values(), ids=OTHER)
    def test_what_goes_elsewhere_is_one(self, old: str, new: str) -> None:
        assert old in OLD
        comparison = compare(read(OLD), read(OLD.replace(old, new)), START)
        assert comparison.differences
        assert comparison.partly == []


def test_the_timeline_is_what_the_router_says_at_every_instant() -> None:
    text = file(
        "name: full, when: {busy: daily}, transferTo: cara\nname: day, when: {during: office}, transferTo: [oncall, daily]",
        "{followMe: [{transferTo: daily}, {transferTo: ours}]}",
    )
    rules = read(text)
    line = rules.lines["main"]
    noon = dt.datetime(2027, 3, 10, 17, tzinfo=dt.UTC)
    supposed = Supposed(
        rules.default_caller,
        busy=frozenset({"daily"}),
        overrides=(Override("daily", "ana", noon, noon + dt.timedelta(hours=30), "rotation"),),
    )
    (found,) = timeline(rules, [line], dt.date(2027, 3, 8), 14, supposed).lines
    overridden = [day for day in found.days if day.overridden]
    assert [day.wall.date.day for day in overridden] == [10, 11]
    assert overridden[0].notes[0].text == "daily set to ana by an override until Thu 11 Mar 18:00"
    chance = random.Random(7)  # noqa: S311 - not for secrets
    for segment in found.segments:
        length = int((segment.end - segment.start).total_seconds())
        for second in (0, length - 1, chance.randrange(length)):
            at = segment.start + dt.timedelta(seconds=second)
            sets = {"daily": "ana"} if noon <= at < noon + dt.timedelta(hours=30) else {}
            member = rules.rotations["daily"].member(at, sets).label
            facts = Facts(frozenset({member}), overrides=sets)
            assert route(rules, Call(MAIN, rules.default_caller, at), facts).rule == segment.rule
    plain = Supposed(rules.default_caller)
    (found,) = timeline(rules, [line], dt.date(2027, 3, 8), 14, plain).lines
    for segment in found.segments:
        for at in (segment.start, segment.end - dt.timedelta(seconds=1)):
            walked = walk(route(rules, Call(MAIN, rules.default_caller, at), Facts()), Facts(), [])
            rings = tuple(each.label for each in walked.attempts[0].destinations)
            assert rings == segment.reach.steps[0]
