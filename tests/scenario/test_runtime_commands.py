"""`flask override` and `flask presence`: what is set, listed and taken back, in which words."""

# ruff: noqa: E501 - the table has one line for each mistake

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from app import create_app
from settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from flask import Flask

RULES = """\
version: 1
timezone: Europe/Berlin
destinations:
  ana: {transferTo: +12125550101, person: ana}
  bo: {transferTo: +12125550102, person: bo}
rotations: {oncall: {from: 2026-11-30T09:00, every: 1w, of: [ana, bo]}}
schedules:
  shop: {hours: {mon-sat: 10:00-20:00}, timezone: America/New_York}
  office: {hours: {mon-fri: 09:00-17:00}}
  lunch: {like: office, hours: {mon-fri: 12:00-13:00}}
lines:
  main:
    numbers: +12125550199
    rules: [{when: {outside: [shop, office, lunch]}, transferTo: oncall}]
    otherwise: {transferTo: ana}
emergency: {transferTo: ana}
"""
FOLLOWS = "lunch, which is like office, follows while nothing is set for it"
DECEMBER = ("--from", "2199-12-24 12:00", "--until", "2199-12-27 08:00")


@pytest.fixture
def service(tmp_path: Path) -> Flask:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES)
    ledger = f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    return create_app(Settings(rules_path=str(path), ledger_url=ledger))


def run(service: Flask, *arguments: str) -> tuple[int, str]:
    with service.app_context():
        result = service.test_cli_runner().invoke(args=arguments)
    assert "Traceback" not in result.output
    return result.exit_code, result.output


def done(service: Flask, *arguments: str) -> list[str]:
    code, output = run(service, *arguments)
    assert code == 0, output
    return output.splitlines()


def data(service: Flask, *arguments: str) -> Any:
    return json.loads("\n".join(done(service, *arguments, "--json")))


def refused(service: Flask, code: int, *arguments: str) -> str:
    found, output = run(service, *arguments)
    assert found == code, output
    return re.sub(r"\s+", " ", output)


def test_a_planned_override_stands_beside_the_one_in_force(service: Flask) -> None:
    assert done(service, "override", "set", "office", "open", "--until", "2199-01-05T08:00") == [
        "office is open until Sat 2199-01-05 08:00 CET",
        FOLLOWS,
    ]
    planned = "office is closed from Tue 2199-12-24 12:00 CET until Fri 2199-12-27 08:00 CET"
    assert done(service, "override", "set", "office", "closed", *DECEMBER) == [planned, FOLLOWS]
    assert done(service, "override", "list") == [
        "office is open until Sat 2199-01-05 08:00 CET",
        planned,
    ]
    assert data(service, "override", "list")[1] == {
        "schedule": "office",
        "state": "closed",
        "from": "2199-12-24T11:00:00+00:00",
        "until": "2199-12-27T07:00:00+00:00",
    }


def test_what_has_to_make_room_is_told(service: Flask) -> None:
    done(service, "override", "set", "office", "closed", *DECEMBER)
    done(service, "override", "set", "office", "open", "--until", "2199-01-05T08:00")
    assert done(service, "override", "set", "office", "closed", "--until", "2199-01-06T08:00") == [
        "office is closed until Sun 2199-01-06 08:00 CET",
        "in place of: office is open until Sat 2199-01-05 08:00 CET",
        FOLLOWS,
    ]
    longer = (*DECEMBER[:3], "2199-12-28 08:00")
    told = done(service, "override", "set", "office", "open", *longer)
    assert told[1].startswith("in place of: office is closed from Tue 2199-12-24 12:00 CET until")
    assert len(done(service, "override", "list")) == 2


def test_a_rotation_is_set_to_a_member(service: Flask) -> None:
    until = ("--until", "2199-01-05T08:00")
    assert done(service, "override", "set", "oncall", "bo", *until) == [
        "oncall is bo until Sat 2199-01-05 08:00 CET"
    ]
    assert data(service, "override", "list") == [
        {
            "rotation": "oncall",
            "state": "bo",
            "from": None,
            "until": "2199-01-05T07:00:00+00:00",
        }
    ]
    told = done(service, "rules", "timeline", "--json")
    (override,) = json.loads("\n".join(told))["overrides"]
    assert (override["rotation"], override["state"]) == ("oncall", "bo")


