"""Where a request comes from: this host, its proxy, or who spoke to the proxy."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_NEAR = [
    ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10"),
    )
]
"""Networks in which a host's proxy may be."""
_OF_A_PROXY = re.compile(
    r"_FORWARDED|HTTP_(?:VIA\b|CF_|CDN_|FLY_|FASTLY_|FRONT_END_)"
    r"|HTTP_X_(?:AMZN_|APPENGINE_|ARR_|AZURE_|ENVOY_|NF_|ORIGINAL_|REWRITE_|VERCEL_)"
    r"|HTTP_X_(?:REQUEST_START|SCHEME|URL_SCHEME)\b"
    r"|_(?:CLIENT|CONNECTING|ORIGIN|PROXYUSER|REAL|REMOTE|SOURCE|USER)_?(?:IP|ADDR)\b"
)
"""Headers that only proxies add."""
_OUR_NAME = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d*)?", re.IGNORECASE)
_LONGEST = 64
"""Characters of an address with brackets and port; what is longer is none."""


class _Place(NamedTuple):
    address: str
    is_near: bool
    is_loopback: bool


def is_local(environ: Mapping[str, str]) -> bool:
    """Return whether a request comes from this host, and not through a proxy on it.

    Behind a proxy of the same host everybody seems to come from loopback. The proxy shows by a
    header that it adds, by the name that the client asked for, or by HTTP/1.0, which proxies
    speak if they are not told otherwise, and clients hardly.
    """
    place = _place(environ.get("REMOTE_ADDR", ""))
    return (
        place is not None
        and place.is_loopback
        and environ.get("SERVER_PROTOCOL") != "HTTP/1.0"
        and _OUR_NAME.fullmatch(environ.get("HTTP_HOST", "localhost")) is not None
        and _OF_A_PROXY.search(" ".join(environ)) is None
    )


def address_of(environ: Mapping[str, str]) -> str:
    """Return the address that a request comes from: the peer, or who spoke to the host's proxy.

    Only the last entry of X-Forwarded-For is the proxy's; what stands before it came in. An entry
    that is no address tells nothing, and the request counts as the proxy's own.
    """
    peer = environ.get("REMOTE_ADDR", "")
    place = _place(peer)
    forwarded = environ.get("HTTP_X_FORWARDED_FOR")
    if forwarded and (place.is_near if place else not peer):  # a Unix socket has no address
        place = _place(forwarded.rpartition(",")[2].strip()[: _LONGEST + 1]) or place
    return place.address if place else peer


@lru_cache(4096)
def _place(text: str) -> _Place | None:
    """Return what is known of an address, written with or without brackets and port."""
    if len(text) > _LONGEST:
        return None
    host = text.strip('"')
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    is_near = any(address in network for network in _NEAR)
    return _Place(str(address), is_near, address.is_loopback)
