"""HTTP Basic and bearer credentials, compared in constant time, and what becomes of wrong ones."""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from typing import TYPE_CHECKING

from web import metrics
from web.errors import too_many_tries, unauthorized
from web.origin import address_of, is_local

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Response

    from web.tries import Tries


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
    same = hmac.compare_digest(given.strip().encode("latin-1", "replace"), token.encode())
    return same and scheme.lower() == "bearer"


def refusal(
    environ: Mapping[str, str], scheme: str, tries: Tries, *, right: bool
) -> Response | None:
    """Return the answer to a request that may not pass, None if it may.

    `right` says whether its credentials are. Right ones are refused only where too many wrong ones
    came from, see `web.tries`. None at all is no try: a client may wait to be asked for them.
    """
    wait = 0.0
    if "HTTP_AUTHORIZATION" in environ:
        wait = tries.wait(
            address_of(environ), time.monotonic(), right=right, local=right and is_local(environ)
        )
    if right and not wait:
        return None
    answer = too_many_tries(wait) if wait else unauthorized(scheme)
    metrics.refused(answer.status_code)
    return answer
