"""The resources beside the calls themselves, what a wrong request gets, and many calls at once."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.emulator_helpers import ANN, BOB, BUSINESS, CALLER, Lab, code_of, fixture

if TYPE_CHECKING:
    from collections.abc import Iterator

VALIDATION = (400, "validation-error")
MISSING = (400, "missing-property")
BAD_URL = (400, "callback-invalid-url")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(numbers=(BUSINESS,)) as lab:
        lab.emulator.destination(ANN, after=0.02)
        yield lab


# What a wrong request gets


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("calls/A", {"state": "transferring"}, MISSING),
        ("calls/A", {"state": "transferring", "to": ANN}, MISSING),
        ("calls/A", {"state": "transferring", "transferTo": "sips:a@b.example"}, VALIDATION),
        ("calls/A", {"state": "transferring", "transferTo": 19195550111}, VALIDATION),
        ("calls/A", {"state": "transferring", "transferTo": "+0123"}, VALIDATION),
        (
            "calls/A",
            {"state": "transferring", "transferTo": ANN, "diversionTreatment": "x"},
            VALIDATION,
        ),
        (
            "calls/A",
            {"state": "transferring", "transferTo": ANN, "whisperAudio": "x"},
            VALIDATION,
        ),
        (
            "calls/A",
            {"state": "transferring", "transferTo": ANN, "whisperAudio": {"voice": "x"}},
            VALIDATION,
        ),
        ("calls/A", {"state": "transferring", "transferTo": ANN, "callbackUrl": 5}, BAD_URL),
        ("calls/A", {"state": "sleeping"}, VALIDATION),
        ("calls/A", {"recordingFileFormat": "ogg"}, VALIDATION),
        ("calls/A", {"recordingEnabled": "perhaps"}, VALIDATION),
        ("calls/A", {"callbackUrl": "ftp://router.example.test"}, BAD_URL),
        ("calls/A", {"tag": "x" * 2001}, VALIDATION),
        ("calls/A", [], VALIDATION),
        ("calls/A/audio", {}, MISSING),
        ("calls/A/audio", {"sentence": "x" * 1001}, VALIDATION),
        ("calls/A/audio", {"sentence": "x", "volume": 5}, VALIDATION),
        ("calls/A/audio", {"sentence": "x", "locale": "xx"}, VALIDATION),
        ("calls/A/audio", {"fileUrl": {"sentence": "x"}}, VALIDATION),
        ("calls/A/gather", {"maxDigits": 31}, VALIDATION),
        ("calls/A/gather", {"interDigitTimeout": 31}, VALIDATION),
        ("calls", {"from": BUSINESS}, MISSING),
        ("calls", {"from": BUSINESS, "to": ANN, "callTimeout": "301"}, VALIDATION),
        ("calls", {"from": BUSINESS, "to": ANN, "callbackTimeout": 0}, VALIDATION),
        ("calls", {"from": BUSINESS, "to": ANN, "callbackTimeout": 10001}, VALIDATION),
        ("calls", {"from": BUSINESS, "to": ANN, "callbackHttpMethod": "PUT"}, VALIDATION),
        ("calls", {"from": BUSINESS, "to": ANN, "fallbackUrl": "x"}, BAD_URL),
        ("calls", {"from": BUSINESS, "to": ANN, "sipHeaders": {"Route": "x"}}, VALIDATION),
        (
            "calls",
            {"from": BUSINESS, "to": ANN, "sipHeaders": {f"X-{n}": "" for n in range(6)}},
            VALIDATION,
        ),
        ("calls", {"from": BUSINESS, "to": ANN, "bridgeId": "brg-x"}, (404, "bridge-not-found")),
        ("bridges", {"callIds": "A"}, VALIDATION),
        ("applications", {"incomingCallUrl": "https://a.example"}, MISSING),
        ("applications", {"name": "x"}, MISSING),
        ("applications", {"name": "x", "incomingCallUrl": "x"}, BAD_URL),
        (
            "applications",
            {
                "name": "x",
                "incomingCallUrl": "https://a.example",
                "incomingCallUrlCallbackTimeout": 0,
            },
            VALIDATION,
        ),
        (
            "applications",
            {
                "name": "x",
                "incomingMessageUrl": "https://a.example",
                "incomingCallFallbackUrl": "https://b.example",
            },
            VALIDATION,
        ),
        (
            "applications",
            {"name": "x", "incomingCallUrl": "https://a.example", "incomingCallFallbackUrl": ""},
            BAD_URL,
        ),
        ("phoneNumbers", {}, MISSING),
        ("phoneNumbers", {"number": "12"}, VALIDATION),
        ("phoneNumbers", {"number": BUSINESS}, VALIDATION),
        ("phoneNumbers/%2B19195550100", {"fallbackNumber": "12"}, VALIDATION),
        (
            "phoneNumbers/%2B19195550100",
            {"applicationId": "a-x"},
            (404, "application-not-found"),
        ),
        ("calls/c-x", {}, (404, "call-not-found")),
        ("calls/A/nonsense", {}, (404, "resource-not-found")),
    ],
    ids=str,
)
def test_refusal(lab: Lab, path: str, body: Any, expected: tuple[int, str]) -> None:
    call = lab.dial() if "/A" in path else ""
    response = lab.api("POST", path.replace("/A", f"/{call}"), body)
    assert code_of(response) == expected
    assert lab.get("errors")[0]["code"] == expected[1]
    if call:
        assert lab.state(call) == "active"


def test_a_body_nested_too_deeply(lab: Lab) -> None:
    headers = {"Content-Type": "application/json"}
    response = lab.api("POST", f"calls/{lab.dial()}", data="[" * 100_000, headers=headers)
    assert code_of(response) == VALIDATION


def test_a_body_of_unknown_length(lab: Lab) -> None:
    assert lab.api("POST", "bridges", data=iter([b"{}"])).status_code == 411


def test_wrong_content_type(lab: Lab) -> None:
    headers = {"Content-Type": "text/plain"}
    response = lab.api("POST", f"calls/{lab.dial()}", data='{"tag": "x"}', headers=headers)
    assert code_of(response) == VALIDATION


@pytest.mark.parametrize("header", [None, "Bearer x", "Basic ???", "Basic eA=="])
def test_wrong_credentials(lab: Lab, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    response = requests.get(f"{lab.base}/calls", headers=headers, timeout=5)
    assert code_of(response) == (401, "authentication-failed")
    assert response.headers["WWW-Authenticate"].startswith("Basic")


def test_quirks_that_are_accepted(lab: Lab) -> None:
    a = lab.dial()
    nulls = fixture("request-call-update-nulls.json") | {"state": None, "unknown": 1}
    assert lab.api("POST", f"calls/{a}/", nulls).status_code == 200
    assert lab.get(f"calls/{a}/")["state"] == "active"
    speech = {"sentence": "Hola", "voice": "Violeta", "gender": "Male", "locale": "ES_mx"}
    assert lab.post(f"calls/{a}/audio/", speech | {"volume": "-4", "loopEnabled": "false"}) == ""


@pytest.mark.parametrize(
    "name",
    ["request-transfer-full.json", "request-transfer-sip.json"],
)
def test_documented_transfer_bodies(lab: Lab, name: str) -> None:
    b = lab.post(f"calls/{lab.dial()}", fixture(name))
    assert lab.leg(b)["to"] == fixture(name)["transferTo"]


def test_call_creation_body(lab: Lab) -> None:
    body = fixture("request-call-create.json")
    shown = lab.get(f"calls/{lab.post('calls', body)}")
    for key in set(body) - {"callbackHttpMethod", "tag"}:
        assert shown[key] == body[key]
    assert shown["callbackHttpMethod"] == "post"


# Lists


def test_paging(lab: Lab) -> None:
    bridges = [lab.post("bridges") for _ in range(5)]
    seen, path = [], "bridges?size=2"
    relations = []
    while path:
        response = lab.api("GET", path)
        seen += [row["id"] for row in response.json()]
        relations.append(sorted(response.links))
        path = response.links.get("next", {}).get("url", "").partition("/u-emulator/")[2]
    assert seen == bridges[::-1]
    assert relations == [["first", "next"], ["first", "next", "previous"], ["first", "previous"]]


@pytest.mark.parametrize("query", ["size=0", "size=1001", "page=-1", "page=x"])
def test_paging_out_of_range(lab: Lab, query: str) -> None:
    assert code_of(lab.api("GET", f"calls?{query}")) == VALIDATION


def test_call_list_filters(lab: Lab) -> None:
    first = lab.dial()
    second = lab.dial(BOB)
    bridge = lab.post("bridges", {"callIds": [second]})
    ids = {
        query: [row["id"] for row in lab.get(f"calls?{query}")]
        for query in (
            "",
            "sortOrder=asc",
            f"to={BOB.replace('+', '%2B')}",
            f"from={CALLER.replace('+', '%2B')}",
            "from=x",
            f"bridgeId={bridge}",
            "fromDateTime=2999-01-01T00:00:00Z",
            "toDateTime=2999-01-01T00:00:00Z&size=1",
        )
    }
    everything = [second, first]
    assert list(ids.values()) == [
        everything,
        everything[::-1],
        [second],
        everything,
        [],
        [second],
        [],
        [second],
    ]
    assert "Link" not in lab.api("GET", f"calls?bridgeId={bridge}").headers


# Applications and numbers


def test_application_from_creation_to_deletion(lab: Lab) -> None:
    app = lab.post("applications", fixture("request-application-create.json"))
    lab.post(f"applications/{app}", {"autoAnswer": "false"})
    shown = lab.get(f"applications/{app}")
    assert (shown["autoAnswer"], shown["name"]) == (False, "call-router")
    lab.post("phoneNumbers/%2B19195550100", {"applicationId": app})
    assert lab.api("DELETE", f"applications/{app}").status_code == 200
    assert code_of(lab.api("GET", f"applications/{app}")) == (404, "application-not-found")
    assert "applicationId" not in lab.get("phoneNumbers/%2B19195550100")


def test_calls_follow_the_number_to_its_application(lab: Lab) -> None:
    other = {"name": "other", "incomingCallUrl": f"{lab.ear.url}/other", "autoAnswer": False}
    app = lab.post("applications", other)
    number = lab.get("phoneNumbers/%2B19195550100")
    lab.post(f"phoneNumbers/{number['id']}", {"applicationId": app})
    call = lab.emulator.dial(CALLER, BUSINESS)
    heard = lab.hear("incomingcall", call)
    assert (heard.path, heard.event["applicationId"]) == ("/other", app)
    assert lab.state(call) == "started"


def test_detached_number_takes_no_calls(lab: Lab) -> None:
    lab.post("phoneNumbers/%2B19195550100", {"applicationId": ""})
    refused = lab.control("POST", "calls", {"from": CALLER, "to": BUSINESS})
    assert refused.status_code == 400
    assert lab.get("errors")[0]["code"] == "no-application-for-number"


# The server


def test_connections_are_kept_and_quick(lab: Lab) -> None:
    place = urlsplit(lab.base)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=5)
    headers = {"Authorization": requests.auth._basic_auth_str("t-emulator", "s-emulator")}  # noqa: SLF001 - its only home
    began = time.monotonic()
    ports = set()
    for _ in range(50):
        connection.request("POST", f"{place.path}/bridges", b"{}", headers | JSON)
        response = connection.getresponse()
        assert (response.status, response.read()) == (201, b"")
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert len(ports) == 1
    assert time.monotonic() - began < 50 * 0.04  # a delayed acknowledgement alone takes 40 ms


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods(lab: Lab, method: str) -> None:
    assert code_of(lab.api(method, "calls")) == (404, "resource-not-found")


def test_two_hundred_calls_at_once(lab: Lab) -> None:
    """Each is dialled, transferred, joined and ended; every event arrives once and in order."""
    count = 200
    lab.emulator.destination(ANN, after=0.3, talk=1.0)
    body = {"state": "transferring", "transferTo": ANN, "callbackUrl": f"{lab.ear.url}/b"}
    auth = (lab.emulator.settings.token, lab.emulator.settings.secret)

    def one(number: int) -> tuple[str, str]:
        a = lab.emulator.dial(CALLER, f"+1919556{number:04}")
        with requests.post(f"{lab.base}/calls/{a}", json=body, auth=auth, timeout=30) as answer:
            assert answer.status_code == 201
            return a, answer.headers["Location"].rpartition("/")[2]

    began = time.monotonic()
    with ThreadPoolExecutor(50) as pool:
        pairs = list(pool.map(one, range(count)))
    lab.until(lambda: len(lab.ear.heard) >= 5 * count, 30)
    assert time.monotonic() - began < 20
    stories: dict[str, list[str]] = {}
    for heard in lab.ear.heard:
        stories.setdefault(heard.event["callId"], []).append(heard.event["eventType"])
    for a, b in pairs:
        assert stories[a] == ["incomingcall", "answer", "hangup"]
        assert stories[b] == ["answer", "hangup"]
    assert lab.emulator.problems() == []
    assert {leg["state"] for leg in lab.emulator.calls()} == {"completed"}
    assert json.loads(lab.control("GET", "problems").text) == []
