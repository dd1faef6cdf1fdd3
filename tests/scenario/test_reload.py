"""Edits of the rules file while calls come in."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.service import Service, event, new_call_id, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = "+19195551000"
pytestmark = pytest.mark.xdist_group("reload")


def rules(last: int, more: str = "") -> str:
    return (
        "version: 1\ntimezone: UTC\n"
        f"lines:\n  main: {{numbers: {NUMBER}, otherwise: {{transferTo: +1919555200{last}}}}}\n"
        f"emergency: {{transferTo: +19195552999}}\n{more}"
    )


BROKEN = rules(9).replace("otherwise:", "otherwize:")


@pytest.fixture(scope="module")
def _edited() -> Iterator[Service]:
    with Service(rules(0), stub=True) as service:
        yield service


@pytest.fixture
def edited(_edited: Service) -> Service:
    """A service whose rules may be edited; they are as at first when it is handed out."""
    mark = len(_edited.log)
    _edited.write_rules(rules(0, f"# {mark}\n"))  # never the same twice, so both workers say so
    wait_until(lambda: len(_edited.logged("rules-loaded", mark)) == 2)
    return _edited


def reached(service: Service) -> str:
    """Where a call goes now."""
    call_id = new_call_id()
    answer = service.post(event("answer", call_id, NUMBER))
    assert answer.status_code == 200
    return str(service.transfers(call_id)[0].body["transferTo"])


def settled(service: Service, last: int) -> bool:
    """Whether calls go there now, whichever worker takes them, and all is well."""
    return all(
        reached(service) == f"+1919555200{last}" and service.readiness()[0] == 200 for _ in range(8)
    )


def within_a_second(service: Service, last: int, since: float) -> None:
    """Nothing but the new destination is reached once a second has passed."""
    time.sleep(max(0.0, since + 1.0 - time.monotonic()))
    assert {reached(service) for _ in range(20)} == {f"+1919555200{last}"}


def test_an_edit_is_in_force_within_a_second(edited: Service) -> None:
    before = edited.readiness()[1]["rules"]["hash"]
    edited.write_rules(rules(1))
    within_a_second(edited, 1, time.monotonic())
    assert edited.readiness()[1]["rules"]["hash"] != before


def test_an_edit_in_place(edited: Service) -> None:
    edited.rules_path.write_text(rules(2, "# longer than before\n"))
    within_a_second(edited, 2, time.monotonic())


def test_edits_of_the_same_size_in_quick_succession(edited: Service) -> None:
    for last in (3, 4, 5):
        edited.rules_path.write_text(rules(last))
        time.sleep(0.05)
    within_a_second(edited, 5, time.monotonic())


def test_an_edit_that_keeps_size_and_time(edited: Service) -> None:
    """As rsync and restored backups may do."""
    old = time.time() - 3600
    edited.rules_path.write_text(rules(3))
    os.utime(edited.rules_path, (old, old))
    within_a_second(edited, 3, time.monotonic())
    edited.rules_path.write_text(rules(4))
    os.utime(edited.rules_path, (old, old))
    within_a_second(edited, 4, time.monotonic())


def test_a_file_of_the_future(edited: Service) -> None:
    ahead = time.time() + 3600
    for last in (1, 2):
        edited.rules_path.write_text(rules(last))
        os.utime(edited.rules_path, (ahead, ahead))
        within_a_second(edited, last, time.monotonic())


def test_a_link_that_is_moved(edited: Service) -> None:
    """As Kubernetes changes a mounted file."""
    for last in (6, 7):
        target = edited.folder / f"rules-{last}.yaml"
        target.write_text(rules(last))
        link = edited.folder / "link"
        link.symlink_to(target)
        link.replace(edited.rules_path)
        within_a_second(edited, last, time.monotonic())
    edited.rules_path.unlink()


BREAKS = {
    "an unknown key": BROKEN,
    "no YAML": "version: 1\n\tlines: [",
    "an unknown name": rules(9).replace("+19195552009", "nobody"),
    "empty": "",
    "no mapping": "[1, 2]",
    "deep": "version: " + "[" * 5000,
    "control characters": "version: 1\nlines: \x07\n",
    "an alias bomb": "a: &a [1,1]\n"
    + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)},*{chr(97 + n)}]\n" for n in range(20)
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_edit_changes_nothing_but_is_told(edited: Service, name: str) -> None:
    mark, started = len(edited.log), time.monotonic()
    edited.write_rules(BREAKS[name])
    wait_until(lambda: len(edited.logged("rules-refused", mark)) == 2, 5)
    assert time.monotonic() - started < 2
    assert {reached(edited) for _ in range(10)} == {"+19195552000"}
    for _ in range(8):
        status, body = edited.readiness()
        assert (status, body["ready"]) == (503, False)
        assert body["rules"]["hash"]
        assert f"{edited.rules_path}:" in body["rules"]["lastError"]
    assert edited.metrics()["callrouter_rules_good"] == 0
    for row in edited.logged("rules-refused", mark):
        assert row["level"] == "WARNING"
        line = row["error"].removeprefix(f"{edited.rules_path}:").partition(":")[0]
        assert int(line) >= 1
    edited.write_rules(rules(8))
    within_a_second(edited, 8, time.monotonic())
    assert {edited.readiness()[0] for _ in range(8)} == {200}
    assert edited.metrics()["callrouter_rules_good"] == 1


def test_the_line_of_an_error_is_right(edited: Service) -> None:
    mark = len(edited.log)
    edited.write_rules(BROKEN)
    wait_until(lambda: edited.logged("rules-refused", mark))
    assert f"{edited.rules_path}:4:" in edited.logged("rules-refused", mark)[0]["error"]
    assert "otherwise" in edited.logged("rules-refused", mark)[0]["error"]


def test_bytes_that_are_no_text(edited: Service) -> None:
    mark = len(edited.log)
    edited.rules_path.write_bytes(b"version: 1\n\xff\xfe\n")
    wait_until(lambda: len(edited.logged("rules-refused", mark)) == 2)
    assert reached(edited) == "+19195552000"
    assert ":2:1: " in edited.readiness()[1]["rules"]["lastError"]


@pytest.mark.parametrize("instead", ["nothing", "a folder"])
def test_the_file_goes_away_and_comes_back(edited: Service, instead: str) -> None:
    mark = len(edited.log)
    edited.rules_path.unlink()
    if instead == "a folder":
        edited.rules_path.mkdir()
    wait_until(lambda: len(edited.logged("rules-refused", mark)) == 2)
    assert reached(edited) == "+19195552000"
    assert edited.readiness()[0] == 503
    if instead == "a folder":
        edited.rules_path.rmdir()
    edited.write_rules(rules(0))
    wait_until(lambda: settled(edited, 0), 2)


def test_a_byte_order_mark_and_windows_lines(edited: Service) -> None:
    edited.rules_path.write_bytes(b"\xef\xbb\xbf" + rules(6).replace("\n", "\r\n").encode())
    within_a_second(edited, 6, time.monotonic())


def test_a_call_in_hand_keeps_its_rules(edited: Service) -> None:
    assert edited.stub is not None
    edited.stub.latency = 0.4
    try:
        call_id = new_call_id()
        assert edited.post(event("answer", call_id, NUMBER)).status_code == 200
        assert len(edited.transfers(call_id)) == 1
    finally:
        edited.stub.latency = 0


def test_a_worker_that_died_with_bad_rules_is_forgotten() -> None:
    forgiven = tuple(f"Worker (pid:{pid}) was sent SIGKILL!" for pid in range(1))
    with Service(rules(0), stub=True, forgiven=forgiven) as service:
        service.write_rules(BROKEN)
        wait_until(lambda: len(service.logged("rules-refused")) == 2)
        assert service.metrics()["callrouter_rules_good"] == 0
        victim = _children(service)[0]
        os.kill(victim, signal.SIGKILL)
        # Its successor has the last good rules, and says that the file is broken.
        wait_until(lambda: len(service.logged("rules-refused")) == 3)
        service.write_rules(rules(1))
        wait_until(lambda: service.metrics()["callrouter_rules_good"] == 1, 3)
        assert settled(service, 1)
        service._forgiven += tuple(  # noqa: SLF001 - gunicorn tells of what we did
            row["message"] for row in service.log if str(victim) in row["message"]
        )


def test_without_good_rules_at_the_start_no_call_is_routed_until_there_are() -> None:
    with Service(BROKEN, stub=True, ready=False) as service:
        call_id = new_call_id()
        assert service.readiness()[0] == 503
        assert service.post(event("incomingcall", call_id, NUMBER)).status_code == 200
        assert service.post(event("answer", call_id, NUMBER)).status_code == 503
        assert service.api_requests() == []
        service.write_rules(rules(1))
        wait_until(lambda: service.metrics()["callrouter_rules_good"] == 1, 3)
        assert service.post(event("answer", call_id, NUMBER)).status_code == 200
        assert service.transfers(call_id)[0].body["transferTo"] == "+19195552001"


def test_a_worker_that_starts_while_the_file_is_broken_has_the_last_good_rules() -> None:
    with Service(rules(2), stub=True, forgiven=("Worker (pid:",)) as service:
        service.write_rules(rules(3))
        wait_until(lambda: len(service.logged("rules-loaded")) == 4)
        service.write_rules(BROKEN)
        wait_until(lambda: len(service.logged("rules-refused")) == 2)
        for pid in _children(service):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(service.logged("rules-refused")) == 4)
        assert {reached(service) for _ in range(8)} == {"+19195552003"}
        status, state = service.readiness()
        assert (status, "otherwize" in state["rules"]["lastError"]) == (503, True)
        assert state["rules"]["hash"] == service.logged("rules-loaded")[-1]["digest"]


def _children(service: Service) -> list[int]:
    pid = service.process.pid
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
