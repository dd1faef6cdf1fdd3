"""The service under steady calls for long: whatever grows is found, and every call is checked.

`make soak` places RATE calls a second for SECONDS through the service as the Procfile starts it,
with the shipped rules and a ledger (LEDGER=sqlite or redis) that forgets after a quarter of an
hour. It ends with 1 if a call was not handled as it should, or if something grew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.callers import PhoneCompany
from benchmarks.ledgers import RedisBooks, SqliteBooks, books
from benchmarks.processes import family, footprint
from benchmarks.running import API_LATENCY, Running

LEDGER_DAYS = 0.01
"""The shortest time that the service keeps calls for: 14.4 minutes."""
_EVERY = 5.0
"""Seconds between two samples."""
_PRUNED_BY = 120.0
"""Seconds by which a call may outstay LEDGER_DAYS."""


class Bound(NamedTuple):
    """By how much a figure may grow from the end of the warm-up to the end of the run."""

    unit: str
    share: float
    """Of its mean."""
    floor: float


BOUNDS = {
    "anonymous PSS": Bound("MB", 0.01, 2.0),
    "RSS": Bound("MB", 0.01, 4.0),
    "handles": Bound("", 0.03, 10.0),
    "threads": Bound("", 0.03, 3.0),
    "callbacks p50": Bound("ms", 0.25, 1.0),
    "callbacks p99": Bound("ms", 0.25, 20.0),
}
"""What may not grow at all: the rest of a figure's growth is noise of the machine."""
LEDGER_BOUNDS = {
    "ledger": Bound("MB", 0.1, 1.0),
    "calls kept": Bound("", 0.1, 100.0),
    "calls open": Bound("", 0.1, 30.0),
}
"""The same, once the first calls have been forgotten."""


@dataclass(frozen=True, slots=True)
class Slope:
    """How a figure went: its mean, and the least-squares slope per hour."""

    name: str
    unit: str
    first: float
    last: float
    mean: float
    per_hour: float
    growth: float
    allowed: float

    @property
    def is_bounded(self) -> bool:
        return self.growth <= self.allowed

    def row(self) -> str:
        unit = f" {self.unit}" if self.unit else ""
        verdict = "steady" if self.is_bounded else "GROWS"
        return (
            f"| {self.name} | {self.first:,.1f}{unit} | {self.last:,.1f}{unit} "
            f"| {self.per_hour:+,.1f}{unit}/h | {verdict} |"
        )


class Soak:
    """One run. `samples` has a row of figures for each few seconds."""

    def __init__(self, company: PhoneCompany, ledger: SqliteBooks | RedisBooks) -> None:
        self._company = company
        self._ledger = ledger
        self.running = Running(company, ledger.url, LEDGER_DAYS=str(LEDGER_DAYS))
        self.samples: list[dict[str, float]] = []

    async def run(self, seconds: float, rate: float) -> None:
        """Start the service, place the calls, wait for the last one, stop the service."""
        async with self.running as running:
            watching = asyncio.create_task(self._watch(running.pid))
            await running.place(int(seconds * rate), rate)
            watching.cancel()
            await running.settle()

    async def _watch(self, pid: int) -> None:
        began, told = time.monotonic(), 0
        while True:
            await asyncio.sleep(_EVERY)
            took, self._company.took = self._company.took, []
            books = await asyncio.to_thread(self._ledger.sample)
            sample = {"at": time.monotonic() - began, **_of_machine(pid), **books}
            cuts = statistics.quantiles(took, n=100)
            sample |= {"callbacks p50": 1000 * cuts[49], "callbacks p99": 1000 * cuts[98]}
            self.samples.append(sample)
            if len(self.samples) % 6 == 0:
                figures = "  ".join(f"{name} {value:,.0f}" for name, value in sample.items())
                print(figures, *self._company.wrong[told:][:20], sep="\n", flush=True)
                told = len(self._company.wrong)


def _of_machine(pid: int) -> dict[str, float]:
    processes = [footprint(each) for each in family(pid)]
    return {
        "anonymous PSS": sum(each.own for each in processes),
        "RSS": sum(each.rss for each in processes),
        "handles": sum(each.handles for each in processes),
        "threads": sum(each.threads for each in processes),
        "processor": sum(each.cpu for each in processes),
    }


def slopes(samples: list[dict[str, float]], warm_up: float, pruned_from: float) -> list[Slope]:
    """Return how each figure went after the warm-up, those of the ledger once it forgets calls."""
    found = [_slope(samples, warm_up, name, bound) for name, bound in BOUNDS.items()]
    if samples[-1]["at"] > pruned_from + 12 * _EVERY:
        found += [_slope(samples, pruned_from, *each) for each in LEDGER_BOUNDS.items()]
    return found


def _slope(samples: list[dict[str, float]], since: float, name: str, bound: Bound) -> Slope:
    rows = [(each["at"], each[name]) for each in samples if each["at"] >= since]
    times, values = zip(*rows, strict=True)
    line = statistics.linear_regression(times, values)
    growth = line.slope * (times[-1] - times[0])
    mean = statistics.fmean(values)
    return Slope(
        name,
        bound.unit,
        first=line.intercept + line.slope * times[0],
        last=line.intercept + line.slope * times[-1],
        mean=mean,
        per_hour=line.slope * 3600,
        growth=growth,
        allowed=max(bound.share * mean, bound.floor),
    )


