"""gunicorn's settings for the fault suite: those of the service, a clock that can be moved, and,
if `FAULTS_PLANT` names one, a bug that the accountant must find.
"""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path
from typing import Any

_CONFIGURATION = Path(__file__).parents[2] / "gunicorn.conf.py"
exec(compile(_CONFIGURATION.read_text("utf-8"), _CONFIGURATION, "exec"))  # noqa: S102 - our own


def _move_clock(path: str) -> None:
    """Let `time.time` be as far off as the file says, in this process and those it forks."""
    with Path(path).open("rb") as file:
        seconds = memoryview(mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)).cast("d")
    real = time.time
    time.time = lambda: real() + seconds[0]


def _transfers_blindly() -> None:
    """Repeat a request whose answer was lost without a look at what became of it."""
    from callflow.doubt import Once  # noqa: PLC0415

    Once._made = lambda *_: []  # type: ignore[method-assign, assignment, misc]  # noqa: SLF001


def _forgets() -> None:
    """Let nobody take over from a worker that has died. In SQLite only."""
    from callflow import agenda, sqlite  # noqa: PLC0415

    wake_at = agenda.wake_at

    def never(record: Any) -> float | None:
        return None if record.holder is not None else wake_at(record)

    sqlite.wake_at = never


def _hangs_up_nobody() -> None:
    """Leave every leg but the caller's to itself."""
    from callflow.leg_tasks import LegTasks  # noqa: PLC0415

    LegTasks._hang_up_leg = lambda _, job: _released(job)  # type: ignore[method-assign]  # noqa: SLF001


def _released(job: Any) -> Any:
    from callflow import changes  # noqa: PLC0415

    return changes.ended(job.leg, None, "released")


PLANTS = {
    "transfers blindly": _transfers_blindly,
    "forgets": _forgets,
    "hangs up nobody": _hangs_up_nobody,
}

if "FAULTS_CLOCK" in os.environ:
    _move_clock(os.environ["FAULTS_CLOCK"])
if "FAULTS_PLANT" in os.environ:
    PLANTS[os.environ["FAULTS_PLANT"]]()
