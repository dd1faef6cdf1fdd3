"""Numbers as people read them."""

from __future__ import annotations

NOT_MEASURED = "not measured"


def amount(value: float | None, unit: str) -> str:
    """Return a value with its unit, in as many digits as mean something."""
    if value is None:
        return NOT_MEASURED
    return f"{digits(value)}{'' if unit.startswith('/') else ' '}{unit}".rstrip()


def digits(value: float) -> str:
    """Return a number in three digits, or all of a whole one."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:#.3g}"
