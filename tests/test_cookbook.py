"""The cookbook works as it stands: each file is good, is what the page shows, and is drawn so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app import create_app
from settings import Settings

if TYPE_CHECKING:
    from click.testing import Result

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs/cookbook"
PAGE = (ROOT / "docs/cookbook.md").read_text("utf-8")
RECIPES = PAGE.split("\n## ")[1:]
NAMES = [re.findall(r"\(cookbook/(.+)\.yaml\)", recipe)[0] for recipe in RECIPES]


def command(tmp_path: Path, *arguments: str) -> Result:
    """Run `flask rules …`."""
    service = create_app(Settings(ledger_url=f"sqlite:///{tmp_path / 'ledger.sqlite3'}"))
    with service.app_context():
        return service.test_cli_runner().invoke(args=["rules", *arguments])


def block(recipe: str, language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", recipe, re.MULTILINE | re.DOTALL)
    return str(found)


def test_every_file_is_on_the_page() -> None:
    assert len(NAMES) == 10
    found = {path.name for path in FOLDER.iterdir()}
    assert found == {f"{name}.{kind}" for name in NAMES for kind in ("yaml", "svg")}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_good_without_a_warning(name: str, tmp_path: Path) -> None:
    checked = command(tmp_path, "check", "--strict", str(FOLDER / f"{name}.yaml"))
    assert (checked.exit_code, checked.stderr) == (0, ""), checked.stdout
    assert "0 errors, 0 warnings" in checked.stdout


@pytest.mark.parametrize("name", NAMES)
def test_what_a_file_expects_comes_true(name: str, tmp_path: Path) -> None:
    tested = command(tmp_path, "test", str(FOLDER / f"{name}.yaml"))
    assert tested.exit_code == 0, tested.stdout
    (passed,) = re.findall(r"^(\d+) passed, 0 failed$", tested.stdout, re.MULTILINE)
    assert int(passed) >= 4


@pytest.mark.parametrize(("name", "recipe"), [*zip(NAMES, RECIPES, strict=True)], ids=NAMES)
def test_the_page_shows_the_file(name: str, recipe: str) -> None:
    assert block(recipe, "yaml") == (FOLDER / f"{name}.yaml").read_text("utf-8")
    assert f"(cookbook/{name}.svg)" in recipe


@pytest.mark.parametrize(("name", "recipe"), [*zip(NAMES, RECIPES, strict=True)], ids=NAMES)
def test_the_picture_is_what_the_command_draws(name: str, recipe: str, tmp_path: Path) -> None:
    *words, path = shlex.split(block(recipe, "sh"))
    assert (words[:3], words[-1]) == (["flask", "rules", "timeline"], "--svg")
    assert (ROOT / path, path in PAGE) == (FOLDER / f"{name}.svg", True)
    drawn = tmp_path / "drawn.svg"
    rules = words.index("--rules") + 1
    words[rules] = str(ROOT / words[rules])
    done = command(tmp_path, *words[2:], str(drawn))
    assert done.exit_code == 0, done.output
    assert drawn.read_text("utf-8") == (FOLDER / f"{name}.svg").read_text("utf-8"), "make docs"
