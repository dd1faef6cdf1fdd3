"""What actions do, in a few words: `reception, then ana + bo`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from routing.rules import AnnounceAction, RejectAction

if TYPE_CHECKING:
    from routing.rules import Action

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
