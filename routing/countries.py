"""The public holidays of countries, from the package `holidays`."""

from __future__ import annotations

import re
import sys
import warnings
from functools import cache, lru_cache
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from routing.dates import Days, EveryYear
from routing.problems import Wrong, did_you_mean

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

_DELIMITER = "; "
"""What the package puts between the names of two holidays on one day."""
_LABELS = ("observed_label", "observed_label_before", "observed_estimated_label", "estimated_label")
"""How each country marks a day that is observed for another, or not yet fixed: `%s (observed)`."""
_ENGLISH = "en_US"
_NAMED_IN = range(2000, 2051)
"""Years whose holidays may be named."""
_LATELY = range(2024, 2032)
"""Years in which a holiday is looked for in every subdivision."""


def country_holidays(country: str, **options: Any) -> Any:
    """Return the days of a country, as `holidays.country_holidays` does.

    Raises NotImplementedError for a country that the package does not know. It tells on stderr
    where it knows a part of a year's days only; that is nothing that a caller could mend.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return _package().country_holidays(country, **options)


@cache
def _package() -> Any:
    """Import `holidays`, but of its 250 countries only those that are asked for.

    It imports the module of each country when it is first asked for; but those modules lie in a
    package which imports them all, in 40 ms and 7 MB. That package stays empty here.
    """
    name = "holidays.countries"
    spec = find_spec(name)
    if spec is not None and name not in sys.modules:
        sys.modules[name] = module_from_spec(spec)
    return sys.modules["holidays"]


class Country(Struct, frozen=True):
    """Whose holidays, and which kinds of them."""

    code: str
    subdivision: str | None = None
    categories: tuple[str, ...] = ()

    def days(self, years: Iterable[int], language: str | None = None) -> dict[dt.date, str]:
        """Return the names of the holidays of some years, by day; none where none are known.

        Without a language they are in the country's own.
        """
        known = _entity(self.code)
        found = country_holidays(
            self.code,
            subdiv=self.subdivision,
            years=[each for each in years if known.start_year <= each <= known.end_year],
            expand=False,
            categories=self.categories or None,
            language=language or known.language,
        )
        return dict(found)

    @property
    def subdivisions(self) -> tuple[str, ...]:
        """The codes of all subdivisions."""
        return tuple(_entity(self.code).subdivisions)

    def __str__(self) -> str:
        return f"{self.code}, {self.subdivision}" if self.subdivision else self.code


@lru_cache(maxsize=256)
def _entity(code: str) -> Any:
    """Return what the package says of a country, without any day, in the country's own language.

    Else the names would be in the language of the host, and a file mean other days elsewhere.
    """
    language = country_holidays(code, expand=False).default_language
    return country_holidays(code, expand=False, language=language)


class Some(Struct, frozen=True):
    """Some of a country's holidays, by their names as `_key` makes them, or by their days."""

    names: frozenset[str] = frozenset()
    days: tuple[Days, ...] = ()

    def has(self, country: Country, name: str, day: dt.date) -> bool:
        """Return whether a holiday on a day is one of them; an observed one goes with its own."""
        if any(each.name_of(day) for each in self.days):
            return True
        return not self.names.isdisjoint({_key(name), _key(holiday_of(country, name))})


class PublicHolidays(EveryYear, frozen=True):
    """The public holidays of a country, observed days included; all, or some of them."""

    country: Country
    only: Some | None = None
    without: Some | None = None

    def name_of(self, day: dt.date) -> str | None:
        """Return the holiday's name if `day` is one."""
        names = _holidays_of(self.country, day.year).get(day)
        if names is None or not (self.only or self.without):
            return names
        return _DELIMITER.join(filter(lambda name: self._has(name, day), names_on(names))) or None

    def _has(self, name: str, day: dt.date) -> bool:
        if self.only is not None and not self.only.has(self.country, name, day):
            return False
        return self.without is None or not self.without.has(self.country, name, day)


def names_on(names: str) -> list[str]:
    """Return each of the holidays that fall on one day."""
    return names.split(_DELIMITER)


