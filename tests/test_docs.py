"""The documents say what is so: every name is there, every link leads somewhere, commands run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
import requests

from app import app
from emulator import Emulator
from routing import expectations
from routing.reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
OPERATIONS = (ROOT / "docs/operations.md").read_text("utf-8")
DEPENDENCIES = (ROOT / "docs/dependencies.md").read_text("utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
NEVER_MEANT = {"CRITICAL", "DEBUG", "ERROR", "INFO", "WARNING"}
PEOPLE = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "NO_PROXY": "127.0.0.1"}


def settings_read() -> set[str]:
    """Return the variables that the code reads."""
    sources = (ROOT / "settings.py", ROOT / "gunicorn.conf.py")
    text = "\n".join(each.read_text("utf-8") for each in sources)
    found = set(re.findall(r"""["']([A-Z][A-Z_]{3,})["']""", text))
    return found - NEVER_MEANT - {"PROMETHEUS_MULTIPROC_DIR"}


def settings_in(document: str) -> set[str]:
    """Return the variables of a document's table of settings."""
    return set(re.findall(r"`([A-Z_]+)`", first_column(document, "| Variable |")))


def first_column(document: str, heading: str) -> str:
    """Return the first cells of the table that begins with `heading`."""
    table, *_ = document[document.index(heading) :].split("\n\n")
    return "\n".join(line.split("|")[1] for line in table.splitlines()[2:])


def commands() -> Iterator[str]:
    """Yield every command of ours: `flask rules check` …"""
    context = click.Context(app.cli)
    for name in app.cli.list_commands(context):
        command = app.cli.get_command(context, name)
        inner = getattr(command, "commands", None)
        yield from (f"flask {name} {each}" for each in inner) if inner else [f"flask {name}"]


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=PEOPLE | environment,
        capture_output=True,
        text=True,
    )


def test_every_setting_is_documented_and_no_other() -> None:
    assert settings_in(OPERATIONS) == settings_read()
    assert settings_in(README) | {"REDIS_URL"} == settings_read()


def test_the_app_manifest_asks_for_settings_that_there_are() -> None:
    manifest = json.loads((ROOT / "app.json").read_text("utf-8"))
    assert set(manifest["env"]) <= settings_read()
    assert all(each.get("description") for each in manifest["env"].values())
    needed = re.findall(r"\b(?:BANDWIDTH|CALLBACK)_[A-Z_]+", run_without_settings().stderr)
    assert needed
    assert set(needed) - {"CALLBACK_AUTH"} <= set(manifest["env"])


def run_without_settings() -> subprocess.CompletedProcess[str]:
    """Start the service as the Procfile says, with nothing set."""
    done = run(sys.executable, "-m", *procfile()["web"].split(), PORT="1")
    assert done.returncode != 0
    return done


def procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text("utf-8").splitlines()
    return {name: line.strip() for name, _, line in (each.partition(":") for each in lines)}


def test_the_release_needs_no_account() -> None:
    done = run(sys.executable, "-m", *procfile()["release"].split())
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_is_documented(command: str) -> None:
    assert f"`{command}" in OPERATIONS


@pytest.mark.parametrize("rule", sorted({str(each) for each in app.url_map.iter_rules()}))
def test_every_route_is_documented(rule: str) -> None:
    assert re.search(rf"`(?:[A-Z`, ]+ )?{re.escape(rule)}`", OPERATIONS)


def test_every_metric_is_documented() -> None:
    source = (ROOT / "web/metrics.py").read_text("utf-8")
    assert set(re.findall(r'"(callrouter_\w+)"', source)) == {
        *re.findall(r"^\| `(callrouter_\w+)", OPERATIONS, re.MULTILINE)
    }


def test_every_log_message_is_documented() -> None:
    sources = [ROOT / "app.py", *(ROOT / "callflow").glob("*.py"), *(ROOT / "web").glob("*.py")]
    text = "\n".join(each.read_text("utf-8") for each in sources)
    told = set(re.findall(r'\btell\(\s*"([a-z-]+)"', text.replace("_tell(", "tell(")))
    assert set(re.findall(r"`([a-z-]+)`", first_column(OPERATIONS, "| `message` |"))) == told


