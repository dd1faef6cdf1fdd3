"""The accountant finds each thing that must not be, in logs made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults import house
from tests.faults.accountant import BY_RULES, LOST, TOLD_SORRY, account_for

PLAIN, FOLLOW, GROUP = (
    next(line for line in house.LINES.values() if line.name == name)
    for name in ("plain", "follow", "group")
)
NOBODY, BUSY = FOLLOW.route[0][0], FOLLOW.route[1][0]
QUICK, QUICK_TOO, _ = GROUP.route[0]


def leg(name: str, to: str, at: float, **more: Any) -> dict[str, Any]:
    row = {"kind": "leg", "callId": name, "to": to, "time": at, "parent": "A", "direction": "out"}
    return row | more


def caller(line: house.Line) -> dict[str, Any]:
    return leg("A", line.number, 0, parent=None, direction="in")


def joined(name: str, at: float) -> dict[str, Any]:
    return {"kind": "joined", "callId": "A", "with": name, "time": at}


def ended(name: str, at: float, by: str = "person") -> dict[str, Any]:
    return {"kind": "ended", "callId": name, "time": at, "by": by}


def told_of_the_end() -> dict[str, Any]:
    return {"kind": "callback", "leg": "A", "event": "hangup", "url": "/", "time": 9, "status": 200}


GOOD = [caller(FOLLOW), leg("B", NOBODY, 1), leg("C", BUSY, 3), joined("C", 4)]
GOOD += [ended("B", 2), ended("C", 5), ended("A", 5, "platform")]


def test_a_call_that_was_reached() -> None:
    account = account_for(GOOD)
    assert account.ends() == {BY_RULES: 1}
    assert account.violations(linger=1) == {}


@pytest.mark.parametrize(
    ("log", "what"),
    [
        ([caller(PLAIN)], "lost: ended by the None"),
        ([caller(PLAIN), ended("A", 3, "router")], "lost: ended by the router"),
        ([caller(PLAIN), ended("A", 3, "platform")], "lost: ended by the platform"),
        ([*GOOD[:3], leg("D", NOBODY, 2.5), *GOOD[3:], ended("D", 2.7)], "was rung twice"),
        ([*GOOD[:3], *GOOD[3:4], ended("B", 3.5), *GOOD[5:]], "were rung at once"),
        ([*GOOD, leg("D", FOLLOW.route[2][0], 4.5), ended("D", 5)], "while joined with"),
        ([*GOOD[:3], leg("D", QUICK, 4), *GOOD[3:], ended("D", 5)], "where the rules never lead"),
        ([*GOOD[:5], GOOD[6]], "has not ended"),
        ([*GOOD[:5], ended("C", 7), GOOD[6], told_of_the_end()], "outlived its caller by 2.0 s"),
    ],
)
def test_what_must_not_be(log: list[dict[str, Any]], what: str) -> None:
    order = ("leg", "joined", "ended", "callback")
    account = account_for(sorted(log, key=lambda row: order.index(row["kind"])))
    assert any(what in each for each in account.violations(linger=1)["A"])


def test_those_of_a_group_ring_at_once() -> None:
    both = [leg(name, to, 1, parent=None, tag="A") for name, to in (("B", QUICK), ("C", QUICK_TOO))]
    ends = [joined("B", 2), ended("A", 3), ended("B", 3), ended("C", 3)]
    assert account_for([caller(GROUP), *both, *ends]).violations(linger=1) == {}
    transferred = [leg("B", QUICK, 1), leg("C", QUICK_TOO, 1)]
    assert account_for([caller(GROUP), *transferred, *ends]).violations(linger=1)


def test_the_platform_may_turn_to_the_fallback_number_while_a_group_rings() -> None:
    def violations(**ringing: Any) -> list[str]:
        legs = [leg("B", QUICK, 1, **ringing), leg("C", house.HUMAN, 2, rescue=True)]
        ends = [joined("C", 3), ended("A", 4), ended("B", 4), ended("C", 4)]
        return list(account_for([caller(GROUP), *legs, *ends]).violations(linger=1))

    assert violations(parent=None, tag="A") == []
    assert violations() == ["A"]  # the caller was transferred, and cannot be twice


def test_an_apology_counts_after_the_last_resorts_only() -> None:
    def ends_after(*tried: str) -> list[str]:
        body = {"state": "transferring"}
        asked = [{"path": "/v1/users/u/calls/A", "body": body | {"transferTo": to}} for to in tried]
        asked.append({"path": "/v1/users/u/calls/A/audio", "body": {"sentence": "We are sorry"}})
        rows = [{"kind": "request", "time": 1, "status": 503, **each} for each in asked]
        return list(account_for([caller(PLAIN), ended("A", 3, "router"), *rows]).ends())

    last_resorts = [number for (number,) in PLAIN.route[-2:]]
    assert ends_after(*last_resorts) == [TOLD_SORRY]
    assert ends_after(last_resorts[0]) == [LOST]


def test_places_are_counted() -> None:
    (number,) = PLAIN.route[0]
    log = [caller(PLAIN), *(leg(str(n), number, n) for n in range(3))]
    log += [ended(str(n), n + 1.5) for n in range(3)]
    assert account_for(log).most_places_taken(number) == 2
