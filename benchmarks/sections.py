"""What is measured, section by section; `python -m benchmarks NAME …` runs some of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks import procs
from benchmarks.figures import Figure, Goal, Section
from benchmarks.load import Load, Round, measure, new_tag, send
from benchmarks.sides import (
    EXPRESS,
    EXPRESS_2,
    FLASK_SDK,
    FLASK_SESSION,
    NOOP,
    NOOP_16,
    OURS,
    OURS_128,
    Side,
    running,
)
from tests.service import BIN, PROJECT, clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from benchmarks.upstream import Workshop

Taken = dict[Side, list[Round]]


@dataclass(frozen=True)
class Plan:
    """How long it may take: rounds of each side, and seconds of a round and of its warm-up."""

    workshop: Workshop
    rounds: int
    seconds: float
    warm_up: float

    def fewer(self, share: float) -> Plan:
        """Return a plan of a share of the rounds, at least one."""
        return replace(self, rounds=max(1, round(self.rounds * share)))


def alternate(sides: Iterable[Side], rounds: int, once: Callable[[Side], Round]) -> Taken:
    """Measure each side so many times, by turns; who begins alternates."""
    order = list(sides)
    taken: Taken = {side: [] for side in order}
    for number in range(rounds):
        for side in order if number % 2 == 0 else reversed(order):
            done = once(side)
            taken[side].append(done)
            heard = done.heard
            print(
                f"  {number + 1}/{rounds} {side.name}: {done.per_second:.0f}/s, "
                f"{done.cpu_ms:.3f} ms CPU, p50 {heard.p50:.1f}, p99 {heard.p99:.1f} ms, "
                f"{heard.answered} calls, {done.errors} errors",
                flush=True,
            )
    return taken


def routed(
    plan: Plan, sides: Iterable[Side], load: Load, *, tls: bool, rounds: int | None = None
) -> Taken:
    """Measure calls that are transferred, each round with a fresh process of its side."""
    with plan.workshop.upstream(load.api_ms, tls=tls) as upstream:

        def once(side: Side) -> Round:
            with running(side, upstream) as service:
                if plan.warm_up:
                    send(service.origin, replace(load, seconds=plan.warm_up))
                return measure(service, upstream, load, transfers=True)

        return alternate(sides, rounds or plan.rounds, once)


def pair(
    taken: Taken,
    peer: Side | None,
    name: str,
    unit: str,
    value: Callable[[Round], float],
    goal: Goal | None = None,
    ours: Side = OURS,
) -> Figure:
    """Return the figure of ours beside a peer, if there is one."""
    theirs = [value(each) for each in taken[peer]] if peer else []
    return Figure(
        name, unit, [value(each) for each in taken[ours]], peer.name if peer else "", theirs, goal
    )


def summed(title: str, conditions: str, figures: list[Figure], *all_taken: Taken) -> Section:
    """Return the section, with its calls and errors counted."""
    rounds = [each for taken in all_taken for rounds in taken.values() for each in rounds]
    calls = sum(each.heard.sent for each in rounds)
    return Section(title, conditions, figures, calls, sum(each.errors for each in rounds))


def per_second(taken: Round) -> float:
    return taken.per_second


def cpu_ms(taken: Round) -> float:
    return taken.cpu_ms


_RATE, _CPU = "Calls a second", "CPU for a call"


def tls(plan: Plan) -> Section:
    """Throughput and CPU with the API behind TLS."""
    load = Load(connections=32, seconds=plan.seconds)
    taken = routed(plan, (OURS, EXPRESS, FLASK_SDK, FLASK_SESSION), load, tls=True)
    return summed(
        "The API over TLS, no added latency",
        "32 connections, each call as soon as the last is answered",
        [
            pair(taken, EXPRESS, _RATE, "/s", per_second, Goal(3, at_least=True)),
            pair(taken, FLASK_SDK, _RATE, "/s", per_second),
            pair(taken, FLASK_SESSION, _RATE, "/s", per_second),
            pair(taken, EXPRESS, _CPU, "ms", cpu_ms, Goal(1 / 2)),
            pair(taken, FLASK_SDK, _CPU, "ms", cpu_ms, Goal(1 / 25)),
            pair(taken, FLASK_SESSION, _CPU, "ms", cpu_ms),
        ],
        taken,
    )


def plain(plan: Plan) -> Section:
    """Throughput and CPU with an API over plain HTTP that takes 50 ms."""
    load = Load(connections=128, seconds=plan.seconds, api_ms=50)
    taken = routed(plan, (OURS, EXPRESS, EXPRESS_2, FLASK_SESSION), load, tls=False)
    return summed(
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
    kinds = {
        "`incomingcall`": Load(32, plan.seconds, event="incomingcall"),
        "`answer` once more": Load(32, plan.seconds),
        "`dtmf`": Load(32, plan.seconds, event="dtmf"),
    }
    taken: dict[str, list[Round]] = {kind: [] for kind in kinds}
    empty = kinds["`incomingcall`"]

    def once(side: Side) -> Round:
        with plan.workshop.upstream(0, tls=False) as upstream, running(side, upstream) as service:
            if side is not OURS:
                send(service.origin, replace(empty, seconds=plan.warm_up))
                return measure(service, upstream, empty, transfers=False)
            tag = new_tag()
            known = send(service.origin, Load(32, plan.warm_up), tag).sent
            for kind, load in kinds.items():
                if load is empty:
                    done = measure(service, upstream, load, transfers=False)
                else:
                    again = replace(load, known=known)
                    done = measure(service, upstream, again, tag, transfers=False)
                taken[kind].append(done)
            return taken["`incomingcall`"][-1]

    peers = alternate((OURS, NOOP, NOOP_16), plan.rounds, once)
    figures = [
        pair({OURS: taken[kind], peer: peers[peer]}, peer, f"CPU for {kind}", "ms", cpu_ms, goal)
        for peer, goal in ((NOOP, Goal(1.1)), (NOOP_16, None))
        for kind in kinds
    ]
    ours: Taken = {OURS: [each for rounds in taken.values() for each in rounds]}
    return summed(
        "Callbacks that transfer nothing",
        "32 connections; `incomingcall` is of new calls, the others of calls that were routed",
        figures,
        ours,
        {NOOP: peers[NOOP], NOOP_16: peers[NOOP_16]},
    )


def added(plan: Plan) -> Section:
    """What a side adds to the time of the API, and the connections that it opens."""
    load = Load(connections=200, seconds=plan.seconds + 2, rate=200, api_ms=50)
    sides = (OURS, EXPRESS, FLASK_SESSION)
    taken = routed(plan, sides, load, tls=True)
    cold = replace(load, seconds=5.0)
    first = routed(replace(plan, warm_up=0), (OURS, EXPRESS), cold, tls=True, rounds=2)

    def over(percentile: str) -> Callable[[Round], float]:
        return lambda taken: float(getattr(taken.heard, percentile)) - load.api_ms

    with plan.workshop.upstream(load.api_ms, tls=True) as api:
        alone = [send(api.origin, load) for _ in range(plan.rounds)]
    p50, p99 = Goal(1.5, of_ratio=False), Goal(5, of_ratio=False)
    few = Goal(25, of_ratio=False)
    return summed(
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
    for side, rate, limit in ((OURS, 200, 1.03), (OURS_128, 800, 1.06)):
        load = Load(connections=rate, seconds=plan.seconds + 2, rate=rate, api_ms=200)
        taken = routed(plan, [side], load, tls=True)
        all_taken.append(taken)
        of_api = Goal(limit, of_ratio=False)
        settings = "".join(f", {key}={value}" for key, value in side.settings.items())
        name = f"{rate}/s{settings}"
        figures += [
            pair(taken, None, f"{name}: p50, by the API's time", "", by_api("p50"), None, side),
            pair(taken, None, f"{name}: p99, by the API's time", "", by_api("p99"), of_api, side),
            pair(taken, None, f"{name}: answered", "/s", per_second, None, side),
            pair(taken, None, f"{name}: errors", "", errors, Goal(0, of_ratio=False), side),
        ]
    return summed(
        "An API of 200 ms over TLS",
        "As many connections as calls a second, with pauses of random length",
        figures,
        *all_taken,
    )


def by_api(percentile: str) -> Callable[[Round], float]:
    return lambda taken: float(getattr(taken.heard, percentile)) / 200


def errors(taken: Round) -> float:
    return taken.errors


def start(plan: Plan) -> Section:
    """Cold start and memory, beside a no-op application on the same gunicorn."""
    seconds: dict[Side, list[float]] = {OURS: [], NOOP: []}
    megabytes: dict[Side, list[float]] = {OURS: [], NOOP: []}
    load = Load(connections=32, seconds=2, rate=200)

    def once(side: Side) -> Round:
        with plan.workshop.upstream(0, tls=False) as upstream, running(side, upstream) as service:
            seconds[side].append(service.seconds_to_start)
            done = measure(service, upstream, load, transfers=side is OURS)
            megabytes[side].append(procs.pss_mb(service.pid))
            return done

    taken = alternate((OURS, NOOP), plan.rounds, once)
    return summed(
        "Start and memory",
        "The start: from exec to the first 200 of /healthz. The memory (PSS): master and two "
        "workers after 400 calls",
        [
            Figure("Start", "s", seconds[OURS], NOOP.name, seconds[NOOP], Goal(1.5)),
            Figure("Memory", "MB", megabytes[OURS], NOOP.name, megabytes[NOOP], Goal(1.3)),
        ],
        taken,
    )


def parts(plan: Plan) -> Section:
    """Callbacks and the ledger alone, in one thread of one process."""
    with plan.workshop.upstream(0, tls=False) as upstream:
        taken = json.loads(_said("benchmarks.parts", upstream.origin, str(plan.rounds)))
    noop, ours = taken["noop"], "no-op Flask, in one thread"
    return Section(
        "Parts, in one thread",
        "The mean of 300, each of a new call; without gunicorn and a socket of the callback",
        [
            Figure("Callback `incomingcall`", "µs", taken["incomingcall"], ours, noop),
            Figure("Callback `answer`, transferred", "µs", taken["answer"], ours, noop),
            Figure("Ledger update, SQLite", "µs", taken["sqlite"]),
            Figure("Ledger update, Redis", "µs", taken["redis"]),
        ],
    )


def rules(plan: Plan) -> Section:
    """Reading and proving the rules; deciding by them."""
    shipped = [_seconds(BIN / "flask", "rules", "check") for _ in range(plan.rounds)]
    figures = [
        Figure("`flask rules check`, the shipped file", "s", shipped, goal=Goal(1, of_ratio=False))
    ]
    if plan.rounds > 1:
        many = re.search(r": ([\d.]+) s", _said("benchmarks.rules_check", "1000"))
        proved = [float(many[1])] if many else []
    else:
        proved = []
    figures.append(
        Figure("`flask rules check`, 1,000 lines", "s", proved, goal=Goal(30, of_ratio=False))
    )
    return Section("Rules", "Each measurement in a process of its own", figures)


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
