"""Time zones: IANA names, and what people write in their place."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from routing.problems import Path, Wrong, did_you_mean
from routing.reading.shapes import Context, Schema, made, text_of

if TYPE_CHECKING:
    from routing.reading.document import Node

_OFFSET = re.compile(r"(?:etc/)?(utc|gmt|z)? ?([+-]) ?(\d{1,2})(?::?(\d\d))?", re.ASCII)
_FIXED = re.compile(r"Etc/GMT([+-])(\d+)")
_NO_SUMMER_TIME = {
    "EST": "America/New_York",
    "MST": "America/Denver, or America/Phoenix for Arizona",
    "HST": "Pacific/Honolulu",
    **dict.fromkeys(("GMT", "GMT0", "GMT+0", "GMT-0", "Greenwich"), "Europe/London"),
}
_BY_OFFSET = {
    -600: "Pacific/Honolulu",
    -540: "America/Anchorage",
    -480: "America/Los_Angeles",
    -420: "America/Denver",
    -360: "America/Chicago",
    -300: "America/New_York",
    -240: "America/Halifax",
    -210: "America/St_Johns",
    -180: "America/Sao_Paulo",
    -60: "Atlantic/Azores",
    0: "Europe/London",
    60: "Europe/Berlin",
    120: "Europe/Athens",
    180: "Europe/Istanbul",
    240: "Asia/Dubai",
    300: "Asia/Karachi",
    330: "Asia/Kolkata",
    345: "Asia/Kathmandu",
    360: "Asia/Dhaka",
    420: "Asia/Bangkok",
    480: "Asia/Shanghai",
    540: "Asia/Tokyo",
    570: "Australia/Adelaide",
    600: "Australia/Sydney",
    660: "Pacific/Noumea",
    720: "Pacific/Auckland",
}
"""Minutes ahead of UTC in winter -> the zone that most people there live in."""
_NAMES = {
    "Pacific/Honolulu": "hawaiian, hawaii",
    "America/Anchorage": "akst, akdt, alaskan, alaska",
    "America/Los_Angeles": "pst, pdt, pt, pacific, california, san francisco, seattle, san diego, "
    "las vegas, portland, san jose, sacramento",
    "America/Denver": "mdt, mt, mountain, salt lake city, albuquerque",
    "America/Phoenix": "us mountain, arizona",
    "America/Chicago": "cst, cdt, ct, central, texas, dallas, houston, austin, san antonio, "
    "minneapolis, st louis, new orleans, nashville, milwaukee, kansas city",
    "America/New_York": "edt, et, est, eastern, nyc, washington, washington dc, boston, miami, "
    "atlanta, philadelphia, charlotte, raleigh, orlando, tampa, baltimore, pittsburgh, cleveland, "
    "florida, usa, united states",
    "America/Indiana/Indianapolis": "us eastern",
    "America/Regina": "canada central",
    "America/Toronto": "ottawa, quebec",
    "America/Halifax": "ast, adt, atlantic",
    "America/St_Johns": "nst, ndt, newfoundland",
    "America/Guatemala": "central america",
    "America/Mexico_City": "central mexico, mexico",
    "America/Bogota": "cot, sa pacific, colombia",
    "America/Caracas": "venezuela",
    "America/La_Paz": "sa western",
    "America/Sao_Paulo": "brt, e. south america, brazil, rio de janeiro, brasilia",
    "America/Argentina/Buenos_Aires": "art, argentina",
    "America/Santiago": "clt, clst, pacific sa, chile",
    "Atlantic/Reykjavik": "greenwich",
    "Europe/London": "bst, gmt, uk, england, britain, united kingdom, manchester, birmingham, "
    "edinburgh, glasgow, leeds, cardiff",
    "Europe/Dublin": "ireland",
    "Europe/Lisbon": "west, wet, portugal",
    "Europe/Berlin": "cest, cet, mez, mesz, mest, w. europe, germany, munich, frankfurt, hamburg, "
    "cologne, düsseldorf, stuttgart, münchen, köln",
    "Europe/Paris": "romance, france, lyon, marseille",
    "Europe/Madrid": "spain, barcelona",
    "Europe/Rome": "italy, milan, roma, milano",
    "Europe/Zurich": "switzerland, zürich, geneva, basel, bern",
    "Europe/Vienna": "austria, wien",
    "Europe/Amsterdam": "netherlands, rotterdam",
    "Europe/Budapest": "central europe",
    "Europe/Warsaw": "central european, poland",
    "Europe/Kyiv": "fle",
    "Europe/Bucharest": "gtb",
    "Europe/Athens": "eest, eet, e. europe, greece",
    "Europe/Istanbul": "trt, turkey",
    "Europe/Moscow": "msk, russian, russia",
    "Africa/Cairo": "egypt",
    "Africa/Johannesburg": "sast, south africa, cape town",
    "Africa/Lagos": "wat, w. central africa",
    "Africa/Nairobi": "eat, e. africa",
    "Asia/Jerusalem": "israel",
    "Asia/Riyadh": "arab, saudi arabia",
    "Asia/Dubai": "gst, arabian, abu dhabi",
    "Asia/Karachi": "pkt, pakistan",
    "Asia/Kolkata": "ist, india, mumbai, delhi, new delhi, bangalore, bengaluru, chennai",
    "Asia/Dhaka": "bangladesh",
    "Asia/Bangkok": "se asia, thailand",
    "Asia/Jakarta": "wib",
    "Asia/Shanghai": "china, beijing, shenzhen",
    "Asia/Hong_Kong": "hkt",
    "Asia/Singapore": "sgt",
    "Asia/Manila": "pht, philippines",
    "Asia/Taipei": "taiwan",
    "Asia/Tokyo": "jst, japan, osaka",
    "Asia/Seoul": "kst, korea",
    "Australia/Perth": "awst, w. australia",
    "Australia/Darwin": "aus central",
    "Australia/Adelaide": "acst, acdt, cen. australia",
    "Australia/Brisbane": "e. australia, queensland",
    "Australia/Sydney": "aest, aedt, aet, aus eastern, canberra",
    "Australia/Hobart": "tasmania",
    "Pacific/Auckland": "nzst, nzdt, nzt, new zealand, wellington",
}
"""Zone -> abbreviations, Windows' names without `Standard Time`, and places that are not IANA's."""


class Zone:
    """The IANA name of a zone."""

    what = "an IANA time zone"

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return any text."""
        return {"type": "string"}

    def read(self, node: Node, path: Path, context: Context) -> ZoneInfo | None:
        """Return the zone, after a warning if it stands for a place that has summer time."""
        text = text_of(node, path, context, self.what)
        found = made(lambda: zone(text), node, path, context) if text else None
        doubt = _without_summer_time(found.key) if found else None
        if doubt:
            context.problems.warn(node, path, "no-summer-time", doubt)
        return found


