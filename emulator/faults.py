"""Faults: what a test makes go wrong between the platform and its client."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emulator.errors import CODES, USUAL_CODE, ApiError, ControlError
from emulator.messages import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

DOES = ("status", "drop", "hang", "garbage", "lose-answer")
_HANG_S = 15.0
_GARBAGE = b"<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"


@dataclass
class Fault:
    """What goes wrong, for which requests, and how many more times (None: for ever)."""

    does: str
    method: str | None = None
    path: str | None = None
    state: str | None = None
    times: int | None = 1
    status: int = 503
    seconds: float = 0.0
    answer: dict[str, Any] = field(default_factory=dict)

    def hits(self, request: Request) -> bool:
        """Whether this request is one of those, while there are times left."""
        return (
            self.times != 0
            and self.method in {None, request.method}
            and (self.path is None or self.path in request.target)
            and (self.state is None or self.state == _state_in(request))
        )

    def strike(self, execute: Callable[[], Answer]) -> Answer:
        """Do it; only ``lose-answer`` executes the request. Raises ApiError for ``status``."""
        if self.does == "status":
            return self._refuse()
        if self.does == "garbage":
            return Answer(self.status, _GARBAGE, {"Content-Type": "text/html"})
        if self.does == "lose-answer":
            execute()
        time.sleep(self.seconds)
        return Answer(drop=True)

    def _refuse(self) -> Answer:
        body, headers = self.answer.get("body"), self.answer.get("headers") or {}
        if isinstance(body, str):
            return Answer(self.status, body.encode(), {"Content-Type": "text/plain"} | headers)
        code = self.answer.get("code") or USUAL_CODE.get(
            self.status, "backend-protocol-support-failure"
        )
        raise ApiError(
            code,
            message=self.answer.get("message"),
            ids=self.answer.get("ids") or {},
            status=self.status,
            category=self.answer.get("category"),
            headers=headers,
            whole_body=body,
        )


def read_fault(body: dict[str, Any]) -> Fault:
    """Read a fault from the body of a control request; raises ControlError."""
    does, on = body.get("does"), body.get("on") or {}
    if does not in DOES:
        raise ControlError(f"does cannot be {does!r}; it takes {'|'.join(DOES)}")
    if not isinstance(on, dict) or set(on) - {"method", "path", "state"}:
        raise ControlError("on takes an object with method, path and state")
    for name in ("ids", "headers"):
        if not isinstance(body.get(name), dict | None):
            raise ControlError(f"{name} takes an object")
    times = body.get("times", 1)
    if times is not None and (not isinstance(times, int) or times < 0):
        raise ControlError("times takes a whole number, or null for ever")
    usual_s = _HANG_S if does == "hang" else 0.0
    return Fault(
        does,
        on.get("method"),
        on.get("path"),
        on.get("state"),
        times,
        _status(body),
        _seconds(body.get("seconds", usual_s)),
        {
            name: body.get(name)
            for name in ("code", "category", "message", "ids", "headers", "body")
        },
    )


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ControlError(f"seconds cannot be {value!r}; it takes 0 or more")
    return float(value)


def _status(body: dict[str, Any]) -> int:
    code = body.get("code")
    usual = CODES[code].status if code in CODES else (502 if body["does"] == "garbage" else 503)
    status = body.get("status", usual)
    if not isinstance(status, int) or not 100 <= status <= 599:
        raise ControlError(f"status cannot be {status!r}")
    return status


def _state_in(request: Request) -> Any:
    try:
        body = request.json()
    except ValueError:
        return None
    return body.get("state") if isinstance(body, dict) else None


class Faults:
    """The faults that wait for a request to strike."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Arm a fault; earlier ones come first."""
        with self._lock:
            self._faults.append(fault)

    def take(self, request: Request) -> Fault | None:
        """Return the fault that strikes this request, counted down by one."""
        with self._lock:
            for fault in self._faults:
                if fault.hits(request):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def clear(self) -> None:
        """Disarm them all."""
        with self._lock:
            self._faults.clear()
