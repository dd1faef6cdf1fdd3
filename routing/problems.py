"""What is wrong in a rules file, and where."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field, structs

from routing.signs import odd

if TYPE_CHECKING:
    from collections.abc import Iterable

    from routing.reading.document import Node

Path = tuple[Any, ...]
"""Where a key stands, innermost last; a chain of pairs, so that a good file costs no text."""

Keys = tuple[str | int, ...]
"""A path, outermost key first: `("lines", "main", "rules", 2, "onBusy")`."""
ROOT: Path = ()
_MANY = 5
"""Lines that are listed."""


def keys_of(path: Path) -> Keys:
    """Return the keys of a path, outermost first."""
    keys: list[str | int] = []
    while path:
        path, key = path
        keys.append(key)
    return tuple(reversed(keys))


def path_text(path: Path) -> str:
    """Return a path as people write it: `lines.main.rules[2].when.busy`."""
    return keys_text(keys_of(path))


def keys_text(keys: Keys) -> str:
    """Return the keys of a path as people write them: `lines.main.rules[2].onBusy`."""
    parts = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return "".join(parts).removeprefix(".")


class Problem(Struct, frozen=True, order=True):
    """One thing to mend: `line` and `column` count from 1, `path` names the key."""

    line: int
    column: int
    path: str
    code: str
    message: str

    def as_json(self) -> dict[str, Any]:
        """Return the problem as `flask rules check --json` prints it."""
        return {
            "line": self.line,
            "column": self.column,
            "path": self.path,
            "code": self.code,
            "message": self.message,
        }


class RulesError(Exception):
    """The text is not a good rules file: `errors` holds all of them, in order of place."""

    def __init__(self, errors: list[Problem], warnings: list[Problem]) -> None:
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"line {first.line}: {first.path}: {first.message}{more}")
        self.errors = errors
        self.warnings = warnings


def text_of_rules(content: bytes) -> str:
    """Return the text that a rules file holds; raises RulesError where it is not UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        problem = Problem(line, column, "", "encoding", "the file is not UTF-8")
        raise RulesError([problem], []) from None


class Wrong(Exception):  # noqa: N818 - a value is wrong; the reader turns this into a Problem
    """Raised while one value is read: `code` and the message of the Problem it becomes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def as_meant(wrong: Wrong, text: str, written: str | None) -> Wrong:
    """Return an error that says how `text` is written, where it is known what was meant."""
    if written is None or written == text:
        return wrong
    sign = odd(text)
    what = f"{sign} stands there" if sign else str(wrong).partition(";")[0]
    return Wrong(wrong.code, f"{what}; write {written}")


class Problems(Struct):
    """Collects every error and warning of one file, in order of place, each one once.

    An aliased part is read several times, and so may its problems be noted.
    """

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    noted: int = 0
    """How often something was noted so far."""

    def error(self, node: Node, path: Path, code: str, message: str) -> None:
        """Note an error at the place of `node`."""
        self.note_error(node.line, node.column, path_text(path), code, message)

    def note_error(self, line: int, column: int, path: str, code: str, message: str) -> None:
        """Note an error at a place whose path is text already."""
        self._note(self.errors, Problem(line, column, path, code, message))

    def warn(self, node: Node, path: Path, code: str, message: str) -> None:
        """Note a warning at the place of `node`."""
        problem = Problem(node.line, node.column, path_text(path), code, message)
        self._note(self.warnings, problem)

    def _note(self, found: list[Problem], problem: Problem) -> None:
        self.noted += 1
        if not found or found[-1] < problem:
            found.append(problem)
            return
        place = bisect_left(found, problem)
        if found[place] != problem:
            found.insert(place, problem)


def once(errors: list[Problem]) -> list[Problem]:
    """Return errors with one for each mistake.

    An unknown name is one, wherever it stands. What else is wrong with a value that has a tag
    follows from that.
    """
    tags = {(each.line, each.column) for each in errors if each.code == "tag"}
    errors = [e for e in errors if e.code == "tag" or (e.line, e.column) not in tags]
    places: dict[str, list[Problem]] = {}
    for each in errors:
        if each.code == "unknown-name":
            places.setdefault(each.message, []).append(each)
    first = {same[0]: same[1:] for same in places.values()}
    found = []
    for each in errors:
        if each.code != "unknown-name" or each in first:
            others = list(dict.fromkeys(str(other.line) for other in first.get(each, ())))
            found.append(structs.replace(each, message=each.message + _also(others)))
    return found


def _also(lines: list[str]) -> str:
    """Return ` (lines 62, 77 and 8 more, too)`."""
    if not lines:
        return ""
    more = f" and {len(lines) - _MANY} more" if len(lines) > _MANY else ""
    return f" (line{'' if len(lines) == 1 else 's'} {', '.join(lines[:_MANY])}{more}, too)"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` if a known word is close to `word`, else nothing."""
    close = nearest(word, known, 0.6)
    return f"; did you mean {close!r}?" if close else ""


def nearest(word: str, known: Iterable[str], likeness: float) -> str | None:
    """Return the known word most like `word`, if it is at least so much like it (1 is equal).

    Neither case counts nor what separates the parts of a word: `No_Answer` is `no-answer`.
    """
    names = list(known)
    same = next((name for name in names if _plain(name) == _plain(word)), None)
    if same is not None:
        return same
    lower: dict[str, str] = {}
    for name in names:
        lower.setdefault(name.lower(), name)
    close = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=likeness)
    return lower[close[0]] if close else None


def _plain(word: str) -> str:
    return re.sub(r"[\W_]+", "", word).lower() or word
