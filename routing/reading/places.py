"""Where in a rules file something stands, found by its path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.problems import Problems
from routing.reading.document import Items, Mapping, Node, parse
from routing.reading.shapes import place_of

if TYPE_CHECKING:
    from collections.abc import Sequence


class Places:
    """The places of one file's text."""

    def __init__(self, text: str) -> None:
        self._root = parse([text], Problems())

    def of(self, keys: Sequence[str | int]) -> tuple[int, int]:
        """Return line and column of a path, or of as much of it as is written there."""
        node = place = self._root
        for key in keys:
            entry = _entry(node, key)
            if entry is None:
                break
            place, node = entry
        return place.line, place.column


def _entry(node: Node, key: str | int) -> tuple[Node, Node] | None:
    """Return what shows an entry best, and its value."""
    if isinstance(node, Mapping) and isinstance(key, str) and key in node.entries:
        return node.entries[key]
    if isinstance(node, Items) and isinstance(key, int) and key < len(node.items):
        return place_of(node.items[key]), node.items[key]
    return None
