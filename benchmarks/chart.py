"""The main figures as bars: one panel for a figure, one bar for each who was measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from benchmarks.words import amount

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.figures import Figure, Section

_SHOWN = (
    ("tls", "Calls a second", "Calls a second, the API over TLS"),
    ("tls", "CPU for a call", "CPU for a call, the API over TLS"),
    ("plain", "Calls a second", "Calls a second, the API over plain HTTP and 50 ms"),
    ("plain", "CPU for a call", "CPU for a call, the API over plain HTTP and 50 ms"),
    ("added", "Added, p99", "Added to an API of 50 ms at 200 calls a second, p99"),
    ("callbacks", "CPU for `incomingcall`", "CPU for a callback that transfers nothing"),
    ("start", "Start", "Cold start"),
    ("start", "Memory", "Memory of master and two workers"),
)
"""Section, figure, and the title of its panel."""
_WIDTH, _LEFT, _BARS = 760, 260, 400
_BAR, _STEP, _HEAD, _EDGE = 16, 24, 52, 20
_STYLE = """\
text { font: 13px Inter, "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", sans-serif;
  fill: #1f2937; }
.title { font-weight: 700; font-size: 14px; } .soft { fill: #6b7280; } .end { text-anchor: end; }
.ours { fill: #2563eb; } .theirs { fill: #9ca3af; } .name { font-weight: 700; }
@media (prefers-color-scheme: dark) {
  text { fill: #e5e7eb; } .soft { fill: #9ca3af; } .ours { fill: #60a5fa; }
  .theirs { fill: #6b7280; }
}"""


@dataclass(frozen=True)
class Panel:
    """Bars of one figure: who and how much. The first is ours."""

    title: str
    unit: str
    better: str
    bars: list[tuple[str, float]]


def panels(sections: Mapping[str, Section]) -> list[Panel]:
    """Return a panel for each main figure that was measured."""
    found = []
    for name, wanted, title in _SHOWN:
        figures = sections[name].figures if name in sections else []
        rows = [figure for figure in figures if figure.name == wanted]
        if bars := _bars(rows):
            better = "more is better" if rows[0].unit == "/s" else "less is better"
            found.append(Panel(title, rows[0].unit, better, bars))
    return found


def _bars(rows: list[Figure]) -> list[tuple[str, float]]:
    ours = [("callrouter", each.our_median) for each in rows[:1]]
    peers = [(each.peer, each.their_median) for each in rows]
    return [(who, value) for who, value in ours + peers if value is not None]


def draw(shown: list[Panel]) -> str:
    """Return the chart as SVG text. It has no ground, so that it suits a light or a dark page."""
    parts, y = [], _EDGE
    for panel in shown:
        parts += _panel(panel, y)
        y += _HEAD + _STEP * len(panel.bars)
    size = f'width="{_WIDTH}" height="{y}" viewBox="0 0 {_WIDTH} {y}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">'
    title = '<title id="title">The service beside its peers: RESULTS.md in words</title>'
    return "\n".join([head, title, f"<style>\n{_STYLE}\n</style>", *parts, "</svg>", ""])


def _panel(panel: Panel, top: int) -> list[str]:
    most = max((value for _, value in panel.bars), default=0) or 1
    parts = [
        _text(_EDGE, top + 14, panel.title, "title"),
        _text(_WIDTH - _EDGE, top + 14, panel.better, "soft end"),
    ]
    for number, (who, value) in enumerate(panel.bars):
        y = top + 28 + number * _STEP
        kind = "theirs" if number else "ours"
        width = max(1.0, _BARS * max(value, 0) / most)
        parts += [
            _text(_LEFT - 10, y + 13, who, "end" if number else "end name"),
            f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" class="{kind}"/>',
            _text(_LEFT + width + 8, y + 13, amount(value, panel.unit), "" if number else "name"),
        ]
    return parts


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" class="{kind}">{escape(words)}</text>'
