"""What the platform says of our account: whether it takes our requests, and which numbers are ours.

It is asked once, when the service starts, by one of its workers; later every answer tells. Only
while the account is refused it is asked again now and then, so that the end of that is noticed.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from callflow.background import Seldom
from catapult.errors import AccountError, CatapultError

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.background import Beat, Loops
    from catapult.client import Client, Exchange
    from routing.rules import RuleSet

_INTERVAL = 10.0
"""Seconds between two tries while the platform has not answered, or refuses the account."""
_LONGEST_WAIT = 60.0
"""Seconds for which the worker that asks is waited for by the others."""
_TIMEOUT = 3.0
"""Seconds that one page of the numbers may take."""
_REMEMBERED = 1.0
"""Seconds for which a refusal is believed without another question, and what others were told."""
_OF_A_NUMBER = ("number-access-denied", "no-allocated-number")
"""Codes with which the platform refuses a caller id, and no account."""


class Verdict(NamedTuple):
    """What the platform said last. `at` is when it did (epoch seconds), None if never.

    `error` is None if it takes our requests. `status` is that of a refusal; an error without one is
    a platform that could not be reached.
    """

    error: str | None = None
    at: float | None = None
    status: int = 0

    @property
    def is_refusal(self) -> bool:
        """Whether the platform refused the account."""
        return self.status != 0


class Shared(Protocol):
    """Verdicts of all workers of a service."""

    def say(self, verdict: Verdict) -> None:
        """Let the others know."""

    def latest(self) -> Verdict | None:
        """Return the latest of all workers; None if this is the only one."""


class Numbers(NamedTuple):
    """How the numbers of the account and those of the rules go together."""

    on_a_line: list[str]
    on_no_line: list[str]
    not_of_the_account: list[str]


class Account:
    """One object serves all threads of a process.

    `shared` has what other workers were told; `folder` is one that they share, "" without others.
    """

    def __init__(self, tell: Callable[..., None], shared: Shared, folder: str = "") -> None:
        self._tell = Seldom(tell, most=10)
        self._shared = shared
        self._file = Path(folder, "numbers.json") if folder else None
        self._mine = self._seen = Verdict()
        self._was_refused = False
        self._asked_at = self._looked_at = -math.inf
        self._asks = False
        self._is_known = False
        self._numbers: frozenset[str] | None = None

    def start(self, loops: Loops, client: Client) -> None:
        """Ask for the numbers, and again while the platform refuses the account or says nothing."""

        def look(_beat: Beat) -> None:
            if self.verdict().is_refusal or (not self._is_known and self._is_our_turn()):
                self._ask(client)

        loops.every("account", _INTERVAL, look)

    def heard(self, exchange: Exchange) -> None:
        """Note what an answer says of the account, or that there was none."""
        before, now, because = self._mine, time.time(), exchange.because or ""
        is_refused = exchange.error == AccountError.__name__
        if exchange.status is None:
            if not before.is_refusal:
                self._mine = Verdict(f"no answer: {because}", before.at)
            return
        if is_refused and not because.endswith(_OF_A_NUMBER):
            self._mine = Verdict(because, now, exchange.status)
        elif exchange.status < 500 and exchange.status != 429:
            self._mine = Verdict(None, now)
        else:
            return  # overloaded or broken: that says nothing of the account
        self._shared.say(self._mine)
        if self._mine.is_refusal and not before.is_refusal:
            self._tell("account-refused", "", error=because)
        elif before.is_refusal and not self._mine.is_refusal:
            self._tell("account-accepted", "")

    def verdict(self) -> Verdict:
        """Return what the platform said last to any worker."""
        latest = self._shared.latest()
        if latest is None or (latest.at or 0.0) <= (self._mine.at or 0.0):
            return self._mine
        return latest

    def is_refused(self, client: Client) -> bool:
        """Whether the account is refused now; only another question shows if that has ended."""
        now = time.monotonic()
        if now - self._looked_at > _REMEMBERED:
            self._looked_at, self._seen = now, self.verdict()
        if not (self._mine.is_refusal or self._seen.is_refusal):
            return False
        if now - self._asked_at > _REMEMBERED:
            self._asked_at = now
            self._was_refused = self._refuses(client)
        return self._was_refused

    def _refuses(self, client: Client) -> bool:
        """Ask, and return whether that is refused: one resource may be, and the account is not."""
        try:
            client.list_numbers(timeout=_TIMEOUT, most_pages=1)
        except AccountError:
            return True
        except CatapultError:
            return self._mine.is_refusal
        return False

    def numbers(self, rules: RuleSet | None) -> Numbers | None:
        """Return how the account's numbers and those of the rules go together, if it is known."""
        self._read()
        if self._numbers is None or rules is None:
            return None
        ours = self._numbers
        lines = {number for number in rules.line_by_number if number.startswith("+")}
        return Numbers(sorted(ours & lines), sorted(ours - lines), sorted(lines - ours))

    def _ask(self, client: Client) -> None:
        began = time.time()
        with contextlib.suppress(CatapultError):
            self._numbers = frozenset(client.list_numbers(timeout=_TIMEOUT))
        if not self._mine.is_refusal and (self._mine.at or 0.0) >= began:
            self._is_known = True
            self._write()

    # What the workers of a service share: one of them makes the file, and fills it.

    def _is_our_turn(self) -> bool:
        if self._file is None or self._asks:
            return True
        try:
            os.close(os.open(self._file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            self._read()
            waited = time.time() - self._file.stat().st_mtime
            self._asks = not self._is_known and waited > _LONGEST_WAIT
        else:
            self._asks = True
        return self._asks

    def _read(self) -> None:
        if self._file is None or self._is_known:
            return
        with contextlib.suppress(OSError, ValueError):  # not there yet, or still empty
            found = json.loads(self._file.read_text("utf-8"))
            self._numbers = None if found is None else frozenset(found)
            self._is_known = True

    def _write(self) -> None:
        if self._file is None or not self._asks:
            return
        beside = self._file.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            json.dump(None if self._numbers is None else sorted(self._numbers), file)
        beside.replace(self._file)
