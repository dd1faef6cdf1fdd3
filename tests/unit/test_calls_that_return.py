"""Calls that a phone of ours sent back, and callers who would ring their own phone."""

# ruff: noqa: E501 - a rule of the file has one line

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from catapult.events import parse_post
from routing import expectations
from routing.callers import normal_party
from routing.conditions import Call, Facts, comes_back
from routing.reader import read
from routing.route import APOLOGY, dump, load
from routing.router import Walk, route, walk
from routing.rules import AnnounceAction, RejectAction
from routing.words import DIVERSION_REASONS, diversion_reason

FILE = """\
version: 1
timezone: America/New_York
transfer: {{diversionTreatment: stack}}
destinations:
  a: {{transferTo: +19195550101, capacity: 2}}
  b: {{transferTo: +19195550102, person: bea}}
  c: +19195550103
  d: "sip:Desk@pbx.example.com;transport=tcp"
lines:
  main:
    numbers: +19195551000
    rules:
      - {{name: tried, {rule}}}
    otherwise: {{{otherwise}}}
emergency: {{{emergency}}}
"""
AT = dt.datetime(2026, 3, 9, 16, tzinfo=dt.UTC)
CALLER = "+12125550100"
REJECT, SAY = "reject: true", "announce: {sentence: 'sorry, {reason}'}"


def called(
    rule: str,
    otherwise: str = "transferTo: c",
    emergency: str = "transferTo: c",
    outcomes: str = "",
    **known: Any,
) -> Walk:
    """Route a call of which something is known; the route is written down and read again."""
    rules = read(FILE.format(rule=rule, otherwise=otherwise, emergency=emergency))
    call = structs.replace(Call("+19195551000", CALLER, AT), **known)
    found = load(json.loads(json.dumps(dump(route(rules, call, Facts())))))
    return walk(found, Facts(), outcomes.split())


def path(walked: Walk) -> list[str]:
    """Return who rings at each attempt, and the ending."""
    rung = ["+".join(each.label for each in attempt.destinations) for attempt in walked.attempts]
    ending = walked.last.ending
    if ending == APOLOGY:
        return [*rung, "apology"]
    if isinstance(ending, AnnounceAction):
        return [*rung, walked.route.say(ending.audio, walked.last.progress.reason).sentence or ""]
    return [*rung, "reject"] if isinstance(ending, RejectAction) else rung


COUNTS = [
    (None, None, False),
    (0, None, False),
    (1, None, False),
    (5, None, False),
    (6, None, True),
    (100, None, True),
    (1, 5, False),
    (4, 5, False),
    (5, 5, True),
    (6, 5, True),
    (1, 1, True),
    (9, 10, False),
    (10, 10, True),
    (1, 0, True),
    (0, 0, False),
    (None, 1, False),
    (None, 0, False),
]


@pytest.mark.parametrize(("counter", "limit", "wanted"), COUNTS)
def test_a_counter_at_its_limit_or_over_five_without_one(
    counter: int | None, limit: int | None, wanted: bool
) -> None:
    assert comes_back(counter, limit) is wanted
    assert path(called("transferTo: a", REJECT, counter=counter, limit=limit)) == (
        ["reject"] if wanted else ["a"]
    )


STEPS = "followMe: [a, {transferTo: [b, c]}]".replace("[a,", "[{transferTo: a},")
ENDINGS = [
    # the rule itself, its handlers, the line's otherwise, emergency; else the apology
    (REJECT, SAY, SAY, ["reject"]),
    (SAY, REJECT, REJECT, ["sorry, unconditional"]),
    ("transferTo: a", REJECT, SAY, ["reject"]),
    ("transferTo: a", SAY, REJECT, ["sorry, unconditional"]),
    ("transferTo: a", "transferTo: b", SAY, ["sorry, unavailable"]),
    ("transferTo: a", "transferTo: b", "transferTo: c", ["apology"]),
    (f"{STEPS}, onNoAnswer: {{{REJECT}}}", SAY, SAY, ["reject"]),
    (
        f"{STEPS}, onBusy: {{transferTo: d}}, onNoAnswer: {{{SAY}}}",
        REJECT,
        REJECT,
        ["sorry, no-answer"],
    ),
    (f"transferTo: a, onFailure: {{{SAY}}}", REJECT, REJECT, ["sorry, unavailable"]),
    (
        f"transferTo: a, onBusy: {{{SAY}}}, onFailure: {{{REJECT}}}",
        REJECT,
        REJECT,
        ["sorry, user-busy"],
    ),
    (f"when: {{busy: a}}, {SAY}", REJECT, SAY, ["reject"]),
]


