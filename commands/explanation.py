"""The route of a call in words and as JSON, from the trace that routing itself returned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from msgspec import structs

from routing.route import ring_of
from routing.rules import AnnounceAction

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from routing.conditions import Call
    from routing.route import Attempt
    from routing.router import Walk


def as_data(walked: Walk) -> dict[str, Any]:
    """Return what `flask rules explain --json` prints."""
    data: dict[str, Any] = {
        "line": walked.route.line,
        "rule": walked.route.rule,
        "action": walked.route.action,
        "attempts": [_attempt(each) for each in walked.attempts],
        "trace": [
            {"rule": step.rule, "held": step.held, "because": step.because}
            for step in walked.route.trace.steps
        ],
    }
    if walked.route.turns:
        data["turns"] = [structs.asdict(each) for each in walked.route.turns]
    skipped = [
        {"destination": skip.destination, "because": skip.because} for skip in walked.skipped
    ]
    if skipped:
        data["skipped"] = skipped
    ending = _ending(walked)
    return {**data, "ending": ending} if ending else data


def _attempt(attempt: Attempt) -> dict[str, Any]:
    data: dict[str, Any] = {
        "destinations": [each.label for each in attempt.destinations],
        "transferTo": [each.transfer_to for each in attempt.destinations],
        "ring": attempt.ring,
        "diversionReason": attempt.diversion_reason,
    }
    requests = _bodies(attempt)
    return data | ({"request": requests[0]} if len(requests) == 1 else {"requests": requests})


def _ending(walked: Walk) -> dict[str, Any] | None:
    ending = walked.last.ending
    if ending is None:
        return None
    if isinstance(ending, AnnounceAction):
        audio = walked.route.say(ending.audio, walked.last.progress.reason)
        return {"action": "announce", "announce": audio.body()}
    return {"action": "reject"}


def as_lines(
    call: Call, walked: Walk, outcomes: Sequence[str], zone: dt.tzinfo | None, file: Path
) -> list[str]:
    """Return the route for people to read; the first attempts end with `outcomes`."""
    chosen = walked.route
    line = f"line {chosen.line}" if chosen.line else "no line"
    at = call.at.astimezone(zone) if zone else call.at
    lines = [f"{call.caller} calls {call.to} ({line}) at {at:%a %Y-%m-%d %H:%M %Z}, by {file}", ""]
    width = max(len(step.rule) for step in chosen.trace.steps)
    lines += [
        f"  {'✓' if step.held else '✗'} {step.rule:<{width}}  {step.because}"
        for step in chosen.trace.steps
    ]
    lines += ["", f"rule {chosen.rule!r}: {chosen.action}"]
    lines += [f"  {each.rotation}: {each.member}, {each.because}" for each in chosen.turns]
    lines += [f"  not dialed: {skip.destination}, {skip.because}" for skip in walked.skipped]
    for number, attempt in enumerate(walked.attempts, 1):
        end = outcomes[number - 1] if number <= len(outcomes) else "answers"
        lines += [f"  {number}. {_ringing(attempt)}: {end}", *_requests(attempt)]
    ending = _ending(walked)
    if ending:
        lines.append(f"  then {json.dumps(ending.get('announce', ending), ensure_ascii=False)}")
    return lines


def _ringing(attempt: Attempt) -> str:
    names = " and ".join(
        f"{each.label} ({each.transfer_to}, {ring_of(each)} s)" for each in attempt.destinations
    )
    return f"{attempt.stage}: ring {names}, {attempt.diversion_reason}"


def _requests(attempt: Attempt) -> list[str]:
    return [f"     {json.dumps(body, ensure_ascii=False)}" for body in _bodies(attempt)]


def _bodies(attempt: Attempt) -> list[dict[str, Any]]:
    """Return the body of each request: a transfer, or calls where several ring together."""
    if len(attempt.destinations) == 1:
        return [attempt.transfer(attempt.destinations[0]).body()]
    return [attempt.creation(each) for each in attempt.destinations]
