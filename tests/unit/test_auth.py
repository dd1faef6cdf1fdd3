"""Credentials are right or wrong, and how long the answer takes does not say how wrong."""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING

import pytest

from web.auth import basic_matches, bearer_matches

if TYPE_CHECKING:
    from collections.abc import Callable

NAME, PASSWORD = "call back/usér", "p@ss:w/ord" * 400
TOKEN = "tøken" * 800


def basic(given: str, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(given.encode()).decode()}"


RIGHT = basic(f"{NAME}:{PASSWORD}")


@pytest.mark.parametrize("header", [RIGHT, RIGHT.replace("Basic", "bASIC"), f"{RIGHT}  "])
def test_right(header: str) -> None:
    assert basic_matches(header, NAME, PASSWORD)


WRONG = {
    "none": None,
    "empty": "",
    "the scheme alone": "Basic",
    "another scheme": RIGHT.replace("Basic", "Bearer"),
    "no base64": "Basic §§§",
    "not padded": RIGHT.rstrip("=")[:-1],
    "the first character": basic(f"x{NAME[1:]}:{PASSWORD}"),
    "the last character": basic(f"{NAME}:{PASSWORD[:-1]}x"),
    "shorter": basic(f"{NAME}:{PASSWORD[:-1]}"),
    "longer": basic(f"{NAME}:{PASSWORD}x"),
    "not utf-8": "Basic " + base64.b64encode(b"\xff" * 4000).decode(),
    "twice": f"{RIGHT}, {RIGHT}",
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong(name: str) -> None:
    assert not basic_matches(WRONG[name], NAME, PASSWORD)


def test_a_bearer_token_may_be_any_text() -> None:
    on_the_wire = TOKEN.encode().decode("latin-1")  # how WSGI hands it over
    assert bearer_matches(f"Bearer {on_the_wire}", TOKEN)
    assert not bearer_matches(f"Bearer {on_the_wire}x", TOKEN)
    assert not bearer_matches(f"Bearer {TOKEN}", TOKEN)
    assert not bearer_matches("Bearer €", TOKEN)
    assert not bearer_matches(f"Basic {on_the_wire}", TOKEN)


def least(check: Callable[[str], bool], headers: dict[str, str], times: int) -> dict[str, float]:
    """Nanoseconds of each kind: the least of many tries, which no other work has disturbed."""
    took: dict[str, list[int]] = {name: [] for name in headers}
    for _ in range(times):
        for name, header in headers.items():
            begun = time.perf_counter_ns()
            check(header)
            took[name].append(time.perf_counter_ns() - begun)
    return {name: min(each) for name, each in took.items()}


def test_the_time_does_not_tell_how_much_was_right() -> None:
    """With a secret so long that where a comparison ends early would show."""
    token = "t" * 100_000
    wrong = {"first": f"x{token[1:]}", "middle": token[:50_000] + "x" + token[50_001:]}
    headers = {name: f"Bearer {given}" for name, given in (wrong | {"right": token}).items()}
    took = least(lambda header: bearer_matches(header, token), headers, 150)
    assert max(took.values()) < 1.25 * min(took.values()), took


def test_the_time_does_not_tell_which_part_was_wrong() -> None:
    headers = {
        "right": RIGHT,
        "scheme": basic(f"{NAME}:{PASSWORD}", "Bosic"),
        "name": basic(f"x{NAME[1:]}:{PASSWORD}"),
        "password": basic(f"{NAME}:{PASSWORD[:-1]}x"),
        "length": basic(f"{NAME}:{PASSWORD}xxx"),
    }
    took = least(lambda header: basic_matches(header, NAME, PASSWORD), headers, 1500)
    assert max(took.values()) < 1.25 * min(took.values()), took
