"""Waking due calls, when the work on some of them fails or never ends."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from callflow.background import Loops
from callflow.ledger import LedgerError
from callflow.sqlite import SqliteLedger
from callflow.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from callflow.record import Record

AT_ONCE = 64
"""Calls that are worked on at once."""


@dataclass
class Work:
    """Does for each call what a test has given it, and else nothing; counts."""

    does: dict[str, Callable[[], None]] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)

    def work(self, call_id: str) -> None:
        self.done[call_id] += 1
        if call_id in self.does:
            self.does[call_id]()


@dataclass
class House:
    ledger: SqliteLedger
    work: Work
    timers: Timers
    loops: Loops
    told: list[tuple[str, dict[str, Any]]]

    def due(self, *call_ids: str) -> None:
        for call_id in call_ids:
            self.ledger.update(call_id, _due)

    def lines(self, event: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self.told if name == event and not fields.get("quiet")]


def _due(record: Record, _: object) -> None:
    record.seen_at = time.time() - 60


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    told: list[tuple[str, dict[str, Any]]] = []

    def tell(event: str, **fields: Any) -> None:
        told.append((event, fields))

    work, ledger = Work(), SqliteLedger(str(tmp_path / "ledger.sqlite3"))
    loops, timers = Loops(tell), Timers(ledger, work, tell, longest=2.0)  # type: ignore[arg-type]
    timers.start(loops)
    yield House(ledger, work, timers, loops, told)
    timers.close()
    loops.stop()
    ledger.close()


def wait_until(so: Callable[[], Any], seconds: float = 10) -> Any:
    end = time.monotonic() + seconds
    while not (found := so()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def raises(error: BaseException) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do


@pytest.mark.parametrize(
    "error", [KeyError("+12125550142"), SystemExit(1), LedgerError("the disk is full")]
)
def test_a_call_whose_work_fails_rests_and_others_go_on(house: House, error: BaseException) -> None:
    house.work.does["c-bad"] = raises(error)
    house.due("c-bad", "c-good")
    wait_until(lambda: house.work.done["c-good"] > 15)
    assert 1 <= house.work.done["c-bad"] <= 3  # instead of each time
    line = house.lines("timer-failed")[0]
    assert line["call_id"] == "c-bad"
    assert line["error"] in {type(error).__name__, str(error)}
    assert "2125550142" not in str(house.told)
    del house.work.does["c-bad"]
    before = house.work.done["c-bad"]
    wait_until(lambda: house.work.done["c-bad"] > before + 5)


def test_many_calls_that_fail_do_not_hide_the_next_one(house: House) -> None:
    bad = [f"c-bad-{number}" for number in range(5 * AT_ONCE)]
    house.work.does = dict.fromkeys(bad, raises(KeyError()))
    house.due(*bad)
    wait_until(lambda: len(house.work.done) == len(bad), 30)
    house.due("c-good")  # the others have been due for longer
    wait_until(lambda: house.work.done["c-good"])
    assert len(house.lines("timer-failed")) == 10
    assert len(house.told) >= len(bad)


def test_work_that_never_ends_is_told_and_takes_nothing_with_it(house: House) -> None:
    may_end = threading.Event()
    stuck = [f"c-stuck-{number}" for number in range(AT_ONCE)]
    house.work.does = dict.fromkeys(stuck, lambda: may_end.wait(20) and None)
    house.due(*stuck)
    wait_until(lambda: len(house.work.done) == AT_ONCE)
    house.due("c-good")
    house.work.does = {}  # whoever tries again succeeds
    wait_until(lambda: house.work.done["c-good"])
    assert house.lines("timer-stuck")[0]["call_id"] in stuck
    wait_until(lambda: all(house.work.done[each] > 1 for each in stuck))
    assert house.loops.state()["timers"].error is None
    may_end.set()


def test_work_that_takes_its_time_is_let(house: House) -> None:
    house.work.does["c-slow"] = lambda: time.sleep(0.3)
    house.due("c-slow")
    wait_until(lambda: house.work.done["c-slow"] > 2)
    assert house.told == []
