"""`python -m benchmarks [--quick] [SECTION …]`: measure, and write RESULTS.md and its chart.

A quick run prints its tables and writes nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import chart, report, upstream
from benchmarks.rounds import Plan
from benchmarks.sections import SECTIONS
from benchmarks.sides import PEERS

if TYPE_CHECKING:
    from benchmarks.figures import Section

_HERE = Path(__file__).parent
_NEEDED = {
    "wrk": "wrk",
    "node": "nodejs",
    "npm": "npm",
    "cc": "gcc libssl-dev",
    "openssl": "openssl",
}
"""Programs, and the packages of Debian that have them."""


def main() -> None:
    """Run the sections that are named, or all."""
    wanted = _arguments()
    _install()
    with tempfile.TemporaryDirectory(prefix="callrouter-bench-") as folder:
        shop = upstream.build(Path(folder))
        plan = Plan(shop, 1, 2.0, 0.5, is_quick=True) if wanted.quick else Plan(shop, 7, 3.0, 1.0)
        taken = {name: _take(name, plan) for name in wanted.sections or SECTIONS}
    if wanted.quick:
        print(report.page(taken, list(taken)))


def _take(name: str, plan: Plan) -> Section:
    """Measure a section, and keep it unless it was only a first impression."""
    print(name, flush=True)
    quick = "--quick " if plan.is_quick else ""
    run = report.run(f"python -m benchmarks {quick}{name}", os.getloadavg()[0])
    taken = replace(SECTIONS[name](plan), run=run, machine=report.machine())
    if not plan.is_quick:
        _keep(name, taken)
    return taken


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument(
        "--quick", action="store_true", help="one short round of each; nothing is written"
    )
    wanted = parser.parse_args()
    if unknown := set(wanted.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    return wanted


def missing() -> list[str]:
    """Return the packages that are not installed and without which nothing can be measured."""
    return [package for program, package in _NEEDED.items() if not shutil.which(program)]


def _install() -> None:
    if absent := missing():
        sys.exit(f"not installed; on Debian: apt-get install {' '.join(absent)}")
    if not (PEERS / "express" / "node_modules").exists():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=PEERS / "express", check=True, stdout=subprocess.DEVNULL)


def _keep(name: str, section: Section) -> None:
    """Put a section in place of what it was, and draw everything anew."""
    sections = {**report.load(_HERE / "results.json"), name: section}
    report.save(_HERE / "results.json", sections)
    (_HERE / "RESULTS.md").write_text(report.page(sections, list(SECTIONS)), "utf-8")
    (_HERE / "results.svg").write_text(chart.draw(chart.panels(sections)), "utf-8")


if __name__ == "__main__":
    main()
