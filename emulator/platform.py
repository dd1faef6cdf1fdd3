"""The phone company: everything that a reset throws away and builds anew."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emulator.accounts import Account, Application, Number
from emulator.callbacks import Callbacks, Event
from emulator.clock import Scheduler, Workers
from emulator.errors import ApiError, ControlError
from emulator.exchange import Exchange
from emulator.faults import Fault, Faults
from emulator.legs import Leg
from emulator.limits import Limits
from emulator.log import Log
from emulator.people import People
from emulator.switches import Switches
from emulator.validation import is_destination, is_number

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Settings:
    """How the phone company starts, and what it goes back to when it is reset."""

    callback_url: str | None = None
    user_id: str = "u-emulator"
    token: str = "t-emulator"  # noqa: S105 - the emulator's own, documented
    secret: str = "s-emulator"  # noqa: S105 - the emulator's own, documented
    numbers: tuple[str, ...] = ()
    callback_method: str = "POST"
    auto_answer: bool = True
    fallback_url: str | None = None
    switches: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ControlError for what cannot be, before a port is opened."""
        Switches(self.switches)
        for number in self.numbers:
            if not is_number(number):
                raise ControlError(f"{number!r} is not an E.164 number")


class Platform:
    """All parts, wired. ``origin`` is the absolute URL of the server, without a path."""

    def __init__(self, settings: Settings, origin: str) -> None:
        self.settings = settings
        self.base = f"{origin}/v1/users/{settings.user_id}"
        self.log = Log()
        self.switches = Switches(settings.switches)
        self.account = Account()
        self.people = People(self.switches)
        self.faults = Faults(self.switches)
        self.limits = Limits()
        self._scheduler = Scheduler()
        self._workers = Workers()
        self.callbacks = Callbacks(
            self.switches,
            self._scheduler,
            self._workers,
            self.log,
            self.account.note_failure,
            strike=self._strike,
        )
        self.exchange = Exchange(
            self.base, self.switches, self._scheduler, self.callbacks, self.people, self.log
        )
        self.application = self._first_application()

    def _first_application(self) -> Application:
        settings = self.settings
        application = Application(
            "emulator",
            settings.callback_url,
            call_fallback_url=settings.fallback_url,
            method=settings.callback_method,
            auto_answer=settings.auto_answer,
        )
        self.account.applications[application.id] = application
        for number in settings.numbers:
            self.account.numbers[number] = Number(number, application.id)
        return application

    def _strike(self, event: Event) -> Fault | None:
        """Return the fault that strikes the callback of an event."""
        return self.faults.take_for_callback(
            event["eventType"], lambda: self.exchange.caller_of([event["callId"]])
        )

    def close(self) -> None:
        """Let every call fall silent."""
        self.callbacks.close()
        self._scheduler.close()
        self._workers.close()

    # What requests ask

    def may_present(self, number: str) -> bool:
        """Whether a call may show this number as its caller."""
        return self.account.owns(number) or self.switches.is_("allow_impersonation", "on")

    def check_reachable(self, number: str) -> None:
        """Raise ApiError if a call to this destination is refused at once."""
        how = self.switches.text("bad_destination")
        does = self.people.get(number).does
        if how != "async" and does == "forbidden":
            raise ApiError("invalid-destination-number")
        if how == "sync" and does == "unallocated":
            raise ApiError("invalid-call-to-number")

    def check_set_up(self, leg: Leg) -> None:
        """Raise ApiError ``call-unavailable`` while an inbound call is still being set up."""
        age = time.monotonic() - leg.born
        if leg.direction == "in" and age < self.switches.seconds("setup_s"):
            raise ApiError("call-unavailable", ids={"callId": leg.id})

    # What people do

    def dial(self, body: dict[str, Any]) -> Leg:
        """Let a person call one of our numbers; raises ControlError if that cannot be."""
        number = self._called(body)
        application = self.account.applications.get(number.application_id or "")
        if application is None:
            self.account.note_failure("no-application-for-number", {})
            raise ControlError(f"{number.number} is not assigned to an application")
        leg = _inbound(body, number.number, application)
        if leg.target is None:
            facts = {"applicationId": application.id, "number": leg.to, "callId": leg.id}
            self.account.note_failure("no-callback-for-call", facts)
            raise ControlError(f"application {application.id} takes no calls")
        self.exchange.come_in(leg, application, number.fallback_number)
        return leg

    def _called(self, body: dict[str, Any]) -> Number:
        to = body.get("to")
        if not isinstance(to, str) or not is_number(to):
            raise ControlError(f"to cannot be {to!r}; it takes an E.164 number")
        if not self.account.owns(to):
            if self.switches.is_("register_numbers", "off"):
                raise ControlError(f"{to} is nobody's number")
            self.account.numbers[to] = Number(to, self.application.id)
        return self.account.numbers[to]


def _inbound(body: dict[str, Any], to: str, application: Application) -> Leg:
    withheld = bool(body.get("withheld", False))
    from_ = "anonymous" if withheld else body.get("from")
    if not isinstance(from_, str) or not (withheld or is_destination(from_)):
        raise ControlError(f"from cannot be {from_!r}; it takes a number or a SIP URI")
    diversion, sip_headers = body.get("diversion"), body.get("sipHeaders") or {}
    if not isinstance(diversion, dict | None) or not isinstance(sip_headers, dict):
        raise ControlError("diversion and sipHeaders take objects")
    name = body.get("displayName") or from_.removeprefix("sip:").partition("@")[0]
    return Leg(
        "in",
        from_,
        to,
        application.target(),
        application_id=application.id,
        diversion=diversion,
        sip_headers=sip_headers,
        caller={
            "displayName": name,
            "withholdCallerName": withheld,
            "withholdCallerNumber": withheld,
        },
    )
