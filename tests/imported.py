"""Which packages the service imports: what its source names, and what is there when it runs."""

from __future__ import annotations

import ast
import json
import sys
from importlib.metadata import distribution, distributions, packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).parents[1]
_NOT_DEPLOYED = {"tests", "benchmarks"}
SEEN = "MODULES_SEEN"
"""Variable with the folder into which each process writes the files of its modules."""
SITECUSTOMIZE = f"""
import atexit, json, os, sys

at_first = set(sys.modules)

@atexit.register
def write():
    new = [each for name, each in sys.modules.items() if name not in at_first]
    files = [each.__file__ for each in new if getattr(each, "__file__", None)]
    with open(os.path.join(os.environ[{SEEN!r}], str(os.getpid())), "w") as file:
        json.dump(files, file)
"""


def unasked(asked: set[str], named: set[str], loaded: set[str]) -> set[str]:
    """Return what is imported and would not be there if nothing but `asked` were installed.

    What our own source names must be asked for by its own name. What other packages import may
    be there because a package that is asked for needs it.
    """
    return (named - asked) | (loaded - _needed(asked))


def _needed(asked: Iterable[str]) -> set[str]:
    """Return packages and all that they need here; what an extra would bring is not needed."""
    found: set[str] = set()
    left = list(asked)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            needs = map(Requirement, distribution(name).requires or ())
            left += [
                canonicalize_name(each.name)
                for each in needs
                if each.marker is None or each.marker.evaluate({"extra": ""})
            ]
    return found


def named() -> set[str]:
    """Return the packages that our source names, wherever in a file it does."""
    modules = {name.partition(".")[0] for file in _sources() for name in _imports(file)}
    providers = packages_distributions()
    others = modules - sys.stdlib_module_names - _ours()
    return {canonicalize_name(each) for name in others for each in providers[name]}


def _ours() -> set[str]:
    return {file.relative_to(ROOT).parts[0].removesuffix(".py") for file in _sources()}


def _sources() -> Iterator[Path]:
    yield from ROOT.glob("*.py")
    for package in ROOT.glob("*/__init__.py"):
        if package.parent.name not in _NOT_DEPLOYED:
            yield from package.parent.rglob("*.py")


def _imports(file: Path) -> Iterator[str]:
    left: list[ast.AST] = [ast.parse(file.read_text("utf-8"))]
    while left:
        match left.pop():
            case ast.If(test=ast.Name("TYPE_CHECKING"), orelse=otherwise):
                left += otherwise
            case ast.Import(names):
                yield from (each.name for each in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case other:
                left += ast.iter_child_nodes(other)


def loaded(folder: Path) -> set[str]:
    """Return the packages whose modules the processes have told of."""
    owners = {
        str(each.locate_file(file)): canonicalize_name(each.metadata["Name"])
        for each in distributions()
        for file in each.files or ()
    }
    files = {file for told in folder.iterdir() for file in json.loads(told.read_text())}
    return {owners[file] for file in files if file in owners}
