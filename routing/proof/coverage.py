"""What the expectations of a file reach, and a line for each rule and handler that none reaches."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, NamedTuple

from routing.callers import is_withheld
from routing.expectations import Result, judge
from routing.proof.chains import walk_all
from routing.proof.worlds import Witness
from routing.route import first_move
from routing.router import route, walk
from routing.rules import AnnounceAction, RejectAction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from routing.conditions import Facts
    from routing.expectations import Expectation
    from routing.route import Route
    from routing.router import Walk
    from routing.rules import RuleSet

_PLAIN = re.compile(r"[A-Za-z0-9+](?:[\w +./@-]|:(?=\w))*(?<! )")


class Place(NamedTuple):
    """A stage of a rule: the rule itself, or one of its handlers."""

    line: str
    rule: str
    stage: str


def results(
    rules: RuleSet, instants: Callable[[str], Sequence[dt.datetime]]
) -> tuple[list[Result], set[Place]]:
    """Return a result for each expectation, and everything that they reach together.

    `instants` has for a called number one instant of each kind that its line tells apart.
    """
    found: list[Result] = []
    reached: set[Place] = set()
    for each in rules.expectations:
        every = (each.at,) if each.at else instants(each.to)
        found.append(judge(rules, each, every))
        for at in every:
            reached |= _reached(rules, each, at)
    return found, reached


def _reached(rules: RuleSet, each: Expectation, at: dt.datetime) -> set[Place]:
    return places(walk(route(rules, each.call(at), each.facts), each.facts, each.outcomes))


def failing(rules: RuleSet, index: int, result: Result) -> Witness | None:
    """Return the call that fails an expectation, given its result; None if it passed."""
    if result.at is None:
        return None
    each = rules.expectations[index]
    return Witness(each.call(result.at), each.facts, each.outcomes)


def places(walked: Walk) -> set[Place]:
    """Return the stages that a call goes through."""
    chosen = walked.route
    return {
        Place(chosen.line or "", chosen.rule, chosen.stages[index].name if index else chosen.rule)
        for index in walked.last.progress.used
    }


class Proposal(NamedTuple):
    """A line for `expect`, and the call that it is."""

    text: str
    witness: Witness


def proposal(
    rules: RuleSet, shown: Witness, place: Place, outcomes: tuple[str, ...]
) -> Proposal | None:
    """Return a line for `expect` that reaches `place` in the world of a witness, if any can.

    `outcomes` lead there unless what is so in that world keeps them from it.
    """
    call, facts = shown.call, shown.facts
    if call.anonymous and not is_withheld(call.caller):
        return None  # `expect` cannot say that a caller withholds the number
    chosen = route(rules, call, facts)
    for tried in _ways(chosen, facts, outcomes):
        walked = walk(chosen, facts, tried)
        if place in places(walked):
            found = Witness(call, facts, tried)
            return Proposal(_flow(_entry(rules, found, place) | _result(walked)), found)
    return None


def _ways(chosen: Route, facts: Facts, outcomes: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield outcomes
    yield from walk_all(chosen, [first_move(chosen, facts)], facts).stages.values()


def _entry(rules: RuleSet, shown: Witness, place: Place) -> dict[str, object]:
    """Return the keys of an expectation that say what the call is."""
    call, facts = shown.call, shown.facts
    written: dict[str, object] = {
        "at": wall_time(rules, call.at),
        "to": place.line,
        "from": "" if call.caller == rules.default_caller else call.caller,
        "diverted": call.diverted,
        "busy": sorted(facts.busy),
        "presence": dict(facts.presence),
        "overrides": dict(facts.overrides),
        "outcomes": list(shown.outcomes),
        "rule": place.rule,
    }
    return {key: value for key, value in written.items() if value}


def wall_time(rules: RuleSet, at: dt.datetime) -> str:
    """Return an instant as wall time of the file's zone, with its offset where it comes twice."""
    if rules.zone is None:
        return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%MZ")
    wall = at.astimezone(rules.zone)
    twice = wall.utcoffset() != wall.replace(fold=1 - wall.fold).utcoffset()
    return wall.isoformat(timespec="minutes") if twice else wall.strftime("%Y-%m-%dT%H:%M")


def _result(walked: Walk) -> dict[str, object]:
    ending = walked.last.ending
    rings = [[each.label for each in attempt.destinations] for attempt in walked.attempts]
    found: dict[str, object] = {}
    if rings:
        found["rings"] = [labels[0] if len(labels) == 1 else labels for labels in rings]
    if isinstance(ending, RejectAction):
        found["rejects"] = True
    elif isinstance(ending, AnnounceAction):
        found["announces"] = ending.audio.sentence or ending.audio.file_url
    elif walked.attempts[-1].sent_reason:
        found["diversionReason"] = walked.attempts[-1].sent_reason
    return found


def _flow(value: object) -> str:
    """Return a value as YAML writes it in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if value is True:
        return "true"
    text = str(value)
    plain = _PLAIN.fullmatch(text) and text.lower() != "null"
    return text if plain else json.dumps(text, ensure_ascii=False)
