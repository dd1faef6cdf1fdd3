"""Recorded calls, routed again: what the ledger knows of each call when it was decided."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from routing import route as routes
from routing.conditions import Facts
from routing.router import route, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callflow.ledger import Ledger
    from callflow.record import Entry, Record
    from routing.conditions import Call
    from routing.route import Route
    from routing.router import Walk
    from routing.rules import RuleSet


class Recorded(NamedTuple):
    """A call that was routed, what was so then, and how its attempts ended."""

    record: Record
    call: Call
    facts: Facts
    outcomes: tuple[str, ...]
    route: Route
    facts_known: bool
    """Whether the ledger has the facts; calls of older versions are taken as if nobody was busy."""

    def as_before(self) -> Walk:
        """Return the attempts that the recorded route gives."""
        return walk(self.route, self.facts, self.outcomes)

    def by(self, rules: RuleSet) -> Walk:
        """Return the attempts that other rules would have given."""
        return walk(route(rules, self.call, self.facts), self.facts, self.outcomes)


def recorded(ledger: Ledger, since: float, limit: int) -> Iterator[Recorded]:
    """Yield the calls seen since then that were routed, the newest first."""
    for record in ledger.recent(limit):
        if record.rule is None or record.seen_at < since:
            continue
        whole = ledger.load(record.call_id)
        journal = ledger.journal(record.call_id)
        decision = next((each for each in journal if each.kind == "decision"), None)
        if whole is not None and whole.plan is not None and decision is not None:
            outcomes = tuple(each.data["outcome"] for each in journal if each.kind == "outcome")
            yield _recorded(whole, decision, outcomes)


def _recorded(record: Record, decision: Entry, outcomes: tuple[str, ...]) -> Recorded:
    known = decision.data.get("facts")
    facts = known or {}
    return Recorded(
        record,
        record.call(dt.datetime.fromtimestamp(decision.at, dt.UTC)),
        Facts(
            frozenset(facts.get("busy", ())), facts.get("presence", {}), facts.get("overrides", {})
        ),
        outcomes,
        routes.load(record.plan or {}),
        known is not None,
    )
