"""Rules files with seeded faults, small ones at random, and a judge that tries every call."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from typing import TYPE_CHECKING

from routing.callers import is_withheld
from routing.conditions import Call, Facts
from routing.router import route
from routing.words import PRESENCE_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routing.rules import RuleSet

START = dt.datetime(2026, 11, 23, 12, 0, tzinfo=dt.UTC)  # a Monday, 07:00 in New York
HEAD = """\
version: 1
timezone: America/New_York
transfer: {diversionTreatment: stack, ring: 10s}
destinations:
  desk: {transferTo: +19195550101, capacity: 2}
  ana: {transferTo: +19195550102, capacity: 1, person: ana}
  bo: {transferTo: +19195550103, person: bo}
  answering: +18005550199
callers:
  vip: [+14155550123, +1212*]
  ny: [+1212*]
  block: [+12125550*]
  spam: [+1900*, anonymous]
  sip: ["sip:*@pbx.example.com"]
calendars:
  us: {country: US}
  thanksgiving: FREQ=YEARLY;BYMONTH=11;BYDAY=4TH
schedules:
  office: {hours: {mon-fri: 09:00-17:00}, except: [{dates: us, hours: closed}]}
  night: {hours: {mon-sun: 17:00-09:00}}
  late: {hours: {mon-fri: 17:01-09:00, sat-sun: 00:00-24:00}}
  weekend: {hours: {sat-sun: 00:00-24:00}}
  lunch: {hours: {mon-fri: 12:00-13:00}}
  pause: {like: office, hours: {mon-fri: 12:00-13:00}}
  minute: {hours: closed, except: [{dates: 2027-03-09, hours: 11:59-12:00}]}
  leap: {hours: closed, except: [{dates: 02-29, hours: open}]}
  last-year: {hours: closed, except: [{dates: 2025-12-24..2025-12-31, hours: open}]}
  in-years: {hours: closed, except: [{dates: 2030-05-01, hours: open}]}
  spring-gap: {hours: {sun: 02:00-03:00}, timezone: America/New_York}
  always: {hours: open}
  switch: {hours: closed}
"""
"""Everything that rules of a case may name; what they do not use is only warned of."""
TAIL = "emergency: {transferTo: answering}\n"


def case(rules: str, otherwise: str = "{transferTo: answering}", more: str = "") -> str:
    """A file with one line `main` that has these rules, one to a line."""
    listed = "".join(f"      - {{{each.strip()}}}\n" for each in rules.strip().split("\n"))
    body = f"lines:\n  main:\n    numbers: [+19195551000]\n    rules:\n{listed}"
    return HEAD + body + f"    otherwise: {otherwise}\n" + more + TAIL


ADDRESSES = [
    *("+12025550100", "+14155550123", "+12125550101", "+12126660000", "+19005550100"),
    *("anonymous", "sip:x@pbx.example.com", "sip:anonymous@pbx.example.com", "sip:x@elsewhere.org"),
]


WITHHELD = ("+12025550100", "+14155550123", "+12125550101", "+12126660000")
CALLERS = [*((each, is_withheld(each)) for each in ADDRESSES), *((each, True) for each in WITHHELD)]
"""Addresses, and whether they are withheld: some withhold a number that the platform tells."""
_LISTS = ("vip", "ny", "block", "spam", "sip")


def every_call(
    rules: RuleSet, instants: list[dt.datetime], reasons: tuple[str | None, ...] = (None,)
) -> Iterator[tuple[Call, Facts]]:
    """Every call at these instants: all callers, all presence, all busy states, some reasons."""
    limited, persons = list(rules.limited), sorted(rules.persons)
    everything = itertools.product(
        CALLERS,
        reasons,
        itertools.product((False, True), repeat=len(limited)),
        itertools.product(PRESENCE_STATES, repeat=len(persons)),
    )
    for (caller, withheld), reason, full, states in everything:
        busy = frozenset(itertools.compress(limited, full))
        facts = Facts(busy, dict(zip(persons, states, strict=True)))
        for at in instants:
            yield Call("+19195551000", caller, at, withheld, reason), facts


def reached(
    rules: RuleSet, instants: list[dt.datetime], reasons: tuple[str | None, ...] = (None,)
) -> set[str]:
    """The rules that any of those calls gets."""
    return {route(rules, call, facts).rule for call, facts in every_call(rules, instants, reasons)}


def every_kind(rules: RuleSet) -> list[dt.datetime]:
    """One instant of each hour and edge of a week with a holiday: independent of the sweep."""
    first = dt.datetime(2026, 11, 23, 5, tzinfo=dt.UTC)
    hours = [first + dt.timedelta(minutes=30 * n) for n in range(7 * 48)]
    states: dict[object, dt.datetime] = {}
    for at in hours:
        weekday = at.astimezone(rules.zone).weekday()
        key = weekday, *(each.judge(at, {}).open for each in rules.schedules.values())
        states.setdefault(key, at)
    return list(states.values())


def random_rules(seed: int, count: int) -> str:
    """A file of rules put together at random from few schedules, lists, persons and busy states."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    rules = "\n".join(_random_rule(chance, number) for number in range(count))
    return case(rules)


def _random_rule(chance: random.Random, number: int) -> str:
    to = chance.choice(["desk", "ana", "bo", "answering", "[ana, bo]"])
    when = ", ".join(random_conditions(chance))
    return f"name: r{number}, " + (f"when: {{{when}}}, " if when else "") + f"transferTo: {to}"


def random_conditions(chance: random.Random) -> list[str]:
    makers = {
        "time": lambda: (
            f"{chance.choice(('during', 'outside'))}: {_some(chance, ('office', 'pause', 'night'))}"
        ),
        "weekday": lambda: f"weekday: {_some(chance, ('mon', 'tue-thu', 'sat-sun'))}",
        "caller": lambda: f"{chance.choice(('from', 'notFrom'))}: {_some(chance, _LISTS)}",
        "busy": lambda: f"busy: {_some(chance, ('desk', 'ana'))}",
        "presence": lambda: (
            f"presence: {{{chance.choice(('ana', 'bo'))}: {_some(chance, PRESENCE_STATES)}}}"
        ),
        "diverted": lambda: f"diverted: {_some(chance, ('any', 'no-answer', 'away'))}",
    }
    chosen = chance.sample(list(makers), chance.choice((0, 1, 1, 1, 2, 2, 3)))
    found = [makers[each]() for each in chosen]
    if chance.random() < 0.3 and found:
        inner = found.pop()
        found.append(f"not: {{{inner}}}")
    return found


def _some(chance: random.Random, names: tuple[str, ...]) -> str:
    picked = chance.sample(names, chance.choice((1, 1, 1, 2)))
    return picked[0] if len(picked) == 1 else f"[{', '.join(picked)}]"
