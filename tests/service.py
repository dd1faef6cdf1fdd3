"""The whole service under gunicorn, as a host starts it, with a phone company beside it.

`Service` starts what the Procfile says; `Stub` is a phone company that does as it is told, where
the emulator would know better. Whatever a test does with a service, stopping it shows that it
exits in good order, and that neither a secret nor a phone number was logged.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode, urlsplit

import requests

from emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
USER_ID, TOKEN, SECRET = "u-black-box", "t-0ken&distinctive", "s3cret:/distinctive+%=?"
USERNAME, PASSWORD = "call back/usér@x", "p@ss:w/ord-distinctive%20&?#+ü"
CALLBACKS, LEGS = "/callbacks/catapult", "/callbacks/catapult/legs/"
CALLER = "+12125550142"
NUMBERS = "/phoneNumbers"
"""What the service asks for once when it starts, for no call."""
SECRETS = (SECRET, PASSWORD, quote(SECRET, ""), quote(PASSWORD, ""), TOKEN, quote(TOKEN, ""))
PAIRS = tuple(
    base64.b64encode(f"{name}:{password}".encode()).decode()
    for name, password in ((USERNAME, PASSWORD), (TOKEN, SECRET))
)
_ids = count(1)


def procfile(kind: str) -> list[str]:
    """The command of one line of the Procfile, from this environment."""
    lines = dict(line.split(":", 1) for line in (PROJECT / "Procfile").read_text().splitlines())
    program, *rest = shlex.split(lines[kind])
    return [str(BIN / program), *rest]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until(wanted: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Ask until the answer is true, and return it."""
    end = time.monotonic() + seconds
    while not (found := wanted()):
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.01)
    return found


def new_call_id() -> str:
    return f"c-{os.getpid()}-{next(_ids)}-{time.time_ns():x}"


