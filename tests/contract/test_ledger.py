"""The contract of the ledger, which every backend passes."""

from __future__ import annotations

import math
import multiprocessing
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import fields

from callflow import record as states
from callflow.agenda import wake_at
from callflow.ledger import OVERRIDE, PRESENCE, Setting, UnchangedError
from callflow.record import Entry, Leg, Record
from callflow.sqlite import SqliteLedger
from tests.contract.ledger_work import NOW, Opener, count_up, leg, pace, ring, take_due
from tests.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import msgspec

    from callflow.ledger import Ledger

    Many = Callable[[Callable[[Opener, int], Any]], list[Any]]

PROCESSES = 3
TIMES = st.floats(NOW - 5, NOW + 5)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with RedisServer() as server:
        yield server.url


@pytest.fixture(params=["sqlite", "redis", "mirror"])
def opened(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Opener:
    return Opener(request.param, redis_url, str(tmp_path))


@pytest.fixture
def ledger(opened: Opener) -> Iterator[Ledger]:
    made = opened()
    yield made
    made.close()


def seen(ledger: Ledger, call_id: str = "c-1", at: float = NOW, **values: Any) -> None:
    """Make a call known, with these values."""

    def change(record: Record, _: Callable[[str], int]) -> None:
        record.seen_at = at
        for name, value in values.items():
            setattr(record, name, value)

    ledger.update(call_id, change)


def load(ledger: Ledger, call_id: str = "c-1") -> Record:
    record = ledger.load(call_id)
    assert record is not None
    return record


def filled(kind: type[msgspec.Struct], **values: Any) -> Any:
    """Return a record or a leg that has no field left at its default."""
    by_type: dict[Any, Any] = {
        str: "é 'x' 😀",
        float: NOW,
        int: 7,
        dict[str, Any]: {"é": [1, None, {"a": True, "b": 0.1}]},
        list[Leg]: [leg("t-1")],
        list[Entry]: [],
    }
    for field in fields(kind):
        if field.type is bool:
            values.setdefault(field.name, not field.default)
        else:
            optional = [each for each in get_args(field.type) if each in by_type]
            type_ = field.type if field.type in by_type else optional[0]
            values.setdefault(field.name, by_type[type_])
    return kind(**values)


def vars_of(record: Record) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(Record)}


class TestUpdate:
    def test_it_makes_a_call_known_and_returns_what_the_change_returns(
        self, ledger: Ledger
    ) -> None:
        assert ledger.load("c-1") is None
        assert ledger.update("c-1", lambda record, _: (record.call_id, record.version)) == (
            "c-1",
            0,
        )
        assert load(ledger) == Record("c-1", version=1)

    def test_every_field_comes_back(self, ledger: Ledger) -> None:
        whole = filled(
            Record,
            call_id="c-1",
            version=0,
            legs=[filled(Leg, token="t-1", destination="é x"), leg("t-2")],
        )
        for kind, made in ((Record, whole), (Leg, whole.legs[0])):
            for field in fields(kind):
                if field.name not in {"version", "entries"}:
                    assert getattr(made, field.name) != field.default, field.name

        def change(record: Record, _: Callable[[str], int]) -> None:
            for field in fields(Record):
                setattr(record, field.name, getattr(whole, field.name))

        ledger.update("c-1", change)
        whole.version = 1
        assert load(ledger) == whole
        (recent,) = ledger.recent(1)
        whole.plan = None
        assert recent == whole
        assert ledger.update("c-1", lambda record, _: vars_of(record)) == vars_of(whole)

    def test_each_one_counts(self, ledger: Ledger) -> None:
        for version in range(4):
            assert ledger.update("c-1", lambda record, _: record.version) == version

    def test_one_that_changes_nothing_writes_nothing(self, ledger: Ledger) -> None:
        def change(record: Record, _: Callable[[str], int]) -> None:
            record.note(NOW, "event")
            record.legs.append(leg("t-1"))
            raise UnchangedError

        with pytest.raises(UnchangedError):
            ledger.update("c-1", change)
        assert ledger.load("c-1") is None
        assert ledger.recent(9) == ledger.journal("c-1") == ledger.due(math.inf, 9) == []
        seen(ledger)
        with pytest.raises(UnchangedError):
            ledger.update("c-1", change)
        assert (load(ledger).version, load(ledger).legs) == (1, [])

    def test_one_that_fails_writes_nothing(self, ledger: Ledger) -> None:
        def change(record: Record, _: Callable[[str], int]) -> None:
            record.state = states.OVER
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            ledger.update("c-1", change)
        assert ledger.load("c-1") is None
        seen(ledger)
        assert load(ledger).state == states.NEW

    def test_the_plan_stays_until_another_one_comes(self, ledger: Ledger) -> None:
        seen(ledger, plan={"route": 1})
        assert ledger.update("c-1", lambda record, _: record.plan) is None
        assert load(ledger).plan == {"route": 1}
        seen(ledger, plan={"route": 2})
        assert load(ledger).plan == {"route": 2}

    def test_the_journal_keeps_its_order(self, ledger: Ledger) -> None:
        for at, kind in ((NOW + 1, "b"), (NOW, "a"), (NOW + 1, "c")):
            ledger.update(
                "c-1", lambda record, _, at=at, kind=kind: record.note(at, kind, é=[kind])
            )
        ledger.update("c-2", lambda record, _: record.note(NOW, "other"))
        assert ledger.journal("c-1") == [
            Entry(NOW, "a", {"é": ["a"]}),
            Entry(NOW + 1, "b", {"é": ["b"]}),
            Entry(NOW + 1, "c", {"é": ["c"]}),
        ]
        assert load(ledger).entries == []

    def test_what_one_opening_writes_another_reads(self, opened: Opener) -> None:
        seen(opened(), legs=[leg("t-1")])
        assert load(opened()).legs == [leg("t-1")]


