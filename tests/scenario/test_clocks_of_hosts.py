"""Two hosts whose clocks differ share a ledger: neither takes the calls of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.redis_server import RedisServer
from tests.service import Service, run, wait_until

if TYPE_CHECKING:
    from pathlib import Path

LINE, ANN = "+19195554001", "+19195553001"
RULES = f"""
version: 1
timezone: UTC
lines: {{main: {{numbers: {LINE}, otherwise: {ANN}}}}}
emergency: {ANN}
"""
SHIFTED = "import time\nreal = time.time\ntime.time = lambda: real() + {seconds}\n"


@pytest.mark.parametrize("seconds", [-60, 6, 60])
def test_a_call_stays_with_the_host_that_works_on_it(tmp_path: Path, seconds: int) -> None:
    (tmp_path / "sitecustomize.py").write_text(SHIFTED.format(seconds=seconds))
    with RedisServer() as redis, Service(RULES, REDIS_URL=redis.url, LEDGER_URL=None) as here:
        assert here.phone is not None
        elsewhere = Service(
            RULES,
            stub=True,
            REDIS_URL=redis.url,
            LEDGER_URL=None,
            PYTHONPATH=str(tmp_path),
            BANDWIDTH_API_URL=here.phone.url,
        )
        with elsewhere as there:
            here.phone.switch(latency_s=2.5)
            call_id = here.dial(LINE)
            wait_until(lambda: here.leg(call_id)["talksTo"], 20)
            env = {"REDIS_URL": redis.url}
            wait_until(
                lambda: "dialed" in run("flask", "calls", "show", call_id, env=env).stdout, 20
            )
            story = run("flask", "calls", "show", call_id, env=env).stdout
            assert "taken-over" not in story
            assert [row for row in there.log if row.get("call_id") == call_id] == []
            assert len(here.transfers(call_id)) == 1
            here.phone.hang_up(call_id)
            here.settled(call_id)
