"""What is special of the ledger in Redis: it goes away, loses its data, and must not grow."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import pytest

from callflow.background import Loops
from callflow.copies import Copies
from callflow.ledger import (
    OVERRIDE,
    PRESENCE,
    LedgerError,
    Setting,
    UnchangedError,
    UnknownLegError,
)
from callflow.mirror import MirroredLedger
from callflow.record import CONNECTED, DIALED, OVER, RINGING, Leg, Record
from callflow.redis import RedisLedger
from tests.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PASSWORD = "p%40ss-of-redis"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


class Host:
    """One host: a mirrored ledger, and what it told. It looks after itself when told to."""

    def __init__(self, server: RedisServer, folder: Path, name: str) -> None:
        copies = Copies(str(folder / f"{name}.sqlite3"))
        self.told: list[str] = []
        self.ledger = MirroredLedger(
            RedisLedger(server.url, writer=copies.name()), copies, self.tell
        )
        self.ledger.look()

    def tell(self, event: str, **_: Any) -> None:
        self.told.append(event)

    def update(self, change: Callable[[Record], Any], call_id: str = "c-1") -> Any:
        return self.ledger.update(call_id, lambda record, _: change(record))

    def load(self, call_id: str = "c-1") -> Record:
        record = self.ledger.load(call_id)
        assert record is not None
        return record


@pytest.fixture
def hosts(server: RedisServer, tmp_path: Path) -> list[Host]:
    return [Host(server, tmp_path, name) for name in "ab"]


def leg(token: str, round_: int = 1, **more: Any) -> Leg:
    values: dict[str, Any] = {"stage": "rule 1", "reason": "unknown", "request": {}, "ring": 20}
    return Leg(token, round_, "ana", "+19195550101", started_at=time.time(), **values, **more)


def ring(token: str, round_: int = 1) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        record.seen_at = record.seen_at or time.time()
        record.rule, record.state, record.round = "rule 1", RINGING, round_
        if round_ == 1:
            record.plan = {"route": token}
        record.legs.append(leg(token, round_, state=DIALED, ring_until=time.time() + 20))
        record.note(time.time(), "dialed", token=token)

    return change


def end(token: str) -> Callable[[Record], None]:
    def change(record: Record) -> None:
        if record.leg(token) is None:
            raise UnknownLegError
        record.ended(token, None, None, time.time())

    return change


class TestAway:
    def test_a_restart_does_not_fail_the_first_request(self, server: RedisServer) -> None:
        ledger = RedisLedger(server.url)
        ledger.update("c-1", lambda *_: None)
        server.kill()
        server.start()
        assert ledger.update("c-1", lambda record, _: record.version) == 0

    def test_every_request_fails_with_a_ledger_error(self, server: RedisServer) -> None:
        ledger = RedisLedger(server.url)
        server.kill()
        asked: list[Callable[[], Any]] = [
            lambda: ledger.update("c-1", lambda *_: None),
            lambda: ledger.update("c-1", lambda _, in_progress: in_progress("ana")),
            lambda: ledger.load("c-1"),
            lambda: ledger.journal("c-1"),
            lambda: ledger.due(0, 1),
            ledger.in_progress,
            lambda: ledger.calls_to("ana"),
            lambda: ledger.recent(1),
            lambda: ledger.settings(PRESENCE, 0),
            lambda: ledger.standing(PRESENCE, 0),
            lambda: ledger.set(PRESENCE, Setting("ana", "busy", None), 0),
            lambda: ledger.restore(PRESENCE, Setting("ana", "busy", None)),
            lambda: ledger.clear(PRESENCE, "ana"),
            lambda: ledger.slot("a", 0, 0, 0),
            lambda: ledger.prune(0),
            ledger.ping,
            ledger.mark,
            lambda: ledger.versions(["c-1"]),
            lambda: next(ledger.written()),
        ]
        for ask in asked:
            with pytest.raises(LedgerError):
                ask()
        server.start()

    def test_one_that_does_not_answer_is_given_up_soon(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            ledger = RedisLedger(f"redis://:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}")
            began = time.monotonic()
            with pytest.raises(LedgerError) as failed:
                ledger.ping()
            assert time.monotonic() - began < 2
        assert PASSWORD not in str(failed.value)

    @pytest.mark.parametrize(
        "url", [f"redis://:{PASSWORD}@h:port/", f"redis://:{PASSWORD}@h/?socket_timeout=x"]
    )
    def test_a_url_that_cannot_be_is_not_shown(self, url: str) -> None:
        with pytest.raises(LedgerError) as failed:
            RedisLedger(url)
        assert PASSWORD not in str(failed.value)

    def test_a_refused_password_is_not_shown(self) -> None:
        with RedisServer(password="another") as server:
            url = server.url.replace("another", PASSWORD)
            with pytest.raises(LedgerError, match="credentials are refused") as failed:
                RedisLedger(url).ping()
        assert "another" not in str(failed.value)

    def test_a_write_whose_answer_was_lost_is_done_once(self, server: RedisServer) -> None:
        with _AnswerLoser(server.port) as loser:
            ledger = RedisLedger(f"redis://127.0.0.1:{loser.port}")
            ledger.update("c-1", lambda *_: None)

            def change(record: Record, _: Callable[[str], int]) -> None:
                record.note(1.0, "event")
                loser.loses = b"EVALSHA"

            ledger.update("c-1", change)
            assert loser.lost == 1
            assert len(ledger.journal("c-1")) == 1
            record = ledger.load("c-1")
            assert record is not None
            assert record.version == 2


class _AnswerLoser:
    """Stands before Redis, and loses the answer to one request."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.loses = b""
        self.lost = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._behind)) as behind:
            while request := client.recv(65536):
                behind.sendall(request)
                answer = behind.recv(65536)
                if self.loses and self.loses in request:
                    self.loses, self.lost = b"", self.lost + 1
                    return
                client.sendall(answer)


