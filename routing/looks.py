"""What a condition looks at, as its class says it itself.

What is proved of rules (`routing/proof`), the timeline, and the facts that are asked for a call
know nothing else of a condition. So a new condition is its class, and nothing has to be told of
it elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from routing.words import OVERRIDES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Hashable, Iterable
    from zoneinfo import ZoneInfo

    from routing.callers import CallerList


class Clock(Protocol):
    """Something that is one way or another by the instant alone: a schedule, a day of the week."""

    @property
    def zone(self) -> ZoneInfo:
        """The zone on whose wall clocks it changes."""

    def state(self, at: dt.datetime) -> Hashable:
        """Return what is so at an instant."""

    def turns_on(self, day: dt.date) -> Iterable[int]:
        """Return every second of a day, as wall clocks show it, at which the state may change."""

    def course_of(self, day: dt.date) -> Hashable:
        """Return a key: two days with the same key have the same states at the same times.

        The changes of the zone's own clocks need no thought. A clock without such days returns
        the day itself.
        """


class Instant(Struct, frozen=True):
    """The instant, as far as a clock tells it apart."""

    clock: Clock


class Caller(Struct, frozen=True):
    """The caller, as far as a list tells callers apart; `written` is how the file names it."""

    callers: CallerList
    written: tuple[str, ...]


class Phone(Struct, frozen=True):
    """Whether the call comes from this phone, which is not rung for its own call."""

    party: str


class Diversion(Struct, frozen=True):
    """The diversion reason that the call came with: whether it is one of these (`any` for any)."""

    reasons: tuple[str, ...]

    def has(self, reason: str | None) -> bool:
        """Return whether a call that came with this reason is meant."""
        return reason is not None and ("any" in self.reasons or reason in self.reasons)


class Fullness(Struct, frozen=True):
    """Whether a destination has no free capacity."""

    destination: str


class PresenceOf(Struct, frozen=True):
    """Whether a person's presence is one of these states."""

    person: str
    states: tuple[str, ...]


class OverrideOf(Struct, frozen=True):
    """What a schedule is set to at run time, if it is: one of these states."""

    name: str
    states: tuple[str, ...] = OVERRIDES


Look = Instant | Caller | Phone | Diversion | Fullness | PresenceOf | OverrideOf
