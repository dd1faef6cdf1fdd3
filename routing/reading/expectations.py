"""Reading `expect`, the tests that travel with the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from catapult.transfer import DIVERSION_REASONS
from routing.callers import ANONYMOUS, is_withheld
from routing.conditions import Facts
from routing.expectations import Expectation
from routing.problems import Path, Wrong, did_you_mean
from routing.reading.document import Mapping
from routing.reading.lines import BusyDestination, PresenceOf
from routing.reading.numbers import looks_like_number, looks_like_uri
from routing.reading.shapes import (
    ANY_SCALAR,
    Built,
    Context,
    Field,
    ListOf,
    MapOf,
    Name,
    OneOrMore,
    Record,
    Scalar,
    Schema,
    choice,
    entries_of,
    explained,
    text_of,
    unknown_name,
)
from routing.reading.values import CALLING, PARTY, POSITIVE, TEXT, TRUE, instant
from routing.words import (
    EMERGENCY,
    OTHERWISE,
    OUTCOME_BY_CAUSE,
    OUTCOMES,
    OVERRIDES,
    diversion_reason,
)

if TYPE_CHECKING:
    import datetime as dt

    from routing.reading.document import Node
    from routing.rotation import Rotation
    from routing.rules import Line

_OVERRIDE = choice("override", OVERRIDES)
_NAMED = Scalar("open, closed or a member's name", str)
RESULTS = ("rule", "rings", "diversionReason", "transferTo", "rejects", "announces")


class Called:
    """A line's name, or a number; gives the number that is called."""

    what = "a line's name or a number"

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return any scalar: it may be the name of a line."""
        return ANY_SCALAR

    def read(self, node: Node, path: Path, context: Context) -> str | None:
        """Return the called number; for a line, its first."""
        text = text_of(node, path, context, self.what)
        if text is None:
            return None
        if text in context.names["line"]:
            line: Line | None = context.names["line"][text]
            return line.numbers[0] if line and line.numbers else None
        if looks_like_number(text) or looks_like_uri(text):
            return PARTY.read(node, path, context)
        unknown_name(node, path, context, "line", text)
        return None


class CallerAddress:
    """Who calls: a number, a SIP URI, or `anonymous`."""

    what = "a number, sip:user@host or anonymous"

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return a party's, or `anonymous`."""
        return {"anyOf": [{"enum": [ANONYMOUS]}, CALLING.schema(defined)]}

    def read(self, node: Node, path: Path, context: Context) -> str | None:
        """Return the caller."""
        text = text_of(node, path, context, self.what)
        if text is None or text == ANONYMOUS:
            return text
        if looks_like_number(text) or looks_like_uri(text):
            return CALLING.read(node, path, context)
        meant = ANONYMOUS if is_withheld(text) else text
        message = f"{text!r} is not {self.what}{did_you_mean(meant, [ANONYMOUS])}"
        context.problems.error(node, path, "bad-caller", message)
        return None


class At:
    """An instant; without an offset it is wall time in the file's zone."""

    what = "a date and time such as 2026-03-09T09:00"

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return text that begins with a date and a time."""
        form = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d"}
        return explained(form, self.what)

    def read(self, node: Node, path: Path, context: Context) -> dt.datetime | None:
        """Return the instant in UTC."""
        text = text_of(node, path, context, self.what)
        if text is None:
            return None
        try:
            return instant(text, context.zone)
        except Wrong as wrong:
            if wrong.code == "missing-timezone":
                context.home_zone()  # notes it, once for the whole file
            else:
                context.problems.error(node, path, wrong.code, str(wrong))
            return None


class Label:
    """A destination as it rings: its name, or the number where it has none.

    The name of a rotation stands for the destination whose turn it is.
    """

    what = "a destination's name, or the number where it has none"

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return any scalar: it may be the name of a destination."""
        return ANY_SCALAR

    def read(self, node: Node, path: Path, context: Context) -> str | None:
        """Return the label."""
        text = text_of(node, path, context, self.what)
        kinds = "destination", "rotation"
        if text is None or any(text in context.names[kind] for kind in kinds):
            return text
        if looks_like_number(text) or looks_like_uri(text):
            return PARTY.read(node, path, context)
        unknown_name(node, path, context, kinds, text)
        return None


class Reached:
    """The number or SIP URI of a transfer; the name of a destination stands for its own.

    That of a rotation is kept: whose turn it is, only the instant says.
    """

    what = "a number, sip:user@host or a destination's name"

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return any scalar: it may be the name of a destination."""
        return ANY_SCALAR

    def read(self, node: Node, path: Path, context: Context) -> str | None:
        """Return the number or URI."""
        label = Label().read(node, path, context)
        destination = context.names["destination"].get(label) if label else None
        return destination.party if destination else label


class StatesByPerson:
    """One presence for each person named."""

    what = PresenceOf.what

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return states by person."""
        return PresenceOf().schema(defined)

    def read(self, node: Node, path: Path, context: Context) -> dict[str, str] | None:
        """Return the state by person."""
        states = PresenceOf().read(node, path, context)
        if states is None:
            return None
        for person, given in states.items():
            if len(given) > 1:
                message = f"{person} is in one state at a time"
                place = node.entries[person][1] if isinstance(node, Mapping) else node
                context.problems.error(place, (path, person), "several-states", message)
        return {person: given[0] for person, given in states.items() if given}


