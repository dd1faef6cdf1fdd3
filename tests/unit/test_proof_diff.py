"""`flask rules diff` says all that goes elsewhere, and nothing else."""

# ruff: noqa: E501 - a rule of the file has one line

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from routing.problems import RulesError
from routing.proof.comparison import compare
from routing.proof.sidebyside import SideBySide
from routing.proof.sides import Pair, renamed
from routing.proof.sweep import Sweep
from routing.reader import read
from routing.route import Move, first_move, next_move
from routing.router import route, walk
from routing.rules import AnnounceAction, TransferAction
from routing.words import FAILURE, HANDLERS, OUTCOMES
from tests.proof_cases import START, case, random_conditions

if TYPE_CHECKING:
    import random

    from routing.proof.worlds import Witness
    from routing.route import Route
    from routing.rules import RuleSet

UNALLOCATED = "UNALLOCATED_NUMBER"
MAIN = "+19195551000"

OLD = case(
    "name: spam, when: {from: spam}, reject: true\n"
    "name: closed, when: {outside: office}, transferTo: answering\n"
    "name: busy, when: {busy: desk}, transferTo: ana\n"
    "name: open, transferTo: desk, onNoAnswer: {transferTo: bo}"
)

CHANGES = {
    "nothing": ("", "", []),
    "another name of a rule": ("name: open", "name: day", []),
    "longer hours": (
        "mon-fri: 09:00-17:00}, except: [{",
        "mon-thu: 09:00-17:00, fri: 09:00-15:00}, except: [{",
        [
            "main, fri 15:00-17:00, any caller not in spam, desk busy: ana → answering",
            "main, fri 15:00-17:00, any caller not in spam, desk not busy: desk → answering",
        ],
    ),
    "a handler": (
        "onNoAnswer: {transferTo: bo}",
        "onNoAnswer: {transferTo: ana}",
        [
            (
                "main, mon-fri 09:00-17:00, any caller not in spam, desk not busy:"
                " onNoAnswer: bo → onNoAnswer: ana"
            )
        ],
    ),
    "who is refused": (
        "when: {from: spam}",
        "when: {from: [spam, ny]}",
        [
            "main, mon-fri 09:00-17:00, callers in ny, desk busy: ana → rejected",
            "main, mon-fri 09:00-17:00, callers in ny, desk not busy: desk → rejected",
            "main, mon-thu 17:00-09:00, callers in ny: answering → rejected",
        ],
    ),
    "whether it is recorded": (
        "name: busy, when: {busy: desk}, transferTo: ana",
        "name: busy, when: {busy: desk}, transferTo: ana, recordingEnabled: true",
        [
            (
                "main, mon-fri 09:00-17:00, any caller not in spam, desk busy:"
                " ana: no recordingEnabled → recordingEnabled true"
            )
        ],
    ),
    "a number": (
        "ana: {transferTo: +19195550102",
        "ana: {transferTo: +19195550109",
        [
            (
                "main, mon-fri 09:00-17:00, any caller not in spam, desk busy:"
                " ana: transferTo +19195550102 → transferTo +19195550109"
            )
        ],
    ),
    "how long it rings": (
        "name: open, transferTo: desk",
        "name: open, transferTo: desk, ring: 25s",
        [
            (
                "main, mon-fri 09:00-17:00, any caller not in spam, desk not busy:"
                " desk: ring 10 s → ring 25 s"
            )
        ],
    ),
    "the emergency": (
        "emergency: {transferTo: answering}",
        "emergency: {transferTo: bo}",
        [
            (
                "main, at any time, any caller not in spam; numbers on no line, at any time, any"
                " caller: emergency: answering → emergency: bo"
            ),
        ],
    ),
    "what a presence leads to": (
        "- {name: busy,",
        "- {name: away, when: {presence: {bo: [dnd, away]}}, transferTo: ana}\n      - {name: busy,",
        [
            "main, mon-fri 09:00-17:00, any caller not in spam, desk busy, bo away: ana: diversionReason user-busy → diversionReason away",
            "main, mon-fri 09:00-17:00, any caller not in spam, desk busy, bo dnd: ana: diversionReason user-busy → diversionReason do-not-disturb",
            "main, mon-fri 09:00-17:00, any caller not in spam, desk not busy, bo dnd or away: desk → ana",
        ],
    ),
    "a line's number": (
        "numbers: [+19195551000]",
        "numbers: [+19195551009]",
        None,
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_in_words(name: str) -> None:
    before, after, wanted = CHANGES[name]
    new = OLD.replace(before, after)
    assert (new == OLD) == (name == "nothing")
    said = [str(each) for each in compare(read(OLD), read(new), START).differences]
    if wanted is None:
        assert {each.partition(",")[0] for each in said} == {"+19195551000", "+19195551009"}
    else:
        assert (
            sorted(
                re.sub(r"; (fri .*?; )?on \w\w\w 2026-.*?(?=, (any|call))", "", each)
                for each in said
            )
            == wanted
        )


def noticed(route: Route, move: Move) -> object:
    """What others notice of a move: each request without what changes nothing, or the ending."""
    recorded = any(
        each.parameters.recording_enabled
        for stage in route.stages
        if isinstance(stage.action, TransferAction)
        for step in stage.action.steps
        for each in step.destinations
    )
    if move.attempt is not None:
        rung = move.attempt.destinations
        if len(rung) > 1:
            bodies = [move.attempt.creation(each) for each in rung]
        else:
            bodies = [move.attempt.transfer(rung[0]).body()]
        seconds = move.attempt.ring
        return seconds, sorted(str(plain(each, recorded=recorded)) for each in bodies)
    if isinstance(move.ending, AnnounceAction):
        return plain(route.say(move.ending.audio, move.progress.reason).body())
    return move.ending


def plain(body: dict[str, Any], *, recorded: bool = True) -> list[tuple[str, object]]:
    """A request without the platform's own defaults, and without a recording that never is."""
    usual = {("diversionTreatment", "none"), ("recordingFileFormat", "wav"), ("gender", "female")}
    usual |= {("locale", "en_US"), ("voice", "susan")}
    return sorted(
        (key, plain(value) if isinstance(value, dict) else value)
        for key, value in body.items()
        if isinstance(value, dict) or (key, value) not in usual
        if recorded or not key.startswith("recording")
    )


def goes_elsewhere(old: RuleSet, new: RuleSet, pair: tuple[Witness, Witness]) -> bool:
    """Whether a call gets something else, however its attempts end; each outcome is tried."""
    routes = [route(r, w.call, w.facts) for r, w in zip((old, new), pair, strict=True)]
    facts = [each.facts for each in pair]
    waiting = [[first_move(r, f) for r, f in zip(routes, facts, strict=True)]]
    seen: set[object] = set()
    while waiting:
        moves = waiting.pop()
        if noticed(routes[0], moves[0]) != noticed(routes[1], moves[1]):
            return True
        places = tuple(each.progress for each in moves)
        if moves[0].attempt is None or places in seen:
            continue
        seen.add(places)
        for outcome, cause in (*((each, None) for each in OUTCOMES), (FAILURE, UNALLOCATED)):
            following = zip(routes, moves, facts, strict=True)
            waiting.append([next_move(r, m.progress, outcome, f, cause) for r, m, f in following])
    return False


def some_of(rules: RuleSet, shown: Witness) -> object:
    """All that others notice of the call of a witness."""
    chosen = route(rules, shown.call, shown.facts)
    walked = walk(chosen, shown.facts, shown.outcomes)
    rung = [noticed(chosen, Move(walked.last.progress, attempt=each)) for each in walked.attempts]
    return rung, noticed(chosen, walked.last)


def some_rule(chance: random.Random, number: int) -> str:
    when = ", ".join(random_conditions(chance))
    parts = [f"name: r{number}", f"when: {{{when}}}" if when else "", some_action(chance)]
    if "transferTo" in parts[2] or "followMe" in parts[2]:
        handlers = chance.sample(HANDLERS, chance.choice((0, 0, 1, 2)))
        parts += [f"{handler}: {{{some_action(chance)}}}" for handler in handlers]
    return ", ".join(filter(None, parts))


def some_action(chance: random.Random) -> str:
    names = ("desk", "ana", "bo", "answering", "[ana, bo]", "[desk, answering]", "+19195550199")
    to = chance.choice(names)
    return chance.choice(
        (
            *(f"transferTo: {to}",) * 4,
            f"transferTo: {to}, ring: {chance.choice((10, 25))}s",
            f"transferTo: {to}, diversionReason: away",
            f"transferTo: {to}, diversionTreatment: {chance.choice(('none', 'propagate'))}",
            f"transferTo: {to}, whisperAudio: {{sentence: 'For {{line}} ({{rule}})'}}",
            f"followMe: [{{transferTo: {to}}}, {{transferTo: {chance.choice(names)}}}]",
            "reject: true",
            f"announce: {{sentence: {chance.choice(('Sorry', 'Closed'))}}}",
        )
    )


EDITS = [
    ("desk: {transferTo: +19195550101, capacity: 2}", "desk: {transferTo: +19195550101}"),
    ("+19195550101, capacity: 2", "+19195550101, capacity: 3"),
    ("+19195550101, capacity: 2", "+19195550101, capacity: 1, person: ana"),
    ("+19195550102, capacity: 1, person: ana", "+19195550102, person: bo"),
    ("bo: {transferTo: +19195550103", "bo: {transferTo: +19195550109"),
    ("bo: {transferTo: +19195550103", "bo: {transferTo: +19195550103, transferCallerId: caller"),
    ("answering: +18005550199", "answering: {transferTo: +18005550199, ring: 10}"),
    ("answering: +18005550199", "answering: {transferTo: +18005550199, recordingEnabled: false}"),
    ("answering: +18005550199", "answering: {transferTo: +18005550199, recordingEnabled: true}"),
    ("ring: 10s}", "ring: 11s}"),
    ("diversionTreatment: stack, ", ""),
    ("mon-fri: 12:00-13:00", "mon-sat: 12:00-13:30"),
    ("{dates: us, hours: closed}", "{dates: 2027-01-04, hours: closed}"),
    ("vip: [+14155550123, +1212*]", "vip: [+14155550123]"),
    ("spam: [+1900*, anonymous]", "spam: [+1900*, anonymous, +14155550123]"),
    ("emergency: {transferTo: answering}", "emergency: {transferTo: bo}"),
    ("emergency: {transferTo: answering}", "emergency: {transferTo: +18005550199}"),
    ("numbers: [+19195551000]", "numbers: [+19195551000]\n    title: Sales"),
    ("  always: {hours: open}", "  always: {hours: closed}"),
    ("name: r1", "name: other"),
    ("otherwise: {transferTo: answering}", "otherwise: {reject: true}"),
    ("otherwise: {transferTo: answering}", "otherwise: {transferTo: answering, ring: 10}"),
]


def two_files(chance: random.Random) -> tuple[RuleSet, RuleSet]:
    """A file put together at random, and the same with some edits."""
    rules = [some_rule(chance, number) for number in range(chance.randint(1, 4))]
    later = list(rules)
    for _ in range(chance.randint(0, 2)):
        index = chance.randrange(len(later))
        match chance.randrange(4):
            case 0:
                later.insert(0, later.pop(index))
            case 1 if len(later) > 1:
                del later[index]
            case 2:
                later[index] = some_rule(chance, 10 + index)
            case _:
                later.append(some_rule(chance, 20 + len(later)))
    names: dict[str, str] = {each.partition(",")[0]: each for each in later}
    old, new = case("\n".join(rules)), case("\n".join(names.values()))
    for before, after in chance.sample(EDITS, chance.choice((0, 1, 1, 2))):
        new = new.replace(before, after)
    try:
        return read(old), read(new)
    except RulesError:  # an edit took what a rule asks about
        assume(False)
        raise


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_what_is_told_is_what_is_different_in_every_world(chance: random.Random) -> None:
    old, new = two_files(chance)
    pair = Pair(
        ((old, old.lines["main"]), (new, new.lines["main"])), renamed(old, new), Sweep(START)
    )
    space = pair.space(overrides=True)
    changes = SideBySide(pair, space, "+19195551000").changes()
    told = space.any_of(each.region for each in changes.values())
    worlds = [{v: chance.choice(values) for v, values in space.domains.items()} for _ in range(12)]
    for world in worlds:
        shown = (pair.old.witness(world, MAIN, ()), pair.new.witness(world, MAIN, ()))
        here = space.all_of(space.where(v, [value]) for v, value in world.items())
        assert bool(space.both(told, here)) == goes_elsewhere(old, new, shown), (world, changes)


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_call_that_shows_a_difference_goes_another_way(chance: random.Random) -> None:
    old, new = two_files(chance)
    found = compare(old, new, START)
    assert found.partly == []
    texts = [(each.before, each.after) for each in found.differences]
    assert len(texts) == len(set(texts))  # one thing is told once
    for each in found.differences:
        assert each.before != each.after
        both = [some_of(old, each.old), some_of(new, each.new)]
        assert both[0] != both[1], str(each)
        assert "None" not in str(each)


LISTS = """\
version: 1
destinations: {desk: +19195550101, bo: +19195550103, ana: +19195550102}
callers:
  blocked: [+1212*, +14155550123]
  vip: [+1415*]
lines:
  main:
    numbers: +19195551000
    rules:
      - {name: blocked, when: {from: blocked}, reject: true}
      - {name: vip, when: {from: vip}, transferTo: bo}
    otherwise: desk
emergency: desk
"""


@pytest.mark.parametrize(
    ("there", "instead", "who"),
    [
        ("otherwise: desk", "otherwise: ana", "any caller not in blocked"),  # vip: bo, then ana
        ("from: vip}, transferTo: bo", "from: vip}, reject: true", "callers in vip"),
        ("from: blocked}, reject: true", "from: blocked}, transferTo: bo", "callers in blocked"),
    ],
)
def test_a_list_stands_for_all_that_are_in_it(there: str, instead: str, who: str) -> None:
    found = compare(read(LISTS), read(LISTS.replace(there, instead)), START).differences
    assert found[0].where[0].case == who
    assert not any(" and " in str(each) for each in found)


def test_two_lists_are_both_named() -> None:
    rules = LISTS.replace("transferTo: bo}", "reject: true}")
    (found,) = compare(
        read(rules), read(rules.replace("otherwise: desk", "otherwise: ana")), START
    ).differences
    assert found.where[0].case == "any caller not in blocked or vip"


def test_a_caller_who_is_put_on_a_list_is_named_by_it() -> None:
    new = LISTS.replace("vip: [+1415*]", "vip: [+1415*, +16465550123]")
    (found,) = compare(read(LISTS), read(new), START).differences
    assert str(found) == "main, at any time, callers added to vip: desk → bo"
    assert found.old.call.caller == "+16465550123"
    (gone,) = compare(read(new), read(LISTS), START).differences
    assert str(gone) == "main, at any time, callers taken out of vip: bo → desk"


SAME = [
    ("otherwise: desk", "otherwise: {transferTo: desk, ring: 20s}"),
    ("otherwise: desk", "otherwise: {transferTo: desk, transferCallerId: caller}"),
    ("otherwise: desk", "otherwise: {transferTo: desk, diversionTreatment: none}"),
    ("otherwise: desk", "otherwise: {transferTo: desk, recordingEnabled: false}"),
    ("otherwise: desk", "otherwise: {transferTo: desk, diversionReason: away}"),
    ("otherwise: desk", "otherwise: +19195550101"),
    ("name: vip,", "name: known,"),
    ("numbers: +19195551000", "title: Sales\n    numbers: +19195551000"),
]


@pytest.mark.parametrize(("there", "instead"), SAME)
def test_what_nobody_notices_is_no_difference(there: str, instead: str) -> None:
    assert LISTS.replace(there, instead) != LISTS
    found = compare(read(LISTS), read(LISTS.replace(there, instead)), START)
    assert [str(each) for each in found.differences] == []


def test_a_title_that_is_whispered_is_a_difference() -> None:
    old = LISTS.replace(
        "otherwise: desk",
        'otherwise: {transferTo: desk, whisperAudio: {sentence: "For {line}"}}',
    ).replace("numbers: +19195551000", "title: Main\n    numbers: +19195551000")
    new = old.replace("title: Main", "title: Sales")
    texts = [
        f"{each.before} → {each.after}" for each in compare(read(old), read(new), START).differences
    ]
    assert texts == [
        "desk: whisperAudio sentence For Main → whisperAudio sentence For Sales",
    ]


def test_one_changed_otherwise_is_told_once_for_many_lines_and_rules() -> None:
    people = "".join(
        f"  d{n}: {{transferTo: +1919555{n:04}, capacity: 1, person: p{n}}}\n" for n in range(9)
    )
    rules = "".join(
        f"      - {{when: {{busy: d{n}, presence: {{p{n}: [dnd, away]}}}}, transferTo: d{n}}}\n"
        for n in range(9)
    )
    lines = "".join(
        f"  l{n}:\n    numbers: +1704555{n:04}\n    rules:\n{rules}    otherwise: d0\n"
        for n in range(6)
    )
    old = f"version: 1\ndestinations:\n{people}lines:\n{lines}emergency: d0\n"
    new = old.replace("otherwise: d0", "otherwise: d1")
    found = compare(read(old), read(new), START)
    assert [f"{e.before} → {e.after}" for e in found.differences] == [
        "otherwise: d0 → otherwise: d1"
    ]
    assert found.partly == []
    assert [each.lines for each in found.differences[0].where] == [tuple(f"l{n}" for n in range(6))]


def test_a_change_of_todays_hours_has_its_hours() -> None:
    text = case("name: open, when: {during: minute}, transferTo: desk")
    today = text.replace("2027-03-09, hours: 11:59-12:00", "2026-11-23, hours: 13:00-15:30")
    said = [str(each) for each in compare(read(text), read(today), START).differences]
    assert "main, on mon 2026-11-23 13:00-15:30, any caller: answering → desk" in said
