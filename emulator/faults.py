"""Faults: what a test makes go wrong between the platform and its client, in either direction."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from emulator.errors import CODES, USUAL_CODE, ApiError, ControlError
from emulator.messages import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.switches import Switches

DOES = ("status", "drop", "reset", "hang", "garbage", "lose-answer", "slow")
"""What happens to requests."""
CALLBACKS_DO = ("delay", "overtake", "repeat", "lose", "lose-first", "lose-answer")
"""What happens to callbacks."""
_USUAL_S = {"hang": 15.0, "slow": 1.0, "delay": 1.0, "overtake": 1.0, "repeat": 1.0}
_BLANKS = b" " * 10
"""The body of a slow answer that has none."""
_GARBAGE = b"<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>"


@dataclass
class Fault:
    """What goes wrong, for which requests or callbacks, and how many more times (None: for ever).

    With ``chance`` it strikes at random, so often among those it could strike. A fault with
    ``event`` strikes callbacks of that type (``*``: of any), every other one requests.
    """

    does: str
    event: str | None = None
    chance: float | None = None
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
            and self.event is None
            and self.method in {None, request.method}
            and (self.path is None or self.path in request.target)
            and (self.state is None or self.state == _state_in(request))
        )

    def hits_callback(self, event_type: str) -> bool:
        """Whether this callback is one of those, while there are times left."""
        return self.times != 0 and self.event in {"*", event_type}

    def strike(self, execute: Callable[[], Answer]) -> Answer:
        """Do it; ``lose-answer`` and ``slow`` execute the request, too. Raises ApiError."""
        if self.does == "status":
            return self._refuse()
        if self.does == "garbage":
            return Answer(self.status, _GARBAGE, {"Content-Type": "text/html"})
        if self.does == "slow":
            answer = execute()
            return replace(answer, body=answer.body or _BLANKS, slow_s=self.seconds)
        if self.does == "lose-answer":
            execute()
        time.sleep(self.seconds)
        return Answer(drop=True, reset=self.does == "reset")

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
    does, on = str(body.get("does")), body.get("on") or {}
    if not isinstance(on, dict) or set(on) - {"method", "path", "state", "event"}:
        raise ControlError("on takes an object with method, path and state, or with event")
    possible = CALLBACKS_DO if "event" in on else DOES
    if does not in possible:
        raise ControlError(f"does cannot be {does!r}; it takes {'|'.join(possible)}")
    for name in ("ids", "headers"):
        if not isinstance(body.get(name), dict | None):
            raise ControlError(f"{name} takes an object")
    times = body.get("times", 1)
    if times is not None and (not isinstance(times, int) or times < 0):
        raise ControlError("times takes a whole number, or null for ever")
    return Fault(
        does,
        on.get("event"),
        _chance(body.get("chance")),
        on.get("method"),
        on.get("path"),
        on.get("state"),
        times,
        _status(body),
        _seconds(body.get("seconds", _USUAL_S.get(does, 0.0))),
        {
            name: body.get(name)
            for name in ("code", "category", "message", "ids", "headers", "body")
        },
    )


def _chance(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ControlError(f"chance cannot be {value!r}; it takes 0 to 1")
    return float(value)


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
    """The faults that wait for a request or a callback to strike.

    ``caller`` is whose call it is about: the dice of each caller begin with the switch ``seed``,
    so that the same caller meets the same faults as long as the same things are asked and told.
    """

    def __init__(self, switches: Switches) -> None:
        self._switches = switches
        self._faults: list[Fault] = []
        self._rolls: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Arm a fault; earlier ones come first."""
        with self._lock:
            self._faults.append(fault)

    def take(self, request: Request, caller: Callable[[], str]) -> Fault | None:
        """Return the fault that strikes this request, counted down by one."""
        return self._take(lambda fault: fault.hits(request), lambda: f"request/{caller()}")

    def take_for_callback(self, event_type: str, caller: Callable[[], str]) -> Fault | None:
        """Return the fault that strikes this callback, counted down by one."""
        return self._take(
            lambda fault: fault.hits_callback(event_type), lambda: f"callback/{caller()}"
        )

    def clear(self) -> None:
        """Disarm them all."""
        with self._lock:
            self._faults.clear()

    def _take(self, hits: Callable[[Fault], bool], dice: Callable[[], str]) -> Fault | None:
        if not self._faults:
            return None
        name = dice()
        with self._lock:
            matching = [fault for fault in self._faults if hits(fault)]
            by_chance = any(fault.chance is not None for fault in matching)
            roll = self._roll(name) if by_chance else 0.0
            for fault in matching:
                roll -= fault.chance or 0.0
                if fault.chance is None or roll < 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def _roll(self, name: str) -> float:
        """Roll the dice of this name once more: 0 to 1."""
        self._rolls[name] += 1
        seed = f"{self._switches.seconds('seed'):g}/{name}/{self._rolls[name]}"
        return random.Random(seed).random()  # noqa: S311 - faults, no secret
