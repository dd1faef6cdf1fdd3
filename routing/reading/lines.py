"""Reading `lines`: their rules, the conditions of `when`, and the handlers."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from catapult.transfer import DIVERSION_REASONS
from routing import conditions
from routing.looks import Diversion
from routing.problems import Path, Wrong
from routing.reading.actions import ACTION_FIELDS, ONE_ACTION, action, action_shape
from routing.reading.callers import FROM, join
from routing.reading.document import Items, Mapping, Node, Text
from routing.reading.hours import WEEKDAYS
from routing.reading.shapes import (
    ANY_SCALAR,
    Built,
    Context,
    Field,
    ListOf,
    MapOf,
    Name,
    OneOrMore,
    Record,
    Scalar,
    Schema,
    choice,
    entries_of,
    place_of,
    unknown_name,
)
from routing.reading.values import PARTY, TEXT
from routing.rules import Line, Rule, Stage, TransferAction
from routing.schedule import DAYS
from routing.words import EMERGENCY, HANDLERS, OTHERWISE, PRESENCE_STATES, diversion_reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from routing.conditions import Condition
    from routing.reading.shapes import Shape
    from routing.rotation import Rotation
    from routing.rules import Action

_SCHEDULES = OneOrMore(Name("schedule"))
_STATE = choice("presence", PRESENCE_STATES)


class BusyDestination:
    """The name of a destination that has a capacity, or of a rotation of such."""

    what = "the name of a destination with a capacity"

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return any scalar: which names there are, only the file says."""
        return ANY_SCALAR

    def read(self, node: Node, path: Path, context: Context) -> str | None:
        """Return the name."""
        name = Name("destination", "rotation").read(node, path, context) or ""
        rotation = context.names["rotation"].get(name)
        if rotation is not None:
            self._check_members(rotation, node, path, context)
        destination = context.names["destination"].get(name)
        if destination is not None and destination.capacity is None:
            message = f"{name!r} has no `capacity`, so it is never busy; give it one"
            context.problems.error(node, path, "never-busy", message)
        return name or None

    def _check_members(self, rotation: Rotation, node: Node, path: Path, context: Context) -> None:
        """Refuse a rotation of which nobody can be busy; warn where some cannot."""
        never = dict.fromkeys(each.label for each in rotation.members if each.capacity is None)
        if len(never) == len(rotation.labels):
            message = f"nobody in {rotation.name!r} has a `capacity`, so it is never busy"
            context.problems.error(node, path, "never-busy", message)
        elif never:
            verb, whose = ("has", "its") if len(never) == 1 else ("have", "their")
            message = f"{' and '.join(never)} {verb} no `capacity`, so {rotation.name!r} "
            message += f"is never busy while it is {whose} turn"
            context.problems.warn(node, path, "never-busy", message)


class PresenceOf:
    """Persons and the presence that is asked of each."""

    what = "persons with their presence, such as ana: dnd"

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return states by person."""
        return MapOf(self.what, OneOrMore(_STATE)).schema(defined)

    def read(self, node: Node, path: Path, context: Context) -> dict[str, list[str]] | None:
        """Return the states by person."""
        for person, (key, _) in entries_of(node, path, context, self.what).items():
            if not context.known("person", person):
                unknown_name(key, (path, person), context, "person", person)
        return MapOf(self.what, OneOrMore(_STATE)).read(node, path, context)


class Inner:
    """The conditions inside `not`."""

    what = "conditions"

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return the conditions'."""
        return WHEN.schema(defined)

    def read(self, node: Node, path: Path, context: Context) -> tuple[Condition, ...] | None:
        """Return the conditions."""
        return WHEN.read(node, path, context)


def _time(key: str, names: list[str], context: Context) -> Condition:
    schedules = (context.names["schedule"].get(name) for name in names)
    return conditions.Time(tuple(each for each in schedules if each), key == "during")


def _from(key: str, patterns: list[str], context: Context) -> Condition:
    callers = join(patterns, context.names["caller list"])
    context.caller_lists.append(callers)
    return conditions.From(callers, tuple(patterns), key == "from")


def _each_once(
    days: list[frozenset[int]], _node: Node, _path: Path, _context: Context
) -> tuple[int, ...]:
    named = sorted(day for some in days for day in some)
    for day, following in pairwise(named):
        if day == following:
            raise Wrong("repeated-day", f"{DAYS[day]} is written twice; write each day once")
    return tuple(named)


