"""`flask override` and `flask presence`: what operators set while the service runs.

Kept in the ledger, so every process sees it within a second.
"""

from __future__ import annotations

import datetime as dt
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import click

from callflow.ledger import OVERRIDE, PRESENCE, LedgerError, Setting
from commands.moments import FORMS, later
from commands.output import (
    JSON_OPTION,
    Failure,
    WrongUsage,
    good_rules,
    known,
    overridden,
    print_json,
    read_rules,
    rules_path,
    say,
    service_ledger,
)
from routing.problems import RulesError, Wrong, did_you_mean
from routing.words import PRESENCE_STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from zoneinfo import ZoneInfo

    from callflow.ledger import Ledger
    from routing.rules import RuleSet

_NAMED_FROM_NOW = ("today", "tomorrow")
"""Words for days that are meant as seen from now, wherever they stand."""


@click.group("override")
def override() -> None:
    """Set a schedule open or closed for a while, or whose turn it is in a rotation."""


@override.command("set")
@click.argument("name")
@click.argument("state", metavar="open|closed|MEMBER")
@click.option("--from", "begin", metavar="TIME", help="When it begins, if not at once.")
@click.option("--until", required=True, metavar="TIME", help=f"{FORMS}.")
@JSON_OPTION
def set_override(name: str, state: str, begin: str | None, until: str, as_json: bool) -> None:
    """Set the schedule NAME open or closed, or the rotation NAME to a member, until TIME.

    Set at once, it takes the place of what is in force for NAME. With --from it stands beside
    that, and counts from its beginning to its end.
    """
    rules = _Rules.good(as_json=as_json)
    rules.refuse_unknown(rules.overridden, name, rules.states)
    rules.refuse_state(name, state)
    zone = rules.zone_of(name)
    now = dt.datetime.now(dt.UTC)
    start = _later("--from", begin, now, zone) if begin else None
    end, since = _end(until, start, now, zone), start.timestamp() if start else None
    setting = Setting(name, state, end, since)
    with _ledger() as ledger:
        before = _replaced(ledger, setting, now.timestamp())
        ledger.set(OVERRIDE, setting, now.timestamp())
    if as_json:
        print_json(rules.override_data(setting))
        return
    say(_words(setting, zone))
    for each in before:
        say(f"in place of: {_words(each, zone)}")
    for other in rules.following(name):
        say(f"{other}, which is like {name}, follows while nothing is set for it")


@override.command("list")
@JSON_OPTION
def list_overrides(as_json: bool) -> None:
    """List the overrides in force and those that begin later."""
    rules = _Rules.any()
    with _ledger() as ledger:
        found = ledger.standing(OVERRIDE, time.time())
    if as_json:
        print_json([rules.override_data(each) for each in found])
        return
    for each in found:
        say(_words(each, rules.zone_of(each.name)) + rules.effect(each))
    if not found:
        say("nothing is set")


@override.command("clear")
@click.argument("name")
@click.option("--from", "begin", metavar="TIME", help="Only the one that begins then.")
@click.option("--current", is_flag=True, help="Only what is in force now, not what begins later.")
@JSON_OPTION
def clear_override(name: str, begin: str | None, current: bool, as_json: bool) -> None:
    """Take the overrides of NAME back, those that begin later too: the rules file decides again."""
    rules = _Rules.any()
    now = dt.datetime.now(dt.UTC)
    only = _later("--from", begin, now, rules.zone_of(name)).timestamp() if begin else None
    with _ledger() as ledger:
        standing = [
            each for each in ledger.standing(OVERRIDE, now.timestamp()) if each.name == name
        ]
        gone = [
            each
            for each in standing
            if (only is None or each.since == only)
            and (not current or each.has_begun(now.timestamp()))
        ]
        if gone:
            ledger.clear(OVERRIDE, name, *(each.since for each in gone))
    if not gone:
        rules.refuse_unknown(rules.overridden, name, rules.states)
        raise Failure(f"no {_which(begin, current=current)} is set for {name!r}")
    if as_json:
        data = rules.override_data(Setting(name, "", None))
        print_json(data | {"state": None})
        return
    for each in standing:
        verb = "taken back" if each in gone else "left"
        if len(standing) > 1:
            say(f"{verb}: {_words(each, rules.zone_of(name))}")
    if len(gone) == len(standing):
        say(f"{name} follows the rules file again")


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
    rules = _Rules.good(as_json=as_json)
    rules.refuse_unknown("person", person, rules.persons)
    now = dt.datetime.now(dt.UTC)
    setting = Setting(person, state, _end(until, None, now, rules.zone) if until else None)
    with _ledger() as ledger:
        ledger.set(PRESENCE, setting, now.timestamp())
    if as_json:
        print_json(_person_data(setting))
        return
    say(_words(setting, rules.zone))


@presence.command("list")
@JSON_OPTION
def list_presence(as_json: bool) -> None:
    """List everybody's presence that was set; who is not listed is available."""
    rules = _Rules.any()
    with _ledger() as ledger:
        found = ledger.settings(PRESENCE, time.time())
    if as_json:
        print_json([_person_data(each) for each in found])
        return
    for each in found:
        say(_words(each, rules.zone))
    if not found:
        say("nothing is set")


@presence.command("clear")
@click.argument("person")
@JSON_OPTION
def clear_presence(person: str, as_json: bool) -> None:
    """Take the presence of PERSON back: who has none is available."""
    rules = _Rules.any()
    with _ledger() as ledger:
        cleared = ledger.clear(PRESENCE, person)
    if not cleared:
        rules.refuse_unknown("person", person, rules.persons)
        raise Failure(f"no presence is set for {person!r}")
    if as_json:
        print_json({"person": person, "state": None, "until": None})
        return
    say(f"{person} is available again")


