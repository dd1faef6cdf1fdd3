"""docs/emulator.md says what is true: its examples run, its tables are complete."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emulator.control import CONTROLS
from emulator.faults import CALLBACKS_DO
from emulator.faults import DOES as FAULTS
from emulator.people import DOES as DESTINATIONS
from emulator.switches import SWITCHES
from tests.emulator_helpers import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "emulator.md").read_text()


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def section(title: str) -> str:
    return re.split(r"\n#+ ", PAGE.partition(f"# {title}\n")[2])[0]


def test_every_switch_is_described_with_its_values() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", section("Switches"), re.MULTILINE)
    described = {name: re.findall(r"`([^`]+)`", values) for name, values in rows}
    assert described == {
        name: list(switch.values)
        or [f"{switch.default:g}" if isinstance(switch.default, float) else switch.default]
        for name, switch in SWITCHES.items()
    }
    assert all(switch.default == switch.values[0] for switch in SWITCHES.values() if switch.values)


def test_every_destination_and_fault_is_described() -> None:
    assert all(f"`{does}`" in section("Destinations") for does in DESTINATIONS)
    assert all(f"| `{does}` |" in section("Faults") for does in (*FAULTS, *CALLBACKS_DO))


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_examples_run(lab: Lab) -> None:
    (script,) = [
        block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "E=" in block
    ]
    for control in CONTROLS:
        assert control.split()[1].replace("{}", "c-" + "x" * 23) in script
    call = lab.dial("+19195550101")
    other = lab.dial("+19195550102")
    script = script.replace("http://127.0.0.1:8055", lab.emulator.origin)
    script = script.replace("c-" + "x" * 23 + "/hangup", f"{call}/hangup")
    script = script.replace("c-" + "x" * 23, other).replace("curl ", "curl -sS --fail ")
    done = subprocess.run(
        ["bash", "-e", "-c", script], check=False, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert lab.emulator.calls() == []  # the last example resets
