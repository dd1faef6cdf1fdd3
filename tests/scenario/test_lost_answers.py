"""A request whose answer is lost is never executed twice, whatever the platform says of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.service import Service, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLERS = 6
ALONE = [f"+191955560{number:02}" for number in range(CALLERS)]
GROUPS = [f"+191955561{number:02}" for number in range(CALLERS)]
LINES_ALONE = [f"+191955562{number:02}" for number in range(CALLERS)]
LINES_GROUP = [f"+191955563{number:02}" for number in range(CALLERS)]
LAST = "+19195556999"
RULES = "\n".join(
    [
        "version: 1",
        "timezone: UTC",
        "lines:",
        *(
            f"  alone{n}: {{numbers: {LINES_ALONE[n]}, otherwise: {{transferTo: {ALONE[n]}}}}}\n"
            f"  group{n}: {{numbers: {LINES_GROUP[n]},"
            f" otherwise: {{transferTo: [{ALONE[n]}, {GROUPS[n]}]}}}}"
            for n in range(CALLERS)
        ),
        f"emergency: {{transferTo: {LAST}}}",
    ]
)
TRANSFER = {"method": "POST", "state": "transferring"}
CREATE = {"method": "POST", "path": "/calls"}
LISTS: list[dict[str, Any]] = [
    *({"list_lag_s": lag} for lag in (0, 0.7, 2.5, 5)),
    *({"call_list": how} for how in ("empty", "401", "404", "500", "slow")),
]
SOME: list[dict[str, Any]] = [{"list_lag_s": 5}, {"call_list": "empty"}, {"call_list": "404"}]


@pytest.fixture(scope="module")
def _house() -> Iterator[Service]:
    with Service(RULES, fallback=True) as service:
        yield service


@pytest.fixture
def house(_house: Service) -> Service:
    assert _house.phone is not None
    _house.phone.reset()
    return _house


def legs(service: Service, number: str) -> list[dict[str, Any]]:
    assert service.phone is not None
    return [row for row in service.phone.calls() if row["to"] == number]


def joined(service: Service, call_id: str) -> str | None:
    assert service.phone is not None
    by_id = {row["callId"]: row for row in service.phone.calls()}
    talking = by_id[call_id]["talksTo"]
    return by_id[talking[0]]["to"] if talking else None


def is_over(service: Service) -> bool:
    assert service.phone is not None
    return not [row for row in service.phone.calls() if row["state"] not in {"completed", "error"}]


def end(service: Service, calls: list[str]) -> None:
    assert service.phone is not None
    for call_id in calls:
        service.phone.hang_up(call_id)
    wait_until(lambda: is_over(service), 30)


@pytest.mark.parametrize(
    ("behaviour", "during"),
    [*((each, "active") for each in LISTS), *((each, "transferring") for each in SOME)],
    ids=str,
)
def test_nobody_is_transferred_twice(
    house: Service, behaviour: dict[str, Any], during: str
) -> None:
    """Some pick up before anything can be asked, others long after the answer was lost."""
    assert house.phone is not None
    house.phone.switch(a_state_during=during, **behaviour)
    house.phone.fault("lose-answer", on=TRANSFER, times=None)
    for number, destination in enumerate(ALONE):
        house.phone.destination(destination, "answer", after=0.05 + number**2 * 0.3)
    calls = [house.dial(line, f"+1212555010{n}") for n, line in enumerate(LINES_ALONE)]
    for call_id, number in zip(calls, ALONE, strict=True):
        wait_until(lambda c=call_id, n=number: joined(house, c) == n, 20)
    time.sleep(1.5)
    assert [len(legs(house, number)) for number in ALONE] == [1] * CALLERS
    assert [joined(house, call_id) for call_id in calls] == ALONE
    end(house, calls)


@pytest.mark.parametrize("behaviour", [*SOME, {"call_list": "slow"}], ids=str)
def test_nobody_of_a_ring_group_is_called_twice(house: Service, behaviour: dict[str, Any]) -> None:
    assert house.phone is not None
    house.phone.switch(**behaviour)
    house.phone.fault("lose-answer", on=CREATE, times=None)
    for number, destination in enumerate(ALONE):
        house.phone.destination(destination, "answer", after=0.05 + number**2 * 0.3)
        house.phone.destination(GROUPS[number], "no-answer")
    calls = [house.dial(line, f"+1212555010{n}") for n, line in enumerate(LINES_GROUP)]
    for call_id, number in zip(calls, ALONE, strict=True):
        wait_until(lambda c=call_id, n=number: joined(house, c) == n, 25)
    time.sleep(1.5)
    assert [len(legs(house, number)) for number in ALONE] == [1] * CALLERS
    assert max(len(legs(house, number)) for number in GROUPS) <= 1
    end(house, calls)


@pytest.mark.parametrize("does", ["delay", "overtake"])
@pytest.mark.parametrize("behaviour", SOME, ids=str)
def test_events_that_come_late_or_twice(
    house: Service, behaviour: dict[str, Any], does: str
) -> None:
    """The answer event comes after the looks that found nothing, or together with the hangup."""
    assert house.phone is not None
    house.phone.switch(**behaviour)
    house.phone.fault("lose-answer", on=TRANSFER, times=None)
    house.phone.fault(does, on={"event": "answer"}, seconds=2.5, times=None)
    for number, destination in enumerate(ALONE):
        house.phone.destination(destination, "answer", after=0.05 + number * 0.3)
    calls = [house.dial(line, f"+1212555010{n}") for n, line in enumerate(LINES_ALONE)]
    for call_id, number in zip(calls, ALONE, strict=True):
        wait_until(lambda c=call_id, n=number: joined(house, c) == n, 25)
    time.sleep(3)
    assert [len(legs(house, number)) for number in ALONE] == [1] * CALLERS
    end(house, calls)


@pytest.mark.parametrize("behaviour", SOME, ids=str)
def test_who_is_busy_is_not_rung_again(house: Service, behaviour: dict[str, Any]) -> None:
    """The end of a leg proves, too, that the request was executed; the next one has its turn."""
    assert house.phone is not None
    house.phone.switch(**behaviour)
    house.phone.fault("lose-answer", on=TRANSFER, times=None)
    for destination in ALONE:
        house.phone.destination(destination, "busy", after=0.1)
    house.phone.destination(LAST, "answer", after=0.1)
    calls = [house.dial(line, f"+1212555010{n}") for n, line in enumerate(LINES_ALONE)]
    for call_id in calls:
        wait_until(lambda c=call_id: joined(house, c) == LAST, 30)
    assert [len(legs(house, number)) for number in ALONE] == [1] * CALLERS
    assert len(legs(house, LAST)) == CALLERS
    end(house, calls)


@pytest.mark.parametrize("during", ["transferring", "active"])
@pytest.mark.parametrize("lag", [0, 1, 5])
def test_a_request_that_was_not_executed_is_repeated(
    house: Service, lag: float, during: str
) -> None:
    """A list that shows the caller's call, and not the leg, proves that the request is lost."""
    assert house.phone is not None
    house.phone.switch(a_state_during=during, list_lag_s=lag)
    house.phone.fault("drop", on=TRANSFER, times=1)
    call_id = house.dial(LINES_ALONE[0], "+12125550107")
    wait_until(lambda: joined(house, call_id) == ALONE[0], 20)
    assert len(house.transfers(call_id)) == 2
    assert len(legs(house, ALONE[0])) == 1
    end(house, [call_id])
