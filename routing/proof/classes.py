"""Classes of callers, presence and diversion that some conditions tell apart.

Two values are in one class when every condition judges them alike. A class is shown by its most
ordinary member, which is a real one: a number of it can exist.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from catapult.transfer import DIVERSION_REASONS
from routing.callers import ANONYMOUS, CallerList, host_and_port, normal_party
from routing.conditions import Diverted, From, Not, Presence, Time
from routing.problems import Wrong
from routing.proof.worlds import AT, BUSY, CALLER, DIVERTED, PRESENCE, Domains, mentioned
from routing.reading.numbers import check_number
from routing.words import AVAILABLE, PRESENCE_STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from routing.conditions import Condition
    from routing.proof.sweep import Sweep
    from routing.schedule import Schedule

T = TypeVar("T")
_DIGITS = "2019345678"
"""In the order in which they are tried to complete a number."""
_TRIES = 40
"""Numbers that are looked at for one in a range that is assigned to somebody."""
_FORGED = 2
"""The quality of a number that cannot exist."""


class Party(NamedTuple):
    """Who calls: the address in normal form, and whether it is withheld."""

    address: str
    withheld: bool = False


def domains_of(conditions: Iterable[Condition], sweep: Sweep, default_caller: str) -> Domains:
    """Return for everything that the conditions look at the values that they tell apart."""
    every = list(flat(conditions))
    lists = tuple(dict.fromkeys(each.callers for each in every if isinstance(each, From)))
    moments = sweep.moments(schedules_of(every))
    domains: Domains = {
        AT: moments.first,
        CALLER: parties(lists, default_caller),
        DIVERTED: _reasons([each for each in every if isinstance(each, Diverted)]),
    }
    for kind, name in sorted(mentioned(every)):
        if kind == BUSY:
            domains[kind, name] = (False, True)
        elif kind == PRESENCE:
            domains[kind, name] = tuple(presence_classes(name, every))
    return domains


def flat(conditions: Iterable[Condition]) -> Iterator[Condition]:
    """Yield the conditions, those inside `not` in its place."""
    for each in conditions:
        if isinstance(each, Not):
            yield from flat(each.inner)
        else:
            yield each


def schedules_of(conditions: Iterable[Condition]) -> list[Schedule]:
    """Return the schedules that conditions name, each once."""
    named = (each.schedules for each in flat(conditions) if isinstance(each, Time))
    return list({id(each): each for schedules in named for each in schedules}.values())


def _apart(values: Iterable[T], judge: Callable[[T], object]) -> tuple[T, ...]:
    """Return the first of the values of each class that `judge` tells apart."""
    found: dict[object, T] = {}
    for value in values:
        found.setdefault(judge(value), value)
    return tuple(found.values())


def presence_classes(person: str, conditions: Iterable[Condition]) -> dict[str, tuple[str, ...]]:
    """Return the states of a person that are told apart, each with those that are as it is."""
    wanted = [
        states
        for each in flat(conditions)
        if isinstance(each, Presence)
        for who, states in each.wanted
        if who == person
    ]
    found: dict[object, list[str]] = {}
    for state in PRESENCE_STATES:
        judged = (state == AVAILABLE, *(state in states for states in wanted))
        found.setdefault(judged, []).append(state)
    return {each[0]: tuple(each) for each in found.values()}


def _reasons(conditions: Sequence[Diverted]) -> tuple[str | None, ...]:
    def judge(reason: str | None) -> tuple[bool, ...]:
        named = (reason in each.reasons for each in conditions)
        return (reason is not None and any("any" in c.reasons for c in conditions), *named)

    return _apart((None, *DIVERSION_REASONS), judge)


@lru_cache(maxsize=4096)
def parties(lists: tuple[CallerList, ...], default: str) -> tuple[Party, ...]:
    """Return one caller of each class that the lists tell apart, `default` first."""
    plain = list(dict.fromkeys(_addresses(lists, default)))
    candidates = [
        *(Party(address) for address in plain),
        Party(ANONYMOUS, withheld=True),
        *(Party(f"sip:anonymous@{host}", withheld=True) for host in _hosts(lists)),
        *(Party(address, withheld=True) for address in plain),
    ]
    if not any(each.anonymous for each in lists):
        candidates = candidates[: len(plain)]
    return _apart(
        candidates,
        lambda party: tuple(each.has(party.address, anonymous=party.withheld) for each in lists),
    )


def _addresses(lists: tuple[CallerList, ...], default: str) -> Iterator[str]:
    """Yield callers, at least one for each part of the world that a pattern cuts out."""
    exact = frozenset().union(*(each.exact for each in lists))
    prefixes = frozenset(prefix for each in lists for prefix in each.prefixes)
    yield default
    for prefix in sorted(prefixes):
        yield from number_under(prefix, prefixes, exact)
    yield from sorted(exact)
    for host in _hosts(lists):
        yield _unlike(normal_party(f"sip:caller@{host}"), exact)


def _hosts(lists: tuple[CallerList, ...]) -> list[str]:
    """Return a host that no list has, then those of the lists, with a port of their own too."""
    named = sorted(frozenset().union(*(each.hosts for each in lists)))
    ported = [f"{host_and_port(host)[0]}:5999" for host in named]
    return list(dict.fromkeys(["caller.invalid", *named, *ported]))


def _unlike(address: str, exact: frozenset[str]) -> str:
    while address in exact:
        address = address.replace("sip:", "sip:a", 1)
    return address


def number_under(prefix: str, prefixes: frozenset[str], exact: frozenset[str]) -> Iterator[str]:
    """Yield a number that begins with `prefix` and matches no closer pattern, if there is one.

    One that is assigned to somebody is best. Where no number is possible at all, as in a country
    code that does not exist, one is made up: such callers are forged, but they call.
    """
    closer = frozenset(each for each in prefixes if each != prefix and each.startswith(prefix))
    for length in _lengths(prefix):
        found = islice(_complete(prefix, length, closer, exact), _TRIES)
        numbers = [each for each in found if _quality(each) < _FORGED] or list(
            islice(_complete(prefix, length, closer, exact), 1)
        )
        if numbers:
            yield next((each for each in numbers if not _quality(each)), numbers[0])
            return


def _lengths(prefix: str) -> list[int]:
    """Return the lengths that numbers with this beginning can have, assigned ones first."""
    sample = "2125550100" * 2
    rated = sorted(
        (_quality(prefix + sample[: length - len(prefix)]), length)
        for length in range(max(len(prefix), 6), 17)
    )
    possible = [length for quality, length in rated if quality < _FORGED]
    return possible or list(range(max(len(prefix), 12), 17))


def _complete(
    text: str, length: int, closer: frozenset[str], exact: frozenset[str]
) -> Iterator[str]:
    """Yield the numbers of a length that begin with `text`, without those that are closer."""
    if text in closer:
        return
    if len(text) == length:
        if text not in exact:
            yield text
        return
    for digit in _DIGITS:
        yield from _complete(text + digit, length, closer, exact)


@lru_cache(maxsize=65_536)
def _quality(number: str) -> int:
    """Return 0 for an assigned number, 1 for one that is possible, more for any other."""
    try:
        return 1 if check_number(number) else 0
    except Wrong:
        return _FORGED
