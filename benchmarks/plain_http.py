"""HTTP/1.1 with as little work as can be, both ways: the measured side shall need the processor."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_KEPT = 45.0
"""Seconds for which an idle connection is used again; the service closes it after 75."""


class Answer(NamedTuple):
    """What a request is answered with."""

    status: int
    body: Any = None
    location: str = ""


class Connections:
    """Sends requests to one port of this host over kept connections, as many as are needed."""

    def __init__(self, port: int, authorization: str) -> None:
        self._port = port
        self._head = f"HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        self._authorization = authorization
        self._idle: list[tuple[float, asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.made = 0

    async def post(self, path: str, body: Any, authorization: str = "") -> int:
        """Post JSON; return the status. A kept connection that was closed meanwhile is no error."""
        content = json.dumps(body)
        request = (
            f"POST {path} {self._head}Authorization: {authorization or self._authorization}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n{content}"
        ).encode()
        while (kept := self._take()) is not None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                return await self._exchange(request, *kept)
        self.made += 1
        return await self._exchange(
            request, *await asyncio.open_connection("127.0.0.1", self._port)
        )

    def _take(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        while self._idle:
            since, reader, writer = self._idle.pop()
            if time.monotonic() - since < _KEPT and not reader.at_eof():
                return reader, writer
            writer.close()
        return None

    async def _exchange(
        self, request: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> int:
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
        except BaseException:
            writer.close()
            raise
        self._idle.append((time.monotonic(), reader, writer))
        return int(head[9:12])

    def close(self) -> None:
        """Close the idle connections."""
        for _, _, writer in self._idle:
            writer.close()


async def serve(answer: Callable[[str, str, Any], Awaitable[Answer]]) -> asyncio.Server:
    """Serve on a free port of this host: `answer(method, path, body)` says what."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                content = await reader.readexactly(_length(head))
                method, path, _ = head.split(b" ", 2)
                body = json.loads(content) if content else None
                writer.write(_response(await answer(method.decode(), path.decode(), body)))
        writer.close()

    return await asyncio.start_server(converse, "127.0.0.1", 0, backlog=512)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


def _response(answer: Answer) -> bytes:
    content = "" if answer.body is None else json.dumps(answer.body)
    location = f"Location: {answer.location}\r\n" if answer.location else ""
    return (
        f"HTTP/1.1 {answer.status} -\r\n{location}Content-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n{content}"
    ).encode()
