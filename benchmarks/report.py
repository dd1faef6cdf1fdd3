"""The tables: from sections to RESULTS.md, by way of results.json, which keeps every round."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Section
from benchmarks.sides import PEERS, PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.figures import Figure, Goal

HERE = Path(__file__).parent
_NOT_MEASURED = "not measured"
_HEAD = """\
# Results

<!-- Written by `make bench`; results.json beside it has every round. -->

Each value is the median of its rounds; sides take turns, and each round has a fresh process. `ratio`
is ours by the peer's, with the lowest and the highest of the pairs. What the peers are:
[CONTRIBUTING](../CONTRIBUTING.md#benchmarks).

![The main figures as bars](results.svg)
"""


def load(path: Path) -> dict[str, Section]:
    """Return the sections of an earlier run; none if there was no run."""
    if not path.exists():
        return {}
    rows = json.loads(path.read_text("utf-8"))
    return {name: Section.from_json(row) for name, row in rows.items()}


def save(path: Path, sections: Mapping[str, Section]) -> None:
    """Keep sections for `load`."""
    rows = {name: section.to_json() for name, section in sections.items()}
    path.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


def page(sections: Mapping[str, Section], names: list[str]) -> str:
    """Return RESULTS.md: the sections in the order of their names; one that is not there says so."""
    parts = [_HEAD]
    for name in names:
        if name in sections:
            parts.append(_section(name, sections[name]))
        else:
            parts.append(f"## {name}\n\n{_NOT_MEASURED}\n")
    return "\n".join(parts)


def _section(name: str, section: Section) -> str:
    lines = [
        f"## {section.title}",
        "",
        f"{section.conditions}.",
        "",
        "| Figure | ours | peer | ratio | goal | reached |",
        "|---|---|---|---|---|---|",
        *(_row(figure) for figure in section.figures),
        "",
    ]
    if section.calls:
        lines += [f"{section.calls:,} callbacks, {section.errors:,} errors.", ""]
    lines += [f"`{name}`: " + "; ".join(f"{key} {value}" for key, value in section.taken.items())]
    return "\n".join(lines) + "\n"


def _row(figure: Figure) -> str:
    reached = {True: "yes", False: "**no**", None: ""}[figure.is_reached]
    if figure.goal and figure.is_reached is None:
        reached = _NOT_MEASURED
    cells = (
        figure.name,
        amount(figure.our_median, figure.unit),
        f"{amount(figure.their_median, figure.unit)} {figure.peer}" if figure.peer else "",
        _ratio(figure),
        _goal(figure.goal, figure.unit) if figure.goal else "",
        reached,
    )
    return "| " + " | ".join(cells) + " |"


def _ratio(figure: Figure) -> str:
    if figure.ratio is None:
        return ""
    low, high = min(figure.ratios), max(figure.ratios)
    return f"{_digits(figure.ratio)} ({_digits(low)}-{_digits(high)})"


def _goal(goal: Goal, unit: str) -> str:
    sign = "≥" if goal.at_least else "≤"
    return f"{sign} {_digits(goal.limit)} ×" if goal.of_ratio else f"{sign} {amount(goal.limit, unit)}"


def amount(value: float | None, unit: str) -> str:
    """Return a value with its unit, in as many digits as mean something."""
    if value is None:
        return _NOT_MEASURED
    return f"{_digits(value)} {unit}".rstrip()


def _digits(value: float) -> str:
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def machine() -> dict[str, str]:
    """Return what a section's figures belong to: processor, kernel and versions."""
    text = Path("/proc/cpuinfo").read_text()
    model = next(line.partition(": ")[2] for line in text.splitlines() if "model name" in line)
    lock = json.loads((PEERS / "express" / "package-lock.json").read_text())["packages"]
    python = [f"{name} {version(name)}" for name in ("flask", "gunicorn", "requests", "bandwidth-sdk")]
    node = [
        f"{name} {lock[f'node_modules/{name}']['version']}" for name in ("express", "node-bandwidth")
    ]
    return {
        "processor": f"{model}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "versions": ", ".join(
            [
                f"Python {platform.python_version()}",
                *python,
                f"node {_said('node', '--version')}",
                *node,
                _said("wrk", "--version").partition(" [")[0],
                _said("openssl", "version").partition(" (")[0],
            ]
        ),
    }


def commit() -> str:
    """Return the commit that is measured; a `+` says that files differ from it."""
    changed = _said("git", "status", "--porcelain", "--untracked-files=no")
    return _said("git", "rev-parse", "--short", "HEAD") + ("+" if changed else "")


def _said(*command: str) -> str:
    done = subprocess.run(command, cwd=PROJECT, check=False, capture_output=True, text=True)
    return (done.stdout or done.stderr).partition("\n")[0].strip()
