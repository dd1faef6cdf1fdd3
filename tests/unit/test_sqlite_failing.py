"""An SQLite ledger that cannot be used says so in one way."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest

from callflow.ledger import PRESENCE, LedgerError
from callflow.sqlite import SqliteLedger

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("place", ["/proc/nowhere/l.sqlite3", "/dev/null/l.sqlite3", "/"])
def test_a_place_where_nothing_can_be_written(place: str) -> None:
    ledger = SqliteLedger(place)
    for use in (
        ledger.ping,
        lambda: ledger.update("c-1", lambda record, _: record.move("answered")),
        lambda: ledger.recent(1),
        lambda: ledger.due(1.0, 1),
        lambda: ledger.settings(PRESENCE, 1.0),
        lambda: ledger.slot("k", 1.0, 1.0, 1.0),
    ):
        with pytest.raises(LedgerError):
            use()


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    place = tmp_path / "ledger.sqlite3"
    place.write_bytes(b"something else entirely, and long enough to be looked at" * 50)
    with pytest.raises(LedgerError):
        SqliteLedger(str(place)).ping()


def test_a_database_of_something_else_is_refused_at_once_each_time(tmp_path: Path) -> None:
    place = tmp_path / "ledger.sqlite3"
    with contextlib.closing(sqlite3.connect(place)) as other:
        other.execute("CREATE TABLE calls (something TEXT)")
        other.commit()
    ledger = SqliteLedger(str(place))
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(LedgerError, match="cannot be opened"):
            ledger.ping()
        assert time.monotonic() - started < 2
