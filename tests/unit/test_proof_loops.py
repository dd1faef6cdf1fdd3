"""Loops over our own lines are found and named; what only looks like one is not."""

# ruff: noqa: E501 - a rule of the file has one line

from __future__ import annotations

import pytest

from routing.proof.findings import ERROR, WARNING
from routing.proof.prove import prove
from routing.reader import read
from routing.route import first_move
from routing.router import route, walk
from tests.proof_cases import HEAD, START, TAIL

MAIN, NIGHT, SALES, LOBBY = "+19195551000", "+19195551001", "+19195551002", "+19195551003"
OURS = "+19195551009"


def lines(**written: str) -> str:
    """A file with a line for each keyword; `|` parts its rules from its `otherwise`."""
    numbers = {"main": MAIN, "night": NIGHT, "sales": SALES, "lobby": LOBBY}
    text = HEAD + "lines:\n"
    for name, body in written.items():
        rules, _, otherwise = body.rpartition("|")
        text += f"  {name}:\n    numbers: {numbers[name]}\n"
        listed = [each.strip() for each in rules.split("\n") if each.strip()]
        if listed:
            text += "    rules:\n" + "".join(f"      - {{{each}}}\n" for each in listed)
        text += f"    otherwise: {otherwise.strip() or '{transferTo: answering}'}\n"
    return text + TAIL


def cycles(text: str) -> list[list[str]]:
    found = prove(read(text), START)
    assert [each.code for each in found.of(ERROR)] == ["loop"] * len(found.loops)
    return [list(each.names) for each in found.loops]


LOOPS = {
    "to itself": (lines(main=f"name: a, transferTo: {MAIN}|"), [["main", "main"]]),
    "through otherwise": (lines(main=f"|{{transferTo: {MAIN}}}"), [["main", "main"]]),
    "through a step": (
        lines(
            main=f"name: a, followMe: [{{transferTo: desk}}, {{transferTo: {NIGHT}}}]|",
            night=f"name: b, transferTo: {MAIN}|",
        ),
        [["main", "night", "main"]],
    ),
    "through a handler": (
        lines(
            main=f"name: a, transferTo: desk, onNoAnswer: {{transferTo: {NIGHT}}}|",
            night=f"|{{transferTo: {MAIN}}}",
        ),
        [["main", "night", "main"]],
    ),
    "through a group": (
        lines(
            main=f"name: a, transferTo: [desk, {NIGHT}]|",
            night=f"|{{transferTo: {SALES}, transferCallerId: private}}",
            sales=f"|{{transferTo: {MAIN}}}",
        ),
        [["main", "night", "sales", "main"]],
    ),
    "through three": (
        lines(
            main=f"name: a, when: {{during: office}}, transferTo: {NIGHT}|",
            night=f"name: b, when: {{busy: desk}}, transferTo: ana, onBusy: {{transferTo: {SALES}}}|",
            sales=f"name: c, when: {{notFrom: spam}}, transferTo: bo|{{transferTo: {MAIN}}}",
        ),
        [["main", "night", "sales", "main"]],
    ),
    "through a group of which one calls, so that the other is shown the caller": (
        lines(main=f"name: a, transferTo: [answering, {NIGHT}]|", night=f"|{{transferTo: {MAIN}}}"),
        [["main", "night", "main"]],
    ),
    "through a group while the others are full, so that it shows the caller": (
        lines(main=f"name: a, transferTo: [desk, {NIGHT}]|", night=f"|{{transferTo: {MAIN}}}"),
        [["main", "night", "main"]],
    ),
    "two of them": (
        lines(
            main=f"name: a, followMe: [{{transferTo: {MAIN}}}, {{transferTo: {NIGHT}}}]|",
            night=f"|{{transferTo: {MAIN}}}",
        ),
        [["main", "main"], ["main", "night", "main"]],
    ),
    "beside a line that only leads in": (
        lines(
            lobby=f"|{{transferTo: {MAIN}}}",
            main=f"|{{transferTo: {NIGHT}}}",
            night=f"|{{transferTo: {MAIN}}}",
        ),
        [["main", "night", "main"]],
    ),
    "through a SIP address of ours": (
        lines(main="|{transferTo: 'SIP:front@Pbx.Example.com'}").replace(
            f"numbers: {MAIN}",
            f"numbers: [{MAIN}, 'sip:front@pbx.example.com']",
        ),
        [["main", "main"]],
    ),
    "through emergency": (
        lines(main="|{transferTo: desk}").replace(
            "emergency: {transferTo: answering}", f"emergency: {{transferTo: {MAIN}}}"
        ),
        [["main", "main"]],
    ),
    "that a diversion guard cannot see": (
        lines(
            main=f"name: guard, when: {{diverted: any}}, reject: true\n"
            f"name: a, transferTo: {MAIN}, diversionTreatment: none|"
        ),
        [["main", "main"]],
    ),
    "through a group, which shows no diversion": (
        lines(
            main=f"name: guard, when: {{diverted: any}}, reject: true\n"
            f"name: a, transferTo: [desk, {NIGHT}]|",
            night=f"|{{transferTo: {SALES}, transferCallerId: private, diversionTreatment: none}}",
            sales=f"|{{transferTo: {MAIN}, diversionTreatment: none}}",
        ),
        [["main", "night", "sales", "main"]],
    ),
    "only at lunch while ana is away": (
        lines(
            main=f"name: a, when: {{during: lunch, presence: {{ana: away}}}}, transferTo: {NIGHT}|",
            night=f"name: b, when: {{during: office, presence: {{ana: [away, dnd]}}}},"
            f" transferTo: {MAIN}|",
        ),
        [["main", "night", "main"]],
    ),
}


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_is_found_and_named(name: str) -> None:
    text, wanted = LOOPS[name]
    assert cycles(text) == wanted
    rules = read(text)
    for loop in prove(rules, START).loops:
        for hop in loop.hops:  # each call really dials the next line after these outcomes
            chosen = route(rules, hop.witness.call, hop.witness.facts)
            assert (chosen.line, chosen.rule) == (hop.line, hop.rule)
            walked = walk(chosen, hop.witness.facts, hop.witness.outcomes)
            rung = [each.transfer_to for each in walked.attempts[-1].destinations]
            assert hop.to in rung


