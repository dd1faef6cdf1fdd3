"""What is proved of one line, in words and as JSON: who is reached when, the longest ring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from routing.proof.week import day_words, spans_by_label, week_words
from routing.words import OTHERWISE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from routing.proof.chains import Chains
    from routing.proof.prove import LineProof, Reached
    from routing.proof.week import Hours

HOUR = 3600


def line_text(proved: LineProof) -> Iterator[str]:
    """Yield what an ordinary caller of a line gets when, and how long it can ring."""
    yield ""
    yield proved.line.name
    by_length = sorted(proved.when.hours.items(), key=lambda item: item[1].seconds)
    for label, hours in by_length:
        yield f"  {_label(label)}: {hours}"
    if proved.longest and proved.longest.seconds:
        yield f"  rings {proved.longest.seconds} s at most: {_chain(proved.longest)}"


def _label(label: Reached) -> str:
    return f"{label[0]} → {label[1]}"


def _chain(longest: Chains) -> str:
    """Return the attempts of a chain, each stage named once."""
    parts, stage = [], None
    for ring in longest.longest:
        named = "" if ring.stage == stage else f"{ring.stage}: "
        stage = ring.stage
        parts.append(f"{named}{' + '.join(ring.rings)} {ring.seconds} s")
    return ", ".join(parts)


def line_data(proved: LineProof) -> dict[str, Any]:
    """Return the same as JSON data."""
    longest = proved.longest
    chain = longest.longest if longest else ()
    hours = proved.when.hours
    return {
        "reached": [_hours(label, each) for label, each in hours.items()],
        "onlyOtherwise": [str(each) for (rule, _), each in hours.items() if rule == OTHERWISE],
        "otherDays": [
            {
                "dates": [str(date) for date in dates],
                "reached": [
                    {"rule": rule, "reaches": what, "hours": day_words(spans)}
                    for (rule, what), spans in spans_by_label(pattern).items()
                ],
            }
            for pattern, dates in proved.when.unlike.items()
        ],
        "longestRing": {
            "seconds": longest.seconds if longest else 0,
            "chain": [
                {"stage": r.stage, "rings": list(r.rings), "ring": r.seconds, "outcome": r.outcome}
                for r in chain
            ],
        },
    }


def _hours(label: Reached, hours: Hours) -> dict[str, Any]:
    touched = {hour for start, end in hours.week for hour in range(start // HOUR, -(-end // HOUR))}
    return {
        "rule": label[0],
        "reaches": label[1],
        "week": week_words(hours.week) if hours.week else "",
        "hoursOfWeek": sorted(touched),
    }
