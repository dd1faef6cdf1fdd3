from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catapult import errors, wire
from catapult.transfer import Audio, InvalidParameterError, Transfer

ORDER = Transfer("+19195550111")
NOW = 1_552_576_168.0


def failure(
    status: int,
    body: Any = b"",
    headers: dict[str, str] | None = None,
    now: float | None = NOW,
) -> errors.CatapultError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(errors.CatapultError) as caught:
        wire.read_response(status, headers or {}, raw, now=now)
    return caught.value


@pytest.mark.parametrize(
    ("request_", "method", "path", "label"),
    [
        (wire.get_call("c-1"), "GET", "/calls/c-1", "GET /calls/{callId}"),
        (wire.get_call_events("c-1"), "GET", "/calls/c-1/events", "GET /calls/{callId}/events"),
        (wire.list_calls(), "GET", "/calls?size=25", "GET /calls"),
        (
            wire.list_calls(to="+19195550100", from_="sip:a@b", size=1000),
            "GET",
            "/calls?to=%2B19195550100&from=sip%3Aa%40b&size=1000",
            "GET /calls",
        ),
        (wire.answer("c-1"), "POST", "/calls/c-1", "POST /calls/{callId} active"),
        (wire.reject("c-1"), "POST", "/calls/c-1", "POST /calls/{callId} rejected"),
        (wire.hang_up("c-1"), "POST", "/calls/c-1", "POST /calls/{callId} completed"),
        (
            wire.transfer("c-1", ORDER.body()),
            "POST",
            "/calls/c-1",
            "POST /calls/{callId} transferring",
        ),
        (wire.stop_audio("c-1"), "POST", "/calls/c-1/audio", "POST /calls/{callId}/audio"),
        (wire.create_bridge(["c-1"]), "POST", "/bridges", "POST /bridges"),
        (wire.get_bridge("brg-1"), "GET", "/bridges/brg-1", "GET /bridges/{bridgeId}"),
        (wire.update_bridge("brg-1", []), "POST", "/bridges/brg-1", "POST /bridges/{bridgeId}"),
        (
            wire.get_call("c/../1?x#%2e é"),
            "GET",
            "/calls/c%2F..%2F1%3Fx%23%252e%20%C3%A9",
            "GET /calls/{callId}",
        ),
    ],
)
def test_requests(request_: wire.Request, method: str, path: str, label: str) -> None:
    assert (request_.method, request_.path, request_.label) == (method, path, label)
    assert (request_.body is None) == (method == "GET")


def test_bodies_that_no_fixture_has() -> None:
    assert wire.stop_audio("c-1", sentence=True).body == {"sentence": ""}
    assert wire.speak("c-1", Audio(sentence="x")).body == {"sentence": "x"}
    assert wire.update_bridge("brg-1", ["c-1", "c-2"], bridge_audio=False).body == {
        "callIds": ["c-1", "c-2"],
        "bridgeAudio": False,
    }


@pytest.mark.parametrize("bad", ["", ".", "..", "c-\n", "c-\0", "\x7f", "\ud800"])
def test_ids_that_would_lead_elsewhere(bad: str) -> None:
    for build in (wire.get_call, wire.hang_up, wire.get_bridge, wire.get_call_events):
        with pytest.raises(InvalidParameterError):
            build(bad)
    with pytest.raises(InvalidParameterError):
        wire.transfer(bad, ORDER.body())


@given(st.text(min_size=1))
def test_an_id_stays_one_segment_of_the_path(call_id: str) -> None:
    try:
        path = wire.get_call(call_id).path
    except InvalidParameterError:
        assert call_id in {".", ".."} or not call_id.isprintable()
    else:
        assert path.isascii()
        assert path.count("/") == 2
        assert not set(path) & set("?#; ")
        assert wire.location_id({"Location": path}) == call_id


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ("from", {"from_": "me"}),
        ("to", {"to": "919"}),
        ("callTimeout", {"call_timeout": 0}),
        ("callTimeout", {"call_timeout": 301}),
        ("callbackUrl", {"callback_url": "no"}),
    ],
)
def test_a_call_that_could_not_be_created(parameter: str, values: dict[str, Any]) -> None:
    good: dict[str, Any] = {"from_": "+19195550100", "to": "+19195550111", "call_timeout": 20}
    with pytest.raises(InvalidParameterError) as caught:
        wire.create_call(**(good | {"callback_url": "https://h/"} | values))
    assert caught.value.parameter == parameter


