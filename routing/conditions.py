"""The conditions of `when`: whether each holds for a call, and the reason in words.

`because` is asked only when somebody reads the trace; it looks at the same call and facts that
`holds` judged. What a condition looks at, it says in `looks_at`; nothing else of this project
knows the classes below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec import Struct, field

from routing.looks import Caller, Diversion, Fullness, Instant, OverrideOf, PresenceOf
from routing.schedule import DAY_NAMES, DAYS
from routing.words import AVAILABLE, REASON_BY_PRESENCE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from routing.callers import CallerList
    from routing.looks import Look
    from routing.rotation import Rotation
    from routing.schedule import Schedule


MOST_DIVERSIONS = 5
"""How often a call may have been diverted that brings no limit of its own."""


def comes_back(counter: int | None, limit: int | None) -> bool:
    """Return whether a call was diverted so often that a phone of ours must have sent it back."""
    if not counter:
        return False
    return counter > MOST_DIVERSIONS if limit is None else counter >= limit


class Call(Struct, frozen=True, gc=False):
    """What is known of a call when it is routed. Parties are in normal form, `at` is aware.

    `counter` says how often it was diverted before it came in, and `limit` how often it may be.
    """

    to: str
    caller: str
    at: dt.datetime
    anonymous: bool = False
    diverted: str | None = None
    counter: int | None = None
    limit: int | None = None

    @property
    def comes_back(self) -> bool:
        """Whether it goes round, so that nobody is dialed for it."""
        return comes_back(self.counter, self.limit)


class Facts(Struct, frozen=True, gc=False):
    """What else is so at that moment: full destinations, presence, overrides in force.

    A condition asks `is_busy`, `presence_of` and `overrides.get`, with a name: what is proved of
    rules knows of a call only what it was asked, and has nothing but these three.
    """

    busy: frozenset[str] = frozenset()
    presence: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)

    def is_busy(self, destination: str) -> bool:
        """Return whether the destination has no free capacity."""
        return destination in self.busy

    def presence_of(self, person: str) -> str:
        """Return the person's presence; who never set one is available."""
        return self.presence.get(person, AVAILABLE)


class Reason(NamedTuple):
    """A diversion reason that a condition gives; of several the one with the least `rank`."""

    rank: int
    word: str


_BY_BUSY, _BY_PRESENCE, _BY_TIME = range(3)
_TIME_OF_DAY = Reason(_BY_TIME, "time-of-day")


class Condition(Protocol):
    """One key of `when`. It says itself everything that others have to know of it."""

    def holds(self, call: Call, facts: Facts) -> bool:
        """Return whether the condition holds."""

    def because(self, call: Call, facts: Facts) -> str:
        """Return in words why it holds or does not."""

    def looks_at(self) -> Iterable[Look]:
        """Return everything that `holds` looks at."""

    def reason(self, facts: Facts) -> Reason | None:
        """Return the diversion reason that it gives a rule for which it holds, if it gives one."""


class Time(Struct, frozen=True):
    """`during` (inside is true) or `outside`; several schedules count as one."""

    schedules: tuple[Schedule, ...]
    inside: bool

    def holds(self, call: Call, facts: Facts) -> bool:
        """Return whether the instant lies in (or in none of) the schedules."""
        for schedule in self.schedules:
            if schedule.judge(call.at, facts.overrides).open:
                return self.inside
        return not self.inside

    def because(self, call: Call, facts: Facts) -> str:
        """Return the verdict of the schedule that decided, or of all when none is open."""
        closed = []
        for schedule in self.schedules:
            verdict = schedule.judge(call.at, facts.overrides)
            if verdict.open:
                return f"inside {schedule.name}: {verdict.because()}"
            closed.append(f"outside {schedule.name}: {verdict.because()}")
        return "; ".join(closed)

    def looks_at(self) -> Iterable[Look]:
        """Return the schedules' hours, and what they may be set to."""
        for schedule in self.schedules:
            yield Instant(schedule)
            yield from map(OverrideOf, (schedule.name, *schedule.like))

    def reason(self, facts: Facts) -> Reason:  # noqa: ARG002 - one signature for all
        """Return that the time decided."""
        return _TIME_OF_DAY


