"""Runs the fault suite: `python -m tests.faults --calls 10000 --seed N --ledger sqlite`."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tests.faults.run import Edition, Result, run

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN = 10


@click.command()
@click.option("--calls", default=10_000, show_default=True)
@click.option("--seed", type=int, help="Draws what goes wrong; a fresh one if not given.")
@click.option("--ledger", type=click.Choice(["sqlite", "redis"]), default="sqlite")
@click.option("--rate", default=14.0, show_default=True, help="Calls a second.")
@click.option("--plant", help="A bug to be found, by name.")
@click.option("--log", type=click.Path(path_type=Path), help="Where to keep the service's log.")
def main(
    calls: int, seed: int | None, ledger: str, rate: float, plant: str | None, log: Path | None
) -> None:
    """Place calls while everything goes wrong; exit code 1 if one is not accounted for."""
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    print(f"seed {seed}: {calls} calls, ledger in {ledger}", flush=True)
    result = run(Edition(seed, calls, ledger, rate, plant=plant))
    if log is not None:
        log.write_text("\n".join(result.output), "utf-8")
    for line in report(result):
        print(line)
    sys.exit(1 if result.violations else 0)


def report(result: Result) -> Iterator[str]:
    """Yield the report line by line."""
    account = result.account
    yield f"{len(account.calls)} calls in {result.seconds:.0f} s; the last were over"
    yield f"{result.settled:.1f} s after the last fault"
    yield f"\n{'calls':>7}  ended"
    yield from (f"{number:7}  {end}" for end, number in account.ends().most_common())
    yield f"\n{'times':>7}  fault"
    struck = account.struck + result.befell
    yield from (f"{number:7}  {what}" for what, number in sorted(struck.items()))
    yield f"\n{account.requests} API requests, {account.callbacks} callbacks"
    yield f"{account.at_fallback} callbacks at the fallback URL"
    yield from (f"{number:7}  not taken: {why}" for why, number in account.failed.most_common())
    yield "\nlogged by the service:"
    yield from (f"{number:7}  {what}" for what, number in result.said.most_common(25))
    yield f"\n{len(result.violations)} violations"
    for call_id, what in list(result.violations.items())[:_SHOWN]:
        yield f"\n{call_id}"
        yield from (f"  ! {each}" for each in what)
        yield from (f"    {each}" for each in result.traces.get(call_id, ()))


if __name__ == "__main__":
    main()
