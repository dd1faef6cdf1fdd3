"""What follows each outcome of each attempt, until somebody answers or every option is spent."""

# ruff: noqa: E501 - the tables have one line for each case

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.conditions import Call, Facts
from routing.reader import read
from routing.route import APOLOGY, Move, Progress, Route, dump, first_move, load, next_move
from routing.router import route, walk
from routing.rules import AnnounceAction, RejectAction
from routing.words import OUTCOMES

FILE = """\
version: 1
timezone: America/New_York
{transfer}
destinations:
  a: {{transferTo: +19195550101, capacity: 2}}
  b: {{transferTo: +19195550102, capacity: 1, person: bea}}
  c: {{transferTo: +19195550103, person: cy}}
  d: sip:Desk@pbx.example.com
  e: {{transferTo: +19195550105, ring: 45s, transferCallerId: called}}
  f: +19195550106
lines:
  main:
    title: Main Office
    numbers: [+19195551000, "sip:main@example.com"]
    rules:
      - {{name: tried, {rule}}}
    otherwise: {{{otherwise}}}
emergency: {{{emergency}}}
"""
AT = dt.datetime(2026, 3, 9, 16, tzinfo=dt.UTC)


def routed(
    rule: str,
    otherwise: str = "transferTo: e",
    emergency: str = "transferTo: f",
    transfer: str = "transfer: {diversionTreatment: stack}",
    to: str = "+19195551000",
) -> Route:
    text = FILE.format(rule=rule, otherwise=otherwise, emergency=emergency, transfer=transfer)
    return route(read(text), Call(to, "+12125550100", AT), Facts())


def path(found: Route, outcomes: str, facts: Facts | None = None) -> list[str]:
    """Return `destination reason` of each attempt, and the ending."""
    walked = walk(found, facts or Facts(), outcomes.split())
    attempts = [
        f"{'+'.join(each.label for each in attempt.destinations)} {attempt.diversion_reason}"
        for attempt in walked.attempts
    ]
    ending = walked.last.ending
    if ending == APOLOGY:
        return [*attempts, "apology"]
    if isinstance(ending, AnnounceAction):
        return [*attempts, f"announce {ending.audio.sentence}"]
    return [*attempts, "reject"] if isinstance(ending, RejectAction) else attempts


ALL = (
    "transferTo: a, onBusy: {transferTo: b}, onNoAnswer: {transferTo: c}, "
    "onRejected: {transferTo: d}, onFailure: {announce: {sentence: sorry}}"
)
STEPS = "followMe: [{transferTo: a}, {transferTo: [b, c]}], onBusy: {transferTo: d}"
NO_B = Facts(presence={"bea": "dnd"})

