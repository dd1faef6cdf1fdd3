"""The house that the calls are for: its rules, its people, and what each of its lines may do.

`LINES` says in the accountant's words what `rules` says in the language of the service.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import count
from typing import Any

HUMAN = "+19195559999"
"""The fallback number: who is called when the service takes a call at neither URL."""
RESCUE = "+19195558000"
"""The destination of `emergency`."""
PLACES = 2
"""How many calls the destination of the line `limited` takes at once."""
_numbers = (f"+1919555{number}" for number in count(7001))
ANSWERS: dict[str, Any] = {"does": "answer", "after": 0.2, "talk": 0.7}
PEOPLE: dict[str, dict[str, Any]] = {}
"""Number -> what the person there does."""


def _person(does: str = "answer", after: float | None = None, talk: float | None = 0.7) -> str:
    number = next(_numbers)
    PEOPLE[number] = {"does": does, "after": after, "talk": talk}
    if after is None and does != "no-answer":
        PEOPLE[number]["after"] = 0.2
    return number


@dataclass(frozen=True)
class Line:
    """A called number: how the rules may end a call to it, and whom they may ring for it.

    `route` has the steps; those of one step ring together. `leaves` is how many seconds after
    dialing each caller leaves, from and to, None if most do not.
    """

    name: str
    number: str
    route: tuple[tuple[str, ...], ...]
    ends: str = "reached"
    leaves: tuple[float, float] | None = None
    weight: int = 1


_TALKER, _TALKER_TOO = _person(), _person()
_NOBODY, _BUSY, _BOB = _person("no-answer"), _person("busy"), _person()
_QUICK, _QUICK_TOO, _DEAF = _person(after=0.3), _person(after=0.32), _person("no-answer")
_STAYS, _DEAF_TOO = _person(after=0.3, talk=None), _person("no-answer")
_ONE = _person(talk=1.0)
_LOST = _person("silent")
_TOLD, _TOLD_FIRST, _TOLD_SECOND = _person(), _person(after=0.3), _person(after=0.9)
_DECLINES, _UNKNOWN, _CAT = _person("reject"), _person("unallocated"), _person()
_UNHEARD = _person("no-answer")
_LASTS = {
    name: _person()
    for name in (
        *("plain", "follow", "group", "stay", "limited", "full"),
        *("lost", "whisper", "told", "declined", "impatient"),
    )
}


def _line(number: int, name: str, *route: tuple[str, ...], **more: Any) -> Line:
    last = ((_LASTS[name],), (RESCUE,)) if name in _LASTS else ()
    return Line(name, f"+191955560{number:02}", (*route, *last), **more)


LINES = {
    line.number: line
    for line in (
        _line(1, "plain", (_TALKER,), (_TALKER_TOO,), weight=3),
        _line(2, "follow", (_NOBODY,), (_BUSY,), (_BOB,), weight=3),
        _line(3, "group", (_QUICK, _QUICK_TOO, _DEAF), weight=2),
        _line(4, "stay", (_STAYS, _DEAF_TOO), leaves=(2.0, 4.0), weight=2),
        _line(5, "limited", (_ONE,), (_LASTS["full"],), weight=2),
        _line(6, "refuses", ends="refused"),
        _line(7, "tells", ends="announced", leaves=(5.0, 7.0)),
        _line(8, "lost", (_LOST,)),
        _line(9, "whisper", (_TOLD,)),
        _line(10, "told", (_TOLD_FIRST, _TOLD_SECOND)),
        _line(11, "declined", (_DECLINES,), (_UNKNOWN,), (_CAT,)),
        _line(12, "impatient", (_UNHEARD,), leaves=(0.05, 2.5)),
    )
}
PEOPLE |= {HUMAN: ANSWERS, RESCUE: ANSWERS}


def _otherwise(name: str) -> str:
    return f"otherwise: {{transferTo: {_LASTS[name]}}}"


def rules(edition: int = 0) -> str:
    """Return the rules; an odd edition rings somebody else for the line `plain`."""
    plain = _TALKER_TOO if edition % 2 else _TALKER
    numbers = {line.name: line.number for line in LINES.values()}
    return f"""
