"""YAML text -> a tree of nodes that know their place. Every scalar stays text.

Built from PyYAML's event stream, because its own loaders type the scalars (`no` becomes false,
`22:00` a number), forget where things stand, and let later keys silently replace earlier ones.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from msgspec import Struct, field

from routing.problems import Problem, RulesError
from routing.signs import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from routing.problems import Problems

    Take = Callable[["Text", "Node"], None]
    """Takes one entry of a section, key and value."""
    _Open = tuple["Items | Mapping | None", "Text | None", list[Any], str | None]
    """A node that is open, its key that waits for a value, what is written in it, its anchor."""

MAX_DEPTH = 40
"""Levels of nesting; a real file has less than twelve."""
MAX_ALIASED_NODES = 100_000
"""Nodes that aliases may repeat in all, so that an alias bomb costs nothing."""
_PIECE = 512
"""Characters that the parser is given at a time; they are some 100 µs of work."""

_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class NotYamlError(Exception):
    """A text is no YAML; `error` says where the parser gave up, in its own words."""

    def __init__(self, error: yaml.MarkedYAMLError) -> None:
        super().__init__(str(error))
        self.error = error


class Node(Struct, eq=False):
    """One piece of the document; `line` and `column` count from 1."""

    line: int
    column: int


class Text(Node, eq=False):
    """A scalar, as written. `bare` when it has no quotes."""

    text: str
    bare: bool

    @property
    def written(self) -> Any:
        """What is written, whatever its place; equal for equal texts."""
        return self.text if self.bare else (self.text,)


class Items(Node, eq=False):
    """A sequence. `key` is the key that it stands under, if any."""

    items: list[Node] = field(default_factory=list)
    key: Text | None = None
    written: tuple[Any, ...] = ()
    """What is written, whatever its place; equal for equal sequences."""
    extent: tuple[int, int] | None = None


class Mapping(Node, eq=False):
    """A mapping: key text -> (key, value). `key` is the key that it stands under, if any."""

    entries: dict[str, tuple[Text, Node]] = field(default_factory=dict)
    key: Text | None = None
    written: tuple[Any, ...] = ()
    """What is written, whatever its place; equal for equal mappings."""
    extent: tuple[int, int] | None = None
    """Nodes in it, aliases expanded, and how deep they go; known once an alias asked."""
    merged: bool = False
    """Whether a `<<` stood here; its keys are not read, so nothing is missing for certain."""

    def get(self, key: str) -> Node | None:
        """Return the value of `key`, or None."""
        entry = self.entries.get(key)
        return entry[1] if entry else None


def parse(
    pieces: Iterable[str],
    problems: Problems,
    breathe: Callable[[], None] = lambda: None,
    taker: Callable[[str, Mapping], Take | None] = lambda _key, _root: None,
) -> Node:
    """Return the root node of the only document in `pieces`; raise NotYamlError if it is no YAML.

    What would surprise is refused with a RulesError: several documents, keys that are not plain
    text, and anything larger than the bounds above. Tags, merge keys and duplicate keys are added
    to `problems`; the rest of the document is read all the same.

    `breathe` is called after each small piece of work. `taker` is asked for each mapping under a
    key of the root, given the root so far; who gives a function back gets the entries one by one
    as they are complete, and they are not kept.
    """
    builder = _Builder(problems, taker)
    parser = _Loader(_Stream(pieces, breathe))
    try:
        take = builder.take
        for event in iter(parser.get_event, None):
            take[type(event)](event)
    except yaml.MarkedYAMLError as error:
        raise NotYamlError(error) from None
    except (yaml.reader.ReaderError, UnicodeEncodeError):
        raise _forbidden_character(pieces) from None
    finally:
        parser.dispose()
    if builder.root is None:
        raise _failure(1, 1, "empty-file", "the file is empty; it needs at least `lines`")
    return builder.root


class _Stream:
    """What the parser reads from."""

    def __init__(self, pieces: Iterable[str], breathe: Callable[[], None]) -> None:
        self._pieces = small_pieces(pieces)
        self._breathe = breathe

    def read(self, _size: int) -> str:
        """Return the next piece."""
        self._breathe()
        return next(self._pieces, "")


def small_pieces(pieces: Iterable[str]) -> Iterator[str]:
    """Yield a text in pieces so small that nothing done to one takes long."""
    return (piece[at : at + _PIECE] for piece in pieces for at in range(0, len(piece), _PIECE))


class _Builder:
    """Takes the events one by one and keeps what is needed."""

    def __init__(self, problems: Problems, taker: Callable[[str, Mapping], Take | None]) -> None:
        self.root: Node | None = None
        self.problems = problems
        self.taker = taker
        self.section: Mapping | None = None
        self.take_entry: Take | None = None
        self.anchors: dict[str, Items | Mapping | Text | None] = {}
        self.aliased = 0
        # Of the innermost node that is open; those of the others are in `outer`.
        self.parent: Items | Mapping | None = None
        self.key: Text | None = None
        self.written: list[Any] = []
        self.anchor: str | None = None
        self.outer: list[_Open] = []
        self.take: dict[type, Callable[[Any], None]] = {
            yaml.StreamStartEvent: self._pass,
            yaml.StreamEndEvent: self._pass,
            yaml.DocumentStartEvent: self._document,
            yaml.DocumentEndEvent: self._pass,
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.MappingStartEvent: self._mapping,
            yaml.SequenceStartEvent: self._sequence,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
        }

    def _pass(self, event: Any) -> None:
        pass

    def _document(self, event: Any) -> None:
        if self.root is not None:
            raise _failure(
                *_place(event), "several-documents", "only one document is read; delete the `---`"
            )

    def _scalar(self, event: Any) -> None:
        mark, text, bare = event.start_mark, event.value, not event.style
        if event.anchor is not None and bare and not text:
            text = f"&{event.anchor}"  # nothing is marked, so it was meant as text
        node = Text(mark.line + 1, mark.column + 1, text, bare)
        if event.tag is not None:
            self._refuse_tag(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        self._add(node, text if bare else (text,))

    def _mapping(self, event: Any) -> None:
        mark = event.start_mark
        node = Mapping(mark.line + 1, mark.column + 1)
        if len(self.outer) == 1 and event.anchor is None:
            self._offer(node)
        self._start(event, node, [])

    def _sequence(self, event: Any) -> None:
        mark = event.start_mark
        self._start(event, Items(mark.line + 1, mark.column + 1), [None])

    def _offer(self, node: Mapping) -> None:
        """Let the entries of a section be taken one by one, if somebody wants them."""
        root, key = self.parent, self.key
        if isinstance(root, Mapping) and key is not None and key.text not in root.entries:
            take = self.taker(key.text, root)
            if take:
                self.section, self.take_entry = node, take

    def _start(self, event: Any, node: Items | Mapping, written: list[Any]) -> None:
        if event.tag is not None:
            self._refuse_tag(event)
        if len(self.outer) >= MAX_DEPTH:
            raise _failure(*_place(event), "too-deep", f"nested more than {MAX_DEPTH} levels deep")
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        node.key = self.key
        self.outer.append((self.parent, self.key, self.written, self.anchor))
        self.parent, self.key, self.written, self.anchor = node, None, written, event.anchor

    def _end(self, _event: Any) -> None:
        node, anchor = self.parent, self.anchor
        written = tuple(self.written)
        self.parent, self.key, self.written, self.anchor = self.outer.pop()
        if node is not None:
            node.written = written
            if anchor is not None:
                self.anchors[anchor] = node
            self._add(node, written)

    def _alias(self, event: Any) -> None:
        node = self.anchors.get(event.anchor)
        if node is None:
            inside = event.anchor in self.anchors
            raise _failure(*_place(event), "bad-alias", _bad_alias(event.anchor, inside=inside))
        size, height = self._extent(node)
        self.aliased += size
        if self.aliased > MAX_ALIASED_NODES or len(self.outer) + height > MAX_DEPTH:
            raise _failure(*_place(event), "too-large", "the aliases expand to too much")
        self._add(node, node.written)

    def _extent(self, node: Node) -> tuple[int, int]:
        """Return how many nodes there are in `node`, aliases expanded, and how deep they go."""
        if not isinstance(node, (Items, Mapping)):
            return 1, 1
        if node.extent is None:
            inner = [self._extent(each) for each in _inside(node)]
            height = 1 + max((height for _, height in inner), default=0)
            node.extent = 1 + sum(size for size, _ in inner), height
        return node.extent

    def _add(self, node: Items | Mapping | Text, written: Any) -> None:
        parent, key = self.parent, self.key
        self.written.append(written)
        if parent is None:
            self.root = node
        elif isinstance(parent, Items):
            parent.items.append(node)
        elif key is not None:
            self._entry(parent, key, node)
            self.key = None
        elif isinstance(node, Text):
            self.key = node
        else:
            raise _failure(node.line, node.column, "bad-key", "a key must be plain text")

    def _entry(self, parent: Mapping, key: Text, value: Node) -> None:
        name = key.text
        if name in parent.entries or (name == "<<" and key.bare):
            self._refuse_entry(parent, key)
        elif self.take_entry and parent is self.section:
            parent.entries[name] = (key, key)
            self.written.clear()
            self.take_entry(key, value)
        else:
            parent.entries[name] = (key, value)

    def _refuse_entry(self, parent: Mapping, key: Text) -> None:
        if key.text == "<<" and key.bare:
            parent.merged = True
            self._refuse(key, "merge-key", "`<<` is not supported; write the keys out")
            return
        line = parent.entries[key.text][0].line
        message = f"{key.text!r} is already there in line {line}; keep one of them"
        self._refuse(key, "duplicate-key", message)

    def _refuse(self, key: Text, code: str, message: str) -> None:
        self.problems.note_error(key.line, key.column, self._path(), code, message)

    def _refuse_tag(self, event: Any) -> None:
        message = f"a value cannot begin with {event.tag}; remove it, or put the value in quotes"
        self.problems.note_error(*_place(event), self._path(), "tag", message)

    def _path(self) -> str:
        parts = ""
        innermost: _Open = (self.parent, self.key, [], None)
        for node, key, _written, _anchor in [*self.outer, innermost]:
            if isinstance(node, Items):
                parts += f"[{len(node.items)}]"
            elif key is not None:
                parts += f".{key.text}"
        return parts.removeprefix(".")


def _bad_alias(name: str, *, inside: bool) -> str:
    if inside:
        return f"*{name} stands within &{name}, so it would hold itself"
    return f"no &{name} above marks what *{name} stands for; if it is text, write '*{name}'"


def _inside(node: Items | Mapping) -> Iterator[Node]:
    if isinstance(node, Items):
        yield from node.items
    else:
        yield from (each for entry in node.entries.values() for each in entry)


def _place(event: Any) -> tuple[int, int]:
    mark = event.start_mark
    return mark.line + 1, mark.column + 1


def _failure(line: int, column: int, code: str, message: str) -> RulesError:
    return RulesError([Problem(line, column, "", code, message)], [])


def _forbidden_character(pieces: Iterable[str]) -> RulesError:
    line, column = _end(_allowed(pieces))
    found = next(each for each in map(_FORBIDDEN.search, pieces) if each)
    message = f"{named(found[0])} cannot stand in a rules file; delete it"
    return _failure(line, column, "syntax", message)


def _allowed(pieces: Iterable[str]) -> Iterator[str]:
    """Yield what stands before the first forbidden character."""
    for piece in small_pieces(pieces):
        found = _FORBIDDEN.search(piece)
        yield piece[: found.start()] if found else piece
        if found:
            return


def _end(pieces: Iterable[str]) -> tuple[int, int]:
    """Return the place behind the last character, with lines as YAML breaks them."""
    line, column, returned = 1, 1, False
    for piece in small_pieces(pieces):
        # A carriage return and a line feed are one end of a line, also in two pieces.
        more = piece.removeprefix("\n") if returned else piece
        lines = f"{more}.".splitlines()
        column = len(lines[-1]) + (column - 1 if len(lines) == 1 else 0)
        line += len(lines) - 1
        returned = piece.endswith("\r")
    return line, column