CHAINS = [
    (ALL, "", None, ["a unconditional"]),
    (ALL, "busy", None, ["a unconditional", "b user-busy"]),
    (ALL, "no-answer", None, ["a unconditional", "c no-answer"]),
    (ALL, "rejected", None, ["a unconditional", "d deflection"]),
    (ALL, "failure", None, ["a unconditional", "announce sorry"]),
    (ALL, "USER_BUSY", None, ["a unconditional", "b user-busy"]),
    (ALL, "CALL_REJECTED", None, ["a unconditional", "d deflection"]),
    (ALL, "SOMETHING_ELSE", None, ["a unconditional", "announce sorry"]),
    # a handler's own failure looks for the other handlers first, each at most once
    (ALL, "busy no-answer", None, ["a unconditional", "b user-busy", "c no-answer"]),
    (
        ALL,
        "busy busy busy busy",
        None,
        ["a unconditional", "b user-busy", "e unconditional", "f unavailable", "apology"],
    ),
    (
        "transferTo: a, onBusy: {transferTo: d}",
        "rejected",
        None,
        ["a unconditional", "d user-busy"],
    ),
    (
        "transferTo: a, onRejected: {transferTo: c}, onBusy: {transferTo: d}",
        "rejected rejected",
        None,
        ["a unconditional", "c deflection", "d user-busy"],
    ),
    (
        "transferTo: a, onFailure: {transferTo: d}",
        "UNALLOCATED_NUMBER",
        None,
        ["a unconditional", "d out-of-service"],
    ),
    (
        "transferTo: a, onFailure: {transferTo: d}",
        "NORMAL_TEMPORARY_FAILURE",
        None,
        ["a unconditional", "d unavailable"],
    ),
    ("transferTo: a", "no-answer", None, ["a unconditional", "e unconditional"]),
    (
        "transferTo: a",
        "busy failure",
        None,
        ["a unconditional", "e unconditional", "f unavailable"],
    ),
    # follow-me: an outcome leads to the next step; the last one picks the handler
    (STEPS, "", None, ["a follow-me"]),
    (STEPS, "failure", None, ["a follow-me", "b+c follow-me"]),
    (STEPS, "no-answer busy", None, ["a follow-me", "b+c follow-me", "d user-busy"]),
    (STEPS, "busy no-answer", None, ["a follow-me", "b+c follow-me", "e unconditional"]),
    (STEPS, "busy", NO_B, ["a follow-me", "c follow-me"]),
    (
        STEPS,
        "no-answer",
        Facts(presence={"bea": "dnd", "cy": "away"}),
        ["a follow-me", "d do-not-disturb"],
    ),
    (STEPS, "", Facts(frozenset({"a"})), ["b+c follow-me"]),
    (STEPS, "busy", Facts(frozenset({"a"}), {"cy": "away"}), ["b follow-me", "d user-busy"]),
    # whoever is not available or full is not dialed
    ("transferTo: b, onBusy: {transferTo: d}", "", NO_B, ["d do-not-disturb"]),
    ("transferTo: c, onBusy: {transferTo: d}", "", Facts(presence={"cy": "away"}), ["d away"]),
    ("transferTo: c, onBusy: {transferTo: d}", "", Facts(presence={"cy": "busy"}), ["d user-busy"]),
    ("transferTo: a, onBusy: {transferTo: d}", "", Facts(frozenset({"a"})), ["d user-busy"]),
    (
        "transferTo: [a, b], onBusy: {transferTo: d}",
        "",
        Facts(frozenset({"a"})),
        ["b unconditional"],
    ),
    (
        "transferTo: [b, a], onBusy: {transferTo: d}",
        "",
        Facts(frozenset({"a"}), {"bea": "dnd"}),
        ["d do-not-disturb"],
    ),
    (
        "transferTo: [a, b], onBusy: {transferTo: d}",
        "",
        Facts(frozenset({"a"}), {"bea": "dnd"}),
        ["d do-not-disturb"],
    ),
    (
        "transferTo: a, onNoAnswer: {transferTo: b}, onBusy: {transferTo: d}",
        "no-answer",
        NO_B,
        ["a unconditional", "d do-not-disturb"],
    ),
    (
        "transferTo: b, onBusy: {transferTo: d, diversionReason: unknown}",
        "",
        NO_B,
        ["d unknown"],
    ),
    # the action of a handler may be any
    (
        "transferTo: a, onBusy: {followMe: [{transferTo: b}, {transferTo: c}]}",
        "busy busy",
        None,
        ["a unconditional", "b user-busy", "c user-busy"],
    ),
    ("transferTo: a, onBusy: {reject: true}", "busy", None, ["a unconditional", "reject"]),
    ("reject: true", "", None, ["reject"]),
    ("announce: {sentence: hello}", "busy", None, ["announce hello"]),
]


@pytest.mark.parametrize(("rule", "outcomes", "facts", "expected"), CHAINS)
def test_a_chain(rule: str, outcomes: str, facts: Facts | None, expected: list[str]) -> None:
    assert path(routed(rule), outcomes, facts) == expected


def test_otherwise_and_emergency_have_reasons_of_their_own() -> None:
    found = routed(
        "transferTo: a",
        "followMe: [{transferTo: b}, {transferTo: c}]",
        "followMe: [{transferTo: d}]",
    )
    assert path(found, "busy busy busy") == [
        *("a unconditional", "b follow-me", "c follow-me", "d follow-me")
    ]


def test_a_rule_may_be_called_as_a_handler_is() -> None:
    rule = "transferTo: a, onBusy: {transferTo: b}".replace("tried", "onBusy")
    text = FILE.format(rule=rule, otherwise="reject: true", emergency="reject: true", transfer="")
    rules = read(text.replace("name: tried", "name: onBusy"))
    found = route(rules, Call("+19195551000", "+12125550100", AT), Facts())
    assert path(found, "busy") == ["a unconditional", "b user-busy"]


def test_a_thousand_steps_that_ring_nobody_are_passed() -> None:
    steps = ", ".join(["{transferTo: b}"] * 1000)
    assert path(routed(f"followMe: [{steps}]"), "", NO_B) == ["e unconditional"]


def test_a_skipped_destination_is_reported_with_its_reason() -> None:
    move = first_move(routed(STEPS), Facts(frozenset({"a"}), {"bea": "dnd"}))
    assert [(skip.destination, skip.because) for skip in move.skipped] == [
        ("a", "a is at its capacity"),
        ("b", "bea is dnd"),
    ]


