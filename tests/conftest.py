"""A service that many tests share, one for a test process, as new for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scenario.rules import RULES
from tests.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _stubbed() -> Iterator[Service]:
    with Service(RULES, stub=True) as service:
        yield service


@pytest.fixture
def stubbed(_stubbed: Service) -> Service:
    """The service beside a phone company that does as it is told."""
    assert _stubbed.stub is not None
    _stubbed.stub.reset()
    return _stubbed
