"""What one host knows of its calls in progress by itself, for the time that Redis is away.

The workers of a host share it: an SQLite ledger that lasts as long as the service runs.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, NamedTuple

from callflow.record import Record, load
from callflow.sqlite import SqliteLedger, forget, write_legs, write_record, write_setting

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from callflow.ledger import Setting

_STATES = (
    "SELECT call_id, json_extract(record, '$.version'),"
    " coalesce(json_extract(record, '$.shared'), 0), id FROM calls"
)


class State(NamedTuple):
    """Which version a copy is, and the last one of it that the shared ledger had."""

    version: int = 0
    shared: int = 0

    @property
    def is_ahead(self) -> bool:
        """Whether the copy was changed while the shared ledger was away."""
        return self.version > self.shared


class Copies(SqliteLedger):
    """Copies of records, each with its plan. `update` changes one while the ledger is away."""

    def name(self) -> str:
        """Return the name of this host: the same for all its workers, and another elsewhere."""
        with self._write() as db:
            db.execute(
                "INSERT OR IGNORE INTO settings (kind, name, value) VALUES ('host', '', ?)",
                (secrets.token_hex(8),),
            )
            row = db.execute("SELECT value FROM settings WHERE kind = 'host'").fetchone()
            return str(row[0])

    def state(self, call_id: str) -> State:
        """Return the state of a copy; version 0 if there is none."""
        rows = self._read(f"{_STATES} WHERE call_id = ?", call_id)
        return State(*rows[0][1:3]) if rows else State()

    def states(self) -> dict[str, State]:
        """Return the state of every copy."""
        return {call_id: State(*state) for call_id, *state, _ in self._read(_STATES)}

    def keep(self, record: Record) -> bool:
        """Keep what the shared ledger has now; return False if the plan is needed for that.

        One that was changed meanwhile stays as it is until it is brought back.
        """
        with self._write() as db:
            row = db.execute(
                "SELECT record, id, plan IS NOT NULL FROM calls WHERE call_id = ?",
                (record.call_id,),
            ).fetchone()
            copy = load(row[0]) if row else Record(record.call_id)
            if copy.version > copy.shared or copy.version >= record.version:
                return True
            if record.plan is None and record.rule is not None and not (row and row[2]):
                return _is_settled(record)
            _replace(db, record, copy, row[1] if row else None)
            return True

    def brought_back(self, record: Record, version: int) -> None:
        """Keep what became of a copy of this version that was brought back."""
        with self._write() as db:
            row = db.execute(
                "SELECT record, id FROM calls WHERE call_id = ?", (record.call_id,)
            ).fetchone()
            copy = load(row[0]) if row else None
            if copy is not None and copy.version == version:
                db.execute("DELETE FROM journal WHERE call = ?", (row[1],))
                _replace(db, record, copy, row[1])

    def drop(self, calls: Iterable[tuple[str, int]]) -> None:
        """Forget copies of calls, unless they are newer than these versions."""
        with self._write() as db:
            for call_id, version in calls:
                row = db.execute(f"{_STATES} WHERE call_id = ?", (call_id,)).fetchone()
                if row and row[1] <= version and not State(*row[1:3]).is_ahead:
                    forget(db, row[3])

    def keep_settings(self, kind: str, settings: Iterable[Setting]) -> None:
        """Keep the settings of a kind, in place of those that were known."""
        with self._write() as db:
            db.execute("DELETE FROM settings WHERE kind = ?", (kind,))
            db.execute("DELETE FROM planned WHERE kind = ?", (kind,))
            for each in settings:
                write_setting(db, kind, each)


def _replace(db: sqlite3.Connection, record: Record, copy: Record, call: int | None) -> None:
    """Write a copy of a record; in doubt, because it may be out of date when it is needed."""
    if _is_settled(record):
        if call is not None:
            forget(db, call)
        return
    record.shared, doubt = record.version, record.doubt
    record.doubt = True
    call = write_record(db, record, call)
    write_legs(db, record, call, {leg.token: leg.is_open for leg in copy.legs})
    record.doubt = doubt


def _is_settled(record: Record) -> bool:
    return record.is_over and not any(leg.is_open for leg in record.legs)
