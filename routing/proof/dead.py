"""Why a rule cannot be chosen in the whole sweep, and what severity that deserves."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from routing.proof.findings import INFO, WARNING, Finding, Hider
from routing.proof.reach import hiding, reach, with_fewest_overrides
from routing.router import route
from routing.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from routing.proof.reach import Reach
    from routing.proof.sweep import Sweep
    from routing.proof.worlds import Witness
    from routing.rules import RuleSet

_YEARS = 12
"""Years before and after the sweep in which a rule is looked for that it does not reach."""


class _Case(NamedTuple):
    """A rule that is not chosen in the sweep."""

    found: Reach
    number: int
    hiders: tuple[Hider, ...]
    override: Witness | None
    """A call that gets it while schedules are set."""

    def finding(self, severity: str, code: str, message: str, shown: Witness | None) -> Finding:
        """Return what is found of the rule."""
        line = self.found.line
        keys = ("lines", line.name, "rules", self.number)
        text = f"rule {line.rules[self.number].name!r} {message}"
        return Finding(severity, code, keys, text, shown, self.hiders)

    @property
    def hidden(self) -> str:
        """Which rules hide it, in words."""
        names = " and ".join(f"{each.rule!r} ({each.because})" for each in self.hiders)
        verb = "takes" if len(self.hiders) == 1 else "take"
        return f"{names} above {verb} every call that it is for"


def unreached(rules: RuleSet, found: Reach, sweep: Sweep) -> Iterator[tuple[int, Finding]]:
    """Yield why the rules of a line cannot be chosen that are chosen nowhere in the sweep.

    Raises TooManyWorldsError.
    """
    indexes = [index for index, region in enumerate(found.chosen[:-1]) if not region]
    settable = reach(rules, found.line, sweep, overrides=True) if indexes else found
    for index in indexes:
        region = settable.chosen[index]
        shown = with_fewest_overrides(settable.space, region)
        override = settable.witness(shown) if region else None
        yield (
            index,
            _finding(rules, _Case(found, index, _hiders(rules, found, index), override), sweep),
        )


def _finding(rules: RuleSet, case: _Case, sweep: Sweep) -> Finding:
    elsewhere = None if case.hiders else _at_other_times(rules, case, sweep)
    if elsewhere is not None:
        return elsewhere
    if case.override is not None:
        return _by_override(case, case.override, sweep)
    because = case.hidden if case.hiders else _NEVER
    shown = case.hiders[0].witness if case.hiders else None
    return case.finding(WARNING, "dead-rule", f"can never be chosen: {because}", shown)


_NEVER = "there is no moment at which all its conditions are true"


def _hiders(rules: RuleSet, found: Reach, index: int) -> tuple[Hider, ...]:
    every = []
    for hidden in hiding(found, index):
        shown = found.witness(hidden.region)
        because = route(rules, shown.call, shown.facts).trace.steps[-1].because
        every.append(Hider(hidden.rule.name, found.line.rules.index(hidden.rule), because, shown))
    return tuple(every)


def _at_other_times(rules: RuleSet, case: _Case, sweep: Sweep) -> Finding | None:
    """Return when the rule can be chosen after the sweep, or when it could be before it."""
    while_set = _while_set(case.override) if case.override else None
    found = _in_other_years(rules, case, sweep, range(1, _YEARS + 1))
    if found is not None:
        words = f"is not chosen in these {sweep.days} days; on {_date(rules, found)} it can be"
        words += f", and {while_set}" if while_set else ""
        return case.finding(INFO, "later-rule", words, found)
    found = _in_other_years(rules, case, sweep, range(-1, -_YEARS - 1, -1))
    if found is not None:
        again = f"is chosen again only {while_set}" if while_set else "is never chosen again"
        words = f"{again}; by itself it could be on {_date(rules, found)}"
        return case.finding(WARNING, "past-rule", words, found)
    return None


def _in_other_years(
    rules: RuleSet, case: _Case, sweep: Sweep, years: Iterable[int]
) -> Witness | None:
    """Return a call in a year after (or before) the sweep that gets the rule."""
    line, index = case.found.line, case.number
    alone = structs.replace(line, rules=line.rules[index : index + 1])
    above = structs.replace(line, rules=line.rules[: index + 1])
    for year in years:
        there = sweep.other(year)
        if reach(rules, alone, there).chosen[0]:
            found = reach(rules, above, there)
            if found.chosen[index]:
                return found.witness(found.chosen[index])
    return None


def _date(rules: RuleSet, shown: Witness) -> str:
    return f"{shown.call.at.astimezone(rules.zone or dt.UTC):%Y-%m-%d}"


def _by_override(case: _Case, shown: Witness, sweep: Sweep) -> Finding:
    """Return which overrides let a rule be chosen.

    Schedules that nothing but an override ever turns are switches, made for this. That a rule
    needs the hours of another schedule to be set aside is hardly meant.
    """
    clocks = {clock.name: clock for clock in case.found.clocks if isinstance(clock, Schedule)}
    switches = all(
        len(sweep.moments([clocks[name]]).kinds) == 1
        for name in shown.facts.overrides
        if name in clocks
    )
    message = f"is chosen only {_while_set(shown)}"
    if switches or not case.hiders:
        case = case._replace(hiders=())
        return case.finding(INFO if switches else WARNING, "override-rule", message, shown)
    return case.finding(WARNING, "override-rule", f"{message}: otherwise {case.hidden}", shown)


def _while_set(shown: Witness) -> str:
    sets = " and ".join(f"{name} is set {state}" for name, state in shown.facts.overrides.items())
    return f"while {sets} by an override"
