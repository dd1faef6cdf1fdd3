"""Accounts for every call, by what the phone company saw and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

from tests.faults import house
from tests.faults.company import FALLBACK

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BY_RULES, BY_FALLBACK_URL = "reached by the rules", "reached by the rules, told at the fallback URL"
AT_FALLBACK_NUMBER, REFUSED, ANNOUNCED = "reached at the fallback number", "refused", "announced"
GIVEN_BACK = "given back, and the other try told nobody: lost by contract"
TOLD_SORRY, LEFT, LOST = "told that nobody can be reached", "the caller left", "LOST"
KINDS = ("leg", "joined", "ended", "request", "callback")
"""The kinds of the log's entries that are needed, in this order."""

_HEARD = {None, "answer lost"}
"""What may be wrong with a callback that the service has taken all the same."""


@dataclass
class Leg:
    """One leg; times are epoch seconds, None for what never happened."""

    call_id: str
    to: str
    began: float
    is_rescue: bool = False
    is_created: bool = False
    joined: float | None = None
    ended: float | None = None
    by: str | None = None

    def overlaps(self, other: Leg) -> bool:
        """Whether both were in progress at one moment."""
        first, second = sorted((self, other), key=lambda leg: leg.began)
        return first.ended is None or first.ended > second.began


@dataclass
class Call:
    """The caller's leg, those that were made for it, and what was said to the caller."""

    caller: Leg
    legs: list[Leg] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)
    by_fallback: bool = False
    first_try: str | None = None
    """What was wrong with telling the first URL that the call is answered."""
    in_vain: bool = False
    """Whether it was given back once, and nobody was told by the platform's other try."""
    end_was_heard: bool = False
    """Whether the service was told that the caller's leg has ended."""

    @property
    def line(self) -> house.Line:
        return house.LINES[self.caller.to]

    def how_it_ended(self) -> str:
        """Return where the call ended, in the words of this module."""
        joined = [leg for leg in self.legs if leg.joined is not None]
        if any(leg.is_rescue for leg in joined):
            return AT_FALLBACK_NUMBER
        if joined:
            return BY_FALLBACK_URL if self.by_fallback else BY_RULES
        return self._unreached()

    def _unreached(self) -> str:
        if self.line.ends == "announced" and self.sentences and not self.legs:
            return ANNOUNCED
        if self.in_vain and not self.legs:
            return GIVEN_BACK
        if self.caller.by == "person":
            return LEFT
        if self.caller.by == "router":
            return self._hung_up_on()
        return LOST

    def _hung_up_on(self) -> str:
        line = self.line
        if line.ends == "refused" and not self.legs:
            return REFUSED
        last_resorts = {number for step in line.route[-2:] for number in step}
        sorry = line.ends == "reached" and any("sorry" in each for each in self.sentences)
        return TOLD_SORRY if sorry and last_resorts <= self.tried else LOST

    def violations(self, linger: float) -> Iterator[str]:
        """Yield in words what must not be; a leg may outlive its caller `linger` seconds.

        If the service never heard that the caller has left, only the platform can end the leg.
        """
        if self.how_it_ended() == LOST:
            yield f"the caller was lost: ended by the {self.caller.by}"
        yield from self._rung_twice()
        yield from self._left_over(linger)

    def _rung_twice(self) -> Iterator[str]:
        allowed = {number for step in self.line.route for number in step} | {house.HUMAN}
        for leg in self.legs:
            if leg.to not in allowed:
                yield f"{leg.to} was rung, where the rules never lead"
        for one, other in combinations(self.legs, 2):
            if one.to == other.to:
                yield f"{one.to} was rung twice"
            elif one.overlaps(other) and not self._may_overlap(one, other):
                yield f"{one.to} and {other.to} were rung at once"
            for first, second in ((one, other), (other, one)):
                if first.joined is not None and second.began > first.joined:
                    yield f"transferred to {second.to} while joined with {first.to}"

    def _may_overlap(self, one: Leg, other: Leg) -> bool:
        """Whether the rules ring both together, or the platform turned to the fallback number.

        It does when both tries of a late `incomingcall` fail, even if the service was told of the
        answer before and a group rings: nobody but the platform could know.
        """
        first, second = sorted((one, other), key=lambda leg: leg.began)
        if second.is_rescue:
            return first.is_created
        together = any({one.to, other.to} <= set(step) for step in self.line.route)
        return together and first.is_created and second.is_created

    def _left_over(self, linger: float) -> Iterator[str]:
        for leg in self.legs:
            if leg.ended is None:
                yield f"the leg to {leg.to} has not ended"
                continue
            outlived = leg.ended - (self.caller.ended or leg.ended)
            if outlived > linger and self.end_was_heard:
                yield f"the leg to {leg.to} outlived its caller by {outlived:.1f} s"


