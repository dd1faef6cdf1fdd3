"""A certificate that nobody vouches for, and TLS in front of a server that speaks none."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from pathlib import Path


class Certificate(NamedTuple):
    """Files in PEM form."""

    certificate: Path
    key: Path


def self_signed(folder: Path, name: str = "IP:127.0.0.1") -> Certificate:
    """Make a certificate for a host; `name` is its alternative name, as openssl writes it."""
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=redis", "-addext", f"subjectAltName={name}"),
            *("-keyout", made.key, "-out", made.certificate),
        ],
        check=True,
        capture_output=True,
    )
    return made


class TlsDoor:
    """Ends TLS, and hands what comes to a port of this host."""

    def __init__(self, behind: int, certificate: Certificate) -> None:
        self._behind = behind
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*certificate)
        self._server = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._server.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._open, args=(client,), daemon=True).start()

    def _open(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:  # one that does not trust us goes away
            outside = self._context.wrap_socket(client, server_side=True)
            with outside, socket.create_connection(("127.0.0.1", self._behind)) as inside:
                out = threading.Thread(target=_carry, args=(inside, outside), daemon=True)
                out.start()
                _carry(outside, inside)
                out.join()


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
