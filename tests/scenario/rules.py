"""The rules of the shared services: a line for every action and condition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def _window(begins: int, ends: int) -> str:
    now = datetime.now(UTC)
    return "-".join(f"{now + timedelta(hours=hours):%H:%M}" for hours in (begins, ends))


RULES = f"""
version: 1
timezone: UTC
transfer: {{transferCallerId: caller, diversionTreatment: stack, ring: 20s}}
dialing: {{allow: [+1, +44]}}
destinations:
  ann: +19195552001
  bob: {{transferTo: +19195552002, person: bob}}
  answering: {{transferTo: +19195552003}}
  single: {{transferTo: +19195552004, capacity: 1}}
  abroad: +442079460001
  desk: sip:desk@pbx.example.com
  private: {{transferTo: +19195552005, transferCallerId: private, diversionReason: away}}
callers:
  vip: [+14155550123, +1646*]
  spam: [+1900*, anonymous]
  partners: ["sip:*@partner.example.com"]
schedules:
  now: {{hours: {{mon-sun: {_window(-2, 2)}}}}}
  later: {{hours: {{mon-sun: {_window(4, 6)}}}}}
lines:
  plain: {{numbers: +19195551001, otherwise: {{transferTo: ann}}}}
  everything:
    title: The Lot
    numbers: +19195551002
    rules:
      - name: all of it
        transferTo: +19195552010
        transferCallerId: private
        whisperAudio:
          sentence: "{{line}}|{{from}}|{{to}}|{{rule}}|{{reason}}"
          gender: male
          voice: dave
          locale: en_US
        recordingEnabled: true
        recordingFileFormat: mp3
        diversionReason: away
    otherwise: {{transferTo: ann}}
  shows called:
    numbers: [+19195551003, "sip:front@our.example.com"]
    otherwise: {{transferTo: ann, transferCallerId: called}}
  shows ours:
    numbers: +19195551004
    otherwise: {{transferTo: ann, transferCallerId: +19195551004}}
  no diversion:
    numbers: +19195551005
    otherwise: {{transferTo: ann, diversionTreatment: none}}
  propagates:
    numbers: +19195551006
    otherwise: {{transferTo: ann, diversionTreatment: propagate}}
  by time:
    numbers: +19195551007
    rules:
      - {{name: open, when: {{outside: now}}, transferTo: bob}}
      - {{name: later, when: {{during: later}}, transferTo: bob}}
      - {{name: in hours, when: {{during: now}}, transferTo: ann}}
    otherwise: {{transferTo: answering}}
  closed:
    numbers: +19195551008
    rules: [{{name: closed, when: {{outside: later}}, transferTo: answering}}]
    otherwise: {{transferTo: ann}}
  by caller:
    numbers: +19195551009
    rules:
      - {{name: vip, when: {{from: vip}}, transferTo: ann}}
      - {{name: partner, when: {{from: partners}}, transferTo: desk}}
      - {{name: spam, when: {{from: spam}}, transferTo: answering, diversionReason: deflection}}
      - {{name: local, when: {{notFrom: [+1212*]}}, transferTo: private}}
    otherwise: {{transferTo: bob}}
  diverted:
    numbers: +19195551010
    rules:
      - {{name: missed, when: {{diverted: no-answer}}, transferTo: answering}}
      - {{name: any, when: {{diverted: any}}, transferTo: bob}}
    otherwise: {{transferTo: ann}}
  presence:
    numbers: +19195551011
    rules:
      - {{name: gone, when: {{presence: {{bob: [dnd, away, busy]}}}}, transferTo: answering}}
      - {{name: there, when: {{presence: {{bob: available}}}}, transferTo: bob}}
    otherwise: {{transferTo: ann}}
  negated:
    numbers: +19195551012
    rules:
      - {{name: not now, when: {{not: {{during: now}}}}, transferTo: bob}}
      - {{name: "not vip, not later", when: {{not: {{from: vip, during: later}}}}, transferTo: ann}}
    otherwise: {{transferTo: answering}}
  follow:
    numbers: +19195551013
    rules:
      - name: hunt
        followMe: [{{transferTo: ann, ring: 15s}}, {{transferTo: bob}}]
        onBusy: {{transferTo: answering}}
    otherwise: {{transferTo: answering}}
  refuses: {{numbers: +19195551014, otherwise: {{reject: true}}}}
  tells:
    title: Night Desk
    numbers: +19195551015
    otherwise: {{announce: {{sentence: "{{line}} is closed", voice: julie}}}}
  plays:
    numbers: +19195551016
    otherwise: {{announce: {{fileUrl: "https://example.com/closed.mp3"}}}}
  limited:
    numbers: +19195551017
    rules:
      - {{name: full, when: {{busy: single}}, transferTo: answering}}
    otherwise: {{transferTo: single}}
  to sip: {{numbers: +19195551018, otherwise: {{transferTo: desk}}}}
  refused abroad:
    numbers: +19195551019
    rules:
      - name: first
        transferTo: abroad
        onFailure: {{transferTo: answering}}
    otherwise: {{transferTo: ann}}
  refused without handler:
    numbers: +19195551020
    rules: [{{name: first, transferTo: abroad, onBusy: {{transferTo: bob}}}}]
    otherwise: {{transferTo: ann}}
  refused always:
    numbers: +19195551021
    otherwise: {{transferTo: abroad}}
  capacity handler:
    numbers: +19195551022
    rules:
      - name: one at a time
        transferTo: single
        onBusy: {{transferTo: bob}}
    otherwise: {{transferTo: ann}}
emergency: {{transferTo: answering}}
"""

PLAIN, FOLLOW, REFUSES, TELLS, PLAYS = (f"+19195551{n:03}" for n in (1, 13, 14, 15, 16))
ANN, BOB, ANSWERING, SINGLE = (f"+1919555200{n}" for n in (1, 2, 3, 4))
PLAIN_BODY = {
    "state": "transferring",
    "transferTo": ANN,
    "diversionTreatment": "stack",
    "diversionReason": "unconditional",
}
