"""Whatever a callback holds, it is taken or refused: no 500, no hang, nothing left behind."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callflow.sqlite import SqliteLedger
from tests.scenario.rules import PLAIN
from tests.service import CALLBACKS, LEGS, PAIRS, Service, event, new_call_id, run, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

FIXTURES = Path(__file__).parents[1] / "fixtures/catapult-v1"
EVENTS = [json.loads(each.read_text("utf-8")) for each in sorted(FIXTURES.glob("event-*.json"))]
QUERIES = [each.read_bytes().strip() for each in sorted(FIXTURES.glob("get-*.txt"))]
HEADERS = {"Authorization": f"Basic {PAIRS[0]}", "Content-Type": "application/json"}
TAKEN, REFUSED = {200}, {400, 404, 413, 431}
hostile_settings = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(),
    st.integers(min_value=10**4000, max_value=10**4200),
    st.text(st.characters(), max_size=40),  # half surrogate pairs and control characters too
    st.sampled_from(["", " ", "+", "sip:", "\ud800", "\x00", "1e999", "9" * 5000, "+1" * 50]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def mutated_events(draw: st.DrawFn) -> bytes:
    """A real event with keys gone, repeated, or holding anything at all."""
    body = dict(draw(st.sampled_from(EVENTS)))
    for key in draw(st.lists(st.sampled_from(sorted(body)), max_size=4)):
        body[key] = draw(values)
    for key in draw(st.lists(st.sampled_from(sorted(body)), max_size=2)):
        body.pop(key, None)
    pairs = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in body.items()]
    again = draw(st.lists(st.sampled_from(pairs), max_size=3)) if pairs else []
    return f"{{{', '.join([*pairs, *again])}}}".encode("utf-8", "replace")


class Sender:
    """Sends over one kept connection, and judges every answer."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=15)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> int:
        self.connection.request(
            method, path, body, HEADERS | headers, encode_chunked="Transfer-Encoding" in headers
        )
        answer = self.connection.getresponse()
        said = answer.read()
        assert answer.status in TAKEN | REFUSED, (answer.status, said)
        if answer.status in TAKEN:
            assert said == b""
        else:
            assert set(json.loads(said)["error"]) == {"code", "message"}
        return answer.status


@pytest.fixture
def sender(stubbed: Service) -> Iterator[Sender]:
    sender = Sender(stubbed)
    yield sender
    sender.connection.close()
    assert stubbed.request("GET", "/healthz", auth=None).status_code == 200


@given(body=st.binary(max_size=300))
@hostile_settings
def test_bytes(sender: Sender, body: bytes) -> None:
    assert sender.send("POST", CALLBACKS, body) == 400


@given(value=values)
@hostile_settings
def test_json(sender: Sender, value: Any) -> None:
    assert sender.send("POST", CALLBACKS, json.dumps(value).encode()) == 400


@given(body=mutated_events())
@settings(hostile_settings, max_examples=200)
def test_real_events_with_anything_in_them(sender: Sender, body: bytes) -> None:
    sender.send("POST", CALLBACKS, body)


@given(body=mutated_events(), size=st.integers(1, 40))
@hostile_settings
def test_in_chunks(sender: Sender, body: bytes, size: int) -> None:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    whole = sender.send("POST", CALLBACKS, body)
    assert sender.send("POST", CALLBACKS, iter(pieces), **{"Transfer-Encoding": "chunked"}) == whole


@given(
    query=st.binary(max_size=200),
    begin=st.sampled_from([b"", b"eventType=answer&callId=c-1&", *QUERIES]),
)
@hostile_settings
def test_queries(sender: Sender, begin: bytes, query: bytes) -> None:
    safe = "&=%+;"
    sender.send("GET", f"{CALLBACKS}?{quote_from_bytes(begin + b'&' + query, safe=safe)}")


@pytest.mark.parametrize(
    "number", ["1" * 4300, "1" * 4301, "-1e999", "1e-999", "1E+400", "0.1", "NaN", "-Infinity"]
)
@pytest.mark.parametrize("key", ["callId", "time", "counter", "from", "x"])
def test_numbers(sender: Sender, number: str, key: str) -> None:
    sender.send(
        "POST",
        CALLBACKS,
        f'{{"eventType": "dtmf", "callId": "c-1", "{key}": {number}, "diversion": {{"{key}": '
        f"{number}}}}}".encode(),
    )


@pytest.mark.parametrize("value", ["1e999", "-1E400", r'"\ud800"', r'"\u0000\u009b31m"', "1.5e3"])
def test_what_was_recorded_can_be_shown(stubbed: Service, value: str) -> None:
    call_id = new_call_id()
    body = json.dumps(event("answer", call_id, PLAIN))[:-1] + f', "x": {value}}}'
    assert Sender(stubbed).send("POST", CALLBACKS, body.encode(), Connection="close") == 200
    shown = {name: stubbed.env[name] for name in ("LEDGER_URL", "ROUTING_RULES")}
    for option in ([], ["--json"]):
        done = run("flask", "calls", "show", call_id, *option, env=shown)
        assert (done.returncode, done.stderr) == (0, "")
    json.loads(done.stdout, parse_constant=pytest.fail)


