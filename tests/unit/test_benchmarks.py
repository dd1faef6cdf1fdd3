"""The harness of the benchmarks: what it reads, reckons, writes and draws."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from benchmarks import chart, report
from benchmarks.figures import Figure, Goal, Section
from benchmarks.load import Heard, Round, read_wrk
from benchmarks.processes import cpu_seconds, family, memory_mb
from benchmarks.sides import PEERS
from benchmarks.upstream import Counts
from benchmarks.words import amount

if TYPE_CHECKING:
    from pathlib import Path

WRK = """\
Running 13s test @ http://127.0.0.1:5000
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.24ms    1.02ms  19.10ms   93.01%
    Req/Sec     3.06k   102.11     3.21k    80.00%
  9001 requests in 3.03s, 1.12MB read
Requests/sec:   2970.63
Transfer/sec:    377.95KB
{"sent": 9001, "answered": 9001, "in_time": 8969, "refused": 2, "failed": 1, \
"p50": 5.240, "p90": 6.100, "p99": 9.870, "p999": 17.500, "longest": 19.100}
"""
HEARD = Heard(100, 100, 96, 0, 0, 5.0, 6.0, 9.0, 17.0, 19.0)
COUNTS = Counts(transfers=100, repeated=0, others=0, connections=3, malformed=0)
ROUND = Round(HEARD, seconds=2.0, cpu_seconds=0.25, counts=COUNTS, transfers=True)
RATE = Figure("Calls a second", "/s", [900.0, 1200.0, 1000.0], "Express", [300.0, 400.0, 500.0])
SECTION = Section(
    "The API over TLS",
    "32 connections",
    [replace(RATE, goal=Goal(3, at_least=True)), Figure("Never run", "ms", [], goal=Goal(1))],
    calls=1234,
    errors={"Express": 2},
    run={"date": "2026-11-23", "commit": "abc", "command": "make", "load": "0.1"},
    machine={"processor": "two cores"},
)


def test_what_wrk_says_is_read() -> None:
    heard = read_wrk(WRK)
    assert (heard.sent, heard.in_time, heard.refused, heard.failed) == (9001, 8969, 2, 1)
    assert (heard.p50, heard.p99, heard.longest) == (5.24, 9.87, 19.1)


def test_a_wrk_that_says_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="unable to connect"):
        read_wrk("unable to connect to 127.0.0.1:5000 Connection refused")


def test_a_round_has_its_rate_and_its_cpu() -> None:
    assert ROUND.per_second == 48
    assert ROUND.cpu_ms == 2.5
    assert ROUND.errors == 0


@pytest.mark.parametrize(
    ("heard", "counts", "errors"),
    [
        (replace(HEARD, refused=3), replace(COUNTS, transfers=97), 3),
        (replace(HEARD, failed=1), COUNTS, 1),
        (replace(HEARD, answered=98), replace(COUNTS, transfers=98), 2),
        (HEARD, replace(COUNTS, transfers=99), 1),
        (HEARD, replace(COUNTS, transfers=101, repeated=1), 2),
    ],
)
def test_a_call_that_is_not_answered_and_transferred_once_is_an_error(
    heard: Heard, counts: Counts, errors: int
) -> None:
    assert replace(ROUND, heard=heard, counts=counts).errors == errors


def test_a_transfer_of_what_is_not_to_be_transferred_is_an_error() -> None:
    assert replace(ROUND, transfers=False).errors == 100


def test_figures_are_medians_and_their_ratio() -> None:
    assert (RATE.our_median, RATE.their_median, RATE.ratio) == (1000, 400, 2.5)
    assert RATE.ratios == [3, 3, 2]


@pytest.mark.parametrize(
    ("goal", "reached"),
    [
        (None, None),
        (Goal(2.5, at_least=True), True),
        (Goal(2.6, at_least=True), False),
        (Goal(2.5), True),
        (Goal(2.4), False),
        (Goal(1000, of_ratio=False), True),
        (Goal(999, of_ratio=False), False),
    ],
)
def test_a_goal_is_reached_or_not(goal: Goal | None, reached: bool | None) -> None:
    assert replace(RATE, goal=goal).is_reached is reached


def test_what_was_not_measured_has_no_ratio_and_reaches_nothing() -> None:
    figure = Figure("CPU", "ms", [], "Express", [], Goal(1))
    assert (figure.our_median, figure.their_median, figure.ratio) == (None, None, None)
    assert figure.is_reached is None


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (None, "ms", "not measured"),
        (0.0314159, "ms", "0.0314 ms"),
        (2.5, "ms", "2.50 ms"),
        (12.345, "ms", "12.3 ms"),
        (1234.5, "/s", "1,234/s"),
        (0, "", "0"),
    ],
)
def test_amounts_have_the_digits_that_mean_something(
    value: float | None, unit: str, words: str
) -> None:
    assert amount(value, unit) == words


def test_the_page_has_a_row_for_each_figure_and_says_what_was_not_measured() -> None:
    page = report.page({"tls": SECTION}, ["tls", "plain"])
    assert "| Calls a second | 1,000/s | Express: 400/s | 2.50 (2 to 3) | ≥ 3 | **no** |" in page
    assert "| Never run | not measured |  |  | ≤ 1 | not measured |" in page
    assert "1,234 callbacks; errors: Express 2." in page
    assert "## `plain`\n\nnot measured" in page
    assert "| `tls` | 2026-11-23 | abc | make | 0.1 | 1 |" in page
    assert "Machine 1:\n\n- processor: two cores" in page


def test_sections_outlast_the_run(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert report.load(path) == {}
    report.save(path, {"tls": SECTION})
    assert report.load(path) == {"tls": SECTION}


def test_the_chart_has_bars_as_long_as_their_values() -> None:
    sections = {"tls": SECTION}
    picture = ET.fromstring(chart.draw(chart.panels(sections)))  # noqa: S314 - it is our own
    bars = [each for each in picture.iter() if each.tag.endswith("rect")]
    assert [(bar.get("class"), bar.get("width")) for bar in bars] == [
        ("ours", "400.0"),
        ("theirs", "160.0"),
    ]
    words = [each.text for each in picture.iter() if each.tag.endswith("}text")]
    assert {"callrouter", "1,000/s", "Express", "400/s", "more is better"} <= set(words)


def test_the_cpu_of_a_tree_includes_a_child_that_has_ended() -> None:
    burn = "import time\nwhile time.process_time() < 0.4: pass"
    rest = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])\n"
        "print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", rest], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        assert family(process.pid) == [process.pid]
        assert 0.3 <= cpu_seconds(process.pid) < 3


def test_the_memory_of_a_tree_is_that_of_all_its_processes() -> None:
    alone = memory_mb(os.getpid())
    hold = "held = bytearray(50_000_000); held[::4096] = b'1' * len(held[::4096]); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        child.stdout.readline()
        assert 45 < memory_mb(os.getpid()) - alone < 90


def test_the_lock_file_of_the_peer_names_no_registry_of_one_machine() -> None:
    packages = json.loads((PEERS / "express" / "package-lock.json").read_text())["packages"]
    addresses = {row.get("resolved", "") for row in packages.values()} - {""}
    assert all(one.startswith("https://registry.npmjs.org/") for one in addresses)
    assert packages["node_modules/node-bandwidth"]["version"] == "4.0.0"
