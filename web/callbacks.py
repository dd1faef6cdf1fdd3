"""Where the platform reports the events of calls and of transferred legs."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from werkzeug.exceptions import (
    BadRequest,
    MethodNotAllowed,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from callflow.ledger import UnknownLegError
from callflow.work import NotRoutedError
from catapult.events import BadEventError, parse_post, parse_query
from web.auth import basic_matches, refusal
from web.errors import error

if TYPE_CHECKING:
    from collections.abc import Callable

    from callflow.handle import CallHandler
    from catapult.events import Event
    from settings import Settings
    from web.tries import Tries

_METHODS = ["GET", "POST"]
MAX_BODY = 64 * 1024
"""Bytes of a callback; the documented ones have less than two thousand."""


def blueprint(settings: Settings, handler: CallHandler, tries: Tries) -> Blueprint:
    """Return the callback routes. With credentials set, every one of them asks for them."""
    routes = Blueprint("callbacks", __name__)

    @routes.before_request
    def check_credentials() -> Response | None:
        header = request.headers.get("Authorization")
        name, password = settings.callback_username, settings.callback_password
        if settings.callback_auth:
            right = bool(name) and basic_matches(header, name, password)
            refused = refusal(request, "Basic", tries, right=right)
            if refused:
                return refused
        if request.method == "HEAD":
            raise MethodNotAllowed(_METHODS)
        return None

    route = partial(routes.route, methods=_METHODS, provide_automatic_options=False)

    @route("/callbacks/catapult")
    def catapult() -> Response:
        return _take(handler.on_event)

    @route("/callbacks/catapult/legs/<token>")
    def leg(token: str) -> Response:
        return _take(lambda event, now: handler.on_leg_event(token, event, now))

    return routes


def _take(handle: Callable[[Event, float], None]) -> Response:
    now = time.time()
    try:
        event = _event()
        if event.call_id:  # a transcription has none ("Catapult: Transcription event")
            handle(event, now)
    except BadEventError as bad:
        return error(400, bad.code, bad.message)
    except UnknownLegError:
        return error(404, "unknown-leg", "no leg has this address")
    except NotRoutedError:
        return error(503, "not-routed", "the call could not be routed in time")
    return Response(status=200)


def _event() -> Event:
    if request.method == "GET":
        return parse_query(request.query_string)
    if request.mimetype != "application/json":
        raise UnsupportedMediaType
    try:
        body = request.get_data(cache=False)
    except (ParseException, OSError) as broken:  # chunks that are none
        raise BadRequest from broken
    if len(body) > MAX_BODY:
        raise RequestEntityTooLarge
    return parse_post(body)
