"""What two rules files do differently, without a single call: the sweep of both together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from routing.conditions import Condition, Diverted, From
from routing.proof.chains import used
from routing.proof.classes import domains_of, flat, presence_classes, schedules_of
from routing.proof.sweep import Sweep
from routing.proof.week import timetable
from routing.proof.wording import action_words
from routing.proof.worlds import (
    AT,
    BUSY,
    CALLER,
    DIVERTED,
    PRESENCE,
    Domains,
    Variable,
    Witness,
    World,
    answers,
    call_in,
    facts_in,
    witness,
)
from routing.reading.callers import free_number
from routing.router import first_that_holds
from routing.rules import AnnounceAction, Parameters, RejectAction, TransferAction
from routing.words import AVAILABLE, PRESENCE_STATES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Sequence

    from routing.proof.classes import Party
    from routing.rules import Action, Line, RuleSet, Stage

_MOST = 20_000
"""Worlds of one line that are compared one by one; of more only those where nobody is busy."""
_NO_LINE = "+19995550100"
"""A number that nobody can have, for all that are on no line."""
Box = dict[Variable, frozenset[Any]]
"""Worlds: each variable has one of some values; what is not named has any."""
_Texts = tuple[str, str]
Lists = frozenset[str]
"""The caller lists that a class of callers is in; of several that nothing tells apart, `a or b`."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Calls that go elsewhere: to which line, when, in which case, from where to where."""

    line: str
    when: str
    case: str
    before: str
    after: str
    witness: Witness
    partly: bool = False
    """Whether only callers were compared when nobody is busy and everybody available."""

    def __str__(self) -> str:
        note = " (compared only while nobody is busy)" if self.partly else ""
        return f"{self.line}, {self.when}, {self.case}: {self.before} → {self.after}{note}"


def differences(old: RuleSet, new: RuleSet, start: dt.datetime) -> Iterator[Difference]:
    """Yield what becomes of calls differently by the new rules, line by line."""
    sweep = Sweep(start)
    pairs: dict[tuple[str | None, str | None], list[str]] = defaultdict(list)
    for number in dict.fromkeys([*old.line_by_number, *new.line_by_number, _NO_LINE]):
        lines = (old.line_by_number.get(number), new.line_by_number.get(number))
        names = [line.name if line else None for line in lines]
        pairs[names[0], names[1]].append(number)
    for (before, after), numbers in pairs.items():
        pair = _Pair(
            *(old, old.lines[before] if before else None),
            *(new, new.lines[after] if after else None),
            numbers[0],
        )
        yield from pair.differences(sweep)


@dataclass(frozen=True, slots=True)
class _Pair:
    """The line that one called number has in each file; None for a number on no line."""

    old: RuleSet
    old_line: Line | None
    new: RuleSet
    new_line: Line | None
    number: str

    @property
    def name(self) -> str:
        """The name of the line; the number itself where it changes lines."""
        names = [line.name for line in (self.old_line, self.new_line) if line]
        if not names:
            return "numbers on no line"
        return names[0] if len(set(names)) == 1 and len(names) == 2 else self.number

    def differences(self, sweep: Sweep) -> Iterator[Difference]:
        conditions = [
            condition
            for line in (self.old_line, self.new_line)
            for rule in (line.rules if line else ())
            for condition in rule.conditions
        ]
        lists = [each.callers for each in flat(conditions) if isinstance(each, From)]
        domains = domains_of(conditions, sweep, free_number(lists))
        worlds = list(islice(answers(self._both, {}, domains), _MOST + 1))
        partly = len(worlds) > _MOST
        if partly:
            domains = {key: _ordinary(key, values) for key, values in domains.items()}
            worlds = list(answers(self._both, {}, domains))
        by_texts: dict[_Texts, list[Box]] = defaultdict(list)
        for texts, world in worlds:
            if texts is not None:
                by_texts[texts].append({key: frozenset([each]) for key, each in world.items()})
        for texts, boxes in by_texts.items():
            for box in _joined(boxes, domains):
                first = _first(box, domains)
                when = _when(box, conditions, domains, sweep, self)
                case = _case(box, conditions, domains)
                shown = witness(first, domains, self.number)
                yield Difference(self.name, when, case, *texts, shown, partly)

    def _both(self, world: World) -> _Texts | None:
        """Return what becomes of a call by the old and by the new rules, if that differs."""
        return _texts(
            _stages(self.old, self.old_line, self.number, world),
            _stages(self.new, self.new_line, self.number, world),
        )


