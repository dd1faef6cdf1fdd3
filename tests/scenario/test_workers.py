"""What the workers of one service have in common: memory, and the rules as they are now."""

from __future__ import annotations

import os
import signal

from benchmarks.processes import Footprint, family, footprint
from benchmarks.rules_load import many_lines
from tests.scenario.rules import RULES
from tests.service import Service, wait_until


def test_workers_share_the_memory_of_what_was_loaded_before_them() -> None:
    small, large = (_memory(Service(many_lines(count), stub=True)) for count in (10, 20_000))
    shared = large.rss - small.rss
    assert shared > 10, "the rules are large enough to be seen"
    assert large.private - small.private < 0.25 * shared


def _memory(service: Service) -> Footprint:
    """Return what the smaller worker of a service takes that has just begun."""
    with service:
        workers = map(footprint, family(service.process.pid)[1:])
        return min(workers, key=lambda worker: worker.private)


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
