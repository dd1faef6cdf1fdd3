"""gunicorn's gevent worker; what is no HTTP request gets an error of our one shape."""

from __future__ import annotations

import contextlib
import os
import time
from functools import partial
from typing import Any

import gevent
from flask import json
from gevent import socket
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.http.body import ChunkedReader  # type: ignore[import-untyped]
from gunicorn.http.errors import (  # type: ignore[import-untyped]
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.message import Request  # type: ignore[import-untyped]
from gunicorn.http.parser import Parser  # type: ignore[import-untyped]
from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]
from gunicorn.util import (  # type: ignore[import-untyped]
    close,
    close_graceful,
    write_nonblock,
)
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]


class TooSlowError(ParseException):  # type: ignore[misc]
    """A request did not arrive in time."""


class TooLargeError(ParseException):  # type: ignore[misc]
    """More of a request has arrived than is read."""


_STATUS = {
    TooSlowError: "408 Request Timeout",
    TooLargeError: "431 Request Header Fields Too Large",
    LimitRequestLine: "414 URI Too Long",
    ExpectationFailed: "417 Expectation Failed",
    LimitRequestHeaders: "431 Request Header Fields Too Large",
    UnsupportedTransferCoding: "501 Not Implemented",
}
_BODY = json.dumps({"error": {"code": "bad-request", "message": "this is no HTTP request"}})
_ARRIVAL = 10.0
"""Seconds within which a request must arrive, and for which an answer may find no room."""
_LARGEST_HEAD = 64 * 1024
"""Bytes of a request before its body."""
_LARGEST_BODY = 512 * 1024
"""Bytes of a body as it travels: chunks of a single byte take six times what they hold."""
_MOST_UNREAD = 64 * 1024
"""Bytes of a body that nobody has read and that is read away, so that the connection stays."""
_READ = 2 * 1024
"""Bytes that are read at a time; other connections have their turn before the next."""
_PAUSE = 1e-9
"""Seconds before each read. gevent looks at all sockets meanwhile; for 0 it would not each time."""
_PARTING = 1.0
"""Seconds in which a client that still sends can read its answer before we close."""
_LINGER = 0.5
"""Seconds that a stopping worker leaves to a request which may be on its way already."""