def _ordinary(variable: Variable, values: tuple[Any, ...]) -> tuple[Any, ...]:
    if variable[0] == BUSY:
        return (False,)
    return (AVAILABLE,) if variable[0] == PRESENCE else values


def _stages(rules: RuleSet, line: Line | None, number: str, world: World) -> tuple[Stage, ...]:
    if line is None:
        return rules.emergency
    index = first_that_holds(line, call_in(world, number), facts_in(world))
    return line.rules[index].stages if index < len(line.rules) else line.otherwise


def _texts(old: tuple[Stage, ...], new: tuple[Stage, ...]) -> _Texts | None:
    """Return the words for what differs, the nearest to the caller; None if nothing does."""
    before, after = (
        {_role(i, s): s.action for i, s in enumerate(used(each))} for each in (old, new)
    )
    for role in dict.fromkeys([*before, *after]):
        mine, other = before.get(role), after.get(role)
        if _meaning(mine) != _meaning(other):
            name = f"{role}: " if role else ""
            return _told_apart(name, mine, other)
    return None


def _role(index: int, stage: Stage) -> str:
    """Return what a stage is for: the first one is the rule itself, or `otherwise`."""
    return stage.name if index else ""


def _meaning(action: Action | None) -> object:
    """Return what an action does, whatever its destinations are called."""
    if action is None or isinstance(action, (RejectAction, AnnounceAction)):
        return action
    return [
        [(d.transfer_to, d.capacity, d.person, d.parameters) for d in step.destinations]
        for step in action.steps
    ]


def _told_apart(name: str, before: Action | None, after: Action | None) -> _Texts:
    """Return words for two actions: what they reach, or the details that differ."""
    texts = [action_words(each) if each else "nothing" for each in (before, after)]
    if texts[0] == texts[1]:
        pairs = list(zip(_details(before), _details(after), strict=False))
        for side in (0, 1):
            texts[side] = ", ".join(pair[side] for pair in pairs if pair[0] != pair[1])
    return f"{name}{texts[0]}", f"{name}{texts[1]}"


def _details(action: Action | None) -> Iterator[str]:
    """Yield everything that is written of an action, one thing at a time, in a fixed order."""
    if isinstance(action, AnnounceAction):
        yield str(action.audio)
    if not isinstance(action, TransferAction):
        return
    for step in action.steps:
        for each in step.destinations:
            yield f"{each.label} ({each.transfer_to})"
            yield f"{each.label} person {each.person}"
            yield f"{each.label} capacity {each.capacity}"
            for name in Parameters.__struct_fields__:
                head, *rest = name.split("_")
                key = head + "".join(map(str.title, rest))
                yield f"{each.label} {key} {_value(getattr(each.parameters, name))}"


def _value(value: object) -> str:
    """Return a value as the rules file has it."""
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _joined(boxes: Iterable[Box], domains: Domains) -> list[Box]:
    """Return the same worlds in as few boxes as joining two that differ in one thing gives."""
    found = list(boxes)
    order = sorted({key for box in found for key in box}, key=lambda key: (key == AT, key))
    count = len(found) + 1
    while len(found) < count:
        count = len(found)
        for key in order:
            alike: dict[frozenset[Any], set[Any]] = defaultdict(set)
            for box in found:
                rest = frozenset(item for item in box.items() if item[0] != key)
                alike[rest] |= box.get(key, frozenset(domains[key]))
            found = [
                dict(rest) | ({} if values == set(domains[key]) else {key: frozenset(values)})
                for rest, values in alike.items()
            ]
    return found


