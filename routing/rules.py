"""RuleSet and its parts: what a rules file says, checked and frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

from routing.callers import normal_party
from routing.words import OVERRIDES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from catapult.transfer import Audio
    from routing.callers import CallerList
    from routing.conditions import Condition
    from routing.countries import PublicHolidays
    from routing.dates import Calendar
    from routing.expectations import Expectation
    from routing.problems import Keys, Problem
    from routing.rotation import Rotation
    from routing.schedule import Schedule

DEFAULT_RING = 20
"""Seconds that a destination rings when nothing else is written."""
CALLER, CALLED = "caller", "called"


class Parameters(Struct, frozen=True):
    """Transfer parameters as written at one place; None where nothing is written."""

    ring: int | None = None
    transfer_caller_id: str | None = None
    whisper_audio: Audio | None = None
    recording_enabled: bool | None = None
    recording_file_format: str | None = None
    diversion_treatment: str | None = None
    diversion_reason: str | None = None

    def over(self, farther: Parameters) -> Parameters:
        """Return these with the gaps filled from `farther`: the nearest one wins."""
        if farther is NO_PARAMETERS:
            return self
        if self is NO_PARAMETERS:
            return farther
        mine = {name: getattr(self, name) for name in _PARAMETER_NAMES}
        return Parameters(
            **{
                name: value if value is not None else getattr(farther, name)
                for name, value in mine.items()
            }
        )


_PARAMETER_NAMES = Parameters.__struct_fields__
NO_PARAMETERS = Parameters()


class Destination(Struct, frozen=True):
    """Where calls can go. One written directly as a number has no name, capacity or person."""

    transfer_to: str
    name: str | None = None
    capacity: int | None = None
    person: str | None = None
    parameters: Parameters = NO_PARAMETERS

    @property
    def label(self) -> str:
        """The name, or the number where it has none."""
        return self.name or self.transfer_to

    @property
    def party(self) -> str:
        """Its number or SIP URI in the form in which parties are compared."""
        return normal_party(self.transfer_to)


class Step(Struct, frozen=True):
    """Destinations that ring together; one of them is the usual case.

    Their parameters are complete: step, destination and the file's defaults, the nearest first.
    """

    destinations: tuple[Destination, ...]


class InTurn(Struct, frozen=True):
    """A rotation in a step: its members, in order, each with its complete parameters there."""

    rotation: Rotation
    members: tuple[Destination, ...]


class RotatingStep(Step, frozen=True):
    """A step that names a rotation. Its `destinations` are all that may ring, in turn.

    A route has none of these: `routing.turns` puts the plain step of the call's instant there.
    """

    targets: tuple[Destination | InTurn, ...]


def step_of(targets: tuple[Destination | InTurn, ...]) -> Step:
    """Return the step in which these ring together."""
    if not any(isinstance(each, InTurn) for each in targets):
        return Step(tuple(each for each in targets if isinstance(each, Destination)))
    every = [e for each in targets for e in (each.members if isinstance(each, InTurn) else [each])]
    return RotatingStep(tuple(dict.fromkeys(every)), targets)


class TransferAction(Struct, frozen=True):
    """`transferTo` (one step) or `followMe`."""

    steps: tuple[Step, ...]
    follow_me: bool = False


class RejectAction(Struct, frozen=True):
    """`reject: true`."""


class AnnounceAction(Struct, frozen=True):
    """`announce`: play something to the caller, then hang up."""

    audio: Audio


Action = TransferAction | RejectAction | AnnounceAction


class Stage(Struct, frozen=True):
    """An action with the name of what it comes from: a rule, a handler, `otherwise`."""

    name: str
    action: Action


class Rule(Struct, frozen=True):
    """One rule of a line.

    `stages` are its own action and everything that can take over from it: its handlers, the
    line's `otherwise` and `emergency`.
    """

    name: str
    conditions: tuple[Condition, ...]
    stages: tuple[Stage, ...]
    place: int
    """Line of the file."""


class Line(Struct, frozen=True):
    """The numbers people call, with their rules; the first that holds is chosen."""

    name: str
    title: str
    numbers: tuple[str, ...]
    rules: tuple[Rule, ...]
    otherwise: tuple[Stage, ...]
    """The stages when no rule holds: `otherwise`, then `emergency`."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class RuleSet:
    """A whole rules file. `digest` names this very text."""

    digest: str
    lines: Mapping[str, Line]
    line_by_number: Mapping[str, Line]
    destinations: Mapping[str, Destination]
    limited: Mapping[str, int]
    """Capacity of each destination that has one."""
    rotations: Mapping[str, Rotation]
    schedules: Mapping[str, Schedule]
    calendars: Mapping[str, Calendar]
    callers: Mapping[str, CallerList]
    persons: frozenset[str]
    emergency: tuple[Stage, ...]
    zone: ZoneInfo | None
    """The file's own time zone."""
    owned: str | None
    """A phone number of one of the lines, and so of the account; None if all are SIP addresses."""
    default_caller: str
    """A number that is in no caller list."""
    allow: tuple[str, ...] = ()
    """The beginnings of numbers that may be dialed, if not all."""
    expectations: tuple[Expectation, ...] = ()
    countries: tuple[tuple[Keys, PublicHolidays], ...] = ()
    """Every country whose holidays are taken, by the keys under which it is written."""
    warnings: tuple[Problem, ...] = field(default=(), compare=False)

    @property
    def settable(self) -> dict[str, tuple[str, ...]]:
        """What an override may set each schedule and rotation to."""
        members = {name: each.labels for name, each in self.rotations.items()}
        return dict.fromkeys(self.schedules, OVERRIDES) | members

    def zone_of(self, name: str) -> ZoneInfo | None:
        """Return the zone in which the times of a schedule or rotation are meant."""
        timed = self.schedules.get(name) or self.rotations.get(name)
        return timed.zone if timed else self.zone
