"""The transfer request. Catapult: Transfer active call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.call_requests import invalid_state, read_format, read_sounds
from emulator.errors import ApiError
from emulator.legs import Leg, Sound, State, Target
from emulator.log import masked

if TYPE_CHECKING:
    from emulator.api import Context
    from emulator.messages import Answer
    from emulator.validation import Body

TREATMENTS = ("none", "propagate", "stack")
# fmt: off
REASONS = (
    "unknown", "user-busy", "no-answer", "unavailable", "unconditional", "time-of-day",
    "do-not-disturb", "deflection", "follow-me", "out-of-service", "away",
)
# fmt: on


def transfer(context: Context, leg: Leg, body: Body) -> Answer:
    """Answer 201 with the Location of the new leg, or raise ApiError; nothing is done half."""
    body.require("transferTo")
    to = body.destination("transferTo") or ""
    new = _new_leg(context, leg, to, body)
    _check_recording(body)
    _check_state(context, leg)
    context.platform.check_reachable(to)
    _record(context, leg, body)
    context.exchange.transfer(leg, new)
    return context.created("calls", new.id)


def _check_recording(body: Body) -> None:
    body.boolean("recordingEnabled")
    read_format(body)


def _check_state(context: Context, leg: Leg) -> None:
    rejoining = leg.peer is not None and context.exchange.switches.is_("retransfer", "reject")
    if leg.state is not State.ACTIVE or leg.reaching is not None or rejoining:
        raise invalid_state(leg)


def _new_leg(context: Context, leg: Leg, to: str, body: Body) -> Leg:
    switches = context.exchange.switches
    inherits_all = switches.is_("bleg_inherit", "all")
    target = _target(context, leg, body.url("callbackUrl"))
    return Leg(
        "out",
        _caller_id(context, leg, body),
        to,
        target,
        tag=leg.tag if inherits_all else None,
        ring_s=switches.seconds("transfer_ring_s"),
        parent=leg,
        whisper=_whisper(context, body),
        diversions=_diversions(leg, body),
    )


def _target(context: Context, leg: Leg, url: str | None) -> Target | None:
    """B's own URL; how it is called comes from A, as far as the switch says."""
    switches = context.exchange.switches
    if url is None:
        return leg.target if switches.is_("bleg_events_without_url", "a_url") else None
    if leg.target is None or switches.is_("bleg_inherit", "none"):
        return Target(url)
    fallback = leg.target.fallback_url if switches.is_("bleg_inherit", "all") else None
    return Target(url, leg.target.method, leg.target.timeout_ms, fallback)


def _caller_id(context: Context, leg: Leg, body: Body) -> str:
    """Choose what the destination sees: the original caller unless the request says otherwise."""
    wanted = body.text("transferCallerId")
    if not wanted:
        return leg.from_
    own = leg.direction == "in" and wanted == leg.from_
    if wanted == "private" or own or context.may_present(wanted):
        return wanted
    raise ApiError("validation-error", f"Caller id {masked(wanted)} is not usable.")


def _whisper(context: Context, body: Body) -> list[Sound]:
    audio = body.part("whisperAudio")
    if audio is None:
        return []
    events = context.exchange.switches.is_("whisper_events", "on")
    sounds = read_sounds(audio, events=events)
    # Assumed: an endless whisper would never join the legs, so loopEnabled counts for nothing.
    return [Sound(sound.kind, events=events) for sound in sounds]


def _diversions(leg: Leg, body: Body) -> list[dict[str, Any]]:
    """Build the Diversion entries of the new leg: none, those that came in, or one more."""
    treatment = body.choice("diversionTreatment", TREATMENTS) or "none"
    came_in = [leg.diversion] if leg.diversion else leg.diversions
    if treatment == "none":
        return []
    if treatment == "propagate":
        return list(came_in)
    reason = body.choice("diversionReason", REASONS) or "unknown"
    counter = max((_counter(entry) for entry in came_in), default=0) + 1
    return [*came_in, {"origTo": leg.to, "reason": reason, "counter": counter}]


def _counter(entry: dict[str, Any]) -> int:
    text = str(entry.get("counter", 0))
    return int(text) if text.isdecimal() else 0


def _record(context: Context, leg: Leg, body: Body) -> None:
    """Record the leg that is transferred, which is what the request is taken to mean."""
    wanted, running = body.boolean("recordingEnabled"), leg.recording is not None
    leg.recording_format = read_format(body) or leg.recording_format
    if wanted and not running:
        leg.record = True
        context.exchange.media.start_recording(leg)
    elif wanted is False:
        leg.record = False
        context.exchange.media.stop_recording(leg)
