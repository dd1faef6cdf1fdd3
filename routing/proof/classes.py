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
from routing.looks import Caller, Diversion, Phone, PresenceOf
from routing.problems import Wrong
from routing.proof.worlds import (
    AT,
    BUSY,
    CALLER,
    DIVERTED,
    ORDINARY,
    OVERRIDE,
    OWN,
    PRESENCE,
    variable_of,
)
from routing.reading.numbers import check_number
from routing.words import AVAILABLE, PRESENCE_STATES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from routing.looks import Look
    from routing.proof.worlds import Domains, Variable

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


def domains_of(looks: Iterable[Look], instants: Sequence[dt.datetime], default: str) -> Domains:
    """Return for everything that is looked at the values that are told apart there.

    `instants` are one of each kind; `default` is a caller in no list.
    """
    by_variable: dict[Variable, list[Look]] = {AT: [], OWN: [], CALLER: [], DIVERTED: []}
    for look in looks:
        by_variable.setdefault(variable_of(look), []).append(look)
    lists = [each.callers for each in by_variable[CALLER] if isinstance(each, Caller)]
    domains: Domains = {
        AT: tuple(instants),
        OWN: (None, *_phones(by_variable[OWN], lists)),
        CALLER: parties(tuple(dict.fromkeys(lists)), default),
        DIVERTED: _reasons([e for e in by_variable[DIVERTED] if isinstance(e, Diversion)]),
    }
    for variable, found in by_variable.items():
        if variable[0] == BUSY:
            domains[variable] = (False, True)
        elif variable[0] == PRESENCE:
            domains[variable] = tuple(presence_classes(variable[1], found))
        elif variable[0] == OVERRIDE:
            domains[variable] = ORDINARY[OVERRIDE]
    return domains


def _phones(looks: Iterable[Look], lists: Sequence[CallerList]) -> Iterator[Party]:
    """Yield each phone that may be dialed as a caller; withheld too, if that is told apart."""
    for phone in dict.fromkeys(each.party for each in looks if isinstance(each, Phone)):
        yield Party(phone)
        if any(each.anonymous for each in lists):
            yield Party(phone, withheld=True)


def _apart(values: Iterable[T], judge: Callable[[T], object]) -> tuple[T, ...]:
    """Return the first of the values of each class that `judge` tells apart."""
    found: dict[object, T] = {}
    for value in values:
        found.setdefault(judge(value), value)
    return tuple(found.values())


def presence_classes(person: str, looks: Iterable[Look]) -> dict[str, tuple[str, ...]]:
    """Return the states of a person that are told apart, each with those that are as it is."""
    wanted = [e.states for e in looks if isinstance(e, PresenceOf) and e.person == person]
    found: dict[object, list[str]] = {}
    for state in PRESENCE_STATES:
        judged = (state == AVAILABLE, *(state in states for states in wanted))
        found.setdefault(judged, []).append(state)
    return {each[0]: tuple(each) for each in found.values()}


def _reasons(looks: Sequence[Diversion]) -> tuple[str | None, ...]:
    return _apart(
        (None, *DIVERSION_REASONS), lambda reason: tuple(each.has(reason) for each in looks)
    )


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