class TestLegs:
    def test_they_count_while_they_are_open(self, ledger: Ledger) -> None:
        seen(ledger, legs=[leg("t-1"), leg("t-2", "bob")])
        seen(ledger, "c-2", legs=[leg("t-3"), leg("t-4", "eve", state=states.ENDED)])
        assert ledger.in_progress() == {"ana": 2, "bob": 1}
        assert sorted(ledger.calls_to("ana")) == ["c-1", "c-2"]
        assert ledger.calls_to("bob") == ["c-1"]
        assert ledger.calls_to("eve") == ledger.calls_to("nobody") == []
        ledger.update("c-1", lambda record, _: record.ended("t-1", None, None, NOW))
        assert ledger.in_progress() == {"ana": 1, "bob": 1}
        ledger.update("c-1", lambda record, _: record.ended("t-2", None, None, NOW))
        ledger.update("c-2", lambda record, _: record.ended("t-3", None, None, NOW))
        assert ledger.in_progress() == {}

    def test_two_of_one_call_to_one_destination(self, ledger: Ledger) -> None:
        seen(ledger, legs=[leg("t-1"), leg("t-2")])
        assert ledger.in_progress() == {"ana": 2}
        assert ledger.calls_to("ana") == ["c-1"]

    def test_a_change_sees_how_many_there_are(self, ledger: Ledger) -> None:
        seen(ledger, legs=[leg("t-1")])

        def count(_: Record, in_progress: Callable[[str], int]) -> tuple[int, int]:
            return in_progress("ana"), in_progress("bob")

        assert ledger.update("c-1", count) == ledger.update("c-2", count) == (1, 0)


class TestDue:
    def test_the_longest_overdue_first(self, ledger: Ledger) -> None:
        for call_id, held_until in (("c-1", NOW), ("c-2", NOW - 1), ("c-3", NOW + 0.001)):
            seen(ledger, call_id, holder="me", held_until=held_until)
        assert ledger.due(NOW, 9) == ["c-2", "c-1"]
        assert ledger.due(NOW, 1) == ["c-2"]
        assert ledger.due(NOW - 2, 9) == []

    def test_a_change_moves_it(self, ledger: Ledger) -> None:
        seen(ledger, holder="me", held_until=NOW)
        seen(ledger, holder="me", held_until=NOW + 10)
        assert ledger.due(NOW, 9) == []
        assert ledger.due(NOW + 10, 9) == ["c-1"]
        seen(ledger, holder=None, state=states.OVER)
        assert ledger.due(math.inf, 9) == []