@pytest.mark.parametrize("size", [0, -1, 1001])
def test_a_page_that_is_none(size: int) -> None:
    with pytest.raises(InvalidParameterError):
        wire.list_calls(size=size)


@pytest.mark.parametrize(
    ("location", "found"),
    [
        ("/v1/users/u-1/calls/c-2", "c-2"),
        ("https://api.example.test/v1/users/u-1/calls/c-2", "c-2"),
        ("https://api.example.test/v1/users/u-1/calls/c-2/?a=b/c#d/e", "c-2"),
        ("c-2", "c-2"),
        ("/calls/c%2D2//", "c-2"),
        ("/", None),
        ("", None),
        ("/calls/..", None),
        ("/calls/%0A", None),
        ("http://[::1", None),
    ],
)
def test_the_id_in_a_location(location: str, found: str | None) -> None:
    assert wire.location_id({"Content-Length": "0", "LOCATION": location}) == found
    assert wire.location_id({}) is None


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_well(status: int) -> None:
    assert wire.read_response(status, {}, b'{"id": "c-1"}') == {"id": "c-1"}
    for body in (b"", b"<html>", b"\xff", b"NaN", b"[" * 99_999):
        assert wire.read_response(status, {}, body) is None


@pytest.mark.parametrize(
    ("status", "category", "code", "kind"),
    [
        (302, "", "", errors.UnknownOutcomeError),
        (400, "", "", errors.RefusedError),
        (401, "", "", errors.AccountError),
        (401, "x", "y", errors.AccountError),
        (402, "payment", "x", errors.AccountError),
        (403, "", "", errors.RefusedError),
        (403, "credit", "x", errors.AccountError),
        (403, "limit", "x", errors.TryAgainError),
        (403, "", "call-rate-limit", errors.TryAgainError),
        (403, "authorization", "user-access-denied", errors.AccountError),
        (404, "", "", errors.RefusedError),
        (409, "", "bridge-update-conflict", errors.TryAgainError),
        (409, "", "call-duplicate-gather-error", errors.RefusedError),
        (429, "", "", errors.TryAgainError),
        (429, "", "too-many-requests", errors.TryAgainError),
        (500, "", "", errors.UnknownOutcomeError),
        (500, "payment", "x", errors.AccountError),
        (502, "", "", errors.UnknownOutcomeError),
        (503, "", "", errors.UnknownOutcomeError),
        (503, "unavailable", "brand-new", errors.UnknownOutcomeError),
        (503, "unavailable", "media-unavailable", errors.UnknownOutcomeError),
        (503, "unavailable", "bridge-create-error", errors.RefusedError),
        (503, "unavailable", "bridge-update-error", errors.RefusedError),
        (503, "unavailable", "speak-error", errors.RefusedError),
        (503, "unavailable", "audio-update-failure", errors.RefusedError),
        (504, "", "", errors.UnknownOutcomeError),
        (599, "", "", errors.UnknownOutcomeError),
    ],
)
def test_statuses_and_codes(
    status: int, category: str, code: str, kind: type[errors.CatapultError]
) -> None:
    assert type(failure(status, {"category": category, "code": code})) is kind


@pytest.mark.parametrize(
    "body", [b"", b"<html>gone</html>", b"\xff", b"[]", b'"x"', b'{"code":[]}']
)
def test_an_error_without_a_body_that_can_be_read(body: bytes) -> None:
    assert type(failure(400, body)) is errors.RefusedError
    assert type(failure(429, body)) is errors.TryAgainError
    assert type(failure(502, body)) is errors.UnknownOutcomeError
    assert str(failure(503, body)) == "503 without a code"


