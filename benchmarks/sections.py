"""What is measured, section by section; `python -m benchmarks NAME …` runs some of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, Goal, Section
from benchmarks.load import Load, measure, new_tag, send
from benchmarks.processes import memory_mb
from benchmarks.rounds import alternate, cpu_ms, pair, per_second, routed, section
from benchmarks.sides import (
    EXPRESS,
    EXPRESS_2,
    FLASK_SDK,
    FLASK_SESSION,
    NOOP,
    NOOP_16,
    NOOP_GEVENT,
    OURS,
    running,
)
from tests.service import BIN, PROJECT, clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.load import Round
    from benchmarks.rounds import Plan, Taken
    from benchmarks.sides import Side

_RATE, _CPU = "Calls a second", "CPU for a call"


def tls(plan: Plan) -> Section:
    """Throughput and CPU with the API behind TLS."""
    load = Load(connections=32, seconds=plan.seconds)
    sides = (OURS, EXPRESS, EXPRESS_2, FLASK_SDK, FLASK_SESSION)
    taken = routed(plan, sides, load, tls=True)
    return section(
        "The API over TLS, no added latency",
        "32 connections, each call as soon as the last is answered",
        [
            pair(taken, EXPRESS, _RATE, "/s", per_second, Goal(3, at_least=True)),
            pair(taken, EXPRESS_2, _RATE, "/s", per_second),
            pair(taken, FLASK_SDK, _RATE, "/s", per_second),
            pair(taken, FLASK_SESSION, _RATE, "/s", per_second),
            pair(taken, EXPRESS, _CPU, "ms", cpu_ms, Goal(1 / 2)),
            pair(taken, EXPRESS_2, _CPU, "ms", cpu_ms),
            pair(taken, FLASK_SDK, _CPU, "ms", cpu_ms, Goal(1 / 25)),
            pair(taken, FLASK_SESSION, _CPU, "ms", cpu_ms),
        ],
        taken,
    )


def plain(plan: Plan) -> Section:
    """Throughput and CPU with an API over plain HTTP that takes 50 ms."""
    load = Load(connections=128, seconds=plan.seconds, api_ms=50)
    taken = routed(plan, (OURS, EXPRESS, EXPRESS_2, FLASK_SESSION), load, tls=False)
    return section(
        "The API over plain HTTP, 50 ms",
        "128 connections, each call as soon as the last is answered",
        [
            pair(taken, EXPRESS, _RATE, "/s", per_second),
            pair(taken, EXPRESS_2, _RATE, "/s", per_second),
            pair(taken, FLASK_SESSION, _RATE, "/s", per_second, Goal(1.4, at_least=True)),
            pair(taken, EXPRESS, _CPU, "ms", cpu_ms, Goal(1.25)),
            pair(taken, EXPRESS_2, _CPU, "ms", cpu_ms),
            pair(taken, FLASK_SESSION, _CPU, "ms", cpu_ms),
        ],
        taken,
    )


def callbacks(plan: Plan) -> Section:
    """CPU of callbacks that transfer nothing, beside an endpoint that does nothing."""
    kinds = {kind: Load(32, plan.seconds, event=kind) for kind in _KINDS}
    ours: dict[str, list[Round]] = {kind: [] for kind in kinds}

    def once(side: Side) -> Round:
        with plan.workshop.upstream(0, tls=False) as upstream, running(side, upstream) as service:
            tag = new_tag()
            known = send(service.origin, Load(32, plan.warm_up), tag).sent
            new = measure(service, upstream, kinds["incomingcall"], transfers=False)
            if side is OURS:
                ours["incomingcall"].append(new)
                for kind in ("answer", "dtmf"):
                    again = replace(kinds[kind], known=known)
                    ours[kind].append(measure(service, upstream, again, tag, transfers=False))
            return new

    taken = alternate((OURS, NOOP, NOOP_16, NOOP_GEVENT), plan.rounds, once)
    figures = [
        pair({**taken, OURS: ours[kind]}, peer, f"CPU for {name}", "ms", cpu_ms, goal)
        for peer, goal in ((NOOP, Goal(1.1)), (NOOP_16, None), (NOOP_GEVENT, None))
        for kind, name in _KINDS.items()
    ]
    rest: Taken = {OURS: ours["answer"] + ours["dtmf"]}
    return section(
        "Callbacks that transfer nothing",
        "32 connections; `incomingcall` is of new calls, the others of calls that were routed",
        figures,
        taken,
        rest,
    )


_KINDS = {"incomingcall": "`incomingcall`", "answer": "`answer` once more", "dtmf": "`dtmf`"}


def added(plan: Plan) -> Section:
    """What a side adds to the time of the API, and the connections that it opens."""
    load = Load(connections=200, seconds=plan.seconds + 2, rate=200, api_ms=50)
    sides = (OURS, EXPRESS, FLASK_SESSION)
    taken = routed(plan, sides, load, tls=True)
    cold = replace(plan, warm_up=0, rounds=max(1, plan.rounds // 3))
    first = routed(cold, (OURS, EXPRESS), replace(load, seconds=5.0), tls=True)

    def over(percentile: str) -> Callable[[Round], float]:
        return lambda taken: float(getattr(taken.heard, percentile)) - load.api_ms

    with plan.workshop.upstream(load.api_ms, tls=True) as api:
        alone = [send(api.origin, load) for _ in range(plan.rounds)]
    p50, p99 = Goal(1.5, of_ratio=False), Goal(5, of_ratio=False)
    few = Goal(25, of_ratio=False)
    return section(
        "200 calls a second, the API over TLS and 50 ms",
        "200 connections with pauses of random length; the time beyond the API's 50 ms",
        [
            pair(taken, EXPRESS, "Added, p50", "ms", over("p50"), p50),
            pair(taken, FLASK_SESSION, "Added, p50", "ms", over("p50")),
            pair(taken, EXPRESS, "Added, p99", "ms", over("p99"), p99),
            pair(taken, FLASK_SESSION, "Added, p99", "ms", over("p99")),
            pair(taken, EXPRESS, _CPU, "ms", cpu_ms),
            Figure("p50 of the API alone, beyond 50 ms", "ms", [each.p50 - 50 for each in alone]),
            Figure("p99 of the API alone, beyond 50 ms", "ms", [each.p99 - 50 for each in alone]),
            pair(first, EXPRESS, "API connections for the first 1,000 calls", "", opened, few),
        ],
        taken,
        first,
    )


def opened(taken: Round) -> float:
    return taken.counts.connections * 1000 / taken.heard.answered


def slow(plan: Plan) -> Section:
    """An API that takes 200 ms, over TLS."""
    figures, all_taken = [], []
    for side, rate, limit in ((OURS, 200, 1.03), (OURS, 800, 1.06)):
        load = Load(connections=rate, seconds=plan.seconds + 2, rate=rate, api_ms=200)
        taken = routed(plan, [side], load, tls=True)
        all_taken.append(taken)
        name = ", ".join([f"{rate}/s", *(f"{key}={it}" for key, it in side.settings.items())])
        rounds = taken[side]
        wrong = float(sum(each.errors for each in rounds))
        p50, p99 = ([getattr(each.heard, key) / 200 for each in rounds] for key in ("p50", "p99"))
        figures += [
            Figure(f"{name}: answered", "/s", [each.per_second for each in rounds]),
            Figure(f"{name}: p50, by the API's time", "", p50),
            Figure(f"{name}: p99, by the API's time", "", p99, goal=Goal(limit, of_ratio=False)),
            Figure(f"{name}: errors in all rounds", "", [wrong], goal=Goal(0, of_ratio=False)),
        ]
    return section(
        "An API of 200 ms over TLS",
        "As many connections as calls a second, with pauses of random length",
        figures,
        *all_taken,
    )


def start(plan: Plan) -> Section:
    """Cold start and memory, beside a no-op application on the same gunicorn."""
    sides = (OURS, NOOP, NOOP_GEVENT)
    seconds: dict[Side, list[float]] = {side: [] for side in sides}
    megabytes: dict[Side, list[float]] = {side: [] for side in sides}
    load = Load(connections=32, seconds=2, rate=200)

    def once(side: Side) -> Round:
        with plan.workshop.upstream(0, tls=False) as upstream, running(side, upstream) as service:
            seconds[side].append(service.seconds_to_start)
            done = measure(service, upstream, load, transfers=side is OURS)
            megabytes[side].append(memory_mb(service.pid))
            return done

    taken = alternate(sides, plan.rounds, once)
    return section(
        "Start and memory",
        "The start: from exec to the first 200 of /healthz. The memory (PSS): master and two "
        "workers after 400 calls",
        [
            Figure(name, unit, values[OURS], peer.name, values[peer], goal)
            for name, unit, values, limit in (
                ("Start", "s", seconds, Goal(1.5)),
                ("Memory", "MB", megabytes, Goal(1.3)),
            )
            for peer, goal in ((NOOP, limit), (NOOP_GEVENT, None))
        ],
        taken,
    )


def parts(plan: Plan) -> Section:
    """Callbacks and the ledger alone, in one thread of one process."""
    with plan.workshop.upstream(0, tls=False) as upstream:
        taken = json.loads(_said("benchmarks.parts", upstream.origin, str(plan.rounds)))
    noop, peer = taken["noop"], "no-op Flask, in one thread"
    return Section(
        "Parts, in one thread",
        "The median of 300, each of a new call; without gunicorn and a socket of the callback",
        [
            Figure("Callback `incomingcall`", "µs", taken["incomingcall"], peer, noop),
            Figure("Callback `answer`, transferred", "µs", taken["answer"], peer, noop),
            Figure("Ledger update, SQLite", "µs", taken["sqlite"]),
            Figure("Ledger update, Redis", "µs", taken["redis"]),
        ],
    )


def rules(plan: Plan) -> Section:
    """Reading and proving the rules; deciding by them."""
    shipped = [_seconds(BIN / "flask", "rules", "check") for _ in range(plan.rounds)]
    proved: list[float] = []
    large: dict[str, Any] = {}
    if not plan.is_quick:
        proved = [float(_said("benchmarks.rules_check", "1000").split()[2])]
        large = json.loads(_said("benchmarks.rules_load", "--json", "--rounds", "2"))
    second, half_a_minute = Goal(1, of_ratio=False), Goal(30, of_ratio=False)
    return Section(
        "Rules",
        "Each measurement in a process of its own. The loader is PyYAML's in C, which checks "
        "nothing; a reload is of a file that calls are routed by meanwhile",
        [
            Figure("`flask rules check`, the shipped file", "s", shipped, goal=second),
            Figure("`flask rules check`, 1,000 lines", "s", proved, goal=half_a_minute),
            *_decisions(large.get("decision", {})),
            *_reading("10,000", large.get("10000", {}), Goal(0.6, of_ratio=False)),
            *_reading("100,000", large.get("100000", {}), Goal(6, of_ratio=False)),
        ],
    )


def _decisions(measured: dict[str, Any]) -> list[Figure]:
    shipped = _values(measured, "shipped", "with_trace_us")
    few = _values(measured, "10", "us")
    flat = Goal(1.1)
    return [
        Figure("A decision, the shipped file", "µs", shipped, goal=Goal(5, of_ratio=False)),
        *(
            Figure(f"A decision, {lines:,} lines", "µs", found, "with 10 lines", few, flat)
            for lines in (1_000, 100_000)
            for found in [_values(measured, str(lines), "us")]
        ),
    ]


def _reading(lines: str, measured: dict[str, Any], fast: Goal) -> list[Figure]:
    ours, theirs = ({key: _values(measured, who, key) for key in _READING} for who in _READERS)
    waits = _values(measured, "reload", "added_p99_ms")
    return [
        Figure(f"Reading {lines} lines", "s", ours["seconds"], "loader", theirs["seconds"], fast),
        Figure(
            "… memory at the most", "MB", ours["peak_mb"], "loader", theirs["peak_mb"], Goal(1 / 8)
        ),
        Figure("… memory that stays", "MB", ours["stays_mb"], "loader", theirs["stays_mb"]),
        Figure("… added to calls by a reload, p99", "ms", waits, goal=Goal(5, of_ratio=False)),
    ]


_READERS, _READING = ("reader", "loader"), ("seconds", "peak_mb", "stays_mb")


def _values(measured: dict[str, Any], *path: str) -> list[float]:
    """Return the value that lies at a path, which is a median already; nothing if none is there."""
    found: Any = measured
    for key in path:
        found = found.get(key, {})
    return [] if found == {} else [found]


def _said(module: str, *arguments: str) -> str:
    """Return what a module of ours prints. It may take minutes."""
    command = [sys.executable, "-m", module, *arguments]
    environment = clean_environment()
    return subprocess.run(
        command, cwd=PROJECT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _seconds(*command: str | Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=PROJECT, env=clean_environment(), check=True, capture_output=True)
    return time.perf_counter() - began


SECTIONS = {
    each.__name__: each for each in (tls, plain, callbacks, added, slow, start, parts, rules)
}
