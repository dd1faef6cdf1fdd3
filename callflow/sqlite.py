"""The ledger in an SQLite file: the default, for one host."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from callflow.agenda import wake_at
from callflow.ledger import LedgerError, Setting
from callflow.record import Entry, Record, dump, load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    call_id TEXT PRIMARY KEY, seen_at REAL NOT NULL, wake_at REAL, record TEXT NOT NULL, plan TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS calls_by_time ON calls (seen_at);
CREATE INDEX IF NOT EXISTS calls_to_wake ON calls (wake_at) WHERE wake_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS legs (
    token TEXT PRIMARY KEY, call_id TEXT NOT NULL, destination TEXT NOT NULL, open INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS legs_by_call ON legs (call_id);
CREATE INDEX IF NOT EXISTS legs_in_progress ON legs (destination, call_id) WHERE open = 1;
CREATE TABLE IF NOT EXISTS journal (
    id INTEGER PRIMARY KEY, call_id TEXT NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS journal_by_call ON journal (call_id);
CREATE TABLE IF NOT EXISTS settings (
    kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, until REAL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pacing (key TEXT PRIMARY KEY, next REAL NOT NULL) WITHOUT ROWID;
PRAGMA user_version = 1;
"""
_PATIENCE = 5.0
"""Seconds that a statement waits for another process's write."""
_PRUNED_AT_ONCE = 500


class SqliteLedger:
    """Keeps one connection for each thread; any number of processes on one host may share it."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._local = threading.local()
        # SQLite lets waiting writers sleep and try again, so many threads at once hold each other
        # up for hundreds of times what a write takes. Only one of each process gets to wait there.
        self._writing = threading.Lock()

    def update(self, call_id: str, change: Callable[[Record, Callable[[str], int]], T]) -> T:
        """Change the record of a call in one atomic step, making the call known."""
        with self._write() as db:
            row = db.execute("SELECT record FROM calls WHERE call_id = ?", (call_id,)).fetchone()
            record = load(json.loads(row[0])) if row else Record(call_id)
            before = {leg.token: leg.is_open for leg in record.legs}
            result = change(record, lambda destination: _in_progress(db, destination))
            record.version += 1
            write_record(db, record, known=row is not None)
            write_legs(db, record, before)
            _write_journal(db, record)
            return result

    def load(self, call_id: str) -> Record | None:
        """Return the record of a call with its plan."""
        rows = self._read("SELECT record, plan FROM calls WHERE call_id = ?", call_id)
        if not rows:
            return None
        record = load(json.loads(rows[0][0]))
        record.plan = json.loads(rows[0][1]) if rows[0][1] else None
        return record

    def journal(self, call_id: str) -> list[Entry]:
        """Return the journal of a call, in order."""
        rows = self._read(
            "SELECT at, kind, data FROM journal WHERE call_id = ? ORDER BY at, id", call_id
        )
        return [Entry(at, kind, json.loads(data)) for at, kind, data in rows]

    def call_of(self, token: str) -> str | None:
        """Return the call whose leg a token names."""
        rows = self._read("SELECT call_id FROM legs WHERE token = ?", token)
        return str(rows[0][0]) if rows else None

    def due(self, now: float, limit: int) -> list[str]:
        """Return calls that somebody should look at by now, the longest overdue first."""
        rows = self._read(
            "SELECT call_id FROM calls WHERE wake_at <= ? ORDER BY wake_at LIMIT ?", now, limit
        )
        return [row[0] for row in rows]

    def in_progress(self) -> dict[str, int]:
        """Return the number of legs in progress by destination."""
        return dict(
            self._read("SELECT destination, count(*) FROM legs WHERE open = 1 GROUP BY destination")
        )

    def calls_to(self, destination: str) -> list[str]:
        """Return the calls that have a leg in progress to a destination."""
        rows = self._read(
            "SELECT DISTINCT call_id FROM legs WHERE destination = ? AND open = 1", destination
        )
        return [row[0] for row in rows]

    def recent(self, limit: int) -> list[Record]:
        """Return the calls seen last, the newest first."""
        rows = self._read("SELECT record FROM calls ORDER BY seen_at DESC LIMIT ?", limit)
        return [load(json.loads(row[0])) for row in rows]

    def settings(self, kind: str, now: float) -> list[Setting]:
        """Return the presence or overrides in force."""
        rows = self._read(
            "SELECT name, value, until FROM settings WHERE kind = ?"
            " AND (until IS NULL OR until > ?) ORDER BY name",
            *(kind, now),
        )
        return [Setting(*row) for row in rows]

    def set(self, kind: str, setting: Setting) -> None:
        """Set a presence or an override, in place of what was set for that name."""
        with self._write() as db:
            db.execute(
                "INSERT OR REPLACE INTO settings (kind, name, value, until) VALUES (?, ?, ?, ?)",
                (kind, setting.name, setting.value, setting.until),
            )

    def clear(self, kind: str, name: str) -> bool:
        """Take back what was set for a name; return whether something was."""
        with self._write() as db:
            gone = db.execute("DELETE FROM settings WHERE kind = ? AND name = ?", (kind, name))
            return gone.rowcount > 0

    def slot(self, key: str, not_before: float, gap: float, now: float) -> float:
        """Return the next free moment for a paced request, and take it."""
        with self._write() as db:
            row = db.execute("SELECT next FROM pacing WHERE key = ?", (key,)).fetchone()
            slot = max(now, not_before, row[0] if row else 0.0)
            db.execute("INSERT OR REPLACE INTO pacing VALUES (?, ?)", (key, slot + gap))
            return slot

    def prune(self, before: float) -> int:
        """Forget calls seen before an instant, some at a time; return how many."""
        pruned = 0
        while True:
            with self._write() as db:
                rows = db.execute(
                    "SELECT call_id FROM calls WHERE seen_at < ? LIMIT ?",
                    (before, _PRUNED_AT_ONCE),
                ).fetchall()
                for table in ("journal", "legs", "calls"):
                    db.executemany(f"DELETE FROM {table} WHERE call_id = ?", rows)
            pruned += len(rows)
            if len(rows) < _PRUNED_AT_ONCE:
                return pruned

    def ping(self) -> None:
        """Raise LedgerError if the ledger cannot be written."""
        with self._write() as db:
            db.execute("DELETE FROM settings WHERE kind = ''")

    def close(self) -> None:
        """Close this thread's connection."""
        db = getattr(self._local, "db", None)
        if db is not None:
            db.close()
            self._local.db = None

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        db = self._connection()
        try:
            with self._writing:
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                except BaseException:
                    db.execute("ROLLBACK")
                    raise
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self._path} cannot be written: {error}") from error

    def _read(self, statement: str, *values: object) -> list[Any]:
        db = self._connection()
        try:
            return db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self._path} cannot be read: {error}") from error

    def _connection(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            try:
                db = self._local.db = _open(self._path)
            except (sqlite3.Error, OSError) as error:
                raise LedgerError(f"the ledger {self._path} cannot be opened: {error}") from error
        return db


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, cached_statements=64)
    try:
        _prepare(db)
    except BaseException:
        db.close()  # and with it whatever it has locked
        raise
    return db