@pytest.mark.parametrize(("rule", "otherwise", "emergency", "wanted"), ENDINGS)
def test_the_first_ending_that_dials_nobody(
    rule: str, otherwise: str, emergency: str, wanted: list[str]
) -> None:
    found = called(rule, otherwise, emergency, counter=6)
    assert path(found) == wanted
    assert found.attempts == ()
    because = found.route.trace.steps[-1].because
    assert "diverted 6 times" in because
    assert "nobody is dialed" in because
    assert "nobody is dialed" not in called(rule).route.trace.steps[-1].because
    assert "(its limit is 3)" in called(rule, counter=6, limit=3).route.trace.steps[-1].because


def test_a_number_on_no_line() -> None:
    rules = read(FILE.format(rule=REJECT, otherwise=REJECT, emergency="transferTo: c"))
    call = Call("+19195559999", CALLER, AT, False, "unknown", 6)
    assert path(walk(route(rules, call, Facts()), Facts(), ())) == ["apology"]


@given(st.integers(0, 20), st.none() | st.integers(0, 20))
def test_nobody_is_dialed_exactly_if_it_comes_back(counter: int, limit: int | None) -> None:
    found = called("transferTo: a", counter=counter, limit=limit)
    wanted = counter > 5 if limit is None else counter >= limit > 0 or counter > limit
    assert (path(found) == ["apology"]) is wanted


# what came in, and what is read of it: reason, counter and limit
DIVERSIONS: list[tuple[Any, tuple[Any, ...]]] = [
    ({"reason": "no-answer", "counter": 6, "limit": 5}, ("no-answer", 6, 5)),
    ({"reason": "USER-BUSY", "counter": "6", "Limit": "5"}, ("user-busy", 6, 5)),
    ({"counter": " 6 "}, ("unknown", 6, None)),
    ({"counter": "x", "limit": -1}, ("unknown", None, None)),
    ({"counter": -6, "limit": []}, ("unknown", None, None)),
    ({"reason": "Follow_Me", "counter": None, "limit": {}}, ("follow-me", None, None)),
    ({"counter": 10**20, "limit": "5"}, ("unknown", 10**9 - 1, 5)),
    (
        [{"reason": "away", "counter": 2, "limit": 4}, {"reason": "no-answer", "counter": 3}],
        ("away", 5, 4),
    ),
    ([{"reason": "away"}] * 7, ("away", 7, None)),
    ([{"reason": "away", "limit": 9}, "x", {"limit": 3}], ("away", 2, 3)),
    ([{"reason": "away", "counter": "x"}], ("away", None, None)),
    ('{"reason":"user busy","counter":"6"', ("user-busy", 6, None)),
    ([], (None, None, None)),
    ("garbage", (None, None, None)),
    (7, (None, None, None)),
]


@pytest.mark.parametrize(("diversion", "wanted"), DIVERSIONS)
def test_what_the_platform_sends(diversion: Any, wanted: tuple[Any, ...]) -> None:
    body = {"eventType": "incomingcall", "callId": "c-1", "diversion": diversion}
    found = parse_post(json.dumps(body).encode()).diversion
    reason = diversion_reason(found.reason or "unknown") if found else None
    assert (reason, found and found.counter, found and found.limit) == wanted


@given(st.sampled_from(DIVERSION_REASONS), st.sampled_from(("-", "_", " ", "")), st.data())
def test_a_reason_in_any_spelling(reason: str, separator: str, data: st.DataObject) -> None:
    letters = [data.draw(st.sampled_from((each, each.upper()))) for each in reason]
    assert diversion_reason("".join(letters).replace("-", separator)) == reason


