"""The edge: who gets in, what is refused and how, and what is told to whom."""

from __future__ import annotations

import base64
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from app import create_app
from callflow.record import new_token
from settings import Settings
from tests.scenario.rules import ANN, PLAIN, RULES
from tests.service import (
    CALLBACKS,
    LEGS,
    PAIRS,
    PASSWORD,
    USERNAME,
    Service,
    event,
    new_call_id,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUTES = [CALLBACKS, f"{LEGS}x", f"{LEGS}{'x' * 300}"]
MARK = "do-not-echo-me"


def is_error(answer: Any, status: int) -> None:
    """One shape for every error, and nothing of the request in it."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    assert all(isinstance(text, str) and text for text in body["error"].values())
    assert MARK not in answer.text
    assert MARK not in str(answer.headers)


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


REFUSED: dict[str, Any] = {
    "nothing": None,
    "empty": "",
    "a scheme alone": "Basic",
    "an empty pair": "Basic ",
    "another scheme": f"Bearer {PAIRS[0]}",
    "digest": 'Digest username="x"',
    "no base64": f"Basic {MARK}!!!",
    "no colon": "Basic " + base64.b64encode(USERNAME.encode()).decode(),
    "another password": basic(USERNAME, "other"),
    "another name": basic("other", PASSWORD),
    "an empty password": basic(USERNAME, ""),
    "nobody": basic("", ""),
    "a longer password": basic(USERNAME, PASSWORD + "x"),
    "the account's pair": f"Basic {PAIRS[1]}",
    "no text": b"Basic \xff\xfe",
    "the pair without a scheme": PAIRS[0],
    "the pair twice": f"Basic {PAIRS[0]} {PAIRS[0]}",
}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("name", REFUSED)
def test_without_the_credentials_nobody_gets_in(stubbed: Service, path: str, name: str) -> None:
    call_id = new_call_id()
    for method in ("POST", "GET"):
        body = json.dumps(event("answer", call_id, PLAIN))
        # One after another from the same address would be too many tries.
        stranger = f"192.0.2.{list(REFUSED).index(name)}"
        headers = {"Content-Type": "application/json", "X-Forwarded-For": stranger}
        if REFUSED[name] is not None:
            headers["Authorization"] = REFUSED[name]
        query = f"{path}?eventType=answer&callId={call_id}"
        answer = stubbed.request(
            method,
            path if method == "POST" else query,
            auth=None,
            data=body if method == "POST" else None,
            headers=headers,
        )
        is_error(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert stubbed.api_requests(call_id) == []


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_scheme_compares_without_case(stubbed: Service, scheme: str) -> None:
    sent = event("dtmf", new_call_id(), PLAIN)
    assert stubbed.post(sent, auth=f"{scheme} {PAIRS[0]}").status_code == 200


def test_credentials_are_asked_for_before_anything_is_read(stubbed: Service) -> None:
    for data in (b"x" * 100_000, b"{", b""):
        is_error(stubbed.request("POST", CALLBACKS, auth=None, data=data), 401)


BAD: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": MARK.encode(),
    "broken JSON": b'{"eventType": "answer", "callId": "do-not-echo-me"',
    "a list": b'["do-not-echo-me"]',
    "a string": b'"do-not-echo-me"',
    "null": b"null",
    "a number": b"7",
    "no UTF-8": b'{"eventType": "answer", "callId": "\xff"}',
    "not a number": b'{"eventType": "answer", "callId": "c", "x": NaN}',
    "no type": b'{"callId": "do-not-echo-me"}',
    "no call": b'{"eventType": "answer", "tag": "do-not-echo-me"}',
    "an empty call": b'{"eventType": "answer", "callId": ""}',
    "a null call": b'{"eventType": "answer", "callId": null}',
    "a call that is a number": b'{"eventType": "answer", "callId": 7}',
    "a call that is a list": b'{"eventType": "answer", "callId": ["do-not-echo-me"]}',
    "a type that is a number": b'{"eventType": 7, "callId": "c"}',
    "a call in two lines": b'{"eventType": "answer", "callId": "do-not-echo-me\\n"}',
    "deep": b'{"eventType": "answer", "callId": "c", "x":' + b"[" * 2000 + b"]" * 2000 + b"}",
    "very deep": b'{"x":' * 9000 + b"1" + b"}" * 9000,
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_event_is_400(stubbed: Service, name: str) -> None:
    headers = {"Content-Type": "application/json"}
    is_error(stubbed.request("POST", CALLBACKS, data=BAD[name], headers=headers), 400)


@pytest.mark.parametrize("query", ["", "?", f"?callId={MARK}", f"?eventType={MARK}", "?x&&==&%ZZ"])
def test_a_query_that_is_no_event_is_400(stubbed: Service, query: str) -> None:
    is_error(stubbed.request("GET", CALLBACKS + query), 400)


def test_a_query_of_many_parameters_is_400(stubbed: Service) -> None:
    query = "&".join(f"p{n}={MARK}" for n in range(300))
    is_error(stubbed.request("GET", f"{CALLBACKS}?eventType=answer&callId=c&{query}"), 400)


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/xml", MARK]
)
def test_another_type_of_body_is_415(stubbed: Service, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    body = json.dumps(event("dtmf", "c", PLAIN)).encode()
    is_error(stubbed.request("POST", CALLBACKS, data=body, headers=headers), 415)


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
    ],
)
def test_json_is_taken(stubbed: Service, kind: str) -> None:
    body = json.dumps(event("dtmf", new_call_id(), PLAIN)).encode()
    answer = stubbed.request("POST", CALLBACKS, data=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.content) == (200, b"")


def padded(size: int) -> bytes:
    body = event("dtmf", new_call_id(), PLAIN)
    short = len(json.dumps(body | {"x": ""}))
    return json.dumps(body | {"x": "x" * (size - short)}).encode()


@pytest.mark.parametrize("path", [CALLBACKS, f"{LEGS}x"])
@pytest.mark.parametrize("chunked", [False, True])
def test_more_than_64_kib_is_413(stubbed: Service, path: str, chunked: bool) -> None:
    headers = {"Content-Type": "application/json"}
    for size, status in ((65_536, 200 if path == CALLBACKS else 404), (65_537, 413)):
        body = padded(size)
        assert len(body) == size
        data = iter([body[:30_000], body[30_000:]]) if chunked else body
        answer = stubbed.request("POST", path, data=data, headers=headers)
        assert answer.status_code == status
        if status != 200:
            is_error(answer, status)


def test_a_body_that_only_claims_to_be_long_is_413(stubbed: Service) -> None:
    head = (
        f"POST {CALLBACKS} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {PAIRS[0]}\r\n"
        "Content-Type: application/json\r\nContent-Length: 99999999\r\n\r\n"
    )
    assert raw(stubbed, head.encode()).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", [CALLBACKS, f"{LEGS}x"])
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_405(stubbed: Service, path: str, method: str) -> None:
    answer = stubbed.request(method, path)
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].replace(" ", "").split(","))
    if method == "HEAD":
        assert answer.content == b""
    else:
        is_error(answer, 405)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_other_methods_of_the_other_routes_are_405(stubbed: Service, path: str) -> None:
    for method in ("POST", "PUT", "DELETE"):
        is_error(stubbed.request(method, path, auth=None), 405)


@pytest.mark.parametrize(
    "path",
    [
        f"/{MARK}",
        "/callbacks",
        f"/callbacks/catapult/{MARK}",
        LEGS,
        f"{LEGS}a/b",
        f"{LEGS}/{MARK}",
        f"//callbacks//{MARK}",
        "/console/",
        "/",
        "/static/x",
        "/%00",
        "/%ff",
        "/callbacks/../etc/passwd",
    ],
)
def test_what_is_not_here_is_404(stubbed: Service, path: str) -> None:
    for method in ("GET", "POST"):
        is_error(stubbed.request(method, path), 404)


@pytest.mark.parametrize("token", ["x", MARK, "%2e%2e", "x" * 300, "ü", "%00", "'; drop--"])
def test_a_leg_that_nobody_made_is_404(stubbed: Service, token: str) -> None:
    is_error(stubbed.post(event("answer", "c-leg", ANN), f"{LEGS}{token}"), 404)
    is_error(stubbed.get(event("hangup", "c-leg", ANN), f"{LEGS}{token}"), 404)


def raw(service: Service, request: bytes, *, last: bool = False) -> bytes:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as sock:
        sock.sendall(request)
        if last:
            sock.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := sock.recv(65_536):
            answer += chunk
            if b"\r\n\r\n" in answer and answer.rpartition(b"\r\n\r\n")[2]:
                break
        return answer


MALFORMED: dict[str, bytes] = {
    "a request line that is none": f"{MARK}\r\n\r\n".encode(),
    "a version that is none": f"GET /{MARK} HTTP/7.7\r\nHost: x\r\n\r\n".encode(),
    "a header that is none": f"GET / HTTP/1.1\r\nHost: x\r\n{MARK}\r\n\r\n".encode(),
    "credentials in a broken header": (
        f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization Basic {PAIRS[0]}\r\n\r\n".encode()
    ),
    "a long request line": f"GET {CALLBACKS}?{'x' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "many headers": b"GET / HTTP/1.1\r\n"
    + b"".join(b"X-%d: 1\r\n" % n for n in range(200))
    + b"\r\n",
    "a number in the request line": f"GET /{MARK}+12125550199 \r\n\r\n".encode(),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_request_gets_an_error_of_the_same_shape(stubbed: Service, name: str) -> None:
    head, _, body = raw(stubbed, MALFORMED[name]).partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert 400 <= status < 500
    assert MARK.encode() not in head + body
    assert b"application/json" in head
    assert set(json.loads(body)["error"]) == {"code", "message"}


@pytest.mark.parametrize(
    "body", [b"ZZ\r\n", b"5\r\nabc", b"-1\r\nabc\r\n"], ids=["no size", "cut off", "negative"]
)
def test_a_broken_chunked_body_is_the_clients_fault(stubbed: Service, body: bytes) -> None:
    head = (
        f"POST {CALLBACKS} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {PAIRS[0]}\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    answer = raw(stubbed, head.encode() + body, last=True)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'{"error"' in answer


def test_a_body_that_ends_early_is_the_clients_fault(stubbed: Service) -> None:
    head = (
        f"POST {CALLBACKS} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {PAIRS[0]}\r\n"
        'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"eventType"'
    )
    assert raw(stubbed, head.encode(), last=True).startswith(b"HTTP/1.1 400 ")


def test_a_connection_is_kept_for_the_next_callback(stubbed: Service) -> None:
    body = json.dumps(event("dtmf", new_call_id(), PLAIN)).encode()
    head = (
        f"POST {CALLBACKS} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {PAIRS[0]}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    with socket.create_connection(("127.0.0.1", stubbed.port), timeout=10) as sock:
        for _ in range(5):
            sock.sendall(head + body)
            answer = sock.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"onnection: close" not in answer


def test_every_callback_route_refuses_without_credentials() -> None:
    """Whatever routes there will be: those below /callbacks ask for credentials."""
    app = create_app(
        Settings(callback_username="u", callback_password="p", ledger_url="sqlite:////dev/null/x")
    )
    public = {"/healthz", "/readyz", "/metrics", "/media/ringing.wav"}
    seen = set()
    for rule in app.url_map.iter_rules():
        path = rule.rule
        if path in public or path == "/" or path.startswith("/console"):
            continue
        assert path.startswith("/callbacks/"), f"{path}: is it open on purpose?"
        seen.add(path)
        values = dict.fromkeys(rule.arguments, "x")
        with app.test_request_context():
            url = app.url_map.bind("localhost").build(rule.endpoint, values)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            answer = app.test_client().open(url, method=method)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert len(seen) >= 2


def test_an_error_of_our_own_says_nothing(tmp_path: Any) -> None:
    app = create_app(Settings(ledger_url=f"sqlite:///{tmp_path}/l", callback_auth=False))

    @app.get("/fails")
    def fails() -> str:
        raise RuntimeError(MARK)

    answer = app.test_client().get("/fails")
    assert answer.status_code == 500
    assert set(answer.json["error"]) == {"code", "message"}
    assert MARK.encode() not in answer.data


# Health, readiness, metrics


def test_healthz(stubbed: Service) -> None:
    answer = stubbed.request("GET", "/healthz", auth=None)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")


def test_readyz_when_all_is_well(stubbed: Service) -> None:
    status, body = stubbed.readiness()
    assert status == 200
    assert body["ready"] is True
    assert body["rules"]["hash"]
    assert body["rules"]["loadedAt"].endswith("Z")
    assert body["rules"]["lastError"] is None
    assert body["ledger"] == {"reachable": True, "lastError": None}


def test_not_ready_without_a_ledger_and_no_call_is_lost_quietly() -> None:
    with Service(
        RULES,
        stub=True,
        ready=False,
        LEDGER_URL="sqlite:////proc/nowhere/ledger.sqlite3",
    ) as service:
        status, body = service.readiness()
        assert status == 503
        assert body["ready"] is False
        assert body["ledger"]["reachable"] is False
        assert "nowhere" in body["ledger"]["lastError"]
        is_error(service.post(event("answer", new_call_id(), PLAIN)), 503)
        is_error(service.post(event("hangup", new_call_id(), PLAIN)), 503)
        is_error(service.post(event("answer", "c-leg", PLAIN), LEGS + new_token("c-1")), 503)
        assert service.api_requests() == []


def test_metrics_count_both_workers(stubbed: Service) -> None:
    def value(name: str) -> float:
        return stubbed.metrics().get(name, 0)

    routed = 'callrouter_routes_total{action="transfer",line="plain"}'
    sent = 'callrouter_api_requests_total{request="POST /calls/{callId} transferring",result="201"}'
    before = value(routed), value(sent)
    with ThreadPoolExecutor(10) as pool:
        events = [event("answer", new_call_id(), PLAIN) for _ in range(40)]
        assert {each.status_code for each in pool.map(stubbed.post, events)} == {200}
    assert (value(routed), value(sent)) == (before[0] + 40, before[1] + 40)
    assert value("callrouter_rules_good") == 1
    assert time.time() - value("callrouter_rules_loaded_timestamp_seconds") < 600


@pytest.mark.parametrize(
    "headers",
    [{"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}, {"x-forwarded-for": ""}],
)
def test_metrics_are_for_this_host_only(stubbed: Service, headers: dict[str, str]) -> None:
    is_error(stubbed.request("GET", "/metrics", auth=None, headers=headers), 403)


@pytest.fixture(scope="module")
def guarded() -> Iterator[Service]:
    """With METRICS_TOKEN, CALLBACK_AUTH=off, one worker, LOG_NUMBERS=full and a reverse proxy."""
    with Service(
        RULES,
        stub=True,
        METRICS_TOKEN="metrics-distinctive",
        CALLBACK_AUTH="off",
        CALLBACK_USERNAME=None,
        CALLBACK_PASSWORD=None,
        LOG_NUMBERS="full",
        WEB_CONCURRENCY="1",
        PUBLIC_URL="https://voice.example.com/router/",
    ) as service:
        yield service
        assert "metrics-distinctive" not in "\n".join(service.out)


@pytest.mark.xdist_group("guarded")
class TestGuarded:
    @pytest.mark.parametrize(
        "given", [None, "Bearer", "Bearer x", "Basic metrics-distinctive", "metrics-distinctive"]
    )
    def test_metrics_with_a_token(self, guarded: Service, given: str | None) -> None:
        answer = guarded.request("GET", "/metrics", auth=given)
        is_error(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")

    def test_the_right_token(self, guarded: Service) -> None:
        headers = {"X-Forwarded-For": "192.0.2.1"}
        answer = guarded.request(
            "GET", "/metrics", auth="Bearer metrics-distinctive", headers=headers
        )
        assert answer.status_code == 200
        assert "callrouter_rules_good 1.0" in answer.text

    def test_callbacks_without_credentials(self, guarded: Service) -> None:
        call_id = new_call_id()
        sent = event("answer", call_id, PLAIN)
        assert guarded.post(sent, auth=None).status_code == 200
        url = guarded.transfers(call_id)[0].body["callbackUrl"]
        assert url.startswith(f"https://voice.example.com/router{LEGS}")

    def test_numbers_in_full(self, guarded: Service) -> None:
        call_id = new_call_id()
        guarded.post(event("answer", call_id, PLAIN), auth=None)
        wait_until(lambda: any(ANN in line for line in list(guarded.out)))
