"""What is settled of a world, and a call and facts that tell no more than that.

The evaluator is run on a world as it is; when it looks at something that is not settled yet, it
says so, and the world is split into one for each value that can be told apart there. So there is
no second reading of what a condition means, and nothing is split that no rule asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from routing.conditions import Call, Facts
from routing.looks import (
    Caller,
    Diversion,
    Fullness,
    Instant,
    OverrideOf,
    Phone,
    PresenceOf,
)
from routing.words import AVAILABLE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from routing.looks import Look
    from routing.proof.classes import Party
    from routing.schedule import Overrides

Variable = tuple[str, str]
"""What can be one way or another: `(kind, name)`."""
World = dict[Variable, Any]
"""What is settled of a world."""
Domains = dict[Variable, tuple[Any, ...]]
"""The values of each variable that the rules tell apart, the most ordinary first."""
AT, CALLER, DIVERTED = ("at", ""), ("caller", ""), ("diverted", "")
OWN = "own", ""
"""The caller's phone, if it is one that may be dialed: then it counts in place of CALLER."""
BUSY, PRESENCE, OVERRIDE = "busy", "presence", "override"
ORDINARY: dict[str, tuple[Any, ...]] = {BUSY: (False,), PRESENCE: (AVAILABLE,), OVERRIDE: (None,)}
"""The value of what nothing tells apart."""


class AskedError(Exception):
    """The evaluator looked at something that is not settled."""

    def __init__(self, variable: Variable) -> None:
        super().__init__(variable)
        self.variable = variable


_OF_THE_CALL = {Instant: AT, Caller: CALLER, Phone: OWN, Diversion: DIVERTED}


def variable_of(look: Look) -> Variable:
    """Return what is one way or another where a condition looks."""
    if isinstance(look, Fullness):
        return BUSY, look.destination
    if isinstance(look, PresenceOf):
        return PRESENCE, look.person
    return (OVERRIDE, look.name) if isinstance(look, OverrideOf) else _OF_THE_CALL[type(look)]


class OpenCall:
    """A call that tells what is settled, and raises AskedError for everything else."""

    __slots__ = ("_world",)
    comes_back = False

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def at(self) -> dt.datetime:
        """The instant."""
        return cast("dt.datetime", settled(self._world, AT))

    @property
    def caller(self) -> str:
        """The caller's address."""
        return party_in(self._world).address

    @property
    def anonymous(self) -> bool:
        """Whether the caller withholds it."""
        return party_in(self._world).withheld

    @property
    def diverted(self) -> str | None:
        """The diversion reason."""
        return cast("str | None", settled(self._world, DIVERTED))


class OpenFacts:
    """Facts that tell what is settled, and raise AskedError for everything else."""

    __slots__ = ("_world", "overrides")

    def __init__(self, world: World) -> None:
        self._world = world
        self.overrides: Overrides = _OpenOverrides(world)

    def is_busy(self, destination: str) -> bool:
        """Return whether a destination is full."""
        return bool(settled(self._world, (BUSY, destination)))

    def presence_of(self, person: str) -> str:
        """Return a person's presence."""
        return cast("str", settled(self._world, (PRESENCE, person)))


class _OpenOverrides:
    __slots__ = ("_world",)

    def __init__(self, world: World) -> None:
        self._world = world

    def get(self, name: str, /) -> str | None:
        return cast("str | None", settled(self._world, (OVERRIDE, name)))


def party_in(world: World) -> Party:
    """Return who calls; raises AskedError if that is not settled."""
    own: Party | None = settled(world, OWN)
    return own or cast("Party", settled(world, CALLER))


def settled(world: World, variable: Variable) -> Any:
    """Return the value of a variable; raises AskedError if it is not settled."""
    try:
        return world[variable]
    except KeyError:
        raise AskedError(variable) from None


class View:
    """How a rules file sees a world: two files may call the same thing by different names.

    Of the call, something may be given, whatever the world.
    """

    def __init__(self, given: World | None = None) -> None:
        self._given = given or {}

    def call(self, world: World) -> Call:
        """Return a call that tells only what is settled, or given."""
        return cast("Call", OpenCall(world | self._given if self._given else world))

    def facts(self, world: World) -> Facts:
        """Return facts that tell only what is settled."""
        return cast("Facts", OpenFacts(world))

    def variable(self, look: Look) -> Variable:
        """Return what is one way or another where a condition looks."""
        return variable_of(look)


PLAIN = View()


@dataclass(frozen=True, slots=True)
class Witness:
    """A call that shows what is claimed; `outcomes` are those of its attempts."""

    call: Call
    facts: Facts
    outcomes: tuple[str, ...] = ()


def witness(world: World, domains: Domains, to: str, outcomes: tuple[str, ...] = ()) -> Witness:
    """Return a call in `world`; what is not settled is as usual."""
    whole = {variable: values[0] for variable, values in domains.items()} | world
    party = party_in(whole)
    call = Call(to, party.address, whole[AT], party.withheld, whole[DIVERTED])
    return Witness(
        call,
        Facts(
            frozenset(name for (kind, name), full in whole.items() if kind == BUSY and full),
            _named(whole, PRESENCE, AVAILABLE),
            _named(whole, OVERRIDE, None),
        ),
        outcomes,
    )


def _named(world: World, kind: str, usual: str | None) -> Mapping[str, str]:
    return {name: value for (k, name), value in world.items() if k == kind and value != usual}
