"""The scalars of the language: durations, times, words of closed lists, prefixes, parties."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catapult import transfer
from catapult.transfer import InvalidParameterError
from routing.problems import Path, Wrong, as_meant, did_you_mean
from routing.reading import meant
from routing.reading.numbers import check_calling, check_dialed, check_party, check_prefix
from routing.reading.shapes import Context, Name, Scalar, Schema, Shape, explained, made, text_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from routing.reading.document import Node

_DURATION = re.compile(r"(?:([0-9]+)m)?(?:([0-9]+)s)?|([0-9]+)")
_TRUE, _FALSE = {"true", "yes", "on"}, {"false", "no", "off"}


def duration(text: str) -> int:
    """Return the seconds of `20s`, `2m`, `1m30s` or `90`; raises Wrong."""
    match = _DURATION.fullmatch(text)
    if not match:
        wrong = Wrong("bad-duration", f"{text!r} is no duration; write 20s, 2m, 1m30s or 90")
        raise as_meant(wrong, text, meant.duration(text))
    minutes, seconds, bare = (int(part[:9]) if part else 0 for part in match.groups())
    return minutes * 60 + seconds + bare


def ring(text: str) -> int:
    """Return the seconds of a ring, 1 to 300; raises Wrong."""
    seconds = duration(meant.duration(text) or text)
    if not 1 <= seconds <= 300:
        raise Wrong("bad-ring", f"{text} is out of range; a destination rings 1 to 300 seconds")
    return duration(text)


def boolean(text: str) -> bool:
    """Return the value of `true` or `false` and their everyday forms; raises Wrong."""
    if text.lower() in _TRUE | _FALSE:
        return text.lower() in _TRUE
    raise Wrong("unknown-value", f"{text!r} is neither true nor false")


def only_true(text: str) -> bool:
    """Return True for `true`; raises Wrong for anything else."""
    if boolean(text):
        return True
    raise Wrong("unknown-value", "only `true` makes sense here; leave the key out otherwise")


def positive(text: str) -> int:
    """Return a whole number from 1 to 100,000; raises Wrong."""
    if text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= 100_000:
        return int(text)
    raise Wrong("bad-number", f"{text!r} is not a whole number from 1 to 100000")


def instant(text: str, home: ZoneInfo | None) -> dt.datetime:
    """Return the instant in UTC; without an offset it is wall time in `home`; raises Wrong."""
    try:
        if not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", text):
            raise ValueError
        moment = dt.datetime.fromisoformat(text)
        if not 1970 <= moment.year <= 2200:
            raise Wrong("bad-time", f"{text} is too far away; the year must be 1970 to 2200")
    except ValueError:
        raise Wrong("bad-time", f"{text!r} is no date and time; write 2026-03-09T09:00") from None
    if moment.tzinfo is not None:
        return moment.astimezone(dt.UTC)
    if home is None:
        raise Wrong("missing-timezone", "needs the file's `timezone`, or an offset as in …T09:00Z")
    there = moment.replace(tzinfo=home).astimezone(dt.UTC)
    if there.astimezone(home).replace(tzinfo=None) != moment:
        raise Wrong("bad-time", f"{text} does not occur in {home.key}: clocks skip it that day")
    return there


def accepted(check: Callable[[str], str]) -> Callable[[str], str]:
    """Return `check` of the transfer's parameters with its error turned into Wrong."""

    def parse(text: str) -> str:
        try:
            return check(text)
        except InvalidParameterError as error:
            raise Wrong("unknown-value", error.problem) from None

    return parse


def closed(parameter: str, allowed: tuple[str, ...]) -> Scalar[str]:
    """Return the shape of a transfer parameter with a closed list of values."""

    def parse(text: str) -> str:
        try:
            return transfer.one_of(parameter, text, allowed)
        except InvalidParameterError as error:
            raise Wrong("unknown-value", error.problem + did_you_mean(text, allowed)) from None

    return Scalar(f"a {parameter}", parse, {"enum": list(allowed)})


_PLUS = r"(?:[tT][eE][lL]:)?[^0-9A-Za-z@*]*(?:[+\uff0b]|0[^0-9A-Za-z@*]*0)"
_DIGITS = r"[^A-Za-z@*]*[^\sA-Za-z@*][^A-Za-z@*]*"
NUMBER_PATTERN = f"{_PLUS}{_DIGITS}"
"""A number in any of its spellings; how long it may be is the reader's to say."""
_URI = r"[sS][iI][pP]:[^@\s]+@[^@\s]+"
PARTY_FORM: Schema = {
    "type": ["string", "integer"],
    "pattern": f"^(?:{NUMBER_PATTERN}|{_URI})$",
    "minimum": 10,
    "maximum": 999_999_999_999_999,
}
_PREFIX_FORM: Schema = {"type": ["string", "integer"], "pattern": f"^{NUMBER_PATTERN}$"}
_RING_FORM: Schema = {
    "type": ["string", "integer"],
    "pattern": "^(?=.)(?:(?:[0-9]+m)?(?:[0-9]+s)?|[0-9]+)$",
    "minimum": 1,
    "maximum": 300,
}
_COUNT_FORM: Schema = {
    "type": ["integer", "string"],
    "pattern": "^[0-9]{1,6}$",
    "minimum": 1,
    "maximum": 100_000,
}


def _words_form(*words: str) -> Schema:
    """Return the form of words that are read without regard to case, and of their boolean."""
    either = "|".join("".join(f"[{c.upper()}{c}]" for c in word) for word in words)
    return {"type": ["boolean", "string"], "pattern": f"^(?:{either})$"}


@dataclass(frozen=True, slots=True)
class Party(Shape[str]):
    """A phone number or SIP URI; gives what `check` makes of it."""

    check: Callable[[str, Node, Path, Context], str]
    what = "a number such as +19195550101 or sip:user@host"

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return a number, which editors take for an integer, or a SIP URI."""
        return explained(PARTY_FORM, self.what)

    def read(self, node: Node, path: Path, context: Context) -> str | None:
        """Return the number or URI."""
        text = text_of(node, path, context, self.what)
        if text is None:
            return None
        return made(lambda: self.check(text, node, path, context), node, path, context)


PARTY, DIALED, CALLING = Party(check_party), Party(check_dialed), Party(check_calling)
"""One that is compared; one that is dialed, with its parameters; one that may call us."""
BOOLEAN = Scalar("true or false", boolean, _words_form(*sorted(_TRUE | _FALSE)))
TRUE = Scalar("true", only_true, _words_form(*sorted(_TRUE)) | {"not": {"const": False}})
RING = Scalar("a duration such as 20s", ring, _RING_FORM)
POSITIVE = Scalar("a whole number", positive, _COUNT_FORM)
TEXT = Scalar("text", str)
PREFIX = Scalar("the beginning of a number, such as +1900", check_prefix, _PREFIX_FORM)
DESTINATION_NAME = Name("destination")
