"""Background work that fails or hangs in the running service: told, shown, and it goes on."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.redis_server import RedisServer
from tests.scenario.rules import ANN, BOB, PLAIN, PLAIN_BODY, RULES
from tests.service import Service, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

CHAIN = "+19195551013"
LOOPS = {"watch", "rules", "timers", "prune", "tidy", "account"}


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


def all_say(service: Service, status: int) -> bool:
    """Whether both workers answer so: each of eight answers in a row."""
    return all(service.readiness()[0] == status for _ in range(8))


def rings_on(service: Service) -> None:
    """Show that the timers work: nobody answers, so somebody else is rung."""
    assert service.phone is not None
    service.phone.destination(ANN, does="busy")
    call_id = service.dial(CHAIN)
    wait_until(lambda: len(service.transfers(call_id)) > 1)
    assert service.transfers(call_id)[1].body["transferTo"] == BOB
    service.phone.hang_up(call_id)


def test_readyz_names_the_loops(stubbed: Service) -> None:
    status, body = stubbed.readiness()
    assert (status, set(body["loops"])) == (200, LOOPS)
    for loop in body["loops"].values():
        assert loop["alive"] is True
        assert loop["lastError"] is None
        assert loop["secondsAgo"] < 60
    assert stubbed.metrics()['callrouter_loop_alive{loop="timers"}'] == 1


def test_a_key_that_is_no_text_is_told_and_calls_go_on(redis_server: RedisServer) -> None:
    with Service(RULES, LEDGER_URL=redis_server.url) as service, redis_server.client() as client:
        assert set(service.readiness()[1]["loops"]) == LOOPS | {"mirror", "news"}
        client.zadd("callrouter:wake", {b"\xff": 0})
        wait_until(lambda: all_say(service, 503))
        assert service.readiness()[1]["ledger"]["reachable"] is False
        rings_on(service)
        time.sleep(1)
        assert len(service.logged("ledger-failed")) == 2  # once by each worker
        client.zrem("callrouter:wake", b"\xff")
        wait_until(lambda: all_say(service, 200))
        rings_on(service)
        assert len(service.logged("ledger-back")) == 2


def test_a_redis_that_is_stopped_does_not_stop_the_loops(redis_server: RedisServer) -> None:
    with Service(RULES, LEDGER_URL=redis_server.url) as service:
        freezing = threading.Thread(target=redis_server.freeze, args=(22,))
        freezing.start()
        wait_until(lambda: service.readiness()[0] == 503)
        time.sleep(16)  # longer than a loop may be without a good round
        _, body = service.readiness()
        assert body["ledger"]["reachable"] is False
        assert [name for name, loop in body["loops"].items() if not loop["alive"]] == []
        freezing.join()
        wait_until(lambda: all_say(service, 200))
        rings_on(service)
        assert service.logged("loop-stuck") == []


class Tarpit:
    """Stands before Redis; the next answer to one command comes a piece at a time, without end."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._door.getsockname()[1]}/0"
        self.command: bytes | None = None
        self.is_over = threading.Event()
        self._start(self._accept)

    def _start(self, do: Any, *args: Any) -> None:
        self._threads.append(threading.Thread(target=do, args=args, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            self._sockets += [client, server]
            for pair in ((client, server), (server, client)):
                self._start(self._pass_on, *pair, client)

    def _pass_on(self, source: socket.socket, sink: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source is client and self.command and self.command in data:
                    self.command = None
                    self._trickle(client)
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _trickle(self, client: socket.socket) -> None:
        client.sendall(b"*1000000\r\n")
        while not self.is_over.wait(0.3):
            client.sendall(b"$3\r\nc-x\r\n")

    def close(self) -> None:
        self.is_over.set()
        for each in (self._door, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for each in (self._door, *self._sockets):
            each.close()


def test_a_loop_that_hangs_in_one_worker_is_shown_by_both(redis_server: RedisServer) -> None:
    with (
        closing(Tarpit(redis_server.port)) as tarpit,
        Service(RULES, LEDGER_URL=tarpit.url) as service,
    ):
        tarpit.command = b"ZRANGEBYSCORE"
        (line,) = wait_until(lambda: service.logged("loop-stuck"), 30)
        assert line["loop"] in {"timers", "mirror"}
        wait_until(lambda: all_say(service, 503))
        _, body = service.readiness()
        dead = [name for name, loop in body["loops"].items() if not loop["alive"]]
        assert dead == [line["loop"]]
        assert service.metrics()[f'callrouter_loop_alive{{loop="{line["loop"]}"}}'] == 0
        rings_on(service)  # the other worker does the work
        tarpit.is_over.set()
        wait_until(lambda: all_say(service, 200))
        wait_until(lambda: service.logged("loop-mended"))
        assert len(service.logged("loop-stuck")) == 1


def test_a_worker_that_died_leaves_no_dead_loop_behind(redis_server: RedisServer) -> None:
    with (
        closing(Tarpit(redis_server.port)) as tarpit,
        Service(RULES, LEDGER_URL=tarpit.url, forgiven=("Worker (pid:",)) as service,
    ):
        tarpit.command = b"ZRANGEBYSCORE"
        wait_until(lambda: service.logged("loop-stuck"), 30)
        for worker in _workers(service):
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: len(service.logged("rules-loaded")) == 4, 20)
        wait_until(lambda: _is_ready(service))


def _workers(service: Service) -> list[int]:
    from benchmarks.processes import family  # noqa: PLC0415

    return family(service.process.pid)[1:]


def _is_ready(service: Service) -> Any:
    with suppress(OSError):
        return all_say(service, 200)
    return False


def test_a_record_that_cannot_be_read_ends_no_loop() -> None:
    with Service(RULES, LEDGER_DAYS="0.01") as service:
        assert service.phone is not None
        call_id = service.dial(PLAIN)
        assert service.transfer_of(call_id) == PLAIN_BODY
        service.phone.hang_up(call_id)
        service.settled(call_id)
        service.stop()
        with closing(sqlite3.connect(service.ledger_path)) as db:
            db.execute("UPDATE calls SET record = x'FF', seen_at = 1, wake_at = 1")
            db.commit()
        service.log.clear()
        service.start()
        wait_until(lambda: len(service.logged("loop-failed")) == 2)
        told = service.logged("loop-failed")
        assert {(row["loop"], row["error"]) for row in told} == {("prune", "DecodeError")}
        assert {row["level"] for row in told} == {"WARNING"}
        time.sleep(3)
        failed = service.logged("timer-failed")
        assert {(row["call_id"], row["error"]) for row in failed} == {(call_id, "DecodeError")}
        assert len(failed) <= 12  # it is due all the while, and ten looks a second are taken
        assert service.readiness()[0] == 200  # a single round of pruning is no reason
        assert service.metrics()['callrouter_events_total{event="loop-failed"}'] == 2
        rings_on(service)


def test_stopping_does_not_wait_for_a_loop_that_hangs(redis_server: RedisServer) -> None:
    with (
        closing(Tarpit(redis_server.port)) as tarpit,
        Service(RULES, LEDGER_URL=tarpit.url) as service,
    ):
        assert service.phone is not None
        tarpit.command = b"ZRANGEBYSCORE"
        wait_until(lambda: tarpit.command is None)
        service.phone.platform.callbacks.close()
        assert service.stop() < 8