# fmt: off
WRONG = [
    (("override", "set", "offise", "open", "--until", "2h"), 2, "no schedule or rotation is called 'offise' in FILE; did you mean 'office'?"),
    (("override", "set", "office", "ana", "--until", "2h"), 2, "a schedule is set open or closed, not 'ana'"),
    (("override", "set", "office", "clozed", "--until", "2h"), 2, "did you mean 'closed'?"),
    (("override", "set", "oncall", "closed", "--until", "2h"), 2, "'closed' is no member of the rotation 'oncall'; its members are ana, bo"),
    (("override", "set", "oncall", "an", "--until", "2h"), 2, "did you mean 'ana'?"),
    (("override", "set", "office", "open"), 2, "--until"),
    (("override", "set", "office", "open", "--until", "2020-01-01"), 2, "--until: 2020-01-01 has passed"),
    (("override", "set", "office", "open", "--from", "2020-01-01", "--until", "2h"), 2, "--from: 2020-01-01 has passed"),
    (("override", "set", "office", "open", "--from", "2199-12-24", "--until", "2199-12-24"), 2, "--until: 2199-12-24 is not after Tue 2199-12-24 00:00 CET"),
    (("override", "set", "office", "open", "--from", "2199-12-24", "--until", "2199-12-23"), 2, "is not after Tue 2199-12-24 00:00 CET"),
    (("override", "set", "office", "open", "--from", "soon", "--until", "2h"), 2, "--from: 'soon' names no moment"),
    (("override", "clear", "offise"), 2, "no schedule or rotation is called 'offise' in FILE; did you mean 'office'?"),
    (("override", "clear", "office"), 1, "no override is set for 'office'"),
    (("override", "clear", "office", "--current"), 1, "no override in force is set for 'office'"),
    (("override", "clear", "office", "--from", "2199-12-24"), 1, "no override that begins 2199-12-24 is set for 'office'"),
    (("presence", "set", "anna", "dnd"), 2, "no person is called 'anna' in FILE; did you mean 'ana'?"),
    (("presence", "clear", "anna"), 2, "no person is called 'anna' in FILE; did you mean 'ana'?"),
    (("presence", "clear", "ana"), 1, "no presence is set for 'ana'"),
]
# fmt: on


@pytest.mark.parametrize(
    ("arguments", "code", "words"), WRONG, ids=[" ".join(each[0]) for each in WRONG]
)
def test_wrong_usage(service: Flask, arguments: tuple[str, ...], code: int, words: str) -> None:
    path = str(service.extensions["callrouter"].settings.rules_path)
    assert words in refused(service, code, *arguments).replace(path, "FILE")
    assert done(service, "override", "list") == ["nothing is set"]


def test_the_end_is_meant_as_seen_from_the_beginning(service: Flask) -> None:
    begin = ("--from", "2199-12-24 12:00")
    for until, end in (
        ("2h", "Tue 2199-12-24 14:00"),
        ("08:00", "Wed 2199-12-25 08:00"),
        ("friday 08:00", "Fri 2199-12-27 08:00"),
    ):
        (told, *_) = done(service, "override", "set", "shop", "open", *begin, "--until", until)
        assert told == f"shop is open from Tue 2199-12-24 12:00 EST until {end} EST"
    tomorrow = ("--from", "tomorrow 08:00", "--until", "tomorrow 12:00")
    told, _ = done(service, "override", "set", "office", "closed", *tomorrow)
    first, last = re.findall(r"(\d{4}-\d\d-\d\d) \d\d:\d\d", told)
    assert first == last


def test_one_or_all_are_taken_back(service: Flask) -> None:
    def setting() -> None:
        done(service, "override", "set", "office", "closed", *DECEMBER)
        done(service, "override", "set", "office", "open", "--until", "2199-01-05T08:00")

    setting()
    told = done(service, "override", "clear", "office", "--current")
    assert [line.partition(":")[0] for line in told] == ["taken back", "left"]
    assert len(done(service, "override", "list")) == 1
    setting()
    done(service, "override", "clear", "office", "--from", "2199-12-24 12:00")
    assert done(service, "override", "list") == ["office is open until Sat 2199-01-05 08:00 CET"]
    setting()
    assert done(service, "override", "clear", "office")[-1] == "office follows the rules file again"
    assert done(service, "override", "list") == ["nothing is set"]


def test_presence_is_listed_as_it_was_set_and_taken_back(service: Flask) -> None:
    told = done(service, "presence", "set", "ana", "dnd", "--until", "2199-01-05T08:00")
    assert told == ["ana is dnd until Sat 2199-01-05 08:00 CET"]
    told += done(service, "presence", "set", "bo", "away")
    assert told[1] == "bo is away"
    assert done(service, "presence", "list") == told
    assert data(service, "presence", "clear", "ana") == {
        "person": "ana",
        "state": None,
        "until": None,
    }
    assert done(service, "presence", "clear", "bo") == ["bo is available again"]
    assert done(service, "presence", "list") == ["nothing is set"]


def test_what_the_rules_do_not_know_any_more_is_shown_and_taken_back(service: Flask) -> None:
    until = ("--until", "2199-01-05T08:00")
    done(service, "override", "set", "office", "closed", *until)
    done(service, "override", "set", "oncall", "bo", *until)
    rules = service.extensions["callrouter"].settings.rules_path
    path = str(rules)
    text = RULES.replace("office", "bureau").replace("[ana, bo]", "[ana]")
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123 - a setting is text
        file.write(text)
    told = done(service, "override", "list")
    assert f"no effect: {path} has no schedule or rotation of that name" in told[0]
    assert f"no effect: oncall cannot be set to bo in {path}" in told[1]
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("no rules")
    assert done(service, "override", "list")[1] == "oncall is bo until Sat 2199-01-05 07:00 UTC"
    assert done(service, "override", "clear", "office") == ["office follows the rules file again"]
