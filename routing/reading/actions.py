"""Reading destinations, transfer parameters and actions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from catapult import transfer
from catapult.transfer import is_number
from routing.problems import Path, Wrong, did_you_mean
from routing.reading.audio import Announcement, audio_shape
from routing.reading.document import Items, Mapping, Node, Text
from routing.reading.numbers import looks_like_number, looks_like_uri
from routing.reading.shapes import (
    ANY_SCALAR,
    Built,
    Context,
    Field,
    OneOrMore,
    Record,
    Schema,
    Unsent,
    check_name,
    either,
    text_of,
    unknown_name,
)
from routing.reading.values import BOOLEAN, DIALED, PARTY, POSITIVE, RING, TEXT, TRUE, closed
from routing.rotation import Rotation
from routing.rules import (
    CALLED,
    CALLER,
    NO_PARAMETERS,
    Action,
    AnnounceAction,
    Destination,
    InTurn,
    Parameters,
    RejectAction,
    Step,
    TransferAction,
    step_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
ACTIONS = ("transferTo", "followMe", "reject", "announce")


class CallerId:
    """`transferCallerId`: one of three words, or a number."""

    what = "a caller id: caller, called, private or a number you own"
    words = (CALLER, CALLED, "private")

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return one of the words, or a number."""
        return {"anyOf": [{"enum": list(self.words)}, PARTY.schema(defined)]}

    def read(self, node: Node, path: Path, context: Context) -> str | None:
        """Return the word or number."""
        text = text_of(node, path, context, self.what)
        if text is None or text in self.words:
            return text
        if looks_like_number(text):
            return PARTY.read(node, path, context)
        message = f"{text!r} is not {self.what}{did_you_mean(text, self.words)}"
        context.problems.error(node, path, "unknown-value", message)
        return None


PARAMETERS: dict[str, Field] = {
    "ring": Field(RING, "how long it rings, 1 to 300 seconds; 20s by default"),
    "transferCallerId": Field(
        CallerId(),
        "what the destination sees: caller, called, private, or a number you own",
    ),
    "whisperAudio": Field(
        audio_shape("whisperAudio"), "said or played to the destination before the legs join"
    ),
    "recordingEnabled": Field(BOOLEAN, "whether the call is recorded"),
    "recordingFileFormat": Field(
        closed("recordingFileFormat", transfer.RECORDING_FILE_FORMATS), "wav or mp3"
    ),
    "diversionTreatment": Field(
        closed("diversionTreatment", transfer.DIVERSION_TREATMENTS),
        "what becomes of the Diversion header: none, propagate or stack",
    ),
    "diversionReason": Field(
        closed("diversionReason", transfer.DIVERSION_REASONS),
        "why the call is diverted, if the inferred reason is not wanted",
    ),
}


def parameters(values: dict[str, Any]) -> Parameters:
    """Return the transfer parameters among the values of a record."""
    if not values.keys() & PARAMETERS.keys():
        return NO_PARAMETERS
    return Parameters(
        ring=values.get("ring"),
        transfer_caller_id=values.get("transferCallerId"),
        whisper_audio=values.get("whisperAudio"),
        recording_enabled=values.get("recordingEnabled"),
        recording_file_format=values.get("recordingFileFormat"),
        diversion_treatment=values.get("diversionTreatment"),
        diversion_reason=values.get("diversionReason"),
    )


def _check_dialing(number: str, context: Context) -> None:
    """Raise Wrong if `dialing` does not let `number` be dialed; SIP URIs it says nothing of."""
    if not number.startswith("+"):
        return
    denied = [prefix for prefix in context.deny if number.startswith(prefix)]
    if denied:
        raise Wrong("dialing-forbidden", f"dialing.deny forbids {denied[0]}, so {number} too")
    if context.allow and not number.startswith(tuple(context.allow)):
        allowed = ", ".join(context.allow)
        raise Wrong("dialing-forbidden", f"dialing.allow has only {allowed}, so not {number}")


