"""Turns for requests while the platform refuses some for their rate.

As long as nothing is refused, requests go out at once. After a refusal all of them take turns, over
all processes, so that nobody is starved and hardly any request is wasted.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from callflow import clock

if TYPE_CHECKING:
    from callflow.ledger import Ledger

_WIDEST_GAP, _NARROWEST_GAP = 1.02, 0.02
"""Seconds between two turns. It begins with the documented rate of one request a second
("Catapult: Resource rate limits"); accounts differ, so good turns narrow it until one is not."""
_NARROW, _BACK = 0.7, 1.3
_QUEUE = 2.0
"""Seconds ahead for which turns are given. A longer queue would keep the gaps with which it began,
and be full of turns of those who have given up."""
_CALM = 10.0
"""Seconds without a refusal after which no turns are needed, and what was learned is forgotten."""


class Pacer:
    """Gives turns. One object serves all threads of a process; the turns are those of all."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._gap = _WIDEST_GAP
        self._too_narrow = 0.0
        self._refused_at = -_CALM

    @property
    def is_needed(self) -> bool:
        """Whether requests have to take turns."""
        if time.monotonic() - self._refused_at <= _CALM:
            return True
        self._gap, self._too_narrow = _WIDEST_GAP, 0.0
        return False

    def turn(self) -> float | None:
        """Return in how many seconds the next request may go out; None if the queue is full."""
        now = clock.now()
        slot = self._ledger.slot("requests", self._gap, now, _QUEUE)
        return None if slot is None else slot - now

    def refused(self, *, had_turn: bool) -> None:
        """Note that a request was refused for its rate."""
        self._refused_at = time.monotonic()
        if had_turn:
            self._too_narrow = max(self._too_narrow, self._gap)
            self._gap = _WIDEST_GAP

    def went_well(self) -> None:
        """Note that a request that had a turn was not refused."""
        least = max(_NARROWEST_GAP, min(self._too_narrow * _BACK, _WIDEST_GAP))
        self._gap = max(self._gap * _NARROW, least)
