"""Phone numbers and SIP URIs as the rules file writes them, checked with the numbering plan."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, ValidationResult

from catapult.transfer import is_sip_uri
from routing.callers import ANONYMOUS, is_withheld, normal_host, normal_party
from routing.numbers import (
    as_dialed_in,
    country_of,
    examined,
    is_possible,
    normal_number,
    normal_prefix,
    spelled,
    squeezed,
)
from routing.problems import Wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from routing.problems import Path
    from routing.reading.document import Node
    from routing.reading.shapes import Context

_LOOKS_LIKE_NUMBER = re.compile(
    r"tel:.*|\W*[+\uff0b].*|[\d(][\d\s().-]{4,}|(?=(?:\D*\d){7})(?:\d|[^\w:*@])+",
    re.IGNORECASE | re.DOTALL,
)
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
_NUMBER = re.compile(r"\+[1-9][0-9]+")
_SENT_NUMBER = re.compile(r"\+[0-9]{2,}")
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}")
_EXAMPLES = ("+1", "+49")
_WITH_COUNTRY_CODE = 11
"""Digits of a number that are likely to begin with a country code."""


class TrunkPrefixError(Wrong):
    """What is dialed only within a country stands in a number, or in its beginning."""


def looks_like_number(text: str) -> bool:
    """Return whether somebody who wrote `text` meant a phone number, well-formed or not."""
    return _LOOKS_LIKE_NUMBER.fullmatch(text) is not None


def looks_like_prefix(text: str) -> bool:
    """Return whether somebody who wrote `text` meant all numbers that begin so, as `+1212*`."""
    beginning = text.removesuffix("*")
    return beginning != text and (looks_like_number(beginning) or spelled(beginning) is not None)


def looks_like_uri(text: str) -> bool:
    """Return whether somebody who wrote `text` meant a SIP URI, well-formed or not."""
    return text.lower().startswith(("sip:", "sips:")) or "@" in text


def check_party(text: str, node: Node, path: Path, context: Context) -> str:
    """Return a number or SIP URI in normal form; raises Wrong for a bad one."""
    return normal_party(check_dialed(text, node, path, context))


def check_dialed(text: str, node: Node, path: Path, context: Context) -> str:
    """Return a number or SIP URI as it is dialed, with its parameters; raises Wrong for a bad one.

    A number in a range that nobody has been given is a warning only.
    """
    if looks_like_uri(text):
        return check_uri(text)
    number = written_number(text, context.allow)
    warning = check_number(number)
    if warning:
        context.problems.warn(node, path, "unassigned-number", warning)
    return number


def written_number(text: str, allow: Sequence[str] = ()) -> str:
    """Return a number, in whichever spelling it is written, as a plus and digits.

    Raises Wrong if it does not say its country; `allow` are the beginnings that may be dialed.
    """
    number = spelled(text)
    if number is not None and _NUMBER.fullmatch(number):
        return number
    raise Wrong("bad-number", f"{text!r} is not in E.164 form; {_hint(text, allow)}")


def _hint(text: str, allow: Sequence[str]) -> str:
    """Return how the number that somebody meant is written, where that is certain."""
    countries = {country_of(prefix) for prefix in allow}
    country = countries.pop() if len(countries) == 1 else None
    digits = squeezed(text)
    says_country = digits.startswith("+")
    meant = as_dialed_in(country or 1, text) if country or says_country else None
    if meant:
        return f"write it as {meant}"
    if says_country:
        return "write + and the country code, and then digits only"
    codes = dict.fromkeys(f"+{each}" for each in map(country_of, allow) if each)
    examples = list(codes or _EXAMPLES)[:2]
    general = f"begin with + and the country code, such as {' or '.join(examples)}"
    if len(digits) >= _WITH_COUNTRY_CODE and _is_assigned_number(f"+{digits}"):
        general += f"; if {country_of(f'+{digits}')} is its country code, write it as +{digits}"
    return general


def _is_assigned_number(text: str) -> bool:
    try:
        return _NUMBER.fullmatch(text) is not None and check_number(text) is None
    except Wrong:
        return False


def check_number(number: str) -> str | None:
    """Return None for a number in order, or the warning that its range is not assigned.

    Raises Wrong if there is a trunk prefix in it, its country code does not exist, or its length is
    impossible.
    """
    if _NORTH_AMERICAN.fullmatch(number):
        assigned = _is_assigned(number[:_DECISIVE])
    else:
        assigned = _check_number(number)
    return (
        None
        if assigned
        else f"{number} lies in a range that is not assigned to anybody; is it right?"
    )


@lru_cache(_MANY)
def _is_assigned(beginning: str) -> bool:
    national_number = int(beginning[2:].ljust(10, "0"))
    return phonenumbers.is_valid_number(PhoneNumber(1, national_number))


@lru_cache(_MANY)
def _check_number(number: str) -> bool:
    """Return whether the range of a number is assigned; raises Wrong as `check_number` does."""
    meant, assigned = examined(number)
    _refuse_trunk_prefix(number, meant)
    if assigned:
        return True
    try:
        parsed = phonenumbers.parse(number, None)
    except NumberParseException as error:
        if error.error_type == NumberParseException.TOO_LONG:
            raise Wrong("bad-number", f"{number} is too long for a number") from None
        raise Wrong("bad-number", f"{number} has no valid country code") from None
    if not is_possible(parsed):
        reason = phonenumbers.is_possible_number_with_reason(parsed)
        if reason == ValidationResult.INVALID_COUNTRY_CODE:
            raise Wrong("bad-number", f"{number} has no valid country code")
        size = _SIZES.get(reason, "of no possible length")
        message = f"{number} is {size} for a number of country code +{parsed.country_code}"
        raise Wrong("bad-number", message)
    return False


def _refuse_trunk_prefix(written: str, meant: str, code: str = "bad-number") -> None:
    if written == meant:
        return
    country = f"+{country_of(meant)}"
    trunk = written[len(country) : len(written) - len(meant) + len(country)]
    because = f"the {trunk} after {country} is dialed only within the country"
    if country + trunk + meant[len(country) :] != written:
        because = "it is dialed so only within the country"
    raise TrunkPrefixError(code, f"{written}: {because}; write it as {meant}")


def check_prefix(text: str) -> str:
    """Return the beginning of a number (`+1900`); raises Wrong."""
    prefix = spelled(text) or text
    if not _PREFIX.fullmatch(prefix):
        message = f"{text!r} is no beginning of a number; write + and digits: +1900"
        raise Wrong("bad-prefix", message)
    _refuse_trunk_prefix(prefix, normal_prefix(prefix), "bad-prefix")
    return prefix


def check_caller(text: str, node: Node, path: Path, context: Context) -> str:
    """Return a pattern of a caller list: number, `+1212*`, `anonymous`, SIP; raises Wrong."""
    if text == ANONYMOUS:
        return text
    if text.lower().startswith("sip:*@"):
        return text[:6].lower() + _host(text)
    if text.endswith("*"):
        return check_prefix(text[:-1]) + "*"
    return check_calling(text, node, path, context)


def check_calling(text: str, node: Node, path: Path, context: Context) -> str:
    """Return who may call, a number or SIP URI in normal form; raises Wrong.

    Carriers send numbers that are not possible, so such a number is a warning only.
    """
    if looks_like_uri(text):
        return normal_party(check_uri(text))
    number = calling_number(text, context.allow)
    try:
        warning = check_number(number)
    except Wrong as wrong:
        context.problems.warn(node, path, "impossible-number", f"{wrong}; is it right?")
        return number
    if warning:
        context.problems.warn(node, path, "unassigned-number", warning)
    return number


def calling_party(text: str, allow: Sequence[str] = ()) -> str:
    """Return who calls in normal form, as somebody wrote it; raises Wrong if it is no caller."""
    party = normal_party(text)
    if "@" in text and is_sip_uri(party):
        return party
    if is_withheld(party):
        return party
    if looks_like_number(text):
        return calling_number(text, allow)
    raise Wrong("bad-caller", f"{text!r} is no number, sip:user@host or anonymous")


def calling_number(text: str, allow: Sequence[str] = ()) -> str:
    """Return the number of a caller, which may be an impossible one; raises Wrong."""
    number = spelled(text)
    if number is None or not _SENT_NUMBER.fullmatch(number):
        return written_number(text, allow)
    _refuse_trunk_prefix(number, normal_number(number))
    return number


def _host(text: str) -> str:
    host = text[6:]
    if re.fullmatch(r"[^@\s*]+", host):
        return normal_host(host)
    raise Wrong("bad-sip-uri", f"{text!r} is no pattern of a SIP host; write sip:*@example.com")


def check_uri(text: str) -> str:
    """Return a SIP URI that can be called, its parameters included; raises Wrong."""
    if text.lower().startswith("sips:"):
        raise Wrong("bad-sip-uri", "the platform does not support sips:; write sip:user@host")
    if is_sip_uri(text) and "*" not in text:
        user, _, rest = text[4:].partition("@")
        host = re.split("[;?]", rest, maxsplit=1)[0]
        return f"sip:{user}@{host.lower()}{rest[len(host) :]}"
    meant = f"sip:{text}" if is_sip_uri(f"sip:{text}") and "*" not in text else ""
    hint = f"write it as {meant}" if meant and ":" not in text else "write sip:user@host"
    raise Wrong("bad-sip-uri", f"{text!r} is no SIP URI of the form sip:user@host; {hint}")
