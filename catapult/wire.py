"""The HTTP of the Catapult v1 voice API: build a request, read a response.

Pure: nothing here opens a socket or reads a clock. Paths are relative to the account's root,
`/users/{userId}`. What an answer means for the call is decided in `catapult.errors`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from catapult.errors import TryAgainError, UnknownOutcomeError, error_class
from catapult.transfer import (
    Audio,
    InvalidParameterError,
    check_destination,
    check_url,
)
from catapult.values import read_address, read_json, read_text, read_time

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

MAX_CALL_TIMEOUT = 300
"""Seconds that a created call may ring ("Catapult: Create call")."""
MAX_PAGE = 1000
"""Rows of one page of a list ("Catapult: List calls")."""
DEFAULT_WAIT = 1.0
"""Seconds to wait after a 429 that does not tell; the limit is one request a second by default."""
LONGEST_WAIT = 60.0
"""A reset further away than this many seconds is a clock that disagrees with ours."""

_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `label` names it without ids, for logs and metrics."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    label: str = ""


def get_call(call_id: str) -> Request:
    """Read one call ("Catapult: Get call")."""
    return _get(f"/calls/{path_id(call_id)}", "/calls/{callId}")


def list_calls(*, to: str | None = None, from_: str | None = None, size: int = 25) -> Request:
    """Read the newest calls, at most `size` of 1 to 1000 ("Catapult: List calls")."""
    if not 1 <= size <= MAX_PAGE:
        raise InvalidParameterError("size", f"is {size}; allowed are 1 to {MAX_PAGE}")
    query = _without_none({"to": to, "from": from_, "size": size})
    return _get(f"/calls?{urlencode(query)}", "/calls")


def get_call_events(call_id: str) -> Request:
    """Read the event log of a call ("Catapult: List call events")."""
    return _get(f"/calls/{path_id(call_id)}/events", "/calls/{callId}/events")


def answer(call_id: str) -> Request:
    """Answer an incoming call ("Catapult: Update call")."""
    return _update_call(call_id, {"state": "active"})


def reject(call_id: str) -> Request:
    """Reject an incoming call that was not answered ("Catapult: Update call")."""
    return _update_call(call_id, {"state": "rejected"})


def hang_up(call_id: str) -> Request:
    """Hang up a call in any state but a final one ("Catapult: Update call")."""
    return _update_call(call_id, {"state": "completed"})


def transfer(call_id: str, body: Mapping[str, Any]) -> Request:
    """Transfer an active call ("Catapult: Transfer active call"); see `Transfer.body`."""
    return _update_call(call_id, body)


def speak(call_id: str, audio: Audio, *, loop: bool = False, tag: str | None = None) -> Request:
    """Speak a sentence or play a file to a call ("Catapult: Play audio on call")."""
    more = _without_none({"loopEnabled": loop or None, "tag": tag})
    return _audio(call_id, audio.body() | more)


def stop_audio(call_id: str, *, sentence: bool = False) -> Request:
    """Stop the file that plays, or the `sentence` being spoken ("Catapult: Play audio on call")."""
    return _audio(call_id, {"sentence" if sentence else "fileUrl": ""})


def create_call(  # noqa: PLR0913  the parameters of the page, each with its name
    from_: str,
    to: str,
    *,
    call_timeout: int,
    callback_url: str,
    bridge_id: str | None = None,
    tag: str | None = None,
    recording_enabled: bool | None = None,
    recording_file_format: str | None = None,
) -> Request:
    """Call a destination and let it ring `call_timeout` seconds ("Catapult: Create call").

    Raises InvalidParameterError for a value that the platform would refuse.
    """
    if not 1 <= call_timeout <= MAX_CALL_TIMEOUT:
        problem = f"is {call_timeout}; allowed are 1 to {MAX_CALL_TIMEOUT}"
        raise InvalidParameterError("callTimeout", problem)
    body = {
        "from": check_destination("from", from_),
        "to": check_destination("to", to),
        "callTimeout": call_timeout,
        "callbackUrl": check_url("callbackUrl", callback_url),
        "bridgeId": bridge_id,
        "tag": tag,
        "recordingEnabled": recording_enabled,
        "recordingFileFormat": recording_file_format,
    }
    return _post("/calls", "/calls", _without_none(body))


def create_bridge(call_ids: Sequence[str], *, bridge_audio: bool = True) -> Request:
    """Create a bridge with up to two calls ("Catapult: Create bridge")."""
    body = {"bridgeAudio": bridge_audio, "callIds": list(call_ids)}
    return _post("/bridges", "/bridges", body)


def update_bridge(
    bridge_id: str, call_ids: Sequence[str], *, bridge_audio: bool | None = None
) -> Request:
    """Replace a bridge's calls; none at all completes it ("Catapult: Update bridge")."""
    body = _without_none({"callIds": list(call_ids), "bridgeAudio": bridge_audio})
    return _post(f"/bridges/{path_id(bridge_id, 'bridgeId')}", "/bridges/{bridgeId}", body)


def get_bridge(bridge_id: str) -> Request:
    """Read one bridge ("Catapult: Get bridge")."""
    return _get(f"/bridges/{path_id(bridge_id, 'bridgeId')}", "/bridges/{bridgeId}")


def list_numbers(page: int) -> Request:
    """Read one page of the account's phone numbers ("Catapult: List phone numbers")."""
    query = urlencode({"page": page, "size": MAX_PAGE})
    return _get(f"/phoneNumbers?{query}", "/phoneNumbers")


def path_id(value: str, parameter: str = "callId") -> str:
    """Return an id as a path segment. Ids are opaque, but cannot change which path is meant.

    Raises InvalidParameterError if it is empty, `.`, `..` or not printable.
    """
    if not value or value in {".", ".."} or not value.isprintable():
        raise InvalidParameterError(parameter, "is not an id")
    return quote(value, safe="")


