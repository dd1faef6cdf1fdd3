"""What single answers of the platform say of the account."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callflow.account import Account, Verdict
from catapult.client import Exchange

REFUSED = ("AccountError", 401, "401 authentication-failed")
NO_MONEY = ("AccountError", 403, "403 insufficient-available-balance")
NO_SUCH_USER = ("AccountError", 404, "404 user-not-found")
CALLER_ID = ("AccountError", 401, "401 number-access-denied")
GOOD = (None, 200, None)
CALL_OVER = ("CallNotActiveError", 404, "404 call-not-found")
BUSY = ("TryAgainError", 429, "429 rate-limit-reached")
BROKEN = ("UnknownOutcomeError", 500, "500 without a code")
SILENT = ("UnreachableError", None, "connection refused")
ANSWERS = [REFUSED, NO_MONEY, NO_SUCH_USER, CALLER_ID, GOOD, CALL_OVER, BUSY, BROKEN, SILENT]


class Others:
    """What other workers were told."""

    def __init__(self) -> None:
        self.said: list[Verdict] = []
        self.verdict: Verdict | None = None

    def say(self, verdict: Verdict) -> None:
        self.said.append(verdict)

    def latest(self) -> Verdict | None:
        return self.verdict


def account() -> tuple[Account, Others, list[str]]:
    told: list[str] = []
    others = Others()
    return Account(lambda event, **_: told.append(event), others), others, told


def hears(account: Account, answer: tuple[Any, Any, Any]) -> None:
    error, status, because = answer
    account.heard(Exchange("GET", "GET /calls", status, 0.1, error, because))


@pytest.mark.parametrize("answer", [REFUSED, NO_MONEY, NO_SUCH_USER])
def test_a_refusal_counts_until_a_good_answer(answer: tuple[Any, Any, Any]) -> None:
    mine, others, told = account()
    began = time.time()
    hears(mine, answer)
    verdict = mine.verdict()
    assert (verdict.error, verdict.status) == (answer[2], answer[1])
    assert began <= (verdict.at or 0) <= time.time()
    for nothing in (BUSY, BROKEN, SILENT):
        hears(mine, nothing)
        assert mine.verdict() == verdict
    hears(mine, CALL_OVER)
    assert mine.verdict().error is None
    assert told == ["account-refused", "account-accepted"]
    assert [each.is_refusal for each in others.said] == [True, False]


@given(st.lists(st.sampled_from(ANSWERS), max_size=12))
def test_the_last_answer_that_says_something_decides(answers: list[tuple[Any, Any, Any]]) -> None:
    mine, _, told = account()
    for answer in answers:
        hears(mine, answer)
    telling = [each for each in answers if each not in (BUSY, BROKEN, SILENT)]
    refusals = [each in (REFUSED, NO_MONEY, NO_SUCH_USER) for each in telling]
    assert mine.verdict().is_refusal == (refusals[-1:] == [True])
    changes = [
        now for before, now in zip([False, *refusals], refusals, strict=False) if now != before
    ]
    assert told == ["account-refused" if each else "account-accepted" for each in changes]


def test_a_platform_that_was_never_reached_is_no_refusal() -> None:
    mine, _, told = account()
    hears(mine, SILENT)
    assert mine.verdict() == Verdict("no answer: connection refused", None)
    hears(mine, GOOD)
    assert mine.verdict().error is None
    assert told == []


def test_what_another_worker_was_told_later_counts() -> None:
    mine, others, _ = account()
    hears(mine, GOOD)
    others.verdict = Verdict("401 for another worker", time.time() + 1, 401)
    assert mine.verdict() is others.verdict
    others.verdict = Verdict("401 for another worker", time.time() - 60, 401)
    assert not mine.verdict().is_refusal
