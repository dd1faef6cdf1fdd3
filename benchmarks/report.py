"""RESULTS.md: the tables, and what they belong to. results.json keeps every round."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.figures import Section
from benchmarks.sides import PEERS
from benchmarks.words import NOT_MEASURED, amount, digits
from tests.service import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.figures import Figure, Goal

_HEAD = """\
# Results

<!-- Written by `make bench`; results.json beside it has every round. -->

Each value is the median of its rounds, in which sides take turns. The ratio is ours by the peer's;
in brackets the lowest and the highest of the pairs. What is measured, and against whom:
[CONTRIBUTING](../CONTRIBUTING.md#benchmarks).

![The main figures as bars](results.svg)
"""
_TABLE = """\
| Figure | Ours | Peer | Ratio | Goal | Reached |
|---|---|---|---|---|---|"""


def load(path: Path) -> dict[str, Section]:
    """Return the sections of earlier runs, which `save` kept; none if there was no run."""
    if not path.exists():
        return {}
    rows = json.loads(path.read_text("utf-8"))
    return {name: Section.from_json(row) for name, row in rows.items()}


def save(path: Path, sections: Mapping[str, Section]) -> None:
    """Keep sections for `load`."""
    rows = {name: section.to_json() for name, section in sections.items()}
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", "utf-8")


def page(sections: Mapping[str, Section], names: list[str]) -> str:
    """Return RESULTS.md with the sections of these names; one that is not there says so."""
    parts = [_HEAD]
    for name in names:
        found = sections.get(name)
        parts.append(_section(found) if found else f"## `{name}`\n\n{NOT_MEASURED}\n")
    shown = {name: sections[name] for name in names if name in sections}
    return "\n".join([*parts, _runs(shown)])


def _section(section: Section) -> str:
    rows = "\n".join(_row(figure) for figure in section.figures)
    counted = f"\n{_counted(section)}\n" if section.calls else ""
    return f"## {section.title}\n\n{section.conditions}.\n\n{_TABLE}\n{rows}\n{counted}"


def _counted(section: Section) -> str:
    errors = ", ".join(f"{name} {count:,}" for name, count in section.errors.items())
    return f"{section.calls:,} callbacks; errors: {errors or 'none'}."


def _row(figure: Figure) -> str:
    reached = {True: "yes", False: "**no**", None: NOT_MEASURED}[figure.is_reached]
    theirs = amount(figure.their_median, figure.unit)
    cells = (
        figure.name,
        amount(figure.our_median, figure.unit),
        f"{figure.peer}: {theirs}" if figure.peer else "",
        _ratio(figure),
        _goal(figure.goal, figure.unit) if figure.goal else "",
        reached if figure.goal else "",
    )
    return f"| {' | '.join(cells)} |"


def _ratio(figure: Figure) -> str:
    if figure.ratio is None:
        return ""
    between = f"{digits(min(figure.ratios))} to {digits(max(figure.ratios))}"
    return f"{digits(figure.ratio)} ({between})" if len(figure.ratios) > 1 else digits(figure.ratio)


def _goal(goal: Goal, unit: str) -> str:
    sign = "≥" if goal.at_least else "≤"
    return f"{sign} {goal.limit:g}" if goal.of_ratio else f"{sign} {goal.limit:g} {unit}".rstrip()


def _runs(sections: Mapping[str, Section]) -> str:
    """Return which run each section is of, and on which machines they were."""
    machines: list[dict[str, str]] = []
    rows = []
    for name, section in sections.items():
        if section.machine not in machines:
            machines.append(section.machine)
        place = str(machines.index(section.machine) + 1)
        run = (section.run[key] for key in ("date", "commit", "command", "load"))
        rows.append(f"| `{name}` | {' | '.join([*run, place])} |")
    lines = [
        *("## Runs", "", "| Section | Date | Commit | Command | Load before | Machine |"),
        *("|---|---|---|---|---|---|", *rows),
    ]
    for number, machine in enumerate(machines, 1):
        lines += ["", f"Machine {number}:", ""]
        lines += [f"- {key}: {value}" for key, value in machine.items()]
    return "\n".join(lines) + "\n"


def machine() -> dict[str, str]:
    """Return what figures belong to: processor, kernel and versions."""
    text = Path("/proc/cpuinfo").read_text("utf-8")
    model = next(line.partition(": ")[2] for line in text.splitlines() if "model name" in line)
    lock = json.loads((PEERS / "express" / "package-lock.json").read_text("utf-8"))["packages"]
    pinned = (PROJECT / "requirements.in").read_text("utf-8").splitlines()
    python = [*(line.partition("==")[0] for line in pinned if "==" in line), "bandwidth-sdk"]
    node = ("express", "node-bandwidth")
    return {
        "processor": f"{model}, {os.cpu_count()} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": ", ".join([platform.python_version(), *(f"{n} {version(n)}" for n in python)]),
        "Node": ", ".join(
            [
                said("node", "--version"),
                *(f"{n} {lock[f'node_modules/{n}']['version']}" for n in node),
            ]
        ),
        "load": said("wrk", "--version").partition(" [")[0],
        "TLS of the API": said("openssl", "version").partition(" (")[0],
    }


def run(command: str, load_before: float) -> dict[str, str]:
    """Return what tells one run from another. A `+` at the commit: files differ from it."""
    changed = said("git", "status", "--porcelain", "--untracked-files=no")
    return {
        "date": said("date", "-u", "+%Y-%m-%d %H:%M UTC"),
        "commit": said("git", "rev-parse", "--short", "HEAD") + ("+" if changed else ""),
        "command": f"`{command}`",
        "load": f"{load_before:.1f}",
    }


def said(*command: str) -> str:
    """Return the first line that a command says."""
    done = subprocess.run(command, cwd=PROJECT, check=False, capture_output=True, text=True)
    return (done.stdout or done.stderr).partition("\n")[0].strip()
