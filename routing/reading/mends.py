"""Lines of a text that is no YAML as they may have been meant; whether they were, others try.

Lines and columns count from 0 here.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from routing.signs import named, odd, ordinary_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Place = tuple[int, int]
"""A line and a column."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BEFORE, _AFTER = 1000, 20
"""Lines around a mistake that are looked at."""
_WORDS_OF_A_COMMENT = 4
"""Words that a line has at least which is taken for a comment without its #."""
_TAB = "\t"
_CLOSER_OF = {"{": "}", "[": "]"}
_CLOSERS = tuple(_CLOSER_OF.values())
_NEVER_FIRST = "@`%*&!|>?,]}"
"""Signs that no value can begin with, if it has no quotes."""

_KEY = r"(?:[\w+][\w.+-]*|\"[^\"]*\"|'[^']*')"
_ITEM = r"(?P<item> *(?:- +)*)"
_NO_BLANK = re.compile(
    rf"{_ITEM}(?P<key>(?!(?:sips?|tel):)[A-Za-z][\w-]*) *:(?!//)(?P<rest>[^\s:].*)", re.IGNORECASE
)
_NO_COLON = re.compile(rf"{_ITEM}(?![-#])(?P<key>{_KEY})(?P<rest>(?: +[^:]*)?)")
_BLANK_BEFORE_COLON = re.compile(r"(?<=\w) +:(?=\S)")
_NO_BLANK_AFTER_DASH = re.compile(r"(?P<item> *)-(?P<rest>[^\s-].*)")
_BEFORE_BRACKET = re.compile(rf"{_ITEM}(?P<key>{_KEY}) *(?P<rest>[\[{{].*)")
_EQUALS = re.compile(rf"{_ITEM}(?P<key>[\w.-]+) *= *(?P<rest>\S.*)")
_SEMICOLON = re.compile(r" *; *")
_WIDE_COLON = re.compile(r"[\uff1a\ufe55\u2236](?=\S)")
_TWO_KEYS = re.compile(rf"{_ITEM}(?P<key>{_KEY}): +(?P<rest>{_KEY}: +[^\[{{\s].*)")
_VALUE = re.compile(rf"{_ITEM}(?:{_KEY}: +)?(?P<value>\S.*)")
_COMMENT = re.compile(r"(?:^| +)#.*$")
_AT_END = re.compile(r"[\]}\s]*$")
_END_OF_PIECE = re.compile(r", |[\]}]|$")
_OPENERS = re.compile(r"[\s\[{]*")


class Mend(NamedTuple):
    """A line as it may have been meant."""

    place: Place
    """Where the mistake is."""
    reason: str
    """What the mistake is."""
    line: int
    text: str
    """What this line should be, without its end."""


class Stop(NamedTuple):
    """Where the parser gave up, why, and where that begins which it was reading then."""

    line: int
    column: int
    problem: str
    start: Place | None


