"""What is heard on a leg and what is collected from it: audio, digits, recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import events
from emulator.clock import timestamp
from emulator.legs import Gather, Leg, Recording, Sound

if TYPE_CHECKING:
    from emulator.clock import Action
    from emulator.exchange import Exchange

_LOG_DATA = {"started": "start", "done": "done"}


class Media:
    """Plays, listens and records; the exchange's lock is held whenever it is used."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.recordings: dict[str, Recording] = {}

    # Audio

    def play(self, leg: Leg, sounds: list[Sound], then: Action | None = None) -> None:
        """Play one sound after another, then do ``then``; a looping sound never gets there."""
        if not sounds:
            if then is not None:
                then()
            return
        first, *rest = sounds
        self.stop(leg, first.kind)
        leg.playing[first.kind] = first
        self._tell(leg, first, "started")
        if not first.loop:
            seconds = self._exchange.switches.seconds("audio_s")
            self._exchange.later(leg, seconds, lambda: self._played(leg, first, rest, then))

    def stop(self, leg: Leg, kind: str) -> bool:
        """Stop the sentence or the file that plays; False if none does."""
        sound = leg.playing.pop(kind, None)
        if sound is not None:
            self._tell(leg, sound, "done")
        return sound is not None

    def _played(self, leg: Leg, sound: Sound, rest: list[Sound], then: Action | None) -> None:
        if leg.playing.get(sound.kind) is sound:
            self.stop(leg, sound.kind)
            self.play(leg, rest, then)

    def _tell(self, leg: Leg, sound: Sound, status: str) -> None:
        leg.log("playback", _LOG_DATA[status])
        if sound.events:
            self._exchange.tell(leg, events.sound(leg, self._exchange.base, sound, status))

    # Digits

    def gather(self, leg: Leg, gather: Gather, prompt: list[Sound]) -> None:
        """Collect digits, once the prompt has begun. Catapult: Gather DTMF."""
        leg.gathers[gather.id] = gather
        self.play(leg, prompt)
        self._await_digit(leg, gather)

    def press(self, leg: Leg, digits: str) -> None:
        """Let the person on this leg press keys."""
        for digit in digits:
            self._exchange.tell(leg, events.digit(leg, self._exchange.base, digit))
            gather = leg.running_gather()
            if gather is not None:
                self._take_digit(leg, gather, digit)

    def complete_gather(self, leg: Leg, gather: Gather, reason: str) -> None:
        """Stop collecting and say what came."""
        gather.state, gather.reason, gather.completed = "completed", reason, timestamp()
        self._exchange.tell(leg, events.gathered(leg, gather))

    def _take_digit(self, leg: Leg, gather: Gather, digit: str) -> None:
        if digit in gather.terminators:
            self.complete_gather(leg, gather, "terminating-digit")
            return
        gather.digits += digit
        if len(gather.digits) >= gather.max_digits:
            self.complete_gather(leg, gather, "max-digits")
        else:
            self._await_digit(leg, gather)

    def _await_digit(self, leg: Leg, gather: Gather) -> None:
        so_far = gather.digits

        def give_up() -> None:
            if gather.state == "started" and gather.digits == so_far:
                self.complete_gather(leg, gather, "inter-digit-timeout")

        self._exchange.later(leg, gather.pause_s, give_up)

    # Recordings

    def start_recording(self, leg: Leg) -> None:
        """Begin a recording; there may be several in a call, one after another."""
        name = f"{leg.id}-{len(leg.recordings) + 1}.{leg.recording_format}"
        recording = Recording(leg.id, name)
        leg.recordings.append(recording)
        self.recordings[recording.id] = recording
        if leg.recording_cap_s is not None:
            self._exchange.later(leg, leg.recording_cap_s, lambda: self._stop(leg, recording))

    def stop_recording(self, leg: Leg) -> None:
        """End the recording that runs, if one does. Catapult: Recording event."""
        if leg.recording is not None:
            self._stop(leg, leg.recording)

    def _stop(self, leg: Leg, recording: Recording) -> None:
        if recording.state == "recording":
            recording.state, recording.end = "complete", timestamp()
            self._exchange.tell(leg, events.recorded(leg, self._exchange.base, recording))

    def finish(self, leg: Leg) -> None:
        """Stop what is heard and collected, because the leg is about to end."""
        for kind in list(leg.playing):
            self.stop(leg, kind)
        gather = leg.running_gather()
        if gather is not None:
            self.complete_gather(leg, gather, "hung-up")
