"""`flask calls`: what happened to recent calls, from the ledger."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import click
from flask import current_app

from callflow.ledger import LedgerError
from commands.output import JSON_OPTION, print_json

if TYPE_CHECKING:
    from callflow.ledger import Attempt, CallRecord, Entry, Ledger, Story


@click.group("calls")
def calls() -> None:
    """Look at recent calls."""


def _ledger() -> Ledger:
    ledger: Ledger = current_app.extensions["callrouter"].ledger
    return ledger


@calls.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@JSON_OPTION
def list_calls(limit: int, as_json: bool) -> None:
    """List recent calls, the newest first."""
    try:
        records = _ledger().recent(limit)
    except LedgerError as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        print_json([_record(each) for each in records])
        return
    if not records:
        click.echo("no calls yet")
    for each in records:
        rule = f"{each.plan.line or 'no line'} / {each.plan.rule}" if each.plan else "not routed"
        click.echo(
            f"{_time(each.seen_at)}  {each.caller:>16} → {each.to:<16} {each.state:<10} "
            f"{rule}  {each.call_id}"
        )


@calls.command("show")
@click.argument("call_id")
@JSON_OPTION
def show(call_id: str, as_json: bool) -> None:
    """Show one call: its trace, attempts and events."""
    try:
        story = _ledger().story(call_id)
    except LedgerError as error:
        raise click.ClickException(str(error)) from None
    if story is None:
        raise click.ClickException(f"no call {call_id!r} is known")
    if as_json:
        print_json(_story(story))
    else:
        click.echo("\n".join(_lines(story)))


def _record(call: CallRecord) -> dict[str, Any]:
    plan = call.plan
    return {
        "callId": call.call_id,
        "from": call.caller,
        "to": call.to,
        "seenAt": _time(call.seen_at),
        "state": call.state,
        "line": plan.line if plan else None,
        "rule": plan.rule if plan else None,
        "action": plan.action if plan else None,
        "rulesHash": plan.rules_digest if plan else None,
        "endedAt": _time(call.ended_at),
        "endedBy": call.ended_by,
    }


def _story(story: Story) -> dict[str, Any]:
    plan = story.call.plan
    return {
        **_record(story.call),
        "trace": list(plan.route["trace"]) if plan else [],
        "attempts": [_attempt(each) for each in story.attempts],
        "events": [_entry(each) for each in story.journal],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "destination": attempt.destination,
        "transferTo": attempt.transfer_to,
        "stage": attempt.stage,
        "diversionReason": attempt.reason,
        "request": dict(attempt.request),
        "startedAt": _time(attempt.started_at),
        "state": attempt.state,
        "legId": attempt.leg_id,
        "outcome": attempt.outcome,
        "cause": attempt.cause,
        "endedAt": _time(attempt.ended_at),
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {"at": _time(entry.at), "kind": entry.kind, "times": entry.times, **entry.data}


def _lines(story: Story) -> list[str]:
    call = story.call
    lines = [f"{call.call_id}: {call.caller} called {call.to}, {_time(call.seen_at)}: {call.state}"]
    if call.plan:
        lines.append(f"line {call.plan.line}, rule {call.plan.rule!r}: {call.plan.action}")
        lines += [
            f"  {'✓' if step['held'] else '✗'} {step['rule']}  {step['because']}"
            for step in call.plan.route["trace"]
        ]
    for number, each in enumerate(story.attempts, 1):
        ended = f", {each.outcome or 'ended'} ({each.cause})" if each.ended_at else ""
        lines.append(
            f"attempt {number}: {each.destination} ({each.transfer_to}), {each.reason}, "
            f"leg {each.leg_id or 'unknown'}: {each.state}{ended}"
        )
        lines.append(f"  {json.dumps(each.request, ensure_ascii=False)}")
    for entry in story.journal:
        again = f" (x{entry.times})" if entry.times > 1 else ""
        lines.append(f"{_time(entry.at)}  {entry.kind}{again}  {_short(entry)}")
    return lines


def _short(entry: Entry) -> str:
    event = entry.data.get("event")
    if not isinstance(event, dict):
        return json.dumps(entry.data, ensure_ascii=False)
    leg = f"{entry.data['leg']}: " if "leg" in entry.data else ""
    cause = f" {event['cause']}" if event.get("cause") else ""
    return f"{leg}{event.get('eventType')}{cause}"


def _time(moment: float | None) -> str | None:
    if moment is None:
        return None
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="milliseconds")
