"""Phones that forward back to us, callers who ring themselves: the service, then the commands."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.scenario.rules import ANN, ANSWERING, BOB, PLAIN, RULES
from tests.service import CALLER, Service, event, new_call_id, run, wait_until

if TYPE_CHECKING:
    from pathlib import Path

LINES = """\
  refuses those: {numbers: +19195551030, otherwise: {transferTo: ann}, rules: [
    {name: try, transferTo: bob, onNoAnswer: {reject: true}}]}
  tells those: {numbers: +19195551031, otherwise: {announce: {sentence: "{reason}"}}, rules: [
    {name: try, followMe: [{transferTo: bob}, {transferTo: [ann, answering]}]}]}
  together: {numbers: +19195551032, otherwise: {transferTo: [ann, bob]}}
  by name: {numbers: "sip:desk@our.example.com", otherwise: {transferTo: ann}}
emergency:"""
REFUSING, TELLING, TOGETHER = "+19195551030", "+19195551031", "+19195551032"
ROUND = {"origTo": ANN, "reason": "No-Answer"}


def states(service: Service, call_id: str) -> list[Any]:
    return [
        sent.body.get("state", "audio") if sent.body else sent.method
        for sent in service.api_requests(call_id)
    ]


@pytest.fixture(scope="module")
def home() -> Any:
    with Service(RULES.replace("emergency:", LINES)) as service:
        yield service


def over(service: Service, call_id: str) -> None:
    wait_until(lambda: service.leg(call_id)["state"] == "completed")
    service.settled(call_id)


def test_a_phone_that_forwards_back_is_not_rung_for_ever(home: Service) -> None:
    """Each round brings the counter that it has by then; the sixth one rings nobody."""
    for counter in range(1, 6):
        call_id = home.dial(PLAIN, diversion={**ROUND, "counter": counter})
        assert home.transfer_of(call_id)["transferTo"] == ANN
    last = home.dial(PLAIN, diversion={**ROUND, "counter": 6})
    over(home, last)
    assert states(home, last) == ["audio", "completed"]
    assert home.api_requests(last)[0].body["sentence"].startswith("We are sorry.")
    (row,) = [row for row in home.logged("came-back") if row["call_id"] == last]
    assert (row["counter"], row["limit"]) == (6, None)
    counted = 'callrouter_events_total{event="came-back"}'
    wait_until(lambda: home.metrics().get(counted, 0) >= 1)


@pytest.mark.parametrize("diversion", [{"counter": "2", "Limit": "2"}, {"counter": 7, "limit": 3}])
def test_a_counter_at_its_own_limit(home: Service, diversion: dict[str, Any]) -> None:
    refused = home.dial(REFUSING, diversion={**ROUND, **diversion})
    over(home, refused)
    assert states(home, refused) == ["completed"]
    told = home.dial(TELLING, diversion={**ROUND, **diversion})
    over(home, told)
    assert states(home, told) == ["audio", "completed"]
    assert home.api_requests(told)[0].body["sentence"] == "unconditional"


@pytest.mark.parametrize(
    "diversion", [{"counter": 2, "limit": 3}, {"counter": "x"}, {"counter": -9}, {"limit": 0}]
)
def test_a_counter_below_its_limit_or_none(home: Service, diversion: dict[str, Any]) -> None:
    call_id = home.dial(REFUSING, diversion={**ROUND, **diversion})
    assert home.transfer_of(call_id)["transferTo"] == BOB


def test_it_is_refused_before_it_is_answered_where_that_is_ours_to_do() -> None:
    with Service(RULES.replace("emergency:", LINES), AUTO_ANSWER="false") as service:
        call_id = service.dial(REFUSING, diversion={**ROUND, "counter": 6})
        wait_until(lambda: service.leg(call_id)["state"] == "rejected")
        service.settled(call_id)
        assert states(service, call_id) == ["rejected"]


def test_a_reason_in_other_letters(home: Service) -> None:
    for reason in ("NO-ANSWER", "No_Answer", "no answer"):
        call_id = home.dial("+19195551010", diversion={"origTo": ANN, "reason": reason})
        assert home.transfer_of(call_id)["transferTo"] == ANSWERING


def test_the_callers_own_phone_is_not_rung(home: Service) -> None:
    alone = home.dial("+19195551002", ANN)  # rings another number first
    assert home.transfer_of(alone)["transferTo"] == "+19195552010"
    followed = home.dial("+19195551013", ANN)  # ann, then bob
    assert home.transfer_of(followed)["transferTo"] == BOB
    group = home.dial(TOGETHER, ANN)
    assert home.transfer_of(group)["transferTo"] == BOB


@pytest.mark.parametrize(
    ("to", "from_"),
    [
        ("+1 (919) 555-1009", "+1 415-555-0123"),
        ("0019195551009", "tel:+14155550123"),
        ("+1.919.555.1009", "+1\u00a0646\u2011555\u20110100"),
    ],
)
def test_numbers_as_platforms_spell_them(home: Service, to: str, from_: str) -> None:
    """The line, and the list that the caller is in, are found."""
    call_id = new_call_id()
    home.post(event("answer", call_id, to, **{"from": from_}))
    (row,) = wait_until(lambda: [r for r in home.logged("routed") if r["call_id"] == call_id])
    assert (row["line"], row["rule"]) == ("by caller", "vip")


@pytest.mark.parametrize("to", ["SIP:desk@OUR.example.com:5060;user=phone", "desk@our.example.com"])
def test_sip_addresses_as_platforms_spell_them(home: Service, to: str) -> None:
    call_id = new_call_id()
    home.post(event("answer", call_id, to))
    (row,) = wait_until(lambda: [r for r in home.logged("routed") if r["call_id"] == call_id])
    assert row["line"] == "by name"


@pytest.mark.parametrize(
    "from_",
    [
        "sip:unavailable@10.0.0.1",
        "sip:restricted@x.invalid",
        "No Caller Id",
        "OUT OF AREA",
        "+",
        "",
    ],
)
def test_callers_without_a_number(home: Service, from_: str) -> None:
    call_id = new_call_id()
    home.post(event("answer", call_id, "+19195551009", **{"from": from_}))
    (row,) = wait_until(lambda: [r for r in home.logged("routed") if r["call_id"] == call_id])
    assert (row["rule"], row["because"]) == ("spam", "the anonymous caller is in spam")


class TestCommands:
    @pytest.fixture
    def file(self, tmp_path: Path) -> str:
        path = tmp_path / "rules.yaml"
        path.write_text(RULES.replace("emergency:", LINES))
        return str(path)

    def explain(self, file: str, *words: str) -> Any:
        ended = run("flask", "rules", "explain", "--rules", file, "--json", *words)
        assert (ended.returncode, ended.stderr) == (0, "")
        return json.loads(ended.stdout)

    def test_a_call_that_comes_back(self, file: str) -> None:
        words = ("--to", "tells those", "--diversion-counter", "6")
        found = self.explain(file, *words)
        assert (found["attempts"], found["ending"]["announce"]) == (
            [],
            {"sentence": "unconditional"},
        )
        assert "it was diverted 6 times" in found["trace"][-1]["because"]
        assert self.explain(file, *words, "--diversion-limit", "7")["attempts"]
        said = run("flask", "rules", "explain", "--rules", file, *words).stdout
        assert "so nobody is dialed" in said
        assert self.explain(file, "--to", "diverted", "--diversion-counter", "1")["rule"] == "any"

    def test_the_callers_own_number(self, file: str) -> None:
        found = self.explain(file, "--to", "together", "--from", "+1 (919) 555-2001")
        assert found["attempts"][0]["destinations"] == ["bob"]
        own = {"destination": "ann", "because": "it is the caller's own number"}
        assert found["skipped"] == [own]

    def test_a_number_in_any_spelling(self, file: str) -> None:
        for to in ("0019195551009", "+1 919 555 1009", "tel:+1-919-555-1009"):
            found = self.explain(file, "--to", to, "--from", "00 1 646 555 0100")
            assert (found["line"], found["rule"]) == ("by caller", "vip")
        found = self.explain(file, "--to", "desk@OUR.example.com", "--diverted", "USER_BUSY")
        assert found["line"] == "by name"
        for caller in ("+266696687", "+1555", "+" + "9" * 18, "sip:unavailable@x", "Out of Area"):
            assert self.explain(file, "--to", "plain", "--from", caller)["line"] == "plain"

    @pytest.mark.parametrize(
        ("words", "because"),
        [
            (("--to", "+4402079460001"), "--to: +4402079460001: the 0 after +44 is dialed only"),
            (("--to", "plain", "--from", "+49030123456"), "--from: +49030123456: the 0 after +49"),
            (("--to", "(212) 736-5000"), "begin with + and the country code, such as +1 or +44"),
            (("--to", "plain", "--from", "2127365000"), "such as +1 or +44"),
        ],
    )
    def test_numbers_that_are_none(self, file: str, words: tuple[str, ...], because: str) -> None:
        ended = run("flask", "rules", "explain", "--rules", file, *words)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert because in " ".join(ended.stderr.split())

    def test_the_timeline_of_a_caller(self, file: str) -> None:
        words = ("flask", "rules", "timeline", "by caller", "--rules", file, "--from-number")
        spelled, plain = (run(*words, number) for number in ("+1 646-555-0100", "+16465550100"))
        assert spelled.stdout.splitlines()[1:] == plain.stdout.splitlines()[1:]
        assert run(*words, "+49030123456").returncode == 2

    def test_what_is_kept_of_a_call(self, file: str) -> None:
        text = RULES.replace("emergency:", LINES)
        with Service(text, stub=True) as service:
            call_id = new_call_id()
            body = {"diversion": {**ROUND, "counter": 6}}
            for kind in ("incomingcall", "answer"):
                service.post(event(kind, call_id, REFUSING, **body))
            service.post(event("hangup", call_id, REFUSING))
            env = {"LEDGER_URL": f"sqlite:///{service.ledger_path}"}
            shown = run("flask", "calls", "show", call_id, env=env).stdout
            assert "diverted to us: no-answer, counter 6" in shown
            assert "so nobody is dialed" in shown
            story = json.loads(run("flask", "calls", "show", call_id, "--json", env=env).stdout)
            assert story["diversion"] == {"reason": "no-answer", "counter": 6, "limit": None}
            assert (story["from"], story["attempts"]) == (CALLER, [])
            again = run("flask", "rules", "replay", file, env=env)
            assert (again.returncode, again.stdout) == (
                0,
                "0 of 1 call would have gone elsewhere\n",
            )
