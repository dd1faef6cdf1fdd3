"""Keeps calls going while the shared ledger is away: copies on this host stand in for it.

Every record that is written is copied. When the ledger cannot be reached, the copies of this
host's calls are worked on instead, and new calls are begun there; when it is back, what it has
missed or lost is brought back to it, before it is asked anything. docs/ledger.md says what that
guarantees, and what not.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from callflow import clock
from callflow.background import Seldom
from callflow.copies import State
from callflow.ledger import (
    OVERRIDE,
    PRESENCE,
    ContendedError,
    Ledger,
    LedgerError,
    Setting,
    UnchangedError,
    UnknownLegError,
)
from callflow.merge import become, merge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from callflow.background import Beat, Loops
    from callflow.copies import Copies
    from callflow.record import Entry, Record

T = TypeVar("T")

_CLOCK = 1.0
"""Seconds between two questions for the time by the shared ledger."""
_INTERVAL = 0.2
"""Seconds between two looks at the ledger: whether it is back, and whether the copies hold."""
_GRACE = 1.0
"""Seconds in which other hosts bring their calls back after an outage, and they are left alone."""
_BELIEVED = 60.0
"""Seconds for which the busy counts of other hosts are believed while they cannot be asked."""
_TRIES = 5
_MOST_LINES = 30
"""Lines a minute that tell of outages; one that comes and goes could else fill the log."""
_DUE = 256
"""Due calls that a look reads, as the timers do."""


class SharedLedger(Ledger, Protocol):
    """A ledger that several hosts share, and that may go away and lose its data."""

    def restore(self, kind: str, setting: Setting) -> None:
        """Set what was set before the data were lost, unless one that begins then is set now."""

    def clock(self) -> float:
        """Return the time by the ledger's own clock, in epoch seconds."""

    def versions(self, call_ids: Sequence[str]) -> dict[str, tuple[int, bool]]:
        """Return the version of each record, 0 for a call that is not known, and if it is ours.

        A record is ours if this host was the last to write it.
        """

    def written(self) -> Iterator[tuple[str, int] | None]:
        """Yield which call other hosts have written, and its version; None now and then."""

    def mark(self) -> str:
        """Return what stays the same until the ledger has lost its data."""


class BehindError(Exception):
    """The ledger has lost what the copy of a call still has."""


