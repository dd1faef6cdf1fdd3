"""The emulator's own controls, beside /v1: what people do, and how the platform behaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from emulator.errors import ControlError
from emulator.faults import read_fault
from emulator.messages import Answer, Request, json_answer
from emulator.people import read_person
from emulator.switches import SWITCHES
from emulator.validation import is_destination

if TYPE_CHECKING:
    from emulator.legs import Leg
    from emulator.platform import Platform

Values = dict[str, Any]


def dial(platform: Platform, body: Values, _id: str) -> Values:
    """Let a person dial one of our numbers."""
    return {"callId": platform.dial(body).id}


def hang_up(platform: Platform, _body: Values, call_id: str) -> Values:
    """Let the person on this leg hang up; a leg that has ended stays as it is."""
    platform.exchange.put_down(_leg(platform, call_id))
    return {}


def press(platform: Platform, body: Values, call_id: str) -> Values:
    """Let the person on this leg press keys."""
    digits = str(body.get("digits", ""))
    if not digits or set(digits) - set("0123456789*#ABCD"):
        raise ControlError(f"digits cannot be {digits!r}; it takes 0-9, A-D, * and #")
    leg = _leg(platform, call_id)
    if leg.final:
        raise ControlError(f"call {call_id} has ended")
    platform.exchange.media.press(leg, digits)
    return {}


def destination(platform: Platform, body: Values, _id: str) -> Values:
    """How the person at a number behaves from now on."""
    number = body.get("number")
    if not isinstance(number, str) or not is_destination(number):
        raise ControlError(f"number cannot be {number!r}; it takes a number or a SIP URI")
    platform.people.set(number, read_person(body))
    return {}


def switches(platform: Platform, body: Values, _id: str) -> Values:
    """Set switches; answers all that are in force."""
    platform.switches.set(body)
    return platform.switches.all()


def show_switches(platform: Platform, _query: Values, _id: str) -> Values:
    """Every switch: its value, what it takes, what it is about."""
    values = platform.switches.all()
    return {
        name: {"value": values[name], "takes": row.allowed(), "about": row.about}
        for name, row in SWITCHES.items()
    }


def fault(platform: Platform, body: Values, _id: str) -> Values:
    """Make something go wrong."""
    platform.faults.add(read_fault(body))
    return {}


def clear_faults(platform: Platform, _body: Values, _id: str) -> Values:
    """Let nothing go wrong any more."""
    platform.faults.clear()
    return {}


def show_log(platform: Platform, query: Values, _id: str) -> list[Values]:
    """Everything in order; ``since`` skips the first entries, ``kind`` keeps one kind."""
    since = str(query.get("since", 0))
    if not since.isdecimal():
        raise ControlError(f"since cannot be {since!r}; it takes a whole number")
    return platform.log.entries(int(since), query.get("kind"))


def show_problems(platform: Platform, _query: Values, _id: str) -> list[Values]:
    """Callbacks that were not taken."""
    return platform.log.problems()


def show_calls(platform: Platform, query: Values, _id: str) -> list[Values]:
    """Every leg in order of appearance, and who talks to whom; ``open`` skips those that ended."""
    legs = platform.exchange.legs.values()
    return [_show(platform, leg) for leg in legs if not (leg.final and query.get("open"))]


def _show(platform: Platform, leg: Leg) -> Values:
    return {
        "callId": leg.id,
        "direction": leg.direction,
        "from": leg.from_,
        "to": leg.to,
        "state": str(leg.state),
        "ringing": leg.direction == "out" and leg.state == "started",
        "parent": leg.parent.id if leg.parent else None,
        "reaching": leg.reaching.id if leg.reaching else None,
        "talksTo": platform.exchange.talks_to(leg),
        "hears": sorted(leg.playing),
        "bridgeId": leg.bridge_id,
        "cause": leg.cause,
    }


def _leg(platform: Platform, call_id: str) -> Leg:
    leg = platform.exchange.legs.get(call_id)
    if leg is None:
        raise ControlError(f"there is no call {call_id}")
    return leg


Control = Callable[["Platform", Values, str], Any]

CONTROLS: dict[str, Control] = {
    "POST calls": dial,
    "GET calls": show_calls,
    "POST calls/{}/hangup": hang_up,
    "POST calls/{}/digits": press,
    "POST destinations": destination,
    "POST switches": switches,
    "GET switches": show_switches,
    "POST faults": fault,
    "DELETE faults": clear_faults,
    "GET log": show_log,
    "GET problems": show_problems,
}


def handle(platform: Platform, request: Request) -> Answer:
    """Answer one control request; what makes no sense gets 400 and says why."""
    rest = request.segments[1:]
    shape = "/".join("{}" if place % 2 else part for place, part in enumerate(rest))
    control = CONTROLS.get(f"{request.method} {shape}")
    if control is None:
        known = ", ".join(CONTROLS)
        return json_answer(404, {"error": f"no such control; there are: {known}, POST reset"})
    try:
        values = request.query if request.method == "GET" else _values(request)
        with platform.exchange.lock:
            return json_answer(200, control(platform, values, "".join(rest[1:2])))
    except ControlError as error:
        return json_answer(400, {"error": str(error)})


def _values(request: Request) -> Values:
    try:
        values = request.json()
    except ValueError:
        raise ControlError("the body is not valid JSON") from None
    if not isinstance(values, dict | None):
        raise ControlError("the body is not a JSON object")
    return values or {}
