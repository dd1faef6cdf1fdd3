"""Two services, as two dynos behind one router, share a Redis that is killed and comes back."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from emulator import Emulator
from tests.redis_server import RedisServer
from tests.service import CALLBACKS, PASSWORD, SECRET, TOKEN, USER_ID, USERNAME, Service, run
from tests.service import wait_until as wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("redis-outage")

REDIS_PASSWORD = "only-redis-knows"
OUTAGE = 1.6
DURABLE, EMPTY = "comes back with its data", "comes back empty"
only_empty = pytest.mark.parametrize("_house", [EMPTY], indirect=True)
only_durable = pytest.mark.parametrize("_house", [DURABLE], indirect=True)
ANN, BOB, CAT, ONE, LAST = (f"+1919555200{number}" for number in range(1, 6))
CHAIN, GROUP, PLAIN, SINGLE, PERSON = (f"+1919555100{number}" for number in range(1, 6))
RULES = f"""
version: 1
timezone: UTC
transfer: {{diversionTreatment: stack}}
destinations:
  ann: {{transferTo: {ANN}, person: ann}}
  bob: {BOB}
  cat: {CAT}
  one: {{transferTo: {ONE}, capacity: 1}}
  last: {LAST}
lines:
  chain:
    numbers: {CHAIN}
    rules:
      - followMe: [{{transferTo: ann, ring: 1s}}, {{transferTo: bob, ring: 1s}}]
        onNoAnswer: {{transferTo: cat}}
    otherwise: {{transferTo: last}}
  group:
    numbers: {GROUP}
    rules:
      - {{transferTo: [ann, bob, cat], ring: 1s, onNoAnswer: {{transferTo: last}}}}
    otherwise: {{transferTo: last}}
  plain:
    numbers: {PLAIN}
    rules: [{{transferTo: cat, ring: 1s, onBusy: {{transferTo: last}}}}]
    otherwise: {{transferTo: last}}
  single:
    numbers: {SINGLE}
    rules: [{{transferTo: one, onBusy: {{transferTo: last}}}}]
    otherwise: {{transferTo: last}}
  person:
    numbers: {PERSON}
    rules: [{{when: {{presence: {{ann: away}}}}, transferTo: last}}]
    otherwise: {{transferTo: ann}}
emergency: {{transferTo: last}}
"""


class Balancer(ThreadingHTTPServer):
    """Hands each callback to the next service, as the router in front of dynos does."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Forwarder)
        self.origin = f"127.0.0.1:{self.server_address[1]}"
        self.ports: list[int] = []
        self.turns = itertools.count()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Forwarder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Balancer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        port = self.server.ports[next(self.server.turns) % len(self.server.ports)]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        connection.request("POST", self.path, body, dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: Any) -> None:
        pass


