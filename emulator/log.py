"""The log: every request, every callback and every outbound leg, in the order they began."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

Entry = dict[str, Any]

_CREDENTIALS = re.compile(r"(https?://)[^/@\s\"]+@", re.IGNORECASE)


def masked(text: str) -> str:
    """``text`` with the credentials of every URL in it replaced by ``***:***``."""
    return _CREDENTIALS.sub(r"\1***:***@", text)


class Log:
    """Entries are dictionaries that are filled in as the thing they tell of goes on."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def add(self, kind: str, **facts: Any) -> Entry:
        """Begin an entry; ``time`` is in seconds since 1970, ``n`` counts from 0."""
        with self._lock:
            entry: Entry = {"n": len(self._entries), "kind": kind, "time": time.time(), **facts}
            self._entries.append(entry)
            return entry

    def fill(self, entry: Entry, **facts: Any) -> None:
        """Complete an entry with what became known, and with ``took``, in seconds."""
        with self._lock:
            entry |= facts | {"took": round(time.time() - entry["time"], 6)}

    def entries(self, since: int = 0, kind: str | None = None) -> list[Entry]:
        """Copy the entries numbered ``since`` and later, of one kind if it is named."""
        with self._lock:
            return [dict(entry) for entry in self._entries[since:] if kind in {None, entry["kind"]}]

    def problems(self) -> list[Entry]:
        """Callbacks that were not answered with a 2xx status."""
        return [entry for entry in self.entries(kind="callback") if entry.get("problem")]
