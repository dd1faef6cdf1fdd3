"""The ledger in an SQLite file: the default, for one host."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from callflow.agenda import wake_at
from callflow.ledger import LedgerError, Setting, in_force, next_free
from callflow.record import Entry, Record, dump, dump_entries, load
from catapult.values import read_json

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_VERSION = 2
_SCHEMA = f"""
CREATE TABLE calls (
    id INTEGER PRIMARY KEY, call_id TEXT NOT NULL UNIQUE, seen_at REAL NOT NULL, wake_at REAL,
    record BLOB NOT NULL, plan BLOB
);
CREATE INDEX calls_by_time ON calls (seen_at);
CREATE INDEX calls_to_wake ON calls (wake_at) WHERE wake_at IS NOT NULL;
CREATE TABLE legs_in_progress (
    destination TEXT NOT NULL, token TEXT NOT NULL, call INTEGER NOT NULL,
    PRIMARY KEY (destination, token)
) WITHOUT ROWID;
CREATE TABLE journal (
    call INTEGER NOT NULL, version INTEGER NOT NULL, entries BLOB NOT NULL,
    PRIMARY KEY (call, version)
) WITHOUT ROWID;
CREATE TABLE settings (
    kind TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, until REAL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE pacing (key TEXT PRIMARY KEY, next REAL NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""
_ADDED = """
CREATE TABLE IF NOT EXISTS planned (
    kind TEXT NOT NULL, name TEXT NOT NULL, since REAL NOT NULL, value TEXT NOT NULL, until REAL,
    PRIMARY KEY (kind, name, since)
) WITHOUT ROWID
"""
"""What files of this version may lack. A service that does not know of it can use them as well."""
_STANDING = """
SELECT name, value, until, NULL AS since FROM settings
    WHERE kind = ?1 AND (until IS NULL OR until > ?2)
UNION ALL SELECT name, value, until, since FROM planned
    WHERE kind = ?1 AND (until IS NULL OR until > ?2)
ORDER BY name, since
"""
_PATIENCE = 5.0
"""Seconds that a write waits for another process's write."""
_PAUSE = 0.0005
"""Seconds between two tries of such a write; SQLite's own waiting gets longer and longer."""
_TIDY_AFTER = 500
"""Updates after which the log is worth to be brought into the file."""
_LONGEST_LOG = 20_000
"""Pages of the log after which a write brings it into the file, if nobody else has."""
_CACHE = 512
"""Kilobytes of the file that each process keeps in memory; the host has the rest of it."""
_PRUNED_AT_ONCE = 50
"""Calls that one step of pruning forgets: about a millisecond's work."""


class SqliteLedger:
    """Keeps one connection for all threads of a process; processes on one host may share the file.

    Whoever waits for another process's write does so in Python, where others can run meanwhile;
    each statement by itself takes microseconds.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._db: sqlite3.Connection | None = None
        self.lock = threading.Lock()
        self._since_tidy = 0

    def update(self, call_id: str, change: Callable[[Record, Callable[[str], int]], T]) -> T:
        """Change the record of a call in one atomic step, making the call known."""
        with self._write() as db:
            found = db.execute(
                "SELECT id, record FROM calls WHERE call_id = ?", (call_id,)
            ).fetchone()
            record = load(found[1]) if found else Record(call_id)
            before = {leg.token: leg.is_open for leg in record.legs}
            result = change(record, lambda destination: _in_progress(db, destination))
            entries = dump_entries(record) if record.entries else None
            record.version += 1
            call = write_record(db, record, found[0] if found else None)
            write_legs(db, record, call, before)
            if entries is not None:
                db.execute(
                    "INSERT INTO journal (call, version, entries) VALUES (?, ?, ?)",
                    (call, record.version, entries),
                )
        self._since_tidy += 1
        return result

    def load(self, call_id: str) -> Record | None:
        """Return the record of a call with its plan."""
        rows = self._read("SELECT record, plan FROM calls WHERE call_id = ?", call_id)
        if not rows:
            return None
        record = load(rows[0][0])
        record.plan = json.loads(rows[0][1]) if rows[0][1] else None
        return record

    def journal(self, call_id: str) -> list[Entry]:
        """Return the journal of a call, in order."""
        rows = self._read(
            "SELECT entries FROM journal WHERE call = (SELECT id FROM calls WHERE call_id = ?)"
            " ORDER BY version",
            call_id,
        )
        entries = [Entry(*entry) for row in rows for entry in read_json(row[0].decode())]
        return sorted(entries, key=lambda entry: entry.at)

    def due(self, now: float, limit: int) -> list[str]:
        """Return calls that somebody should look at by now, the longest overdue first."""
        rows = self._read(
            "SELECT call_id FROM calls WHERE wake_at <= ? ORDER BY wake_at LIMIT ?", now, limit
        )
        return [row[0] for row in rows]

    def in_progress(self) -> dict[str, int]:
        """Return the number of legs in progress by destination."""
        return dict(
            self._read("SELECT destination, count(*) FROM legs_in_progress GROUP BY destination")
        )

    def calls_to(self, destination: str) -> list[str]:
        """Return the calls that have a leg in progress to a destination."""
        rows = self._read(
            "SELECT DISTINCT call_id FROM legs_in_progress JOIN calls ON calls.id = call"
            " WHERE destination = ?",
            destination,
        )
        return [row[0] for row in rows]

    def recent(self, limit: int) -> list[Record]:
        """Return the calls seen last, the newest first."""
        rows = self._read("SELECT record FROM calls ORDER BY seen_at DESC LIMIT ?", limit)
        return [load(row[0]) for row in rows]

    def settings(self, kind: str, now: float) -> list[Setting]:
        """Return the presence or overrides in force, one for each name."""
        return in_force(self.standing(kind, now), now)

    def standing(self, kind: str, now: float) -> list[Setting]:
        """Return all that have not ended, those that begin later too, by name and beginning."""
        return [Setting(*row) for row in self._read(_STANDING, kind, now)]

    def set(self, kind: str, setting: Setting, now: float) -> None:
        """Set a presence or an override; at once, it takes the place of those that have begun."""
        with self._write() as db:
            db.execute("DELETE FROM planned WHERE kind = ? AND until <= ?", (kind, now))
            if setting.since is None:
                db.execute(
                    "DELETE FROM planned WHERE kind = ? AND name = ? AND since <= ?",
                    (kind, setting.name, now),
                )
            write_setting(db, kind, setting)

    def clear(self, kind: str, name: str, *since: float | None) -> bool:
        """Take back what was set for a name, or only what begins then; return whether any was."""
        with self._write() as db:
            gone = 0
            if not since or None in since:
                statement = "DELETE FROM settings WHERE kind = ? AND name = ?"
                gone += db.execute(statement, (kind, name)).rowcount
            if not since:
                statement = "DELETE FROM planned WHERE kind = ? AND name = ?"
                gone += db.execute(statement, (kind, name)).rowcount
            for each in since:
                statement = "DELETE FROM planned WHERE kind = ? AND name = ? AND since = ?"
                gone += db.execute(statement, (kind, name, each)).rowcount
            return gone > 0

    def slot(self, key: str, gap: float, now: float, within: float) -> float | None:
        """Return the next free moment for a paced request, and take it."""
        with self._write() as db:
            row = db.execute("SELECT next FROM pacing WHERE key = ?", (key,)).fetchone()
            slot = next_free(row[0] if row else 0.0, now, within)
            if slot is not None:
                db.execute("INSERT OR REPLACE INTO pacing VALUES (?, ?)", (key, slot + gap))
            return slot

    def prune(self, before: float) -> int:
        """Forget calls seen before an instant, some at a time; return how many."""
        pruned = 0
        while True:
            with self._write() as db:
                rows = db.execute(
                    "SELECT id FROM calls WHERE seen_at < ? LIMIT ?", (before, _PRUNED_AT_ONCE)
                ).fetchall()
                for (call,) in rows:
                    forget(db, call)
            pruned += len(rows)
            if len(rows) < _PRUNED_AT_ONCE:
                return pruned
            time.sleep(_PAUSE)  # calls come first

    def tidy(self) -> None:
        """Bring what was written from the log into the file, when there is enough of it.

        That waits for the disk, and the log could not shrink if writes went on all the while: first
        the bulk is brought over beside them, then, with writers waiting a moment, the rest.
        """
        if self._since_tidy < _TIDY_AFTER:
            return
        self._since_tidy = 0
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=_PATIENCE)) as db:
                for mode in ("PASSIVE", "RESTART"):
                    db.execute(f"PRAGMA wal_checkpoint({mode})")
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self.path} cannot be tidied: {error}") from error

    def ping(self) -> None:
        """Raise LedgerError if the ledger cannot be written."""
        with self._write() as db:
            db.execute("DELETE FROM settings WHERE kind = ''")

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with self.lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _write(self) -> _Turn:
        return _Turn(self, "written")

    def _read(self, statement: str, *values: object) -> list[Any]:
        with _Turn(self, "read") as db:
            return db.execute(statement, values).fetchall()

    def connection(self) -> sqlite3.Connection:
        """Return the connection, for whoever has the lock."""
        if self._db is None:
            try:
                self._db = _open(self.path)
            except (sqlite3.Error, OSError) as error:
                raise LedgerError(f"the ledger {self.path} cannot be opened: {error}") from error
        return self._db


class _Turn:
    """Has the connection for itself; none of those who wait does for longer than the first."""

    __slots__ = ("_db", "_deadline", "_ledger", "_what")

    def __init__(self, ledger: SqliteLedger, what: str) -> None:
        self._ledger = ledger
        self._what = what

    def __enter__(self) -> sqlite3.Connection:
        deadline = time.monotonic() + _PATIENCE
        if not self._ledger.lock.acquire(timeout=_PATIENCE):
            raise self._failure("others are waiting for it")
        try:
            self._db = self._ledger.connection()
            if self._what == "written":
                _insist(lambda: self._db.execute("BEGIN IMMEDIATE"), deadline)
        except sqlite3.Error as error:
            self._ledger.lock.release()
            raise self._failure(error) from error
        except BaseException:
            self._ledger.lock.release()
            raise
        return self._db

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        try:
            if error is None and self._db.in_transaction:
                self._db.execute("COMMIT")
        except sqlite3.Error as failed:  # the disk is full, say
            error = failed
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        except sqlite3.Error as failed:
            error = error or failed
        finally:
            self._ledger.lock.release()
        if isinstance(error, sqlite3.Error | UnicodeEncodeError):  # a name that is no text
            raise self._failure(error) from error

    def _failure(self, because: object) -> LedgerError:
        return LedgerError(f"the ledger {self._ledger.path} cannot be {self._what}: {because}")


def _open(path: Path) -> sqlite3.Connection:
    _make_folder(path.parent)
    _keep_private(path)
    db = sqlite3.connect(
        path, timeout=0, isolation_level=None, cached_statements=64, check_same_thread=False
    )
    try:
        _insist(lambda: _prepare(db), time.monotonic() + _PATIENCE)
    except BaseException:
        db.close()  # and with it whatever it has locked
        raise
    return db


def _make_folder(folder: Path) -> None:
    """Make a folder, and those above it, for this user alone."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _keep_private(path: Path) -> None:
    """Let nobody but this user read the file. SQLite gives those beside it the same mode.

    A file that is there is not opened for that: closing it would drop SQLite's locks on it.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    for each in (Path(f"{path}{kind}") for kind in ("", "-wal", "-shm")):
        with contextlib.suppress(FileNotFoundError, PermissionError):  # gone, or somebody else's
            if each.is_file() and each.stat().st_mode & 0o077:
                each.chmod(0o600)


def _prepare(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA journal_mode = WAL")
    # A crash of the process loses nothing; a loss of power may lose the last moments.
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute(f"PRAGMA cache_size = {-_CACHE}")
    db.execute(f"PRAGMA wal_autocheckpoint = {_LONGEST_LOG}")
    db.execute("BEGIN IMMEDIATE")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version not in {0, _VERSION}:
        raise sqlite3.DatabaseError("another version of the service made it; move it away")
    if not version:
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
    db.execute(_ADDED)
    db.execute("COMMIT")


def _insist(do: Callable[[], object], deadline: float) -> None:
    """Do something again and again while another process writes."""
    while True:
        try:
            do()
        except sqlite3.OperationalError as error:
            locked = error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
            if not locked or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


def write_record(db: sqlite3.Connection, record: Record, call: int | None) -> int:
    """Write a record as it is, over the row `call` if it is known; return the row."""
    plan = msgspec.json.encode(record.plan) if record.plan is not None else None
    values = (record.seen_at, wake_at(record), dump(record))
    if call is None:
        row = db.execute(
            "INSERT INTO calls (seen_at, wake_at, record, plan, call_id) VALUES (?, ?, ?, ?, ?)",
            (*values, plan, record.call_id),
        )
        return row.lastrowid or 0
    db.execute(
        "UPDATE calls SET seen_at = ?, wake_at = ?, record = ?, plan = coalesce(?, plan)"
        " WHERE id = ?",
        (*values, plan, call),
    )
    return call


def write_legs(db: sqlite3.Connection, record: Record, call: int, before: dict[str, bool]) -> None:
    """Note which legs are in progress, where that is not as `before`, by token."""
    for leg in record.legs:
        if leg.is_open == before.get(leg.token, False):
            continue
        if leg.is_open:
            statement = "INSERT INTO legs_in_progress (destination, token, call) VALUES (?, ?, ?)"
            db.execute(statement, (leg.destination, leg.token, call))
        else:
            statement = "DELETE FROM legs_in_progress WHERE destination = ? AND token = ?"
            db.execute(statement, (leg.destination, leg.token))


def write_setting(db: sqlite3.Connection, kind: str, setting: Setting) -> None:
    """Write a setting over the one of its name that begins at the same moment."""
    values = (kind, setting.name, setting.value, setting.until)
    if setting.since is None:
        db.execute(
            "INSERT OR REPLACE INTO settings (kind, name, value, until) VALUES (?, ?, ?, ?)", values
        )
    else:
        db.execute(
            "INSERT OR REPLACE INTO planned (kind, name, value, until, since)"
            " VALUES (?, ?, ?, ?, ?)",
            (*values, setting.since),
        )


def forget(db: sqlite3.Connection, call: int) -> None:
    """Delete everything of a call."""
    row = db.execute("SELECT record FROM calls WHERE id = ?", (call,)).fetchone()
    for leg in load(row[0]).legs:
        statement = "DELETE FROM legs_in_progress WHERE destination = ? AND token = ?"
        db.execute(statement, (leg.destination, leg.token))
    db.execute("DELETE FROM journal WHERE call = ?", (call,))
    db.execute("DELETE FROM calls WHERE id = ?", (call,))


def _in_progress(db: sqlite3.Connection, destination: str) -> int:
    row = db.execute(
        "SELECT count(*) FROM legs_in_progress WHERE destination = ?", (destination,)
    ).fetchone()
    return int(row[0])
