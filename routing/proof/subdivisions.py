"""Holidays that a calendar misses because it names a country and none of its subdivisions."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from msgspec import Struct, structs

from routing.countries import Country, holiday_of, names_on
from routing.proof.findings import INFO, WARNING, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from routing.countries import PublicHolidays
    from routing.problems import Keys

_DAYS = dt.timedelta(days=400)
_SHOWN = 6
"""Holidays of some subdivisions that are named; of more there is only the number."""


class Missed(Struct, frozen=True):
    """A holiday that a country as a whole does not have, and the subdivisions that have it."""

    name: str
    first: dt.date
    codes: tuple[str, ...]


def subdivisions(
    countries: Iterable[tuple[Keys, PublicHolidays]], today: dt.date
) -> Iterator[Finding]:
    """Yield a finding for each country of which a subdivision has more days.

    It is a warning if most subdivisions have such a day: then the country as a whole is hardly
    ever meant.
    """
    for keys, holidays in countries:
        if holidays.country.subdivision is None and holidays.only is None:
            missed = _missed(holidays.country, today)
            if missed:
                yield _finding(keys, holidays.country, missed)


def _finding(keys: Keys, country: Country, missed: list[Missed]) -> Finding:
    codes = country.subdivisions
    most = [each for each in missed if 2 * len(each.codes) > len(codes)]
    often = sorted(missed, key=lambda each: -len(each.codes))
    shown = most or often[:_SHOWN]
    listed = ", ".join(
        f"{each.name} ({each.first}; {len(each.codes)} of {len(codes)})" for each in shown
    )
    more = len(missed) - len(shown)
    listed += f", and {more} more that some have" if more else ""
    message = (
        f"{country.code} has subdivisions ({', '.join(codes)}) and none is given, so holidays are "
        f"missing that {'most' if most else 'some'} of them have: {listed}; give one"
        f"{'' if most else ', where these are meant'}: `subdivision: {shown[0].codes[0]}`"
    )
    return Finding(WARNING if most else INFO, "no-subdivision", (*keys, "country"), message)


def _missed(country: Country, today: dt.date) -> list[Missed]:
    """Return the holidays of the next days that only subdivisions have, the first ones first."""
    years = range(today.year, (today + _DAYS).year + 1)
    everywhere = country.days(years)
    found: dict[str, tuple[dt.date, dict[str, None]]] = {}
    for code in country.subdivisions:
        part = structs.replace(country, subdivision=code)
        for day, names in sorted(part.days(years).items()):
            if today <= day < today + _DAYS and day not in everywhere:
                for name in names_on(names):
                    _, having = found.setdefault(holiday_of(part, name), (day, {}))
                    having[code] = None
    every = (Missed(name, day, tuple(having)) for name, (day, having) in found.items())
    return sorted(every, key=lambda each: each.first)