def _prepare(db: sqlite3.Connection) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError:  # changing the mode does not wait for others by itself
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
    # A crash of the process loses nothing; a loss of power may lose the last moments.
    db.execute("PRAGMA synchronous = NORMAL")
    if not db.execute("PRAGMA user_version").fetchone()[0]:
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")


def write_record(db: sqlite3.Connection, record: Record, *, known: bool) -> None:
    """Write a record as it is."""
    data = json.dumps(dump(record))
    if known:
        db.execute(
            "UPDATE calls SET seen_at = ?, wake_at = ?, record = ?, plan = coalesce(?, plan)"
            " WHERE call_id = ?",
            (record.seen_at, wake_at(record), data, _plan(record), record.call_id),
        )
    else:
        db.execute(
            "INSERT INTO calls (call_id, seen_at, wake_at, record, plan) VALUES (?, ?, ?, ?, ?)",
            (record.call_id, record.seen_at, wake_at(record), data, _plan(record)),
        )


def _plan(record: Record) -> str | None:
    return json.dumps(record.plan) if record.plan is not None else None


def write_legs(db: sqlite3.Connection, record: Record, before: dict[str, bool]) -> None:
    """Write the legs that were not known, by token, or are not as open as `before`."""
    for leg in record.legs:
        if before.get(leg.token) != leg.is_open:
            db.execute(
                "INSERT OR REPLACE INTO legs (token, call_id, destination, open)"
                " VALUES (?, ?, ?, ?)",
                (leg.token, record.call_id, leg.destination, int(leg.is_open)),
            )


def _write_journal(db: sqlite3.Connection, record: Record) -> None:
    for entry in record.entries:
        db.execute(
            "INSERT INTO journal (call_id, at, kind, data) VALUES (?, ?, ?, ?)",
            (record.call_id, entry.at, entry.kind, json.dumps(entry.data)),
        )


def _in_progress(db: sqlite3.Connection, destination: str) -> int:
    row = db.execute(
        "SELECT count(*) FROM legs WHERE destination = ? AND open = 1", (destination,)
    ).fetchone()
    return int(row[0])
