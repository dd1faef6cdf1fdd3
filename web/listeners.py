"""The sockets that the service listens at: one for IPv4, and one for IPv6 where the host has it."""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import Any

from gunicorn.sock import TCP6Socket, TCPSocket  # type: ignore[import-untyped]
from gunicorn.systemd import listen_fds  # type: ignore[import-untyped]

_KINDS = ((socket.AF_INET, "0.0.0.0", TCPSocket), (socket.AF_INET6, "::", TCP6Socket))  # noqa: S104
_NO_SUCH_FAMILY = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT}


class PortError(Exception):
    """The port cannot be listened at; the text says why."""


def opened(port: int, config: Any, log: Any) -> list[Any]:
    """Return gunicorn's listeners; none if it inherits some, from systemd or an older gunicorn.

    Ends the process with one line if the port cannot be had.
    """
    if "GUNICORN_FD" in os.environ or listen_fds(unset_environment=False):
        return []
    try:
        return listen(port, config, log)
    except PortError as error:
        sys.exit(f"cannot start: PORT {port}: {error}")


def listen(port: int, config: Any, log: Any) -> list[Any]:
    """Return gunicorn's listeners for a port of every family that this host has.

    gunicorn's own IPv6 socket takes IPv4 too on most hosts, and would not be let beside another.
    Raises PortError if another program has the port.
    """
    found = []
    for family, host, kind in _KINDS:
        try:
            sock = socket.create_server((host, port), family=family, backlog=config.backlog)
        except OSError as error:
            if family == socket.AF_INET6 and error.errno in _NO_SUCH_FAMILY:
                continue
            raise PortError(_because(error)) from None
        found.append(kind((host, port), config, log, fd=sock.detach()))
    return found


def _because(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program listens there; stop it, or set another port"
    if error.errno == errno.EACCES:
        return "this user may not open it; set one from 1024 on"
    return error.strerror or "it cannot be opened"
