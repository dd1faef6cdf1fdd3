"""The clock by which the leases and due times of calls are judged: the ledger's.

Hosts that share a ledger differ in their clocks. A host that is six seconds ahead would take the
calls of others, whose leases last five. So each process reckons how far the ledger's clock is ahead
of its own, and adds that. A ledger in a file has the clock of its only host.
"""

from __future__ import annotations

import time

_LONGEST_QUESTION = 0.5
"""Seconds after which an answer is too old to say what time it is."""
_ahead = 0.0
"""Seconds by which the ledger's clock is ahead of this host's."""


def now() -> float:
    """Return the time in epoch seconds, by the ledger's clock."""
    return time.time() + _ahead


def follow(theirs: float, asked_at: float) -> None:
    """Set the clock by the ledger's, which was `theirs` when it was asked.

    `asked_at` is when the question went out, by this host's clock.
    """
    global _ahead  # noqa: PLW0603 - a process has one clock
    heard_at = time.time()
    if 0 <= heard_at - asked_at < _LONGEST_QUESTION:
        _ahead = theirs - (asked_at + heard_at) / 2
