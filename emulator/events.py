"""The events of a call as the callbacks carry them. Catapult: callback events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.clock import timestamp

if TYPE_CHECKING:
    from emulator.legs import Gather, Leg, Recording, Sound

Event = dict[str, Any]


def _head(kind: str, leg: Leg, base: str) -> Event:
    return {"eventType": kind, "callId": leg.id, "callUri": f"{base}/calls/{leg.id}"}


def _parties(leg: Leg) -> Event:
    return {"from": leg.from_, "to": leg.to}


def _tag(tag: str | None) -> Event:
    return {} if tag is None else {"tag": tag}


def _diversion(leg: Leg) -> Event:
    return {} if leg.diversion is None else {"diversion": leg.diversion}


def incoming_call(leg: Leg, base: str) -> Event:
    """Announce an inbound call; ``callState`` says active although nobody has answered yet."""
    return {
        **_head("incomingcall", leg, base),
        **_parties(leg),
        "callState": "active",
        "applicationId": leg.application_id,
        **leg.caller,
        "time": timestamp(),
        **_diversion(leg),
    }


def answer(leg: Leg, base: str) -> Event:
    """Tell that a leg is answered; only calls created through the API carry their tag."""
    return {
        **_head("answer", leg, base),
        **_parties(leg),
        "callState": "active",
        "time": timestamp(),
        **leg.caller,
        **_diversion(leg),
        **(_tag(leg.tag) if leg.direction == "out" else {}),
    }


def hangup(leg: Leg, base: str) -> Event:
    """Tell that a leg ended; a rejection is a hangup too, and its ``callState`` is the same."""
    return {
        **_head("hangup", leg, base),
        **_parties(leg),
        "cause": leg.cause,
        "callState": "completed",
        "time": timestamp(),
        **_tag(leg.tag),
    }


def ring_timeout(leg: Leg, base: str) -> Event:
    """Nobody answered within the ring limit."""
    return {
        **_head("timeout", leg, base),
        **_parties(leg),
        "time": timestamp(),
        **_tag(leg.tag),
    }


def sound(leg: Leg, base: str, heard: Sound, status: str) -> Event:
    """Tell that something ``started`` to play or is ``done``; only a sentence has a ``state``."""
    state = {"started": "PLAYBACK_START", "done": "PLAYBACK_STOP"}[status]
    head = _head(heard.kind, leg, base)
    return {
        "eventType": head.pop("eventType"),
        "status": status,
        **head,
        "time": timestamp(),
        **({"state": state} if heard.kind == "speak" else {}),
        **_tag(heard.tag),
    }


def digit(leg: Leg, base: str, pressed: str) -> Event:
    """Tell that a party pressed one key."""
    return {**_head("dtmf", leg, base), "dtmfDigit": pressed, "time": timestamp()}


def gathered(leg: Leg, gather: Gather) -> Event:
    """Digits were collected. The JSON form has no ``callUri``."""
    return {
        "eventType": "gather",
        "state": gather.state,
        "reason": gather.reason,
        "digits": gather.digits,
        "callId": leg.id,
        "gatherId": gather.id,
        "time": timestamp(),
        **_tag(gather.tag),
    }


def recorded(leg: Leg, base: str, recording: Recording) -> Event:
    """Tell that a recording is ready. There is neither ``time`` nor ``callUri`` in it."""
    return {
        "eventType": "recording",
        "callId": leg.id,
        "recordingId": recording.id,
        "recordingUri": f"{base}/recordings/{recording.id}",
        "state": recording.state,
        "status": recording.state,
        "startTime": recording.start,
        "endTime": recording.end,
    }
