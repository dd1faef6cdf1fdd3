"""The contract of the ledger, which every backend passes."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from callflow.ledger import OVERRIDE, PRESENCE, LedgerError, Setting, UnchangedError
from callflow.record import ANSWERED, DIALED, OVER, RINGING, ROUTING, SENDING, Leg, Record
from callflow.sqlite import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callflow.ledger import Ledger

    Count = Callable[[str], int]

PROJECT = Path(__file__).parents[2]


def _sqlite(folder: Path) -> Callable[[], Ledger]:
    return partial(SqliteLedger, str(folder / "new" / "ledger.sqlite3"))


BACKENDS = {"sqlite": _sqlite}


@pytest.fixture(params=BACKENDS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Ledger]:
    """Opens the same ledger again and again, as processes do; it can be pickled."""
    return BACKENDS[request.param](tmp_path)


@pytest.fixture
def ledger(opened: Callable[[], Ledger]) -> Iterator[Ledger]:
    made = opened()
    yield made
    made.close()


def leg(name: str = "t-1", destination: str = "ana", **more: Any) -> Leg:
    values = {
        "token": name,
        "round": 1,
        "destination": destination,
        "transfer_to": "+19195552001",
        "stage": "rule 1",
        "reason": "unconditional",
        "request": {"state": "transferring", "transferTo": "+19195552001"},
        "ring": 20,
        "started_at": 101.0,
    }
    return Leg(**{**values, **more})


def seen(ledger: Ledger, call_id: str, at: float = 100.0, *legs: Leg) -> None:
    def change(record: Record, _: Count) -> None:
        record.seen_at = at
        record.legs += legs

    ledger.update(call_id, change)


def put(ledger: Ledger, call_id: str, **values: Any) -> None:
    def change(record: Record, _: Count) -> None:
        for name, value in values.items():
            setattr(record, name, value)

    ledger.update(call_id, change)


def loaded(ledger: Ledger, call_id: str = "c-1") -> Record:
    record = ledger.load(call_id)
    assert record is not None
    return record


class TestUpdate:
    def test_a_new_call_begins_empty(self, ledger: Ledger) -> None:
        def change(record: Record, _: Count) -> str:
            assert record == Record("c-1")
            return "told"

        assert ledger.update("c-1", change) == "told"
        assert loaded(ledger) == Record("c-1")

    def test_everything_comes_back(self, ledger: Ledger) -> None:
        values: dict[str, Any] = {
            "to": "+19195551000",
            "caller": "sip:zoë@example.com",
            "anonymous": True,
            "diverted": "away",
            "seen_at": 100.5,
            "state": RINGING,
            "doubt": True,
            "answered_by_us_at": 101.0,
            "line": "main",
            "rule": "rule 1",
            "action": "transfer",
            "rules_digest": "d",
            "plan": {"stages": [1, None, {"é": True}], "trace": []},
            "progress": {"stage": 0, "used": [0]},
            "round": 2,
            "outcome": "busy",
            "cause": "USER_BUSY",
            "tone": True,
            "retries": 3,
            "retry_at": 1.25,
            "legs": [
                leg(state=DIALED, leg_id="c-leg", whisper={"sentence": "é"}),
                leg("t-2", "bo", created=True, state=ANSWERED, answered_at=102.0),
            ],
        }
        put(ledger, "c-1", **values)
        assert loaded(ledger) == Record("c-1", **values)

    def test_the_next_change_sees_the_last_one(self, ledger: Ledger) -> None:
        put(ledger, "c-1", retries=1, state=ROUTING)
        assert ledger.update("c-1", lambda record, _: (record.retries, record.state)) == (
            1,
            ROUTING,
        )

    def test_the_plan_stays_until_there_is_another(self, ledger: Ledger) -> None:
        put(ledger, "c-1", plan={"a": 1})
        put(ledger, "c-1", retries=1)
        assert loaded(ledger).plan == {"a": 1}
        put(ledger, "c-1", plan={"a": 2})
        assert loaded(ledger).plan == {"a": 2}

    @pytest.mark.parametrize("error", [UnchangedError, RuntimeError])
    def test_a_change_that_raises_changes_nothing(
        self, ledger: Ledger, error: type[Exception]
    ) -> None:
        seen(ledger, "c-1")

        def change(record: Record, _: Count) -> None:
            record.state = OVER
            record.legs.append(leg())
            record.note(1.0, "lost")
            raise error

        for call_id in ("c-1", "c-2"):
            with pytest.raises(error):
                ledger.update(call_id, change)
        assert loaded(ledger) == Record("c-1", seen_at=100.0)
        assert ledger.load("c-2") is None
        assert ledger.journal("c-1") == []
        assert ledger.in_progress() == {}
        assert ledger.call_of("t-1") is None
        ledger.ping()

    def test_calls_are_apart(self, ledger: Ledger) -> None:
        put(ledger, "c-1", state=OVER)
        put(ledger, "c-2", state=ROUTING)
        assert (loaded(ledger).state, loaded(ledger, "c-2").state) == (OVER, ROUTING)

    @pytest.mark.parametrize("call_id", ["c-'1", "c:1", "a/b", "é", "x" * 256, "{c-1}", "*"])
    def test_ids_are_opaque(self, ledger: Ledger, call_id: str) -> None:
        seen(ledger, call_id, 100.0, leg("t'{1}*"))
        assert loaded(ledger, call_id).seen_at == 100.0
        assert ledger.call_of("t'{1}*") == call_id
        assert [record.call_id for record in ledger.recent(9)] == [call_id]

    def test_nobody_knows_another_call(self, ledger: Ledger) -> None:
        assert ledger.load("c-1") is None
        assert ledger.journal("c-1") == []


class TestJournal:
    def test_it_grows_in_the_order_of_time(self, ledger: Ledger) -> None:
        for at in (3.0, 1.0, 2.0):
            ledger.update("c-1", lambda record, _, at=at: record.note(at, "event", n=at))
        entries = ledger.journal("c-1")
        assert [(entry.at, entry.kind, entry.data) for entry in entries] == [
            (at, "event", {"n": at}) for at in (1.0, 2.0, 3.0)
        ]

    def test_any_text_comes_back(self, ledger: Ledger) -> None:
        odd = {"a": "é\u0000\U0001f600'\"\\", "b": [None, True, 1.5, {"c": "\ud800"}]}
        ledger.update("c-1", lambda record, _: record.note(1.0, "event", **odd))
        assert ledger.journal("c-1")[0].data == odd

    def test_it_is_not_part_of_the_record(self, ledger: Ledger) -> None:
        ledger.update("c-1", lambda record, _: record.note(1.0, "event"))
        ledger.update("c-1", lambda record, _: record.note(2.0, "event"))
        assert len(ledger.journal("c-1")) == 2
        assert loaded(ledger).entries == []


class TestLegs:
    def test_a_token_leads_to_its_call(self, ledger: Ledger) -> None:
        seen(ledger, "c-1", 100.0, leg("t-1"), leg("t-2", "bo"))
        assert [ledger.call_of(token) for token in ("t-1", "t-2", "t-3")] == ["c-1", "c-1", None]

    def test_legs_in_progress_are_counted(self, ledger: Ledger) -> None:
        seen(ledger, "c-1", 100.0, leg("t-1"), leg("t-2"), leg("t-3", "bo"))
        seen(ledger, "c-2", 100.0, leg("t-4"))
        assert ledger.in_progress() == {"ana": 3, "bo": 1}
        assert sorted(ledger.calls_to("ana")) == ["c-1", "c-2"]
        assert ledger.calls_to("bo") == ["c-1"]
        assert ledger.calls_to("cy") == []
        counted = ledger.update("c-2", lambda _, count: [count(n) for n in ("ana", "bo", "cy")])
        assert counted == [3, 1, 0]

    def test_the_end_of_a_leg_frees_its_place(self, ledger: Ledger) -> None:
        seen(ledger, "c-1", 100.0, leg("t-1"), leg("t-2"))
        ledger.update("c-1", lambda record, _: record.ended("t-1", "busy", "USER_BUSY", 110.0))
        assert ledger.in_progress() == {"ana": 1}
        ledger.update("c-1", lambda record, _: record.ended("t-2", "busy", "USER_BUSY", 110.0))
        assert ledger.in_progress() == {}
        assert ledger.calls_to("ana") == []
        assert ledger.call_of("t-1") == "c-1"


class TestDue:
    def test_a_call_that_waits_for_work(self, ledger: Ledger) -> None:
        put(ledger, "c-late", state=ROUTING, retry_at=50.0)
        put(ledger, "c-later", state=ROUTING, retry_at=60.0)
        put(ledger, "c-not-yet", state=ROUTING, retry_at=500.0)
        put(ledger, "c-over", state=OVER)
        assert ledger.due(100.0, 10) == ["c-late", "c-later"]
        assert ledger.due(100.0, 1) == ["c-late"]
        assert ledger.due(10.0, 10) == []

    def test_one_that_somebody_holds(self, ledger: Ledger) -> None:
        put(ledger, "c-1", state=ROUTING, holder="me", held_until=200.0)
        assert ledger.due(100.0, 10) == []
        assert ledger.due(200.0, 10) == ["c-1"]
        put(ledger, "c-1", holder=None)
        assert ledger.due(100.0, 10) == ["c-1"]

    def test_nothing_is_due_once_it_is_over(self, ledger: Ledger) -> None:
        put(ledger, "c-1", state=ROUTING)
        assert ledger.due(100.0, 10) == ["c-1"]
        put(ledger, "c-1", state=OVER)
        assert ledger.due(1e12, 10) == []


class TestSettings:
    def test_set_changed_and_taken_back(self, ledger: Ledger) -> None:
        ana, bo = Setting("ana", "dnd", None), Setting("bo", "away", 200.0)
        ledger.set(PRESENCE, bo)
        ledger.set(PRESENCE, ana)
        ledger.set(OVERRIDE, Setting("office", "closed", 300.0))
        assert ledger.settings(PRESENCE, 100.0) == [ana, bo]
        assert ledger.settings(OVERRIDE, 100.0) == [Setting("office", "closed", 300.0)]
        ledger.set(PRESENCE, Setting("ana", "busy", 150.0))
        assert ledger.settings(PRESENCE, 100.0)[0].value == "busy"
        assert ledger.clear(PRESENCE, "ana") is True
        assert ledger.clear(PRESENCE, "ana") is False
        assert ledger.clear(OVERRIDE, "bo") is False
        assert ledger.settings(PRESENCE, 100.0) == [bo]

    def test_they_end(self, ledger: Ledger) -> None:
        ledger.set(OVERRIDE, Setting("office", "closed", 200.0))
        assert len(ledger.settings(OVERRIDE, 199.9)) == 1
        assert ledger.settings(OVERRIDE, 200.0) == []


class TestSlots:
    def test_they_are_apart(self, ledger: Ledger) -> None:
        slots = [ledger.slot("k", 100.0, 0.5, 90.0) for _ in range(3)]
        assert slots == pytest.approx([100.0, 100.5, 101.0])
        assert ledger.slot("other", 100.0, 0.5, 90.0) == pytest.approx(100.0)

    def test_never_in_the_past(self, ledger: Ledger) -> None:
        assert ledger.slot("k", 0.0, 1.0, 100.0) == pytest.approx(100.0)
        assert ledger.slot("k", 0.0, 1.0, 200.0) == pytest.approx(200.0)


class TestRecentAndPrune:
    def test_the_newest_first(self, ledger: Ledger) -> None:
        assert ledger.recent(5) == []
        for number in (3, 1, 4, 0, 2):
            seen(ledger, f"c-{number}", 100.0 + number)
        assert [record.call_id for record in ledger.recent(3)] == ["c-4", "c-3", "c-2"]
        assert len(ledger.recent(100)) == 5

    def test_old_calls_are_forgotten_whole(self, ledger: Ledger) -> None:
        for number in range(1, 1203):
            seen(ledger, f"c-{number}", float(number))
        seen(ledger, "c-1", 1.0, leg("t-1"))
        seen(ledger, "c-1202", 1202.0, leg("t-2"))
        ledger.update("c-1", lambda record, _: record.note(1.0, "event"))
        assert ledger.prune(1202.0) == 1201
        assert ledger.prune(1202.0) == 0
        assert [record.call_id for record in ledger.recent(9)] == ["c-1202"]
        assert ledger.load("c-1") is None
        assert ledger.journal("c-1") == []
        assert ledger.call_of("t-1") is None
        assert ledger.in_progress() == {"ana": 1}


class TestConnections:
    def test_another_one_sees_it_at_once(
        self, ledger: Ledger, opened: Callable[[], Ledger]
    ) -> None:
        seen(ledger, "c-1", 100.0, leg())
        other = opened()
        assert loaded(other) == loaded(ledger)
        assert other.in_progress() == {"ana": 1}
        other.close()

    def test_after_closing_it_opens_again(self, ledger: Ledger) -> None:
        seen(ledger, "c-1")
        ledger.close()
        ledger.close()
        assert loaded(ledger).seen_at == 100.0


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Do work in many threads that begin at the same moment."""
    start = threading.Barrier(count)

    def begin(number: int) -> Any:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


