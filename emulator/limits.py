"""The documented rate limits. Catapult: "Rate limits" (resources) and "Call rate limits"."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque

from emulator.errors import ApiError

CALL_WINDOW_S = 10.0  # new calls: one a second, averaged over this
RESOURCE_GAP_S = 1.0  # every other request: one in this time, for each collection
NUMBERS_BURST, NUMBERS_RATE = 3000.0, 2000.0


class Limits:
    """Counts requests and refuses those that come too fast; one that is refused does not count."""

    def __init__(self) -> None:
        self._calls: dict[str, deque[float]] = defaultdict(deque)
        self._next: dict[str, float] = {}
        self._numbers = NUMBERS_BURST
        self._numbers_at = 0.0

    def count_call(self, number: str, now: float | None = None) -> None:
        """Count a new call from ``number``; raises ApiError ``call-rate-limit``."""
        now = time.time() if now is None else now
        windows = [self._calls[""], self._calls[number]]
        for window in windows:
            while window and window[0] <= now - CALL_WINDOW_S:
                window.popleft()
        rate = (max(len(window) for window in windows) + 1) / CALL_WINDOW_S
        if rate > 1:
            raise ApiError(
                "call-rate-limit",
                f"More than 1 call per 1 second, averaged over 10 seconds; current rate {rate:g}.",
            )
        for window in windows:
            window.append(now)

    def count_request(self, method: str, collection: str, now: float | None = None) -> None:
        """Count any other request; raises ApiError ``rate-limit-reached``."""
        now = time.time() if now is None else now
        if (method, collection) == ("GET", "phoneNumbers"):
            self._count_number_read(now)
            return
        free = self._next.get(collection, 0.0)
        if now < free:
            raise _too_many(free)
        self._next[collection] = now + RESOURCE_GAP_S

    def _count_number_read(self, now: float) -> None:
        earned = (now - self._numbers_at) * NUMBERS_RATE
        self._numbers, self._numbers_at = min(NUMBERS_BURST, self._numbers + earned), now
        if self._numbers < 1:
            raise _too_many(now + 1 / NUMBERS_RATE)
        self._numbers -= 1


def _too_many(free: float) -> ApiError:
    # Epoch milliseconds, in the header and in the details.
    reset = str(math.ceil(free * 1000))
    return ApiError(
        "rate-limit-reached",
        ids={"rateLimitResetTime": reset},
        headers={"X-RateLimit-Reset": reset},
    )
