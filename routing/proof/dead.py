"""Why a rule can not be chosen in the whole sweep, and what severity that deserves."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from routing.proof.findings import INFO, WARNING, Finding, Hider
from routing.proof.reach import by_override, hiding, reach
from routing.proof.worlds import witness
from routing.router import route

if TYPE_CHECKING:
    from routing.proof.reach import Reach
    from routing.proof.sweep import Sweep
    from routing.proof.worlds import Witness
    from routing.rules import RuleSet
    from routing.schedule import Schedule

_FAR = 12 * 366
"""Days before and after the sweep in which a rule is looked for that it does not reach."""


def rule(rules: RuleSet, found: Reach, index: int, sweep: Sweep) -> Finding:
    """Return why the rule of a line can not be chosen."""
    hiders = _hiders(rules, found, index)
    elsewhere = None if hiders else _at_other_times(rules, found, index, sweep)
    return elsewhere or _by_override(found, index) or _dead(found, index, hiders)


def _finding(
    found: Reach, index: int, severity: str, code: str, message: str, shown: Witness | None = None
) -> Finding:
    keys = ("lines", found.line.name, "rules", index)
    name = found.line.rules[index].name
    return Finding(severity, code, keys, f"rule {name!r} {message}", shown)


def _hiders(rules: RuleSet, found: Reach, index: int) -> tuple[Hider, ...]:
    every = []
    for hidden in hiding(found, index):
        shown = witness(hidden.world, found.domains, found.line.numbers[0])
        because = route(rules, shown.call, shown.facts).trace.steps[-1].because
        every.append(Hider(hidden.rule.name, found.line.rules.index(hidden.rule), because, shown))
    return tuple(every)


def _dead(found: Reach, index: int, hiders: tuple[Hider, ...]) -> Finding:
    keys = ("lines", found.line.name, "rules", index)
    names = " and ".join(f"{each.rule!r} ({each.because})" for each in hiders)
    because = f"{names} above {'takes' if len(hiders) == 1 else 'take'} every call that it is for"
    if not hiders:
        because = "its conditions never hold together"
    message = f"rule {found.line.rules[index].name!r} can never be chosen: {because}"
    shown = hiders[0].witness if hiders else None
    return Finding(WARNING, "dead-rule", keys, message, shown, hiders)


def _at_other_times(rules: RuleSet, found: Reach, index: int, sweep: Sweep) -> Finding | None:
    """Return when the rule can be chosen after the sweep, or when it could be before it."""
    span = dt.timedelta(days=_FAR)
    end = sweep.start + dt.timedelta(days=sweep.days)
    for start, severity, code, words in (
        (end, INFO, "later-rule", f"is not chosen in these {sweep.days} days; on %s it can be"),
        (sweep.start - span, WARNING, "past-rule", "is never chosen again; on %s it could be"),
    ):
        there = reach(rules, found.line, sweep.other(start, _FAR))
        if there.worlds[index]:
            shown = witness(there.worlds[index][0], there.domains, found.line.numbers[0])
            date = f"{shown.call.at.astimezone(rules.zone or dt.UTC):%Y-%m-%d}"
            return _finding(found, index, severity, code, words % date, shown)
    return None


def _by_override(found: Reach, index: int) -> Finding | None:
    """Return which switches let a rule be chosen: schedules that only an override ever opens."""
    world = by_override(found, index, [each for each in found.schedules if _is_switch(each)])
    if world is None:
        return None
    shown = witness(world, found.domains, found.line.numbers[0])
    sets = " and ".join(f"{name} is set {state}" for name, state in shown.facts.overrides.items())
    message = f"is chosen only while {sets} by an override"
    return _finding(found, index, INFO, "override-rule", message, shown)


def _is_switch(schedule: Schedule) -> bool:
    return not any(schedule.week) and not any(each.windows for each in schedule.exceptions)
