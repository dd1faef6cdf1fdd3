"""What the proof says of handlers, rings, gaps, calendars and expectations is true."""

from __future__ import annotations

import datetime as dt
import itertools
import random

import pytest

from routing.conditions import Facts
from routing.problems import RulesError
from routing.proof.chains import chains
from routing.proof.findings import ERROR, INFO, WARNING
from routing.proof.following import unconditional
from routing.proof.prove import Proof, prove
from routing.proof.reach import reach
from routing.proof.sweep import Sweep
from routing.reader import read
from routing.route import first_move
from routing.router import route, walk
from routing.words import HANDLERS, OTHERWISE, OUTCOMES
from tests.proof_cases import (
    HEAD,
    START,
    TAIL,
    case,
    every_call,
    every_kind,
    random_rules,
)


def proof_of(text: str, start: dt.datetime = START) -> Proof:
    return prove(read(text), start)


def codes(text: str, severity: str) -> list[tuple[str, tuple[str | int, ...]]]:
    return [(each.code, each.keys) for each in proof_of(text).of(severity)]


def random_action(chance: random.Random, depth: int = 0) -> str:
    kind = chance.random()
    if kind < 0.15:
        return "reject: true"
    if kind < 0.3:
        return "announce: {sentence: Sorry}"
    names = ("desk", "ana", "bo", "answering")
    if kind < 0.6 or depth:
        return f"transferTo: {chance.choice(names)}, ring: {chance.randint(5, 30)}s"
    steps = (
        f"{{transferTo: {chance.choice((*names, '[ana, bo]'))}, ring: {chance.randint(5, 30)}s}}"
        for _ in range(chance.randint(1, 3))
    )
    return f"followMe: [{', '.join(steps)}]"


def random_chain(seed: int) -> str:
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    handlers = chance.sample(HANDLERS, chance.randint(0, 3))
    first = random_action(chance)
    while first.startswith(("reject", "announce")):
        first = random_action(chance)
    more = "".join(f", {each}: {{{random_action(chance, 1)}}}" for each in handlers)
    return case(f"name: tried, {first}{more}", f"{{{random_action(chance, 1)}}}")


@pytest.mark.parametrize("seed", range(40))
def test_the_longest_ring_is_that_of_trying_every_outcome(seed: int) -> None:
    rules = read(random_chain(seed))
    line = rules.lines["main"]
    plain = unconditional(rules, line, "tried", line.numbers[0], line.rules[0].stages)
    longest, used = 0, set()
    for outcomes in itertools.product(OUTCOMES, repeat=6):
        walked = walk(plain, Facts(), outcomes)
        used |= set(walked.last.progress.used)
        if len(walked.attempts) <= 6:
            longest = max(longest, sum(each.ring for each in walked.attempts))
    known = chains(plain)
    if len(known.longest) <= 6:
        assert known.seconds == longest
        assert set(known.stages) == used
    assert known.seconds >= longest
    walked = walk(plain, Facts(), [each.outcome for each in known.longest])
    assert sum(each.ring for each in walked.attempts) == known.seconds
    for stage, outcomes in known.stages.items():
        assert stage in walk(plain, Facts(), outcomes).last.progress.used


IDLE = {
    "its person is never available": (
        "name: a, when: {presence: {ana: dnd}}, transferTo: ana, onNoAnswer: {transferTo: desk}",
        [
            ("dead-handler", ("lines", "main", "rules", 0, "onNoAnswer")),
            ("never-dialed", ("lines", "main", "rules", 0)),
        ],
    ),
    "it is always busy": (
        (
            "name: a, when: {busy: desk}, transferTo: desk, onBusy: {transferTo: bo},"
            " onFailure: {reject: true}"
        ),
        [("never-dialed", ("lines", "main", "rules", 0))],  # bo can fail, so onFailure can run
    ),
    "it is busy, but not at its turn": (
        "name: a, when: {busy: desk}, followMe: [{transferTo: ana}, {transferTo: desk}]",
        [],
    ),
    "one of two can be dialed": (
        (
            "name: a, when: {presence: {ana: [dnd, away]}}, transferTo: [ana, bo],"
            " onNoAnswer: {reject: true}"
        ),
        [("never-dialed", ("lines", "main", "rules", 0))],
    ),
    "sometimes available": (
        (
            "name: a, when: {not: {presence: {ana: available}, busy: desk}}, transferTo: ana,"
            " onNoAnswer: {transferTo: desk}"
        ),
        [],
    ),
    "an earlier rule takes the other cases": (
        (
            "name: a, when: {presence: {ana: available}}, transferTo: desk\n"
            "name: b, transferTo: ana, onRejected: {transferTo: bo}"
        ),
        [
            ("dead-handler", ("lines", "main", "rules", 1, "onRejected")),
            ("never-dialed", ("lines", "main", "rules", 1)),
        ],
    ),
}


