"""The HTTP server: connections that stay open, one thread for each."""

from __future__ import annotations

import contextlib
import logging
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from emulator import api, control
from emulator.browsers import is_from_a_page
from emulator.messages import Answer, Request, json_answer
from emulator.platform import Platform, Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_logger = logging.getLogger(__name__)
_LARGEST_BODY = 1024 * 1024
_PIECES = 5
"""In how many parts a slow body is sent."""
_AT_ONCE = struct.pack("ii", 1, 0)
"""The option of a socket whose end the other side sees as a reset."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    answer: Callable[[Request], Answer]

    def __init__(self, place: tuple[str, int]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(place, _Connection)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection and remember it."""
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and forget it."""
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Close the port and every connection."""
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show what went wrong, unless it is only that a client went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def _respond(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or "Transfer-Encoding" in self.headers:
            self.send_error(411)
            self.close_connection = True
            return
        if int(length) > _LARGEST_BODY:
            self.send_error(413)
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(length))
        remote = str(self.client_address[0])
        self._send(self.server.answer(Request(self.command, self.path, headers, body, remote)))

    def _send(self, answer: Answer) -> None:
        if answer.drop:
            self.close_connection = True
            if answer.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                socket.close(self.connection.detach())
            else:
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.slow_s:
            self._trickle(answer.body, answer.slow_s / _PIECES)
        else:
            self.wfile.write(answer.body)
        self.wfile.flush()

    def _trickle(self, body: bytes, pause_s: float) -> None:
        size = len(body) // _PIECES + 1
        for start in range(0, len(body), size):
            self.wfile.flush()
            time.sleep(pause_s)
            self.wfile.write(body[start : start + size])

    # http.server finds a method's handler by this name.
    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _respond  # noqa: N815 - see above

    def version_string(self) -> str:
        """Return what the Server header says."""
        return "emulator"

    def log_message(self, *_args: Any) -> None:
        """Say nothing; the emulator keeps its own log."""


class Emulator:
    """A phone company in a box, on a port of this machine.

    >>> with Emulator(callback_url="http://127.0.0.1:5000/callbacks") as phone_company:
    ...     call_id = phone_company.dial("+12125550100", "+19195550100")
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self._server = _Server((host, port))
        self._server.answer = self._answer
        shown = "127.0.0.1" if host in {"", "0.0.0.0"} else host  # noqa: S104 - it is compared
        self.origin = f"http://{shown}:{self._server.server_address[1]}"
        self.url = f"{self.origin}/v1"
        self.platform = Platform(self.settings, self.origin)

    def start(self) -> Self:
        """Serve from a thread."""
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.05,), name="emulator-server", daemon=True).start()
        return self

    def serve(self) -> None:
        """Serve from this thread until interrupted."""
        self._server.serve_forever()

    def stop(self) -> None:
        """Close the port and let every call fall silent."""
        self._server.hang_up()
        self.platform.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def reset(self) -> None:
        """As new: no calls, no faults, an empty log, the switches it was started with."""
        old, self.platform = self.platform, Platform(self.settings, self.origin)
        old.close()

    def _answer(self, request: Request) -> Answer:
        try:
            return self._route(request)
        except Exception:
            _logger.exception("the emulator failed to answer %s %s", request.method, request.path)
            return json_answer(500, {"error": "the emulator itself has failed; its log says how"})

    def _route(self, request: Request) -> Answer:
        if request.segments[:1] == ["v1"]:
            return api.handle(self.platform, request)
        if is_from_a_page(request.headers):
            return json_answer(403, {"error": "the controls are not for pages in a browser"})
        if (request.method, request.path) == ("POST", "/_control/reset"):
            self.reset()
            return json_answer(200, {})
        if request.segments[:1] == ["_control"]:
            return control.handle(self.platform, request)
        return json_answer(404, {"error": "the API is below /v1, the controls below /_control"})

    # The controls, for tests in the same process; they raise ControlError

    def _control(self, name: str, _id: str = "", **values: Any) -> Any:
        with self.platform.exchange.lock:
            return control.CONTROLS[name](self.platform, values, _id)

    def dial(self, from_: str, to: str, **more: Any) -> str:
        """Let a person dial; returns the call's id. ``more``: diversion, displayName, withheld."""
        return str(self._control("POST calls", **{"from": from_, "to": to, **more})["callId"])

    def hang_up(self, call_id: str) -> None:
        """Let the person on this leg hang up."""
        self._control("POST calls/{}/hangup", call_id)

    def press(self, call_id: str, digits: str) -> None:
        """Let the person on this leg press keys."""
        self._control("POST calls/{}/digits", call_id, digits=digits)

    def destination(self, number: str, does: str = "answer", **more: Any) -> None:
        """How ``number`` behaves; ``more`` may hold after, talk (seconds) and cause."""
        self._control("POST destinations", number=number, does=does, **more)

    def switch(self, **values: Any) -> None:
        """Set switches by name."""
        self._control("POST switches", **values)

    def fault(self, does: str, **more: Any) -> None:
        """Make something go wrong; ``more`` holds on, times, status, code, seconds and so on."""
        self._control("POST faults", does=does, **more)

    def calls(self) -> list[dict[str, Any]]:
        """All legs, and who is connected with whom."""
        return list(self._control("GET calls"))

    def log(self, kind: str | None = None) -> list[dict[str, Any]]:
        """All entries of the log, or those of kind ``request``, ``callback`` or ``leg``."""
        return self.platform.log.entries(kind=kind)

    def problems(self) -> list[dict[str, Any]]:
        """Callbacks that were not answered with 2xx."""
        return self.platform.log.problems()

    def wait_for(self, wanted: Callable[[], Any], seconds: float = 5.0) -> Any:
        """Ask until the answer is true and return it; raises TimeoutError."""
        end = time.monotonic() + seconds
        while not (found := wanted()):
            if time.monotonic() > end:
                raise TimeoutError(f"not within {seconds} s")
            time.sleep(0.005)
        return found
