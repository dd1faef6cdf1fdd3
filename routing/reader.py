"""YAML text -> RuleSet, or every error at once, each with its line and column."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from catapult.transfer import is_number
from routing.callers import caller_list
from routing.problems import ROOT, RulesError, did_you_mean
from routing.reading import callers
from routing.reading.actions import (
    PARAMETERS,
    action_shape,
    parameters,
    read_destination,
)
from routing.reading.document import Mapping, Node, Text, parse
from routing.reading.expectations import EXPECT
from routing.reading.lines import read_line
from routing.reading.numbers import looks_like_number, looks_like_uri
from routing.reading.shapes import (
    KINDS,
    Context,
    Field,
    OneOrMore,
    Record,
    check_name,
    entries_of,
    mend,
)
from routing.reading.times import read_calendars, read_schedules
from routing.reading.values import PREFIX, ZONE
from routing.rules import RuleSet, Stage
from routing.words import EMERGENCY

if TYPE_CHECKING:
    from routing.rules import Line

TRANSFER = Record("transfer", PARAMETERS)
DIALING = Record(
    "dialing",
    {
        "allow": Field(OneOrMore(PREFIX), "beginnings of numbers that may be dialed"),
        "deny": Field(OneOrMore(PREFIX), "beginnings of numbers that may not, whatever is allowed"),
    },
)
SECTIONS = (
    *("version", "timezone", "transfer", "dialing", "destinations", "callers", "calendars"),
    *("schedules", "lines", "emergency", "expect"),
)


def read(text: str) -> RuleSet:
    """Return the rules that `text` writes.

    Raises RulesError with every error of the file, in order of place.
    """
    context = Context()
    problems = context.problems
    root = parse(text, problems.errors)
    if not isinstance(root, Mapping):
        message = "a rules file is made of sections: lines, destinations, emergency, …"
        problems.error(root, ROOT, "not-a-mapping", message)
        raise RulesError(problems.errors, [])
    rules = _Sections(root, context).read(text)
    if problems.errors or rules is None:
        raise RulesError(problems.sorted(problems.errors), problems.sorted(problems.warnings))
    return replace(rules, warnings=tuple(problems.sorted(problems.warnings)))


class _Sections:
    """Reads the sections in the order in which they need one another."""

    def __init__(self, root: Mapping, context: Context) -> None:
        self.root = root
        self.context = context

    def read(self, text: str) -> RuleSet | None:
        self._keys()
        self._basics()
        self._destinations()
        lists = self._callers()
        read_calendars(*self._section("calendars"), self.context)
        read_schedules(*self._section("schedules"), self.context)
        self._emergency()
        lines = self._lines()
        default_caller = callers.free_number([*lists.values(), *self.context.caller_lists])
        expectations = self._expectations(default_caller)
        self._unused()
        if self.context.problems.errors:
            return None
        return RuleSet(
            digest=hashlib.sha256(text.encode()).hexdigest()[:16],
            lines=lines,
            line_by_number={n: lines[name] for n, name in self.context.lines_by_number.items()},
            destinations=self.context.names["destination"],
            limited={
                name: each.capacity
                for name, each in self.context.names["destination"].items()
                if each.capacity is not None
            },
            schedules=self.context.names["schedule"],
            calendars=self.context.names["calendar"],
            persons=frozenset(self.context.names["person"]),
            emergency=self.context.emergency,
            zone=self.context.zone,
            owned=next((n for n in self.context.lines_by_number if is_number(n)), None),
            default_caller=default_caller,
            expectations=expectations,
        )

    def _section(self, name: str) -> tuple[Node | None, Any]:
        return self.root.get(name), (ROOT, name)

    def _keys(self) -> None:
        problems = self.context.problems
        for key, (node, _) in list(self.root.entries.items()):
            if key not in SECTIONS:
                mend(self.root, key, SECTIONS)
                hint = did_you_mean(key, SECTIONS) or f"; there are {', '.join(SECTIONS)}"
                problems.error(node, (ROOT, key), "unknown-key", f"no section {key!r}{hint}")
        for key in ("lines", EMERGENCY):
            if key not in self.root.entries and not self.root.merged:
                message = f"the file needs `{key}`"
                problems.error(Node(1, 1), (ROOT, key), "missing-key", message)

    def _basics(self) -> None:
        self._version()
        node, path = self._section("timezone")
        if node is not None:
            self.context.zone = ZONE.read(node, path, self.context) or ZoneInfo("UTC")
        node, path = self._section("dialing")
        if node is not None:
            before = len(self.context.problems.errors)
            values = DIALING.read(node, path, self.context) or {}
            if len(self.context.problems.errors) == before:
                self.context.allow = values.get("allow", [])
                self.context.deny = values.get("deny", [])
        node, path = self._section("transfer")
        if node is not None:
            values = TRANSFER.read(node, path, self.context) or {}
            self.context.defaults = parameters(values)

    def _version(self) -> None:
        node, path = self._section("version")
        problems = self.context.problems
        if node is None:
            problems.warn(Node(1, 1), path, "missing-key", "write `version: 1` at the top")
        elif not (isinstance(node, Text) and node.text == "1"):
            problems.error(node, path, "unknown-value", "only `version: 1` is known")

    def _destinations(self) -> None:
        node, path = self._section("destinations")
        found: dict[str, Any] = {}
        entries = entries_of(node, path, self.context, "names of destinations") if node else {}
        for name, (key, value) in entries.items():
            self._name(name, key, path)
            found[name] = read_destination(name, value, (path, name), self.context)
        self.context.names["destination"] = found
        written = [
            value.get("person") for _, value in entries.values() if isinstance(value, Mapping)
        ]
        persons = [each.text for each in written if isinstance(each, Text)]
        self.context.names["person"] = dict.fromkeys(persons)

    def _name(self, name: str, key: Text, path: Any) -> None:
        check_name(key, path, self.context)
        if looks_like_number(name) or looks_like_uri(name):
            message = f"{name!r} cannot be a name: it would be read as a number or SIP URI"
            self.context.problems.error(key, (path, name), "bad-name", message)

    def _callers(self) -> dict[str, Any]:
        node, path = self._section("callers")
        patterns = callers.CALLERS.read(node, path, self.context) if node is not None else {}
        written = entries_of(node, path, self.context, "") if isinstance(node, Mapping) else {}
        callers.check_names((key for key, _ in written.values()), path, self.context)
        lists = {name: caller_list((patterns or {}).get(name, [])) for name in written}
        self.context.names["caller list"] = lists
        return lists

    def _emergency(self) -> None:
        node, path = self._section(EMERGENCY)
        if node is not None:
            action = action_shape(EMERGENCY).read(node, path, self.context)
            self.context.emergency = (Stage(EMERGENCY, action),) if action else ()

    def _lines(self) -> dict[str, Line]:
        node, path = self._section("lines")
        found: dict[str, Any] = {}
        if node is not None:
            for name, (key, value) in entries_of(node, path, self.context, "lines").items():
                self._name(name, key, path)
                found[name] = read_line(name, value, (path, name), self.context)
        self.context.names["line"] = found
        return found

    def _expectations(self, default_caller: str) -> tuple[Any, ...]:
        node, path = self._section("expect")
        if node is None:
            return ()
        found = EXPECT.read(node, path, self.context) or []
        return tuple(
            each if each.caller else replace(each, caller=default_caller) for each in found
        )

    def _unused(self) -> None:
        for kind in ("destination", "caller list", "calendar", "schedule"):
            section, path = self._section(KINDS[kind])
            if not isinstance(section, Mapping):
                continue
            for name, (key, _) in section.entries.items():
                if (kind, name) not in self.context.used:
                    message = f"{kind} {name!r} is not used"
                    self.context.problems.warn(key, (path, name), "unused-name", message)
