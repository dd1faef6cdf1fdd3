"""What befalls the service and its ledger while calls are placed, drawn from one seed."""

from __future__ import annotations

import random
import threading
from collections import Counter
from typing import TYPE_CHECKING

from tests.faults import house

if TYPE_CHECKING:
    from tests.faults.kept import Befalls, Kept
    from tests.faults.run import Edition
    from tests.faults.served import Served


class Chaos:
    """Each trouble has a thread and dice of its own."""

    def __init__(self, edition: Edition, served: Served, kept: Kept) -> None:
        self.struck: Counter[str] = Counter()
        self.failures: list[BaseException] = []
        self._served = served
        self._seed, self._furthest = edition.seed, edition.furthest
        self._edition = 0
        self._stop = threading.Event()
        troubles: tuple[tuple[str, float, Befalls], ...] = (
            ("worker killed", 1.0, served.kill_worker),
            ("service restarted", 8.0, served.restart),
            ("clock stepped", 3.0, self._step_clock),
            ("rules edited well", 1.0, self._edit_well),
            ("rules edited badly", 1.0, self._edit_badly),
            *((name, 4.0, does) for name, does in kept.troubles(served).items()),
        )
        self._threads = [
            threading.Thread(target=self._run, args=(name, every * edition.pace, does))
            for name, every, does in troubles
            if edition.troubles is None or name in edition.troubles
        ]

    def start(self) -> None:
        """Let it begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let nothing more befall anybody; what lasts is over when this returns."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        self._served.write_rules(house.rules(self._edition))
        if self.failures:
            raise self.failures[0]

    def _run(self, name: str, every: float, does: Befalls) -> None:
        """Let a trouble befall them about `every` so many seconds."""
        dice = random.Random(f"{self._seed}/{name}")  # noqa: S311 - no secret
        try:
            while not self._stop.wait(every * dice.uniform(0.5, 1.5)):
                does(dice)
                self.struck[name] += 1
        except BaseException as failure:  # noqa: BLE001 - told by `stop`
            self.failures.append(failure)

    def _step_clock(self, dice: random.Random) -> None:
        now = self._served.clock()
        step = dice.choice((1, 5, 30, 100)) * dice.uniform(-1.0, 1.0)
        self._served.set_clock(max(-self._furthest, min(now + step, self._furthest)))

    def _edit_well(self, _dice: random.Random) -> None:
        self._edition += 1
        self._served.write_rules(house.rules(self._edition))

    def _edit_badly(self, dice: random.Random) -> None:
        self._served.write_rules(dice.choice(house.BAD_RULES))
