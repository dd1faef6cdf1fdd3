"""The service under steady calls for long: whatever grows is found, and every call is checked.

`make soak` places RATE calls a second for SECONDS through the service as the Procfile starts it,
with the shipped rules and a ledger (LEDGER=sqlite or redis) that forgets after a quarter of an
hour. It ends with 1 if a call was not handled as it should, or if something grew.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import json
import os
import platform
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.callers import USER_ID, PhoneCompany
from benchmarks.plain_http import Connections, serve
from benchmarks.processes import family, footprint
from tests.redis_server import RedisServer
from tests.service import PROJECT, clean_environment, free_port, procfile, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

LEDGER_DAYS = 0.01
"""The shortest time that the service keeps calls for: 14.4 minutes."""
_API_LATENCY = 0.05
_BASIC = "Basic Y2FsbHM6c29hay1zZWNyZXQ="  # calls:soak-secret
_EVERY = 5.0
"""Seconds between two samples."""
_LONGEST_CALL = 150.0
_PRUNED_BY = 120.0
"""Seconds by which a call may outstay LEDGER_DAYS."""


class Bound(NamedTuple):
    """By how much a figure may grow from the end of the warm-up to the end of the run."""

    unit: str
    share: float
    """Of its mean."""
    floor: float


BOUNDS = {
    "PSS": Bound("MB", 0.03, 3.0),
    "RSS": Bound("MB", 0.03, 6.0),
    "handles": Bound("", 0.03, 10.0),
    "threads": Bound("", 0.03, 3.0),
    "callbacks p50": Bound("ms", 0.25, 3.0),
    "callbacks p99": Bound("ms", 0.5, 50.0),
}
"""What may not grow at all: the rest of a figure's growth is noise of the machine."""
LEDGER_BOUNDS = {
    "ledger": Bound("MB", 0.1, 1.0),
    "calls kept": Bound("", 0.1, 100.0),
    "calls open": Bound("", 0.25, 50.0),
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


class SqliteBooks:
    """What the ledger's file holds."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "ledger.sqlite3"
        self.url = f"sqlite:///{self._file}"

    def sample(self) -> dict[str, float]:
        files = self._file.parent.glob(f"{self._file.name}*")
        with contextlib.closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as db:
            kept, waiting = db.execute(
                "SELECT (SELECT count(*) FROM calls),"
                " (SELECT count(*) FROM calls WHERE wake_at IS NOT NULL)"
            ).fetchone()
        return {
            "ledger": sum(each.stat().st_size for each in files) / 1e6,
            "calls kept": kept,
            "calls open": waiting,
        }


class RedisBooks:
    """What Redis holds."""

    def __init__(self, server: RedisServer) -> None:
        self.url = server.url
        self._client: redis.Redis = server.client()

    def sample(self) -> dict[str, float]:
        memory: Any = self._client.info("memory")
        kept: Any = self._client.zcard("callrouter:seen")
        waiting: Any = self._client.zcard("callrouter:wake")
        return {"ledger": memory["used_memory"] / 1e6, "calls kept": kept, "calls open": waiting}


@contextlib.contextmanager
def books(kind: str, folder: Path) -> Iterator[SqliteBooks | RedisBooks]:
    """Yield the place where the ledger is kept."""
    if kind == "sqlite":
        yield SqliteBooks(folder)
    else:
        with RedisServer() as server:
            yield RedisBooks(server)


class Soak:
    """One run. `samples` has a row of figures for each few seconds."""

    def __init__(self, company: PhoneCompany, ledger: SqliteBooks | RedisBooks) -> None:
        self._company = company
        self._ledger = ledger
        self._port = free_port()
        self.logged: Counter[str] = Counter()
        self.samples: list[dict[str, float]] = []

    async def run(self, seconds: float, rate: float, tell: Callable[[str], None]) -> None:
        """Start the service, place the calls, wait for the last one, stop the service."""
        api = await serve(self._company.api)
        url = f"http://127.0.0.1:{api.sockets[0].getsockname()[1]}/v1"
        environment = self._environment(url)
        _hold_schedules(environment)
        self._company.connections = Connections(self._port, _BASIC)
        service = await asyncio.create_subprocess_exec(
            *procfile("web"),
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            reading = asyncio.create_task(self._read(service))
            await self._until_ready()
            watching = asyncio.create_task(self._watch(service.pid, tell))
            await self._place(seconds, rate)
            watching.cancel()
            await self._drain(service)
            await reading
        finally:
            if service.returncode is None:
                service.kill()
        if service.returncode:
            self._company.wrong.append(f"the service ended with {service.returncode}")

    def _environment(self, url: str) -> dict[str, str]:
        return clean_environment() | {
            "BANDWIDTH_USER_ID": USER_ID,
            "BANDWIDTH_API_TOKEN": "t-soak",
            "BANDWIDTH_API_SECRET": "s-soak",
            "BANDWIDTH_API_URL": url,
            "PUBLIC_URL": f"http://127.0.0.1:{self._port}",
            "CALLBACK_USERNAME": "calls",
            "CALLBACK_PASSWORD": "soak-secret",
            "LEDGER_URL": self._ledger.url,
            "LEDGER_DAYS": str(LEDGER_DAYS),
            "PORT": str(self._port),
        }

    async def _read(self, service: asyncio.subprocess.Process) -> None:
        """Count what is logged; anything but good news is wrong."""
        assert service.stdout is not None
        async for line in service.stdout:
            try:
                row = json.loads(line)
            except ValueError:
                row = {"level": "ERROR", "message": line.decode(errors="replace").rstrip()}
            self.logged[row["message"]] += 1
            if row["level"] not in {"DEBUG", "INFO"}:
                self._company.wrong.append(f"logged: {row}")

    async def _until_ready(self) -> None:
        await _until(lambda: self.logged["rules-loaded"] >= 2, 30)

    async def _place(self, seconds: float, rate: float) -> None:
        began = time.monotonic()
        for number in range(int(seconds * rate)):
            await asyncio.sleep(began + number / rate - time.monotonic())
            self._company.dial()

    async def _drain(self, service: asyncio.subprocess.Process) -> None:
        await _until(lambda: not self._company.in_progress, _LONGEST_CALL)
        self._company.connections.close()
        service.send_signal(signal.SIGTERM)
        await asyncio.wait_for(service.wait(), 30)

    async def _watch(self, pid: int, tell: Callable[[str], None]) -> None:
        began = time.monotonic()
        while True:
            await asyncio.sleep(_EVERY)
            took, self._company.took = self._company.took, []
            books = await asyncio.to_thread(self._ledger.sample)
            sample = {"at": time.monotonic() - began, **_of_machine(pid), **books}
            cuts = statistics.quantiles(took, n=100)
            sample |= {"callbacks p50": 1000 * cuts[49], "callbacks p99": 1000 * cuts[98]}
            self.samples.append(sample)
            if len(self.samples) % 6 == 0:
                tell(
                    "  ".join(f"{name} {value:,.0f}" for name, value in sample.items())
                    + f"  wrong {len(self._company.wrong)}"
                )


async def _until(wanted: Callable[[], bool], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not wanted():  # noqa: ASYNC110 - what others report does not come as an event
            await asyncio.sleep(0.05)


def _hold_schedules(environment: dict[str, str]) -> None:
    """Let it be the same time of day for the whole run: the office open, and night."""
    until = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    for schedule in ("office", "nights"):
        done = run("flask", "override", "set", schedule, "open", "--until", until, env=environment)
        if done.returncode:
            sys.exit(done.stderr)


def _of_machine(pid: int) -> dict[str, float]:
    processes = [footprint(each) for each in family(pid)]
    return {
        "PSS": sum(each.pss for each in processes),
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
    busy = last["processor"] / last["at"]
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
                f"`LEDGER_DAYS={LEDGER_DAYS}`; an API that answers in {1000 * _API_LATENCY:.0f} ms."
            ),
            "",
            (
                f"{done['placed']:,} calls, {done['callbacks']:,} callbacks ({done['twice']:,} of "
                f"them sent twice, {done['intruders']:,} more without the credentials), "
                f"{done['requests']:,} requests to the API. {done['talked']:,} callers talked with "
                f"somebody, {done['left while it rang']:,} left while it rang, "
                f"{len(company.late):,} destinations rang out: at most {late[-1]:.2f} s late, "
                f"half of them {statistics.median(late):.2f} s. "
                f"The service took {100 * busy:.0f} % of one processor, "
                f"{1000 * last['processor'] / done['placed']:.1f} ms for a call."
            ),
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


def _pruned_from() -> float:
    return LEDGER_DAYS * 86_400 + _PRUNED_BY


def _clock(seconds: float) -> str:
    return f"{seconds / 60:.1f} min"


def _machine() -> str:
    names = ("gunicorn", "Flask", "requests", "redis")
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
    company = PhoneCompany(_API_LATENCY)
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as folder,
        books(options.ledger, Path(folder)) as ledger,
    ):
        soak = Soak(company, ledger)
        asyncio.run(soak.run(options.seconds, options.rate, lambda line: print(line, flush=True)))
    found = slopes(soak.samples, options.warm_up, _pruned_from())
    company.wrong += _overdue(soak.samples, options.rate)
    text = _report(soak, company, found, options)
    print(text)
    print(dict(company.done), dict(soak.logged))
    if options.report:
        options.report.write_text(text, encoding="utf-8")
    if options.json:
        figures = {
            "samples": soak.samples,
            "slopes": [asdict(each) for each in found],
            "done": company.done,
            "logged": soak.logged,
            "late": company.late,
            "wrong": company.wrong,
        }
        options.json.write_text(json.dumps(figures), encoding="utf-8")
    return int(bool(company.wrong) or not all(each.is_bounded for each in found))


if __name__ == "__main__":
    sys.exit(main())
