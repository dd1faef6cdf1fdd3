"""What follows once a rule is chosen, for all worlds of a region at once.

What is so in a world (who is busy, who is away) stays so during the call, as it does for
`flask rules explain` and `expect`. `routing.route` is asked for each step; only that a step with
several destinations rings some of them in some worlds and others in others is reckoned here.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from routing.proof.regions import NOWHERE
from routing.proof.worlds import PLAIN
from routing.route import (
    APOLOGY,
    Progress,
    RecordedTrace,
    Route,
    after,
    reason_without_conditions,
    skip_of,
)
from routing.router import owned_number, reason_by_conditions
from routing.rules import Stage, TransferAction
from routing.turns import rotations_in, with_members
from routing.words import AVAILABLE, BUSY, FAILURE, OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routing.proof.regions import Region, Space
    from routing.proof.worlds import View, World
    from routing.rules import AnnounceAction, Destination, Line, RejectAction, RuleSet

UNALLOCATED = "UNALLOCATED_NUMBER"
"""The hangup cause that leads to another diversion reason than other failures."""
ENDS = (*OUTCOMES, UNALLOCATED)
"""Every way in which an attempt can end, as far as what follows depends on it."""
_SPENT = -1
_APOLOGY = Stage("apology", APOLOGY)


class Turn(NamedTuple):
    """What happens next in the worlds of a region: a step that rings, or an ending.

    `ringing` has for each destination of the step the worlds in which it is dialed.
    """

    region: Region
    progress: Progress
    stage: Stage
    ringing: tuple[tuple[Destination, Region], ...] = ()
    ending: RejectAction | AnnounceAction | None = None

    def next(self, route: Route, end: str) -> Progress:
        """Return where the call stands when the attempt has ended in one of ENDS."""
        if end == UNALLOCATED:
            return _after(route, self.progress, FAILURE, AVAILABLE, UNALLOCATED)
        return _after(route, self.progress, end, AVAILABLE)


class Visit(NamedTuple):
    """A turn that comes, and how the attempts before it end."""

    turn: Turn
    outcomes: tuple[str, ...]


def begin(route: Route) -> Progress:
    """Return where a call stands that has just been routed."""
    return Progress(reason=route.reason)


def _after(
    route: Route, at: Progress, outcome: str, presence: str, cause: str | None = None
) -> Progress:
    """Return where a call stands after an outcome, also when all options are spent."""
    following = after(route, at, outcome, presence, cause)
    return following or Progress(_SPENT, -1, at.used, at.reason)


def turns(
    space: Space, route: Route, at: Progress, region: Region, view: View = PLAIN
) -> Iterator[Turn]:
    """Yield what comes next in the worlds of a region."""
    waiting = [(at, region)]
    while waiting:
        progress, region = waiting.pop()
        if not region:
            continue
        if progress.stage == _SPENT:
            yield Turn(region, progress, _APOLOGY, ending=APOLOGY)
            continue
        stage = route.stages[progress.stage]
        if not isinstance(stage.action, TransferAction):
            yield Turn(region, progress, stage, ending=stage.action)
            continue
        progress = Progress(progress.stage, progress.step + 1, progress.used, progress.reason)
        step = stage.action.steps[progress.step]
        ringing, nobody = [], {AVAILABLE: region}
        for each in step.destinations:
            states = skipping(space, each, view)
            ringing.append((each, space.both(region, states.get(None, NOWHERE))))
            nobody = _first_absence(space, nobody, states)
        somebody = space.any_of(part for _, part in ringing)
        if somebody:
            yield Turn(somebody, progress, stage, tuple(ringing))
        for presence, part in nobody.items():
            waiting.append((_after(route, progress, BUSY, presence), part))


def skipping(
    space: Space, destination: Destination, view: View = PLAIN
) -> dict[str | None, Region]:
    """Return where a destination is dialed (None), and where not, by its person's presence."""

    def ask(world: World) -> str | None:
        skip = skip_of(destination, view.call(world).caller, view.facts(world))
        return None if skip is None else skip.presence

    key = view, destination.label, destination.person, destination.transfer_to
    if key not in space.kept:
        space.kept[key] = space.parts(ask)
    found: dict[str | None, Region] = space.kept[key]
    return found


