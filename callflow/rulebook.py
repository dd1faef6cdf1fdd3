"""The rules in force: read again when the file changes, never replaced by bad ones.

A process that starts while the file is bad has the rules that were good last, from the ledger.
"""

from __future__ import annotations

import codecs
import contextlib
import datetime as dt
import hashlib
import time
import weakref
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callflow.background import Breath, many_objects_that_stay, place_of
from callflow.ledger import LedgerError, Setting
from routing.conditions import Call, Facts
from routing.problems import RulesError, text_of_rules
from routing.reader import read
from routing.router import route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callflow.background import Beat, Loops
    from callflow.ledger import Ledger
    from routing.rules import RuleSet

_INTERVAL = 0.4
"""Seconds between two looks at the file, so that an edit is in force within one second."""
_KEPT, _LAST_GOOD = "rules", "last good"
"""Kind and name under which the ledger keeps the last good rules."""
_MOST_KEPT = 64
"""Pieces of a file that the ledger keeps; writing a larger one would hold up calls."""
_UNREAD = "the rules have not been read yet"
_PIECE = 1 << 14
"""Bytes of the file that are read at a time."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of the file. Times are epoch seconds; `error` is None when it is good.

    `public` is the error as strangers may read it: file name, place and code, nothing of what
    stands in the file.
    """

    digest: str | None
    loaded_at: float | None
    error: str | None
    public: str | None


class Rulebook:
    """Keeps the last good rules of one file, also in the ledger if it is given and the file small.

    `tell` is called with what happened to the file and details, for logs and metrics.
    """

    def __init__(self, path: str, tell: Callable[..., None], ledger: Ledger | None = None) -> None:
        self._path = Path(path)
        self._ledger = ledger
        self._tell = tell
        self._rules: RuleSet | None = None
        self._seen: tuple[int, int, int] | None = None
        self._content: bytes | None = None
        self._good: list[bytes] = []
        self._has_last_good = False
        self._asked = 0.0
        self._old: list[_Old] = []
        self.status = self._told = Status(None, None, _UNREAD, _UNREAD)

    @property
    def rules(self) -> RuleSet | None:
        """The rules in force; None when the file has never been good."""
        self._asked = time.monotonic()
        return self._rules

    @property
    def in_force(self) -> RuleSet | None:
        """The same, for whoever asks for no call: reading a file need not make way for that."""
        return self._rules

    def look(self, breathe: Callable[[], None] = lambda: None) -> None:
        """Read the file if it has changed, and tell what came of that; see `read`."""
        self.read(breathe)
        if self.status.error is None:
            self._has_last_good = True
        elif not self._has_last_good:
            self._has_last_good = self._recall(breathe)
        if self.status is self._told:
            return
        if self._rules is not None and self.status.error is None:
            self._keep()
            warnings = len(self._rules.warnings)
            self._tell("rules-loaded", digest=self.status.digest, warnings=warnings)
        else:
            self._tell("rules-refused", error=self.status.error, in_force=self.status.digest)
        self._told = self.status

    def read(self, breathe: Callable[[], None] = lambda: None) -> None:
        """Read the file if it has changed; good rules come into force.

        What is read before a process forks, its children share; each tells of it with `look`.
        `breathe` is called after each small piece of work.
        """
        try:
            stat = self._path.stat()
            # A change within the clock's grain of the file system keeps time and size, so a file
            # that was changed just now is read again. Copying tools set the time of the content
            # (mtime); nobody sets that of the change (ctime).
            mark = (stat.st_ctime_ns, stat.st_size, stat.st_ino)
            if mark == self._seen and time.time() - stat.st_ctime > 2:
                return
            pieces = self._pieces(breathe)
        except OSError as error:
            self._refuse(None, f"{self._path}: {error.strerror or error}", " cannot be read")
            return
        self._seen = mark
        content = _digest(pieces, breathe)
        if content != self._content:
            self._content = content
            with many_objects_that_stay():
                self._take(_Decoded(pieces), breathe)

    def _pieces(self, breathe: Callable[[], None]) -> list[bytes]:
        pieces = []
        with self._path.open("rb") as file:
            while piece := file.read(_PIECE):
                pieces.append(piece)
                breathe()
        return pieces

    def _take(self, text: _Decoded, breathe: Callable[[], None]) -> None:
        try:
            text.check(breathe)
            rules = read(text, breathe)
            _warm(rules, breathe)
        except RulesError as error:
            first = error.errors[0]
            more = f" (and {len(error.errors) - 1} more)" if len(error.errors) > 1 else ""
            place = f"{self._path}:{first.line}:{first.column}"
            what = f"{first.path}: {first.message}" if first.path else first.message
            public = f":{first.line}:{first.column}: {first.code}"
            self._refuse(self._content, f"{place}: {what}{more}", public)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end a service either
            what = f"reading it failed with {type(error).__name__} at {place_of(error)}"
            fault = f": {what}, a fault of the router"
            self._refuse(self._content, f"{self._path}{fault}", fault)
        else:
            if self._rules is not None:
                self._old.append(_Old(self._rules))
            self._rules = rules
            self._good = text.pieces
            self.status = Status(rules.digest, time.time(), None, None)

    def _refuse(self, content: bytes | None, error: str, public: str = "") -> None:
        if content is None:
            self._seen = self._content = None
        if error != self.status.error:
            public = f"{self._path.name}{public}"
            self.status = replace(self.status, error=error, public=public)

    def _keep(self) -> None:
        """Let the ledger keep the rules, for processes that start while the file is broken."""
        pieces, self._good = self._good, []
        if self._ledger is None or not 0 < len(pieces) <= _MOST_KEPT:
            return
        text = "".join(_Decoded(pieces))
        with contextlib.suppress(LedgerError):  # they are in force all the same
            if self._kept() != text:
                self._ledger.set(_KEPT, Setting(_LAST_GOOD, text, None), time.time())

    def _recall(self, breathe: Callable[[], None]) -> bool:
        """Take the rules that were good last, if the ledger has them and they still are.

        What a process has from before it forked may be older. Return whether the ledger answered.
        """
        try:
            text = self._kept()
        except LedgerError:
            return False
        with contextlib.suppress(Exception):  # what was good for another version may not be now
            if text is not None:
                rules = read(text, breathe)
                _warm(rules, breathe)
                self._rules = rules
                self.status = replace(self.status, digest=rules.digest, loaded_at=time.time())
        return True

    def _kept(self) -> str | None:
        kept = self._ledger.settings(_KEPT, time.time()) if self._ledger else []
        return kept[0].value if kept else None

    def watch(self, loops: Loops) -> None:
        """Look at the file again and again, little by little while calls come in."""
        loops.every("rules", _INTERVAL, self._look_again)

    def _look_again(self, beat: Beat) -> None:
        breath = Breath(lambda: time.monotonic() - self._asked < 1)

        def breathe() -> None:
            beat()
            breath()

        self._old = [each for each in self._old if not each.let_go(breathe)]
        self.look(breathe)


