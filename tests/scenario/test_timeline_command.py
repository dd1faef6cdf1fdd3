"""`flask rules timeline` as a person, a script or the wall sees it."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from app import create_app
from settings import Settings
from tests.service import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result
    from flask import Flask

RULES = """\
version: 1
timezone: America/New_York
destinations: {ana: +19195550101, bo: {transferTo: +19195550102, capacity: 1, person: bo}}
callers: {vip: +12125550187}
calendars: {us: {country: US}}
schedules:
  office:
    hours: {mon-fri: 09:00-12:20, sun: 00:45-01:30}
    except: [{dates: us, hours: closed}]
lines:
  main:
    title: Main <Office> & more
    numbers: [+19195551000, +19195551001]
    rules:
      - {name: vip, when: {from: vip}, transferTo: bo}
      - {name: open, when: {during: office}, followMe: [{transferTo: ana}, {transferTo: bo}]}
    otherwise: {announce: {sentence: "Closed"}}
  help: {numbers: +19195551002, otherwise: {reject: true}}
emergency: {transferTo: ana}
"""
MONDAY = ("--from", "2026-03-09", "--days", "1")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def service(tmp_path: Path) -> Flask:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, "utf-8")
    ledger = f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    return create_app(Settings(rules_path=str(path), ledger_url=ledger))


def ask(service: Flask, *arguments: str, **more: Any) -> Result:
    return run(service, "rules", "timeline", *arguments, **more)


def run(service: Flask, *command: str, **more: Any) -> Result:
    with service.app_context():
        return service.test_cli_runner().invoke(args=command, **more)


def data(service: Flask, *arguments: str) -> Any:
    result = ask(service, *arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def rules_of(service: Flask) -> str:
    return str(service.extensions["callrouter"].settings.rules_path)


def test_the_terminal(service: Flask) -> None:
    result = ask(service, "main", "--from", "2026-11-25", "--days", "3")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        (
            "For an ordinary caller, when nobody is busy and everybody is available. "
            f"Times in America/New_York. Rules of {rules_of(service)}."
        ),
        "",
        "main (Main <Office> & more): +19195551000, +19195551001",
        "",
        "            00  02  04  06  08  10  12  14  16  18  20  22",
        f"Wed 25 Nov  {'A' * 18}{'B' * 6}b{'A' * 23}",
        f"Thu 26 Nov  {'A' * 48} *",
        f"Fri 27 Nov  {'A' * 18}{'B' * 6}b{'A' * 23}",
        "",
        "Wed 25 Nov: 00:00 A, 09:00 B, 12:20 A",
        "Thu 26 Nov: 00:00 A",
        "  * Thanksgiving Day: office closed",
        "Fri 27 Nov: 00:00 A, 09:00 B, 12:20 A",
        "",
        "A  “Closed”  (rule: otherwise)",
        "B  ana → bo  (rule: open)",
        "",
        "A small letter: others are reached too in that half hour. *: see the day below.",
    ]


def test_the_documented_timeline_is_a_real_one(tmp_path: Path) -> None:
    text = (PROJECT / "docs/rules.md").read_text("utf-8")
    (shown,) = re.findall(r"^```text\n( +00  02.*?)^```$", text, re.MULTILINE | re.DOTALL)
    shipped = str(PROJECT / "routing_rules.yaml")
    service = create_app(Settings(ledger_url=f"sqlite:///{tmp_path / 'ledger.sqlite3'}"))
    days = ("--from", "2026-11-25", "--days", "2")
    printed = ask(service, "main", *days, "--rules", shipped).stdout
    assert shown.strip("\n") in printed


def test_days_that_are_alike_share_a_line_of_times(service: Flask) -> None:
    lines = ask(service, "main", "--from", "2026-03-09").stdout.splitlines()
    assert "Mon 09 Mar to Fri 13 Mar: 00:00 A, 09:00 B, 12:20 A" in lines
    assert "Sat 14 Mar: 00:00 A" in lines


def test_the_hour_that_comes_twice_and_the_one_that_never_comes(service: Flask) -> None:
    autumn = ask(service, "main", "--from", "2026-11-01", "--days", "1").stdout
    assert "Sun 01 Nov: 00:00 A, 00:45 B, 01:30 A, 01:00 again B, 01:30 again A" in autumn
    assert f"Sun 01 Nov  AaBA{'A' * 44} *" in autumn
    spring = ask(service, "main", "--from", "2026-03-08", "--days", "1").stdout
    assert f"Sun 08 Mar  AaBA  {'A' * 42} *" in spring


def test_colour_is_for_terminals_that_want_it(
    service: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[30m\x1b[102mA" in ask(service, *MONDAY, color=True).stdout
    assert "\x1b" not in ask(service, *MONDAY).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in ask(service, *MONDAY, color=True).stdout


def test_a_week_from_today_and_every_line_by_default(service: Flask) -> None:
    before = dt.date.today()  # noqa: DTZ011 - compared below with both dates that it can be
    found = data(service)
    assert {each["line"] for each in found["segments"]} == {"main", "help"}
    first = dt.datetime.fromisoformat(found["from"]).date()
    last = dt.datetime.fromisoformat(found["to"]).date()
    assert abs((first - before).days) <= 1
    assert (last - first).days == 7


def test_json(service: Flask) -> None:
    found = data(service, "--from", "2026-11-27", "--days", "1")
    assert (found["timezone"], found["overrides"], found["notes"]) == ("America/New_York", [], [])
    assert (found["from"], found["to"]) == (
        "2026-11-27T00:00:00-05:00",
        "2026-11-28T00:00:00-05:00",
    )
    assert found["supposed"]["busy"] == []
    assert [(each["line"], each["from"][11:16], each["rule"]) for each in found["segments"]] == [
        ("main", "00:00", "otherwise"),
        ("main", "09:00", "open"),
        ("main", "12:20", "otherwise"),
        ("help", "00:00", "otherwise"),
    ]
    closed, opened, _, refused = found["segments"]
    assert opened == {
        "line": "main",
        "from": "2026-11-27T09:00:00-05:00",
        "to": "2026-11-27T12:20:00-05:00",
        "rule": "open",
        "rings": ["ana"],
        "then": ["bo"],
        "because": "inside office: 09:00 on Friday is in 09:00-12:20",
        "diversionReason": "follow-me",
    }
    assert (closed["announces"], closed["diversionReason"]) == ("Closed", None)
    assert refused["rejects"] is True


def test_json_has_offsets_that_change_with_the_clocks(service: Flask) -> None:
    found = data(service, "main", "--from", "2026-11-01", "--days", "1")
    opened = [(each["from"], each["to"]) for each in found["segments"] if each["rule"] == "open"]
    assert opened == [
        ("2026-11-01T00:45:00-04:00", "2026-11-01T01:30:00-04:00"),
        ("2026-11-01T01:00:00-05:00", "2026-11-01T01:30:00-05:00"),
    ]
    assert found["notes"] == [
        {
            "line": "main",
            "date": "2026-11-01",
            "kind": "clocks",
            "text": "clocks go back: 01:00-02:00 comes twice",
        }
    ]


def test_what_is_supposed(service: Flask) -> None:
    vip = data(service, "main", *MONDAY, "--from-number", "+12125550187")
    assert [(each["rule"], each["rings"]) for each in vip["segments"]] == [("vip", ["bo"])]
    away = data(service, "main", *MONDAY, "--presence", "bo=away", "--busy", "bo")
    assert [each["rings"] for each in away["segments"] if "rings" in each] == [["ana"]]
    assert all("then" not in each for each in away["segments"])
    said = ask(service, *MONDAY, "--presence", "bo=away", "--busy", "bo").stdout.splitlines()[0]
    start = "For an ordinary caller, when bo is busy and bo is away, everybody else is available."
    assert said.startswith(start)


def test_an_override_that_is_set_counts_from_now_to_its_end(service: Flask) -> None:
    zone = dt.timezone(dt.timedelta(hours=-5))
    now = dt.datetime.now(zone)
    end = (now + dt.timedelta(days=2)).replace(minute=7, second=0, microsecond=0)
    done = run(service, "override", "set", "office", "open", "--until", end.isoformat())
    assert done.exit_code == 0, done.output
    yesterday = (now - dt.timedelta(days=1)).date().isoformat()
    found = data(service, "main", "--from", yesterday, "--days", "5")
    (override,) = found["overrides"]
    assert (override["schedule"], override["state"]) == ("office", "open")
    assert dt.datetime.fromisoformat(override["until"]) == end
    start = dt.datetime.fromisoformat(override["from"])
    assert abs(start - now) < dt.timedelta(minutes=1)
    inside = [
        each
        for each in found["segments"]
        if dt.datetime.fromisoformat(each["from"]) <= start
        and end <= dt.datetime.fromisoformat(each["to"])
    ]
    assert [each["rule"] for each in inside] == ["open"]
    assert {each["kind"] for each in found["notes"]} >= {"override"}
    other = str(service.extensions["callrouter"].settings.rules_path)
    assert data(service, "main", "--rules", other)["overrides"] == []


def test_an_override_may_be_supposed(service: Flask) -> None:
    span = "office=open@2026-03-09T12:00..2026-03-09T15:41"
    found = data(service, "main", *MONDAY, "--override", span)
    opened = [each for each in found["segments"] if each["rule"] == "open"]
    assert [(each["from"][11:16], each["to"][11:16]) for each in opened] == [("09:00", "15:41")]
    shut = data(service, "main", *MONDAY, "--override", "office=closed")
    assert [each["rule"] for each in shut["segments"]] == ["otherwise"]
    assert shut["overrides"] == [
        {"schedule": "office", "state": "closed", "from": None, "until": None}
    ]


WRONG = [
    (("man",), "did you mean 'main'"),
    (("--from", "monday"), "write it as 2026-12-31"),
    (("--days", "0"), "'--days'"),
    (("--days", "367"), "'--days'"),
    (("--busy", "ana"), "no destination that has a capacity is called 'ana'"),
    (("--presence", "bo=asleep"), "no state is called 'asleep'"),
    (("--override", "office"), "write office=open"),
    (("--override", "office=open@2026-03-09T12:00"), "--override:"),
    (("--override", "office=open@2026-03-09T12:00..2026-03-09T11:00"), "ends before it begins"),
    (("--rules", "/nowhere.yaml"), "No such file"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_wrong_usage(service: Flask, arguments: tuple[str, ...], message: str) -> None:
    result = ask(service, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


def test_rules_that_are_wrong(service: Flask, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(RULES.replace("during: office", "during: ofice"), "utf-8")
    result = ask(service, "--rules", str(path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "did you mean 'office'" in result.stderr


def drawn(service: Flask, path: Path, *arguments: str) -> ET.Element:
    result = ask(service, *arguments, "--svg", str(path))
    assert (result.exit_code, result.output) == (0, "")
    return ET.fromstring(path.read_text("utf-8"))  # noqa: S314 - our own


def pieces(picture: ET.Element) -> list[tuple[float, float, str]]:
    """Return where each piece begins and ends, in hours, and what it says."""
    found = []
    for rect in picture.iter(f"{SVG}rect"):
        title = rect.find(f"{SVG}title")
        if title is not None:
            x, width = float(rect.get("x", "")), float(rect.get("width", ""))
            found.append(((x - 128) / 44, (x + width - 128) / 44, title.text or ""))
    return found


def test_the_picture_is_to_the_minute(service: Flask, tmp_path: Path) -> None:
    found = pieces(drawn(service, tmp_path / "a.svg", "main", *MONDAY))
    assert [text for _, _, text in found] == [
        "00:00 – 09:00 “Closed”",  # noqa: RUF001 - a dash is a dash
        "09:00 – 12:20 ana → bo",  # noqa: RUF001
        "12:20 – 24:00 “Closed”",  # noqa: RUF001
    ]
    for start, end, text in found:
        for place, clock in zip((start, end), re.findall(r"(\d\d):(\d\d)", text), strict=True):
            assert place == pytest.approx(int(clock[0]) + int(clock[1]) / 60, abs=0.02)


def test_the_picture_stands_alone_and_can_be_read_aloud(service: Flask, tmp_path: Path) -> None:
    picture = drawn(service, tmp_path / "a.svg", "--from", "2026-11-25", "--days", "2")
    assert picture.get("role") == "img"
    labels = (picture.get("aria-labelledby") or "").split()
    texts = {each.get("id"): each.text or "" for each in picture if each.get("id")}
    assert texts[labels[0]] == (
        "Who is reached when: Main <Office> & more and help, 25 – 26 November 2026"  # noqa: RUF001
    )
    assert (
        "Main <Office> & more, Thursday 26 November 2026 (Thanksgiving Day: office closed): "
        "00:00 “Closed”." in texts[labels[1]].splitlines()
    )
    text = (tmp_path / "a.svg").read_text("utf-8")
    assert not re.search(r"href|url\((?!#)|<script|src=|@import", text)
    width, height = (float(each) for each in (picture.get("viewBox") or "").split()[2:])
    assert width == float(picture.get("width", ""))
    lowest = max(float(each.get("y", "0")) for each in picture.iter(f"{SVG}text"))
    assert lowest < height


def test_what_is_special_is_marked_in_the_picture(service: Flask, tmp_path: Path) -> None:
    def classes(*arguments: str) -> set[str]:
        picture = drawn(service, tmp_path / "a.svg", "main", *arguments)
        words = [each.get("class", "").split() for each in picture.iter()]
        fills = {each.get("fill", "") for each in picture.iter()}
        return {word for each in words for word in each} | fills

    marks = {"weekend", "holiday", "override", "set", "clocks", "twice", "url(#skipped)"}
    assert classes(*MONDAY) & marks == set()
    holiday = classes("--from", "2026-11-26", "--days", "1")
    assert holiday & marks == {"holiday"}
    assert classes("--from", "2026-11-28", "--days", "1") & marks == {"weekend"}
    spring = classes("--from", "2026-03-08", "--days", "1")
    assert spring & marks == {"weekend", "clocks", "url(#skipped)"}
    autumn = classes("--from", "2026-11-01", "--days", "1")
    assert autumn & marks == {"weekend", "clocks", "twice"}
    assert classes(*MONDAY, "--override", "office=open") & marks == {"override", "set"}


def test_the_hour_that_comes_twice_is_drawn_in_two_halves(service: Flask, tmp_path: Path) -> None:
    picture = drawn(service, tmp_path / "a.svg", "main", "--from", "2026-11-01", "--days", "1")
    tops = {}
    for rect in picture.iter(f"{SVG}rect"):
        title = rect.find(f"{SVG}title")
        if title is not None and (title.text or "").startswith("01:00 – 01:30"):  # noqa: RUF001
            tops[float(rect.get("y", ""))] = rect.get("fill")
    assert len(tops) == 2
    assert len(set(tops.values())) == 1


def test_the_same_timeline_gives_the_same_picture(service: Flask, tmp_path: Path) -> None:
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    for path in (first, second):
        drawn(service, path, *MONDAY)
    assert first.read_bytes() == second.read_bytes()
    found = ask(service, *MONDAY, "--svg", "-", "--rules", str(tmp_path / "rules.yaml"))
    assert found.stdout.encode() == first.read_bytes()
