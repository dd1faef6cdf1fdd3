"""Wires the rooms together; decides nothing. `app` is what gunicorn and `flask` find."""

from __future__ import annotations

import logging
import logging.config
import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Flask

import logs
import settings as settings_module
from callflow.account import Account
from callflow.background import Later, Loops
from callflow.copies import Copies
from callflow.facts import FactFinder
from callflow.handle import CallHandler
from callflow.ledger import LedgerError
from callflow.mirror import MirroredLedger
from callflow.rulebook import Rulebook
from callflow.sqlite import SqliteLedger
from callflow.timers import Timers
from callflow.work import Worker
from catapult.client import Client
from catapult.transfer import InvalidParameterError
from commands import Commands
from settings_reader import SettingsError
from web import errors, health, media, metrics
from web.callbacks import MAX_BODY, Callbacks
from web.hosts import Hosts
from web.paths import only_plain
from web.tries import Tries

if TYPE_CHECKING:
    from callflow.background import Beat
    from callflow.ledger import Ledger
    from catapult.client import Exchange
    from settings import Settings

_log = logging.getLogger("callrouter")
_PRUNE_EVERY = 60.0
"""Seconds between two prunings of the ledger: often, so that each has little to do."""
_LONGEST_WORK = 8.0
"""Seconds for which a process that stops waits for work that no callback waits for."""
_TIDY_EVERY = 1.0
"""Seconds between two looks at whether the ledger wants tidying."""


@dataclass
class Service:
    """The parts of a running service. `start` begins its background work, once a process."""

    settings: Settings
    ledger: Ledger
    rulebook: Rulebook
    client: Client
    handler: CallHandler
    timers: Timers
    later: Later
    loops: Loops
    account: Account
    started: bool = False

    def prepare(self) -> None:
        """Read the rules before the workers are forked: they share the memory."""
        for name, because in self.settings.doubts().items():
            tell("doubtful-setting", setting=name, because=because)
        self.rulebook.read()
        self.ledger.close()  # a connection must not be used on both sides of a fork

    def start(self) -> None:
        """Read the rules and begin the background work."""
        if self.started:
            return
        self.started = True
        for warning in self.settings.warnings():
            tell("no-public-url", because=warning)
        self.rulebook.look()
        self.rulebook.watch(self.loops)
        if isinstance(self.ledger, MirroredLedger):
            self.ledger.start(self.loops)
        self.timers.start(self.loops)
        self.loops.every("prune", _PRUNE_EVERY, self._prune)
        self.loops.every("tidy", _TIDY_EVERY, self._tidy)
        if self.settings.has_account:
            self.account.start(self.loops, self.client)

    def stop(self) -> None:
        """End the background work; what was begun for requests is finished."""
        self.timers.close()
        self.loops.stop()
        self.later.finish(_LONGEST_WORK)

    def _prune(self, _beat: Beat) -> None:
        pruned = self.ledger.prune(time.time() - self.settings.ledger_days * 86_400)
        if pruned:
            tell("pruned", calls=pruned)

    def _tidy(self, _beat: Beat) -> None:
        from gevent import get_hub  # noqa: PLC0415 - only what serves needs it

        # In a thread of the system: greenlets go on while it waits for the disk.
        get_hub().threadpool.apply(self.ledger.tidy)


def tell(event: str, *, quiet: bool = False, **fields: Any) -> None:
    """Log and count one thing that happened; only count it if that is to be done in `quiet`."""
    if not quiet:
        level = logging.WARNING if event in _ALARMS else logging.INFO
        logs.say(_log, level, event, fields)
    metrics.count(event, fields)


_ALARMS = {
    "credentials-refused",
    "doubtful-setting",
    "no-public-url",
    "other-host",
    "rules-refused",
    "not-routed",
    "ledger-failed",
    "copies-failed",
    "timer-failed",
    "timer-stuck",
    "later-failed",
    "later-unfinished",
    "loop-failed",
    "loop-stuck",
    "account-refused",
    "refused",
}


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application. Raises SettingsError for a variable with an impossible value.

    Missing credentials do not stop it here, so that the commands work without an account:
    `gunicorn.conf.py` refuses to serve, /readyz says no, and no callback is let in.
    """
    settings = settings or settings_module.from_environment(os.environ)
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # a redirect would repeat what came in
    # A chunked body is cut off here; that it is too long shows only with one byte more.
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY + 1
    ledger = _open_ledger(settings)
    rulebook = Rulebook(settings.rules_path, tell, ledger)
    account = Account(tell, metrics.Verdicts(), settings.shared_path)

    def observe(exchange: Exchange) -> None:
        metrics.observe(exchange)
        account.heard(exchange)

    client = Client(
        settings.api_url,
        settings.user_id or "-",
        settings.api_token,
        settings.api_secret,
        observe=observe,
    )
    facts = FactFinder(ledger, rulebook)
    later, loops = Later(tell), Loops(tell, metrics.show_loop)
    worker = Worker(settings, ledger, client, facts, tell, later)
    handler = CallHandler(settings, ledger, facts, worker, tell, lambda: account.is_refused(client))
    timers = Timers(ledger, worker, tell)
    service = Service(settings, ledger, rulebook, client, handler, timers, later, loops, account)
    app.extensions["callrouter"] = service
    app.before_request(service.start)
    events = Callbacks(settings, handler, Tries(tell), Hosts(settings.public_url, tell))
    app.register_blueprint(events.blueprint())
    app.wsgi_app = only_plain(app.wsgi_app)  # type: ignore[method-assign]
    app.register_blueprint(media.blueprint())
    app.register_blueprint(
        health.blueprint(settings, rulebook, ledger, loops, account, Tries(tell))
    )
    errors.register(app)
    app.cli = Commands(app.name)
    return app


def _open_ledger(settings: Settings) -> Ledger:
    """Return the ledger; that of many hosts with a stand-in, if this process serves."""
    if settings.ledger_url.startswith("sqlite:///"):
        return SqliteLedger(settings.ledger_url.removeprefix("sqlite:///"))
    from callflow.redis import RedisLedger  # noqa: PLC0415 - the client takes 80 ms to import

    if not settings.copies_path:
        return RedisLedger(settings.ledger_url, settings.ledger_days, tls=settings.ledger_tls)
    copies = Copies(settings.copies_path)
    try:
        name = copies.name()
    except LedgerError as error:
        raise SettingsError(f"LEDGER_COPIES: {error}") from None
    shared = RedisLedger(settings.ledger_url, settings.ledger_days, name, tls=settings.ledger_tls)
    return MirroredLedger(shared, copies, tell)


try:
    app = create_app()
except (SettingsError, InvalidParameterError, LedgerError) as error:
    sys.exit(f"cannot start: {error}")
