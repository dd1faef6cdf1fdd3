"""Work for which nobody waits, but a process that stops."""

from __future__ import annotations

import threading

from callflow.background import Later


def test_nobody_waits_for_it_but_who_stops() -> None:
    later, done, may_go_on = Later(), threading.Event(), threading.Event()

    def work() -> None:
        may_go_on.wait(5)
        done.set()

    later(work)
    later.finish(0.05)
    assert not done.is_set()
    may_go_on.set()
    later.finish(5)
    assert done.is_set()
