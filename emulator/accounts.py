"""What belongs to the account: applications, phone numbers, and the list of recent errors."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from emulator.clock import timestamp
from emulator.errors import ApiError
from emulator.legs import Target, new_id

_KEPT_ERRORS = 1000
_CALLBACK_MESSAGES = {
    "callback-server-timeout": "Callback target did not respond in time.",
    "callback-io-error": "Callback target could not be reached.",
    "no-callback-for-call": "Application has no URL for call events.",
    "no-application-for-number": "Number is not assigned to an application.",
}


@dataclass
class Application:
    """Where the events of inbound calls go. Catapult: Applications."""

    name: str
    call_url: str | None = None
    call_timeout_ms: int | None = None
    call_fallback_url: str | None = None
    message_url: str | None = None
    message_timeout_ms: int | None = None
    message_fallback_url: str | None = None
    method: str = "POST"
    auto_answer: bool = True
    id: str = field(default_factory=lambda: new_id("a"))

    def target(self) -> Target | None:
        """Where the events of a call to this application go; None if it takes no calls."""
        if not self.call_url:
            return None
        return Target(
            self.call_url, self.method, self.call_timeout_ms or 10_000, self.call_fallback_url
        )


@dataclass
class Number:
    """A phone number of the account. Catapult: Phone numbers."""

    number: str
    application_id: str | None = None
    name: str | None = None
    fallback_number: str | None = None
    id: str = field(default_factory=lambda: new_id("n"))
    created: str = field(default_factory=timestamp)

    @property
    def national(self) -> str:
        """``(919) 555-0100`` for numbers of the North American plan, else the number itself."""
        digits = self.number.removeprefix("+1")
        if digits == self.number or len(digits) != 10:
            return self.number
        return f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"


class Account:
    """One user with applications, numbers and errors."""

    def __init__(self) -> None:
        self.applications: dict[str, Application] = {}
        self.numbers: dict[str, Number] = {}  # by E.164 number
        self._errors: deque[dict[str, Any]] = deque(maxlen=_KEPT_ERRORS)
        self._errors_lock = threading.Lock()  # callbacks fail on threads of their own

    def application(self, application_id: str) -> Application:
        """Return the application with this id; raises ApiError ``application-not-found``."""
        if application_id not in self.applications:
            raise ApiError("application-not-found", ids={"applicationId": application_id})
        return self.applications[application_id]

    def delete(self, application: Application) -> None:
        """Remove an application; its numbers take no calls any more."""
        del self.applications[application.id]
        for number in self.numbers.values():
            if number.application_id == application.id:
                number.application_id = None

    def number(self, id_or_number: str) -> Number:
        """Find a number by id or in E.164; raises ApiError ``number-not-found``."""
        if id_or_number in self.numbers:
            return self.numbers[id_or_number]
        for number in self.numbers.values():
            if number.id == id_or_number:
                return number
        raise ApiError("number-not-found")

    def owns(self, number: str) -> bool:
        """Whether calls may come from this number."""
        return number in self.numbers

    def note_error(self, body: dict[str, Any]) -> None:
        """Keep a failure for GET /errors. Catapult: Errors; newest first."""
        details = [{"id": new_id("ued"), **detail} for detail in body.get("details", [])]
        row = {"id": new_id("ue"), "time": timestamp(), **body, "details": details}
        with self._errors_lock:
            self._errors.appendleft({name: value for name, value in row.items() if value != []})

    def errors(self) -> list[dict[str, Any]]:
        """Recent failures, the newest first."""
        with self._errors_lock:
            return list(self._errors)

    def note_failure(self, code: str, details: dict[str, str]) -> None:
        """Keep a failure that no request was answered with, such as that of a callback."""
        rows = [{"name": name, "value": value} for name, value in details.items()]
        message = _CALLBACK_MESSAGES[code]
        self.note_error(
            {"category": "unavailable", "code": code, "message": message, "details": rows}
        )