class TestSettings:
    def test_they_are_in_force_until_their_end(self, ledger: Ledger) -> None:
        ana, bob = Setting("ana", "busy", None), Setting("bob", "dnd", NOW)
        ledger.set(PRESENCE, bob, NOW - 1)
        ledger.set(PRESENCE, ana, NOW - 1)
        assert ledger.settings(PRESENCE, NOW - 0.001) == [ana, bob]
        assert ledger.settings(PRESENCE, NOW) == [ana]
        assert ledger.settings(OVERRIDE, NOW) == []

    def test_a_later_one_replaces_an_earlier_one(self, ledger: Ledger) -> None:
        ledger.set(OVERRIDE, Setting("office", "open", NOW), 0)
        ledger.set(OVERRIDE, Setting("office", "closed", NOW + 9), 0)
        assert ledger.settings(OVERRIDE, 0) == [Setting("office", "closed", NOW + 9)]

    def test_they_can_be_taken_back(self, ledger: Ledger) -> None:
        ledger.set(PRESENCE, Setting("ana", "busy", None), NOW)
        assert ledger.clear(OVERRIDE, "ana") is False
        assert ledger.clear(PRESENCE, "ana") is True
        assert ledger.clear(PRESENCE, "ana") is False
        assert ledger.settings(PRESENCE, NOW) == []


class TestPlannedSettings:
    NOW_OPEN = Setting("office", "open", NOW + 9)
    LATER = Setting("office", "closed", NOW + 5, since=NOW + 3)
    LAST = Setting("office", "closed", NOW + 20, since=NOW + 12)

    @pytest.fixture
    def planned(self, ledger: Ledger) -> Ledger:
        for each in (self.LAST, self.LATER, self.NOW_OPEN):
            ledger.set(OVERRIDE, each, NOW)
        return ledger

    def test_they_stand_beside_the_one_in_force_and_in_order(self, planned: Ledger) -> None:
        assert planned.standing(OVERRIDE, NOW) == [self.NOW_OPEN, self.LATER, self.LAST]
        assert planned.standing(OVERRIDE, NOW + 9) == [self.LAST]
        assert planned.standing(PRESENCE, NOW) == []

    def test_each_counts_from_its_beginning_to_its_end(self, planned: Ledger) -> None:
        at = {second: planned.settings(OVERRIDE, NOW + second) for second in range(22)}
        for second, found in at.items():
            expected = (
                [self.LATER]
                if 3 <= second < 5
                else [self.NOW_OPEN]
                if second < 9
                else [self.LAST]
                if 12 <= second < 20
                else []
            )
            assert found == expected, second

    def test_one_set_at_once_replaces_those_that_have_begun(self, planned: Ledger) -> None:
        closed = Setting("office", "closed", NOW + 30)
        planned.set(OVERRIDE, closed, NOW + 4)
        assert planned.standing(OVERRIDE, NOW + 4) == [closed, self.LAST]
        assert planned.settings(OVERRIDE, NOW + 4) == [closed]
        assert planned.settings(OVERRIDE, NOW + 12) == [self.LAST]

    def test_one_replaces_what_begins_at_the_same_moment(self, planned: Ledger) -> None:
        other = Setting("office", "open", NOW + 4, since=NOW + 3)
        planned.set(OVERRIDE, other, NOW)
        assert planned.standing(OVERRIDE, NOW) == [self.NOW_OPEN, other, self.LAST]

    def test_all_of_a_name_or_one_of_them_can_be_taken_back(self, planned: Ledger) -> None:
        assert planned.clear(OVERRIDE, "office", NOW + 3) is True
        assert planned.clear(OVERRIDE, "office", NOW + 3) is False
        assert planned.standing(OVERRIDE, NOW) == [self.NOW_OPEN, self.LAST]
        assert planned.clear(OVERRIDE, "office", None, NOW + 1) is True
        assert planned.standing(OVERRIDE, NOW) == [self.LAST]
        planned.set(OVERRIDE, self.NOW_OPEN, NOW)
        assert planned.clear(OVERRIDE, "office") is True
        assert planned.standing(OVERRIDE, NOW) == []

    def test_names_may_look_like_anything(self, ledger: Ledger) -> None:
        names = ["1.5 x", " ", "é:x", "planned"]
        made = [Setting(name, "open", NOW + 9, since=NOW + 1) for name in sorted(names)]
        for each in made:
            ledger.set(OVERRIDE, each, NOW)
        assert ledger.standing(OVERRIDE, NOW) == made

    def test_others_are_left_alone(self, planned: Ledger) -> None:
        shop = Setting("shop", "open", NOW + 9, since=NOW + 1)
        planned.set(OVERRIDE, shop, NOW)
        planned.set(PRESENCE, Setting("office", "away", None), NOW + 4)
        planned.set(OVERRIDE, Setting("office", "open", NOW + 6), NOW + 5)
        assert shop in planned.standing(OVERRIDE, NOW)