def test_every_requirement_says_why() -> None:
    pinned = {
        re.split(r"[=\[<>~]", line)[0]
        for each in ROOT.glob("requirements*.in")
        for line in each.read_text("utf-8").splitlines()
        if line and line[0].isalpha()
    }
    rows = re.findall(r"^\| (`[^|]+) \|", DEPENDENCIES, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == pinned


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: str(each.relative_to(ROOT)))
def test_every_relative_link_resolves(document: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    for target, anchor in re.findall(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)", text):
        path = (document.parent / target).resolve() if target else document
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
            assert anchor in {_anchor(each) for each in headings}, f"{target}#{anchor}"


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_every_decision_is_listed() -> None:
    listed = (ROOT / "docs/adr/README.md").read_text("utf-8")
    for record in (ROOT / "docs/adr").glob("0*.md"):
        assert f"({record.name})" in listed


def test_the_small_rules_file_is_right() -> None:
    (text,) = blocks(README, "yaml")
    rules = read(text)
    assert rules.warnings == ()
    results = expectations.test(rules, ())
    assert [each.because for each in results if not each.passed] == []
    assert len(results) == 2


@pytest.mark.parametrize("block", blocks(README, "console"))
def test_commands_print_what_the_readme_shows(block: str) -> None:
    for shown in block.removeprefix("$ ").split("\n$ "):
        command, *lines = shown.splitlines()
        done = run(sys.executable, "-m", *command.split())
        assert done.returncode == 0, done.stderr
        missing = [line for line in lines if line not in done.stdout.splitlines()]
        assert missing == []


def test_the_demo_prints_what_the_readme_shows() -> None:
    (excerpt,) = re.findall(r"<!-- excerpt of: flask demo -->\n```text\n(.*?)^```$", *_of(README))
    said = run(sys.executable, "-m", "flask", "demo").stdout.splitlines()
    assert [line for line in excerpt.splitlines() if line not in said] == []


def _of(text: str) -> tuple[str, re.RegexFlag]:
    return text, re.DOTALL | re.MULTILINE


needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="the commands are curl's")
NUMBER, HUMAN = "+19195551000", "+19195550104"


def connect(platform: Emulator, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the script of the README that tells the platform; `folder` is to hear of each curl."""
    (script,) = blocks(README, "sh")
    spy = folder / "curl"
    spy.write_text(
        f'#!/bin/sh\nprintf \'%s\\n\' "$@" >> {folder}/heard\nexec {shutil.which("curl")} "$@"\n'
    )
    spy.chmod(0o755)
    (folder / "connect.sh").write_text(script)
    account = platform.settings
    settings = {
        "BANDWIDTH_API_URL": platform.url,
        "BANDWIDTH_USER_ID": account.user_id,
        "BANDWIDTH_API_TOKEN": account.token,
        "BANDWIDTH_API_SECRET": account.secret,
        "PUBLIC_URL": "https://router.example.test",
        "CALLBACK_USERNAME": "bandwidth",
        "CALLBACK_PASSWORD": "distinctive",
        "NUMBER": NUMBER,
        "HUMAN": HUMAN,
        "PATH": f"{folder}:{PEOPLE['PATH']}",
        "TMPDIR": str(folder),
    }
    return run("sh", str(folder / "connect.sh"), **(settings | more))


@needs_curl
def test_the_platform_is_set_up_by_the_commands_of_the_readme(tmp_path: Path) -> None:
    with Emulator(callback_url="http://127.0.0.1:9/", numbers=(NUMBER,)) as platform:
        account = platform.settings
        done = connect(platform, tmp_path)
        assert done.returncode == 0, done.stderr
        application = json.loads(done.stdout)
        url = f"{platform.url}/users/{account.user_id}/phoneNumbers/%2B{NUMBER[1:]}"
        attached = requests.get(url, auth=(account.token, account.secret), timeout=10).json()
        kept = platform.platform.account.application(application["id"])
    events = "https://bandwidth:distinctive@router.example.test/callbacks/catapult"
    assert (kept.call_url, kept.call_fallback_url) == (events, events)
    assert (application["callbackHttpMethod"], application["autoAnswer"]) == ("post", True)
    assert attached["applicationId"] == application["id"]
    assert attached["fallbackNumber"] == HUMAN
    heard = (tmp_path / "heard").read_text("utf-8")
    assert "--fail-with-body" in heard
    for secret in (account.token, account.secret, "distinctive"):
        assert secret not in heard
    assert {each.name for each in tmp_path.iterdir()} == {"curl", "heard", "connect.sh"}


@needs_curl
@pytest.mark.parametrize(
    ("wrong", "requests_made"), [({"BANDWIDTH_API_SECRET": "no"}, 1), ({"NUMBER": "+1919"}, 2)]
)
def test_they_end_at_the_first_refusal_and_show_the_reason(
    tmp_path: Path, wrong: dict[str, str], requests_made: int
) -> None:
    with Emulator(callback_url="http://127.0.0.1:9/", numbers=(NUMBER,)) as platform:
        done = connect(platform, tmp_path, **wrong)
    assert done.returncode != 0
    assert json.loads(done.stdout)["message"]
    assert (tmp_path / "heard").read_text("utf-8").count("--config") == requests_made


def test_nobody_is_asked_for_an_address_that_does_not_exist_yet() -> None:
    manifest = json.loads((ROOT / "app.json").read_text("utf-8"))
    assert manifest["env"]["PUBLIC_URL"]["required"] is False
    assert not re.search(r"https://[A-Z]+\.herokuapp\.com", README + json.dumps(manifest))
