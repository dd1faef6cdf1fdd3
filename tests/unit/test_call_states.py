"""The table of a call's states, and the page that is made from it."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from callflow.diagram import page
from callflow.record import NEW, OVER, TRANSITIONS, Record, call_of, new_token

STATES = {NEW, *TRANSITIONS.values()}
TRIGGERS = sorted({trigger for _, trigger in TRANSITIONS})


def test_the_page_is_what_the_table_says() -> None:
    written = (Path(__file__).parents[2] / "docs" / "call-states.md").read_text()
    assert written == page(), "run `make docs`"
    assert all(f"| {state} |" in written for state in STATES)


def test_every_state_can_be_reached_and_left() -> None:
    reached, new = set(), {NEW}
    while new:
        reached |= new
        new = {to for (state, _), to in TRANSITIONS.items() if state in reached} - reached
    assert reached == STATES
    assert {state for state, _ in TRANSITIONS} == STATES - {OVER}


@given(st.lists(st.sampled_from(TRIGGERS)))
def test_a_call_that_was_hung_up_stays_over(triggers: list[str]) -> None:
    record = Record("c-1")
    for trigger in [*triggers, "hung up", *triggers]:
        record.move(trigger)
    assert record.state == OVER


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_a_token_names_its_call_and_nobody_can_guess_it(call_id: str) -> None:
    tokens = {new_token(call_id) for _ in range(3)}
    assert {call_of(token) for token in tokens} == {call_id}
    assert len(tokens) == 3
    assert all(re.fullmatch(r"[\w-]+\.[\w-]{32}", token, re.ASCII) for token in tokens)


@given(st.text())
def test_a_token_that_nobody_made_names_no_call_or_some(token: str) -> None:
    assert call_of(token) != ""
