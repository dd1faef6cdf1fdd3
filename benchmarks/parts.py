"""Parts of the service alone, in one thread: `python -m benchmarks.parts API_ORIGIN ROUNDS`.

Prints one JSON object: microseconds for each round, by part.
"""

from __future__ import annotations

import base64
import io
import json
import logging.config
import sys
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import logs
from app import create_app
from benchmarks.peers.noop import app as noop
from benchmarks.sides import PASSWORD, USERNAME
from callflow.redis import RedisLedger
from callflow.sqlite import SqliteLedger
from settings import Settings
from tests.redis_server import RedisServer
from tests.service import CALLBACKS, event, new_call_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from wsgiref.types import WSGIApplication

    from callflow.ledger import Ledger
    from callflow.record import Record

_TIMES = 300
"""Runs of a part in one round."""
_AUTHORIZATION = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()


def callback(app: WSGIApplication, kind: str) -> Callable[[], float]:
    """Return a function that has a callback of a new call answered, and says how long it took."""

    def once() -> float:
        environ = _environ(json.dumps(event(kind, new_call_id(), "+19195551000")).encode())
        heard: list[str] = []

        def start_response(status: str, *_more: object) -> Callable[[bytes], object]:
            heard.append(status)
            return _no_writing

        began = time.perf_counter()
        answer = app(environ, start_response)
        b"".join(answer)
        took = time.perf_counter() - began
        if heard != ["200 OK"]:
            raise RuntimeError(f"a callback was answered with {heard}")
        return took

    return once


def _no_writing(_data: bytes) -> None:
    raise NotImplementedError


def update(ledger: Ledger) -> Callable[[], float]:
    """Return a function that has the ledger note an event of a new call."""

    def once() -> float:
        body, now = event("incomingcall", new_call_id(), "+19195551000"), time.time()

        def change(record: Record, _in_progress: Callable[[str], int]) -> None:
            record.note(now, "event", event=body)
            record.seen_at, record.to, record.caller = now, body["to"], body["from"]

        began = time.perf_counter()
        ledger.update(body["callId"], change)
        return time.perf_counter() - began

    return once


def _environ(body: bytes) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": CALLBACKS,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "5000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_HOST": "127.0.0.1:5000",
        "HTTP_AUTHORIZATION": _AUTHORIZATION,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }


def _service(api_origin: str, folder: str) -> WSGIApplication:
    return create_app(
        Settings(
            user_id="u-bench",
            api_token="t-bench",
            api_secret="s-bench",
            api_url=f"{api_origin}/v1",
            public_url="https://router.example.test",
            callback_username=USERNAME,
            callback_password=PASSWORD,
            ledger_url=f"sqlite:///{folder}/service.sqlite3",
        )
    )


def main() -> None:
    """Measure all parts by turns."""
    api_origin, rounds = sys.argv[1], int(sys.argv[2])
    with (
        tempfile.TemporaryDirectory(dir="var") as folder,
        (Path(folder) / "log").open("w") as log,
        RedisServer() as server,
    ):
        with redirect_stdout(log):
            logging.config.dictConfig(logs.configuration("INFO", mask=True))
        service = _service(api_origin, folder)
        parts = {
            "incomingcall": callback(service, "incomingcall"),
            "answer": callback(service, "answer"),
            "noop": callback(noop, "incomingcall"),
            "sqlite": update(SqliteLedger(str(Path(folder) / "alone.sqlite3"))),
            "redis": update(RedisLedger(server.url)),
        }
        taken: dict[str, list[float]] = {name: [] for name in parts}
        for once in parts.values():
            for _ in range(_TIMES):
                once()
        for _ in range(rounds):
            for name, once in parts.items():
                taken[name].append(median(once() for _ in range(_TIMES)) * 1e6)
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
