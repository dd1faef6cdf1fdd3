"""Who may import whom, read from the source by import-linter's own engine, grimp.

As a script (`python tests/test_architecture.py`, with the packages on the path) it prints each
import that is not allowed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "catapult": (),
    "emulator": (),
    "routing": ("catapult.transfer",),
    "voice": ("catapult.transfer",),
    "callflow": ("routing", "catapult", "voice"),
    "web": ("callflow", "routing", "catapult.events", "voice.events", "settings"),
    "commands": (
        *("callflow", "routing", "catapult.events", "voice.events", "settings"),
        "emulator",  # `flask emulator` and `flask demo` start it
    ),
}
"""Room -> what of ours it may import. Only `app` imports everything, and nothing imports `app`."""
OURS = {*MAY_IMPORT, "app", "settings"}
SERVING = ("callflow", "web", "routing")
"""Rooms that serve a call; none of them needs `PROOF`, which is for ahead of calls."""
PROOF = "routing.proof"
IMPURE = ("flask", "requests", "redis", "sqlite3")
"""What stays out of `routing`, also by way of others."""


def lies_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def forbidden_imports() -> list[str]:
    """Return `importer -> imported` for each import that breaks the rules above."""
    rooms = [room for room in MAY_IMPORT if importlib.util.find_spec(room)]
    graph = grimp.build_graph(
        *rooms,
        include_external_packages=True,
        exclude_type_checking_imports=True,  # naming a type does not make a room need another
        cache_dir=None,
    )
    found = []
    for importer in sorted(graph.modules):
        room = importer.partition(".")[0]
        for imported in sorted(graph.find_modules_directly_imported_by(importer)):
            other = imported.partition(".")[0]
            allowed = (room, *MAY_IMPORT.get(room, ()))
            serves = room in SERVING and not lies_in(importer, PROOF)
            if serves and lies_in(imported, PROOF):
                found.append(f"{importer} -> {imported}")
            if other in OURS and not any(lies_in(imported, each) for each in allowed):
                found.append(f"{importer} -> {imported}")
    for name in IMPURE:
        if name in graph.modules:
            chain = graph.find_shortest_chain("routing", name, as_packages=True)
            found += [" -> ".join(chain)] if chain else []
    return found


def judge(root: Path) -> list[str]:
    """Return the forbidden imports of the packages in `root`."""
    done = subprocess.run(
        [sys.executable, __file__],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split("\n")[:-1]


def test_every_room_imports_only_what_it_may() -> None:
    assert judge(ROOT) == []


PLANTED = [
    ("routing", "import flask", "routing.planted -> flask"),
    ("routing", "def f():\n    import sqlite3", "routing.planted -> sqlite3"),
    ("routing", "from catapult import events", "routing.planted -> catapult.events"),
    ("routing", "import app", "routing.planted -> app"),
    ("routing", "import routing.proof.sweep", "routing.planted -> routing.proof.sweep"),
    ("web", "from routing.proof import prove", "web.planted -> routing.proof.prove"),
    ("catapult", "from routing import rules", "catapult.planted -> routing.rules"),
    ("emulator", "from catapult import transfer", "emulator.planted -> catapult.transfer"),
    ("callflow", "import web", "callflow.planted -> web"),
    ("web", "from catapult import client", "web.planted -> catapult.client"),
    ("web", "import emulator", "web.planted -> emulator"),
    ("commands", "from app import create_app", "commands.planted -> app"),
]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Copy the rooms, plant every forbidden import, and judge the copy."""
    root = tmp_path_factory.mktemp("rooms")
    for room in MAY_IMPORT:
        if (ROOT / room).is_dir():
            shutil.copytree(ROOT / room, root / room)
    for name in ("events", "client"):
        (root / "catapult" / f"{name}.py").touch()
    for room in MAY_IMPORT:
        lines = [text for where, text, _ in PLANTED if where == room]
        if lines:
            (root / room / "planted.py").write_text("\n".join(lines), encoding="utf-8")
    return judge(root)


@pytest.mark.parametrize("expected", [each[2] for each in PLANTED])
def test_a_forbidden_import_is_found(planted: list[str], expected: str) -> None:
    assert expected in planted


def test_an_impure_library_is_found_behind_another_module(tmp_path: Path) -> None:
    for room in ("catapult", "routing"):
        shutil.copytree(ROOT / room, tmp_path / room)
    with (tmp_path / "catapult" / "transfer.py").open("a", encoding="utf-8") as file:
        file.write("\nimport requests\n")
    assert [each for each in judge(tmp_path) if each.endswith("-> catapult.transfer -> requests")]


def test_routing_runs_without_any_impure_library() -> None:
    program = (
        "import sys, routing.reader as r, pathlib; r.read(pathlib.Path('routing_rules.yaml')"
        f".read_text()); print([name for name in {IMPURE} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


if __name__ == "__main__":
    for each in forbidden_imports():
        print(each)