def iso(seconds_ago: float = 0.0) -> str:
    return datetime.fromtimestamp(time.time() - seconds_ago, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def event(kind: str, call_id: str, to: str | None, **more: Any) -> dict[str, Any]:
    """An event of an incoming call, fresh; a value of None leaves its key out."""
    body = {
        "eventType": kind,
        "callId": call_id,
        "callUri": f"https://elsewhere.invalid/v1/users/u/calls/{call_id}",
        "from": CALLER,
        "to": to or None,
        "callState": "completed" if kind == "hangup" else "active",
        "time": iso(),
        **({"cause": "NORMAL_CLEARING"} if kind == "hangup" else {}),
        **more,
    }
    return {key: value for key, value in body.items() if value is not None}


@dataclass
class Sent:
    """One request that reached the phone company."""

    method: str
    path: str
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    at: float = field(default_factory=time.monotonic)

    @property
    def is_transfer(self) -> bool:
        return isinstance(self.body, dict) and self.body.get("state") == "transferring"


Answer = tuple[int, dict[str, str], bytes]


class Stub(ThreadingHTTPServer):
    """A phone company that keeps what it is sent and does as it is told.

    `states` has the state of a call, `active` if not named; `script` the next answers to
    transfers, each a status, an (status, headers, body) answer, or a function that returns one.
    """

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _StubConnection)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self.sent: list[Sent] = []
        self.states: dict[str, str] = {}
        self.directions: dict[str, str] = {}
        self.script: deque[Any] = deque()
        self.latency = 0.0
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def reset(self) -> None:
        self.sent, self.script, self.latency = [], deque(), 0.0
        self.states, self.directions = {}, {}

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is no news."""

    def answer(self, sent: Sent) -> Answer:
        self.sent.append(sent)
        time.sleep(self.latency)
        path = urlsplit(sent.path).path
        if sent.is_transfer:
            told = self.script.popleft() if self.script else 201
            told = told() if callable(told) else told
            if isinstance(told, tuple):
                return told
            leg = f"/v1/users/{USER_ID}/calls/c-leg-{next(_ids)}"
            return (told, {"Location": leg} if told == 201 else {}, b"")
        if sent.method == "GET" and path.endswith(("/calls", NUMBERS)):
            return 200, {"Content-Type": "application/json"}, b"[]"
        if sent.method == "GET":
            call_id = path.rpartition("/")[2]
            call = {
                "id": call_id,
                "direction": self.directions.get(call_id, "in"),
                "state": self.states.get(call_id, "active"),
            }
            return 200, {"Content-Type": "application/json"}, json.dumps(call).encode()
        return 200, {}, b""


class _StubConnection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Stub

    def _respond(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw else None
        sent = Sent(self.command, self.path, body, dict(self.headers))
        status, headers, answer = self.server.answer(sent)
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(answer))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)
        self.wfile.flush()

    do_GET = do_POST = _respond  # noqa: N815 - found by this name

    def log_message(self, *_args: Any) -> None:
        pass


class Service:
    """The service, running; `env` holds settings, None takes one away."""

    def __init__(
        self,
        rules: str,
        *,
        stub: bool = False,
        ready: bool = True,
        method: str = "POST",
        fallback: bool = False,
        forgiven: tuple[str, ...] = (),
        **env: str | None,
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = tempfile.TemporaryDirectory(prefix="black-box-")
        self.folder = Path(self._folder.name)
        self.rules_path = self.folder / "rules of the house.yaml"
        self.rules_path.write_text(rules)
        self.ledger_path = self.folder / "var" / "ledger.sqlite3"
        self._forgiven = forgiven
        self._wanted_ready = ready
        self._auto_answer = (env.get("AUTO_ANSWER") or "true") == "true"
        credentials = f"{quote(USERNAME, '')}:{quote(PASSWORD, '')}"
        self.public_url = f"http://127.0.0.1:{self.port}"
        self.callback_url = f"http://{credentials}@127.0.0.1:{self.port}{CALLBACKS}"
        self.legs_url = f"http://{credentials}@127.0.0.1:{self.port}{LEGS}"
        self.stub = Stub() if stub else None
        self.phone: Emulator | None = None
        if not stub:
            self.phone = Emulator(
                callback_url=self.callback_url,
                fallback_url=self.callback_url if fallback else None,
                user_id=USER_ID,
                token=TOKEN,
                secret=SECRET,
                auto_answer=self._auto_answer,
                callback_method=method,
            )
        self.env = clean_environment() | {
            "BANDWIDTH_USER_ID": USER_ID,
            "BANDWIDTH_API_TOKEN": TOKEN,
            "BANDWIDTH_API_SECRET": SECRET,
            "BANDWIDTH_API_URL": self.upstream.url,
            "PUBLIC_URL": self.public_url,
            "CALLBACK_USERNAME": USERNAME,
            "CALLBACK_PASSWORD": PASSWORD,
            "ROUTING_RULES": str(self.rules_path),
            "LEDGER_URL": f"sqlite:///{self.ledger_path}",
            "PORT": str(self.port),
            "WEB_CONCURRENCY": "2",
        }
        for name, value in env.items():
            self.env[name] = value or ""
        self.log: list[dict[str, Any]] = []
        self.out: list[str] = []
        self.err: list[str] = []

    @property
    def upstream(self) -> Any:
        return self.stub or self.phone

    def __enter__(self) -> Self:
        if self.phone:
            self.phone.start()
        try:
            return self.start()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        if kind is not None:
            self.kill()
            return
        if self.phone:  # what it keeps open, the service would wait for
            self.phone.platform.callbacks.close()
        try:
            self.stop()
        finally:
            self.kill()

    def start(self) -> Self:
        self.process = subprocess.Popen(
            procfile("web"),
            cwd=PROJECT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self._heard)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.err.append)),
        ]
        for reader in self._readers:
            reader.daemon = True
            reader.start()
        # Each worker reads the rules by itself; both have when both have said so.
        workers = int(self.env["WEB_CONCURRENCY"] or 2)
        told = {"rules-loaded"} if self._wanted_ready else {"rules-loaded", "rules-refused"}
        wait_until(lambda: self._ended() or self._count(told) >= workers, 30)
        wait_until(lambda: self._ended() or self._answers(), 10)
        return self

    def _ended(self) -> bool:
        if self.process.poll() is None:
            return False
        raise AssertionError(f"the service ended: {self.out} {self.err}")

    def _count(self, messages: set[str]) -> int:
        return sum(row.get("message") in messages for row in list(self.log))

    def _answers(self) -> bool:
        try:
            status = requests.get(f"{self.url}/readyz", timeout=5).status_code
        except requests.ConnectionError:
            return False
        return status == 200 or not self._wanted_ready

    def _read(self, stream: Any, keep: Callable[[str], None]) -> None:
        with stream:
            for line in stream:
                keep(line.rstrip("\n"))

    def _heard(self, line: str) -> None:
        self.out.append(line)
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        self.log.append(row if isinstance(row, dict) else {"no-json": line})

    def stop(self, seconds: float = 30.0) -> float:
        """Stop as a host does; return how many seconds it took."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        took = time.monotonic() - started
        for reader in self._readers:
            reader.join(5)
        assert status == 0, (status, self.out[-5:], self.err)
        self.check_log()
        return took

    def check_log(self) -> None:
        assert self.err == [], self.err
        strange = [row for row in self.log if "no-json" in row]
        assert strange == [], strange
        whole = "\n".join(self.out)
        assert [secret for secret in (*SECRETS, *PAIRS) if secret in whole] == []
        if self.env.get("LOG_NUMBERS") != "full":
            assert re.findall(r"(?:\+|%2B|sip:)\d{5,}", whole, re.IGNORECASE) == []
        failures = [
            row
            for row in self.log
            if row["level"] in {"ERROR", "CRITICAL"}
            and not row["message"].startswith(self._forgiven or ("\0",))
        ]
        assert failures == [], failures

    def kill(self) -> None:
        process = getattr(self, "process", None)
        if process and process.poll() is None:
            process.kill()
            process.wait()
        for reader in getattr(self, "_readers", ()):
            reader.join(5)
        self.upstream.stop()
        self._folder.cleanup()

    # The platform's side of HTTP

    def request(self, method: str, path: str, *, auth: Any = True, **more: Any) -> Any:
        headers = dict(more.pop("headers", None) or {})
        if auth is True:
            headers["Authorization"] = f"Basic {PAIRS[0]}"
        elif auth:
            headers["Authorization"] = auth
        return requests.request(method, self.url + path, headers=headers, timeout=20, **more)

    def post(self, body: Any, path: str = CALLBACKS, **more: Any) -> Any:
        return self.request("POST", path, json=body, **more)

    def get(self, body: dict[str, Any], path: str = CALLBACKS, **more: Any) -> Any:
        shown = {
            key: json.dumps(value, separators=(",", ":"))
            if isinstance(value, dict | bool)
            else value
            for key, value in body.items()
        }
        return self.request("GET", f"{path}?{urlencode(shown, quote_via=quote)}", **more)

    # What reached the phone company

    def api_requests(self, call_id: str | None = None) -> list[Sent]:
        if self.stub:
            sent = list(self.stub.sent)
        else:
            assert self.phone is not None
            sent = [
                Sent(row["method"], row["path"], row["body"], at=row["time"])
                for row in self.phone.log("request")
            ]
        of_calls = [one for one in sent if not urlsplit(one.path).path.endswith(NUMBERS)]
        return [one for one in of_calls if call_id is None or call_id in one.path]

    def transfers(self, call_id: str | None = None) -> list[Sent]:
        return [sent for sent in self.api_requests(call_id) if sent.is_transfer]

    def transfer_of(self, call_id: str) -> dict[str, Any]:
        """The body of the only transfer of a call, without its callbackUrl."""
        wait_until(lambda: self.transfers(call_id))
        (sent,) = self.transfers(call_id)
        return {key: value for key, value in sent.body.items() if key != "callbackUrl"}

    # What people do; only with the emulator

    def dial(self, to: str, from_: str = CALLER, **more: Any) -> str:
        assert self.phone is not None
        return self.phone.dial(from_, to, **more)

    def leg(self, call_id: str) -> dict[str, Any]:
        assert self.phone is not None
        return next(leg for leg in self.phone.calls() if leg["callId"] == call_id)

    def settled(self, call_id: str) -> None:
        """Wait until every callback that was begun for a call has been answered."""
        assert self.phone is not None
        phone = self.phone
        wait_until(
            lambda: all("took" in row for row in phone.log("callback") if row["leg"] == call_id)
        )

    def ended(self, *call_ids: str) -> None:
        """Wait until the service has been told that these legs have ended."""
        assert self.phone is not None
        for call_id in call_ids:
            self.phone.wait_for(partial(self._told_of_end, call_id), 10)

    def _told_of_end(self, call_id: str) -> bool:
        assert self.phone is not None
        return any(
            row["leg"] == call_id and row["event"] == "hangup" and "took" in row
            for row in self.phone.log("callback")
        )

    # What it says

    def readiness(self) -> tuple[int, dict[str, Any]]:
        answer = self.request("GET", "/readyz", auth=None)
        return answer.status_code, answer.json()

    def metrics(self) -> dict[str, float]:
        answer = self.request("GET", "/metrics", auth=None)
        assert answer.status_code == 200, answer.text
        rows = (line.rpartition(" ") for line in answer.text.splitlines() if line[:1] != "#")
        return {name: float(value) for name, _, value in rows}

    def logged(self, message: str, since: int = 0) -> list[dict[str, Any]]:
        return [row for row in self.log[since:] if row.get("message") == message]

    def write_rules(self, text: str) -> None:
        """Replace the rules as editors do: write beside, then rename."""
        beside = self.rules_path.with_suffix(".new")
        beside.write_text(text)
        beside.replace(self.rules_path)


def clean_environment() -> dict[str, str]:
    """This process's environment without what would be a setting of the service."""
    settings = re.compile(
        r"BANDWIDTH_|CALLBACK_|PUBLIC_URL|AUTO_ANSWER|ROUTING_RULES|LEDGER_|REDIS_URL|PORT$|"
        r"WEB_|CONSOLE_|METRICS_|LOG_|PROMETHEUS_|GUNICORN_|FLASK_"
    )
    kept = {name: value for name, value in os.environ.items() if not settings.match(name)}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"}


def run(
    *command: str, env: dict[str, str] | None = None, cwd: Path = PROJECT, seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command of this environment, such as `flask`, to its end."""
    program, *rest = command
    return subprocess.run(
        [str(BIN / program), *rest],
        cwd=cwd,
        env=clean_environment() | (env or {}),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