version: 1
timezone: UTC
transfer: {{diversionTreatment: stack, ring: 3s}}
destinations:
  one: {{transferTo: {_ONE}, capacity: {PLACES}}}
lines:
  plain:
    numbers: {numbers["plain"]}
    rules: [{{transferTo: {plain}}}]
    {_otherwise("plain")}
  follow:
    numbers: {numbers["follow"]}
    rules:
      - followMe:
          - {{transferTo: {_NOBODY}, ring: 1s}}
          - {{transferTo: {_BUSY}}}
          - {{transferTo: {_BOB}}}
    {_otherwise("follow")}
  group:
    numbers: {numbers["group"]}
    rules: [{{transferTo: [{_QUICK}, {_QUICK_TOO}, {_DEAF}]}}]
    {_otherwise("group")}
  stay:
    numbers: {numbers["stay"]}
    rules: [{{transferTo: [{_STAYS}, {_DEAF_TOO}]}}]
    {_otherwise("stay")}
  limited:
    numbers: {numbers["limited"]}
    rules: [{{transferTo: one, onBusy: {{transferTo: {_LASTS["full"]}}}}}]
    {_otherwise("limited")}
  refuses: {{numbers: {numbers["refuses"]}, otherwise: {{reject: true}}}}
  tells: {{numbers: {numbers["tells"]}, otherwise: {{announce: {{sentence: We are closed}}}}}}
  lost:
    numbers: {numbers["lost"]}
    rules: [{{transferTo: {_LOST}, ring: 1s}}]
    {_otherwise("lost")}
  whisper:
    numbers: {numbers["whisper"]}
    rules: [{{transferTo: {_TOLD}, whisperAudio: {{sentence: For you}}}}]
    {_otherwise("whisper")}
  told:
    numbers: {numbers["told"]}
    rules: [{{transferTo: [{_TOLD_FIRST}, {_TOLD_SECOND}], whisperAudio: {{sentence: For you}}}}]
    {_otherwise("told")}
  declined:
    numbers: {numbers["declined"]}
    rules:
      - followMe: [{{transferTo: {_DECLINES}}}, {{transferTo: {_UNKNOWN}}}, {{transferTo: {_CAT}}}]
    {_otherwise("declined")}
  impatient:
    numbers: {numbers["impatient"]}
    rules: [{{transferTo: {_UNHEARD}}}]
    {_otherwise("impatient")}
emergency: {{transferTo: {RESCUE}}}
# edition {edition}
"""


BAD_RULES = (
    "lines: nothing at all",
    rules().replace("version: 1", "version: 7"),
    rules().replace("rules: [{", "rules: [{when: {during: never-heard-of}, "),
    rules()[: len(rules()) // 2],
    "",
)
_HASTY = 0.07
"""How many of those callers leave early who may as well stay."""


@dataclass(frozen=True)
class Plan:
    """What a caller does: dials a line, and leaves `leaves` seconds later unless it is None."""

    caller: str
    line: Line
    leaves: float | None


def plan(seed: int, number: int, lines: tuple[str, ...] = ()) -> Plan:
    """Return the plan of a caller by number; of some `lines`, if they are named."""
    dice = random.Random(f"{seed}/caller/{number}")  # noqa: S311 - no secret
    choice = [each for each in LINES.values() if not lines or each.name in lines]
    (line,) = dice.choices(choice, [each.weight for each in choice])
    leaves = None
    if line.leaves:
        leaves = dice.uniform(*line.leaves)
    elif dice.random() < _HASTY:
        leaves = dice.uniform(0.05, 3.0)
    return Plan(f"+1212{2_000_000 + number}", line, leaves)
