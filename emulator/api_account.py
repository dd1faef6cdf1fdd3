"""The API of applications, phone numbers, errors and recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator import resources
from emulator.accounts import Application, Number
from emulator.errors import ApiError
from emulator.messages import Answer
from emulator.validation import is_number

if TYPE_CHECKING:
    from emulator.api import Context
    from emulator.validation import Body

_URLS = {
    "incomingCallUrl": "call_url",
    "incomingCallFallbackUrl": "call_fallback_url",
    "incomingMessageUrl": "message_url",
    "incomingMessageFallbackUrl": "message_fallback_url",
}
_TIMEOUTS = {
    "incomingCallUrlCallbackTimeout": "call_timeout_ms",
    "incomingMessageUrlCallbackTimeout": "message_timeout_ms",
}


def _read_application(body: Body) -> dict[str, Any]:
    """Read the fields that were sent; what was not sent stays as it is. Raises ApiError."""
    fields: dict[str, Any] = {
        "name": body.text("name"),
        "method": body.choice("callbackHttpMethod", ("POST", "GET")),
        "auto_answer": body.boolean("autoAnswer"),
    }
    fields |= {field: body.integer(name, 1, 10_000) for name, field in _TIMEOUTS.items()}
    fields |= {field: _url_or_empty(body, name) for name, field in _URLS.items()}
    return {field: value for field, value in fields.items() if value is not None}


def _url_or_empty(body: Body, name: str) -> str | None:
    """Read a URL; an empty string removes the old one, but a fallback may not be blank."""
    if "Fallback" not in name and name in body and body.text(name) == "":
        return ""
    return body.url(name)


def _check_fallback(application: Application, body: Body) -> None:
    if application.call_fallback_url and not application.call_url:
        raise body.refuse("incomingCallFallbackUrl", "needs incomingCallUrl")


def create_application(context: Context) -> Answer:
    """Catapult: Create application."""
    body = context.body("application")
    body.require("name")
    fields = _read_application(body)
    if not fields.get("call_url") and not fields.get("message_url"):
        body.require("incomingCallUrl")
    application = Application(**fields)
    _check_fallback(application, body)
    context.account.applications[application.id] = application
    return context.created("applications", application.id)


def list_applications(context: Context) -> Answer:
    """Catapult: List applications."""
    return context.page(list(context.account.applications.values()), resources.application)


def get_application(context: Context) -> Answer:
    """Catapult: Get application."""
    return context.ok(resources.application(context.account.application(context.ids[0])))


def update_application(context: Context) -> Answer:
    """Catapult: Update application."""
    application = context.account.application(context.ids[0])
    body = context.body("application")
    fields = _read_application(body)
    _check_fallback(Application(**(vars(application) | fields)), body)
    for field, value in fields.items():
        setattr(application, field, value)
    return Answer()


def delete_application(context: Context) -> Answer:
    """Catapult: Delete application."""
    context.account.delete(context.account.application(context.ids[0]))
    return Answer()


def create_number(context: Context) -> Answer:
    """Catapult: Order phone number."""
    body = context.body("phoneNumber")
    body.require("number")
    text = body.text("number") or ""
    if not is_number(text):
        raise ApiError("validation-error", "Not a phone number.")
    if context.account.owns(text):
        raise body.refuse("number", "is in use")
    number = Number(text)
    _apply(context, number, body)
    context.account.numbers[text] = number
    return context.created("phoneNumbers", number.id)


def list_numbers(context: Context) -> Answer:
    """Catapult: List phone numbers."""
    wanted = context.request.query.get("applicationId")
    numbers = context.account.numbers.values()
    chosen = [one for one in numbers if wanted in {None, one.application_id}]
    return context.page(chosen, lambda one: resources.number(one, context.base))


def get_number(context: Context) -> Answer:
    """Catapult: Get phone number, by id or by percent-encoded number."""
    return context.ok(resources.number(context.account.number(context.ids[0]), context.base))


def update_number(context: Context) -> Answer:
    """Catapult: Update phone number; an empty ``applicationId`` detaches it."""
    number = context.account.number(context.ids[0])
    _apply(context, number, context.body("phoneNumber"))
    return Answer()


def _apply(context: Context, number: Number, body: Body) -> None:
    application_id, name = body.text("applicationId"), body.text("name")
    fallback = body.text("fallbackNumber")
    if fallback and not is_number(fallback):
        raise ApiError("validation-error", "Not a phone number.")
    if application_id:
        context.account.application(application_id)
    if application_id is not None:
        number.application_id = application_id or None
    if fallback is not None:
        number.fallback_number = fallback or None
    if name is not None:
        number.name = name


def list_errors(context: Context) -> Answer:
    """Catapult: List errors, the newest first."""
    return context.page(context.account.errors(), dict)


def get_error(context: Context) -> Answer:
    """Catapult: Get error."""
    for row in context.account.errors():
        if row["id"] == context.ids[0]:
            return context.ok(row)
    raise ApiError("resource-not-found")


def list_recordings(context: Context) -> Answer:
    """Catapult: List recordings, the newest first."""
    recordings = list(reversed(context.exchange.media.recordings.values()))
    return context.page(recordings, lambda one: resources.recording(one, context.base))


def get_recording(context: Context) -> Answer:
    """Catapult: Get recording."""
    recording = context.exchange.media.recordings.get(context.ids[0])
    if recording is None:
        raise ApiError("recording-not-found")
    return context.ok(resources.recording(recording, context.base))