def test_a_reason_that_is_in_no_list_stays_what_it_is() -> None:
    assert diversion_reason(" Time-Of-Year ") == "time-of-year"


EXPECT = """\
version: 1
timezone: America/New_York
destinations: {desk: +19195550101, night: +18005550199}
lines:
  main:
    numbers: +19195551000
    rules: [{name: was busy, when: {diverted: User-Busy}, transferTo: night}]
    otherwise: {transferTo: desk}
emergency: {announce: {sentence: not again}}
expect:
  - {to: main, diverted: user-busy, rule: was busy, rings: [night]}
  - {to: main, diverted: USER_BUSY, rule: was busy, rings: [night]}
  - {to: main, diverted: user-busy, diversionCounter: 5, rings: [night]}
  - {to: main, diverted: user-busy, diversionCounter: 6, rule: was busy, announces: not again}
  - {to: main, diversionCounter: 3, diversionLimit: 3, rule: otherwise, announces: not again}
  - {to: main, diversionCounter: 3, diversionLimit: 4, rings: [desk]}
  - {to: main, diversionCounter: 6, rings: [desk]}
"""


def test_expectations_of_calls_that_come_back() -> None:
    *good, bad = expectations.test(read(EXPECT), [AT])
    assert [each.because for each in good if not each.passed] == []
    assert bad.because.startswith("expected rings [desk], but it rings []; in the end the caller")


OWN = [
    ("transferTo: a", "+19195550101", "", ["c"]),
    ("transferTo: a", "+1 919 555-0101", "", ["c"]),
    ("transferTo: a, onBusy: {transferTo: b}", "+19195550101", "", ["b"]),
    ("transferTo: a, onNoAnswer: {transferTo: b}", "+19195550101", "", ["c"]),
    ("transferTo: [a, b]", "+19195550101", "", ["b"]),
    ("transferTo: [a, b]", "+19195550103", "", ["a+b"]),
    ("followMe: [{transferTo: a}, {transferTo: b}]", "+19195550101", "", ["b"]),
    (
        "followMe: [{transferTo: b}, {transferTo: a}], onBusy: {reject: true}",
        "+19195550101",
        "no-answer",
        ["b", "reject"],
    ),
    ("transferTo: d", "SIP:Desk@PBX.example.com:5060;user=phone", "", ["c"]),
    ("transferTo: d", "sip:desk@pbx.example.com", "", ["d"]),
    ("transferTo: +19195550109", "+19195550109", "", ["c"]),
    ("transferTo: a", "+19195550103", "busy", ["a", "apology"]),
]


@pytest.mark.parametrize(("rule", "caller", "outcomes", "wanted"), OWN)
@pytest.mark.parametrize("withheld", [False, True])
def test_a_callers_own_phone_is_busy(
    rule: str, caller: str, outcomes: str, wanted: list[str], withheld: bool
) -> None:
    found = called(rule, caller=normal_party(caller), anonymous=withheld, outcomes=outcomes)
    assert path(found) == wanted
    own = {each.because for each in found.skipped}
    assert own <= {"it is the caller's own number"}
    assert bool(own) is (wanted[0] not in {"a+b", "d"})


def test_the_reason_after_a_callers_own_phone() -> None:
    found = called("transferTo: a, onBusy: {transferTo: b}", caller="+19195550101")
    assert found.attempts[0].sent_reason == "user-busy"


def test_a_route_that_was_kept_by_an_older_version_is_read() -> None:
    rules = read(FILE.format(rule="transferTo: a", otherwise=REJECT, emergency=REJECT))
    data = dump(route(rules, Call("+19195551000", CALLER, AT), Facts()))
    del data["calling"]
    assert path(walk(load(data), Facts(), ())) == ["a"]


