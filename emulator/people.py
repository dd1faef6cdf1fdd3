"""The people behind the destinations: they answer, are busy, decline, or do not exist."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.errors import ControlError
from emulator.legs import Leg, Move

if TYPE_CHECKING:
    from emulator.exchange import Exchange
    from emulator.switches import Switches

# What a destination does: the hangup cause it leads to, and the move its leg makes.
# A destination that answers, or that lets it ring, has no cause of its own.
ENDINGS: dict[str, tuple[str, Move]] = {
    "busy": ("USER_BUSY", Move.END),
    "reject": ("CALL_REJECTED", Move.REJECT),
    "unallocated": ("UNALLOCATED_NUMBER", Move.END),
    "forbidden": ("NORMAL_TEMPORARY_FAILURE", Move.END),
}
DOES = ("answer", "busy", "no-answer", "reject", "unallocated", "silent")


@dataclass(frozen=True)
class Person:
    """How one destination behaves; ``after`` and ``talk`` are seconds, None means never."""

    does: str = "answer"
    after: float | None = 0.2
    talk: float | None = None
    cause: str | None = None


ORDINARY = Person()
FORBIDDEN = Person("forbidden")


def read_person(body: dict[str, Any]) -> Person:
    """Read a person from the body of a control request; raises ControlError."""
    does: Any = body.get("does", "answer")
    cause = does.get("cause") if isinstance(does, dict) else body.get("cause")
    if cause is not None:
        if not re.fullmatch(r"[A-Z][A-Z_0-9]*", str(cause)):
            raise ControlError(f"cause cannot be {cause!r}; it looks like SWITCH_CONGESTION")
        does = "cause"
    elif does not in DOES:
        raise ControlError(f'does cannot be {does!r}; it takes {"|".join(DOES)} or {{"cause": …}}')
    usual = None if does == "no-answer" else ORDINARY.after
    return Person(does, _seconds(body, "after", usual), _seconds(body, "talk", None), cause)


def _seconds(body: dict[str, Any], name: str, default: float | None) -> float | None:
    value = body.get(name, default)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ControlError(f"{name} cannot be {value!r}; it takes seconds, 0 or more")
    return float(value)


class People:
    """Everybody who can be called."""

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._known: dict[str, Person] = {}

    def set(self, number: str, person: Person) -> None:
        """From now on this is how ``number`` behaves."""
        self._known[number] = person

    def get(self, number: str) -> Person:
        """Who is at ``number``; a stranger answers after 0.2 s and talks until someone hangs up."""
        return FORBIDDEN if self.is_forbidden(number) else self._known.get(number, ORDINARY)

    def is_forbidden(self, number: str) -> bool:
        """Whether the account may not call that country. FAQ: international calls are off."""
        abroad = number.startswith("+") and not number.startswith("+1")
        return abroad and self._switches.is_("international", "off")

    def ring(self, leg: Leg, exchange: Exchange) -> None:
        """Ring the phone: the person does what they do, when they do it."""
        person = self.get(leg.to)
        if person.after is not None:
            exchange.later(leg, person.after, lambda: _act(person, leg, exchange))


def _act(person: Person, leg: Leg, exchange: Exchange) -> None:
    if not leg.can(Move.ANSWER):
        return
    if person.does == "answer":
        exchange.picked_up(leg, person.talk)
    elif person.does == "no-answer":
        exchange.ring_out(leg)
    elif person.does == "silent":
        exchange.lose(leg)
    else:
        cause, move = ENDINGS.get(person.does, (person.cause or "", Move.END))
        exchange.end(leg, cause, move, by="person")