class DialedParty:
    """A number or SIP URI that may be dialed."""

    what = DIALED.what

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return a party's."""
        return DIALED.schema(defined)

    def read(self, node: Node, path: Path, context: Context) -> str | None:
        """Return the number, or the URI with its parameters."""
        party = DIALED.read(node, path, context)
        if party is not None:
            try:
                _check_dialing(party, context)
            except Wrong as wrong:
                context.problems.error(node, path, wrong.code, str(wrong))
                return None
        return party


DIALED_PARTY = DialedParty()
DESTINATION = Record(
    "a destination",
    {
        "transferTo": Field(DialedParty(), "the number or SIP URI to call", required=True),
        "capacity": Field(POSITIVE, "how many calls it takes at once; full means busy"),
        "person": Field(TEXT, "whose it is; dialed only while that person is available"),
        **PARAMETERS,
    },
)


def read_destination(name: str, node: Node, path: Path, context: Context) -> Destination | None:
    """Return the destination `name`; the short form is its number or SIP URI alone."""
    if isinstance(node, Text):
        party = DIALED_PARTY.read(node, path, context)
        return Destination(party, name) if party else None
    values = DESTINATION.read(node, path, context)
    if values is None or "transferTo" not in values:
        return None
    refused = isinstance(node, Mapping) and "capacity" in node.entries
    unsent = _unsent_together(values, node, path)
    if unsent:
        context.unsent[name] = unsent
    return Destination(
        values["transferTo"],
        name,
        values.get("capacity", 1 if refused else None),
        values.get("person"),
        parameters(values),
    )


def check_target_name(key: Text, path: Path, context: Context) -> None:
    """Refuse a name of a destination, rotation or line that would be read as a number."""
    check_name(key, path, context)
    if looks_like_number(key.text) or looks_like_uri(key.text):
        message = f"{key.text!r} cannot be a name: it would be read as a number or SIP URI"
        context.problems.error(key, (path, key.text), "bad-name", message)


_NO_TARGETS = {
    **dict.fromkeys(("reject", "hangup", "hang up"), "{reject: true}"),
    "announce": '{announce: "what is said"}',
    "followme": "{followMe: [one, another]}",
}
"""What is written for a destination though it is another action -> how that is written."""


class Target:
    """A destination, or a number or SIP URI directly; a rotation too, where one may stand."""

    what = "a destination's name, a number or sip:user@host"

    def __init__(self, *, rotating: bool = True) -> None:
        self._kinds = ("destination", "rotation") if rotating else ("destination",)

    def schema(self, defined: dict[str, Schema]) -> Schema:  # noqa: ARG002 - one signature for all
        """Return any scalar: it may be the name of a destination."""
        return ANY_SCALAR

    def read(self, node: Node, path: Path, context: Context) -> Destination | Rotation | None:
        """Return the destination or rotation."""
        text = text_of(node, path, context, self.what)
        if text is None:
            return None
        for kind in self._kinds:
            if context.known(kind, text):
                found: Destination | Rotation | None = context.names[kind][text]
                return found
        if looks_like_number(text) or looks_like_uri(text):
            party = DIALED_PARTY.read(node, path, context)
            return Destination(party) if party else None
        if text.lower() in _NO_TARGETS:
            message = f"{text} is no destination; write {_NO_TARGETS[text.lower()]}"
            context.problems.error(node, path, "unknown-name", message)
        else:
            unknown_name(node, path, context, self._kinds, text)
        return None


_TARGETS: OneOrMore[Destination | Rotation] = OneOrMore(Target())


