"""Reads single settings; what is wrong with one is said with its name, and nothing of a secret."""

from __future__ import annotations

import re
import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

TLS_CHECKED, TLS_UNCHECKED = "verify", "off"
SQLITE = "sqlite:///"
_REDIS = ("redis", "rediss")
_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}
_ID = re.compile(r"(?!\.+$)[\w.~@:+-]+", re.ASCII)
_HARMLESS = re.compile(r"[\w.,+ -]{1,20}", re.ASCII)
"""What of a value may be shown: a slip of the pen, and no URL that stands in the wrong place."""
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CHECKS = {"none": TLS_UNCHECKED, "required": TLS_CHECKED}
_OF_TLS = {"ssl_cert_reqs", "ssl_ca_certs"}
_PARAMETERS = ("db", "max_connections", "ssl_cert_reqs", "ssl_ca_certs")
_MOST_CONNECTIONS = 1000
_ENCODE = (
    "in user name and password, write @ as %40, / as %2F, ? as %3F, # as %23, [ as %5B, ] as %5D, "
    "% as %25"
)


class SettingsError(Exception):
    """A setting has a value that cannot be meant; the text names it and the way out."""


class LedgerPlace(NamedTuple):
    """Where the ledger is, and how the certificate of its server is checked."""

    url: str
    tls: str


class Reader:
    """Reads single variables of an environment; an empty one counts as not set."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._given = environment

    def text(self, name: str, default: str = "") -> str:
        """Return a value as it is. Nothing of it is shown: it may be a secret."""
        value = self._given.get(name, "").strip()
        for place, character in enumerate(value, 1):
            if not character.isprintable():
                raise SettingsError(
                    f"{name} has a character that cannot be printed (number {place} of "
                    f"{len(value)}), such as a line break; write it without"
                )
        return value or default

    def user(self, name: str) -> str:
        """Return a user name of HTTP Basic."""
        value = self.text(name)
        if ":" in value:
            raise SettingsError(f"{name} has a colon, which ends a user name; write it without")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Return yes or no."""
        value = self.text(name).lower()
        if value and value not in _TRUE | _FALSE:
            raise SettingsError(f"{name} is {_shown(value)}; write true or false")
        return value in _TRUE if value else default

    def number(self, name: str, default: float, least: float, most: float) -> float:
        """Return a number."""
        value = self.text(name)
        if not value:
            return default
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not least <= number <= most:
            raise SettingsError(f"{name} is {_shown(value)}; write a number from {least} to {most}")
        return number

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        """Return a whole number."""
        value = self.text(name)
        if value and _whole(value, least, most) is None:
            raise SettingsError(
                f"{name} is {_shown(value)}; write a whole number from {least} to {most}"
            )
        return int(value or default)

    def workers(self, name: str) -> int:
        """Return the number of workers. gunicorn reads it before us, and does not take blanks."""
        if name in self._given and not self.text(name):
            raise SettingsError(f"{name} is empty; write a whole number, or unset it")
        return self.whole(name, 2, 1, 256)

    def id(self, name: str) -> str:
        """Return an id of the platform."""
        value = self.text(name)
        if value and not _ID.fullmatch(value):
            raise SettingsError(f"{name} is not an id; it looks like u-abc123")
        return value

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        """Return one of some words."""
        value = self.text(name, default)
        for word in allowed:
            if value.lower() == word.lower():
                return word
        raise SettingsError(f"{name} is {_shown(value)}; write one of {', '.join(allowed)}")

    def file(self, name: str, default: str = "") -> str:
        """Return the path of a file, which may be missing but be no folder."""
        value = self.text(name, default)
        if value and Path(value).is_dir():
            raise SettingsError(f"{name} is a folder; write the path of a file")
        return value

    def url(self, name: str, default: str = "", *, query: bool = False) -> str:
        """Return an http(s) URL without credentials, and without a query if it may have none."""
        value = self.text(name, default)
        if not value:
            return ""
        wanted = "write it as https://host/path"
        if "@" in value:
            raise SettingsError(
                f"{name} has an @, as if it held a user name and a password; {wanted} without them"
            )
        parts = _split(value, ("http", "https"))
        if parts is None or _host(parts) is None:
            raise SettingsError(f"{name} is not an http(s) URL; {wanted}")
        if "#" in value or ("?" in value and not query):
            raise SettingsError(f"{name} has a ? or #; {wanted}, with nothing behind it")
        return value.rstrip("/")

    def tls(self, name: str) -> str:
        """Return how the certificate of a server is checked: `verify`, `off`, or by which file."""
        value = self.text(name)
        if value.lower() in {"", TLS_CHECKED, TLS_UNCHECKED}:
            return value.lower()
        return self._authorities(name, value)

    @staticmethod
    def _authorities(name: str, path: str) -> str:
        wanted = "write verify, off, or the path of a file with CA certificates (PEM)"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(cafile=path)
        except ssl.SSLError:
            raise SettingsError(f"{name} names a file without certificates; {wanted}") from None
        except OSError as error:
            raise SettingsError(
                f"{name} names a file that cannot be read ({error.strerror}); {wanted}"
            ) from None
        if not context.cert_store_stats()["x509"]:
            raise SettingsError(f"{name} names a file without certificates; {wanted}")
        return path

    def ledger(self, names: tuple[str, ...], default: str, tls_name: str) -> LedgerPlace:
        """Return the ledger's place, from the first of `names` that is set."""
        tls = self.tls(tls_name)
        name = next((each for each in names if self.text(each)), names[0])
        value = self.text(name, default)
        if value.startswith(SQLITE):
            _check_path(name, value.removeprefix(SQLITE))
            return LedgerPlace(value, tls or TLS_CHECKED)
        if value.partition("://")[0] not in _REDIS or "://" not in value:
            raise SettingsError(f"{name} must start with {SQLITE}, redis://, rediss://")
        parameters = _check_redis(name, value)
        if tls and _OF_TLS & parameters.keys():
            raise SettingsError(
                f"{name} says how the certificate is checked, and so does {tls_name}; keep "
                f"{tls_name} and take ssl_cert_reqs and ssl_ca_certs out of {name}"
            )
        if "ssl_ca_certs" in parameters:
            tls = self._authorities(f"{name}: ssl_ca_certs", parameters["ssl_ca_certs"])
        elif "ssl_cert_reqs" in parameters:
            tls = _CHECKS[parameters["ssl_cert_reqs"]]
        return LedgerPlace(value, tls or TLS_CHECKED)


