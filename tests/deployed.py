"""What a host has: a virtual environment with requirements.txt in it, and an emptied environment.

A library that only a development tool brings is missing there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_KEPT = ROOT / ".cache" / "deployed"
_PROGRAMS = "/usr/local/bin:/usr/bin:/bin"


def environment(folder: Path = _KEPT) -> Path:
    """Return the virtual environment of today's requirements.txt, which is made once.

    Others that want it meanwhile, of this checkout or of another one, wait until it is whole.
    """
    installed = (ROOT / "requirements.txt").read_bytes()
    key = hashlib.sha256(installed + f"{sys.version} {platform.platform()}".encode()).hexdigest()
    made = folder.resolve() / key[:16]
    made.parent.mkdir(parents=True, exist_ok=True)
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / ".ready").exists():
            shutil.rmtree(made, ignore_errors=True)  # what somebody who was killed has begun
            _make(made)
    return made


def _make(folder: Path) -> None:
    subprocess.run(
        ["make", "--silent", f"VENV={folder}", f"PYTHON={sys.executable}", "ready"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def emptied(programs: Path, home: Path, **settings: str) -> dict[str, str]:
    """Return an environment in which nothing is set but these settings."""
    return {"PATH": f"{programs / 'bin'}:{_PROGRAMS}", "HOME": str(home), **settings}
