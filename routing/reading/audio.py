"""Reading what is said or played: `whisperAudio` and `announce`."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from catapult import transfer
from catapult.transfer import Audio, InvalidParameterError
from routing.problems import Path, Wrong, did_you_mean
from routing.reading.document import Mapping, Node, Text
from routing.reading.shapes import (
    ANY_SCALAR,
    Built,
    Context,
    Field,
    Record,
    Scalar,
    Schema,
    either,
)
from routing.reading.values import accepted, closed

PLACEHOLDERS = ("line", "from", "to", "rule", "reason")
_SOUNDS = ("fileUrl", "sentence")
_ADDRESS = re.compile("https?://", re.IGNORECASE)


def _sentence(text: str) -> str:
    for word in re.findall(r"\{([^{}]*)\}", text):
        if word not in PLACEHOLDERS:
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            hint = did_you_mean(word, PLACEHOLDERS)
            raise Wrong("unknown-placeholder", f"{{{word}}} is not known; there are {known}{hint}")
    return accepted(partial(transfer.check_sentence, "sentence"))(text)


_SENTENCE = Scalar("a sentence", _sentence)
_FIELDS = {
    "sentence": Field(_SENTENCE, "what is said, 1000 characters at most"),
    "fileUrl": Field(
        Scalar("a URL", accepted(partial(transfer.check_url, "fileUrl"))),
        "a WAV or MP3 file that is played",
    ),
    "gender": Field(closed("gender", transfer.GENDERS), "female or male"),
    "locale": Field(closed("locale", transfer.LOCALES), "language of the sentence"),
    "voice": Field(closed("voice", transfer.VOICES), "a voice of that language"),
}
_ONE_SOUND = {"anyOf": [{"required": [key]} for key in _SOUNDS]}


def _audio(values: dict[str, Any], node: Node, path: Path, context: Context) -> Audio | None:
    if not isinstance(node, Mapping) or node.merged:
        return None
    if node.entries.keys().isdisjoint(_SOUNDS):
        raise Wrong("missing-key", "needs a sentence or a fileUrl")
    if values.keys().isdisjoint(_SOUNDS):
        return None  # what was written is refused already
    try:
        audio = Audio(
            values.get("fileUrl"),
            values.get("sentence"),
            values.get("gender"),
            values.get("locale"),
            values.get("voice"),
        )
    except InvalidParameterError as error:
        place = node.entries[error.parameter][1]
        context.problems.error(place, (path, error.parameter), "unknown-value", error.problem)
        return None
    _warn_of_voice(audio, node, path, context)
    return audio


def _warn_of_voice(audio: Audio, node: Mapping, path: Path, context: Context) -> None:
    """Warn of a voice that does not speak the language; the platform's own are the defaults."""
    voice = audio.voice or transfer.DEFAULT_VOICE
    locale = audio.locale or transfer.DEFAULT_LOCALE
    if audio.sentence is None or voice in transfer.VOICES_BY_LOCALE[locale]:
        return
    if audio.voice is None:
        voices = ", ".join(transfer.VOICES_BY_LOCALE[locale])
        key, hint = "locale", f"add a `voice` that speaks {locale}: {voices}"
        message = f"without a `voice` the platform speaks with {voice}, who speaks English; {hint}"
    else:
        key, hint = "voice", f"add `locale: {transfer.locales_of(voice)[0]}`"
        message = f"without a `locale` the platform takes {locale}, not {voice}'s; {hint}"
    context.problems.warn(node.entries[key][1], (path, key), "unfit-voice", message)


def audio_shape(what: str) -> Built[Audio]:
    """Return the shape of something said or played."""
    return Built(Record(what, _FIELDS), _audio, _ONE_SOUND, "audio", anywhere=True)


class Announcement:
    """What the caller hears: an audio, or a sentence alone."""

    what = "announce"

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return an audio's, or any text."""
        return either("object", audio_shape(self.what).schema(defined), ANY_SCALAR)

    def read(self, node: Node, path: Path, context: Context) -> Audio | None:
        """Return the audio."""
        if not isinstance(node, Text):
            return audio_shape(self.what).read(node, path, context)
        if _ADDRESS.match(node.text):
            message = f"an address would be read aloud; write `announce: {{fileUrl: {node.text}}}`"
            context.problems.error(node, path, "spoken-address", message)
            return None
        sentence = _SENTENCE.read(node, path, context)
        return None if sentence is None else Audio(sentence=sentence)
