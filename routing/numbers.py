"""Phone numbers, in whichever of their many spellings: one number has one form, E.164."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumber, ValidationResult

_PLAIN = re.compile(r"\+[1-9][0-9]*")
_NORTH_AMERICAN = re.compile(r"\+1[2-9][0-9]{9}")
"""A number of country code 1 with its ten digits: it has no trunk prefix."""
_TEL = re.compile(r"tel:([^;?]*).*", re.IGNORECASE | re.DOTALL)
_SEPARATORS = re.compile(r"[\s()\[\]./~\u00b7\u2010-\u2015\u2212\u30fc-]+")
_WITH_COUNTRY = re.compile(r"(?:\+|00)(?:00)*([0-9]+)")
_MOST_PREFIXES = 3
"""Trunk prefixes that somebody may have written one after the other."""
_LONGEST = 100
"""Characters of a number, however it is spelled."""
_MANY = 16_384
"""Numbers that are remembered."""


def spelled(text: str) -> str | None:
    """Return the plus and the digits of a number that says its country, else None.

    Blanks, dashes, dots and brackets are left out, `00` is read as the plus, digits may be of any
    script, and `tel:` may stand before it.
    """
    if _PLAIN.fullmatch(text):
        return text
    digits = _WITH_COUNTRY.fullmatch(squeezed(text)) if len(text) <= _LONGEST else None
    return f"+{digits[1]}" if digits else None


def squeezed(text: str) -> str:
    """Return what is left of a number without its separators, in ASCII where that is possible."""
    text = _TEL.sub(r"\1", unicodedata.normalize("NFKC", text))
    seen = (each for each in text if unicodedata.category(each) != "Cf")  # bidi marks, joiners
    plain = "".join(str(unicodedata.decimal(each, each)) for each in seen)
    return _SEPARATORS.sub("", plain)


def normal_number(number: str) -> str:
    """Return a number as it is dialed from abroad: without a trunk prefix after its country code.

    What the numbering plan does not know as one stays; so does a number that is not possible.
    """
    return number if _NORTH_AMERICAN.fullmatch(number) else examined(number)[0]


@lru_cache(_MANY)
def examined(number: str) -> tuple[str, bool]:
    """Return the normal form of a number, and whether its range is known to be assigned."""
    shorter = number
    for _ in range(_MOST_PREFIXES):
        found = _parsed(shorter)
        if found is None:
            break
        if _is_assigned_as_written(shorter, found):
            return shorter, True
        whole = phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
        if whole == shorter:
            return (whole if is_possible(found) else number), False
        shorter = whole
    return number, False


def _parsed(number: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(number, None)
    except NumberParseException:
        return None


def is_possible(number: PhoneNumber) -> bool:
    """Return whether a number has its country's whole length."""
    return phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE


def _is_assigned_as_written(number: str, parsed: PhoneNumber) -> bool:
    """Return whether all digits after the country code are a number that somebody may have."""
    national = number[1 + len(str(parsed.country_code)) :]
    zeros = len(national) - len(national.lstrip("0"))
    written = PhoneNumber(
        parsed.country_code,
        int(national or 0),
        italian_leading_zero=zeros > 0 or None,
        number_of_leading_zeros=zeros or None,
    )
    return phonenumbers.is_valid_number(written)


def normal_prefix(prefix: str) -> str:
    """Return the beginning of numbers without a trunk prefix after its country code."""
    country = country_of(prefix)
    trunk = _trunk_prefix(country) if country else None
    if not trunk:
        return prefix
    code = f"+{country}"
    while prefix.startswith(code + trunk):
        prefix = code + prefix[len(code + trunk) :]
    return prefix


def country_of(prefix: str) -> int | None:
    """Return the country code with which a number or its beginning begins, if that is certain."""
    for end in range(2, min(len(prefix), 4) + 1):
        if int(prefix[1:end]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return int(prefix[1:end])
    return None


@lru_cache
def _trunk_prefix(country: int) -> str | None:
    """Return what is dialed before a number within a country, if no number of it begins so."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[country]
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(country, regions[0])
    trunk = metadata.national_prefix if metadata else None
    if trunk is None or any(_begins_with(trunk, region) for region in regions):
        return None
    return str(trunk)


def _begins_with(trunk: str, region: str) -> bool:
    kinds = phonenumbers.PhoneNumberType.values()
    numbers = (phonenumbers.example_number_for_type(region, kind) for kind in kinds)
    return any(
        phonenumbers.national_significant_number(each).startswith(trunk)
        for each in numbers
        if each is not None
    )


def as_dialed_in(country: int, text: str) -> str | None:
    """Return the number that `text` means within a country, if it can be one."""
    try:
        number = phonenumbers.parse(text, phonenumbers.region_code_for_country_code(country))
    except NumberParseException:
        return None
    whole = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return whole if is_possible(number) and normal_number(whole) == whole else None
