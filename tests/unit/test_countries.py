"""That countries are what the package `holidays` has them to be, although it is not asked whole."""

from __future__ import annotations

import json
import subprocess
import sys

import holidays
import pytest

from routing.countries import country_holidays

_TOLD = """
import json, sys
from routing.countries import country_holidays
days = {{
    each: [[str(day), name] for day, name in sorted(country_holidays(each, years=2026).items())]
    for each in {countries}
}}
others = [each for each in sys.modules if each.startswith("holidays.countries.")]
print(json.dumps([days, others]))
"""


def _told(countries: list[str]) -> tuple[dict[str, list[list[str]]], list[str]]:
    """Return what a process says that has imported nothing of `holidays` by another way."""
    code = _TOLD.format(countries=countries)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    days, imported = json.loads(done.stdout)
    return days, imported


def test_every_country_has_its_days() -> None:
    countries = sorted(holidays.list_supported_countries())
    assert len(countries) > 200
    days, _ = _told(countries)
    for country in countries:
        wanted = sorted(holidays.country_holidays(country, years=2026).items())
        assert days[country] == [[str(day), name] for day, name in wanted], country


def test_only_the_country_that_is_asked_for_is_imported() -> None:
    days, imported = _told(["US"])
    assert len(days["US"]) > 10
    assert imported == ["holidays.countries.united_states"]


def test_an_unknown_country_is_told() -> None:
    with pytest.raises(NotImplementedError):
        country_holidays("XX")
