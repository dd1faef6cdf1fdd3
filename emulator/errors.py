"""What can go wrong with a request, and the body that says so.

Sources: Catapult "Errors" (codes and statuses) and "Rate limits" (the 429 body). The message texts
are our own, so a client that matches on them matches on nothing the platform promised.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Code:
    """One row of the platform's error table; a message of None means there is no such key."""

    status: int
    category: str
    message: str | None


CODES: dict[str, Code] = {
    "missing-property": Code(400, "bad-request", "A required property is absent."),
    "validation-error": Code(400, "bad-request", "The request is not valid."),
    "callback-invalid-url": Code(400, "bad-request", "The callback address is not a URL."),
    "callback-url-invalid": Code(400, "bad-request", "The callback address is not a URL."),
    "bridge-bridged-callId": Code(400, "bad-request", "The call already sits in another bridge."),
    "bridge-invalid-state": Code(400, "bad-request", "The bridge is in the wrong state."),
    "bridge-invalid-operation": Code(400, "bad-request", "The bridge has no active calls."),
    "authentication-failed": Code(401, "authentication", "Token or secret not accepted."),
    "user-access-denied": Code(401, "authorization", "This token may not use that user."),
    "number-access-denied": Code(401, "authorization", "This user may not use that number."),
    "no-allocated-number": Code(401, "authorization", "This user has no such number."),
    "insufficient-available-balance": Code(403, "credit", "Balance too low."),
    "call-rate-limit": Code(403, "limit", "Too many new calls."),
    "call-invalid-state": Code(403, "forbidden", "The call cannot be updated in this state."),
    "invalid-destination-number": Code(403, "forbidden", "Destination region not permitted."),
    "invalid-call-to-number": Code(403, "forbidden", "That number cannot be called."),
    "call-audio-invalid-state": Code(403, "forbidden", "There is no playing audio to change."),
    "bridge-callIds-overflow": Code(403, "forbidden", "A bridge takes two calls at most."),
    "call-id-not-found": Code(403, "forbidden", "A listed call id does not exist."),
    "application-access-denied": Code(403, "forbidden", "This user may not use that application."),
    "maximum-recording-value-request": Code(403, "forbidden", "The recording cap is too high."),
    "call-not-found": Code(404, "not-found", "No call with that id."),
    "bridge-not-found": Code(404, "not-found", "No bridge with that id."),
    "application-not-found": Code(404, "not-found", "No application with that id."),
    "number-not-found": Code(404, "not-found", "No number with that id."),
    "recording-not-found": Code(404, "not-found", "No recording with that id."),
    "user-not-found": Code(404, "not-found", "No user with that id."),
    "resource-not-found": Code(404, "not-found", "Nothing at this path."),
    "call-update-conflict": Code(409, "conflict", "Another update of this call is in progress."),
    "bridge-update-conflict": Code(
        409, "conflict", "Another update of this bridge is in progress."
    ),
    "conflicted-recording-values-request": Code(409, "conflict", "Recording is already running."),
    "call-duplicate-gather-error": Code(409, "conflict", "A gather is already running."),
    "rate-limit-reached": Code(429, "too-many-requests", None),
    "backend-protocol-support-failure": Code(500, "backend", "Backend error."),
    "call-unavailable": Code(503, "unavailable", "The call is still being set up; retry later."),
    "call-transfer-error": Code(503, "unavailable", "This transfer could not be done."),
    "call-creation-failure": Code(503, "unavailable", "The call could not be created."),
    "gateway-unavailable": Code(503, "unavailable", "No gateway is available."),
    "audio-update-failure": Code(503, "unavailable", "The audio could not be changed."),
    "bridge-create-error": Code(503, "unavailable", "The bridge could not be created."),
    "bridge-update-error": Code(503, "unavailable", "The bridge could not be changed."),
    "speak-error": Code(503, "unavailable", "The sentence could not be spoken."),
    "media-unavailable": Code(503, "unavailable", "The media could not be read."),
}

_UNKNOWN = Code(500, "backend", "Error.")

# What a bare status stands for when a fault names no code. Our choice among the codes above.
USUAL_CODE = {
    400: "validation-error",
    401: "authentication-failed",
    403: "call-invalid-state",
    404: "resource-not-found",
    409: "call-update-conflict",
    429: "rate-limit-reached",
    500: "backend-protocol-support-failure",
    503: "gateway-unavailable",
}


@dataclass
class ApiError(Exception):
    """A request that is refused. ``ids`` become details, e.g. ``{"callId": "c-…"}``."""

    code: str
    message: str | None = None
    ids: dict[str, str] = field(default_factory=dict)
    status: int | None = None
    category: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    whole_body: Any = None

    @property
    def http_status(self) -> int:
        """The status of the answer: the table's, unless this error brings its own."""
        return self.status or CODES.get(self.code, _UNKNOWN).status

    def body(self, method: str, remote: str, path: str) -> dict[str, Any]:
        """Write the JSON body. Catapult "Errors": details name request and resource."""
        if isinstance(self.whole_body, dict):
            return self.whole_body
        row = CODES.get(self.code, _UNKNOWN)
        request = {"requestMethod": method, "remoteAddress": remote, "requestPath": path}
        message = self.message or row.message
        return {
            "category": self.category or row.category,
            "code": self.code,
            **({"message": message} if message else {}),
            "details": [
                {"name": name, "value": value} for name, value in (self.ids | request).items()
            ],
        }


class ControlError(Exception):
    """A request to the emulator's own controls that makes no sense; the text says what would."""