@dataclass
class Account:
    """All calls, and what struck them."""

    calls: dict[str, Call] = field(default_factory=dict)
    requests: int = 0
    callbacks: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    """How callbacks were not taken."""
    at_fallback: int = 0

    def ends(self) -> Counter[str]:
        """Return how many calls ended how."""
        return Counter(call.how_it_ended() for call in self.calls.values())

    def violations(self, linger: float) -> dict[str, list[str]]:
        """Return what must not be, by call; see `Call.violations`."""
        found = {call_id: list(call.violations(linger)) for call_id, call in self.calls.items()}
        return {call_id: what for call_id, what in found.items() if what}

    def most_places_taken(self, number: str) -> int:
        """Return how many legs a destination had at once, at most."""
        moments = []
        for call in self.calls.values():
            for leg in call.legs:
                if leg.to == number:
                    moments += [(leg.began, 1), (leg.ended or float("inf"), -1)]
        most = taken = 0
        for _, step in sorted(moments):
            taken += step
            most = max(most, taken)
        return most


def account_for(log: Iterable[dict[str, Any]]) -> Account:
    """Read the log; its entries come by kind, in the order of `KINDS`."""
    account, legs, owners = Account(), {}, {}
    for row in log:
        kind, call_id = row["kind"], row.get("callId", "")
        if kind == "leg":
            legs[call_id] = leg = Leg(call_id, row["to"], row["time"], bool(row.get("rescue")))
            parent = row["parent"] or row.get("tag") or ""
            if row["direction"] == "in":
                owners[call_id] = account.calls[call_id] = Call(leg)
            elif parent in account.calls:
                leg.is_created = row["parent"] is None
                owners[call_id] = account.calls[parent]
                account.calls[parent].legs.append(leg)
        elif kind == "joined":
            legs[call_id].joined = legs[row["with"]].joined = row["time"]
        elif kind == "ended":
            legs[call_id].ended, legs[call_id].by = row["time"], row["by"]
        elif kind == "request":
            _count_request(account, row)
        elif kind == "callback":
            _count_callback(account, owners, row)
    return account


def _count_request(account: Account, row: dict[str, Any]) -> None:
    account.requests += 1
    if "fault" in row:
        account.struck[f"API: {_fault_of(row)}"] += 1
    body = row["body"] if isinstance(row["body"], dict) else {}
    path = row["path"].split("/")
    call = account.calls.get(body.get("tag") or "") or account.calls.get("".join(path[5:6]))
    if call is None:
        return
    if row["path"].endswith("/audio") and body.get("sentence"):
        call.sentences.append(body["sentence"])
    call.tried |= {body[key] for key in ("transferTo", "to") if key in body}


def _fault_of(row: dict[str, Any]) -> str:
    late = row["fault"] == "lose-answer" and row["took"] > 1
    return f"{row['fault']} {row['status'] or ''}{'late' if late else ''}".strip()


def _count_callback(account: Account, owners: dict[str, Call], row: dict[str, Any]) -> None:
    account.callbacks += 1
    at_fallback = row["url"].endswith(FALLBACK)
    if "fault" in row and not at_fallback:
        account.struck[f"callback: {row['fault']}"] += 1
    if "problem" in row and "fault" not in row:
        account.failed[row["problem"].partition(":")[0]] += 1
    was_heard = row.get("problem") in _HEARD
    if row["event"] == "hangup" and row["leg"] in account.calls and was_heard:
        account.calls[row["leg"]].end_was_heard = True
    call = account.calls.get(row["leg"])
    if call is not None and row["event"] == "answer":
        problem = row.get("problem")
        if at_fallback:
            tries = [call.first_try, problem]
            call.in_vain = tries.count("answered 503") == 1 and not _HEARD & set(tries)
        else:
            call.first_try, call.in_vain = problem, False
    if at_fallback:
        account.at_fallback += 1
        if row["leg"] in owners and was_heard:
            owners[row["leg"]].by_fallback = True