class Text:
    """The lines of a text, and where the parser gave up in them."""

    def __init__(self, lines: list[str], stop: Stop) -> None:
        self.lines = lines
        # Of what ends too early the parser names a line that is not there.
        last = len(lines) - 1
        start = stop.start if stop.start and stop.start[0] <= last else None
        self.stop = stop._replace(start=start)
        if stop.line > last:
            self.stop = stop._replace(line=last, column=len(self[last]), start=start)
        near = islice(self.above(self.stop.line), 2)
        self.block = self._block()
        self.near = [self.stop.line, *([start[0]] if start else []), *near, *self.block]
        """Lines that may hold the mistake, likeliest first."""
        self.last = min(len(lines), self.stop.line + _AFTER)
        begin = 0 if self.stop.line < _BEFORE else self._first(min(self.near))
        self.open_quotes = _quotes_over_lines(lines, begin, self.last, self.stop.line)
        """Where quotes begin that go on over several lines, the last first."""
        quoted = [max(0, line - 1) for line, _ in self.open_quotes]
        self.first = self._first(min([*self.near, *quoted]))
        self.length = sum(map(len, lines[self.first : self.last]))

    def __getitem__(self, line: int) -> str:
        """Return a line without its end."""
        parts = self.lines[line].splitlines()
        return parts[0] if parts else ""

    def bare(self, line: int) -> str:
        """Return a line without the comment at its end, if it has one."""
        return _COMMENT.sub("", self[line]).rstrip()

    def at(self, place: Place) -> str:
        """Return the sign at a place."""
        return self[place[0]][place[1] : place[1] + 1]

    def width(self, line: int) -> int | None:
        """Return how far a line is indented, None for one without anything but a comment."""
        text = self[line].expandtabs(2)
        inner = text.lstrip(" ")
        return len(text) - len(inner) if inner and inner[0] != "#" else None

    def above(self, line: int) -> Iterator[int]:
        """Yield the lines above that hold something, nearest first."""
        return (each for each in range(line - 1, -1, -1) if self.width(each) is not None)

    def _block(self) -> list[int]:
        """Return the line below which the block stands that the stop is in, and its first line."""
        width, below = self.width(self.stop.line) or 0, self.stop.line
        for above in islice(self.above(self.stop.line), _BEFORE):
            if (self.width(above) or 0) < width:
                return [above, below]
            below = above
        return []

    def _first(self, begun: int) -> int:
        """Return the line to read from: all between it and `begun` is indented as far, or more."""
        first, least = begun, 1_000_000
        for line in range(begun, max(-1, begun - _BEFORE), -1):
            width = self.width(line)
            if width is not None and width < least and self[line][width : width + 1] != "-":
                first, least = line, width
            if least == 0 and line < begun:
                break
        return first

    def with_(self, mend: Mend) -> list[str]:
        """Return the lines around the mistake with one mended."""
        return self.whole_with(mend)[self.first : self.last]

    def whole_with(self, mend: Mend) -> list[str]:
        """Return all lines with one mended."""
        end = self.lines[mend.line].removeprefix(self[mend.line])
        return [*self.lines[: mend.line], mend.text + end, *self.lines[mend.line + 1 :]]


def mends(text: Text) -> Iterator[Mend]:
    """Yield what may have been meant, likeliest first."""
    yield from _open_quotes(text)
    opened = text.stop.start
    if opened and opened[0] < text.stop.line and text.at(opened) in _CLOSER_OF:
        yield from _unclosed(text, opened)
    for find in _IN_A_LINE:
        for line in dict.fromkeys(text.near):
            yield from find(text, line)
    yield from _brackets(text)
    yield from _commented_out(text)


def _tabs(text: Text, line: int) -> Iterator[Mend]:
    written = text[line].lstrip()
    blanks = text[line][: len(text[line]) - len(written)]
    if _TAB in blanks:
        for width in _widths(text, line):
            reason = f"{named(_TAB)} stands in the indentation; {_begin(width)}"
            yield Mend((line, blanks.index(_TAB)), reason, line, " " * width + written)


def _begin(width: int) -> str:
    if not width:
        return "begin the line at the left edge"
    return f"begin the line with {width} blank{'' if width == 1 else 's'}"


def _widths(text: Text, line: int) -> list[int]:
    """Return the indentations that fit what stands above, the nearest first."""
    near = text.width(line) or 0
    found, least = {0}, 1_000_000
    for above in text.above(line):
        width = text.width(above) or 0
        inner = re.match(_ITEM, text[above])
        within = inner.end() if inner else width
        if least == 1_000_000:
            found.add(within + 2)
            nearest = within
        if width < least:
            found |= {width, within}
            least = width
        if above < text.first:
            break
    else:
        nearest = 0
    return sorted(found, key=lambda width: (abs(width - near), abs(width - nearest)))


def odd_sign(text: Text) -> str | None:
    """Return a sign that looks like another, and where it stands, of the lines around."""
    for line in text.near:
        found = odd(text.bare(line))
        if found:
            return f"{found} stands in line {line + 1}"
    return None


def _odd_signs(text: Text, line: int) -> Iterator[Mend]:
    found = odd(text[line])
    if found:
        column = next(at for at, sign in enumerate(text[line]) if odd(sign))
        meant = ordinary_text(_WIDE_COLON.sub(": ", text[line]))
        yield Mend((line, column), f"{found} stands there", line, meant)


