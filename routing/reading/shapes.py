"""Shapes: what may stand at a place of the rules file. Each reads a node into a value.

A shape notes every problem it finds and returns None for what could not be read; a file with a
single error gives no RuleSet, so a None never reaches a call.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar
from zoneinfo import ZoneInfo

from routing.problems import Path, Problems, Wrong, did_you_mean
from routing.reading.document import Items, Mapping, Node, Text
from routing.reading.slips import (
    SYNONYMS,
    curly,
    key_and_value,
    mend_keys,
    mistyped,
    several_names,
    without_dashes,
)
from routing.rules import NO_PARAMETERS, Parameters, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from routing.callers import CallerList
    from routing.countries import PublicHolidays

_CURLY = "\u2000"
"""The first sign that may be a curly quote."""
MANY_HINTS = 30
"""Unknown names of one file that get a hint; each hint searches all the names."""
_MANY_NAMES = 12
"""Known names that are listed."""
MANY_SHARED = 1024
"""Parts that are remembered at a time, so that a file without equal parts costs little memory."""

Schema = dict[str, Any]
"""A JSON Schema, draft 7. The editors that read it have typed bare scalars: `20` is a number."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Unsent(NamedTuple):
    """A transfer parameter that cannot be sent where several ring together, and its place."""

    key: str
    node: Node
    path: Path


@dataclass(slots=True)
class Context:
    """What is known of the file while it is read: its names, and which of them are used."""

    problems: Problems = field(default_factory=Problems)
    names: dict[str, dict[str, Any]] = field(default_factory=dict)
    used: set[tuple[str, str]] = field(default_factory=set)
    zone: ZoneInfo | None = None
    breathe: Callable[[], None] = lambda: None
    """Called after each small piece of work."""
    hints: int = 0
    """Unknown names that have got a hint."""
    defaults: Parameters = NO_PARAMETERS
    unsent: dict[str, list[Unsent]] = field(default_factory=dict)
    """Destination -> what is written of it that cannot be sent where several ring together."""
    allow: list[str] = field(default_factory=list)
    deny: list[str] = field(default_factory=list)
    emergency: tuple[Stage, ...] = ()
    rule_names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Line -> the names of its rules, also of those that could not be read."""
    lines_by_number: dict[str, str] = field(default_factory=dict)
    caller_lists: list[CallerList] = field(default_factory=list)
    countries: list[tuple[Path, PublicHolidays]] = field(default_factory=list)
    """The countries whose holidays are taken, by their places."""
    shared: dict[Any, Any] = field(default_factory=dict)
    """Parts read so far that others of the file may be equal to."""

    def share(self, key: Any, part: T) -> T:
        """Remember `part` as what `key` stands for, and return it."""
        if len(self.shared) >= MANY_SHARED:
            self.shared.clear()
        self.shared[key] = part
        return part

    def home_zone(self) -> ZoneInfo:
        """Return the file's zone, which is needed here; note once that it is missing."""
        if self.zone is None:
            message = "the file needs `timezone`, such as America/New_York, for its times"
            self.problems.error(Node(1, 1), ((), "timezone"), "missing-key", message)
            self.zone = ZoneInfo("UTC")
        return self.zone

    def known(self, kind: str, name: str) -> bool:
        """Return whether a `kind` of that name is defined, and count it as used."""
        if name not in self.names.get(kind, {}):
            return False
        self.used.add((kind, name))
        return True


class Shape(Protocol[T_co]):
    """Reads one node."""

    @property
    def what(self) -> str:
        """What belongs there, for messages."""

    def read(self, node: Node, path: Path, context: Context) -> T_co | None:
        """Return the value, or None after noting what is wrong."""

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return the JSON Schema of the shape; parts with a name are put into `defined`."""


ANY_SCALAR: Schema = {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True, slots=True)
class Scalar(Generic[T]):
    """A scalar that `parse` turns into a value; it raises Wrong for a bad one."""

    what: str
    parse: Callable[[str], T]
    form: Schema = field(default_factory=lambda: ANY_SCALAR, compare=False)
    """The part of its JSON Schema that says more than that it is a scalar."""

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return the form."""
        return explained(self.form, self.what)

    def read(self, node: Node, path: Path, context: Context) -> T | None:
        """Return the parsed text."""
        text = text_of(node, path, context, self.what)
        if text is None:
            return None
        return made(lambda: self.parse(text), node, path, context)


