"""What other users of this host can read of the service's files: nothing."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from callflow.sqlite import SqliteLedger
from tests.scenario.rules import PLAIN, RULES
from tests.service import Service, event, new_call_id, run, wait_until
from web import scratch

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


@pytest.fixture
def wide() -> Iterator[None]:
    """An umask as most hosts have it."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def readable_by_others(*folders: Path) -> list[str]:
    paths = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    return [str(path) for path in paths if stat.S_IMODE(path.lstat().st_mode) & 0o077]


@pytest.mark.usefixtures("wide")
def test_nothing_that_the_service_writes_is_for_others(tmp_path: Path, temporary: Path) -> None:
    ledger = tmp_path / "a" / "var" / "ledger.sqlite3"
    with Service(RULES, stub=True, LEDGER_URL=f"sqlite:///{ledger}") as service:
        service.post(event("answer", new_call_id(), PLAIN))
        service.metrics()
        left = [each for each in temporary.iterdir() if "callrouter" in each.name]
        assert {each.name.split("-")[1] for each in left} == {"metrics", "copies"}
        assert len(list(ledger.parent.iterdir())) == 3  # the ledger and what SQLite keeps beside it
        assert readable_by_others(tmp_path / "a", *left) == []
    assert [each for each in temporary.iterdir() if "callrouter" in each.name] == []


@pytest.mark.usefixtures("wide")
def test_nor_is_what_a_command_writes(tmp_path: Path) -> None:
    ledger = tmp_path / "var" / "ledger.sqlite3"
    done = run("flask", "presence", "list", env={"LEDGER_URL": f"sqlite:///{ledger}"})
    assert done.returncode == 0
    assert ledger.exists()
    assert readable_by_others(ledger.parent) == []


def test_a_ledger_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    place = tmp_path / "ledger.sqlite3"
    first = SqliteLedger(str(place))
    first.ping()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3
    for file in files:
        file.chmod(0o664)
    tmp_path.chmod(0o755)
    second = SqliteLedger(str(place))
    second.ping()
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600] * 3
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755  # it was there before
    first.update("c-1", lambda record, _: record.move("answered"))
    assert second.load("c-1") is not None
    first.close()
    second.close()


def kill_all_of(service: Service) -> None:
    """Kill the service at once, as a host does that is out of memory."""
    master = service.process.pid
    children = Path(f"/proc/{master}/task/{master}/children").read_text("ascii").split()
    os.kill(master, signal.SIGSTOP)  # or it would begin new workers
    for each in (*map(int, children), master):
        os.kill(each, signal.SIGKILL)
    service.process.wait()
    wait_until(lambda: not any(Path(f"/proc/{each}").exists() for each in children))


def folders(temporary: Path) -> set[str]:
    return {each.name for each in temporary.iterdir() if each.name.startswith("callrouter-")}


def test_what_a_killed_service_left_is_removed_at_the_next_start(temporary: Path) -> None:
    with Service(RULES, stub=True) as living:
        kept = folders(temporary)
        with Service(RULES, stub=True) as killed:
            left = folders(temporary) - kept
            assert len(left) == len(kept) == 2
            kill_all_of(killed)
            killed.start()
            assert not folders(temporary) & left
            assert kept < folders(temporary)
            assert killed.post(event("answer", new_call_id(), PLAIN)).status_code == 200
        assert folders(temporary) == kept
        assert living.metrics()
    assert folders(temporary) == set()


def test_workers_whose_master_was_killed_remove_them_when_they_end(temporary: Path) -> None:
    with Service(RULES, stub=True) as killed:
        left = folders(temporary)
        killed.process.kill()
        killed.process.wait()
        wait_until(lambda: not folders(temporary) & left, 10)
        killed.start()


def test_nothing_else_is_removed(temporary: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o700)
    (precious / "file").write_text("x")
    (temporary / "callrouter-metrics-link").symlink_to(precious)
    (temporary / "callrouter-copies-file").write_text("x")
    (temporary / "callrouter-metrics-wide").mkdir(mode=0o755)
    (temporary / "callrouter-metrics-wide").chmod(0o755)
    (temporary / "callrouter-black-box").mkdir(mode=0o700)
    (temporary / "other-metrics-x").mkdir(mode=0o700)
    mine = Path(scratch.make(scratch.METRICS))
    gone = temporary / "callrouter-copies-gone"
    gone.mkdir(mode=0o700)
    (gone / "file").write_text("x")
    (gone / "link").symlink_to(precious)
    before = {each.name for each in temporary.iterdir()}
    scratch.sweep()
    assert before - {each.name for each in temporary.iterdir()} == {gone.name}
    assert mine.is_dir()
    assert (precious / "file").read_text() == "x"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make somebody else's folder")
def test_nor_is_the_folder_of_somebody_else(temporary: Path) -> None:
    theirs = temporary / "callrouter-metrics-theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, 12_345, 12_345)
    scratch.sweep()
    assert theirs.is_dir()


def test_two_that_sweep_at_once_are_no_trouble(temporary: Path) -> None:
    for number in range(50):
        (temporary / f"callrouter-copies-{number}").mkdir(mode=0o700)
    code = "from web import scratch; scratch.sweep()"
    begun = time.monotonic()
    sweepers = [
        subprocess.Popen([shutil.which("python") or "python", "-c", code]) for _ in range(3)
    ]
    assert [each.wait() for each in sweepers] == [0, 0, 0]
    assert folders(temporary) == set()
    assert time.monotonic() - begun < 30
