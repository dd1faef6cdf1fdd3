"""Services that many scenarios share, one of each kind for a test process, as new for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.scenario.rules import RULES
from tests.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def _phone() -> Iterator[Service]:
    with Service(RULES, fallback=True) as service:
        yield service


@pytest.fixture
def phone(_phone: Service) -> Service:
    """The service beside the emulator."""
    assert _phone.phone is not None
    _phone.phone.reset()
    return _phone


@pytest.fixture(scope="session")
def _unanswered() -> Iterator[Service]:
    with Service(RULES, fallback=True, AUTO_ANSWER="false") as service:
        yield service


@pytest.fixture
def unanswered(_unanswered: Service) -> Service:
    """The same with AUTO_ANSWER=false."""
    assert _unanswered.phone is not None
    _unanswered.phone.reset()
    return _unanswered
