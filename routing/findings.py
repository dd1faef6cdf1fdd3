"""What a proof finds: an error, a warning or information, with a call that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from routing.loops import Loop
    from routing.worlds import Witness

ERROR, WARNING, INFO = "error", "warning", "info"


@dataclass(frozen=True, slots=True)
class Hider:
    """An earlier rule that takes the calls of a dead one: on what, and a call that shows it."""

    rule: str
    index: int
    because: str
    witness: Witness


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `keys` is the path of the key that it is about, outermost first."""

    severity: str
    code: str
    keys: tuple[str | int, ...]
    message: str
    witness: Witness | None = None
    hidden_by: tuple[Hider, ...] = ()
    loop: Loop | None = None
    proposed: str | None = None
    """A line for `expect`."""