class TestRecent:
    def test_the_newest_first(self, ledger: Ledger) -> None:
        for call_id, at in (("c-1", NOW), ("c-2", NOW + 2), ("c-3", NOW + 1)):
            seen(ledger, call_id, at)
        assert [each.call_id for each in ledger.recent(9)] == ["c-2", "c-3", "c-1"]
        assert [each.call_id for each in ledger.recent(1)] == ["c-2"]
        assert ledger.recent(0) == []


class TestSlot:
    def test_moments_are_a_gap_apart(self, ledger: Ledger) -> None:
        assert ledger.slot("a", 0.2, NOW, 2) == NOW
        assert ledger.slot("a", 0.2, NOW, 2) == NOW + 0.2
        assert ledger.slot("a", 0.2, NOW + 9, 2) == NOW + 9
        assert ledger.slot("b", 0.2, NOW, 2) == NOW

    def test_nobody_queues_for_long(self, ledger: Ledger) -> None:
        taken = [ledger.slot("a", 1, NOW, 2) for _ in range(9)]
        assert taken == [NOW, NOW + 1, NOW + 2, *[None] * 6]
        assert ledger.slot("a", 1, NOW + 1, 2) == NOW + 3

    def test_a_clock_that_was_set_back_ends_the_queue(self, ledger: Ledger) -> None:
        assert ledger.slot("a", 1, NOW + 100, 2) == NOW + 100
        assert ledger.slot("a", 1, NOW, 2) == NOW
        assert ledger.slot("a", 1, NOW, 2) == NOW + 1


class TestPrune:
    def test_it_forgets_everything_of_old_calls(self, ledger: Ledger) -> None:
        seen(ledger, "c-1", NOW - 1, legs=[leg("t-1")], entries=[Entry(NOW, "event", {})])
        seen(ledger, "c-2", NOW, legs=[leg("t-2")], entries=[Entry(NOW, "event", {})])
        assert ledger.prune(NOW) == 1
        assert ledger.load("c-1") is None
        assert ledger.journal("c-1") == []
        assert ledger.in_progress() == {"ana": 1}
        assert ledger.due(math.inf, 9) == ledger.calls_to("ana") == ["c-2"]
        assert [each.call_id for each in ledger.recent(9)] == ["c-2"]
        assert len(ledger.journal("c-2")) == 1
        assert ledger.prune(NOW) == 0

    def test_however_many_there_are(self, ledger: Ledger) -> None:
        for number in range(1100):
            seen(ledger, f"c-{number}", NOW - 1)
        assert ledger.prune(NOW) == 1100
        assert ledger.recent(9) == []


class TestIds:
    @pytest.mark.parametrize("odd", ["c-'1", "c:1", "a/b", "é", "x" * 256, "{c-1}", "*"])
    def test_they_are_opaque(self, ledger: Ledger, odd: str) -> None:
        seen(ledger, odd, legs=[leg(f"t-{odd}", f"front {odd}")])
        seen(ledger, "other")
        assert load(ledger, odd).seen_at == NOW
        assert ledger.in_progress() == {f"front {odd}": 1}
        assert ledger.calls_to(f"front {odd}") == [odd]
        assert {record.call_id for record in ledger.recent(9)} == {odd, "other"}


class TestPing:
    def test_it_changes_nothing(self, ledger: Ledger) -> None:
        ledger.ping()
        assert ledger.recent(9) == []