def _first_absence(
    space: Space, nobody: dict[str, Region], states: dict[str | None, Region]
) -> dict[str, Region]:
    """Return where nobody rings, one destination later, by the first presence that was met."""
    found: dict[str, Region] = {}
    for known, region in nobody.items():
        for presence, part in states.items():
            if presence is not None:
                met = presence if known == AVAILABLE else known
                here = space.both(region, part)
                found[met] = space.either(found.get(met, NOWHERE), here)
    return found


def routes(
    space: Space,
    rules: RuleSet,
    line: Line | None,
    index: int,
    region: Region,
    to: str,
    view: View = PLAIN,
) -> list[tuple[Route, Region]]:
    """Return the routes that calls to `to` get by a rule, and where.

    There is one for each diversion reason that the rule gives, and for all whose turn it can be.
    After the last rule there is that of `otherwise`; on no line only that of `emergency`.
    """
    rule = line.rules[index] if line and index < len(line.rules) else None
    if rule is None:
        stages = line.otherwise if line else rules.emergency
        return _by_turns(
            space, unconditional(rules, line, stages[0].name, to, stages), region, view
        )
    reasons = space.parts(lambda world: reason_by_conditions(rule, view.facts(world)))
    route = unconditional(rules, line, rule.name, to, rule.stages)
    found = ((reason, space.both(region, part)) for reason, part in reasons.items())
    return [
        each
        for reason, part in found
        if part
        for each in _by_turns(space, replace(route, reason=reason or route.reason), part, view)
    ]


def _by_turns(space: Space, route: Route, region: Region, view: View) -> list[tuple[Route, Region]]:
    """Return a route as it is with those whose turn it is, where it is whose."""
    rotations = rotations_in(route.stages)
    if not rotations:
        return [(route, region)]

    def members(world: World) -> tuple[int, ...]:
        at, overrides = view.call(world).at, view.facts(world).overrides
        return tuple(each.members.index(each.member(at, overrides)) for each in rotations)

    names = [each.name for each in rotations]
    turns = ((turns, space.both(region, part)) for turns, part in space.parts(members).items())
    return [
        (replace(route, stages=with_members(route.stages, dict(zip(names, each, strict=True)))), p)
        for each, p in turns
        if p
    ]


def unconditional(
    rules: RuleSet, line: Line | None, name: str, to: str, stages: tuple[Stage, ...]
) -> Route:
    """Return the route through stages whose conditions give no reason, of whoever calls."""
    return Route(
        line=line.name if line else None,
        title=line.title if line else to,
        rule=name,
        to=to,
        caller="",
        owned=owned_number(rules, to),
        reason=reason_without_conditions(stages[0]),
        stages=stages,
        trace=RecordedTrace(()),
    )


def follow(space: Space, route: Route, region: Region, view: View = PLAIN) -> Iterator[Visit]:
    """Yield every turn that can come in the worlds of a region, those after few attempts first.

    A turn comes again only with worlds in which it has not come before.
    """
    seen: dict[Progress, Region] = {}
    waiting: deque[tuple[Progress, Region, tuple[str, ...]]] = deque()
    waiting.append((begin(route), region, ()))
    while waiting:
        at, region, outcomes = waiting.popleft()
        for turn in turns(space, route, at, region, view):
            new = space.without(turn.region, seen.get(turn.progress, NOWHERE))
            if not new:
                continue
            seen[turn.progress] = space.either(new, seen.get(turn.progress, NOWHERE))
            here = [(each, space.both(part, new)) for each, part in turn.ringing]
            yield Visit(turn._replace(region=new, ringing=tuple(here)), outcomes)
            if turn.ending is None:
                waiting += [(turn.next(route, end), new, (*outcomes, end)) for end in ENDS]


def alone(space: Space, turn: Turn, number: int) -> Region:
    """Return where a destination of a step rings by itself."""
    others = [part for n, (_, part) in enumerate(turn.ringing) if n != number]
    return space.without(turn.ringing[number][1], space.any_of(others))