def _get(path: str, template: str) -> Request:
    return Request("GET", path, None, f"GET {template}")


def _post(path: str, template: str, body: Mapping[str, Any]) -> Request:
    return Request("POST", path, body, f"POST {template}")


def _update_call(call_id: str, body: Mapping[str, Any]) -> Request:
    return _post(f"/calls/{path_id(call_id)}", f"/calls/{{callId}} {body['state']}", body)


def _audio(call_id: str, body: Mapping[str, Any]) -> Request:
    return _post(f"/calls/{path_id(call_id)}/audio", "/calls/{callId}/audio", body)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class CallResource:
    """A call as the platform sees it ("Catapult: Get call"); times are in UTC.

    `state` is one of started, rejected, active, transferring, completed, error; "" and values
    that nobody documented are possible. `direction` is `in` or `out`.
    """

    id: str
    state: str
    direction: str | None = None
    from_: str | None = None
    to: str | None = None
    start_time: datetime | None = None
    active_time: datetime | None = None
    end_time: datetime | None = None
    callback_url: str | None = None
    bridge_id: str | None = None

    @property
    def is_over(self) -> bool:
        """Whether the call has ended; `error` was only ever seen on an ended call."""
        return self.state in {"completed", "rejected", "error"}

    @property
    def is_active(self) -> bool:
        """Whether the call is answered and free to be transferred."""
        return self.state == "active"

    @property
    def was_answered(self) -> bool:
        """Whether the call was answered at any time."""
        return self.active_time is not None


def read_call(data: object) -> CallResource:
    """Read a call resource; raises UnknownOutcomeError if it is none."""
    if not isinstance(data, Mapping) or read_text(data.get("id")) is None:
        raise UnknownOutcomeError("the answer is not a call")
    return CallResource(
        id=data["id"],
        state=(read_text(data.get("state")) or "").lower(),
        direction=read_text(data.get("direction")),
        from_=read_address(data.get("from")),
        to=read_address(data.get("to")),
        start_time=read_time(data.get("startTime")),
        active_time=read_time(data.get("activeTime")),
        end_time=read_time(data.get("endTime")),
        callback_url=read_text(data.get("callbackUrl")),
        bridge_id=read_text(data.get("bridgeId")),
    )


def read_calls(data: object) -> list[CallResource]:
    """Read a list of call resources; raises UnknownOutcomeError if it is none."""
    if not isinstance(data, list):
        raise UnknownOutcomeError("the answer is not a list of calls")
    return [read_call(row) for row in data]


def read_numbers(data: object) -> list[str]:
    """Read a list of phone numbers; raises UnknownOutcomeError if it is none."""
    if not isinstance(data, list):
        raise UnknownOutcomeError("the answer is not a list of phone numbers")
    numbers = [read_text(row.get("number")) if isinstance(row, Mapping) else None for row in data]
    return [number for number in numbers if number]


def read_response(
    status: int, headers: Mapping[str, str], body: bytes, *, now: float | None = None
) -> Any:
    """Return the JSON value of an answer, None if it has none that can be read.

    `now` is the time in epoch seconds; it turns the reset time of a rate limit into a wait. Any
    status but 2xx raises the CatapultError that `catapult.errors` has for it.
    """
    data = _json_or_none(body) if body else None
    if 200 <= status < 300:
        return data
    fields = data if isinstance(data, Mapping) else {}
    category, code = _word(fields.get("category")), _word(fields.get("code"))
    error = error_class(status, category, code)(
        f"{status} {code or 'without a code'}",
        status=status,
        code=code,
        category=category,
        message=read_text(fields.get("message")) or "",
    )
    if isinstance(error, TryAgainError):
        error.wait = _wait(status, headers, fields, now)
    raise error


def has_next_page(headers: Mapping[str, str]) -> bool:
    """Return whether a list goes on, which the `Link` header tells ("Catapult: Paging")."""
    return 'rel="next"' in _header(headers, "link")


def location_id(headers: Mapping[str, str]) -> str | None:
    """Return the id of what was created: the last path segment of `Location`, None without.

    The rest is not dependable: `Location` is relative or absolute, and "Catapult: Create bridge"
    prints another collection's name in it.
    """
    try:
        path = urlsplit(_header(headers, "location")).path
    except ValueError:
        return None
    found = unquote(path.rstrip("/").rpartition("/")[2])
    return found if found.isprintable() and found not in {"", ".", ".."} else None


def _json_or_none(body: bytes) -> Any:
    try:
        return read_json(body.decode())
    except ValueError:
        return None


def _word(value: object) -> str:
    """Return a code or category, but only if it is a mere word: it goes into logs."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else ""


def _header(headers: Mapping[str, str], name: str) -> str:
    found = headers.get(name)
    if found is not None:
        return found
    return next((value for key, value in headers.items() if key.lower() == name), "")


def _wait(
    status: int, headers: Mapping[str, str], fields: Mapping[str, Any], now: float | None
) -> float | None:
    told = _header(headers, "x-ratelimit-reset") or _detail(fields, "rateLimitResetTime")
    reset = _epoch(told)
    if reset is not None and now is not None and 0 < reset - now <= LONGEST_WAIT:
        return reset - now
    return DEFAULT_WAIT if status == 429 else None


def _epoch(text: str) -> float | None:
    """Read a reset time: milliseconds by every sample, seconds only in words ("Rate limits")."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 16):
        return None
    return int(text) / (1 if len(text) <= 10 else 1000)


def _detail(fields: Mapping[str, Any], name: str) -> str:
    rows = fields.get("details")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, Mapping) and row.get("name") == name:
            return str(row.get("value", ""))
    return ""
