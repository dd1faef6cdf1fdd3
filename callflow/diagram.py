"""Writes docs/call-states.md from the table of a call's states: `make docs`."""

from __future__ import annotations

from callflow.record import NEW, OVER, TRANSITIONS

_INTRODUCTION = """\
# The states of a call

Generated from `TRANSITIONS` in `callflow/record.py` by `make docs`; a test keeps both alike. What
is not drawn changes nothing: a duplicate, or an event out of order, does no harm.

| State | Means |
|---|---|
| new | announced, and not answered yet |
| answering | to be answered by us (`AUTO_ANSWER=false`), or refused |
| routing | somebody has to choose what comes next, and send it |
| ringing | one destination rings, or a group of them |
| connected | the caller talks to a destination |
| announcing | the caller hears an announcement |
| ending | to be hung up by us |
| over | ended |

"""


def page() -> str:
    """Return the whole page, with the diagram in Mermaid's language."""
    arrows = [f"    [*] --> {NEW}"]
    arrows += [f"    {old} --> {new}: {what}" for (old, what), new in TRANSITIONS.items()]
    arrows.append(f"    {OVER} --> [*]")
    diagram = "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```"])
    return f"{_INTRODUCTION}{diagram}\n"


if __name__ == "__main__":
    print(page(), end="")