class House:
    """The two services, their Redis, the balancer before them, and the phone company."""

    def __init__(self, redis: RedisServer) -> None:
        self.redis = redis
        self.balancer = Balancer()
        login = f"{quote(USERNAME, '')}:{quote(PASSWORD, '')}"
        self.phone = Emulator(
            callback_url=f"http://{login}@{self.balancer.origin}{CALLBACKS}",
            user_id=USER_ID,
            token=TOKEN,
            secret=SECRET,
        )
        more = {
            "BANDWIDTH_API_URL": self.phone.url,
            "PUBLIC_URL": f"http://{self.balancer.origin}",
            "LEDGER_URL": redis.url,
        }
        self.services = [Service(RULES, stub=True, **more) for _ in range(2)]
        self.balancer.ports = [service.port for service in self.services]

    def legs(self, call_id: str) -> list[dict[str, Any]]:
        """Return what was rung for a call, in order: all others' calls have another caller."""
        calls = self.phone.calls()
        caller = next(each["from"] for each in calls if each["callId"] == call_id)
        return [
            each for each in calls if each["direction"] == "out" and each["from"] in (caller, GROUP)
        ]

    def rung(self, call_id: str) -> list[str]:
        return [leg["to"] for leg in self.legs(call_id)]

    def talking(self, call_id: str) -> list[str]:
        """Return who talks with the caller."""
        return [leg["to"] for leg in self.legs(call_id) if leg["state"] == "active"]

    def ends_with(self, call_id: str, number: str, quiet: float = 0.3) -> None:
        """Wait until the caller talks with one destination, and nothing else rings or follows."""
        wait_for(lambda: self.talking(call_id) == [number] == self.open(call_id), 12)
        time.sleep(quiet)
        assert self.open(call_id) == self.talking(call_id) == [number]

    def open(self, call_id: str) -> list[str]:
        over = {"completed", "rejected", "error"}
        return [leg["to"] for leg in self.legs(call_id) if leg["state"] not in over]

    def outage(self, seconds: float = OUTAGE) -> threading.Thread:
        """Kill Redis now, and start it again after a while."""
        self.redis.kill()

        def bring_back() -> None:
            time.sleep(seconds)
            self.redis.start()

        thread = threading.Thread(target=bring_back)
        thread.start()
        return thread

    def is_ready(self) -> list[bool]:
        return [service.readiness()[0] == 200 for service in self.services]

    def settle(self) -> None:
        """Wait until every worker works with Redis again."""
        wait_for(lambda: all(self.is_ready()))
        time.sleep(0.4)


@contextmanager
def _open_house(*, durable: bool) -> Iterator[House]:
    with RedisServer(durable=durable, password=REDIS_PASSWORD) as redis:
        house = House(redis)
        with house.phone, house.services[0], house.services[1]:
            yield house
            house.phone.platform.callbacks.close()
            house.balancer.shutdown()
            house.balancer.server_close()
    for service in house.services:
        assert REDIS_PASSWORD not in "\n".join([*service.out, *service.err])


@pytest.fixture(scope="module")
def _houses() -> Iterator[dict[str, House]]:
    with _open_house(durable=True) as durable, _open_house(durable=False) as forgetful:
        yield {DURABLE: durable, EMPTY: forgetful}


@pytest.fixture(params=[DURABLE, EMPTY])
def _house(request: pytest.FixtureRequest, _houses: dict[str, House]) -> House:
    return _houses[request.param]


@pytest.fixture
def house(_house: House) -> Iterator[House]:
    """The house with nobody on the phone, and nobody left there afterwards."""
    _house.phone.reset()
    _house.settle()
    yield _house
    for call in _house.phone.calls():
        if call["direction"] == "in" and call["state"] == "active":
            _house.phone.hang_up(call["callId"])
    time.sleep(0.3)


@only_durable
def test_services_share_busy_counts(house: House) -> None:
    first = house.phone.dial("+12125550142", SINGLE)
    house.ends_with(first, ONE)
    for caller in ("+12125550143", "+12125550144"):  # each service takes one
        house.ends_with(house.phone.dial(caller, SINGLE), LAST)
        next(house.balancer.turns)
    house.phone.hang_up(first)
    wait_for(lambda: not house.open(first))
    time.sleep(0.3)
    house.ends_with(house.phone.dial("+12125550145", SINGLE), ONE)


@only_durable
def test_presence_is_seen_by_all_within_a_second(house: House) -> None:
    env = house.services[0].env
    assert run("flask", "presence", "set", "ann", "away", env=env).returncode == 0
    time.sleep(1.0)
    for caller in ("+12125550142", "+12125550143", "+12125550144"):
        house.ends_with(house.phone.dial(caller, PERSON), LAST)
        next(house.balancer.turns)
    assert run("flask", "presence", "set", "ann", "available", env=env).returncode == 0


def test_follow_me_goes_on_while_redis_is_away(house: House) -> None:
    for number in (ANN, BOB):
        house.phone.destination(number, does="no-answer")
    call = house.phone.dial("+12125550142", CHAIN)
    wait_for(lambda: house.rung(call) == [ANN])
    time.sleep(0.5)
    back = house.outage()
    wait_for(lambda: house.rung(call) == [ANN, BOB])  # before Redis is back
    assert not any(house.is_ready())
    back.join()
    house.ends_with(call, CAT)
    assert house.rung(call) == [ANN, BOB, CAT]
    house.settle()


