"""Which rule takes a call, with which diversion reason, and what the trace says of it."""

from __future__ import annotations

import datetime as dt

import pytest

from routing.callers import is_withheld, normal_party
from routing.conditions import Call, Facts
from routing.reader import read
from routing.route import Route, first_move
from routing.router import route

FILE = """\
version: 1
timezone: America/New_York
transfer: {{diversionTreatment: stack}}
destinations:
  desk: {{transferTo: +19195550101, capacity: 2}}
  ana: {{transferTo: +19195550102, capacity: 1, person: ana}}
  bo: {{transferTo: +19195550103, person: bo}}
  away: +19195550104
callers:
  vip: [+14155550123, +1212*]
  spam: [+1900*, anonymous]
  office: [sip:*@pbx.example.com, "sip:Bob@example.org"]
schedules:
  office: {{hours: {{mon-fri: 09:00-17:00}}}}
  lunch: {{hours: {{mon-fri: 12:00-13:00}}}}
lines:
  main:
    title: Main Office
    numbers: [+19195551000, "sip:main@example.com"]
    rules:
      - {{name: tried, when: {when}, {action}}}
    otherwise: {{transferTo: away}}
emergency: {{transferTo: away}}
"""
NOON = dt.datetime(2026, 3, 9, 12, 30, tzinfo=dt.timezone(-dt.timedelta(hours=4)))
NIGHT = NOON.replace(hour=22)
NEW_YORK = "+12125550100"


def routed(
    when: str,
    caller: str = NEW_YORK,
    at: dt.datetime = NOON,
    diverted: str | None = None,
    action: str = "transferTo: desk",
    facts: Facts | None = None,
) -> Route:
    rules = read(FILE.format(when=when, action=action))
    who = normal_party(caller)
    call = Call("+19195551000", who, at, is_withheld(who), diverted)
    return route(rules, call, facts or Facts())


FULL = Facts(frozenset({"desk"}))
DND = Facts(presence={"ana": "dnd"})

