"""Strangers who send without end, on ten connections, keep no call waiting."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.hostile.flood import FLOODS
from tests.hostile.timing import slowest_of
from tests.scenario.rules import RULES
from tests.service import PROJECT, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS, CALLS = 10, 50
LIMIT = 0.5
"""Seconds that a call may take at most."""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(RULES, stub=True, WEB_CONCURRENCY="1") as service:
        yield service


@contextmanager
def flooded(service: Service, name: str) -> Iterator[None]:
    flood = [sys.executable, "-m", "tests.hostile.flood", str(service.port), name, str(CONNECTIONS)]
    with subprocess.Popen(flood, cwd=PROJECT) as process:
        try:
            time.sleep(0.7)
            yield
            assert process.poll() is None
        finally:
            process.kill()


@pytest.mark.xdist_group("flood")
@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_keeps_no_call_waiting(service: Service, name: str) -> None:
    calm = slowest_of(service, CALLS)
    with flooded(service, name):
        assert slowest_of(service, CALLS) < max(LIMIT, 5 * calm)  # a busy machine is slow by itself