@dataclass(frozen=True, slots=True)
class Name:
    """A name defined elsewhere in the file, of one kind or another."""

    kind: str
    other: str = ""

    @property
    def what(self) -> str:
        """The kind, for messages."""
        return f"the name of a {self.kind}"

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return any scalar: which names there are, only the file says."""
        return ANY_SCALAR

    def read(self, node: Node, path: Path, context: Context) -> str | None:
        """Return the name if it is defined."""
        text = text_of(node, path, context, self.what)
        if text is None or context.known(self.kind, text) or context.known(self.other, text):
            return text
        unknown_name(node, path, context, (self.kind, self.other), text)
        return None


@dataclass(frozen=True, slots=True)
class OneOrMore(Generic[T]):
    """One value, or a list of them."""

    item: Shape[T]

    @property
    def what(self) -> str:
        """What the items are, for messages."""
        return f"{self.item.what}, or a list of them"

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return the item's, or a list of them."""
        several = ListOf(self.item).schema(defined)
        return either("array", several, self.item.schema(defined))

    def read(self, node: Node, path: Path, context: Context) -> list[T] | None:
        """Return the values that could be read."""
        if not isinstance(node, Items):
            value = self.item.read(node, path, context)
            return None if value is None else [value]
        return read_items(node, path, context, self.item)


@dataclass(frozen=True, slots=True)
class ListOf(Generic[T]):
    """A list with at least one item."""

    item: Shape[T]

    @property
    def what(self) -> str:
        """What the items are, for messages."""
        return f"a list, each item {self.item.what}"

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return a list of at least one item."""
        return {"type": "array", "items": self.item.schema(defined), "minItems": 1}

    def read(self, node: Node, path: Path, context: Context) -> list[T] | None:
        """Return the values that could be read."""
        if not isinstance(node, Items):
            message = f"expected {self.what}; begin each with a dash and a blank"
            context.problems.error(node, path, "not-a-list", message)
            return None
        return read_items(node, path, context, self.item)


@dataclass(frozen=True, slots=True)
class MapOf(Generic[T]):
    """A mapping from names that the user chooses to values of one shape."""

    what: str
    item: Shape[T]

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return a mapping with at least one entry."""
        return map_schema(self.item.schema(defined))

    def read(self, node: Node, path: Path, context: Context) -> dict[str, T] | None:
        """Return the values that could be read, by name."""
        entries = entries_of(node, path, context, self.what)
        found = {}
        for key, (key_node, value_node) in entries.items():
            context.breathe()
            check_name(key_node, path, context)
            value = self.item.read(value_node, (path, key), context)
            if value is not None:
                found[key] = value
        return found


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a Record. `doc` is what the reference says of it."""

    shape: Shape[Any]
    doc: str
    required: bool = False

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return the shape's, with what the reference says."""
        schema = self.shape.schema(defined)
        # Whatever stands beside a `$ref` is ignored (draft 7).
        return {"description": self.doc, **({"allOf": [schema]} if "$ref" in schema else schema)}


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with fixed keys; the values that could be read come back by key."""

    what: str
    fields: dict[str, Field]

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return a mapping with these keys and no others."""
        required = [key for key, known in self.fields.items() if known.required]
        return {
            "type": "object",
            "properties": {key: known.schema(defined) for key, known in self.fields.items()},
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }

    def read(self, node: Node, path: Path, context: Context) -> dict[str, Any] | None:
        """Return the values by key; None if the node is no mapping at all."""
        if not isinstance(node, Mapping):
            node = without_dashes(node, path, context.problems)
        if not isinstance(node, Mapping):
            wrong_kind(node, path, context, self.what, self.fields)
            return None
        if not node.entries.keys() <= self.fields.keys():
            self._refuse_unknown(node, path, context)
        values = {}
        for key, (_, value_node) in node.entries.items():
            known = self.fields.get(key)
            if known is None:
                continue
            value = known.shape.read(value_node, (path, key), context)
            if value is not None:
                values[key] = value
        self._require(node, path, context)
        return values

    def _require(self, node: Mapping, path: Path, context: Context) -> None:
        for key, known in self.fields.items():
            if known.required and key not in node.entries and not node.merged:
                message = f"{self.what} needs `{key}`: {known.doc}"
                context.problems.error(place_of(node), path, "missing-key", message)

    def _refuse_unknown(self, node: Mapping, path: Path, context: Context) -> None:
        mend_keys(node, path, context.problems, self.fields)
        required = [key for key, known in self.fields.items() if known.required]
        for key in [key for key in node.entries if key not in self.fields]:
            place, _ = node.entries[key]
            hint = did_you_mean(SYNONYMS.get(key.lower(), key), self.fields)
            hint = hint or f"; the keys are {', '.join(self.fields)}"
            message = f"{self.what} has no key {key!r}{hint}"
            context.problems.error(place, (path, key), "unknown-key", message)
            mistyped(node, key, self.fields, required)


