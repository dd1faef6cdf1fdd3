"""Folders for as long as the service runs, in the temporary folder of the host.

Each is locked by the processes that use it, so that what a killed service has left behind can be
told from what another one on this host still needs.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

METRICS, COPIES = "callrouter-metrics-", "callrouter-copies-"
_locks: list[int] = []


def make(kind: str) -> str:
    """Return a new folder, which only this user can read, and keep it locked.

    It gets its name when it is locked already: nobody takes it for one that was left behind.
    Processes that are forked from here share the lock, until the last one has ended.
    """
    folder = Path(tempfile.mkdtemp(prefix=f".{kind}"))
    _locks.append(_opened(folder))
    fcntl.flock(_locks[-1], fcntl.LOCK_EX)
    named = folder.with_name(folder.name.removeprefix("."))
    folder.rename(named)
    return str(named)


def sweep() -> None:
    """Remove the folders of services that have been killed."""
    place = Path(tempfile.gettempdir())
    for folder in (*place.glob(f"{METRICS}*"), *place.glob(f"{COPIES}*")):
        with suppress(OSError):  # it is locked, somebody else's, no folder, or gone
            lock = _opened(folder)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_ours(os.fstat(lock)):
                    shutil.rmtree(folder)
            finally:
                os.close(lock)


def leave() -> None:
    """Use our folders no more; the last process that has done so removes them."""
    while _locks:
        os.close(_locks.pop())
    sweep()


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == stat.S_IRWXU
