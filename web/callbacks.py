"""Where the platform reports the events of calls and of transferred legs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from gunicorn.http.errors import ParseException  # type: ignore[import-untyped]
from werkzeug.exceptions import (
    BadRequest,
    MethodNotAllowed,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

from callflow import clock
from callflow.ledger import UnknownLegError
from callflow.work import NotRoutedError
from catapult.events import BadEventError, parse_post, parse_query
from settings import LEGS_PATH
from web import errors
from web.auth import basic_matches, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callflow.handle import CallHandler
    from catapult.events import Event
    from settings import Settings
    from web.hosts import Hosts
    from web.tries import Tries

CALLS_PATH = "/callbacks/catapult"
MAX_BODY = 64 * 1024
"""Bytes of a callback; the documented ones have less than two thousand."""
_METHODS = ["GET", "POST"]


class Callbacks:
    """The callback routes. With credentials set, every one of them asks for them."""

    def __init__(
        self, settings: Settings, handler: CallHandler, tries: Tries, hosts: Hosts
    ) -> None:
        self._settings = settings
        self._handler = handler
        self._tries = tries
        self._hosts = hosts

    def blueprint(self) -> Blueprint:
        """Return the routes; people add a slash to the end of a URL, so both may have one."""
        routes = Blueprint("callbacks", __name__)
        options: Any = {
            "methods": _METHODS,
            "provide_automatic_options": False,
            "strict_slashes": False,
        }

        @routes.route(CALLS_PATH, **options)
        def catapult() -> Response:
            return self._answer(request.environ, None)

        @routes.route(f"{LEGS_PATH}<token>", **options)
        def leg(token: str) -> Response:
            return self._answer(request.environ, token)

        return routes

    def _answer(self, environ: Mapping[str, Any], token: str | None) -> Response:
        """Take an event, of a leg if there is a `token`; return the answer to it."""
        settings = self._settings
        if settings.callback_auth:
            name, password = settings.callback_username, settings.callback_password
            right = bool(name) and basic_matches(environ.get("HTTP_AUTHORIZATION"), name, password)
            refused = refusal(environ, "Basic", self._tries, right=right)
            if refused:
                return refused
        self._hosts.look(environ.get("HTTP_HOST"))
        now = clock.now()
        try:
            event = _event(environ)
            if token is not None and event.call_id:
                self._handler.on_leg_event(token, event, now)
            elif event.call_id:  # a transcription has none ("Catapult: Transcription event")
                self._handler.on_event(event, now)
        except BadEventError as bad:
            return errors.error(400, bad.code, bad.message)
        except UnknownLegError:
            return errors.error(404, "unknown-leg", "no leg has this address")
        except NotRoutedError:
            return errors.error(503, "not-routed", "the call could not be routed in time")
        return Response(status=200)


def _event(environ: Mapping[str, Any]) -> Event:
    method = environ["REQUEST_METHOD"]
    if method == "GET":
        return parse_query(environ.get("QUERY_STRING", "").encode("latin-1"))
    if method != "POST":
        raise MethodNotAllowed(_METHODS)
    kind = environ.get("CONTENT_TYPE", "").partition(";")[0]
    if kind.strip().lower() != "application/json":
        raise UnsupportedMediaType
    return parse_post(_body(environ))


def _body(environ: Mapping[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH") or ""
    if length and (not length.isdecimal() or int(length) > MAX_BODY):
        raise RequestEntityTooLarge
    is_chunked = "HTTP_TRANSFER_ENCODING" in environ and not length
    try:
        body: bytes = environ["wsgi.input"].read(MAX_BODY + 1 if is_chunked else int(length or 0))
    except (ParseException, OSError) as broken:  # chunks that are none
        raise BadRequest from broken
    if len(body) > MAX_BODY:
        raise RequestEntityTooLarge
    return body