# Many at once


@pytest.fixture(scope="session")
def processes() -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        yield pool


@pytest.fixture
def in_processes(processes: ProcessPoolExecutor, opened: Opener) -> Many:
    """Does the same in several processes at once."""

    def run(work: Callable[[Opener, int], Any]) -> list[Any]:
        return list(processes.map(work, [opened] * PROCESSES, range(PROCESSES)))

    return run


@pytest.mark.xdist_group("ledger-processes")
class TestManyAtOnce:
    def test_no_change_is_lost(self, opened: Opener, in_processes: Many) -> None:
        in_processes(count_up)
        record = load(opened())
        assert (record.retries, record.version) == (120, 120)
        assert len(opened().journal("c-1")) == 120

    def test_no_destination_gets_more_than_it_takes(
        self, opened: Opener, in_processes: Many
    ) -> None:
        assert sum(in_processes(ring)) == 3
        assert opened().in_progress() == {"ana": 3}

    def test_each_due_call_is_taken_once(self, opened: Opener, in_processes: Many) -> None:
        calls = [f"c-{number}" for number in range(30)]
        for number, call_id in enumerate(calls):
            seen(opened(), call_id, holder="nobody", held_until=NOW - number)
        taken = in_processes(take_due)
        assert sorted(chain.from_iterable(taken)) == sorted(calls)

    def test_moments_of_a_pace_are_never_shared(self, in_processes: Many) -> None:
        taken = sorted(chain.from_iterable(in_processes(pace)))
        assert taken == [NOW + 0.25 * number for number in range(60)]


# One backend against the other: the same is done to both, and both must say the same of it


