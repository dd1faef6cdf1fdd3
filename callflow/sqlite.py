"""The ledger in an SQLite file: the default, for one host."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callflow.ledger import (
    ANSWERING,
    ENDED,
    NEW,
    OVER,
    ROUTING,
    Attempt,
    CallRecord,
    Entry,
    LedgerError,
    Plan,
    Seen,
    Story,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SCHEMA = """
CREATE TABLE IF NOT EXISTS calls (
    call_id TEXT PRIMARY KEY, called TEXT NOT NULL, caller TEXT NOT NULL,
    seen_at REAL NOT NULL, state TEXT NOT NULL, claims INTEGER NOT NULL DEFAULT 0,
    plan TEXT, progress TEXT, ended_at REAL, ended_by TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS calls_by_time ON calls (seen_at);
CREATE TABLE IF NOT EXISTS attempts (
    token TEXT PRIMARY KEY, call_id TEXT NOT NULL, destination TEXT NOT NULL,
    transfer_to TEXT NOT NULL, stage TEXT NOT NULL, reason TEXT NOT NULL, request TEXT NOT NULL,
    started_at REAL NOT NULL, state TEXT NOT NULL, leg_id TEXT, outcome TEXT, cause TEXT,
    ended_at REAL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS attempts_by_call ON attempts (call_id);
CREATE INDEX IF NOT EXISTS attempts_in_progress ON attempts (destination) WHERE ended_at IS NULL;
CREATE TABLE IF NOT EXISTS journal (
    id INTEGER PRIMARY KEY, call_id TEXT NOT NULL, at REAL NOT NULL, kind TEXT NOT NULL,
    data TEXT NOT NULL, fingerprint TEXT, times INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX IF NOT EXISTS journal_by_call ON journal (call_id);
CREATE UNIQUE INDEX IF NOT EXISTS journal_once ON journal (call_id, fingerprint)
    WHERE fingerprint IS NOT NULL;
"""
_PATIENCE = 5.0
"""Seconds that a statement waits for another process's write."""
_CALL = "call_id, called, caller, seen_at, state, claims, plan, progress, ended_at, ended_by"
_ATTEMPT = (
    "token, call_id, destination, transfer_to, stage, reason, request, started_at, state, "
    "leg_id, outcome, cause, ended_at"
)


class SqliteLedger:
    """Keeps one connection for each thread; any number of processes on one host may share it."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._local = threading.local()

    def note(self, seen: Seen, entry: Entry) -> CallRecord:
        """Record an event of a call, making the call known; return the call as it is now."""
        with self._write() as db:
            _know(db, seen, entry.at)
            _write_entry(db, seen.call_id, entry)
            return _record(db, seen.call_id)

    def claim(self, seen: Seen, entry: Entry, *, answering: bool = False) -> CallRecord | None:
        """Record an event and take the call; None if it is taken, or over."""
        wanted = (NEW,) if answering else (NEW, ANSWERING)
        with self._write() as db:
            _know(db, seen, entry.at)
            _write_entry(db, seen.call_id, entry)
            taken = db.execute(
                "UPDATE calls SET state = ?, claims = claims + ? WHERE call_id = ?"
                f" AND state IN ({', '.join('?' * len(wanted))})",
                (ANSWERING if answering else ROUTING, not answering, seen.call_id, *wanted),
            )
            return _record(db, seen.call_id) if taken.rowcount else None

    def release(self, call_id: str, entry: Entry) -> None:
        """Give a claimed call back."""
        with self._write() as db:
            _write_entry(db, call_id, entry)
            db.execute(
                "UPDATE calls SET state = ? WHERE call_id = ? AND state IN (?, ?)",
                (NEW, call_id, ROUTING, ANSWERING),
            )

    def decide(self, call_id: str, plan: Plan, entry: Entry) -> None:
        """Record the route of a claimed call."""
        with self._write() as db:
            _write_entry(db, call_id, entry)
            db.execute("UPDATE calls SET plan = ? WHERE call_id = ?", (_dump_plan(plan), call_id))

    def begin_attempt(self, attempt: Attempt, capacity: int | None) -> bool:
        """Record an attempt that is about to be sent, unless its destination is full."""
        with self._write() as db:
            if capacity is not None and _in_progress(db, attempt.destination) >= capacity:
                return False
            places = ", ".join("?" * 13)
            db.execute(
                f"INSERT INTO attempts ({_ATTEMPT}) VALUES ({places})",
                _attempt_row(attempt),
            )
            return True

    def update_attempt(self, attempt: Attempt) -> None:
        """Record what has become of an attempt."""
        with self._write() as db:
            db.execute(
                "UPDATE attempts SET state = ?, leg_id = coalesce(?, leg_id), outcome = ?,"
                " cause = ?, ended_at = ? WHERE token = ? AND ended_at IS NULL",
                (
                    attempt.state,
                    attempt.leg_id,
                    attempt.outcome,
                    attempt.cause,
                    attempt.ended_at,
                    attempt.token,
                ),
            )

    def set_state(
        self, call_id: str, state: str, entry: Entry, progress: Mapping[str, Any] | None = None
    ) -> None:
        """Record a call's new state; one that is over stays over, and its legs have ended."""
        over = state == OVER
        ended_by = str(entry.data.get("cause") or entry.data.get("because") or "") if over else None
        with self._write() as db:
            _write_entry(db, call_id, entry)
            db.execute(
                "UPDATE calls SET state = ?, progress = coalesce(?, progress), ended_at = ?,"
                " ended_by = ? WHERE call_id = ? AND state <> ?",
                (
                    state,
                    json.dumps(progress) if progress is not None else None,
                    entry.at if over else None,
                    ended_by,
                    call_id,
                    OVER,
                ),
            )
            if over:
                db.execute(
                    "UPDATE attempts SET state = ?, ended_at = ? WHERE call_id = ?"
                    " AND ended_at IS NULL",
                    (ENDED, entry.at, call_id),
                )

    def append(self, call_id: str, entry: Entry) -> bool:
        """Add to a call's journal; False if it was there already or the call is not known."""
        with self._write() as db:
            if not db.execute("SELECT 1 FROM calls WHERE call_id = ?", (call_id,)).fetchone():
                return False
            return _write_entry(db, call_id, entry)

    def find_attempt(self, token: str) -> Attempt | None:
        """Return the attempt that a token names."""
        rows = self._read(f"SELECT {_ATTEMPT} FROM attempts WHERE token = ?", token)
        return _attempt(rows[0]) if rows else None

    def in_progress(self) -> dict[str, int]:
        """Return the number of legs in progress by destination."""
        return dict(
            self._read(
                "SELECT destination, count(*) FROM attempts WHERE ended_at IS NULL"
                " GROUP BY destination"
            )
        )

    def story(self, call_id: str) -> Story | None:
        """Return everything about one call."""
        calls = self._read(f"SELECT {_CALL} FROM calls WHERE call_id = ?", call_id)
        if not calls:
            return None
        attempts = self._read(
            f"SELECT {_ATTEMPT} FROM attempts WHERE call_id = ? ORDER BY started_at", call_id
        )
        journal = self._read(
            "SELECT at, kind, data, fingerprint, times FROM journal WHERE call_id = ?"
            " ORDER BY at, id",
            call_id,
        )
        return Story(
            _call(calls[0]),
            tuple(_attempt(row) for row in attempts),
            tuple(Entry(at, kind, json.loads(data), *rest) for at, kind, data, *rest in journal),
        )

    def recent(self, limit: int) -> list[CallRecord]:
        """Return the calls seen last, the newest first."""
        rows = self._read(f"SELECT {_CALL} FROM calls ORDER BY seen_at DESC LIMIT ?", limit)
        return [_call(row) for row in rows]

    def prune(self, before: float) -> int:
        """Forget calls seen before an instant, a thousand at a time; return how many."""
        pruned = 0
        while True:
            with self._write() as db:
                rows = db.execute(
                    "SELECT call_id FROM calls WHERE seen_at < ? LIMIT 1000", (before,)
                ).fetchall()
                for table in ("journal", "attempts", "calls"):
                    db.executemany(
                        f"DELETE FROM {table} WHERE call_id = ?",
                        rows,
                    )
            pruned += len(rows)
            if len(rows) < 1000:
                return pruned

    def ping(self) -> None:
        """Raise LedgerError if the ledger cannot be written."""
        with self._write() as db:
            db.execute("UPDATE calls SET claims = claims WHERE call_id = ''")

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
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'journal_once'").fetchone():
        db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
    return db


def _know(db: sqlite3.Connection, seen: Seen, at: float) -> None:
    db.execute(
        "INSERT INTO calls (call_id, called, caller, seen_at, state) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (seen.call_id, seen.to, seen.caller, at, NEW),
    )


def _write_entry(db: sqlite3.Connection, call_id: str, entry: Entry) -> bool:
    row = (call_id, entry.at, entry.kind, json.dumps(entry.data), entry.fingerprint)
    written = db.execute(
        "INSERT INTO journal (call_id, at, kind, data, fingerprint) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        row,
    )
    if written.rowcount:
        return True
    db.execute(
        "UPDATE journal SET times = times + 1 WHERE call_id = ? AND fingerprint = ?",
        (call_id, entry.fingerprint),
    )
    return False


def _record(db: sqlite3.Connection, call_id: str) -> CallRecord:
    row = db.execute(f"SELECT {_CALL} FROM calls WHERE call_id = ?", (call_id,)).fetchone()
    return _call(row)


def _in_progress(db: sqlite3.Connection, destination: str) -> int:
    row = db.execute(
        "SELECT count(*) FROM attempts WHERE destination = ? AND ended_at IS NULL", (destination,)
    ).fetchone()
    return int(row[0])


def _call(row: tuple[Any, ...]) -> CallRecord:
    values = list(row)
    plan, progress = row[6:8]
    values[6] = Plan(**json.loads(plan)) if plan else None
    values[7] = json.loads(progress) if progress else None
    return CallRecord(*values)


def _dump_plan(plan: Plan) -> str:
    return json.dumps({name: getattr(plan, name) for name in Plan.__slots__})


def _attempt_row(attempt: Attempt) -> tuple[Any, ...]:
    values = [getattr(attempt, name.strip()) for name in _ATTEMPT.split(",")]
    values[6] = json.dumps(attempt.request)
    return tuple(values)


def _attempt(row: tuple[Any, ...]) -> Attempt:
    values = list(row)
    values[6] = json.loads(values[6])
    return Attempt(*values)
