"""The API of calls: create, list, update, transfer, audio, digits, events and recordings."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from emulator import resources
from emulator.call_requests import (
    TAG_MOST,
    get_leg,
    invalid_state,
    read_format,
    read_sounds,
    read_target,
    show,
)
from emulator.errors import ApiError
from emulator.legs import Gather, Leg, Move, State, Target
from emulator.messages import Answer
from emulator.transfers import transfer

if TYPE_CHECKING:
    from emulator.api import Context
    from emulator.validation import Body

RECORDING_MOST_S = 3600  # the default; the platform's real cap is not documented
LIST_REFUSALS = {
    "401": "authentication-failed",
    "404": "resource-not-found",
    "500": "backend-protocol-support-failure",
}
SLOW_LIST_S = 15.0
SIP_HEADERS_MOST, SIP_HEADER_LENGTH = 5, 256


def create_call(context: Context) -> Answer:
    """Catapult: Create call."""
    body = context.body("call")
    body.require("from")
    body.require("to")
    leg = _new_call(context, body)
    context.platform.check_reachable(leg.to)
    context.exchange.call(leg)
    return context.created("calls", leg.id)


def _new_call(context: Context, body: Body) -> Leg:
    from_, to = body.destination("from") or "", body.destination("to") or ""
    if not context.may_present(from_):
        raise ApiError("number-access-denied")
    ring_s = body.integer("callTimeout", 1, 300)
    bridge_id = body.text("bridgeId")
    if bridge_id is not None:
        context.exchange.bridges.get(bridge_id)
    target = read_target(body)
    return Leg(
        "out",
        from_,
        to,
        target,
        tag=body.text("tag", TAG_MOST),
        ring_s=ring_s or 60,
        sip_headers=_sip_headers(body),
        record=body.boolean("recordingEnabled") or False,
        recording_cap_s=_recording_cap(body),
        recording_format=read_format(body) or "wav",
        transcribe=body.boolean("transcriptionEnabled") or False,
        awaits_bridge=bridge_id,
        bridge_shown=bridge_id,
        shown={
            "callTimeout": ring_s,
            "callbackTimeout": target.timeout_ms if target and "callbackTimeout" in body else None,
            "callbackHttpMethod": target.method.lower()
            if target and "callbackHttpMethod" in body
            else None,
        },
    )


def _sip_headers(body: Body) -> dict[str, str]:
    headers = body.pairs("sipHeaders")
    if len(headers) > SIP_HEADERS_MOST:
        raise body.refuse("sipHeaders", f"has more than {SIP_HEADERS_MOST} entries")
    for name, value in headers.items():
        if not name.startswith("X-") or max(len(name), len(value)) > SIP_HEADER_LENGTH:
            raise body.refuse("sipHeaders", "has a name or value that is not allowed")
    return headers


def _recording_cap(body: Body) -> int | None:
    try:
        return body.integer("recordingMaxDuration", 1, RECORDING_MOST_S)
    except ApiError as error:
        if error.message and "above" in error.message:
            raise ApiError("maximum-recording-value-request") from None
        raise


def list_calls(context: Context) -> Answer:
    """Catapult: List calls. Lists of one bridge are not paged."""
    query = context.request.query
    legs = [leg for leg in _listed(context) if _matches(leg, query)]
    if query.get("sortOrder", "desc").lower() != "asc":
        legs.reverse()
    if "bridgeId" in query or "conferenceId" in query:
        answer = context.ok([show(context, leg) for leg in legs])
    else:
        answer = context.page(legs, lambda leg: show(context, leg))
    is_slow = context.exchange.switches.is_("call_list", "slow")
    return replace(answer, slow_s=SLOW_LIST_S) if is_slow else answer


def _listed(context: Context) -> list[Leg]:
    """Return the calls that the list shows by now; a switch refuses it or empties it."""
    switches = context.exchange.switches
    if refusal := LIST_REFUSALS.get(switches.text("call_list")):
        raise ApiError(refusal)
    if switches.is_("call_list", "empty"):
        return []
    newest = time.monotonic() - switches.seconds("list_lag_s")
    return [leg for leg in context.exchange.legs.values() if leg.born <= newest]


def _matches(leg: Leg, query: dict[str, str]) -> bool:
    wanted = {
        "bridgeId": leg.bridge_id or "",
        "conferenceId": "",
        "from": leg.from_,
        "to": leg.to,
    }
    if any(query[name] != value for name, value in wanted.items() if query.get(name)):
        return False
    earliest, latest = query.get("fromDateTime") or "", query.get("toDateTime") or "9"
    return earliest <= leg.start_time <= latest


def get_call(context: Context) -> Answer:
    """Catapult: Get call."""
    return context.ok(show(context, get_leg(context, context.ids[0])))


def update_call(context: Context) -> Answer:
    """Catapult: Update call; with ``state: transferring`` also Transfer active call."""
    leg = get_leg(context, context.ids[0])
    body = context.body("call")
    state = body.choice("state", ("active", "completed", "rejected", "transferring"))
    if leg.final:
        raise invalid_state(leg)
    context.platform.check_set_up(leg)
    if state == "transferring":
        return transfer(context, leg, body)
    _check_update(body)
    target, tag = _moved_target(leg, body), body.text("tag", TAG_MOST)
    if state is not None:
        _change_state(context, leg, state)
    _move_callbacks(leg, target, tag)
    if not leg.final:
        change_recording(context, leg, body)
    return Answer()


def _change_state(context: Context, leg: Leg, state: str) -> None:
    exchange = context.exchange
    if state == "completed":
        exchange.hang_up(leg)
        return
    takeover = state == "active" and exchange.switches.is_("takeover", "on")
    if leg.state is not State.STARTED or (leg.direction == "out" and not takeover):
        raise invalid_state(leg)
    if state == "rejected":
        exchange.end(leg, "CALL_REJECTED", Move.REJECT, by="router")
    elif leg.direction == "out":
        exchange.picked_up(leg)
    else:
        exchange.answer(leg)


def _check_update(body: Body) -> None:
    """Refuse what is wrong before anything has been done."""
    body.boolean("recordingEnabled")
    read_format(body)
    _recording_cap(body)


def _moved_target(leg: Leg, body: Body) -> Target | None:
    new = read_target(body)
    if new is None or leg.target is None:
        return new
    old, given = leg.target, body.__contains__
    return Target(
        new.url,
        new.method if given("callbackHttpMethod") else old.method,
        new.timeout_ms if given("callbackTimeout") else old.timeout_ms,
        new.fallback_url if given("fallbackUrl") else old.fallback_url,
    )


def _move_callbacks(leg: Leg, target: Target | None, tag: str | None) -> None:
    if target is not None:
        leg.target, leg.moved_callbacks = target, True
    if tag is not None:
        leg.tag = tag


def change_recording(context: Context, leg: Leg, body: Body) -> None:
    """Start, stop or reshape the recording; ``active`` is needed to start or stop one."""
    wanted = body.boolean("recordingEnabled")
    running = leg.recording is not None
    if wanted is not None and leg.state not in {State.ACTIVE, State.TRANSFERRING}:
        raise invalid_state(leg)
    if running and (wanted or "recordingMaxDuration" in body):
        raise ApiError("conflicted-recording-values-request", ids={"callId": leg.id})
    leg.recording_format = read_format(body) or leg.recording_format
    leg.recording_cap_s = _recording_cap(body) or leg.recording_cap_s
    if wanted:
        leg.record = True
        context.exchange.media.start_recording(leg)
    elif wanted is False:
        leg.record = False
        context.exchange.media.stop_recording(leg)


def change_audio(context: Context) -> Answer:
    """Catapult: Play audio or speak sentence; an empty string stops."""
    leg = get_leg(context, context.ids[0])
    body = context.body("audio")
    sounds = read_sounds(body)
    if context.exchange.shown_state(leg) != State.ACTIVE:
        raise invalid_state(leg)
    stops = [
        kind
        for kind, name in {"playback": "fileUrl", "speak": "sentence"}.items()
        if body.text(name) == ""
    ]
    if not sounds and not stops:
        body.require("sentence")
    for kind in stops:
        if not context.exchange.media.stop(leg, kind):
            raise ApiError("call-audio-invalid-state", ids={"callId": leg.id})
    context.exchange.media.play(leg, sounds)
    return Answer()


def send_digits(context: Context) -> Answer:
    """Catapult: Send DTMF."""
    leg = get_leg(context, context.ids[0])
    body = context.body("dtmf")
    body.require("dtmfOut")
    if not re.fullmatch(r"[A-D0-9#*,wW]{1,92}", body.text("dtmfOut") or ""):
        raise body.refuse("dtmfOut", "has characters that are not tones, or too many")
    if context.exchange.shown_state(leg) != State.ACTIVE:
        raise invalid_state(leg)
    return Answer()


def create_gather(context: Context) -> Answer:
    """Catapult: Gather DTMF."""
    leg = get_leg(context, context.ids[0])
    body = context.body("gather")
    gather = Gather(
        body.integer("maxDigits", 1, 30) or 30,
        body.number("interDigitTimeout", 0, 30) or 5.0,
        body.text("terminatingDigits") or "#",
        body.text("tag", TAG_MOST),
    )
    prompt = body.part("prompt")
    sounds = read_sounds(prompt) if prompt else []
    if context.exchange.shown_state(leg) != State.ACTIVE:
        raise invalid_state(leg)
    if leg.running_gather() is not None:
        raise ApiError("call-duplicate-gather-error", ids={"callId": leg.id})
    context.exchange.media.gather(leg, gather, sounds)
    return context.created(f"calls/{leg.id}/gather", gather.id)


def _gather(context: Context) -> tuple[Leg, Gather]:
    leg = get_leg(context, context.ids[0])
    gather = leg.gathers.get(context.ids[1])
    if gather is None:
        raise ApiError("resource-not-found")
    return leg, gather


def get_gather(context: Context) -> Answer:
    """Catapult: Get gather."""
    return context.ok(resources.gather(*_gather(context), context.base))


def update_gather(context: Context) -> Answer:
    """Catapult: Update gather; it can only be completed."""
    leg, gather = _gather(context)
    body = context.body("gather")
    body.require("state")
    body.choice("state", ("completed",))
    if gather.state == "started":
        context.exchange.media.complete_gather(leg, gather, "cancelled")
    return Answer()


def list_events(context: Context) -> Answer:
    """Catapult: List call events."""
    leg = get_leg(context, context.ids[0])
    return context.ok([resources.event_row(row) for row in leg.events])


def get_event(context: Context) -> Answer:
    """Catapult: Get call event."""
    leg = get_leg(context, context.ids[0])
    for row in leg.events:
        if row["id"] == context.ids[1]:
            return context.ok(resources.event(row))
    raise ApiError("resource-not-found")


def list_call_recordings(context: Context) -> Answer:
    """Catapult: List recordings of a call."""
    leg = get_leg(context, context.ids[0])
    return context.ok([resources.recording(one, context.base) for one in leg.recordings])


def list_transcriptions(context: Context) -> Answer:
    """Catapult: List transcriptions of a call; nothing is ever transcribed here."""
    get_leg(context, context.ids[0])
    return context.ok([])
