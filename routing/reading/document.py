"""YAML text -> a tree of nodes that know their place. Every scalar stays text.

Built from PyYAML's event stream, because its own loaders type the scalars (`no` becomes false,
`22:00` a number), forget where things stand, and let later keys silently replace earlier ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from routing.problems import Problem, RulesError

MAX_DEPTH = 40
"""Levels of nesting; a real file has less than twelve."""
MAX_ALIASED_NODES = 100_000
"""Nodes that aliases may repeat in all, so that an alias bomb costs nothing."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True, eq=False)
class Node:
    """One piece of the document; `line` and `column` count from 1."""

    line: int
    column: int
    size: int = 1
    height: int = 1


@dataclass(slots=True, eq=False)
class Text(Node):
    """A scalar, as written. `bare` when it has no quotes."""

    text: str = ""
    bare: bool = True


@dataclass(slots=True, eq=False)
class Items(Node):
    """A sequence. `key` is the key that it stands under, if any."""

    items: list[Node] = field(default_factory=list)
    key: Text | None = None


@dataclass(slots=True, eq=False)
class Mapping(Node):
    """A mapping: key text -> (key, value). `key` is the key that it stands under, if any."""

    entries: dict[str, tuple[Text, Node]] = field(default_factory=dict)
    key: Text | None = None
    merged: bool = False
    """Whether a `<<` stood here; its keys are not read, so nothing is missing for certain."""

    def get(self, key: str) -> Node | None:
        """Return the value of `key`, or None."""
        entry = self.entries.get(key)
        return entry[1] if entry else None


def parse(text: str, errors: list[Problem]) -> Node:
    """Return the root node of the only document in `text`; raise RulesError if it is not YAML.

    Also refused, because their meaning would surprise: several documents, keys that are not plain
    text, and anything larger than the bounds above. Tags, merge keys and duplicate keys are added
    to `errors`; the rest of the document is read all the same.
    """
    builder = _Builder(errors)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "not YAML"
        raise _syntax_error(text, mark, problem) from None
    except (yaml.reader.ReaderError, UnicodeEncodeError):
        raise _forbidden_character(text) from None
    if builder.root is None:
        raise _failure(1, 1, "empty-file", "the file is empty; it needs at least `lines`")
    return builder.root


class _Builder:
    """Takes the events one by one and keeps what is needed."""

    def __init__(self, errors: list[Problem]) -> None:
        self.root: Node | None = None
        self.errors = errors
        self.open: list[Items | Mapping] = []
        self.keys: list[Text | None] = []
        self.anchors: dict[str, Node | None] = {}
        self.open_anchors: list[str | None] = []
        self.aliased = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._start(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise _failure(*_place(event), "several-documents", "only one document is read")

    def _scalar(self, event: Any) -> None:
        self._refuse_tag(event)
        node = Text(*_place(event), text=event.value, bare=not event.style)
        if event.anchor:
            self.anchors[event.anchor] = node
        self._add(node)

    def _start(self, event: Any) -> None:
        self._refuse_tag(event)
        if len(self.open) >= MAX_DEPTH:
            raise _failure(*_place(event), "too-deep", f"nested more than {MAX_DEPTH} levels deep")
        kind = Mapping if isinstance(event, yaml.MappingStartEvent) else Items
        if event.anchor:
            self.anchors[event.anchor] = None
        self.open_anchors.append(event.anchor)
        self.open.append(kind(*_place(event)))
        self.keys.append(None)

    def _end(self) -> None:
        node = self.open.pop()
        self.keys.pop()
        anchor = self.open_anchors.pop()
        if anchor:
            self.anchors[anchor] = node
        self._add(node)

    def _alias(self, event: Any) -> None:
        node = self.anchors.get(event.anchor)
        if node is None:
            inside = event.anchor in self.anchors
            problem = "refers to itself" if inside else "is not defined above"
            raise _failure(*_place(event), "bad-alias", f"alias *{event.anchor} {problem}")
        self.aliased += node.size
        if self.aliased > MAX_ALIASED_NODES or len(self.open) + node.height > MAX_DEPTH:
            raise _failure(*_place(event), "too-large", "the aliases expand to too much")
        self._add(node)

    def _add(self, node: Node) -> None:
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        parent.size += node.size
        if node.height >= parent.height:
            parent.height = node.height + 1
        if isinstance(parent, Items):
            parent.items.append(node)
        elif self.keys[-1] is None:
            self.keys[-1] = self._key(node)
        else:
            self._entry(parent, self.keys[-1], node)
            self.keys[-1] = None

    def _entry(self, parent: Mapping, key: Text, value: Node) -> None:
        if key.text == "<<" and key.bare:
            parent.merged = True
            self._refuse(key, "merge-key", "`<<` is not supported; write the keys out")
            return
        earlier = parent.entries.get(key.text)
        if earlier is not None:
            message = f"{key.text!r} is already there in line {earlier[0].line}; keep one of them"
            self._refuse(key, "duplicate-key", message)
            return
        parent.entries[key.text] = (key, value)
        if isinstance(value, (Mapping, Items)) and value.key is None:
            value.key = key

    def _key(self, node: Node) -> Text:
        if not isinstance(node, Text):
            raise _failure(node.line, node.column, "bad-key", "a key must be plain text")
        return node

    def _refuse(self, key: Text, code: str, message: str) -> None:
        self.errors.append(Problem(key.line, key.column, self._path(), code, message))

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None:
            line, column = _place(event)
            message = f"tags such as {event.tag!r} are not used here; remove it"
            self.errors.append(Problem(line, column, self._path(), "tag", message))

    def _path(self) -> str:
        parts = ""
        for node, key in zip(self.open, self.keys, strict=True):
            if isinstance(node, Items):
                parts += f"[{len(node.items)}]"
            elif key is not None:
                parts += f".{key.text}"
        return parts.removeprefix(".")


def _place(event: Any) -> tuple[int, int]:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1


def _failure(line: int, column: int, code: str, message: str) -> RulesError:
    return RulesError([Problem(line, column, "", code, message)], [])


def _forbidden_character(text: str) -> RulesError:
    found = _FORBIDDEN.search(text)
    line, column = _end(text[: found.start()] if found else "")
    return _failure(line, column, "syntax", "a character that YAML does not allow")


def _end(text: str) -> tuple[int, int]:
    """Return the place behind the last character, with lines as YAML breaks them."""
    lines = f"{text}.".splitlines()
    return len(lines), len(lines[-1])


def _syntax_error(text: str, mark: Any, problem: str) -> RulesError:
    hint = ""
    if "tab" in problem or "cannot start any token" in problem:
        hint = " (indent with spaces; quote a value that starts with a special character)"
    elif "mapping values are not allowed" in problem:
        hint = " (is the indentation right, and the value with a colon quoted?)"
    place = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    # For what ends too early libyaml names a line that is not there.
    line, column = min(place, _end(text))
    return _failure(line, column, "syntax", f"not valid YAML: {problem}{hint}")