def _open_quotes(text: Text) -> Iterator[Mend]:
    """Yield lines with a quote closed that goes on over several lines up to the mistake."""
    for line, column in text.open_quotes:
        sign, written = text.at((line, column)), text[line]
        bare = text.bare(line)
        colon = written.find(":", column)
        ends = [_before_closers(bare, column), len(bare), *([colon] if colon > 0 else [])]
        for end in dict.fromkeys(ends):
            closed = f"{written[:end].rstrip()}{sign}{written[end:]}"
            reason = "the quote that begins here is not closed in its line"
            yield Mend((line, column), reason, line, closed)
        yield Mend((line, column), reason, line, written[:column] + written[column + 1 :])


def _quotes_over_lines(lines: list[str], first: int, last: int, stop: int) -> list[Place]:
    """Return where quotes begin that go on over several lines up to `stop`, the last first."""
    found: list[Place] = []
    parser = _Loader("".join(lines[first:last]))
    try:
        while (token := parser.get_token()) is not None:
            start, end = token.start_mark, token.end_mark
            quoted = isinstance(token, yaml.ScalarToken) and token.style in {'"', "'"}
            if quoted and end.line > start.line:
                found.append((start.line + first, start.column))
    except yaml.MarkedYAMLError as error:
        mark = error.context_mark
        place = (mark.line + first, mark.column) if mark else (stop, 0)
        begins = lines[place[0]][place[1] : place[1] + 1] if place[0] < last else ""
        if begins in {'"', "'"} and "escape" not in str(error.problem):
            found.append(place)
    except yaml.YAMLError:
        pass  # what cannot be read at all is told of elsewhere
    finally:
        parser.dispose()
    return [each for each in reversed(found) if each[0] <= stop]


def _before_closers(text: str, start: int) -> int:
    """Return where the brackets begin that end a text, at least those behind `start`."""
    found = _AT_END.search(text, start)
    return found.start() if found else len(text)


def _missing_blanks(text: Text, line: int) -> Iterator[Mend]:
    found = _NO_BLANK.fullmatch(text[line])
    if found:
        reason, written = "a blank is missing after the colon", f"{found['key']}: {found['rest']}"
        yield Mend((line, found.start("rest")), reason, line, found["item"] + written)
    for found in _BLANK_BEFORE_COLON.finditer(text[line]):
        reason = "the blank belongs behind the colon"
        written = f"{text[line][: found.start()]}: {text[line][found.end() :]}"
        yield Mend((line, found.start()), reason, line, written)
    found = _NO_BLANK_AFTER_DASH.fullmatch(text[line])
    if found:
        reason, written = "a blank is missing after the dash", f"- {found['rest']}"
        for blanks in dict.fromkeys((found["item"], *(" " * n for n in _widths(text, line)))):
            yield Mend((line, found.start("rest")), reason, line, blanks + written)


def _missing_colons(text: Text, line: int) -> Iterator[Mend]:
    bare = text.bare(line)
    found = _EQUALS.fullmatch(bare)
    if found:
        written = f"{found['item']}{found['key']}: {found['rest']}"
        yield Mend((line, found.end("key")), "a colon belongs here, no =", line, written)
    found = _BEFORE_BRACKET.fullmatch(bare)
    if found:
        written = f"{found['item']}{found['key']}: {found['rest']}"
        yield Mend((line, found.end("key")), "a colon is missing after the key", line, written)
    found = _NO_COLON.fullmatch(bare)
    if found:
        written = f"{found['item']}{found['key']}:{found['rest']}"
        place = line, found.end("key")
        yield Mend(place, "a colon is missing after the key", line, written)


def _two_keys(text: Text, line: int) -> Iterator[Mend]:
    found = _TWO_KEYS.fullmatch(text.bare(line))
    if found:
        written = f"{found['item']}{found['key']}: {{{found['rest']}}}"
        reason = "a second key in the line needs {…}"
        yield Mend((line, found.start("rest")), reason, line, written)
        key, _, value = found["rest"].partition(": ")
        written = f"{found['item']}{found['key']}: {{{key}: {_quoted(value)}}}"
        yield Mend((line, found.start("rest")), reason, line, written)


def _semicolons(text: Text, line: int) -> Iterator[Mend]:
    found = _SEMICOLON.search(text[line])
    if found:
        written = _SEMICOLON.sub(", ", text.bare(line))
        yield Mend((line, found.start()), "a comma belongs here, no semicolon", line, written)


