"""What is installed is what was asked for, to the last byte."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import imported
from tests.scenario.rules import PLAIN, RULES
from tests.service import Service, event, new_call_id, run

ROOT = Path(__file__).parents[1]
ASKED = sorted(ROOT.glob("requirements*.in"))
_PIN = re.compile(r"([\w.-]+)==([^\s;]+)(?: ; ([^\\]+?))?(?: \\)?")


def pins(path: Path) -> set[tuple[str, str]]:
    """Return the packages and versions of a file; whatever else stands there is an error."""
    found = set()
    for line in path.read_text("utf-8").splitlines():
        if line.strip() and line.lstrip()[0] not in "#-":
            pin = _PIN.fullmatch(line)
            assert pin, line
            found.add((re.sub(r"[-_.]+", "-", pin[1]).lower(), pin[2]))
    return found


def locked(asked: Path) -> Path:
    return asked.with_suffix(".txt")


def test_nothing_is_locked_that_nobody_asked_for() -> None:
    assert sorted(ROOT.glob("requirements*.txt")) == sorted(map(locked, ASKED))


@pytest.mark.parametrize("asked", ASKED, ids=lambda path: path.name)
def test_what_was_asked_for_is_locked(asked: Path) -> None:
    wanted = pins(asked)
    assert wanted
    assert wanted <= pins(locked(asked)), "run `make lock`"


@pytest.mark.parametrize("asked", ASKED, ids=lambda path: path.name)
def test_every_package_has_hashes_and_no_index_is_named(asked: Path) -> None:
    text = locked(asked).read_text("utf-8")
    assert "://" not in text
    blocks = re.split(
        r"^(?=\w)", re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE), flags=re.MULTILINE
    )
    assert blocks[0] == ""
    for block in blocks[1:]:
        first, *hashes = block.rstrip().split(" \\\n")
        assert _PIN.fullmatch(first), first
        assert hashes, first
        assert all(re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}", each) for each in hashes), first


def test_the_tests_run_with_what_is_deployed() -> None:
    deployed = pins(ROOT / "requirements.txt")
    assert deployed <= pins(ROOT / "requirements-dev.txt")


ASKED_TO_RUN = {name for name, _ in pins(ROOT / "requirements.in")}
TAKEN_IF_THERE = {"typing-extensions"}
"""What msgspec imports if it can; test_deployed.py shows that the service starts without."""


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The packages that are there in a service that has worked, and in each command."""
    site, seen = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("seen")
    (site / "sitecustomize.py").write_text(imported.SITECUSTOMIZE)
    # Without the time zones of the system, as on a host that has none.
    env = {"PYTHONPATH": str(site), imported.SEEN: str(seen), "PYTHONTZPATH": ""}
    with Service(RULES, stub=True, **env) as service:
        call_id = new_call_id()
        assert service.post(event("answer", call_id, PLAIN)).status_code == 200
        assert service.readiness()[0] == 200
        assert service.metrics()
    for command in ("rules check", "rules timeline", "calls list", "presence list", "demo --help"):
        done = run(
            "flask", *command.split(), env=env | {"LEDGER_URL": f"sqlite:///{seen.parent}/x"}
        )
        assert done.returncode == 0, done.stderr
    return imported.loaded(seen)


def test_what_is_imported_is_asked_for(loaded: set[str]) -> None:
    assert imported.unasked(ASKED_TO_RUN, imported.named(), loaded) == TAKEN_IF_THERE


@pytest.mark.parametrize("package", sorted(ASKED_TO_RUN))
def test_what_is_asked_for_is_imported_and_would_be_missed(loaded: set[str], package: str) -> None:
    assert package in imported.unasked(ASKED_TO_RUN - {package}, imported.named(), loaded)
