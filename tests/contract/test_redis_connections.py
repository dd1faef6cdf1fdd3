"""How Redis is reached: over TLS, by a few connections in turn; nothing of a secret is told."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from callflow.ledger import LedgerError
from callflow.redis import RedisLedger
from tests.redis_server import RedisServer
from tests.tls import Certificate, TlsDoor, self_signed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HANDFUL = 4


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def door(server: RedisServer, certificate: Certificate) -> Iterator[TlsDoor]:
    with TlsDoor(server.port, certificate) as opened:
        yield opened


class TestTls:
    def test_a_certificate_that_nobody_vouches_for_is_refused_with_the_way_out(
        self, door: TlsDoor
    ) -> None:
        with pytest.raises(LedgerError, match="certificate is not trusted") as refused:
            RedisLedger(f"rediss://user:pa55word@127.0.0.1:{door.port}/0").ping()
        assert "REDIS_TLS" in str(refused.value)
        assert f"127.0.0.1:{door.port}" in str(refused.value)
        assert "self-signed" in str(refused.value)
        assert "pa55word" not in str(refused.value)

    def test_it_is_taken_unchecked(self, door: TlsDoor) -> None:
        RedisLedger(f"rediss://127.0.0.1:{door.port}/0", tls="off").ping()

    def test_it_is_taken_by_its_authority(self, door: TlsDoor, certificate: Certificate) -> None:
        RedisLedger(f"rediss://127.0.0.1:{door.port}", tls=str(certificate.certificate)).ping()

    def test_one_of_another_host_is_refused_though_its_authority_is_known(
        self, server: RedisServer, tmp_path: Path
    ) -> None:
        other = self_signed(tmp_path, "DNS:redis.example.test")
        with TlsDoor(server.port, other) as opened:
            url, authority = f"rediss://127.0.0.1:{opened.port}", str(other.certificate)
            with pytest.raises(LedgerError, match="REDIS_TLS"):
                RedisLedger(url, tls=authority).ping()
            RedisLedger(url, tls="off").ping()

    def test_one_of_another_authority_is_refused(self, door: TlsDoor, tmp_path: Path) -> None:
        other = self_signed(tmp_path)
        with pytest.raises(LedgerError, match="REDIS_TLS"):
            RedisLedger(f"rediss://127.0.0.1:{door.port}", tls=str(other.certificate)).ping()

    def test_a_url_with_parameters_of_its_own_still_holds(self, door: TlsDoor) -> None:
        RedisLedger(f"rediss://127.0.0.1:{door.port}?ssl_cert_reqs=none").ping()

    @pytest.mark.parametrize("tls", ["off", "verify"])
    def test_without_tls_it_says_nothing(self, server: RedisServer, tls: str) -> None:
        RedisLedger(server.url, tls=tls).ping()


class TestConnections:
    def test_more_callers_than_connections_wait_in_turn(self, server: RedisServer) -> None:
        ledger = RedisLedger(server.url)
        most = 0
        done = threading.Event()

        def watch() -> None:
            nonlocal most
            while not done.wait(0.005):
                most = max(most, connections(server))

        watching = threading.Thread(target=watch)
        watching.start()
        with ThreadPoolExecutor(100) as pool:
            changed = [
                pool.submit(ledger.update, f"c-{number}", lambda record, _: record.version)
                for number in range(1000)
            ]
            assert {each.result() for each in changed} == {0}
        done.set()
        watching.join()
        assert 1 <= most <= HANDFUL

    def test_a_turn_may_take_longer_than_an_answer_while_others_are_served(
        self, server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("callflow.redis._PATIENCE", 0.3)
        ledger = RedisLedger(f"{server.url}?max_connections=2")
        began = time.monotonic()

        def ask(_: int) -> str:
            slow = "DEBUG", "SLEEP", "0.05"
            return str(ledger._db.execute_command(*slow))  # noqa: SLF001

        with ThreadPoolExecutor(30) as pool:
            assert set(pool.map(ask, range(30))) == {"OK"}
        assert time.monotonic() - began > 1

    def test_a_turn_that_never_comes_is_given_up(
        self, server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("callflow.redis._PATIENCE", 0.2)
        ledger = RedisLedger(f"{server.url}?max_connections=2")
        for _ in range(2):
            ledger._db.connection_pool.get_connection()  # noqa: SLF001
        began = time.monotonic()
        with pytest.raises(LedgerError, match="No connection available"):
            ledger.ping()
        assert time.monotonic() - began < 1

    def test_what_a_burst_has_opened_is_closed_again(
        self, server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("callflow.redis._IDLE", 0.3)
        ledger = RedisLedger(server.url)
        with server.client() as client:
            before = connections(server)
            with ThreadPoolExecutor(20) as pool:
                list(pool.map(lambda _: ledger.ping(), range(400)))
            assert connections(server) - before > 1
            end = time.monotonic() + 5
            while connections(server) - before > 1:
                ledger.ping()
                time.sleep(0.05)
                assert time.monotonic() < end
            assert client.ping()
        ledger.ping()

    def test_close_lets_go_of_all_and_the_next_request_connects_again(
        self, server: RedisServer
    ) -> None:
        before = connections(server)
        ledger = RedisLedger(server.url)
        ledger.ping()
        assert connections(server) > before
        ledger.close()
        until = time.monotonic() + 5
        while connections(server) > before:
            assert time.monotonic() < until
        ledger.ping()

    def test_close_leaves_alone_what_others_are_using(self, server: RedisServer) -> None:
        ledger = RedisLedger(server.url)

        def work(number: int) -> None:
            for _ in range(100):
                ledger.update(f"c-close-{number}", lambda *_: None)
                ledger.close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))


def connections(server: RedisServer) -> int:
    """How many connections Redis has, the one that asks left out."""
    with server.client() as client:
        return len(client.client_list()) - 1


class TestSecrets:
    @pytest.mark.parametrize("password", ["pa55:word", "p@ss/w?rd#x", "ü%20 %", "a"])
    def test_a_refused_password_is_in_no_message(self, password: str) -> None:
        with RedisServer(password="another-one") as server:
            url = f"redis://someuser:{quote(password, '')}@127.0.0.1:{server.port}/0"
            with pytest.raises(LedgerError) as refused:
                RedisLedger(url).ping()
        told = chain(refused.value)
        assert "the credentials are refused" in told
        assert "someuser" not in told
        if len(password) > 1:
            assert password not in told
            assert quote(password, "") not in told

    def test_what_redis_itself_says_of_a_user_is_not_told(self) -> None:
        with RedisServer() as server:
            with server.client() as client:
                client.acl_setuser(
                    "frank-distinctive",
                    enabled=True,
                    passwords=["+pa55-distinctive"],
                    commands=["+get", "+client", "+hello", "+ping", "+select"],
                    keys=["*"],
                )
                before: Any = client.acl_getuser("frank-distinctive")
                assert before
            url = f"redis://frank-distinctive:pa55-distinctive@127.0.0.1:{server.port}/0"
            with pytest.raises(LedgerError) as refused:
                RedisLedger(url).ping()
        assert "distinctive" not in chain(refused.value)


def chain(error: BaseException | None) -> str:
    """The texts of an error and of what is shown with it."""
    found = []
    while error is not None:
        found.append(str(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " ".join(found)
