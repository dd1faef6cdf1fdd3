"""Builds, starts and asks the stand-in for the platform's API, which is `upstream.c`."""

from __future__ import annotations

import json
import ssl
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import TYPE_CHECKING

import certifi

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOURCE = Path(__file__).with_name("upstream.c")


@dataclass(frozen=True)
class Counts:
    """What reached the API so far.

    `repeated` counts transfers of a call that had been transferred, `others` requests that were
    no transfer, `connections` those that were opened.
    """

    transfers: int
    repeated: int
    others: int
    connections: int
    malformed: int

    def since(self, before: Counts) -> Counts:
        """Return what came after `before`."""
        pairs = zip(vars(self).values(), vars(before).values(), strict=True)
        return Counts(*(now - then for now, then in pairs))


@dataclass(frozen=True)
class Upstream:
    """A running stand-in: where it listens, whom its clients trust, where it tells its counts."""

    origin: str
    trusted: Path | None
    _control: HTTPConnection

    def counts(self) -> Counts:
        """Return what has been counted."""
        self._control.request("GET", "/_control")
        return Counts(**json.loads(self._control.getresponse().read()))


@dataclass(frozen=True)
class Workshop:
    """A folder with the program, its certificate, and what its clients trust."""

    program: Path
    certificate: Path
    key: Path
    trusted: Path

    @contextmanager
    def upstream(self, latency_ms: float, *, tls: bool) -> Iterator[Upstream]:
        """Run a stand-in that takes so many milliseconds for each answer."""
        secrets = [self.certificate, self.key] if tls else []
        with subprocess.Popen(
            [self.program, str(latency_ms), *secrets],
            stdin=subprocess.PIPE,  # it ends when this does
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            port = int(process.stdout.readline())
            control: HTTPConnection
            if tls:
                trust = ssl.create_default_context(cafile=str(self.certificate))
                control = HTTPSConnection("127.0.0.1", port, context=trust)
            else:
                control = HTTPConnection("127.0.0.1", port)
            scheme = "https" if tls else "http"
            trusted = self.trusted if tls else None
            yield Upstream(f"{scheme}://127.0.0.1:{port}", trusted, control)
            control.close()


def build(folder: Path) -> Workshop:
    """Compile the program and make a certificate for loopback, both into `folder`.

    Clients trust it beside the authorities that they trust in earnest: to read those is what a
    client pays that makes a TLS context for each request.
    """
    shop = Workshop(*(folder / name for name in ("upstream", "own.pem", "key.pem", "trusted.pem")))
    flags = ["-O2", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        ["cc", *flags, "-o", shop.program, _SOURCE, "-lssl", "-lcrypto"],
        check=True,
    )
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"),
            *("-addext", "keyUsage=critical,digitalSignature,keyCertSign"),
            *("-keyout", shop.key, "-out", shop.certificate),
        ],
        check=True,
        capture_output=True,
    )
    shop.trusted.write_bytes(Path(certifi.where()).read_bytes() + shop.certificate.read_bytes())
    return shop
