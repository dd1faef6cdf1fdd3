"""What the commands share: reading the rules, problems in lines, and the one door to a terminal.

Callers choose much of what is shown. So whatever a command prints goes through `say`, `print_json`
or a `Failure`, and nothing in it can move the cursor, colour a word, or look like another line.
"""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from flask import current_app

from routing.problems import RulesError, Wrong, did_you_mean, text_of_rules
from routing.reader import read
from routing.reading.numbers import calling_party, looks_like_number, looks_like_uri
from routing.words import PRESENCE_STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from callflow.ledger import Ledger
    from routing.problems import Problem
    from routing.rules import RuleSet

_UNSEEN = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    r"\U000e0100-\U000e01ef]"
)
"""Characters that Unicode counts as printable, and that nobody sees."""
_A_WHILE = 1.0
"""Seconds after which progress is shown."""
JSON_OPTION = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


class Printable(str):
    """Text that is fit for a terminal, with our colours in it. What is added to it is made so."""

    __slots__ = ()

    def __add__(self, other: str) -> Printable:
        return Printable(str(self) + str(printable(other)))

    def __radd__(self, other: str) -> Printable:
        return Printable(str(printable(other)) + str(self))


def printable(text: str) -> Printable:
    """Return a text in which whatever is not printable is escaped, line breaks too."""
    if isinstance(text, Printable):
        return text
    if _is_seen(text):
        return Printable(text)
    shown = (each if _is_seen(each) else each.encode("unicode_escape").decode() for each in text)
    return Printable("".join(shown))


def _is_seen(text: str) -> bool:
    return text.isprintable() and not _UNSEEN.search(text)


def styled(text: str, **style: Any) -> Printable:
    """Return a text in colour."""
    return Printable(click.style(str(printable(text)), **style))


def say(line: str = "", *, err: bool = False) -> None:
    """Print one line."""
    click.echo(str(printable(line)), err=err)


class Failure(click.ClickException):
    """A command that cannot do what was asked; the text says why."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(map(printable, lines)))


class WrongUsage(click.UsageError):
    """A command was asked in a way that it cannot understand; the text says why."""

    def __init__(self, message: str) -> None:
        super().__init__(str(printable(message)))


_FILE = "callrouter.rules"
"""Where a command's context has the path of the rules that it read."""