class Weekday(Struct, frozen=True):
    """`weekday`: it is one of these days of the week (Monday is 0) in the file's time zone.

    It is the clock that it looks at itself.
    """

    days: tuple[int, ...]
    zone: ZoneInfo

    def holds(self, call: Call, facts: Facts) -> bool:  # noqa: ARG002 - one signature for all
        """Return whether the call comes on one of the days."""
        return self.state(call.at)

    def because(self, call: Call, facts: Facts) -> str:  # noqa: ARG002 - one signature for all
        """Return which day it is."""
        day = DAY_NAMES[call.at.astimezone(self.zone).weekday()]
        wanted = "" if self.state(call.at) else f", not {' or '.join(DAYS[n] for n in self.days)}"
        return f"it is {day}{wanted}"

    def looks_at(self) -> Iterable[Look]:
        """Return the day of the week."""
        return (Instant(self),)

    def reason(self, facts: Facts) -> Reason:  # noqa: ARG002 - one signature for all
        """Return that the time decided."""
        return _TIME_OF_DAY

    def state(self, at: dt.datetime) -> bool:
        """Return whether it is one of the days at an instant."""
        return at.astimezone(self.zone).weekday() in self.days

    def turns_on(self, day: dt.date) -> Iterable[int]:  # noqa: ARG002 - as every clock
        """Return midnight."""
        return (0,)

    def course_of(self, day: dt.date) -> bool:
        """Return whether it is one of the days."""
        return day.weekday() in self.days


class From(Struct, frozen=True):
    """`from` (matching is true) or `notFrom`."""

    callers: CallerList
    written: tuple[str, ...]
    matching: bool

    def holds(self, call: Call, facts: Facts) -> bool:  # noqa: ARG002 - one signature for all
        """Return whether the caller matches (or does not match) the list."""
        return self.callers.has(call.caller, anonymous=call.anonymous) == self.matching

    def because(self, call: Call, facts: Facts) -> str:  # noqa: ARG002 - one signature for all
        """Return whether the caller is in the list."""
        verb = "is" if self.callers.has(call.caller, anonymous=call.anonymous) else "is not"
        caller = "the anonymous caller" if call.anonymous else f"from {call.caller}"
        return f"{caller} {verb} in {' or '.join(self.written)}"

    def looks_at(self) -> Iterable[Look]:
        """Return the caller."""
        return (Caller(self.callers, self.written),)

    def reason(self, facts: Facts) -> None:
        """Return None: who calls is no reason to divert."""


class Busy(Struct, frozen=True):
    """`busy`: one of the destinations, or of those whose turn it is, has no free capacity."""

    destinations: tuple[str, ...]
    rotations: tuple[Rotation, ...] = ()

    def holds(self, call: Call, facts: Facts) -> bool:
        """Return whether one of the destinations is full."""
        for name in self.destinations:
            if facts.is_busy(name):
                return True
        members = (each.member(call.at, facts.overrides) for each in self.rotations)
        return any(each.capacity and facts.is_busy(each.label) for each in members)

    def because(self, call: Call, facts: Facts) -> str:
        """Return which destination is busy, or that none is."""
        asked = {name: facts.is_busy(name) for name in self.destinations}
        for each in self.rotations:
            member = each.member(call.at, facts.overrides)
            is_busy = bool(member.capacity) and facts.is_busy(member.label)
            asked[f"{each.name} ({member.label})"] = is_busy
        for words, is_busy in asked.items():
            if is_busy:
                return f"{words} is busy"
        verb = "is" if len(asked) == 1 else "are"
        return f"{' and '.join(asked)} {verb} not busy"

    def looks_at(self) -> Iterable[Look]:
        """Return the destinations; of rotations whose turn it is and each that can be full."""
        yield from map(Fullness, self.destinations)
        for each in self.rotations:
            yield from each.looks_at()
            limited = (member.label for member in each.members if member.capacity)
            yield from map(Fullness, dict.fromkeys(limited))

    def reason(self, facts: Facts) -> Reason:  # noqa: ARG002 - one signature for all
        """Return that somebody is busy."""
        return Reason(_BY_BUSY, "user-busy")


