"""An edited file is read beside calls: little by little, and what it replaces goes the same way."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any

import pytest

from callflow.background import Breath, Loops, many_objects_that_stay
from callflow.rulebook import Rulebook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LINES = "".join(
    f"  l{n}: {{numbers: +1919363{n:04}, otherwise: {{reject: true}}}}\n" for n in range(500)
)
GOOD = f"version: 1\nlines:\n{LINES}emergency: {{reject: true}}\n"


def _ignore(*_: Any, **__: Any) -> None:
    pass


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Rulebook]:
    path = tmp_path / "rules.yaml"
    path.write_text(GOOD, encoding="utf-8")
    book = Rulebook(str(path), lambda *_, **__: None)
    book.look()
    loops = Loops(_ignore)
    book.watch(loops)
    yield book
    loops.stop()


@pytest.fixture
def edit(tmp_path: Path) -> Callable[[bytes], int]:
    return (tmp_path / "rules.yaml").write_bytes


def wait_until(so: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_replaced_rules_are_taken_apart_when_no_call_looks_at_them(
    book: Rulebook, edit: Callable[[bytes], int]
) -> None:
    seen_by_a_call = [book.rules]
    assert seen_by_a_call[0]
    lines, by_number = seen_by_a_call[0].lines, seen_by_a_call[0].line_by_number
    edit(GOOD.encode() + b"# edited\n")
    wait_until(lambda: book.rules is not seen_by_a_call[0])
    time.sleep(1.5)
    assert len(lines) == len(by_number) == 500
    seen_by_a_call.clear()
    wait_until(lambda: not lines and not by_number)
    assert book.rules
    assert len(book.rules.lines) == 500


@pytest.mark.parametrize("more", [b"# edited\n", b"nonsense: 1\n", b"\xff"])
def test_the_collector_is_as_before_after_an_edit(
    book: Rulebook, edit: Callable[[bytes], int], more: bytes
) -> None:
    before, status = gc.get_threshold(), book.status
    edit(GOOD.encode() + more)
    wait_until(lambda: book.status is not status)
    wait_until(lambda: gc.get_threshold() == before)
    assert gc.isenabled()


def test_what_was_read_is_not_looked_through_again() -> None:
    gc.unfreeze()
    with many_objects_that_stay():
        kept = [[number] for number in range(1000)]
    assert gc.get_freeze_count() > len(kept)
    gc.unfreeze()


def work(seconds: float, breathe: Callable[[], None]) -> float:
    """Compute for so many seconds; return how long that took with the rests."""
    began, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < seconds:
        breathe()
    return time.monotonic() - began


def test_the_rests_are_much_longer_than_the_work_while_calls_come_in() -> None:
    assert work(0.05, Breath(lambda: True)) > 4 * 0.05


def test_there_are_rests_when_no_call_is_there_yet() -> None:
    rests: list[float] = []
    breathe = Breath(lambda: bool(rests.append(time.monotonic())))
    work(0.05, breathe)
    assert len(rests) > 30


def test_the_time_before_is_not_taken_for_work() -> None:
    breathe = Breath(lambda: True)
    time.sleep(0.3)
    began = time.monotonic()
    breathe()
    assert time.monotonic() - began < 0.3
