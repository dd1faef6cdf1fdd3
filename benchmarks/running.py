"""The service as the Procfile starts it, beside a phone company in the process that measures."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Self

from benchmarks.callers import USER_ID, PhoneCompany
from benchmarks.plain_http import Connections, serve
from tests.service import PROJECT, clean_environment, free_port, procfile, run

if TYPE_CHECKING:
    from collections.abc import Callable

API_LATENCY = 0.05
"""Seconds in which the phone company answers."""
_BASIC = "Basic Y2FsbHM6c29hay1zZWNyZXQ="  # calls:soak-secret
_LONGEST_CALL = 150.0


class Running:
    """Two workers with the shipped rules; it is always the same time of day.

    `logged` counts what it has logged, `logged_bytes` all of it. Whatever is worse than INFO is
    noted as wrong, but for callbacks by others.
    """

    def __init__(self, company: PhoneCompany, ledger_url: str, **settings: str) -> None:
        self._company = company
        self._port = free_port()
        self._settings = {"LEDGER_URL": ledger_url, "WEB_CONCURRENCY": "2"} | settings
        self.logged: Counter[str] = Counter()
        self.logged_bytes = 0

    async def __aenter__(self) -> Self:
        self._api = await serve(self._company.api)
        environment = self._environment(self._api.sockets[0].getsockname()[1])
        _hold_schedules(environment)
        self._company.connections = Connections(self._port, _BASIC)
        self._process = await asyncio.create_subprocess_exec(
            *procfile("web"),
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read())
        try:
            await until(lambda: self.logged["rules-loaded"] >= 2, 120)
        except BaseException:
            self._process.kill()
            raise
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self._company.connections.close()
        self._api.close()
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            status = await asyncio.wait_for(self._process.wait(), 30)
        finally:
            if self._process.returncode is None:
                self._process.kill()
        await self._reading
        if status:
            self._company.wrong.append(f"the service ended with {status}")

    @property
    def pid(self) -> int:
        """The process of gunicorn that has the workers."""
        return self._process.pid

    async def place(self, calls: int, rate: float) -> None:
        """Place calls, `rate` a second."""
        began = time.monotonic()
        for number in range(calls):
            await asyncio.sleep(began + number / rate - time.monotonic())
            self._company.dial()

    async def settle(self) -> None:
        """Wait until all calls are over."""
        try:
            await until(lambda: not self._company.in_progress, _LONGEST_CALL)
        except TimeoutError:
            self._company.wrong.append(f"{self._company.in_progress} calls did not end")

    def _environment(self, api_port: int) -> dict[str, str]:
        return clean_environment() | {
            "BANDWIDTH_USER_ID": USER_ID,
            "BANDWIDTH_API_TOKEN": "t-soak",
            "BANDWIDTH_API_SECRET": "s-soak",
            "BANDWIDTH_API_URL": f"http://127.0.0.1:{api_port}/v1",
            "PUBLIC_URL": f"http://127.0.0.1:{self._port}",
            "CALLBACK_USERNAME": "calls",
            "CALLBACK_PASSWORD": "soak-secret",
            "PORT": str(self._port),
            **self._settings,
        }

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.logged_bytes += len(line)
            try:
                row = json.loads(line)
            except ValueError:
                row = {"level": "ERROR", "message": line.decode(errors="replace").rstrip()}
            self.logged[row["message"]] += 1
            if row["level"] not in {"DEBUG", "INFO"} and row["message"] != "credentials-refused":
                self._company.wrong.append(f"logged: {row}")


async def until(wanted: Callable[[], bool], seconds: float) -> None:
    """Wait until something is so; raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not wanted():  # noqa: ASYNC110 - what others report does not come as an event
            await asyncio.sleep(0.05)


def _hold_schedules(environment: dict[str, str]) -> None:
    """Let the office be open, and let it be night, for as long as anybody measures."""
    tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    for schedule in ("office", "nights"):
        command = ("flask", "override", "set", schedule, "open", "--until", tomorrow)
        done = run(*command, env=environment)
        if done.returncode:
            sys.exit(done.stderr)
