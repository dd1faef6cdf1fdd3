"""Work beside calls, such that no call waits for it.

Calls are served by greenlets: one that computes lets no other go on before it rests, and a call
waits for its turn again after each of its twenty to thirty requests, reads and writes. And when
the collector looks through all objects, everything stands still meanwhile.
"""

from __future__ import annotations

import _thread
import atexit
import gc
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STRETCH = 0.0002
"""Seconds of work between two rests."""
_REST = 4.0
"""How long a rest is while calls come in: so many times the work before it. Else it ends as soon
as everybody who was waiting has had a turn."""
_NEVER = 1 << 30


# What was set aside would else outlive what it needs when the process ends.
atexit.register(gc.unfreeze)


class Breath:
    """Called after each small piece of work: rests now and then, longer while calls come in."""

    def __init__(self, calls_come_in: Callable[[], bool]) -> None:
        self._calls_come_in = calls_come_in
        self._since = time.thread_time()

    def __call__(self) -> None:
        """Rest if it is time."""
        worked = time.thread_time() - self._since
        if worked > _STRETCH:
            time.sleep(worked * _REST if self._calls_come_in() else 0)
            self._since = time.thread_time()


@contextmanager
def many_objects_that_stay() -> Iterator[None]:
    """Keep the collector from looking through all objects while many come to be, and after that.

    Young objects are looked through as ever, so that the garbage of calls does not pile up. What
    is there at the end is set aside for good (it is still freed when nobody refers to it), with
    nothing young that could be garbage.
    """
    young, middle, old = gc.get_threshold()
    gc.set_threshold(young, middle, _NEVER)
    try:
        yield
        gc.collect(1)
        gc.freeze()
    finally:
        gc.set_threshold(young, middle, old)


class Later:
    """Does work for which nobody waits, each piece in a thread of its own."""

    def __init__(self) -> None:
        self._at_work: set[object] = set()

    def __call__(self, work: Callable[[], None]) -> None:
        """Begin a piece of work soon."""
        self._at_work.add(work)
        _thread.start_new_thread(self._do, (work,))  # threading.Thread would wait until it runs

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._at_work.discard(work)

    def finish(self, seconds: float) -> None:
        """Wait until everything that was begun is done, but not for longer than that."""
        end = time.monotonic() + seconds
        while self._at_work and time.monotonic() < end:
            time.sleep(0.01)
