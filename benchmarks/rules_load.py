"""What a large rules file costs: `python -m benchmarks.rules_load [--json] [--rounds N]`.

For 10,000 and 100,000 lines: seconds and memory of reading them, beside PyYAML's own C loader,
which checks nothing; the time of a decision; and how long a little work waits for its turn in a
process whose other threads serve calls, with and without an edit of such a file coming into force.
Each figure is from a process of its own, and the median of several.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gc
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import yaml
from gevent import monkey

from callflow.background import Loops
from callflow.rulebook import Rulebook
from routing.conditions import Call, Facts
from routing.reader import read
from routing.router import route

COUNTS = (10_000, 100_000)
THREADS, CALLS_A_SECOND, WAITS = 8, 200, 25
"""Threads that serve calls, and how often a call waits for something and then for its turn."""
SHIPPED = Path(__file__).parents[1] / "routing_rules.yaml"
_NOON = dt.datetime(2026, 3, 9, 16, tzinfo=dt.UTC)
_HEAD = """\
version: 1
timezone: America/New_York
transfer: {diversionTreatment: stack}
callers: {spam: [+1900*, anonymous]}
schedules:
  office: {hours: {mon-thu: [09:00-12:30, 13:30-17:00], fri: 09:00-15:00}}
destinations:
  answering: +18005550199
"""
_DESTINATION = "  desk{n}: {{transferTo: +1919363{n:04}, capacity: 2}}\n"
_LINE = """\
  line{n}:
    numbers: [+1{number}]
    rules:
      - {{name: spam, when: {{from: spam}}, reject: true}}
      - {{name: closed, when: {{outside: office}}, transferTo: answering}}
    otherwise: {{transferTo: desk{desk}}}
"""


def many_lines(count: int) -> str:
    """A rules file of so many lines, with fifty destinations for them."""
    desks = "".join(_DESTINATION.format(n=n) for n in range(50))
    lines = (_LINE.format(n=n, number=number(n), desk=n % 50) for n in range(count))
    return f"{_HEAD}{desks}lines:\n{''.join(lines)}emergency: {{transferTo: answering}}\n"


def number(line: int) -> int:
    return 2123000000 + 37 * line


def load(how: str, count: int) -> dict[str, float]:
    """Seconds, megabytes at the most and megabytes that stay of reading the text once."""
    text = many_lines(count)
    read(many_lines(1))
    before, began = _memory("VmRSS"), time.perf_counter()
    kept = read(text) if how == "reader" else yaml.load(text, Loader=yaml.CSafeLoader)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before
    gc.collect()
    stays = _memory("VmRSS") - before
    assert kept
    return {"seconds": seconds, "peak_mb": peak, "stays_mb": stays}


def _memory(which: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{which}:")[1].split()[0]) / 1024


def decide(text: str, numbers: list[str], *, trace: bool) -> float:
    """Microseconds of a decision, over some hot numbers."""
    rules, best = read(text), []
    calls = [Call(each, "+12125550187", _NOON) for each in numbers]
    gc.collect()
    for _ in range(30):
        began = time.perf_counter()
        for _ in range(100):
            for call in calls:
                found = route(rules, call, Facts())
                if trace:
                    found.trace.steps  # noqa: B018 - it is put into words when it is asked for
        best.append((time.perf_counter() - began) / 100 / len(calls))
    return statistics.median(best) * 1e6


def reload(count: int) -> dict[str, float]:
    """Milliseconds that calls take while nothing happens, and while an edit comes into force."""
    monkey.patch_all()  # as the service runs: what follows are greenlets
    with tempfile.TemporaryDirectory() as folder:
        path, copy = Path(folder) / "rules.yaml", Path(folder) / "edited.yaml"
        path.write_text(many_lines(count), encoding="utf-8")
        copy.write_text(many_lines(count) + "# edited\n", encoding="utf-8")
        loaded = threading.Semaphore(0)
        book = Rulebook(str(path), lambda *_, **__: loaded.release())
        book.look()
        loaded.acquire()
        book.watch(Loops(lambda *_, **__: None))
        took: list[float] = []
        stop = threading.Event()
        threads = [threading.Thread(target=_serve, args=(book, took, stop)) for _ in range(THREADS)]
        for each in threads:
            each.start()
        time.sleep(10)
        quiet, began = list(took), time.perf_counter()
        copy.replace(path)
        took.clear()
        loaded.acquire()
        seconds = time.perf_counter() - began
        time.sleep(3)
        stop.set()
        for each in threads:
            each.join()
    result = {"in_force_after_s": seconds}
    for name, times in (("quiet", quiet), ("edited", took)):
        cut = statistics.quantiles(times, n=100)
        result |= {f"{name}_p50_ms": cut[49] * 1e3, f"{name}_p99_ms": cut[98] * 1e3}
    return result | {"added_p99_ms": result["edited_p99_ms"] - result["quiet_p99_ms"]}


def _serve(book: Rulebook, took: list[float], stop: threading.Event) -> None:
    call = Call(f"+1{number(5)}", "+12125550187", _NOON)
    while not stop.wait(THREADS / CALLS_A_SECOND):
        began = time.perf_counter()
        assert book.rules
        route(book.rules, call, Facts())
        for _ in range(WAITS):
            time.sleep(0.0001)
        took.append(time.perf_counter() - began)


def hot(count: int) -> list[str]:
    """Ten called numbers of a file of so many lines."""
    return [f"+1{number(line)}" for line in range(0, count, count // 10)]


MEASUREMENTS = {
    "loader": lambda count: load("loader", count),
    "reader": lambda count: load("reader", count),
    "decision": lambda count: {"us": decide(many_lines(count), hot(count), trace=False)},
    "shipped": lambda _: {
        "with_trace_us": decide(SHIPPED.read_text("utf-8"), ["+19195551000"], trace=True)
    },
    "reload": reload,
}


def measure(what: str, count: int, rounds: int) -> dict[str, float]:
    """The medians of a measurement over so many processes."""
    command = [sys.executable, "-m", "benchmarks.rules_load", "--one", what, str(count)]
    found: list[dict[str, float]] = []
    for _ in range(rounds):
        done = subprocess.run(command, capture_output=True, check=True)
        found.append(json.loads(done.stdout))
    return {key: round(statistics.median(each[key] for each in found), 3) for key in found[0]}


def measure_all(rounds: int) -> dict[str, Any]:
    every: dict[str, Any] = {"decision": {n: measure("decision", n, rounds) for n in (10, 1000)}}
    every["decision"] |= {100_000: measure("decision", 100_000, rounds)}
    every["decision"]["shipped"] = measure("shipped", 0, rounds)
    for count in COUNTS:
        ours, theirs = measure("reader", count, rounds), measure("loader", count, rounds)
        ratios = {key: round(ours[key] / theirs[key], 3) for key in ours}
        found = {"reader": ours, "loader": theirs, "ratio": ratios}
        every[str(count)] = found | {"reload": measure("reload", count, rounds)}
    return every


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each figure")
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        what, count = options.one
        print(json.dumps(MEASUREMENTS[what](int(count))))
    elif options.json:
        print(json.dumps(measure_all(options.rounds), indent=2))
    else:
        for name, figures in measure_all(options.rounds).items():
            for what, each in figures.items():
                print(f"{name:>9} {what:9}", *(f"{key} {value:g}" for key, value in each.items()))


if __name__ == "__main__":
    main()