def _weekday(_key: str, days: tuple[int, ...], context: Context) -> Condition:
    return conditions.Weekday(days, context.home_zone())


def _busy(_key: str, names: list[str], context: Context) -> Condition:
    rotations = context.names["rotation"]
    return conditions.Busy(
        tuple(name for name in names if name not in rotations),
        tuple(rotations[name] for name in names if rotations.get(name)),
    )


def _presence(_key: str, states: dict[str, list[str]], _context: Context) -> Condition:
    return conditions.Presence(tuple((who, tuple(each)) for who, each in states.items()))


def _diverted(_key: str, reasons: list[str], _context: Context) -> Condition:
    return conditions.Diverted(Diversion(tuple(reasons)))


def _not(_key: str, inner: tuple[Condition, ...], _context: Context) -> Condition:
    return conditions.Not(inner)


class _Key(NamedTuple):
    """A key of `when`: what may stand there, what it means, and the condition that it makes."""

    shape: Shape[Any]
    doc: str
    make: Callable[[str, Any, Context], Condition]


_KEYS = {
    "during": _Key(_SCHEDULES, "the call comes inside the schedule", _time),
    "outside": _Key(_SCHEDULES, "none of these schedules is open", _time),
    "weekday": _Key(
        Built(WEEKDAYS, _each_once), "the call comes on that day of the week", _weekday
    ),
    "from": _Key(FROM, "the caller matches", _from),
    "notFrom": _Key(FROM, "the caller does not match", _from),
    "busy": _Key(OneOrMore(BusyDestination()), "the destination has no free capacity", _busy),
    "presence": _Key(PresenceOf(), "the person's presence is one of these", _presence),
    "diverted": _Key(
        OneOrMore(choice("diversion reason", (*DIVERSION_REASONS, "any"), diversion_reason)),
        "the call came in with that diversion reason",
        _diverted,
    ),
    "not": _Key(Inner(), "the conditions in it do not all hold", _not),
}
_WHEN_FIELDS = {key: Field(each.shape, each.doc) for key, each in _KEYS.items()}


def _when(
    values: dict[str, Any], node: Node, _path: Path, context: Context
) -> tuple[Condition, ...]:
    if isinstance(node, Mapping) and not node.entries and not node.merged:
        raise Wrong("empty-mapping", "no condition is written; leave the key out")
    return tuple(_KEYS[key].make(key, value, context) for key, value in values.items())


WHEN: Built[tuple[Condition, ...]] = Built(
    Record("`when`", _WHEN_FIELDS), _when, {"minProperties": 1}, "when", anywhere=True
)
_HANDLER_DOCS = {
    "onBusy": "when it was busy",
    "onNoAnswer": "when nobody answered",
    "onRejected": "when it was declined; without it onBusy",
    "onFailure": "when it could not be reached",
}


def _rule_name(text: str) -> str:
    if text in {OTHERWISE, EMERGENCY}:
        raise Wrong("bad-name", f"a rule cannot be called {text!r}; that name is taken")
    return text


def _default_name(index: int) -> str:
    return f"rule {index + 1}"


class _Draft(NamedTuple):
    """A rule by what is written in it, wherever it stands."""

    name: str | None
    conditions: tuple[Condition, ...]
    action: Action
    handlers: tuple[Stage, ...]


def _draft(values: dict[str, Any], node: Node, path: Path, context: Context) -> _Draft | None:
    first = action(values, node, path, context)
    if first is None:
        return None
    handlers = tuple(Stage(key, values[key]) for key in HANDLERS if key in values)
    if handlers and not isinstance(first, TransferAction):
        message = f"nothing is dialed here, so {handlers[0].name} is never used"
        context.problems.warn(place_of(node), path, "idle-handler", message)
    return _Draft(values.get("name"), values.get("when", ()), first, handlers)


_RULE = Built(
    Record(
        "a rule",
        {
            "name": Field(Scalar("a name", _rule_name), "unique in its line"),
            "when": Field(WHEN, "the conditions; without it the rule always holds"),
            **ACTION_FIELDS,
            **{key: Field(action_shape(key), doc) for key, doc in _HANDLER_DOCS.items()},
        },
    ),
    _draft,
    ONE_ACTION,
    "rule",
    anywhere=True,
)


