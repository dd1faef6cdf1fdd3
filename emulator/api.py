"""The platform's API below /v1: who may ask, what is asked, and the shape of every refusal."""

from __future__ import annotations

import hmac
import time
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

from emulator import api_account, api_bridges, api_calls
from emulator.call_requests import get_leg
from emulator.errors import ApiError
from emulator.log import masked
from emulator.messages import Answer, Request, json_answer
from emulator.validation import Body

if TYPE_CHECKING:
    from emulator.accounts import Account
    from emulator.exchange import Exchange
    from emulator.faults import Fault
    from emulator.platform import Platform

Row = TypeVar("Row")

PAGE_SIZE, PAGE_MOST = 25, 1000
_CONFLICT_S = 0.1  # how long an update takes while the switch update_conflict is on


@dataclass
class Context:
    """One request to one resource; ``ids`` are those in its path, in order."""

    platform: Platform
    request: Request
    ids: list[str]

    @property
    def exchange(self) -> Exchange:
        """Where the calls are."""
        return self.platform.exchange

    @property
    def account(self) -> Account:
        """Whose applications and numbers they are."""
        return self.platform.account

    @property
    def base(self) -> str:
        """The absolute URL of the user's resources."""
        return self.platform.base

    def body(self, resource: str) -> Body:
        """Read the properties that were sent; raises ApiError."""
        return Body.of(self.request, resource)

    def may_present(self, number: str) -> bool:
        """Whether a call may show this number as its caller."""
        return self.platform.may_present(number)

    def ok(self, value: Any) -> Answer:
        """200 with a resource or a list."""
        return json_answer(200, value)

    def created(self, collection: str, new_id: str) -> Answer:
        """201 with an empty body and the Location of what was made."""
        user = self.platform.settings.user_id
        relative = self.platform.switches.is_("location", "relative")
        base = f"/v1/users/{user}" if relative else self.base
        return Answer(201, headers={"Location": f"{base}/{collection}/{new_id}"})

    def page(self, rows: list[Row], render: Callable[[Row], Any]) -> Answer:
        """200 with one page of a list, and a Link header that leads to the others."""
        page, size = self._whole("page", 0, None), self._whole("size", PAGE_SIZE, PAGE_MOST)
        links = {"first": 0}
        if page > 0:
            links["previous"] = page - 1
        if (page + 1) * size < len(rows):
            links["next"] = page + 1
        header = ", ".join(
            f'<{self._page_url(at, size)}>; rel="{rel}"' for rel, at in links.items()
        )
        shown = [render(row) for row in rows[page * size : (page + 1) * size]]
        return json_answer(200, shown, {"Link": header})

    def _whole(self, name: str, default: int, most: int | None) -> int:
        text = self.request.query.get(name) or str(default)
        least = 0 if name == "page" else 1
        if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
            raise ApiError("validation-error", f"Parameter {name} is out of range.")
        return int(text)

    def _page_url(self, page: int, size: int) -> str:
        query = self.request.query | {"page": str(page), "size": str(size)}
        collection = "/".join(self.request.segments[3:])
        return f"{self.base}/{collection}?{urlencode(query)}"


Endpoint = Callable[[Context], Answer]

# Every path is collection, id, collection, id; an id is written as {}.
ROUTES: dict[str, Endpoint] = {
    "POST calls": api_calls.create_call,
    "GET calls": api_calls.list_calls,
    "GET calls/{}": api_calls.get_call,
    "POST calls/{}": api_calls.update_call,
    "POST calls/{}/audio": api_calls.change_audio,
    "POST calls/{}/dtmf": api_calls.send_digits,
    "POST calls/{}/gather": api_calls.create_gather,
    "GET calls/{}/gather/{}": api_calls.get_gather,
    "POST calls/{}/gather/{}": api_calls.update_gather,
    "GET calls/{}/events": api_calls.list_events,
    "GET calls/{}/events/{}": api_calls.get_event,
    "GET calls/{}/recordings": api_calls.list_call_recordings,
    "GET calls/{}/transcriptions": api_calls.list_transcriptions,
    "POST bridges": api_bridges.create_bridge,
    "GET bridges": api_bridges.list_bridges,
    "GET bridges/{}": api_bridges.get_bridge,
    "POST bridges/{}": api_bridges.update_bridge,
    "POST bridges/{}/audio": api_bridges.change_bridge_audio,
    "GET bridges/{}/calls": api_bridges.list_bridge_calls,
    "POST applications": api_account.create_application,
    "GET applications": api_account.list_applications,
    "GET applications/{}": api_account.get_application,
    "POST applications/{}": api_account.update_application,
    "DELETE applications/{}": api_account.delete_application,
    "POST phoneNumbers": api_account.create_number,
    "GET phoneNumbers": api_account.list_numbers,
    "GET phoneNumbers/{}": api_account.get_number,
    "POST phoneNumbers/{}": api_account.update_number,
    "GET errors": api_account.list_errors,
    "GET errors/{}": api_account.get_error,
    "GET recordings": api_account.list_recordings,
    "GET recordings/{}": api_account.get_recording,
}


