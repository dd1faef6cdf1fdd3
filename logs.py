"""Structured logs: one JSON object a line on stdout, phone numbers masked unless told otherwise."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_NUMBER = re.compile(
    r"(?:\+|%(?:25)*2B)\d(?:[ ().-]{0,2}\d){4,14}"  # +12125550142, also quoted or spaced
    r"|(?<![\w.-])\d{7,15}(?!\w|\.\d)"
    r"|(?<![\w.-])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\w)",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d\D{0,2}\d\D{0,2}\d\D{0,2}\d")
"""What every number has; most texts do not, and this is soon found out."""
_NO_FIELDS: dict[str, Any] = {}


@lru_cache(4096)
def masked(text: str) -> str:
    """Return `text` with every phone number cut down to its last four digits."""
    if not _DIGITS.search(text):
        return text
    return _NUMBER.sub(lambda match: "***" + match[0][-4:], text)


class JsonFormatter(logging.Formatter):
    """Writes a record, and the fields given as `extra={"fields": …}`, as one JSON object."""

    def __init__(self, *, mask: bool = True) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = getattr(record, "fields", _NO_FIELDS)
        if record.exc_info:
            fields = {**fields, "exception": self.formatException(record.exc_info)}
        said = record.name, record.getMessage(), fields
        return self.line(record.created, record.levelname, *said)

    def line(
        self, at: float, level: str, logger: str, message: str, fields: Mapping[str, Any]
    ) -> str:
        """Return the line of something that was said `at` (epoch seconds)."""
        line: dict[str, Any] = {
            "time": f"{_second(int(at))}.{int(at % 1 * 1000):03d}+00:00",
            "level": level,
            "logger": logger,
            "message": self._value(message),
        }
        for key, value in fields.items():
            line[key] = self._value(value)
        return _json(line)

    def _value(self, value: object) -> object:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        text = str(value)
        return masked(text) if self._mask else text


class Lines(logging.StreamHandler[TextIO]):
    """Standard output."""

    def __init__(self, *, mask: bool) -> None:
        super().__init__(sys.stdout)
        self._lines = JsonFormatter(mask=mask)
        self.setFormatter(self._lines)

    def say(self, level: int, logger: str, message: str, fields: Mapping[str, Any]) -> None:
        """Write a line; what cannot be written is dropped, for a call is worth more."""
        line = self._lines.line(time.time(), logging.getLevelName(level), logger, message, fields)
        with suppress(OSError, ValueError):
            self.stream.write(line + self.terminator)
            self.flush()


def say(logger: logging.Logger, level: int, message: str, fields: Mapping[str, Any]) -> None:
    """Log an event and its fields.

    With the handler of `configuration` no LogRecord is made, which takes longer than all the rest.
    """
    if not logger.isEnabledFor(level):
        return
    match logging.root.handlers:
        case [Lines() as lines]:
            lines.say(level, logger.name, message, fields)
        case _:
            logger.log(level, message, extra={"fields": fields})


@lru_cache(4)
def _second(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _json(line: dict[str, Any]) -> str:
    try:
        text = msgspec.json.encode(line)
    except UnicodeEncodeError:  # half of a surrogate pair
        return json.dumps(line)
    return text.decode() if text.isascii() else json.dumps(line)  # with escapes for the rest


def configuration(level: str, *, mask: bool) -> dict[str, Any]:
    """Return the `logging.config` dictionary for the service and for gunicorn.

    What logging finds out about the caller of each line, at a cost, is in none of our lines.
    """
    logging._srcfile = None  # noqa: SLF001 - see "Optimization" in logging's HOWTO
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "stdout": {"()": Lines, "mask": mask},
        },
        "root": {"level": level, "handlers": ["stdout"]},
        "loggers": {
            # Its DEBUG lines show request paths, and numbers in them.
            "urllib3": {"level": "WARNING"},
            "gunicorn.error": {"level": level, "propagate": True, "handlers": []},
            "gunicorn.access": {"level": "WARNING", "propagate": True, "handlers": []},
        },
    }
