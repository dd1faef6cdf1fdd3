"""Route: where one call goes, and what follows each outcome of each attempt.

A route is plain data. Its JSON form holds everything that is left to do, so a call in progress
is not touched by a reload of the rules or a restart.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from msgspec import Struct, to_builtins

from catapult.transfer import MAX_SENTENCE, STACK, Audio, Transfer, is_number
from routing.callers import ANONYMOUS, is_withheld
from routing.conditions import because
from routing.rules import (
    CALLED,
    CALLER,
    DEFAULT_RING,
    Action,
    AnnounceAction,
    Destination,
    Parameters,
    RejectAction,
    Stage,
    Step,
    TransferAction,
)
from routing.turns import OnTurn
from routing.words import (
    AVAILABLE,
    BUSY,
    EMERGENCY,
    HANDLERS_BY_OUTCOME,
    OTHERWISE,
    REASON_BY_PRESENCE,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from routing.conditions import Call, Facts
    from routing.rules import Rule

APOLOGY = AnnounceAction(
    Audio(sentence="We are sorry. Nobody can take your call right now. Please try again later.")
)
"""What the caller hears when every option is spent."""

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_REASON_BY_HANDLER = {
    "onBusy": "user-busy",
    "onNoAnswer": "no-answer",
    "onRejected": "deflection",
    "onFailure": "unavailable",
}


class TraceStep(Struct, frozen=True, gc=False):
    """One rule that was tried, and why it did or did not hold."""

    rule: str
    held: bool
    because: str


class Trace(Struct, gc=False):
    """The rules that were tried, in order. The reasons are put into words when they are read."""

    _call: Call
    _facts: Facts
    _tried: Sequence[Rule]
    _last: TraceStep | None
    _words: tuple[TraceStep, ...] | None = None

    @property
    def steps(self) -> tuple[TraceStep, ...]:
        """Each rule tried; only the last one held."""
        if self._words is None:
            call, facts, failed, last = self._call, self._facts, self._tried, self._last
            if last is None:
                *failed, chosen = failed
                last = TraceStep(chosen.name, True, because(chosen.conditions, call, facts))
            if call.comes_back:
                last = TraceStep(last.rule, True, f"{last.because}; {_came_back(call)}")
            self._words = (
                *[
                    TraceStep(each.name, False, because(each.conditions, call, facts))
                    for each in failed
                ],
                last,
            )
        return self._words


def _came_back(call: Call) -> str:
    limit = "" if call.limit is None else f" (its limit is {call.limit})"
    times = f"it was diverted {call.counter} times before it came in{limit}"
    return f"{times}: a phone that is dialed here may have sent it back, so nobody is dialed"


class RecordedTrace(Struct, frozen=True):
    """A trace that was put into words when the call was routed."""

    steps: tuple[TraceStep, ...]


class Route(Struct, frozen=True):
    """Where a call goes: the chosen rule and the stages that can follow it.

    `reason` is the diversion reason of the first stage; `line` is None for a number on no line.
    """

    line: str | None
    title: str
    rule: str
    to: str
    caller: str
    owned: str
    """A number of the account: the called one, where it is a phone number."""
    reason: str
    stages: tuple[Stage, ...]
    trace: Trace | RecordedTrace
    calling: str = ""
    """The caller's own address, also of one who withholds it: that phone is not rung."""
    turns: tuple[OnTurn, ...] = ()
    """Who rings for the rotations that the stages name: whose turn it was when the call came."""

    @property
    def action(self) -> str:
        """`transfer`, `reject` or `announce`: what the chosen rule does."""
        return action_name(self.stages[0].action)

    def say(self, audio: Audio, reason: str) -> Audio:
        """Return `audio` with the placeholders of its sentence filled in for this call."""
        if audio.sentence is None or "{" not in audio.sentence:
            return audio
        caller = ANONYMOUS if is_withheld(self.caller) else self.caller
        words = {
            "line": self.title,
            "from": caller,
            "to": self.to,
            "rule": self.rule,
            "reason": reason,
        }
        sentence = _PLACEHOLDER.sub(
            lambda found: words.get(found[1], found[0]) or "unknown", audio.sentence
        )
        return replace(audio, sentence=sentence[:MAX_SENTENCE])


class Progress(Struct, frozen=True):
    """How far a call is on its route: the stage and step at hand, and the stages already used."""

    stage: int = 0
    step: int = -1
    used: tuple[int, ...] = (0,)
    reason: str = ""


