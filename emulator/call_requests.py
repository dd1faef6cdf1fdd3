"""What the requests about calls have in common: finding the leg, and reading what it shall hear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator import resources
from emulator.errors import ApiError
from emulator.legs import Leg, Sound, Target

if TYPE_CHECKING:
    from emulator.api import Context
    from emulator.validation import Body

LOCALES = ("en_US", "en_UK", "es", "es_MX", "fr", "fr_FR", "de", "de_DE", "it", "it_IT", "en")
# fmt: off
VOICES = (
    "susan", "julie", "kate", "paul", "dave", "bridget", "simon", "esperanza", "violeta", "jorge",
    "jolie", "bernard", "katrin", "stefan", "paola", "luca",
)
# fmt: on
SENTENCE_MOST = 1000
TAG_MOST = 2000  # assumed


def get_leg(context: Context, call_id: str) -> Leg:
    """Return the leg with this id; raises ApiError ``call-not-found``."""
    leg = context.exchange.legs.get(call_id)
    if leg is None:
        raise ApiError("call-not-found", f"No call with id {call_id}.", {"callId": call_id})
    return leg


def show(context: Context, leg: Leg) -> resources.Resource:
    """Render the call resource of a leg."""
    return resources.call(leg, context.base, context.exchange.shown_state(leg))


def invalid_state(leg: Leg) -> ApiError:
    """Make the refusal of a request for which the leg is in the wrong state."""
    how = f"change after reaching state {leg.state}" if leg.final else f"be updated in {leg.state}"
    return ApiError("call-invalid-state", f"The call cannot {how}.", {"callId": leg.id})


def read_target(body: Body) -> Target | None:
    """Where the events of a call go; None without ``callbackUrl``. Raises ApiError."""
    url, fallback = body.url("callbackUrl"), body.url("fallbackUrl")
    method = body.choice("callbackHttpMethod", ("POST", "GET")) or "POST"
    timeout = body.integer("callbackTimeout", 1, 10_000) or 10_000
    return None if url is None else Target(url, method, timeout, fallback)


def read_format(body: Body) -> str | None:
    """Read the format of recordings from now on."""
    return body.choice("recordingFileFormat", ("wav", "mp3"))


def read_sounds(body: Body, *, events: bool = True) -> list[Sound]:
    """Read what a request, a prompt or a whisper plays: the file first. Raises ApiError."""
    sentence, file_url = body.text("sentence", SENTENCE_MOST), body.text("fileUrl")
    body.choice("gender", ("female", "male"))
    body.choice("locale", LOCALES)
    body.choice("voice", VOICES)
    body.integer("volume", -4, 4)
    loop, tag = body.boolean("loopEnabled") or False, body.text("tag", TAG_MOST)
    given = {"playback": file_url, "speak": sentence}
    return [Sound(kind, loop, tag, events) for kind, what in given.items() if what]