def _placed(draft: _Draft, node: Node, path: Path, _context: Context) -> tuple[_Draft, str, int]:
    """Return a draft with the name and the line of the file that it has here."""
    return draft, draft.name or _default_name(path[1]), node.line


class CalledNumber:
    """A number or SIP address of a line, which no other line may have."""

    what = PARTY.what

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return a party's."""
        return PARTY.schema(defined)

    def read(self, node: Node, path: Path, context: Context) -> str | None:
        """Return the number in normal form."""
        number = PARTY.read(node, path, context)
        if number is None:
            return None
        line = _line_name(path)
        other = context.lines_by_number.get(number)
        if other is None:
            context.lines_by_number[number] = line
        else:
            where = "there twice" if other == line else f"on line {other!r} already"
            message = f"{number} is {where}; a number is on one line only, once"
            context.problems.error(node, path, "repeated-number", message)
        return number


def _line_name(path: Path) -> str:
    while len(path[0][0]) > 0:
        path = path[0]
    return str(path[1])


LINE = Record(
    "a line",
    {
        "numbers": Field(OneOrMore(CalledNumber()), "the called numbers", required=True),
        "title": Field(TEXT, "how the line is spoken and shown"),
        "rules": Field(ListOf(Built(_RULE, _placed)), "the first that holds is chosen"),
        "otherwise": Field(action_shape("otherwise"), "when no rule holds", required=True),
    },
)


def read_line(name: str, node: Node, path: Path, context: Context) -> Line | None:
    """Return the line `name`, each rule with all the stages that can follow it."""
    values = LINE.read(node, path, context)
    if values is None:
        return None
    rules = values.get("rules", [])
    written = node.get("rules") if isinstance(node, Mapping) else None
    if isinstance(written, Items):
        context.rule_names[name] = _check_names(written, (path, "rules"), context)
        _warn_of_hidden(written, (path, "rules"), context)
    otherwise: Action | None = values.get("otherwise")
    if otherwise is None:
        return None
    last = _last(otherwise, context)
    return Line(
        name,
        values.get("title", name),
        tuple(values.get("numbers", ())),
        tuple(
            Rule(its_name, draft.conditions, _stages(draft, its_name, last, context), place)
            for draft, its_name, place in rules
        ),
        last,
    )


def _last(otherwise: Action, context: Context) -> tuple[Stage, ...]:
    """Return the stages that every rule of a line ends with; the same for the same action."""
    key = OTHERWISE, id(otherwise)
    known = context.shared.get(key)
    if known is None:
        known = context.share(key, ((Stage(OTHERWISE, otherwise), *context.emergency), otherwise))
    return known[0]


def _stages(
    draft: _Draft, name: str, last: tuple[Stage, ...], context: Context
) -> tuple[Stage, ...]:
    """Return all the stages of a rule; the same for the same parts."""
    key = name, id(draft), id(last)
    known = context.shared.get(key)
    if known is None:
        stages = (Stage(name, draft.action), *draft.handlers, *last)
        known = context.share(key, (stages, draft, last))
    return known[0]


def _check_names(rules: Items, path: Path, context: Context) -> tuple[str, ...]:
    """Return the names of the rules after refusing one that stands twice."""
    places: dict[str, int] = {}
    for index, rule in enumerate(rules.items):
        written = rule.get("name") if isinstance(rule, Mapping) else None
        name = written.text if isinstance(written, Text) else _default_name(index)
        if name in places:
            message = f"two rules are called {name!r}; the other is in line {places[name]}"
            place = written or rule
            context.problems.error(place, ((path, index), "name"), "repeated-name", message)
        places.setdefault(name, rule.line)
    names = tuple(places)
    return context.shared.get(names) or context.share(names, names)


def _warn_of_hidden(rules: Items, path: Path, context: Context) -> None:
    for index, (rule, later) in enumerate(pairwise(rules.items)):
        if isinstance(rule, Mapping) and "when" not in rule.entries:
            message = f"rule {index + 1} above has no `when`, so this one is never reached"
            context.problems.warn(later, (path, index + 1), "hidden-rule", message)
            return