ACTIONS = ["transferTo: a", "transferTo: [b, c]", "transferTo: +19195550109, ring: 5s"]
ACTIONS += ["reject: true", "announce: {sentence: 'Sorry, {from}'}"]
ACTIONS += ["followMe: [{transferTo: b}, {transferTo: [a, d], diversionReason: away}]"]
ACTIONS += ["transferTo: e, whisperAudio: {sentence: '{line} {reason}', voice: julie}"]
HANDLERS = ("onBusy", "onNoAnswer", "onRejected", "onFailure")


@settings(max_examples=150, deadline=None)
@given(
    rule=st.sampled_from(ACTIONS),
    handlers=st.dictionaries(st.sampled_from(HANDLERS), st.sampled_from(ACTIONS)),
    ends=st.tuples(st.sampled_from(ACTIONS), st.sampled_from(ACTIONS)),
    outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=20, max_size=20),
    busy=st.frozensets(st.sampled_from(["a", "b"])),
    presence=st.dictionaries(st.sampled_from(["bea", "cy"]), st.sampled_from(["dnd", "available"])),
)
def test_every_chain_ends_and_survives_a_restart(
    rule: str,
    handlers: dict[str, str],
    ends: tuple[str, str],
    outcomes: list[str],
    busy: frozenset[str],
    presence: dict[str, str],
) -> None:
    written = "".join(f", {key}: {{{action}}}" for key, action in handlers.items())
    found = routed(rule + written, *ends)
    again = load(json.loads(json.dumps(dump(found))))
    assert dump(again) == dump(found)
    assert again.stages == found.stages
    facts = Facts(busy, presence)
    seen: list[Progress] = []
    move = first_move(found, facts)
    for outcome in outcomes:
        assert_same(move, first_move(again, facts) if not seen else move)
        assert len(set(move.progress.used)) == len(move.progress.used)
        if move.attempt is None:
            break
        assert move.progress not in seen
        seen.append(move.progress)
        other = next_move(again, move.progress, outcome, facts)
        move = next_move(found, move.progress, outcome, facts)
        assert_same(move, other)
    assert move.attempt is None
    assert move.ending is not None


def assert_same(one: Move, other: Move) -> None:
    assert (one.progress, one.ending, one.skipped) == (other.progress, other.ending, other.skipped)
    assert (one.attempt is None) == (other.attempt is None)
    if one.attempt and other.attempt:
        assert one.attempt.destinations == other.attempt.destinations
        assert one.attempt.diversion_reason == other.attempt.diversion_reason


BODIES = [
    ("transferTo: a", "", {"transferTo": "+19195550101"}, 20),
    ("transferTo: d", "", {"transferTo": "sip:Desk@pbx.example.com"}, 20),
    ("transferTo: e", "", {"transferTo": "+19195550105", "transferCallerId": "+19195551000"}, 45),
    ("transferTo: e, ring: 1m30s", "transfer: {ring: 5}", {"transferCallerId": "+19195551000"}, 90),
    ("transferTo: e, transferCallerId: caller", "", {"transferTo": "+19195550105"}, 45),
    ("transferTo: a, transferCallerId: private", "", {"transferCallerId": "private"}, 20),
    ("transferTo: a, transferCallerId: +19195551000", "", {"transferCallerId": "+19195551000"}, 20),
    ("transferTo: a", "transfer: {ring: 5, transferCallerId: private}", {"transferCallerId": "private"}, 5),
    ("transferTo: e", "transfer: {ring: 5, transferCallerId: private}", {"transferCallerId": "+19195551000"}, 45),
    ("transferTo: +19195550109", "", {"transferTo": "+19195550109"}, 20),
    ("transferTo: a", "transfer: {diversionTreatment: stack}", {"diversionTreatment": "stack", "diversionReason": "unconditional"}, 20),
    ("transferTo: a", "transfer: {diversionTreatment: propagate}", {"diversionTreatment": "propagate"}, 20),
    ("transferTo: a, diversionTreatment: NONE", "transfer: {diversionTreatment: stack}", {"diversionTreatment": "none"}, 20),
    ("transferTo: a, diversionReason: away, diversionTreatment: stack", "", {"diversionTreatment": "stack", "diversionReason": "away"}, 20),
    ("transferTo: a", "transfer: {diversionTreatment: stack, diversionReason: unknown}", {"diversionTreatment": "stack", "diversionReason": "unknown"}, 20),
    ("transferTo: a, recordingEnabled: no", "transfer: {recordingEnabled: on, recordingFileFormat: MP3}", {"recordingEnabled": False, "recordingFileFormat": "mp3"}, 20),
    (
        "transferTo: a, whisperAudio: {sentence: 'Call for {line} from {from} to {to} by {rule}: {reason}', locale: EN_us, voice: Julie, gender: female}",
        "transfer: {whisperAudio: {sentence: no}}",
        {"whisperAudio": {"sentence": "Call for Main Office from +12125550100 to +19195551000 by tried: unconditional", "locale": "en_US", "voice": "julie", "gender": "female"}},
        20,
    ),
    ("transferTo: a, whisperAudio: {fileUrl: https://example.com/a.wav}", "", {"whisperAudio": {"fileUrl": "https://example.com/a.wav"}}, 20),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "transfer", "expected", "ring"), BODIES)