def takes_rules(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take the rules file as FILE or as `--rules FILE`; it gets `file`."""

    @click.argument("file", required=False)
    @click.option("--rules", "named", metavar="FILE", help="The rules file: the same as FILE.")
    @wraps(command)
    def taking(file: str | None, named: str | None, **given: Any) -> Any:
        if file and named and file != named:
            raise WrongUsage(f"FILE is {file}, and --rules names {named}; give one of them")
        return command(file=file or named, **given)

    return taking


def rules_path(given: str | None) -> Path:
    """Return the rules file: the one given, or the one that the service uses."""
    return Path(given or current_app.extensions["callrouter"].settings.rules_path)


def service_ledger() -> Ledger:
    """Return the ledger of the service; one that the service does not use is no good to anybody."""
    service = current_app.extensions["callrouter"]
    if service.settings.has_other_disk:
        raise Failure(
            f"the ledger is a file, and this dyno, {service.settings.dyno}, does not share the "
            "files of the one that serves: nothing would be read or set here. Add Redis, which "
            "sets REDIS_URL (heroku addons:create heroku-redis)"
        )
    ledger: Ledger = service.ledger
    return ledger


def text_of(path: Path) -> str:
    """Return the text of a file; one that cannot be read is wrong usage.

    Raises RulesError where it is no text.
    """
    try:
        return text_of_rules(path.read_bytes())
    except OSError as error:
        raise WrongUsage(f"{path}: {error.strerror or error}") from None


def read_rules(path: Path) -> RuleSet:
    """Return the rules of a file, which errors name from now on; raises RulesError."""
    context = click.get_current_context(silent=True)
    if context:
        context.meta[_FILE] = path
    return read(text_of(path))


def good_rules(path: Path, *, as_json: bool = False) -> RuleSet:
    """Return the rules of a file, or say what is wrong with them and exit with 1."""
    try:
        return read_rules(path)
    except RulesError as error:
        if as_json:
            print_problems(error.errors, error.warnings)
        for problem in () if as_json else error.errors:
            say(problem_line(path, "error", problem), err=True)
        raise click.exceptions.Exit(1) from None


def print_problems(errors: Iterable[Problem], warnings: Iterable[Problem]) -> None:
    """Print what is wrong with a file as JSON, as `flask rules check` does."""
    print_json(
        {
            "errors": [each.as_json() for each in errors],
            "warnings": [each.as_json() for each in warnings],
            "information": [],
        }
    )


def in_file() -> str:
    """Return ` in routing_rules.yaml`: where a name was looked for."""
    context = click.get_current_context(silent=True)
    path = context.meta.get(_FILE) if context else None
    return f" in {path}" if path else ""


def known(what: str, name: str, names: Iterable[str]) -> str:
    """Return `name` if it is one of `names`; anything else is wrong usage."""
    names = list(names)
    if name in names:
        return name
    hint = did_you_mean(name, names) or (f"; there are {', '.join(names)}" if names else "")
    more = " that has a capacity" if what == "destination" else ""
    where = in_file() if what in _OF_THE_FILE else ""
    raise WrongUsage(f"no {what}{more} is called {name!r}{where}{hint}")


_OF_THE_FILE = {"destination", "line", "person", "schedule", "schedule or rotation"}


def caller_of(rules: RuleSet, option: str, given: str | None) -> str:
    """Return the caller that an option names, in normal form; by default one in no list."""
    if given is None:
        return rules.default_caller
    try:
        return calling_party(given, rules.allow)
    except Wrong as wrong:
        raise WrongUsage(f"{option}: {wrong}") from None


def called_number(rules: RuleSet, given: str) -> str:
    """Return the number or SIP URI that `--to` names, in normal form, where it names no line."""
    if not (looks_like_number(given) or looks_like_uri(given)):
        hint = did_you_mean(given, rules.lines)
        where = in_file()
        raise WrongUsage(f"--to: no line is called {given!r}{where}, and it is no number{hint}")
    return caller_of(rules, "--to", given)


def busy_names(rules: RuleSet, given: Iterable[str]) -> frozenset[str]:
    """Return the destinations and rotations that are supposed to be busy; others are wrong usage.

    Each must have a capacity, or a member that has one.
    """
    members = {name: set(each.labels) for name, each in rules.rotations.items()}
    rotations = (name for name, labels in members.items() if labels & rules.limited.keys())
    names = [*rules.limited, *rotations]
    return frozenset(known("destination", name, names) for name in given)


def presences(rules: RuleSet, given: Iterable[str]) -> dict[str, str]:
    """Return `--presence P=STATE` options as a mapping."""
    return _pairs("--presence", "person", given, dict.fromkeys(rules.persons, PRESENCE_STATES))


def overrides(rules: RuleSet, given: Iterable[str]) -> dict[str, str]:
    """Return `--override NAME=STATE` options as a mapping."""
    return _pairs("--override", overridden(rules), given, rules.settable)


def overridden(rules: RuleSet) -> str:
    """Return what overrides are set for, in a word."""
    return "schedule or rotation" if rules.rotations else "schedule"


def _pairs(
    option: str, what: str, given: Iterable[str], states: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """Return options as a mapping; a name or state that `states` does not have is wrong usage."""
    found = {}
    for pair in given:
        text, equals, value = pair.partition("=")
        name = known(what, text, states)
        if not equals:
            raise WrongUsage(f"{option}: write {pair}={states[name][0]}")
        found[name] = known("state", value, states[name])
    return found


def problem_line(path: Path, kind: str, problem: Problem) -> Printable:
    """Return a problem as compilers print them: file:line:column: kind: …."""
    where = f"{problem.path}: " if problem.path else ""
    colour = "red" if kind == "error" else "yellow"
    place = f"{path}:{problem.line}:{problem.column}: "
    return place + styled(kind, fg=colour) + f": {where}{problem.message} [{problem.code}]"


def print_json(data: Any) -> None:
    """Print one JSON document, in ASCII without control characters."""
    click.echo(json.dumps(data, indent=2).replace("\x7f", "\\u007f"))


def counted(number: int, what: str) -> str:
    """Return `1 error`, `2 errors`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


@contextmanager
def progress(length: int, label: str) -> Iterator[Callable[[], None]]:
    """Give a function to call for each step; a bar shows on a terminal when it takes a while."""
    began = time.monotonic()
    bar = click.progressbar(length=length, label=label, file=sys.stderr)
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if sys.stderr.isatty() and time.monotonic() - began > _A_WHILE:
            bar.update(done - bar.pos)

    yield tick
    if bar.pos:
        bar.render_finish()
