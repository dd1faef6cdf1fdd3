"""Resources as the API shows them; a key without a value is left out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from emulator.log import masked

if TYPE_CHECKING:
    from emulator.accounts import Application, Number
    from emulator.bridges import Bridge
    from emulator.legs import Gather, Leg, Recording

Resource = dict[str, Any]

_BILLING_STEP_S = 60


def _present(resource: Resource) -> Resource:
    return {name: value for name, value in resource.items() if value is not None}


def _url(text: str | None) -> str | None:
    return None if text is None else masked(text)


def call(leg: Leg, base: str, state: str) -> Resource:
    """Catapult: Get call. ``state`` is what is shown, which may be less than what is known."""
    here = f"{base}/calls/{leg.id}"
    target = leg.target if leg.direction == "out" or leg.moved_callbacks else None
    return _present(
        {
            "id": leg.id,
            "direction": leg.direction,
            "from": leg.from_,
            "to": leg.to,
            "state": state,
            "startTime": leg.start_time,
            "recordingEnabled": leg.record or leg.recording is not None,
            "recordingFileFormat": leg.recording_format,
            "transcriptionEnabled": leg.transcribe,
            "events": f"{here}/events",
            "recordings": f"{here}/recordings",
            "transcriptions": f"{here}/transcriptions",
            "activeTime": leg.active_time,
            "endTime": leg.end_time,
            "chargeableDuration": _billed(leg.talked_s),
            "callbackUrl": _url(target.url) if target else None,
            "fallbackUrl": _url(target.fallback_url) if target else None,
            "bridgeId": leg.bridge_shown,
            "bridge": f"{base}/bridges/{leg.bridge_shown}" if leg.bridge_shown else None,
            "sipHeaders": leg.sip_headers or None,
            **leg.shown,
        }
    )


def _billed(talked_s: float | None) -> int | None:
    """Whole minutes, rounded up; samples show nothing else."""
    if talked_s is None:
        return None
    return max(1, math.ceil(talked_s / _BILLING_STEP_S)) * _BILLING_STEP_S


def event_row(row: dict[str, Any]) -> Resource:
    """Render an event of the log as the list shows it, with an ISO time."""
    return {name: value for name, value in row.items() if name != "ms"}


def event(row: dict[str, Any]) -> Resource:
    """Render a single event: its time is in epoch milliseconds. Catapult: Get call event."""
    return event_row(row) | {"time": row["ms"], "data": row.get("data", "")}


def gather(leg: Leg, one: Gather, base: str) -> Resource:
    """Catapult: Get gather."""
    return _present(
        {
            "id": one.id,
            "state": one.state,
            "reason": one.reason,
            "createdTime": one.created,
            "completedTime": one.completed,
            "call": f"{base}/calls/{leg.id}",
            "digits": one.digits,
        }
    )


def recording(one: Recording, base: str) -> Resource:
    """Catapult: Get recording."""
    return _present(
        {
            "id": one.id,
            "state": one.state,
            "startTime": one.start,
            "endTime": one.end,
            "call": f"{base}/calls/{one.call_id}",
            "media": f"{base}/media/{one.media_name}",
        }
    )


def bridge(one: Bridge, base: str) -> Resource:
    """Catapult: Get bridge."""
    return _present(
        {
            "id": one.id,
            "state": one.state,
            "bridgeAudio": one.audio,
            "callIds": [leg.id for leg in one.members] or None,
            "calls": f"{base}/bridges/{one.id}/calls",
            "createdTime": one.created,
            "activatedTime": one.activated,
            "completedTime": one.completed,
        }
    )


def application(one: Application) -> Resource:
    """Catapult: Get application. The method comes back in lower case."""
    return _present(
        {
            "id": one.id,
            "name": one.name,
            "incomingCallUrl": _url(one.call_url),
            "incomingCallUrlCallbackTimeout": one.call_timeout_ms,
            "incomingCallFallbackUrl": _url(one.call_fallback_url),
            "incomingMessageUrl": _url(one.message_url),
            "incomingMessageUrlCallbackTimeout": one.message_timeout_ms,
            "incomingMessageFallbackUrl": _url(one.message_fallback_url),
            "callbackHttpMethod": one.method.lower(),
            "autoAnswer": one.auto_answer,
        }
    )


def number(one: Number, base: str) -> Resource:
    """Catapult: Get phone number. City and price are the same for every number here."""
    app = f"{base}/applications/{one.application_id}" if one.application_id else None
    return _present(
        {
            "id": one.id,
            "number": one.number,
            "nationalNumber": one.national,
            "name": one.name,
            "city": "Raleigh",
            "state": "NC",
            "applicationId": one.application_id,
            "application": app,
            "fallbackNumber": one.fallback_number,
            "price": "0.60",
            "createdTime": one.created,
            "numberState": "enabled",
        }
    )