ZONE = Zone()


def zone(text: str) -> ZoneInfo:
    """Return the zone of an IANA name; raises Wrong."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        meant = _meant(text)
        hint = f"; did you mean {meant!r}?" if meant else did_you_mean(text, available_timezones())
        hint = hint or "; write it as America/New_York"
        raise Wrong("unknown-timezone", f"no IANA time zone is called {text!r}{hint}") from None


def _without_summer_time(key: str) -> str | None:
    """Return what is wrong with a zone whose clocks never change, though those of people do."""
    fixed = _FIXED.fullmatch(key)
    hours = int(fixed[2]) if fixed else 0
    if not hours:
        meant = _NO_SUMMER_TIME.get(key.removeprefix("Etc/"))
        return f"{key} has no summer time; write the zone that is meant: {meant}" if meant else None
    behind = fixed is not None and fixed[1] == "+"
    meant = _BY_OFFSET.get(-hours * 60 if behind else hours * 60)
    many = "" if hours == 1 else "s"
    where = f"{hours} hour{many} {'behind' if behind else 'ahead of'} UTC all the year"
    such = f", such as {meant}" if meant else ""
    return (
        f"{key} has no summer time: it is {where}; write the zone of the place that is meant{such}"
    )


def _meant(text: str) -> str | None:
    """Return the zone that people mean who write a text, as far as that can be told."""
    words = " ".join(text.lower().replace("_", " ").split())
    offset = _OFFSET.fullmatch(words)
    if offset:
        minutes = int(offset[3]) * 60 + int(offset[4] or 0)
        return _BY_OFFSET.get(-minutes if offset[2] == "-" else minutes)
    known = _zones_by_name()
    bare = re.sub(r" (standard |daylight |summer )?time( zone)?$", "", words)
    place = words.rpartition("/")[2].partition(",")[0].replace(".", "")
    return next((known[each] for each in (words, bare, place) if each in known), None)


@cache
def _zones_by_name() -> dict[str, str]:
    """Return zones by the names above and by their cities, in small letters."""
    cities = {
        name.rpartition("/")[2].replace("_", " ").lower(): name
        for name in sorted(available_timezones(), key=_likely)
        if "/" in name
    }
    named = {each: zone for zone, names in _NAMES.items() for each in names.split(", ")}
    return cities | named


def _likely(name: str) -> bool:
    """Return whether a name is one of today, and not kept for old times' sake (`US/Pacific`)."""
    return name.partition("/")[0] in {
        *("Africa", "America", "Antarctica", "Asia", "Atlantic"),
        *("Australia", "Europe", "Indian", "Pacific"),
    }
