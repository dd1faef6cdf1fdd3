"""`flask rules timeline`: who is reached when."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from callflow.ledger import OVERRIDE, LedgerError
from commands.output import (
    JSON_OPTION,
    Failure,
    WrongUsage,
    busy_names,
    caller_of,
    good_rules,
    known,
    overrides,
    presences,
    print_json,
    rules_path,
    say,
    service_ledger,
)
from commands.timeline_svg import as_svg
from commands.timeline_text import as_lines
from routing.dates import parse_date
from routing.problems import Wrong
from routing.proof.timeline import Override, Supposed, home_zone, timeline
from routing.reading.values import instant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from routing.proof.timeline import Day, LineTimeline, Reach, Segment, Timeline
    from routing.rules import RuleSet


@click.command("timeline")
@click.argument("words", nargs=-1, metavar="[LINE] [FILE]")
@click.option("--from", "first", metavar="DATE", help="2026-03-09. Default: today.")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 366))
@click.option("--svg", type=click.File("w", encoding="utf-8", lazy=True), help="Draw it.")
@click.option("--from-number", "caller", metavar="N", help="Default: in no caller list.")
@click.option("--busy", multiple=True, metavar="D", help="A destination at its capacity.")
@click.option("--presence", multiple=True, metavar="P=STATE", help="A person's presence.")
@click.option(
    "--override",
    "overrides",
    multiple=True,
    metavar="S=STATE[@TIME..TIME]",
    help="A schedule set open or closed, or a rotation set to a member, besides those in force.",
)
@click.option("--rules", "file", metavar="FILE", help="The rules file: the same as FILE.")
@JSON_OPTION
def timeline_command(
    words: tuple[str, ...], file: str | None, svg: IO[str] | None, as_json: bool, **given: Any
) -> None:
    """Show who is reached when: every line, or LINE, for a week, by the service's rules or FILE.

    It holds for an ordinary caller, when nobody is busy and everybody is available; the options
    suppose something else. Overrides that are set count from now to their end, but not for
    another rules file.
    """
    line, file = _line_and_file(words, file)
    path = rules_path(file)
    rules = good_rules(path, as_json=as_json)
    lines = [rules.lines[known("line", line, rules.lines)]] if line else list(rules.lines.values())
    first = _date(given["first"]) if given["first"] else dt.datetime.now(home_zone(rules)).date()
    in_force = () if file else _overrides_in_force(rules)
    found = timeline(rules, lines, first, given["days"], _supposed(rules, given, in_force))
    if svg:
        svg.write(as_svg(found))
    if as_json:
        print_json(as_data(found))
    elif not svg:
        click.get_current_context().color = False if os.environ.get("NO_COLOR") else None
        for each in as_lines(found, path):
            say(each)


def _line_and_file(words: tuple[str, ...], named: str | None) -> tuple[str | None, str | None]:
    """Return the line and the file among the words: what looks like a file is one."""
    files = [each for each in words if _is_file(each)]
    lines = [each for each in words if not _is_file(each)]
    files += [named] if named and named not in files else []
    for what, given in (("line", lines), ("rules file", files)):
        if len(given) > 1:
            raise WrongUsage(f"{' and '.join(given)}: give one {what}")
    return next(iter(lines), None), next(iter(files), None)


def _is_file(word: str) -> bool:
    path = Path(word)
    return path.suffix in {".yaml", ".yml"} or len(path.parts) > 1 or path.is_file()


def _date(text: str) -> dt.date:
    try:
        return parse_date(text)
    except Wrong as wrong:
        raise WrongUsage(f"--from: {wrong}") from None


def _supposed(rules: RuleSet, given: dict[str, Any], in_force: Iterable[Override]) -> Supposed:
    caller = given["caller"]
    return Supposed(
        caller_of(rules, "--from-number", caller),
        f"the caller {caller}" if caller else "an ordinary caller",
        busy_names(rules, given["busy"]),
        presences(rules, given["presence"]),
        (*in_force, *(_override(rules, each) for each in given["overrides"])),
    )


def _overrides_in_force(rules: RuleSet) -> list[Override]:
    """Return what operators have set, from now on: what was so before is not known."""
    now = time.time()
    try:
        found = service_ledger().standing(OVERRIDE, now)
    except LedgerError as error:
        raise Failure(str(error)) from None
    states = rules.settable
    return [
        Override(
            each.name,
            each.value,
            _moment(max(now, each.since or now)),
            _moment(each.until),
            _kind(rules, each.name),
        )
        for each in found
        if each.value in states.get(each.name, ())
    ]


def _kind(rules: RuleSet, name: str) -> str:
    return "rotation" if name in rules.rotations else "schedule"


def _moment(moment: float | None) -> dt.datetime | None:
    return None if moment is None else dt.datetime.fromtimestamp(int(moment), dt.UTC)


def _override(rules: RuleSet, text: str) -> Override:
    """Return the override of `office=closed@2026-03-09T12:00..2026-03-10T08:00`."""
    pair, _, times = text.partition("@")
    ((name, state),) = overrides(rules, (pair,)).items()
    if not times:
        return Override(name, state, kind=_kind(rules, name))
    start, _, end = times.partition("..")
    zone = rules.zone_of(name)
    try:
        limits = instant(start, zone), instant(end, zone)
        found = Override(name, state, *limits, _kind(rules, name))
    except Wrong as wrong:
        raise WrongUsage(f"--override: {wrong}") from None
    if not found.lasts():
        raise WrongUsage(f"--override: {times} ends before it begins")
    return found


def as_data(found: Timeline) -> dict[str, Any]:
    """Return what `flask rules timeline --json` prints."""
    supposed, zone = found.supposed, found.zone
    days = found.lines[0].days
    return {
        "timezone": zone.key,
        "from": days[0].wall.start.astimezone(zone).isoformat(),
        "to": days[-1].wall.end.astimezone(zone).isoformat(),
        "supposed": {
            "from": supposed.caller,
            "busy": sorted(supposed.busy),
            "presence": dict(supposed.presence),
        },
        "overrides": [_override_data(each, zone) for each in supposed.overrides],
        "segments": [_segment(each, zone) for line in found.lines for each in line.segments],
        "notes": [note for line in found.lines for day in line.days for note in _notes(line, day)],
    }


def _override_data(override: Override, zone: dt.tzinfo) -> dict[str, Any]:
    return {
        override.kind: override.name,
        "state": override.state,
        "from": override.start.astimezone(zone).isoformat() if override.start else None,
        "until": override.end.astimezone(zone).isoformat() if override.end else None,
    }


def _segment(segment: Segment, zone: dt.tzinfo) -> dict[str, Any]:
    return {
        "line": segment.line,
        "from": segment.start.astimezone(zone).isoformat(),
        "to": segment.end.astimezone(zone).isoformat(),
        "rule": segment.rule,
        **_reach(segment.reach),
        "because": segment.because,
        "diversionReason": segment.reason,
    }


def _reach(reach: Reach) -> dict[str, Any]:
    """Return `rings` with who rings first, as in `expect`, and `then` with who rings after."""
    if reach.steps:
        steps = [list(each) if len(each) > 1 else each[0] for each in reach.steps]
        return {"rings": steps[:1], **({"then": steps[1:]} if steps[1:] else {})}
    return {"rejects": True} if reach.rejects else {"announces": reach.announces}


def _notes(line: LineTimeline, day: Day) -> list[dict[str, Any]]:
    where = {"line": line.line.name, "date": day.wall.date.isoformat()}
    return [{**where, "kind": each.kind, "text": each.text} for each in day.notes]
