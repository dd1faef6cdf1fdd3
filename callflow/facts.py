"""What is so at the moment of a decision: the rules in force, busy destinations, presence."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from callflow import agenda, changes, clock
from callflow.ledger import OVERRIDE, PRESENCE, UnknownCallError, of_known
from callflow.patience import CallGoneError
from routing.conditions import Facts
from routing.router import destinations_met

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.ledger import Ledger
    from callflow.patience import Patience
    from callflow.record import Leg
    from callflow.rulebook import Rulebook
    from routing.rules import RuleSet

_CACHED = 0.4
"""Seconds for which settings are remembered, so that a change is seen within one second."""
_BELIEVED = 180.0
"""Seconds for which a leg counts as in progress without a look at it."""
_LOOKS = 3
"""Legs of one destination that are looked at for one decision, at most."""
_SURE = 5.0
"""Seconds for which a destination that was looked at need not be looked at again."""
_NEVER: tuple[float, dict[str, str]] = (float("-inf"), {})


class NoRulesError(Exception):
    """The rules file has never been good."""


class FactFinder:
    """Finds the facts. One object serves all threads of a process."""

    def __init__(self, ledger: Ledger, rulebook: Rulebook) -> None:
        self._ledger = ledger
        self._rulebook = rulebook
        self._settings: dict[str, tuple[float, dict[str, str]]] = {}
        self._limited: tuple[RuleSet | None, dict[str, dict[str, int]]] = (None, {})
        self._looked: dict[str, float] = {}

    @property
    def has_rules(self) -> bool:
        """Whether the rules file has ever been good."""
        return self._rulebook.rules is not None

    def rules(self) -> RuleSet:
        """Return the rules in force; raises NoRulesError."""
        if self._rulebook.rules is None:
            raise NoRulesError("there are no good rules")
        return self._rulebook.rules

    def ask_ahead(self, rules: RuleSet) -> None:
        """Ask the ledger, now and then, for what `facts` remembers: it is called in an update."""
        now = time.monotonic()
        for kind, needed in ((PRESENCE, rules.persons), (OVERRIDE, _has_overrides(rules))):
            if needed and now - self._settings.get(kind, _NEVER)[0] > _CACHED:
                found = self._ledger.settings(kind, clock.now())
                self._settings[kind] = (now, {each.name: each.value for each in found})

    def facts(self, rules: RuleSet, to: str, in_progress: Callable[[str], int]) -> Facts:
        """Return what is so now for a call to a number; `in_progress` counts legs.

        Only what the rules of its line can tell apart is asked for.
        """
        return Facts(
            frozenset(
                name for name, most in self._limits(rules, to).items() if in_progress(name) >= most
            ),
            self._settings.get(PRESENCE, _NEVER)[1] if rules.persons else {},
            self._settings.get(OVERRIDE, _NEVER)[1] if _has_overrides(rules) else {},
        )

    def unsure(self, facts: Facts) -> list[str]:
        """Return the destinations that seem busy and were not looked at for a while."""
        now = clock.now()
        return [name for name in facts.busy if abs(now - self._looked.get(name, _NEVER[0])) > _SURE]

    def look_at(self, destinations: list[str], patience: Patience) -> None:
        """Look at legs of destinations that have counted for long: hangups get lost."""
        for name in destinations:
            looked = 0
            for call_id in self._ledger.calls_to(name):
                record = self._ledger.load(call_id)
                for leg in record.legs if record else ():
                    if leg.destination == name and _is_stale(leg) and looked < _LOOKS:
                        looked += 1
                        self._look_at(call_id, leg, patience)
            self._looked[name] = clock.now()

    def _limits(self, rules: RuleSet, to: str) -> dict[str, int]:
        """Return the capacities that may count for a call to a number, by destination."""
        if not rules.limited:
            return {}
        if self._limited[0] is not rules:
            self._limited = (rules, {})
        known = self._limited[1]
        line = rules.line_by_number.get(to)
        name = line.name if line else ""
        if name not in known:
            met = destinations_met(rules, line)
            known[name] = {each: most for each, most in rules.limited.items() if each in met}
        return known[name]

    def _look_at(self, call_id: str, leg: Leg, patience: Patience) -> None:
        try:
            patience.look(leg.leg_id or call_id)
            found = changes.of_leg(leg, checked_at=clock.now())
        except CallGoneError:
            lost = changes.ended(leg, None, "its hangup was never reported")
            found = changes.together(lost, lambda record: agenda.reckon(record, clock.now()))
        with suppress(UnknownCallError):
            self._ledger.update(call_id, of_known(lambda record, _: found(record)))


def _has_overrides(rules: RuleSet) -> bool:
    """Return whether there is anything that an override may set."""
    return bool(rules.schedules or rules.rotations)


def _is_stale(leg: Leg) -> bool:
    heard = max(leg.started_at, leg.answered_at or 0.0, leg.checked_at or 0.0)
    return leg.is_open and clock.now() - heard > _BELIEVED
