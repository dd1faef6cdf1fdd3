"""Who is reached when: every line, from instant to instant, as the router itself decides.

Between two instants at which a schedule or an override changes nothing else can, so one call
routed at each of them stands for all the calls until the next.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from routing.callers import is_withheld
from routing.conditions import Call, Facts
from routing.proof.clocks import Span, WallDay, day_of
from routing.proof.looking import clocks_of
from routing.proof.sweep import changes
from routing.rotation import Rotation
from routing.router import route, walk
from routing.rules import AnnounceAction, TransferAction
from routing.schedule import ALWAYS, Schedule
from routing.turns import supposed_busy
from routing.words import NO_ANSWER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from routing.router import Walk
    from routing.rules import Line, RuleSet
    from routing.schedule import DayHours

HOLIDAY, OVERRIDE, CLOCKS = "holiday", "override", "clocks"
_NO_NAME = re.compile(r"[0-9.-]+|.*=.*")
"""What an exception is called whose days are written out: `2026-12-31`, `FREQ=…`."""


@dataclass(frozen=True, slots=True)
class Override:
    """A schedule set `open` or `closed`, or a rotation set to a member.

    Without a start or end it holds since or for ever.
    """

    name: str
    state: str
    start: dt.datetime | None = None
    end: dt.datetime | None = None
    kind: str = "schedule"

    def lasts(self) -> bool:
        """Return whether there is any time between start and end."""
        return self.start is None or self.end is None or self.start < self.end

    def holds(self, at: dt.datetime) -> bool:
        """Return whether the override is in force at an instant."""
        started = self.start is None or self.start <= at
        return started and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class Supposed:
    """What the timeline takes to be so: who calls, who is busy or away, which overrides are set."""

    caller: str
    who: str = "an ordinary caller"
    busy: frozenset[str] = frozenset()
    presence: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()

    def facts(self, at: dt.datetime) -> Facts:
        """Return the facts at an instant; of two overrides of a name the later one counts."""
        overrides = {each.name: each.state for each in self.overrides if each.holds(at)}
        return Facts(self.busy, self.presence, overrides)


@dataclass(frozen=True, slots=True)
class Reach:
    """What becomes of a call: who rings, in order and together, or what else happens."""

    steps: tuple[tuple[str, ...], ...] = ()
    announces: str | None = None

    @property
    def rejects(self) -> bool:
        """Whether the call is refused."""
        return not self.steps and self.announces is None

    def __str__(self) -> str:
        if self.steps:
            return " → ".join(" + ".join(labels) for labels in self.steps)
        return "rejected" if self.announces is None else f"“{self.announces}”"


@dataclass(frozen=True, slots=True)
class Segment:
    """A time in which every call to a line goes the same way. `because` is that of its start."""

    line: str
    start: dt.datetime
    end: dt.datetime
    rule: str
    reach: Reach
    reason: str | None
    because: str

    def goes_on(self, later: Segment) -> bool:
        """Return whether the next segment says the same."""
        return (self.rule, self.reach, self.reason) == (later.rule, later.reach, later.reason)

    def reaches_the_same(self, later: Segment) -> bool:
        """Return whether the next segment reaches the same, by whatever rule."""
        return self.reach == later.reach


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is special on one day: a HOLIDAY or other exception, OVERRIDE or CLOCKS."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a line: who is reached while the clocks show what, overrides, and notes."""

    wall: WallDay
    pieces: tuple[tuple[Span, Reach], ...]
    overridden: tuple[Span, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class LineTimeline:
    """One line, as a whole and day by day."""

    line: Line
    segments: tuple[Segment, ...]
    days: tuple[Day, ...]

    def rules_by_reach(self) -> dict[Reach, list[str]]:
        """Return the names of the rules by which each is reached."""
        found: dict[Reach, dict[str, None]] = {}
        for each in self.segments:
            found.setdefault(each.reach, {})[each.rule] = None
        return {reach: list(rules) for reach, rules in found.items()}


@dataclass(frozen=True, slots=True)
class Timeline:
    """Some lines over some days, shown in `zone`."""

    zone: ZoneInfo
    supposed: Supposed
    lines: tuple[LineTimeline, ...]

    @property
    def reaches(self) -> tuple[Reach, ...]:
        """Everything that callers reach, in the order in which the lines and days show it."""
        every = (each.reach for line in self.lines for each in line.segments)
        return tuple(dict.fromkeys(every))


def timeline(
    rules: RuleSet, lines: Iterable[Line], first: dt.date, days: int, supposed: Supposed
) -> Timeline:
    """Return who is reached on each of `days` days from `first` on."""
    zone = home_zone(rules)
    walls = [day_of(first + number * dt.timedelta(days=1), zone) for number in range(days)]
    found = []
    for line in lines:
        instants = _instants(rules, line, walls[0].start, walls[-1].end, supposed)
        judged = _judged(rules, line, instants, walls[-1].end, supposed)
        segments = tuple(_merged(judged, Segment.goes_on))
        reached = tuple(_merged(segments, Segment.reaches_the_same))
        every = tuple(_day(line, wall, reached, supposed) for wall in walls)
        found.append(LineTimeline(line, segments, every))
    return Timeline(zone, supposed, tuple(found))


def home_zone(rules: RuleSet) -> ZoneInfo:
    """Return the zone in which times are shown: the file's, or the one that all schedules have."""
    zones = {each.zone.key: each.zone for each in rules.schedules.values()}
    if rules.zone is not None:
        return rules.zone
    return next(iter(zones.values())) if len(zones) == 1 else ZoneInfo("UTC")


def _instants(
    rules: RuleSet, line: Line, start: dt.datetime, end: dt.datetime, supposed: Supposed
) -> list[dt.datetime]:
    busy = [each for name, each in rules.rotations.items() if name in supposed.busy]
    found = set(changes([*clocks_of(line), *busy], start, (end - start).days + 1))
    for each in supposed.overrides:
        found |= {at for at in (each.start, each.end) if at is not None}
    return sorted(at for at in found if start <= at < end)


def _judged(
    rules: RuleSet, line: Line, instants: list[dt.datetime], end: dt.datetime, supposed: Supposed
) -> Iterator[Segment]:
    caller = supposed.caller
    for start, stop in zip(instants, [*instants[1:], end], strict=True):
        call = Call(line.numbers[0], caller, start, is_withheld(caller))
        facts = supposed_busy(rules, supposed.facts(start), call)
        chosen = route(rules, call, facts)
        steps = [
            len(each.action.steps)
            for each in chosen.stages
            if isinstance(each.action, TransferAction)
        ]
        walked = walk(chosen, facts, [NO_ANSWER] * sum(steps))
        reason = walked.attempts[0].diversion_reason if walked.attempts else None
        because = chosen.trace.steps[-1].because
        yield Segment(line.name, start, stop, chosen.rule, _reach(walked), reason, because)


def _reach(walked: Walk) -> Reach:
    """Return who rings until a handler takes over, or what is done when nobody can be rung."""
    if walked.attempts:
        stage = walked.attempts[0].stage
        ringing = [each.destinations for each in walked.attempts if each.stage == stage]
        return Reach(tuple(tuple(each.label for each in step) for step in ringing))
    ending = walked.last.ending
    if not isinstance(ending, AnnounceAction):
        return Reach()
    heard = walked.route.say(ending.audio, walked.last.progress.reason)
    return Reach(announces=heard.sentence or heard.file_url)


def _merged(
    segments: Iterable[Segment], alike: Callable[[Segment, Segment], bool]
) -> Iterator[Segment]:
    held: Segment | None = None
    for each in segments:
        if held is not None and alike(held, each):
            held = replace(held, end=each.end)
            continue
        if held is not None:
            yield held
        held = each
    if held is not None:
        yield held


def _day(line: Line, wall: WallDay, segments: tuple[Segment, ...], supposed: Supposed) -> Day:
    schedules = _schedules(line)
    pieces = tuple(
        (span, each.reach) for each in segments for span in wall.spans(each.start, each.end)
    )
    settable = {each.name for each in _settable(line)}
    settable |= {other for each in schedules.values() for other in each.like}
    overrides = [each for each in supposed.overrides if each.name in settable]
    spans = [
        (each, tuple(wall.spans(each.start or wall.start, each.end or wall.end)))
        for each in overrides
    ]
    notes = (
        *_exceptions(schedules.values(), wall.date),
        *(_override_note(each, wall) for each, found in spans if found),
        *_clock_notes(wall),
    )
    return Day(wall, pieces, tuple(span for _, found in spans for span in found), notes)


def _schedules(line: Line) -> dict[str, Schedule]:
    """Return the schedules that the rules of a line ask for, by name."""
    return {each.name: each for each in _settable(line) if isinstance(each, Schedule)}


def _settable(line: Line) -> list[Schedule | Rotation]:
    """Return the schedules and rotations of a line."""
    return [each for each in clocks_of(line) if isinstance(each, (Schedule, Rotation))]


def _exceptions(schedules: Iterable[Schedule], date: dt.date) -> Iterator[Note]:
    """Yield one note for each exception of the day, with the schedules that have it.

    A schedule without weekly hours is made of exceptions only; they are its usual days.
    """
    found: dict[str, list[str]] = {}
    for schedule in schedules:
        hours = schedule.hours_on(date)
        if hours.exception is not None and any(schedule.week):
            shown = f"{schedule.name} {_hours(hours)}"
            found.setdefault(_plain(hours.exception), []).append(shown)
    for name, every in found.items():
        yield Note(HOLIDAY, f"{name}: {', '.join(every)}" if name else ", ".join(every))


def _plain(exception: str) -> str:
    """Return what people call an exception: the holiday, else the calendar, else nothing."""
    calendar, _, day = exception.rpartition(": ")
    return calendar if _NO_NAME.fullmatch(day) else day


def _hours(hours: DayHours) -> str:
    if hours.windows == ALWAYS:
        return "open all day"
    return ", ".join(str(each) for each in hours.windows) or "closed"


def _override_note(override: Override, wall: WallDay) -> Note:
    to = "to " if override.kind == "rotation" else ""
    text = f"{override.name} set {to}{override.state} by an override"
    if override.end is not None:
        text += f" until {override.end.astimezone(wall.zone):%a %d %b %H:%M}"
    return Note(OVERRIDE, text)


def _clock_notes(wall: WallDay) -> Iterator[Note]:
    if wall.skipped:
        yield Note(CLOCKS, f"clocks go forward: {_clock(wall.skipped)} is skipped")
    if wall.repeated:
        yield Note(CLOCKS, f"clocks go back: {_clock(wall.repeated)} comes twice")


def _clock(span: Span) -> str:
    return f"{clock(span.start)}-{clock(span.end)}"


def clock(second: int) -> str:
    """Return a second of the day as people read it: `09:00`."""
    return f"{second // 3600:02}:{second % 3600 // 60:02}"