class _Old:
    """Rules that were replaced. Of a large file they are freed little by little, not at once."""

    def __init__(self, rules: RuleSet) -> None:
        self._parts: tuple[Any, ...] = (rules.line_by_number, rules.lines, rules.destinations)
        self._owner = weakref.ref(rules)
        self._unused = False

    def let_go(self, breathe: Callable[[], None]) -> bool:
        """Free the rules if no call has looked at them since it was asked last, and say so."""
        if not self._unused:
            self._unused = self._owner() is None
            return False
        for part in self._parts:
            while part:
                part.popitem()
                breathe()
        return True


class _Decoded:
    """The text of a file's bytes, a piece at a time."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[str]:
        """Yield the text; raises UnicodeDecodeError."""
        decoder = codecs.getincrementaldecoder("utf-8-sig")()
        for piece in self.pieces:
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)

    def check(self, breathe: Callable[[], None]) -> None:
        """Raise RulesError if the file is not UTF-8."""
        try:
            for _ in self:
                breathe()
        except UnicodeDecodeError:
            text_of_rules(b"".join(self.pieces))


def _digest(pieces: list[bytes], breathe: Callable[[], None]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
        breathe()
    return digest.digest()


def _warm(rules: RuleSet, breathe: Callable[[], None]) -> None:
    """Judge one call for each schedule now, so that holidays are reckoned before a caller waits."""
    now = dt.datetime.now(dt.UTC)
    for schedule in rules.schedules.values():
        schedule.judge(now, {})
        breathe()
    for number in islice(rules.line_by_number, 1):
        route(rules, Call(number, rules.default_caller, now), Facts())
