"""gunicorn's gevent worker; what is no HTTP request gets an error of our one shape."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent
from flask import json
from gevent import socket
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.util import write_nonblock  # type: ignore[import-untyped]
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Iterator


class TooSlowError(ParseException):  # type: ignore[misc]
    """A request did not arrive in time."""


_STATUS = {
    TooSlowError: "408 Request Timeout",
    LimitRequestLine: "414 URI Too Long",
    ExpectationFailed: "417 Expectation Failed",
    LimitRequestHeaders: "431 Request Header Fields Too Large",
    UnsupportedTransferCoding: "501 Not Implemented",
}
_BODY = json.dumps({"error": {"code": "bad-request", "message": "this is no HTTP request"}})
_ARRIVAL = 10.0
"""Seconds within which a body must arrive, and for which an answer may find no room."""
_LINGER = 0.5
"""Seconds that a stopping worker leaves to a request which may be on its way already."""


class Worker(GeventWorker):  # type: ignore[misc]
    """Stops as soon as what it has in hand is done; connections without a request do not hold it.

    It neither repeats nor logs what it could not read: there may be credentials in it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: dict[Any, gevent.Timeout] = {}
        self._pools: list[Pool] = []
        self._told_to_stop: Event | None = None

    def patch(self) -> None:
        """Let greenlets wait at the listeners; gunicorn.conf.py has seen to everything else."""
        self.sockets: list[Any] = [
            socket.socket(each.FAMILY, socket.SOCK_STREAM, fileno=each.sock.detach())
            for each in self.sockets
        ]

    def run(self) -> None:
        """Serve until told to stop, then finish what is in hand."""
        self._told_to_stop = Event()
        servers = [self._serve(listener) for listener in self.sockets]
        while self.alive:
            self.notify()
            self._told_to_stop.wait(1.0)
        for server in servers:
            server.stop_accepting()
        self._finish()
        for server in servers:
            server.stop(timeout=1)

    def notify(self) -> None:
        """Tell the master that we live; without a master, finish what is in hand and end."""
        super(GeventWorker, self).notify()  # the gevent worker's own drops what is in hand
        if self.ppid != os.getppid():
            self.alive = False

    def _serve(self, listener: Any) -> StreamServer:
        listener.setblocking(True)
        handle = partial(self.handle, listener)
        pool = Pool(self.worker_connections)
        self._pools.append(pool)
        server = StreamServer(listener, handle=handle, spawn=pool)
        server.max_accept = 1  # the other workers take the next one
        server.start()
        return server

    def _finish(self) -> None:
        started = time.monotonic()
        while any(pool for pool in self._pools):
            spent = time.monotonic() - started
            if spent > self.cfg.graceful_timeout:
                return
            if spent > _LINGER:
                for greenlet in list(self._waiting):
                    gevent.get_hub().loop.run_callback(self._let_go, greenlet)
            self.notify()
            gevent.sleep(0.05)

    def _let_go(self, greenlet: Any) -> None:
        """End a connection, unless its next request has come since: that one is answered."""
        patience = self._waiting.get(greenlet)
        if patience is not None:
            greenlet.throw(patience)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop."""
        super().handle_exit(sig, frame)
        if self._told_to_stop is not None:
            self._told_to_stop.set()

    @contextlib.contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Bound the time in which the next request of a connection must come."""
        greenlet = gevent.getcurrent()
        with gevent.Timeout(self.cfg.keepalive, False) as patience:  # type: ignore[arg-type]
            self._waiting[greenlet] = patience
            try:
                yield
            finally:
                del self._waiting[greenlet]

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer a request; a client that does not read its answer is as good as gone."""
        req.body.reader = _Timely(req.body.reader)
        sock.settimeout(_ARRIVAL)
        try:
            super().handle_request(listener_name, req, sock, addr)
        except TimeoutError as full:
            raise BrokenPipeError(errno.EPIPE, "the answer is not read") from full
        sock.settimeout(None)
        if req.unreader.buf.tell():  # it asks for more at once: others are served in between
            gevent.sleep(0)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
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


class _Timely:
    """Reads a body, as long as it arrives in time."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self._deadline = time.monotonic() + _ARRIVAL

    def read(self, size: int) -> bytes:
        with gevent.Timeout(max(0.0, self._deadline - time.monotonic()), TooSlowError):
            data: bytes = self._reader.read(size)
            return data
