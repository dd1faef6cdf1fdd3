"""People who call, people who are called, and the phone company between them, in one light process.

Each call has its whole life, and everything that the service does with it is compared with what
the shipped rules say, here written down once more: an office that is open and a night that goes on.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.plain_http import Answer

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from benchmarks.plain_http import Connections

USER_ID = "u-soak"
CALLBACKS = "/callbacks/catapult"
RECEPTION, ANA, BO, ONCALL = (f"+191955501{number:02}" for number in range(1, 5))
ANSWERING = "+18005550199"
CAPACITY = {RECEPTION: 2, ANA: 1, BO: 1}
HANG_UP = "hang up"
"""What the service does with a caller for whom nothing is left, perhaps after an announcement."""


@dataclass(frozen=True)
class Kind:
    """Callers of one kind: how many of 100, whom they call, and where the rules send them.

    `then` says what may follow whom (None: the beginning); how long each rings, `rings`.
    """

    share: int
    from_: str
    to: str
    then: dict[str | None, set[str]]
    rings: dict[str, float] = field(default_factory=dict)


KINDS = (
    Kind(  # support at night: the one on call, then reception unless it is busy, then answering
        80,
        "+14155550171",
        "+19195551002",
        {
            None: {ONCALL},
            ONCALL: {RECEPTION, ANSWERING},
            RECEPTION: {ANSWERING},
            ANSWERING: {HANG_UP},
        },
        {ONCALL: 30.0, RECEPTION: 20.0, ANSWERING: 20.0},
    ),
    Kind(  # the main office: follow me, or ana if reception is busy; whoever is busy is left out
        12,
        "+14155550172",
        "+19195551000",
        {
            None: {RECEPTION, ANA, BO, ANSWERING},
            RECEPTION: {ANA, BO, ANSWERING},
            ANA: {BO, ANSWERING},
            BO: {ANA, ANSWERING},
            ANSWERING: {ANSWERING, HANG_UP},
        },
        {RECEPTION: 15.0, ANA: 20.0, BO: 20.0, ANSWERING: 20.0},
    ),
    Kind(4, "+19005550100", "+19195551000", {None: {HANG_UP}}),  # spam
    Kind(  # a number on no line
        4,
        "+14155550173",
        "+19195559999",
        {None: {ANSWERING}, ANSWERING: {HANG_UP}},
        {ANSWERING: 20.0},
    ),
)
BUSY_OF_100, SILENT_OF_100 = 12, 6
"""Of 100 people who are called, so many are busy, so many do not answer."""
IMPATIENT_OF_100, TWICE_OF_100, INTRUDERS_OF_100 = 4, 5, 1
"""Of 100 callers, so many leave while it rings; events that come twice; callbacks by others."""
_LONGEST_RING = 120.0
"""Seconds within which somebody talks with the caller, or the caller is hung up."""
_PARTING = 10.0
"""Seconds within which the service hangs up a caller who is left alone."""
_LINGER = 10.0
"""Seconds for which a call that is over is remembered."""


@dataclass(slots=True, eq=False)
class Leg:
    """A leg that the service has made."""

    id: str
    call: Call
    to: str
    url: str
    created: bool
    began: float = field(default_factory=time.monotonic)
    state: str = "started"

    @property
    def is_open(self) -> bool:
        return self.state != "completed"


@dataclass(slots=True, eq=False)
class Call:
    """An incoming call, and what has become of it."""

    id: str
    kind: Kind
    legs: list[Leg] = field(default_factory=list)
    state: str = "active"
    joined: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def open_legs(self) -> list[Leg]:
        return [leg for leg in self.legs if leg.is_open]

    @property
    def may_follow(self) -> set[str]:
        """What the service may do now, if nobody is to ring any more."""
        return self.kind.then[self.legs[-1].to if self.legs else None]


class PhoneCompany:
    """Serves the API, places calls, and notes whatever is not as it should be in `wrong`.

    `latency` is what a request takes, in seconds. `took` and `late` are for whoever measures:
    seconds of each callback, and seconds by which a ring timer came after its time.
    """

    def __init__(
        self,
        latency: float,
        *,
        kinds: Sequence[Kind] = KINDS,
        busy: float = BUSY_OF_100,
        silent: float = SILENT_OF_100,
        impatient: float = IMPATIENT_OF_100,
        talk: tuple[float, float] = (0.5, 5.0),
    ) -> None:
        self._kinds, self._impatient, self._talk = kinds, impatient, talk
        self._random = random.Random(1)
        self._latency = latency
        self._busy, self._silent = busy, silent
        self._calls: dict[str, Call] = {}
        self._legs: dict[str, Leg] = {}
        self._ids = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections: Connections
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.took: list[float] = []
        self.late: list[float] = []
        self._ringing = self.most_ringing = 0

    @property
    def in_progress(self) -> int:
        """How many calls are placed and not yet over and forgotten."""
        return len(self._tasks)

    # People

    def dial(self) -> None:
        """Let somebody call."""
        kind = self._random.choices(self._kinds, [each.share for each in self._kinds])[0]
        self._spawn(self._live(Call(f"c-soak-{next(self._ids)}", kind)))
        if self._chance(INTRUDERS_OF_100):
            self._spawn(self._intrude())

    def _spawn(self, life: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(life)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.wrong.append(f"{type(error).__name__}: {error}")

    def _chance(self, of_100: float) -> bool:
        return self._random.random() * 100 < of_100

    async def _live(self, call: Call) -> None:
        self._calls[call.id] = call
        self.done["placed"] += 1
        await self._tell(call, "incomingcall")
        await self._tell(call, "answer")
        if not call.legs and call.state == "active":
            self.wrong.append(f"{call.id}: answered, and nothing was done")
        await self._stay(call)
        self.done[f"calls of {len(call.legs)} legs"] += 1
        await asyncio.sleep(_LINGER)
        if call.open_legs:
            self.wrong.append(f"{call.id}: is over, and a leg goes on")
        for leg in call.legs:
            del self._legs[leg.id]
        del self._calls[call.id]

    async def _stay(self, call: Call) -> None:
        """Wait for somebody, talk, and hang up first or second."""
        is_impatient = self._chance(self._impatient)
        patience = self._random.uniform(1, 25) if is_impatient else _LONGEST_RING
        waits = [asyncio.create_task(each.wait()) for each in (call.joined, call.over)]
        done, left = await asyncio.wait(
            waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED
        )
        for each in left:
            each.cancel()
        if call.over.is_set():
            return
        if done:
            self.done["talked"] += 1
            await asyncio.sleep(self._random.uniform(*self._talk))
            if self._random.random() < 0.5:
                await self._callee_leaves(call)
                return
        elif is_impatient:
            self.done["left while it rang"] += 1
        else:
            self.wrong.append(f"{call.id}: was forgotten")
        await self._end(call, "NORMAL_CLEARING")

    async def _callee_leaves(self, call: Call) -> None:
        """The platform ends the caller's leg with the other one, or leaves that to the service.

        One who leaves so soon and was whispered to counts as not joined: the rules would go on.
        """
        talking = [leg for leg in call.open_legs if leg.state == "active"]
        together = self._random.random() < 0.5 or any(leg.to == ANSWERING for leg in talking)
        ends = [self._end_leg(leg, "NORMAL_CLEARING") for leg in talking]
        if together:  # neither waits until the other one's end was told
            await asyncio.gather(self._end(call, "NORMAL_CLEARING"), *ends)
        else:
            await asyncio.gather(*ends)
            await asyncio.wait_for(call.over.wait(), _PARTING)

    async def _intrude(self) -> None:
        body = _event("answer", "c-intruder", "+14155550199", "+19195551000")
        status = await self.connections.post(CALLBACKS, body, "Basic bm9ib2R5Om5vdGhpbmc=")
        self.done["intruders"] += 1
        if status not in {401, 429}:
            self.wrong.append(f"a callback without the credentials got {status}")

    async def _ring(self, leg: Leg, time_out: float | None) -> None:
        """Let a person be called: they answer, are busy, or do not hear it."""
        await asyncio.sleep(self._random.uniform(0.1, 1.5))
        if not leg.is_open:
            return
        lot = self._random.random() * 100
        if lot < self._busy:
            await self._end_leg(leg, "USER_BUSY")
        elif lot >= self._busy + self._silent:
            await self._answer(leg)
        elif time_out is not None:
            await asyncio.sleep(time_out)
            await self._end_leg(leg, "NO_ANSWER")

    async def _answer(self, leg: Leg) -> None:
        leg.state = "active"
        self._ringing -= 1
        await self._tell_leg(leg, "answer")  # before they talk, so that its end is told after it
        if not leg.created:
            self._join(leg.call)

    def _join(self, call: Call) -> None:
        if call.joined.is_set():
            self.wrong.append(f"{call.id}: joined twice")
        call.joined.set()

    # Ends

    async def _end(self, call: Call, cause: str) -> None:
        if call.state == "completed":
            return
        call.state = "completed"
        call.over.set()
        transferred = [leg for leg in call.open_legs if not leg.created]
        await self._tell(call, "hangup", cause=cause)
        for leg in transferred:
            await self._end_leg(leg, cause if leg.state == "active" else "ORIGINATOR_CANCEL")

    async def _end_leg(self, leg: Leg, cause: str) -> None:
        if leg.is_open:
            self._ringing -= leg.state == "started"
            leg.state = "completed"
            await self._tell_leg(leg, "hangup", cause=cause)

    # Callbacks

    async def _tell(self, call: Call, kind: str, **more: str) -> None:
        state = "completed" if kind == "hangup" else "active"
        body = _event(kind, call.id, call.kind.from_, call.kind.to, callState=state, **more)
        await self._callback(CALLBACKS, body)

    async def _tell_leg(self, leg: Leg, kind: str, **more: str) -> None:
        state = "completed" if kind == "hangup" else "active"
        body = _event(kind, leg.id, leg.call.kind.from_, leg.to, callState=state, **more)
        await self._callback(leg.url, body)

    async def _announce(self, call: Call) -> None:
        """Speak to a caller whom nobody answered; the service hangs up after it."""
        self.done["announced"] += 1
        await asyncio.sleep(1.0)
        await self._tell(call, "speak", status="done", tag="announcement")

    async def _callback(self, path: str, body: dict[str, str]) -> None:
        if self._chance(TWICE_OF_100):
            self.done["twice"] += 1
            await asyncio.gather(self._post(path, body), self._post(path, body))
        else:
            await self._post(path, body)

    async def _post(self, path: str, body: dict[str, str]) -> None:
        began = time.monotonic()
        status = await self.connections.post(path, body)
        self.took.append(time.monotonic() - began)
        self.done["callbacks"] += 1
        if status != 200:
            self.wrong.append(f"{body['callId']}: {body['eventType']} got {status}")

    # The API

    async def api(self, method: str, path: str, body: Any) -> Answer:
        """Answer a request of the service."""
        await asyncio.sleep(self._latency)
        self.done["requests"] += 1
        _, _, _, collection, *rest = path.partition("?")[0].strip("/").split("/")
        if collection == "bridges":
            return self._bridge(body)
        if not rest:
            return self._create(body) if method == "POST" else Answer(200, [])
        return self._of_call(method, rest, body)

    def _of_call(self, method: str, rest: list[str], body: Any) -> Answer:
        found = self._calls.get(rest[0]) or self._legs.get(rest[0])
        if found is None:
            self.wrong.append(f"{rest[0]}: {method} of a call that is not there")
            return Answer(404, {"category": "not-found", "code": "call-not-found"})
        if method == "GET":
            direction = "out" if isinstance(found, Leg) else "in"
            return Answer(200, {"id": found.id, "state": found.state, "direction": direction})
        if found.state == "completed":
            return Answer(403, {"category": "forbidden", "code": "call-invalid-state"})
        if isinstance(found, Call) and body.get("state") == "transferring":
            return self._transfer(found, body)
        if rest[1:] == ["audio"]:
            self._play(found, body)
        elif isinstance(found, Leg):
            self._hang_up_leg(found)
        else:
            self._hang_up(found)
        return Answer(200)

    def _play(self, found: Call | Leg, body: Any) -> None:
        if isinstance(found, Call) and body.get("tag") == "announcement":
            self._check_left_alone(found)
            self._spawn(self._announce(found))

    def _transfer(self, call: Call, body: Any) -> Answer:
        if call.open_legs or call.joined.is_set():
            self.wrong.append(f"{call.id}: transferred twice")
        if body["transferTo"] not in call.may_follow:
            self.wrong.append(f"{call.id}: {body['transferTo']} rings in the wrong turn")
        self.done["transfers"] += 1
        return self._leg(call, body["transferTo"], body["callbackUrl"], None)

    def _create(self, body: Any) -> Answer:
        call = self._calls[body["tag"]]
        others = {leg.to for leg in call.open_legs}
        if not (others | {body["to"]}) <= {ANA, BO} or body["to"] in others:
            self.wrong.append(f"{call.id}: {body['to']} is called besides {others}")
        self.done["created"] += 1
        return self._leg(call, body["to"], body["callbackUrl"], float(body["callTimeout"]))

    def _leg(self, call: Call, to: str, url: str, time_out: float | None) -> Answer:
        path = CALLBACKS + url.partition(CALLBACKS)[2]
        leg = Leg(f"{call.id}-{len(call.legs) + 1}", call, to, path, time_out is not None)
        call.legs.append(leg)
        self._legs[leg.id] = leg
        if to in CAPACITY:
            self._check_room(to)
        self._ringing += 1
        self.most_ringing = max(self.most_ringing, self._ringing)
        self._spawn(self._ring(leg, time_out))
        return Answer(201, location=f"/v1/users/{USER_ID}/calls/{leg.id}")

    def _check_room(self, to: str) -> None:
        calls = sum(each.to == to and each.is_open for each in self._legs.values())
        if calls > CAPACITY[to]:
            self.wrong.append(f"{to} has {calls} calls")

    def _bridge(self, body: Any) -> Answer:
        call, leg = self._calls[body["callIds"][0]], self._legs[body["callIds"][1]]
        if call.state != "active" or leg.state != "active":
            return Answer(403, {"category": "forbidden", "code": "call-invalid-state"})
        self._join(call)
        self.done["bridges"] += 1
        return Answer(201, location=f"/v1/users/{USER_ID}/bridges/b-{call.id}")

    def _hang_up_leg(self, leg: Leg) -> None:
        if leg.state == "started" and leg.call.state == "active" and not leg.created:
            late = time.monotonic() - leg.began - leg.call.kind.rings[leg.to]
            if late < 0:
                self.wrong.append(f"{leg.id}: {leg.to} rang {-late:.1f} s too short")
            self.late.append(late)
        self._spawn(self._end_leg(leg, "NORMAL_CLEARING"))

    def _hang_up(self, call: Call) -> None:
        """Take it that the service ends a call: both have talked, or there is nobody left."""
        self._check_left_alone(call)
        self._spawn(self._end(call, "NORMAL_CLEARING"))

    def _check_left_alone(self, call: Call) -> None:
        if call.open_legs:
            self.wrong.append(f"{call.id}: sent away while a destination rings or talks")
        elif not call.joined.is_set() and HANG_UP not in call.may_follow:
            self.wrong.append(f"{call.id}: sent away before its time")


def _event(kind: str, call_id: str, from_: str, to: str, **more: str) -> dict[str, str]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"eventType": kind, "callId": call_id, "from": from_, "to": to, "time": now, **more}
