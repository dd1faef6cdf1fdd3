"""Callbacks that arrive at another host than the one that PUBLIC_URL names."""

from __future__ import annotations

import hashlib
import mmap
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 16
"""Other hosts that are told of."""
_LONGEST = 253
_MARK = 16


class Hosts:
    """Tells of each other host once, whichever worker it reaches first.

    The marks of those that were told of lie in memory that forked workers share.
    """

    def __init__(self, public_url: str, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._ours = (urlsplit(public_url).hostname or "") if public_url else ""
        self._seen_well = ""
        self._told = mmap.mmap(-1, _MOST * _MARK)

    def look(self, header: str | None) -> None:
        """Look at the Host header of a callback whose credentials were right."""
        if not header or header == self._seen_well or not self._ours:
            return
        host = _name(header)
        if host == self._ours:
            self._seen_well = header
        elif self._is_new(host):
            self._tell("other-host", host=host, public_url_host=self._ours)

    def _is_new(self, host: str) -> bool:
        mark = hashlib.blake2b(host.encode(errors="replace"), digest_size=_MARK).digest()
        for place in range(0, len(self._told), _MARK):
            told = self._told[place : place + _MARK]
            if told == mark:
                return False
            if told == bytes(_MARK):
                self._told[place : place + _MARK] = mark
                return True
        return False


def _name(header: str) -> str:
    """Return the host of a Host header, without its port."""
    try:
        host = urlsplit(f"//{header}").hostname
    except ValueError:
        host = None
    return (host or header)[:_LONGEST]
