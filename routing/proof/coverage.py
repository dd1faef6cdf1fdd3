"""What the expectations of a file reach, and a line for each rule and handler that none reaches."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from routing.callers import is_withheld
from routing.expectations import Result, in_turn, judge
from routing.proof.following import follow, routes
from routing.proof.reach import stages_of
from routing.proof.wording import flow_words
from routing.proof.worlds import CALLER, Witness
from routing.router import route, walk
from routing.rules import AnnounceAction, RejectAction
from routing.words import HANDLERS, OTHERWISE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from routing.expectations import Expectation
    from routing.proof.reach import Reach
    from routing.proof.regions import Region, Space
    from routing.router import Walk
    from routing.rules import RuleSet


class Place(NamedTuple):
    """A stage of a rule: the rule itself, or one of its handlers."""

    line: str
    rule: str
    stage: str


def results(
    rules: RuleSet,
    expectations: Iterable[Expectation],
    instants: Callable[[str], Sequence[dt.datetime]],
) -> tuple[list[Result], set[Place]]:
    """Return a result for each of the expectations, and everything that they reach together.

    `instants` has for a called number one instant of each kind that its line tells apart.
    """
    found: list[Result] = []
    reached: set[Place] = set()
    for each in expectations:
        every = (each.at,) if each.at else instants(each.to)
        found.append(judge(rules, each, every))
        for at in every:
            reached |= _reached(rules, each, at)
    return found, reached


def _reached(rules: RuleSet, each: Expectation, at: dt.datetime) -> set[Place]:
    call = each.call(at)
    each = in_turn(rules, each, call)
    return places(walk(route(rules, call, each.facts), each.facts, each.outcomes))


def failing(rules: RuleSet, index: int, result: Result) -> Witness | None:
    """Return the call that fails an expectation, given its result; None if it passed."""
    if result.at is None:
        return None
    each = rules.expectations[index]
    call = each.call(result.at)
    return Witness(call, in_turn(rules, each, call).facts, each.outcomes)


def places(walked: Walk) -> set[Place]:
    """Return the stages that a call goes through."""
    chosen = walked.route
    return {
        Place(chosen.line or "", chosen.rule, chosen.stages[index].name if index else chosen.rule)
        for index in walked.last.progress.used
    }


class Untested(NamedTuple):
    """A place that no expectation reaches, a call that does, and a line for `expect` that is it."""

    place: Place
    number: int
    """The number of the rule in its line; after the last rule there is `otherwise`."""
    witness: Witness
    proposed: str | None


def untested(
    rules: RuleSet, found: Reach, alive: Sequence[Collection[int]], reached: set[Place]
) -> Iterator[Untested]:
    """Yield the rules and handlers of a line that calls reach and expectations do not.

    `alive` has for each rule the stages that can be used.

    What is reached only when somebody's state changes during a call is left out: neither
    `explain` nor `expect` can show it.
    """
    line = found.line
    names = [*(rule.name for rule in line.rules), OTHERWISE]
    for index, (rule, stages) in enumerate(zip(names, stages_of(line), strict=True)):
        places = {
            number: Place(line.name, rule, stage.name if number else rule)
            for number, stage in enumerate(stages)
            if number in alive[index] and (not number or stage.name in HANDLERS)
        }
        missing = {n: each for n, each in places.items() if each not in reached}
        if missing and found.chosen[index]:
            shown = _ways(rules, found, index, set(missing))
            for number in sorted(shown):
                text = _proposal(rules, shown[number], missing[number])
                yield Untested(missing[number], index, shown[number], text)


def _ways(rules: RuleSet, found: Reach, index: int, wanted: set[int]) -> dict[int, Witness]:
    """Return for stages of a rule a call that goes through each; one that `expect` can say first.

    `expect` cannot say that a caller withholds the number.
    """
    space, line, chosen = found.space, found.line, found.chosen[index]
    sayable = space.both(chosen, _sayable(space))
    ways = {0: found.witness(sayable or chosen)} if 0 in wanted else {}
    left = [sayable, chosen]
    while left and ways.keys() != wanted:
        region = left.pop(0)
        for each, part in routes(space, rules, line, index, region, line.numbers[0]):
            for turn, outcomes in follow(space, each, part):
                for number in wanted.intersection(turn.progress.used) - ways.keys():
                    ways[number] = found.witness(turn.region, outcomes)
                if ways.keys() == wanted:
                    return ways
    return ways


def _sayable(space: Space) -> Region:
    """Return the worlds whose caller `expect` can name."""
    known = "sayable"
    if known not in space.kept:
        plain = [p for p in space.values(CALLER) if is_withheld(p.address) == p.withheld]
        space.kept[known] = space.where(CALLER, plain)
    region: Region = space.kept[known]
    return region


def _proposal(rules: RuleSet, shown: Witness, place: Place) -> str | None:
    """Return a line for `expect` that is the call of a witness, if `expect` can say it."""
    call, facts = shown.call, shown.facts
    if call.anonymous != is_withheld(call.caller):
        return None
    walked = walk(route(rules, call, facts), facts, shown.outcomes)
    return flow_words(_entry(rules, shown, place) | _result(walked))


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
    seconds = "seconds" if wall.second else "minutes"  # a rotation may hand over at any second
    return (wall if twice else wall.replace(tzinfo=None)).isoformat(timespec=seconds)


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
