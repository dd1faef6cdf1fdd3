"""`flask calls`: what happened to recent calls, from the ledger."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import click
from flask import current_app

from callflow.ledger import LedgerError
from commands.output import JSON_OPTION, Failure, print_json, say, service_ledger

if TYPE_CHECKING:
    from callflow.record import Entry, Leg, Record


@click.group("calls")
def calls() -> None:
    """Look at recent calls."""


@calls.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@JSON_OPTION
def list_calls(limit: int, as_json: bool) -> None:
    """List recent calls, the newest first, and the destinations that are busy."""
    try:
        records = service_ledger().recent(limit)
        busy = [] if as_json else _busy()
    except LedgerError as error:
        raise Failure(str(error)) from None
    if as_json:
        print_json([_record(each) for each in records])
        return
    if not records:
        say("no calls yet")
    for each in records:
        rule = f"{each.line or 'no line'} / {each.rule}" if each.rule else "not routed"
        say(
            f"{_time(each.seen_at)}  {each.caller:>16} → {each.to:<16} {each.state:<10} "
            f"{', '.join(_destinations(each)) or '-':<12} {rule}  {each.call_id}"
        )
    for line in busy:
        say(line)


@calls.command("show")
@click.argument("call_id")
@JSON_OPTION
def show(call_id: str, as_json: bool) -> None:
    """Show one call: its trace, attempts and events."""
    try:
        record = service_ledger().load(call_id)
        journal = service_ledger().journal(call_id)
    except LedgerError as error:
        raise Failure(str(error)) from None
    if record is None:
        raise Failure(f"no call {call_id!r} is known")
    if as_json:
        print_json(_story(record, journal))
    else:
        for line in _lines(record, journal):
            say(line)


def _destinations(call: Record) -> list[str]:
    """Return which destinations have a line in use for a call; of one without, those rung last."""
    legs = [leg for leg in call.legs if leg.is_open] or call.current
    return list(dict.fromkeys(leg.destination for leg in legs))


def _busy() -> list[str]:
    """Return a line for each destination that has no line free, with the calls that have them.

    The capacities are those of the rules file; without good rules nothing is known of them.
    """
    book = current_app.extensions["callrouter"].rulebook
    book.read()
    limits = book.in_force.limited if book.in_force else {}
    ledger = service_ledger()
    in_use = ledger.in_progress() if limits else {}
    return [
        f"{name} is busy ({in_use[name]} of {most}: {', '.join(sorted(ledger.calls_to(name)))})"
        for name, most in limits.items()
        if in_use.get(name, 0) >= most
    ]


def _record(call: Record) -> dict[str, Any]:
    return {
        "callId": call.call_id,
        "from": call.caller,
        "to": call.to,
        "seenAt": _time(call.seen_at),
        "state": call.state,
        "line": call.line,
        "rule": call.rule,
        "action": call.action,
        "destinations": _destinations(call),
        "rulesHash": call.rules_digest,
        "endedAt": _time(call.ended_at),
        "endedBy": call.ended_by,
    }


def _story(call: Record, journal: list[Entry]) -> dict[str, Any]:
    return {
        **_record(call),
        "diversion": _diversion(call),
        "trace": call.plan["trace"] if call.plan else [],
        **({"turns": call.plan["turns"]} if call.plan and "turns" in call.plan else {}),
        "attempts": [_attempt(each) for each in call.legs],
        "events": [{"at": _time(each.at), "kind": each.kind, **each.data} for each in journal],
    }


def _diversion(call: Record) -> dict[str, Any] | None:
    if call.diverted is None:
        return None
    return {"reason": call.diverted, "counter": call.counter, "limit": call.limit}


def _attempt(leg: Leg) -> dict[str, Any]:
    return {
        "attempt": leg.round,
        "destination": leg.destination,
        "transferTo": leg.transfer_to,
        "stage": leg.stage,
        "diversionReason": leg.reason,
        "request": leg.request,
        "startedAt": _time(leg.started_at),
        "state": leg.state,
        "legId": leg.leg_id,
        "outcome": leg.outcome,
        "cause": leg.cause,
        "answeredAt": _time(leg.answered_at),
        "endedAt": _time(leg.ended_at),
    }


def _lines(call: Record, journal: list[Entry]) -> list[str]:
    lines = [f"{call.call_id}: {call.caller} called {call.to}, {_time(call.seen_at)}: {call.state}"]
    if call.diverted is not None:
        counter = "" if call.counter is None else f", counter {call.counter}"
        limit = "" if call.limit is None else f", limit {call.limit}"
        lines.append(f"diverted to us: {call.diverted}{counter}{limit}")
    if call.plan:
        lines.append(f"line {call.line}, rule {call.rule!r}: {call.action}")
        lines += [
            f"  {'✓' if step['held'] else '✗'} {step['rule']}  {step['because']}"
            for step in call.plan["trace"]
        ]
        lines += [
            f"  {turn['rotation']}: {turn['member']}, {turn['because']}"
            for turn in call.plan.get("turns", ())
        ]
    for leg in call.legs:
        ended = f", {leg.outcome or 'ended'} ({leg.cause})" if leg.ended_at else ""
        lines.append(
            f"attempt {leg.round}: {leg.destination} ({leg.transfer_to}), {leg.reason}, "
            f"leg {leg.leg_id or 'unknown'}: {leg.state}{ended}"
        )
        lines.append(f"  {json.dumps(leg.request, ensure_ascii=False)}")
    return lines + [f"{_time(each.at)}  {each.kind}  {_short(each)}" for each in journal]


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
