"""What is asked of the platform for each action and condition, to the letter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.scenario.rules import ANN, ANSWERING, BOB, PLAIN, PLAIN_BODY
from tests.service import LEGS, PASSWORD, USERNAME, event, new_call_id

if TYPE_CHECKING:
    from tests.service import Service

SIP_LINE = "sip:front@our.example.com"


def stack(to: str, reason: str, **more: Any) -> dict[str, Any]:
    return {
        "state": "transferring",
        "transferTo": to,
        "diversionTreatment": "stack",
        "diversionReason": reason,
        **more,
    }


def diverted(reason: str) -> dict[str, Any]:
    return {
        "diversion": {
            "origTo": "+19195550177",
            "reason": reason,
            "screen": "no",
            "privacy": "off",
            "counter": 1,
            "limit": 5,
        }
    }


CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "otherwise": (PLAIN, {}, PLAIN_BODY),
    "every parameter": (
        "+19195551002",
        {"from": "+13105550199"},
        stack(
            "+19195552010",
            "away",
            transferCallerId="private",
            whisperAudio={
                "sentence": "The Lot|+13105550199|+19195551002|all of it|away",
                "gender": "male",
                "voice": "dave",
                "locale": "en_US",
            },
            recordingEnabled=True,
            recordingFileFormat="mp3",
        ),
    ),
    "caller id called": (
        "+19195551003",
        {},
        stack(ANN, "unconditional", transferCallerId="+19195551003"),
    ),
    "caller id called, a SIP address": (SIP_LINE, {}, stack(ANN, "unconditional")),
    "SIP address called without scheme": (
        "front@our.example.com",
        {},
        stack(ANN, "unconditional"),
    ),
    "SIP address called with a loud host": (
        "SIP:front@OUR.example.com",
        {},
        stack(ANN, "unconditional"),
    ),
    "caller id a number": (
        "+19195551004",
        {},
        stack(ANN, "unconditional", transferCallerId="+19195551004"),
    ),
    "treatment none": (
        "+19195551005",
        {},
        {"state": "transferring", "transferTo": ANN, "diversionTreatment": "none"},
    ),
    "treatment propagate": (
        "+19195551006",
        {},
        {"state": "transferring", "transferTo": ANN, "diversionTreatment": "propagate"},
    ),
    "during": ("+19195551007", {}, stack(ANN, "time-of-day")),
    "outside": ("+19195551008", {}, stack(ANSWERING, "time-of-day")),
    "from a number": (
        "+19195551009",
        {"from": "+14155550123"},
        stack(ANN, "unconditional"),
    ),
    "from a prefix": ("+19195551009", {"from": "+16465550100"}, stack(ANN, "unconditional")),
    "from a SIP host": (
        "+19195551009",
        {"from": "sip:eve@Partner.Example.com"},
        stack("sip:desk@pbx.example.com", "unconditional"),
    ),
    "from a SIP host without scheme": (
        "+19195551009",
        {"from": "eve@partner.example.com"},
        stack("sip:desk@pbx.example.com", "unconditional"),
    ),
    "from nobody": (
        "+19195551009",
        {"from": "anonymous", "withholdCallerNumber": "true"},
        stack(ANSWERING, "deflection"),
    ),
    "from a withheld number": (
        "+19195551009",
        {"from": "+16465550100", "withholdCallerNumber": False},
        stack(ANN, "unconditional"),
    ),
    "notFrom": (
        "+19195551009",
        {"from": "+13105550100"},
        stack("+19195552005", "away", transferCallerId="private"),
    ),
    "neither": ("+19195551009", {"from": "+12125550100"}, stack(BOB, "unconditional")),
    "diverted for a reason": (
        "+19195551010",
        diverted("no-answer"),
        stack(ANSWERING, "unconditional"),
    ),
    "diverted for any": ("+19195551010", diverted("away"), stack(BOB, "unconditional")),
    "diverted for no reason that is told": (
        "+19195551010",
        {"diversion": {"origTo": "+19195550177", "counter": 1}},
        stack(BOB, "unconditional"),
    ),
    "a state in capitals": (
        "+19195551010",
        {"callState": "ACTIVE"},
        stack(ANN, "unconditional"),
    ),
    "not diverted": ("+19195551010", {}, stack(ANN, "unconditional")),
    "presence": ("+19195551011", {}, stack(BOB, "user-busy")),
    "not": ("+19195551012", {}, stack(ANN, "time-of-day")),
    "first of follow-me": ("+19195551013", {}, stack(ANN, "follow-me")),
    "a SIP destination": (
        "+19195551018",
        {},
        stack("sip:desk@pbx.example.com", "unconditional"),
    ),
    "a number on no line": ("+19195559999", {}, stack(ANSWERING, "unavailable")),
    "a called number that is missing": ("", {}, stack(ANSWERING, "unavailable")),
}
# What presence infers for `available`, and a negated schedule, is the rules' own business.
OPEN_REASON = {"presence", "not"}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_one_request_with_this_body(stubbed: Service, name: str, method: str) -> None:
    to, more, body = CASES[name]
    call_id = new_call_id()
    send = stubbed.post if method == "POST" else stubbed.get
    for kind in ("incomingcall", "answer"):
        answer = send(event(kind, call_id, to, **more))
        assert (answer.status_code, answer.content) == (200, b"")
    sent = stubbed.transfer_of(call_id)
    if name in OPEN_REASON:
        sent["diversionReason"] = body["diversionReason"]
    assert sent == body
    assert len(stubbed.api_requests(call_id)) == 1


def test_the_request_itself(stubbed: Service) -> None:
    call_id = new_call_id()
    stubbed.post(event("answer", call_id, PLAIN))
    (sent,) = stubbed.transfers(call_id)
    assert sent.path == f"/v1/users/u-black-box/calls/{call_id}"
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Authorization"].startswith("Basic ")


def test_the_callback_url_of_a_leg(stubbed: Service) -> None:
    tokens = set()
    for _ in range(3):
        call_id = new_call_id()
        stubbed.post(event("answer", call_id, PLAIN))
        (sent,) = stubbed.transfers(call_id)
        url = urlsplit(sent.body["callbackUrl"])
        assert (unquote(url.username or ""), unquote(url.password or "")) == (USERNAME, PASSWORD)
        assert f"http://127.0.0.1:{url.port}" == stubbed.public_url
        assert url.path.startswith(LEGS)
        token = url.path.removeprefix(LEGS)
        assert len(token) >= 22
        assert call_id not in token
        tokens.add(token)
        assert stubbed.post(event("answer", "c-b", ANN), url.path).status_code == 200
    assert len(tokens) == 3


@pytest.mark.parametrize("call_id", ["a/../../b", "c-1?x=1#y", "c%2F1", "..%2f", "%2e%2e", "a;b"])
def test_a_call_id_never_leads_to_another_resource(stubbed: Service, call_id: str) -> None:
    stubbed.post(event("answer", call_id, PLAIN))
    for sent in stubbed.api_requests():
        head, _, tail = sent.path.partition("/calls/")
        assert head == "/v1/users/u-black-box"
        assert "/" not in tail
        assert "?" not in tail
        assert unquote(tail) == call_id
