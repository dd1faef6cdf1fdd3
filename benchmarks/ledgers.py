"""Ledgers to measure with, and what they hold: an SQLite file, or a Redis server of their own."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

from tests.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis


class SqliteBooks:
    """What the ledger's file holds."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ledger.sqlite3"
        self.url = f"sqlite:///{self._file}"

    def sample(self) -> dict[str, float]:
        files = self._file.parent.glob(f"{self._file.name}*")
        with contextlib.closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as db:
            kept, waiting = db.execute(
                "SELECT (SELECT count(*) FROM calls),"
                " (SELECT count(*) FROM calls WHERE wake_at IS NOT NULL)"
            ).fetchone()
        return {
            "ledger": sum(each.stat().st_size for each in files) / 1e6,
            "calls kept": kept,
            "calls open": waiting,
        }


class RedisBooks:
    """What Redis holds."""

    def __init__(self, server: RedisServer) -> None:
        self.url = server.url
        self._client: redis.Redis = server.client()

    def sample(self) -> dict[str, float]:
        told: Any = self._client.info()
        kept: Any = self._client.zcard("callrouter:seen")
        waiting: Any = self._client.zcard("callrouter:wake")
        return {
            "ledger": told["used_memory"] / 1e6,
            "calls kept": kept,
            "calls open": waiting,
            "round trips": told["total_reads_processed"],
        }


@contextlib.contextmanager
def books(kind: str, folder: Path) -> Iterator[SqliteBooks | RedisBooks]:
    """Yield the place where the ledger is kept."""
    if kind == "sqlite":
        yield SqliteBooks(folder)
    else:
        with RedisServer() as server:
            yield RedisBooks(server)
