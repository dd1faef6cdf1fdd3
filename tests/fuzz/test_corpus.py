"""What the fuzzer has found so far still does no harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_before(name: str) -> None:
    found = sorted((CORPUS / name).iterdir())
    assert found
    for each in found:
        TARGETS[name](each.read_bytes())
