"""Phone numbers and SIP URIs as the rules file writes them, checked with the numbering plan."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, ValidationResult

from catapult.transfer import is_number, is_sip_uri
from routing.callers import ANONYMOUS, normal_party
from routing.problems import Wrong

if TYPE_CHECKING:
    from routing.problems import Path
    from routing.reading.document import Node
    from routing.reading.shapes import Context

_LOOKS_LIKE_NUMBER = re.compile(r"\+.*|[\d(][\d\s().-]{4,}")
_SIZES = {
    ValidationResult.TOO_LONG: "too long",
    ValidationResult.TOO_SHORT: "too short",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "too short",
}
_NORTH_AMERICAN = re.compile(r"\+1[2-9][0-9]{9}")
"""A number of country code 1 with its ten digits, all of which are possible."""
_DECISIVE = 9
"""How many of its characters say whether its range is assigned: no range of country code 1 is
smaller than a thousand numbers."""
_MANY = 16_384
"""Ranges, and other numbers, whose check is remembered."""
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")


def looks_like_number(text: str) -> bool:
    """Return whether somebody who wrote `text` meant a phone number, well-formed or not."""
    return _LOOKS_LIKE_NUMBER.fullmatch(text) is not None


def looks_like_uri(text: str) -> bool:
    """Return whether somebody who wrote `text` meant a SIP URI, well-formed or not."""
    return text.lower().startswith(("sip:", "sips:", "tel:")) or "@" in text


def check_party(text: str, node: Node, path: Path, context: Context) -> str:
    """Return a number or SIP URI in normal form; raises Wrong for a bad one.

    A number in a range that nobody has been given is a warning only.
    """
    if looks_like_uri(text):
        return _check_uri(text)
    warning = check_number(text)
    if warning:
        context.problems.warn(node, path, "unassigned-number", warning)
    return text


def check_number(text: str) -> str | None:
    """Return None for a number in order, or the warning that its range is not assigned.

    Raises Wrong if it is not E.164, its country code does not exist, or its length is impossible.
    """
    if _NORTH_AMERICAN.fullmatch(text):
        assigned = _is_assigned(text[:_DECISIVE])
    else:
        assigned = _check_number(text)
    return (
        None
        if assigned
        else f"{text} lies in a range that is not assigned to anybody; is it right?"
    )


@lru_cache(_MANY)
def _is_assigned(beginning: str) -> bool:
    national_number = int(beginning[2:].ljust(10, "0"))
    return phonenumbers.is_valid_number(PhoneNumber(1, national_number))


@lru_cache(_MANY)
def _check_number(text: str) -> bool:
    """Return whether the range of a number is assigned; raises Wrong as `check_number` does."""
    if not is_number(text):
        raise Wrong("bad-number", f"{text!r} is not in E.164 form; write it as {_meant(text)}")
    try:
        number = phonenumbers.parse(text, None)
    except NumberParseException:
        raise Wrong("bad-number", f"{text} has no valid country code") from None
    reason = phonenumbers.is_possible_number_with_reason(number)
    if reason == ValidationResult.INVALID_COUNTRY_CODE:
        raise Wrong("bad-number", f"{text} has no valid country code")
    if reason != ValidationResult.IS_POSSIBLE:
        size = _SIZES.get(reason, "of no possible length")
        message = f"{text} is {size} for a number of country code +{number.country_code}"
        raise Wrong("bad-number", message)
    return phonenumbers.is_valid_number(number)


def _meant(text: str) -> str:
    """Return the number that somebody meant who wrote spaces or left out the plus, or a sample.

    Without a plus it may be the country code that is left out, as it mostly is of ten digits;
    what looks like one then names another country.
    """
    digits = "+" + re.sub(r"[^0-9]", "", text)
    whole = text.startswith("+")
    if is_number(digits) and (whole or len(digits) != 11):
        try:
            number = phonenumbers.parse(digits, None)
        except NumberParseException:
            return "+19195550101"
        check = phonenumbers.is_possible_number if whole else phonenumbers.is_valid_number
        if check(number):
            return digits
    return "+19195550101"


def check_prefix(text: str) -> str:
    """Return the beginning of a number (`+1900`); raises Wrong."""
    if _PREFIX.fullmatch(text):
        return text
    raise Wrong("bad-prefix", f"{text!r} is no beginning of a number; write + and digits: +1900")


def check_caller(text: str, node: Node, path: Path, context: Context) -> str:
    """Return a pattern of a caller list: number, `+1212*`, `anonymous`, SIP; raises Wrong."""
    if text == ANONYMOUS:
        return text
    if text.lower().startswith("sip:*@"):
        return text[:6].lower() + _host(text)
    if text.endswith("*"):
        return check_prefix(text[:-1]) + "*"
    return check_party(text, node, path, context)


def _host(text: str) -> str:
    host = text[6:]
    if re.fullmatch(r"[^@\s*]+", host):
        return host
    raise Wrong("bad-sip-uri", f"{text!r} is no pattern of a SIP host; write sip:*@example.com")


def _check_uri(text: str) -> str:
    if text.lower().startswith("sips:"):
        raise Wrong("bad-sip-uri", "the platform does not support sips:; write sip:user@host")
    if not is_sip_uri(text) or "*" in text:
        raise Wrong("bad-sip-uri", f"{text!r} is no SIP URI; write sip:user@host")
    return normal_party(text)
