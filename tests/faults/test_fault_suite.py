"""The fault suite in small, and the bugs that it must find; docs/faults.md tells of the large."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from tests.faults.run import Edition, Result, run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits and /proc are Linux's")

SMALL = Edition(
    *(7, 60),
    rate=20,
    pace=1.5,
    latency=0.1,
    roughness=2.0,
    furthest=3.0,
    linger=10.0,
    settle=60.0,
    clean=20.0,
)
HASTY = Edition(
    *(7, 40),
    rate=20,
    pace=0.7,
    latency=0.1,
    linger=4.0,
    settle=6.0,
    clean=1.0,
    troubles=("worker killed",),
)
"""For planted bugs: they show soon."""


def broken(result: Result) -> str:
    return "\n".join(what for each in result.violations.values() for what in each)


@pytest.mark.parametrize("ledger", ["sqlite", "redis"])
def test_every_call_is_accounted_for(ledger: str) -> None:
    result = run(replace(SMALL, ledger=ledger))
    assert result.violations == {}, result.traces
    assert len(result.account.calls) == SMALL.calls
    assert result.befell["worker killed"]
    for edge in ("API", "callback"):
        assert sum(n for what, n in result.account.struck.items() if what.startswith(edge)) >= 5


def test_a_transfer_that_is_repeated_blindly_is_found() -> None:
    blind = replace(HASTY, plant="transfers blindly", lines=("plain", "whisper"), roughness=9.0)
    assert "was rung twice" in broken(run(blind, traced=0))


def test_a_call_that_is_forgotten_with_its_worker_is_found() -> None:
    forgetful = replace(HASTY, plant="forgets", lines=("follow",), latency=0.5, settle=12)
    assert "long after the last fault" in broken(run(forgetful, traced=0))


def test_a_leg_that_is_not_hung_up_is_found() -> None:
    rude = replace(HASTY, plant="hangs up nobody", lines=("stay",), calls=20)
    assert "outlived its caller" in broken(run(rude, traced=0))
