"""One service for all that is sent to it here; stopping it looks through its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scenario.rules import RULES
from tests.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _hostile() -> Iterator[Service]:
    with Service(RULES, stub=True, WEB_THREADS="4") as service:
        yield service


@pytest.fixture
def hostile(_hostile: Service) -> Service:
    """The service beside a phone company that does as it is told, as new."""
    assert _hostile.stub is not None
    _hostile.stub.reset()
    return _hostile
