"""What a proof finds: an error, a warning or information, with a call that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from routing.proof.loops import Loop
    from routing.proof.worlds import Witness

ERROR, WARNING, INFO = "error", "warning", "info"


class Hider(Struct, frozen=True):
    """An earlier rule that takes the calls of a dead one: on what, and a call that shows it."""

    rule: str
    index: int
    because: str
    witness: Witness


class Finding(Struct, frozen=True):
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
