"""How long `flask rules check` takes: `python -m benchmarks.rules_check 1000` or `… 100 rules`.

So many lines: every line has hours of its own, a person of its own and seven rules, which is worse
than usual, since lines of one office share their schedules. Or one line with so many rules, each
with a caller list, a schedule, a full destination and a person of its own.
"""

# ruff: noqa: E501 - a rule of the file has one line

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_HEAD = """\
version: 1
timezone: America/New_York
transfer: {diversionTreatment: stack}
callers:
  vip: [+14155550123, +1212*]
  spam: [+1900*, anonymous]
calendars:
  us: {country: US}
  shop: [2026-12-24..2027-01-02, 07-04]
"""
_DESTINATIONS = """\
  desk{n}: {{transferTo: +1919555{n:04}, capacity: 2}}
  ana{n}: {{transferTo: +1704555{n:04}, capacity: 1, person: ana{n}}}
  bo{n}: {{transferTo: +1980555{n:04}, person: bo{n}}}
"""
_SCHEDULES = """\
  office{n}:
    hours: {{mon-thu: [09:00-12:30, 13:{minute:02}-17:00], fri: 09:00-15:{minute:02}}}
    except: [{{dates: [us, shop], hours: closed}}]
  night{n}: {{hours: {{mon-sun: 22:00-06:{minute:02}}}}}
"""
_LINE = """\
  line{n}:
    numbers: [+1336555{n:04}]
    rules:
      - {{name: spam, when: {{from: spam}}, reject: true}}
      - {{name: night, when: {{during: night{n}}}, transferTo: desk{n}}}
      - {{name: closed, when: {{outside: office{n}}}, transferTo: answering}}
      - {{name: vip, when: {{from: [vip, +1646{n:04}*]}}, transferTo: ana{n}, onBusy: {{transferTo: desk{n}}}}}
      - {{name: busy, when: {{busy: desk{n}}}, transferTo: ana{n}}}
      - {{name: dnd, when: {{presence: {{ana{n}: [dnd, away], bo{n}: dnd}}}}, transferTo: answering}}
      - name: all
        followMe: [{{transferTo: desk{n}, ring: 15s}}, {{transferTo: [ana{n}, bo{n}]}}]
        onBusy: {{transferTo: answering}}
        onNoAnswer: {{transferTo: answering}}
    otherwise: {{transferTo: answering}}
"""
_EXPECT = "  - {{to: line{n}, from: anonymous, rejects: true}}\n"


def many_lines(count: int) -> str:
    """A rules file of so many lines."""

    def each(text: str) -> str:
        return "".join(text.format(n=n, minute=n % 60) for n in range(count))

    return (
        f"{_HEAD}destinations:\n  answering: +18005550199\n{each(_DESTINATIONS)}"
        f"schedules:\n{each(_SCHEDULES)}lines:\n{each(_LINE)}"
        "emergency: {transferTo: answering}\n"
        f"expect:\n{each(_EXPECT)}"
    )


def many_rules(count: int) -> str:
    """A rules file with one line that has so many rules."""

    def each(text: str) -> str:
        return "".join(text.format(n=n, open=6 + n % 8, close=14 + n % 9) for n in range(count))

    return (
        "version: 1\ntimezone: America/New_York\ntransfer: {diversionTreatment: stack}\n"
        "destinations:\n"
        + each("  d{n}: {{transferTo: +1919555{n:04}, capacity: 1, person: p{n}}}\n")
        + "callers:\n"
        + each("  c{n}: [+1212555{n:04}*]\n")
        + "schedules:\n"
        + each("  s{n}: {{hours: {{mon-fri: {open:02}:00-{close:02}:30}}}}\n")
        + "lines:\n  main:\n    numbers: +19195557000\n    rules:\n"
        + each(
            "      - {{when: {{from: c{n}, during: s{n}, busy: d{n}, presence: {{p{n}: [dnd, away]}}}},"
            " transferTo: d{n}}}\n"
        )
        + "    otherwise: d0\nemergency: d0\n"
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    what = sys.argv[2] if len(sys.argv) > 2 else "lines"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rules.yaml"
        path.write_text((many_rules if what == "rules" else many_lines)(count), encoding="utf-8")
        began = time.perf_counter()
        flask = Path(sys.executable).parent / "flask"
        done = subprocess.run([flask, "rules", "check", path], capture_output=True, check=True)
        took, usage = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        print(
            f"{count} {what}: {took:.1f} s, {usage.ru_utime:.1f} s of CPU, "
            f"{usage.ru_maxrss // 1024} MB"
        )
        print(done.stdout.decode().splitlines()[-1])


if __name__ == "__main__":
    main()
