"""What several processes do to a ledger at once. It imports little, as each of them does."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callflow.copies import Copies
from callflow.ledger import UnchangedError
from callflow.mirror import MirroredLedger
from callflow.record import Leg, Record
from callflow.redis import RedisLedger
from callflow.sqlite import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.ledger import Ledger

NOW = 1_790_000_000.123456
CENTURY = 36_500.0
"""Days for which everything is kept, whatever the clock says."""


def _unexpected(event: str, **fields: Any) -> None:
    raise AssertionError(event, fields)


@dataclass(frozen=True)
class Opener:
    """Opens the same ledger again and again, as processes do."""

    backend: str
    place: str
    folder: str

    def __call__(self) -> Ledger:
        if self.backend == "sqlite":
            return SqliteLedger(f"{self.folder}/new/ledger.sqlite3")
        shared = RedisLedger(self.place, days=CENTURY, prefix=f"test:{self.folder}:")
        if self.backend == "redis":
            return shared
        return MirroredLedger(shared, Copies(f"{self.folder}/copies.sqlite3"), _unexpected)


def leg(token: str, destination: str = "ana", **more: Any) -> Leg:
    values: dict[str, Any] = {
        "round": 1,
        "transfer_to": "+19195550101",
        "stage": "rule 1",
        "reason": "unconditional",
        "request": {"state": "transferring"},
        "ring": 20,
        "started_at": NOW,
    }
    return Leg(token=token, destination=destination, **(values | more))


def in_threads(work: Callable[[int], Any], count: int) -> list[Any]:
    """Begin all at the same moment."""
    barrier = threading.Barrier(count)

    def run(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def count_up(opened: Opener, _: int) -> None:
    ledger = opened()

    def change(record: Record, _: Callable[[str], int]) -> None:
        record.retries += 1
        record.note(NOW, "counted")

    def run(_: int) -> None:
        for _number in range(10):
            ledger.update("c-1", change)
        ledger.close()

    in_threads(run, 4)


def ring(opened: Opener, process: int) -> int:
    """Ring a destination that takes three, for many calls at once; return how many got through."""
    ledger = opened()

    def run(thread: int) -> int:
        def change(record: Record, in_progress: Callable[[str], int]) -> int:
            if in_progress("ana") >= 3:
                return 0
            record.legs.append(leg(f"t-{process}-{thread}"))
            return 1

        return ledger.update(f"c-{process}-{thread}", change)

    return sum(in_threads(run, 6))


def take_due(opened: Opener, process: int) -> list[str]:
    """Take every call that is due, as workers do."""
    ledger, taken = opened(), []

    def change(record: Record, _: Callable[[str], int]) -> None:
        if record.holder != "nobody":
            raise UnchangedError
        record.holder, record.held_until = f"p-{process}", NOW + 1000

    while found := ledger.due(NOW, 5):
        random.shuffle(found)
        for call_id in found:
            try:
                ledger.update(call_id, change)
            except UnchangedError:
                continue
            taken.append(call_id)
    return taken


def pace(opened: Opener, _: int) -> list[float | None]:
    ledger = opened()
    return [ledger.slot("requests", 0.25, NOW, 60) for _ in range(20)]
