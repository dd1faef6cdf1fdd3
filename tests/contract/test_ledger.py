"""The contract of the ledger, which every backend passes."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from callflow.ledger import (
    ANNOUNCING,
    ANSWERED,
    ANSWERING,
    ENDED,
    NEW,
    OVER,
    RINGING,
    ROUTING,
    SENT,
    Attempt,
    Entry,
    LedgerError,
    Plan,
    Seen,
)
from callflow.sqlite import SqliteLedger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callflow.ledger import Ledger

PROJECT = Path(__file__).parents[2]
SEEN = Seen("c-1", "+19195551000", "+12125550142")
PLAN = Plan("main", "rule 1", "transfer", {"trace": [], "é": [1, None, {"a": True}]}, "d1")


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


def entry(at: float = 100.0, kind: str = "event", **data: Any) -> Entry:
    return Entry(at, kind, data)


def attempt(
    token: str = "t-1",  # noqa: S107 - it is no secret here
    call_id: str = "c-1",
    **more: Any,
) -> Attempt:
    values = {
        "token": token,
        "call_id": call_id,
        "destination": "ana",
        "transfer_to": "+19195552001",
        "stage": "rule 1",
        "reason": "unconditional",
        "request": {"state": "transferring", "transferTo": "+19195552001"},
        "started_at": 101.0,
    }
    return Attempt(**{**values, **more})


def state(ledger: Ledger, call_id: str = "c-1") -> str:
    story = ledger.story(call_id)
    assert story is not None
    return story.call.state


class TestNote:
    def test_it_makes_a_call_known(self, ledger: Ledger) -> None:
        record = ledger.note(SEEN, entry())
        assert (record.call_id, record.to, record.caller) == (
            "c-1",
            "+19195551000",
            "+12125550142",
        )
        assert (record.state, record.claims, record.seen_at) == (NEW, 0, 100.0)
        assert record.plan is record.progress is record.ended_at is record.ended_by is None

    def test_a_second_one_keeps_what_was_seen_first(self, ledger: Ledger) -> None:
        ledger.note(SEEN, entry(100))
        record = ledger.note(Seen("c-1", "other", "other"), entry(200))
        assert (record.to, record.seen_at) == ("+19195551000", 100.0)
        story = ledger.story("c-1")
        assert story is not None
        assert [each.at for each in story.journal] == [100.0, 200.0]

    def test_it_shows_the_state_of_now(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry())
        assert ledger.note(SEEN, entry()).state == ROUTING


class TestClaim:
    def test_the_first_gets_it(self, ledger: Ledger) -> None:
        record = ledger.claim(SEEN, entry())
        assert record is not None
        assert (record.state, record.claims) == (ROUTING, 1)
        assert ledger.claim(SEEN, entry()) is None
        assert state(ledger) == ROUTING

    def test_a_known_call(self, ledger: Ledger) -> None:
        ledger.note(SEEN, entry())
        assert ledger.claim(SEEN, entry()) is not None

    def test_who_gets_nothing_is_recorded_too(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry(1))
        ledger.claim(SEEN, entry(2))
        story = ledger.story("c-1")
        assert story is not None
        assert [each.at for each in story.journal] == [1.0, 2.0]

    @pytest.mark.parametrize("over", [RINGING, ANNOUNCING, OVER])
    def test_not_when_it_is_further_on(self, ledger: Ledger, over: str) -> None:
        ledger.note(SEEN, entry())
        ledger.set_state("c-1", over, entry())
        assert ledger.claim(SEEN, entry()) is None
        assert ledger.claim(SEEN, entry(), answering=True) is None
        assert state(ledger) == over

    def test_answering_then_routing(self, ledger: Ledger) -> None:
        record = ledger.claim(SEEN, entry(), answering=True)
        assert record is not None
        assert (record.state, record.claims) == (ANSWERING, 0)
        assert ledger.claim(SEEN, entry(), answering=True) is None
        record = ledger.claim(SEEN, entry())
        assert record is not None
        assert (record.state, record.claims) == (ROUTING, 1)
        assert ledger.claim(SEEN, entry(), answering=True) is None

    def test_calls_are_apart(self, ledger: Ledger) -> None:
        assert ledger.claim(SEEN, entry()) is not None
        assert ledger.claim(replace(SEEN, call_id="c-2"), entry()) is not None

    def test_a_released_call_is_claimed_again_and_counts(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry())
        ledger.release("c-1", entry(kind="gave-up"))
        assert state(ledger) == NEW
        record = ledger.claim(SEEN, entry())
        assert record is not None
        assert record.claims == 2

    def test_release_of_an_answering_call(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry(), answering=True)
        ledger.release("c-1", entry(kind="gave-up"))
        assert ledger.claim(SEEN, entry(), answering=True) is not None

    @pytest.mark.parametrize("later", [RINGING, OVER, ANNOUNCING])
    def test_release_does_not_undo_what_came_after(self, ledger: Ledger, later: str) -> None:
        ledger.claim(SEEN, entry())
        ledger.set_state("c-1", later, entry())
        ledger.release("c-1", entry(kind="gave-up"))
        assert state(ledger) == later


class TestPlan:
    def test_it_is_kept_as_it_was(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry())
        ledger.decide("c-1", PLAN, entry(kind="decision"))
        story = ledger.story("c-1")
        assert story is not None
        assert story.call.plan == PLAN
        assert story.journal[-1].kind == "decision"

    def test_without_a_line(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry())
        ledger.decide("c-1", replace(PLAN, line=None), entry())
        assert ledger.note(SEEN, entry()).plan == replace(PLAN, line=None)


class TestAttempts:
    def test_begun_found_and_updated(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry())
        assert ledger.begin_attempt(attempt(), None) is True
        assert ledger.find_attempt("t-1") == attempt()
        ledger.update_attempt(attempt(state=SENT, leg_id="c-leg"))
        assert ledger.find_attempt("t-1") == attempt(state=SENT, leg_id="c-leg")

    def test_nobody_knows_another_token(self, ledger: Ledger) -> None:
        assert ledger.find_attempt("t-1") is None
        ledger.update_attempt(attempt())
        assert ledger.find_attempt("t-1") is None

    def test_an_update_without_the_leg_keeps_it(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry())
        ledger.begin_attempt(attempt(), None)
        ledger.update_attempt(attempt(state=SENT, leg_id="c-leg"))
        ledger.update_attempt(attempt(state=ANSWERED))
        found = ledger.find_attempt("t-1")
        assert found is not None
        assert (found.state, found.leg_id) == (ANSWERED, "c-leg")

    def test_one_that_has_ended_stays_so(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry())
        ledger.begin_attempt(attempt(), None)
        ended = attempt(state=ENDED, outcome="busy", cause="USER_BUSY", ended_at=110.0)
        ledger.update_attempt(ended)
        ledger.update_attempt(attempt(state=SENT, leg_id="late"))
        assert ledger.find_attempt("t-1") == ended

    def test_the_capacity_counts_what_is_in_progress(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry())
        assert ledger.begin_attempt(attempt("t-1"), 2)
        assert ledger.begin_attempt(attempt("t-2"), 2)
        assert not ledger.begin_attempt(attempt("t-3"), 2)
        assert ledger.find_attempt("t-3") is None
        assert ledger.in_progress() == {"ana": 2}
        assert ledger.begin_attempt(attempt("t-4", destination="bo"), 1)
        assert ledger.begin_attempt(attempt("t-5"), None)
        assert ledger.in_progress() == {"ana": 3, "bo": 1}

    def test_an_end_frees_the_capacity(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry())
        ledger.begin_attempt(attempt("t-1"), 1)
        ledger.update_attempt(attempt("t-1", state=ENDED, ended_at=110.0))
        assert ledger.in_progress() == {}
        assert ledger.begin_attempt(attempt("t-2"), 1)

    def test_the_end_of_the_call_ends_its_attempts_only(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry())
        ledger.claim(replace(SEEN, call_id="c-2"), entry())
        ledger.begin_attempt(attempt("t-1"), 2)
        ledger.begin_attempt(attempt("t-2", call_id="c-2"), 2)
        ledger.set_state("c-1", OVER, entry(120, "over", because="the caller left"))
        assert ledger.in_progress() == {"ana": 1}
        found = ledger.find_attempt("t-1")
        assert found is not None
        assert (found.state, found.ended_at) == (ENDED, 120.0)


class TestState:
    def test_what_is_over_stays_over(self, ledger: Ledger) -> None:
        ledger.note(SEEN, entry())
        ledger.set_state("c-1", OVER, entry(120, "over", because="NORMAL_CLEARING"))
        ledger.set_state("c-1", RINGING, entry(130))
        ledger.set_state("c-1", OVER, entry(140, "over", because="again"))
        record = ledger.note(SEEN, entry())
        assert (record.state, record.ended_at, record.ended_by) == (
            OVER,
            120.0,
            "NORMAL_CLEARING",
        )

    def test_progress_is_kept_until_there_is_more(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry())
        ledger.set_state("c-1", RINGING, entry(), {"stage": 0, "used": [0]})
        assert ledger.note(SEEN, entry()).progress == {"stage": 0, "used": [0]}
        ledger.set_state("c-1", RINGING, entry())
        assert ledger.note(SEEN, entry()).progress == {"stage": 0, "used": [0]}
        ledger.set_state("c-1", RINGING, entry(), {"stage": 1})
        assert ledger.note(SEEN, entry()).progress == {"stage": 1}


class TestJournal:
    def test_a_fingerprint_is_kept_once_and_counted(self, ledger: Ledger) -> None:
        ledger.note(SEEN, entry(1))
        assert ledger.append("c-1", Entry(2.0, "event", {"a": 1}, "f")) is True
        assert ledger.append("c-1", Entry(3.0, "event", {"a": 2}, "f")) is False
        assert ledger.append("c-1", Entry(4.0, "event", {}, "g")) is True
        story = ledger.story("c-1")
        assert story is not None
        assert [(each.at, each.times) for each in story.journal] == [(1, 1), (2, 2), (4, 1)]
        assert story.journal[1].data == {"a": 1}

    def test_without_fingerprint_everything_is_kept(self, ledger: Ledger) -> None:
        ledger.note(SEEN, entry(1))
        assert ledger.append("c-1", entry(2)) is True
        assert ledger.append("c-1", entry(2)) is True

    def test_the_same_fingerprint_of_two_calls(self, ledger: Ledger) -> None:
        for call_id in ("c-1", "c-2"):
            ledger.note(replace(SEEN, call_id=call_id), entry())
            assert ledger.append(call_id, Entry(1.0, "event", {}, "f")) is True

    def test_nothing_is_kept_for_a_call_that_nobody_knows(self, ledger: Ledger) -> None:
        assert ledger.append("c-9", entry()) is False
        assert ledger.story("c-9") is None

    def test_any_text_comes_back(self, ledger: Ledger) -> None:
        odd = {"a": "é\u0000\U0001f600'\"\\", "b": [None, True, 1.5, {"c": "\ud800"}]}
        ledger.note(SEEN, Entry(1.0, "event", odd, "f|é'"))
        story = ledger.story("c-1")
        assert story is not None
        assert story.journal[0].data == odd
        assert story.journal[0].fingerprint == "f|é'"

    def test_it_is_in_the_order_of_time(self, ledger: Ledger) -> None:
        for at in (3.0, 1.0, 2.0):
            ledger.note(SEEN, entry(at))
        story = ledger.story("c-1")
        assert story is not None
        assert [each.at for each in story.journal] == [1.0, 2.0, 3.0]


class TestReading:
    def test_a_story_has_everything(self, ledger: Ledger) -> None:
        ledger.claim(SEEN, entry(1))
        ledger.decide("c-1", PLAN, entry(2))
        for number, started_at in ((2, 6.0), (1, 5.0)):
            ledger.begin_attempt(attempt(f"t-{number}", started_at=started_at), None)
        story = ledger.story("c-1")
        assert story is not None
        assert [each.token for each in story.attempts] == ["t-1", "t-2"]
        assert story.call.plan == PLAN
        assert len(story.journal) == 2
        assert ledger.story("c-2") is None

    def test_recent_is_newest_first(self, ledger: Ledger) -> None:
        assert ledger.recent(5) == []
        for number in range(7):
            ledger.note(replace(SEEN, call_id=f"c-{number}"), entry(100 + number % 5 + number))
        newest = [each.seen_at for each in ledger.recent(5)]
        assert newest == sorted(newest, reverse=True)
        assert len(newest) == 5
        assert len(ledger.recent(100)) == 7

    def test_pruning(self, ledger: Ledger) -> None:
        for number in range(1, 2004):
            ledger.note(replace(SEEN, call_id=f"c-{number}"), entry(float(number)))
        ledger.begin_attempt(attempt("t-1"), None)
        ledger.begin_attempt(attempt("t-2", call_id="c-2003"), None)
        assert ledger.prune(2003.0) == 2002
        assert ledger.prune(2003.0) == 0
        assert [each.call_id for each in ledger.recent(10)] == ["c-2003"]
        assert ledger.find_attempt("t-1") is None
        assert ledger.in_progress() == {"ana": 1}
        ledger.ping()

    def test_another_process_sees_it(self, ledger: Ledger, opened: Callable[[], Ledger]) -> None:
        ledger.claim(SEEN, entry())
        ledger.begin_attempt(attempt(), 1)
        other = opened()
        assert other.claim(SEEN, entry()) is None
        assert not other.begin_attempt(attempt("t-2"), 1)
        assert other.find_attempt("t-1") == attempt()
        other.close()

    def test_after_closing_it_opens_again(self, ledger: Ledger) -> None:
        ledger.note(SEEN, entry())
        ledger.close()
        ledger.close()
        assert state(ledger) == NEW


class TestRaces:
    def test_one_of_many_threads_gets_the_call(self, opened: Callable[[], Ledger]) -> None:
        ledgers = [opened(), opened()]
        start = threading.Barrier(16)

        def claim(number: int) -> list[bool]:
            ledger = ledgers[number % 2]
            start.wait()
            got = []
            for call in range(20):
                seen = replace(SEEN, call_id=f"c-{call}")
                got.append(ledger.claim(seen, Entry(1.0, "event", {}, "same")) is not None)
            ledger.close()
            return got

        with ThreadPoolExecutor(16) as pool:
            results = list(pool.map(claim, range(16)))
        assert [sum(got) for got in zip(*results, strict=True)] == [1] * 20

    def test_a_capacity_holds_against_many_threads(self, opened: Callable[[], Ledger]) -> None:
        ledger = opened()
        ledger.claim(SEEN, entry())
        start = threading.Barrier(16)

        def begin(number: int) -> bool:
            start.wait()
            begun = ledger.begin_attempt(attempt(f"t-{number}"), 3)
            ledger.close()
            return begun

        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(begin, range(16))) == 3
        assert ledger.in_progress() == {"ana": 3}
        ledger.close()

    def test_the_same_event_from_many_threads_is_kept_once(
        self, opened: Callable[[], Ledger]
    ) -> None:
        ledger = opened()
        ledger.note(SEEN, entry())
        start = threading.Barrier(12)

        def append(_number: int) -> bool:
            start.wait()
            new = ledger.append("c-1", Entry(200.0, "event", {}, "f"))
            ledger.close()
            return new

        with ThreadPoolExecutor(12) as pool:
            assert sum(pool.map(append, range(12))) == 1
        story = ledger.story("c-1")
        assert story is not None
        assert story.journal[-1].times == 12
        ledger.close()

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
        assert [sum(got) for got in zip(*(each["claims"] for each in results), strict=True)] == [
            1
        ] * 50
        assert sum(each["begun"] for each in results) == 5


_RACER = """
import json, pickle, sys
from callflow.ledger import Attempt, Entry, Seen
recipe, number = sys.argv[1:]
ledger = pickle.loads(bytes.fromhex(recipe))()
claims = [
    ledger.claim(Seen(f"c-{call}", "+1", "+2"), Entry(1.0, "event", {}, "f")) is not None
    for call in range(50)
]
begun = sum(
    ledger.begin_attempt(
        Attempt(f"t-{number}-{n}", "c-1", "ana", "+3", "s", "r", {}, 1.0), 5
    )
    for n in range(5)
)
print(json.dumps({"claims": claims, "begun": begun}))
"""


class TestFailing:
    @pytest.mark.parametrize("place", ["/proc/nowhere/l.sqlite3", "/dev/null/l.sqlite3", "/"])
    def test_a_place_where_nothing_can_be_written(self, place: str) -> None:
        ledger = SqliteLedger(place)
        for use in (
            ledger.ping,
            lambda: ledger.note(SEEN, entry()),
            lambda: ledger.claim(SEEN, entry()),
            lambda: ledger.recent(1),
            lambda: ledger.find_attempt("t"),
        ):
            with pytest.raises(LedgerError):
                use()

    def test_a_file_that_is_no_ledger(self, tmp_path: Path) -> None:
        place = tmp_path / "ledger.sqlite3"
        place.write_bytes(b"something else entirely, and long enough to be looked at" * 50)
        with pytest.raises(LedgerError):
            SqliteLedger(str(place)).ping()

    def test_a_file_that_may_not_be_written(self, tmp_path: Path, ledger: Ledger) -> None:
        ledger.ping()
        other = SqliteLedger(str(tmp_path / "new"))
        with pytest.raises(LedgerError):
            other.ping()
