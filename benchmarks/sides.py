"""What is measured side by side: our service as the Procfile starts it, and its peers."""

from __future__ import annotations

import http.client
import os
import signal
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from tests.service import BIN, PROJECT, clean_environment, free_port, procfile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.upstream import Upstream

PEERS = Path(__file__).with_name("peers")
USERNAME, PASSWORD = "bandwidth", "0fb5a9e1c6d24c7d8c3e"
_PATIENCE = 30.0
"""Seconds for a start or an end."""


@dataclass(frozen=True, eq=False)
class Side:
    """One that answers callbacks: its name in the tables, its command and where it is run."""

    name: str
    command: tuple[str | Path, ...]
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Running:
    """A side that runs."""

    side: Side
    pid: int
    port: int
    seconds_to_start: float
    """From exec to the first 200."""

    @property
    def origin(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


def _flask(name: str, module: str, *, worker: str = "gthread", threads: int = 64) -> Side:
    gunicorn = (BIN / "gunicorn", "--worker-class", worker, "--workers", "2")
    threaded = worker == "gthread"
    serving = ("--keep-alive", "75", *(("--threads", str(threads)) if threaded else ()))
    title = f"{name}, {worker} {f'2x{threads}' if threaded else '2'}"
    return Side(title, (*gunicorn, *serving, f"{module}:app"), PEERS)


def _express(processes: int) -> Side:
    name = "Express + node-bandwidth" + (f", {processes} processes" if processes > 1 else "")
    return Side(name, ("node", "server.js", str(processes)), PEERS / "express")


OURS = Side("callrouter", tuple(procfile("web")), PROJECT)
EXPRESS, EXPRESS_2 = _express(1), _express(2)
FLASK_SDK = _flask("Flask + bandwidth-sdk", "flask_sdk")
FLASK_SESSION = _flask("Flask + requests.Session", "flask_session")
NOOP, NOOP_16 = _flask("no-op Flask", "noop"), _flask("no-op Flask", "noop", threads=16)
NOOP_GEVENT = _flask("no-op Flask", "noop", worker="gevent")


@contextmanager
def running(side: Side, upstream: Upstream) -> Iterator[Running]:
    """Run a side with a ledger and a log of its own, on a real disk."""
    (PROJECT / "var").mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=PROJECT / "var") as name,
        (Path(name) / "log").open("wb") as log,
    ):
        folder, port = Path(name), free_port()
        (folder / "ledger.sqlite3").write_bytes(_ledger_of_a_closed_office())
        environment = _environment(side, upstream, port, folder)
        began = time.perf_counter()
        process = subprocess.Popen(
            side.command,
            cwd=side.folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for(process, port, folder / "log")
            took = time.perf_counter() - began
            yield Running(side, process.pid, port, took)
        finally:
            _end(process)


@cache
def _ledger_of_a_closed_office() -> bytes:
    """Return a ledger that makes the shipped rules the same at every time of day."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "ledger.sqlite3"
        tomorrow = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 2 * 86_400))
        subprocess.run(
            [BIN / "flask", "override", "set", "office", "closed", "--until", tomorrow],
            cwd=PROJECT,
            env=clean_environment() | {"LEDGER_URL": f"sqlite:///{path}"},
            check=True,
            stdout=subprocess.DEVNULL,
        )
        with closing(sqlite3.connect(path)) as ledger:
            return bytes(ledger.serialize())


def _environment(side: Side, upstream: Upstream, port: int, folder: Path) -> dict[str, str]:
    trusted = str(upstream.trusted or "")
    return clean_environment() | {
        "BANDWIDTH_USER_ID": "u-bench",
        "BANDWIDTH_API_TOKEN": "t-bench",
        "BANDWIDTH_API_SECRET": "s-bench",
        "BANDWIDTH_API_URL": f"{upstream.origin}/v1",
        "PUBLIC_URL": "https://router.example.test",
        "CALLBACK_USERNAME": USERNAME,
        "CALLBACK_PASSWORD": PASSWORD,
        "LEDGER_URL": f"sqlite:///{folder}/ledger.sqlite3",
        "PORT": str(port),
        "REQUESTS_CA_BUNDLE": trusted,
        "NODE_EXTRA_CA_CERTS": trusted,
        "NODE_ENV": "production",
        "TRANSFER_TO": "+18005550199",
        "PYTHONDONTWRITEBYTECODE": "",  # a start finds compiled code, as after a deployment
        **side.settings,
    }


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not _answers(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} does not serve:\n{log.read_text()[-2000:]}")
        time.sleep(0.002)


def _answers(port: int) -> bool:
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with suppress(OSError, http.client.HTTPException):
        asked.request("GET", "/healthz", headers={"Connection": "close"})
        return asked.getresponse().status == 200
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
