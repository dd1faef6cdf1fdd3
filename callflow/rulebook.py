"""The rules in force: read again when the file changes, never replaced by bad ones."""

from __future__ import annotations

import datetime as dt
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from routing.conditions import Call, Facts
from routing.problems import RulesError, text_of_rules
from routing.reader import read
from routing.router import route

if TYPE_CHECKING:
    from collections.abc import Callable

    from routing.rules import RuleSet

_INTERVAL = 0.4
"""Seconds between two looks at the file, so that an edit is in force within one second."""


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of the file. Times are epoch seconds; `error` is None when it is good."""

    digest: str | None
    loaded_at: float | None
    error: str | None


class Rulebook:
    """Keeps the last good rules of one file.

    `tell` is called with what happened to the file and details, for logs and metrics.
    """

    def __init__(self, path: str, tell: Callable[..., None]) -> None:
        self._path = Path(path)
        self._tell = tell
        self._rules: RuleSet | None = None
        self._seen: tuple[int, int, int] | None = None
        self._content: bytes | None = None
        self._stop = threading.Event()
        self.status = Status(None, None, "the rules have not been read yet")

    @property
    def rules(self) -> RuleSet | None:
        """The rules in force; None when the file has never been good."""
        return self._rules

    def look(self) -> None:
        """Read the file if it has changed; good rules come into force, bad ones are told of."""
        try:
            stat = self._path.stat()
            # A change within the clock's grain of the file system keeps time and size, so a file
            # that was changed just now is read again. Copying tools set the time of the content
            # (mtime); nobody sets that of the change (ctime).
            mark = (stat.st_ctime_ns, stat.st_size, stat.st_ino)
            if mark == self._seen and time.time() - stat.st_ctime > 2:
                return
            content = self._path.read_bytes()
        except OSError as error:
            self._refuse(None, f"{self._path}: {error.strerror or error}")
            return
        self._seen = mark
        if content != self._content:
            self._content = content
            self._take(content)

    def _take(self, content: bytes) -> None:
        try:
            rules = read(text_of_rules(content))
            _warm(rules)
        except RulesError as error:
            first = error.errors[0]
            more = f" (and {len(error.errors) - 1} more)" if len(error.errors) > 1 else ""
            place = f"{self._path}:{first.line}:{first.column}"
            what = f"{first.path}: {first.message}" if first.path else first.message
            self._refuse(content, f"{place}: {what}{more}")
        else:
            self._rules = rules
            self.status = Status(rules.digest, time.time(), None)
            self._tell("rules-loaded", digest=rules.digest, warnings=len(rules.warnings))

    def _refuse(self, content: bytes | None, error: str) -> None:
        if content is None:
            self._seen = self._content = None
        if error != self.status.error:
            self.status = Status(self.status.digest, self.status.loaded_at, error)
            self._tell("rules-refused", error=error, in_force=self.status.digest)

    def watch(self) -> None:
        """Look at the file again and again, in a thread of its own, until `close`."""
        threading.Thread(target=self._watch, name="rulebook", daemon=True).start()

    def _watch(self) -> None:
        while not self._stop.wait(_INTERVAL):
            self.look()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()


def _warm(rules: RuleSet) -> None:
    """Judge one call for each line now, so that holidays are reckoned before a caller waits."""
    now = dt.datetime.now(dt.UTC)
    for schedule in rules.schedules.values():
        schedule.judge(now, {})
    for number in list(rules.line_by_number)[:1]:
        route(rules, Call(number, rules.default_caller, now), Facts())