class _Rules(NamedTuple):
    """The rules file, for the names and the zones of what is set; None where it is not good."""

    path: Path
    found: RuleSet | None

    @classmethod
    def good(cls, *, as_json: bool) -> _Rules:
        """Return good rules, or say what is wrong with them and exit."""
        path = rules_path(None)
        return cls(path, good_rules(path, as_json=as_json))

    @classmethod
    def any(cls) -> _Rules:
        """Return the rules, for what can be shown and taken back without them too."""
        path = rules_path(None)
        try:
            return cls(path, read_rules(path))
        except (RulesError, WrongUsage):
            return cls(path, None)

    @property
    def zone(self) -> ZoneInfo | None:
        return self.found.zone if self.found else None

    @property
    def persons(self) -> list[str]:
        return sorted(self.found.persons) if self.found else []

    @property
    def states(self) -> dict[str, tuple[str, ...]]:
        """What each schedule and rotation may be set to."""
        return self.found.settable if self.found else {}

    @property
    def overridden(self) -> str:
        """What overrides are set for, in a word."""
        return overridden(self.found) if self.found else ""

    def zone_of(self, name: str) -> ZoneInfo | None:
        """Return the zone in which the times of a schedule or rotation are meant."""
        return self.found.zone_of(name) if self.found else None

    def refuse_unknown(self, what: str, name: str, names: Iterable[str]) -> None:
        """Refuse a name that the file does not have, as wrong usage."""
        if self.found:
            known(what, name, names)

    def refuse_state(self, name: str, state: str) -> None:
        """Refuse what a schedule or rotation cannot be set to, as wrong usage."""
        states = self.states[name]
        if state in states:
            return
        hint = did_you_mean(state, states)
        if self._is_rotation(name):
            hint = hint or f"; its members are {', '.join(states)}"
            raise WrongUsage(f"{state!r} is no member of the rotation {name!r}{hint}")
        raise WrongUsage(f"a schedule is set open or closed, not {state!r}{hint}")

    def override_data(self, setting: Setting) -> dict[str, str | None]:
        """Return an override as JSON data."""
        what = "rotation" if self._is_rotation(setting.name) else "schedule"
        data = {what: setting.name, "state": setting.value}
        return data | {"from": _utc(setting.since), "until": _utc(setting.until)}

    def following(self, name: str) -> list[str]:
        """Return the schedules for which an override of a schedule counts, too."""
        schedules = self.found.schedules.values() if self.found else ()
        return [each.name for each in schedules if name in each.like]

    def effect(self, setting: Setting) -> str:
        """Return words for an override that the rules do not know any more, else nothing."""
        if self.found is None or setting.value in self.states.get(setting.name, ()):
            return ""
        if setting.name not in self.states:
            return f" (no effect: {self.path} has no {self.overridden} of that name)"
        return f" (no effect: {setting.name} cannot be set to {setting.value} in {self.path})"

    def _is_rotation(self, name: str) -> bool:
        return self.found is not None and name in self.found.rotations


def _replaced(ledger: Ledger, setting: Setting, now: float) -> list[Setting]:
    """Return what is in force and has to make room for a setting."""
    standing = [each for each in ledger.standing(OVERRIDE, now) if each.name == setting.name]
    if setting.since is None:
        return [each for each in standing if each.has_begun(now)]
    return [each for each in standing if each.since == setting.since]


def _which(begin: str | None, *, current: bool) -> str:
    if begin:
        return f"override that begins {begin}"
    return "override in force" if current else "override"


def _person_data(setting: Setting) -> dict[str, str | None]:
    return {"person": setting.name, "state": setting.value, "until": _utc(setting.until)}


@contextmanager
def _ledger() -> Iterator[Ledger]:
    try:
        yield service_ledger()
    except LedgerError as error:
        raise Failure(str(error)) from None


def _later(option: str, text: str, now: dt.datetime, zone: ZoneInfo | None) -> dt.datetime:
    try:
        return later(text, now, zone)
    except Wrong as wrong:
        raise WrongUsage(f"{option}: {wrong}") from None


def _end(until: str, start: dt.datetime | None, now: dt.datetime, zone: ZoneInfo | None) -> float:
    """Return the end of a setting, as seen from its beginning: `18:00` is the next one then."""
    seen_from = now if until.strip().startswith(_NAMED_FROM_NOW) else start or now
    try:
        end = later(until, seen_from, zone)
    except Wrong as wrong:
        if wrong.code != "past-time" or start is None:
            raise WrongUsage(f"--until: {wrong}") from None
        end = start
    if start is not None and end <= start:
        raise WrongUsage(f"--until: {until} is not after {_shown(start.timestamp(), zone)}")
    return end.timestamp()


def _words(setting: Setting, zone: ZoneInfo | None) -> str:
    """Return a setting as it is told when it is set and when it is listed."""
    begin = f" from {_shown(setting.since, zone)}" if setting.since is not None else ""
    end = f" until {_shown(setting.until, zone)}" if setting.until is not None else ""
    return f"{setting.name} is {setting.value}{begin}{end}"


def _shown(moment: float, zone: ZoneInfo | None) -> str:
    return f"{dt.datetime.fromtimestamp(moment, zone or dt.UTC):%a %Y-%m-%d %H:%M %Z}"


def _utc(moment: float | None) -> str | None:
    if moment is None:
        return None
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat(timespec="seconds")