GROUP = """\
version: 1
timezone: America/New_York
transfer: {{diversionTreatment: stack, transferCallerId: private}}
destinations:
  ana: {{transferTo: +19195550102{ana}}}
  bo: +19195550103
lines:
  main:
    numbers: +19195551000
    rules:
      - {{name: all, {rule}}}
    otherwise: {{transferTo: ana}}
emergency: {{reject: true}}
expect:
  - {{to: main, {expect}}}
"""
WARNED = [
    ("transferTo: [ana, bo], transferCallerId: caller", "", ["transferCallerId"]),
    ("transferTo: [ana, bo], transferCallerId: private", "", ["transferCallerId"]),
    ("transferTo: [ana, bo], transferCallerId: called", "", []),
    ("transferTo: [ana, bo], transferCallerId: +19195551000", "", []),
    ("transferTo: [ana, bo], diversionReason: away", "", ["diversionReason"]),
    ("transferTo: [ana, bo], diversionTreatment: stack", "", ["diversionTreatment"]),
    ("transferTo: [ana, bo], diversionTreatment: propagate", "", ["diversionTreatment"]),
    ("transferTo: [ana, bo], diversionTreatment: none", "", []),
    ("transferTo: [ana, bo], ring: 9, recordingEnabled: true, whisperAudio: {sentence: hi}", "", []),
    ("transferTo: [ana, bo]", ", ring: 9", []),
    ("transferTo: [ana, bo]", ", diversionReason: away, transferCallerId: caller", ["diversionReason", "transferCallerId"]),
    ("transferTo: [ana, bo], transferCallerId: called", ", transferCallerId: caller", []),
    ("transferTo: [ana], diversionReason: away, transferCallerId: caller", "", []),
    ("transferTo: ana", ", diversionReason: away, transferCallerId: caller", []),
    ("followMe: [{transferTo: bo}, {transferTo: [ana, bo], diversionReason: away}]", "", ["diversionReason"]),
    ("transferTo: ana, onBusy: {transferTo: [ana, bo], transferCallerId: private}", "", ["transferCallerId"]),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "ana", "keys"), WARNED)
def test_what_a_ring_group_cannot_send_is_warned_of_where_it_is_written(
    rule: str, ana: str, keys: list[str]
) -> None:
    text = GROUP.format(rule=rule, ana=ana, expect="rule: all")
    found = [each for each in read(text).warnings if each.code == "unsent-parameter"]
    assert sorted(each.path.rpartition(".")[2] for each in found) == sorted(keys)
    lines = text.split("\n")
    for each in found:
        assert lines[each.line - 1][each.column - 1 :].startswith(each.path.rpartition(".")[2])
        assert "where several ring together" in each.message


def test_equal_groups_are_each_warned_of() -> None:
    rule = "transferTo: [ana, bo], diversionReason: away, onBusy: {transferTo: [ana, bo], diversionReason: away}"
    found = read(GROUP.format(rule=rule, ana="", expect="rule: all")).warnings
    paths = [each.path for each in found]
    assert paths == [
        "lines.main.rules[0].diversionReason",
        "lines.main.rules[0].onBusy.diversionReason",
    ]


SENT = [
    ("transferTo: bo", "diversionReason: unconditional", ""),
    ("transferTo: bo, diversionTreatment: none", "diversionReason: unconditional", "none is sent without `diversionTreatment: stack`"),
    ("transferTo: bo, diversionTreatment: propagate", "diversionReason: unconditional", "none is sent without `diversionTreatment: stack`"),
    ("transferTo: bo, diversionTreatment: none, diversionReason: away", "diversionReason: away", "none is sent without"),
    ("transferTo: [ana, bo], diversionReason: away", "diversionReason: away", "none is sent where several ring together"),
    ("transferTo: [ana, bo]", "diversionReason: unconditional", "none is sent where several ring together"),
    ("transferTo: [ana, bo]", "from: +19195550102, diversionReason: unconditional", ""),
    ("transferTo: bo", "diversionReason: away", "but it is unconditional"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "expect", "because"), SENT)
def test_a_diversion_reason_is_expected_as_it_is_sent(rule: str, expect: str, because: str) -> None:
    (result,) = expectations.test(read(GROUP.format(rule=rule, ana="", expect=expect)), [AT])
    assert result.passed is not bool(because)
    assert (because or "as expected") in result.because