def is_loopback(url: str) -> bool:
    """Return whether the host of a URL is this one."""
    host = urlsplit(url).hostname or ""
    if _is_address(host):
        return ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _check_path(name: str, path: str) -> None:
    if not path or path == ":memory:":
        raise SettingsError(f"{name} names no file after {SQLITE}")
    if re.search(r"[?#]|://|:[^/]*@", path):
        raise SettingsError(
            f"{name} must name a file after {SQLITE}, without ?, # or credentials: SQLite takes no "
            "parameters"
        )
    if path.endswith("/") or Path(path).is_dir():
        raise SettingsError(f"{name} is a folder; write the path of a file")


def _check_redis(name: str, url: str) -> dict[str, str]:
    """Return the parameters of a Redis URL.

    What is wrong with it is said without any piece of it: each may be one of the password.
    """
    scheme, _, rest = url.partition("://")
    if re.search(r"[][@/?#]", rest.rpartition("@")[0]) or "#" in rest:
        raise SettingsError(f"{name} has an @, /, ?, #, [ or ] where none can be; {_ENCODE}")
    if _BAD_ESCAPE.search(rest):
        raise SettingsError(f"{name} has a % without two hexadecimal digits; {_ENCODE}")
    example = f"{scheme}://user:password@host:6379/0"
    if not rest.strip("/"):
        raise SettingsError(f"{name} names no place after {scheme}://")
    parts = _split(url, _REDIS)
    host = _host(parts) if parts else None
    if parts is None or host is None:
        raise SettingsError(
            f"{name} has no host, or a host or port that cannot be; write {example}"
        )
    if not all(unquote(each or "").isprintable() for each in (parts.username, parts.password)):
        raise SettingsError(f"{name} has a character in its credentials that cannot be printed")
    parameters = _parameters(name, parts)
    number = parts.path.strip("/")
    if number and ("db" in parameters or _whole(number) is None):
        raise SettingsError(f"{name} must end with the number of one database; write {example}")
    return parameters


def _parameters(name: str, parts: SplitResult) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    found = dict(pairs)
    if not found.keys() <= set(_PARAMETERS) or len(found) < len(pairs):
        raise SettingsError(
            f"{name} has a parameter that is not known, or twice; known are "
            f"{', '.join(_PARAMETERS)}"
        )
    if parts.scheme != "rediss" and found.keys() & _OF_TLS:
        raise SettingsError(f"{name} has a parameter for TLS without TLS; write rediss://")
    if _whole(found.get("db", "0")) is None:
        raise SettingsError(f"{name}: db is the number of a database")
    if _whole(found.get("max_connections", "2"), 2, _MOST_CONNECTIONS) is None:
        raise SettingsError(f"{name}: max_connections is a number from 2 to {_MOST_CONNECTIONS}")
    if found.get("ssl_cert_reqs", "none") not in _CHECKS:
        raise SettingsError(f"{name}: ssl_cert_reqs is one of {', '.join(_CHECKS)}")
    return found


def _split(url: str, schemes: tuple[str, ...]) -> SplitResult | None:
    """Return the parts of a URL; None if it has none, or what stands in no URL."""
    if re.search(r"[\s\\]", url) or _BAD_ESCAPE.search(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in schemes and port != 0 else None


def _host(parts: SplitResult) -> str | None:
    """Return the host of a URL if there can be such a host."""
    host = parts.hostname or ""
    if ":" in host:
        return host if _is_address(host.partition("%")[0]) else None
    labels = host.removesuffix(".").split(".")
    fits = len(host) <= 253 and all(_LABEL.fullmatch(each) for each in labels)
    return host if fits else None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _whole(value: str, least: int = 0, most: int = 2**31 - 1) -> int | None:
    if not value.isdecimal() or len(value) > 10:
        return None
    return int(value) if least <= int(value) <= most else None


def _shown(value: str) -> str:
    return repr(value) if _HARMLESS.fullmatch(value) else "what cannot be shown here"
