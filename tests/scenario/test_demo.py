"""`flask demo` as a person runs it: a process of its own, real calls, nothing left behind."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
import requests

from commands.demo import SCENES, Ending, _check_names
from commands.stage import moved
from routing.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).parents[2]
SHIPPED = (PROJECT / "routing_rules.yaml").read_text("utf-8")
COMMAND = [sys.executable, "-m", "flask", "demo"]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What a person has who has set nothing; the temporary files are looked for afterwards."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    yield kept | {"TMPDIR": str(tmp_path)}
    assert list(tmp_path.iterdir()) == []


def test_every_call_ends_as_it_should(environment: dict[str, str]) -> None:
    done = subprocess.run(
        COMMAND, check=False, cwd=PROJECT, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout
    assert f"{len(SCENES)} calls, each ended as it should" in said
    assert "\x1b" not in said
    assert "✓ reception is busy: reception is busy" in said
    assert "Diversion: <sip:+19195551000>;reason=user-busy;counter=1" in said
    assert "answering answers and first hears “Call for Main Office”" in said
    assert "+19005550100 was hung up on" in said
    for scene in SCENES:
        row = ["✓", scene.caller, scene.called, *scene.rule.split()]
        assert any(line.split()[: len(row)] == row for line in said.splitlines()), row


def test_a_set_account_is_not_touched(environment: dict[str, str]) -> None:
    """Whatever the environment says, the demo's calls stay on this machine."""
    theirs = {
        "BANDWIDTH_API_URL": "https://api.example.test/v1",
        "BANDWIDTH_USER_ID": "u-live",
        "CALLBACK_AUTH": "off",
        "AUTO_ANSWER": "false",
        "REDIS_URL": "redis://redis.example.test",
        "HTTP_PROXY": "http://proxy.example.test",
        "GUNICORN_CMD_ARGS": "--bind 0.0.0.0:1",
        "NO_COLOR": "1",
    }
    said = _in_terminal(environment | theirs)
    assert "each ended as it should" in said
    assert "\x1b" not in said


def test_it_stays_and_tells_of_further_calls(environment: dict[str, str]) -> None:
    with _running("--keep", environment=environment) as running:
        said = _read_until(running, "\nthe log ")
        control = re.search(r"http://\S+/_control", said)
        service = re.search(r"Call router +(http://\S+),", said)
        assert control
        assert service
        call = {"from": "+12125550199", "to": "+19195551002"}
        placed = requests.post(f"{control[0]}/calls", data=json.dumps(call), timeout=10)
        assert placed.ok
        _read_until(running, "+12125550199 talks to")
        assert requests.get(f"{service[1]}/readyz", timeout=10).json()["ready"]
        running.send_signal(signal.SIGINT)
        assert running.wait(20) == 0
    for url in (control[0], service[1]):
        with pytest.raises(requests.ConnectionError):
            requests.get(url, timeout=10)


@pytest.mark.parametrize(
    ("how", "seconds"),
    [(signal.SIGINT, 0), (signal.SIGINT, 0.4), (signal.SIGTERM, 0.4), (signal.SIGHUP, 0)],
)
def test_an_end_from_outside_leaves_nothing(
    environment: dict[str, str], how: signal.Signals, seconds: float
) -> None:
    with _running(environment=environment) as running:
        service = re.search(r"http://127.0.0.1:\d+(?=,)", _read_until(running, "\n1. "))
        time.sleep(seconds)
        running.send_signal(how)
        assert running.wait(20) != 0
    assert service
    with pytest.raises(requests.ConnectionError):
        requests.get(service[0], timeout=10)


def test_the_office_is_open_and_closed_at_any_hour() -> None:
    zone = read(SHIPPED).zone
    # A holiday, a weekend, and both days on which the clocks change.
    for day in ("2026-12-25", "2026-06-06", "2026-03-08", "2026-11-01"):
        start = dt.datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=zone)
        for minutes in range(0, 24 * 60, 29):
            now = (start.astimezone(dt.UTC) + dt.timedelta(minutes=minutes)).astimezone(zone)
            for office in ("open", "closed"):
                schedule = read(moved(SHIPPED, office, now)[1]).schedules["office"]
                verdict = schedule.judge(now, {})
                assert verdict.open == (office == "open"), (now, office, verdict.because())


def test_a_call_that_ends_otherwise_is_seen() -> None:
    scene = SCENES[0]
    assert Ending(scene.rule, scene.reaches, scene.reason, refused=False).is_as(scene)
    assert not Ending(scene.rule, "bo", scene.reason, refused=False).is_as(scene)
    assert not Ending(scene.rule, None, None, refused=True).is_as(scene)


def test_other_rules_are_told_apart() -> None:
    text = SHIPPED.replace("reception", "frontdesk").replace("ana", "zoe")
    with pytest.raises(click.ClickException, match="no ana, reception any more"):
        _check_names(read(text))


def test_a_terminal_has_colours(environment: dict[str, str]) -> None:
    assert "\x1b[32m✓\x1b[0m" in _in_terminal(environment)


@contextlib.contextmanager
def _running(*options: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, *options], cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.terminate()


def _read_until(running: subprocess.Popen[str], text: str) -> str:
    assert running.stdout is not None
    said = ""
    while text not in said:
        line = running.stdout.readline()
        assert line, said
        said += line
    return said


def _in_terminal(environment: dict[str, str]) -> str:
    """Run the demo in a pseudo-terminal and return what it shows."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        COMMAND, cwd=PROJECT, env=environment, stdout=theirs, stderr=theirs, stdin=theirs
    ) as running:
        os.close(theirs)
        said = b""
        try:
            while chunk := os.read(ours, 65536):
                said += chunk
        except OSError:  # how Linux says that the other side has closed
            pass
        assert running.wait(60) == 0
    os.close(ours)
    return said.decode()