def handle(platform: Platform, request: Request) -> Answer:
    """Answer one API request, write it to the log, and list it among the errors if it failed."""
    entry = platform.log.add(
        "request",
        method=request.method,
        path=request.target,
        body=_logged_body(request),
    )
    fault = platform.faults.take(request, lambda: platform.exchange.caller_of(_calls_in(request)))
    answer = _answer(platform, request, fault)
    facts: dict[str, Any] = {"status": None if answer.drop else answer.status}
    if answer.drop:
        facts["dropped"] = True
    if fault is not None:
        facts["fault"] = fault.does
    platform.log.fill(entry, **facts, headers=answer.headers, answer=_shown(answer))
    return answer


def _calls_in(request: Request) -> list[str]:
    """Return the ids of calls that a request names, in its path or its body."""
    try:
        body = request.json()
    except ValueError:
        body = None
    named = body if isinstance(body, dict) else {}
    ids = named.get("callIds")
    return [*request.segments[4:5], str(named.get("tag")), *(ids if isinstance(ids, list) else ())]


def _answer(platform: Platform, request: Request, fault: Fault | None) -> Answer:
    answer = _answer_or_fail(platform, request, fault)
    # The answer is held back, not the deed: events may overtake it, as they do in life.
    if latency := platform.switches.seconds("latency_s"):
        time.sleep(latency)
    return answer


def _answer_or_fail(platform: Platform, request: Request, fault: Fault | None) -> Answer:
    try:
        if fault is not None:
            return fault.strike(lambda: _execute_or_refuse(platform, request))
    except ApiError as error:
        return _refusal(platform, request, error)
    return _execute_or_refuse(platform, request)


def _execute_or_refuse(platform: Platform, request: Request) -> Answer:
    try:
        return _execute(platform, request)
    except ApiError as error:
        return _refusal(platform, request, error)


def _execute(platform: Platform, request: Request) -> Answer:
    segments = request.segments[1:]  # without v1
    _authenticate(platform, request)
    if segments[:1] != ["users"] or len(segments) < 3:
        raise ApiError("resource-not-found")
    _check_user(platform, segments[1])
    rest = segments[2:]
    shape = "/".join("{}" if place % 2 else part for place, part in enumerate(rest))
    endpoint = ROUTES.get(f"{request.method} {shape}")
    if endpoint is None:
        raise ApiError("resource-not-found")
    context = Context(platform, request, rest[1::2])
    with platform.exchange.lock:
        _check_limits(context, shape)
    if shape == "calls/{}" and request.method == "POST":
        return _update_alone(context, endpoint)
    with platform.exchange.lock:
        return endpoint(context)


def _update_alone(context: Context, endpoint: Endpoint) -> Answer:
    """Run an update of a call; with a switch, a second one at the same moment is a conflict."""
    exchange = context.exchange
    if exchange.switches.is_("update_conflict", "off"):
        with exchange.lock:
            return endpoint(context)
    with exchange.lock:
        leg = get_leg(context, context.ids[0])
        if leg.updating:
            raise ApiError("call-update-conflict", ids={"callId": leg.id})
        leg.updating = True
    try:
        time.sleep(_CONFLICT_S)
        with exchange.lock:
            return endpoint(context)
    finally:
        leg.updating = False


def _authenticate(platform: Platform, request: Request) -> None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        given = b64decode(encoded, validate=True) if scheme.lower() == "basic" else b""
    except Base64Error:
        given = b""
    expected = f"{platform.settings.token}:{platform.settings.secret}".encode()
    if not hmac.compare_digest(given, expected):
        raise ApiError(
            "authentication-failed", headers={"WWW-Authenticate": 'Basic realm="Catapult"'}
        )


def _check_user(platform: Platform, user_id: str) -> None:
    if user_id == platform.settings.user_id:
        return
    status = platform.switches.text("foreign_user")
    if status == "404":
        raise ApiError("user-not-found")
    raise ApiError("user-access-denied", status=int(status))


def _check_limits(context: Context, shape: str) -> None:
    switches, method = context.platform.switches, context.request.method
    if switches.is_("rate_limits", "off"):
        return
    limits = context.platform.limits
    if (method, shape) == ("POST", "calls"):
        limits.count_call(context.body("call").text("from") or "")
        return
    limits.count_request(method, shape.partition("/")[0])
    if (method, shape) == ("POST", "calls/{}") and switches.is_("transfer_counts_as_call", "on"):
        _count_transfer(context)


def _count_transfer(context: Context) -> None:
    leg = context.exchange.legs.get(context.ids[0])
    if leg is not None and context.body("call").text("state") == "transferring":
        context.platform.limits.count_call(leg.to)


def _refusal(platform: Platform, request: Request, error: ApiError) -> Answer:
    # Catapult "Errors": requestPath is without the leading slash and without the version.
    path = request.path.removeprefix("/v1").lstrip("/")
    body = error.body(request.method, request.remote, path)
    platform.account.note_error(body)
    return json_answer(error.http_status, body, error.headers)


def _logged_body(request: Request) -> Any:
    if not request.body:
        return None
    text = masked(request.body.decode("utf-8", "replace"))
    try:
        return Request("", "", body=text.encode()).json()
    except ValueError:
        return text


def _shown(answer: Answer) -> str | None:
    return answer.body.decode("utf-8", "replace") if answer.status >= 400 else None
