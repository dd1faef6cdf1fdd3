"""The work on one call at its worst instants, with a phone company that can be stopped at each."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from callflow import record as states
from callflow.facts import FactFinder
from callflow.handle import CallHandler
from callflow.ledger import LedgerError
from callflow.sqlite import SqliteLedger
from callflow.work import NotRoutedError, Worker
from catapult.errors import CallNotActiveError, RefusedError, TryAgainError, UnknownOutcomeError
from catapult.events import parse_query
from catapult.wire import CallResource
from routing.reader import read
from settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from callflow.record import Leg, Record
    from catapult.client import Client

A = "c-a"
CALLER = "+12125550142"
ANN, BOB, LAST = "+19195553001", "+19195553002", "+19195553004"
CHAIN, GROUP, CLOSED, WHISPERS, TOLD = (f"+1919555400{n}" for n in range(1, 6))
RULES = f"""
version: 1
timezone: UTC
destinations: {{ann: {ANN}, bob: {BOB}, last: {LAST}, one: {{transferTo: {ANN}, capacity: 1}}}}
lines:
  chain:
    numbers: {CHAIN}
    rules: [{{name: hunt, followMe: [{{transferTo: ann}}, {{transferTo: one, ring: 300}}]}}]
    otherwise: {{transferTo: last}}
  group:
    numbers: {GROUP}
    rules: [{{name: all, transferTo: [ann, bob]}}]
    otherwise: {{transferTo: last}}
  closed: {{numbers: {CLOSED}, otherwise: {{announce: {{sentence: Closed}}}}}}
  whispers:
    numbers: {WHISPERS}
    rules: [{{name: all, transferTo: [ann, bob], whisperAudio: {{sentence: For you}}}}]
    otherwise: {{transferTo: last}}
  told:
    numbers: {TOLD}
    rules: [{{name: one, transferTo: ann, whisperAudio: {{sentence: For you}}}}]
    otherwise: {{transferTo: last}}
