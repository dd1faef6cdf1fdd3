"""Delivery of events: in order for each leg, one attempt at the URL and one at the fallback URL.

Sources: Catapult "Callbacks" (headers, any 2xx counts), FAQ "Retries" (one attempt each), and the
security guide (credentials in the URL become an Authorization header).
"""

from __future__ import annotations

import json
import random
import threading
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from emulator.clock import run_safely
from emulator.log import Log, masked
from emulator.outgoing import Outgoing

if TYPE_CHECKING:
    from emulator.clock import Scheduler, Workers
    from emulator.faults import Fault
    from emulator.legs import Target
    from emulator.switches import Switches

Event = dict[str, Any]
Failed = Callable[[], None]
Report = Callable[[str, dict[str, str]], None]

# The stamp's real format is unknown; only the part before the blank is documented.
USER_AGENT = "BandwidthAPI/v1 (2019-05-21T00:00:00Z)"
_SHUFFLE_S = 0.05
_DUPLICATED = 0.3


@dataclass(frozen=True)
class Message:
    """One event on its way to one target; ``failed`` is called when both attempts did."""

    event: Event
    target: Target
    failed: Failed | None = None
    fault: Fault | None = None

    def suffers(self, *does: str) -> bool:
        """Whether one of these faults strikes it."""
        return self.fault is not None and self.fault.does in does


class Outbox:
    """The events of one leg that still wait, and whether somebody is delivering them."""

    def __init__(self) -> None:
        self.waiting: deque[Message] = deque()
        self.busy = False