class Worker(GeventWorker):  # type: ignore[misc]
    """Stops as soon as what it has in hand is done; connections without a request do not hold it.

    It neither repeats nor logs what it could not read: there may be credentials in it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: set[_Arrivals] = set()
        self._pool = Pool()
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
        self._pool = Pool(self.worker_connections)
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
        server = StreamServer(listener, handle=handle, spawn=self._pool)
        server.max_accept = 1  # the other workers take the next one
        server.start()
        return server

    def _finish(self) -> None:
        started = time.monotonic()
        while self._pool:
            spent = time.monotonic() - started
            if spent > self.cfg.graceful_timeout:
                return
            if spent > _LINGER:
                for arrivals in self._waiting:
                    arrivals.end()
            self.notify()
            gevent.sleep(0.05)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Begin to stop."""
        super().handle_exit(sig, frame)
        if self._told_to_stop is not None:
            self._told_to_stop.set()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Answer the requests of one connection."""
        arrivals = _Arrivals(client, self.cfg.keepalive)
        parser = _Parser(self.cfg, client, addr)
        parser.unreader = arrivals
        is_read = True
        try:
            while True:
                self._waiting.add(arrivals)
                request = next(parser)
                self._waiting.discard(arrivals)
                arrivals.begin_body()
                client.settimeout(_ARRIVAL)
                is_last = self._answers_last(listener, request, client, addr)
                is_read = _discards_body(parser, arrivals)
                if is_last or not is_read:
                    return
                if arrivals.begin():  # it asks for more at once: others are served in between
                    gevent.sleep(_PAUSE)
        except (StopIteration, NoMoreData, OSError):
            return  # the client has gone, or does not read its answer, which is as good
        except Exception as error:  # noqa: BLE001 - whatever it is, it has an answer
            is_read = False
            self.handle_error(None, client, addr, error)
        finally:
            self._waiting.discard(arrivals)
            if not is_read:
                close_graceful(client, _PARTING)
            close(client)

    def _answers_last(self, listener: Any, request: Any, client: Any, addr: Any) -> bool:
        """Answer a request; return whether it was the last one of its connection."""
        try:
            self.handle_request(listener.getsockname(), request, client, addr)
        except StopIteration:
            return True
        return False

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


class _Request(Request):  # type: ignore[misc]
    """A request, which knows if its connection can be used for another one."""

    def should_close(self) -> bool:
        """Return whether no request follows: the client says so, or too much is left unread."""
        return bool(super().should_close() or self.body.failed or self._rest() > _MOST_UNREAD)

    def _rest(self) -> int:
        """Return how many bytes of the body are to come; in chunks, how many have come so far."""
        reader = self.body.reader
        if isinstance(reader, ChunkedReader):
            return int(self.unreader.taken) if reader.parser else 0
        return int(reader.length)


class _Parser(Parser):  # type: ignore[misc]
    """Reads the requests of a connection."""

    mesg_class = _Request


def _discards_body(parser: Any, arrivals: _Arrivals) -> bool:
    """Read away what nobody has read of a body; return whether the next request can be read."""
    arrivals.begin_rest()
    try:
        return bool(parser.finish_body())
    except (ParseException, OSError):
        return False


class _Arrivals(SocketUnreader):  # type: ignore[misc]
    """Reads what a client sends: so much of each part of a request, and in time.

    `taken` counts the bytes of the part at hand that have arrived. Others have their turn before
    each read, for a client that never pauses would otherwise have the worker to itself.
    """

    def __init__(self, sock: Any, patience: float) -> None:
        super().__init__(sock)
        self._patience = patience
        self._deadline: float | None = None
        self.taken = 0
        self._most = _LARGEST_HEAD

    def chunk(self, size_hint: int | None = None) -> bytes:  # noqa: ARG002 - gunicorn's signature
        """Return what has arrived; nothing when the client has gone, or is idle for too long."""
        gevent.sleep(_PAUSE)
        left = self._left()
        if left <= 0:
            raise TooSlowError
        if self.taken >= self._most:
            raise TooLargeError
        self.sock.settimeout(left)
        try:
            data: bytes = self.sock.recv(min(_READ, self._most - self.taken))
        except TimeoutError:
            if self._deadline is None:
                return b""
            raise TooSlowError from None
        if self._deadline is None:
            self._deadline = time.monotonic() + _ARRIVAL
        self.taken += len(data)
        return data

    def _left(self) -> float:
        return self._patience if self._deadline is None else self._deadline - time.monotonic()

    def begin(self) -> bool:
        """Wait for the next request; return whether it has begun already."""
        has_begun = self._begin(_LARGEST_HEAD)
        self._deadline = time.monotonic() + _ARRIVAL if has_begun else None
        return has_begun

    def begin_body(self) -> None:
        """Read the body of the request."""
        self._begin(_LARGEST_BODY)

    def begin_rest(self) -> None:
        """Read what is left of the body."""
        self._begin(_MOST_UNREAD)

    def _begin(self, most: int) -> bool:
        """Allow so many bytes from here; return whether some have arrived already."""
        self.taken, self._most = self.buf.tell(), most
        return self.taken > 0

    def end(self) -> None:
        """Read no more, unless a request has begun."""
        if self._deadline is None:
            with contextlib.suppress(OSError):
                # gevent's own would break off the waiting, even if a request has just arrived.
                self.sock._sock.shutdown(socket.SHUT_RD)  # noqa: SLF001


class Log(Logger):  # type: ignore[misc]
    """gunicorn's log without a line for each request: what happens to calls is told elsewhere."""

    access_log_enabled = False