NONE = {
    "by day there and by night back": lines(
        main=f"name: a, when: {{during: office}}, transferTo: {NIGHT}|",
        night=f"name: b, when: {{outside: office}}, transferTo: {MAIN}|",
    ),
    "busy there and free back": lines(
        main=f"name: a, when: {{busy: desk}}, transferTo: {NIGHT}|",
        night=f"name: b, when: {{not: {{busy: desk}}}}, transferTo: {MAIN}|",
    ),
    "other callers there and back": lines(
        main=f"name: a, when: {{from: vip}}, transferTo: {NIGHT}|",
        night=f"name: b, when: {{notFrom: vip}}, transferTo: {MAIN}|",
    ),
    "a guard for diverted calls": lines(
        main=f"name: guard, when: {{diverted: any}}, transferTo: desk\nname: a, transferTo: {NIGHT}|",
        night=f"|{{transferTo: {MAIN}}}",
    ),
    "a guard for our own numbers": lines(
        main=f"name: guard, when: {{from: [{MAIN}, {NIGHT}]}}, reject: true\n"
        f"name: a, transferTo: {NIGHT}|",
        night=f"|{{transferTo: {MAIN}, transferCallerId: called}}",
    ),
    "back to the number that the call of a group shows as its caller": lines(
        main=f"name: a, transferTo: [answering, +19195550177, {NIGHT}]|",
        night=f"|{{transferTo: {MAIN}}}",
    ),
    "on to the number that the call shows as its caller": lines(
        main=f"name: a, transferTo: {NIGHT}|",
        night=f"|{{transferTo: {MAIN}, transferCallerId: called}}",
    ),
    "one way only": lines(
        main=f"|{{transferTo: {NIGHT}}}", night=f"|{{transferTo: {SALES}}}", sales="|"
    ),
    "a dead rule": lines(
        main=f"name: all, transferTo: desk\nname: a, transferTo: {MAIN}|",
    ),
    "a handler that cannot run": lines(
        main=f"name: a, when: {{presence: {{ana: dnd}}}}, transferTo: ana,"
        f" onNoAnswer: {{transferTo: {MAIN}}}|{{reject: true}}",
    ),
    "back only for withheld callers who are refused": lines(
        main=f"name: spam, when: {{from: anonymous}}, reject: true\nname: a, transferTo: {NIGHT}|",
        night=f"|{{transferTo: {MAIN}, transferCallerId: private}}",
    ),
}


@pytest.mark.parametrize("name", NONE)
def test_what_only_looks_like_a_loop_is_none(name: str) -> None:
    assert cycles(NONE[name]) == []


def test_a_loop_through_a_destination_with_a_capacity_ends_when_that_is_full() -> None:
    text = lines(main="|{transferTo: ours}").replace(
        "  desk:", f"  ours: {{transferTo: {MAIN}, capacity: 2}}\n  desk:"
    )
    found = prove(read(text), START)
    assert found.of(ERROR) == []
    (warned,) = [each for each in found.of(WARNING) if each.code == "loop"]
    assert "a call can go round until ours is full: main -> main" in warned.message
    both = f"{{followMe: [{{transferTo: ours}}, {{transferTo: {MAIN}}}]}}"
    endless = prove(read(text.replace("{transferTo: ours}", both)), START)
    assert [each.code for each in endless.of(ERROR)] == ["loop"]
    assert [each.code for each in endless.of(WARNING) if each.code == "loop"] == []


def test_a_loop_stays_one_whoever_sends_it_on() -> None:
    """The new call of each hop is the one that the hop before makes: caller and diversion fit."""
    text = lines(
        main=f"name: a, when: {{diverted: unconditional}}, transferTo: {NIGHT}\n"
        f"name: b, transferTo: {NIGHT}|",
        night=f"|{{transferTo: {MAIN}, transferCallerId: {OURS}}}",
    )
    rules = read(text)
    (loop,) = prove(rules, START).loops
    main, night = loop.hops
    assert (main.line, main.rule, night.line) == ("main", "a", "night")
    assert main.witness.call.caller == OURS
    assert main.witness.call.diverted == "unconditional"
    assert night.witness.call.diverted == "unconditional"
    assert first_move(route(rules, night.witness.call, night.witness.facts), night.witness.facts)


def test_many_lines_that_send_calls_to_each_other_end_soon() -> None:
    names = [f"l{n}" for n in range(12)]
    text = HEAD + "lines:\n"
    for n, name in enumerate(names):
        others = ", ".join(f"{{transferTo: +191955520{m:02}}}" for m in range(12) if m != n)
        text += f"  {name}: {{numbers: +191955520{n:02}, otherwise: {{followMe: [{others}]}}}}\n"
    found = prove(read(text + TAIL), START)
    assert {name for loop in found.loops for name in loop.names} == set(names)