@dataclass(frozen=True, slots=True)
class Built(Generic[T]):
    """A shape whose value is made from another's by `build`.

    `rules` is what `build` asks for, as JSON Schema; one with a `name` is written down once.
    """

    inner: Shape[Any]
    build: Callable[[Any, Node, Path, Context], T | None]
    rules: Schema = field(default_factory=dict, compare=False)
    name: str = ""
    anywhere: bool = False
    """Whether equal nodes make equal values wherever they stand; they are read once."""

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return the inner shape's and the rules, or a reference to them."""
        if not self.name:
            return self.inner.schema(defined) | self.rules
        if self.name not in defined:
            defined[self.name] = {}  # it may hold itself
            defined[self.name] = self.inner.schema(defined) | self.rules
        return {"$ref": f"#/definitions/{self.name}"}

    @property
    def what(self) -> str:
        """What the inner shape says."""
        return self.inner.what

    def read(self, node: Node, path: Path, context: Context) -> T | None:
        """Return what `build` makes; a Wrong that it raises is noted at the node."""
        if not self.anywhere or not isinstance(node, (Mapping, Items, Text)):
            return self._make(node, path, context)
        key = self.name, node.written
        known: T | None = context.shared.get(key)
        if known is not None:
            return known
        before = context.problems.noted
        value = self._make(node, path, context)
        if value is None or context.problems.noted > before:
            return value
        return context.share(key, value)

    def _make(self, node: Node, path: Path, context: Context) -> T | None:
        context.breathe()
        value = self.inner.read(node, path, context)
        if value is None:
            return None
        return made(lambda: self.build(value, node, path, context), place_of(node), path, context)


def explained(form: Schema, what: str) -> Schema:
    """Return a form whose pattern is put into words; editors show them, others pass them over."""
    return form | {"patternErrorMessage": f"expected {what}"} if "pattern" in form else form


def either(kind: str, form: Schema, other: Schema) -> Schema:
    """Return the JSON Schema of one of two forms, told apart by the kind of the value.

    An `anyOf` would say of every mistake within only that neither form fits.
    """
    return {"if": {"type": kind}, "then": form, "else": other}


def map_schema(item: Schema, **more: Any) -> Schema:
    """Return the JSON Schema of a mapping from names to items."""
    return {"type": "object", "additionalProperties": item, "minProperties": 1, **more}


def made(make: Callable[[], T | None], node: Node, path: Path, context: Context) -> T | None:
    """Return what `make` makes; a Wrong that it raises is noted at the node."""
    try:
        return make()
    except Wrong as wrong:
        context.problems.error(node, path, wrong.code, str(wrong))
        return None


def read_items(node: Items, path: Path, context: Context, item: Shape[T]) -> list[T]:
    """Return the items that could be read; an empty list is an error."""
    if not node.items:
        message = f"the list is empty; it needs {item.what}"
        context.problems.error(node, path, "empty-list", message)
    values = []
    for index, each in enumerate(node.items):
        context.breathe()
        value = item.read(each, (path, index), context)
        if value is not None:
            values.append(value)
    return values


