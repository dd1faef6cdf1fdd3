"""One run: calls are placed while everything goes wrong, and then every call is accounted for."""

from __future__ import annotations

import heapq
import json
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callflow.ledger import LedgerError
from callflow.record import OVER
from tests.faults import house
from tests.faults.accountant import GIVEN_BACK, KINDS, Account, account_for
from tests.faults.chaos import Chaos
from tests.faults.company import Company
from tests.faults.kept import KINDS as LEDGERS
from tests.faults.served import Served
from tests.service import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callflow.ledger import Ledger
    from callflow.record import Record

_DIALERS = 16
_LONG_AFTER = 7300.0
"""Seconds after which the service has looked at every call of which nothing was heard."""


@dataclass(frozen=True)
class Edition:
    """How large a run is, and how rough. `pace` is the mean seconds between two kills."""

    seed: int
    calls: int
    ledger: str = "sqlite"
    rate: float = 14.0
    """Calls a second."""
    pace: float = 3.0
    latency: float = 0.02
    """Seconds that the API takes."""
    roughness: float = 1.0
    """How many times the usual chance each fault of a request or a callback has."""
    furthest: float = 120.0
    """Seconds by which the clock of the service may be off."""
    linger: float = 30.0
    """Seconds for which a leg may outlive its caller: as long as what is done for a call may take.
    People who hear nothing for longer hang up."""
    settle: float = 150.0
    """Seconds that the last calls may take when nothing goes wrong any more."""
    clean: float = 60.0
    """Seconds that the ledger may take to be done with every call, long after."""
    lines: tuple[str, ...] = ()
    troubles: tuple[str, ...] | None = None
    """What befalls the service and its ledger, by name; None for everything."""
    plant: str | None = None


@dataclass
class Result:
    """What came of a run; `violations` and `traces` by call, "" for what is of no one call."""

    edition: Edition
    account: Account
    befell: Counter[str]
    said: Counter[str]
    output: list[str]
    """What the service wrote."""
    seconds: float
    settled: float
    violations: dict[str, list[str]] = field(default_factory=dict)
    traces: dict[str, list[str]] = field(default_factory=dict)


def run(edition: Edition, traced: int = 5) -> Result:
    """Place the calls and account for them; trace the first violating ones."""
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        with LEDGERS[edition.ledger](folder) as kept:
            served = Served(folder, kept.url, edition.plant)
            try:
                with Company(served.callback_url, edition.seed) as company:
                    served.start(company.url)
                    wait_until(served.is_ready, 60)
                    chaos = Chaos(edition, served, kept)
                    began = time.monotonic()
                    company.disturb(edition.latency, edition.roughness)
                    chaos.start()
                    try:
                        _place_calls(edition, company)
                    finally:
                        chaos.stop()
                    company.calm()
                    calmed = time.monotonic()
                    left = _settle(company, edition)
                    settled = time.monotonic()
                    log = list(company.log(*KINDS))
                    account = account_for(log)
                    for leg in left:
                        company.hang_up(leg["callId"])
                    ledger = kept.open()
                    served.set_clock(served.clock() + _LONG_AFTER)
                    _until(lambda: not list(_unfinished(ledger)), edition.clean)
                    result = Result(
                        edition,
                        account,
                        chaos.struck + Counter({"service ended by itself": served.ended_by_itself}),
                        served.said,
                        list(served.output),
                        settled - began,
                        settled - calmed,
                        account.violations(edition.linger),
                    )
                    _judge_left(result, left)
                    _judge_ledger(result, ledger)
                    _judge_places(result)
                    _judge_answers(result)
                    for call_id in list(filter(None, result.violations))[:traced]:
                        result.traces[call_id] = list(_trace(call_id, log, ledger))
                    ledger.close()
            finally:
                served.stop()
    return result


def _place_calls(edition: Edition, company: Company) -> None:
    """Dial at the agreed rate, and let callers leave when they want to."""
    order, start, lock = count(), time.monotonic(), threading.Lock()
    agenda: list[tuple[float, int, Callable[[], None]]] = []

    def at(moment: float, do: Callable[[], None]) -> None:
        with lock:
            heapq.heappush(agenda, (moment, next(order), do))

    def dial(number: int) -> None:
        plan = house.plan(edition.seed, number, edition.lines)
        call_id = company.dial(plan.caller, plan.line.number)
        if plan.leaves is not None:
            at(time.monotonic() + plan.leaves, lambda: company.hang_up(call_id))

    for number in range(edition.calls):
        at(start + number / edition.rate, lambda number=number: dial(number))  # type: ignore[misc]
    with ThreadPoolExecutor(_DIALERS) as people:
        futures = []
        while True:
            with lock:
                due = agenda and agenda[0][0] <= time.monotonic()
                do = heapq.heappop(agenda)[2] if due else None
            if do is not None:
                futures.append(people.submit(do))
            elif agenda or not all(future.done() for future in futures[-_DIALERS:]):
                time.sleep(0.005)
            else:
                break
    for future in futures:
        future.result()


