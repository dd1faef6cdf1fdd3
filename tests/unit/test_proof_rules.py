"""Seeded dead rules are found with what hides them; near-misses are not called dead."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs

from routing.conditions import Call, Facts, Weekday
from routing.proof.findings import INFO, WARNING, Finding
from routing.proof.looking import clocks_in, looked_at
from routing.proof.prove import prove
from routing.proof.reach import reach
from routing.proof.regions import UndeclaredLookError
from routing.proof.sweep import Sweep, instant
from routing.reader import read
from routing.reading import lines
from routing.router import route
from tests.proof_cases import START, case, every_call, every_kind, random_rules, reached

if TYPE_CHECKING:
    from routing.rules import RuleSet

UNREACHABLE = {"dead-rule", "past-rule", "later-rule", "override-rule"}
CATCH = "name: tried, transferTo: desk"

DEAD = {
    "by one without conditions": ("name: all, transferTo: ana", CATCH, ["all"]),
    "by one with the same condition": (
        "name: a, when: {from: vip}, transferTo: ana",
        "name: tried, when: {from: vip}, transferTo: bo",
        ["a"],
    ),
    "by a wider prefix": (
        "name: a, when: {from: ny}, transferTo: ana",
        "name: tried, when: {from: block}, transferTo: bo",
        ["a"],
    ),
    "by two times together": (
        (
            "name: a, when: {during: office}, transferTo: ana\n"
            "name: b, when: {outside: office}, transferTo: bo"
        ),
        CATCH,
        ["a", "b"],
    ),
    "by a night and a holiday together": (
        (
            "name: a, when: {during: [office, late, night]}, transferTo: ana\n"
            "name: b, when: {outside: office}, transferTo: bo"
        ),
        CATCH,
        ["a", "b"],
    ),
    "by busy and not busy": (
        (
            "name: a, when: {busy: desk}, transferTo: ana\n"
            "name: b, when: {not: {busy: desk}}, transferTo: bo"
        ),
        CATCH,
        ["a", "b"],
    ),
    "by every presence": (
        (
            "name: a, when: {presence: {ana: [available, busy]}}, transferTo: answering\n"
            "name: b, when: {presence: {ana: [dnd, away]}}, transferTo: bo"
        ),
        CATCH,
        ["a", "b"],
    ),
    "by a caller and everybody else": (
        "name: a, when: {from: spam}, reject: true\nname: b, when: {notFrom: spam}, transferTo: bo",
        CATCH,
        ["a", "b"],
    ),
    "by three corners": (
        (
            "name: a, when: {busy: desk, presence: {ana: dnd}}, transferTo: answering\n"
            "name: b, when: {not: {busy: desk}}, transferTo: bo\n"
            "name: c, when: {not: {presence: {ana: dnd}}}, transferTo: bo"
        ),
        CATCH,
        ["a", "b", "c"],
    ),
    "by any diversion": (
        "name: a, when: {diverted: any}, reject: true",
        "name: tried, when: {diverted: no-answer}, transferTo: bo",
        ["a"],
    ),
    "within the hours of another": (
        "name: a, when: {during: [lunch, weekend]}, transferTo: ana",
        "name: tried, when: {during: lunch, presence: {bo: away}}, transferTo: desk",
        ["a"],
    ),
}


def finding_of(text: str, name: str = "tried") -> Finding | None:
    rules = read(text)
    names = [rule.name for rule in rules.lines["main"].rules]
    keys = ("lines", "main", "rules", names.index(name))
    found = [each for each in prove(rules, START).findings if each.code in UNREACHABLE]
    return next((each for each in found if each.keys == keys), None)


@pytest.mark.parametrize("name", DEAD)
def test_a_dead_rule_is_found_with_what_hides_it(name: str) -> None:
    above, tried, hiders = DEAD[name]
    text = case(f"{above}\n{tried}")
    found = finding_of(text)
    assert found is not None
    assert (found.code, found.severity) == ("dead-rule", WARNING)
    assert [each.rule for each in found.hidden_by] == hiders
    rules = read(text)
    for each in found.hidden_by:  # the witness gets the rule that hides, and the dead one holds too
        chosen = route(rules, each.witness.call, each.witness.facts)
        assert chosen.rule == each.rule
        alone = read(case(tried))
        assert route(alone, each.witness.call, each.witness.facts).rule == "tried"


ALIVE = {
    "for a minute a year": ("name: a, when: {outside: minute}, transferTo: ana", CATCH),
    "only for anonymous callers": (
        (
            "name: a, when: {notFrom: spam}, transferTo: ana\n"
            "name: b, when: {from: [+1900*]}, transferTo: ana"
        ),
        CATCH,
    ),
    "only for vips who are withheld": (
        (
            "name: a, when: {not: {from: vip}}, transferTo: ana\n"
            "name: b, when: {notFrom: spam}, transferTo: bo"
        ),
        CATCH,
    ),
    "only when busy and away": (
        (
            "name: a, when: {not: {busy: desk}}, transferTo: ana\n"
            "name: b, when: {presence: {ana: [available, busy, dnd]}}, transferTo: bo"
        ),
        CATCH,
    ),
    "only for a number beside a prefix": (
        (
            "name: a, when: {from: [+12125550*, +1415*]}, transferTo: ana\n"
            "name: b, when: {notFrom: ny}, transferTo: bo"
        ),
        CATCH,
    ),
    "only in the minute between": (
        (
            "name: a, when: {during: office}, transferTo: ana\n"
            "name: b, when: {during: [late, weekend]}, transferTo: bo"
        ),
        "name: tried, when: {during: night, outside: office}, transferTo: desk",
    ),
    "only on a holiday": (
        "name: a, when: {during: [office, night, weekend]}, transferTo: ana",
        CATCH,
    ),
    "only when diverted for another reason": (
        (
            "name: a, when: {diverted: [no-answer, away]}, transferTo: ana\n"
            "name: b, when: {not: {diverted: any}}, transferTo: bo"
        ),
        CATCH,
    ),
    "only SIP callers of another host": (
        (
            "name: a, when: {from: [sip, +1*, +2*, +3*, +4*, +5*, +6*, +7*, +8*, +9*, anonymous]},"
            " transferTo: ana"
        ),
        CATCH,
    ),
    "with one exact number left": (
        "name: a, when: {notFrom: +14155550123}, transferTo: ana",
        "name: tried, when: {from: vip}, transferTo: desk",
    ),
}


@pytest.mark.parametrize("name", ALIVE)
def test_a_rule_that_can_just_be_reached_is_not_dead(name: str) -> None:
    text = case("\n".join(ALIVE[name]))
    assert finding_of(text) is None
    rules = read(text)
    found = reach(rules, rules.lines["main"], Sweep(START))
    index = [rule.name for rule in rules.lines["main"].rules].index("tried")
    shown = found.witness(found.chosen[index])
    assert route(rules, shown.call, shown.facts).rule == "tried"


OTHER = [
    ("during: last-year", "past-rule", WARNING),
    ("during: in-years", "later-rule", INFO),
    ("during: leap", "later-rule", INFO),
    ("during: switch", "override-rule", INFO),
    ("during: [switch, last-year], outside: lunch, from: vip", "past-rule", WARNING),
    ("during: switch, outside: office, busy: desk", "override-rule", INFO),
    ("outside: always", "override-rule", INFO),  # hours that are open all day are a switch, too
    ("during: lunch, outside: always", "override-rule", INFO),
    ("during: [last-year, in-years]", "later-rule", INFO),
    ("weekday: mon, not: {weekday: [mon, tue]}", "dead-rule", WARNING),
    ("during: lunch, outside: lunch", "dead-rule", WARNING),
    ("during: switch, from: vip, notFrom: vip", "dead-rule", WARNING),
]


@pytest.mark.parametrize(("when", "code", "severity"), OTHER)
def test_a_rule_of_another_time_or_an_override_says_so(when: str, code: str, severity: str) -> None:
    text = case(f"name: tried, when: {{{when}}}, transferTo: desk")
    found = finding_of(text)
    assert found is not None
    assert (found.code, found.severity, found.hidden_by) == (code, severity, ())
    if found.witness:
        assert route(read(text), found.witness.call, found.witness.facts).rule == "tried"


def test_a_rule_below_a_switch_is_chosen_while_it_is_set() -> None:
    text = case("name: usual, when: {outside: switch}, transferTo: ana\nname: tried, reject: true")
    found = finding_of(text)
    assert found is not None
    assert (found.code, found.message) == (
        "override-rule",
        "rule 'tried' is chosen only while switch is set open by an override",
    )
    below_hours = text.replace("outside: switch", "during: always")
    hidden = finding_of(below_hours)
    assert hidden is not None
    assert (hidden.code, hidden.message) == (
        "override-rule",
        "rule 'tried' is chosen only while always is set closed by an override",
    )


def test_a_rule_whose_hours_another_has_is_chosen_only_while_those_are_set_aside() -> None:
    """The mistake (a narrower rule below a wider one) is a warning, but it is no dead rule."""
    text = case(
        "name: work, when: {during: office}, transferTo: ana\n"
        "name: tried, when: {during: lunch}, transferTo: bo"
    ).replace(
        "lunch: {hours: {mon-fri: 12:00-13:00}}",
        "lunch: {hours: {mon-fri: 12:00-13:00}, except: [{dates: us, hours: closed}]}",
    )
    found = finding_of(text)
    assert found is not None
    assert (found.code, found.severity) == ("override-rule", WARNING)
    assert [each.rule for each in found.hidden_by] == ["work"]
    assert "while office is set closed by an override: otherwise 'work' (" in found.message
    assert found.witness is not None
    assert found.witness.facts.overrides == {"office": "closed"}
    assert route(read(text), found.witness.call, found.witness.facts).rule == "tried"


def test_a_leap_day_within_the_sweep_is_reached() -> None:
    rules = read(case("name: tried, when: {during: leap}, transferTo: desk"))
    found = prove(rules, dt.datetime(2027, 6, 1, tzinfo=dt.UTC))
    assert not [each for each in found.findings if each.code in UNREACHABLE]


@pytest.mark.parametrize("seed", range(40))
def test_random_rules_agree_with_trying_every_call(seed: int) -> None:
    rules = read(random_rules(seed, 3 + seed % 4))
    reasons = (None, "no-answer", "away", "deflection")
    wanted = reached(rules, every_kind(rules), reasons)
    found = reach(rules, rules.lines["main"], Sweep(START))
    names = [*(rule.name for rule in rules.lines["main"].rules), "otherwise"]
    alive = {name for name, region in zip(names, found.chosen, strict=True) if region}
    assert alive == wanted
    for index, name in enumerate(names):
        if name in alive:
            shown = found.witness(found.chosen[index])
            assert route(rules, shown.call, shown.facts).rule == name


@pytest.mark.parametrize("seed", range(12))
def test_what_is_said_of_overrides_agrees_with_trying_them(seed: int) -> None:
    """A dead rule is chosen under no override; one that needs an override is chosen under it."""
    rules = read(random_rules(seed + 700, 5))
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    found = {
        each.keys[3]: each for each in prove(rules, START).findings if each.code in UNREACHABLE
    }
    names = [rule.name for rule in rules.lines["main"].rules]
    dead = {names[int(n)] for n, each in found.items() if each.code == "dead-rule"}
    calls = [*every_call(rules, every_kind(rules)[::9], (None, "no-answer"))]
    for call, facts in chance.sample(calls, 1500):
        states = {name: chance.choice(("open", "closed")) for name in ("office", "lunch", "night")}
        set_to = dict(chance.sample(sorted(states.items()), chance.randint(0, 3)))
        assert route(rules, call, structs.replace(facts, overrides=set_to)).rule not in dead
    for number, each in found.items():
        if each.code == "override-rule":
            assert each.witness is not None
            assert route(rules, each.witness.call, each.witness.facts).rule == names[int(number)]
            assert each.witness.facts.overrides


def test_every_condition_is_among_the_random_ones() -> None:
    """Who adds a key of `when` adds it there, and it is proved against every call."""
    written = " ".join(random_rules(seed, 6) for seed in range(40))
    for key in lines.WHEN.inner.fields:
        assert f" {key}: " in written or f"{{{key}: " in written, key


class Moody(Weekday, frozen=True):
    """A condition that does not say what it looks at."""

    def looks_at(self) -> tuple[()]:
        return ()


def test_a_condition_that_looks_at_what_it_does_not_name_is_no_proof() -> None:
    rules = read(case("name: tried, when: {weekday: mon}, transferTo: desk"))
    line = rules.lines["main"]
    zone = ZoneInfo("America/New_York")
    rule = structs.replace(line.rules[0], conditions=(Moody((0,), zone),))
    with pytest.raises(UndeclaredLookError, match=r"Moody\.looks_at does not say so"):
        reach(rules, structs.replace(line, rules=(rule,)), Sweep(START))


@pytest.mark.parametrize("seed", range(3))
def test_an_ordinary_caller_gets_at_every_minute_what_the_timetable_says(seed: int) -> None:
    rules = read(random_rules(seed + 500, 5))
    line = rules.lines["main"]
    proved = prove(rules, START).lines["main"]
    moments = Sweep(START).moments(clocks_in(looked_at(line)))
    pieces = [*moments.pieces, (moments.end, -1)]
    shown = moments.samples
    for (began, kind), (ended, _) in itertools.pairwise(pieces):
        same = proved_rule(rules, shown[kind])
        for at in range(began, min(ended, began + 86_400), 1200):
            assert proved_rule(rules, instant(at)) == same
        assert proved_rule(rules, instant(ended - 60)) == same
    assert {rule for rule, _ in proved.when.hours} <= {*(r.name for r in line.rules), "otherwise"}


def proved_rule(rules: RuleSet, at: dt.datetime) -> str:
    return route(rules, Call("+19195551000", rules.default_caller, at), Facts()).rule