class TestSize:
    def test_everything_but_settings_expires(self, server: RedisServer) -> None:
        ledger = RedisLedger(server.url, days=2)
        ledger.update("c-1", lambda record, _: ring("t-1")(record))
        ledger.slot("requests", 1, time.time(), 2)
        with server.client() as client:
            keys = client.keys()
            assert len(keys) == 7
            assert all(key.startswith("callrouter:") for key in keys)
            eternal = {key for key in keys if client.ttl(key) < 0}
            assert eternal == {"callrouter:busy"}  # the names of destinations, while they have legs
            assert max(client.ttl(key) for key in keys) <= 3 * 86_400

    def test_the_indexes_forget_what_is_too_old(self, server: RedisServer) -> None:
        ledger = RedisLedger(server.url, days=1)
        for call_id, age in (("c-1", 3 * 86_400), ("c-2", 0)):

            def change(record: Record, _: Callable[[str], int], age: float = age) -> None:
                record.seen_at = time.time() - age

            ledger.update(call_id, change)
        assert [record.call_id for record in ledger.recent(9)] == ["c-2"]


class TestMirror:
    def test_a_call_goes_on_without_redis_and_is_brought_back(
        self, server: RedisServer, hosts: list[Host]
    ) -> None:
        mine, other = hosts
        mine.update(ring("t-1"))
        server.kill()
        mine.update(ring("t-2", 2))
        assert mine.ledger.in_progress() == {"ana": 2}
        assert mine.ledger.due(time.time() + 30, 9) == ["c-1"]
        assert [each.call_id for each in mine.ledger.recent(9)] == ["c-1"]
        assert mine.load().plan == {"route": "t-1"}
        assert mine.load().doubt
        assert mine.told == ["ledger-failed"]
        with pytest.raises(LedgerError):
            mine.ledger.ping()
        server.start()  # empty
        mine.ledger.look()
        assert mine.told == ["ledger-failed", "ledger-back"]
        record = other.load()
        assert [each.token for each in record.legs] == ["t-1", "t-2"]
        assert (record.version, record.plan) == (3, {"route": "t-1"})
        assert other.ledger.in_progress() == {"ana": 2}
        assert [each.data["token"] for each in other.ledger.journal("c-1")] == ["t-2"]
        assert other.ledger.due(time.time() + 30, 9) == ["c-1"]

    def test_a_call_that_nothing_happened_to_is_put_back(
        self, server: RedisServer, hosts: list[Host]
    ) -> None:
        hosts[0].update(ring("t-1"))
        server.kill()
        server.start()
        assert hosts[1].ledger.load("c-1") is None
        hosts[0].ledger.look()
        assert hosts[1].load().legs[0].token == "t-1"
        assert hosts[0].told == []

    def test_an_event_puts_it_back_at_once(self, server: RedisServer, hosts: list[Host]) -> None:
        hosts[0].update(ring("t-1"))
        server.kill()
        server.start()
        assert hosts[0].update(lambda record: [each.token for each in record.legs]) == ["t-1"]
        assert hosts[1].load().rule == "rule 1"

    def test_only_the_host_that_wrote_last_goes_on(
        self, server: RedisServer, hosts: list[Host]
    ) -> None:
        first, last = hosts
        first.update(ring("t-1"))
        last.update(ring("t-2", 2))
        first.ledger.look()
        server.kill()
        assert first.ledger.due(time.time() + 30, 9) == []
        assert last.ledger.due(time.time() + 30, 9) == ["c-1"]
        assert last.load().plan == {"route": "t-1"}  # which the first one made
        with pytest.raises(LedgerError):
            first.update(end("t-1"))  # it may be a leg that the other one rang
        server.start()

    def test_a_copy_is_dropped_as_soon_as_another_host_writes(
        self, hosts: list[Host], tmp_path: Path
    ) -> None:
        first, last = hosts
        copies = Copies(str(tmp_path / "a.sqlite3"))
        loops = Loops(first.tell)
        first.ledger.start(loops)
        try:
            time.sleep(0.5)
            first.update(ring("t-1"))
            assert copies.state("c-1").version == 1
            last.update(ring("t-2", 2))
            end = time.monotonic() + 0.15  # sooner than the next look would show it
            while copies.state("c-1").version:
                assert time.monotonic() < end
                time.sleep(0.005)
        finally:
            loops.stop()

    def test_calls_that_are_over_leave_no_copy(self, hosts: list[Host], tmp_path: Path) -> None:
        hosts[0].update(ring("t-1"))
        hosts[0].update(lambda record: record.end(1.0, "hangup"))
        assert list(Copies(str(tmp_path / "a.sqlite3")).states()) == ["c-1"]  # its leg is open
        hosts[0].update(lambda record: record.ended("t-1", None, None, 1.0))
        assert Copies(str(tmp_path / "a.sqlite3")).states() == {}

    def test_nothing_to_change_is_nothing_without_redis_too(
        self, server: RedisServer, hosts: list[Host]
    ) -> None:
        server.kill()

        def change(_: Record) -> None:
            raise UnchangedError

        with pytest.raises(UnchangedError):
            hosts[0].update(change)
        server.start()

    def test_settings_and_others_busy_counts_are_remembered(
        self, server: RedisServer, hosts: list[Host]
    ) -> None:
        ana, now = Setting("ana", "dnd", None), time.time()
        hosts[0].ledger.set(PRESENCE, ana, now)
        hosts[0].update(ring("t-1"))
        hosts[1].ledger.look()
        server.kill()
        assert hosts[1].ledger.settings(PRESENCE, time.time()) == [ana]
        assert hosts[1].ledger.in_progress() == {"ana": 1}
        assert hosts[1].ledger.update("c-2", lambda _, in_progress: in_progress("ana")) == 1
        with pytest.raises(LedgerError):
            hosts[1].ledger.set(PRESENCE, ana, now)
        server.start()
        hosts[1].ledger.look()
        assert hosts[0].ledger.settings(PRESENCE, time.time()) == [ana]

    def test_planned_settings_begin_without_redis_and_come_back(
        self, server: RedisServer, hosts: list[Host]
    ) -> None:
        now = time.time()
        standing = [
            Setting("office", "open", now + 90),
            Setting("office", "closed", now + 60, since=now + 30),
        ]
        for each in standing:
            hosts[0].ledger.set(OVERRIDE, each, now)
        hosts[1].ledger.look()
        server.kill()
        ledger = hosts[1].ledger
        assert ledger.settings(OVERRIDE, now) == standing[:1]
        assert ledger.settings(OVERRIDE, now + 30) == standing[1:]
        assert ledger.settings(OVERRIDE, now + 60) == standing[:1]
        assert ledger.standing(OVERRIDE, now) == standing
        server.start()
        newer = Setting("office", "closed", now + 80)
        RedisLedger(server.url).set(OVERRIDE, newer, now)
        ledger.look()
        assert hosts[0].ledger.standing(OVERRIDE, now) == [newer, standing[1]]

    def test_what_two_hosts_did_apart_becomes_one(
        self, server: RedisServer, hosts: list[Host]
    ) -> None:
        first, second = hosts
        first.update(ring("t-1"))
        server.kill()
        second.update(ring("t-3", 1))  # knows nothing of the call
        second.update(lambda record: record.answered("t-3", "leg-3", 5.0))
        second.update(lambda record: setattr(record, "state", CONNECTED))
        first.update(ring("t-2", 2))
        server.start()
        first.ledger.look()
        second.ledger.look()
        record = first.load()
        assert record.state == CONNECTED
        assert {each.token: each.cancelled for each in record.legs} == {
            "t-1": True,
            "t-2": True,
            "t-3": False,
        }
        assert [each.token for each in record.current] == ["t-3"]
        assert [each.data["token"] for each in first.ledger.journal("c-1")] == ["t-3", "t-2"]

    def test_a_call_that_is_over_for_one_is_over(
        self, server: RedisServer, hosts: list[Host]
    ) -> None:
        first, second = hosts
        first.update(ring("t-1"))
        server.kill()
        second.update(lambda record: record.end(5.0, "hangup"))
        first.update(ring("t-2", 2))
        server.start()
        for host in hosts:
            host.ledger.look()
        record = first.load()
        assert (record.state, record.ended_at, record.ended_by) == (OVER, 5.0, "hangup")
        assert all(each.cancelled for each in record.legs)

    def test_a_copy_that_fell_behind_is_brought_up_to_date(
        self, server: RedisServer, hosts: list[Host], tmp_path: Path
    ) -> None:
        """As when a worker dies between the two writes, or two bring a call back at once."""
        mine, other = hosts
        mine.update(ring("t-1"))
        copies = Copies(str(tmp_path / "a.sqlite3"))
        RedisLedger(server.url, writer=copies.name()).update(
            "c-1", lambda it, _: ring("t-2", 2)(it)
        )
        mine.ledger.look()
        assert copies.state("c-1") == (2, 2)
        other.update(ring("t-3", 3))
        mine.ledger.look()
        assert copies.state("c-1").version == 0
        server.kill()
        assert mine.ledger.due(time.time() + 30, 9) == []
        server.start()

    def test_of_two_who_take_a_call_apart_one_is_left(
        self, server: RedisServer, tmp_path: Path
    ) -> None:
        """One worker asks a Redis that is slow, the other has given it up."""
        slow, hasty = (Host(server, tmp_path, "a") for _ in range(2))
        slow.update(ring("t-1"))
        hasty.ledger._lost(LedgerError("slow"))  # noqa: SLF001

        def take(record: Record) -> None:
            if not hasty.load().holder:
                hasty.update(lambda copy: setattr(copy, "holder", "hasty"))
            record.holder = "slow"

        slow.update(take)
        seen = {slow.update(lambda it: it.holder), hasty.update(lambda it: it.holder)}
        hasty.ledger.look()
        seen |= {slow.update(lambda it: it.holder), hasty.update(lambda it: it.holder)}
        assert len(seen) == 1

    def test_what_was_written_is_not_done_again_if_it_cannot_be_copied_whole(
        self, hosts: list[Host], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hosts[1].update(ring("t-1"))

        def away(_: str) -> Record:
            raise LedgerError("away")

        monkeypatch.setattr(hosts[0].ledger._shared, "load", away)  # noqa: SLF001
        hosts[0].update(lambda record: record.note(1.0, "noticed"))
        monkeypatch.undo()
        noticed = [each.kind for each in hosts[1].ledger.journal("c-1")]
        assert noticed.count("noticed") == 1
        assert hosts[0].told == []

    def test_what_only_one_knows_of_a_caller_is_kept(
        self, server: RedisServer, hosts: list[Host]
    ) -> None:
        first, second = hosts

        def seen(record: Record) -> None:
            record.to, record.caller = "+19195550100", "+12125550142"
            record.anonymous, record.diverted, record.seen_at = True, "busy", 5.0
            record.counter, record.limit = 6, 5

        first.update(seen)
        server.kill()
        second.update(ring("t-3", 1))  # knows nothing of the call, and gets further
        first.update(lambda record: record.note(1.0, "noticed"))
        server.start()
        for host in hosts:
            host.ledger.look()
        record = first.load()
        assert [each.token for each in record.current] == ["t-3"]
        assert (record.to, record.caller) == ("+19195550100", "+12125550142")
        assert (record.anonymous, record.diverted, record.seen_at) == (True, "busy", 5.0)
        assert (record.counter, record.limit) == (6, 5)

    def test_others_are_left_alone_until_they_had_time(
        self, server: RedisServer, hosts: list[Host], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("callflow.mirror._GRACE", 10.0)  # a busy machine needs longer
        first, second = hosts
        first.update(ring("t-1"))
        for host in hosts:
            host.ledger.look()
        server.kill()
        first.update(ring("t-2", 2))
        second.update(lambda record: record.note(1.0, "noticed"), "c-2")
        server.start()
        second.ledger.look()
        assert second.ledger.due(time.time() + 30, 9) == ["c-2"]  # its own, and not c-1
        asking = threading.Thread(target=lambda: second.update(end("t-2")))
        asking.start()
        first.ledger.look()
        asking.join(15)
        assert [each.token for each in second.load().legs if not each.is_open] == ["t-2"]

    def test_copies_that_cannot_be_kept_are_told_and_do_no_harm(
        self, server: RedisServer, tmp_path: Path
    ) -> None:
        told: list[str] = []
        (tmp_path / "file").write_text("")
        copies = Copies(str(tmp_path / "file" / "copies.sqlite3"))
        ledger = MirroredLedger(
            RedisLedger(server.url), copies, lambda event, **_: told.append(event)
        )
        for _ in range(3):
            ledger.update("c-1", lambda *_: None)
        ledger.look()
        assert told == ["copies-failed"]
        record = ledger.load("c-1")
        assert record is not None
        assert record.version == 3
