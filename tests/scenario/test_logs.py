"""What is logged: one JSON object a line, no number, never a secret."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from logs import JsonFormatter, masked
from tests.scenario.rules import ANN, PLAIN, RULES
from tests.service import CALLBACKS, CALLER, LEGS, Service, event, new_call_id, wait_until


def test_lines_are_objects_with_time_level_and_message(stubbed: Service) -> None:
    call_id = new_call_id()
    stubbed.post(event("answer", call_id, PLAIN))
    row = wait_until(lambda: [each for each in stubbed.log if each.get("call_id") == call_id])[0]
    assert {"time", "level", "message"} <= set(row)
    assert row["time"].endswith("+00:00")


def test_a_whole_day_at_debug_holds_no_number_and_no_secret() -> None:
    """Everything that can be said is said; stopping the service looks through all of it."""
    with Service(RULES, fallback=True, LOG_LEVEL="DEBUG", CALLBACK_BUDGET="1") as service:
        assert service.phone is not None
        for line in ("+19195551002", "+19195551009", "+19195551014", "+19195551015"):
            service.dial(line)
        service.dial("+19195551009", "sip:+12125550142@example.com")
        service.dial("+19195551019")
        service.phone.fault("garbage", on={"state": "transferring"}, times=1)
        service.phone.fault("drop", on={"state": "transferring"}, times=2)
        last = service.dial(PLAIN)
        for auth in (None, "Basic x", "Basic " + "eDp5"):
            service.post(event("answer", "c-1", PLAIN), auth=auth)
        service.get(event("answer", "c-2", PLAIN, **{"from": "+12125550142"}), auth=None)
        service.get(event("answer", "c-+12125550199", PLAIN))
        service.post(event("hangup", "c-3", PLAIN, cause="+12125550199 left"))
        service.post(event("hangup", "c-4", PLAIN, cause="12125550199"))
        service.request("GET", f"/{CALLER}")
        service.request("GET", f"/%2B{CALLER[1:]}/sip:{CALLER}@example.com")
        service.post([CALLER])
        service.post(event("answer", "c-5", ANN), f"{LEGS}{CALLER}")
        service.request("POST", CALLBACKS, data=b"\xff" * 100)
        wait_until(lambda: service.leg(last)["state"] != "active", 20)  # it may meet each fault
        service.rules_path.write_text(f"version: 1\nlines: {{+12125550199: {CALLER}}}\n")
        wait_until(lambda: len(service.logged("rules-refused")) == 2)
        wait_until(lambda: service.logged("routed"))
        levels = {row["level"] for row in service.log}
        assert "DEBUG" in levels or "INFO" in levels
        whole = "\n".join(service.out)
        for digits in ("2125550142", "2125550199", "9195552001", "9195551001"):
            assert digits not in whole


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+12125550142", "***0142"),
        ("to=%2B12125550142&x", "to=***0142&x"),
        ("to=%2b12125550142", "to=***0142"),
        ("sip:+12125550142@example.com", "sip:***0142@example.com"),
        ("sip:12125550142@example.com", "sip:***0142@example.com"),
        ("12125550142", "***0142"),
        ("from 12125550142.", "from ***0142."),
        ("tel:+12125550142;x", "tel:***0142;x"),
        ("['+12125550142', '+442079460001']", "['***0142', '***0001']"),
        ("%252B12125550142", "***0142"),
        ("+1 (212) 555-0142", "***0142"),
        ("212-555-0142", "***0142"),
        ("(212) 555-0142", "***0142"),
        ("+44 20 7946 0001", "***0001"),
        ("12:45 on Monday 2026-11-23", "12:45 on Monday 2026-11-23"),
        ("call c-3n4xmg6d7l7f7cuhtrzw", "call c-3n4xmg6d7l7f7cuhtrzw"),
        ("2026-11-23T05:17:01.123+00:00", "2026-11-23T05:17:01.123+00:00"),
        ("dda634ca25487f57", "dda634ca25487f57"),
        # Separators of any kind, and letters beside the number
        ("sip:1-919-555-0102@example.org", "sip:***0102@example.org"),
        ("sip:u19195550102@example.org", "sip:u***0102@example.org"),
        ("sip:19195550102x@example.org", "sip:***0102x@example.org"),
        ("+1/919/555/0102", "***0102"),
        ("919.555.0102", "***0102"),
        ("1_919_555_0102", "***0102"),
        ("1\u2011919\u2011555\u20110102", "***0102"),
        ("1\u00a0919\u00a0555\u00a00102", "***0102"),
        ("1%20919%20555%200102", "***0102"),
        ("1%2d919%2D555%252E0102", "***0102"),
        ("%31%39%31%39%35%35%35%30%31%30%32", "***0102"),
        ("c-19195550102", "c-***0102"),
        ("sip:c-xx9195550102xx@example.org", "sip:c-xx***0102xx@example.org"),
        ("555-0102", "***0102"),
        ("+12345", "***2345"),
        # What is no number
        ("2026-03-09/2026-03-20", "2026-03-09/2026-03-20"),
        ("2026-11-23 05:17:01.123456", "2026-11-23 05:17:01.123456"),
        ("09:00-17:00, 2026-12-25", "09:00-17:00, 2026-12-25"),
        ("the ledger at 10.12.13.14:6379: x", "the ledger at 10.12.13.14:6379: x"),
        ("Listening at: http://0.0.0.0:5000 (12345)", "Listening at: http://0.0.0.0:5000 (12345)"),
        ("sip:ann@192.168.100.200:5060", "sip:ann@192.168.100.200:5060"),
        ("2001:db8:1234:5678::1", "2001:db8:1234:5678::1"),
        ("c-12345-17-18eb3f4a5b6c7d8e", "c-12345-17-18eb3f4a5b6c7d8e"),
        ("rules.yaml:1234:123: x", "rules.yaml:1234:123: x"),
        ("12 calls in 3.25 s", "12 calls in 3.25 s"),
    ],
)
def test_masking(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_a_value_without_end_is_cut() -> None:
    line = JsonFormatter().line(0, "INFO", "x", "y" * 60_000, {"z": "z" * 60_000})
    assert len(line) < 20_000


def test_an_unhandled_error_is_one_line() -> None:
    try:
        raise RuntimeError("cannot reach\n+12125550142")
    except RuntimeError as error:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "unhandled\n%s", ("é",), None)
        record.exc_info = (type(error), error, error.__traceback__)
    text = JsonFormatter().format(record)
    assert "\n" not in text
    row = json.loads(text)
    assert "2125550142" not in text
    assert "RuntimeError" in row["exception"]


def test_a_full_disk_under_the_log_fails_no_call() -> None:
    code = (
        "import logging, logging.config, sys, logs\n"
        "logging.config.dictConfig(logs.configuration('INFO', mask=True))\n"
        "logs.say(logging.getLogger('callrouter'), logging.INFO, 'routed', {'line': 'main'})\n"
        "print('went on', file=sys.stderr)\n"
    )
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert "went on" in done.stderr
