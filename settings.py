"""Settings, from environment variables only. Nothing here talks to anything."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from catapult.transfer import InvalidParameterError, check_url

if TYPE_CHECKING:
    from collections.abc import Mapping

LEGS_PATH = "/callbacks/catapult/legs/"
PLATFORM_URL = "https://api.catapult.inetwork.com/v1"
_ID = re.compile(r"(?!\.+$)[\w.~@:+-]+", re.ASCII)
_LEDGERS = ("sqlite:///", "redis://", "rediss://")
_TRUE, _FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}


class SettingsError(Exception):
    """A setting has a value that cannot be meant; the text names it and the way out."""


@dataclass(frozen=True)
class Settings:
    """Everything a deployment sets. `from_environment` documents which variable is which."""

    user_id: str = ""
    api_token: str = ""
    api_secret: str = field(default="", repr=False)
    api_url: str = PLATFORM_URL
    public_url: str = ""
    callback_username: str = ""
    callback_password: str = field(default="", repr=False)
    callback_auth: bool = True
    auto_answer: bool = True
    rules_path: str = "routing_rules.yaml"
    ledger_url: str = "sqlite:///var/ledger.sqlite3"
    ledger_days: float = 30
    copies_path: str = ""
    """Where the workers of this host keep copies of calls while Redis is away."""
    callback_budget: float = 8.0
    """Seconds within which a callback is answered, retries included."""
    port: int = 5000
    workers: int = 2
    ring_tone_url: str = ""
    dyno: str = ""
    """The name that a Heroku-style host gives to this instance, such as web.1."""
    metrics_token: str = field(default="", repr=False)
    log_level: str = "INFO"
    log_numbers: str = "masked"

    def missing(self) -> list[str]:
        """Return one line for each setting without which no call may be taken."""
        needed = {
            "BANDWIDTH_USER_ID": self.user_id,
            "BANDWIDTH_API_TOKEN": self.api_token,
            "BANDWIDTH_API_SECRET": self.api_secret,
        }
        names = [name for name, value in needed.items() if not value]
        lines = []
        if names:
            lines.append(f"{', '.join(names)} missing: set the credentials of the account")
        if self.callback_auth and not (self.callback_username and self.callback_password):
            lines.append(
                "CALLBACK_USERNAME, CALLBACK_PASSWORD missing: set them, and put them into the "
                "application's incomingCallUrl (CALLBACK_AUTH=off would let anybody in)"
            )
        if self.ledger_url.startswith("sqlite:") and self.dyno not in {"", "web.1"}:
            lines.append(
                f"LEDGER_URL is a file, but this is {self.dyno}: several dynos share no disk, and "
                "calls would be transferred twice; set REDIS_URL"
            )
        return lines

    @property
    def tone_url(self) -> str:
        """Where the ringing tone is that a caller hears while a ring group is called."""
        return self.ring_tone_url or f"{self.public_url}/media/ringing.wav"

    def leg_callback_url(self, token: str) -> str | None:
        """Return where the platform sends the events of the leg that `token` names.

        The credentials stand in the URL; the platform sends them as a header ("Catapult:
        Callback security"). None without a PUBLIC_URL.
        """
        return f"{self._legs_url}{token}" if self.public_url else None

    @cached_property
    def _legs_url(self) -> str:
        parts = urlsplit(self.public_url)
        host = parts.netloc.rpartition("@")[2]
        if self.callback_auth:
            user, password = quote(self.callback_username, ""), quote(self.callback_password, "")
            host = f"{user}:{password}@{host}"
        return urlunsplit((parts.scheme, host, parts.path.rstrip("/") + LEGS_PATH, "", ""))


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return the settings that the variables give.

    Raises SettingsError for a value that is not possible; an empty variable counts as not set.
    """
    given = {name: value.strip() for name, value in environment.items() if value.strip()}
    read = _Reader(given)
    defaults = {each.name: each.default for each in fields(Settings)}
    return Settings(
        user_id=read.id("BANDWIDTH_USER_ID"),
        api_token=given.get("BANDWIDTH_API_TOKEN", ""),
        api_secret=given.get("BANDWIDTH_API_SECRET", ""),
        api_url=read.url("BANDWIDTH_API_URL", PLATFORM_URL),
        public_url=read.url("PUBLIC_URL", ""),
        callback_username=given.get("CALLBACK_USERNAME", ""),
        callback_password=given.get("CALLBACK_PASSWORD", ""),
        callback_auth=read.flag("CALLBACK_AUTH", True),
        auto_answer=read.flag("AUTO_ANSWER", True),
        rules_path=given.get("ROUTING_RULES", "routing_rules.yaml"),
        ledger_url=read.ledger(str(defaults["ledger_url"])),
        copies_path=given.get("LEDGER_COPIES", ""),
        ledger_days=read.number("LEDGER_DAYS", 30, 0.01, 3650),
        callback_budget=read.number("CALLBACK_BUDGET", 8, 0.5, 10),
        port=read.whole("PORT", 5000, 1, 65_535),
        workers=read.whole("WEB_CONCURRENCY", 2, 1, 256),
        dyno=given.get("DYNO", ""),
        ring_tone_url=read.url("RING_TONE_URL", ""),
        metrics_token=given.get("METRICS_TOKEN", ""),
        log_level=read.choice(
            "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
        ),
        log_numbers=read.choice("LOG_NUMBERS", "masked", ("masked", "full")),
    )


class _Reader:
    """Reads single variables; what is wrong with one is said with its name."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given

    def flag(self, name: str, default: bool) -> bool:
        value = self._given.get(name)
        if value is None:
            return default
        if value.lower() not in _TRUE | _FALSE:
            raise SettingsError(f"{name} is {value!r}; write true or false")
        return value.lower() in _TRUE

    def number(self, name: str, default: float, least: float, most: float) -> float:
        value = self._given.get(name)
        if value is None:
            return default
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not least <= number <= most:
            raise SettingsError(f"{name} is {value!r}; write a number from {least} to {most}")
        return number

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        value = self._given.get(name)
        if value is None:
            return default
        if not value.isdecimal() or not least <= int(value) <= most:
            raise SettingsError(f"{name} is {value!r}; write a whole number from {least} to {most}")
        return int(value)

    def id(self, name: str) -> str:
        value = self._given.get(name, "")
        if value and not _ID.fullmatch(value):
            raise SettingsError(f"{name} is not an id; it looks like u-abc123")
        return value

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self._given.get(name, default)
        for word in allowed:
            if value.lower() == word.lower():
                return word
        raise SettingsError(f"{name} is {value!r}; write one of {', '.join(allowed)}")

    def url(self, name: str, default: str) -> str:
        value = self._given.get(name, default)
        if not value:
            return ""
        try:
            return check_url(name, value).rstrip("/")
        except InvalidParameterError as error:
            raise SettingsError(
                f"{name} is not an http(s) URL; write it as https://host/path"
            ) from error

    def ledger(self, default: str) -> str:
        name = "LEDGER_URL" if "LEDGER_URL" in self._given else "REDIS_URL"
        value = self._given.get(name, default)
        kind = next((each for each in _LEDGERS if value.startswith(each)), None)
        if kind is None:
            raise SettingsError(f"{name} must start with {', '.join(_LEDGERS)}")
        if value == kind:
            raise SettingsError(f"{name} names no place after {kind}")
        return value
