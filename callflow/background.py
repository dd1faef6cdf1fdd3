"""Work beside calls: it never ends silently, and no call waits for it.

Repeated work is done by `Loops.every`, work after an answer by `Later`; either tells of every
error and survives it.

Calls are served by greenlets: one that computes lets no other go on before it rests, and a call
waits for its turn again after each of its twenty to thirty requests, reads and writes. And when
the collector looks through all objects, everything stands still meanwhile.
"""

from __future__ import annotations

import _thread
import atexit
import gc
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from callflow.ledger import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Beat = Callable[[], bool]
    """Says that a round goes on and does its work; returns whether it should go on."""

_STRETCH = 0.0002
"""Seconds of work between two rests."""
_REST = 4.0
"""How long a rest is while calls come in: so many times the work before it. Else it ends as soon
as everybody who was waiting has had a turn."""
_NEVER = 1 << 30
_PATIENCE = 10
"""Intervals after which a loop that has done no good round is not alive any more."""
_LEAST_PATIENCE = 15.0
"""The least of that in seconds: under load a round waits for its turn, too."""
_WATCH = 1.0
"""Seconds between two looks at whether the loops are alive."""
_QUIET = 60.0
"""Seconds in which one kind of failure gets a few lines in the log, not more."""
_MOST_KINDS = 256


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


