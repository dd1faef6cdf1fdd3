"""What is wrong with a text that is no YAML, in plain words, and the line as it should be.

The parser says where it gave up and not what was meant. So the mistakes that people make are mended
one after another in the lines around that place. What is told is the mend with which the parser
comes further and the rules are best.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from routing.problems import Problem
from routing.reading.mends import Mend, Stop, Text, mends, odd_sign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LONGEST = 100_000
"""Characters of a text in which every mend is tried; of a longer one, a part."""
_SHOWN = 160
"""Characters of a mended line that are shown."""
_MANY = 12
"""Mends that are compared."""
_HINT = "is the indentation right, here and in the lines above?"


def explain(
    text: str, error: yaml.MarkedYAMLError, errors_in: Callable[[str], int] | None = None
) -> Problem:
    """Return the error in our words, with the line as it should be where that can be told.

    `errors_in` says how many errors the rules of a text have.
    """
    text = text.encode(errors="replace").decode()  # halves of surrogate pairs cannot be parsed
    lines = text.splitlines(keepends=True) or [""]
    broken = Text(lines, _stop(error))
    if broken.length > _LONGEST:
        return _unexplained(broken)
    found = [each for each, _ in zip(_that_help(broken), range(_MANY), strict=False)]
    if found and errors_in and len(text) <= _LONGEST:
        found = [min(found, key=lambda mend: errors_in("".join(broken.whole_with(mend))))]
    if found:
        return _problem(found[0].place, _told(found[0]))
    return _unexplained(broken)


def _that_help(broken: Text) -> Iterator[Mend]:
    """Yield the mends with which the parser comes beyond the line where it gave up."""
    whole = broken.last == len(broken.lines)
    for mend in mends(broken):
        lines = broken.with_(mend)
        failed = _fails_at("".join(lines))
        ended = whole and failed is not None and failed >= len(lines)
        if failed is None or (failed + broken.first > broken.stop.line and not ended):
            yield mend


def _fails_at(text: str) -> int | None:
    """Return the line, from 0, at which a text stops being YAML."""
    parser = _Loader(text)
    try:
        while parser.get_event() is not None:
            pass
    except yaml.MarkedYAMLError as error:
        return _stop(error).line
    except yaml.YAMLError:
        return 0
    finally:
        parser.dispose()
    return None


def _stop(error: yaml.MarkedYAMLError) -> Stop:
    mark, start = error.problem_mark or error.context_mark, error.context_mark
    return Stop(
        mark.line if mark else 0,
        mark.column if mark else 0,
        error.problem or error.context or "",
        (start.line, start.column) if start else None,
    )


def _problem(place: tuple[int, int], message: str) -> Problem:
    return Problem(place[0] + 1, place[1] + 1, "", "syntax", message)


def _told(mend: Mend) -> str:
    written = mend.text.strip()
    if not written:
        return f"{mend.reason}; delete the line"
    return mend.reason if len(written) > _SHOWN else f"{mend.reason}; write `{written}`"


_OPEN_QUOTE = "a quote is not closed"
_WORDS = {
    "could not find expected ':'": "this is no key with a colon behind it",
    "mapping values are not allowed": "a colon stands where no key can be",
    "mapping keys are not allowed": "a ? stands where no key can be",
    "block sequence entries": "a list of dashes begins on a line of its own, below its key",
    "cannot start any token": "no value can begin with this sign; put it in quotes",
    "expected ',' or '}'": "a { is not closed, or a comma is missing",
    "expected ',' or ']'": "a [ is not closed, or a comma is missing",
    "did not find expected key": "this fits nothing above",
    "expected '-' indicator": "this stands among the entries of a list, and has no dash",
    "expected node content": "a value is missing",
    "expected <document start>": "this belongs to nothing above",
    "unexpected end of stream": _OPEN_QUOTE,
    "document indicator": _OPEN_QUOTE,
    "unknown escape": "a backslash within double quotes is a sign of its own; use single quotes",
    "hexdecimal": "a backslash within double quotes is a sign of its own; use single quotes",
    "escape character": "a backslash within double quotes is a sign of its own; use single quotes",
    "tab character": "a tab (U+0009) stands where only blanks can",
    "alphabetic or numeric": "& and * are signs of YAML; put the value in quotes",
    "directive": "% is a sign of YAML; put the value in quotes",
    "tag": "! is a sign of YAML; put the value in quotes",
    "'!'": "! is a sign of YAML; put the value in quotes",
    "'>'": "! is a sign of YAML; put the value in quotes",
    "URI": "! is a sign of YAML; put the value in quotes",
    "UTF-8": "! is a sign of YAML; put the value in quotes",
    "whitespace": "! and % are signs of YAML; put the value in quotes",
    "comment or line break": "text stands behind | or >; put it in quotes",
    "indentation indicator": "a number stands behind | or >; leave it out",
    "unexpected ':'": "a colon stands within a value; put it in quotes",
    "incompatible": "only YAML 1.1 and 1.2 are known; leave the line out",
    "version number": "this is no version of YAML; leave the line out",
    "digit or '.'": "this is no version of YAML; leave the line out",
}
"""Words of the parser -> ours, for what no mend is found for."""


def _unexplained(broken: Text) -> Problem:
    stop = broken.stop
    message = next((ours for theirs, ours in _WORDS.items() if theirs in stop.problem), "")
    message = message or "this cannot be read"
    sign, quote = odd_sign(broken), next(iter(broken.open_quotes), None)
    if quote and message == _OPEN_QUOTE:
        return _problem(quote, f"the quote that begins here is not closed; {_HINT}")
    if sign:
        message += f"; {sign}"
    elif quote:
        message += f", or in the lines above the quote of {_shown(quote)} is not closed"
    elif stop.start and stop.start[0] < stop.line:
        message += f"; the mistake may stand in the lines above, from {_shown(stop.start)} on"
    return _problem((stop.line, stop.column), f"{message}; {_HINT}")


def _shown(place: tuple[int, int]) -> str:
    return f"{place[0] + 1}:{place[1] + 1}"
