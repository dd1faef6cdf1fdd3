"""How long calls take while somebody does harm."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.scenario.rules import PLAIN
from tests.service import event, new_call_id

if TYPE_CHECKING:
    from tests.service import Service


def slowest_of(service: Service, times: int) -> float:
    """Route calls, each over a connection of its own; return the longest time one took."""
    took = []
    for _ in range(times):
        begun = time.monotonic()
        assert service.post(event("answer", new_call_id(), PLAIN)).status_code == 200
        took.append(time.monotonic() - begun)
    return max(took)
