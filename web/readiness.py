"""What /readyz says of background loops, of the platform, and of the account's numbers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from web import metrics

if TYPE_CHECKING:
    from callflow.account import Account, Numbers
    from callflow.background import Loops
    from routing.rules import RuleSet

_MOST_NUMBERS = 100
"""Numbers of one kind that are listed."""


def loops_of(loops: Loops) -> dict[str, dict[str, Any]]:
    """Return how the loops of this worker do; one is alive if it is in every worker."""
    dead = metrics.dead_loops()
    return {
        name: {
            "alive": state.alive and name not in dead,
            "secondsAgo": round(state.seconds_ago, 1),
            "lastError": state.error,
        }
        for name, state in loops.state().items()
    }


def platform_of(account: Account) -> tuple[dict[str, Any], bool]:
    """Return what the platform said last of the account, and whether it takes our requests."""
    verdict = account.verdict()
    return {"lastError": verdict.error, "at": utc(verdict.at)}, not verdict.is_refusal


def numbers_of(found: Numbers | None, *, whole: bool) -> dict[str, Any] | None:
    """Return how many numbers there are of each kind, and which if the viewer may see them."""
    if found is None:
        return None
    kinds = {
        "onALine": found.on_a_line,
        "onNoLine": found.on_no_line,
        "notOfTheAccount": found.not_of_the_account,
    }
    counts: dict[str, Any] = {kind: len(numbers) for kind, numbers in kinds.items()}
    if whole:
        counts["which"] = {kind: numbers[:_MOST_NUMBERS] for kind, numbers in kinds.items()}
    return counts


def warnings_of(found: Numbers | None, rules: RuleSet | None) -> list[str]:
    """Return what keeps calls from arriving, or from reaching their line, though all is ready."""
    if found is None or rules is None or found.on_a_line:
        return []
    if not found.on_no_line:
        return ["the account has no phone number: no call can arrive"]
    return ["no number of the account is on any line: every call goes to `emergency`"]


def utc(moment: float | None) -> str | None:
    """Return a moment in UTC."""
    if moment is None:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
