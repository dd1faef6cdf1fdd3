"""The JSON Schema that editors read: in step with the reader, and never stricter than it.

Editors type bare scalars, each by its version of YAML: with 1.2 `+19195550101` is a number, with
1.1 `22:00` and `no` are a number and false, too. So every file is looked at in both ways.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft7Validator

from routing.problems import RulesError
from routing.reader import SECTIONS, read
from routing.reading.schema import schema
from tests.scenario.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = schema()
VALIDATOR = Draft7Validator(SCHEMA)
SHIPPED = Path("routing_rules.yaml").read_text("utf-8")
NOTHING: list[set[str]] = [set(), set()]
COOKBOOK = sorted(Path("docs/cookbook").glob("*.yaml"))


class Yaml11(yaml.SafeLoader):
    """YAML 1.1, but dates stay text, as JSON has none."""


Yaml11.yaml_implicit_resolvers = {
    first: [each for each in found if "timestamp" not in each[0]]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Yaml12(yaml.SafeLoader):
    """The core schema of YAML 1.2."""


Yaml12.yaml_implicit_resolvers = {}
for kind, form in {
    "null": r"~|null|Null|NULL|",
    "bool": "true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+",
    "float": r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?",
}.items():
    Yaml12.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(f"^(?:{form})$"), None)


def underlined(text: str) -> list[set[str]]:
    """Return what an editor underlines, by each version of YAML."""
    found = []
    for loader in (Yaml11, Yaml12):
        data: Any = yaml.load(text, loader)  # noqa: S506 - both are safe loaders
        found.append({error.json_path for error in VALIDATOR.iter_errors(data)})
    return found


def documented() -> Iterator[str]:
    """Yield each example of docs/rules.md, made whole with what is required."""
    text = Path("docs/rules.md").read_text("utf-8")
    for example in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        lines = "" if "\nlines:" in f"\n{example}" else "lines: {x: {numbers: 1, otherwise: {}}}\n"
        lines = lines.replace("numbers: 1", "numbers: +1234").replace("{}", "{reject: true}")
        emergency = "" if "\nemergency:" in f"\n{example}" else "emergency: {reject: true}\n"
        yield example + lines + emergency


def test_the_published_file_is_what_the_reader_says() -> None:
    published = Path("docs/rules.schema.json").read_text("utf-8")
    assert json.loads(published) == SCHEMA, "make docs"


def test_it_is_a_schema_with_every_section() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert list(SCHEMA["properties"]) == list(SECTIONS)


def test_every_pattern_is_put_into_words() -> None:
    def values(data: Any) -> Iterator[dict[str, Any]]:
        if isinstance(data, dict):
            yield data
        for each in data.values() if isinstance(data, dict) else data:
            if isinstance(each, (dict, list)):
                yield from values(each)

    found = [each for each in values(SCHEMA) if {"type", "pattern"} <= each.keys()]
    assert len(found) > 10
    assert all(each["patternErrorMessage"].startswith("expected ") for each in found)


def test_the_shipped_file_names_it() -> None:
    first = SHIPPED.splitlines()[0]
    assert first == "# yaml-language-server: $schema=docs/rules.schema.json"


@pytest.mark.parametrize("text", [SHIPPED, RULES, *documented()])
def test_a_good_file_is_valid(text: str) -> None:
    assert underlined(text) == NOTHING


@pytest.mark.parametrize("path", COOKBOOK, ids=lambda path: path.stem)
def test_a_recipe_is_valid(path: Path) -> None:
    assert underlined(path.read_text("utf-8")) == NOTHING


BASE = """\
version: 1
timezone: Europe/Oslo
transfer: {diversionTreatment: stack, ring: 20}
dialing: {allow: [+1, +47], deny: +1900}
destinations:
  desk: {transferTo: +19195550101, capacity: 2}
  12: {transferTo: sip:bo@pbx.example.com, capacity: 1, person: nora}
  ana: +19195550103
callers: {vip: [+14155550123, +1212*, "sip:*@example.com"], hidden: anonymous}
calendars:
  holidays: {country: NO}
  shut: [2026-12-24..2027-01-02, 07-04, FREQ=YEARLY;BYMONTH=11;BYDAY=4FR, holidays]
