"""The API of bridges. Catapult: Bridges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import resources
from emulator.call_requests import read_sounds, show
from emulator.errors import ApiError
from emulator.messages import Answer

if TYPE_CHECKING:
    from emulator.api import Context


def create_bridge(context: Context) -> Answer:
    """Catapult: Create bridge; without ``callIds`` it waits for calls made with ``bridgeId``."""
    body = context.body("bridge")
    audio = body.boolean("bridgeAudio")
    bridge = context.exchange.bridges.create(body.ids("callIds") or [], audio=audio is not False)
    return context.created("bridges", bridge.id)


def list_bridges(context: Context) -> Answer:
    """Catapult: List bridges, the newest first."""
    bridges = list(reversed(context.exchange.bridges.all.values()))
    return context.page(bridges, lambda one: resources.bridge(one, context.base))


def get_bridge(context: Context) -> Answer:
    """Catapult: Get bridge."""
    bridge = context.exchange.bridges.get(context.ids[0])
    return context.ok(resources.bridge(bridge, context.base))


def update_bridge(context: Context) -> Answer:
    """Catapult: Update bridge."""
    bridge = context.exchange.bridges.get(context.ids[0])
    body = context.body("bridge")
    context.exchange.bridges.update(bridge, body.ids("callIds"), body.boolean("bridgeAudio"))
    return Answer()


def change_bridge_audio(context: Context) -> Answer:
    """Catapult: Bridge audio. It raises no events: no page says where they would go."""
    bridge = context.exchange.bridges.get(context.ids[0])
    body = context.body("audio")
    read_sounds(body)
    if "fileUrl" not in body and "sentence" not in body:
        body.require("sentence")
    if not bridge.members:
        raise ApiError("bridge-invalid-operation", ids={"bridgeId": bridge.id})
    return Answer()


def list_bridge_calls(context: Context) -> Answer:
    """Catapult: List calls of a bridge."""
    bridge = context.exchange.bridges.get(context.ids[0])
    return context.ok([show(context, leg) for leg in bridge.members])
