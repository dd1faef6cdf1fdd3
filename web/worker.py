"""gunicorn's gthread worker; what is no HTTP request gets an error of our one shape."""

from __future__ import annotations

import contextlib
from typing import Any

from flask import json
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.util import write_nonblock  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

_STATUS = {
    LimitRequestLine: "414 URI Too Long",
    ExpectationFailed: "417 Expectation Failed",
    LimitRequestHeaders: "431 Request Header Fields Too Large",
    UnsupportedTransferCoding: "501 Not Implemented",
}
_BODY = json.dumps({"error": {"code": "bad-request", "message": "this is no HTTP request"}})


class Worker(ThreadWorker):  # type: ignore[misc]
    """Neither repeats nor logs what it could not read: there may be credentials in it."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a request that could not be read."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("Invalid request: %s", type(exc).__name__)
        status = _STATUS.get(type(exc), "400 Bad Request")
        answer = (
            f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(_BODY)}\r\n\r\n{_BODY}"
        )
        with contextlib.suppress(OSError):
            write_nonblock(client, answer.encode())
