"""A path has one spelling: a proxy that keeps strangers from a path must not be got around."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from web.errors import error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


def only_plain(
    wsgi_app: Callable[..., Iterable[bytes]],
) -> Callable[..., Iterable[bytes]]:
    """Return an application that answers 404 to paths in any spelling but their own."""

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if not _is_plain(environ):
            return error(404)(environ, start)
        return wsgi_app(environ, start)

    return application


def _is_plain(environ: Mapping[str, Any]) -> bool:
    """Return whether a path arrived as it is read: no escape, host, fragment or empty part.

    All paths of ours consist of characters that need no escape.
    """
    path: str = environ["PATH_INFO"]
    is_raw = environ.get("RAW_URI", path).partition("?")[0] == path
    return is_raw and path.startswith("/") and "//" not in path
