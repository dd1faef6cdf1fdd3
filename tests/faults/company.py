"""The phone company: the emulator in a process of its own, asked and told over HTTP."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import requests

from tests.faults import house
from tests.service import PROJECT, SECRET, TOKEN, USER_ID, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable

FALLBACK = "fallback"
"""What marks the fallback URL."""
API_FAULTS: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("time-out", 0.005, {"does": "hang", "seconds": 4}),
    ("closed", 0.01, {"does": "drop"}),
    ("reset", 0.01, {"does": "reset"}),
    ("503", 0.01, {"does": "status", "code": "call-unavailable"}),
    ("500", 0.005, {"does": "status", "status": 500}),
    ("429", 0.001, {"does": "status", "code": "rate-limit-reached"}),
    ("garbage", 0.01, {"does": "garbage"}),
    ("slow body", 0.01, {"does": "slow", "seconds": 1}),
    ("lost answer", 0.01, {"does": "lose-answer"}),
    ("late, lost answer", 0.003, {"does": "lose-answer", "seconds": 4}),
)
"""Name, part of the requests that it strikes, and how the emulator is told."""
CALLBACK_FAULTS: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("delayed", 0.02, {"does": "delay", "seconds": 0.4}),
    ("overtaken", 0.02, {"does": "overtake", "seconds": 0.4}),
    ("repeated", 0.03, {"does": "repeat", "seconds": 0.3}),
    ("lost in every try", 0.01, {"does": "lose"}),
    ("lost the first time", 0.01, {"does": "lose-first"}),
    ("taken, but unheard", 0.01, {"does": "lose-answer"}),
)


class Company:
    """The running emulator. `callback_url` is where it tells of calls, and tells again."""

    def __init__(self, callback_url: str, seed: int) -> None:
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.url = f"{self.origin}/v1"
        self._seed = seed
        self._command = [
            *(sys.executable, "-m", "emulator", "--port", str(self.port)),
            *("--user-id", USER_ID, "--token", TOKEN, "--secret", SECRET),
            *("--callback-url", callback_url, "--fallback-url", f"{callback_url}?{FALLBACK}"),
            *("--switch", f"seed={seed}"),
            *("--switch", f"a_state_during={('transferring', 'active')[seed % 2]}"),
            *(word for number in house.LINES for word in ("--number", number)),
        ]
        self._sessions = threading.local()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, cwd=PROJECT, stdout=subprocess.DEVNULL)
        wait_until(self._answers)
        for number, does in house.PEOPLE.items():
            self.control("POST", "destinations", {"number": number, **does})
        for number in house.LINES:
            self._ask(
                "POST",
                f"{self.url}/users/{USER_ID}/phoneNumbers/{quote(number, '')}",
                {"fallbackNumber": house.HUMAN},
            )
        return self

    def __exit__(self, *_exception: object) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            return bool(self.control("GET", "switches"))
        except requests.ConnectionError:
            return False

    def disturb(self, latency: float, roughness: float) -> None:
        """Let faults strike from now on; each answer of the API takes `latency` seconds."""
        self.control("POST", "switches", {"latency_s": latency})
        for on, faults in (({}, API_FAULTS), ({"event": "*"}, CALLBACK_FAULTS)):
            for _, chance, does in faults:
                body = {"on": on, "chance": chance * roughness, "times": None, **does}
                self.control("POST", "faults", body)

    def calm(self) -> None:
        """Let no more faults strike."""
        self.control("DELETE", "faults")

    def dial(self, caller: str, number: str) -> str:
        """Let somebody dial; return the call's id."""
        return str(self.control("POST", "calls", {"from": caller, "to": number})["callId"])

    def hang_up(self, call_id: str) -> None:
        """Let the person on a leg hang up."""
        self.control("POST", f"calls/{call_id}/hangup")

    def open_legs(self) -> list[dict[str, Any]]:
        """Return the legs that have not ended."""
        return list(self.control("GET", "calls?open=1"))

    def log(self, *kinds: str) -> Iterable[dict[str, Any]]:
        """Yield the entries of some kinds, kind by kind, each in order."""
        for kind in kinds:
            yield from self.control("GET", f"log?kind={kind}")

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Ask one of the emulator's controls."""
        return self._ask(method, f"{self.origin}/_control/{path}", body).json()

    def _ask(self, method: str, url: str, body: Any) -> requests.Response:
        session: requests.Session | None = getattr(self._sessions, "session", None)
        if session is None:
            session = self._sessions.session = requests.Session()
            session.trust_env = False
            session.auth = (TOKEN, SECRET)
        answer = session.request(method, url, json=body, timeout=60)
        answer.raise_for_status()
        return answer
