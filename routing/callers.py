"""Who is calling: the one form of each address, and the patterns that a caller can match."""

from __future__ import annotations

import re

from msgspec import Struct

from routing.numbers import normal_number, spelled

ANONYMOUS = "anonymous"
_NOUN = "(?:call(?:er|ing)?|party|number|name|id(?:entity)?|line|user|address|by|the)*"
_NOBODY = re.compile(
    f"{_NOUN}(?:anonymous|private|restricted|unavailable|unknown|withheld|blocked|hidden|suppressed"
    "|unidentified|undisclosed|not(?:available|provided|disclosed)|outofarea|undefined|invalid"
    f"|no(?:call(?:er)?)?(?:id|number|name)|none|null|nil){_NOUN}"
)
"""The letters of a text that stands where the number is not told."""
_NO_NUMBER = re.compile(r"[\W_]*0*|n/?a", re.IGNORECASE)
"""Nothing, a plus alone, nothing but zeros."""
_DIGIT = re.compile("[1-9]")
_SIP = re.compile(r"sips?:", re.IGNORECASE)
_ANY_USER = "sip:*@"
_DISPLAYED = re.compile(r"<([^<>]*)>")
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]+))?")
_SIP_PORT = "5060"
"""The port of a SIP address that names none (RFC 3261, 19.1.2)."""


class CallerList(Struct, frozen=True):
    """Patterns that name callers: exact numbers and SIP URIs, prefixes, SIP hosts, anonymous."""

    exact: frozenset[str] = frozenset()
    prefixes: tuple[str, ...] = ()
    hosts: frozenset[str] = frozenset()
    anonymous: bool = False

    def has(self, caller: str, *, anonymous: bool) -> bool:
        """Return whether the caller, in normal form, matches one of the patterns."""
        if anonymous and self.anonymous:
            return True
        if caller in self.exact or caller.startswith(self.prefixes):
            return True
        return bool(self.hosts) and caller.startswith("sip:") and self._has_host(caller)

    def _has_host(self, caller: str) -> bool:
        """Return whether the caller's host is listed; a pattern without a port takes every port."""
        host, port = host_and_port(caller.rpartition("@")[2])
        return host in self.hosts or f"{host}:{port or _SIP_PORT}" in self.hosts


def caller_list(patterns: list[str]) -> CallerList:
    """Return the list for patterns that the reader has checked and brought to their normal form."""
    hosts = frozenset(text[len(_ANY_USER) :] for text in patterns if text.startswith(_ANY_USER))
    prefixes = tuple(text[:-1] for text in patterns if text.endswith("*"))
    exact = frozenset(text for text in patterns if text != ANONYMOUS and "*" not in text)
    return CallerList(exact, prefixes, hosts, ANONYMOUS in patterns)


def normal_party(text: str) -> str:
    """Return a number or SIP URI in the form in which parties are compared.

    A number is as `normal_number` has it. Of a SIP URI scheme and host compare without case, the
    user does not (RFC 3261, 19.1.4); its parameters and the usual port say how it is reached, not
    who it is. Anything else stays as it is.
    """
    displayed = _DISPLAYED.search(text)
    address = displayed[1] if displayed else text
    if "@" in address:
        return _normal_uri(address)
    number = spelled(address)
    return normal_number(number) if number else address


def _normal_uri(address: str) -> str:
    user, _, rest = address.partition("@")
    user = _SIP.sub("", user.strip(), count=1)
    if user.startswith("+"):  # a number, perhaps with parameters of its own (RFC 3966)
        user = spelled(user.partition(";")[0]) or user
    return f"sip:{user}@{normal_host(rest).removesuffix(f':{_SIP_PORT}')}"


def normal_host(text: str) -> str:
    """Return the host of a SIP URI, and its port, in the form in which hosts are compared."""
    host, port = host_and_port(re.split("[;?]", text, maxsplit=1)[0])
    return f"{host}:{port}" if port else host


def host_and_port(text: str) -> tuple[str, str | None]:
    """Return the name of a host in the form in which names are compared, and its port."""
    name = "".join(text.lower().split())
    found = _HOST.fullmatch(name)
    return (found[1].rstrip("."), found[2]) if found else (name, None)


def is_withheld(caller: str) -> bool:
    """Return whether a caller's address, in normal form, names nobody."""
    if _SIP.match(caller) is None:
        is_none = _NO_NUMBER.fullmatch(caller) is not None
        return not _DIGIT.search(caller) and (is_none or _is_nobody(caller))
    user, at, host = caller[4:].rpartition("@")
    name = host.removesuffix(".invalid")
    is_name = name != host or not at
    return _is_nobody(user) or (is_name and _is_nobody(name)) or bool(at and not user)


def _is_nobody(text: str) -> bool:
    return _NOBODY.fullmatch(re.sub(r"[\W_]+", "", text).lower()) is not None
