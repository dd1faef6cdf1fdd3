"""Signs that nobody sees: where they stand in the way, and the text without them.

Within a sentence, in quotes or in a comment a no-break space does no harm. In the indentation, in a
key or beside a separator it is taken for a letter, and nobody sees why the line means nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from routing.problems import Problem, RulesError
from routing.reading.document import small_pieces
from routing.signs import INVISIBLE, named, ordinary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MANY = 20
"""How often a text is gone through again with the signs mended that the parser stumbled over."""
_COMMENT = re.compile(r"(?:^|\s)#")
_BEHIND_COLON = re.compile(r"[\w.+-]+:$|-$")

_UNSEEN = re.compile(f"{INVISIBLE.pattern}|(?<=\\S)[ \t]*\t")
"""An invisible sign, or a tab behind something."""

Place = tuple[int, int]
"""A line and a column, from 0."""


class Cleared(NamedTuple):
    """A text without the signs that are in the way, and an error for each line that had one."""

    text: str
    problems: list[Problem]
    removed: dict[int, list[int]]
    """Columns of what was removed, by line; the others were replaced."""

    def error_with(self, found: RulesError) -> RulesError:
        """Return the signs together with what else is wrong, in other lines of the cleared text."""
        lines = {each.line for each in self.problems}
        others = [self._placed(each) for each in found.errors if each.line not in lines]
        errors = sorted([*self.problems, *others])
        return RulesError(errors, list(map(self._placed, found.warnings)))

    def _placed(self, problem: Problem) -> Problem:
        """Return a problem of the cleared text with its column in the text as it was."""
        column = problem.column
        for at in self.removed.get(problem.line - 1, ()):
            column += at < column
        return Problem(problem.line, column, problem.path, problem.code, problem.message)


def clear(pieces: Iterable[str], breathe: Callable[[], None]) -> Cleared | None:
    """Return the text that `pieces` make up without signs in the way, None where there are none."""
    if not _has_any(pieces, breathe):
        return None
    lines = "".join(pieces).splitlines(keepends=True)
    found: set[Place] = set()
    for _ in range(_MANY):
        more = set(_in_the_way(lines, found, _all(lines) - found))
        if not more:
            break
        found |= more
    if not found:
        return None
    by_line: dict[int, list[int]] = {}
    for line, column in sorted(found):
        by_line.setdefault(line, []).append(column)
    cleared = _cleared(lines, found)
    problems = [
        _problem(lines[line], line, columns, cleared[line]) for line, columns in by_line.items()
    ]
    removed = {
        line: [column for column in columns if not ordinary(lines[line][column])]
        for line, columns in by_line.items()
    }
    return Cleared("".join(cleared), problems, removed)


def _has_any(pieces: Iterable[str], breathe: Callable[[], None]) -> bool:
    for piece in small_pieces(pieces):
        breathe()
        if not piece.isascii() and INVISIBLE.search(piece):
            return True
    return False


def _all(lines: list[str]) -> set[Place]:
    """Return where invisible signs are, but for a byte order mark that begins the text."""
    return {
        (line, found.start())
        for line, text in enumerate(lines)
        for found in INVISIBLE.finditer(text)
        if (line, found.start()) != (0, 0) or found[0] != "\ufeff"
    }


def _masked(lines: list[str], places: set[Place]) -> str:
    """Return the text with something ordinary in these places, everything else where it was."""
    masked = {line: list(lines[line]) for line, _ in places}
    for line, column in places:
        sign = ordinary(lines[line][column])
        around = lines[line][column - 1 : column + 2]
        masked[line][column] = sign or ("x" if re.fullmatch(r"\w.\w", around) else " ")
    return "".join("".join(masked.get(line, text)) for line, text in enumerate(lines))


def _cleared(lines: list[str], places: set[Place]) -> list[str]:
    """Return the lines with what was meant in these places."""
    cleared = {line: list(lines[line]) for line, _ in places}
    for line, column in places:
        cleared[line][column] = ordinary(lines[line][column])
    return ["".join(cleared.get(line, text)) for line, text in enumerate(lines)]


def _in_the_way(lines: list[str], cleared: set[Place], left: set[Place]) -> Iterator[Place]:
    """Yield those of the places that are `left` where a sign is in the way.

    Up to where the parser stumbles it says what each sign belongs to.
    """
    by_line: dict[int, list[int]] = {}
    for line, column in left:
        by_line.setdefault(line, []).append(column)
    text = _masked(lines, cleared).encode(errors="replace").decode()
    parser = _Loader(text)
    before: Any = None
    try:
        while (token := parser.get_token()) is not None:
            if isinstance(token, yaml.ScalarToken):
                key = isinstance(before, yaml.KeyToken)
                yield from _in_scalar(token, key, lines, by_line)
            before = token
    except yaml.MarkedYAMLError as error:
        yield from _stumbled_over(error, lines, by_line)
    except yaml.YAMLError:
        pass  # what cannot be read at all is told of elsewhere
    finally:
        parser.dispose()


def _in_scalar(
    token: Any, key: bool, lines: list[str], by_line: dict[int, list[int]]
) -> Iterator[Place]:
    start, end = token.start_mark, token.end_mark
    for line in range(start.line, end.line + 1):
        columns = by_line.get(line)
        if not columns:
            continue
        first = start.column if line == start.line else 0
        last = end.column if line == end.line else len(lines[line].rstrip("\r\n"))
        within = [column for column in columns if first <= column < last]
        by_line[line] = [column for column in columns if column not in within]
        if token.plain:
            text = lines[line][first:last]
            yield from ((line, at) for at in within if key or _at_an_edge(text, at - first))


def _at_an_edge(text: str, at: int) -> bool:
    """Return whether nothing but signs like it, or a separator, stands on one side of a sign."""
    before, after = INVISIBLE.sub(" ", text[:at]).strip(), INVISIBLE.sub(" ", text[at:]).strip()
    return not before or not after or bool(_BEHIND_COLON.fullmatch(before))


def _stumbled_over(
    error: yaml.MarkedYAMLError, lines: list[str], by_line: dict[int, list[int]]
) -> Iterator[Place]:
    mark = error.problem_mark or error.context_mark
    last = mark.line if mark else len(lines)
    first = error.context_mark.line if error.context_mark else last
    for line in range(first, min(last + 1, len(lines))):
        for column in by_line.get(line, ()):
            if not _COMMENT.search(lines[line], 0, column):
                yield line, column


def _problem(text: str, line: int, columns: list[int], cleared: str) -> Problem:
    column = columns[0]
    sign = named(text[column])
    meant, blanks = cleared.strip(), len(cleared) - len(cleared.lstrip())
    if not INVISIBLE.sub(" ", text[: column + 1]).strip():
        message = f"{sign} stands in the indentation; use ordinary blanks, {blanks} of them"
    elif ordinary(text[column]):
        message = f"{sign} stands where an ordinary blank belongs; write `{meant}`"
    else:
        message = f"{sign} stands here, which nobody sees; delete it: `{meant}`"
    return Problem(line + 1, column + 1, "", "invisible-sign", message)


def point_out(errors: list[Problem], pieces: Iterable[str]) -> list[Problem]:
    """Return errors that name the invisible sign behind their place, where there is one."""
    lines: list[str] | None = None
    found = []
    for each in errors:
        lines = lines or "".join(pieces).splitlines()
        text = lines[each.line - 1] if each.line <= len(lines) else ""
        sign = _UNSEEN.search(_COMMENT.split(text)[0], each.column - 1)
        if sign and "(U+" not in each.message:
            where = f"{named(sign[0][-1])} stands in column {sign.end()}"
            message = f"{each.message}; {where}"
            found.append(Problem(each.line, each.column, each.path, each.code, message))
        else:
            found.append(each)
    return found
