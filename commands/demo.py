"""`flask demo`: a phone company in a box calls the real service, and each call's path is told.

Every scene is a call and how it must end. The calls end the same way at any hour of any day,
because the stage moves the office hours of its copy of the rules.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from flask import current_app

from commands.output import Failure, good_rules, say, styled
from commands.stage import MOVED, PATIENCE, RING, Stage, orderly_end

if TYPE_CHECKING:
    from callflow.record import Record
    from routing.rules import RuleSet

Leg = dict[str, Any]

_GLANCE = 0.02


@dataclass(frozen=True, slots=True)
class Scene:
    """One call and how it must end. `reaches` names a destination; None if nobody is reached.

    `phones` says what the phones of some destinations do (see `emulator.people`). A caller who
    `stays` is still talking in the next scene; else everybody hangs up. One who `leaves` hangs up
    as soon as a phone rings.
    """

    title: str
    caller: str
    called: str
    rule: str
    reaches: str | None = None
    reason: str | None = None
    office: str = "open"
    phones: tuple[tuple[str, str], ...] = ()
    stays: bool = False
    leaves: bool = False


# fmt: off
SCENES = (
    Scene("A call in office hours: the phones of the main line ring one after another",
          "+14155550123", "main", "follow me", "reception", "follow-me", stays=True),
    Scene("A second call: reception can take two at once",
          "+14155550124", "main", "follow me", "reception", "follow-me", stays=True),
    Scene("A third call: reception has no line free",
          "+14155550125", "main", "reception is busy", "ana", "user-busy"),
    Scene("Reception's phone is engaged: ana and bo ring together, and ana is first",
          "+14155550123", "main", "follow me", "ana", None,
          phones=(("reception", "busy"), ("bo", "no-answer"))),
    Scene("Reception's line is dead, ana is engaged, and bo lets it ring",
          "+14155550127", "main", "follow me", "answering", "no-answer",
          phones=(("reception", "silent"), ("ana", "busy"), ("bo", "no-answer"))),
    Scene("A caller who does not wait: the phone stops ringing",
          "+14155550126", "main", "follow me", None, "follow-me",
          phones=(("reception", "no-answer"),), leaves=True),
    Scene("A caller whom nobody wants to hear",
          "+19005550100", "main", "block spam"),
    Scene("A number of ours that is on no line: the safety net",
          "+12125550187", "+19195559999", "emergency", "answering", "unavailable"),
    Scene("The main line again, after hours",
          "+14155550123", "main", "closed", "answering", "time-of-day", office="closed"),
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended up."""

    rule: str | None
    reached: str | None
    reason: str | None
    refused: bool

    def is_as(self, scene: Scene) -> bool:
        """Whether the scene went as it must."""
        refused = scene.reaches is None and not scene.leaves
        wanted = (scene.rule, scene.reaches, scene.reason, refused)
        return (self.rule, self.reached, self.reason, self.refused) == wanted

    @property
    def words(self) -> str:
        """Who was reached."""
        return self.reached or ("hung up on" if self.refused else "nobody")


@click.command("demo")
@click.option("--keep", is_flag=True, help="Stay, and tell of further calls until Ctrl-C.")
def demo(keep: bool) -> None:
    """Place calls through the rules, on this machine and without an account."""
    click.get_current_context().color = False if os.environ.get("NO_COLOR") else None
    project = Path(current_app.root_path)
    _check_names(good_rules(project / "routing_rules.yaml"))
    with orderly_end(), Stage(project) as stage:
        good = Show(stage).play()
        if keep:
            with contextlib.suppress(KeyboardInterrupt):
                Show(stage).stay()
    if not good:
        raise click.exceptions.Exit(1)