def _values_to_quote(text: Text, line: int) -> Iterator[Mend]:
    written = text[line]
    for start, end in dict.fromkeys(_values(text, line)):
        value = written[start:end]
        reason = _why_quotes(value)
        if reason:
            quoted = written[:start] + _quoted(value) + written[end:]
            yield Mend((line, start), reason, line, quoted)


def _values(text: Text, line: int) -> Iterator[tuple[int, int]]:
    """Yield from where to where a value goes that may want quotes."""
    bare, stop = text.bare(line), text.stop
    whole = _VALUE.fullmatch(bare)
    if whole and whole["value"][0] not in "{[":
        yield whole.start("value"), len(bare)
    column = stop.column if line == stop.line else 0
    if not column and stop.start and stop.start[0] == line:
        column = stop.start[1]
    # Within brackets: from behind a key or comma to the next comma, or to what ends the line.
    start = max(bare.rfind(sign, 0, column + 1) + len(sign) for sign in (": ", ", ", "{", "["))
    before = bare.rfind(": ", 0, max(0, start - 2)) + 2
    for begin in dict.fromkeys((start, before)):
        opened = _OPENERS.match(bare, begin)
        first = opened.end() if opened else begin
        piece = _END_OF_PIECE.search(bare, max(first, column))
        for end in (piece.start() if piece else len(bare), _before_closers(bare, first)):
            if first < end:
                yield first, end


def _quoted(value: str) -> str:
    """Return a value in quotes that go with the quotes and backslashes in it."""
    inner = value
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        inner = value[1:-1]
    if '"' in inner or "\\" in inner:
        return "'" + inner.replace("'", "''") + "'"
    return f'"{inner}"'


def _why_quotes(value: str) -> str | None:
    """Return why a value needs quotes, None if it does not."""
    first = value[0]
    if first == '"' and "\\" in value:
        return "a backslash within double quotes is a sign of its own"
    if first in "\"'":
        return "there is a quote within the quotes, or text behind them"
    if first in _NEVER_FIRST:
        return f"a value cannot begin with {first} unless it stands in quotes"
    if ": " in value or value.endswith(":"):
        return "a value with a colon and a blank in it needs quotes"
    return None


def _lists_in_line(text: Text, line: int) -> Iterator[Mend]:
    bare = text.bare(line)
    at = bare.find(": - ")
    if at > 0:
        written = f"{bare[: at + 2]}[{bare[at + 4 :]}]"
        reason = "a list of dashes begins on a line of its own, below its key"
        yield Mend((line, at + 2), reason, line, written)


def _stray_signs(text: Text, line: int) -> Iterator[Mend]:
    written = text[line]
    width = len(written) - len(written.lstrip())
    sign = written[width : width + 1]
    if sign and not sign.isalnum() and sign not in "\"'#[{+":
        rest = written[:width] + written[width + 1 :]
        reason = f"{sign} begins the line and belongs to nothing"
        yield Mend((line, width), reason, line, rest if rest.strip() else "")


def _comments(text: Text, line: int) -> Iterator[Mend]:
    written = text[line].lstrip()
    if ":" not in written and len(written.split()) >= _WORDS_OF_A_COMMENT:
        width = len(text[line]) - len(written)
        reason = "text that is no rule begins with a #"
        yield Mend((line, width), reason, line, f"{' ' * width}# {written}")


def _documents(text: Text, line: int) -> Iterator[Mend]:
    if text[line].startswith(("...", "---", "%")):
        yield Mend((line, 0), "only one document is read", line, "")


def _indentations(text: Text, line: int) -> Iterator[Mend]:
    width = text.width(line)
    if width is not None and width % 2 == 0 and line == text.stop.line:
        yield from _askew(text, width)
    for other in _widths(text, line):
        if width is not None and other != width and _TAB not in text[line]:
            reason = f"the indentation fits nothing above; {_begin(other)}"
            yield Mend((line, width), reason, line, " " * other + text[line].lstrip(" "))


