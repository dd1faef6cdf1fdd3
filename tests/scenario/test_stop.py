"""Stopping and restarting: no call in hand is dropped, nothing is done twice."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from tests.scenario.rules import PLAIN, PLAIN_BODY, RULES
from tests.service import Service, event, new_call_id, wait_until


def test_a_transfer_in_hand_is_finished() -> None:
    with Service(RULES, stub=True) as service:
        assert service.stub is not None
        service.stub.latency = 2
        calls = [new_call_id() for _ in range(10)]
        with ThreadPoolExecutor(10) as pool:
            answers = [pool.submit(service.post, event("answer", each, PLAIN)) for each in calls]
            wait_until(lambda: len(service.transfers()) == 10)
            took = service.stop()
            assert {answer.result().status_code for answer in answers} == {200}
        assert took < 10
        for call_id in calls:
            assert service.transfer_of(call_id) == PLAIN_BODY
        service.start()
        service.stub.latency = 0
        for call_id in calls:
            assert service.post(event("answer", call_id, PLAIN)).status_code == 200
        assert len(service.api_requests()) == 10


def test_idle_connections_do_not_hold_it_up() -> None:
    with Service(RULES, stub=True) as service:
        sessions = [requests.Session() for _ in range(20)]
        for session in sessions:
            assert session.get(f"{service.url}/healthz", timeout=5).status_code == 200
        assert service.stop() < 6
        for session in sessions:
            session.close()


def test_callbacks_during_a_reload_of_the_workers_are_all_answered() -> None:
    """As `kill -HUP` does; a host that deploys in turn looks the same from outside."""
    with Service(RULES, stub=True) as service:
        calls: list[str] = []
        results: list[Any] = []
        going = threading.Event()

        def keep_calling() -> None:
            while not going.is_set():
                call_id = new_call_id()
                calls.append(call_id)
                results.append(service.post(event("answer", call_id, PLAIN)).status_code)

        caller = threading.Thread(target=keep_calling)
        caller.start()
        mark = len(service.log)
        service.process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(service.logged("rules-loaded", mark)) >= 2, 20)
        wait_until(lambda: sum("Worker exiting" in str(r) for r in list(service.log)) >= 2, 20)
        going.set()
        caller.join()
        assert set(results) == {200}
        assert [call_id for call_id in calls if len(service.transfers(call_id)) != 1] == []
        metrics = service.metrics()
        assert metrics["callrouter_rules_good"] == 1


def test_a_crash_while_routing_leaves_at_most_one_transfer() -> None:
    with Service(RULES, stub=True) as service:
        assert service.stub is not None
        service.stub.latency = 1
        call_id = new_call_id()

        def deliver() -> None:
            try:
                service.post(event("answer", call_id, PLAIN))
            except requests.ConnectionError:
                return

        thread = threading.Thread(target=deliver)
        thread.start()
        wait_until(lambda: service.transfers(call_id))
        service.process.kill()
        service.process.wait()
        thread.join()
        time.sleep(0.2)  # workers see that their parent is gone
        service.stub.latency = 0
        service.out.clear()
        service.log.clear()
        service.err.clear()
        wait_until(lambda: _port_is_free(service), 10)
        service.start()
        service.err.clear()
        for _ in range(3):
            assert service.post(event("answer", call_id, PLAIN)).status_code in {200, 503}
        assert len(service.transfers(call_id)) == 1


def _port_is_free(service: Service) -> bool:
    try:
        requests.get(f"{service.url}/healthz", timeout=1)
    except requests.RequestException:
        return True
    return False
