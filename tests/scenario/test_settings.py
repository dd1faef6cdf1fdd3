"""Every setting: what it does, and one clear line where it cannot be meant."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.scenario.rules import PLAIN, PLAIN_BODY, RULES
from tests.service import (
    PROJECT,
    SECRETS,
    Service,
    clean_environment,
    event,
    free_port,
    new_call_id,
    procfile,
    run,
)

GOOD = {
    "BANDWIDTH_USER_ID": "u-1",
    "BANDWIDTH_API_TOKEN": "t-distinctive",
    "BANDWIDTH_API_SECRET": "s-distinctive",
    "CALLBACK_USERNAME": "name",
    "CALLBACK_PASSWORD": "p-distinctive",
    "PUBLIC_URL": "https://voice.example.com",
    "LEDGER_URL": "sqlite:////tmp/never-made/ledger.sqlite3",
}


def refused(env: dict[str, str | None]) -> str:
    """Start with these settings; the one line that says why it does not."""
    whole = clean_environment() | {"PORT": str(free_port())}
    given = {name: value for name, value in (GOOD | env).items() if value is not None}
    try:
        ended = subprocess.run(
            procfile("web"),
            cwd=PROJECT,
            env=whole | given,
            capture_output=True,
            text=True,
            timeout=8,
            check=False,
        )
    except subprocess.TimeoutExpired as running:
        raise AssertionError(f"it started: {running.stdout!r}") from None
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr + ended.stdout
    lines = (ended.stderr + ended.stdout).strip().splitlines()
    assert len(lines) == 1, lines
    assert lines[0].startswith("cannot start: ")
    for secret in ("s-distinctive", "p-distinctive", "t-distinctive", *SECRETS):
        assert secret not in lines[0]
    return lines[0]


MISSING = [
    ["BANDWIDTH_USER_ID"],
    ["BANDWIDTH_API_TOKEN"],
    ["BANDWIDTH_API_SECRET"],
    ["BANDWIDTH_USER_ID", "BANDWIDTH_API_TOKEN", "BANDWIDTH_API_SECRET"],
    ["CALLBACK_USERNAME"],
    ["CALLBACK_PASSWORD"],
    ["CALLBACK_USERNAME", "CALLBACK_PASSWORD", "BANDWIDTH_API_SECRET"],
]


@pytest.mark.parametrize("blank", [None, "", "  "], ids=["unset", "empty", "blank"])
def test_missing_credentials_are_named(blank: str | None) -> None:
    with ThreadPoolExecutor(2) as pool:
        lines = list(pool.map(lambda names: refused(dict.fromkeys(names, blank)), MISSING))
    for names, line in zip(MISSING, lines, strict=True):
        assert [name for name in names if name not in line] == []
        # One that is there is not said to be missing; the callback's two are named as a pair.
        others = {name for name in GOOD if name.startswith("BANDWIDTH_")} - set(names)
        assert [name for name in others if name in line] == []


BAD = {
    "BANDWIDTH_API_URL": ["nonsense", "ftp://x/v1", "http://", "http://[::1/v1", "http://x:y/v1"],
    "BANDWIDTH_USER_ID": ["a/b", "a b", "..", "a?b", "é"],
    "PUBLIC_URL": ["voice.example.com", "://", "https://user:p-distinctive@h", "https://h?x#y"],
    "RING_TONE_URL": ["https://user:p-distinctive@h/x.wav", "x.wav"],
    "AUTO_ANSWER": ["maybe", "2"],
    "CALLBACK_AUTH": ["none", "disabled"],
    "CALLBACK_BUDGET": ["soon", "0", "-1", "11", "nan", "inf", "8s"],
    "LEDGER_URL": [
        *("postgres://x/y", "ledger.db", "sqlite://", "sqlite:///", "redis://"),
        *("redis://:p-distinctive@h:port", "redis://h?foo=1", "redis://:p@-distinctive@h/x"),
        *("sqlite:///x?ssl_cert_reqs=none", "sqlite:////tmp", "redis://h/one"),
    ],
    "PORT": ["http", "-1", "70000", "80 80"],
    "WEB_CONCURRENCY": ["0", "1000000"],
    "REDIS_URL": ["http://x", "rediss://", "rediss://:p-distinctive#x@h"],
    "REDIS_TLS": ["/nowhere/ca.pem", __file__],
    "ROUTING_RULES": ["/tmp"],  # noqa: S108 - a folder
    "LEDGER_COPIES": ["/tmp"],  # noqa: S108
    "CALLBACK_USERNAME": ["a:b", "a\nb"],
    "CALLBACK_PASSWORD": ["p-distinctive\nx"],
    "BANDWIDTH_API_TOKEN": ["t-distinctive:x"],
    "LOG_LEVEL": ["LOUD", "10"],
    "LOG_NUMBERS": ["some"],
    "LEDGER_DAYS": ["x", "-1"],
}


@pytest.mark.parametrize("name", BAD)
def test_a_value_that_cannot_be_meant_is_one_clear_line(name: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        ours = {"LEDGER_URL": None} if name == "REDIS_URL" else {}
        lines = list(pool.map(lambda value: refused(ours | {name: value}), BAD[name]))
    assert [line for line in lines if name not in line] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem"),
        ("REQUESTS_CA_BUNDLE", __file__),
        ("HTTPS_PROXY", "https://proxy.example.test"),
    ],
)
def test_what_the_platform_cannot_be_reached_with_is_told_at_the_start(
    name: str, value: str
) -> None:
    env = clean_environment() | GOOD | {"PORT": str(free_port()), name: value}
    ended = subprocess.run(
        procfile("web"),
        cwd=PROJECT,
        env=env,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr + ended.stdout
    assert ended.stderr.splitlines()[-1].startswith(f"cannot start: {name} ")


@pytest.mark.parametrize("number", ["auto", "-2", "1.5"])
def test_a_number_of_workers_that_is_none_does_not_start_either(number: str) -> None:
    """gunicorn reads it before us, and says so in its own words."""
    env = clean_environment() | GOOD | {"WEB_CONCURRENCY": number}
    ended = subprocess.run(
        procfile("web"), cwd=PROJECT, env=env, capture_output=True, timeout=20, check=False
    )
    assert ended.returncode != 0
    assert number.encode() in ended.stderr


@pytest.mark.parametrize("name", BAD)
def test_the_release_says_it_too(name: str) -> None:
    ours = {"LEDGER_URL": None} if name == "REDIS_URL" else {}
    for value in BAD[name][-1:]:
        assert said_by(("flask", "rules", "check"), ours | {name: value}).startswith(
            f"cannot start: {name}"
        )


@pytest.mark.parametrize("value", ["auto", "many", "-2", "1.5", " "])
def test_the_release_says_what_gunicorn_would_say_with_a_traceback(value: str) -> None:
    line = said_by(("flask", "rules", "check"), {"WEB_CONCURRENCY": value})
    assert line.startswith("cannot start: WEB_CONCURRENCY ")


@pytest.mark.parametrize(
    "command", ["--help", "routes", "calls list", "presence list", "rules test", "demo", "emulator"]
)
def test_every_command_says_it(command: str) -> None:
    line = said_by(("flask", *command.split()), {"LEDGER_URL": "redis://:p-distinctive@h:x"})
    assert line.startswith("cannot start: LEDGER_URL ")


def said_by(command: tuple[str, ...], env: dict[str, str | None]) -> str:
    """Run a command of ours with these settings; the one line that says what is wrong."""
    given = {name: value for name, value in (GOOD | env).items() if value is not None}
    ended = run(*command, env=given)
    assert ended.returncode != 0
    (line,) = (ended.stderr + ended.stdout).strip().splitlines()
    assert "distinctive" not in line
    return line


def test_copies_that_cannot_be_kept_stop_the_start() -> None:
    env = {"LEDGER_URL": "redis://127.0.0.1:1/0", "LEDGER_COPIES": "/dev/null/copies"}
    assert "LEDGER_COPIES" in refused(dict(env))
    assert "LEDGER_COPIES" in said_by(("flask", "rules", "check"), dict(env))


def test_commands_need_no_account() -> None:
    assert run("flask", "rules", "check").returncode == 0


@pytest.mark.parametrize(
    "env",
    [
        {"CALLBACK_AUTH": "off", "CALLBACK_USERNAME": None, "CALLBACK_PASSWORD": None},
        {"CALLBACK_AUTH": "OFF", "AUTO_ANSWER": "TRUE", "LOG_NUMBERS": "Masked"},
        {"AUTO_ANSWER": "yes", "LOG_LEVEL": "debug", "CALLBACK_BUDGET": "2.5"},
        {"WEB_CONCURRENCY": "3", "AUTO_ANSWER": "1", "LOG_LEVEL": "WARNING"},
        {"AUTO_ANSWER": " true ", "REDIS_URL": "redis://127.0.0.1:1/0"},
    ],
    ids="-".join,
)
def test_values_that_can_be_meant(env: dict[str, Any]) -> None:
    quiet = env.get("LOG_LEVEL") == "WARNING"
    if quiet:  # then nothing tells that the rules were read
        env = env | {"LOG_LEVEL": "info"}
    with Service(RULES, stub=True, **env) as service:
        call_id = new_call_id()
        assert service.post(event("answer", call_id, PLAIN)).status_code == 200
        assert service.transfer_of(call_id) == PLAIN_BODY
        assert len(service.api_requests(call_id)) == 1


def test_a_public_url_with_a_path() -> None:
    with Service(RULES, stub=True, PUBLIC_URL="https://voice.example.com:8443/x/") as service:
        call_id = new_call_id()
        service.post(event("answer", call_id, PLAIN))
        url = service.transfers(call_id)[0].body["callbackUrl"]
        assert re.fullmatch(
            r"https://[^@/]+@voice\.example\.com:8443/x/callbacks/catapult/legs/[\w.-]+", url
        )


def test_two_services_of_one_host_share_a_ledger() -> None:
    with Service(RULES, stub=True) as first:
        ledger = f"sqlite:///{first.ledger_path}"
        with Service(RULES, stub=True, LEDGER_URL=ledger) as second:
            call_id = new_call_id()
            sent = event("answer", call_id, PLAIN)
            with ThreadPoolExecutor(10) as pool:
                posts = [first.post, second.post] * 10
                answers = list(pool.map(lambda post: post(sent), posts))
            assert {answer.status_code for answer in answers} == {200}
            assert len(first.transfers(call_id) + second.transfers(call_id)) == 1
