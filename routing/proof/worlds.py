"""Every state of the world that the rules tell apart, found by asking the rules themselves.

A world is settled only in part. The evaluator is run on it as it is; when it looks at something
that is not settled yet, the world is split into one for each value that can be told apart there.
So there is no second reading of what a condition means, and nothing is split that no rule asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from routing.conditions import Busy, Call, Diverted, Facts, From, Not, Presence, Time
from routing.words import AVAILABLE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from routing.conditions import Condition
    from routing.proof.classes import Party

T = TypeVar("T")
Variable = tuple[str, str]
"""What can be one way or another: `(kind, name)`."""
World = dict[Variable, Any]
"""What is settled of a world."""
Domains = dict[Variable, tuple[Any, ...]]
"""The values of each variable that the rules tell apart, the most ordinary first."""
AT, CALLER, DIVERTED = ("at", ""), ("caller", ""), ("diverted", "")
BUSY, PRESENCE, OVERRIDE = "busy", "presence", "override"
_ORDINARY: dict[str, tuple[Any, ...]] = {BUSY: (False,), PRESENCE: (AVAILABLE,)}


class AskedError(Exception):
    """The evaluator looked at something that is not settled."""

    def __init__(self, variable: Variable) -> None:
        super().__init__(variable)
        self.variable = variable


def answers(ask: Callable[[World], T], world: World, domains: Domains) -> Iterator[tuple[T, World]]:
    """Yield what `ask` returns in every world within `world` that it tells apart.

    The worlds that come back have no part in common, and together they are all of `world`.
    """
    waiting = [world]
    while waiting:
        world = waiting.pop()
        try:
            answer = ask(world)
        except AskedError as asked:
            values = domains.get(asked.variable) or _ORDINARY[asked.variable[0]]
            waiting += [{**world, asked.variable: value} for value in reversed(values)]
        else:
            yield answer, world


def call_in(world: World, to: str) -> Call:
    """Return a call to `to` that tells only what is settled."""
    return cast("Call", _OpenCall(world, to))


def facts_in(world: World, overridable: frozenset[str] = frozenset()) -> Facts:
    """Return facts that tell only what is settled; no schedule is set but those overridable."""
    return Facts(
        _OpenBusy(world), _OpenStates(world, PRESENCE), _OpenStates(world, OVERRIDE, overridable)
    )


def mentioned(conditions: Iterable[Condition]) -> set[Variable]:
    """Return everything that conditions may look at."""
    found: set[Variable] = set()
    for each in conditions:
        if isinstance(each, Time):
            found.add(AT)
        elif isinstance(each, From):
            found.add(CALLER)
        elif isinstance(each, Diverted):
            found.add(DIVERTED)
        elif isinstance(each, Busy):
            found.update((BUSY, name) for name in each.destinations)
        elif isinstance(each, Presence):
            found.update((PRESENCE, person) for person, _ in each.wanted)
        elif isinstance(each, Not):
            found |= mentioned(each.inner)
    return found


@dataclass(frozen=True, slots=True)
class Witness:
    """A call that shows what is claimed; `outcomes` are those of its attempts."""

    call: Call
    facts: Facts
    outcomes: tuple[str, ...] = ()


def witness(world: World, domains: Domains, to: str, outcomes: tuple[str, ...] = ()) -> Witness:
    """Return a call in `world`; what is not settled is as usual."""
    whole = {variable: values[0] for variable, values in domains.items()} | world
    party: Party = whole[CALLER]
    call = Call(to, party.address, whole[AT], party.withheld, whole[DIVERTED])
    return Witness(
        call,
        Facts(
            frozenset(name for (kind, name), full in whole.items() if kind == BUSY and full),
            _named(whole, PRESENCE, AVAILABLE),
            _named(world, OVERRIDE, None),
        ),
        outcomes,
    )


def _named(world: World, kind: str, usual: str | None) -> Mapping[str, str]:
    return {name: value for (k, name), value in world.items() if k == kind and value != usual}


class _OpenCall:
    """Looks like a Call; raises AskedError for what is not settled."""

    __slots__ = ("_world", "to")
    comes_back = False

    def __init__(self, world: World, to: str) -> None:
        self._world, self.to = world, to

    @property
    def at(self) -> dt.datetime:
        return cast("dt.datetime", _settled(self._world, AT))

    @property
    def caller(self) -> str:
        return cast("Party", _settled(self._world, CALLER)).address

    @property
    def anonymous(self) -> bool:
        return cast("Party", _settled(self._world, CALLER)).withheld

    @property
    def diverted(self) -> str | None:
        return cast("str | None", _settled(self._world, DIVERTED))


class _OpenBusy(frozenset[str]):
    """Looks like the set of full destinations."""

    _world: World

    def __new__(cls, world: World) -> _OpenBusy:  # noqa: PYI034 - a frozenset is made here
        made = super().__new__(cls)
        made._world = world
        return made

    def __contains__(self, name: object) -> bool:
        return bool(_settled(self._world, (BUSY, str(name))))

    def isdisjoint(self, names: Iterable[object]) -> bool:
        return not any(name in self for name in names)


class _OpenStates(dict[str, str]):
    """Looks like the states of persons, or of schedules that are set; of `only` some, if given."""

    def __init__(self, world: World, kind: str, only: frozenset[str] | None = None) -> None:
        super().__init__()
        self._world, self._kind, self._only = world, kind, only

    def get(self, name: str, default: Any = None) -> Any:
        if self._only is not None and name not in self._only:
            return default
        return _settled(self._world, (self._kind, name))


def _settled(world: World, variable: Variable) -> Any:
    try:
        return world[variable]
    except KeyError:
        raise AskedError(variable) from None
