"""Callbacks of the Catapult v1 voice API: bytes or a query string in, a typed event out.

Pure. The platform posts JSON, or calls with the same keys in the query ("Catapult: Callbacks",
"Catapult: BXML Callbacks"). What an event needs is checked, what it may have is read leniently,
and what came in is kept in `Event.body` for the record, cut where it is longer than any event of
the platform.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from catapult.values import (
    read_address,
    read_count,
    read_flag,
    read_json,
    read_text,
    read_time,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MAX_DEPTH = 32
"""Levels of nesting in an event; the documented events have two."""
MAX_KEYS = 200
"""Keys in a query; the documented events have fewer than twenty."""

MAX_TEXT = 500
"""Characters of a value that are kept: of a longer one its beginning and its end."""
MAX_KEPT = 2048
"""Bytes of an event that are kept; the documented ones have fewer than a thousand."""

_LONG_NUMBER = 128
"""Bits of an integer beyond which it is kept as a text."""
_FIRST = (
    "eventType",
    "callId",
    "from",
    "to",
    "callState",
    "time",
    "cause",
    "status",
    "state",
    "tag",
)
"""Keys that are kept before others."""
_TOKEN = re.compile(r"[!-~]{1,256}")
_DIVERSION_KEYS = frozenset({"origto", "reason", "screen", "privacy", "counter", "limit"})


class BadEventError(ValueError):
    """A callback that is not an event.

    `code` is one of not-json, not-an-object, too-deep, too-many-keys, missing-eventType,
    bad-eventType, missing-callId, bad-callId; `message` says it in words. Neither holds anything
    that came in.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Diversion:
    """The Diversion header of an incoming call ("Catapult: SIP Diversion Header").

    `orig_to` is the number the call was diverted from last, or `Anonymous`. A `counter` that has
    reached `limit` speaks of a forwarding loop. `extra` has the pairs under any other name. Of
    several headers the first one is the last diversion; their counters add up (RFC 5806).
    """

    orig_to: str | None
    reason: str | None
    screen: str | None
    privacy: str | None
    counter: int | None
    limit: int | None
    extra: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Event:
    """One callback. A key that is missing, null or of a wrong type is None.

    `type` is in lower case. `call_id` is opaque; only a `transcription` has none, it is "" there.
    `from_` and `to` are as `catapult.values.read_address` gives them; a withheld number stays what
    the platform wrote. `time` is in UTC and too coarse to order events by. `cause` is the raw
    hangup cause. `status` is that of a playback, a speech, a recording or a gathering, `digits`
    what was dialled. `body` is the callback as it came, `raw` the same as JSON text in UTF-8; both
    are cut down to `MAX_TEXT` and `MAX_KEPT`.
    """

    type: str
    call_id: str
    from_: str | None
    to: str | None
    call_state: str | None
    time: datetime | None
    cause: str | None
    status: str | None
    tag: str | None
    digits: str | None
    application_id: str | None
    diversion: Diversion | None
    number_withheld: bool
    body: Mapping[str, Any]
    raw: bytes


def parse_post(body: bytes) -> Event:
    """Read the body of a callback that was posted as JSON; raises BadEventError."""
    try:
        data = read_json(body.decode())
    except ValueError:
        raise BadEventError("not-json", "the body is not JSON in UTF-8") from None
    if not isinstance(data, dict):
        raise BadEventError("not-an-object", "the body is not a JSON object")
    # Whoever keeps the event must be able to write it again; counting is cheap, walking is not.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _is_deep(data):
        raise BadEventError("too-deep", f"the body is nested more than {MAX_DEPTH} levels deep")
    return _event(data, body)


def parse_query(query: str | bytes) -> Event:
    """Read a callback that came as a GET, from its query string; raises BadEventError.

    Of a key that is repeated, the first one counts.
    """
    raw = query.encode(errors="surrogatepass") if isinstance(query, str) else query
    try:
        pairs = parse_qsl(
            raw.decode(errors="replace"), keep_blank_values=True, max_num_fields=MAX_KEYS
        )
    except ValueError:
        raise BadEventError(
            "too-many-keys", f"the query has more than {MAX_KEYS} parameters"
        ) from None
    body: dict[str, Any] = {}
    for key, value in pairs:
        body.setdefault(key, value)
    return _event(body, json.dumps(body).encode())


def _is_deep(data: object) -> bool:
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [child for value in level for child in _children(value)]
    return bool(level)


