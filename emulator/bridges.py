"""Bridges: two calls joined by the router itself. Catapult: Bridges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emulator.clock import timestamp
from emulator.errors import ApiError
from emulator.legs import Leg, State, new_id

if TYPE_CHECKING:
    from emulator.exchange import Exchange

MOST_CALLS = 2


@dataclass(eq=False)
class Bridge:
    """Up to two members; they hear each other when ``audio`` is on and both are answered."""

    audio: bool = True
    id: str = field(default_factory=lambda: new_id("brg"))
    members: list[Leg] = field(default_factory=list)
    created: str = field(default_factory=timestamp)
    activated: str | None = None
    completed: str | None = None

    @property
    def state(self) -> str:
        """Catapult: Bridges, ``state``; ``error`` never happens here."""
        if self.completed:
            return "completed"
        if not self.audio and self.members:
            return "hold"
        return "active" if self.activated else "created"

    def joined(self) -> bool:
        """Whether two parties hear each other now."""
        answered = [leg for leg in self.members if leg.state is State.ACTIVE]
        return self.audio and not self.completed and len(answered) == MOST_CALLS

    def note_times(self) -> bool:
        """Write down when audio was first joined; return whether that was now."""
        if not self.joined() or self.activated is not None:
            return False
        self.activated = timestamp()
        return True


class Bridges:
    """All bridges; the exchange's lock is held whenever they are used."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.all: dict[str, Bridge] = {}

    def get(self, bridge_id: str) -> Bridge:
        """Return the bridge with this id; raises ApiError ``bridge-not-found``."""
        if bridge_id not in self.all:
            raise ApiError("bridge-not-found", ids={"bridgeId": bridge_id})
        return self.all[bridge_id]

    def create(self, call_ids: list[str], *, audio: bool) -> Bridge:
        """Make a bridge of these calls; raises ApiError."""
        bridge = Bridge(audio)
        members = self._members(bridge, call_ids)
        self.all[bridge.id] = bridge
        self._seat(bridge, members)
        return bridge

    def update(self, bridge: Bridge, call_ids: list[str] | None, audio: bool | None) -> None:
        """Change the members, the audio or both; ``[]`` completes the bridge. Raises ApiError."""
        if bridge.completed:
            raise ApiError("bridge-invalid-state", ids={"bridgeId": bridge.id})
        members = None if call_ids is None else self._members(bridge, call_ids)
        bridge.audio = bridge.audio if audio is None else audio
        if members is not None:
            self._seat(bridge, members)
            if not members:
                bridge.completed = timestamp()
        self._note_times(bridge)

    def note_answer(self, leg: Leg) -> None:
        """Notice an answer; a call created with ``bridgeId`` joins now. Catapult: Create call."""
        bridge = self.all.get(leg.bridge_id or leg.awaits_bridge or "")
        if bridge is None or bridge.completed:
            return
        if leg.bridge_id is None and len(bridge.members) < MOST_CALLS:
            self._seat(bridge, [*bridge.members, leg])
        self._note_times(bridge)

    def leave(self, leg: Leg) -> None:
        """Let a member go; the other stays, and the last one completes the bridge."""
        bridge = self.all[leg.bridge_id or ""]
        leg.bridge_id = None
        bridge.members.remove(leg)
        if not bridge.members:
            bridge.completed = timestamp()

    def heard_by(self, leg: Leg) -> list[str]:
        """Return the ids of those this leg hears through its bridge."""
        bridge = self.all.get(leg.bridge_id or "")
        if bridge is None or not bridge.joined():
            return []
        return [other.id for other in bridge.members if other is not leg]

    def _seat(self, bridge: Bridge, members: list[Leg]) -> None:
        for leg in bridge.members:
            leg.bridge_id = None
        for leg in members:
            leg.bridge_id = leg.bridge_shown = bridge.id
        bridge.members = members
        self._note_times(bridge)

    def _note_times(self, bridge: Bridge) -> None:
        if bridge.note_times():
            self._exchange.note_joined(*bridge.members)

    def _members(self, bridge: Bridge, call_ids: list[str]) -> list[Leg]:
        if len(call_ids) > MOST_CALLS:
            raise ApiError("bridge-callIds-overflow", ids={"bridgeId": bridge.id})
        return [self._member(bridge, call_id) for call_id in dict.fromkeys(call_ids)]

    def _member(self, bridge: Bridge, call_id: str) -> Leg:
        leg = self._exchange.legs.get(call_id)
        if leg is None:
            raise ApiError("call-id-not-found")
        if leg.bridge_id not in {None, bridge.id}:
            raise ApiError("bridge-bridged-callId", ids={"callId": call_id})
        if leg.final or leg.peer is not None or leg.reaching is not None:
            raise ApiError("bridge-invalid-operation", ids={"bridgeId": bridge.id})
        return leg
