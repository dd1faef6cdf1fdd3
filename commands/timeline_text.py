"""A timeline in the terminal: a letter for each half hour, then the times to the minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from commands.output import Printable, styled
from routing.proof.clocks import DAY
from routing.proof.timeline import clock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from routing.proof.timeline import Day, LineTimeline, Reach, Timeline

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_COLOURS = ("green", "blue", "yellow", "magenta", "cyan", "red", "white")
"""Backgrounds, in their bright form, on which black letters can be read."""
_CELL = 1800
"""Seconds of a cell of the grid."""
_MARGIN = 12


def letters(timeline: Timeline) -> dict[Reach, str]:
    """Return a letter for each that is reached; past the last letter, a question mark."""
    return {
        reach: LETTERS[index] if index < len(LETTERS) else "?"
        for index, reach in enumerate(timeline.reaches)
    }


def short(words: str, most: int) -> str:
    """Return the beginning of a text that is too long."""
    return words if len(words) <= most else f"{words[: most - 2].rstrip()} …"


def supposition(timeline: Timeline) -> str:
    """Return in words for whom and under which circumstances the timeline holds."""
    supposed = timeline.supposed
    busy = " and ".join(sorted(supposed.busy)) or "nobody"
    people = ", ".join(f"{who} is {state}" for who, state in sorted(supposed.presence.items()))
    present = f"{people}, everybody else is available" if people else "everybody is available"
    verb = "are" if len(supposed.busy) > 1 else "is"
    return f"For {supposed.who}, when {busy} {verb} busy and {present}."


def as_lines(timeline: Timeline, file: Path) -> Iterator[str]:
    """Yield the timeline for people to read, with the file whose rules it shows."""
    names = letters(timeline)
    yield f"{supposition(timeline)} Times in {timeline.zone.key}. Rules of {file}."
    yield ""
    for each in timeline.lines:
        yield from _line(each, names)
        yield ""
    yield "A small letter: others are reached too in that half hour. *: see the day below."


def times(day: Day, names: Mapping[Reach, str]) -> list[str]:
    """Return when the day changes to whom: `09:00 A`; the first entry is that of its start."""
    found = []
    last = None
    for span, reach in day.pieces:
        if reach != last:
            again = " again" if span.time == 2 else ""
            found.append(f"{clock(span.start)}{again} {names[reach]}")
        last = reach
    return found


def _line(line: LineTimeline, names: Mapping[Reach, str]) -> Iterator[str]:
    title = "" if line.line.title == line.line.name else f" ({line.line.title})"
    yield styled(f"{line.line.name}{title}: {', '.join(line.line.numbers)}", bold=True)
    yield ""
    yield " " * _MARGIN + "".join(f"{hour:02}  " for hour in range(0, 24, 2)).rstrip()
    for day in line.days:
        mark = " *" if day.notes else ""
        yield f"{_date(day):<{_MARGIN}}" + _row(day, names) + mark
    yield ""
    yield from _exact(line, names)
    yield ""
    for reach, rules in line.rules_by_reach().items():
        letter = _coloured(names[reach], reach, names)
        yield letter + f"  {short(str(reach), 100)}  (rule: {', '.join(rules)})"


def _date(day: Day) -> str:
    return f"{day.wall.date:%a %d %b}"


def _row(day: Day, names: Mapping[Reach, str]) -> Printable:
    return Printable("".join(_cell(day, start, names) for start in range(0, DAY, _CELL)))


def _cell(day: Day, start: int, names: Mapping[Reach, str]) -> Printable:
    """Return the letter of whom most of the half hour reaches, small if it is not the only one."""
    seconds: dict[Reach, int] = {}
    for span, reach in day.pieces:
        overlap = min(span.end, start + _CELL) - max(span.start, start)
        if overlap > 0:
            seconds[reach] = seconds.get(reach, 0) + overlap
    if not seconds:
        return Printable(" ")
    most = max(seconds, key=lambda reach: seconds[reach])
    letter = names[most] if len(seconds) == 1 else names[most].lower()
    return _coloured(letter, most, names)


def _coloured(letter: str, reach: Reach, names: Mapping[Reach, str]) -> Printable:
    place = list(names).index(reach)
    return styled(letter, fg="black", bg=f"bright_{_COLOURS[place % len(_COLOURS)]}")


def _exact(line: LineTimeline, names: Mapping[Reach, str]) -> Iterator[str]:
    """Yield the times of each day; days that are alike and follow one another share a line."""
    for group in _alike(line.days, names):
        last = f" to {_date(group[-1])}" if len(group) > 1 else ""
        yield f"{_date(group[0])}{last}: {', '.join(times(group[0], names))}"
        yield from (f"  * {note.text}" for note in group[0].notes)


def _alike(days: tuple[Day, ...], names: Mapping[Reach, str]) -> list[list[Day]]:
    groups: list[list[Day]] = []
    for day in days:
        before = groups[-1][-1] if groups else None
        if before and before.notes == day.notes and times(before, names) == times(day, names):
            groups[-1].append(day)
        else:
            groups.append([day])
    return groups
