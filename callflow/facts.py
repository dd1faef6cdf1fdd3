"""What is so at the moment of a decision: the rules in force, busy destinations, presence."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from callflow import agenda, changes
from callflow.ledger import OVERRIDE, PRESENCE
from callflow.patience import CallGoneError
from routing.conditions import Facts

if TYPE_CHECKING:
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
"""Legs that one decision looks at, at most."""


class NoRulesError(Exception):
    """The rules file has never been good."""


class FactFinder:
    """Finds the facts. One object serves all threads of a process."""

    def __init__(self, ledger: Ledger, rulebook: Rulebook) -> None:
        self._ledger = ledger
        self._rulebook = rulebook
        self._cache: dict[str, tuple[float, dict[str, str]]] = {}

    def rules(self) -> RuleSet:
        """Return the rules in force; raises NoRulesError."""
        if self._rulebook.rules is None:
            raise NoRulesError("there are no good rules")
        return self._rulebook.rules

    def facts(self, rules: RuleSet, patience: Patience) -> Facts:
        """Return what is so now; only what the rules can tell apart is asked for."""
        return Facts(
            self._busy(rules, patience) if rules.limited else frozenset(),
            self._settings(PRESENCE) if rules.persons else {},
            self._settings(OVERRIDE) if rules.schedules else {},
        )

    def _settings(self, kind: str) -> dict[str, str]:
        now = time.time()
        known = self._cache.get(kind)
        if known is None or now - known[0] > _CACHED:
            found = {each.name: each.value for each in self._ledger.settings(kind, now)}
            known = self._cache[kind] = (now, found)
        return known[1]

    def _busy(self, rules: RuleSet, patience: Patience) -> frozenset[str]:
        counts = self._ledger.in_progress()
        full = set()
        for name, capacity in rules.limited.items():
            count = counts.get(name, 0)
            if count >= capacity and count - self._freed(name, patience) >= capacity:
                full.add(name)
        return frozenset(full)

    def _freed(self, destination: str, patience: Patience) -> int:
        """Look at legs that have counted for long; return how many were over, and note it."""
        freed = looked = 0
        for call_id in self._ledger.calls_to(destination):
            record = self._ledger.load(call_id)
            for leg in record.legs if record else ():
                if leg.destination == destination and _is_stale(leg) and looked < _LOOKS:
                    looked += 1
                    freed += self._look_at(call_id, leg, patience)
        return freed

    def _look_at(self, call_id: str, leg: Leg, patience: Patience) -> int:
        try:
            patience.look(leg.leg_id or call_id)
        except CallGoneError:
            lost = changes.ended(leg, None, "its hangup was never reported")
            reckoned = changes.together(lost, lambda record: agenda.reckon(record, time.time()))
            self._ledger.update(call_id, lambda record, _: reckoned(record))
            return 1
        checked = changes.of_leg(leg, checked_at=time.time())
        self._ledger.update(call_id, lambda record, _: checked(record))
        return 0


def _is_stale(leg: Leg) -> bool:
    heard = max(leg.started_at, leg.answered_at or 0.0, leg.checked_at or 0.0)
    return leg.is_open and time.time() - heard > _BELIEVED