schedules:
  office:
    hours: {mon-thu: "09:00-12:30, 13:30-17:00", fri: [09:00-12:00, 22:00-23:30], sun: closed}
    except: [{dates: shut, hours: closed}, {dates: 2026-05-04, hours: 10:00-14:00}]
lines:
  main:
    numbers: [+19195551000, sip:main@pbx.example.com]
    rules:
      - name: 7
        when: {outside: office, notFrom: [vip, hidden], not: {busy: desk}}
        transferTo: ana
      - when: {presence: {nora: [dnd, away]}, diverted: any}
        followMe: [{transferTo: desk, ring: 1m30s}, {transferTo: [ana, +19195550105]}]
        onNoAnswer: {announce: {sentence: Hello, voice: julie}}
    otherwise: {transferTo: 12}
emergency: {reject: yes}
expect:
  - {at: 2026-03-09T22:00, to: main, from: anonymous, rings: [ana]}
  - {at: 2026-03-09T10:00Z, to: main, from: +14155550123, busy: desk, rule: otherwise}
"""
GOOD = [
    ("ring: 20}", "ring: 2m}"),
    ("ring: 20}", 'ring: "20"}'),
    ("ring: 20}", "recordingEnabled: Off, transferCallerId: +19195550100}"),
    ("ring: 20}", "recordingEnabled: true, whisperAudio: {sentence: 5}}"),
    ("sip:bo@", "SIP:bo@"),
    ("version: 1\n", ""),
    ("capacity: 1,", 'capacity: "1",'),
    ("fri: [", "FRI: ["),
    ("mon-thu: ", '"mon , tue-thu": '),
    ("sun: closed", "sun: 9:00 - 24:00"),
    ("    hours: {mon-thu", "    timezone: UTC\n    hours: {mon-thu"),
    ("emergency: {reject: yes}", "emergency: {reject: on}"),
    ("presence: {nora: [dnd, away]}", "presence: {nora: busy}"),
    ("busy: desk, rule: otherwise", "outcomes: [busy, USER_BUSY], rule: otherwise"),
    ("busy: desk, rule: otherwise", "overrides: {office: open}, rule: otherwise"),
    ("busy: desk, rule: otherwise", "presence: {nora: [dnd]}, rejects: true"),
    ("at: 2026-03-09T22:00, ", ""),
    ("{country: NO}", "{country: NO, without: [Langfredag, 12-25]}"),
    ("{country: NO}", "{country: NO, only: Langfredag}"),
    ("{country: NO}", "[{country: NO}, 12-24..01-02, easter-2]"),
    ("dates: shut, hours: closed", "dates: {country: NO}, until: 12:00"),
    (
        "dates: shut, hours: closed",
        "dates: [12-24..01-02, {country: NO}], from: 9:30, until: 12:00",
    ),
    ("dates: shut, hours: closed", "dates: easter+1, hours: {mon-fri: 10:00-14:00, sat: closed}"),
    (
        "dates: shut, hours: closed",
        "dates: shut, hours: open, days: mon-fri, within: [shut, 12-24]",
    ),
    ("dates: shut, hours: closed", "dates: shut, hours: closed, days: [mon, wed-fri]"),
    ("  office:\n", "  nights: {like: office, hours: {mon-sun: 09:00-09:00}}\n  office:\n"),
    ("otherwise: {transferTo: 12}", "otherwise: 12"),
    ("otherwise: {transferTo: 12}", "otherwise: [12, ana, +19195550105]"),
    ("emergency: {reject: yes}", "emergency: +19195550105"),
    ("followMe: [{transferTo: desk, ring: 1m30s}, {", "followMe: [desk, [ana, 12], {"),
    (
        "followMe: [{transferTo: desk, ring: 1m30s}, {transferTo: [ana, +19195550105]}]",
        "followMe: desk",
    ),
    ("{announce: {sentence: Hello, voice: julie}}", "{announce: Hello}"),
    ("{announce: {sentence: Hello, voice: julie}}", "[desk, ana]"),
    ("rings: [ana]", "rings: ana"),
]


@pytest.mark.parametrize(("there", "instead"), [("version", "version"), *GOOD])
def test_what_the_reader_takes_is_valid(there: str, instead: str) -> None:
    assert there in BASE
    text = BASE.replace(there, instead, 1)
    read(text)
    assert underlined(text) == NOTHING


# what is there, what is written instead, where an editor underlines it
MISTAKES = [
    ("version: 1", "version: 2", "$.version"),
    ("callers:", "caller:", "$"),
    ("emergency: {reject: yes}\n", "", "$"),
    ("otherwise: {transferTo: 12}", "", "$.lines.main"),
    ("numbers: [", "number: [", "$.lines.main"),
    ("capacity: 2", "capcity: 2", "$.destinations.desk"),
    ("transferTo: +19195550101", "transferTo: 0xyz", "$.destinations.desk"),
    ("capacity: 2", "capacity: 0", "$.destinations.desk"),
    ("capacity: 2", "capacity: many", "$.destinations.desk"),
    ("ring: 20}", "ring: 301}", "$.transfer.ring"),
    ("ring: 20}", "ring: 20 seconds}", "$.transfer.ring"),
    ("ring: 1m30s", "ring: long", "$.lines.main.rules[1].followMe[0].ring"),
    ("Treatment: stack", "Treatment: push", "$.transfer.diversionTreatment"),
    ("ring: 20}", "recordingFileFormat: ogg}", "$.transfer.recordingFileFormat"),
    ("ring: 20}", "recordingEnabled: perhaps}", "$.transfer.recordingEnabled"),
    ("ring: 20}", "transferCallerId: mine}", "$.transfer.transferCallerId"),
    ("allow: [+1, +47]", "allow: []", "$.dialing.allow"),
    ("deny: +1900", "deny: 1-900", "$.dialing.deny"),
    ("anonymous}", "anonymus}", "$.callers.hidden"),
    ("{country: NO}", "{county: NO}", "$.calendars.holidays"),
    ("sun: closed", "sunday: closed", "$.schedules.office.hours"),
    ("sun: closed", "sun: 9-17", "$.schedules.office.hours"),
    ("dates: 2026-05-04, hours", "date: 2026-05-04, hours", "$.schedules.office.except[1]"),
    ("dates: shut, hours: closed", "dates: shut", "$.schedules.office.except[0]"),
    ("dates: shut, hours", "dates: {county: NO}, hours", "$.schedules.office.except[0].dates"),
    ("hours: 10:00-14:00", "until: noon", "$.schedules.office.except[1].until"),
    ("hours: 10:00-14:00", "hours: {sunday: closed}", "$.schedules.office.except[1].hours"),
    ("hours: 10:00-14:00", "hours: open, days: weekdays", "$.schedules.office.except[1].days"),
    ("{country: NO}", "{country: NO, without: {a: b}}", "$.calendars.holidays"),
    ("outside: office", "outsde: office", "$.lines.main.rules[0].when"),
    ("busy: desk}", "bsy: desk}", "$.lines.main.rules[0].when.not"),
    ("[dnd, away]", "[dnd, asleep]", "$.lines.main.rules[1].when.presence.nora[1]"),
    ("diverted: any", "diverted: sometimes", "$.lines.main.rules[1].when.diverted"),
    ("name: 7", "reject: true", "$.lines.main.rules[0]"),
    ("        transferTo: ana\n", "", "$.lines.main.rules[0]"),
    ("followMe: [{", "ring: 20\n        followMe: [{", "$.lines.main.rules[1]"),
    ("onNoAnswer: ", "onNoAnswr: ", "$.lines.main.rules[1]"),
    ("voice: julie", "voice: juli", "$.lines.main.rules[1].onNoAnswer.announce.voice"),
    ("sentence: Hello, ", "", "$.lines.main.rules[1].onNoAnswer.announce"),
    ("otherwise: {transferTo: 12}", "otherwise: [[12]]", "$.lines.main.otherwise[0]"),
    ("reject: yes", "reject: no", "$.emergency.reject"),
    ("at: 2026-03-09T22:00", "at: tomorrow", "$.expect[0].at"),
    (", rings: [ana]", "", "$.expect[0]"),
    ("rings: [ana]", "rings: [[[ana]]]", "$.expect[0].rings[0][0]"),
    ("to: main, from: anon", "from: anon", "$.expect[0]"),
]


@pytest.mark.parametrize(("there", "instead", "where"), MISTAKES)
def test_a_mistake_is_marked(there: str, instead: str, where: str) -> None:
    assert there in BASE
    text = BASE.replace(there, instead, 1)
    with pytest.raises(RulesError):
        read(text)
    assert underlined(text) == [{where}, {where}]
