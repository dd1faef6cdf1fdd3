"""`flask override` and `flask presence`: what operators set while the service runs.

Kept in the ledger, so every process sees it within a second.
"""

from __future__ import annotations

import datetime as dt
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from callflow.ledger import OVERRIDE, PRESENCE, LedgerError, Setting
from commands.moments import FORMS, later
from commands.output import (
    JSON_OPTION,
    Failure,
    WrongUsage,
    good_rules,
    known,
    print_json,
    rules_path,
    say,
    service_ledger,
)
from routing.problems import Wrong
from routing.words import OVERRIDES, PRESENCE_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from callflow.ledger import Ledger


@click.group("override")
def override() -> None:
    """Set a schedule open or closed for a while, whatever the rules file says."""


@override.command("set")
@click.argument("schedule")
@click.argument("state", type=click.Choice(OVERRIDES))
@click.option("--until", required=True, metavar="TIME", help=f"{FORMS}.")
@JSON_OPTION
def set_override(schedule: str, state: str, until: str, as_json: bool) -> None:
    """Set SCHEDULE open or closed until TIME."""
    rules = good_rules(rules_path(None), as_json=as_json)
    name = known("schedule", schedule, rules.schedules)
    end = _end(until, rules.schedules[name].zone)
    setting = Setting(name, state, end)
    with _ledger() as ledger:
        ledger.set(OVERRIDE, setting)
    if as_json:
        print_json(_as_data("schedule", setting))
        return
    say(f"{name} is {state} until {_shown(end, rules.schedules[name].zone)}")


@override.command("list")
@JSON_OPTION
def list_overrides(as_json: bool) -> None:
    """List the overrides in force."""
    _list(OVERRIDE, "schedule", as_json)


@override.command("clear")
@click.argument("schedule")
@JSON_OPTION
def clear_override(schedule: str, as_json: bool) -> None:
    """Take the override of SCHEDULE back: the rules file decides again."""
    with _ledger() as ledger:
        cleared = ledger.clear(OVERRIDE, schedule)
    if not cleared:
        raise Failure(f"no override is set for {schedule!r}")
    if as_json:
        print_json({"schedule": schedule, "state": None, "until": None})
        return
    say(f"{schedule} follows the rules file again")


@click.group("presence")
def presence() -> None:
    """Say whether people take calls."""


@presence.command("set")
@click.argument("person")
@click.argument("state", type=click.Choice(PRESENCE_STATES))
@click.option("--until", metavar="TIME", help=f"{FORMS}.")
@JSON_OPTION
def set_presence(person: str, state: str, until: str | None, as_json: bool) -> None:
    """Set the presence of PERSON, until TIME if given."""
    rules = good_rules(rules_path(None), as_json=as_json)
    name = known("person", person, rules.persons)
    end = _end(until, rules.zone) if until else None
    setting = Setting(name, state, end)
    with _ledger() as ledger:
        ledger.set(PRESENCE, setting)
    if as_json:
        print_json(_as_data("person", setting))
        return
    shown = f" until {_shown(end, rules.zone)}" if end else ""
    say(f"{name} is {state}{shown}")


@presence.command("list")
@JSON_OPTION
def list_presence(as_json: bool) -> None:
    """List everybody's presence that was set; who is not listed is available."""
    _list(PRESENCE, "person", as_json)


def _list(kind: str, what: str, as_json: bool) -> None:
    with _ledger() as ledger:
        found = ledger.settings(kind, time.time())
    if as_json:
        print_json([_as_data(what, each) for each in found])
        return
    for each in found:
        say(f"{each.name}: {each.value}" + (f" until {_utc(each.until)}" * bool(each.until)))
    if not found:
        say("nothing is set")


def _as_data(what: str, setting: Setting) -> dict[str, str | None]:
    return {what: setting.name, "state": setting.value, "until": _utc(setting.until)}


@contextmanager
def _ledger() -> Iterator[Ledger]:
    try:
        yield service_ledger()
    except LedgerError as error:
        raise Failure(str(error)) from None


def _end(until: str, zone: ZoneInfo | None) -> float:
    try:
        return later(until, dt.datetime.now(dt.UTC), zone).timestamp()
    except Wrong as wrong:
        raise WrongUsage(f"--until: {wrong}") from None


def _shown(end: float, zone: ZoneInfo | None) -> str:
    return f"{dt.datetime.fromtimestamp(end, zone or dt.UTC):%a %Y-%m-%d %H:%M %Z}"


def _utc(moment: float | None) -> str | None:
    if moment is None:
        return None
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="seconds")
