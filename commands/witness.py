"""A call that shows what is claimed, as a command line that shows it again, and as JSON."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from routing.callers import is_withheld
from routing.proof.coverage import wall_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.proof.worlds import Witness
    from routing.rules import RuleSet


def command(rules: RuleSet, shown: Witness, file: str | None) -> str:
    """Return the `flask rules explain` that routes the call of a witness."""
    call, facts = shown.call, shown.facts
    words = ["flask", "rules", "explain", "--to", _called(rules, call.to)]
    words += ["--at", wall_time(rules, call.at)]
    if call.caller != rules.default_caller:
        words += ["--from", call.caller]
    if call.anonymous and not is_withheld(call.caller):
        words.append("--anonymous")
    if call.diverted is not None:
        words += ["--diverted", call.diverted]
    for name in sorted(facts.busy):
        words += ["--busy", name]
    words += _pairs("--presence", facts.presence) + _pairs("--override", facts.overrides)
    for outcome in shown.outcomes:
        words += ["--outcome", outcome]
    return shlex.join([*words, *(("--rules", file) if file else ())])


def as_data(rules: RuleSet, shown: Witness, file: str | None) -> dict[str, Any]:
    """Return a witness as JSON data."""
    call, facts = shown.call, shown.facts
    return {
        "at": call.at.isoformat(),
        "to": call.to,
        "from": call.caller,
        "anonymous": call.anonymous,
        "diverted": call.diverted,
        "busy": sorted(facts.busy),
        "presence": dict(facts.presence),
        "overrides": dict(facts.overrides),
        "outcomes": list(shown.outcomes),
        "explain": command(rules, shown, file),
    }


def _called(rules: RuleSet, number: str) -> str:
    """Return a line's name for its first number, and any other number itself."""
    line = rules.line_by_number.get(number)
    return line.name if line and line.numbers[0] == number else number


def _pairs(option: str, states: Mapping[str, str]) -> list[str]:
    return [word for name, state in states.items() for word in (option, f"{name}={state}")]