class Attempt(Struct, frozen=True):
    """Destinations to ring now, together, and the diversion reason of each."""

    route: Route
    stage: str
    destinations: tuple[Destination, ...]
    reason: str

    @property
    def diversion_reason(self) -> str:
        """The reason of the first destination: an explicit one wins over the inferred."""
        return self.reason_for(self.destinations[0])

    @property
    def sent_reason(self) -> str | None:
        """The reason as it goes out: none without `stack`, none where several ring together."""
        first, *others = self.destinations
        is_sent = not others and first.parameters.diversion_treatment == STACK
        return self.diversion_reason if is_sent else None

    @property
    def ring(self) -> int:
        """Seconds that the attempt rings at most."""
        return max(ring_of(destination) for destination in self.destinations)

    def reason_for(self, destination: Destination) -> str:
        """Return the diversion reason for one destination."""
        return destination.parameters.diversion_reason or self.reason

    def transfer(self, destination: Destination, callback_url: str | None = None) -> Transfer:
        """Return the transfer request that rings `destination`."""
        parameters = destination.parameters
        reason = self.reason_for(destination)
        whisper = parameters.whisper_audio
        return Transfer(
            transfer_to=destination.transfer_to,
            transfer_caller_id=self.caller_id(destination),
            callback_url=callback_url,
            whisper_audio=self.route.say(whisper, reason) if whisper else None,
            recording_enabled=parameters.recording_enabled,
            recording_file_format=parameters.recording_file_format,
            diversion_treatment=parameters.diversion_treatment,
            diversion_reason=reason,
        )

    def creation(self, destination: Destination) -> dict[str, Any]:
        """Return the request that calls `destination`, as one of several that ring together.

        Only a number of the account may stand as its caller ("Catapult: Create call"): the one
        that is written, else the called one, else (for a SIP address) one of our lines.
        """
        written = self.caller_id(destination) or ""
        parameters = destination.parameters
        recording = {
            "recordingEnabled": parameters.recording_enabled,
            "recordingFileFormat": parameters.recording_file_format,
        }
        return {
            "from": written if is_number(written) else self.route.owned,
            "to": destination.transfer_to,
            "callTimeout": ring_of(destination),
            **{key: value for key, value in recording.items() if value is not None},
        }

    def caller_id(self, destination: Destination) -> str | None:
        """Return the transferCallerId to send; None leaves it out, which shows the caller's."""
        written = destination.parameters.transfer_caller_id
        if written == CALLED:
            return self.route.to if is_number(self.route.to) else None
        return None if written == CALLER else written


class Skip(Struct, frozen=True):
    """A destination whose turn came but that was not dialed."""

    destination: str
    because: str
    presence: str = AVAILABLE


class Move(Struct, frozen=True):
    """What to do next: ring an attempt, or end with a reject or an announcement."""

    progress: Progress
    attempt: Attempt | None = None
    ending: RejectAction | AnnounceAction | None = None
    skipped: tuple[Skip, ...] = ()


def first_move(route: Route, facts: Facts) -> Move:
    """Return what to do when the call has just been routed."""
    return _advance(route, Progress(reason=route.reason), facts)


def next_move(
    route: Route, progress: Progress, outcome: str, facts: Facts, cause: str | None = None
) -> Move:
    """Return what to do after the attempt at hand has ended with `outcome`.

    `cause` is the hangup cause, which tells an unallocated number from other failures.
    """
    following = after(route, progress, outcome, AVAILABLE, cause)
    if following is None:
        return Move(progress, ending=APOLOGY)
    return _advance(route, following, facts)


def _advance(route: Route, progress: Progress, facts: Facts) -> Move:
    """Take the next step of the stage at hand; one that rings nobody counts as busy."""
    skipped: tuple[Skip, ...] = ()
    while True:
        stage = route.stages[progress.stage]
        if not isinstance(stage.action, TransferAction):
            return Move(progress, ending=stage.action, skipped=skipped)
        progress = Progress(
            stage=progress.stage, step=progress.step + 1, used=progress.used, reason=progress.reason
        )
        step = stage.action.steps[progress.step]
        skips = [(each, skip_of(each, route.calling, facts)) for each in step.destinations]
        ringing = tuple(each for each, skip in skips if skip is None)
        left_out = tuple(skip for _, skip in skips if skip is not None)
        skipped += left_out
        if ringing:
            attempt = Attempt(route, stage.name, ringing, progress.reason)
            return Move(progress, attempt, skipped=skipped)
        presence = next((e.presence for e in left_out if e.presence != AVAILABLE), AVAILABLE)
        following = after(route, progress, BUSY, presence)
        if following is None:
            return Move(progress, ending=APOLOGY, skipped=skipped)
        progress = following


def after(
    route: Route, progress: Progress, outcome: str, presence: str, cause: str | None = None
) -> Progress | None:
    """Return where the call stands after `outcome`, before its next step; None at the end.

    `presence` is that of the person for whom nobody was dialed.
    """
    action = route.stages[progress.stage].action
    if isinstance(action, TransferAction) and progress.step + 1 < len(action.steps):
        return progress
    return _take_over(route, progress, outcome, presence, cause)


def skip_of(destination: Destination, calling: str, facts: Facts) -> Skip | None:
    """Return why a destination is not dialed when its turn comes; None if it is dialed."""
    if destination.party == calling:
        return Skip(destination.label, "it is the caller's own number")
    if destination.person is not None:
        state = facts.presence_of(destination.person)
        if state != AVAILABLE:
            return Skip(destination.label, f"{destination.person} is {state}", state)
    if facts.is_busy(destination.label):
        return Skip(destination.label, f"{destination.label} is at its capacity")
    return None