def _overdue(samples: list[dict[str, float]], rate: float) -> list[str]:
    """Return a complaint if more calls are kept than LEDGER_DAYS and the pruning allow."""
    most = rate * (LEDGER_DAYS * 86_400 + _PRUNED_BY)
    kept = max(each["calls kept"] for each in samples)
    return [f"{kept:,.0f} calls are kept, {most:,.0f} at most should be"] if kept > most else []


def _report(soak: Soak, company: PhoneCompany, found: list[Slope], options: Any) -> str:
    last, done = soak.samples[-1], company.done
    late = sorted(company.late) or [0.0]
    wrong = [f"- {each}" for each in company.wrong[:20]] or ["Nothing was wrong."]
    return "\n".join(
        [
            "# Soak",
            "",
            (
                f"`make soak SECONDS={options.seconds:.0f} RATE={options.rate:.0f} "
                f"LEDGER={options.ledger}`, {time.strftime('%Y-%m-%d', time.gmtime())}."
            ),
            "",
            (
                f"{_machine()}. The service as the Procfile starts it, the shipped rules, "
                f"`LEDGER_DAYS={LEDGER_DAYS}`; an API that answers in {1000 * API_LATENCY:.0f} ms."
            ),
            "",
            (
                f"{done['placed']:,} calls, {done['callbacks']:,} callbacks ({done['twice']:,} of "
                f"them sent twice, {done['intruders']:,} more without the credentials), "
                f"{done['requests']:,} requests to the API. {done['talked']:,} callers talked with "
                f"somebody, {done['left while it rang']:,} left while it rang, "
                f"{len(company.late):,} destinations rang out: at most {late[-1]:.2f} s late, "
                f"half of them {statistics.median(late):.2f} s."
            ),
            "",
            _of_one_call(soak, company),
            "",
            f"| | after {_clock(options.warm_up)} | at the end | slope | |",
            "|---|---|---|---|---|",
            *(each.row() for each in found),
            "",
            (
                f"Of the ledger the slope counts once calls are forgotten, after "
                f"{_clock(_pruned_from())}; it then has {last['calls kept']:,.0f} calls and "
                f"{last['ledger']:,.1f} MB."
            ),
            "",
            *wrong,
            "",
        ]
    )


def _of_one_call(soak: Soak, company: PhoneCompany) -> str:
    """Return what one call takes, all told."""
    first, last, calls = soak.samples[0], soak.samples[-1], company.done["placed"]
    each = [
        f"{1000 * last['processor'] / calls:.1f} ms of a processor",
        f"{company.done['requests'] / calls:.1f} requests to the API",
        f"{company.done['callbacks'] / calls:.1f} callbacks",
        f"{1000 * last['ledger'] / last['calls kept']:.1f} KB of the ledger",
        f"{sum(soak.running.logged.values()) / calls:.1f} log lines",
        f"{soak.running.logged_bytes / calls / 1000:.1f} KB of logs",
    ]
    if "round trips" in last:
        placed = (last["at"] - first["at"]) * calls / last["at"]
        each.append(f"{(last['round trips'] - first['round trips']) / placed:.0f} reads of Redis")
    return f"One call takes {', '.join(each)}."


def _pruned_from() -> float:
    return LEDGER_DAYS * 86_400 + _PRUNED_BY


def _clock(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"


def _machine() -> str:
    names = ("gunicorn", "gevent", "Flask", "redis")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"{os.cpu_count()} processors, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {versions}"
    )


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--rate", type=float, default=100)
    parser.add_argument("--ledger", choices=("sqlite", "redis"), default="sqlite")
    parser.add_argument("--warm-up", type=float, help="seconds; a third of the run if not given")
    parser.add_argument("--report", type=Path, help="where to write the page")
    parser.add_argument("--json", type=Path, help="where to write every figure")
    options = parser.parse_args()
    options.warm_up = options.warm_up or options.seconds / 3
    return options


def main() -> int:
    """Run it; return 1 if something was wrong or grew."""
    options = _options()
    company = PhoneCompany(API_LATENCY)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        books(options.ledger, Path(folder)) as ledger,
    ):
        soak = Soak(company, ledger)
        asyncio.run(soak.run(options.seconds, options.rate))
    found = slopes(soak.samples, options.warm_up, _pruned_from())
    company.wrong += _overdue(soak.samples, options.rate)
    text = _report(soak, company, found, options)
    print(text)
    print(dict(company.done), dict(soak.running.logged))
    if options.report:
        options.report.write_text(text, encoding="utf-8")
    if options.json:
        figures = {
            "samples": soak.samples,
            "slopes": [asdict(each) for each in found],
            "done": company.done,
            "logged": soak.running.logged,
            "late": company.late,
            "wrong": company.wrong,
        }
        options.json.write_text(json.dumps(figures), encoding="utf-8")
    return int(bool(company.wrong) or not all(each.is_bounded for each in found))


if __name__ == "__main__":
    sys.exit(main())