emergency: {{transferTo: last}}
"""


class Killed(BaseException):
    """The process is gone, in the middle of a request."""


@dataclass
class Company:
    """A phone company in this process; `script` has what happens at the next requests by name.

    An exception is raised; anything else is called, and the request is then done as usual.
    """

    calls: dict[str, CallResource] = field(default_factory=dict)
    sent: list[tuple[str, ...]] = field(default_factory=list)
    script: dict[str, deque[Any]] = field(default_factory=dict)
    ids: Any = field(default_factory=lambda: count(1))

    def then(self, name: str, *steps: Any) -> None:
        """Append to what happens at requests of a name."""
        self.script.setdefault(name, deque()).extend(steps)

    def change(self, call_id: str, **values: Any) -> None:
        """Change a call."""
        self.calls[call_id] = replace(self.calls[call_id], **values)

    def names(self) -> list[str]:
        """Return the names of the requests so far, without questions."""
        return [name for name, *_ in self.sent if name not in {"get", "list"}]

    def _happens(self, name: str, *what: str) -> None:
        self.sent.append((name, *what))
        steps = self.script.get(name)
        step = steps.popleft() if steps else None
        if isinstance(step, BaseException):
            raise step
        if step:
            step()

    def get_call(self, call_id: str, **_: Any) -> CallResource:
        self._happens("get", call_id)
        if call_id not in self.calls:
            raise CallNotActiveError("404")
        return self.calls[call_id]

    def list_calls(
        self, *, to: str | None = None, from_: str | None = None, size: int = 25, **_: Any
    ) -> list[CallResource]:
        self._happens("list", to or from_ or "")
        found = [
            call
            for call in self.calls.values()
            if to in {None, call.to} and from_ in {None, call.from_}
        ]
        return found[: -size - 1 : -1]

    def ring(self, to: str, url: str | None) -> str:
        """Ring somebody."""
        leg_id = f"c-leg-{next(self.ids)}"
        self.calls[leg_id] = CallResource(
            leg_id, "started", "out", to=to, callback_url=url, start_time=datetime.now(UTC)
        )
        return leg_id

    def transfer(self, call_id: str, order: Any, **_: Any) -> str:
        self._happens("transfer", call_id, order["transferTo"])
        self.change(call_id, state="transferring")
        return self.ring(order["transferTo"], order.get("callbackUrl"))

    def create_call(self, from_: str, to: str, *, callback_url: str, **_: Any) -> str:
        self._happens("create", from_, to)
        return self.ring(to, callback_url)

    def speak(self, call_id: str, _audio: Any, *, tag: str, **_: Any) -> None:
        self._happens("speak", call_id, tag)

    def stop_audio(self, call_id: str, **_: Any) -> None:
        self._happens("stop", call_id)

    def hang_up(self, call_id: str, **_: Any) -> None:
        self._happens("hang-up", call_id)
        self.change(call_id, state="completed")

    def create_bridge(self, call_ids: list[str], **_: Any) -> None:
        self._happens("bridge", *call_ids)
        if any(self.calls[each].bridge_id for each in call_ids):
            raise RefusedError("400 bridge-bridged-callId")
        for each in call_ids:
            self.change(each, bridge_id="b-1")


class House:
    """Ledger, rules and workers, and what the platform reports to them."""

    def __init__(self, folder: Path) -> None:
        self.company = Company()
        self.ledger = SqliteLedger(str(folder / "ledger.sqlite3"))
        settings = Settings(public_url="https://we.example.com", callback_auth=False)
        rules: Any = SimpleNamespace(rules=read(RULES))
        facts = FactFinder(self.ledger, rules)
        self.told: list[str] = []
        tell: Callable[..., None] = lambda event, **_: self.told.append(event)  # noqa: E731
        client = cast("Client", self.company)
        self.worker = Worker(settings, self.ledger, client, facts, tell)
        self.handler = CallHandler(settings, self.ledger, facts, self.worker, tell)

    @property
    def record(self) -> Record:
        found = self.ledger.load(A)
        assert found is not None
        return found

    def leg(self, destination: str) -> Leg:
        return [leg for leg in self.record.legs if leg.destination == destination][-1]

    def hurry(self) -> None:
        """Give each callback one second."""
        settings = replace(self.worker._settings, callback_budget=1.0)  # noqa: SLF001
        self.worker._settings = settings  # noqa: SLF001

    def call(self, to: str) -> None:
        """A call comes in and is answered."""
        self.company.calls[A] = CallResource(A, "active", "in", CALLER, to)
        self.tell("incomingcall", to=to)
        self.tell("answer", to=to)

    def tell(self, kind: str, *, to: str = CHAIN, **more: str) -> None:
        """Report an event of the caller's leg."""
        self.handler.on_event(_event(kind, A, to=to, **more), time.time())

    def tell_of(self, destination: str, kind: str, cause: str = "") -> None:
        """Report an event of a leg, which changes at the company, too."""
        leg = self.leg(destination)
        found = self.company.calls.items()
        leg_id = next(id_ for id_, it in found if leg.token in (it.callback_url or ""))
        self.company.change(leg_id, state="active" if kind == "answer" else "completed")
        self.handler.on_leg_event(leg.token, _event(kind, leg_id, cause=cause), time.time())

    def another_call(self) -> None:
        """A call comes in for a destination that is at its capacity."""
        self.company.calls["c-b"] = CallResource("c-b", "active", "in", to=CHAIN)
        for kind in ("incomingcall", "answer"):
            self.handler.on_event(_event(kind, "c-b", to=CHAIN), time.time())

    def set_back(self, seconds: float) -> None:
        """Set the clock back: all moments lie further ahead."""

        def later(record: Record, _: Any) -> None:
            for it in (record, *record.legs):
                for name in (*_TIMES, "held_until"):
                    if getattr(it, name, None):
                        setattr(it, name, getattr(it, name) + seconds)

        self.ledger.update(A, later)
        self.worker.work(A)

    def pass_time(self, seconds: float = 0.0) -> None:
        """Let every lease run out, and time pass for the call; do what is due then."""

        def earlier(record: Record, _: Any) -> None:
            record.held_until -= 5.0 if record.holder else 0.0
            for it in (record, *record.legs):
                for name in _TIMES:
                    if getattr(it, name, None):
                        setattr(it, name, getattr(it, name) - seconds)

        self.ledger.update(A, earlier)
        self.worker.work(A)


