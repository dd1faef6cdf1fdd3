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
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from catapult.client import Exchange

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


def exposition() -> tuple[bytes, str]:
    """Return the metrics of all workers, and their content type."""
    registry: CollectorRegistry = REGISTRY
    if _FOLDER in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    for _ in range(_TRIES):
        # A worker that begins now has made its file, still empty; that of a dead one is removed.
        with suppress(struct.error, FileNotFoundError):
            return generate_latest(registry), CONTENT_TYPE_LATEST
        time.sleep(_PAUSE)
    return generate_latest(registry), CONTENT_TYPE_LATEST


def forget(pid: int) -> None:
    """Leave out a process that has ended; what it has counted stays."""
    mark_process_dead(pid)  # type: ignore[no-untyped-call]
    for file in Path(os.environ[_FOLDER]).glob(f"*_{pid}.db"):
        if not file.stat().st_size:
            file.unlink()