class Targets:
    """One target, or several that ring together."""

    what = Target.what

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return one target or a list."""
        return _TARGETS.schema(defined)

    def read(self, node: Node, path: Path, context: Context) -> list[Destination | Rotation] | None:
        """Return the destinations and rotations; each may be named once."""
        if isinstance(node, Items) and any(isinstance(each, Mapping) for each in node.items):
            message = "these names ring together; for one after another write {followMe: […]}"
            context.problems.error(node, path, "not-a-value", message)
            return None
        found = _TARGETS.read(node, path, context)
        if isinstance(node, Items):
            self._refuse_repeated(found or [], node, path, context)
        return found

    def _refuse_repeated(
        self, found: list[Destination | Rotation], node: Items, path: Path, context: Context
    ) -> None:
        rung = [each.name if isinstance(each, Rotation) else each.party for each in found]
        if len(rung) == len(node.items):
            for index, number in enumerate(rung):
                if number in rung[:index]:
                    again = found[index]
                    label = again.name if isinstance(again, Rotation) else again.label
                    place, message = node.items[index], f"{label} is there twice; it rings once"
                    context.problems.error(place, (path, index), "repeated-destination", message)


def _step(values: dict[str, Any], node: Node, path: Path, context: Context) -> Step | None:
    if "transferTo" not in values:
        return None
    own = parameters(values)

    def complete(each: Destination) -> Destination:
        nearest = own.over(each.parameters).over(context.defaults)
        return Destination(each.transfer_to, each.name, each.capacity, each.person, nearest)

    targets = tuple(
        InTurn(each, tuple(map(complete, each.members)))
        if isinstance(each, Rotation)
        else complete(each)
        for each in values["transferTo"]
    )
    step = step_of(targets)
    if len(targets) > 1:
        _warn_of_unsent(values, step.destinations, node, path, context)
    else:
        _warn_of_idle_reason(values, step.destinations, node, path, context)
    return step


def _unsent_together(values: dict[str, Any], node: Node, path: Path) -> list[Unsent]:
    """Return the parameters among these that a call which we make ourselves does not have.

    Such a call shows a number of the account and no diversion ("Catapult: Create call").
    """
    sendable = {"transferCallerId": {CALLED}, "diversionTreatment": {"none"}, "diversionReason": ()}
    return [
        Unsent(key, node.entries[key][0], (path, key))
        for key, allowed in sendable.items()
        if key in values and values[key] not in allowed and not is_number(values[key])
        if isinstance(node, Mapping) and key in node.entries
    ]


def _warn_of_unsent(
    values: dict[str, Any], ringing: Iterable[Destination], node: Node, path: Path, context: Context
) -> None:
    """Warn of what is written at a ring group, or of a destination in it, and is not sent."""
    found = _unsent_together(values, node, path)
    for each in ringing:
        of_destination = context.unsent.get(each.name or "", ())
        found += [unsent for unsent in of_destination if unsent.key not in values]
    for unsent in found:
        message = (
            f"{unsent.key} is not sent where several ring together: each is called from a number "
            "of yours, without a diversion"
        )
        context.problems.warn(unsent.node, unsent.path, "unsent-parameter", message)


def _warn_of_idle_reason(
    values: dict[str, Any], ringing: Iterable[Destination], node: Node, path: Path, context: Context
) -> None:
    if "diversionReason" in values and any(
        each.parameters.diversion_treatment != transfer.STACK for each in ringing
    ):
        entry = node.entries["diversionReason"][0] if isinstance(node, Mapping) else node
        message = "without `diversionTreatment: stack` the platform ignores the diversionReason"
        context.problems.warn(entry, (path, "diversionReason"), "idle-diversion-reason", message)


def _names_destination(node: Mapping, path: Path, context: Context) -> bool:
    """Note `desk: 15s` in the place of `{transferTo: desk, ring: 15s}`; return whether it is."""
    if len(node.entries) != 1:
        return False
    ((name, (key, value)),) = node.entries.items()
    if name in ACTION_FIELDS or name not in context.names["destination"]:
        return False
    ring = f", ring: {value.text}" if isinstance(value, Text) and value.text else ""
    message = f"a name stands behind transferTo; write {{transferTo: {name}{ring}}}"
    context.problems.error(key, path, "misplaced-name", message)
    return True


@dataclass(frozen=True, slots=True)
class Short(Generic[T]):
    """A shape whose short form is its `transferTo` alone; `build` makes the value of that."""

    full: Built[T]
    build: Callable[[Step], T]

    @property
    def what(self) -> str:
        """What the full form says."""
        return self.full.what

    def schema(self, defined: dict[str, Schema]) -> Schema:
        """Return the full form's for keys and values, else that of `transferTo`."""
        return either("object", self.full.schema(defined), Targets().schema(defined))

    def read(self, node: Node, path: Path, context: Context) -> T | None:
        """Return the value of either form."""
        if isinstance(node, Mapping):
            if _names_destination(node, path, context):
                return None
            return self.full.read(node, path, context)
        short = Built(Targets(), self._build, name=f"short {self.full.name}", anywhere=True)
        return short.read(node, path, context)

    def _build(
        self, targets: list[Destination], node: Node, path: Path, context: Context
    ) -> T | None:
        step = _step({"transferTo": targets}, node, path, context) if targets else None
        return self.build(step) if step else None


