"""Where people deploy: Redis of a small plan and over TLS, ports, IPv6, proxies, dynos, URLs."""

from __future__ import annotations

import errno
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.redis_server import RedisServer
from tests.scenario.rules import PLAIN, PLAIN_BODY, RULES
from tests.service import (
    CALLBACKS,
    LEGS,
    PROJECT,
    Service,
    clean_environment,
    event,
    free_port,
    new_call_id,
    procfile,
    run,
    wait_until,
)
from tests.tls import TlsDoor, self_signed

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {
    "BANDWIDTH_USER_ID": "u-1",
    "BANDWIDTH_API_TOKEN": "t-1",
    "BANDWIDTH_API_SECRET": "s-1",
    "CALLBACK_USERNAME": "name",
    "CALLBACK_PASSWORD": "password",
    "PUBLIC_URL": "https://voice.example.com",
}


class TestRedis:
    def test_over_tls_as_heroku_has_it(self, tmp_path: Path) -> None:
        """REDIS_URL is the host's; REDIS_TLS stands beside it."""
        with RedisServer() as redis, TlsDoor(redis.port, self_signed(tmp_path)) as door:
            url = f"rediss://127.0.0.1:{door.port}/0"
            with Service(
                RULES, stub=True, LEDGER_URL=None, REDIS_URL=url, REDIS_TLS="off"
            ) as service:
                assert routed(service)
                assert service.readiness()[0] == 200
            done = run(*("flask", "presence", "list"), env={"REDIS_URL": url, "REDIS_TLS": "OFF"})
            assert (done.returncode, done.stdout) == (0, "nothing is set\n")

    def test_a_certificate_that_is_refused_is_told_with_the_setting(self, tmp_path: Path) -> None:
        with RedisServer() as redis, TlsDoor(redis.port, self_signed(tmp_path)) as door:
            url = f"rediss://:pa55-distinctive@127.0.0.1:{door.port}/0"
            with Service(RULES, stub=True, ready=False, LEDGER_URL=url) as service:
                status, found = service.readiness()
                assert status == 503
                assert "REDIS_TLS" in service.logged("ledger-failed")[0]["error"]
                assert "distinctive" not in str(found) + "".join(service.out)
            done = run("flask", "presence", "list", env={"LEDGER_URL": url})
            assert done.returncode == 1
            assert "REDIS_TLS" in done.stderr
            assert "distinctive" not in done.stderr

    def test_two_services_of_two_workers_under_a_burst_in_twenty_connections(self) -> None:
        with RedisServer(clients=20) as redis:
            url = redis.url
            with (
                Service(RULES, stub=True, LEDGER_URL=url) as first,
                Service(RULES, stub=True, LEDGER_URL=url) as second,
                redis.client() as client,
                ThreadPoolExecutor(80) as pool,
            ):
                calls = [(new_call_id(), (first, second)[number % 2]) for number in range(400)]
                posted = [
                    pool.submit(service.post, event("answer", call_id, PLAIN))
                    for call_id, service in calls
                ]
                most = 0
                while not all(each.done() for each in posted):
                    most = max(most, len(client.client_list()))
                    time.sleep(0.01)
                assert {each.result().status_code for each in posted} == {200}
                for call_id, service in calls:
                    assert len(service.transfers(call_id)) == 1
                assert most <= 2 * 2 * 4 + 1
                told = [*first.log, *second.log]
                assert [row for row in told if row["message"] == "ledger-failed"] == []
                assert run("flask", "calls", "list", env={"LEDGER_URL": url}).returncode == 0
                assert routed(first)


def routed(service: Service, **how: Any) -> bool:
    call_id = new_call_id()
    answer = service.post(event("answer", call_id, PLAIN), **how)
    return answer.status_code == 200 and service.transfer_of(call_id) == PLAIN_BODY