class Show:
    """Places calls on a stage and tells what becomes of them."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._phones = stage.phones
        self._ledger = stage.ledger

    def play(self) -> bool:
        """Play every scene; return whether each went as it must."""
        say(f"Phone company  {self._phones.url}, an emulator on this machine")
        say(f"Call router    {self._stage.service_url}, started with: {self._stage.web_line}")
        office = "open"
        self._tell_hours(office)
        results = []
        for number, scene in enumerate(SCENES, 1):
            if scene.office != office:
                office = scene.office
                self._stage.move_hours(office)
                say()
                say("The rules were edited; the service took them without a restart.")
                self._tell_hours(office)
            say()
            say(styled(f"{number}. {scene.title}", bold=True))
            results.append((scene, self._play(scene)))
        return _summary(results)

    def _play(self, scene: Scene) -> Ending:
        for name, does in scene.phones:
            self._phones.destination(self._number(name), does)
        call_id = self._phones.dial(scene.caller, self._number(scene.called))
        ending = self._follow(call_id, leaves=scene.leaves)
        if not ending.is_as(scene):
            wanted = scene.reaches or "nobody"
            say(styled(f"   ! this should go to {wanted} by rule {scene.rule!r}", fg="red"))
        if not scene.stays:
            self._all_hang_up()
        for name, _ in scene.phones:
            self._phones.destination(self._number(name))
        return ending

    def stay(self) -> NoReturn:
        """Say how to place calls, and tell of them."""
        told = {leg["callId"] for leg in self._phones.calls()}
        _tell_how(self._stage, self._number("main"), self._number("reception"))
        while True:
            for leg in self._phones.calls():
                if leg["direction"] == "in" and leg["callId"] not in told:
                    told.add(leg["callId"])
                    say()
                    self._follow(leg["callId"])
            time.sleep(0.1)

    def _follow(self, call_id: str, *, leaves: bool = False) -> Ending:
        """Tell what happens to a call, as it happens, until it is settled."""
        caller = self._leg(call_id)
        line = self._stage.rules.line_by_number.get(caller["to"])
        title = f"{line.title}, {caller['to']}" if line else caller["to"]
        say(f"   {caller['from']} calls {title}")
        try:
            record = self._phones.wait_for(lambda: self._decided(call_id), PATIENCE)
            for step in record.plan["trace"] if record.plan else ():
                _tell_step(step)
            self._tell_legs(call_id, leaves=leaves)
        except TimeoutError:
            say(styled(f"   ! nothing more within {PATIENCE:.0f} s", fg="red"))
        return self._ending(call_id)

    def _decided(self, call_id: str) -> Record | None:
        record = self._ledger.load(call_id)
        return record if record and (record.plan or self._is_over(call_id)) else None

    def _tell_legs(self, call_id: str, *, leaves: bool) -> None:
        """Tell of each phone that rings and of each that stops, until the call is settled."""
        told: set[tuple[str, str]] = set()
        end = time.monotonic() + PATIENCE
        settled = False
        while not settled:
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(_GLANCE)
            settled = self._is_over(call_id) or bool(self._leg(call_id)["talksTo"])
            for leg in self._legs_of(call_id):
                for what in ("rings", leg["cause"]):
                    if what and (leg["callId"], what) not in told:
                        told.add((leg["callId"], what))
                        self._tell_leg(leg, what)
            if leaves and told:
                leaves = False
                say("     the caller hangs up")
                self._phones.hang_up(call_id)
        self._tell_settled(call_id)

    def _tell_leg(self, leg: Leg, what: str) -> None:
        name = self._name(leg["to"])
        if what != "rings":
            say(f"     {name} was not reached: {what}")
            return
        say("   → " + styled(name, fg="cyan") + f" rings: {leg['to']} sees {leg['from']}")
        for header in self._shown(leg)["diversionHeader"]:
            say(f"     and is told why: Diversion: {header}")

    def _tell_settled(self, call_id: str) -> None:
        caller = self._leg(call_id)["from"]
        talking = self._talking_to(call_id)
        if not talking:
            how = "was hung up on" if self._is_refused(call_id) else "is gone"
            say("   " + styled("=", fg="yellow") + f" {caller} {how}")
        for name in talking:
            sentence = self._whisper(call_id)
            heard = f" and first hears “{sentence}”" if sentence else ""
            say(f"     {name} answers{heard}")
            say("   " + styled("=", fg="green") + f" {caller} talks to {name}")

    def _ending(self, call_id: str) -> Ending:
        record = self._ledger.load(call_id)
        talking = self._talking_to(call_id)
        shown = [self._shown(leg)["diversion"] for leg in self._legs_of(call_id)]
        reason = shown[-1][-1]["reason"] if shown and shown[-1] else None
        return Ending(
            record.rule if record else None,
            next(iter(talking), None),
            reason,
            self._is_refused(call_id),
        )

    def _talking_to(self, call_id: str) -> list[str]:
        return [self._name(self._leg(other)["to"]) for other in self._leg(call_id)["talksTo"]]

    def _whisper(self, call_id: str) -> str | None:
        record = self._ledger.load(call_id)
        audio = record.legs[-1].request.get("whisperAudio") if record and record.legs else None
        return audio.get("sentence") if audio else None

    def _is_refused(self, call_id: str) -> bool:
        record = self._ledger.load(call_id)
        return record is not None and record.action == "reject" and self._is_over(call_id)

    def _is_over(self, call_id: str) -> bool:
        return bool(self._leg(call_id)["cause"])

    def _leg(self, call_id: str) -> Leg:
        return next(leg for leg in self._phones.calls() if leg["callId"] == call_id)

    def _legs_of(self, call_id: str) -> list[Leg]:
        """Return the legs that a transfer made, and those that the router called itself."""
        record = self._ledger.load(call_id)
        called = {leg.leg_id for leg in record.legs} if record else set()
        legs = self._phones.calls()
        return [leg for leg in legs if leg["parent"] == call_id or leg["callId"] in called]

    def _shown(self, leg: Leg) -> dict[str, Any]:
        """Return what the emulator's log has of a leg: the headers that its phone was sent."""
        return next(row for row in self._phones.log("leg") if row["callId"] == leg["callId"])

    def _name(self, number: str) -> str:
        destinations = self._stage.rules.destinations.items()
        return {each.transfer_to: name for name, each in destinations}.get(number, number)

    def _number(self, name: str) -> str:
        """Return the number of a line or of a destination; a number is its own."""
        rules = self._stage.rules
        if name in rules.lines:
            return rules.lines[name].numbers[0]
        return rules.destinations[name].transfer_to if name in rules.destinations else name

    def _all_hang_up(self) -> None:
        """End every call, and wait until the router knows."""
        for leg in self._phones.calls():
            if leg["direction"] == "in":
                self._phones.hang_up(leg["callId"])
        with contextlib.suppress(TimeoutError):
            self._phones.wait_for(lambda: not self._ledger.in_progress(), PATIENCE)

    def _tell_hours(self, office: str) -> None:
        zone = self._stage.rules.zone
        say(
            "Rules          a copy of routing_rules.yaml with the office hours moved to "
            f"{self._stage.hours}"
        )
        say(f"               and every ring cut to {RING}:")
        now = dt.datetime.now(zone)
        say(f"               it is {now:%H:%M} in {zone}, so the office is {office}")