@pytest.mark.parametrize("name", IDLE)
def test_what_cannot_be_used_of_a_rule(name: str) -> None:
    rules, wanted = IDLE[name]
    assert codes(case(rules, "{reject: true}"), WARNING) == wanted


@pytest.mark.parametrize("seed", range(16))
def test_what_is_never_dialed_agrees_with_trying_every_call(seed: int) -> None:
    text = random_rules(seed + 900, 5)
    rules = read(text)
    line = rules.lines["main"]
    dialed: set[tuple[str, str]] = set()
    for call, facts in every_call(rules, every_kind(rules), (None, "no-answer", "away", "unknown")):
        chosen = route(rules, call, facts)
        move = first_move(chosen, facts)
        if move.attempt and move.progress.stage == 0:
            dialed |= {(chosen.rule, each.label) for each in move.attempt.destinations}
    proof = prove(rules, START)
    never = {each.message for each in proof.findings if each.code == "never-dialed"}
    chosen = reach(rules, line, Sweep(START)).chosen
    for rule, known in zip(line.rules, chosen, strict=False):
        for each in rule.stages[0].action.steps[0].destinations if known else ():
            said = any(f"{rule.name!r} never dials {each.label}:" in text for text in never)
            assert said == ((rule.name, each.label) not in dialed)


def gap(rules: str) -> list[str]:
    found = [each for each in proof_of(case(rules)).of(INFO) if each.code == "only-otherwise"]
    return [each.message.partition(": ")[2] for each in found]


GAPS = [
    (
        (
            "name: a, when: {during: office}, transferTo: desk\n"
            "name: b, when: {during: [late, weekend]}, transferTo: bo"
        ),
        (
            "mon 00:00-09:00, 17:00-17:01; tue-fri 17:00-17:01;"  # nobody has Sunday's night
            " on thu 2026-11-26, fri 2026-12-25, fri 2027-01-01 and 4 more days 09:00-17:01;"
            " on mon 2027-01-18, mon 2027-02-15, mon 2027-05-31 and 3 more days 00:00-17:01"
        ),
    ),
    ("name: a, when: {from: vip}, transferTo: desk", "at any time"),
    (
        "name: a, when: {outside: minute}, transferTo: desk",
        "on tue 2027-03-09 11:59-12:00",
    ),
    (
        (
            "name: a, when: {busy: desk}, transferTo: ana\nname: b, when: {during: night},"
            " transferTo: bo"
        ),
        "mon-sun 09:00-17:00",
    ),
]


@pytest.mark.parametrize(("rules", "hours"), GAPS)
def test_a_gap_is_named_to_the_minute(rules: str, hours: str) -> None:
    (found,) = gap(rules)
    assert found == hours


@pytest.mark.parametrize(
    "rules",
    [
        "name: a, transferTo: desk",
        (
            "name: a, when: {during: office}, transferTo: desk\nname: b, when: {outside: office},"
            " transferTo: bo"
        ),
        "name: a, when: {notFrom: spam}, transferTo: desk",
    ],
)
def test_no_gap_is_seen_where_none_is(rules: str) -> None:
    assert gap(rules) == []