class TestListening:
    def test_both_families_are_served(self, stubbed: Service) -> None:
        with socket.create_connection(("::1", stubbed.port), 5):
            pass
        for host in ("127.0.0.1", "[::1]"):
            answer = requests.get(f"http://{host}:{stubbed.port}/readyz", timeout=5)
            assert answer.status_code == 200
            # Both are this host, whose metrics they may read.
            answer = requests.get(f"http://{host}:{stubbed.port}/metrics", timeout=5)
            assert answer.status_code == 200

    def test_a_connection_is_kept_for_longer_than_a_router_keeps_it(self) -> None:
        settings = subprocess.run(
            [*procfile("web"), "--print-config"],
            cwd=PROJECT,
            env=clean_environment() | GOOD | {"PORT": str(free_port())},
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        kept = dict(line.split("=", 1) for line in settings.splitlines() if "=" in line)
        assert int({name.strip(): value for name, value in kept.items()}["keepalive"]) > 90

    @pytest.mark.parametrize(
        ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::")]
    )
    def test_a_port_in_use_is_one_line(self, family: int, host: str) -> None:
        with socket.create_server((host, 0), family=family) as taken:
            port = taken.getsockname()[1]
            began = time.monotonic()
            ended = start({"PORT": str(port)})
        assert time.monotonic() - began < 5
        assert one_line(ended) == (
            f"cannot start: PORT {port}: another program listens there; stop it, or set another "
            "port"
        )

    def test_a_second_service_on_a_port_does_not_harm_the_first(self, stubbed: Service) -> None:
        line = one_line(start({"PORT": str(stubbed.port)}))
        assert f"PORT {stubbed.port}" in line
        assert routed(stubbed)

    def test_another_bind_is_left_to_gunicorn(self, tmp_path: Path) -> None:
        """One that is given on the command line, as behind a proxy on the same host."""
        path = tmp_path / "socket"
        process = subprocess.Popen(
            [*procfile("web"), "--bind", f"unix:{path}"],
            cwd=PROJECT,
            env=clean_environment() | GOOD | {"LEDGER_URL": f"sqlite:///{tmp_path}/ledger"},
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_until(path.exists, 20)
        finally:
            process.terminate()
            assert process.wait(30) == 0

    @pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
    def test_without_ipv6_it_listens_on_ipv4(self, tmp_path: Path, number: int) -> None:
        (tmp_path / "sitecustomize.py").write_text(
            "import socket\n"
            "whole = socket.create_server\n"
            "def create_server(address, **options):\n"
            "    if options['family'] == socket.AF_INET6:\n"
            f"        raise OSError({number}, 'no IPv6 here')\n"
            "    return whole(address, **options)\n"
            "socket.create_server = create_server\n"
        )
        with Service(RULES, stub=True, PYTHONPATH=str(tmp_path)) as service:
            assert routed(service)
            with pytest.raises(OSError, match="refused"):
                socket.create_connection(("::1", service.port), 5).close()

    def test_a_reload_of_gunicorn_keeps_the_port(self) -> None:
        with Service(RULES, stub=True) as service:
            service.process.send_signal(signal.SIGHUP)
            wait_until(lambda: service._count({"rules-loaded"}) >= 4, 30)  # noqa: SLF001
            for host in ("127.0.0.1", "[::1]"):
                assert requests.get(f"http://{host}:{service.port}/healthz", timeout=9).ok
            assert routed(service)


def start(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        procfile("web"),
        cwd=PROJECT,
        env=clean_environment() | GOOD | {"LEDGER_URL": "sqlite:////tmp/never-made/l"} | env,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def one_line(ended: subprocess.CompletedProcess[str]) -> str:
    assert ended.returncode != 0
    (line,) = (ended.stderr + ended.stdout).strip().splitlines()
    return line


class TestDynos:
    COMMANDS = (
        ("override", "set", "office", "closed", "--until", "2190-01-01T00:00"),
        ("override", "list"),
        ("override", "clear", "office"),
        ("presence", "set", "ana", "busy"),
        ("presence", "list"),
        ("calls", "list"),
        ("calls", "show", "c-1"),
        ("rules", "replay"),
        ("rules", "timeline", "main"),
    )

    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_a_ledger_that_is_not_the_services_is_refused(
        self, command: tuple[str, ...], tmp_path: Path
    ) -> None:
        ledger = tmp_path / "ledger.sqlite3"
        done = run("flask", *command, env={"DYNO": "run.1", "LEDGER_URL": f"sqlite:///{ledger}"})
        assert (done.returncode, done.stdout) == (1, ""), done.stdout
        assert "run.1" in done.stderr
        assert "Redis" in done.stderr
        assert not ledger.exists()

    def test_the_dyno_that_serves_has_its_own(self, tmp_path: Path) -> None:
        env = {"DYNO": "web.1", "LEDGER_URL": f"sqlite:///{tmp_path}/l"}
        assert run("flask", "presence", "set", "ana", "busy", env=env).returncode == 0
        assert "ana is busy" in run("flask", "presence", "list", env=env).stdout

    def test_redis_serves_every_dyno(self) -> None:
        with RedisServer() as redis:
            env = {"DYNO": "run.1", "REDIS_URL": redis.url}
            assert run("flask", "presence", "set", "ana", "busy", env=env).returncode == 0

    def test_the_release_needs_no_ledger(self) -> None:
        assert run("flask", "rules", "check", env={"DYNO": "release.7"}).returncode == 0

    def test_the_demo_has_a_ledger_of_its_own(self) -> None:
        assert run("flask", "demo", env={"DYNO": "run.1234"}, seconds=100).returncode == 0

    def test_a_ledger_in_a_file_is_warned_of(self) -> None:
        with Service(RULES, stub=True, DYNO="web.1") as service:
            (warned,) = service.logged("doubtful-setting")
        assert (warned["setting"], warned["level"]) == ("LEDGER_URL", "WARNING")
        assert "Redis" in warned["because"]


class TestUrls:
    def test_credentials_in_the_open_are_warned_of(self) -> None:
        with Service(
            RULES,
            stub=True,
            PUBLIC_URL="http://voice.example.com",
            BANDWIDTH_API_URL="http://api.example.test/v1",
        ) as service:
            warned = service.logged("doubtful-setting")
        assert {row["setting"] for row in warned} == {"PUBLIC_URL", "BANDWIDTH_API_URL"}
        assert len(warned) == 2
        assert {row["level"] for row in warned} == {"WARNING"}

    def test_nothing_is_said_of_this_host_or_of_https(self, stubbed: Service) -> None:
        assert stubbed.logged("doubtful-setting") == []

    @pytest.mark.parametrize("method", ["POST", "GET"])
    def test_a_slash_at_the_end_is_taken(self, stubbed: Service, method: str) -> None:
        call_id = new_call_id()
        send = stubbed.post if method == "POST" else stubbed.get
        assert send(event("answer", call_id, PLAIN), f"{CALLBACKS}/").status_code == 200
        assert stubbed.transfer_of(call_id) == PLAIN_BODY
        token = stubbed.transfers(call_id)[0].body["callbackUrl"].rpartition("/")[2]
        ended = event("hangup", call_id, None)
        assert send(ended, f"{LEGS}{token}/").status_code == 200
        assert send(ended, f"{LEGS}{token}").status_code == 200

    @pytest.mark.parametrize("path", [f"{CALLBACKS}//", f"{CALLBACKS}%2f", LEGS, f"{LEGS}token//"])
    def test_no_other_spelling_is(self, stubbed: Service, path: str) -> None:
        answer = stubbed.post(event("answer", new_call_id(), PLAIN), path)
        assert answer.status_code == 404

    def test_credentials_are_asked_for_there_too(self, stubbed: Service) -> None:
        body = event("answer", new_call_id(), PLAIN)
        assert stubbed.post(body, f"{CALLBACKS}/", auth=None).status_code == 401
        assert stubbed.post(body, f"{LEGS}token/", auth=None).status_code == 401

    def test_callbacks_at_another_host_are_told_of_once_each(self) -> None:
        with Service(RULES, stub=True, PUBLIC_URL="https://Voice.example.com/x") as service:

            def post(host: str, **more: Any) -> None:
                service.post(
                    event("incomingcall", new_call_id(), PLAIN), headers={"Host": host}, **more
                )

            for host in ("voice.example.com", "VOICE.example.com:443", "voice.example.com:80"):
                post(host)
            assert service.logged("other-host") == []
            post("stranger.example.com", auth="Basic bm8=")
            for _ in range(20):
                for host in ("name-1234abcd.herokuapp.com", "Name-1234abcd.herokuapp.com:443"):
                    post(host)
            (told,) = service.logged("other-host")
            assert told["level"] == "WARNING"
            assert told["host"] == "name-1234abcd.herokuapp.com"
            assert "voice.example.com" in str(told)
            for number in range(60):
                post(f"h{number}.example.com")
            post("[::1")
            assert 2 <= len(service.logged("other-host")) <= 20

    def test_without_a_public_url_no_host_is_another_one(self) -> None:
        with Service(RULES, stub=True, PUBLIC_URL=None) as service:
            service.post(event("incomingcall", new_call_id(), PLAIN))
            assert service.logged("other-host") == []