CONDITIONS = [
    ("{during: office}", {}, True, "inside office: 12:30 on Monday is in 09:00-17:00"),
    ("{during: office}", {"at": NIGHT}, False, "outside office: 22:30 on Monday is after closing"),
    ("{outside: office}", {"at": NIGHT}, True, "outside office: 22:30 on Monday is after closing"),
    ("{outside: office}", {}, False, "inside office: 12:30 on Monday is in 09:00-17:00"),
    ("{during: [lunch, office]}", {}, True, "inside lunch: 12:30 on Monday is in 12:00-13:00"),
    (
        "{outside: [lunch, office]}",
        {"at": NIGHT},
        True,
        (
            "outside lunch: 22:30 on Monday is after closing; "
            "outside office: 22:30 on Monday is after closing"
        ),
    ),
    ("{outside: [lunch, office]}", {}, False, "inside lunch: 12:30 on Monday is in 12:00-13:00"),
    (
        "{during: office}",
        {"facts": Facts(overrides={"office": "closed"})},
        False,
        "outside office: set closed by an override",
    ),
    ("{weekday: mon}", {}, True, "it is Monday"),
    ("{weekday: [tue, thu]}", {}, False, "it is Monday, not tue or thu"),
    ("{weekday: sat-mon}", {}, True, "it is Monday"),
    ('{weekday: "fri, MON"}', {}, True, "it is Monday"),
    ("{weekday: mon}", {"at": NIGHT}, True, "it is Monday"),  # Tuesday in Greenwich
    ("{weekday: tue}", {"at": NIGHT.replace(hour=23, minute=59)}, False, "it is Monday, not tue"),
    ("{from: vip}", {}, True, "from +12125550100 is in vip"),
    ("{from: spam}", {}, False, "from +12125550100 is not in spam"),
    ("{from: spam}", {"caller": "+19005550100"}, True, "from +19005550100 is in spam"),
    ("{from: spam}", {"caller": "anonymous"}, True, "the anonymous caller is in spam"),
    ("{from: vip}", {"caller": "Restricted"}, False, "the anonymous caller is not in vip"),
    ("{notFrom: vip}", {}, False, "from +12125550100 is in vip"),
    ("{notFrom: spam}", {}, True, "from +12125550100 is not in spam"),
    ("{notFrom: [spam, vip]}", {}, False, "from +12125550100 is in spam or vip"),
    ("{from: +12125550100}", {}, True, "from +12125550100 is in +12125550100"),
    ("{from: [vip, +1900*]}", {}, True, "from +12125550100 is in vip or +1900*"),
    ("{from: office}", {"caller": "sip:x@PBX.example.com"}, True, "...is in office"),
    (
        "{from: office}",
        {"caller": "sip:x@pbx.example.com:5070;transport=tls"},
        True,
        "...is in office",
    ),
    ("{from: office}", {"caller": "sip:x@pbx.example.com.evil.test"}, False, "...is not in office"),
    ("{from: office}", {"caller": "SIP:Bob@EXAMPLE.org"}, True, "...is in office"),
    ("{from: office}", {"caller": "sip:bob@example.org"}, False, "...is not in office"),
    ("{busy: desk}", {"facts": FULL}, True, "desk is busy"),
    ("{busy: desk}", {}, False, "desk is not busy"),
    ("{busy: [ana, desk]}", {"facts": FULL}, True, "desk is busy"),
    ("{busy: [ana, desk]}", {}, False, "ana and desk are not busy"),
    ("{presence: {ana: dnd}}", {"facts": DND}, True, "ana is dnd"),
    ("{presence: {ana: [away, busy]}}", {"facts": DND}, False, "ana is dnd, not away or busy"),
    ("{presence: {ana: available}}", {}, True, "ana is available"),
    (
        "{presence: {ana: dnd, bo: available}}",
        {"facts": DND},
        True,
        "ana is dnd and bo is available",
    ),
    ("{presence: {ana: dnd, bo: away}}", {"facts": DND}, False, "bo is available, not away"),
    ("{diverted: any}", {"diverted": "no-answer"}, True, "the call was diverted by no-answer"),
    ("{diverted: any}", {}, False, "the call was not diverted"),
    (
        "{diverted: [away, user-busy]}",
        {"diverted": "no-answer"},
        False,
        "the call was diverted by no-answer, not by away or user-busy",
    ),
    ("{not: {during: office, from: vip}}", {}, False, "...inside office"),
    ("{not: {during: office, from: spam}}", {}, True, "from +12125550100 is not in spam"),
    ("{not: {not: {during: office}}}", {}, True, "...inside office"),
    ("{during: office, from: vip}", {}, True, "...; from +12125550100 is in vip"),
    ("{during: office, from: spam}", {}, False, "from +12125550100 is not in spam"),
]


@pytest.mark.parametrize(("when", "what", "holds", "because"), CONDITIONS)
def test_a_condition_holds_or_not_and_says_why(
    when: str, what: dict[str, object], holds: bool, because: str
) -> None:
    found = routed(when, **what)  # type: ignore[arg-type]
    assert found.rule == ("tried" if holds else "otherwise")
    assert found.trace.steps[0].held is holds
    words = found.trace.steps[0].because
    part = because.removeprefix("...")
    assert words == because or (part != because and part in words)


