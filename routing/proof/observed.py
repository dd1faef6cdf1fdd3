"""What others notice of an action: requests as they are sent, and what the caller hears.

Two actions that are written differently are the same if nothing of this is different: a default
that is written out, a reason that is not sent, another name of the same number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.route import Attempt, ring_of
from routing.rules import AnnounceAction, TransferAction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from routing.proof.following import Turn
    from routing.route import Route
    from routing.rules import Destination

Details = dict[str, Any]
"""Everything of a request or an announcement that is noticed, by its key in the rules."""
WHISPER = "whisperAudio"
_DEFAULTS = {
    "diversionTreatment": "none",
    "recordingFileFormat": "wav",
    "gender": "female",
    "locale": "en_US",
    "voice": "susan",
}
"""What the platform takes where nothing is sent."""
_KEYS = {"from": "transferCallerId", "to": "transferTo"}
"""Keys of the request that calls one of several who ring together -> those of the rules."""


def alone(route: Route, turn: Turn, destination: Destination) -> Details:
    """Return what is noticed when a destination rings by itself."""
    attempt = Attempt(route, turn.stage.name, (destination,), turn.progress.reason)
    body = attempt.transfer(destination).body()
    audio = body.pop(WHISPER, None)
    details = {**_sent(route, body), "ring": attempt.ring}
    return details | ({WHISPER: _spoken(audio)} if audio else {})


def together(route: Route, turn: Turn, destination: Destination) -> Details:
    """Return what is noticed when it rings together with others."""
    attempt = Attempt(route, turn.stage.name, (destination,), turn.progress.reason)
    body = attempt.creation(destination)
    del body["callTimeout"]
    named = {_KEYS.get(key, key): value for key, value in body.items()}
    return {**_sent(route, named), "ring": ring_of(destination)}


def ended(route: Route, turn: Turn) -> Details:
    """Return what the caller notices when nobody rings any more."""
    if not isinstance(turn.ending, AnnounceAction):
        return {"reject": True}
    return _spoken(route.say(turn.ending.audio, turn.progress.reason).body())


def _sent(route: Route, body: Mapping[str, Any]) -> Details:
    """Return what is sent, without what changes nothing."""
    idle = set() if _records(route) else {"recordingEnabled", "recordingFileFormat"}
    return {
        key: value for key, value in body.items() if key not in idle and _DEFAULTS.get(key) != value
    }


def _records(route: Route) -> bool:
    """Return whether anything on the route starts a recording; else there is none to stop."""
    return any(
        each.parameters.recording_enabled
        for stage in route.stages
        if isinstance(stage.action, TransferAction)
        for step in stage.action.steps
        for each in step.destinations
    )


def _spoken(audio: Mapping[str, Any]) -> Details:
    """Return what is heard; gender, locale and voice count only with a sentence."""
    if "sentence" not in audio:
        return {"fileUrl": audio["fileUrl"]}
    return {key: value for key, value in audio.items() if _DEFAULTS.get(key) != value}


def differing(before: Details, after: Details) -> dict[str, tuple[Any, Any]]:
    """Return what differs, key by key; of something spoken the parts that do."""
    found: dict[str, tuple[Any, Any]] = {}
    for key in dict.fromkeys([*before, *after]):
        mine, its = before.get(key), after.get(key)
        if mine != its and isinstance(mine, dict) and isinstance(its, dict):
            found |= {f"{key} {part}": each for part, each in differing(mine, its).items()}
        elif mine != its:
            found[key] = (mine, its)
    return found