def _children(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _event(body: dict[str, Any], raw: bytes) -> Event:
    if len(raw) > MAX_KEPT or (len(raw) > MAX_TEXT and _has_long(body)):
        body = {_cut(key): _cut_down(value) for key, value in body.items()}
        return replace(_read(body, b""), **_kept(body))
    return _read(body, raw)


def _has_long(value: object) -> bool:
    if isinstance(value, str):
        return len(value) > MAX_TEXT
    if isinstance(value, dict):
        return any(len(key) > MAX_TEXT or _has_long(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_has_long, value))


def _cut(text: str) -> str:
    """Return a text with its middle left out if it is too long: the host of a SIP URI stays."""
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2
    return f"{text[:half]}…{text[1 - half :]}"


def _cut_down(value: Any) -> Any:
    """Return a value with every text in it cut."""
    if isinstance(value, dict):
        return {_cut(key): _cut_down(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut_down(item) for item in value]
    if isinstance(value, int) and value.bit_length() > _LONG_NUMBER:
        return _cut(str(value))
    return _cut(value) if isinstance(value, str) else value


def _kept(body: dict[str, Any]) -> dict[str, Any]:
    """Return `body` and `raw` with what there is room for, the keys that tell most first."""
    kept: dict[str, Any] = {}
    left = MAX_KEPT - 2
    for key in dict.fromkeys((*_FIRST, *body)):
        if key in body:
            size = len(json.dumps({key: body[key]}))
            if size <= left:
                kept[key] = body[key]
                left -= size
    return {"body": kept, "raw": json.dumps(kept).encode()}


def _read(body: dict[str, Any], raw: bytes) -> Event:
    kind = _token(body, "eventType").lower()
    # "Catapult: Transcription event" has no callId, alone among all.
    without_call = kind == "transcription" and body.get("callId") is None
    get = body.get
    return Event(
        type=kind,
        call_id="" if without_call else _token(body, "callId"),
        from_=read_address(get("from")),
        to=read_address(get("to")),
        call_state=read_text(get("callState")),
        time=read_time(get("time")),
        cause=read_text(get("cause")),
        # The recording page tells the status under both names, its samples under one.
        status=read_text(get("status")) or read_text(get("state")),
        tag=read_text(get("tag")),
        digits=_digits(body),
        application_id=read_text(get("applicationId")),
        diversion=_diversion(get("diversion")),
        number_withheld=read_flag(get("withholdCallerNumber")),
        body=body,
        raw=raw,
    )


def _token(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key)
    if value is None or value == "":
        raise BadEventError(f"missing-{key}", f"the event has no {key}")
    if isinstance(value, str) and _TOKEN.fullmatch(value) and value not in {".", ".."}:
        return value
    raise BadEventError(f"bad-{key}", f"the event's {key} is not a short printable text")


def _digits(body: Mapping[str, Any]) -> str | None:
    """Digits of a gathering, "" when there were none, or the digit of a `dtmf` event."""
    if body.get("digits") == "":
        return ""
    return read_text(body.get("digits")) or read_text(body.get("dtmfDigit"))


def _diversion(value: object) -> Diversion | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = _diversion_json(value)
    every = [
        each
        for each in (value if isinstance(value, list) else [value])
        if isinstance(each, dict) and each
    ]
    if not every:
        return None
    extra = ((key, read_text(item)) for key, item in every[0].items())
    # `Limit` is spelled so in a sample
    every = [{key.lower(): item for key, item in each.items()} for each in every]
    known = every[0]
    return Diversion(
        orig_to=read_address(known.get("origto")),
        reason=read_text(known.get("reason")),
        screen=read_text(known.get("screen")),
        privacy=read_text(known.get("privacy")),
        counter=_counter(every),
        limit=min(_counts(every, "limit"), default=None),
        extra={
            key: text
            for key, text in extra
            if text is not None and key.lower() not in _DIVERSION_KEYS
        },
    )


def _counter(headers: list[dict[str, Any]]) -> int | None:
    counters = _counts(headers, "counter")
    if len(headers) == 1:
        return counters[0] if counters else None
    return sum(counters) + len(headers) - len(counters)  # a header without one stands for itself


def _counts(headers: list[dict[str, Any]], name: str) -> list[int]:
    counts = (read_count(each.get(name)) for each in headers)
    return [count for count in counts if count is not None]


def _diversion_json(text: str) -> object:
    """Read JSON text that may lack its last brace, as "Catapult: BXML Incoming Call" prints it."""
    for attempt in (text, f"{text}}}"):
        try:
            return read_json(attempt)
        except ValueError:
            continue
    return None
