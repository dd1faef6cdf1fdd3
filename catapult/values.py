"""Lenient readers of the values that the platform sends, shared by events and resources.

The platform is not strict about types: booleans and integers also travel as strings, times in
several forms. A value that cannot be read is absent; nothing here raises.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from catapult.transfer import is_sip_uri

MOST = 10**9 - 1
"""The largest count; a larger one is read as this."""
_LATEST_MS = 253_402_300_799_000  # the last second of the year 9999


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are not JSON


def _float(text: str) -> float | str:
    value = float(text)
    return value if math.isfinite(value) else text  # 1e999 is JSON, infinity could not be written


_decode = json.JSONDecoder(parse_constant=_refuse, parse_float=_float).decode


def read_json(text: str) -> Any:
    """Return the value of a JSON text. Raises ValueError, also if it is nested too deeply."""
    try:
        return _decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_text(value: object) -> str | None:
    """Return a string that is not empty and can be stored as UTF-8, else None."""
    if not isinstance(value, str) or not value:
        return None
    return value if value.isascii() or _is_storable(value) else None


def _is_storable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def read_flag(value: object) -> bool:
    """Return whether a boolean, or the word for it, is true ("Catapult: SIP Diversion Header")."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def read_count(value: object) -> int | None:
    """Return an integer that is not negative, sent as a number or as a string, else None."""
    if isinstance(value, str):
        text = value.strip()
        if not (text.isascii() and text.isdecimal()):
            return None
        value = int(text) if len(text) < len(str(MOST)) else MOST
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return min(value, MOST)


def read_address(value: object) -> str | None:
    """Return a party's address: E.164 number, `sip:` URI, or whatever else stands there.

    SIP addresses come with and without scheme ("Catapult: Incoming Call event"). A leading space
    is the plus of a number in a query string that did not encode it ("Catapult: BXML Timeout").
    """
    text = read_text(value)
    if text is None or text[0] == "+":
        return text
    if text[0] == " ":
        text = f"+{text[1:]}"
    if text[:4].lower() == "sip:":
        return f"sip:{text[4:]}"
    return f"sip:{text}" if _is_bare_sip(text) else text


def _is_bare_sip(text: str) -> bool:
    return text[:5].lower() != "sips:" and is_sip_uri(f"sip:{text}")


def read_time(value: object) -> datetime | None:
    """Return a time in UTC from ISO 8601 text or epoch milliseconds, else None.

    Text without an offset is UTC ("Catapult: Calls"); a bare hour offset is understood.
    """
    try:
        if isinstance(value, str):
            return _iso_time(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return _epoch_time(value)
    except (ValueError, OverflowError):
        pass
    return None


def _iso_time(text: str) -> datetime | None:
    # Digits alone are milliseconds; fromisoformat would read some of them as a date.
    if text.isdecimal():
        return _epoch_time(int(text))
    if text[-6:-5] == " ":  # the plus of an offset, from a query string that did not encode it
        text = f"{text[:-6]}+{text[-5:]}"
    time = datetime.fromisoformat(text)
    if time.tzinfo is UTC:
        return time
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _epoch_time(milliseconds: int) -> datetime | None:
    if not 0 < milliseconds <= _LATEST_MS:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