def test_the_request_body(rule: str, transfer: str, expected: dict[str, object], ring: int) -> None:
    attempt = first_move(routed(rule, transfer=transfer), Facts()).attempt
    assert attempt is not None
    (destination,) = attempt.destinations
    body = attempt.transfer(destination).body()
    plain = {"state": "transferring", "transferTo": destination.transfer_to}
    assert body == {**plain, **expected}
    assert attempt.ring == ring


def test_a_step_comes_before_a_destination_and_that_before_the_defaults() -> None:
    found = routed("followMe: [{transferTo: [e, a], ring: 7s}]", transfer="transfer: {ring: 5s}")
    attempt = first_move(found, Facts()).attempt
    assert attempt is not None
    assert [attempt.transfer(each).transfer_caller_id for each in attempt.destinations] == [
        "+19195551000",
        None,
    ]
    assert attempt.ring == 7


def test_a_called_sip_address_is_not_sent_as_caller_id() -> None:
    attempt = first_move(routed("transferTo: e", to="sip:main@example.com"), Facts()).attempt
    assert attempt is not None
    assert "transferCallerId" not in attempt.transfer(attempt.destinations[0]).body()


@pytest.mark.parametrize(
    ("caller", "said"),
    [
        ("", "anonymous"),
        ("sip:anonymous@anonymous.invalid", "anonymous"),
        ("sip:{rule}@x.test", "sip:{rule}@x.test"),
    ],
)
def test_a_sentence_is_filled_in_once_and_never_empty(caller: str, said: str) -> None:
    rule = "transferTo: a, whisperAudio: {sentence: '{from}'}"
    text = FILE.format(rule=rule, otherwise="reject: true", emergency="reject: true", transfer="")
    found = route(read(text), Call("+19195551000", caller, AT), Facts())
    attempt = first_move(found, Facts()).attempt
    assert attempt is not None
    whisper = attempt.transfer(attempt.destinations[0]).whisper_audio
    assert whisper is not None
    assert whisper.sentence == said


def test_a_number_that_is_withheld_is_not_spoken() -> None:
    rule = "transferTo: a, whisperAudio: {sentence: 'From {from}'}"
    text = FILE.format(rule=rule, otherwise="reject: true", emergency="reject: true", transfer="")
    call = Call("+19195551000", "+14155550188", AT, anonymous=True)
    attempt = first_move(route(read(text), call, Facts()), Facts()).attempt
    assert attempt is not None
    whisper = attempt.transfer(attempt.destinations[0]).whisper_audio
    assert whisper is not None
    assert whisper.sentence == "From anonymous"


def test_a_group_that_is_recorded() -> None:
    found = routed("transferTo: [a, e], recordingEnabled: true", transfer="transfer: {ring: 9s}")
    attempt = first_move(found, Facts()).attempt
    assert attempt is not None
    assert [attempt.creation(each) for each in attempt.destinations] == [
        {"from": "+19195551000", "to": "+19195550101", "callTimeout": 9, "recordingEnabled": True},
        {"from": "+19195551000", "to": "+19195550105", "callTimeout": 45, "recordingEnabled": True},
    ]


def test_after_otherwise_no_handler_of_the_rule_takes_over() -> None:
    rules = read(
        """
version: 1
destinations: {a: +19195550101, b: +19195550102, c: +19195550103, d: +19195550104}
lines:
  main:
    numbers: +19195551000
    rules: [{name: first, transferTo: a, onNoAnswer: {transferTo: b}}]
    otherwise: {transferTo: c}
emergency: {transferTo: d}
"""
    )
    call = Call("+19195551000", "+12125550100", dt.datetime(2026, 3, 9, tzinfo=dt.UTC))
    chosen = route(rules, call, Facts())
    walked = walk(chosen, Facts(), ["busy", "no-answer", "no-answer", "no-answer"])
    rung = [each.label for attempt in walked.attempts for each in attempt.destinations]
    assert rung == ["a", "c", "d"]
    assert walked.last.ending is not None
