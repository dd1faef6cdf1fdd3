"""Who is calling: patterns that a caller can match."""

from __future__ import annotations

import re

from msgspec import Struct

from catapult.transfer import is_number, is_sip_uri

ANONYMOUS = "anonymous"
_WITHHELD = {ANONYMOUS, "private", "restricted", "unavailable", "unknown", "withheld", ""}


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
        host = _host(caller)
        return host in self.hosts or host.partition(":")[0] in self.hosts


def caller_list(patterns: list[str]) -> CallerList:
    """Return the list for patterns in the language's forms, which the reader has checked."""
    hosts = frozenset(_host(text) for text in patterns if text.lower().startswith("sip:*@"))
    prefixes = tuple(text[:-1] for text in patterns if text.endswith("*"))
    exact = frozenset(
        normal_party(text) for text in patterns if text != ANONYMOUS and "*" not in text
    )
    return CallerList(exact, prefixes, hosts, ANONYMOUS in patterns)


def normal_party(text: str) -> str:
    """Return a number or SIP URI in the form in which parties are compared.

    The scheme and host of a SIP URI compare without case (RFC 3261, 19.1.4); the user does not.
    """
    if "@" not in text:
        return text
    user, _, host = text.rpartition("@")
    if user[:4].lower() == "sip:":
        user = user[4:]
    return f"sip:{user}@{host.lower()}"


def is_withheld(caller: str) -> bool:
    """Return whether a caller's address, in normal form, names nobody."""
    lower = caller.lower()
    return lower in _WITHHELD or lower.startswith("sip:anonymous@")


def can_call(caller: str) -> bool:
    """Return whether a call can come from `caller`, which is in normal form."""
    return is_number(caller) or is_sip_uri(caller) or is_withheld(caller)


def _host(uri: str) -> str:
    return re.split("[;?]", uri.rpartition("@")[2], maxsplit=1)[0].lower()
