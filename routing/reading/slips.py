"""Slips that leave a text YAML and make it mean something else, and what was meant.

A blank or a colon that is missing, a comma that ends a value too early, curly quotes. Each is
noted, and mended where what follows can be read then.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from routing.problems import nearest
from routing.reading.document import Items, Mapping, Node, Text
from routing.signs import DOUBLE_QUOTES, SINGLE_QUOTES, named

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from routing.problems import Path, Problems

SYNONYMS = {
    **dict.fromkeys(("if", "condition", "conditions"), "when"),
    **dict.fromkeys(("to", "forward", "dial", "call", "destination"), "transferTo"),
    **dict.fromkeys(("say", "speak", "play", "message"), "announce"),
    **dict.fromkeys(("hangup", "block"), "reject"),
    **dict.fromkeys(("else", "default"), "otherwise"),
    "timeout": "ring",
    "days": "hours",
}
"""Keys that other programs have -> ours, for hints."""
_CURLY = DOUBLE_QUOTES + SINGLE_QUOTES
_NO_BLANK = re.compile(
    r"(?!(?:sips?|tel|https?):)([A-Za-z][\w.-]*) *[:\uff1a](?!//)(\S.*)", re.IGNORECASE
)
_NO_COLON = re.compile(r"([^\[{:]+?) *(:?) *([\[{].*)")
_BETWEEN_NAMES = re.compile(r"\s*[,;/+&]\s*|\s+and\s+|\s+")
_TWO_WORDS = re.compile(r"([A-Za-z][\w-]*) *( |=) *([^\s=].*)")


def without_blank(text: str) -> tuple[str, str] | None:
    """Return key and value of `transferTo:desk`, which YAML reads as one word."""
    found = _NO_BLANK.fullmatch(text)
    return (found[1], found[2]) if found else None


def missing_blank(key: str, value: str) -> str:
    """Return the message about a key and its value that YAML reads as one word."""
    return f"a blank is missing after the colon; write `{key}: {value}`"


def key_and_value(text: str, known: Collection[str] = ()) -> str | None:
    """Return the message about a value that was meant as a key with its value, if it was."""
    parts = without_blank(text)
    if parts:
        return missing_blank(*parts)
    words = _TWO_WORDS.fullmatch(text)
    if words and (words[2] == "=" or words[1] in known):
        return f"a key and its value have a colon between them; write {{{words[1]}: {words[3]}}}"
    return None


def several_names(text: str, known: Collection[str]) -> str | None:
    """Return the message about names that are written as one text, if they are."""
    names = _BETWEEN_NAMES.split(text)
    if len(names) > 1 and all(each in known for each in names):
        return f"several names are a list; write [{', '.join(names)}]"
    return None


def without_dashes(node: Node, path: Path, problems: Problems) -> Node:
    """Return the one mapping that a list of mappings was meant for, after noting that."""
    if not isinstance(node, Items) or not all(isinstance(each, Mapping) for each in node.items):
        return node
    if not node.items:
        return node
    message = "this is a list; leave out the dashes, and write its keys below one another"
    problems.error(node, path, "not-a-mapping", message)
    entries = [each.entries for each in node.items if isinstance(each, Mapping)]
    merged = {key: value for each in entries for key, value in each.items()}
    return Mapping(node.line, node.column, merged, key=node.key, merged=True)


def curly(node: Text, path: Path, problems: Problems) -> str | None:
    """Note a value or key that begins with a curly quote, and return what it is without quotes."""
    if not node.bare or node.text[:1] < "\u2000" or node.text[0] not in _CURLY:
        return None
    text = _uncurled(node.text)
    message = f"{named(node.text[0])} is no quotation mark for YAML; write {_quoted(text)}"
    problems.error(node, path, "curly-quote", message)
    return text or None


def mend_keys(node: Mapping, path: Path, problems: Problems, known: Collection[str] = ()) -> None:
    """Note keys with a slip in them, and let each stand for what it means.

    Where there are `known` keys, only what is like one of them is taken for it.
    """
    for text, (key, value) in list(node.entries.items()):
        if key.bare and text not in known:
            if _is_empty(value):
                _split(node, key, path, problems, known)
            else:
                _refuse_without_colon(node, text, path, problems, known)
    if known:
        refuse_split_values(node, path, problems, known)


def _split(
    node: Mapping, key: Text, path: Path, problems: Problems, known: Collection[str]
) -> None:
    parts, message = without_blank(key.text), ""
    if parts and _is_like(parts[0], known):
        message = missing_blank(*parts)
    elif (words := _TWO_WORDS.fullmatch(key.text)) and words[1] in known:
        parts = words[1], words[3]
        reason = "a colon belongs there, no =" if words[2] == "=" else "a colon is missing"
        message = f"{reason}; write `{parts[0]}: {parts[1]}`"
    if parts and message:
        name, rest = parts
        problems.error(key, (path, name), "missing-blank", message)
        del node.entries[key.text]
        written = Text(key.line, key.column + len(key.text) - len(rest), rest, bare=True)
        node.entries.setdefault(name, (key, written))


def _refuse_without_colon(
    node: Mapping, text: str, path: Path, problems: Problems, known: Collection[str]
) -> None:
    """Note `otherwise {transferTo: desk}` or `otherwise:{transferTo: desk}`."""
    key, value = node.entries[text]
    found = _NO_COLON.fullmatch(text)
    if found and _is_like(found[1], known):
        rest = value.text if isinstance(value, Text) else "…"
        reason = "a blank is missing after the colon" if found[2] else "a colon is missing"
        message = f"{reason}; write `{found[1]}: {found[3]}: {rest}`"
        problems.error(key, (path, found[1]), "missing-blank", message)
        del node.entries[text]
        node.merged = True  # nothing is missing for certain


def _is_like(name: str, known: Collection[str]) -> bool:
    return not known or nearest(name, known, 0.8) is not None


def refuse_split_values(
    node: Mapping, path: Path, problems: Problems, known: Collection[str]
) -> None:
    """Note values that a comma inside {…} ended, and put each together again."""
    pieces: dict[str, list[Text]] = {}
    before = ""
    for text, (key, value) in list(node.entries.items()):
        begun = node.entries.get(before, (key, key))[1]
        empty = key.bare and _is_empty(value) and text not in known
        split = empty and isinstance(begun, Text) and begun.bare and begun.line == key.line
        if before and split and not nearest(text, known, 0.8):
            pieces.setdefault(before, []).append(key)
            del node.entries[text]
        else:
            before = text
    for name, rest in pieces.items():
        _put_together(node, name, rest, path, problems)


def _put_together(
    node: Mapping, name: str, rest: list[Text], path: Path, problems: Problems
) -> None:
    key, value = node.entries[name]
    whole = ", ".join(each.text for each in (value, *rest) if isinstance(each, Text))
    reason = "a comma inside {…} ends the value"
    if whole[0] in _CURLY:
        reason, whole = f"{named(whole[0])} is no quotation mark for YAML", _uncurled(whole)
    message = f"{reason}; write `{name}: {_quoted(whole)}`"
    problems.error(rest[0], (path, rest[0].text), "split-value", message)
    node.entries[name] = key, Text(value.line, value.column, whole, bare=False)


def mistyped(node: Mapping, key: str, known: Iterable[str], required: Collection[str] = ()) -> None:
    """Let a mistyped key stand for the one that it nearly is, so that its value is read too.

    Without it one wrong letter would bring errors wherever the value is missed; a `required` one
    is missed for certain.
    """
    meant = nearest(key, known, 0.7) or nearest(key, required, 0.6)
    if meant and meant not in node.entries:
        node.entries[meant] = node.entries.pop(key)


def _uncurled(text: str) -> str:
    return text.strip(_CURLY + "\"'")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _is_empty(node: Node) -> bool:
    return isinstance(node, Text) and node.bare and not node.text