class MirroredLedger:
    """A shared ledger, and copies that stand in for it. One object serves all threads.

    `tell` is called with `ledger-failed` and `ledger-back`, once for each outage.
    """

    def __init__(self, shared: SharedLedger, copies: Copies, tell: Callable[..., None]) -> None:
        self._shared = shared
        self._copies = copies
        self._tell = Seldom(tell, _MOST_LINES)
        self._lock = threading.Lock()
        self._away = self._copies_failed = False
        self._followed_at = -_CLOCK
        self._because = ""
        self._settled_at = 0.0
        self._mark: str | None = None
        self._elsewhere: dict[str, int] = {}
        self._elsewhere_at = 0.0
        self._settings: dict[str, list[Setting]] = {}

    def start(self, loops: Loops) -> None:
        """Begin to look after the copies."""
        with suppress(LedgerError):
            self._follow_clock()
        loops.every("mirror", _INTERVAL, self.look)
        loops.every("news", _INTERVAL, self._hear)

    def update(self, call_id: str, change: Callable[[Record, Callable[[str], int]], T]) -> T:
        """Change the record of a call in one atomic step, making the call known; count it."""
        return self._either(
            lambda: self._update_shared(call_id, change), lambda: self._update_copy(call_id, change)
        )

    def load(self, call_id: str) -> Record | None:
        """Return the record of a call with its plan."""
        return self._both(lambda ledger: ledger.load(call_id))

    def journal(self, call_id: str) -> list[Entry]:
        """Return the journal of a call, in order."""
        return self._both(lambda ledger: ledger.journal(call_id))

    def due(self, now: float, limit: int) -> list[str]:
        """Return calls that somebody should look at by now, the longest overdue first."""
        if self._is_unsettled:
            return self._copies.due(now, limit)
        return self._each(lambda ledger: ledger.due(now, limit))

    def in_progress(self) -> dict[str, int]:
        """Return the number of legs in progress by destination."""
        return self._either(
            self._shared.in_progress,
            lambda: _sum(self._copies.in_progress(), self._believed_elsewhere()),
        )

    def calls_to(self, destination: str) -> list[str]:
        """Return the calls that have a leg in progress to a destination."""
        return self._each(lambda ledger: ledger.calls_to(destination))

    def recent(self, limit: int) -> list[Record]:
        """Return the calls seen last, the newest first."""
        return self._each(lambda ledger: ledger.recent(limit))

    def settings(self, kind: str, now: float) -> list[Setting]:
        """Return the presence or overrides in force, one for each name."""
        return self._each(lambda ledger: ledger.settings(kind, now))

    def standing(self, kind: str, now: float) -> list[Setting]:
        """Return all that have not ended, those that begin later too, by name and beginning."""
        return self._each(lambda ledger: ledger.standing(kind, now))

    def set(self, kind: str, setting: Setting, now: float) -> None:
        """Set a presence or an override; only the shared ledger takes one."""
        self._shared.set(kind, setting, now)

    def clear(self, kind: str, name: str, *since: float | None) -> bool:
        """Take back what was set for a name; only the shared ledger can."""
        return self._shared.clear(kind, name, *since)

    def slot(self, key: str, gap: float, now: float, within: float) -> float | None:
        """Return the next free moment for a paced request, and take it."""
        return self._each(lambda ledger: ledger.slot(key, gap, now, within))

    def prune(self, before: float) -> int:
        """Forget calls seen before an instant; return how many."""
        self._copy(lambda: self._copies.prune(before), 0)
        return 0 if self._away else self._shared.prune(before)

    def tidy(self) -> None:
        """Look after the file of the copies."""
        self._copy(self._copies.tidy, None)

    def ping(self) -> None:
        """Raise LedgerError if the shared ledger cannot be written, or was away a moment ago."""
        self._shared.ping()
        if self._away:
            raise LedgerError(self._because)

    def close(self) -> None:
        """Close this thread's connections."""
        self._copies.close()
        self._shared.close()

    # The shared ledger or the copies

    def _either(self, ask: Callable[[], T], stand_in: Callable[[], T]) -> T:
        if not self._away:
            try:
                return ask()
            except ContendedError:
                raise
            except LedgerError as error:
                self._lost(error)
        return stand_in()

    def _each(self, ask: Callable[[Ledger], T]) -> T:
        return self._either(lambda: ask(self._shared), lambda: ask(self._copies))

    def _both(self, ask: Callable[[Ledger], T]) -> T:
        """Ask the copies too if the shared ledger knows nothing: it may have lost it just now."""
        found = self._each(ask)
        return found if found or self._away else self._copy(lambda: ask(self._copies), found)

    def _copy(self, do: Callable[[], T], otherwise: T) -> T:
        """Do something with the copies; when it fails, calls go on without it."""
        try:
            result = do()
        except LedgerError as error:
            if not self._copies_failed:
                self._tell("copies-failed", "", error=str(error))
            self._copies_failed = True
            return otherwise
        self._copies_failed = False
        return result

    def _lost(self, error: LedgerError) -> None:
        with self._lock:
            was_away, self._away, self._because = self._away, True, str(error)
        if not was_away:
            self._tell("ledger-failed", "", error=str(error))

    def _found(self) -> None:
        with self._lock:
            was_away, self._away = self._away, False
            if was_away:
                self._settled_at = time.monotonic() + _GRACE
        if was_away:
            self._tell("ledger-back", "")

    @property
    def _is_unsettled(self) -> bool:
        """Whether other hosts may still have to bring back what they did in an outage."""
        return not self._away and time.monotonic() < self._settled_at

    def _wait_for_others(self) -> bool:
        """Wait until other hosts have brought back their calls; return whether it was needed."""
        if not self._is_unsettled:
            return False
        time.sleep(max(0.0, self._settled_at - time.monotonic()))
        return True

    # One record

    def _update_shared(
        self, call_id: str, change: Callable[[Record, Callable[[str], int]], T]
    ) -> T:
        for _ in range(_TRIES):
            state = self._copy(lambda: self._copies.state(call_id), State())
            if not state.version:
                self._wait_for_others()
            try:
                if state.is_ahead:
                    raise BehindError
                result, record = self._shared.update(call_id, _unless_behind(change, state))
            except BehindError:
                self._bring_back(call_id)
            else:
                self._keep(record)
                return result
        raise ContendedError("the ledger loses a call again and again")

    def _keep(self, record: Record) -> None:
        """Copy a record that was written; its plan is read if another host made it."""
        if not self._copy(lambda: self._copies.keep(record), otherwise=True):
            with suppress(LedgerError):  # then there is no copy until this host writes it again
                self._keep_whole(record.call_id, record.version)

    def _keep_whole(self, call_id: str, version: int) -> None:
        """Copy a version that this host wrote; a later one may be another host's."""
        whole = self._shared.load(call_id)
        if whole is not None and whole.version == version:
            self._copy(lambda: self._copies.keep(whole), otherwise=True)

    def _update_copy(self, call_id: str, change: Callable[[Record, Callable[[str], int]], T]) -> T:
        elsewhere = self._believed_elsewhere()

        def alone(record: Record, in_progress: Callable[[str], int]) -> T:
            record.doubt = True
            try:
                return change(record, lambda name: in_progress(name) + elsewhere.get(name, 0))
            except UnknownLegError:
                message = "whose leg it is cannot be told while the ledger is away"
                raise LedgerError(message) from None

        return self._copies.update(call_id, alone)

    def _bring_back(self, call_id: str) -> None:
        """Write to the shared ledger what it has missed or lost of a call."""
        nothing: tuple[Record | None, list[Entry]] = (None, [])
        copy, entries = self._copy(lambda: self._stored(call_id), nothing)
        if copy is None:
            return
        version, shared = copy.version, copy.shared

        def bring(record: Record, _: Callable[[str], int]) -> Record:
            there = record.version
            if there >= version == shared:
                raise UnchangedError
            if there <= shared:
                become(record, copy)
            else:
                merge(record, deepcopy(copy), clock.now())
            record.version = max(there, version)
            record.entries = list(entries)
            return record

        try:
            record = self._shared.update(call_id, bring)
        except UnchangedError:
            return
        self._copy(lambda: self._copies.brought_back(record, version), None)

    def _stored(self, call_id: str) -> tuple[Record | None, list[Entry]]:
        return self._copies.load(call_id), self._copies.journal(call_id)

    # All of them, now and then

    def _hear(self, beat: Beat) -> None:
        """Drop copies of calls as soon as other hosts have worked on them."""
        try:
            for news in self._shared.written():
                if not beat():
                    return
                if news and self._copy(partial(self._copies.state, news[0]), State()).version:
                    self._copy(partial(self._copies.drop, [news]), None)
        except LedgerError:
            if self._is_there():  # else that it is away is noticed, and told, by `look`
                raise

    def _follow_clock(self) -> None:
        """Ask now and then what time it is by the shared ledger: its hosts differ."""
        if time.monotonic() - self._followed_at > _CLOCK:
            self._followed_at, asked_at = time.monotonic(), time.time()
            clock.follow(self._shared.clock(), asked_at)

    def look(self, beat: Beat = lambda: True) -> None:
        """See whether the shared ledger is there; bring back what it lacks, learn what is new.

        What the timers ask must be answered, too.
        """
        try:
            self._shared.ping()
            self._follow_clock()
            self._shared.due(clock.now(), _DUE)
            self._compare(beat)
            self._learn()
        except LedgerError as error:
            self._lost(error)
        else:
            self._found()

    def _is_there(self) -> bool:
        try:
            self._shared.ping()
        except LedgerError:
            return False
        return not self._away

    def _compare(self, beat: Beat) -> None:
        """Bring back what the ledger lacks, drop what another host has worked on since.

        A copy that lags behind what this host wrote is of a worker that died between the two, or
        of two that brought a call back at once.
        """
        none: dict[str, State] = {}
        states = self._copy(self._copies.states, none)
        there = self._shared.versions(list(states))
        outdated = []
        for call_id, state in states.items():
            version, is_ours = there[call_id]
            if state.is_ahead or version < state.version:
                self._bring_back(call_id)
                beat()  # after a long outage there are many
            elif version > state.version and is_ours:
                self._keep_whole(call_id, version)
            elif version > state.version:
                outdated.append((call_id, state.version))
        if outdated:
            self._copy(lambda: self._copies.drop(outdated), None)

    def _learn(self) -> None:
        """Learn what holds for all hosts: settings, and how busy destinations are."""
        mark = self._shared.mark()
        has_lost_data, self._mark = self._mark not in {None, mark}, mark
        for kind in (PRESENCE, OVERRIDE):
            self._learn_settings(kind, has_lost_data=has_lost_data)
        nothing: dict[str, int] = {}
        here = self._copy(self._copies.in_progress, nothing)
        there = self._shared.in_progress()
        self._elsewhere = {name: max(0, count - here.get(name, 0)) for name, count in there.items()}
        self._elsewhere_at = time.monotonic()

    def _learn_settings(self, kind: str, *, has_lost_data: bool) -> None:
        now, none = clock.now(), list[Setting]()
        if has_lost_data:
            for setting in self._copy(lambda: self._copies.standing(kind, now), none):
                self._shared.restore(kind, setting)
        known = self._shared.standing(kind, now)
        if known != self._settings.get(kind):
            self._copy(lambda: self._copies.keep_settings(kind, known), None)
            self._settings[kind] = known

    def _believed_elsewhere(self) -> dict[str, int]:
        if time.monotonic() - self._elsewhere_at > _BELIEVED:
            return {}
        return self._elsewhere


def _unless_behind(
    change: Callable[[Record, Callable[[str], int]], T], copy: State
) -> Callable[[Record, Callable[[str], int]], tuple[T, Record]]:
    def checked(record: Record, in_progress: Callable[[str], int]) -> tuple[T, Record]:
        if record.version < copy.version:
            raise BehindError
        return change(record, in_progress), record

    return checked


def _sum(here: dict[str, int], elsewhere: dict[str, int]) -> dict[str, int]:
    counts = {name: here.get(name, 0) + elsewhere.get(name, 0) for name in {*here, *elsewhere}}
    return {name: count for name, count in counts.items() if count}