def test_the_witness_of_a_gap_gets_otherwise() -> None:
    text = case("name: a, when: {outside: minute}, transferTo: desk")
    (found,) = [each for each in proof_of(text).of(INFO) if each.code == "only-otherwise"]
    assert found.witness is not None
    assert found.witness.call.at == dt.datetime(2027, 3, 9, 16, 59, tzinfo=dt.UTC)
    assert route(read(text), found.witness.call, found.witness.facts).rule == "otherwise"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("2026-12-24..2027-01-02", "ends on 2027-01-02, in 40 days"),
        ("2026-12-01", "ends on 2026-12-01, in 8 days"),
        ("2025-12-24", "has no days after 2025-12-24"),
        ("2026-11-23", "has no days after 2026-11-23"),
        ('"FREQ=DAILY;UNTIL=20261231"', "ends on 2026-12-31, in 38 days"),
        ("2027-01-23", None),
        ("2026-12-24..2027-04-02", None),
        ("[2026-12-24, 07-04]", None),
        ("[2026-12-24, us]", None),
        ("{country: US}", None),
    ],
)
def test_a_calendar_that_ends_within_60_days(written: str, said: str | None) -> None:
    text = HEAD.replace("calendars:\n", f"calendars:\n  ends: {written}\n")
    text = text.replace("{dates: us,", "{dates: [us, ends],")
    text += "lines: {main: {numbers: +19195551000, otherwise: {reject: true}}}\n" + TAIL
    found = [each.message for each in proof_of(text).findings if each.code == "calendar-ends"]
    assert found == ([f"calendar 'ends' {said}"] if said else [])


def test_an_expectation_that_fails_is_an_error_at_its_place() -> None:
    more = (
        "expect:\n  - {at: 2026-11-24T10:00, to: main, rule: tried}\n"
        "  - {at: 2026-11-24T10:00, to: main, rings: [bo]}\n  - {to: main, rule: tried}\n"
    )
    text = case("name: tried, when: {during: office}, transferTo: desk", more=more)
    found = proof_of(text).of(ERROR)
    assert [(each.code, each.keys) for each in found] == [
        ("expectation-failed", ("expect", 1)),
        ("expectation-failed", ("expect", 2)),
    ]
    assert "at 2026-11-23T12:00:00+00:00" in found[1].message  # the first instant of the sweep


@pytest.mark.parametrize("seed", range(30))
def test_the_call_of_something_untested_gets_there(seed: int) -> None:
    text = random_chain(seed) if seed % 3 == 0 else random_rules(seed + 300, 4)
    text = text.replace("transferTo: bo", "transferTo: bo, onBusy: {announce: {sentence: Busy}}")
    text = text.replace("onBusy: {announce: {sentence: Busy}}, onBusy", "onBusy")
    try:
        rules = read(text)
    except RulesError:  # a handler twice
        return
    found = [each for each in prove(rules, START).findings if each.code == "untested"]
    assert found
    for each in found:
        assert each.witness is not None
        chosen = route(rules, each.witness.call, each.witness.facts)
        name = (
            rules.lines["main"].rules[int(each.keys[3])].name if "rules" in each.keys else OTHERWISE
        )
        assert chosen.rule == name
        if each.keys[-1] in HANDLERS:
            walked = walk(chosen, each.witness.facts, each.witness.outcomes)
            used = [chosen.stages[number].name for number in walked.last.progress.used]
            assert each.keys[-1] in used


def test_a_handler_that_only_a_change_during_the_call_reaches_is_not_asked_for() -> None:
    """It can run, so it is not dead; but while desk stays busy, nothing gets there."""
    rules = "name: a, when: {busy: desk}, followMe: [ana, desk], onNoAnswer: {reject: true}"
    rules = rules.replace("[ana, desk]", "[{transferTo: ana}, {transferTo: desk}]")
    found = proof_of(case(rules)).findings
    assert not [each for each in found if each.keys[-1] == "onNoAnswer"]


@pytest.mark.parametrize("seed", range(25))
def test_the_proposed_expectations_hold_and_leave_nothing_untested(seed: int) -> None:
    text = random_chain(seed) if seed % 5 == 0 else random_rules(seed, 4)
    text = text.replace(
        "transferTo: desk", "transferTo: desk, onNoAnswer: {announce: {sentence: No}}"
    )
    text = text.replace("onNoAnswer: {announce: {sentence: No}},", "") if seed % 5 == 0 else text
    proposed = [each.proposed for each in proof_of(text).findings if each.code == "untested"]
    assert proposed
    assert len(proposed) == len(set(proposed))
    written = [each for each in proposed if each]
    again = proof_of(text + "expect:\n" + "".join(f"  - {each}\n" for each in written))
    assert [each.message for each in again.of(ERROR)] == []
    left = [each for each in again.findings if each.code == "untested"]
    assert len(left) == len(proposed) - len(written)
