"""`expect`: tests that travel with the rules. Judged with the router's own evaluator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field, structs

from routing.callers import is_withheld
from routing.conditions import Call, Facts
from routing.router import route, walk
from routing.rules import AnnounceAction, RejectAction
from routing.turns import supposed_busy
from routing.words import UNKNOWN

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping

    from routing.route import Attempt
    from routing.router import Walk
    from routing.rules import RuleSet


class Expectation(Struct, frozen=True):
    """One entry of `expect`: a call, what else is so, and what must come of it.

    `at` is None for an entry that must hold at every instant. What is None is not checked.
    """

    place: int
    to: str
    caller: str
    at: dt.datetime | None = None
    diverted: str | None = None
    counter: int | None = None
    limit: int | None = None
    facts: Facts = field(default_factory=Facts)
    outcomes: tuple[str, ...] = ()
    rule: str | None = None
    rings: tuple[tuple[str, ...], ...] | None = None
    diversion_reason: str | None = None
    transfer_to: tuple[str, ...] | None = None
    rejects: bool = False
    announces: str | None = None

    def call(self, at: dt.datetime) -> Call:
        """Return the call that is expected, at an instant."""
        withheld = is_withheld(self.caller)
        diverted = self.diverted or (UNKNOWN if self.counter else None)
        return Call(self.to, self.caller, at, withheld, diverted, self.counter, self.limit)


class Result(Struct, frozen=True):
    """Whether an entry passed; `because` says what differs and why, `at` when."""

    place: int
    passed: bool
    because: str
    at: dt.datetime | None = None


def test(rules: RuleSet, every_instant: Iterable[dt.datetime]) -> list[Result]:
    """Return one result for each `expect`, in order.

    Entries without `at` are judged at each of `every_instant` until one fails.
    """
    instants = tuple(every_instant)
    return [judge(rules, each, instants) for each in rules.expectations]


def judge(rules: RuleSet, expectation: Expectation, instants: Iterable[dt.datetime]) -> Result:
    """Return whether one entry passes; without `at` it must do so at each of `instants`."""
    for at in (expectation.at,) if expectation.at else instants:
        differs = difference(rules, expectation, at)
        if differs:
            when = "" if expectation.at else f" at {at.isoformat()}"
            return Result(expectation.place, False, differs + when, at)
    return Result(expectation.place, True, "as expected")


def in_turn(rules: RuleSet, expectation: Expectation, call: Call) -> Expectation:
    """Return an entry in which those whose turn it is stand for the rotations that it names."""
    facts = supposed_busy(rules, expectation.facts, call)
    members = {
        name: each.member(call.at, facts.overrides) for name, each in rules.rotations.items()
    }
    labels = {name: each.label for name, each in members.items()}
    numbers = {name: each.transfer_to for name, each in members.items()}
    rings, reached = expectation.rings, expectation.transfer_to
    return structs.replace(
        expectation,
        facts=facts,
        rings=rings and tuple(_named(each, labels) for each in rings),
        transfer_to=reached and _named(reached, numbers),
    )


def _named(names: tuple[str, ...], members: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(members.get(each, each) for each in names))


def difference(rules: RuleSet, expectation: Expectation, at: dt.datetime) -> str:
    """Return how the call at `at` differs from what is expected, and why; empty if it does not."""
    call = expectation.call(at)
    if rules.rotations:
        expectation = in_turn(rules, expectation, call)
    chosen = route(rules, call, expectation.facts)
    steps = {step.rule: step.because for step in chosen.trace.steps}
    if expectation.rule is not None and chosen.rule != expectation.rule:
        tried = steps.get(expectation.rule)
        why = f" ({expectation.rule}: {tried})" if tried else ""
        differs = f"expected rule {expectation.rule!r}, but {chosen.rule!r} was chosen{why}"
        return f"{differs}; {chosen.rule}: {steps[chosen.rule]}"
    walked = walk(chosen, expectation.facts, expectation.outcomes)
    differs = _difference_of_walk(expectation, walked)
    if not differs:
        return ""
    return f"{differs}; rule {chosen.rule!r} was chosen: {steps[chosen.rule]}"


def _difference_of_walk(expectation: Expectation, walked: Walk) -> str:
    ending = walked.last.ending
    if expectation.rejects and not isinstance(ending, RejectAction):
        return f"expected the call to be rejected, but {_what_happens(walked)}"
    if expectation.announces is not None:
        heard = _announcement(walked)
        if expectation.announces not in heard:
            what = f"the caller hears {heard[-1]!r}" if heard else _what_happens(walked)
            return f"expected the announcement {expectation.announces!r}, but {what}"
    return _difference_of_attempts(expectation, walked)


def _difference_of_attempts(expectation: Expectation, walked: Walk) -> str:
    if expectation.rings is not None:
        rings = [[each.label for each in attempt.destinations] for attempt in walked.attempts]
        wanted = [list(labels) for labels in expectation.rings]
        ending_expected = expectation.rejects or expectation.announces is not None
        reached = walked.last.attempt is not None or ending_expected
        if not _same_rings(wanted, walked) or not reached:
            ended = "" if reached else f"; in the end {_what_happens(walked)}"
            return f"expected rings {_shown(wanted)}, but it rings {_shown(rings)}{ended}"
    if not walked.attempts:
        if expectation.diversion_reason is None and expectation.transfer_to is None:
            return ""
        return f"expected a transfer, but {_what_happens(walked)}"
    last = walked.attempts[-1]
    reason = expectation.diversion_reason
    if reason is not None and last.sent_reason != reason:
        return f"expected diversionReason {reason}, but {_sent(last)}"
    numbers = tuple(each.party for each in last.destinations)
    if expectation.transfer_to is not None and sorted(numbers) != sorted(expectation.transfer_to):
        wanted_numbers = ", ".join(expectation.transfer_to)
        return f"expected transferTo {wanted_numbers}, but it is {', '.join(numbers)}"
    return ""


def _sent(attempt: Attempt) -> str:
    """Return the diversion reason that is sent, or why none is."""
    if attempt.sent_reason is not None:
        return f"it is {attempt.sent_reason}"
    if len(attempt.destinations) > 1:
        return "none is sent where several ring together"
    return f"none is sent without `diversionTreatment: stack` ({attempt.diversion_reason} with it)"


def _same_rings(wanted: list[list[str]], walked: Walk) -> bool:
    """Return whether the same destinations ring, each step's in any order, by name or number."""
    if len(wanted) != len(walked.attempts):
        return False
    return all(
        len(labels) == len(attempt.destinations)
        and all(not {each.name, each.party}.isdisjoint(labels) for each in attempt.destinations)
        for labels, attempt in zip(wanted, walked.attempts, strict=True)
    )


def _announcement(walked: Walk) -> list[str]:
    """Return the announcement's text as written and as the caller hears it."""
    ending = walked.last.ending
    if not isinstance(ending, AnnounceAction):
        return []
    heard = walked.route.say(ending.audio, walked.last.progress.reason)
    texts = (ending.audio.sentence, ending.audio.file_url, heard.sentence)
    return [text for text in texts if text is not None]


def _what_happens(walked: Walk) -> str:
    ending = walked.last.ending
    if isinstance(ending, RejectAction):
        return "the call is rejected"
    if isinstance(ending, AnnounceAction):
        return f"the caller hears {_announcement(walked)[-1]!r}"
    return f"it rings {' and '.join(each.label for each in walked.attempts[-1].destinations)}"


def _shown(rings: list[list[str]]) -> str:
    parts = [labels[0] if len(labels) == 1 else f"[{', '.join(labels)}]" for labels in rings]
    return f"[{', '.join(parts)}]"
