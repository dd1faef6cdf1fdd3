"""How often credentials may be wrong: a guesser is stopped, a call is not."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LIMIT = 20
"""Wrong tries of one address within PERIOD that are answered as such."""
PERIOD = 60.0
"""Seconds; also how long an address must be quiet after too many tries."""
ADDRESSES = 4096
"""Addresses that are remembered; the one that was heard of longest ago is forgotten first."""


@dataclass(slots=True)
class _Tries:
    """The wrong tries of one address; `since`, `last` and `told_at` are moments."""

    since: float
    last: float
    count: int = 0
    told_at: float | None = None
    untold: int = 0


class Tries:
    """Counts wrong credentials by address; one object serves all threads of a process.

    `now` is in seconds of a clock that never goes back.
    """

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._passed: dict[str, None] = {}
        self._refused: OrderedDict[str, _Tries] = OrderedDict()

    def wait(self, address: str, now: float, *, right: bool, local: bool = False) -> float:
        """Note a request; return for how many seconds its address is not listened to, or 0.0.

        Right credentials from an address that has had them before, or from this host, always pass:
        no guesser may stop a call. From any other address that guesses they do not, or guessing
        would not be limited.
        """
        if right and (address in self._passed or local):
            return 0.0
        with self._lock:
            if right and not self._is_over(_network(address), now):
                self._pass(address)
                return 0.0
            tries = self._note(_network(address), now, right=right)
            told = self._untold(tries, now)
        if told:
            self._tell("credentials-refused", address=address, tries=told)
        return tries.last + PERIOD - now if tries.count > LIMIT else 0.0

    def _pass(self, address: str) -> None:
        if len(self._passed) >= ADDRESSES:
            del self._passed[next(iter(self._passed))]
        self._passed[address] = None

    def _is_over(self, network: str, now: float) -> bool:
        tries = self._refused.get(network)
        return tries is not None and tries.count > LIMIT and now - tries.last < PERIOD

    def _note(self, network: str, now: float, *, right: bool) -> _Tries:
        tries = self._refused.setdefault(network, _Tries(now, now))
        self._refused.move_to_end(network)
        if len(self._refused) > ADDRESSES:
            self._refused.popitem(last=False)
        tries.untold += 1
        if right:  # who has them now need not fall silent first, or a busy line never could
            return tries
        begun = tries.since if tries.count <= LIMIT else tries.last
        if now - begun >= PERIOD:
            tries.since, tries.count = now, 0
        tries.last = now
        tries.count += 1
        return tries

    @staticmethod
    def _untold(tries: _Tries, now: float) -> int:
        """Return how many tries to tell of: a line a minute is enough."""
        if tries.told_at is not None and now - tries.told_at < PERIOD:
            return 0
        told, tries.untold, tries.told_at = tries.untold, 0, now
        return told


def _network(address: str) -> str:
    """Return what counts as one address: of IPv6 the network of a single customer, a /64."""
    if ":" not in address:
        return address
    try:
        number = int(IPv6Address(address))
    except ValueError:
        return address
    return f"{IPv6Address(number >> 64 << 64)}/64"
