"""What a repository with nothing but rules gets: the hooks of pre-commit, and their command."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
RULES = (ROOT / "docs/cookbook/public-holidays.yaml").read_text("utf-8")
BROKEN = RULES.replace("{outside: office}", "{outside: ofice}", 1)
FAILING = RULES.replace("rule: closed}", "rule: otherwise}", 1)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what an installation of the project has, and nothing else."""
    root = tmp_path_factory.mktemp("installed")
    for package in SETUPTOOLS["packages"]:
        source = ROOT / package.replace(".", "/")
        target = root / package.replace(".", "/")
        target.mkdir(parents=True)
        for module in source.glob("*.py"):
            shutil.copy(module, target)
    for module in SETUPTOOLS.get("py-modules", ()):
        shutil.copy(ROOT / f"{module}.py", root)
    return root


def run(installed: Path, entry: str, folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    """Run a hook's entry as pre-commit does, in the folder of somebody's repository."""
    program, *arguments = entry.split()
    module, function = PROJECT["project"]["scripts"][program].split(":")
    start = f"import sys; sys.path[0] = {str(installed)!r}; from {module} import {function} as run"
    return subprocess.run(
        [sys.executable, "-c", f"{start}; run(prog_name={program!r})", *arguments, *files],
        cwd=folder,
        env={"HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"good": RULES, "broken": BROKEN, "failing": FAILING}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "routing_rules.yaml").write_text(text, "utf-8")
    return tmp_path


GOOD, BAD, FAILS = (f"{name}/routing_rules.yaml" for name in ("good", "broken", "failing"))
RUNS = [
    ((GOOD,), 0, "0 errors, 0 warnings", "6 passed, 0 failed"),
    ((GOOD, GOOD), 0, "0 errors, 0 warnings", "6 passed, 0 failed"),
    ((BAD, GOOD), 1, "did you mean 'office'", "did you mean 'office'"),
    ((GOOD, FAILS), 1, "expected rule 'otherwise'", "FAIL failing/routing_rules.yaml:"),
    (("none.yaml",), 2, "none.yaml: No such file", "none.yaml: No such file"),
    (("none.yaml", GOOD), 2, "0 errors, 0 warnings", "6 passed, 0 failed"),
    (("--", "-x.yaml"), 2, "-x.yaml: No such file", "-x.yaml: No such file"),
    ((), 2, "Missing argument", "Missing argument"),
]


@pytest.mark.parametrize(("files", "code", "checked", "tested"), RUNS)
def test_the_hooks(
    installed: Path, folder: Path, files: tuple[str, ...], code: int, checked: str, tested: str
) -> None:
    for hook, says in zip(HOOKS, (checked, tested), strict=True):
        done = run(installed, hook["entry"], folder, *files)
        assert done.returncode == code, done.stderr
        assert says in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_warnings_count_if_asked(installed: Path, folder: Path) -> None:
    warned = RULES.replace("version: 1\n", "", 1)
    (folder / "routing_rules.yaml").write_text(warned, "utf-8")
    entry = HOOKS[0]["entry"]
    assert run(installed, entry, folder, "routing_rules.yaml").returncode == 0
    assert run(installed, entry, folder, "--strict", "routing_rules.yaml").returncode == 1


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("routing_rules.yaml", True),
        ("phones/routing_rules.yml", True),
        ("my_routing_rules.yaml", False),
        ("routing_rules.yaml.orig", False),
    ],
)
def test_the_hooks_want_rules_files_only(path: str, wanted: bool) -> None:
    assert [bool(re.search(hook["files"], path)) for hook in HOOKS] == [wanted, wanted]


def test_the_documents_name_the_hooks_and_commands_that_there_are() -> None:
    text = (ROOT / "docs/rules.md").read_text("utf-8")
    assert re.findall(r"- id: (\S+)", text) == [hook["id"] for hook in HOOKS]
    shown = re.findall(r"callrouter-rules (check|test)\b", text)
    assert set(shown) == {"check", "test"}