def place_of(error: BaseException) -> str:
    """Return where an unexpected error was raised: file and line, nothing that came in."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""


class Seldom:
    """Tells of failures that may come again and again: `most` lines a minute of each kind.

    `tell` is called each time, so that each is counted; beyond `most` it is told to be `quiet`.
    One object serves all threads of a process.
    """

    def __init__(self, tell: Callable[..., None], most: int = 1) -> None:
        self._tell = tell
        self._most = most
        self._kinds: dict[tuple[str, ...], _Lines] = {}

    def __call__(self, event: str, kind: str, **fields: object) -> None:
        """Tell of an event. What has the same `kind` shares its lines."""
        now = time.monotonic()
        lines = self._kinds.get((event, kind))
        if lines is None or now - lines.since >= _QUIET:
            left_out = lines.left_out if lines else 0
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            lines = self._kinds[event, kind] = _Lines(now, left_out)
        if lines.written >= self._most:
            lines.left_out += 1
            self._tell(event, quiet=True, **fields)
            return
        lines.written += 1
        left_out, lines.left_out = lines.left_out, 0
        self._tell(event, **fields, **({"left_out": left_out} if left_out else {}))


class _Lines:
    """The lines of one kind of failure within a minute."""

    __slots__ = ("left_out", "since", "written")

    def __init__(self, since: float, left_out: int) -> None:
        self.since, self.left_out, self.written = since, left_out, 0


class State(NamedTuple):
    """How a loop does. `error` is the class of what its last round raised, None if it was good."""

    alive: bool
    seconds_ago: float
    error: str | None


class Loops:
    """The repeated work of a process, each piece in a thread of its own.

    An unexpected error is told as `loop-failed` (one of the ledger as `ledger-failed`) and
    survived: the next round comes after the usual interval. A loop that has done no good round for
    ten intervals, because each one fails or because one never ends, is told as `loop-stuck`.
    `show` is called with the name of a loop and whether it is alive, when that changes.
    """

    def __init__(
        self,
        tell: Callable[..., None],
        show: Callable[[str, bool], None] = lambda _name, _alive: None,
        least_patience: float = _LEAST_PATIENCE,
    ) -> None:
        self._tell = Seldom(tell)
        self._show = show
        self._least_patience = least_patience
        self._stop = threading.Event()
        self._loops: dict[str, _Loop] = {}
        self._alive: dict[str, bool] = {}

    def every(self, name: str, seconds: float, do: Callable[[Beat], object]) -> None:
        """Do something now, and again `seconds` after each time, until `stop`.

        `do` is given what says that it goes on, for rounds that may take longer than
        _LEAST_PATIENCE. It must be called only when part of the work is done.
        """
        if not self._loops:
            self._begin("watch", _WATCH, self._watch)
        self._begin(name, seconds, do)

    def state(self) -> dict[str, State]:
        """Return how each loop does, by its name."""
        now = time.monotonic()
        return {name: loop.state(now) for name, loop in self._loops.items()}

    def stop(self, seconds: float = 1.0) -> None:
        """Begin no more rounds; wait for those in hand, but not for longer than that."""
        self._stop.set()
        end = time.monotonic() + seconds
        for loop in self._loops.values():
            loop.thread.join(max(0.0, end - time.monotonic()))

    def _begin(self, name: str, seconds: float, do: Callable[[Beat], object]) -> None:
        patience = max(_PATIENCE * seconds, self._least_patience)
        loop = self._loops[name] = _Loop(name, seconds, patience, do, self._tell, self._stop)
        self._alive[name] = True
        self._show(name, True)
        loop.thread.start()

    def _watch(self, _beat: Beat) -> None:
        for name, (alive, seconds, error) in self.state().items():
            if alive == self._alive[name]:
                continue
            self._alive[name] = alive
            self._show(name, alive)
            if alive:
                self._tell("loop-mended", name, loop=name)
            else:
                self._tell("loop-stuck", name, loop=name, seconds=round(seconds), error=error)


class _Loop:
    """One piece of repeated work. Moments are those of a clock that never goes back."""

    def __init__(
        self,
        name: str,
        seconds: float,
        patience: float,
        do: Callable[[Beat], object],
        tell: Seldom,
        stop: threading.Event,
    ) -> None:
        self._name, self._seconds, self._patience = name, seconds, patience
        self._do, self._tell, self._stop = do, tell, stop
        self._begun_at = self._good_at = time.monotonic()
        self._error: str | None = None
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def state(self, now: float) -> State:
        """Return how the loop does at a moment."""
        ago = now - self._good_at
        return State(ago <= self._patience, ago, self._error)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._do(self._beat)
            except BaseException as error:  # noqa: BLE001 - whatever it is, the loop goes on
                self._failed(error)
            else:
                self._beat()
            self._stop.wait(self._seconds)

    def _beat(self) -> bool:
        self._good_at = time.monotonic()
        if self._error is not None:
            self._error = None
            self._tell("loop-mended", self._name, loop=self._name)
        return not self._stop.is_set()

    def _failed(self, error: BaseException) -> None:
        self._error = kind = type(error).__name__
        key, loop = f"{self._name} {kind}", self._name
        with suppress(Exception):  # even if it cannot be told, the loop goes on
            if isinstance(error, LedgerError):
                self._tell("ledger-failed", key, loop=loop, error=str(error))
            else:
                self._tell("loop-failed", key, loop=loop, error=kind, at=place_of(error))


class Later:
    """Does work for which nobody waits, each piece in a thread of its own.

    What a piece of work raises is told as `later-failed`: nobody else would hear of it.
    """

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = Seldom(tell, most=10)
        self._at_work: set[object] = set()

    def __call__(self, work: Callable[[], None]) -> None:
        """Begin a piece of work soon; at once if there is no thread for it."""
        self._at_work.add(work)
        try:
            _thread.start_new_thread(self._do, (work,))  # threading.Thread would wait for it to run
        except RuntimeError:
            self._do(work)

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - nobody else would tell
            kind = type(error).__name__
            self._tell("later-failed", kind, error=kind, at=place_of(error))
        finally:
            self._at_work.discard(work)

    def finish(self, seconds: float) -> None:
        """Wait until everything that was begun is done, but not for longer than that.

        What is not done then is told: another worker takes over when the lease of its call ends.
        """
        end = time.monotonic() + seconds
        while self._at_work and time.monotonic() < end:
            time.sleep(0.01)
        if self._at_work:
            self._tell("later-unfinished", "", pieces=len(self._at_work))
