"""Turns for requests while the platform refuses some for their rate."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from callflow.pacing import Pacer
from callflow.patience import GaveUpError, Patience
from callflow.sqlite import SqliteLedger
from catapult.errors import TryAgainError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Company:
    """A phone company that refuses one request, and counts the others."""

    def __init__(self) -> None:
        self.refusals = 1
        self.answered = 0

    def answer(self, _call_id: str, **_: float) -> None:
        if self.refusals:
            self.refusals -= 1
            error = TryAgainError("429")
            error.wait = 0.1
            raise error
        self.answered += 1


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(str(tmp_path / "ledger.sqlite3"))
    yield ledger
    ledger.close()


def answer(company: Company, pacer: Pacer, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    Patience(company, deadline, lambda _: None, pacer).answer("c-1")  # type: ignore[arg-type]


def test_those_who_give_up_do_not_keep_the_others_from_their_turn(ledger: SqliteLedger) -> None:
    company, pacer = Company(), Pacer(ledger)
    answer(company, pacer, 5)
    for _ in range(30):
        with pytest.raises(GaveUpError):
            answer(company, pacer, 0.01)
    before = time.monotonic()
    answer(company, pacer, 10)
    assert time.monotonic() - before < 4


def test_a_clock_that_is_set_back_keeps_nobody_from_their_turn(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    company, pacer, real = Company(), Pacer(ledger), time.time
    monkeypatch.setattr(time, "time", lambda: real() + 100)
    answer(company, pacer, 5)
    monkeypatch.setattr(time, "time", real)
    before = time.monotonic()
    answer(company, pacer, 5)
    assert time.monotonic() - before < 3