class TestRaces:
    def test_one_of_many_takes_the_call(self, opened: Callable[[], Ledger]) -> None:
        ledgers = [opened(), opened()]

        def take(number: int) -> list[bool]:
            ledger = ledgers[number % 2]
            taken = [
                ledger.update(f"c-{call}", lambda record, _: record.move("answered"))
                for call in range(20)
            ]
            ledger.close()
            return taken

        results = together(16, take)
        assert [sum(taken) for taken in zip(*results, strict=True)] == [1] * 20

    def test_no_change_is_lost(self, opened: Callable[[], Ledger]) -> None:
        ledger = opened()

        def count(_: int) -> None:
            for _n in range(10):
                ledger.update("c-1", _one_more)
            ledger.close()

        together(12, count)
        assert loaded(ledger).retries == 120
        assert len(ledger.journal("c-1")) == 120
        ledger.close()

    def test_a_capacity_holds(self, opened: Callable[[], Ledger]) -> None:
        ledger = opened()

        def begin(number: int) -> bool:
            begun = ledger.update(f"c-{number % 5}", partial(_begin, f"t-{number}", 3))
            ledger.close()
            return begun

        assert sum(together(16, begin)) == 3
        assert ledger.in_progress() == {"ana": 3}
        ledger.close()

    def test_slots_are_never_given_twice(self, opened: Callable[[], Ledger]) -> None:
        ledger = opened()

        def take(_: int) -> float:
            slot = ledger.slot("k", 100.0, 1.0, 90.0)
            ledger.close()
            return slot

        assert sorted(together(12, take)) == pytest.approx([100.0 + n for n in range(12)])

    def test_several_processes(self, opened: Callable[[], Ledger]) -> None:
        """They open a ledger that does not exist yet, all at the same moment."""
        recipe = pickle.dumps(opened).hex()
        running = [
            subprocess.Popen(
                [sys.executable, "-c", _RACER, recipe, str(number)],
                cwd=PROJECT,
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(4)
        ]
        results = [json.loads(process.communicate(timeout=60)[0]) for process in running]
        assert [process.returncode for process in running] == [0] * 4
        taken = zip(*(each["taken"] for each in results), strict=True)
        assert [sum(each) for each in taken] == [1] * 50
        assert sum(each["begun"] for each in results) == 5


def _one_more(record: Record, _: Count) -> None:
    record.retries += 1
    record.note(float(record.retries), "event")


def _begin(name: str, capacity: int, record: Record, count: Count) -> bool:
    if count("ana") >= capacity:
        return False
    record.legs.append(leg(name, state=SENDING))
    return True


_RACER = """
import json, pickle, sys
from functools import partial
from tests.contract.test_ledger import _begin
recipe, number = sys.argv[1:]
ledger = pickle.loads(bytes.fromhex(recipe))()
move = lambda record, count: record.move("answered")
taken = [ledger.update(f"c-{call}", move) for call in range(50)]
begun = sum(ledger.update("c-1", partial(_begin, f"t-{number}-{n}", 5)) for n in range(5))
print(json.dumps({"taken": taken, "begun": begun}))
"""


class TestSqliteFailing:
    @pytest.mark.parametrize("place", ["/proc/nowhere/l.sqlite3", "/dev/null/l.sqlite3", "/"])
    def test_a_place_where_nothing_can_be_written(self, place: str) -> None:
        ledger = SqliteLedger(place)
        for use in (
            ledger.ping,
            lambda: ledger.update("c-1", lambda record, _: record.move("answered")),
            lambda: ledger.recent(1),
            lambda: ledger.call_of("t"),
            lambda: ledger.due(1.0, 1),
            lambda: ledger.settings(PRESENCE, 1.0),
            lambda: ledger.slot("k", 1.0, 1.0, 1.0),
        ):
            with pytest.raises(LedgerError):
                use()

    def test_a_file_that_is_no_ledger(self, tmp_path: Path) -> None:
        place = tmp_path / "ledger.sqlite3"
        place.write_bytes(b"something else entirely, and long enough to be looked at" * 50)
        with pytest.raises(LedgerError):
            SqliteLedger(str(place)).ping()
