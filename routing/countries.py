"""The public holidays of countries, from the package `holidays`."""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import find_spec, module_from_spec
from typing import Any


def country_holidays(country: str, **options: Any) -> Any:
    """Return the days of a country, as `holidays.country_holidays` does.

    Raises NotImplementedError for a country that the package does not know.
    """
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
