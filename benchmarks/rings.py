"""A thousand calls ring at once and nobody answers: `python -m benchmarks.rings`.

Every ring timer must end its ring in time, once, and send each call to its next destination. It
ends with 1 if a call was not handled as it should be, or if one timer in a hundred came late.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.callers import KINDS, PhoneCompany
from benchmarks.ledgers import books
from benchmarks.running import API_LATENCY, Running

_LATE = 1.0
"""Seconds by which the slowest of a hundred timers may come after its time."""


async def ring(company: PhoneCompany, ledger_url: str, calls: int, rate: float) -> None:
    """Place the calls while the first ones ring, and wait for what becomes of all of them."""
    async with Running(company, ledger_url) as service:
        await service.place(calls, rate)
        await service.settle()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=50, help="calls a second; a ring takes 30 s")
    parser.add_argument("--ledger", choices=("sqlite", "redis"), default="sqlite")
    options = parser.parse_args()
    company = PhoneCompany(API_LATENCY, kinds=KINDS[:1], busy=0, silent=100, impatient=0)
    with (
        tempfile.TemporaryDirectory(prefix="rings-") as folder,
        books(options.ledger, Path(folder)) as ledger,
    ):
        asyncio.run(ring(company, ledger.url, options.calls, options.rate))
    late = statistics.quantiles(company.late, n=100)
    print(
        f"{options.ledger}: {company.done['placed']:,} calls, {company.most_ringing:,} of them "
        f"rang at once; {len(company.late):,} ring timers, late by {1000 * late[49]:.0f} ms (p50), "
        f"{1000 * late[98]:.0f} ms (p99), {1000 * max(company.late):.0f} ms (the last one); "
        f"{company.done['transfers']:,} transfers, {company.done['announced']:,} announcements"
    )
    print(*company.wrong[:20], sep="\n")
    return int(bool(company.wrong) or late[98] > _LATE)


if __name__ == "__main__":
    sys.exit(main())
