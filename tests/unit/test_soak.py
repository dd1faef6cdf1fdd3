"""What the soak calls growth: its verdicts on figures that are known."""

from __future__ import annotations

import random

import pytest

from benchmarks.soak import BOUNDS, LEDGER_BOUNDS, slopes

HOUR = 3600.0
STEADY = {"anonymous PSS": 200.0, "RSS": 300.0, "handles": 700.0, "threads": 226.0} | {
    "callbacks p50": 4.0,
    "callbacks p99": 110.0,
    "ledger": 90.0,
    "calls kept": 9000.0,
    "calls open": 500.0,
}


def samples(**per_hour: float) -> list[dict[str, float]]:
    """Half an hour of figures that swing by a hundredth, and grow by so much in an hour."""
    swing = random.Random(1)  # noqa: S311 - figures, no secrets
    return [
        {"at": at}
        | {
            name: value * swing.uniform(0.99, 1.01) + per_hour.get(name, 0.0) * at / HOUR
            for name, value in STEADY.items()
        }
        for at in range(5, 1801, 5)
    ]


def grown(rows: list[dict[str, float]], pruned_from: float = 1000.0) -> list[str]:
    return [each.name for each in slopes(rows, 600.0, pruned_from) if not each.is_bounded]


def test_what_swings_does_not_grow() -> None:
    assert grown(samples()) == []


@pytest.mark.parametrize("name", [*BOUNDS, *LEDGER_BOUNDS])
def test_whatever_doubles_in_an_hour_grows(name: str) -> None:
    assert grown(samples(**{name: 1.1 * STEADY[name]})) == [name]


def test_the_slope_is_that_of_an_hour() -> None:
    found = {
        each.name: each.per_hour
        for each in slopes(samples(**{"anonymous PSS": 60.0}), 600.0, 1000.0)
    }
    assert found["anonymous PSS"] == pytest.approx(60.0, abs=2.0)


def test_growth_in_the_warm_up_is_none() -> None:
    rows = samples()
    for row in rows:
        row["handles"] = min(row["handles"], 2 * row["at"])
        row["calls kept"] = min(row["calls kept"], 12 * row["at"])
    assert grown(rows) == []


def test_a_ledger_that_has_forgotten_nothing_yet_is_not_judged() -> None:
    assert grown(samples(ledger=1000.0), pruned_from=1790.0) == []
