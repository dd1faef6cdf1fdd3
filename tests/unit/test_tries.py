from __future__ import annotations

import threading
from typing import Any

import pytest

from web.tries import ADDRESSES, LIMIT, PERIOD, Tries

THEM, US = "198.51.100.7", "203.0.113.9"


class Told(list[tuple[str, dict[str, Any]]]):
    def __call__(self, event: str, **fields: Any) -> None:
        self.append((event, fields))


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def tries(told: Told) -> Tries:
    return Tries(told)


def guess(tries: Tries, times: int, address: str = THEM, now: float = 0.0) -> list[float]:
    return [tries.wait(address, now, right=False) for _ in range(times)]


def test_tries_up_to_the_limit_are_answered_as_such(tries: Tries) -> None:
    assert guess(tries, LIMIT) == [0.0] * LIMIT
    assert guess(tries, 2) == [PERIOD, PERIOD]
    assert guess(tries, 1, US) == [0.0]


def test_even_right_credentials_wait_where_too_many_wrong_ones_came_from(tries: Tries) -> None:
    guess(tries, LIMIT + 1)
    assert tries.wait(THEM, 15, right=True) == PERIOD - 15
    assert tries.wait(US, 15, right=True) == 0.0
    assert tries.wait(THEM, 16, right=True, local=True) == 0.0


def test_an_address_is_heard_again_when_it_has_been_quiet(tries: Tries) -> None:
    guess(tries, LIMIT + 1)
    for _ in range(5):  # a busy line whose credentials were put right need not fall silent
        assert tries.wait(THEM, PERIOD - 1, right=True) > 0
    assert tries.wait(THEM, PERIOD, right=True) == 0.0


def test_who_goes_on_guessing_is_not_heard(tries: Tries) -> None:
    guess(tries, LIMIT + 1)
    for minute in range(1, 6):
        now = minute * (PERIOD - 1)
        assert guess(tries, 1, now=now) == [PERIOD]
        assert tries.wait(THEM, now, right=True) > 0
    assert guess(tries, 1, now=now + PERIOD) == [0.0]


def test_slow_mistakes_are_no_guessing(tries: Tries) -> None:
    every = PERIOD / LIMIT
    assert {tries.wait(THEM, n * every, right=False) for n in range(500)} == {0.0}


def test_no_guesser_stops_an_address_that_has_had_the_right_ones(tries: Tries) -> None:
    assert tries.wait(THEM, 0, right=True) == 0.0
    assert guess(tries, 1000)[-1] == PERIOD
    assert tries.wait(THEM, 1, right=True) == 0.0
    for number in range(2 * ADDRESSES):
        guess(tries, 1, f"10.{number >> 8}.{number & 255}.1")
    assert tries.wait(THEM, 2, right=True) == 0.0


def test_memory_is_bounded(tries: Tries) -> None:
    for number in range(3 * ADDRESSES):
        address = f"10.{number >> 8}.{number & 255}.1"
        tries.wait(address, 0, right=number % 2 == 0)
    assert len(tries._refused) <= ADDRESSES  # noqa: SLF001 - what cannot be seen from outside
    assert len(tries._passed) <= ADDRESSES  # noqa: SLF001


def test_a_customer_of_ipv6_is_one_address(tries: Tries) -> None:
    waits = [tries.wait(f"2001:db8::{n:x}", 0, right=False) for n in range(LIMIT + 1)]
    assert waits[-1] == PERIOD
    assert tries.wait("2001:db8:0:0:ffff::1", 0, right=True) > 0
    assert tries.wait("2001:db8:0:1::1", 0, right=True) == 0.0
    assert tries.wait("no:address", 0, right=False) == 0.0


def test_one_line_a_minute_tells_how_many(tries: Tries, told: Told) -> None:
    guess(tries, 30)
    guess(tries, 1, US)
    guess(tries, 10, now=PERIOD - 1)
    guess(tries, 1, now=PERIOD)
    assert told == [
        ("credentials-refused", {"address": THEM, "tries": 1}),
        ("credentials-refused", {"address": US, "tries": 1}),
        ("credentials-refused", {"address": THEM, "tries": 40}),
    ]


def test_threads_do_not_lose_count(tries: Tries, told: Told) -> None:
    waits: list[float] = []
    threads = [
        threading.Thread(target=lambda: waits.extend(guess(tries, 200, now=1.0))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waits.count(0.0) == LIMIT
    assert len(told) == 1
