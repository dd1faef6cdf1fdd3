"""HTTP Basic and bearer credentials, compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hmac


def basic_matches(header: str | None, username: str, password: str) -> bool:
    """Return whether an Authorization header carries these Basic credentials (RFC 7617)."""
    scheme, _, encoded = (header or "").partition(" ")
    try:
        given = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        given = b""
    wanted = f"{username}:{password}".encode()
    same = hmac.compare_digest(given, wanted)
    return same and scheme.lower() == "basic"


def bearer_matches(header: str | None, token: str) -> bool:
    """Return whether an Authorization header carries this bearer token (RFC 6750)."""
    scheme, _, given = (header or "").partition(" ")
    same = hmac.compare_digest(given.strip().encode(), token.encode())
    return same and scheme.lower() == "bearer"
