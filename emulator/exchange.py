"""The exchange: calls come in, are answered, transferred, joined and ended, and the router is told.

Every method is called with ``lock`` held; timers take it themselves.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from emulator import events
from emulator.bridges import Bridges
from emulator.callbacks import Message
from emulator.legs import Leg, Move, State
from emulator.media import Media

if TYPE_CHECKING:
    from emulator.accounts import Application
    from emulator.callbacks import Callbacks
    from emulator.clock import Action, Scheduler
    from emulator.log import Log
    from emulator.people import People
    from emulator.switches import Switches

# A cause that no page lists stands for an internal error. Catapult: Hangup event.
INTERNAL = "UNSPECIFIED"


class Exchange:
    """All legs and what happens to them. ``base`` is the absolute URL of the user's resources."""

    def __init__(
        self,
        base: str,
        switches: Switches,
        scheduler: Scheduler,
        callbacks: Callbacks,
        people: People,
        log: Log,
    ) -> None:
        self.base = base
        self.switches = switches
        self.lock = threading.RLock()
        self.legs: dict[str, Leg] = {}
        self.bridges = Bridges(self)
        self.media = Media(self)
        self._scheduler = scheduler
        self._callbacks = callbacks
        self._people = people
        self._log = log

    def later(self, leg: Leg, seconds: float, action: Action) -> None:
        """Do something in ``seconds``, unless the leg has ended by then."""

        def act() -> None:
            with self.lock:
                if not leg.final:
                    action()

        leg.timers.append(self._scheduler.after(seconds, act))

    def tell(self, leg: Leg, event: events.Event, failed: Action | None = None) -> None:
        """Send an event to where the leg's events go; a leg without a URL tells nobody."""
        if leg.target is not None:
            self._callbacks.send(leg.id, Message(event, leg.target, failed))

    # Inbound calls

    def come_in(self, leg: Leg, application: Application, rescue_number: str | None) -> None:
        """Take a call to one of our numbers; ``rescue_number`` is the number's fallbackNumber."""
        self._enter(leg)
        self.tell(
            leg,
            events.incoming_call(leg, self.base),
            failed=lambda: self._nobody_listens(leg, rescue_number),
        )
        if application.auto_answer:
            self.answer(leg)
        else:
            patience_s = self.switches.seconds("unanswered_s")
            self.later(leg, patience_s, lambda: self._give_up(leg))

    def answer(self, leg: Leg) -> None:
        """Answer a leg for the API, the application or the person called."""
        leg.go(Move.ANSWER)
        leg.log("answer")
        self._log.add("answered", callId=leg.id)
        self.tell(leg, events.answer(leg, self.base))
        if leg.record:
            self.media.start_recording(leg)
        self.bridges.note_answer(leg)

    def _give_up(self, leg: Leg) -> None:
        if leg.state is State.STARTED and leg.reaching is None:
            self.end(leg, "NO_ANSWER")

    def _nobody_listens(self, leg: Leg, rescue_number: str | None) -> None:
        """Send a call whose incomingcall nobody took to the fallbackNumber, or end it."""
        with self.lock:
            if leg.final or leg.reaching or leg.peer:
                return
            self._callbacks.drop_waiting(leg.id)
            if rescue_number is None:
                self.end(leg, INTERNAL)
            else:
                self._rescue(leg, rescue_number)

    def _rescue(self, leg: Leg, number: str) -> None:
        ring_s = self.switches.seconds("transfer_ring_s")
        rescue = Leg("out", leg.from_, number, None, ring_s=ring_s, parent=leg, is_rescue=True)
        self._reach(leg, rescue)

    # Outbound legs

    def call(self, leg: Leg) -> None:
        """Ring the destination of an outbound leg, for ``leg.ring_s`` seconds at most."""
        self._enter(leg)
        self._people.ring(leg, self)
        if leg.ring_s is not None:
            self.later(leg, leg.ring_s, lambda: self.ring_out(leg))

    def picked_up(self, leg: Leg, talk_s: float | None = None) -> None:
        """Let the person called answer, and hang up ``talk_s`` seconds later."""
        self.answer(leg)
        if talk_s is not None:
            self.later(leg, talk_s, lambda: self.end(leg, "NORMAL_CLEARING", by="person"))
        if leg.parent is not None:
            self.media.play(leg, leg.whisper, then=lambda: self._join(leg))

    def ring_out(self, leg: Leg) -> None:
        """Stop ringing at the limit. Catapult: Timeout event, then Hangup event."""
        if leg.state is State.STARTED:
            self.tell(leg, events.ring_timeout(leg, self.base))
            self.end(leg, "NO_ANSWER")

    def lose(self, leg: Leg) -> None:
        """Lose a leg inside the platform: no event ever tells of it."""
        leg.go(Move.FAIL)
        leg.log("error", "backend lost track of the call")
        self._log.add("ended", callId=leg.id, cause=None, by="platform")
        self._wind_up(leg)

    # Transfers

    def transfer(self, leg: Leg, new: Leg) -> None:
        """Begin to reach ``new`` for ``leg``. Catapult: Transfer active call."""
        if leg.peer is not None:
            self._drop_peer(leg)
        if leg.bridge_id is not None:
            self.bridges.leave(leg)
        leg.go(Move.TRANSFER)
        self._reach(leg, new)

    def _reach(self, leg: Leg, new: Leg) -> None:
        leg.reaching = new
        self.call(new)

    def _drop_peer(self, leg: Leg) -> None:
        peer, leg.peer = leg.peer, None
        if peer is not None:
            peer.peer = None
            self.end(peer, "NORMAL_CLEARING")

    def _join(self, new: Leg) -> None:
        leg = new.parent
        if leg is None or leg.reaching is not new:
            return
        leg.reaching, leg.peer, new.peer = None, new, leg
        self.note_joined(leg, new)
        if leg.state is State.TRANSFERRING:
            leg.go(Move.JOIN)
        elif leg.state is State.STARTED:
            leg.go(Move.ANSWER)

    def _not_reached(self, leg: Leg, new: Leg) -> None:
        """B ended without being joined. What becomes of A is not documented: a switch decides."""
        leg.reaching = None
        choice = self.switches.text("transfer_failure")
        hangs_up = choice == "hangup" or (choice == "mixed" and new.cause == "UNALLOCATED_NUMBER")
        if new.is_rescue:
            self.end(leg, new.cause or INTERNAL)
        elif hangs_up:
            self.end(leg, "NORMAL_CLEARING")
        else:
            leg.go(Move.RETURN)

    # Endings

    def end(self, leg: Leg, cause: str, move: Move = Move.END, *, by: str = "platform") -> None:
        """End a leg; whoever was joined with it by a transfer ends too."""
        if leg.final:
            return
        self.media.finish(leg)
        leg.cause = cause
        leg.go(move)
        leg.log("hangup", cause)
        self._log.add("ended", callId=leg.id, cause=cause, by=by)
        self.tell(leg, events.hangup(leg, self.base))
        self.media.stop_recording(leg)
        self._wind_up(leg)

    def hang_up(self, leg: Leg) -> None:
        """End a leg for the router; while it rings, the cause is ours to choose."""
        rings = leg.direction == "out" and leg.state is State.STARTED
        cause = self.switches.text("router_cancel_cause") if rings else "NORMAL_CLEARING"
        self.end(leg, cause, by="router")

    def put_down(self, leg: Leg) -> None:
        """Let the person on this leg hang up, or decline while it rings."""
        if leg.state is State.STARTED and leg.direction == "out":
            self.end(leg, "CALL_REJECTED", Move.REJECT, by="person")
        else:
            unanswered = leg.state is State.STARTED
            cause = "ORIGINATOR_CANCEL" if unanswered else "NORMAL_CLEARING"
            self.end(leg, cause, by="person")

    def _wind_up(self, leg: Leg) -> None:
        for timer in leg.timers:
            timer.cancel()
        leg.timers.clear()
        self._drop_peer(leg)
        reaching, leg.reaching = leg.reaching, None
        if reaching is not None:
            rings = reaching.state is State.STARTED
            self.end(reaching, "ORIGINATOR_CANCEL" if rings else "NORMAL_CLEARING")
        if leg.parent is not None and leg.parent.reaching is leg:
            self._not_reached(leg.parent, leg)
        if leg.bridge_id is not None:
            self.bridges.leave(leg)

    # Views

    def caller_of(self, call_ids: list[str]) -> str:
        """Return who began the call that the first known one of these legs belongs to, or ""."""
        leg = next((self.legs[each] for each in call_ids if each in self.legs), None)
        while leg is not None and (first := leg.parent or self.legs.get(leg.tag or "")):
            leg = first
        return leg.from_ if leg else ""

    def shown_state(self, leg: Leg) -> str:
        """Return the state the API shows; a switch hides ``transferring``."""
        if leg.state is State.TRANSFERRING:
            return self.switches.text("a_state_during")
        return leg.state

    def note_joined(self, leg: Leg, other: Leg) -> None:
        """Write down that two parties hear each other from now on."""
        self._log.add("joined", callId=leg.id, **{"with": other.id})

    def talks_to(self, leg: Leg) -> list[str]:
        """Return the ids of the legs this one is connected with now."""
        if leg.peer is not None:
            return [leg.peer.id]
        return self.bridges.heard_by(leg)

    def _enter(self, leg: Leg) -> None:
        self.legs[leg.id] = leg
        leg.log("create")
        self._log.add("leg", **self._first_sight(leg))

    def _first_sight(self, leg: Leg) -> dict[str, Any]:
        facts: dict[str, Any] = {
            "callId": leg.id,
            "direction": leg.direction,
            "from": leg.from_,
            "to": leg.to,
            "parent": leg.parent.id if leg.parent else None,
        }
        if leg.direction == "out":
            facts |= {"tag": leg.tag, "rescue": leg.is_rescue}
            facts |= {"diversion": leg.diversions, "diversionHeader": leg.diversion_header()}
        return facts