class Twins(RuleBasedStateMachine):
    """Does whatever comes to mind to two ledgers."""

    CALLS = st.sampled_from(["c-1", "c-2", "c 3"])
    DESTINATIONS = st.sampled_from(["ana", "bob", "+1 919:x"])
    KINDS = st.sampled_from([PRESENCE, OVERRIDE])
    NAMES = st.sampled_from(["x", "y"])
    MOMENTS = st.sampled_from([NOW - 2, NOW - 0.5, NOW, NOW + 0.5, NOW + 2])

    def __init__(self, opened: Opener, folder: Path) -> None:
        super().__init__()
        own = Path(opened.folder) / uuid4().hex
        self.pair: list[Ledger] = [
            Opener(opened.backend, opened.place, str(own))(),
            SqliteLedger(str(folder / f"{uuid4().hex}.sqlite3")),
        ]
        self.calls_by_token: dict[str, str] = {}

    def teardown(self) -> None:
        for ledger in self.pair:
            ledger.close()

    def same(self, ask: Callable[[Ledger], Any]) -> Any:
        ours, theirs = map(ask, self.pair)
        assert ours == theirs
        return ours

    @rule(call=CALLS, at=TIMES, data=st.dictionaries(st.text(), st.floats(allow_nan=False)))
    def see(self, call: str, at: float, data: dict[str, float]) -> None:
        def change(record: Record, _: Callable[[str], int]) -> int:
            # Calls of the same moment come in any order.
            record.seen_at = record.seen_at or at + len(call) * 1e-3 + ord(call[-1]) * 1e-5
            record.plan = {"route": data}
            record.note(at, "event", data=data)
            return record.version

        self.same(lambda ledger: ledger.update(call, change))

    @rule(call=CALLS, destination=DESTINATIONS)
    def begin(self, call: str, destination: str) -> None:
        token = f"t-{len(self.calls_by_token)}"
        self.calls_by_token[token] = call

        def change(record: Record, in_progress: Callable[[str], int]) -> int:
            record.legs.append(leg(token, destination))
            return in_progress(destination)

        self.same(lambda ledger: ledger.update(call, change))

    @precondition(lambda self: self.calls_by_token)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(sorted(self.calls_by_token)))
        call = self.calls_by_token[token]
        self.same(
            lambda ledger: ledger.update(call, lambda it, _: it.ended(token, None, None, NOW))
        )

    @rule(call=CALLS, held_until=st.none() | TIMES)
    def hold(self, call: str, held_until: float | None) -> None:
        def change(record: Record, _: Callable[[str], int]) -> None:
            record.holder = held_until and "me"
            record.held_until = held_until or 0.0

        self.same(lambda ledger: ledger.update(call, change))

    @rule(call=CALLS)
    def change_nothing(self, call: str) -> None:
        def change(record: Record, _: Callable[[str], int]) -> None:
            record.legs.clear()
            raise UnchangedError

        for ledger in self.pair:
            with pytest.raises(UnchangedError):
                ledger.update(call, change)

    @rule(
        kind=KINDS,
        name=NAMES,
        value=st.text(),
        until=st.none() | TIMES,
        since=st.none() | MOMENTS,
        now=MOMENTS,
    )
    def set(self, kind: str, now: float, **values: Any) -> None:
        self.same(lambda ledger: ledger.set(kind, Setting(**values), now))

    @rule(kind=KINDS, name=NAMES, since=st.lists(st.none() | MOMENTS, max_size=2))
    def clear(self, kind: str, name: str, since: list[float | None]) -> None:
        self.same(lambda ledger: ledger.clear(kind, name, *since))

    @rule(key=NAMES, gap=st.floats(0, 2), now=TIMES, within=st.floats(0, 4))
    def slot(self, key: str, gap: float, now: float, within: float) -> None:
        self.same(lambda ledger: ledger.slot(key, gap, now, within))

    @rule(before=TIMES)
    def prune(self, before: float) -> None:
        self.same(lambda ledger: ledger.prune(before))

    @invariant()
    def both_say_the_same(self) -> None:
        for call in ("c-1", "c-2", "c 3"):
            self.same(lambda ledger, call=call: (ledger.load(call), ledger.journal(call)))
        for destination in ("ana", "bob", "+1 919:x"):
            self.same(lambda ledger, to=destination: sorted(ledger.calls_to(to)))
        self.same(lambda ledger: ledger.in_progress())
        waking = self.same(lambda ledger: sorted(ledger.due(math.inf, 9)))
        assert waking == sorted(
            each.call_id for each in self.pair[0].recent(9) if wake_at(each) is not None
        )
        self.same(lambda ledger: sorted(ledger.due(NOW, 9)))
        self.same(lambda ledger: sorted(each.call_id for each in ledger.recent(9)))
        self.same(lambda ledger: [each for each in ledger.recent(9) if each.seen_at])
        for kind in (PRESENCE, OVERRIDE):
            for now in (NOW - 1, NOW, NOW + 1):
                self.same(lambda it, kind=kind, now=now: it.settings(kind, now))
                self.same(lambda it, kind=kind, now=now: it.standing(kind, now))


def test_it_does_what_sqlite_does(opened: Opener, tmp_path: Path) -> None:
    run_state_machine_as_test(
        lambda: Twins(opened, tmp_path),
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_log_of_sqlite_does_not_grow_while_it_is_tidied(tmp_path: Path) -> None:
    place = tmp_path / "ledger.sqlite3"
    ledger, sizes = SqliteLedger(str(place)), []
    for number in range(4000):
        seen(ledger, f"c-{number}", entries=[Entry(NOW, "event", {"text": "x" * 500})])
        if number % 500 == 499:
            ledger.tidy()
            sizes.append((tmp_path / "ledger.sqlite3-wal").stat().st_size)
    assert sizes[-1] < 1.5 * sizes[0]
    assert len(ledger.recent(5000)) == 4000
    ledger.close()


def test_an_sqlite_file_from_before_planned_settings_goes_on(tmp_path: Path) -> None:
    place = str(tmp_path / "ledger.sqlite3")
    before = SqliteLedger(place)
    seen(before)
    before.set(OVERRIDE, Setting("office", "open", NOW + 9), NOW)
    before.close()
    with sqlite3.connect(place) as db:
        db.execute("DROP TABLE planned")
    ledger = SqliteLedger(place)
    assert load(ledger).seen_at == NOW
    planned = Setting("office", "closed", NOW + 5, since=NOW + 3)
    ledger.set(OVERRIDE, planned, NOW)
    assert ledger.standing(OVERRIDE, NOW) == [Setting("office", "open", NOW + 9), planned]
