"""What conversations cost while nothing happens to them: `python -m benchmarks.standing`.

So many callers talk, and nobody calls or hangs up: what is left is what the service does all the
time, looking for timers and after its copies.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.callers import KINDS, PhoneCompany
from benchmarks.ledgers import books
from benchmarks.processes import family, footprint
from benchmarks.running import API_LATENCY, Running, until

if TYPE_CHECKING:
    from benchmarks.ledgers import RedisBooks, SqliteBooks

_WATCHED = 10.0


async def stand(ledger: SqliteBooks | RedisBooks, calls: int, rate: float) -> str:
    """Let the callers talk, and return what the service takes meanwhile."""
    longer = calls / rate + 3 * _WATCHED
    company = PhoneCompany(
        API_LATENCY, kinds=KINDS[:1], busy=0, silent=0, impatient=0, talk=(longer, longer + 10)
    )
    async with Running(company, ledger.url) as service:
        await service.place(calls, rate)
        await until(lambda: company.done["talked"] == calls, 30)
        await asyncio.sleep(2.0)
        before = _taken(service.pid, ledger)
        await asyncio.sleep(_WATCHED)
        after = _taken(service.pid, ledger)
        await service.settle()
    each = {name: (after[name] - before[name]) / (after["at"] - before["at"]) for name in before}
    reads = f", {each['round trips']:.0f} reads of Redis a second" if "round trips" in each else ""
    wrong = "".join(f"\n{what}" for what in company.wrong[:20])
    return f"{calls:,} conversations: {100 * each['processor']:.1f} % of a processor{reads}{wrong}"


def _taken(pid: int, ledger: SqliteBooks | RedisBooks) -> dict[str, float]:
    processor = sum(footprint(each).cpu for each in family(pid))
    return {"at": time.monotonic(), "processor": processor, **ledger.sample()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[0, 500, 2000])
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--ledger", choices=("sqlite", "redis"), default="redis")
    options = parser.parse_args()
    for calls in options.calls:
        with (
            tempfile.TemporaryDirectory(prefix="standing-") as folder,
            books(options.ledger, Path(folder)) as ledger,
        ):
            print(asyncio.run(stand(ledger, calls, options.rate)), flush=True)


if __name__ == "__main__":
    main()