def _check_names(rules: RuleSet) -> None:
    """Say so if the rules are not those that the scenes were written for."""
    lines = {each.called for each in SCENES if not each.called.startswith("+")} - set(rules.lines)
    phones = {each.reaches for each in SCENES if each.reaches} - set(rules.destinations)
    missing = sorted(lines | phones | ({MOVED} - set(rules.schedules)))
    if missing:
        raise Failure(
            "the demo tells of the rules that come with the project, and routing_rules.yaml has "
            f"no {', '.join(missing)} any more. Bring the file back, and keep your own rules in "
            "another one, which ROUTING_RULES names"
        )


def _tell_step(step: dict[str, Any]) -> None:
    mark = styled("✓", fg="green") if step["held"] else styled("✗", dim=True)
    say("     " + mark + f" {step['rule']}: {step['because']}")


def _tell_how(stage: Stage, line: str, phone: str) -> None:
    control = f"curl -s {stage.phones.origin}/_control"
    told = f"""
Everything stays up until Ctrl-C. From another terminal:

a call           {control}/calls -d '{{"from": "+14155550123", "to": "{line}"}}'
hang up          {control}/calls/CALL_ID/hangup -d ''
a busy phone     {control}/destinations -d '{{"number": "{phone}", "does": "busy"}}'
what was sent    {control}/log
is all well      curl -s {stage.service_url}/readyz
look back        LEDGER_URL={stage.ledger_url} {sys.argv[0]} calls list
other rules      edit {stage.rules_file}; in force within a second
the log          {stage.log}"""
    for each in told.splitlines():
        say(each)


def _summary(results: list[tuple[Scene, Ending]]) -> bool:
    """Print all calls in a table; return whether each ended as it must."""
    rows = [("from", "to", "rule", "reached", "diversion reason")]
    rows += [
        (scene.caller, scene.called, end.rule or "-", end.words, end.reason or "-")
        for scene, end in results
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    marks = [" ", *("✓" if end.is_as(scene) else "✗" for scene, end in results)]
    say()
    for mark, row in zip(marks, rows, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        say(styled(f"{mark} {'  '.join(cells)}".rstrip(), bold=mark == " "))
    good = "✗" not in marks
    ended = "each ended as it should" if good else "not each ended as it should"
    say()
    say(styled(f"{len(results)} calls, {ended}", fg="green" if good else "red"))
    return good