def _first(box: Box, domains: Domains) -> World:
    return {key: next(v for v in domains[key] if v in values) for key, values in box.items()}


def _when(
    box: Box, conditions: Sequence[Condition], domains: Domains, sweep: Sweep, pair: _Pair
) -> str:
    if AT not in box:
        return "at any time"
    schedules = schedules_of(conditions)
    zone = pair.new.zone or pair.old.zone or schedules[0].zone
    at = domains[AT]
    table = timetable(sweep.timetable(schedules, zone), lambda kind: at[kind] in box[AT])
    hours = table.hours.get(True)
    return str(hours) if hours else f"{min(box[AT]).astimezone(zone):on %a %Y-%m-%d %H:%M}"


def _case(box: Box, conditions: Sequence[Condition], domains: Domains) -> str:
    """Return the caller and what else is so, in words."""
    parts = [_callers(box.get(CALLER), conditions, domains)]
    for (kind, name), values in sorted(box.items()):
        if kind == BUSY:
            parts.append(f"{name} {'busy' if True in values else 'not busy'}")
        elif kind == PRESENCE:
            alike = presence_classes(name, conditions)
            states = {state for each in values for state in alike[each]}
            parts.append(f"{name} {' or '.join(s for s in PRESENCE_STATES if s in states)}")
        elif (kind, name) == DIVERTED:
            parts.append(" or ".join(_diverted(each, conditions) for each in values))
    return ", ".join(parts)


def _callers(
    parties: frozenset[Party] | None, conditions: Sequence[Condition], domains: Domains
) -> str:
    if parties is None:
        return "any caller"
    lists = {each: _lists(each, conditions) for each in domains[CALLER]}
    ordinary = domains[CALLER][0]
    if not lists[ordinary] and ordinary in parties:
        others = {lists[each] for each in domains[CALLER] if each not in parties}
        return f"any caller not in {_in_words(others, set(lists.values()))}"
    return f"callers in {_in_words({lists[each] for each in parties}, set(lists.values()))}"


def _in_words(wanted: set[Lists], every: set[Lists]) -> str:
    """Return the classes of callers that are `wanted`, as short as it is clear.

    A list that holds no other caller stands for all that are in it: `blocked or vip`, and not
    `blocked or blocked and vip or vip`.
    """
    holds = {name: {each for each in every if name in each} for each in wanted for name in each}
    whole = sorted((name for name in holds if holds[name] <= wanted), key=lambda n: -len(holds[n]))
    words, left = [], set(wanted)
    for name in whole:
        if holds[name] & left:
            words.append(name)
            left -= holds[name]
    words += [" and ".join(sorted(each)) or "none" for each in left]
    return " or ".join(sorted(words))


def _lists(party: Party, conditions: Sequence[Condition]) -> Lists:
    """Return the lists that a caller is in, as they are written, as short as it is clear."""
    asked: dict[bool, list[frozenset[str]]] = {True: [], False: []}
    for each in flat(conditions):
        if isinstance(each, From):
            matches = each.callers.has(party.address, anonymous=party.withheld)
            asked[matches].append(frozenset(each.written))
    excluded = frozenset().union(*asked[False])
    left = {names - excluded for names in asked[True]}
    shortest = [names for names in left if not any(other < names for other in left)]
    return frozenset(" or ".join(sorted(names)) for names in shortest)


def _diverted(reason: str | None, conditions: Sequence[Condition]) -> str:
    if reason is None:
        return "not diverted"
    named = any(isinstance(each, Diverted) and reason in each.reasons for each in flat(conditions))
    return f"diverted by {reason}" if named else "diverted for another reason"
