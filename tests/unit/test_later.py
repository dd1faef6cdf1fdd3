"""Work for which nobody waits, but a process that stops; its errors are told."""

from __future__ import annotations

import threading
import time
from typing import Any

import gevent
import pytest

from callflow.background import Later


@pytest.fixture
def told() -> list[tuple[str, dict[str, Any]]]:
    return []


@pytest.fixture
def later(told: list[Any]) -> Later:
    return Later(lambda event, **fields: told.append((event, fields)))


def test_nobody_waits_for_it_but_who_stops(later: Later, told: list[Any]) -> None:
    done, may_go_on = threading.Event(), threading.Event()

    def work() -> None:
        may_go_on.wait(5)
        done.set()

    later(work)
    later.finish(0.05)
    assert not done.is_set()
    assert told == [("later-unfinished", {"pieces": 1})]
    may_go_on.set()
    later.finish(5)
    assert done.is_set()
    assert len(told) == 1


@pytest.mark.parametrize(
    "error", [KeyError("+12125550142"), SystemExit(1), gevent.Timeout(1), MemoryError()]
)
def test_whatever_it_raises_is_told_without_what_came_in(
    later: Later, told: list[Any], error: BaseException
) -> None:
    def work() -> None:
        raise error

    later(work)
    later.finish(5)
    ((event, fields),) = told
    assert (event, fields["error"]) == ("later-failed", type(error).__name__)
    assert fields["at"].startswith("test_later.py:")
    assert "2125550142" not in str(told)


def test_a_flood_of_errors_is_counted_and_few_are_told(later: Later, told: list[Any]) -> None:
    def work() -> None:
        raise KeyError

    for _ in range(200):
        later(work)
    later.finish(5)
    time.sleep(0.05)
    assert len(told) == 200
    assert sum(not fields.get("quiet") for _, fields in told) == 10


def test_it_is_done_at_once_where_no_thread_can_be_had(
    later: Later, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("callflow.background._thread.start_new_thread", no_thread)
    done: list[int] = []
    later(lambda: done.append(1))
    assert done == [1]
