"""What a tree of processes costs, read from /proc."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


def tree(root: int) -> list[int]:
    """Return a process and those that it, or one of them, started."""
    children: dict[int, list[int]] = {}
    for pid, fields in _all():
        children.setdefault(int(fields[1]), []).append(pid)
    found = [root]
    for pid in found:  # it grows while it is walked
        found += children.get(pid, [])
    return found


def cpu_seconds(root: int) -> float:
    """Return the user and system time of a tree, with that of children that have ended."""
    ours = set(tree(root))
    ticks = sum(sum(map(int, fields[11:15])) for pid, fields in _all() if pid in ours)
    return ticks / _TICKS


def pss_mb(root: int) -> float:
    """Return the proportional set size of a tree in megabytes (10⁶ bytes)."""
    kilobytes = 0
    for pid in tree(root):
        rollup = (_PROC / str(pid) / "smaps_rollup").read_text()
        kilobytes += next(int(line.split()[1]) for line in rollup.splitlines() if "Pss:" in line)
    return kilobytes * 1024 / 1e6


def _all() -> list[tuple[int, list[str]]]:
    """Return every process's id and the fields of its `stat` from the state on."""
    found = []
    for folder in _PROC.iterdir():
        if folder.name.isdecimal():
            try:
                text = (folder / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has just ended
            found.append((int(folder.name), text.rpartition(")")[2].split()))
    return found
