"""The transfer request of the Catapult v1 voice API: its parameters and their closed value lists.

Pure: nothing here talks to the platform. The lists stand once, here; the rules language and the
client both read them. Source of every list: "Catapult: Transfer active call" unless a line says
otherwise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

STACK = "stack"
"""The one treatment with which a diversion reason is looked at."""
DIVERSION_TREATMENTS = ("none", "propagate", STACK)
DIVERSION_REASONS = (
    "unknown",
    "user-busy",
    "no-answer",
    "unavailable",
    "unconditional",
    "time-of-day",
    "do-not-disturb",
    "deflection",
    "follow-me",
    "out-of-service",
    "away",
)
RECORDING_FILE_FORMATS = ("wav", "mp3")
GENDERS = ("female", "male")
MAX_SENTENCE = 1000
"""Characters of a spoken sentence ("Catapult: Transfer active call", whisperAudio)."""

VOICES_BY_LOCALE = {
    "en_US": ("susan", "julie", "kate", "paul", "dave"),
    "en_UK": ("bridget", "simon"),  # Simon: "Catapult: BXML SpeakSentence" only
    "es": ("esperanza", "violeta", "jorge"),
    "es_MX": ("esperanza", "violeta", "jorge"),
    "fr": ("jolie", "bernard"),
    "fr_FR": ("jolie", "bernard"),
    "de": ("katrin", "stefan"),
    "de_DE": ("katrin", "stefan"),
    "it": ("paola", "luca"),
    "it_IT": ("paola", "luca"),
    "en": ("susan", "julie", "kate", "paul", "dave"),  # the page's own samples say `en`
}
DEFAULT_VOICE, DEFAULT_LOCALE = "susan", "en_US"
LOCALES = tuple(VOICES_BY_LOCALE)
VOICES = tuple(dict.fromkeys(voice for voices in VOICES_BY_LOCALE.values() for voice in voices))

_NUMBER = re.compile(r"\+[1-9][0-9]{1,14}")
_SIP_URI = re.compile(r"sip:[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+", re.IGNORECASE)
_UNFIT = re.compile(r"[\s\x00-\x1f\x7f]")


class InvalidParameterError(ValueError):
    """A parameter that the platform would refuse, found before it was sent.

    `parameter` is the name on the wire, `problem` a sentence part that says what is wrong.
    """

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"{parameter} {problem}")
        self.parameter = parameter
        self.problem = problem


def is_number(text: str) -> bool:
    """Whether `text` has the form of an E.164 number with its plus ("Catapult: Calls")."""
    return _NUMBER.fullmatch(text) is not None


def is_sip_uri(text: str) -> bool:
    """Whether `text` is a `sip:user@host` URI; `sips:` is not supported ("Catapult: Calls")."""
    return _SIP_URI.fullmatch(text) is not None


def one_of(parameter: str, value: str, allowed: tuple[str, ...]) -> str:
    """Return `value` in the spelling of the closed list `allowed`, compared without case.

    Raises InvalidParameterError when the list does not have it.
    """
    if value in allowed:
        return value
    if isinstance(value, str):
        for known in allowed:
            if value.lower() == known.lower():
                return known
    raise InvalidParameterError(parameter, f"is {value!r}; allowed are {', '.join(allowed)}")


def check_destination(parameter: str, value: str) -> str:
    """Return `value` if it is an E.164 number or SIP URI, else raise InvalidParameterError."""
    if isinstance(value, str) and (is_number(value) or is_sip_uri(value)):
        return value
    raise InvalidParameterError(
        parameter, f"is {value!r}; it must be an E.164 number such as +19195550101 or sip:user@host"
    )


def check_caller_id(value: str) -> str:
    """Return `value` if it can be a caller id: `private` or an E.164 number or SIP URI.

    Which numbers the account owns is the platform's to judge. Raises InvalidParameterError.
    """
    return value if value == "private" else check_destination("transferCallerId", value)


def check_url(parameter: str, value: str) -> str:
    """Return `value` if it is an absolute http(s) URL, else raise InvalidParameterError."""
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        # Reading the port checks it; control characters are dropped by urlsplit without a word.
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if valid and not _UNFIT.search(value):
        return value
    raise InvalidParameterError(parameter, "is not an http(s) URL")


def check_sentence(parameter: str, value: str) -> str:
    """Return `value` if it can be spoken: 1 to 1000 characters; else InvalidParameterError."""
    if not isinstance(value, str):
        raise InvalidParameterError(parameter, "is not text")
    if 0 < len(value) <= MAX_SENTENCE:
        return value
    raise InvalidParameterError(
        parameter, f"has {len(value)} characters; allowed are 1 to {MAX_SENTENCE}"
    )


def check_voice(voice: str, locale: str | None) -> str:
    """Return `voice` as listed; raises InvalidParameterError if `locale` does not speak with it."""
    known = one_of("voice", voice, VOICES)
    if locale is None:
        return known
    locale = one_of("locale", locale, LOCALES)
    if known not in VOICES_BY_LOCALE[locale]:
        voices = ", ".join(VOICES_BY_LOCALE[locale])
        raise InvalidParameterError("voice", f"{known!r} does not speak {locale}; it has {voices}")
    return known


def locales_of(voice: str) -> list[str]:
    """Return the locales that `voice` speaks."""
    return [locale for locale, voices in VOICES_BY_LOCALE.items() if voice in voices]


def check_flag(parameter: str, value: bool | str) -> bool:
    """Return a boolean, also from its word ("Catapult: Update call").

    Raises InvalidParameterError for anything else.
    """
    if isinstance(value, bool):
        return value
    return one_of(parameter, value, ("true", "false")) == "true"


_set = object.__setattr__  # for a frozen object's own __post_init__


@dataclass(frozen=True, slots=True)
class Audio:
    """Something said or played: a whisper to the destination, or an announcement to the caller.

    Gender, locale and voice count only with a sentence. Values are checked and brought to the
    lists' spelling when the object is made; a wrong one raises InvalidParameterError.
    """

    file_url: str | None = None
    sentence: str | None = None
    gender: str | None = None
    locale: str | None = None
    voice: str | None = None

    def __post_init__(self) -> None:
        if self.file_url is None and self.sentence is None:
            raise InvalidParameterError("audio", "needs a sentence or a fileUrl")
        if self.file_url is not None:
            check_url("fileUrl", self.file_url)
        if self.sentence is not None:
            check_sentence("sentence", self.sentence)
        if self.gender is not None:
            _set(self, "gender", one_of("gender", self.gender, GENDERS))
        if self.locale is not None:
            _set(self, "locale", one_of("locale", self.locale, LOCALES))
        if self.voice is not None:
            _set(self, "voice", check_voice(self.voice, self.locale))

    def body(self) -> dict[str, Any]:
        """Return the object as it goes on the wire, without what is not set."""
        return _without_none(
            fileUrl=self.file_url,
            sentence=self.sentence,
            gender=self.gender,
            locale=self.locale,
            voice=self.voice,
        )


_CLOSED_LISTS = (
    ("recording_file_format", "recordingFileFormat", RECORDING_FILE_FORMATS),
    ("diversion_treatment", "diversionTreatment", DIVERSION_TREATMENTS),
    ("diversion_reason", "diversionReason", DIVERSION_REASONS),
)


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer request; wrong values raise InvalidParameterError when it is made.

    Values of the closed lists are brought to the lists' spelling.
    `diversion_reason` goes out only beside `diversion_treatment` `stack`, because the platform
    looks at it only then.
    """

    transfer_to: str
    transfer_caller_id: str | None = None
    callback_url: str | None = None
    whisper_audio: Audio | None = None
    recording_enabled: bool | None = None
    recording_file_format: str | None = None
    diversion_treatment: str | None = None
    diversion_reason: str | None = None

    def __post_init__(self) -> None:
        check_destination("transferTo", self.transfer_to)
        if self.transfer_caller_id is not None:
            check_caller_id(self.transfer_caller_id)
        if self.callback_url is not None:
            check_url("callbackUrl", self.callback_url)
        if self.whisper_audio is not None and not isinstance(self.whisper_audio, Audio):
            raise InvalidParameterError("whisperAudio", "is not an Audio")
        if self.recording_enabled is not None:
            _set(self, "recording_enabled", check_flag("recordingEnabled", self.recording_enabled))
        for attribute, parameter, allowed in _CLOSED_LISTS:
            value = getattr(self, attribute)
            if value is not None:
                _set(self, attribute, one_of(parameter, value, allowed))

    def body(self) -> dict[str, Any]:
        """Return the request body ("Catapult: Transfer active call"), without what is not set."""
        stacked = self.diversion_treatment == STACK
        return _without_none(
            state="transferring",
            transferTo=self.transfer_to,
            transferCallerId=self.transfer_caller_id,
            callbackUrl=self.callback_url,
            recordingEnabled=self.recording_enabled,
            recordingFileFormat=self.recording_file_format,
            whisperAudio=self.whisper_audio.body() if self.whisper_audio else None,
            diversionTreatment=self.diversion_treatment,
            diversionReason=self.diversion_reason if stacked else None,
        )


def _without_none(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