def _settle(company: Company, edition: Edition) -> list[dict[str, Any]]:
    """Wait until every leg has ended; return those that have not in time.

    Who is alone in a bridge for long hangs up, as people do who hear nothing.
    """
    end, alone = time.monotonic() + edition.settle, dict[str, float]()
    while (legs := company.open_legs()) and time.monotonic() < end:
        for leg in legs:
            if leg["bridgeId"] and not leg["talksTo"]:
                since = alone.setdefault(leg["callId"], time.monotonic())
                if time.monotonic() - since > edition.linger + 1:
                    company.hang_up(leg["callId"])
        time.sleep(0.5)
    return legs


def _until(wanted: Callable[[], bool], seconds: float) -> None:
    """Wait until it is so; that it is not after all these seconds is for the accountant."""
    end = time.monotonic() + seconds
    while not wanted() and time.monotonic() < end:
        time.sleep(0.5)


def _unfinished(ledger: Ledger) -> Iterator[Record]:
    """Yield the records of calls with which the service is not done; all of them have ended."""
    for record in _records(ledger):
        if record.state != OVER or any(leg.is_open for leg in record.legs):
            yield record


def _records(ledger: Ledger) -> list[Record]:
    try:
        return ledger.recent(1_000_000)
    except LedgerError:
        return []


def _judge_left(result: Result, left: list[dict[str, Any]]) -> None:
    for leg in left:
        call = result.account.calls.get(leg["callId"])
        if call is None or call.how_it_ended() != GIVEN_BACK:
            what = f"in progress long after the last fault: {_brief(leg)}"
            result.violations.setdefault(leg["callId"], []).append(what)


def _judge_ledger(result: Result, ledger: Ledger) -> None:
    for record in _unfinished(ledger):
        legs = ", ".join(leg.destination for leg in record.legs if leg.is_open)
        what = f"the ledger is not done with it: {record.state}, in progress: {legs or 'nobody'}"
        result.violations.setdefault(record.call_id, []).append(what)
    if places := ledger.in_progress():
        result.violations.setdefault("", []).append(f"places still taken: {places}")


def _judge_places(result: Result) -> None:
    """Judge whether a destination had more calls than it takes; Redis may be away meanwhile."""
    (limited,) = (line for line in house.LINES.values() if line.name == "limited")
    most = result.account.most_places_taken(limited.route[0][0])
    if result.edition.ledger == "sqlite" and most > house.PLACES:
        what = f"{most} calls at once at a destination that takes {house.PLACES}"
        result.violations.setdefault("", []).append(what)


def _judge_answers(result: Result) -> None:
    if crashed := result.account.failed["answered 500"]:
        what = f"{crashed} callbacks were answered with 500"
        result.violations.setdefault("", []).append(what)


def _trace(call_id: str, log: list[dict[str, Any]], ledger: Ledger) -> Iterator[str]:
    """Yield what the phone company and the ledger saw of a call, line by line."""
    rows = []
    ours = {call_id} | {
        row["callId"]
        for row in log
        if row["kind"] == "leg" and call_id in (row["parent"], row.get("tag"))
    }
    for row in log:
        named = {row.get("callId"), row.get("leg"), *row.get("path", "").split("/")}
        if ours & named or call_id in str(row.get("body", "")):
            rows.append((row["time"], f"company {_shown(row)}"))
    for entry in ledger.journal(call_id):
        data = {key: value for key, value in entry.data.items() if key != "facts"}
        rows.append((entry.at, f"ledger  {entry.kind} {_brief(data)}"))
    record = ledger.load(call_id)
    began = min(row[0] for row in rows)
    yield from (f"{at - began:8.3f} {what}" for at, what in rows)
    if record is not None:
        known = {"state": record.state, "retries": record.retries, "givenBack": record.given_back}
        yield f"{'':8} record  {_brief(known)}"


def _shown(row: dict[str, Any]) -> str:
    hidden = {"n", "time", "headers", "kind", "diversion", "diversionHeader", "url", "answer"}
    return f"{row['kind']} {_brief({k: v for k, v in row.items() if k not in hidden})}"


def _brief(data: Any) -> str:
    return json.dumps(data, default=str)[:300]
