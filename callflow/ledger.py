"""The protocol of the ledger: what happened to each call so far.

The ledger makes a call routed once, whatever the number of workers, duplicates or the order of
events. It keeps one record for each call, and changes it in atomic steps; none of them is ever
held open while the platform is asked for something.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from callflow.record import Entry, Record

T = TypeVar("T")


class LedgerError(Exception):
    """The ledger could not be reached, read or written."""


class ContendedError(LedgerError):
    """A record was changed by others again and again while it was to be changed."""


class UnchangedError(Exception):
    """Raised by a change that finds nothing to change: nothing is written."""


class UnknownCallError(UnchangedError):
    """Raised by a change of a call that the ledger does not know, or not any more."""


class UnknownLegError(Exception):
    """Raised by a change for a leg that the record does not have: nothing is written."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What an operator set at run time: a person's presence, an override of a schedule or rotation.

    `until` is epoch seconds, None for a presence without an end. `since` is None for one that
    began when it was set, else the moment at which it begins.
    """

    name: str
    value: str
    until: float | None
    since: float | None = None

    def has_begun(self, now: float) -> bool:
        """Return whether it begins at that moment or before."""
        return self.since is None or self.since <= now

    def has_ended(self, now: float) -> bool:
        """Return whether it is over by that moment."""
        return self.until is not None and self.until <= now


PRESENCE, OVERRIDE = "presence", "override"


def in_force(standing: Iterable[Setting], now: float) -> list[Setting]:
    """Return the settings that count: of each name the one that has begun last.

    `standing` is in order of name and beginning, as `Ledger.standing` returns it.
    """
    return list({each.name: each for each in standing if each.has_begun(now)}.values())


class Ledger(Protocol):
    """What a backend does; one test suite is passed by all. Any method may raise LedgerError."""

    def update(self, call_id: str, change: Callable[[Record, Callable[[str], int]], T]) -> T:
        """Change the record of a call in one atomic step, making the call known; count it.

        `change(record, in_progress)` alters the record and returns what `update` returns; it may
        run several times. `in_progress(destination)` counts the legs in progress to a
        destination at that very moment. Raises what `change` raises, and then writes nothing.
        """

    def load(self, call_id: str) -> Record | None:
        """Return the record of a call with its plan."""

    def journal(self, call_id: str) -> list[Entry]:
        """Return the journal of a call, in order."""

    def due(self, now: float, limit: int) -> list[str]:
        """Return calls that somebody should look at by now, the longest overdue first."""

    def in_progress(self) -> dict[str, int]:
        """Return the number of legs in progress by destination."""

    def calls_to(self, destination: str) -> list[str]:
        """Return the calls that have a leg in progress to a destination."""

    def recent(self, limit: int) -> list[Record]:
        """Return the calls seen last, the newest first."""

    def settings(self, kind: str, now: float) -> list[Setting]:
        """Return the presence or overrides in force, one for each name: see `in_force`."""

    def standing(self, kind: str, now: float) -> list[Setting]:
        """Return all that have not ended, those that begin later too, by name and beginning."""

    def set(self, kind: str, setting: Setting, now: float) -> None:
        """Set a presence or an override.

        One that begins at once takes the place of all of its name that have begun. One that
        begins later takes the place of the one that begins at the same moment, if there is one.
        """

    def clear(self, kind: str, name: str, *since: float | None) -> bool:
        """Take back what was set for a name, or only what begins then; return whether any was."""

    def slot(self, key: str, gap: float, now: float, within: float) -> float | None:
        """Return the next free moment for a paced request, and take it; see `next_free`.

        Moments of one `key` are `gap` seconds apart, over all workers.
        """

    def prune(self, before: float) -> int:
        """Forget calls seen before an instant; return how many.

        It takes a few at a time, and leaves the ledger to others in between.
        """

    def tidy(self) -> None:
        """Do what the storage needs now and then. It may wait for the disk."""

    def ping(self) -> None:
        """Raise LedgerError if the ledger cannot be written."""

    def close(self) -> None:
        """Close what is open; the next use opens it again."""


def of_known(
    change: Callable[[Record, Callable[[str], int]], T],
) -> Callable[[Record, Callable[[str], int]], T]:
    """Return a change that makes no call known: it raises UnknownCallError.

    Only an event begins a record. Whatever else is done for a call that is not there, because the
    ledger has lost it, say, would be done for a call of which nothing is known.
    """

    def checked(record: Record, in_progress: Callable[[str], int]) -> T:
        if not record.version:
            raise UnknownCallError
        return change(record, in_progress)

    return checked


def next_free(after: float, now: float, within: float) -> float | None:
    """Return the next moment that is free of those from `after` on; None if it is not near enough.

    Nobody who takes moments `within` so many seconds, with smaller gaps, gets twice as far ahead:
    if they are, the clock has been set back, and the pace begins anew.
    """
    if after > now + 2 * within:
        return now
    moment = max(after, now)
    return moment if moment <= now + within else None
