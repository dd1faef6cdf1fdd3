"""Wakes calls for which something is due: ring timers, watchdogs, work that a dead worker left."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from callflow.ledger import LedgerError
from callflow.setback import TOLERATED
from callflow.work import NotRoutedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.ledger import Ledger
    from callflow.work import Worker

_INTERVAL = 0.1
"""Seconds between two looks at the ledger."""
_AT_ONCE = 64
_EVERYBODY = 100_000


class Timers:
    """Looks for due calls in a thread of its own. Every process may: a call is taken by one."""

    def __init__(self, ledger: Ledger, worker: Worker, tell: Callable[..., None]) -> None:
        self._ledger = ledger
        self._worker = worker
        self._tell = tell
        self._stop = threading.Event()
        self._busy: set[str] = set()
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="timer")

    def start(self) -> None:
        """Begin to look."""
        threading.Thread(target=self._run, name="timers", daemon=True).start()

    def close(self) -> None:
        """Stop looking; what is being done is finished, the rest is left to other processes."""
        self._stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        latest = time.time()
        while not self._stop.wait(_INTERVAL):
            now = time.time()
            was_set_back, latest = now < latest - TOLERATED, now
            try:
                calls = self._ledger.due(now, 4 * _AT_ONCE)
                if was_set_back:  # whoever waits, waits for a moment that is further away now
                    calls = self._ledger.due(math.inf, _EVERYBODY)
            except LedgerError as error:
                self._tell("ledger-failed", error=str(error))
                self._stop.wait(1.0)
                continue
            for call_id in calls:
                self._wake(call_id)

    def _wake(self, call_id: str) -> None:
        if call_id not in self._busy and not self._stop.is_set():
            self._busy.add(call_id)
            with contextlib.suppress(RuntimeError):  # the pool is closed: the process ends
                self._pool.submit(self._work, call_id)

    def _work(self, call_id: str) -> None:
        try:
            self._worker.work(call_id)
        except (LedgerError, NotRoutedError) as error:
            self._tell("timer-failed", call_id=call_id, error=str(error))
        except Exception as error:  # noqa: BLE001 - a timer's thread must outlive any one call
            self._tell("timer-failed", call_id=call_id, error=type(error).__name__)
        finally:
            self._busy.discard(call_id)