def _askew(text: Text, width: int) -> Iterator[Mend]:
    """Yield the lines around the block of the stop, moved to where that is: they may be askew."""
    for line in text.block:
        begun = text.width(line) or 0
        if line != text.stop.line and begun != width and abs(begun - width) <= 2:
            reason = f"the indentation fits nothing around; {_begin(width)}"
            yield Mend((line, begun), reason, line, " " * width + text[line].lstrip(" "))


_IN_A_LINE: tuple[Callable[[Text, int], Iterator[Mend]], ...] = (
    *(_tabs, _odd_signs, _missing_blanks, _missing_colons, _lists_in_line, _documents),
    *(_two_keys, _semicolons, _values_to_quote, _stray_signs, _comments, _indentations),
)


def _brackets(text: Text) -> Iterator[Mend]:
    line, column = place = text.stop[:2]
    opened, sign = text.stop.start, text.at(place)
    if sign in _CLOSERS:
        yield from _needless(text, opened)
    if opened and text.at(opened) in _CLOSER_OF:
        yield from _unclosed(text, opened)
        yield from _missing_commas(text)
    if sign in _CLOSER_OF:
        without = text[line][:column] + text[line][column + 1 :]
        yield Mend(place, f"this {sign} begins nothing", line, without)
    yield from _behind_closers(text)


def _commented_out(text: Text) -> Iterator[Mend]:
    lines = [*range(text.stop.line - 1, max(text.first - 1, text.stop.line - 5), -1)]
    if text.block:
        above, first = text.block
        lines += range(above + 1, first)
    for line in lines:
        found = re.fullmatch(r"( *)#(.*)", text[line])
        if found:
            reason = "this line is a comment, and what follows belongs to it"
            yield Mend((line, found.end(1)), reason, line, found[1] + found[2])


def _unclosed(text: Text, opened: Place) -> Iterator[Mend]:
    closer = _CLOSER_OF[text.at(opened)]
    reason = f"the {text.at(opened)} that begins here is not closed"
    for line in dict.fromkeys((opened[0], max(opened[0], text.stop.line - 1), text.stop.line)):
        bare = text.bare(line)
        for kept in dict.fromkeys((bare, bare.rstrip(","))):
            yield Mend(opened, reason, line, kept + closer + text[line][len(bare) :])
    written = text[opened[0]]
    without = written[: opened[1]] + written[opened[1] + 1 :]
    yield Mend(opened, f"this {text.at(opened)} is not closed", opened[0], without)


def _missing_commas(text: Text) -> Iterator[Mend]:
    line, column = text.stop[:2]
    written = text[line]
    opened = text.stop.start
    begun = opened[1] if opened and opened[0] == line else 0
    blanks = [found.start() for found in re.finditer(" +", written[begun:column])]
    for at in [column, *(begun + blank for blank in blanks[:-5:-1])]:
        with_comma = f"{written[:at].rstrip()}, {written[at:].lstrip()}"
        yield Mend((line, at), "a comma is missing here", line, with_comma)


def _needless(text: Text, opened: Place | None) -> Iterator[Mend]:
    line, column = place = text.stop[:2]
    written, sign = text[line], text.at(place)
    before, after = written[:column], written[column + 1 :]
    if opened and text.at(opened) in _CLOSER_OF:
        right = _CLOSER_OF[text.at(opened)]
        reason = f"a {right} is missing here, for the {text.at(opened)} that is open"
        yield Mend(place, reason, line, before + right + written[column:])
        reason = f"{sign} closes what was opened with {text.at(opened)}"
        yield Mend(place, reason, line, before + right + after)
    start = before.rfind(": ") + 2
    if sign == "]" and start > 1:
        reason = "a [ is missing here"
        yield Mend((line, start), reason, line, before[:start] + "[" + written[start:])
    yield Mend(place, f"this {sign} closes nothing", line, before + after)


def _behind_closers(text: Text) -> Iterator[Mend]:
    """Yield the line without what stands behind a bracket that is closed, and without that one."""
    line, column = text.stop[:2]
    written = text[line]
    before = written[:column].rstrip()
    if before.endswith(_CLOSERS):
        reason = f"nothing can stand behind this {before[-1]}"
        yield Mend((line, column), reason, line, before)
        at = len(before) - 1
        reason = f"this {before[-1]} closes too early"
        yield Mend((line, at), reason, line, before[:-1].rstrip() + written[at + 1 :])