def test_an_error_shows_nothing_that_must_not_be_logged() -> None:
    body = {
        "category": "forbidden +19195550111",
        "code": "call +19195550111\n",
        "message": "Caller id +19195550111",
        "details": [{"name": "callId", "value": "+19195550111"}],
    }
    error = failure(403, body)
    assert "+1919" not in f"{error} {error!r} {error.code} {error.category}"
    assert error.message == "Caller id +19195550111"


@pytest.mark.parametrize(
    ("headers", "body", "wait"),
    [
        ({"X-RateLimit-Reset": "1552576168680"}, b"", 0.68),
        ({"x-ratelimit-reset": " 1552576168680 "}, b"", 0.68),
        ({"X-RateLimit-Reset": "1552576170"}, b"", 2.0),
        ({}, {"details": [None, {"name": "rateLimitResetTime", "value": "1552576169500"}]}, 1.5),
        ({}, {"details": [{"name": "rateLimitResetTime", "value": 1552576169500}]}, 1.5),
        ({}, {"details": "x"}, 1.0),
        ({}, b"", 1.0),
        ({"X-RateLimit-Reset": "soon"}, b"", 1.0),
        ({"X-RateLimit-Reset": "9" * 5000}, b"", 1.0),
        ({"X-RateLimit-Reset": "1552576160000"}, b"", 1.0),  # over already: our clock is ahead
        ({"X-RateLimit-Reset": "1552579999000"}, b"", 1.0),  # in an hour: our clock is behind
    ],
)
def test_how_long_to_wait_after_a_429(headers: dict[str, str], body: Any, wait: float) -> None:
    error = failure(429, body, headers)
    assert isinstance(error, errors.TryAgainError)
    assert error.wait == pytest.approx(wait)


def test_no_wait_is_made_up() -> None:
    for status, code in ((403, "call-rate-limit"), (503, "call-unavailable")):
        error = failure(status, {"code": code})
        assert isinstance(error, errors.TryAgainError)
        assert error.wait is None
    clockless = failure(429, b"", {"X-RateLimit-Reset": "1552576168680"}, now=None)
    assert isinstance(clockless, errors.TryAgainError)
    assert clockless.wait == 1.0


@given(st.integers(300, 599), st.binary(), st.dictionaries(st.text(), st.text()))
def test_any_answer_raises_an_error_of_the_tree(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    assert failure(status, body, headers).status == status


def test_the_drawing_of_the_tree_is_true() -> None:
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.CatapultError)
    ]
    listed = (errors.__doc__ or "").split("\n\n")[2]
    for kind in kinds:
        assert kind.__name__ in listed
    assert issubclass(errors.UnreachableError, errors.TryAgainError)
    assert not issubclass(errors.UnknownOutcomeError, errors.TryAgainError | errors.RefusedError)


@pytest.mark.parametrize(
    ("state", "over", "active"),
    [
        ("started", False, False),
        ("active", False, True),
        ("transferring", False, False),
        ("completed", True, False),
        ("rejected", True, False),
        ("error", True, False),
        ("Completed", True, False),
        ("brand-new", False, False),
        (None, False, False),
        (7, False, False),
    ],
)
def test_states_of_a_call(state: Any, over: bool, active: bool) -> None:
    call = wire.read_call({"id": "c-1", "state": state, "from": "a@b", "to": 5, "new": {}})
    assert (call.is_over, call.is_active) == (over, active)
    assert (call.from_, call.to) == ("sip:a@b", None)
    assert not call.was_answered


def test_the_pure_files_import_no_client() -> None:
    for name in ("errors", "events", "transfer", "values", "wire"):
        text = (Path(wire.__file__).parent / f"{name}.py").read_text("utf-8")
        assert "requests" not in text.partition('"""\n\n')[2].split("\n\n\n")[0]
        assert "urllib3" not in text
        assert "flask" not in text
