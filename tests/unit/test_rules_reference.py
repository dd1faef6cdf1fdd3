"""docs/rules.md is true: every example in it is read, and every key is in it.

An example may be a part of a file: the sections that it does not have are those of the first, whole
example; in place of its lines stands a short one, unless the example tests them with `expect`.
"""

# ruff: noqa: SLF001 - the tables of keys are private to their modules

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest

from catapult.transfer import VOICES_BY_LOCALE
from routing import expectations
from routing.reader import DIALING, SECTIONS, read
from routing.reading import actions, audio, calendars, lines, rotations, times
from routing.reading import expectations as expect
from routing.reading.shapes import Built, Record

TEXT = Path("docs/rules.md").read_text(encoding="utf-8")
EVERY = [dt.datetime(2026, 3, 9, hour, tzinfo=dt.UTC) for hour in range(24)]
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
SHORT = {
    "lines": "lines: {x: {numbers: +19195551099, otherwise: {reject: true}}}\n",
    "emergency": "emergency: {reject: true}\n",
    "expect": "",
    "transfer": "",
    "schedules": "",
}


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^(?=[a-z]+:)", text, flags=re.MULTILINE)[1:]
    return {part.partition(":")[0]: part for part in parts}


@pytest.mark.parametrize("example", EXAMPLES, ids=[each.split("\n")[0] for each in EXAMPLES])
def test_an_example_is_read_and_keeps_what_it_promises(example: str) -> None:
    written, whole = sections(example), sections(EXAMPLES[0])
    if "expect" in written:
        parts = whole | written
    elif "lines" in written:
        parts = whole | {"expect": ""} | written
    else:
        parts = whole | SHORT | written
    rules = read("".join(parts.values()))
    failed = [each for each in expectations.test(rules, EVERY) if not each.passed]
    assert failed == []


def record_of(shape: Any) -> Record:
    return record_of(shape.inner) if isinstance(shape, Built) else shape


RECORDS = [
    *(DIALING, actions.DESTINATION, record_of(actions._STEP), record_of(lines._RULE)),
    rotations.ROTATION,
    *(record_of(lines.WHEN), lines.LINE, calendars.COUNTRY, times.SCHEDULE),
    *(record_of(times._SPECIAL), record_of(expect.EXPECT.item)),
    record_of(audio.audio_shape("audio")),
]
KEYS = sorted({*SECTIONS, *(key for record in RECORDS for key in record.fields)})


def test_every_voice_is_listed_with_its_locales() -> None:
    table = TEXT[TEXT.index("| Locale | Voices |") :].split("\n\n")[0].splitlines()[2:]
    listed = {
        locale: tuple(re.findall(r"`(\w+)`", voices))
        for locales, voices in (row.strip("| ").split(" | ") for row in table)
        for locale in re.findall(r"`(\w+)`", locales)
    }
    assert listed == VOICES_BY_LOCALE


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_explained(key: str) -> None:
    assert re.search(rf"`{key}[`:]", TEXT)
