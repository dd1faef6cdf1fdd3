"""A leg: one party's half of a call, its states, and which moves lead from one to the next."""

from __future__ import annotations

import os
import time
from base64 import b32encode
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from emulator.clock import Timer, timestamp

_ID_LENGTH = 23


def new_id(prefix: str) -> str:
    """Make an id such as ``c-les3n4xmg6d7l7f7cuhtrzw``: captures show 23 characters of a-z2-7."""
    return f"{prefix}-{b32encode(os.urandom(15))[:_ID_LENGTH].decode().lower()}"


class State(StrEnum):
    """Catapult: Calls, ``state``; ``error`` is in no page but was reported from a live account."""

    STARTED = "started"
    ACTIVE = "active"
    TRANSFERRING = "transferring"
    REJECTED = "rejected"
    COMPLETED = "completed"
    ERROR = "error"


class Move(StrEnum):
    """What can happen to a leg."""

    ANSWER = "is answered"
    TRANSFER = "is transferred"
    JOIN = "is joined with the other leg"
    RETURN = "comes back from a failed transfer"
    REJECT = "is rejected"
    END = "ends"
    FAIL = "is lost by the platform"


# The whole state machine; a pair that is not here cannot happen.
MOVES: dict[tuple[State, Move], State] = {
    (State.STARTED, Move.ANSWER): State.ACTIVE,
    (State.STARTED, Move.REJECT): State.REJECTED,
    (State.STARTED, Move.END): State.COMPLETED,
    (State.STARTED, Move.FAIL): State.ERROR,
    (State.ACTIVE, Move.TRANSFER): State.TRANSFERRING,
    (State.ACTIVE, Move.END): State.COMPLETED,
    (State.ACTIVE, Move.FAIL): State.ERROR,
    (State.TRANSFERRING, Move.JOIN): State.ACTIVE,
    (State.TRANSFERRING, Move.RETURN): State.ACTIVE,
    (State.TRANSFERRING, Move.END): State.COMPLETED,
    (State.TRANSFERRING, Move.FAIL): State.ERROR,
}


@dataclass(frozen=True)
class Target:
    """Where the events of a leg go. ``timeout_ms`` holds for each attempt."""

    url: str
    method: str = "POST"
    timeout_ms: int = 10_000
    fallback_url: str | None = None


@dataclass
class Sound:
    """A sentence (``speak``) or a file (``playback``) that a party hears."""

    kind: str
    loop: bool = False
    tag: str | None = None
    events: bool = True


@dataclass
class Gather:
    """Digits being collected from a party. Catapult: Gather DTMF."""

    max_digits: int
    pause_s: float
    terminators: str
    tag: str | None = None
    id: str = field(default_factory=lambda: new_id("g"))
    state: str = "started"
    digits: str = ""
    reason: str | None = None
    created: str = field(default_factory=timestamp)
    completed: str | None = None
    timer: Timer | None = None


@dataclass
class Recording:
    """What was said on a leg. Catapult: Recordings."""

    call_id: str
    media_name: str
    id: str = field(default_factory=lambda: new_id("r"))
    state: str = "recording"
    start: str = field(default_factory=timestamp)
    end: str | None = None


@dataclass(eq=False)
class Leg:
    """One call resource, and what the platform knows beside it."""

    direction: str
    from_: str
    to: str
    target: Target | None
    tag: str | None = None
    ring_s: float | None = None
    whisper: list[Sound] = field(default_factory=list)
    parent: Leg | None = None
    application_id: str | None = None
    diversion: dict[str, Any] | None = None
    diversions: list[dict[str, Any]] = field(default_factory=list)
    caller: dict[str, Any] = field(default_factory=dict)
    sip_headers: dict[str, str] = field(default_factory=dict)
    record: bool = False
    recording_cap_s: float | None = None
    recording_format: str = "wav"
    transcribe: bool = False
    awaits_bridge: str | None = None
    bridge_shown: str | None = None
    is_rescue: bool = False

    id: str = field(default_factory=lambda: new_id("c"))
    state: State = State.STARTED
    born: float = field(default_factory=time.monotonic)
    start_time: str = field(default_factory=timestamp)
    active_time: str | None = None
    answered_at: float | None = None
    end_time: str | None = None
    talked_s: float | None = None
    cause: str | None = None

    shown: dict[str, Any] = field(default_factory=dict)
    moved_callbacks: bool = False
    reaching: Leg | None = None
    peer: Leg | None = None
    bridge_id: str | None = None
    updating: bool = False
    timers: list[Timer] = field(default_factory=list)
    playing: dict[str, Sound] = field(default_factory=dict)
    gathers: dict[str, Gather] = field(default_factory=dict)
    recordings: list[Recording] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def can(self, move: Move) -> bool:
        """Whether the state table allows ``move`` now."""
        return (self.state, move) in MOVES

    def go(self, move: Move) -> None:
        """Make a move; raises KeyError if the table has no such row."""
        self.state = MOVES[self.state, move]
        self.note_times()

    def note_times(self) -> None:
        """Write down when the leg was answered and when it ended."""
        if self.state is State.ACTIVE and self.active_time is None:
            self.active_time, self.answered_at = timestamp(), time.monotonic()
        if self.final:
            self.end_time = timestamp()
            if self.answered_at is not None:
                self.talked_s = time.monotonic() - self.answered_at

    @property
    def final(self) -> bool:
        """Whether nothing can happen to this leg any more."""
        return self.state in {State.REJECTED, State.COMPLETED, State.ERROR}

    @property
    def recording(self) -> Recording | None:
        """The recording that runs now."""
        return next((one for one in self.recordings if one.state == "recording"), None)

    def running_gather(self) -> Gather | None:
        """Return the gather that collects digits now."""
        return next((one for one in self.gathers.values() if one.state == "started"), None)

    def diversion_header(self) -> list[str]:
        """Render the Diversion headers the destination sees, in the form of RFC 5806."""
        return [_header(entry) for entry in self.diversions]

    def log(self, name: str, data: str | None = None) -> None:
        """Add a row to the call's event log. Catapult: Call events."""
        row = {"id": new_id("ce"), "time": timestamp(), "ms": int(time.time() * 1000), "name": name}
        self.events.append(row if data is None else row | {"data": data})


def _header(entry: dict[str, Any]) -> str:
    pairs = "".join(f";{name}={value}" for name, value in entry.items() if name != "origTo")
    return f"<sip:{entry.get('origTo', 'Anonymous')}>{pairs}"
