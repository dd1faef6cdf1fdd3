from __future__ import annotations

import json
import string
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catapult.events import MAX_DEPTH, MAX_KEYS, BadEventError, Event, parse_post, parse_query
from catapult.values import MOST

ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = """eventType callId from to callState time cause status state tag digits dtmfDigit
applicationId diversion withholdCallerNumber unknown"""
KEYS = st.sampled_from(tuple(NAMES.split()))


def post(**keys: Any) -> Event:
    return parse_post(json.dumps({"eventType": "answer", "callId": "c-1"} | keys).encode())


def bad_post(body: bytes) -> str:
    with pytest.raises(BadEventError) as caught:
        parse_post(body)
    return caught.value.code


def bad_query(query: str | bytes) -> str:
    with pytest.raises(BadEventError) as caught:
        parse_query(query)
    return caught.value.code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b"\xff{}", "not-json"),
        (b'{"callId": "c-1", "eventType": "answer", "x": NaN}', "not-json"),
        (b'{"callId": "c-1", "eventType": "answer", "x": -Infinity}', "not-json"),
        (b'{"x": ' + b"9" * 5000 + b"}", "not-json"),
        (b"[" * 100_000, "not-json"),
        (b"[]", "not-an-object"),
        (b"null", "not-an-object"),
        (b'"answer"', "not-an-object"),
        (b"{}", "missing-eventType"),
        (b'{"eventType": null, "callId": "c-1"}', "missing-eventType"),
        (b'{"eventType": "", "callId": "c-1"}', "missing-eventType"),
        (b'{"eventType": 7, "callId": "c-1"}', "bad-eventType"),
        (b'{"eventType": "answer"}', "missing-callId"),
        (b'{"eventType": "answer", "callId": null}', "missing-callId"),
        (b'{"eventType": "answer", "callId": ""}', "missing-callId"),
        (b'{"eventType": "answer", "callId": 17}', "bad-callId"),
        (b'{"eventType": "answer", "callId": ["c-1"]}', "bad-callId"),
        (b'{"eventType": "answer", "callId": "."}', "bad-callId"),
        (b'{"eventType": "answer", "callId": ".."}', "bad-callId"),
        (b'{"eventType": "answer", "callId": "c 1"}', "bad-callId"),
        (b'{"eventType": "answer", "callId": "c-1\\n"}', "bad-callId"),
        (b'{"eventType": "answer", "callId": "c-\\u00e9"}', "bad-callId"),
        (b'{"eventType": "answer", "callId": "\\ud800"}', "bad-callId"),
        (b'{"eventType": "transcription", "callId": 5}', "bad-callId"),
    ],
)
def test_a_body_that_is_no_event(body: bytes, code: str) -> None:
    assert bad_post(body) == code


def test_the_length_of_a_call_id() -> None:
    assert post(callId="c" * 256).call_id == "c" * 256
    assert bad_post(json.dumps({"eventType": "answer", "callId": "c" * 257}).encode()) == (
        "bad-callId"
    )


def test_errors_hold_nothing_that_came_in() -> None:
    for body in (b'{"eventType": "answer", "callId": "SECRET SECRET"}', b"SECRET", b'["SECRET"]'):
        with pytest.raises(BadEventError) as caught:
            parse_post(body)
        assert "SECRET" not in f"{caught.value!r} {caught.value.code} {caught.value.message}"
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_only_depth_counts_and_not_brackets() -> None:
    nested: Any = "x"
    for _ in range(MAX_DEPTH - 2):
        nested = [nested]
    assert post(more=nested, tag="[{" * 99).tag == "[{" * 99
    assert bad_post(b'{"x":' + b"[" * 500 + b"]" * 500 + b"}") == "too-deep"


def test_the_event_type_is_compared_without_case() -> None:
    assert post(eventType="transferComplete").type == "transfercomplete"
    assert post(eventType="Playback").type == "playback"
    assert post(eventType="brand-new").type == "brand-new"


