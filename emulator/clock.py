"""Time and threads: what happens later, who does it, and the timestamps the platform writes."""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

Action = Callable[[], None]

_logger = logging.getLogger(__name__)


def timestamp() -> str:
    """Return now as the platform writes it: ISO 8601 in UTC, whole seconds. Catapult: callbacks."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Timer:
    """Something to do later; ``cancel`` makes it do nothing."""

    __slots__ = ("action",)

    def __init__(self, action: Action) -> None:
        self.action: Action | None = action

    def cancel(self) -> None:
        """Do nothing when the time comes."""
        self.action = None


class Scheduler:
    """One thread that runs short actions when they are due."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._wake = threading.Condition()
        self._closed = False
        threading.Thread(target=self._run, name="emulator-clock", daemon=True).start()

    def after(self, seconds: float, action: Action) -> Timer:
        """Run ``action`` in ``seconds``; actions due at the same instant run in the order given."""
        timer = Timer(action)
        with self._wake:
            entry = (time.monotonic() + seconds, next(self._order), timer)
            heapq.heappush(self._heap, entry)
            if self._heap[0] is entry:
                self._wake.notify()
        return timer

    def close(self) -> None:
        """Stop the thread; what is not due yet never happens."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def _run(self) -> None:
        while (timer := self._next_due()) is not None:
            run_safely(timer.action)

    def _next_due(self) -> Timer | None:
        with self._wake:
            while not self._closed:
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._heap)[2]
                self._wake.wait(wait)
            return None


class Workers:
    """Daemon threads that run jobs; as many as are needed at once, up to a limit.

    Unlike ``concurrent.futures`` they never hold up the end of the process while a callback hangs.
    """

    def __init__(self, limit: int = 512) -> None:
        self._jobs: queue.SimpleQueue[Action | None] = queue.SimpleQueue()
        self._limit = limit
        self._lock = threading.Lock()
        self._threads = 0
        self._free = 0

    def submit(self, job: Action) -> None:
        """Run ``job`` soon, on some thread."""
        with self._lock:
            if self._free > 0:
                self._free -= 1
            elif self._threads < self._limit:
                self._threads += 1
                threading.Thread(target=self._run, name="emulator-worker", daemon=True).start()
        self._jobs.put(job)

    def close(self) -> None:
        """Let every thread go once it has finished its job."""
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)
            self._limit = 0

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            run_safely(job)
            with self._lock:
                self._free += 1


def run_safely(action: Action | None) -> None:
    """Run an action; a defect of the emulator is logged and never stops the phones."""
    try:
        if action is not None:
            action()
    except Exception:
        _logger.exception("an action of the emulator failed")
