"""Settings, from environment variables only."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from settings_reader import SQLITE, TLS_CHECKED, Reader, is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

LEGS_PATH = "/callbacks/catapult/legs/"
PLATFORM_URL = "https://api.catapult.inetwork.com/v1"
SERVING_DYNO = "web.1"
"""The only dyno that may use a ledger in a file: its files are nobody else's."""


@dataclass(frozen=True)
class Settings:
    """Everything a deployment sets. `from_environment` documents which variable is which."""

    user_id: str = ""
    api_token: str = field(default="", repr=False)
    api_secret: str = field(default="", repr=False)
    api_url: str = field(default=PLATFORM_URL, repr=False)
    public_url: str = field(default="", repr=False)
    callback_username: str = ""
    callback_password: str = field(default="", repr=False)
    callback_auth: bool = True
    auto_answer: bool = True
    rules_path: str = "routing_rules.yaml"
    ledger_url: str = field(default="sqlite:///var/ledger.sqlite3", repr=False)
    ledger_tls: str = TLS_CHECKED
    """How the certificate of a `rediss://` server is checked: see `REDIS_TLS`."""
    ledger_days: float = 30
    copies_path: str = ""
    """Where the workers of this host keep copies of calls while Redis is away."""
    shared_path: str = ""
    """A folder that the workers of one run share, and nobody else."""
    callback_budget: float = 8.0
    """Seconds within which a callback is answered, retries included."""
    port: int = 5000
    workers: int = 2
    ring_tone_url: str = field(default="", repr=False)
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
        if self.has_other_disk:
            lines.append(
                f"LEDGER_URL is a file, but this is {self.dyno}: several dynos share no disk, and "
                "calls would be transferred twice; set REDIS_URL"
            )
        return lines

    def doubts(self) -> dict[str, str]:
        """Return what is to be said of settings that are possible, and hardly meant."""
        found = {}
        if self.dyno and self._is_file:
            found["LEDGER_URL"] = (
                "a dyno loses its files at least once a day: calls, presence and overrides are "
                "forgotten then; add Redis, which sets REDIS_URL"
            )
        for name, url, travels in (
            ("BANDWIDTH_API_URL", self.api_url, True),
            ("PUBLIC_URL", self.public_url, self.callback_auth),
        ):
            if travels and url.startswith("http://") and not is_loopback(url):
                found[name] = "credentials travel in the open; write https://"
        return found

    @property
    def has_other_disk(self) -> bool:
        """Whether the ledger is a file, and not the one of the dyno that serves."""
        return self._is_file and self.dyno not in {"", SERVING_DYNO}

    @property
    def _is_file(self) -> bool:
        return self.ledger_url.startswith(SQLITE)

    @property
    def has_account(self) -> bool:
        """Whether the platform can be asked for anything."""
        return bool(self.user_id and self.api_token and self.api_secret)

    def warnings(self) -> list[str]:
        """Return one line for each setting without which calls are routed, but not as one hopes."""
        if self.public_url:
            return []
        return [
            "PUBLIC_URL is missing: when a phone is busy or does not answer, no other phone rings"
        ]

    @property
    def tone_url(self) -> str:
        """Where the ringing tone is that a caller hears while a ring group is called."""
        return self.ring_tone_url or self._public("/media/ringing.wav")

    def leg_callback_url(self, token: str) -> str | None:
        """Return where the platform sends the events of the leg that `token` names.

        The credentials stand in the URL; the platform sends them as a header ("Catapult:
        Callback security"). None without a PUBLIC_URL.
        """
        return f"{self._legs_url}{token}" if self.public_url else None

    @cached_property
    def _legs_url(self) -> str:
        user, password = quote(self.callback_username, ""), quote(self.callback_password, "")
        return self._public(LEGS_PATH, f"{user}:{password}@" if self.callback_auth else "")

    def _public(self, path: str, login: str = "") -> str:
        parts = urlsplit(self.public_url)
        host = login + parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, host, parts.path.rstrip("/") + path, "", ""))


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return the settings that the variables give.

    Raises SettingsError for a value that is not possible; an empty variable counts as not set.
    """
    read = Reader(environment)
    place = read.ledger(("LEDGER_URL", "REDIS_URL"), "sqlite:///var/ledger.sqlite3", "REDIS_TLS")
    return Settings(
        user_id=read.id("BANDWIDTH_USER_ID"),
        api_token=read.user("BANDWIDTH_API_TOKEN"),
        api_secret=read.text("BANDWIDTH_API_SECRET"),
        api_url=read.url("BANDWIDTH_API_URL", PLATFORM_URL),
        public_url=read.url("PUBLIC_URL"),
        callback_username=read.user("CALLBACK_USERNAME"),
        callback_password=read.text("CALLBACK_PASSWORD"),
        callback_auth=read.flag("CALLBACK_AUTH", True),
        auto_answer=read.flag("AUTO_ANSWER", True),
        rules_path=read.file("ROUTING_RULES", "routing_rules.yaml"),
        ledger_url=place.url,
        ledger_tls=place.tls,
        copies_path=read.file("LEDGER_COPIES"),
        shared_path=read.text("PROMETHEUS_MULTIPROC_DIR"),
        ledger_days=read.number("LEDGER_DAYS", 30, 0.01, 3650),
        callback_budget=read.number("CALLBACK_BUDGET", 8, 0.5, 10),
        port=read.whole("PORT", 5000, 1, 65_535),
        workers=read.workers("WEB_CONCURRENCY"),
        dyno=read.text("DYNO"),
        ring_tone_url=read.url("RING_TONE_URL", query=True),
        metrics_token=read.text("METRICS_TOKEN"),
        log_level=read.choice(
            "LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
        ),
        log_numbers=read.choice("LOG_NUMBERS", "masked", ("masked", "full")),
    )