def _take_over(
    route: Route, progress: Progress, outcome: str, presence: str, cause: str | None
) -> Progress | None:
    names = [stage.name for stage in route.stages]
    followers: tuple[str, ...] = (*HANDLERS_BY_OUTCOME[outcome], OTHERWISE, EMERGENCY)
    at_hand = names[progress.stage]
    if progress.stage and at_hand in followers[-2:]:  # no way back to the rule's handlers
        followers = followers[followers.index(at_hand) + 1 :]
    for name in followers:
        # The first stage is the chosen rule, whatever its name.
        index = names.index(name, 1) if name in names[1:] else None
        if index is not None and index not in progress.used:
            reason = reason_of_stage(route.stages[index], presence, cause)
            return Progress(index, -1, (*progress.used, index), reason)
    return None


def reason_of_stage(stage: Stage, presence: str = AVAILABLE, cause: str | None = None) -> str:
    """Return the diversion reason of a handler, `otherwise` or `emergency` that takes over."""
    if stage.name == "onBusy":
        return REASON_BY_PRESENCE.get(presence, "user-busy")
    if stage.name == "onFailure" and cause == "UNALLOCATED_NUMBER":
        return "out-of-service"
    if stage.name in {OTHERWISE, EMERGENCY}:
        return reason_without_conditions(stage)
    return _REASON_BY_HANDLER[stage.name]


def reason_without_conditions(stage: Stage) -> str:
    """Return the diversion reason of a rule, `otherwise` or `emergency` that no condition gave."""
    if isinstance(stage.action, TransferAction) and stage.action.follow_me:
        return "follow-me"
    return "unavailable" if stage.name == EMERGENCY else "unconditional"


def ending_of(stages: Sequence[Stage]) -> Stage:
    """Return the first of a call's stages that dials nobody; the apology if all of them do."""
    endings = (each for each in stages if not isinstance(each.action, TransferAction))
    return next(endings, Stage(EMERGENCY, APOLOGY))


def ring_of(destination: Destination) -> int:
    """Return the seconds that a destination rings."""
    return destination.parameters.ring or DEFAULT_RING


def action_name(action: Action) -> str:
    """Return `transfer`, `reject` or `announce`."""
    if isinstance(action, TransferAction):
        return "transfer"
    return "reject" if isinstance(action, RejectAction) else "announce"


_PLAIN = ("line", "title", "rule", "to", "caller", "calling", "owned", "reason")


def dump(route: Route) -> dict[str, Any]:
    """Return the route as JSON data, not to be changed; `load` reads it back."""
    data: dict[str, Any] = {name: getattr(route, name) for name in _PLAIN}
    data["stages"] = [_dump_stage(stage) for stage in route.stages]
    data["trace"] = [
        {"rule": step.rule, "held": step.held, "because": step.because}
        for step in route.trace.steps
    ]
    if route.turns:
        data["turns"] = [to_builtins(each) for each in route.turns]
    return data


def load(data: dict[str, Any]) -> Route:
    """Return the route that `dump` wrote, perhaps that of an older version."""
    plain = {key: data[key] for key in _PLAIN if key in data}
    stages = tuple(Stage(each["name"], _load_action(each)) for each in data["stages"])
    trace = RecordedTrace(tuple(TraceStep(**step) for step in data["trace"]))
    turns = tuple(OnTurn(**each) for each in data.get("turns", ()))
    return Route(**plain, stages=stages, trace=trace, turns=turns)


def _dump_stage(stage: Stage) -> dict[str, Any]:
    """Return a stage as data. Every call of a rule has the same ones, so they are kept."""
    known = _dumped.get(id(stage))
    if known is None or known[0] is not stage:
        if len(_dumped) >= _MOST_DUMPED:
            _dumped.clear()
        known = _dumped[id(stage)] = (stage, {"name": stage.name, **_dump_action(stage.action)})
    return known[1]


_dumped: dict[int, tuple[Stage, dict[str, Any]]] = {}
_MOST_DUMPED = 4096


def _dump_action(action: Action) -> dict[str, Any]:
    if isinstance(action, TransferAction):
        steps = [
            [_written(to_builtins(each)) for each in step.destinations] for step in action.steps
        ]
        return {"transfer": steps, "followMe": action.follow_me}
    if isinstance(action, AnnounceAction):
        return {"announce": _written(to_builtins(action.audio))}
    return {"reject": True}


def _load_action(data: dict[str, Any]) -> Action:
    if "transfer" in data:
        steps = (Step(tuple(_load_destination(each) for each in step)) for step in data["transfer"])
        return TransferAction(tuple(steps), data["followMe"])
    return AnnounceAction(Audio(**data["announce"])) if "announce" in data else RejectAction()


def _load_destination(data: dict[str, Any]) -> Destination:
    parameters = dict(data.get("parameters", {}))
    if "whisper_audio" in parameters:
        parameters["whisper_audio"] = Audio(**parameters["whisper_audio"])
    return Destination(**{**data, "parameters": Parameters(**parameters)})


def _written(data: dict[str, Any]) -> dict[str, Any]:
    """Return nested data without what is None."""
    return {
        key: _written(value) if isinstance(value, dict) else value
        for key, value in data.items()
        if value is not None
    }