_TIMES = (
    *("seen_at", "checked_at", "retry_at", "announced_until", "answered_by_us_at", "ended_at"),
    *("started_at", "sent_at", "ring_until", "answered_at", "whispered_at"),
)


def _event(kind: str, call_id: str, **more: str) -> Any:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    values = {"eventType": kind, "callId": call_id, "from": CALLER, "to": ANN}
    values |= {"callState": "active", "time": now} | {key: it for key, it in more.items() if it}
    return parse_query("&".join(f"{k}={v}".replace("+", "%2B") for k, v in values.items()).encode())


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_an_answer_event_lost_in_a_crash_is_found_missing(house: House) -> None:
    """Whoever takes over the question asks it again: the call must not be forgotten."""
    house.company.calls[A] = CallResource(A, "active", "in", to=CHAIN)
    house.tell("incomingcall")
    house.company.then("get", Killed())
    with pytest.raises(Killed):
        house.pass_time(5)
    house.pass_time()
    house.pass_time(5)
    assert house.record.state == states.RINGING


def test_nobody_is_rung_for_a_caller_who_left_at_the_last_moment(house: House) -> None:
    house.call(CHAIN)
    house.company.change(A, state="active")
    house.company.then("get", lambda: house.tell("hangup"))
    house.tell_of("ann", "hangup", "USER_BUSY")
    house.pass_time(10)
    assert house.record.state == states.OVER
    assert house.company.names() == ["transfer"]
    assert [leg.destination for leg in house.record.legs if leg.is_open] == []


def test_a_group_is_not_rung_on_for_a_caller_who_left(house: House) -> None:
    house.company.then("create", lambda: house.tell("hangup"))
    house.call(GROUP)
    house.pass_time(10)
    assert [call.to for call in house.company.calls.values() if call.direction == "out"] == [ANN]
    assert not any(call.state == "started" for call in house.company.calls.values())
    assert [leg.destination for leg in house.record.legs if leg.is_open] == []


def test_one_who_answers_at_once_is_not_kept_waiting_by_the_others(house: House) -> None:
    """A destination that cannot be called just now must not keep the winner from the caller."""

    def refused() -> None:
        house.tell_of("ann", "answer")
        raise TryAgainError("503")

    house.company.then("create", None, refused, *[TryAgainError("503")] * 200)
    house.call(GROUP)
    assert house.record.state == states.CONNECTED
    assert house.company.names().count("bridge") == 1
    assert [call.to for call in house.company.calls.values() if call.direction == "out"] == [ANN]


def test_who_was_joined_by_a_worker_that_died_stays_joined(house: House) -> None:
    house.call(GROUP)

    def joined_and_killed() -> None:
        house.company.change(A, bridge_id="b-1")
        house.company.change(house.leg("ann").leg_id or "", bridge_id="b-1")
        raise Killed

    house.company.then("bridge", joined_and_killed)
    with pytest.raises(Killed):
        house.tell_of("ann", "answer")
    house.pass_time()
    assert house.record.state == states.CONNECTED
    assert "transfer" not in house.company.names()


@pytest.mark.parametrize(("line", "request_"), [(GROUP, "bridge"), (WHISPERS, "speak")])
def test_a_winner_who_cannot_be_joined_is_hung_up(house: House, line: str, request_: str) -> None:
    house.call(line)
    house.company.then(request_, RefusedError("400"))
    house.tell_of("ann", "answer")
    house.pass_time(1)
    assert ("hang-up", house.leg("ann").leg_id) in house.company.sent
    assert house.company.names()[-1] == "transfer"


def test_what_was_refused_is_not_taken_for_playing(house: House) -> None:
    house.company.then("speak", CallNotActiveError("403"))
    house.call(CLOSED)
    assert house.company.names() == ["speak", "speak"]


def test_an_announcement_that_ends_before_its_answer_comes(house: House) -> None:
    def heard() -> None:
        house.tell("speak", to=CLOSED, status="done", tag="announcement")
        raise UnknownOutcomeError("no answer")

    house.company.then("speak", heard)
    house.call(CLOSED)
    assert house.record.state == states.OVER


