"""Which requests to the controls come from a web page in a browser on the same machine.

The controls ask for no credentials. A page from anywhere can have its visitor's browser send
requests to them, and its host name can be made to mean this machine (DNS rebinding). People and
tests use neither.
"""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCAL_NAMES = (".localhost", ".local", ".internal")
_OF_FORMS = {"text/plain", "multipart/form-data"}
"""What a page can send elsewhere without being asked, and curl does only if told to."""
_OWN = {"none", "same-origin"}


def is_from_a_page(headers: Mapping[str, str]) -> bool:
    """Return whether a browser sent a request for a page that is not the emulator's own."""
    host = headers.get("host", "")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return (
        not _is_of_this_network(host)
        or headers.get("origin", f"http://{host}").lower() != f"http://{host}".lower()
        or headers.get("sec-fetch-site", "none").lower() not in _OWN
        or kind in _OF_FORMS
    )


def _is_of_this_network(host: str) -> bool:
    """Return whether a host is an address, or a name that nobody can have in the public DNS."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    with suppress(ValueError):
        return bool(ip_address(name.strip("[]")))
    return "." not in name or name.lower().endswith(_LOCAL_NAMES)