DEEP = {
    "lists": lambda depth: b"[" * depth + b"]" * depth,
    "objects": lambda depth: b'{"x":' * depth + b"1" + b"}" * depth,
    "open lists": lambda depth: b"[" * depth,
}


@pytest.mark.parametrize("kind", DEEP)
@pytest.mark.parametrize("depth", [31, 32, 33, 1000, 10_000])
def test_depth(sender: Sender, kind: str, depth: int) -> None:
    value = DEEP[kind](depth)
    body = b'{"eventType": "answer", "callId": "c-deep", "x": ' + value + b"}"
    if len(body) <= 65_536:
        deepest_taken = 31
        wanted = 200 if depth <= deepest_taken and not kind.startswith("open") else 400
        assert sender.send("POST", CALLBACKS, body) == wanted


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 65_538, 70_000])
@pytest.mark.parametrize("filling", [b"x", b"[", b"\xff", b"9", b"\\u0000"])
def test_around_64_kib(sender: Sender, size: int, filling: bytes) -> None:
    begin = b'{"eventType": "dtmf", "callId": "c-long", "x": "'
    body = (begin + filling * size)[: size - 2]
    body = body[: body.rindex(filling) + len(filling)]
    body += b'"}' + b" " * (size - len(body) - 2)
    good = 400 if filling == b"\xff" else 200
    assert sender.send("POST", CALLBACKS, body) == (413 if size > 65_536 else good)


# Tokens

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
TRICKS = [
    *("%2f", "%2F..%2f", "..%2f..%2fhealthz", "%00", "%0d%0aX-Injected:%201", "..", ".", "%2e%2e"),
    *("%", "%zz", "%c0%af", "%ff", "%u002e", "%25%32%66", ";x", "x?y", "x#y", "*", "'", "%22"),
    *("a" * 1000, "%61" * 2000, "%F0%9F%93%9E", "'%20OR%201=1--", "legs:*", "{leg}", "%5C..%5C"),
]


def held(service: Service) -> tuple[int, list[Any]]:
    """What the ledger holds: how many calls, and the last ones."""
    ledger = SqliteLedger(str(service.ledger_path))
    try:
        calls = ledger.recent(1_000_000)
        return len(calls), calls[:3]
    finally:
        ledger.close()


def token_of_a_real_leg(sender: Sender) -> str:
    call_id = new_call_id()
    body = json.dumps(event("answer", call_id, PLAIN)).encode()
    assert sender.send("POST", CALLBACKS, body) == 200
    url = sender.service.transfers(call_id)[0].body["callbackUrl"]
    wait_until(lambda: held(sender.service)[1][0].holder is None)  # all is noted
    return str(url.rpartition("/")[2])


def test_tricks_with_a_token_find_no_leg(sender: Sender) -> None:
    real_token = token_of_a_real_leg(sender)
    near = [
        real_token[:-1],
        f"{real_token}x",
        real_token.swapcase(),
        f"{real_token[1:]}{real_token[0]}",
        f"{real_token}%00",
        f"{real_token}%2f",
        f"{real_token}%20",
        f"%20{real_token}",
        f"{real_token}//",
        f"/{real_token}",
        f"{real_token}%0a",
        f"{real_token};x",
        *(
            f"{real_token[:at]}{'A' if real_token[at] != 'A' else 'B'}{real_token[at + 1 :]}"
            for at in range(len(real_token))
        ),
    ]
    before = held(sender.service)
    hangup = json.dumps({"eventType": "hangup", "callId": "c-9"}).encode()
    for token in [*TRICKS, *near]:
        assert sender.send("POST", LEGS + token, hangup) == 404, token
        path = LEGS + token.partition("?")[0].partition("#")[0]
        assert sender.send("GET", f"{path}?eventType=hangup&callId=c-9") == 404, token
    assert held(sender.service) == before
    assert sender.service.transfers("c-9") == []


@given(token=st.one_of(st.text(ALPHABET, min_size=1, max_size=64), st.binary(min_size=1)))
@hostile_settings
def test_forged_tokens(sender: Sender, token: str | bytes) -> None:
    raw = token.encode() if isinstance(token, str) else token
    before = held(sender.service)
    body = json.dumps({"eventType": "answer", "callId": "c-forged"}).encode()
    assert sender.send("POST", LEGS + quote_from_bytes(raw, safe=""), body) == 404
    assert held(sender.service) == before


def memory(service: Service) -> int:
    """KiB that the workers hold."""
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
    total = 0
    for child in children.read_text("ascii").split():
        status = Path(f"/proc/{child}/status").read_text("ascii")
        total += int(status.partition("VmRSS:")[2].split()[0])
    return total


def test_what_is_refused_leaves_nothing_behind(sender: Sender) -> None:
    body = json.dumps({"eventType": "answer", "callId": "c-forged"}).encode()

    def refuse(times: int) -> None:
        for number in range(times):
            assert sender.send("POST", f"{LEGS}{number:032x}", body) == 404
            assert sender.send("POST", CALLBACKS, b'{"eventType": "%d"}' % number) == 400

    refuse(300)
    calls, size = held(sender.service), memory(sender.service)
    refuse(1200)
    assert held(sender.service) == calls
    assert memory(sender.service) < size + 2048
