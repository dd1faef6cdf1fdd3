"""`flask demo`: the whole service on this machine, and a phone company in a box that calls it.

The service is the real one, started as the Procfile says; only the platform is the emulator. The
rules are the project's, in a copy whose schedules are moved so that it is always office hours
first and evening later: the calls end the same way at any hour of any day.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
import requests
import yaml
from flask import current_app

from callflow.sqlite import SqliteLedger
from commands.output import good_rules
from emulator import Emulator
from routing.reader import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callflow.ledger import Story
    from routing.rules import RuleSet

T = TypeVar("T")
Leg = dict[str, Any]

_PATIENCE = 10.0
"""Seconds within which the service starts, rules come into force and a call is settled."""
_GLANCE = 0.02
_STRANGER, _VIP, _SPAMMER = "+12125550187", "+14155550123", "+19005550100"


@dataclass(frozen=True, slots=True)
class Scene:
    """One call and how it must end. `reaches` names a destination; None if the call is refused.

    `phones` says what the phones of some destinations do (see `emulator.people`); a caller who
    `stays` is still talking in the next scene, else everybody hangs up.
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


SCENES = (
    Scene(
        "A call in office hours: the phones of the main line ring one after another",
        _VIP,
        "main",
        "follow me",
        "reception",
        "follow-me",
        stays=True,
    ),
    Scene(
        "A second call: reception can take two at once",
        "+14155550124",
        "main",
        "follow me",
        "reception",
        "follow-me",
        stays=True,
    ),
    Scene(
        "A third call: both of reception's lines are in use",
        "+14155550125",
        "main",
        "reception is busy",
        "ana",
        "user-busy",
    ),
    Scene("A caller nobody wants to hear", _SPAMMER, "main", "block spam"),
    Scene(
        "A number of ours that no line has: the safety net",
        _STRANGER,
        "+19195559999",
        "emergency",
        "answering",
        "unavailable",
    ),
    Scene(
        "The same main line after hours",
        _STRANGER,
        "main",
        "closed",
        "answering",
        "time-of-day",
        office="closed",
    ),
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended up."""

    rule: str | None
    reached: str | None
    reason: str | None
    refused: bool

    def is_as(self, scene: Scene) -> bool:
        """Whether the scene went as it must."""
        wanted = (scene.rule, scene.reaches, scene.reason, scene.reaches is None)
        return (self.rule, self.reached, self.reason, self.refused) == wanted


@click.command("demo")
@click.option("--keep", is_flag=True, help="Stay and show further calls, until Ctrl-C.")
def demo(keep: bool) -> None:
    """Place calls through the rules, on this machine and without an account."""
    click.get_current_context().color = False if os.environ.get("NO_COLOR") else None
    rules_file = Path(current_app.root_path) / "routing_rules.yaml"
    shipped = rules_file.read_text(encoding="utf-8")
    _check_names(good_rules(rules_file))
    with contextlib.ExitStack() as stack:
        stack.enter_context(_orderly_end())
        show = Show(shipped, stack)
        results = [(scene, show.play(number, scene)) for number, scene in enumerate(SCENES, 1)]
        good = _summary(results)
        if keep:
            with contextlib.suppress(KeyboardInterrupt):
                show.stay()
    if not good:
        raise click.exceptions.Exit(1)


class Show:
    """The service, the phone company around it, and what is told of their calls."""

    def __init__(self, shipped: str, stack: contextlib.ExitStack) -> None:
        self._shipped = shipped
        folder = Path(stack.enter_context(_folder()))
        self._rules_file, ledger_file = folder / "routing_rules.yaml", folder / "ledger.sqlite3"
        self._office = SCENES[0].office
        self.rules = _write_moved(shipped, self._office, self._rules_file)
        door = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        host = f"127.0.0.1:{door.getsockname()[1]}"
        self._service, self._ledger_url = f"http://{host}", f"sqlite:///{ledger_file}"
        password = secrets.token_urlsafe(16)
        callback_url = f"http://demo:{password}@{host}/callbacks/catapult"
        self._phones = stack.enter_context(Emulator(callback_url=callback_url))
        environment = {
            "BANDWIDTH_USER_ID": self._phones.settings.user_id,
            "BANDWIDTH_API_TOKEN": self._phones.settings.token,
            "BANDWIDTH_API_SECRET": self._phones.settings.secret,
            "BANDWIDTH_API_URL": self._phones.url,
            "PUBLIC_URL": self._service,
            "CALLBACK_AUTH": "on",
            "CALLBACK_USERNAME": "demo",
            "CALLBACK_PASSWORD": password,
            "AUTO_ANSWER": "true",
            "ROUTING_RULES": str(self._rules_file),
            "LEDGER_URL": self._ledger_url,
            "LOG_LEVEL": "INFO",
            "WEB_CONCURRENCY": "1",
            "NO_PROXY": "127.0.0.1",
        }
        click.echo(f"Phone company  {self._phones.url}, an emulator on this machine")
        click.echo(f"Call router    {self._service}, started with: {_web_line()}")
        self._process = stack.enter_context(_serving(environment, door, folder / "log"))
        self._log = folder / "log"
        self._ledger = SqliteLedger(str(ledger_file))
        stack.callback(self._ledger.close)
        self._await_rules()
        self._tell_hours()

    def play(self, number: int, scene: Scene) -> Ending:
        """Place one call and tell what becomes of it."""
        if scene.office != self._office:
            self._move_hours(scene.office)
        for name, does in scene.phones:
            self._phones.destination(self.rules.destinations[name].transfer_to, does)
        click.secho(f"\n{number}. {scene.title}", bold=True)
        line = self.rules.lines.get(scene.called)
        ending = self._follow(
            self._phones.dial(scene.caller, line.numbers[0] if line else scene.called)
        )
        if not ending.is_as(scene):
            click.secho(f"   This is not what should happen: {scene}", fg="red")
        if not scene.stays:
            self._all_hang_up()
        for name, _ in scene.phones:
            self._phones.destination(self.rules.destinations[name].transfer_to)
        return ending

    def stay(self) -> NoReturn:
        """Tell of the calls that others place."""
        emulator, example = self._phones.origin, self.rules.lines[SCENES[0].called].numbers[0]
        phone = self.rules.destinations["reception"].transfer_to
        click.echo(f"""
Everything stays up until Ctrl-C. From another terminal:

place a call       curl -s {emulator}/_control/calls -d '{{"from": "{_VIP}", "to": "{example}"}}'
hang up            curl -s -X POST {emulator}/_control/calls/CALL_ID/hangup
a phone is busy    curl -s {emulator}/_control/destinations -d '{{"number": "{phone}", "does": "busy"}}'
what was sent      curl -s {emulator}/_control/log
is all well?       curl -s {self._service}/readyz
look back          LEDGER_URL={self._ledger_url} {sys.argv[0]} calls list
change the rules   edit {self._rules_file}; in force within a second
logs               {self._log}""")
        told = {leg["callId"] for leg in self._phones.calls()}
        while True:
            for leg in self._phones.calls():
                if leg["direction"] == "in" and leg["callId"] not in told:
                    told.add(leg["callId"])
                    click.echo()
                    self._follow(leg["callId"])
            time.sleep(0.1)

    def _follow(self, call_id: str) -> Ending:
        """Tell what happens to a call, as it happens, until it is settled."""
        caller = self._leg(call_id)
        line = self.rules.line_by_number.get(caller["to"])
        title = f"{line.title}, {caller['to']}" if line else caller["to"]
        click.echo(f"   {caller['from']} calls {title}")
        try:
            story = self._wait(lambda: self._decided(call_id))
            for step in story.call.plan.route["trace"] if story.call.plan else ():
                _tell_step(step)
            self._tell_legs(call_id)
        except TimeoutError:
            click.secho(f"   Nothing more within {_PATIENCE:.0f} s; the log: {self._log}", fg="red")
        return self._ending(call_id)

    def _decided(self, call_id: str) -> Story | None:
        story = self._ledger.story(call_id)
        over = self._leg(call_id)["state"] == "completed"
        return story if story and (story.call.plan or over) else None

    def _tell_legs(self, call_id: str) -> None:
        """Tell of each phone that rings and of each that stops, until the call is settled."""
        rung: set[str] = set()
        stopped: set[str] = set()
        end = time.monotonic() + _PATIENCE
        while True:
            caller = self._leg(call_id)
            settled = caller["talksTo"] or caller["state"] == "completed"
            for leg in self._legs_of(call_id):
                if leg["callId"] not in rung:
                    rung.add(leg["callId"])
                    self._tell_ringing(leg)
                if leg["cause"] and leg["callId"] not in stopped:
                    stopped.add(leg["callId"])
                    click.echo(f"     {self._name(leg['to'])}'s phone: {leg['cause']}")
            if settled:
                break
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(_GLANCE)
        self._tell_settled(call_id)

    def _tell_ringing(self, leg: Leg) -> None:
        name, sent = self._name(leg["to"]), self._sent(leg["callId"])
        click.echo(f"   → {click.style(name, fg='cyan')} rings, {leg['to']}, shown: {leg['from']}")
        for header in sent["diversionHeader"]:
            click.echo(f"     and why: Diversion: {header}")

    def _tell_settled(self, call_id: str) -> None:
        caller = self._leg(call_id)
        if not caller["talksTo"]:
            click.echo(f"   {click.style('=', fg='yellow')} {caller['from']} was hung up on")
            return
        for name in self._talking_to(call_id):
            whispered = self._whisper(call_id)
            click.echo(f"     {name} answers" + (f" and hears: “{whispered}”" if whispered else ""))
            click.echo(f"   {click.style('=', fg='green')} {caller['from']} talks to {name}")

    def _ending(self, call_id: str) -> Ending:
        story = self._ledger.story(call_id)
        plan = story.call.plan if story else None
        talking = self._talking_to(call_id)
        reason = None
        for leg in self._legs_of(call_id):
            shown = self._sent(leg["callId"])["diversion"]
            reason = shown[-1]["reason"] if shown else None
        refused = not talking and self._leg(call_id)["state"] == "completed"
        return Ending(plan and plan.rule, next(iter(talking), None), reason, refused)

    def _talking_to(self, call_id: str) -> list[str]:
        return [self._name(self._leg(other)["to"]) for other in self._leg(call_id)["talksTo"]]

    def _whisper(self, call_id: str) -> str | None:
        story = self._ledger.story(call_id)
        audio = story.attempts[-1].request.get("whisperAudio") if story and story.attempts else None
        return audio.get("sentence") if audio else None

    def _leg(self, call_id: str) -> Leg:
        return next(leg for leg in self._phones.calls() if leg["callId"] == call_id)

    def _legs_of(self, call_id: str) -> list[Leg]:
        return [leg for leg in self._phones.calls() if leg["parent"] == call_id]

    def _sent(self, leg_id: str) -> Leg:
        return next(leg for leg in self._phones.log("leg") if leg["callId"] == leg_id)

    def _name(self, number: str) -> str:
        names = {each.transfer_to: name for name, each in self.rules.destinations.items()}
        return names.get(number, number)

    def _all_hang_up(self) -> None:
        """End every call, and wait until the router knows."""
        for leg in self._phones.calls():
            if leg["direction"] == "in":
                self._phones.hang_up(leg["callId"])
        with contextlib.suppress(TimeoutError):
            self._wait(lambda: not self._ledger.in_progress())

    def _move_hours(self, office: str) -> None:
        """Edit the rules while the service runs, and wait until they are in force."""
        self._office = office
        self.rules = _write_moved(self._shipped, office, self._rules_file)
        self._await_rules()
        click.echo("\nThe demo has edited its rules; the service has taken them without a restart.")
        self._tell_hours()

    def _tell_hours(self) -> None:
        now = dt.datetime.now(self.rules.zone)
        click.echo(
            f"Rules          routing_rules.yaml, with the office hours moved to "
            f"{_hours(now, self._office)}:\n"
            f"               it is {now:%H:%M} ({self.rules.zone}) and the office is {self._office}"
        )

    def _await_rules(self) -> None:
        """Wait until the service is ready with the rules that were written last."""
        try:
            self._wait(self._is_ready)
        except TimeoutError:
            tail = "\n".join(self._log.read_text(errors="replace").splitlines()[-5:])
            raise click.ClickException(f"the service is not ready; its log ends:\n{tail}") from None

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise TimeoutError
        with requests.Session() as session:
            session.trust_env = False
            try:
                answer = session.get(f"{self._service}/readyz", timeout=_PATIENCE)
            except requests.RequestException:
                return False
        return answer.ok and answer.json()["rules"]["hash"] == self.rules.digest

    def _wait(self, wanted: Callable[[], T | None]) -> T:
        """Ask until the answer is true and return it. Raises TimeoutError."""
        found: T = self._phones.wait_for(wanted, _PATIENCE)
        return found


def _check_names(rules: RuleSet) -> None:
    """Say so if the rules are not those that the scenes were written for."""
    wanted = {each.reaches for each in SCENES if each.reaches} - set(rules.destinations)
    wanted |= {each.called for each in SCENES if not each.called.startswith("+")} - set(rules.lines)
    if wanted or "office" not in rules.schedules:
        raise click.ClickException(
            "the demo tells of the rules that come with the project, and routing_rules.yaml has "
            f"no {', '.join(sorted(wanted)) or 'office'} any more; put your rules into another "
            "file (ROUTING_RULES names it) to keep both"
        )


def _write_moved(shipped: str, office: str, path: Path) -> RuleSet:
    """Write the rules with moved schedules, in one step, as an editor does."""
    data = yaml.load(shipped, yaml.BaseLoader)  # noqa: S506 - this loader makes nothing but text
    zone = read(shipped).zone
    data["schedules"]["office"] = {"hours": {"mon-sun": _hours(dt.datetime.now(zone), office)}}
    del data["expect"]  # they speak of the hours that were moved
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    draft = path.with_suffix(".new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return read(text)


def _hours(now: dt.datetime, office: str) -> str:
    """Return hours that are on now, or that begin in two hours."""
    start = now.replace(minute=0) + dt.timedelta(hours=-1 if office == "open" else 2)
    return f"{start:%H:%M}-{start + dt.timedelta(hours=8):%H:%M}"


def _tell_step(step: dict[str, Any]) -> None:
    mark = click.style("✓", fg="green") if step["held"] else click.style("✗", dim=True)
    click.echo(f"     {mark} {step['rule']}: {step['because']}")


def _summary(results: list[tuple[Scene, Ending]]) -> bool:
    """Print all calls in a table; return whether each ended as it should."""
    rows = [("from", "to", "rule", "reached", "diversion reason")]
    rows += [
        (scene.caller, scene.called, end.rule or "-", _reached(end), end.reason or "-")
        for scene, end in results
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    marks = ["", *("✓" if end.is_as(scene) else "✗" for scene, end in results)]
    click.echo()
    for mark, row in zip(marks, rows, strict=True):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.secho(f"{mark:1} {'  '.join(cells)}".rstrip(), bold=not mark)
    good = "✗" not in marks
    ended = "every call ended as it should" if good else "not every call ended as it should"
    click.secho(f"\n{len(results)} calls: {ended}", fg="green" if good else "red")
    return good


def _reached(end: Ending) -> str:
    return end.reached or ("hung up on" if end.refused else "nobody")


def _web_line() -> str:
    """Return the command with which the Procfile starts the service."""
    lines = (Path(current_app.root_path) / "Procfile").read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("web:").strip() for line in lines if line.startswith("web:"))


@contextlib.contextmanager
def _serving(
    settings: dict[str, str], door: socket.socket, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the service behind a socket that listens already, and end it whatever happens."""
    environment = os.environ | settings | {"GUNICORN_CMD_ARGS": f"--bind fd://{door.fileno()}"}
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the project's own Procfile
            [sys.executable, "-m", *shlex.split(_web_line())],
            cwd=current_app.root_path,
            env=environment,
            pass_fds=[door.fileno()],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    door.close()
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)  # gunicorn's quick end: no caller is real here
        try:
            process.wait(_PATIENCE)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="callrouter-demo-", ignore_cleanup_errors=True)


@contextlib.contextmanager
def _orderly_end() -> Iterator[None]:
    """Clean up too when a terminal closes or somebody ends the command from outside."""
    endings = (signal.SIGTERM, signal.SIGHUP)
    before = {each: signal.signal(each, lambda number, _: sys.exit(128 + number)) for each in endings}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
