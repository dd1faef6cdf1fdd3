"""Wakes calls for which something is due: ring timers, watchdogs, work that a dead worker left."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from callflow import clock
from callflow.background import Seldom, place_of
from callflow.ledger import LedgerError
from callflow.setback import TOLERATED
from callflow.work import NotRoutedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.background import Beat, Loops
    from callflow.ledger import Ledger
    from callflow.work import Worker

_INTERVAL = 0.1
"""Seconds between two looks at the ledger."""
_AT_ONCE = 64
_EVERYBODY = 100_000
_LONGEST = 90.0
"""Seconds after which the work on a call is given up: every request of it has a time-out, and it
ends after half a minute."""
_SHORTEST_REST, _LONGEST_REST = 0.5, 5.0
"""Seconds for which a call is left alone whose work failed."""
_MOST_RESTING = 10_000


class Timers:
    """Looks for due calls. Every process may: a call is taken by one.

    A call whose work fails rests for a moment, longer each time. Work that does not end is told as
    `timer-stuck`, and its thread is left to itself: the lease of the call has run out by then.
    """

    def __init__(
        self,
        ledger: Ledger,
        worker: Worker,
        tell: Callable[..., None],
        longest: float = _LONGEST,
    ) -> None:
        self._ledger = ledger
        self._worker = worker
        self._tell = Seldom(tell, most=10)
        self._longest = longest
        self._latest = clock.now()
        self._is_closed = False
        self._crew = _Crew()
        self._resting: dict[str, _Rest] = {}

    def start(self, loops: Loops) -> None:
        """Begin to look."""
        loops.every("timers", _INTERVAL, self._look)

    def close(self) -> None:
        """Wake no more calls; what is being done is finished, the rest is left to others."""
        self._is_closed = True
        self._crew.pool.shutdown(wait=False, cancel_futures=True)

    def _look(self, _beat: Beat) -> None:
        """Wake the calls that are due."""
        if self._is_closed:
            return
        self._leave_stuck()
        now = clock.now()
        if now < self._latest - TOLERATED:  # whoever waits, waits longer since the clock was set
            calls = self._ledger.due(math.inf, _EVERYBODY)
        else:  # those that rest are due, too, and must not hide the others
            calls = self._ledger.due(now, 4 * _AT_ONCE + len(self._resting))
        self._latest = now
        for call_id in calls:
            self._wake(call_id)

    def _wake(self, call_id: str) -> None:
        crew, rest = self._crew, self._resting.get(call_id)
        is_resting = rest is not None and time.monotonic() < rest.until
        if call_id in crew.calls or is_resting or self._is_closed:
            return
        crew.calls[call_id] = math.inf
        try:
            crew.pool.submit(self._work, crew, call_id)
        except RuntimeError:  # there is no thread for it, or the process ends
            crew.calls.pop(call_id, None)
            if not self._is_closed:
                raise

    def _work(self, crew: _Crew, call_id: str) -> None:
        crew.calls[call_id] = time.monotonic()
        try:
            self._worker.work(call_id)
        except BaseException as error:  # noqa: BLE001 - the pool would keep it to itself
            self._failed(call_id, error)
        else:
            self._resting.pop(call_id, None)
        finally:
            crew.calls.pop(call_id, None)

    def _failed(self, call_id: str, error: BaseException) -> None:
        rest = self._resting.get(call_id)
        pause = min(2 * rest.pause, _LONGEST_REST) if rest else _SHORTEST_REST
        if len(self._resting) >= _MOST_RESTING:
            self._resting.clear()
        self._resting[call_id] = _Rest(time.monotonic() + pause, pause)
        kind = type(error).__name__
        if isinstance(error, LedgerError | NotRoutedError):
            self._tell("timer-failed", kind, call_id=call_id, error=str(error))
        else:
            at = place_of(error)
            self._tell("timer-failed", kind, call_id=call_id, error=kind, at=at)

    def _leave_stuck(self) -> None:
        """Take new threads if one has been at work for so long that it will not come back."""
        now = time.monotonic()
        stuck = [
            call_id
            for call_id, since in list(self._crew.calls.items())
            if now - since > self._longest
        ]
        if not stuck:
            return
        self._crew.pool.shutdown(wait=False, cancel_futures=True)
        self._crew = _Crew()
        for call_id in stuck:
            self._tell("timer-stuck", "", call_id=call_id)


class _Crew:
    """Threads, and since when they have worked on which call; infinity for one that waits."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="timer")
        self.calls: dict[str, float] = {}


class _Rest(NamedTuple):
    """Until when a call is left alone, and for how many seconds it was."""

    until: float
    pause: float
