"""The service as the Procfile starts it, behind a clock that can be moved, and what befalls it."""

from __future__ import annotations

import mmap
import os
import resource
import signal
import struct
import subprocess
import threading
import time
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import requests

from tests.faults import house
from tests.service import (
    CALLBACKS,
    PASSWORD,
    PROJECT,
    SECRET,
    TOKEN,
    USER_ID,
    USERNAME,
    clean_environment,
    free_port,
    procfile,
)

if TYPE_CHECKING:
    import random

WORKERS = 2
_SETTINGS = Path(__file__).with_name("gunicorn_faults.py")


class Served:
    """The running service. `folder` holds its rules, its clock, and its ledger if it is a file."""

    def __init__(self, folder: Path, ledger_url: str, plant: str | None) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        login = f"{quote(USERNAME, '')}:{quote(PASSWORD, '')}"
        self.callback_url = f"http://{login}@127.0.0.1:{self.port}{CALLBACKS}"
        self.rules_path = folder / "rules.yaml"
        self._clock_path = folder / "clock"
        self._clock_path.write_bytes(struct.pack("d", 0.0))
        self._ledger_url = ledger_url
        self._plant = plant
        self.said: Counter[str] = Counter()
        """How often each message was logged."""
        self.ended_by_itself = 0
        self._handling, self._stopped = threading.Lock(), threading.Event()
        self.output: deque[str] = deque(maxlen=200_000)
        """What it wrote, the last lines of it."""

    def start(self, api_url: str) -> Self:
        """Start the service against the phone company."""
        self.write_rules(house.rules())
        self._env = clean_environment() | {
            "BANDWIDTH_USER_ID": USER_ID,
            "BANDWIDTH_API_TOKEN": TOKEN,
            "BANDWIDTH_API_SECRET": SECRET,
            "BANDWIDTH_API_URL": api_url,
            "PUBLIC_URL": self.url,
            "CALLBACK_USERNAME": USERNAME,
            "CALLBACK_PASSWORD": PASSWORD,
            "ROUTING_RULES": str(self.rules_path),
            "LEDGER_URL": self._ledger_url,
            "LEDGER_COPIES": str(self.rules_path.with_name("copies.sqlite3")),
            "PORT": str(self.port),
            "WEB_CONCURRENCY": str(WORKERS),
            "GUNICORN_CMD_ARGS": f"--config {_SETTINGS}",
            "FAULTS_CLOCK": str(self._clock_path),
            **({"FAULTS_PLANT": self._plant} if self._plant else {}),
        }
        self._launch()
        threading.Thread(target=self._keep, daemon=True).start()
        return self

    def _keep(self) -> None:
        """Start the service again when it ends by itself, as hosts do."""
        while not self._stopped.wait(0.2):
            with self._handling:
                if self._process.poll() is not None and not self._stopped.is_set():
                    self.ended_by_itself += 1
                    self._launch()

    def _launch(self) -> None:
        self._process = subprocess.Popen(
            procfile("web"),
            cwd=PROJECT,
            env=self._env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()

    def _listen(self, stream: Any) -> None:
        with stream:
            for line in stream:
                self.output.append(line.rstrip())
                _, found, rest = line.partition('"message": "')
                if found and not line.partition('"gunicorn')[1]:
                    self.said[rest.partition('"')[0]] += 1

    def stop(self) -> None:
        """Stop it at once."""
        self._stopped.set()
        with self._handling:
            process = getattr(self, "_process", None)
            if process is not None:
                workers = self.workers()
                process.kill()
                for worker in workers:
                    _end(worker)
                process.wait()

    def is_ready(self) -> bool:
        """Whether it has good rules and its ledger."""
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        except requests.RequestException:
            return False

    # What befalls it

    def workers(self) -> list[int]:
        """Return the ids of the worker processes."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        try:
            return [int(each) for each in children.read_text("ascii").split()]
        except OSError:
            return []

    def kill_worker(self, dice: random.Random) -> None:
        """Kill one worker; the master starts another."""
        if workers := self.workers():
            _end(dice.choice(workers))

    def restart(self, _dice: random.Random) -> None:
        """Stop the service as a host does, and start it again."""
        with self._handling:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(40)
            self._launch()

    def fill_disk(self, dice: random.Random) -> None:
        """Let the workers there are write to no file for a while."""
        workers = self.workers()
        for worker in workers:
            _limit_files(worker, 0)
        time.sleep(dice.uniform(0.3, 3.0))
        for worker in workers:
            _limit_files(worker, resource.RLIM_INFINITY)

    def set_clock(self, seconds: float) -> None:
        """Let the clock of the service be so many seconds ahead of the true one."""
        with self._clock_path.open("r+b") as file, mmap.mmap(file.fileno(), 8) as clock:
            clock[:8] = struct.pack("d", seconds)

    def clock(self) -> float:
        """Return how many seconds the clock of the service is ahead of the true one."""
        return float(struct.unpack("d", self._clock_path.read_bytes())[0])

    def write_rules(self, text: str) -> None:
        """Replace the rules as editors do: write beside, then rename."""
        beside = self.rules_path.with_suffix(".new")
        beside.write_text(text, "utf-8")
        beside.replace(self.rules_path)


def _end(worker: int) -> None:
    try:
        os.kill(worker, signal.SIGKILL)
    except ProcessLookupError:
        return


def _limit_files(worker: int, size: int) -> None:
    try:
        _, most = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (size, most))
    except ProcessLookupError:
        return
