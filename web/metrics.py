"""Prometheus metrics, right with several workers.

What happens is told by the call handler, the rulebook, the client and the check of credentials;
nothing else counts.
"""

from __future__ import annotations

import os
import struct
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from callflow.account import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from catapult.client import Exchange

T = TypeVar("T")

_ACCOUNT_REFUSED = "callrouter_account_refused"
_PLATFORM_ANSWERED = "callrouter_platform_answered_timestamp_seconds"
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_TRIES, _PAUSE = 10, 0.02
_TOLD = Counter("callrouter_events_total", "What happened to calls and rules", ["event"])
_ROUTED = Counter("callrouter_routes_total", "Calls routed", ["line", "action"])
_REFUSED = Counter(
    "callrouter_credentials_refused_total", "Requests with wrong credentials", ["status"]
)
_REQUESTS = Counter(
    "callrouter_api_requests_total", "Requests to the platform", ["request", "result"]
)
_SECONDS = Histogram(
    "callrouter_api_seconds",
    "Duration of requests to the platform",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_RULES_GOOD = Gauge(
    "callrouter_rules_good",
    "1 when the rules file is good, 0 when its last edit was refused",
    multiprocess_mode="livemin",
)
_RULES_LOADED = Gauge(
    "callrouter_rules_loaded_timestamp_seconds",
    "When the rules in force were loaded",
    multiprocess_mode="livemax",
)


_LOOPS = Gauge(
    "callrouter_loop_alive",
    "1 when a background loop does its work, 0 when that of any worker does not",
    ["loop"],
    multiprocess_mode="livemin",
)
_REFUSAL = Gauge(
    _ACCOUNT_REFUSED,
    "0 when the platform took our last request, else the status with which it refused the account",
    multiprocess_mode="mostrecent",
)
_ANSWERED = Gauge(
    _PLATFORM_ANSWERED,
    "When the platform answered last",
    multiprocess_mode="mostrecent",
)


_told, _routed, _requests = cache(_TOLD.labels), cache(_ROUTED.labels), cache(_REQUESTS.labels)


def count(event: str, fields: dict[str, Any]) -> None:
    """Count one thing that happened."""
    _told(event).inc()
    if event == "routed":
        _routed(fields["line"] or "", fields["action"]).inc()
    elif event == "rules-loaded":
        _RULES_GOOD.set(1)
        _RULES_LOADED.set(time.time())
    elif event == "rules-refused":
        _RULES_GOOD.set(0)


def refused(status: int) -> None:
    """Count one request that was refused for its credentials."""
    _REFUSED.labels(str(status)).inc()


def observe(exchange: Exchange) -> None:
    """Count one request to the platform."""
    _requests(exchange.label, exchange.error or str(exchange.status)).inc()
    _SECONDS.observe(exchange.seconds)


def show_loop(name: str, alive: bool) -> None:
    """Note whether a background loop of this process does its work."""
    _LOOPS.labels(name).set(alive)


def dead_loops() -> set[str]:
    """Return the loops that do not do their work in some worker of this service."""
    return {loop for (_, loop), alive in _gauges("livemin", "loop").items() if not alive}


class Verdicts:
    """What the platform said of the account, to any worker of this service."""

    @staticmethod
    def say(verdict: Verdict) -> None:
        """Note what it said to this one."""
        _REFUSAL.set(verdict.status)
        _ANSWERED.set(verdict.at or 0)

    @staticmethod
    def latest() -> Verdict | None:
        """Return the latest; None if there are no other workers."""
        found = {name: value for (name, _), value in _gauges("mostrecent").items()}
        if not found:
            return None
        status, at = int(found.get(_ACCOUNT_REFUSED, 0)), found.get(_PLATFORM_ANSWERED, 0.0)
        return Verdict(f"{status} for another worker" if status else None, at or None, status)


def _gauges(mode: str, label: str = "") -> dict[tuple[str, str], float]:
    """Return the gauges of one mode over all workers, by name and label; none without workers."""
    if _FOLDER not in os.environ:
        return {}
    files = [str(file) for file in Path(os.environ[_FOLDER]).glob(f"gauge_{mode}_*.db")]
    merged = _insist(lambda: MultiProcessCollector.merge(files))  # type: ignore[no-untyped-call]
    return {
        (sample.name, sample.labels.get(label, "")): sample.value
        for metric in merged
        for sample in metric.samples
        if label in {"", *sample.labels}
    }


def exposition() -> tuple[bytes, str]:
    """Return the metrics of all workers, and their content type."""
    registry: CollectorRegistry = REGISTRY
    if _FOLDER in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return _insist(lambda: generate_latest(registry)), CONTENT_TYPE_LATEST


def _insist(read: Callable[[], T]) -> T:
    """Read the files of the workers, which come and go."""
    for _ in range(_TRIES):
        # A worker that begins now has made its file, still empty; that of a dead one is removed.
        with suppress(struct.error, FileNotFoundError):
            return read()
        time.sleep(_PAUSE)
    return read()


def forget(pid: int) -> None:
    """Leave out a process that has ended; what it has counted stays."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]
    for file in Path(os.environ[_FOLDER]).glob(f"*_{pid}.db"):
        if not file.stat().st_size:
            file.unlink()
