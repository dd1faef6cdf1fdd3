"""A router's side of the line, for tests of the emulator: it takes callbacks and asks the API."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlsplit

import requests

from emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

FIXTURES = Path(__file__).parent / "fixtures" / "catapult-v1"
CALLER, BUSINESS, ANN, BOB = "+19195550142", "+19195550100", "+19195550111", "+19195550112"
DIVERSION = {
    "origTo": "+19195550177",
    "reason": "no-answer",
    "screen": "no",
    "privacy": "off",
    "counter": 1,
    "limit": 5,
}


@dataclass
class Heard:
    """One callback as it arrived."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    event: dict[str, Any]
    port: int  # of the connection it came on
    time: float = field(default_factory=time.monotonic)


class Ear(ThreadingHTTPServer):
    """Takes callbacks; ``replies`` maps a path to a status, or, negative, to seconds of silence."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Call)
        self.heard: list[Heard] = []
        self.replies: dict[str, float] = {}
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The emulator hangs up on a router that is too slow; tests look at the log instead."""


class _Call(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Ear

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._take(json.loads(body) if body else {})

    def do_GET(self) -> None:
        self._take(dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True)))

    def _take(self, event: dict[str, Any]) -> None:
        parts = urlsplit(self.path)
        heard = Heard(
            self.command, parts.path, parts.query, dict(self.headers), event, self.client_address[1]
        )
        self.server.heard.append(heard)
        reply = self.server.replies.get(parts.path, 200)
        if reply < 0:
            time.sleep(-reply)
        self.send_response(200 if reply < 0 else int(reply))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: Any) -> None:
        pass


class Lab:
    """An emulator, a router that listens at /a (inbound), /b (transferred) …, and an API client."""

    def __init__(self, **settings: Any) -> None:
        self.ear = Ear()
        callback_url = settings.pop("callback_url", f"{self.ear.url}/a")
        self.emulator = Emulator(callback_url=callback_url, **settings)
        self.session = requests.Session()
        self.session.auth = (self.emulator.settings.token, self.emulator.settings.secret)
        self.base = f"{self.emulator.url}/users/{self.emulator.settings.user_id}"

    def __enter__(self) -> Self:
        self.emulator.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.session.close()
        self.emulator.stop()
        self.ear.shutdown()
        self.ear.server_close()

    def api(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self.session.request(method, f"{self.base}/{path}", json=body, timeout=10, **more)

    def get(self, path: str) -> Any:
        response = self.api("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    def post(self, path: str, body: Any = None) -> str:
        """Post and return the id at the end of the Location, or an empty string."""
        response = self.api("POST", path, {} if body is None else body)
        assert response.status_code in {200, 201}, response.text
        assert response.content == b""
        return response.headers.get("Location", "").rpartition("/")[2]

    def control(self, method: str, path: str, body: Any = None) -> requests.Response:
        url = f"{self.emulator.origin}/_control/{path}"
        return self.session.request(method, url, json=body, timeout=10)

    def application(self, **fields: Any) -> None:
        """Change the application that inbound calls belong to."""
        self.post(f"applications/{self.emulator.platform.application.id}", fields)

    def dial(self, to: str = BUSINESS, **more: Any) -> str:
        """A caller dials, and the application answers for us."""
        call_id = self.emulator.dial(CALLER, to, **more)
        self.hear("answer", call_id)
        return call_id

    def transfer(self, call_id: str, to: str = ANN, **more: Any) -> str:
        body = {"state": "transferring", "transferTo": to, "callbackUrl": f"{self.ear.url}/b"}
        return self.post(f"calls/{call_id}", body | more)

    def joined(self, to: str = ANN) -> tuple[str, str]:
        """A caller who talks to the destination of a transfer."""
        a = self.dial()
        b = self.transfer(a, to)
        self.until(lambda: self.leg(a)["talksTo"] == [b])
        return a, b

    def of(self, call_id: str) -> list[Heard]:
        return [heard for heard in list(self.ear.heard) if heard.event.get("callId") == call_id]

    def story(self, call_id: str) -> list[str]:
        """The events of a leg in the order they came, with their causes or statuses."""
        return [_word(heard.event) for heard in self.of(call_id)]

    def hear(self, word: str, call_id: str, seconds: float = 5) -> Heard:
        """Wait for an event, such as ``answer`` or ``hangup(USER_BUSY)``."""
        return self.until(
            lambda: next(
                (
                    heard
                    for heard in self.of(call_id)
                    if word in {_word(heard.event), heard.event["eventType"]}
                ),
                None,
            ),
            seconds,
        )

    def until(self, wanted: Callable[[], Any], seconds: float = 5) -> Any:
        return self.emulator.wait_for(wanted, seconds)

    def leg(self, call_id: str) -> dict[str, Any]:
        """What the emulator itself knows of a leg."""
        return next(leg for leg in self.emulator.calls() if leg["callId"] == call_id)

    def state(self, call_id: str) -> str:
        return str(self.get(f"calls/{call_id}")["state"])

    def trace(self, call_id: str) -> dict[str, Any]:
        """The log's entry of a leg's beginning."""
        return next(row for row in self.emulator.log("leg") if row["callId"] == call_id)


def _word(event: dict[str, Any]) -> str:
    more = event.get("cause") or event.get("status") or event.get("reason")
    return f"{event['eventType']}({more})" if more else str(event["eventType"])


def code_of(response: requests.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def fixture_text(name: str) -> str:
    return (FIXTURES / name).read_text()


def fixture(name: str) -> Any:
    return json.loads(fixture_text(name))


def fixtures_of(kind: str) -> list[dict[str, Any]]:
    return [row for row in fixture("index.json")["fixtures"] if row["kind"] == kind]
