from __future__ import annotations

import pytest

from web.origin import address_of, is_local

THEM, US = "198.51.100.7", "203.0.113.9"
OUR_NAMES = ["localhost", "LOCALHOST:5000", "127.0.0.1:5000", "127.1.2.3", "[::1]", "[::1]:80"]
FOREIGN_NAMES = [
    *("example.org", "router.example.org:443", "localhost.example.org", "127.0.0.1.example.org"),
    *("", "10.0.0.1", "[::2]", "localhost@example.org", "127.0.0.1 ", "::1"),
]
OF_A_PROXY = [
    *("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED"),
    *("HTTP_X_FORWARDED_PORT", "HTTP_X_FORWARDED_SERVER", "HTTP_X_FORWARDED", "HTTP_VIA"),
    *("HTTP_X_REAL_IP", "HTTP_CF_CONNECTING_IP", "HTTP_CF_RAY", "HTTP_TRUE_CLIENT_IP"),
    *("HTTP_X_CLIENT_IP", "HTTP_CLIENT_IP", "HTTP_X_CLUSTER_CLIENT_IP", "HTTP_FLY_CLIENT_IP"),
    *("HTTP_X_ORIGINAL_FORWARDED_FOR", "HTTP_X_ORIGINAL_HOST", "HTTP_X_ENVOY_EXTERNAL_ADDRESS"),
    *("HTTP_X_AMZN_TRACE_ID", "HTTP_X_AZURE_CLIENTIP", "HTTP_X_APPENGINE_USER_IP", "HTTP_CDN_LOOP"),
    *("HTTP_X_REMOTE_ADDR", "HTTP_X_REQUEST_START", "HTTP_FASTLY_CLIENT_IP", "HTTP_X_SCHEME"),
    *("HTTP_X_PROXYUSER_IP", "HTTP_FORWARDED_FOR", "HTTP_FRONT_END_HTTPS", "HTTP_X_ORIGIN_IP"),
]
OF_ANYBODY = [
    *("HTTP_USER_AGENT", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_CONNECTION", "HTTP_ORIGIN"),
    *("HTTP_AUTHORIZATION", "HTTP_X_PROMETHEUS_SCRAPE_TIMEOUT_SECONDS", "HTTP_X_REQUEST_ID"),
    *("HTTP_REFERER", "REMOTE_ADDR_X", "HTTP_COOKIE", "HTTP_UPGRADE_INSECURE_REQUESTS"),
]


def environ(peer: str, forwarded: str | None = None) -> dict[str, str]:
    return {"REMOTE_ADDR": peer} | (
        {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    )


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        (US, None, US),
        (US, THEM, US),
        ("10.1.2.3", None, "10.1.2.3"),
        ("10.1.2.3", THEM, THEM),
        ("172.16.0.1", f"127.0.0.1, {US},{THEM}", THEM),
        ("172.32.0.1", THEM, "172.32.0.1"),
        ("100.64.0.1", THEM, THEM),
        ("192.168.0.1", f"{THEM}:4711", THEM),
        ("127.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("::1", THEM, THEM),
        ("fd00::1", THEM, THEM),
        ("fe80::1", THEM, THEM),
        ("", THEM, THEM),
        ("127.0.0.1", "", "127.0.0.1"),
        # An entry may have brackets, a port, another spelling.
        ("127.0.0.1", f"[2001:db8::1]:{4711}", "2001:db8::1"),
        ("127.0.0.1", "[2001:DB8:0::1]", "2001:db8::1"),
        ("127.0.0.1", '"[2001:db8::1]:4711"', "2001:db8::1"),
        ("127.0.0.1", "2001:db8::1%eth0", "2001:db8::1"),
        ("127.0.0.1", "  1.2.3.4  ", "1.2.3.4"),
        ("127.0.0.1", "::ffff:1.2.3.4", "1.2.3.4"),
        ("127.0.0.1", "::FFFF:102:304", "1.2.3.4"),
        ("127.0.0.1", "[::ffff:1.2.3.4]:99", "1.2.3.4"),
        # What is no address tells nothing.
        ("127.0.0.1", "x" * 5000, "127.0.0.1"),
        ("127.0.0.1", "1" * 5000, "127.0.0.1"),
        ("127.0.0.1", "2001:db8::1%" + "x" * 100, "127.0.0.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "_hidden", "127.0.0.1"),
        ("127.0.0.1", f"{THEM},", "127.0.0.1"),
        ("127.0.0.1", "1.2.3.4.5", "127.0.0.1"),
        ("127.0.0.1", "010.1.2.3", "127.0.0.1"),
        ("127.0.0.1", "::1\x00", "127.0.0.1"),
        ("", "unknown", ""),
        # A peer that is mapped into IPv6 is the one that it is without.
        ("::ffff:203.0.113.9", THEM, US),
        ("::ffff:203.0.113.9", None, US),
        ("::ffff:10.1.2.3", THEM, THEM),
        ("::ffff:127.0.0.1", THEM, THEM),
        ("fe80::1%eth0", THEM, THEM),
        ("2001:db8::7", THEM, "2001:db8::7"),
        ("169.254.1.1", THEM, THEM),
        ("100.128.0.1", THEM, "100.128.0.1"),
    ],
)
def test_the_address_is_the_peers_or_what_the_hosts_proxy_says(
    peer: str, forwarded: str | None, address: str
) -> None:
    assert address_of(environ(peer, forwarded)) == address


@pytest.mark.parametrize(
    ("asked", "local"),
    [
        (environ("127.0.0.1"), True),
        (environ("::1"), True),
        (environ("::ffff:127.0.0.1"), True),
        (environ("127.0.0.1", "127.0.0.1"), False),
        (environ("127.0.0.1", ""), False),
        (environ("127.0.0.1") | {"HTTP_FORWARDED": "for=127.0.0.1"}, False),
        (environ("10.0.0.1"), False),
        (environ(""), False),
        (environ("::10"), False),
        (environ("nonsense"), False),
        (environ("::ffff:10.0.0.1"), False),
        (environ("127.9.9.9"), True),
        *((environ("127.0.0.1") | {"HTTP_HOST": host}, True) for host in OUR_NAMES),
        *((environ("127.0.0.1") | {"HTTP_HOST": host}, False) for host in FOREIGN_NAMES),
        *((environ("127.0.0.1") | {header: "x"}, False) for header in OF_A_PROXY),
        *((environ("127.0.0.1") | {header: "x"}, True) for header in OF_ANYBODY),
        (environ("127.0.0.1") | {"SERVER_PROTOCOL": "HTTP/1.0"}, False),
        (environ("127.0.0.1") | {"SERVER_PROTOCOL": "HTTP/1.1"}, True),
    ],
)
def test_what_comes_from_this_host(asked: dict[str, str], local: bool) -> None:
    assert is_local(asked) is local
