"""What can go wrong when the platform is asked for something.

The tree is drawn along the one question that matters to a call: was it done?

CatapultError
├── RefusedError             no, for good: trying the same again is useless
│   ├── CallNotActiveError   the call is over, or in a state that does not allow this
│   └── AccountError         credentials or money: an alarm, every call will meet it
├── TryAgainError            no, but the same request may be repeated after `wait`
│   └── UnreachableError     no connection, so nothing was sent
└── UnknownOutcomeError      perhaps: it was sent and what became of it is not known

The text of an error is safe to log: status and code, never a number, a body or a credential.
Source of the statuses and codes: "Catapult: Errors", unless a row says otherwise.
"""

from __future__ import annotations

from fnmatch import fnmatchcase


class CatapultError(Exception):
    """Any failure of a request to the platform.

    `status` is the HTTP status, None without an answer. `code` and `category` are the platform's
    words, "" when it gave none. `message` is its sentence for people: it may hold phone numbers,
    so it is not part of str() and belongs in no log.
    """

    def __init__(
        self,
        summary: str,
        *,
        status: int | None = None,
        code: str = "",
        category: str = "",
        message: str = "",
    ) -> None:
        super().__init__(summary)
        self.status = status
        self.code = code
        self.category = category
        self.message = message


class RefusedError(CatapultError):
    """The platform said no for good: nothing was done and a repetition would not help."""


class CallNotActiveError(RefusedError):
    """The call is over, unknown, or in a state that does not allow this."""

    @property
    def is_unknown(self) -> bool:
        """Whether the platform does not know the call (any more): there is nothing to ask for."""
        return self.status == 404


class AccountError(RefusedError):
    """Credentials, permissions or money: nothing will work until somebody acts."""


class TryAgainError(CatapultError):
    """Certainly not executed; may be repeated.

    `wait` is how many seconds the platform asks to wait first, None when it did not say.
    """

    wait: float | None = None


class UnreachableError(TryAgainError):
    """No connection was made (name, route, time, TLS): nothing was sent."""


class UnknownOutcomeError(CatapultError):
    """Sent, but whether it was done is unknown: look before doing it again."""


# Status, category, code -> class; the first row that fits decides and the last one fits all.
_CLASSES: tuple[tuple[str, str, str, type[CatapultError]], ...] = (
    ("401", "*", "*", AccountError),
    ("*", "credit", "*", AccountError),
    ("*", "payment", "*", AccountError),
    ("403", "*", "application-access-denied", AccountError),
    # Another user's path is 401 on one page and 403 on another ("Catapult: Security").
    ("403", "*", "user-access-denied", AccountError),
    ("404", "*", "user-not-found", AccountError),
    ("403", "*", "call-invalid-state", CallNotActiveError),
    ("404", "*", "call-not-found", CallNotActiveError),
    ("429", "*", "*", TryAgainError),
    ("403", "limit", "*", TryAgainError),
    ("403", "*", "call-rate-limit", TryAgainError),
    ("409", "*", "*-update-conflict", TryAgainError),
    ("503", "*", "call-unavailable", TryAgainError),
    # A code that names the operation says that it failed; one that names a part of the platform
    # (gateway-unavailable, media-unavailable) leaves open how far the request had come.
    ("503", "*", "call-transfer-error", RefusedError),
    ("503", "*", "call-creation-failure", RefusedError),
    ("503", "*", "audio-update-failure", RefusedError),
    ("503", "*", "bridge-create-error", RefusedError),
    ("503", "*", "bridge-update-error", RefusedError),
    ("503", "*", "speak-error", RefusedError),
    ("4??", "*", "*", RefusedError),
    ("*", "*", "*", UnknownOutcomeError),
)


def error_class(status: int, category: str, code: str) -> type[CatapultError]:
    """Return the class that an unsuccessful answer belongs to; code and category may be ""."""
    return next(
        kind
        for *patterns, kind in _CLASSES
        if all(map(fnmatchcase, (str(status), category, code), patterns))
    )