def entries_of(node: Node, path: Path, context: Context, what: str) -> dict[str, tuple[Text, Node]]:
    """Return the entries of a mapping; anything else, or an empty one, is an error."""
    node = without_dashes(node, path, context.problems)
    if not isinstance(node, Mapping):
        wrong_kind(node, path, context, what)
        return {}
    if not node.entries and not node.merged:
        context.problems.error(node, path, "empty-mapping", f"{{}} is empty; expected {what}")
    mend_keys(node, path, context.problems)
    return node.entries


def text_of(node: Node, path: Path, context: Context, what: str) -> str | None:
    """Return the text of a scalar; nothing written, or something else, is an error."""
    if not isinstance(node, Text):
        kind = "list" if isinstance(node, Items) else "mapping"
        context.problems.error(node, path, "not-a-value", f"expected {what}, not a {kind}")
        return None
    if not node.text or (node.bare and node.text in {"~", "null"}):
        context.problems.error(node, path, "missing-value", f"nothing is written; expected {what}")
        return None
    if node.text[0] >= _CURLY and node.bare:
        return curly(node, path, context.problems) or node.text
    return node.text


def wrong_kind(
    node: Node, path: Path, context: Context, what: str, known: Collection[str] = ()
) -> None:
    """Note that something other than a mapping stands where one belongs; its keys may be known."""
    meant = key_and_value(node.text, known) if isinstance(node, Text) and node.bare else None
    if meant:
        context.problems.error(node, path, "missing-blank", meant)
        return
    empty = isinstance(node, Text) and not node.text
    found = "nothing is written" if empty else "this is a list" if isinstance(node, Items) else ""
    keys = f": {_some(known)}" if known else ""
    message = f"{found or 'this is a single value'}; expected {what}, written as keys and values"
    context.problems.error(node, path, "not-a-mapping", message + keys)


def check_name(key: Text, path: Path, context: Context) -> None:
    """Refuse an empty name."""
    if not key.text:
        context.problems.error(key, path, "empty-name", "a name may not be empty")
    curly(key, (path, key.text), context.problems)


def unknown_name(
    node: Node, path: Path, context: Context, kind: str | Sequence[str], text: str
) -> None:
    """Note that no `kind`, or none of several, is called so, with the nearest name that is known.

    The first kind is what is mostly meant.
    """
    kinds = [kind] if isinstance(kind, str) else kind
    tables = [context.names.get(each, {}) for each in kinds]
    known = ChainMap(*tables)
    meant = key_and_value(text) or several_names(text, known)
    if meant:
        context.problems.error(node, path, "missing-blank", meant)
        return
    plural = KINDS.get(kinds[0], kinds[0])
    context.hints += 1
    hint = did_you_mean(text, known) if context.hints <= MANY_HINTS else ""
    if not hint:
        hint = f"; there are {_some(chain(*tables))}" if known else f"; {plural} is empty"
    context.problems.error(node, path, "unknown-name", f"no {kinds[0]} is called {text!r}{hint}")


def _some(names: Iterable[str]) -> str:
    shown = list(islice(names, _MANY_NAMES + 1))
    return ", ".join(shown[:_MANY_NAMES]) + ", …" * (len(shown) > _MANY_NAMES)


KINDS = {
    "destination": "destinations",
    "rotation": "rotations",
    "caller list": "callers",
    "calendar": "calendars",
    "schedule": "schedules",
    "line": "lines",
    "person": "the list of persons",
}
"""Kind of a name -> the section of the file that defines it."""


def place_of(node: Node) -> Node:
    """Return the node whose place names a mapping or list best: its key, where it has one."""
    return node.key or node if isinstance(node, (Mapping, Items)) else node


def choice(
    what: str, values: Iterable[str], normal: Callable[[str], str] = lambda text: text
) -> Scalar[str]:
    """Return the shape of one of `values`; what is written is brought to its `normal` form."""
    allowed = tuple(values)

    def parse(text: str) -> str:
        if normal(text) in allowed:
            return normal(text)
        hint = did_you_mean(text, allowed)
        raise Wrong(
            "unknown-value", f"{text!r} is no {what}; allowed are {', '.join(allowed)}{hint}"
        )

    article = "an" if what[0] in "aeiou" else "a"
    return Scalar(f"{article} {what}", parse, {"enum": list(allowed)})
