"""`flask rules diff` says all that goes elsewhere, and nothing else."""

# ruff: noqa: E501 - a rule of the file has one line

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest

from routing.proof.comparison import differences
from routing.reader import read
from routing.router import route
from routing.rules import RuleSet, TransferAction
from tests.proof_cases import START, case, every_call, every_kind, random_rules

if TYPE_CHECKING:
    from routing.conditions import Call, Facts

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
                " ana recordingEnabled none → ana recordingEnabled true"
            )
        ],
    ),
    "a number": (
        "ana: {transferTo: +19195550102",
        "ana: {transferTo: +19195550109",
        [
            (
                "main, mon-fri 09:00-17:00, any caller not in spam, desk busy:"
                " ana (+19195550102) → ana (+19195550109)"
            )
        ],
    ),
    "how long it rings": (
        "name: open, transferTo: desk",
        "name: open, transferTo: desk, ring: 25s",
        [
            (
                "main, mon-fri 09:00-17:00, any caller not in spam, desk not busy:"
                " desk ring 10 → desk ring 25"
            )
        ],
    ),
    "the emergency": (
        "emergency: {transferTo: answering}",
        "emergency: {transferTo: bo}",
        [
            "main, at any time, any caller not in spam: emergency: answering → emergency: bo",
            "numbers on no line, at any time, any caller: answering → bo",
        ],
    ),
    "what a presence leads to": (
        "- {name: busy,",
        "- {name: away, when: {presence: {bo: [dnd, away]}}, transferTo: ana}\n      - {name: busy,",
        [
            "main, mon-fri 09:00-17:00, any caller not in spam, desk not busy, bo dnd or away: desk → ana"
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
    said = [str(each) for each in differences(read(OLD), read(new), START)]
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


def stages(rules: RuleSet, call: Call, facts: Facts) -> object:
    """What a call gets, without the names of rules."""
    found = []
    chosen = route(rules, call, facts)
    for index, stage in enumerate(
        chosen.stages if chosen.action == "transfer" else chosen.stages[:1]
    ):
        action = stage.action
        steps = action.steps if isinstance(action, TransferAction) else action
        found.append((stage.name if index else "", steps))
    return found


def mutated(seed: int) -> tuple[str, str]:
    """Two random files that have most of their rules in common."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    old = random_rules(seed, 4)
    lines = old.split("\n")
    places = [n for n, line in enumerate(lines) if line.startswith("      - {name: r")]
    first, second = chance.sample(places, 2)
    if chance.random() < 0.5:
        lines[first], lines[second] = lines[second], lines[first]
    else:
        del lines[first]
    if chance.random() < 0.3:
        lines = [line.replace("mon-fri: 12:00-13:00", "mon-sat: 12:00-13:30") for line in lines]
    return old, "\n".join(lines)


@pytest.mark.parametrize("seed", range(16))
def test_the_differences_agree_with_trying_every_call(seed: int) -> None:
    old_text, new_text = mutated(seed)
    old, new = read(old_text), read(new_text)
    found = list(differences(old, new, START))
    instants = sorted({*every_kind(old), *every_kind(new)})
    reasons = (None, "no-answer", "away", "deflection")
    differs = [
        (call, facts)
        for call, facts in every_call(old, instants, reasons)
        if stages(old, call, facts) != stages(new, call, facts)
    ]
    assert bool(found) == bool(differs)
    for each in found:
        call, facts = each.witness.call, each.witness.facts
        assert stages(old, call, facts) != stages(new, call, facts)
        assert each.before != each.after
    # Each call that goes elsewhere is in a difference that begins where it begins.
    said = {(each.before, each.after) for each in found}
    for call, facts in differs[:300]:
        texts = first_words(old, call, facts), first_words(new, call, facts)
        if texts[0] != texts[1]:
            assert texts in said


def first_words(rules: RuleSet, call: Call, facts: Facts) -> str:
    action = route(rules, call, facts).stages[0].action
    assert isinstance(action, TransferAction)
    return ", then ".join(" + ".join(d.label for d in step.destinations) for step in action.steps)


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
        ("otherwise: desk", "otherwise: ana", "any caller not in blocked or vip"),
        ("from: vip}, transferTo: bo", "from: vip}, reject: true", "callers in vip"),
        ("from: blocked}, reject: true", "from: blocked}, transferTo: bo", "callers in blocked"),
    ],
)
def test_a_list_stands_for_all_that_are_in_it(there: str, instead: str, who: str) -> None:
    found = list(differences(read(LISTS), read(LISTS.replace(there, instead)), START))
    assert found[0].case == who
    assert not any(" and " in each.case for each in found)
