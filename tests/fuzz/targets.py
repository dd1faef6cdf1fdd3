"""What is fuzzed: each target takes any bytes, and says by an AssertionError what went wrong."""

from __future__ import annotations

import io
import json
import re
import tempfile
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import create_app
from catapult.events import BadEventError, Event, parse_post, parse_query
from catapult.values import read_json
from routing.problems import RulesError
from routing.reader import read
from settings import LEGS_PATH, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.ledger import Ledger

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "tests/fixtures/catapult-v1"
_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
SECONDS_TO_READ = 2.0
"""Most seconds for a rules file; the fuzzer's have at most 64 KiB."""


def post(data: bytes) -> None:
    _check_event(parse_post, data)


def query(data: bytes) -> None:
    _check_event(parse_query, data)


def _check_event(parse: Callable[[bytes], Event], data: bytes) -> None:
    try:
        event = parse(data)
    except BadEventError:
        return
    assert event.type == event.type.lower() != ""
    assert event.call_id.isprintable()
    written = json.dumps(dict(event.body), allow_nan=False).encode()
    again = parse_post(written)
    assert replace(again, raw=event.raw) == event or parse is parse_query
    assert read_json(event.raw.decode()) == event.body
    for text in (event.from_, event.to, event.call_state, event.cause, event.status, event.tag):
        assert text is None or text.encode().decode() == text
    if event.time is not None:
        assert event.time.timestamp() == event.time.timestamp()


def rules(data: bytes) -> None:
    text = data.decode(errors="surrogateescape")
    begun = time.process_time()
    try:
        read(text)
    except RulesError as wrong:
        check_places(wrong, text)
    assert time.process_time() - begun < SECONDS_TO_READ


def check_places(wrong: RulesError, text: str) -> None:
    """Every error has words, and a line and a column that are there."""
    lines = _LINE_BREAK.split(text)
    assert wrong.errors
    for problem in [*wrong.errors, *wrong.warnings]:
        assert problem.code
        assert problem.message
        assert 1 <= problem.line <= len(lines), problem
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem


def token(data: bytes) -> None:
    """Ask for a leg that nobody made: its token in the first line, the event in the rest."""
    name, _, body = data.partition(b"\n")
    app, ledger = _service()
    known = json.dumps({"eventType": "hangup", "callId": "c-1"}).encode()
    answer = _ask(app, LEGS_PATH.encode() + name, body or known)
    assert answer in {400, 404, 413}
    assert ledger.recent(1) == []


def _ask(app: Any, path: bytes, body: bytes) -> int:
    status: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    said = b"".join(app.wsgi_app(environ, lambda line, _headers, _info=None: status.append(line)))
    assert set(json.loads(said)["error"]) == {"code", "message"}
    return int(status[0].split()[0])


@cache
def _service() -> tuple[Any, Ledger]:
    folder = tempfile.mkdtemp(prefix="fuzz-")
    app = create_app(Settings(ledger_url=f"sqlite:///{folder}/ledger", callback_auth=False))
    service = app.extensions["callrouter"]
    service.started = True  # no rules, no timers: nothing but the request in hand
    return app, service.ledger


def seeds(name: str) -> list[bytes]:
    """Return good inputs of a target to begin with."""
    if name == "rules":
        files = [ROOT / "routing_rules.yaml", *(ROOT / "docs/cookbook").glob("*.yaml")]
        return [each.read_bytes() for each in files]
    if name == "token":
        return [b"x", b"..", b"%2f", b"a/b\n{}", b"\xff\x00", b"A" * 32, b"A" * 9000]
    kind = "event-*.json" if name == "post" else "get-*.txt"
    return [each.read_bytes().strip() for each in FIXTURES.glob(kind)]


TARGETS: dict[str, Callable[[bytes], None]] = {
    "post": post,
    "query": query,
    "rules": rules,
    "token": token,
}
