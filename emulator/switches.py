"""The switches: where the platform's behaviour is open, or where a test wants another one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emulator.errors import ControlError

if TYPE_CHECKING:
    from collections.abc import Mapping

Value = str | float


@dataclass(frozen=True)
class Switch:
    """A named choice: its default, and either the list of values or what kind of value it takes."""

    default: Value
    values: tuple[str, ...] = ()
    about: str = ""

    def read(self, value: Any) -> Value:
        """``value`` as this switch keeps it; raises ValueError if it cannot be one."""
        if self.values:
            return self._read_choice(value)
        if isinstance(self.default, str):
            if not re.fullmatch(r"[A-Z][A-Z_]*", str(value)):
                raise ValueError
            return str(value)
        if float(value) < 0:
            raise ValueError
        return float(value)

    def _read_choice(self, value: Any) -> str:
        text = {True: "on", False: "off"}.get(value) if isinstance(value, bool) else str(value)
        if text not in self.values:
            raise ValueError
        return str(text)

    def allowed(self) -> str:
        """Say what may be set, for people."""
        if self.values:
            return "|".join(self.values)
        return "a hangup cause" if isinstance(self.default, str) else "a number, 0 or more"


def _on(about: str) -> Switch:
    return Switch("on", ("on", "off"), about)


def _off(about: str) -> Switch:
    return Switch("off", ("off", "on"), about)


SWITCHES: dict[str, Switch] = {
    "transfer_failure": Switch(
        "return",
        ("return", "hangup", "mixed"),
        "the A leg after a failed transfer: back to active, hung up, or hung up only if the number "
        "does not exist",
    ),
    "a_state_during": Switch(
        "transferring", ("transferring", "active"), "the state shown for the A leg while B rings"
    ),
    "transfer_ring_s": Switch(60.0, (), "seconds a transferred leg rings"),
    "unanswered_s": Switch(60.0, (), "seconds an inbound call waits for the router to answer it"),
    "bleg_events_without_url": Switch(
        "none", ("none", "a_url"), "where B's events go if the transfer has no callbackUrl"
    ),
    "bleg_inherit": Switch(
        "method_timeout",
        ("method_timeout", "none", "all"),
        "what B takes over from A: callback method and timeout, nothing, or also fallback URL and "
        "tag",
    ),
    "whisper_events": _on("whether a whisper raises speak or playback events"),
    "bad_destination": Switch(
        "mixed",
        ("mixed", "sync", "async"),
        "how an unreachable destination shows: mixed is an event for a number that does not exist "
        "and 403 for a country that is not permitted; sync is 403 for both, async never",
    ),
    "router_cancel_cause": Switch(
        "ORIGINATOR_CANCEL", (), "the cause when a ringing B leg is hung up through the API"
    ),
    "shuffle_callbacks": _off("reorder and duplicate the callbacks of a call"),
    "seed": Switch(0.0, (), "what the shuffling, and faults by chance, start from"),
    "location": Switch("relative", ("relative", "absolute"), "the form of the Location header"),
    "diversion_get": Switch(
        "json", ("json", "as_printed"), "the diversion parameter of GET callbacks"
    ),
    "retransfer": Switch("allow", ("allow", "reject"), "a second transfer of a joined call"),
    "transfer_counts_as_call": _off("whether a transfer counts against the limit on new calls"),
    "rate_limits": Switch("off", ("off", "documented"), "whether requests are limited in number"),
    "allow_impersonation": _off("whether caller ids need not be owned"),
    "foreign_user": Switch("401", ("401", "403", "404"), "the status for another user's path"),
    "update_conflict": _off("409 for an update of a call while another one is in progress"),
    "takeover": _off("whether state active answers an outbound leg that still rings"),
    "international": _off("whether numbers outside +1 may be called"),
    "register_numbers": _on(
        "whether a number that is dialled comes into being, with the application"
    ),
    "setup_s": Switch(0.0, (), "seconds during which a new inbound call answers 503 to updates"),
    "latency_s": Switch(0.0, (), "seconds each API answer is held back"),
    "call_list": Switch(
        "shown",
        ("shown", "empty", "401", "404", "500", "slow"),
        "what the list of calls answers: the calls, none of them, a refusal, or nothing for 15 s",
    ),
    "list_lag_s": Switch(0.0, (), "seconds until a new call shows in the list of calls"),
    "audio_s": Switch(0.2, (), "seconds a sentence or an audio file lasts"),
}


class Switches:
    """The values in force."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values: dict[str, Value] = {name: row.default for name, row in SWITCHES.items()}
        self.set(values or {})

    def set(self, values: Mapping[str, Any]) -> None:
        """Set some switches, or none if one is wrong: then ControlError says what exists."""
        self._values |= {name: _read(name, value) for name, value in values.items()}

    def all(self) -> dict[str, Value]:
        """Every switch with its value."""
        return dict(self._values)

    def is_(self, name: str, value: str) -> bool:
        """Whether the switch ``name`` stands at ``value``."""
        return self._values[name] == value

    def text(self, name: str) -> str:
        """Return the value of a switch that holds a word."""
        return str(self._values[name])

    def seconds(self, name: str) -> float:
        """Return the value of a switch that holds a number, seconds if its name ends in ``_s``."""
        return float(self._values[name])


def _read(name: str, value: Any) -> Value:
    if name not in SWITCHES:
        raise ControlError(f"no switch is called {name}; there are: {', '.join(SWITCHES)}")
    try:
        return SWITCHES[name].read(value)
    except (TypeError, ValueError):
        raise ControlError(
            f"switch {name} cannot be {value!r}; it takes {SWITCHES[name].allowed()}"
        ) from None
