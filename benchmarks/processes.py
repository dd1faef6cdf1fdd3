"""What the service takes of the machine, by what the kernel says of its processes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one process takes; memory in MB, `cpu` in seconds since it began."""

    pid: int
    pss: float
    """Each page by how many processes of the machine have it."""
    own: float
    """The same of what is no file: other services do not share it."""
    rss: float
    private: float
    handles: int
    threads: int
    cpu: float


def family(pid: int) -> list[int]:
    """Return a process and those that it has started, itself first."""
    children = (_PROC / f"{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


def footprint(pid: int) -> Footprint:
    """Return what a process takes now."""
    memory = _fields(_PROC / f"{pid}/smaps_rollup")
    after_name = (_PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
    return Footprint(
        pid,
        pss=memory["Pss"] / 1024,
        own=memory["Pss_Anon"] / 1024,
        rss=memory["Rss"] / 1024,
        private=(memory["Private_Clean"] + memory["Private_Dirty"]) / 1024,
        handles=sum(1 for _ in (_PROC / f"{pid}/fd").iterdir()),
        threads=_fields(_PROC / f"{pid}/status")["Threads"],
        cpu=(int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK"),
    )


def memory_mb(pid: int) -> float:
    """Return the proportional set size of a process and those that it has started."""
    return sum(footprint(each).pss for each in family(pid))


def cpu_seconds(pid: int) -> float:
    """Return what the same have used of the processor, with those of them that have ended."""
    ticks = 0
    for each in family(pid):
        after_name = (_PROC / f"{each}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, after_name[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _fields(path: Path) -> dict[str, int]:
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0].rstrip(":"): int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}
