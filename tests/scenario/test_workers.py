"""What the workers of one service have in common: memory, and the rules as they are now."""

from __future__ import annotations

import os
import signal

from benchmarks.processes import family, footprint
from tests.scenario.rules import RULES
from tests.service import Service, wait_until


def test_workers_share_the_memory_of_what_was_loaded_before_them(stubbed: Service) -> None:
    workers = [footprint(each) for each in family(stubbed.process.pid)[1:]]
    assert len(workers) == 2
    assert all(each.private < 0.4 * each.rss for each in workers), workers


def test_a_worker_that_is_replaced_has_the_rules_as_they_are_now() -> None:
    with Service(RULES, stub=True, forgiven=("Worker (pid:",)) as service:
        service.write_rules(f"{RULES}\n# edited\n")
        first, *_, edited = wait_until(
            lambda: len(told := service.logged("rules-loaded")) == 4 and told, 10
        )
        assert first["digest"] != edited["digest"]
        dead = family(service.process.pid)[1]
        os.kill(dead, signal.SIGKILL)
        *_, last = wait_until(lambda: len(told := service.logged("rules-loaded")) == 5 and told, 20)
        assert last["digest"] == edited["digest"]
        assert dead not in family(service.process.pid)
        assert service.metrics()["callrouter_rules_good"] == 1
