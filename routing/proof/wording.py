"""What actions do, in a few words: `reception, then ana + bo`; values as the file writes them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from routing.rules import AnnounceAction, RejectAction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from routing.rules import Action

_PLAIN = re.compile(r"[A-Za-z0-9+](?:[\w +./@-]|:(?=\w))*(?<! )")

_LONGEST = 40
"""Characters of an announcement that are shown."""


def action_words(action: Action) -> str:
    """Return what an action does."""
    if isinstance(action, RejectAction):
        return "rejected"
    if isinstance(action, AnnounceAction):
        text = action.audio.sentence or action.audio.file_url or ""
        return f"“{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}”"
    return ", then ".join(
        " + ".join(each.label for each in step.destinations) for step in action.steps
    )


def flow_words(value: object) -> str:
    """Return a value as YAML writes it in one line."""
    if isinstance(value, dict):
        entries = (f"{flow_words(key)}: {flow_words(each)}" for key, each in value.items())
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow_words, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    plain = _PLAIN.fullmatch(text) and text.lower() != "null"
    return text if plain else json.dumps(text, ensure_ascii=False)


def detail_words(name: str, value: object) -> str:
    """Return one thing that is written of an action, or that it is not."""
    if value is None:
        return f"no {name}"
    return f"{name} {value} s" if name == "ring" else f"{name} {flow_words(value)}"


def list_words(names: Sequence[str], most: int = 4, what: str = "") -> str:
    """Return some names in words: `ana, bo and cy`; of many the first ones."""
    if len(names) > most:
        more = len(names) - most + 1
        return f"{', '.join(names[: most - 1])} and {more} more{what}"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