class Presence(Struct, frozen=True):
    """`presence`: each person is in one of the states."""

    wanted: tuple[tuple[str, tuple[str, ...]], ...]

    def holds(self, call: Call, facts: Facts) -> bool:  # noqa: ARG002 - one signature for all
        """Return whether every person's presence is one of those wanted."""
        return all(facts.presence_of(person) in states for person, states in self.wanted)

    def because(self, call: Call, facts: Facts) -> str:  # noqa: ARG002 - one signature for all
        """Return the persons' presence, or that of the first who is not as wanted."""
        missing = [(p, s) for p, s in self.wanted if facts.presence_of(p) not in s]
        if missing:
            person, states = missing[0]
            return f"{person} is {facts.presence_of(person)}, not {' or '.join(states)}"
        return " and ".join(f"{person} is {facts.presence_of(person)}" for person, _ in self.wanted)

    def looks_at(self) -> Iterable[Look]:
        """Return the persons."""
        return (PresenceOf(person, states) for person, states in self.wanted)

    def reason(self, facts: Facts) -> Reason | None:
        """Return the presence of the first who is not available, in the platform's word."""
        for person, _ in self.wanted:
            word = REASON_BY_PRESENCE.get(facts.presence_of(person))
            if word is not None:
                return Reason(_BY_PRESENCE, word)
        return None


class Diverted(Struct, frozen=True):
    """`diverted`: the call came in with one of the diversion reasons; `any` for any."""

    wanted: Diversion

    def holds(self, call: Call, facts: Facts) -> bool:  # noqa: ARG002 - one signature for all
        """Return whether the call's own diversion reason is one of those wanted."""
        return self.wanted.has(call.diverted)

    def because(self, call: Call, facts: Facts) -> str:
        """Return how the call was diverted before it came here."""
        if call.diverted is None:
            return "the call was not diverted"
        reasons = " or ".join(self.wanted.reasons)
        wanted = "" if self.holds(call, facts) else f", not by {reasons}"
        return f"the call was diverted by {call.diverted}{wanted}"

    def looks_at(self) -> Iterable[Look]:
        """Return the reason."""
        return (self.wanted,)

    def reason(self, facts: Facts) -> None:
        """Return None: how it was diverted before is no reason to divert it again."""


class Not(Struct, frozen=True):
    """`not`: the inner conditions do not all hold."""

    inner: tuple[Condition, ...]

    def holds(self, call: Call, facts: Facts) -> bool:
        """Return whether one of the inner conditions fails."""
        return not all(condition.holds(call, facts) for condition in self.inner)

    def because(self, call: Call, facts: Facts) -> str:
        """Return why the inner conditions do, or do not, all hold."""
        return because(self.inner, call, facts)

    def looks_at(self) -> Iterable[Look]:
        """Return what the inner conditions look at."""
        return looks_of(self.inner)

    def reason(self, facts: Facts) -> Reason | None:
        """Return the reason of the inner conditions.

        A schedule or a person's presence decides inside `not` too. A busy destination inside
        `not` is one that was free, so it gives no reason.
        """
        found = (condition.reason(facts) for condition in self.inner)
        return _first(each for each in found if each and each.rank != _BY_BUSY)


def because(conditions: tuple[Condition, ...], call: Call, facts: Facts) -> str:
    """Return why all conditions hold, or why the first that fails does not."""
    if not conditions:
        return "it has no conditions"
    for condition in conditions:
        if not condition.holds(call, facts):
            return condition.because(call, facts)
    return "; ".join([condition.because(call, facts) for condition in conditions])


def reason_of(conditions: tuple[Condition, ...], facts: Facts) -> str | None:
    """Return the diversion reason that a rule's conditions give, or None if they give none.

    Busy counts before presence, presence before time.
    """
    if not conditions:
        return None
    found = _first(filter(None, [condition.reason(facts) for condition in conditions]))
    return found.word if found else None


def _first(reasons: Iterable[Reason]) -> Reason | None:
    return min(reasons, key=lambda each: each.rank, default=None)


def looks_of(conditions: Iterable[Condition]) -> Iterator[Look]:
    """Yield everything that conditions look at."""
    for each in conditions:
        yield from each.looks_at()
