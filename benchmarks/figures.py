"""Figures: what was measured round by round, ours beside a peer's, and the goal."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Goal:
    """A limit of the ratio, or with `of_ratio` off of our own value."""

    limit: float
    at_least: bool = False
    of_ratio: bool = True

    def is_reached(self, value: float) -> bool:
        """Whether a ratio, or our value, is good enough."""
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Figure:
    """One row: the values of ours and of a peer, one for each round, in the same order.

    Without `peer` it is ours alone; without values it was not measured.
    """

    name: str
    unit: str
    ours: list[float]
    peer: str = ""
    theirs: list[float] = field(default_factory=list)
    goal: Goal | None = None

    @property
    def our_median(self) -> float | None:
        """The median of our rounds; None if there was none."""
        return median(self.ours) if self.ours else None

    @property
    def their_median(self) -> float | None:
        """The median of the peer's rounds; None if there was none."""
        return median(self.theirs) if self.theirs else None

    @property
    def ratio(self) -> float | None:
        """Our median by the peer's; None if one of them is not there, or the peer's is 0."""
        if self.our_median is None or not self.their_median:
            return None
        return self.our_median / self.their_median

    @property
    def ratios(self) -> list[float]:
        """The ratio of each pair of rounds."""
        pairs = zip(self.ours, self.theirs, strict=False)
        return [ours / theirs for ours, theirs in pairs if theirs]

    @property
    def is_reached(self) -> bool | None:
        """Whether the goal is; None without a goal, or a value."""
        value = self.ratio if self.goal and self.goal.of_ratio else self.our_median
        return None if self.goal is None or value is None else self.goal.is_reached(value)


@dataclass(frozen=True)
class Section:
    """Figures that were taken together.

    `calls` is the number of callbacks; `errors` by side that of those that went wrong: no answer,
    a status above 399, or a call that was not transferred exactly once.
    """

    title: str
    conditions: str
    figures: list[Figure]
    calls: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    run: dict[str, str] = field(default_factory=dict)
    """What tells one run from another: date, commit, command, load."""
    machine: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the section as plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Section:
        """Return the section that `to_json` made into data."""
        figures = [
            Figure(**{**row, "goal": Goal(**row["goal"]) if row["goal"] else None})
            for row in data["figures"]
        ]
        return cls(**{**data, "figures": figures})