@only_durable
def test_an_answer_while_redis_is_away_counts(house: House) -> None:
    house.phone.destination(ANN, does="answer", after=0.8)
    call = house.phone.dial("+12125550142", CHAIN)
    wait_for(lambda: house.rung(call) == [ANN])
    time.sleep(0.3)
    back = house.outage()
    house.ends_with(call, ANN, 1.0)
    back.join()
    house.settle()
    house.ends_with(call, ANN)
    assert house.rung(call) == [ANN]


@only_empty
def test_a_ring_group_has_one_winner(house: House) -> None:
    house.phone.destination(ANN, does="no-answer")
    house.phone.destination(BOB, does="answer", after=0.6)
    house.phone.destination(CAT, does="no-answer")
    call = house.phone.dial("+12125550142", GROUP)
    wait_for(lambda: len(house.rung(call)) == 3)
    time.sleep(0.2)
    back = house.outage()
    house.ends_with(call, BOB)
    back.join()
    house.settle()
    house.ends_with(call, BOB)


def test_new_calls_reach_their_destination(house: House) -> None:
    back = house.outage()
    calls = [house.phone.dial(f"+1212555015{number}", PLAIN) for number in range(6)]
    for call in calls:
        wait_for(lambda call=call: house.talking(call) == [CAT])
    assert not any(house.is_ready())
    back.join()
    house.settle()
    for call in calls:
        assert (house.rung(call), house.open(call)) == ([CAT], [CAT])


@only_durable
def test_a_new_call_to_a_busy_destination_goes_on(house: House) -> None:
    house.phone.destination(CAT, does="busy")
    back = house.outage()
    call = house.phone.dial("+12125550142", PLAIN)
    house.ends_with(call, LAST)
    back.join()
    assert house.rung(call) == [CAT, LAST]
    house.settle()


@only_empty
def test_a_caller_who_leaves_takes_the_ringing_leg_along(house: House) -> None:
    house.phone.destination(ANN, does="no-answer")
    call = house.phone.dial("+12125550142", CHAIN)
    wait_for(lambda: house.rung(call) == [ANN])
    back = house.outage()
    house.phone.hang_up(call)
    back.join()
    wait_for(lambda: not house.open(call))
    house.settle()
    assert house.rung(call) == [ANN]


def test_a_destination_that_talks_is_busy_during_and_after(house: House) -> None:
    first = house.phone.dial("+12125550142", SINGLE)
    house.ends_with(first, ONE)
    back = house.outage()
    for caller in ("+12125550143", "+12125550144"):
        house.ends_with(house.phone.dial(caller, SINGLE), LAST)
        next(house.balancer.turns)
    back.join()
    house.settle()
    house.ends_with(house.phone.dial("+12125550145", SINGLE), LAST)
    house.phone.hang_up(first)
    time.sleep(0.5)
    house.ends_with(house.phone.dial("+12125550146", SINGLE), ONE)


@only_empty
def test_presence_outlasts_an_outage(house: House) -> None:
    env = house.services[0].env
    assert run("flask", "presence", "set", "ann", "away", env=env).returncode == 0
    time.sleep(1.0)
    back = house.outage(1.0)
    house.ends_with(house.phone.dial("+12125550142", PERSON), LAST)
    back.join()
    house.settle()
    house.ends_with(house.phone.dial("+12125550143", PERSON), LAST)
    assert run("flask", "presence", "set", "ann", "available", env=env).returncode == 0
    time.sleep(1.0)
    house.ends_with(house.phone.dial("+12125550144", PERSON), ANN)


@only_durable
def test_each_outage_is_told_once_by_each_worker(house: House) -> None:
    since = [len(service.log) for service in house.services]
    house.outage(1.0).join()
    house.settle()
    for service, start in zip(house.services, since, strict=True):
        assert len(service.logged("ledger-failed", start)) == 2
        assert len(service.logged("ledger-back", start)) == 2
