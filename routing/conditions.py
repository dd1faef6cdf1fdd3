"""The conditions of `when`: whether each holds for a call, and the reason in words.

`because` is asked only when somebody reads the trace; it looks at the same call and facts that
`holds` judged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field

from routing.words import AVAILABLE, REASON_BY_PRESENCE

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from routing.callers import CallerList
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
    """What else is so at that moment: full destinations, presence, overrides in force."""

    busy: frozenset[str] = frozenset()
    presence: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, str] = field(default_factory=dict)

    def presence_of(self, person: str) -> str:
        """Return the person's presence; who never set one is available."""
        return self.presence.get(person, AVAILABLE)


class Condition(Protocol):
    """One key of `when`."""

    def holds(self, call: Call, facts: Facts) -> bool:
        """Return whether the condition holds."""

    def because(self, call: Call, facts: Facts) -> str:
        """Return in words why it holds or does not."""


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


class Busy(Struct, frozen=True):
    """`busy`: one of the destinations has no free capacity."""

    destinations: tuple[str, ...]

    def holds(self, call: Call, facts: Facts) -> bool:  # noqa: ARG002 - one signature for all
        """Return whether one of the destinations is full."""
        return not facts.busy.isdisjoint(self.destinations)

    def because(self, call: Call, facts: Facts) -> str:  # noqa: ARG002 - one signature for all
        """Return which destination is busy, or that none is."""
        for name in self.destinations:
            if name in facts.busy:
                return f"{name} is busy"
        verb = "is" if len(self.destinations) == 1 else "are"
        return f"{' and '.join(self.destinations)} {verb} not busy"


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


class Diverted(Struct, frozen=True):
    """`diverted`: the call came in with one of the diversion reasons; `any` for any."""

    reasons: tuple[str, ...]

    def holds(self, call: Call, facts: Facts) -> bool:  # noqa: ARG002 - one signature for all
        """Return whether the call's own diversion reason is one of those wanted."""
        if call.diverted is None:
            return False
        return "any" in self.reasons or call.diverted in self.reasons

    def because(self, call: Call, facts: Facts) -> str:
        """Return how the call was diverted before it came here."""
        if call.diverted is None:
            return "the call was not diverted"
        wanted = "" if self.holds(call, facts) else f", not by {' or '.join(self.reasons)}"
        return f"the call was diverted by {call.diverted}{wanted}"


class Not(Struct, frozen=True):
    """`not`: the inner conditions do not all hold."""

    inner: tuple[Condition, ...]

    def holds(self, call: Call, facts: Facts) -> bool:
        """Return whether one of the inner conditions fails."""
        return not all(condition.holds(call, facts) for condition in self.inner)

    def because(self, call: Call, facts: Facts) -> str:
        """Return why the inner conditions do, or do not, all hold."""
        return because(self.inner, call, facts)


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

    Busy counts before presence, presence before time. A schedule or a person's presence decides
    inside `not` too; a busy destination inside `not` is one that was free, so it gives no reason.
    """
    if not conditions:
        return None
    if any(isinstance(condition, Busy) for condition in conditions):
        return "user-busy"
    every = list(_flat(conditions))
    for condition in every:
        if isinstance(condition, Presence):
            for person, _ in condition.wanted:
                state = facts.presence_of(person)
                if state in REASON_BY_PRESENCE:
                    return REASON_BY_PRESENCE[state]
    if any(isinstance(condition, Time) for condition in every):
        return "time-of-day"
    return None


def busy_in(conditions: tuple[Condition, ...]) -> set[str]:
    """Return the destinations that `busy` asks about."""
    asked = (each.destinations for each in _flat(conditions) if isinstance(each, Busy))
    return {name for names in asked for name in names}


def _flat(conditions: tuple[Condition, ...]) -> list[Condition]:
    found: list[Condition] = []
    for condition in conditions:
        found += _flat(condition.inner) if isinstance(condition, Not) else [condition]
    return found
