"""Signs that look like others, or like nothing: how they are named, and what was meant."""

from __future__ import annotations

import re
import unicodedata

DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
"""What looks like a hyphen: hyphens, dashes, the minus sign."""
BLANKS = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
"""What looks like a blank and is none for YAML."""
NOTHINGS = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
"""What looks like nothing at all."""
DOUBLE_QUOTES, SINGLE_QUOTES = "\u201c\u201d\u201e\u201f\u2033\uff02", "\u2018\u2019\u201a\u201b"
INVISIBLE = re.compile(f"[{BLANKS}{NOTHINGS}]")
_MEANT = {
    **dict.fromkeys(DASHES, "-"),
    **dict.fromkeys(DOUBLE_QUOTES, '"'),
    **dict.fromkeys(SINGLE_QUOTES, "'"),
    "\uff1a": ":",
    "\ufe55": ":",
    "\uff0c": ",",
    "\uff0b": "+",
    "\u2236": ":",
}
_ODD = re.compile(f"[{BLANKS}{NOTHINGS}{''.join(_MEANT)}\t]")
_NAMES = {"\ufeff": "byte order mark", "\t": "tab", "\u00ad": "soft hyphen"}


def named(sign: str) -> str:
    """Return what a sign is called: `a no-break space (U+00A0)`."""
    name = _NAMES.get(sign) or unicodedata.name(sign, "control character").lower()
    article = "an" if name[0] in "aeio" else "a"
    return f"{article} {name} (U+{ord(sign):04X})"


def odd(text: str) -> str | None:
    """Return the name of the first sign of a text that looks like another, or like nothing."""
    found = _ODD.search(text)
    return named(found[0]) if found else None


def ordinary(sign: str) -> str:
    """Return what was meant by a sign that looks like another: a blank, a hyphen, nothing."""
    if re.fullmatch(f"[{NOTHINGS}]", sign):
        return ""
    return " " if re.fullmatch(f"[{BLANKS}\t]", sign) else _MEANT.get(sign, sign)


def ordinary_text(text: str) -> str:
    """Return a text with what was meant for each sign that looks like another."""
    return _ODD.sub(lambda found: ordinary(found[0]), text)
