"""Moments as operators write them: `18:00`, `2h`, `tomorrow 08:00`, `monday 08:00`, a date.

Pure: the time of now and the zone are arguments.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

from routing.problems import Wrong, did_you_mean
from routing.reading.meant import WEEKDAYS
from routing.reading.values import instant

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

FORMS = "18:00, 2h, tomorrow 08:00, monday 08:00 or 2026-03-09T08:00"
"""What may be written, for helps and errors."""

_LAST_YEAR = 2200
_DAYS = {"today": 0, "tomorrow": 1}
_WORDS = (*_DAYS, *WEEKDAYS)
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit in _UNITS))
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_TIME_AT_END = re.compile(r"(?:^|[ T])([0-9]{1,2}:[0-9]{2})$")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def later(text: str, now: dt.datetime, zone: ZoneInfo | None) -> dt.datetime:
    """Return the instant, in UTC, that `text` names as seen from `now`.

    A time alone, or a weekday, is the next one. A day alone is its beginning. Raises Wrong for
    what names no moment, and for a moment that has passed.
    """
    try:
        found = _named(" ".join(text.split()), now, zone)
    except OverflowError:
        raise _too_far(text) from None
    if found.year > _LAST_YEAR:
        raise _too_far(text)
    if found <= now:
        raise Wrong("past-time", f"{text} has passed: it was {_shown(found, zone)}")
    return found


def _named(text: str, now: dt.datetime, zone: ZoneInfo | None) -> dt.datetime:
    duration = _DURATION.fullmatch(text) if text else None
    if duration:
        return _after(duration, now, zone)
    time = _TIME_AT_END.search(text)
    day = text[: time.start()] if time else text
    if not (_DATE.fullmatch(day) or _is_word(day) or (time and not day)):
        return _instant(text, zone)
    if zone is None:
        raise _without_zone()
    clock = _clock(time[1]) if time else None
    today = now.astimezone(zone).date()
    found = [_at(each, clock, now, zone) for each in _candidates(day, today)]
    return next((each for each in found if each > now), found[-1])


def _after(duration: re.Match[str], now: dt.datetime, zone: ZoneInfo | None) -> dt.datetime:
    """Return the moment after a duration; whole days keep the time on the clock."""
    parts = {
        unit: int(count or 0)
        for unit, count in zip(_UNITS.values(), duration.groups(), strict=True)
    }
    days = dt.timedelta(weeks=parts.pop("weeks"), days=parts.pop("days"))
    start = now
    if days and zone is not None:
        wall = now.astimezone(zone)
        start = (wall + days).replace(fold=wall.fold)
    elif days:
        start = now + days
    return start.astimezone(dt.UTC) + dt.timedelta(**parts)


def _is_word(day: str) -> bool:
    return bool(day) and _word(day) is not None


def _word(day: str) -> str | None:
    """Return the word of a day; a weekday may have its three letters only."""
    short = {each[:3]: each for each in WEEKDAYS}
    word = short.get(day.lower(), day.lower())
    return word if word in _WORDS else None


def _candidates(day: str, today: dt.date) -> list[dt.date]:
    """Return the dates that `day` may mean, soonest first."""
    if not day:
        return [today, today + dt.timedelta(1)]
    word = _word(day)
    if word is None:
        return [_date(day)]
    if word in _DAYS:
        return [today + dt.timedelta(_DAYS[word])]
    ahead = (WEEKDAYS.index(word) - today.weekday()) % 7
    return [today + dt.timedelta(ahead), today + dt.timedelta(ahead + 7)]


def _date(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise Wrong("bad-date", f"there is no day {text}") from None


def _clock(text: str) -> dt.timedelta:
    hours, minutes = (int(part) for part in text.split(":"))
    if minutes > 59 or hours * 60 + minutes > 24 * 60:
        raise Wrong("bad-time", f"there is no time {text}; the last one is 24:00")
    return dt.timedelta(hours=hours, minutes=minutes)


def _at(date: dt.date, clock: dt.timedelta | None, now: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return the instant of a time on a day; of one that comes twice, what is ahead of `now`."""
    midnight = dt.datetime.combine(date, dt.time())
    if clock is None:  # of a day whose midnight the clocks skip, its first instant
        return midnight.replace(tzinfo=zone).astimezone(dt.UTC)
    wall = midnight + clock
    both = [wall.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1)]
    if both[0].astimezone(zone).replace(tzinfo=None, fold=0) != wall:
        text = f"{wall:%Y-%m-%dT%H:%M}"
        raise Wrong("bad-time", f"{text} does not occur in {zone.key}: clocks skip it that day")
    return next((each for each in both if each > now), both[-1])


def _instant(text: str, zone: ZoneInfo | None) -> dt.datetime:
    try:
        return instant(text, zone)
    except Wrong as wrong:
        if wrong.code == "missing-timezone":
            raise _without_zone() from None
        if re.match(_DATE, text):
            raise
    if text.isdigit():
        raise Wrong("bad-time", f"{text} what? write {text}m for minutes or {text}h for hours")
    hint = did_you_mean(text.rsplit(" ", 1)[0], _WORDS)
    raise Wrong("bad-time", f"{text!r} names no moment{hint or f'; write {FORMS}'}")


def _without_zone() -> Wrong:
    message = "the rules name no `timezone`: write 2h, or an offset as in 2026-03-09T08:00Z"
    return Wrong("missing-timezone", message)


def _too_far(text: str) -> Wrong:
    return Wrong("bad-time", f"{text} is too far away; the last year is {_LAST_YEAR}")


def _shown(moment: dt.datetime, zone: ZoneInfo | None) -> str:
    return f"{moment.astimezone(zone or dt.UTC):%a %Y-%m-%d %H:%M %Z}"
