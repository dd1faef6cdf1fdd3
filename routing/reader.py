"""YAML text -> RuleSet, or every error at once, each with its line and column."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from msgspec import structs

from catapult.transfer import is_number
from routing.callers import caller_list
from routing.problems import ROOT, RulesError, did_you_mean, keys_of, once
from routing.reading import callers
from routing.reading.actions import (
    PARAMETERS,
    action_shape,
    check_target_name,
    parameters,
    read_destination,
)
from routing.reading.calendars import read_calendars
from routing.reading.document import Mapping, Node, NotYamlError, Text, parse, small_pieces
from routing.reading.expectations import EXPECT
from routing.reading.invisible import clear, point_out
from routing.reading.lines import read_line
from routing.reading.rotations import read_rotations
from routing.reading.shapes import (
    KINDS,
    Context,
    Field,
    OneOrMore,
    Record,
    entries_of,
)
from routing.reading.slips import mend_keys, mistyped
from routing.reading.syntax import explain
from routing.reading.times import read_schedules
from routing.reading.values import PREFIX
from routing.reading.zones import ZONE
from routing.rules import RejectAction, RuleSet, Stage
from routing.words import EMERGENCY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
    *("version", "timezone", "transfer", "dialing", "destinations", "rotations", "callers"),
    *("calendars", "schedules", "lines", "emergency", "expect"),
)


READ_AFTER_LINES = {"version", EMERGENCY, "expect"}
"""Sections of which a line needs to know nothing, so that they may stand below."""
MANY_ERRORS = 100
"""Errors after which no line is read any more before the parser has come to its end: they mostly
mean that what the lines need stands below."""


def read(text: str | Iterable[str], breathe: Callable[[], None] = lambda: None) -> RuleSet:
    """Return the rules that `text` writes: a whole, or pieces that can be gone through again.

    `breathe` is called after each small piece of work, so that who reads while others have work
    to do can let them go first.

    Raises RulesError with every error of the file, in order of place.
    """
    pieces = [text] if isinstance(text, str) else text
    cleared = clear(pieces, breathe)
    if cleared:
        pieces = [cleared.text]
    try:
        rules = _read(pieces, breathe)
    except NotYamlError as wrong:
        found = RulesError([explain("".join(pieces), wrong.error, _errors_in)], [])
    except RulesError as wrong:
        found = RulesError(point_out(once(wrong.errors), pieces), wrong.warnings)
    else:
        if not cleared:
            return rules
        raise RulesError(cleared.problems, [])
    raise cleared.error_with(found) if cleared else found


def _errors_in(text: str) -> int:
    """Return how many errors a text has; more than any file if it is no YAML."""
    try:
        _read([text], lambda: None)
    except NotYamlError:
        return sys.maxsize
    except RulesError as wrong:
        return len(wrong.errors)
    return 0


def _read(pieces: Iterable[str], breathe: Callable[[], None]) -> RuleSet:
    sections = _Sections(Context(breathe=breathe), pieces)
    root = parse(pieces, sections.problems, breathe, sections.take_lines)
    if sections.taken_too_soon(root):
        sections = _Sections(Context(breathe=breathe), pieces)
        root = parse(pieces, sections.problems, breathe, sections.pass_lines_over)
    if not isinstance(root, Mapping):
        message = "a rules file is made of sections: lines, destinations, emergency, …"
        sections.problems.error(root, ROOT, "not-a-mapping", message)
        raise RulesError(sections.problems.errors, [])
    rules = sections.read(root)
    problems = sections.problems
    if problems.errors or rules is None:
        raise RulesError(problems.errors, problems.warnings)
    return replace(rules, warnings=tuple(problems.warnings))


class _Sections:
    """Reads the sections in the order in which they need one another.

    The lines are most of a large file. Where all that they need stands above them, as it mostly
    does, each is read as soon as the parser has come to its end, and its nodes are let go; else
    the parser passes them over, and goes through the text once more for them.
    """

    def __init__(self, context: Context, pieces: Iterable[str]) -> None:
        self.pieces = pieces
        self.root = Mapping(1, 1)
        self.context = context
        self.problems = context.problems
        # What the emergency does is mostly written below the lines that end with it.
        context.emergency = (Stage(EMERGENCY, RejectAction()),)
        self.lines: dict[str, Any] = context.names.setdefault("line", {})
        self.above: set[str] | None = None
        """The sections above the lines, if these were read when the parser came to them."""
        self.given_up = self.passed_over = False

    def take_lines(self, key: str, root: Mapping) -> Callable[[Text, Node], None] | None:
        """Return what reads the lines one by one, if `key` is theirs and all above is known."""
        if key != "lines" or not root.entries.keys() <= set(SECTIONS):
            return None
        self.root, self.above = root, set(root.entries)
        self._definitions()
        return self._line_at_once

    def pass_lines_over(self, key: str, _root: Mapping) -> Callable[[Text, Node], None] | None:
        """Return what keeps nothing of the lines, if `key` is theirs."""
        if key != "lines":
            return None
        self.passed_over = True
        return lambda _key, _value: None

    def taken_too_soon(self, root: Node) -> bool:
        """Return whether the lines must be read again, now that all that they need is known."""
        if self.above is None or not isinstance(root, Mapping):
            return False
        below = root.entries.keys() - self.above - {"lines"}
        return self.given_up or not below <= READ_AFTER_LINES

    def read(self, root: Mapping) -> RuleSet | None:
        self.root = root
        self._keys()
        self._version()
        if self.above is None:
            self._definitions()
        self._lines()
        self._emergency()
        names = self.context.names
        lists = names["caller list"].values()
        default_caller = callers.free_number([*lists, *self.context.caller_lists])
        expectations = self._expectations(default_caller)
        self._unused()
        if self.problems.errors:
            return None
        return RuleSet(
            digest=self._digest(),
            lines=self.lines,
            line_by_number=self._line_by_number(),
            destinations=names["destination"],
            limited={
                name: each.capacity
                for name, each in names["destination"].items()
                if each.capacity is not None
            },
            rotations=names["rotation"],
            schedules=names["schedule"],
            calendars=names["calendar"],
            callers=names["caller list"],
            persons=frozenset(names["person"]),
            emergency=self.context.emergency,
            zone=self.context.zone,
            owned=next((n for n in self.context.lines_by_number if is_number(n)), None),
            default_caller=default_caller,
            allow=tuple(self.context.allow),
            expectations=expectations,
            countries=tuple((keys_of(path), found) for path, found in self.context.countries),
        )

    def _definitions(self) -> None:
        self._basics()
        self._destinations()
        self._callers()
        read_calendars(*self._section("calendars"), self.context)
        read_schedules(*self._section("schedules"), self.context)
        read_rotations(*self._section("rotations"), self.context)

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for piece in small_pieces(self.pieces):
            digest.update(piece.encode())
            self.context.breathe()
        return digest.hexdigest()[:16]

    def _line_by_number(self) -> dict[str, Line]:
        found = {}
        for number, name in self.context.lines_by_number.items():
            found[number] = self.lines[name]
            self.context.breathe()
        return found

    def _section(self, name: str) -> tuple[Node | None, Any]:
        return self.root.get(name), (ROOT, name)

    def _keys(self) -> None:
        problems = self.context.problems
        if not self.root.entries.keys() <= set(SECTIONS):
            mend_keys(self.root, ROOT, problems, SECTIONS)
        for key, (node, _) in list(self.root.entries.items()):
            if key not in SECTIONS:
                mistyped(self.root, key, SECTIONS)
                hint = did_you_mean(key, SECTIONS) or f"; there are {', '.join(SECTIONS)}"
                problems.error(node, (ROOT, key), "unknown-key", f"no section {key!r}{hint}")
        for key in ("lines", EMERGENCY):
            if key not in self.root.entries and not self.root.merged:
                message = f"the file needs `{key}`"
                problems.error(Node(1, 1), (ROOT, key), "missing-key", message)

    def _basics(self) -> None:
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
            self.context.breathe()
            check_target_name(key, path, self.context)
            found[name] = read_destination(name, value, (path, name), self.context)
        self.context.names["destination"] = found
        written = [
            value.get("person") for _, value in entries.values() if isinstance(value, Mapping)
        ]
        persons = [each.text for each in written if isinstance(each, Text)]
        self.context.names["person"] = dict.fromkeys(persons)

    def _callers(self) -> None:
        node, path = self._section("callers")
        patterns = callers.CALLERS.read(node, path, self.context) if node is not None else {}
        written = entries_of(node, path, self.context, "") if isinstance(node, Mapping) else {}
        callers.check_names((key for key, _ in written.values()), path, self.context)
        lists = self.context.names.setdefault("caller list", {})
        for name in {**written, **(patterns or {})}:
            self.context.breathe()
            lists[name] = caller_list((patterns or {}).get(name, []))

    def _emergency(self) -> None:
        node, path = self._section(EMERGENCY)
        if node is not None:
            action = action_shape(EMERGENCY).read(node, path, self.context)
            # The lines hold the stage already; it is frozen from here on.
            structs.force_setattr(self.context.emergency[0], "action", action)

    def _lines(self) -> None:
        node, path = self._section("lines")
        entries = entries_of(node, path, self.context, "lines") if node is not None else {}
        if self.passed_over:
            take = {"lines": self._line}
            breathe = self.context.breathe
            parse(self.pieces, self.problems, breathe, lambda key, _root: take.get(key))
        elif self.above is None:
            for key, value in entries.values():
                self._line(key, value)

    def _line_at_once(self, key: Text, value: Node) -> None:
        if len(self.problems.errors) > MANY_ERRORS:
            self.given_up = True
        else:
            self._line(key, value)

    def _line(self, key: Text, value: Node) -> None:
        path = ROOT, "lines"
        check_target_name(key, path, self.context)
        self.lines[key.text] = read_line(key.text, value, (path, key.text), self.context)
        self.context.breathe()

    def _expectations(self, default_caller: str) -> tuple[Any, ...]:
        node, path = self._section("expect")
        if node is None:
            return ()
        found = []
        for each in EXPECT.read(node, path, self.context) or []:
            self.context.breathe()
            found.append(each if each.caller else structs.replace(each, caller=default_caller))
        return tuple(found)

    def _unused(self) -> None:
        for kind in ("destination", "rotation", "caller list", "calendar", "schedule"):
            section, path = self._section(KINDS[kind])
            if not isinstance(section, Mapping):
                continue
            for name, (key, _) in section.entries.items():
                self.context.breathe()
                if (kind, name) not in self.context.used:
                    message = f"{kind} {name!r} is not used"
                    self.context.problems.warn(key, (path, name), "unused-name", message)
