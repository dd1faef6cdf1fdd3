"""Reading `callers`, and the `from` and `notFrom` of a condition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from routing.callers import ANONYMOUS, CallerList, caller_list, is_withheld
from routing.problems import Path, did_you_mean
from routing.reading.numbers import (
    check_caller,
    looks_like_number,
    looks_like_prefix,
    looks_like_uri,
)
from routing.reading.shapes import (
    ANY_SCALAR,
    Context,
    MapOf,
    OneOrMore,
    Schema,
    explained,
    made,
    text_of,
    unknown_name,
)
from routing.reading.values import NUMBER_PATTERN, PARTY_FORM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from routing.reading.document import Node, Text

KIND = "caller list"
_WHAT = "a caller: a number, +1212*, anonymous or sip:*@host"
_COUNTRIES = ("+1202555", "+44207946", "+4930231", "+6125550", "+8135550", "+3319900")


_PATTERN = rf"{NUMBER_PATTERN}\*|anonymous|[sS][iI][pP]:\*@[^@\s*]+|{PARTY_FORM['pattern'][1:-1]}"
_FORM = PARTY_FORM | {"pattern": f"^(?:{_PATTERN})$", "maximum": 10**32}


class Caller(Struct, frozen=True):
    """One pattern of a caller list; a name of a list too, where `named` says so."""

    named: bool

    @property
    def what(self) -> str:
        """What may stand here, for messages."""
        return f"{_WHAT}, or the name of a caller list" if self.named else _WHAT

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return any scalar: a pattern or a name."""
        return ANY_SCALAR if self.named else explained(_FORM, self.what)

    def read(self, node: Node, path: Path, context: Context) -> str | None:
        """Return the pattern in normal form, or the name."""
        text = text_of(node, path, context, self.what)
        if text is None:
            return None
        if self.named and context.known(KIND, text):
            return text
        number = looks_like_number(text) or looks_like_prefix(text)
        if text != ANONYMOUS and not (number or looks_like_uri(text)):
            self._no_pattern(text, node, path, context)
            return None
        return made(lambda: check_caller(text, node, path, context), node, path, context)

    def _no_pattern(self, text: str, node: Node, path: Path, context: Context) -> None:
        if self.named and text.lower() != ANONYMOUS:
            unknown_name(node, path, context, KIND, text)
        else:
            meant = ANONYMOUS if is_withheld(text) else text
            message = f"{text!r} is not {self.what}{did_you_mean(meant, [ANONYMOUS])}"
            code = "unknown-name" if self.named else "bad-caller"
            context.problems.error(node, path, code, message)


CALLERS = MapOf("names of caller lists", OneOrMore(Caller(named=False)))
FROM = OneOrMore(Caller(named=True))


def check_names(keys: Iterable[Text], path: Path, context: Context) -> None:
    """Refuse names that a pattern would hide."""
    for key in keys:
        if key.text == ANONYMOUS or looks_like_number(key.text) or looks_like_uri(key.text):
            message = f"{key.text!r} cannot name a list: it is a caller itself"
            context.problems.error(key, (path, key.text), "bad-name", message)


def join(patterns: Iterable[str], lists: Mapping[str, CallerList]) -> CallerList:
    """Return one list for patterns and names of lists together."""
    named = [lists[each] for each in patterns if each in lists]
    own = caller_list([each for each in patterns if each not in lists])
    every = [own, *named]
    return CallerList(
        frozenset().union(*(each.exact for each in every)),
        tuple(prefix for each in every for prefix in each.prefixes),
        frozenset().union(*(each.hosts for each in every)),
        any(each.anonymous for each in every),
    )


def free_number(lists: Iterable[CallerList]) -> str:
    """Return a number that is in none of the lists."""
    lists = list(lists)
    for country in _COUNTRIES:
        for line in range(100, 10_000, 101):
            number = f"{country}{line:04}"
            if not any(each.has(number, anonymous=False) for each in lists):
                return number
    return "sip:nobody@caller.invalid"
