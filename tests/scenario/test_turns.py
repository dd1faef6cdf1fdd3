"""What changes by itself while the service runs: planned overrides begin, rotations hand over."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.service import Service, event, new_call_id, run, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

SHOP, HELP = "+19195551000", "+19195551001"
ANA, BO, LAST = (f"+1919555200{number}" for number in (1, 2, 3))
pytestmark = pytest.mark.xdist_group("turns")


def rules(start: datetime) -> str:
    return f"""
version: 1
timezone: UTC
destinations:
  ana: {ANA}
  bo: {{transferTo: {BO}, whisperAudio: {{sentence: for bo}}}}
rotations:
  oncall: {{from: {start:%Y-%m-%dT%H:%M:%S}, every: 1h, of: [ana, bo]}}
schedules:
  shop: {{hours: open}}
lines:
  shop:
    numbers: {SHOP}
    rules: [{{when: {{outside: shop}}, transferTo: {LAST}}}]
    otherwise: {{transferTo: ana}}
  help:
    numbers: {HELP}
    otherwise: {{transferTo: oncall}}
emergency: {{transferTo: {LAST}}}
"""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(rules(datetime.now(UTC)), stub=True) as made:
        yield made


def reached(service: Service, number: str) -> str:
    """Where a call goes now."""
    call_id = new_call_id()
    assert service.post(event("answer", call_id, number)).status_code == 200
    return str(service.transfers(call_id)[0].body["transferTo"])


def at_once_or_within_a_second(service: Service, number: str, at: datetime, to: list[str]) -> None:
    """Before an instant calls go to the first, and a second after it every one to the second."""
    while datetime.now(UTC) < at - timedelta(seconds=0.3):
        before = reached(service, number)
        if datetime.now(UTC) < at:
            assert before == to[0]
        time.sleep(0.05)
    time.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds() + 1.0))
    assert {reached(service, number) for _ in range(20)} == {to[1]}


def test_a_planned_override_begins_and_ends_by_itself_in_every_process(service: Service) -> None:
    begin = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=6)
    times = ("--from", f"{begin:%Y-%m-%dT%H:%M:%S}", "--until", "3s")
    assert (
        run("flask", "override", "set", "shop", "closed", *times, env=service.env).returncode == 0
    )
    at_once_or_within_a_second(service, SHOP, begin, [ANA, LAST])
    at_once_or_within_a_second(service, SHOP, begin + timedelta(seconds=3), [LAST, ANA])


def test_a_rotation_hands_over_and_is_set(service: Service) -> None:
    hand_over = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    mark = len(service.log)
    service.write_rules(rules(hand_over - timedelta(hours=1)))
    wait_until(lambda: len(service.logged("rules-loaded", mark)) == 2)
    at_once_or_within_a_second(service, HELP, hand_over, [ANA, BO])
    call_id = new_call_id()
    assert service.post(event("answer", call_id, HELP)).status_code == 200
    assert service.transfer_of(call_id)["whisperAudio"] == {"sentence": "for bo"}
    shown = run("flask", "calls", "show", call_id, env=service.env).stdout
    assert "oncall: bo, its turn from " in shown
    assert "attempt 1: bo (" in shown
    until = ("--until", "1h")
    assert run("flask", "override", "set", "oncall", "ana", *until, env=service.env).returncode == 0
    at_once_or_within_a_second(service, HELP, datetime.now(UTC), [BO, ANA])
    shown = run("flask", "rules", "replay", env=service.env)
    assert shown.returncode == 0, shown.stdout