class Overrides:
    """Overrides in force: `open` or `closed` by schedule, a member by rotation."""

    what = "schedules with open or closed, or rotations with one of their members"

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return states by name: which names there are, only the file says."""
        return MapOf(self.what, _NAMED).schema(defined)

    def read(self, node: Node, path: Path, context: Context) -> dict[str, str] | None:
        """Return what each schedule and rotation is set to."""
        found = {}
        for name, (key, value) in entries_of(node, path, context, self.what).items():
            place = path, name
            Name("schedule", "rotation").read(key, place, context)
            state = self._state(name, context).read(value, place, context)
            if state is not None:
                found[name] = state
        return found

    def _state(self, name: str, context: Context) -> Scalar[str]:
        """Return the shape of what a name may be set to; anything if nothing is known of it."""
        if name in context.names["schedule"]:
            return _OVERRIDE
        rotation: Rotation | None = context.names["rotation"].get(name)
        return choice(f"member of {name!r}", rotation.labels) if rotation else _NAMED


_FIELDS = {
    "at": Field(At(), "the instant; without it the entry must hold at every one"),
    "to": Field(Called(), "a line's name or a number", required=True),
    "from": Field(CallerAddress(), "the caller; by default one in no caller list"),
    "busy": Field(OneOrMore(BusyDestination()), "destinations without free capacity"),
    "presence": Field(StatesByPerson(), "presence by person"),
    "diverted": Field(
        choice("diversion reason", DIVERSION_REASONS, diversion_reason),
        "the reason that the call came in with",
    ),
    "diversionCounter": Field(POSITIVE, "how often the call was diverted before it came in"),
    "diversionLimit": Field(POSITIVE, "how often it may be diverted at most"),
    "overrides": Field(Overrides(), "overrides in force, by schedule or rotation"),
    "outcomes": Field(
        OneOrMore(choice("outcome", (*OUTCOMES, *OUTCOME_BY_CAUSE))),
        "how the attempts end, in order; the one after the last answers",
    ),
    "rule": Field(TEXT, "the rule that is chosen"),
    "rings": Field(OneOrMore(OneOrMore(Label())), "the destinations tried, the last one reached"),
    "diversionReason": Field(
        choice("diversionReason", DIVERSION_REASONS, diversion_reason),
        "of the last attempt, as it is sent: only with `diversionTreatment: stack`",
    ),
    "transferTo": Field(OneOrMore(Reached()), "of the last attempt"),
    "rejects": Field(TRUE, "the call is refused"),
    "announces": Field(TEXT, "what the caller hears"),
}


def _expectation(
    values: dict[str, Any], node: Node, path: Path, context: Context
) -> Expectation | None:
    if isinstance(node, Mapping) and node.entries.keys() <= _FIELDS.keys() - set(RESULTS):
        raise Wrong("no-expectation", f"nothing is expected; add one of {', '.join(RESULTS)}")
    if "to" not in values:
        return None
    if isinstance(node, Mapping):
        _check_rule(values, node, path, context)
    rings, numbers = values.get("rings"), values.get("transferTo")
    return Expectation(
        place=node.line,
        to=values["to"],
        caller=values.get("from", ""),
        at=values.get("at"),
        diverted=values.get("diverted"),
        counter=values.get("diversionCounter"),
        limit=values.get("diversionLimit"),
        facts=Facts(
            frozenset(values.get("busy", ())),
            values.get("presence", {}),
            values.get("overrides", {}),
        ),
        outcomes=tuple(values.get("outcomes", ())),
        rule=values.get("rule"),
        rings=tuple(tuple(labels) for labels in rings) if rings else None,
        diversion_reason=values.get("diversionReason"),
        transfer_to=tuple(numbers) if numbers else None,
        rejects=values.get("rejects", False),
        announces=values.get("announces"),
    )


def _check_rule(values: dict[str, Any], node: Mapping, path: Path, context: Context) -> None:
    line = context.lines_by_number.get(values["to"], "")
    names = [*context.rule_names.get(line, ()), OTHERWISE, EMERGENCY]
    if "rule" in values and values["rule"] not in names:
        context.names["rule"] = dict.fromkeys(names)
        unknown_name(node.entries["rule"][1], (path, "rule"), context, "rule", values["rule"])


_SOME_RESULT = {"anyOf": [{"required": [key]} for key in RESULTS]}
EXPECT = ListOf(Built(Record("an expectation", _FIELDS), _expectation, _SOME_RESULT, "expectation"))