class Callbacks:
    """Sends events to the router. ``report`` receives each failed attempt: code and details.

    ``strike`` tells which fault strikes an event.
    """

    def __init__(
        self,
        switches: Switches,
        scheduler: Scheduler,
        workers: Workers,
        log: Log,
        report: Report,
        *,
        strike: Callable[[Event], Fault | None],
    ) -> None:
        self._switches = switches
        self._scheduler = scheduler
        self._workers = workers
        self._log = log
        self._report = report
        self._strike = strike
        self._http = Outgoing()
        self._lock = threading.Lock()
        self._outboxes: dict[str, Outbox] = {}
        self._dice: dict[str, random.Random] = {}
        self._given_up: set[str] = set()
        self.closed = False

    def send(self, leg_id: str, message: Message) -> None:
        """Take an event for delivery after those of the same leg that were taken before."""
        if self._switches.is_("shuffle_callbacks", "on"):
            self._send_shuffled(leg_id, message)
            return
        message = replace(message, fault=self._strike(message.event))
        if message.suffers("overtake"):
            self._send_apart(leg_id, message)
        else:
            self._send_in_order(leg_id, message)

    def _send_in_order(self, leg_id: str, message: Message) -> None:
        with self._lock:
            outbox = self._outboxes.setdefault(leg_id, Outbox())
            outbox.waiting.append(message)
            if outbox.busy:
                return
            outbox.busy = True
        self._workers.submit(lambda: self._drain(leg_id, outbox))

    def drop_waiting(self, leg_id: str) -> None:
        """Forget what still waits for this leg."""
        with self._lock:
            self._given_up.add(leg_id)
            if outbox := self._outboxes.get(leg_id):
                outbox.waiting.clear()

    def close(self) -> None:
        """Deliver nothing more."""
        self.closed = True
        self._http.close()

    def _send_shuffled(self, leg_id: str, message: Message) -> None:
        dice = self._dice_of(leg_id)
        copies = 2 if dice.random() < _DUPLICATED else 1
        for _ in range(copies):
            self._scheduler.after(
                dice.random() * _SHUFFLE_S,
                lambda: self._workers.submit(lambda: self._deliver(message)),
            )

    def _send_apart(self, leg_id: str, message: Message) -> None:
        """Deliver an event later, while others of its leg do not wait for it."""
        was_given_up = leg_id in self._given_up

        def deliver() -> None:
            if was_given_up or leg_id not in self._given_up:
                self._workers.submit(lambda: self._deliver(message))

        self._scheduler.after(message.fault.seconds if message.fault else 0.0, deliver)

    def _dice_of(self, leg_id: str) -> random.Random:
        # Ids are random, so the dice follow the order in which legs first speak.
        with self._lock:
            if leg_id not in self._dice:
                seed = f"{self._switches.seconds('seed')}/{len(self._dice)}"
                self._dice[leg_id] = random.Random(seed)  # noqa: S311 - shuffling, no secret
            return self._dice[leg_id]

    def _drain(self, leg_id: str, outbox: Outbox) -> None:
        while True:
            with self._lock:
                if not outbox.waiting:
                    outbox.busy = False
                    self._outboxes.pop(leg_id, None)
                    return
                message = outbox.waiting.popleft()
            run_safely(partial(self._deliver, message))

    def _deliver(self, message: Message) -> None:
        target, fault = message.target, message.fault
        if fault is not None and message.suffers("delay"):
            time.sleep(fault.seconds)
        urls = [target.url, *([target.fallback_url] if target.fallback_url else [])]
        taken = any(self._attempt(url, message, number) for number, url in enumerate(urls))
        if self.closed:
            return
        if taken and fault is not None and message.suffers("repeat"):
            self._repeat(message, fault.seconds)
        if not taken and message.failed is not None:
            message.failed()

    def _repeat(self, message: Message, seconds: float) -> None:
        again = replace(message, failed=None, fault=None)
        self._scheduler.after(seconds, lambda: self._workers.submit(lambda: self._deliver(again)))

    def _attempt(self, url: str, message: Message, number: int) -> bool:
        if self.closed:
            return False
        event, target = message.event, message.target
        entry = self._log.add(
            "callback",
            url=masked(url),
            method=target.method,
            body=event,
            leg=event["callId"],
            event=event["eventType"],
            **({"fault": message.fault.does} if message.fault else {}),
        )
        status, problem = self._exchange(url, message, number)
        self._log.fill(entry, status=status, **({"problem": problem} if problem else {}))
        if problem and not self.closed:
            self._report_failure(url, message, timed_out=problem == "timeout")
        return problem is None

    def _exchange(self, url: str, message: Message, number: int) -> tuple[int | None, str | None]:
        """Return the status of an attempt, and what went wrong with it."""
        if message.suffers("lose") or (number == 0 and message.suffers("lose-first")):
            return None, "lost"
        status, problem = self._request(url, message)
        if status is not None and number == 0 and message.suffers("lose-answer"):
            return None, "answer lost"
        if status is not None and not 200 <= status < 300:
            problem = f"answered {status}"
        return status, problem

    def _request(self, url: str, message: Message) -> tuple[int | None, str | None]:
        target, headers = message.target, {"User-Agent": USER_AGENT, **_authorization(url)}
        try:
            path, body = self._written(url, message)
            if body is not None:
                headers["Content-Type"] = "application/json; charset=utf-8"
            status = self._http.request(
                target.method, url, path, body, headers, target.timeout_ms / 1000
            )
        except TimeoutError:
            return None, "timeout"
        except (OSError, ValueError) as error:
            return None, f"{type(error).__name__}: {error}"
        return status, None

    def _written(self, url: str, message: Message) -> tuple[str, bytes | None]:
        """Write the event into the path's query, or into a body."""
        path = _path(url)
        if message.target.method == "GET":
            return path + ("&" if "?" in path else "?") + self._query(message.event), None
        return path, json.dumps(message.event).encode()

    def _query(self, event: Event) -> str:
        as_printed = self._switches.is_("diversion_get", "as_printed")
        return "&".join(
            f"{name}={_printed(value) if name == 'diversion' and as_printed else _encoded(value)}"
            for name, value in event.items()
            if value is not None
        )

    def _report_failure(self, url: str, message: Message, *, timed_out: bool) -> None:
        details = {
            "callId": message.event["callId"],
            "callbackUrl": masked(url),
            "callbackMethod": message.target.method,
            "callbackEvent": message.event["eventType"],
        }
        if timed_out:
            details["callbackTimeout"] = str(message.target.timeout_ms)
        self._report("callback-server-timeout" if timed_out else "callback-io-error", details)


def _authorization(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    if parts.username is None:
        return {}
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": "Basic " + b64encode(pair.encode()).decode()}


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _encoded(value: Any) -> str:
    if isinstance(value, dict):
        return quote(json.dumps(value, separators=(",", ":")), safe="")
    return quote(json.dumps(value) if isinstance(value, bool) else str(value), safe="")


def _printed(diversion: dict[str, Any]) -> str:
    """Write a diversion as the BXML page prints it: raw quotes, text counter, no last brace."""
    shown = {name: value for name, value in diversion.items() if name.lower() != "limit"}
    if "counter" in shown:
        shown["counter"] = str(shown["counter"])
    return quote(json.dumps(shown, separators=(",", ":")).removesuffix("}"), safe='"+')
