"""The client against a real server on loopback, which can misbehave in every way a server can."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from catapult.client import Client, Exchange
from catapult.errors import (
    AccountError,
    CatapultError,
    RefusedError,
    TryAgainError,
    UnknownOutcomeError,
    UnreachableError,
)
from catapult.sender import MAX_BODY
from catapult.transfer import Audio, InvalidParameterError, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

ORDER = Transfer("+19195550111")
CALL = json.dumps({"id": "c-1", "state": "active", "from": "+19195550142"}).encode()


@dataclass
class Arrived:
    connection: int
    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)


def answer(
    status: int = 200, body: bytes = b"", headers: str = "", *, length: int | None = None
) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status} X\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body


def say(*args: Any, **kwargs: Any) -> Any:
    return lambda conn, _: conn.sendall(answer(*args, **kwargs))


def hang(conn: socket.socket, _: Arrived) -> None:
    conn.settimeout(10)
    conn.recv(1)  # until the client gives up


def drop(conn: socket.socket, _: Arrived) -> None:
    conn.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError


def trickle(conn: socket.socket, _: Arrived) -> None:
    conn.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 999\r\n\r\n")
    while True:
        conn.sendall(b"x")
        time.sleep(0.02)


def flood(conn: socket.socket, _: Arrived) -> None:
    conn.sendall(b"HTTP/1.1 200 X\r\nContent-Length: 99999999\r\n\r\n")
    while True:
        conn.sendall(b"x" * 65536)


class Platform:
    """A server whose nth request is met by the nth of its acts; the last one stays."""

    def __init__(self, *acts: Any, context: ssl.SSLContext | None = None) -> None:
        self.acts = acts or (say(200, CALL),)
        self.arrived: list[Arrived] = []
        self.connections = 0
        self._context = context
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(5)
        for conn in self._open:
            with suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                conn, _ = self._listener.accept()
                self.connections += 1
                self._open.append(conn)
                thread = threading.Thread(target=self._serve, args=(conn, self.connections))
                self._threads.append(thread)
                thread.start()

    def _serve(self, conn: socket.socket, number: int) -> None:
        with conn, suppress(OSError):
            if self._context is not None:
                conn = self._context.wrap_socket(conn, server_side=True)
            with conn, conn.makefile("rb") as stream:
                while (arrived := self._receive(stream, number)) is not None:
                    with self._lock:
                        self.arrived.append(arrived)
                        act = self.acts[min(len(self.arrived), len(self.acts)) - 1]
                    act(conn, arrived)

    @staticmethod
    def _receive(stream: Any, number: int) -> Arrived | None:
        line = stream.readline().decode("latin-1").strip()
        if not line:
            return None
        headers = {}
        while text := stream.readline().decode("latin-1").strip():
            name, _, value = text.partition(": ")
            headers[name] = value
        body = stream.read(int(headers.get("Content-Length", 0)))
        return Arrived(number, line, headers, body)


@contextmanager
def platform(*acts: Any, **options: Any) -> Iterator[Platform]:
    server = Platform(*acts, **options)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def client(port: int, scheme: str = "http", **options: Any) -> Iterator[Client]:
    options = {"connect_timeout": 2.0, "read_timeout": 2.0} | options
    made = Client(f"{scheme}://127.0.0.1:{port}/v1", "u-1", "t-TOKEN", "s-SECRET", **options)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def met(*acts: Any, **options: Any) -> Iterator[tuple[Platform, Client]]:
    with platform(*acts) as server, client(server.port, **options) as api:
        yield server, api


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)


def test_what_each_method_sends_and_returns() -> None:
    created = say(201, b"", "Location: /v1/users/u-1/calls/c-2\r\n")
    with met(created) as (server, api):
        assert api.transfer("c-1", ORDER) == "c-2"
        assert (
            api.create_call("+19195550100", "sip:a@b", call_timeout=9, callback_url="https://h/")
            == "c-2"
        )
        assert api.create_bridge(["c-1"], False) == "c-2"
        api.update_bridge("brg-1", ["c-1", "c-2"], True)
        api.answer("c-1")
        api.reject("c-1")
        api.hang_up("c-1")
        api.speak("c-1", Audio(sentence="Hello"), loop=True, tag="t")
        api.stop_audio("c-1")
    assert [(arrived.line, arrived.data) for arrived in server.arrived] == [
        ("POST /v1/users/u-1/calls/c-1 HTTP/1.1", ORDER.body()),
        (
            "POST /v1/users/u-1/calls HTTP/1.1",
            {
                "from": "+19195550100",
                "to": "sip:a@b",
                "callTimeout": 9,
                "callbackUrl": "https://h/",
            },
        ),
        ("POST /v1/users/u-1/bridges HTTP/1.1", {"bridgeAudio": False, "callIds": ["c-1"]}),
        (
            "POST /v1/users/u-1/bridges/brg-1 HTTP/1.1",
            {"callIds": ["c-1", "c-2"], "bridgeAudio": True},
        ),
        ("POST /v1/users/u-1/calls/c-1 HTTP/1.1", {"state": "active"}),
        ("POST /v1/users/u-1/calls/c-1 HTTP/1.1", {"state": "rejected"}),
        ("POST /v1/users/u-1/calls/c-1 HTTP/1.1", {"state": "completed"}),
        (
            "POST /v1/users/u-1/calls/c-1/audio HTTP/1.1",
            {"sentence": "Hello", "loopEnabled": True, "tag": "t"},
        ),
        ("POST /v1/users/u-1/calls/c-1/audio HTTP/1.1", {"fileUrl": ""}),
    ]


def test_reading_calls() -> None:
    with met(say(200, CALL), say(200, b"[" + CALL + b"]")) as (server, api):
        assert api.get_call("c/1").from_ == "+19195550142"
        assert [call.id for call in api.list_calls(to="+1919", size=2)] == ["c-1"]
    assert [arrived.line for arrived in server.arrived] == [
        "GET /v1/users/u-1/calls/c%2F1 HTTP/1.1",
        "GET /v1/users/u-1/calls?to=%2B1919&size=2 HTTP/1.1",
    ]


def test_headers_and_credentials() -> None:
    with met() as (server, api):
        api.get_call("c-1")
        api.answer("c-1")
        assert "SECRET" not in repr(api)
        assert "TOKEN" not in repr(api)
    get, post = (arrived.headers for arrived in server.arrived)
    assert base64.b64decode(get["Authorization"].removeprefix("Basic ")) == b"t-TOKEN:s-SECRET"
    assert post["Content-Type"] == "application/json"
    assert "Content-Type" not in get


@pytest.mark.parametrize(
    ("headers", "leg"),
    [
        ("", None),
        ("Location: https://h/v1/users/u-1/calls/c-2/?x\r\n", "c-2"),
        ("Location: /v1/users/u-1/calls/c-1\r\n", None),
    ],
)
def test_the_new_leg_of_a_transfer(headers: str, leg: str | None) -> None:
    with met(say(201, b"", headers)) as (_, api):
        assert api.transfer("c-1", ORDER) == leg


def test_one_connection_serves_many_requests() -> None:
    with met(say(200, CALL), say(201, b"<html>", "Location: /c-2\r\n"), say(200, CALL)) as (
        server,
        api,
    ):
        api.get_call("c-1")
        api.transfer("c-1", ORDER)
        for _ in range(20):
            api.get_call("c-1")
    assert server.connections == 1


def test_no_connection_is_made_before_the_first_request() -> None:
    with met() as (server, api):
        time.sleep(0.05)
        assert server.connections == 0
        api.get_call("c-1")
        assert server.connections == 1


def test_32_threads_share_a_client() -> None:
    seen: list[Exchange] = []

    def echo(conn: socket.socket, arrived: Arrived) -> None:
        call_id = arrived.line.split()[1].rpartition("/")[2]
        conn.sendall(answer(200, json.dumps({"id": call_id, "state": "active"}).encode()))

    with met(echo, observe=seen.append) as (server, api), ThreadPoolExecutor(32) as threads:
        ids = [f"c-{n}" for n in range(640)]
        assert [call.id for call in threads.map(api.get_call, ids)] == ids
    assert len(seen) == 640
    assert server.connections <= 32


def raised(call: Callable[[], object]) -> CatapultError:
    with pytest.raises(CatapultError) as caught:
        call()
    return caught.value


def test_errors_of_the_platform() -> None:
    limited = b'{"category":"too-many-requests","code":"rate-limit-reached","details":[]}'
    reset = f"X-RateLimit-Reset: {int(time.time() * 1000) + 3000}\r\n"
    with met(
        say(429, limited, reset),
        say(401),
        say(404, b"<html>gone</html>"),
        say(502, b"<html>bad gateway</html>"),
        say(302, b"", "Location: http://127.0.0.1:1/\r\n"),
        say(200, b"<html>welcome</html>"),
    ) as (server, api):
        error = raised(lambda: api.transfer("c-1", ORDER))
        assert isinstance(error, TryAgainError)
        assert error.wait is not None
        assert 1 < error.wait <= 3
        assert type(raised(lambda: api.answer("c-1"))) is AccountError
        assert type(raised(lambda: api.answer("c-1"))) is RefusedError
        assert type(raised(lambda: api.get_call("c-1"))) is UnknownOutcomeError
        assert type(raised(lambda: api.answer("c-1"))) is UnknownOutcomeError
        assert type(raised(lambda: api.get_call("c-1"))) is UnknownOutcomeError
    assert len(server.arrived) == 6  # nothing was repeated and no redirect followed


def test_a_read_time_out_is_an_unknown_outcome_and_never_repeated() -> None:
    with met(hang, read_timeout=0.2) as (server, api):
        for call in (lambda: api.transfer("c-1", ORDER), lambda: api.get_call("c-1")):
            assert type(raised(call)) is UnknownOutcomeError
    assert len(server.arrived) == 2


def test_the_budget_of_the_caller_caps_the_time_outs() -> None:
    with met(hang, read_timeout=30) as (server, api):
        started = time.monotonic()
        assert type(raised(lambda: api.hang_up("c-1", timeout=0.2))) is UnknownOutcomeError
        assert time.monotonic() - started < 2
        assert type(raised(lambda: api.hang_up("c-1", timeout=0))) is UnreachableError
        assert type(raised(lambda: api.hang_up("c-1", timeout=-1))) is UnreachableError
    assert len(server.arrived) == 1


def test_a_body_that_trickles_cannot_outlast_the_budget() -> None:
    with met(trickle) as (_, api):
        started = time.monotonic()
        error = raised(lambda: api.get_call("c-1", timeout=0.3))
        assert type(error) is UnknownOutcomeError
        assert time.monotonic() - started < 2


def test_a_body_without_end_is_cut() -> None:
    with met(flood) as (_, api):
        assert str(raised(lambda: api.get_call("c-1"))) == "the answer is too long"


def test_the_largest_body_that_is_read() -> None:
    padded = CALL + b" " * (MAX_BODY - len(CALL))
    with met(say(200, padded), say(200, padded + b" ")) as (_, api):
        assert api.get_call("c-1").id == "c-1"
        assert type(raised(lambda: api.get_call("c-1"))) is UnknownOutcomeError


def test_a_body_cut_short_is_an_unknown_outcome() -> None:
    def cut(conn: socket.socket, arrived: Arrived) -> None:
        say(200, CALL, length=999)(conn, arrived)
        drop(conn, arrived)

    with met(cut) as (_, api):
        assert type(raised(lambda: api.answer("c-1"))) is UnknownOutcomeError


def test_a_kept_connection_that_was_closed_meanwhile_costs_nothing() -> None:
    def last(conn: socket.socket, arrived: Arrived) -> None:
        say(200, CALL)(conn, arrived)
        drop(conn, arrived)

    with met(last, last, say(201, b"", "Location: /c-2\r\n")) as (server, api):
        api.get_call("c-1")
        time.sleep(0.1)
        api.answer("c-1")
        time.sleep(0.1)
        assert api.transfer("c-1", ORDER) == "c-2"
    assert [arrived.connection for arrived in server.arrived] == [1, 2, 3]


def test_a_connection_dropped_under_a_get_is_repeated_once() -> None:
    seen: list[Exchange] = []
    with met(say(200, CALL), drop, say(200, CALL), drop, observe=seen.append) as (server, api):
        assert api.get_call("c-1") == api.get_call("c-1")
        assert type(raised(lambda: api.get_call("c-1"))) is UnknownOutcomeError
    assert len(server.arrived) == 5
    errors = [exchange.error for exchange in seen]
    assert errors == [None, "UnknownOutcomeError", None, *["UnknownOutcomeError"] * 2]


@pytest.mark.parametrize("before", [0, 1])
def test_a_connection_dropped_under_a_post_is_not_repeated(before: int) -> None:
    with met(*[say(200, CALL)] * before, drop, say(201)) as (server, api):
        for _ in range(before):
            api.get_call("c-1")
        assert type(raised(lambda: api.transfer("c-1", ORDER))) is UnknownOutcomeError
    assert len(server.arrived) == before + 1


def test_a_port_nobody_listens_on() -> None:
    with platform() as server:
        port = server.port
    with client(port) as api:
        error = raised(lambda: api.list_calls(to="+19195550111"))
    assert type(error) is UnreachableError
    assert str(error) == "no connection: ConnectionRefusedError"
    assert error.wait is None


def test_a_name_nobody_has() -> None:
    api = Client("http://nobody.invalid/v1", "u-1", "t", "s")
    assert type(raised(lambda: api.get_call("c-1"))) is UnreachableError
    api.close()


def test_a_connect_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:  # once the queue is full, connecting hangs
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        time.sleep(0.05)
        with client(listener.getsockname()[1], connect_timeout=0.2) as api:
            assert type(raised(lambda: api.transfer("c-1", ORDER))) is UnreachableError
        for filler in fillers:
            filler.close()


def chain(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error} {error!r}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize("act", [drop, hang, say(503), flood])
def test_no_error_shows_a_number_or_a_credential(act: Any) -> None:
    seen: list[Exchange] = []
    with met(act, observe=seen.append, read_timeout=0.2) as (server, api):
        errors = [raised(lambda: api.list_calls(to="+19195550111", from_="+19195550142"))]
        server.close()
        errors.append(raised(lambda: api.list_calls(to="+19195550111", from_="+19195550142")))
    text = "\n".join(line for error in errors for line in chain(error)) + repr(seen)
    assert not [word for word in ("9195550", "TOKEN", "SECRET", "Basic") if word in text]


def test_what_is_observed() -> None:
    seen: list[Exchange] = []
    with met(say(201), say(503), drop, observe=seen.append) as (_, api):
        api.transfer("c-1", ORDER)
        raised(lambda: api.hang_up("c-2"))
        raised(lambda: api.speak("c-2", Audio(sentence="Hello")))
    assert [(one.method, one.label, one.status, one.error) for one in seen] == [
        ("POST", "POST /calls/{callId} transferring", 201, None),
        ("POST", "POST /calls/{callId} completed", 503, "UnknownOutcomeError"),
        ("POST", "POST /calls/{callId}/audio", None, "UnknownOutcomeError"),
    ]
    assert all(0 < one.seconds < 2 for one in seen)


@pytest.mark.parametrize(
    ("url", "user"), [("api.example.test/v1", "u-1"), ("", "u-1"), ("http://h/v1", "..")]
)
def test_settings_that_cannot_work_are_refused_at_the_start(url: str, user: str) -> None:
    with pytest.raises(InvalidParameterError):
        Client(url, user, "t", "s")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("tls")
    pem = folder / "both.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", pem, "-out", folder / "cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    pem.write_bytes(pem.read_bytes() + (folder / "cert.pem").read_bytes())
    return pem


@contextmanager
def tls(certificate: Path, *acts: Any) -> Iterator[Platform]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with platform(*acts, context=context) as server:
        yield server


def test_tls_with_a_certificate_from_the_environment(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with tls(certificate, say(200, CALL), say(200, CALL), drop) as server:
        with client(server.port, "https") as api:
            assert api.get_call("c-1") == api.get_call("c-1")
            # An open connection that breaks is no failed handshake: the request was sent.
            assert type(raised(lambda: api.transfer("c-1", ORDER))) is UnknownOutcomeError
        assert server.connections == 1


def test_a_bundle_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with pytest.raises(InvalidParameterError, match="REQUESTS_CA_BUNDLE"):
        Client("https://h/v1", "u-1", "t", "s")


def test_a_proxy_from_the_environment_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with platform() as server:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
        api = Client("http://platform.invalid/v1", "u-1", "t", "s")
        monkeypatch.delenv("http_proxy")
        assert api.get_call("c-1").id == "c-1"
        api.close()
    assert server.arrived[0].line == "GET http://platform.invalid/v1/users/u-1/calls/c-1 HTTP/1.1"
    assert type(raised(lambda: api.transfer("c-1", ORDER))) is UnreachableError


def test_a_certificate_that_nobody_vouches_for(certificate: Path) -> None:
    with tls(certificate) as server, client(server.port, "https") as api:
        error = raised(lambda: api.transfer("c-1", ORDER))
        assert type(error) is UnreachableError
        assert str(error) == "no connection: SSLCertVerificationError"
        assert not server.arrived


def test_a_server_that_does_not_speak_tls() -> None:
    with platform() as server, client(server.port, "https", connect_timeout=0.3) as api:
        assert type(raised(lambda: api.transfer("c-1", ORDER))) is UnreachableError
