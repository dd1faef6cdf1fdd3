"""Whether the service lives, is ready, and how it does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

from callflow.ledger import LedgerError
from web import metrics
from web.auth import bearer_matches, refusal
from web.errors import error
from web.origin import is_local
from web.readiness import loops_of, numbers_of, platform_of, utc, warnings_of

if TYPE_CHECKING:
    from callflow.account import Account
    from callflow.background import Loops
    from callflow.ledger import Ledger
    from callflow.rulebook import Rulebook
    from settings import Settings
    from web.tries import Tries


_IN_THE_LOG = "the log says what"
_NAMES = re.compile(r"[A-Z]+(?:_[A-Z]+)+")


def blueprint(
    settings: Settings,
    rulebook: Rulebook,
    ledger: Ledger,
    loops: Loops,
    account: Account,
    tries: Tries,
) -> Blueprint:
    """Return /healthz, /readyz and /metrics."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @routes.get("/readyz")
    def readyz() -> tuple[Response, int]:
        state = readiness(settings, rulebook, ledger)
        state |= background(settings, rulebook, loops, account, ready=state["ready"])
        told = state if is_local(request.environ) else _public(state, rulebook)
        return jsonify(told), 200 if state["ready"] else 503

    @routes.get("/metrics")
    def prometheus() -> Response:
        if not settings.metrics_token:
            return _to_loopback()
        right = bearer_matches(request.headers.get("Authorization"), settings.metrics_token)
        return refusal(request.environ, "Bearer", tries, right=right) or _exposition()

    return routes


def readiness(settings: Settings, rulebook: Rulebook, ledger: Ledger) -> dict[str, Any]:
    """Return what /readyz answers: ready only with good rules, a ledger and all settings."""
    status = rulebook.status
    missing = settings.missing()
    ledger_error = _ledger_error(ledger)
    return {
        "ready": status.error is None and ledger_error is None and not missing,
        "rules": {
            "hash": status.digest,
            "loadedAt": utc(status.loaded_at),
            "lastError": status.error,
        },
        "ledger": {"reachable": ledger_error is None, "lastError": ledger_error},
        "settings": {"complete": not missing, "missing": missing},
    }


def background(
    settings: Settings, rulebook: Rulebook, loops: Loops, account: Account, *, ready: bool
) -> dict[str, Any]:
    """Return the rest: ready only with living loops and a platform that takes our requests."""
    working = loops_of(loops)
    platform, is_accepted = platform_of(account)
    rules = rulebook.in_force
    numbers = account.numbers(rules)
    return {
        "ready": ready and is_accepted and all(loop["alive"] for loop in working.values()),
        "platform": platform,
        "numbers": numbers_of(numbers, whole=is_local(request.environ)),
        "loops": working,
        "warnings": [
            *settings.warnings(),
            *(f"{name}: {because}" for name, because in settings.doubts().items()),
            *warnings_of(numbers, rules),
        ],
    }


def _public(state: dict[str, Any], rulebook: Rulebook) -> dict[str, Any]:
    """Return what strangers may read: what is wrong and where, never a value, a path or a host."""
    told: dict[str, Any] = _without_details(state)
    told["rules"]["lastError"] = rulebook.status.public
    said = [line.partition(":")[0] for line in state["settings"]["missing"]]
    told["settings"]["missing"] = _NAMES.findall(" ".join(said))
    return told


def _without_details(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    return {
        key: _IN_THE_LOG if key == "lastError" and value else _without_details(value)
        for key, value in part.items()
    }


def _ledger_error(ledger: Ledger) -> str | None:
    try:
        ledger.ping()
    except LedgerError as failure:
        return str(failure)
    return None


def _to_loopback() -> Response:
    if not is_local(request.environ):
        return error(403, "forbidden", "set METRICS_TOKEN to read the metrics from elsewhere")
    return _exposition()


def _exposition() -> Response:
    body, content_type = metrics.exposition()
    return Response(body, content_type=content_type)
