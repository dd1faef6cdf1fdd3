"""Where `flask demo` plays: the real service, the emulator around it, and rules that can be moved.

The service is started as the Procfile says, with settings of its own. Its rules are the project's,
in a copy whose office hours are moved to be on, or off, at this very moment.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import requests
import yaml

from callflow.sqlite import SqliteLedger
from commands.output import Failure
from emulator import Emulator
from routing.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator


PATIENCE = 10.0
"""Seconds within which the service starts, rules come into force and a call is settled."""
MOVED = "office"
"""The schedule that is moved."""
RING = "2s"
"""What every ring is cut to."""


class Stage:
    """A running service with its phone company; a context manager that leaves nothing behind."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._shipped = (project / "routing_rules.yaml").read_text(encoding="utf-8")
        self._open = contextlib.ExitStack()
        self.rules = read(self._shipped)
        self.hours = ""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opening:
            folder = Path(opening.enter_context(_folder()))
            self.rules_file, self.log = folder / "routing_rules.yaml", folder / "log"
            self._write_rules(office="open")
            door = opening.enter_context(socket.create_server(("127.0.0.1", 0)))
            host, password = f"127.0.0.1:{door.getsockname()[1]}", secrets.token_urlsafe(16)
            self.service_url = f"http://{host}"
            self.phones = opening.enter_context(
                Emulator(
                    callback_url=f"http://demo:{password}@{host}/callbacks/catapult",
                    numbers=tuple(self.rules.line_by_number),
                )
            )
            self.ledger_url = f"sqlite:///{folder}/ledger.sqlite3"
            self.ledger = SqliteLedger(self.ledger_url.removeprefix("sqlite:///"))
            opening.callback(self.ledger.close)
            settings = self._settings(password) | {"TMPDIR": str(folder)}
            self._process = opening.enter_context(self._serving(settings, door))
            self._await_rules()
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._open.close()

    @property
    def web_line(self) -> str:
        """The command with which the Procfile starts the service."""
        lines = (self._project / "Procfile").read_text(encoding="utf-8").splitlines()
        return next(line.removeprefix("web:").strip() for line in lines if line.startswith("web:"))

    def move_hours(self, office: str) -> None:
        """Edit the rules while the service runs, and wait until they are in force."""
        self._write_rules(office)
        self._await_rules()

    def _write_rules(self, office: str) -> None:
        """Write the rules with moved hours, in one step, as an editor does."""
        self.hours, text = moved(self._shipped, office, dt.datetime.now(self.rules.zone))
        draft = self.rules_file.with_suffix(".new")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.rules_file)
        self.rules = read(text)

    def _await_rules(self) -> None:
        try:
            self.phones.wait_for(self._is_ready, PATIENCE)
        except TimeoutError:
            tail = self.log.read_text(errors="replace").splitlines()[-5:]
            raise Failure("the service is not ready; its log ends:", *tail) from None

    def _is_ready(self) -> bool:
        """Whether the service is ready with the rules that were written last."""
        if self._process.poll() is not None:
            raise TimeoutError
        with requests.Session() as session:
            session.trust_env = False  # a proxy has no business here
            try:
                answer = session.get(f"{self.service_url}/readyz", timeout=PATIENCE)
            except requests.RequestException:
                return False
        return answer.ok and bool(answer.json()["rules"]["hash"] == self.rules.digest)

    def _settings(self, password: str) -> dict[str, str]:
        account = self.phones.settings
        return {
            "BANDWIDTH_USER_ID": account.user_id,
            "BANDWIDTH_API_TOKEN": account.token,
            "BANDWIDTH_API_SECRET": account.secret,
            "BANDWIDTH_API_URL": self.phones.url,
            "PUBLIC_URL": self.service_url,
            "CALLBACK_AUTH": "on",
            "CALLBACK_USERNAME": "demo",
            "CALLBACK_PASSWORD": password,
            "AUTO_ANSWER": "true",
            "ROUTING_RULES": str(self.rules_file),
            "LEDGER_URL": self.ledger_url,
            "DYNO": "",  # it shares its files with this command
            "LOG_LEVEL": "INFO",
            "WEB_CONCURRENCY": "1",  # /readyz then speaks for every worker when rules change
            "NO_PROXY": "127.0.0.1",
        }

    @contextlib.contextmanager
    def _serving(
        self, settings: dict[str, str], door: socket.socket
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run the service behind a socket that listens already, and end it whatever happens."""
        bind = {"GUNICORN_CMD_ARGS": f"--bind fd://{door.fileno()}"}
        with self.log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - the project's own Procfile
                [sys.executable, "-m", *shlex.split(self.web_line)],
                cwd=self._project,
                env=os.environ | settings | bind,
                pass_fds=[door.fileno()],
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            door.close()
            yield process
        finally:
            process.send_signal(signal.SIGINT)  # the quick end: no caller is real here
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def moved(shipped: str, office: str, now: dt.datetime) -> tuple[str, str]:
    """Return hours in which the office is `open`, or `closed`, now, and the rules with them."""
    start = now.replace(minute=0) + dt.timedelta(hours=-1 if office == "open" else 2)
    hours = f"{start:%H:%M}-{start + dt.timedelta(hours=8):%H:%M}"
    # This loader makes nothing but text, as the rules' own reader does.
    data = yaml.load(shipped, yaml.BaseLoader)  # noqa: S506
    data["schedules"][MOVED] = {"hours": {"mon-sun": hours}}
    _cut_rings(data)
    data.pop("expect", None)  # these speak of the hours that were moved
    return hours, yaml.safe_dump(data, sort_keys=False, allow_unicode=True)


def _cut_rings(data: Any) -> None:
    """Shorten every ring, so that nobody waits for the phones that nobody answers."""
    if isinstance(data, dict):
        data.update({key: RING for key in data if key == "ring"})
    for each in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        _cut_rings(each)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="callrouter-demo-", ignore_cleanup_errors=True)


@contextlib.contextmanager
def orderly_end() -> Iterator[None]:
    """Clean up too when a terminal closes or somebody ends the command from outside."""

    def leave(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    endings = (signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.signal(each, leave) for each in endings}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