@lru_cache(maxsize=4096)
def _key(name: str) -> str:
    """Return a holiday's name as it is compared: in any case, with any apostrophe and blanks."""
    return " ".join(name.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").casefold().split())


@lru_cache(maxsize=128)
def _holidays_of(country: Country, year: int) -> dict[dt.date, str]:
    return country.days([year])


@lru_cache(maxsize=64)
def _named(country: Country) -> dict[str, list[dt.date]]:
    """Return every name of a holiday, with the days that have it."""
    found: dict[str, list[dt.date]] = {}
    for day, names in sorted(country.days(_NAMED_IN).items()):
        for name in names_on(names):
            found.setdefault(name, []).append(day)
    return found


@lru_cache(maxsize=4096)
def holiday_of(country: Country, name: str) -> str:
    """Return the holiday that a name such as `Christmas Day (observed)` is for, else the name."""
    for form in _marked_forms(country.code):
        found = form.fullmatch(name)
        if found and found[1].strip() in _named(country):
            return holiday_of(country, found[1].strip())
    return name


@lru_cache(maxsize=64)
def _marked_forms(code: str) -> list[re.Pattern[str]]:
    known = _entity(code)
    labels = [known.tr(getattr(known, label)) for label in _LABELS if hasattr(known, label)]
    forms = ("(.+)".join(map(re.escape, label.split("%s"))) for label in labels)
    return [re.compile(form) for form in dict.fromkeys(forms) if form != "(.+)"]


def country_of(code: str, subdivision: str | None, categories: tuple[str, ...]) -> Country:
    """Return a country after checking that its data exists; raises Wrong."""
    try:
        known = _entity(code.upper())
    except NotImplementedError:
        message = f"no holidays are known for {code!r}; write an ISO 3166 code such as US"
        raise Wrong("unknown-country", message) from None
    places = {*known.subdivisions, *known.subdivisions_aliases}
    if subdivision is not None and subdivision not in places:
        hint = did_you_mean(subdivision, places) or "; write an ISO 3166 code such as CA"
        message = f"no holidays are known for {subdivision!r} of {code}{hint}"
        raise Wrong("unknown-subdivision", message)
    unknown = [word for word in categories if word not in known.supported_categories]
    if unknown:
        allowed = ", ".join(known.supported_categories)
        raise Wrong("unknown-category", f"{code} has no category {unknown[0]!r}; it has {allowed}")
    return Country(code.upper(), subdivision, categories)


def holiday_names(country: Country, text: str) -> frozenset[str]:
    """Return the names that `text` stands for, as they are compared; none if it is no holiday.

    It may be a name in English. Where several holidays fall on one day it may be all their names,
    as they are shown.
    """
    known = {_key(name) for name in _named(country)}
    if _key(text) in known:
        return frozenset({_key(text)})
    found = _in_english(country).get(_key(text)) or {_key(name) for name in names_on(text)}
    return frozenset(found) if found <= known else frozenset()


@lru_cache(maxsize=64)
def _in_english(country: Country) -> dict[str, set[str]]:
    """Return what the holidays are called in the country, by their names in English."""
    found: dict[str, set[str]] = {}
    if _ENGLISH in _entity(country.code).supported_languages:
        own = country.days(_NAMED_IN)
        for day, name in country.days(_NAMED_IN, _ENGLISH).items():
            if len(names_on(name)) == len(names_on(own[day])) == 1:
                found.setdefault(_key(name), set()).add(_key(own[day]))
    return found


def unknown_holiday(country: Country, text: str) -> Wrong:
    """Return the error for a name that no holiday of a country has."""
    usual = {name: days[-1] for name, days in _named(country).items() if len(days) > 1}
    own = [name for name in usual if holiday_of(country, name) == name]
    names = sorted(own, key=lambda name: (usual[name].month, usual[name].day))
    hint = ("" if country.subdivision else _where(country, text)) or did_you_mean(text, names)
    message = f"{country} has no holiday {text!r}{hint}{'' if hint.endswith('?') else ';'} it has"
    return Wrong("unknown-holiday", f"{message} {', '.join(names)}")


def _where(country: Country, text: str) -> str:
    """Return which subdivision has a holiday of that name, if one has."""
    for code in country.subdivisions:
        part = Country(country.code, code, country.categories)
        names = {_key(name) for names in part.days(_LATELY).values() for name in names_on(names)}
        if _key(text) in names:
            return f"; {code} has it: add `subdivision: {code}`"
    return ""


def falls_on(country: Country, days: Days) -> bool:
    """Return whether some holiday of a country falls on one of these days."""
    return any(days.name_of(day) for every in _named(country).values() for day in every)
