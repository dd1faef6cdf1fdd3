"""Two routes side by side, in all worlds at once, and what others notice that is different.

One thing that was changed is one key, wherever it shows. What routes do after they went apart
counts for what they went apart by; a handler, `otherwise` or `emergency` that both come to all
the same is compared for itself.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from routing.proof import observed
from routing.proof.following import ENDS, alone, begin, routes, turns
from routing.proof.regions import NOWHERE
from routing.proof.wording import action_words, detail_words
from routing.proof.worlds import BUSY
from routing.rules import TransferAction
from routing.words import EMERGENCY, OTHERWISE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routing.proof.following import Turn
    from routing.proof.observed import Details
    from routing.proof.regions import Region, Space
    from routing.proof.sides import Pair
    from routing.route import Progress, Route
    from routing.rules import Line, Stage

    _Staged = tuple[int, Stage]
    """A stage and its number in the route."""


class Key(NamedTuple):
    """What is different. Of a detail `what` is its name, and `label` whose it is."""

    before: str
    after: str
    what: str = ""
    label: str = ""


@dataclass(slots=True)
class Change:
    """Where something is different on one line, and a way that shows it."""

    region: Region
    shown: Region
    outcomes: tuple[str, ...]
    labels: dict[str, None] = field(default_factory=dict)
    rules: dict[str, None] = field(default_factory=dict)


class _Place(NamedTuple):
    """Where both routes stand in the worlds of a region, and by what they went apart before."""

    at: tuple[Progress, Progress]
    region: Region
    outcomes: tuple[str, ...]
    cause: Key | None


class _Step(NamedTuple):
    """The next turn of both routes, where both come."""

    routes: tuple[Route, Route]
    turns: tuple[Turn, Turn]
    region: Region
    place: _Place

    @property
    def stages(self) -> tuple[_Staged, _Staged]:
        """The stages of the turns."""
        before, after = ((turn.progress.stage, turn.stage) for turn in self.turns)
        return before, after

    @property
    def at_hand(self) -> tuple[_Staged, _Staged]:
        """The stages that the routes were at before: some steps may have been passed over."""
        before, after = (
            (at.stage, route.stages[at.stage]) if at.stage >= 0 else (at.stage, turn.stage)
            for at, route, turn in zip(self.place.at, self.routes, self.turns, strict=True)
        )
        return before, after

    @property
    def passed(self) -> Iterator[tuple[_Staged, _Staged]]:
        """The same handlers of both routes, where one has its turn and the other has had it."""
        for turn in self.turns:
            names = [[stage.name for stage in route.stages[1:]] for route in self.routes]
            if all(turn.stage.name in each for each in names):
                numbers = [each.index(turn.stage.name) + 1 for each in names]
                before, after = (
                    (n, route.stages[n]) for n, route in zip(numbers, self.routes, strict=True)
                )
                yield before, after

    @property
    def same_role(self) -> bool:
        """Whether both routes are at their rule, or at the same handler."""
        (mine, before), (its, after) = self.stages
        return (mine == 0) == (its == 0) and (mine == 0 or before.name == after.name)


class SideBySide:
    """Follows the routes of both files, and collects what is different."""

    def __init__(self, pair: Pair, space: Space, number: str) -> None:
        self._pair, self._space, self._number = pair, space, number
        self._changes: dict[Key, Change] = {}
        self._rule = ""

    def changes(self) -> dict[Key, Change]:
        """Return everything that is different, and where."""
        old, new = self._pair.old, self._pair.new
        later = new.chosen(self._space)
        for index, chosen in enumerate(old.chosen(self._space)):
            if not chosen:
                continue
            self._rule = _rule_words(old.line, index)
            for number, region in enumerate(later):
                here = self._space.both(chosen, region)
                if here:
                    self._compare_rules(index, number, here)
        return self._changes

    def _compare_rules(self, index: int, number: int, region: Region) -> None:
        old, new, space = self._pair.old, self._pair.new, self._space
        for before, part in routes(space, old.rules, old.line, index, region, self._number, old):
            for after, here in routes(space, new.rules, new.line, number, part, self._number, new):
                if before != after:
                    self._follow((before, after), here)

    def _follow(self, both: tuple[Route, Route], region: Region) -> None:
        seen: dict[object, Region] = {}
        waiting: deque[_Place] = deque()
        waiting.append(_Place((begin(both[0]), begin(both[1])), region, (), None))
        while waiting:
            place = waiting.popleft()
            for step in self._steps(both, place):
                key = step.turns[0].progress, step.turns[1].progress, place.cause
                known = seen.get(key, NOWHERE)
                new = self._space.without(step.region, known)
                if not new:
                    continue
                seen[key] = self._space.either(known, new)
                cause = self._compare(step._replace(region=new))
                if all(turn.ending is None for turn in step.turns):
                    for end in ENDS:
                        mine, its = (
                            turn.next(route, end)
                            for turn, route in zip(step.turns, both, strict=True)
                        )
                        outcomes = (*place.outcomes, end)
                        waiting.append(_Place((mine, its), new, outcomes, cause))

    def _steps(self, both: tuple[Route, Route], place: _Place) -> Iterator[_Step]:
        old, new = self._pair.old, self._pair.new
        for before in turns(self._space, both[0], place.at[0], place.region, old):
            for after in turns(self._space, both[1], place.at[1], before.region, new):
                yield _Step(both, (before, after), after.region, place)

    def _compare(self, step: _Step) -> Key | None:
        """Note what is different in a step; return what the routes went apart by, if they did."""
        rings = [turn.ending is None for turn in step.turns]
        if all(rings):
            if step.same_role and self._labels(step, 0) == self._labels(step, 1):
                self._compare_members(step)
                return None
            return self._compare_requests(step)
        if not any(rings):
            details = [observed.ended(r, t) for r, t in zip(step.routes, step.turns, strict=True)]
            if details[0] == details[1]:
                return step.place.cause
            texts = _texts(step.stages)
            if step.same_role and texts[0] == texts[1]:
                self._details(step, step.region, texts[0], details)
                return None
        key = self._key(step)
        self._add(key, step, step.region)
        return key

    def _labels(self, step: _Step, which: int) -> list[str]:
        side = (self._pair.old, self._pair.new)[which]
        return [side.name(BUSY, each.label) for each, _ in step.turns[which].ringing]

    def _compare_members(self, step: _Step) -> None:
        """Compare a step in which the same destinations may ring, one by one."""
        space = self._space
        apart = NOWHERE
        for number, ((mine, rings), (its, rings_too)) in enumerate(
            zip(step.turns[0].ringing, step.turns[1].ringing, strict=True)
        ):
            both = space.all_of([step.region, rings, rings_too])
            apart = space.either(apart, space.without(space.either(rings, rings_too), both))
            lonely = space.both(both, alone(space, step.turns[0], number))
            for part, look in (
                (lonely, observed.alone),
                (space.without(both, lonely), observed.together),
            ):
                seen = [
                    look(route, turn, each)
                    for route, turn, each in zip(step.routes, step.turns, (mine, its), strict=True)
                ]
                self._details(step, part, mine.label, seen)
        apart = space.both(apart, step.region)
        if apart:
            self._add(self._key(step, apart), step, apart)

    def _compare_requests(self, step: _Step) -> Key:
        """Compare a step in which different destinations ring, which may have the same numbers."""
        space = self._space
        rung = [
            self._by_request(route, turn)
            for route, turn in zip(step.routes, step.turns, strict=True)
        ]
        apart = NOWHERE
        for request in rung[0].keys() | rung[1].keys():
            mine, its = (each.get(request, NOWHERE) for each in rung)
            one = space.without(space.either(mine, its), space.both(mine, its))
            apart = space.either(apart, space.both(step.region, one))
        key = self._key(step, apart)
        if apart:
            self._add(key, step, apart)
        return key

    def _by_request(self, route: Route, turn: Turn) -> dict[str, Region]:
        """Return where each request is made."""
        space = self._space
        found: dict[str, Region] = defaultdict(int)
        for number, (each, region) in enumerate(turn.ringing):
            lonely = alone(space, turn, number)
            for kind, part, look in (
                ("alone", lonely, observed.alone),
                ("together", space.without(region, lonely), observed.together),
            ):
                request = f"{kind} {sorted(look(route, turn, each).items())}"
                found[request] = space.either(found[request], part)
        return found

    def _key(self, step: _Step, region: Region | None = None) -> Key:
        """Return by what the routes go apart.

        That is what was to be done next, though one of them may have had to pass it over.
        """
        if not step.same_role and step.place.cause is not None:
            return step.place.cause
        passed = [] if step.same_role else [step.at_hand, *step.passed]
        for stages in (*passed, step.stages):
            texts = _texts(stages)
            if texts[0] != texts[1]:
                return Key(*texts)
            found = None if step.same_role else _rewritten(stages)
            if found is not None:
                return found
        here = step.region if region is None else region
        return Key(*(self._ringing(turn, here) for turn in step.turns))

    def _ringing(self, turn: Turn, region: Region) -> str:
        """Return who rings in the most ordinary world of a region, or what is done."""
        if turn.ending is not None or not region:
            return action_words(turn.stage.action)
        world = self._space.first(self._space.both(region, turn.region) or turn.region)
        here = self._space.all_of(self._space.where(v, [value]) for v, value in world.items())
        labels = [d.label for d, rings in turn.ringing if self._space.both(here, rings)]
        return " + ".join(labels)

    def _details(self, step: _Step, region: Region, label: str, details: list[Details]) -> None:
        if not region:
            return
        for name, (mine, its) in observed.differing(*details).items():
            if name == "diversionReason" and step.place.cause is not None:
                self._add(step.place.cause, step, region)
                continue
            key = Key(detail_words(name, mine), detail_words(name, its), name)
            self._add(key, step, region, label)

    def _add(self, key: Key, step: _Step, region: Region, label: str = "") -> None:
        label = label or key.label
        key = key._replace(label="")
        known = self._changes.get(key)
        outcomes = step.place.outcomes
        if known is None:
            known = self._changes[key] = Change(region, region, outcomes)
        elif len(outcomes) < len(known.outcomes):
            known.shown, known.outcomes = region, outcomes
        known.region = self._space.either(known.region, region)
        known.rules[self._rule] = None
        if label:
            known.labels[label] = None


def _rule_words(line: Line | None, index: int) -> str:
    if line is None:
        return f"`{EMERGENCY}`"
    return f"{line.rules[index].name!r}" if index < len(line.rules) else f"`{OTHERWISE}`"


def _texts(stages: tuple[_Staged, _Staged]) -> tuple[str, str]:
    """Return what two stages do, with what they are for."""
    names = [_role(*each) for each in stages]
    if names[0] != names[1]:
        names = ["" if number == 0 else stage.name for number, stage in stages]
    before, after = (
        f"{name}: {action_words(stage.action)}" if name else action_words(stage.action)
        for name, (_, stage) in zip(names, stages, strict=True)
    )
    return before, after


def _rewritten(stages: tuple[_Staged, _Staged]) -> Key | None:
    """Return what else is different of the same destinations: the number, or whose it is."""
    before, after = (
        [each for step in stage.action.steps for each in step.destinations]
        if isinstance(stage.action, TransferAction)
        else []
        for _, stage in stages
    )
    for mine, its in zip(before, after, strict=False):
        for name, old, new in (
            ("transferTo", mine.transfer_to, its.transfer_to),
            ("person", mine.person, its.person),
        ):
            if old != new:
                return Key(detail_words(name, old), detail_words(name, new), name, mine.label)
    return None


def _role(number: int, stage: Stage) -> str:
    """Return what a stage is for: the first one is the rule itself, `otherwise` or `emergency`."""
    last = stage.name in {OTHERWISE, EMERGENCY}
    return stage.name if number != 0 or last else ""
