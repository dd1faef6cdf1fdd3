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

_ESCAPE = r"%(?:25)*"
_DIGIT = rf"(?:\d|{_ESCAPE}3\d)"
_SIGN = r"[^\w\s%,:;\"'@=&?<>{}\[\]|\\]|[_ \t\u00a0\u2000-\u200a\u202f]|,(?!\s)"
_APART = rf"(?:{_SIGN}|{_ESCAPE}[2-9a-f][\da-f]){{0,3}}"
"""What may stand between two digits of one number, in any of the ways that people write it."""
_NUMBER = rf"[+(]{{0,2}}(?:{_ESCAPE}2B)?{_DIGIT}(?:{_APART}{_DIGIT}){{6,}}"
_PLUS_NUMBER = rf"(?:\+|{_ESCAPE}2B){_DIGIT}(?:{_APART}{_DIGIT}){{4,}}"
_DATE = r"\d{4}-[01]\d-[0-3]\d"
_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_NO_NUMBER = "|".join(
    (
        rf"(?<![\w+]){_DATE}(?:[T ]\d\d(?=:)|(?:[/ ]|\.\.){_DATE})?(?!{_APART}{_DIGIT})",
        r"(?<=\d:)\d\d\.\d{1,9}(?![\d.@-])",  # seconds
        rf"(?<![\w%.+:-])(?:[a-z]+://)?{_BYTE}(?:\.{_BYTE}){{3}}(?![\w.@-])(?::\d{{1,5}})?",
        r"(?<![\w%.+:-])(?=(?:\d*[a-f]){2})(?![\da-f]*\d{10})[\da-f]{16,}(?![\w.@-])",  # a hash
        # The id of a call: letters throughout, or no long number in it.
        r"(?<![\w%.+:-])c-(?:(?=(?:[\d-]*[a-z]){3})|(?![\da-z-]*\d{7}))[\da-z-]*[a-z][\da-z-]*(?![\w.@])",
    )
)
_ANY = re.compile(rf"(?P<kept>{_NO_NUMBER})|{_NUMBER}|{_PLUS_NUMBER}", re.IGNORECASE)
_LAST = re.compile(r"\d(?=(?:\D*\d){0,3}\D*$)")
_DIGITS = re.compile(r"(?:\d\D*){5}")
"""What every number has; most texts do not, and this is soon found out."""
_LONGEST, _SHORT = 8000, 250
"""Characters of a value that are written; of a text whose masked form is remembered."""
_NO_FIELDS: dict[str, Any] = {}


def masked(text: str) -> str:
    """Return `text` with every phone number cut down to its last four digits."""
    return _masked(text) if len(text) <= _SHORT else _mask(text)


def _mask(text: str) -> str:
    return _ANY.sub(_cut_down, text) if _DIGITS.search(text) else text


_masked = lru_cache(4096)(_mask)
"""Remembers: much is said again and again. What is long is not, and would take memory."""


def _cut_down(match: re.Match[str]) -> str:
    if match["kept"]:
        return match[0]
    digits = re.sub(_ESCAPE + "3", "", match[0], flags=re.IGNORECASE)
    return "***" + "".join(_LAST.findall(digits))


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
        if len(text) > _LONGEST:
            text = f"{text[:_LONGEST]}…"
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