def test_an_answer_at_the_end_of_the_ring_counts(house: House) -> None:
    house.call(CHAIN)
    started = house.company.calls[house.leg("ann").leg_id or ""]

    def answered() -> None:
        house.tell_of("ann", "answer")
        house.company.calls[started.id] = started  # the state that was read a moment before

    house.company.then("get", answered)
    house.pass_time(25)
    assert house.record.state == states.CONNECTED
    assert "hang-up" not in house.company.names()


def test_a_lost_hangup_that_another_call_finds_leads_on(house: House) -> None:
    house.call(CHAIN)
    house.company.change(A, state="active")
    house.tell_of("ann", "hangup", "USER_BUSY")
    one = house.leg("one")
    house.pass_time(200)
    house.company.change(one.leg_id or "", state="completed")
    house.company.change(A, state="active")
    house.another_call()
    house.pass_time()
    assert house.leg("last").transfer_to == LAST


def test_what_fails_after_a_leg_was_heard_of_is_not_left_to_the_fallback(house: House) -> None:
    """The fallback may never come; and the call is under way."""

    def busy() -> None:
        house.company.ring(ANN, house.leg("ann").token)
        house.tell_of("ann", "hangup", "USER_BUSY")
        house.company.script["get"] = deque([UnknownOutcomeError("down")] * 200)
        raise UnknownOutcomeError("no answer")

    house.hurry()
    house.company.then("transfer", busy)
    house.call(CHAIN)
    house.company.script.clear()
    house.pass_time(2)
    assert house.record.state == states.RINGING
    assert house.leg("one").is_open


def test_a_worker_that_was_late_begins_nothing(house: House) -> None:
    """It stood still between its last look and its next step, and its call is another's now."""
    house.call(CHAIN)
    house.company.change(A, state="active")

    def late() -> None:
        house.pass_time()
        house.company.change(A, state="active")  # the state that was read a moment before

    house.company.then("get", late)
    house.tell_of("ann", "hangup", "USER_BUSY")
    assert [leg.destination for leg in house.record.legs] == ["ann", "one"]
    assert house.company.names() == ["transfer", "transfer"]


def test_a_destination_for_which_requests_fail_is_left_for_the_next(house: House) -> None:
    house.hurry()
    house.company.then("transfer", *[UnknownOutcomeError("500")] * 200)
    for _ in range(2):  # the platform's first URL and its fallback
        with contextlib.suppress(NotRoutedError):
            house.call(CHAIN)
    house.company.script.clear()
    house.pass_time(16)
    assert house.leg("ann").outcome == "failure"
    assert house.leg("one").state == states.DIALED


def test_while_everything_fails_no_destination_is_given_up(house: House) -> None:
    house.hurry()
    down = [UnknownOutcomeError("500")] * 200
    house.company.then("transfer", *down)
    house.company.then("get", *down)
    for _ in range(2):
        with contextlib.suppress(NotRoutedError):
            house.call(CHAIN)
    house.company.script.clear()
    house.pass_time(2)
    assert house.leg("ann").state == states.DIALED


def test_a_call_on_which_everybody_fails_is_given_up(house: House) -> None:
    house.call(CHAIN)
    house.company.then("get", *[Killed()] * 100)
    for _ in range(70):
        with contextlib.suppress(Killed):
            house.pass_time(25)
    assert house.record.is_over


def test_a_dead_worker_is_forgotten_when_nothing_is_left_to_do(house: House) -> None:
    """Else the call would be woken again and again for as long as it lasts."""
    house.company.then("transfer", Killed())
    with pytest.raises(Killed):
        house.call(CHAIN)
    house.company.ring(ANN, house.leg("ann").token)
    house.tell_of("ann", "answer")
    house.pass_time()
    assert house.record.state == states.CONNECTED
    assert house.ledger.due(time.time() + 60, 1) == []


def test_a_clock_that_was_set_back_prolongs_no_lease_and_no_ring(house: House) -> None:
    house.company.then("transfer", Killed())
    with pytest.raises(Killed):
        house.call(CHAIN)
    house.set_back(3600)
    house.pass_time()
    assert house.company.names() == ["transfer", "transfer"]  # who died had not sent it
    house.set_back(3600)
    house.pass_time(house.leg("ann").ring + 2)
    assert house.leg("ann").outcome == "no-answer"


