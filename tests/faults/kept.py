"""The two kinds of ledger, and what befalls each."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Protocol, Self

from callflow.redis import RedisLedger
from callflow.sqlite import SqliteLedger
from tests.redis_server import RedisServer

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from callflow.ledger import Ledger
    from tests.faults.served import Served

    Befalls = Callable[[random.Random], None]


class Kept(Protocol):
    """A ledger of one kind; a context manager that provides what it needs."""

    url: str

    def __enter__(self) -> Self: ...

    def __exit__(self, *_exception: object) -> None: ...

    def open(self) -> Ledger:
        """Return the ledger as the accountant reads it."""

    def troubles(self, served: Served) -> dict[str, Befalls]:
        """Return what befalls it, by name."""


class File:
    """SQLite, a file that only the service writes."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "ledger.sqlite3"
        self.url = f"sqlite:///{self._path}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave the file to its folder."""

    def open(self) -> Ledger:
        return SqliteLedger(str(self._path))

    def troubles(self, served: Served) -> dict[str, Befalls]:
        return {"ledger locked": self._lock, "disk full": served.fill_disk}

    def _lock(self, dice: random.Random) -> None:
        """Hold the file's lock, mostly for a moment, sometimes longer than anybody waits."""
        with contextlib.closing(sqlite3.connect(self._path, timeout=5, isolation_level=None)) as db:
            try:
                db.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:  # as busy as that
                return
            time.sleep(dice.choice((0.5, 1.0, 2.0, 7.0)))


class Shared:
    """Redis, which keeps its data over a restart."""

    def __init__(self, _folder: Path) -> None:
        self._server = RedisServer(durable=True)
        self._lock = threading.Lock()
        self.url = self._server.url

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.stop()

    def open(self) -> Ledger:
        return RedisLedger(self.url)

    def troubles(self, _served: Served) -> dict[str, Befalls]:
        return {
            "Redis restarted": self._alone(self._restart),
            "Redis stopped": self._alone(self._freeze),
            "Redis paused": self._alone(self._pause),
            "Redis full": self._alone(self._fill),
        }

    def _alone(self, does: Befalls) -> Befalls:
        """Let nothing else befall Redis meanwhile."""

        def alone(dice: random.Random) -> None:
            with self._lock:
                does(dice)

        return alone

    def _freeze(self, dice: random.Random) -> None:
        self._server.freeze(dice.uniform(0.3, 3.0))

    def _restart(self, dice: random.Random) -> None:
        self._server.kill()
        time.sleep(dice.uniform(0.0, 2.0))
        self._server.start()

    def _pause(self, dice: random.Random) -> None:
        seconds = dice.uniform(0.3, 3.0)
        with self._server.client() as client:
            client.execute_command("CLIENT", "PAUSE", int(seconds * 1000))
        time.sleep(seconds)

    def _fill(self, dice: random.Random) -> None:
        with self._server.client() as client:
            client.config_set("maxmemory-policy", "noeviction")
            client.config_set("maxmemory", 1)
            time.sleep(dice.uniform(0.3, 3.0))
            client.config_set("maxmemory", 0)


KINDS: dict[str, type[File | Shared]] = {"sqlite": File, "redis": Shared}
