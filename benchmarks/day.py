"""A day of calls through a real ledger, as fast as it goes: `python -m benchmarks.day --calls 1000000`.

Two processes handle the events of calls as the service's workers do, each with the real handler
and the shipped rules; only the platform is left out, and the clock goes faster. Calls are forgotten
after a quarter of the day. Is the last tenth of the day as quick as the first, and is the ledger's
size bounded?
"""

# ruff: noqa: E501 - the first line shows the command

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import multiprocessing
import resource
import secrets
import tempfile
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.ledgers import books
from callflow.facts import FactFinder
from callflow.handle import CallHandler
from callflow.ledger import OVERRIDE, Setting
from callflow.redis import RedisLedger
from callflow.rulebook import Rulebook
from callflow.sqlite import SqliteLedger
from callflow.work import Worker
from catapult.client import Client
from catapult.events import parse_post
from settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from callflow.ledger import Ledger
    from catapult.wire import Request

_DAY = 86_400.0
_WORKERS = 2
_TENTHS = 10
_TALK = 60.0
_CALLER, _NUMBER, _ONCALL = "+14155550171", "+19195551002", "+19195550104"


class _Platform(Client):
    """The platform as cheap as can be: it takes every transfer, and tells the leg's address."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9/v1", "u-day", "t-day", "s-day")
        self.transfers: dict[str, tuple[str, str]] = {}

    def _exchange(self, request: Request, deadline: float) -> tuple[Mapping[str, str], Any]:
        del deadline
        if request.method == "GET":
            return {}, {"id": "c", "state": "active", "direction": "in"}
        leg_id = f"c-{secrets.token_hex(8)}"
        url = (request.body or {}).get("callbackUrl", "")
        self.transfers[request.path.rpartition("/")[2]] = leg_id, url.rpartition("/")[2]
        return {"location": f"/v1/users/u-day/calls/{leg_id}"}, None


@dataclass
class _Day:
    """The part of a day that one worker handles. `now` is the simulated time, epoch seconds."""

    ledger: Ledger
    start: float
    now: float
    platform: _Platform = field(default_factory=_Platform)
    waiting: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def handler(self) -> CallHandler:
        settings = Settings(public_url="https://router.example.test", callback_auth=False)
        rulebook = Rulebook("routing_rules.yaml", _silent)
        rulebook.look()
        facts = FactFinder(self.ledger, rulebook)
        worker = Worker(settings, self.ledger, self.platform, facts, _silent)
        return CallHandler(settings, self.ledger, facts, worker, _silent)

    def at(self, moment: float, do: Callable[[], None]) -> None:
        heapq.heappush(self.waiting, (moment, next(self.numbers), do))

    def catch_up(self, until: float) -> None:
        while self.waiting and self.waiting[0][0] <= until:
            self.now, _, do = heapq.heappop(self.waiting)
            do()
        self.now = until

    def place(self, handler: CallHandler, call_id: str) -> None:
        """Let a call come in; what becomes of it happens later."""

        def tell(kind: str, state: str = "active") -> None:
            handler.on_event(self._event(kind, call_id, _CALLER, _NUMBER, state), self.now)

        def tell_leg(kind: str, state: str = "active") -> None:
            leg_id, token = self.platform.transfers[call_id]
            event = self._event(kind, leg_id, _CALLER, _ONCALL, state)
            handler.on_leg_event(token, event, self.now)

        def end() -> None:
            tell("hangup", "completed")
            tell_leg("hangup", "completed")
            del self.platform.transfers[call_id]

        tell("incomingcall")
        tell("answer")
        self.at(self.now + 5.0, lambda: tell_leg("answer"))
        self.at(self.now + _TALK, end)

    def _event(self, kind: str, call_id: str, from_: str, to: str, state: str) -> Any:
        body = {
            "eventType": kind,
            "callId": call_id,
            "callUri": f"https://api.catapult.inetwork.com/v1/users/u-day/calls/{call_id}",
            "from": from_,
            "to": to,
            "callState": state,
            "time": datetime.fromtimestamp(self.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            **({"cause": "NORMAL_CLEARING"} if kind == "hangup" else {}),
        }
        return parse_post(json.dumps(body).encode())


def _silent(*_what: object, **_fields: object) -> None:
    pass


def _open(url: str, days: float) -> Ledger:
    if url.startswith("sqlite:///"):
        return SqliteLedger(url.removeprefix("sqlite:///"))
    return RedisLedger(url, days)


def _work(number: int, calls: int, url: str, days: float, told: Any) -> None:
    """Handle every second call of the day; tell how long each tenth took, and the memory."""
    start = time.time()
    day = _Day(_open(url, days), start, start)
    time.time = lambda: day.now
    handler = day.handler()
    over = threading.Event()
    pruning = threading.Thread(target=_prune, args=(day, days, over))
    pruning.start()
    for tenth in range(_TENTHS):
        began = time.perf_counter()
        mine = range(number + tenth * calls // _TENTHS, (tenth + 1) * calls // _TENTHS, _WORKERS)
        for each in mine:
            day.catch_up(start + each * _DAY / calls)
            day.place(handler, f"c-day-{each}")
        told.put((tenth, len(mine), time.perf_counter() - began))
    day.catch_up(start + _DAY + 2 * _TALK)
    over.set()
    pruning.join()
    told.put((None, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, day.now))


def _prune(day: _Day, days: float, over: threading.Event) -> None:
    """Forget old calls once a minute of the day, as the service does."""
    pruned_at = 0.0
    while not over.wait(0.01):
        if day.now - pruned_at >= 60:
            pruned_at = day.now
            day.ledger.prune(day.now - days * _DAY)


def run(calls: int, kind: str, days: float) -> dict[str, Any]:
    """Handle a day of calls; return how it went."""
    tenths: list[dict[str, float]] = [{"calls": 0.0, "seconds": 0.0} for _ in range(_TENTHS)]
    peak = 0.0
    with (
        tempfile.TemporaryDirectory(prefix="day-") as folder,
        books(kind, Path(folder)) as ledger,
    ):
        override = Setting("nights", "open", time.time() + 7 * _DAY)
        _open(ledger.url, days).set(OVERRIDE, override, time.time())
        context = multiprocessing.get_context("spawn")
        told = context.Queue()
        workers = [
            context.Process(target=_work, args=(each, calls, ledger.url, days, told), daemon=True)
            for each in range(_WORKERS)
        ]
        for each in workers:
            each.start()
        left = _WORKERS
        while left:
            tenth, count, seconds = told.get(timeout=1200)
            if tenth is None:
                left, peak = left - 1, max(peak, count)
                continue
            row = tenths[tenth]
            row["calls"] += count
            row["seconds"] = max(row["seconds"], seconds)
            row |= ledger.sample()
        for each in workers:
            each.join()
        end = ledger.sample()
    for row in tenths:
        row["calls a second"] = row["calls"] / row["seconds"]
    return {
        "calls": calls,
        "ledger": kind,
        "days": days,
        "tenths": tenths,
        "end": end,
        "peak": peak,
    }


def table(result: dict[str, Any]) -> str:
    """Return the result in words."""
    rows = [
        f"| {number} | {row['calls a second']:,.0f} | {row['calls kept']:,.0f} "
        f"| {row['calls open']:,.0f} | {row['ledger']:,.0f} MB |"
        for number, row in enumerate(result["tenths"], 1)
    ]
    first, last = (result["tenths"][each]["calls a second"] for each in (0, -1))
    return "\n".join(
        [
            (
                f"{result['calls']:,} calls in 24 h, {result['ledger']}, kept for {24 * result['days']:g} h: "
                f"the last tenth at {last / first:.2f} of the speed of the first; "
                f"peak memory of a worker {result['peak']:.0f} MB"
            ),
            "",
            "| tenth | calls/s | calls kept | calls open | ledger |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--ledger", choices=("sqlite", "redis"), default="sqlite")
    parser.add_argument("--days", type=float, default=0.25, help="for which calls are kept")
    parser.add_argument("--json", action="store_true", help="every figure, as one document")
    options = parser.parse_args()
    result = run(options.calls, options.ledger, options.days)
    print(json.dumps(result) if options.json else table(result))


if __name__ == "__main__":
    main()
