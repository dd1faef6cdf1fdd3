"""A request and an answer, free of sockets."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote


@dataclass
class Request:
    """What came in; ``remote`` is the client's address, ``headers`` have lower-case names."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    remote: str = "127.0.0.1"

    @property
    def path(self) -> str:
        """The path as it was sent, without query and trailing slashes."""
        return self.target.partition("?")[0].rstrip("/")

    @property
    def segments(self) -> list[str]:
        """The path's parts, decoded one by one, so that ``%2F`` splits nothing."""
        return [unquote(part) for part in self.path.split("/") if part]

    @property
    def query(self) -> dict[str, str]:
        """The query parameters; the last one of a name counts."""
        return dict(parse_qsl(self.target.partition("?")[2], keep_blank_values=True))

    def json(self) -> Any:
        """Parse the body; None if it is empty. Raises ValueError."""
        try:
            return json.loads(self.body) if self.body.strip() else None
        except RecursionError:
            raise ValueError("nested too deeply") from None


@dataclass
class Answer:
    """What goes back, the body within ``slow_s`` seconds.

    ``drop`` closes the connection and sends nothing at all, ``reset`` with it breaks it off.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False
    reset: bool = False
    slow_s: float = 0.0


def json_answer(status: int, value: Any, headers: dict[str, str] | None = None) -> Answer:
    """Make an answer with a JSON body."""
    content = {"Content-Type": "application/json"}
    return Answer(status, json.dumps(value).encode(), content | (headers or {}))
