"""Fuzz one target for a while: `python -m tests.fuzz TARGET SECONDS`; without them, list all.

What was found by now is kept in .fuzz/TARGET, and an input that fails in .fuzz/TARGET-found-….
"""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(".fuzz")
OURS = ["catapult", "routing", "callflow", "web"]


def main() -> None:
    if len(sys.argv) == 1:
        names()
        return
    import atheris  # noqa: PLC0415 - only for those who fuzz

    name, seconds = sys.argv[1:]
    with atheris.instrument_imports(include=[*OURS, "werkzeug", "json"]):
        from tests.fuzz.targets import ROOT, TARGETS, seeds  # noqa: PLC0415

    corpus = FOLDER / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds(name)):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds}",
        "-max_len=65600",
        "-timeout=10",
        "-rss_limit_mb=1024",
        f"-artifact_prefix={FOLDER}/{name}-found-",
        "-print_final_stats=1",
    ]
    committed = ROOT / "tests/fuzz/corpus" / name
    atheris.Setup(["fuzz", *options, str(corpus), str(committed)], TARGETS[name])
    atheris.Fuzz()


def names() -> None:
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - not before it is instrumented

    print(*TARGETS, sep="\n")


main()