def _as_it_is(step: Step) -> Step:
    return step


_STEP: Built[Step] = Built(
    Record(
        "a step",
        {
            "transferTo": Field(Targets(), Targets.what, required=True),
            **PARAMETERS,
        },
    ),
    _step,
    name="step",
    anywhere=True,
)
_ANY_STEP: Short[Step] = Short(_STEP, _as_it_is)
ACTION_FIELDS: dict[str, Field] = {
    "transferTo": Field(Targets(), "one destination, or a list that rings together"),
    "followMe": Field(
        OneOrMore(_ANY_STEP),
        "steps in order, each a transferTo with its own ring",
    ),
    "reject": Field(TRUE, "refuse the call"),
    "announce": Field(Announcement(), "say or play it to the caller, then hang up"),
    **PARAMETERS,
}
ONE_ACTION: Schema = {
    "oneOf": [{"required": [key]} for key in ACTIONS],
    "dependencies": {key: ["transferTo"] for key in PARAMETERS},
}
"""What `action` asks for: one action, and transfer parameters only beside `transferTo`."""


def action(values: dict[str, Any], node: Node, path: Path, context: Context) -> Action | None:
    """Return the one action among the keys of a rule, handler, `otherwise` or `emergency`."""
    if not isinstance(node, Mapping):
        return None
    written = [key for key in ACTIONS if key in node.entries]
    if node.merged and not written:
        return None
    if not written:
        raise Wrong("missing-action", f"one of {', '.join(ACTIONS)} is needed: what happens then?")
    if len(written) > 1:
        message = f"{' and '.join(written)} stand together; keep one action"
        second = max(
            (node.entries[key][0] for key in written), key=lambda key: (key.line, key.column)
        )
        context.problems.error(second, path, "several-actions", message)
        return None
    kind = written[0]
    if kind != "transferTo":
        _refuse_parameters(kind, node, path, context)
    return _made(kind, values, node, path, context)


def _made(
    kind: str, values: dict[str, Any], node: Node, path: Path, context: Context
) -> Action | None:
    if kind not in values:
        return None
    if kind == "transferTo":
        step = _step(values, node, path, context)
        return TransferAction((step,)) if step else None
    if kind == "followMe":
        return TransferAction(tuple(values[kind]), follow_me=True) if values[kind] else None
    return RejectAction() if kind == "reject" else AnnounceAction(values[kind])


def _refuse_parameters(kind: str, node: Mapping, path: Path, context: Context) -> None:
    place = "write it into the steps" if kind == "followMe" else "it only fits transferTo"
    for key in node.entries.keys() & PARAMETERS.keys():
        message = f"{key} cannot stand beside {kind}; {place}"
        context.problems.error(node.entries[key][0], (path, key), "misplaced-key", message)


def action_shape(what: str) -> Short[Action]:
    """Return the shape of an action that stands alone."""
    full: Built[Action] = Built(
        Record(what, ACTION_FIELDS), action, ONE_ACTION, "action", anywhere=True
    )
    return Short(full, _ringing)


def _ringing(step: Step) -> Action:
    return TransferAction((step,))
