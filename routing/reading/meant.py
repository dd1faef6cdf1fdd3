"""What somebody meant who wrote hours, days or a duration in another way than the language does.

Each function returns the text as the language writes it, or None where that would be a guess.
"""

from __future__ import annotations

import re

from routing.signs import ordinary_text

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_GROUPS = {
    "weekdays": "mon-fri",
    "weekday": "mon-fri",
    "workdays": "mon-fri",
    "weekend": "sat-sun",
    "weekends": "sat-sun",
    "daily": "mon-sun",
    "everyday": "mon-sun",
    "every day": "mon-sun",
    "all days": "mon-sun",
    "all week": "mon-sun",
}
_WHOLE_DAYS = {
    **dict.fromkeys(("open", "opened", "always", "24/7", "24h", "all day", "allday"), "open"),
    **dict.fromkeys(("closed", "close", "shut", "never", "none", "off", "no"), "closed"),
}
_BETWEEN = re.compile(r"(?:[,;&+/]| and )+")
_UNTIL = re.compile(r" ?(?:-+|\.\.+| to | till | until | through | thru ) ?")
_TIME = re.compile(
    r"(?P<hour>[0-9]{1,2})(?:[:.h](?P<minute>[0-9]{2})(?::00)?|(?P<sharp>[0-5][0-9])|h)?"
    r"(?: ?(?P<half>[ap])\.?m\.?)?"
)
_DURATION = re.compile(
    r"(?:(?P<hours>[0-9]+) ?(?:h|hrs?|hours?))? ?"
    r"(?:(?P<minutes>[0-9]+(?:\.[0-9]+)?) ?(?:m|mins?|minutes?))? ?(?:and )?"
    r"(?:(?P<seconds>[0-9]+) ?(?:s|secs?|seconds?)?)?"
)
_CLOCK = re.compile(r"(?P<minutes>[0-9]{1,2}):(?P<seconds>[0-5][0-9])")
_NOON = 12 * 60
_DAY = 24 * 60


def windows(text: str) -> str | None:
    """Return windows as they are written, from `9am-5pm`, `9-12 and 13.00-17.00` or `Closed`."""
    plain = _plain(text)
    if plain in _WHOLE_DAYS:
        return _WHOLE_DAYS[plain]
    found = [_window(each.strip()) for each in _BETWEEN.split(plain)]
    return ", ".join(each for each in found if each) if all(found) else None


def time(text: str) -> str | None:
    """Return a time as it is written, from `9am`, `9.30` or `noon`."""
    plain = _plain(text)
    match = _TIME.fullmatch(plain)
    found = _readings(match, sure=True) if match else []
    if plain in {"noon", "midday"}:
        found = [_NOON]
    return _clock(found[0]) if found else None


def days(text: str) -> str | None:
    """Return days of the week as they are written, from `Monday to Friday` or `weekdays`."""
    plain = _plain(text)
    if plain in _GROUPS:
        return _GROUPS[plain]
    found = [_days(each.strip()) for each in _BETWEEN.split(plain)]
    return ", ".join(each for each in found if each) if all(found) else None


def duration(text: str) -> str | None:
    """Return a duration as it is written, from `15 seconds`, `1 min`, `1.5m` or `0:20`."""
    plain = _plain(text)
    match = _DURATION.fullmatch(plain) or _CLOCK.fullmatch(plain)
    if not (plain.isascii() and match):
        return None
    parts = {name: float((count or "0")[:9]) for name, count in match.groupdict().items()}
    total = parts.get("hours", 0) * 3600 + parts["minutes"] * 60 + parts["seconds"]
    minutes, seconds = divmod(round(total), 60)
    written = (f"{minutes}m" if minutes else "") + (f"{seconds}s" if seconds else "")
    return written if total == round(total) else None


def day_and_windows(text: str) -> tuple[str, str] | None:
    """Return days and windows from a text that has both: `mon-fri 9-17`, `weekdays: 9am-5pm`."""
    plain = _plain(text)
    for at, sign in enumerate(plain):
        if sign in " :":
            named, open_then = days(plain[:at]), windows(plain[at:].strip(" :"))
            if named and open_then:
                return named, open_then
    return None


def _plain(text: str) -> str:
    """Return a text in lower case with ordinary blanks and hyphens."""
    return " ".join(ordinary_text(text).lower().split())


def _window(text: str) -> str | None:
    ends = [_TIME.fullmatch(each.strip()) for each in _UNTIL.split(text)]
    if len(ends) != 2 or ends[0] is None or ends[1] is None or ends[0]["hour"] == "24":
        return None
    starts = _readings(ends[0], sure=not ends[1]["half"])
    lengths = [
        ((end - start - 1) % _DAY, start, end)
        for start in starts
        for end in _readings(ends[1], sure=False)
    ]
    if not lengths:
        return None
    _, start, end = min(lengths)
    return f"{_clock(start % _DAY)}-{_clock(end or _DAY)}"


def _readings(match: re.Match[str], *, sure: bool) -> list[int]:
    """Return the minutes of the day that a time may mean: `5` is 05:00 or, if not sure, 17:00."""
    hour, minute = int(match["hour"]), int(match["minute"] or match["sharp"] or 0)
    found = [hour * 60 + minute]
    if match["half"]:
        found = [hour % 12 * 60 + minute + (_NOON if match["half"] == "p" else 0)]
    elif not sure and 1 <= hour <= 12 and not match["hour"].startswith("0"):
        found.append((hour % 12 + 12 if hour < 12 else 24) * 60 + minute)
    possible = minute < 60 and (1 <= hour <= 12 or not match["half"])
    return [each for each in found if possible and each <= _DAY]


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _days(text: str) -> str | None:
    if text in _GROUPS:
        return _GROUPS[text]
    ends = [_day(each.strip(" .")) for each in _UNTIL.split(text)]
    if len(ends) > 2 or None in ends:
        several = [_day(each.strip(".")) for each in text.split(" ")]
        return ", ".join(each for each in several if each) if all(several) else None
    return "-".join(each for each in ends if each)


def _day(word: str) -> str | None:
    if len(word) < 2:
        return None
    singular = word.removesuffix("s") if word.endswith("days") else word
    found = [name[:3] for name in WEEKDAYS if _short(singular, name)]
    return found[0] if len(found) == 1 else None


def _short(word: str, name: str) -> bool:
    return name.startswith(word) or word == f"{name[:3]}s"
