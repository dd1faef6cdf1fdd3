"""Where the platform reports the events of calls and of transferred legs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

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
from settings import LEGS_PATH
from web import errors
from web.auth import basic_matches, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

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
        """Return the routes."""
        routes = Blueprint("callbacks", __name__)
        options: Any = {"methods": _METHODS, "provide_automatic_options": False}

        @routes.route(CALLS_PATH, **options)
        def catapult() -> Response:
            return self.answer(request.environ, None) or Response(status=200)

        @routes.route(f"{LEGS_PATH}<token>", **options)
        def leg(token: str) -> Response:
            return self.answer(request.environ, token) or Response(status=200)

        return routes

    def shortcut(
        self, wsgi_app: Callable[..., Iterable[bytes]], begin: Callable[[], None]
    ) -> Callable[..., Iterable[bytes]]:
        """Return a WSGI application that answers events itself, and has `wsgi_app` do the rest.

        Flask's own dispatch costs as much as everything else that is done for most events. `begin`
        is called before each of them.
        """

        def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            path = _path(environ)
            token = path[len(LEGS_PATH) :] if path.startswith(LEGS_PATH) else None
            if path != CALLS_PATH and (not token or "/" in token):
                return wsgi_app(environ, start)
            begin()
            try:
                answer = self.answer(environ, token)
            except Exception as failure:  # noqa: BLE001 - as Flask would
                answer = errors.answer_to(failure)
            if answer is not None:
                return answer(environ, start)
            start("200 OK", [("Content-Length", "0")])
            return ()

        return application

    def answer(self, environ: Mapping[str, Any], token: str | None) -> Response | None:
        """Take an event, of a leg if there is a `token`; return None, or why it was not taken."""
        settings = self._settings
        if settings.callback_auth:
            name, password = settings.callback_username, settings.callback_password
            right = bool(name) and basic_matches(environ.get("HTTP_AUTHORIZATION"), name, password)
            refused = refusal(environ, "Basic", self._tries, right=right)
            if refused:
                return refused
        self._hosts.look(environ.get("HTTP_HOST"))
        now = time.time()
        try:
            event = _event(environ)
            if not event.call_id:  # a transcription has none ("Catapult: Transcription event")
                return None
            if token is None:
                self._handler.on_event(event, now)
            else:
                self._handler.on_leg_event(token, event, now)
        except BadEventError as bad:
            return errors.error(400, bad.code, bad.message)
        except UnknownLegError:
            return errors.error(404, "unknown-leg", "no leg has this address")
        except NotRoutedError:
            return errors.error(503, "not-routed", "the call could not be routed in time")
        return None


def _path(environ: Mapping[str, Any]) -> str:
    """Return the path without the slash that people add to a URL; an escaped one is no such."""
    path: str = environ["PATH_INFO"]
    if path.endswith("/") and environ.get("RAW_URI", path).partition("?")[0].endswith("/"):
        return path[:-1]
    return path


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