ANA_OUT = [("dnd", "do-not-disturb"), ("away", "away"), ("busy", "user-busy")]
REASONS = [
    ("{busy: desk}", "transferTo: bo", FULL, "user-busy"),
    ("{busy: desk, during: office, presence: {ana: dnd}}", "transferTo: bo", None, "user-busy"),
    *(
        ("{presence: {ana: [dnd, away, busy]}}", "transferTo: bo", {"ana": state}, reason)
        for state, reason in ANA_OUT
    ),
    ("{presence: {ana: dnd}, during: office}", "transferTo: bo", {"ana": "dnd"}, "do-not-disturb"),
    ("{presence: {ana: available}, during: office}", "transferTo: bo", {}, "time-of-day"),
    ("{presence: {ana: available}}", "transferTo: bo", {}, "unconditional"),
    ("{presence: {bo: available, ana: away}}", "transferTo: desk", {"ana": "away"}, "away"),
    ("{not: {presence: {ana: available}}}", "transferTo: bo", {"ana": "away"}, "away"),
    ("{during: office}", "transferTo: bo", {}, "time-of-day"),
    ("{outside: lunch, from: vip}", "transferTo: bo", {}, None),
    ("{not: {outside: office}}", "transferTo: bo", {}, "time-of-day"),
    ("{not: {busy: desk}}", "transferTo: bo", {}, "unconditional"),
    ("{from: vip}", "transferTo: bo", {}, "unconditional"),
    ("{diverted: any}", "transferTo: bo", {}, None),
    ("{weekday: mon}", "transferTo: bo", {}, "time-of-day"),
    ("{not: {weekday: tue}}", "transferTo: bo", {}, "time-of-day"),
    ("{weekday: mon, busy: desk}", "transferTo: bo", FULL, "user-busy"),
    ("{weekday: mon, presence: {ana: dnd}}", "transferTo: bo", {"ana": "dnd"}, "do-not-disturb"),
    ("{during: office}", "followMe: [{transferTo: bo}]", {}, "follow-me"),
    ("{busy: desk}", "followMe: [{transferTo: bo}]", FULL, "follow-me"),
    ("{during: office}", "transferTo: bo, diversionReason: unknown", {}, "unknown"),
    ("{busy: desk}", "followMe: [{transferTo: bo, diversionReason: away}]", FULL, "away"),
]


@pytest.mark.parametrize(("when", "action", "facts", "reason"), REASONS)
def test_the_diversion_reason_of_a_rule(
    when: str, action: str, facts: Facts | dict[str, str] | None, reason: str | None
) -> None:
    if facts is None:
        facts = Facts(frozenset({"desk"}), {"ana": "dnd"})
    elif isinstance(facts, dict):
        facts = Facts(presence=facts)
    found = routed(when, action=action, facts=facts)
    if reason is None:
        assert (found.rule, found.reason) == ("otherwise", "unconditional")
        return
    attempt = first_move(found, facts).attempt
    assert attempt is not None
    assert (found.rule, attempt.diversion_reason) == ("tried", reason)


def test_a_line_is_found_by_each_of_its_numbers() -> None:
    rules = read(FILE.format(when="{from: vip}", action="transferTo: desk"))
    for number in ("+19195551000", normal_party("SIP:main@Example.com")):
        found = route(rules, Call(number, NEW_YORK, NOON), Facts())
        assert (found.line, found.title, found.rule) == ("main", "Main Office", "tried")


def test_a_number_on_no_line_is_taken_by_emergency() -> None:
    rules = read(FILE.format(when="{from: vip}", action="transferTo: desk"))
    found = route(rules, Call("+19195559999", NEW_YORK, NOON), Facts())
    assert (found.line, found.rule, found.reason) == (None, "emergency", "unavailable")
    assert [(step.rule, step.because) for step in found.trace.steps] == [
        ("emergency", "the called number is on no line")
    ]


def test_the_trace_names_every_rule_tried_and_the_one_chosen() -> None:
    found = routed("{from: spam}")
    assert [(step.rule, step.held, step.because) for step in found.trace.steps] == [
        ("tried", False, "from +12125550100 is not in spam"),
        ("otherwise", True, "no rule above held"),
    ]


@pytest.mark.parametrize(
    "caller",
    [
        "",
        "anonymous",
        "Anonymous",
        "private",
        "RESTRICTED",
        "unknown",
        "withheld",
        "unavailable",
        "sip:anonymous@anonymous.invalid",
        "anonymous@anonymous.invalid",
    ],
)
def test_a_caller_who_names_nobody_is_withheld(caller: str) -> None:
    assert is_withheld(normal_party(caller))


def test_the_default_caller_is_in_no_list() -> None:
    text = FILE.format(when="{from: [vip, +1202*]}", action="transferTo: desk")
    default = read(text).default_caller
    assert not default.startswith(("+1202", "+1212", "+1900", "+14155550123"))
