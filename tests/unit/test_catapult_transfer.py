from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catapult.transfer import (
    DIVERSION_REASONS,
    DIVERSION_TREATMENTS,
    GENDERS,
    LOCALES,
    RECORDING_FILE_FORMATS,
    VOICES,
    VOICES_BY_LOCALE,
    Audio,
    InvalidParameterError,
    Transfer,
    check_url,
    check_voice,
)

NUMBER = "+19195550111"
URL = "https://router.example.test/legs/7f3a"


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ("transferTo", {"transfer_to": "9195550111"}),
        ("transferTo", {"transfer_to": "+09195550111"}),
        ("transferTo", {"transfer_to": "+1919555011112345"}),
        ("transferTo", {"transfer_to": f"{NUMBER}\n"}),
        ("transferTo", {"transfer_to": "sips:me@example.test"}),
        ("transferTo", {"transfer_to": "sip:example.test"}),
        ("transferTo", {"transfer_to": "sip:a b@example.test"}),
        ("transferTo", {"transfer_to": "sip:a\0@example.test"}),
        ("transferTo", {"transfer_to": ""}),
        ("transferTo", {"transfer_to": None}),
        ("transferTo", {"transfer_to": 19195550111}),
        ("transferCallerId", {"transfer_caller_id": "anonymous"}),
        ("transferCallerId", {"transfer_caller_id": ""}),
        ("transferCallerId", {"transfer_caller_id": 5}),
        ("callbackUrl", {"callback_url": "router.example.test"}),
        ("callbackUrl", {"callback_url": "ftp://router.example.test"}),
        ("callbackUrl", {"callback_url": "https://"}),
        ("callbackUrl", {"callback_url": "https://h/a b"}),
        ("callbackUrl", {"callback_url": "https://h\n/"}),
        ("callbackUrl", {"callback_url": "\0https://h/"}),
        ("callbackUrl", {"callback_url": "https://h:99999/"}),
        ("callbackUrl", {"callback_url": "https://h:x/"}),
        ("callbackUrl", {"callback_url": "https://[::1"}),
        ("callbackUrl", {"callback_url": 5}),
        ("whisperAudio", {"whisper_audio": {"sentence": "Hello"}}),
        ("recordingEnabled", {"recording_enabled": "yes"}),
        ("recordingEnabled", {"recording_enabled": 1}),
        ("recordingFileFormat", {"recording_file_format": "ogg"}),
        ("recordingFileFormat", {"recording_file_format": True}),
        ("diversionTreatment", {"diversion_treatment": "drop"}),
        ("diversionTreatment", {"diversion_treatment": 5}),
        ("diversionReason", {"diversion_reason": "lunch"}),
        ("diversionReason", {"diversion_reason": ""}),
    ],
)
def test_a_wrong_value_of_each_parameter(parameter: str, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        Transfer(**({"transfer_to": NUMBER} | values))
    assert caught.value.parameter == parameter
    assert caught.value.problem in str(caught.value)


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        ("audio", {}),
        ("fileUrl", {"file_url": "ring.mp3"}),
        ("fileUrl", {"file_url": ""}),
        ("sentence", {"sentence": ""}),
        ("sentence", {"sentence": "x" * 1001}),
        ("sentence", {"sentence": 5}),
        ("gender", {"sentence": "x", "gender": "other"}),
        ("locale", {"sentence": "x", "locale": "en_AU"}),
        ("voice", {"sentence": "x", "voice": "hal"}),
        ("voice", {"sentence": "x", "voice": "katrin", "locale": "en_US"}),
    ],
)
def test_a_wrong_value_of_each_part_of_an_audio(parameter: str, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        Audio(**values)
    assert caught.value.parameter == parameter


def test_values_are_stored_in_the_spelling_of_the_lists() -> None:
    order = Transfer(
        NUMBER,
        recording_enabled="TRUE",  # type: ignore[arg-type]  # the wire's word for it
        recording_file_format="MP3",
        diversion_treatment="Stack",
        diversion_reason="Follow-Me",
        whisper_audio=Audio(sentence="x", gender="Female", locale="es_mx", voice="Violeta"),
    )
    assert order.body() == {
        "state": "transferring",
        "transferTo": NUMBER,
        "recordingEnabled": True,
        "recordingFileFormat": "mp3",
        "diversionTreatment": "stack",
        "diversionReason": "follow-me",
        "whisperAudio": {
            "sentence": "x",
            "gender": "female",
            "locale": "es_MX",
            "voice": "violeta",
        },
    }


def test_false_is_sent_and_none_is_not() -> None:
    assert Transfer(NUMBER, recording_enabled=False).body()["recordingEnabled"] is False
    assert set(Transfer(NUMBER).body()) == {"state", "transferTo"}


@pytest.mark.parametrize("treatment", [None, "none", "propagate"])
def test_a_reason_goes_only_with_stack(treatment: str | None) -> None:
    order = Transfer(NUMBER, diversion_treatment=treatment, diversion_reason="away")
    assert "diversionReason" not in order.body()


def test_a_voice_is_checked_against_a_locale_in_any_case() -> None:
    assert check_voice("LUCA", "IT") == "luca"
    with pytest.raises(InvalidParameterError):
        check_voice("luca", "en_us")


def test_a_url_may_carry_credentials_and_a_port_and_an_error_shows_neither() -> None:
    assert check_url("callbackUrl", "https://user:secret@h:8443/x")
    with pytest.raises(InvalidParameterError) as caught:
        check_url("callbackUrl", "https://user:secret@h:port/x")
    assert "secret" not in str(caught.value)


def audio_of(body: dict[str, Any]) -> Audio:
    return Audio(file_url=body.get("fileUrl"), **{k: v for k, v in body.items() if k != "fileUrl"})


def transfer_of(body: dict[str, Any]) -> Transfer:
    whisper = body.get("whisperAudio")
    return Transfer(
        transfer_to=body["transferTo"],
        transfer_caller_id=body.get("transferCallerId"),
        callback_url=body.get("callbackUrl"),
        whisper_audio=None if whisper is None else audio_of(whisper),
        recording_enabled=body.get("recordingEnabled"),
        recording_file_format=body.get("recordingFileFormat"),
        diversion_treatment=body.get("diversionTreatment"),
        diversion_reason=body.get("diversionReason"),
    )


def maybe(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from((None, *values))


VOICED = st.sampled_from([(None, None), *((None, voice) for voice in VOICES)]) | st.sampled_from(
    [(locale, voice) for locale in LOCALES for voice in VOICES_BY_LOCALE[locale]]
)
AUDIOS = st.builds(
    lambda file, sentence, gender, voiced: Audio(
        file, sentence or (None if file else "Hello"), gender, *voiced
    ),
    maybe(URL),
    st.none() | st.text(min_size=1, max_size=1000),
    maybe(*GENDERS),
    VOICED,
)
DESTINATIONS = st.from_regex(r"\A\+[1-9][0-9]{1,14}\Z") | st.from_regex(
    r"\Asip:[a-z0-9.]{1,9}@[a-z0-9.]{1,9}\Z"
)


@given(
    st.builds(
        Transfer,
        DESTINATIONS,
        st.none() | st.just("private") | DESTINATIONS,
        maybe(URL),
        st.none() | AUDIOS,
        maybe(True, False),
        maybe(*RECORDING_FILE_FORMATS),
        maybe(*DIVERSION_TREATMENTS),
        maybe(*DIVERSION_REASONS),
    )
)
def test_a_body_comes_back_as_it_went(order: Transfer) -> None:
    sent = json.loads(json.dumps(order.body()))
    assert sent == order.body()
    assert transfer_of(sent).body() == sent
    if order.diversion_treatment == "stack" or order.diversion_reason is None:
        assert transfer_of(sent) == order
