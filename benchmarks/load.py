"""Callbacks from wrk, and what they cost whoever answers them."""

from __future__ import annotations

import base64
import json
import math
import subprocess
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.processes import cpu_seconds
from benchmarks.sides import PASSWORD, USERNAME

if TYPE_CHECKING:
    from benchmarks.sides import Running
    from benchmarks.upstream import Counts, Upstream

_SCRIPT = Path(__file__).with_name("load.lua")
_AUTHORIZATION = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
_PATIENCE = 10
"""Seconds for which an answer is awaited."""
_rounds = count(1)


@dataclass(frozen=True)
class Load:
    """Events sent for some seconds over so many connections.

    Without `rate` each connection sends again as soon as it is answered; with it, so many calls
    a second are spread over the connections, for an API that takes `api_ms`. `known` calls are
    gone over again and again; with 0 every event is of a new call.
    """

    connections: int
    seconds: float
    event: str = "answer"
    known: int = 0
    rate: float | None = None
    api_ms: float = 0.0

    def arguments(self, tag: str, seed: int) -> list[str]:
        """Return the arguments of the script."""
        cycle = self.connections / self.rate * 1000 if self.rate else 0.0
        think = cycle - self.api_ms if self.rate else 0.0
        numbers = (self.known, self.seconds, self.connections, cycle, think, seed)
        return [_AUTHORIZATION, tag, self.event, *map(str, numbers)]


@dataclass(frozen=True)
class Heard:
    """What wrk heard: numbers of calls, and percentiles of milliseconds.

    `in_time` were answered while calls were sent; `refused` with a status above 399; `failed` are
    those that a socket or the time-out (10 s) ended.
    """

    sent: int
    answered: int
    in_time: int
    refused: int
    failed: int
    p50: float
    p90: float
    p99: float
    p999: float
    longest: float


@dataclass(frozen=True)
class Round:
    """One round: what wrk heard, what it cost, and what reached the API."""

    heard: Heard
    seconds: float
    cpu_seconds: float
    counts: Counts
    transfers: bool
    """Whether each callback was to lead to a transfer; if not, none was."""

    def __str__(self) -> str:
        heard = self.heard
        return (
            f"{self.per_second:.0f}/s, {self.cpu_ms:.3f} ms CPU, p50 {heard.p50:.1f}, "
            f"p99 {heard.p99:.1f} ms, {heard.answered} callbacks, {self.errors} errors"
        )

    @property
    def per_second(self) -> float:
        """Callbacks that were answered in a second."""
        return self.heard.in_time / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of user and system time for each callback."""
        return self.cpu_seconds * 1000 / max(self.heard.answered, 1)

    @property
    def errors(self) -> int:
        """Callbacks without a good answer, and calls not transferred exactly once."""
        heard = self.heard
        wrong = heard.refused + heard.failed + abs(heard.sent - heard.answered)
        due = heard.answered - heard.refused if self.transfers else 0
        return wrong + abs(self.counts.transfers - due) + self.counts.repeated


def read_wrk(text: str) -> Heard:
    """Return what the script printed at the end. Raises ValueError if it is not there."""
    for line in text.splitlines():
        if line.startswith("{"):
            return Heard(**json.loads(line))
    raise ValueError(f"wrk said nothing of use: {text[-500:]}")


def new_tag() -> str:
    """Return what the ids of a round's calls begin with."""
    return f"c-bench-{time.time_ns():x}-"


def send(origin: str, load: Load, tag: str | None = None) -> Heard:
    """Send callbacks to whoever listens there."""
    command: list[str | Path] = [
        *("wrk", "-t1", f"-c{load.connections}", f"-d{math.ceil(load.seconds) + _PATIENCE}"),
        *("--timeout", f"{_PATIENCE}s", "-s", _SCRIPT, origin, "--"),
        *load.arguments(tag or new_tag(), seed=next(_rounds)),
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return read_wrk(done.stdout)


def measure(
    running: Running, upstream: Upstream, load: Load, tag: str | None = None, *, transfers: bool
) -> Round:
    """Send callbacks to a side and return the round. Whether they are to be transferred is told."""
    before = upstream.counts()
    spent = cpu_seconds(running.pid)
    heard = send(running.origin, load, tag)
    spent = cpu_seconds(running.pid) - spent
    return Round(heard, load.seconds, spent, upstream.counts().since(before), transfers)