def test_an_event_finds_that_the_clock_was_set_back(house: House) -> None:
    """As when every process has begun anew since, so that none has seen the step."""
    house.company.then("transfer", Killed())
    with pytest.raises(Killed):
        house.call(CHAIN)

    def later(record: Record, _: Any) -> None:
        record.held_until += 3600

    house.ledger.update(A, later)
    house.tell("hangup")
    assert house.record.held_until < time.time() + 10


@pytest.mark.parametrize("step", [-60.0, 60.0])
def test_who_waits_while_the_clock_steps_keeps_the_call_or_stops(
    house: House, monkeypatch: pytest.MonkeyPatch, step: float
) -> None:
    """Two who both take themselves for the holder would both send."""
    real, ahead = time.time, 0.0
    monkeypatch.setattr(time, "time", lambda: real() + ahead)

    def pass_seconds(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds
        house.worker.work(A)  # as another worker's timers do

    def refuse() -> None:
        pass_seconds(step)
        error = TryAgainError("503")
        error.wait = 1.2
        raise error

    house.company.then("transfer", refuse, lambda: pass_seconds(4.0))
    house.call(CHAIN)
    house.pass_time()
    assert house.company.names() == ["transfer", "transfer"]


@pytest.mark.parametrize(("seconds", "state"), [(5, states.RINGING), (600, states.OVER)])
def test_who_hangs_up_after_a_whisper_has_declined_or_talked(
    house: House, seconds: float, state: str
) -> None:
    """A caller who outlives a conversation is not sent on to the next destination."""
    house.call(TOLD)
    house.tell_of("ann", "answer")
    house.pass_time(seconds)
    house.tell_of("ann", "hangup", "NORMAL_CLEARING")
    house.company.change(A, state="active")
    house.pass_time(3)
    assert house.record.state == state


def test_a_bridge_of_which_one_end_is_dead_is_found(house: House) -> None:
    house.call(GROUP)
    house.tell_of("ann", "answer")
    house.company.change(house.leg("ann").leg_id or "", state="completed")
    house.pass_time(7300)
    assert house.record.state == states.OVER
    assert house.company.calls[A].state == "completed"


def test_what_was_unsent_once_is_looked_for_when_the_next_who_sent_it_died(house: House) -> None:
    house.hurry()
    house.company.then("transfer", *[TryAgainError("503")] * 4)
    with pytest.raises(NotRoutedError):
        house.call(CHAIN)
    assert house.leg("ann").unsent

    def executed_by_a_worker_that_dies() -> None:
        house.company.change(A, state="active")
        url = f"https://we.example.com/callbacks/catapult/legs/{house.leg('ann').token}"
        house.company.change(house.company.ring(ANN, url), state="active")
        raise Killed

    house.company.then("transfer", executed_by_a_worker_that_dies)
    with pytest.raises(Killed):
        house.tell("answer", to=CHAIN)
    sent = house.company.names()
    house.pass_time()
    assert house.company.names() == sent


def test_a_leg_is_found_among_many_to_the_same_destination(house: House) -> None:
    def executed_while_others_ring_there() -> None:
        url = f"https://we.example.com/callbacks/catapult/legs/{house.leg('ann').token}"
        house.company.change(house.company.ring(ANN, url), state="active")
        for number in range(50):
            house.company.ring(ANN, f"https://we.example.com/{number}")
        raise UnknownOutcomeError("no answer")

    house.company.then("transfer", executed_while_others_ring_there)
    house.call(CHAIN)
    assert house.company.names() == ["transfer"]


def test_who_was_joined_by_a_worker_that_died_and_has_parted_is_not_transferred(
    house: House,
) -> None:
    house.call(GROUP)

    def joined_and_killed() -> None:
        house.company.change(A, bridge_id="b-1")
        raise Killed

    house.company.then("bridge", joined_and_killed)
    with pytest.raises(Killed):
        house.tell_of("ann", "answer")
    house.tell_of("ann", "hangup", "NORMAL_CLEARING")
    house.tell_of("bob", "hangup", "ORIGINATOR_CANCEL")
    house.pass_time()
    assert "transfer" not in house.company.names()
    assert house.company.sent[-1] == ("hang-up", A)


def test_a_call_that_nobody_told_of_is_not_begun(house: House) -> None:
    """As when a timer's list is older than the outage in which the ledger lost a call."""
    house.worker.work(A)
    assert house.ledger.load(A) is None
    assert house.company.sent == []


@pytest.mark.parametrize("request_", ["get", "transfer"])
def test_a_call_that_the_ledger_lost_meanwhile_is_let_go(house: House, request_: str) -> None:
    """Nothing is made up of what is left; a platform that waits turns to its fallback."""
    house.call(CHAIN)
    house.company.change(A, state="active")
    house.company.then(request_, lambda: house.ledger.prune(time.time() + 1))
    given_back = pytest.raises(NotRoutedError) if request_ == "get" else contextlib.nullcontext()
    with given_back:
        house.tell_of("ann", "hangup", "USER_BUSY")
    assert house.ledger.load(A) is None


def test_the_platform_is_answered_as_soon_as_somebody_is_dialed(house: House) -> None:
    later: list[Callable[[], None]] = []
    house.worker._later = later.append  # noqa: SLF001
    house.call(CHAIN)
    assert house.leg("ann").state == states.SENDING
    later.pop()()
    assert house.leg("ann").state == states.DIALED


def test_what_goes_wrong_after_that_is_told_and_mended_by_whoever_takes_over(house: House) -> None:
    later: list[Callable[[], None]] = []
    house.worker._later = later.append  # noqa: SLF001
    house.call(CHAIN)
    write = house.ledger.update

    def fail(*_: Any) -> None:
        raise LedgerError("the disk is full")

    house.ledger.update = fail  # type: ignore[method-assign, assignment]
    later.pop()()
    house.ledger.update = write  # type: ignore[method-assign]
    assert house.told[-1] == "ledger-failed"
    house.pass_time()
    assert house.leg("ann").state == states.DIALED
    assert house.company.names() == ["transfer"]


def test_a_group_is_not_given_back_once_one_of_it_is_called(house: House) -> None:
    read = house.ledger.load

    def fail(*_: Any) -> None:
        raise LedgerError("the disk is full")

    def second() -> None:
        house.ledger.load = read  # type: ignore[method-assign]

    def first() -> None:
        house.ledger.load = fail  # type: ignore[method-assign, assignment]

    house.company.then("create", first)
    house.call(GROUP)
    second()
    assert house.told[-1] == "ledger-failed"
    house.pass_time()
    house.pass_time(1)
    assert house.company.names().count("create") == 2
    assert house.record.state == states.RINGING


def test_an_event_for_which_nobody_is_dialed_is_answered_at_the_end(house: House) -> None:
    house.worker._later = lambda _: pytest.fail("the platform was answered")  # noqa: SLF001
    house.company.then("speak", *[TryAgainError("503")] * 50)
    house.hurry()
    with pytest.raises(NotRoutedError):
        house.call(CLOSED)


def test_who_took_over_makes_sure_before_each_request(house: House) -> None:
    """Two can take over at once, one in the ledger and one in what stands in for it."""
    house.company.then("transfer", Killed())
    with pytest.raises(Killed):
        house.call(CHAIN)

    def taken() -> None:
        def change(record: Record, _: Any) -> None:
            record.holder = "somebody else"

        house.ledger.update(A, change)

    house.company.then("list", taken)
    house.pass_time()
    assert house.company.names() == ["transfer"]


def test_a_doubt_is_not_forgotten_while_it_cannot_be_looked_into(house: House) -> None:
    """What cannot be asked now was sent all the same, and may have been done."""

    def lost() -> None:
        house.company.ring(ANN, f"https://we.example.com/{house.leg('ann').token}")
        raise UnknownOutcomeError("lost")

    refused = TryAgainError("429")
    refused.wait = 5.0
    house.company.then("transfer", lost)
    house.company.then("get", refused)
    house.hurry()
    with pytest.raises(NotRoutedError):
        house.call(CHAIN)
    with contextlib.suppress(NotRoutedError):  # there is little time for all these questions
        house.tell("answer")
    house.pass_time(2)
    assert house.company.names() == ["transfer"]
    assert house.leg("ann").state == states.DIALED
