"""A timeline as a picture for the wall: a row for each day, the hours across, to the minute.

Standalone SVG for a light background. The same timeline always gives the same text.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from commands.timeline_text import letters, short, supposition, times
from routing.proof.clocks import DAY, Span
from routing.proof.timeline import CLOCKS, HOLIDAY, OVERRIDE, clock

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from routing.proof.timeline import Day, LineTimeline, Reach, Timeline

DASH = "\N{EN DASH}"
_LEFT, _RIGHT, _HOUR = 128, 40, 44
_GRID = 24 * _HOUR
_WIDTH = _LEFT + _GRID + _RIGHT
_EDGE = 32
_BAR, _GAP, _NOTE = 36, 8, 17
_WEEK = 14
"""Room between two weeks."""
_COLOURS = (
    *("#bfe3cc", "#c6d7f7", "#fbdfae", "#e2cdf3", "#f9cbc4", "#b9e2e8", "#ece49c", "#f7c9e0"),
    *("#d3dbb6", "#d6d3ee", "#e6d2bf", "#cfe8f5"),
)
_STYLE = """\
text { font-family: Inter, "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", sans-serif;
  font-size: 13px; fill: #1f2937; font-variant-numeric: tabular-nums; }
.h1 { font-size: 26px; font-weight: 700; } .h2 { font-size: 18px; font-weight: 700; }
.soft { fill: #6b7280; } .end { text-anchor: end; } .mid { text-anchor: middle; }
.hour { font-size: 11px; fill: #6b7280; text-anchor: middle; }
.day { font-weight: 700; } .time { font-size: 11px; fill: #4b5563; } .who { font-weight: 600; }
.small { font-size: 11px; font-weight: 600; }
.note { font-size: 12px; font-weight: 600; paint-order: stroke; stroke: #ffffff;
  stroke-width: 4px; stroke-linejoin: round; }
.holiday { fill: #b42318; } .override { fill: #b45309; } .clocks { fill: #4338ca; }
.weekend { fill: #f1f3f6; } .line { stroke: #e5e7eb; } .strong { stroke: #9ca3af; }
.set { fill: none; stroke: #b45309; stroke-width: 2; stroke-dasharray: 5 3; }
.twice { stroke: #4338ca; stroke-width: 1.5; stroke-dasharray: 2 2; }"""
_PATTERNS = """\
<pattern id="skipped" width="7" height="7" patternUnits="userSpaceOnUse" \
patternTransform="rotate(45)"><rect width="7" height="7" fill="#eef0fb"/>\
<rect width="2" height="7" fill="#a5a8e8"/></pattern>
<pattern id="rejected" width="7" height="7" patternUnits="userSpaceOnUse" \
patternTransform="rotate(45)"><rect width="7" height="7" fill="#f3f4f6"/>\
<rect width="2" height="7" fill="#b4bac6"/></pattern>"""
_HOUR_LINES = {
    "line": [hour for hour in range(25) if hour % 6],
    "strong": [hour for hour in range(25) if hour % 6 == 0],
}
_PRIORITY = {HOLIDAY: 0, OVERRIDE: 1, CLOCKS: 2}


def as_svg(timeline: Timeline) -> str:
    """Return the picture as SVG text."""
    return _Picture(timeline).draw()


class _Picture:
    """Draws from the top down; `y` is how far it has come."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.letters = letters(timeline)
        self.parts: list[str] = []
        self.y = 0

    def draw(self) -> str:
        self._heading()
        for line in self.timeline.lines:
            self._line(line)
        self._footer()
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{self.y}" '
            f'viewBox="0 0 {_WIDTH} {self.y}" role="img" aria-labelledby="title desc">'
        )
        desc = "\n".join(self._words())
        texts = [
            f'<title id="title">{escape(self._title())}</title>',
            f'<desc id="desc">{escape(desc)}</desc>',
        ]
        ground = f'<rect width="{_WIDTH}" height="{self.y}" fill="#ffffff"/>'
        defs = f"<defs><style>\n{_STYLE}\n</style>\n{_PATTERNS}</defs>"
        return "\n".join([head, *texts, defs, ground, *self.parts, "</svg>", ""])

    def _title(self) -> str:
        names = " and ".join(each.line.title for each in self.timeline.lines)
        return f"Who is reached when: {names}, {self._range()}"

    def _range(self) -> str:
        days = self.timeline.lines[0].days
        first, last = days[0].wall.date, days[-1].wall.date
        if first == last:
            return _full(first)
        start = f"{first.day} {first:%B}" if first.month != last.month else f"{first.day}"
        return f"{start if first.year == last.year else _full(first)} {DASH} {_full(last)}"

    def _words(self) -> Iterator[str]:
        """Yield the whole picture in words, for who cannot see it."""
        yield supposition(self.timeline)
        names = {reach: str(reach) for reach in self.letters}
        for line in self.timeline.lines:
            for day in line.days:
                notes = "".join(f" ({note.text})" for note in day.notes)
                shown = ", ".join(times(day, names))
                date = f"{day.wall.date:%A} {_full(day.wall.date)}"
                yield f"{line.line.title}, {date}{notes}: {shown}."

    def _heading(self) -> None:
        self.y = 56
        self._text(_EDGE, self.y, "Who is reached when", "h1")
        self._text(_WIDTH - _RIGHT, self.y - 8, self._range(), "who end")
        self._text(_WIDTH - _RIGHT, self.y + 10, self.timeline.zone.key, "soft end")
        self.y += 16

    def _line(self, line: LineTimeline) -> None:
        self.y += 36
        self._text(_EDGE, self.y, line.line.title, "h2")
        self._text(_WIDTH - _RIGHT, self.y, short(", ".join(line.line.numbers), 80), "soft end")
        self.y += 28
        self._hours()
        for before, day in pairwise((None, *line.days)):
            if before and day and day.wall.date.weekday() == 0:
                self.y += _WEEK
            if day:
                self._day(day)
        self._legend(line)

    def _hours(self) -> None:
        for hour in range(25):
            self._text(_x(hour * 3600), self.y, f"{hour:02}", "hour")
        self.y += 10

    def _day(self, day: Day) -> None:
        height = _BAR + _GAP + _NOTE * len(day.notes)
        if day.wall.date.weekday() >= 5:
            width = _LEFT + _GRID - _EDGE + 24
            self.parts.append(
                f'<rect class="weekend" x="{_EDGE - 12}" y="{self.y}" width="{width}" '
                f'height="{height}"/>'
            )
        for style, hours in _HOUR_LINES.items():
            path = "".join(f"M{_x(hour * 3600):g} {self.y}v{height}" for hour in hours)
            self.parts.append(f'<path class="{style}" d="{path}"/>')
        top = self.y + _GAP // 2
        self._date(day, top)
        for span, reach in day.pieces:
            self._piece(span, reach, top)
        self._marks(day, top)
        for index, note in enumerate(sorted(day.notes, key=lambda each: _PRIORITY[each.kind])):
            self._text(_LEFT + 4, top + _BAR + 14 + index * _NOTE, note.text, f"note {note.kind}")
        self.y += height

    def _date(self, day: Day, top: int) -> None:
        kinds = {note.kind for note in day.notes}
        colour = " holiday" if HOLIDAY in kinds else ""
        self._text(_EDGE, top + 23, f"{day.wall.date:%a}", f"day{colour}")
        shown = f"{day.wall.date.day} {day.wall.date:%b}"
        self._text(_LEFT - 14, top + 23, shown, f"end{colour or ' soft'}")

    def _piece(self, span: Span, reach: Reach, top: int) -> None:
        """Draw who is reached for a while; an hour that comes twice is drawn in two halves."""
        x, width = _x(span.start), round(_x(span.end) - _x(span.start), 2)
        y = top + (_BAR // 2 if span.time == 2 else 0)
        height = _BAR // 2 if span.time else _BAR
        gap = 0.5 if width > 6 else 0  # a few minutes would vanish between two gaps
        self.parts.append(
            f'<rect x="{x + gap}" y="{y + gap}" width="{round(width - 2 * gap, 2)}" '
            f'height="{height - 2 * gap}" rx="{6 * gap}" fill="{self._fill(reach)}">'
            f"<title>{_from_to(span)} {escape(str(reach))}</title></rect>"
        )
        words = _fitting(reach, self.letters[reach], width - 8)
        time = "" if span.time else _fitting_time(span, width - 10)
        low = 15 if time else height // 2 + 4 + (not span.time)
        if words:
            self._text(x + 6, y + low, words, "small" if span.time else "who")
        if time:
            self._text(x + 6, y + 29, time, "time")

    def _marks(self, day: Day, top: int) -> None:
        for span in day.overridden:
            if span.time != 2:
                x, width = _x(span.start), round(_x(span.end) - _x(span.start), 2)
                self.parts.append(
                    f'<rect class="set" x="{x + 1}" y="{top + 1}" width="{width - 2}" '
                    f'height="{_BAR - 2}" rx="3"/>'
                )
        if day.wall.skipped:
            x, end = _x(day.wall.skipped.start), _x(day.wall.skipped.end)
            self.parts.append(
                f'<rect x="{x}" y="{top}" width="{end - x}" height="{_BAR}" rx="3" '
                'fill="url(#skipped)"/>'
            )
        if day.wall.repeated:
            for second in (day.wall.repeated.start, day.wall.repeated.end):
                x = _x(second)
                self.parts.append(
                    f'<line class="twice" x1="{x}" y1="{top}" x2="{x}" y2="{top + _BAR}"/>'
                )

    def _legend(self, line: LineTimeline) -> None:
        self.y += 14
        for reach, rules in line.rules_by_reach().items():
            self.parts.append(
                f'<rect x="{_LEFT}" y="{self.y}" width="26" height="20" rx="3" '
                f'fill="{self._fill(reach)}"/>'
            )
            self._text(_LEFT + 13, self.y + 15, self.letters[reach], "who mid")
            words = escape(short(str(reach), 100))
            by = f'<tspan class="soft" dx="10">rule: {escape(short(", ".join(rules), 50))}</tspan>'
            self.parts.append(f'<text x="{_LEFT + 36}" y="{self.y + 15}">{words}{by}</text>')
            self.y += 26

    def _footer(self) -> None:
        self.y += 30
        self._text(_EDGE, self.y, supposition(self.timeline), "soft")
        self.y += 28

    def _fill(self, reach: Reach) -> str:
        if reach.rejects:
            return "url(#rejected)"
        if reach.announces is not None:
            return "#e5e8ee"
        return _COLOURS[list(self.letters).index(reach) % len(_COLOURS)]

    def _text(self, x: float, y: float, words: str, style: str) -> None:
        self.parts.append(f'<text class="{style}" x="{x}" y="{y}">{escape(words)}</text>')


def _x(second: int) -> float:
    return round(_LEFT + second * _HOUR / 3600, 2)


def _full(date: dt.date) -> str:
    return f"{date.day} {date:%B %Y}"


def _fitting(reach: Reach, letter: str, width: float) -> str:
    """Return the longest name of a reach that fits: all, its beginning, or the letter."""
    first = " + ".join(reach.steps[0]) + " …" if len(reach.steps) > 1 else str(reach)
    if reach.announces is not None and width > 80:
        first = short(str(reach), int(width / 7.2))
    return next((each for each in (str(reach), first, letter) if _width(each) <= width), "")


def _fitting_time(span: Span, width: float) -> str:
    """Return when a piece begins and ends; midnight goes without saying."""
    start, end = clock(span.start), clock(span.end)
    if span.start == 0 and span.end == DAY:
        shown = ["all day"]
    elif span.start == 0:
        shown = [f"until {end}"]
    elif span.end == DAY:
        shown = [f"from {start}", start]
    else:
        shown = [_from_to(span), start]
    return next((each for each in shown if _width(each) * 0.85 <= width), "")


def _from_to(span: Span) -> str:
    return f"{clock(span.start)} {DASH} {clock(span.end)}"


def _width(words: str) -> float:
    """Return about how wide a text is drawn: Arial, bold, 13 pixels."""
    return sum(_letter_width(letter) for letter in words)


def _letter_width(letter: str) -> float:
    if letter in "ijl'.,:;|! ":
        return 4
    if letter in "frt()-":
        return 5
    return 11.8 if letter in "mwMW→" else 9.2 if letter.isupper() else 7.6