def test_a_transcription_has_no_call() -> None:
    assert parse_post(b'{"eventType": "transcription"}').call_id == ""
    assert post(eventType="transcription").call_id == "c-1"
    assert bad_post(b'{"eventType": "recording"}') == "missing-callId"


@pytest.mark.parametrize("wrong", [None, 5, 5.5, True, [], ["x"], {}, {"x": 1}, "\ud800"])
def test_an_optional_key_of_a_wrong_type_is_absent(wrong: object) -> None:
    names = "from to callState time cause status state tag digits dtmfDigit applicationId diversion"
    event = post(**dict.fromkeys(names.split(), wrong), withholdCallerNumber=None)
    given = {"time": None, "diversion": None} | {
        name: getattr(event, name)
        for name in ("from_", "to", "call_state", "cause", "status", "tag", "digits")
    }
    assert set(given.values()) == {None}
    assert not event.number_withheld
    assert event.application_id is None
    assert event.body["tag"] == wrong


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2017-06-08T02:43:45Z", datetime(2017, 6, 8, 2, 43, 45, tzinfo=UTC)),
        ("2012-11-14T16:21:59.616Z", datetime(2012, 11, 14, 16, 21, 59, 616000, tzinfo=UTC)),
        ("2014-04-23T11:53:43-03", datetime(2014, 4, 23, 14, 53, 43, tzinfo=UTC)),
        ("2013-07-12T16:26:55.685-02:00", datetime(2013, 7, 12, 18, 26, 55, 685000, tzinfo=UTC)),
        ("2013-07-12T16:26:55 02:00", datetime(2013, 7, 12, 14, 26, 55, tzinfo=UTC)),
        ("2013-07-12T16:26:55", datetime(2013, 7, 12, 16, 26, 55, tzinfo=UTC)),
        (1552576490323, datetime(2019, 3, 14, 15, 14, 50, 323000, tzinfo=UTC)),
        ("1552576490323", datetime(2019, 3, 14, 15, 14, 50, 323000, tzinfo=UTC)),
        ("0001-01-01T00:00:00+05:00", None),
        (10**30, None),
        (-1, None),
        (0, None),
        ("", None),
        ("yesterday", None),
        ("2019-03-14T25:00:00Z", None),
        ("²", None),
        (True, None),
        (None, None),
    ],
)
def test_times_of_every_form(value: object, time: datetime | None) -> None:
    read = post(time=value).time
    assert read == time
    assert read is None or read.tzinfo is UTC


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001  naive is what the strategy takes
    st.integers(-14 * 60, 14 * 60),
)
def test_a_time_in_any_zone_comes_out_in_utc(naive: datetime, minutes: int) -> None:
    time = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert post(time=time.isoformat()).time == time


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("+19195550142", "+19195550142"),
        (" 19195550142", "+19195550142"),
        ("sip:me@example.test", "sip:me@example.test"),
        ("SIP:me@example.test", "sip:me@example.test"),
        ("me@example.test", "sip:me@example.test"),
        (" 1919@example.test", "sip:+1919@example.test"),
        ("sips:me@example.test", "sips:me@example.test"),
        ("anonymous", "anonymous"),
        ("Anonymous", "Anonymous"),
        ("19195550142", "19195550142"),
        ("a@b@c", "a@b@c"),
        ("@", "@"),
    ],
)
def test_addresses(value: str, address: str) -> None:
    event = post(**{"from": value, "to": value, "diversion": {"origTo": value}})
    assert (event.from_, event.to) == (address, address)
    assert event.diversion is not None
    assert event.diversion.orig_to == address


@pytest.mark.parametrize(
    ("value", "withheld"),
    [(True, True), ("true", True), ("True", True), (False, False), ("false", False), (1, False)],
)
def test_a_withheld_number(value: object, withheld: bool) -> None:
    event = post(withholdCallerNumber=value, **{"from": "anonymous"})
    assert event.number_withheld is withheld
    assert event.from_ == "anonymous"


