"""Every error answer has one shape, and carries nothing that came in."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from flask import Response, json
from werkzeug.exceptions import HTTPException

if TYPE_CHECKING:
    from flask import Flask

_log = logging.getLogger("callrouter")
_CODES = {
    400: ("bad-request", "the request cannot be understood"),
    401: ("unauthorized", "credentials are missing or wrong"),
    404: ("not-found", "nothing is here"),
    405: ("method-not-allowed", "this method is not possible here"),
    413: ("too-large", "the body is larger than 64 KiB"),
    415: ("unsupported-media-type", "the body must be application/json"),
    429: ("too-many-tries", "wrong credentials came from this address too often"),
    500: ("internal-error", "something went wrong; the log says what"),
    503: ("unavailable", "the service cannot do this now"),
}


def error(status: int, code: str | None = None, message: str | None = None) -> Response:
    """Return an error answer: `{"error": {"code": …, "message": …}}`."""
    known_code, known_message = _CODES.get(status, ("error", "the request failed"))
    body = {"error": {"code": code or known_code, "message": message or known_message}}
    answer = Response(json.dumps(body), status, mimetype="application/json")
    if status == 413:  # nobody reads the rest, which would be taken for the next request
        answer.headers["Connection"] = "close"
    return answer


def unauthorized(scheme: str) -> Response:
    """Return a 401 with its challenge (RFC 7617 for Basic, RFC 6750 for Bearer)."""
    answer = error(401)
    charset = ', charset="UTF-8"' if scheme == "Basic" else ""
    answer.headers["WWW-Authenticate"] = f'{scheme} realm="call router"{charset}'
    return answer


def too_many_tries(seconds: float) -> Response:
    """Return a 429 that says in how many seconds to come again (RFC 6585)."""
    answer = error(429)
    answer.headers["Retry-After"] = str(math.ceil(seconds))
    return answer


def register(app: Flask) -> None:
    """Give every error of the application that shape."""
    app.register_error_handler(Exception, answer_to)


def answer_to(failure: Exception) -> Response:
    """Return the answer to a request that failed; what nobody expected is logged."""
    if not isinstance(failure, HTTPException):
        _log.error("unhandled", exc_info=failure)
        return error(500)
    answer = error(failure.code or 500)
    allowed = getattr(failure, "valid_methods", None)
    if failure.code == 405 and allowed:
        answer.headers["Allow"] = ", ".join(sorted(allowed))
    return answer
