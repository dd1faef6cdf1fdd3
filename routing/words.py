"""The closed vocabularies of the rules: presence states, outcomes, and what they lead to."""

from __future__ import annotations

import re

from catapult import transfer

DIVERSION_REASONS = transfer.DIVERSION_REASONS
UNKNOWN = "unknown"
"""The reason of a call that was diverted and does not say why."""
_REASON_BY_LETTERS = {reason.replace("-", ""): reason for reason in DIVERSION_REASONS}


def diversion_reason(text: str) -> str:
    """Return a diversion reason in the spelling of the list: case and separators do not count."""
    lower = text.strip().lower()
    return _REASON_BY_LETTERS.get(re.sub(r"[^a-z]", "", lower), lower)


AVAILABLE = "available"
PRESENCE_STATES = (AVAILABLE, "busy", "dnd", "away")
REASON_BY_PRESENCE = {"dnd": "do-not-disturb", "away": "away", "busy": "user-busy"}

BUSY, NO_ANSWER, REJECTED, FAILURE = "busy", "no-answer", "rejected", "failure"
OUTCOMES = (BUSY, NO_ANSWER, REJECTED, FAILURE)

OUTCOME_BY_CAUSE = {
    "USER_BUSY": BUSY,
    "NO_ANSWER": NO_ANSWER,
    "CALL_REJECTED": REJECTED,
    "UNALLOCATED_NUMBER": FAILURE,
    "NORMAL_TEMPORARY_FAILURE": FAILURE,
}
"""Hangup cause of a leg that did not connect -> outcome ("Catapult: Hangup event")."""


def outcome_of(cause: str | None) -> str:
    """Return the outcome for a hangup cause; the list is open, so an unknown one is a failure."""
    return OUTCOME_BY_CAUSE.get(cause or "", FAILURE)


HANDLERS_BY_OUTCOME = {
    BUSY: ("onBusy",),
    NO_ANSWER: ("onNoAnswer",),
    REJECTED: ("onRejected", "onBusy"),
    FAILURE: ("onFailure",),
}
"""Outcome -> the handlers that take over, the first one that is written."""

HANDLERS = ("onBusy", "onNoAnswer", "onRejected", "onFailure")
OTHERWISE, EMERGENCY = "otherwise", "emergency"
OVERRIDES = ("open", "closed")