def test_status_and_digits_under_either_name() -> None:
    assert post(status="done", state="PLAYBACK_STOP").status == "done"
    assert post(state="completed").status == "completed"
    assert post(digits="12").digits == "12"
    assert post(digits="").digits == ""
    assert post(dtmfDigit="5").digits == "5"


def diversion_of_query(text: str) -> Any:
    return parse_query(
        urlencode({"eventType": "answer", "callId": "c-1", "diversion": text})
    ).diversion


def test_diversions_that_cannot_be_read_are_absent() -> None:
    for text in ("", "x", "{", "[1]", "null", '{"origTo"', "[" * 99_999, '{"counter":NaN}', "{}"):
        assert diversion_of_query(text) is None, text


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (3, 3),
        ("3", 3),
        (" 3 ", 3),
        (-1, None),
        ("x", None),
        (True, None),
        (1.5, None),
        (None, None),
    ],
)
def test_counters(value: object, count: int | None) -> None:
    for name in ("limit", "Limit"):
        diversion = post(diversion={"counter": value, name: value, "reason": 4}).diversion
        assert diversion is not None
        assert (diversion.counter, diversion.limit, diversion.reason) == (count, count, None)
    huge = post(diversion={"counter": 10**12, "limit": "9" * 400}).diversion
    assert huge is not None
    assert (huge.counter, huge.limit) == (MOST, MOST)  # it is over any limit all the same


def test_queries() -> None:
    event = parse_query("eventType=answer&callId=c-1&callId=c-2&tag=a%20b&x=&callUri=https://h/?a")
    assert (event.call_id, event.tag) == ("c-1", "a b")
    assert event.body["x"] == ""
    assert bad_query("") == "missing-eventType"
    assert bad_query(b"eventType=answer") == "missing-callId"
    assert bad_query("eventType=answer&callId=%FF") == "bad-callId"
    assert bad_query("&".join(f"k{n}=v" for n in range(MAX_KEYS + 1))) == "too-many-keys"
    assert bad_query("callId=\ud800&eventType=answer") == "bad-callId"


def test_a_float_that_no_float_can_hold_stays_text() -> None:
    event = parse_post(b'{"eventType": "answer", "callId": "c-1", "x": 1e999, "time": 1e999}')
    assert event.body["x"] == "1e999"
    assert event.time is None
    json.dumps(event.body, allow_nan=False)


def check_storable(event: Event) -> None:
    json.dumps(event.body, allow_nan=False)
    for value in (event.from_, event.to, event.tag, event.cause, event.status, event.digits):
        assert value is None or value.encode() is not None
    assert event.time is None or event.time.tzinfo is UTC


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_an_event_or_a_bad_event(body: bytes) -> None:
    for parse in (parse_post, parse_query):
        try:
            check_storable(parse(body))
        except BadEventError as error:
            assert error.code  # noqa: PT017  either outcome is right


@given(st.dictionaries(KEYS, ANY_JSON | st.text(string.printable)))
def test_any_object_is_an_event_or_a_bad_event(keys: dict[str, Any]) -> None:
    check_storable(post(**{k: v for k, v in keys.items() if k not in {"eventType", "callId"}}))
    try:
        check_storable(parse_post(json.dumps(keys).encode()))
    except BadEventError as error:
        assert error.code  # noqa: PT017  either outcome is right


@given(st.dictionaries(KEYS, st.text()), st.text())
def test_any_query_is_an_event_or_a_bad_event(keys: dict[str, str], junk: str) -> None:
    head = urlencode({"eventType": "answer", "callId": "c-1"} | keys, errors="replace")
    for query in (f"eventType=answer&callId=c-1&{junk}", f"{head}&{junk}"):
        try:
            check_storable(parse_query(query))
        except BadEventError as error:
            assert error.code  # noqa: PT017  either outcome is right
