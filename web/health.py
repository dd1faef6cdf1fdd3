"""Whether the service lives, is ready, and how it does."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

from callflow.ledger import LedgerError
from web import metrics
from web.auth import bearer_matches, refusal
from web.errors import error
from web.origin import is_local

if TYPE_CHECKING:
    from callflow.ledger import Ledger
    from callflow.rulebook import Rulebook
    from settings import Settings
    from web.tries import Tries


_IN_THE_LOG = "the log says what"
_NAMES = re.compile(r"[A-Z]+(?:_[A-Z]+)+")


def blueprint(settings: Settings, rulebook: Rulebook, ledger: Ledger, tries: Tries) -> Blueprint:
    """Return /healthz, /readyz and /metrics."""
    routes = Blueprint("health", __name__)

    @routes.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="ok")

    @routes.get("/readyz")
    def readyz() -> tuple[Response, int]:
        state = readiness(settings, rulebook, ledger)
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
            "loadedAt": _utc(status.loaded_at),
            "lastError": status.error,
        },
        "ledger": {"reachable": ledger_error is None, "lastError": ledger_error},
        "settings": {"complete": not missing, "missing": missing},
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


def _utc(moment: float | None) -> str | None:
    if moment is None:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _to_loopback() -> Response:
    if not is_local(request.environ):
        return error(403, "forbidden", "set METRICS_TOKEN to read the metrics from elsewhere")
    return _exposition()


def _exposition() -> Response:
    body, content_type = metrics.exposition()
    return Response(body, content_type=content_type)
