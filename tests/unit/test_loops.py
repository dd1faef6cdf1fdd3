"""Background loops: whatever goes wrong in a round is told, counted and survived."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import gevent
import pytest
import redis

from callflow.background import Loops
from callflow.copies import Copies
from callflow.ledger import LedgerError
from callflow.mirror import MirroredLedger
from callflow.redis import RedisLedger
from callflow.rulebook import Rulebook
from callflow.sqlite import SqliteLedger
from tests.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from callflow.record import Record

QUICK = 0.3
"""Seconds without a good round after which a loop of these tests is not alive."""


class Told(list[tuple[str, dict[str, Any]]]):
    """What was told, the quiet lines too."""

    def __call__(self, event: str, **fields: Any) -> None:
        self.append((event, fields))

    def lines(self, event: str) -> list[dict[str, Any]]:
        return [fields for name, fields in self if name == event and not fields.get("quiet")]

    def count(self, event: str) -> int:  # type: ignore[override]
        return sum(name == event for name, _ in self)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def shown() -> dict[str, bool]:
    return {}


@pytest.fixture
def loops(told: Told, shown: dict[str, bool]) -> Iterator[Loops]:
    loops = Loops(told, shown.__setitem__, least_patience=QUICK)
    yield loops
    loops.stop()


def wait_until(so: Callable[[], Any], seconds: float = 10) -> Any:
    end = time.monotonic() + seconds
    while not (found := so()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found


def dead(loops: Loops, name: str) -> bool:
    return not loops.state()[name].alive


@pytest.mark.parametrize(
    "error", [KeyError("+12125550142"), SystemExit(1), gevent.Timeout(1), RecursionError()]
)
def test_a_loop_outlives_whatever_a_round_raises(
    loops: Loops, told: Told, error: BaseException
) -> None:
    rounds: list[int] = []

    def do(_beat: object) -> None:
        rounds.append(1)
        if len(rounds) < 50:
            raise error

    loops.every("work", 0.001, do)
    wait_until(lambda: len(rounds) > 60)
    (line,) = told.lines("loop-failed")
    assert (line["loop"], line["error"]) == ("work", type(error).__name__)
    assert re.fullmatch(r"test_loops\.py:\d+", line["at"])
    assert told.count("loop-failed") == 49
    assert len(told.lines("loop-mended")) == 1
    assert loops.state()["work"].error is None
    assert "2125550142" not in str(told)


def test_a_loop_whose_errors_cannot_be_told_goes_on() -> None:
    rounds: list[int] = []

    def do(_beat: object) -> None:
        rounds.append(1)
        raise KeyError

    def fails(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    loops = Loops(fails)
    loops.every("work", 0.001, do)
    wait_until(lambda: len(rounds) > 5)
    loops.stop()


def test_errors_of_several_kinds_are_told_each(loops: Loops, told: Told) -> None:
    errors = [KeyError(), ValueError(), LedgerError("the ledger is away")]

    def do(_beat: object) -> None:
        raise errors[len(told) % 3]

    loops.every("work", 0.001, do)
    wait_until(lambda: len(told) > 100)
    assert {line["error"] for line in told.lines("loop-failed")} == {"KeyError", "ValueError"}
    assert told.lines("ledger-failed") == [{"loop": "work", "error": "the ledger is away"}]


def test_a_loop_that_fails_for_long_is_not_alive_until_it_is_mended(
    loops: Loops, told: Told, shown: dict[str, bool]
) -> None:
    is_mended = threading.Event()

    def do(_beat: object) -> None:
        if not is_mended.is_set():
            raise KeyError

    loops.every("work", 0.01, do)
    loops.every("other", 0.01, lambda _: None)
    assert not dead(loops, "work")  # a single failure is no reason
    wait_until(lambda: dead(loops, "work"))
    assert loops.state()["work"].error == "KeyError"
    wait_until(lambda: told.lines("loop-stuck"))
    assert told.lines("loop-stuck")[0]["error"] == "KeyError"
    assert shown == {"watch": True, "work": False, "other": True}
    is_mended.set()
    wait_until(lambda: not dead(loops, "work"))
    wait_until(lambda: shown["work"])
    assert not dead(loops, "other")


def test_a_loop_of_a_long_interval_has_the_more_patience(loops: Loops) -> None:
    def do(_beat: object) -> None:
        raise KeyError

    loops.every("slow", 0.2, do)
    time.sleep(2 * QUICK)
    assert not dead(loops, "slow")
    wait_until(lambda: dead(loops, "slow"), 3)


def test_a_round_may_take_its_time_if_it_says_that_it_goes_on(loops: Loops) -> None:
    may_end = threading.Event()

    def do(beat: Callable[[], bool]) -> None:
        while not may_end.wait(0.02):
            beat()

    loops.every("long", 0.01, do)
    end = time.monotonic() + 3 * QUICK
    while time.monotonic() < end:
        assert not dead(loops, "long")
        time.sleep(0.01)
    may_end.set()


def test_a_stop_ends_a_round_that_asks_whether_to_go_on(told: Told) -> None:
    loops, ended = Loops(told), threading.Event()

    def do(beat: Callable[[], bool]) -> None:
        while beat():
            time.sleep(0.01)
        ended.set()

    loops.every("long", 0.01, do)
    time.sleep(0.05)
    assert not ended.is_set()
    loops.stop()
    assert ended.is_set()


def test_a_stop_waits_for_a_round_in_hand_but_not_for_one_that_hangs(told: Told) -> None:
    loops, hangs, done = Loops(told), threading.Event(), []

    def short(_beat: object) -> None:
        time.sleep(0.2)
        done.append(1)

    loops.every("hangs", 0.01, lambda _: hangs.wait(20))
    loops.every("short", 5.0, short)
    time.sleep(0.05)
    began = time.monotonic()
    loops.stop(0.5)
    assert done == [1]
    assert time.monotonic() - began < 2
    hangs.set()
    time.sleep(0.1)
    assert done == [1]


# What goes wrong for real


@pytest.fixture(scope="module")
def _redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def server(_redis: RedisServer) -> RedisServer:
    with _redis.client() as client:
        client.flushall()
    return _redis


def test_a_round_that_hangs_is_seen_and_goes_on_when_it_is_let(
    loops: Loops, told: Told, server: RedisServer
) -> None:
    with redis.Redis.from_url(server.url) as patient, server.client() as client:
        loops.every("waits", 0.01, lambda _: patient.blpop(["never"], 0))
        wait_until(lambda: dead(loops, "waits"))
        wait_until(lambda: told.lines("loop-stuck"))
        assert loops.state()["waits"].error is None
        wait_until(lambda: client.rpush("never", "now") and not dead(loops, "waits"))
        loops.stop(0)
        client.rpush("never", "over")


def test_pruning_outlives_a_record_that_cannot_be_read(
    loops: Loops, told: Told, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.sqlite3"
    ledger = SqliteLedger(str(path))
    ledger.update("c-1", _seen)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE calls SET record = x'FF'")
        db.commit()
    loops.every("prune", 0.02, lambda _: ledger.prune(time.time()))
    wait_until(lambda: told.lines("loop-failed"))
    wait_until(lambda: dead(loops, "prune"))
    assert told.lines("loop-failed")[0]["error"] == "DecodeError"
    assert len(told.lines("loop-failed")) == 1
    with closing(sqlite3.connect(path, timeout=5)) as db:
        db.execute("UPDATE calls SET record = x'7b2263616c6c5f6964223a22632d31227d'")
        db.commit()
    wait_until(lambda: not dead(loops, "prune"))
    assert ledger.load("c-1") is None
    ledger.close()


def test_a_corrupt_file_is_told_and_its_replacement_used(
    loops: Loops, told: Told, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.sqlite3"
    path.write_bytes(b"no database at all, " * 1000)
    ledger = SqliteLedger(str(path))
    loops.every("timers", 0.02, lambda _: ledger.due(time.time(), 10))
    wait_until(lambda: dead(loops, "timers"))
    (line,) = told.lines("ledger-failed")
    assert line["loop"] == "timers"
    assert "file is not a database" in line["error"]
    path.unlink()
    wait_until(lambda: not dead(loops, "timers"))
    ledger.close()


def _seen(record: Record, _: object) -> None:
    record.seen_at = 1.0


POISON: list[tuple[list[Any], list[Any]]] = [
    (["SET", "callrouter:wake", "x"], ["DEL", "callrouter:wake"]),
    (["ZADD", "callrouter:wake", "0", b"\xff"], ["ZREM", "callrouter:wake", b"\xff"]),
    (["LPUSH", "callrouter:mark", "x"], ["DEL", "callrouter:mark"]),
    (["SET", "callrouter:settings:presence", "x"], ["DEL", "callrouter:settings:presence"]),
    (
        ["HSET", "callrouter:settings:presence", "ann", "away"],
        ["DEL", "callrouter:settings:presence"],
    ),
    (
        ["HSET", "callrouter:settings:override", "office", "[1, 2, 3]"],
        ["DEL", "callrouter:settings:override"],
    ),
    (["SET", "callrouter:busy", "x"], ["DEL", "callrouter:busy"]),
]


@pytest.mark.parametrize(("poison", "antidote"), POISON, ids=lambda each: " ".join(map(str, each)))
def test_keys_of_the_wrong_type_are_told_and_do_not_end_the_mirror(
    loops: Loops,
    told: Told,
    server: RedisServer,
    tmp_path: Path,
    poison: list[Any],
    antidote: list[Any],
) -> None:
    shared = RedisLedger(server.url, writer="host")
    ledger = MirroredLedger(shared, Copies(str(tmp_path / "copies.sqlite3")), told)
    with server.client() as client:
        client.execute_command(*poison)
        ledger.start(loops)
        wait_until(lambda: told.lines("ledger-failed"))
        time.sleep(1.0)
        with pytest.raises(LedgerError):
            ledger.ping()
        assert ledger.due(time.time(), 10) == []  # the copies stand in
        assert len(told.lines("ledger-failed")) == 1
        assert not dead(loops, "mirror")
        client.execute_command(*antidote)
        wait_until(lambda: told.lines("ledger-back"))
        ledger.ping()
    loops.stop()
    ledger.close()


def test_a_channel_that_may_not_be_heard_is_told(
    loops: Loops, told: Told, server: RedisServer, tmp_path: Path
) -> None:
    with server.client() as client:
        client.execute_command(
            *("ACL", "SETUSER", "deaf", "on", ">secret", "~*", "+@all", "resetchannels")
        )
        url = server.url.replace("redis://", "redis://deaf:secret@")
        shared = RedisLedger(url, writer="host")
        ledger = MirroredLedger(shared, Copies(str(tmp_path / "copies.sqlite3")), told)
        ledger.start(loops)
        wait_until(lambda: dead(loops, "news"))
        (line,) = told.lines("ledger-failed")
        assert line["loop"] == "news"
        assert not dead(loops, "mirror")
        client.execute_command("ACL", "SETUSER", "deaf", "allchannels")
        wait_until(lambda: not dead(loops, "news"))
        assert loops.state()["news"].error is None
    loops.stop()
    ledger.close()


RULES = "version: 1\nlines: {a: {numbers: +19195551000, otherwise: {reject: true}}}\n"
EMERGENCY = "emergency: {reject: true}\n"


def test_a_reader_that_fails_keeps_the_last_good_rules(
    loops: Loops, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES + EMERGENCY, encoding="utf-8")
    book = Rulebook(str(path), told)
    book.look()
    good = book.rules
    with monkeypatch.context() as patch:
        patch.setattr("callflow.rulebook.read", _fails)
        book.watch(loops)
        path.write_text(RULES + EMERGENCY + "# edited\n", encoding="utf-8")
        (refused,) = wait_until(lambda: told.lines("rules-refused"))
        assert "reading it failed with IndexError at test_loops.py:" in refused["error"]
        assert book.status.error == refused["error"]
        assert book.rules is good
        assert not dead(loops, "rules")
    path.write_text(RULES + EMERGENCY + "# mended\n", encoding="utf-8")
    wait_until(lambda: book.status.error is None and book.rules is not good)


def _fails(*_: object) -> None:
    raise IndexError("+12125550142")
