"""One number is one number, however it is spelled, and wherever it stands."""

# ruff: noqa: RUF001 - digits and dashes of other scripts are what is tested

from __future__ import annotations

import datetime as dt
import re

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberFormat

from routing.callers import CallerList, caller_list, is_withheld, normal_party
from routing.expectations import test as judge
from routing.numbers import normal_number, normal_prefix, spelled
from routing.problems import Problem, RulesError
from routing.reader import read

FILE = """\
version: 1
timezone: Europe/Berlin
dialing: {dialing}
destinations:
  desk: {{transferTo: "{desk}", transferCallerId: "{shown}"}}
callers: {{vip: ["{caller}"]}}
lines:
  main:
    numbers: ["{called}"]
    rules:
      - {{name: vip, when: {{from: vip}}, transferTo: desk}}
      - {{name: again, when: {{notFrom: ["{caller}"]}}, transferTo: "{direct}"}}
    otherwise: {{reject: true}}
emergency: {{reject: true}}
expect:
  - {{to: "{to}", from: "{calling}", rule: vip, rings: ["{rung}"], transferTo: "{reached}"}}
"""
NOON = dt.datetime(2026, 3, 9, 12, tzinfo=dt.UTC)
PLACES = ("desk", "shown", "caller", "called", "direct", "to", "calling", "rung", "reached")
ANYWHERE = "{allow: [+1, +49, +44, +39, +7, +225]}"


def numbers_file(dialing: str = ANYWHERE, **written: str) -> str:
    """A file with a number at every place; what is not given is one in order."""
    plain = {
        "desk": "+493012345671",
        "shown": "+493012345672",
        "caller": "+442079460003",
        "called": "+493012345674",
        "direct": "+493012345675",
    }
    same = {"to": "called", "calling": "caller", "rung": "desk", "reached": "desk"}
    numbers = plain | {key: plain[other] for key, other in same.items()} | written
    return FILE.format(dialing=dialing, **numbers)


def errors_of(text: str) -> list[Problem]:
    try:
        read(text)
    except RulesError as error:
        return error.errors
    return []


SPELLINGS = [
    ("+1 (919) 555-0101", "+19195550101"),
    ("+1.919.555.0101", "+19195550101"),
    ("+1 919 555‑0101", "+19195550101"),
    ("\u202a+1\u00a0919\u2009555\u20110101\u202c", "+19195550101"),
    ("+1 919 555 – 0101", "+19195550101"),
    ("+1/919/5550101", "+19195550101"),
    ("0012127365000", "+12127365000"),
    ("00 1 212-736-5000", "+12127365000"),
    ("+0012127365000", "+12127365000"),
    ("tel:+1-212-736-5000", "+12127365000"),
    ("TEL:+12127365000;phone-context=example.com", "+12127365000"),
    ("＋１２１２７３６５０００", "+12127365000"),
    ("(+49) 30 901820100", "+4930901820100"),
    ("+٤٩ ٣٠ ٩٠١٨٢٠١٠٠", "+4930901820100"),
    (" +49 30 901820100 ", "+4930901820100"),
]


@pytest.mark.parametrize(("written", "number"), SPELLINGS)
def test_every_spelling_is_the_number(written: str, number: str) -> None:
    assert spelled(written) == number
    assert normal_party(written) == number


NO_COUNTRY = [
    *("", "+", "()", "9195550101", "(212) 736-5000", "030 901820100", "+1 919 555 0101 x5", "+1a2"),
    *("anonymous", "sip:+19195550101@example.com", "+1" * 2, "+" + "1 " * 5000),
]


@pytest.mark.parametrize("text", NO_COUNTRY)
def test_what_says_no_country_is_no_number(text: str) -> None:
    assert spelled(text) is None


SEPARATORS = st.text(" -.()/\u00a0\u2009\u2011\u2013\u2212\u200e", max_size=3)


@st.composite
def spellings(draw: st.DrawFn, number: str) -> str:
    """Any spelling of a number that says its country."""
    digits = [draw(SEPARATORS) + draw(st.sampled_from((d, chr(0xFF10 + int(d))))) for d in number]
    plus = draw(st.sampled_from(("+", "00", "0 0", "\uff0b", "(+", "tel:+")))
    return plus + "".join(digits) + draw(SEPARATORS)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[str, str]:
    number = draw(st.sampled_from(["493012345670", "19195550101", "390612345678", "2250123456789"]))
    return draw(spellings(number)), f"+{number}"


@given(pairs())
def test_separators_never_matter(pair: tuple[str, str]) -> None:
    written, number = pair
    assert normal_party(written) == number


@given(pairs(), st.data())
def test_two_texts_of_one_number_never_miss_each_other(
    pair: tuple[str, str], data: st.DataObject
) -> None:
    """Whatever spelling stands at a place of the file, the others find it."""
    written, number = pair
    groups = (("desk", "rung", "reached"), ("caller", "calling"), ("called", "to"))
    given = {
        key: f"{data.draw(st.sampled_from((written, number)))}"
        for key in data.draw(st.sampled_from(groups))
    }
    rules = read(numbers_file(**given))
    (result,) = judge(rules, [NOON])
    assert result.passed, result.because
    known = {rules.destinations["desk"].transfer_to, *rules.lines["main"].numbers}
    known |= {pattern for each in rules.lines["main"].rules for pattern in exact_of(each)}
    assert number in known


def exact_of(rule: object) -> set[str]:
    conditions = rule.conditions  # type: ignore[attr-defined]
    return {number for each in conditions for number in each.callers.exact}


def every_example() -> list[tuple[str, str]]:
    """A number of each kind of each region, and the region."""
    found = []
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for kind in phonenumbers.PhoneNumberType.values():
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None:
                found.append((region, phonenumbers.format_number(number, PhoneNumberFormat.E164)))
    return found


EXAMPLES = every_example()


@given(st.sampled_from(EXAMPLES))
def test_a_number_that_somebody_has_is_right_as_it_is(example: tuple[str, str]) -> None:
    _, number = example
    assert normal_number(number) == number
    assert all(normal_prefix(number[:end]) == number[:end] for end in range(2, len(number)))


@given(st.sampled_from(EXAMPLES))
def test_what_phonenumbers_formats_is_the_number(example: tuple[str, str]) -> None:
    _, number = example
    parsed = phonenumbers.parse(number, None)
    for form in (PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.RFC3966):
        assert normal_party(phonenumbers.format_number(parsed, form)) == number


@given(st.sampled_from(EXAMPLES), st.sampled_from((1, 2)))
def test_a_trunk_prefix_is_an_error_that_proposes_the_number(
    example: tuple[str, str], times: int
) -> None:
    """The proposal is itself accepted, and it is the number without the prefix."""
    region, number = example
    metadata = PhoneMetadata.metadata_for_region(region)
    country = f"+{phonenumbers.country_code_for_region(region)}"
    trunk = metadata.national_prefix if metadata else None
    written = f"{country}{(trunk or '') * times}{number[len(country) :]}"
    if normal_number(written) == written:
        return  # no trunk prefix is known, or what is written is a number of its own
    (error,) = errors_of(numbers_file("{deny: [+999]}", desk=written, rung="desk", reached="desk"))
    assert (error.path, error.code) == ("destinations.desk.transferTo", "bad-number")
    found = re.search(r"write it as (\+[0-9]+)$", error.message)
    assert found, error.message
    assert normal_number(found[1]) == found[1]
    text = numbers_file("{deny: [+999]}", desk=found[1], rung="desk", reached="desk")
    assert errors_of(text) == []


TRUNKS = [
    ("+4402079460001", "+442079460001", "the 0 after +44"),
    ("+49030123456", "+4930123456", "the 0 after +49"),
    ("+330123456789", "+33123456789", "the 0 after +33"),
    ("+61 (0)2 1234 5678", "+61212345678", "the 0 after +61"),
    ("+784951234567", "+74951234567", "the 8 after +7"),
    ("+119195550101", "+19195550101", "the 1 after +1"),
    ("+810312345678", "+81312345678", "the 0 after +81"),
    ("+3606612345678", "+36612345678", "the 06 after +36"),
    ("+370860012345", "+37060012345", "the 8 after +370"),
    ("+3700860012345", "+37060012345", "the 08 after +370"),
    ("+270111234567", "+27111234567", "the 0 after +27"),
    ("+5501521987654321", "+5521987654321", "the 015 after +55"),
    ("+54111512345678", "+5491112345678", "only within the country"),
    ("0044 020 7946 0001", "+442079460001", "the 0 after +44"),
]


@pytest.mark.parametrize(("written", "meant", "because"), TRUNKS)
@pytest.mark.parametrize("place", PLACES)
def test_a_trunk_prefix_is_an_error_wherever_it_stands(
    written: str, meant: str, because: str, place: str
) -> None:
    found = errors_of(numbers_file("{deny: [+999]}", **{place: written}))
    told = [each for each in found if "write it as" in each.message]
    assert told, found
    assert all(each.code == "bad-number" for each in told)
    assert all(each.message.endswith(f"write it as {meant}") for each in told)
    assert all(because in each.message for each in told)


LEGAL = ["+390612345678", "+39066988", "+3780549886377", "+2250123456789", "+24101234567"]
LEGAL += ["+78001234567", "+375800112233", "+242066123456"]


@pytest.mark.parametrize("number", LEGAL)
def test_a_zero_or_an_eight_that_belongs_to_the_number_stays(number: str) -> None:
    given = dict.fromkeys(("desk", "shown", "rung", "reached"), number)
    assert errors_of(numbers_file("{deny: [+999]}", **given)) == []


BEGINNINGS = [("+440", "+44"), ("+44 (0)90", "+4490"), ("+11900", "+1900"), ("+36061", "+361")]


@pytest.mark.parametrize(("written", "meant"), BEGINNINGS)
def test_a_trunk_prefix_in_a_beginning_is_an_error(written: str, meant: str) -> None:
    for text, path in (
        (numbers_file(f'{{deny: ["{written}"]}}'), "dialing.deny[0]"),
        (numbers_file(f'{{allow: [+49, "{written}"]}}'), "dialing.allow[1]"),
        (numbers_file(caller=f"{written}*", calling="+442079460003"), "callers.vip[0]"),
    ):
        error = errors_of(text)[0]
        assert (error.path, error.code) == (path, "bad-prefix")
        assert error.message.endswith(f"write it as {meant}")


PREFIXES = ["+39 0", "+225 0", "+7 8", "+375 8", "+1", "+1-900", "0049", "\uff0b49"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_a_beginning_may_be_spelled_in_any_way(prefix: str) -> None:
    digits = f"{spelled(prefix)}"
    assert errors_of(numbers_file(f'{{deny: [+1900], allow: ["{prefix}", +4]}}')) == []
    rules = read(numbers_file(caller=f"{prefix}*", calling=f"{digits}23450000"))
    (vip, _) = rules.lines["main"].rules
    assert vip.conditions[0].callers == CallerList(prefixes=(digits,))  # type: ignore[attr-defined]


def test_dialing_looks_at_the_number_and_not_at_its_text() -> None:
    forbidden = "dialing.deny forbids +4490, so +449012345678 too"
    for written in ("+44 90 1234 5678", "0044-90-12345678", "tel:+449012345678"):
        (error,) = errors_of(numbers_file("{deny: [+4490]}", direct=written))
        assert (error.code, error.message) == ("dialing-forbidden", forbidden)


HINTS = [
    ("(212) 736-5000", "", "begin with + and the country code, such as +1 or +49"),
    ("2127365000", "", "begin with + and the country code, such as +1 or +49"),
    ("030 901820100", "", "begin with + and the country code, such as +1 or +49"),
    ("030/901820100", "", "begin with + and the country code, such as +1 or +49"),
    ("(212) 736-5000", "allow: [+1]", "write it as +12127365000"),
    ("(212) 736-5000", "allow: [+1212, +1646]", "write it as +12127365000"),
    ("1-212-736-5000", "allow: [+1]", "write it as +12127365000"),
    ("011 49 30 901820100", "allow: [+1]", "write it as +4930901820100"),
    ("030 901820100", "allow: [+49]", "write it as +4930901820100"),
    ("030 901820100", "allow: [+1]", "begin with + and the country code, such as +1"),
    ("(212) 736-5000", "allow: [+1, +44]", "begin with + and the country code, such as +1 or +44"),
    ("020 7946 0018", "allow: [+44, +353, +1]", "such as +44 or +353"),
    ("020 7946 0018", "allow: [+44]", "write it as +442079460018"),
    ("06 1234 5678", "allow: [+39]", "write it as +390612345678"),
    ("8 (495) 123-45-67", "allow: [+7]", "write it as +74951234567"),
    ("+1-800-FLOWERS", "", "write it as +18003569377"),
    ("+1 919 555 0101 ext. 5", "allow: [+44]", "write it as +19195550101"),
    ("+1 919 555 01O1", "allow: [+1]", "write + and the country code, and then digits only"),
    ("44 20 7946 0018", "", "if 44 is its country code, write it as +442079460018"),
    ("12345", "allow: [+1]", "begin with + and the country code, such as +1"),
    ("(212) 736-5000", "allow: [+2]", "begin with + and the country code, such as +1 or +49"),
]


@pytest.mark.parametrize(("written", "dialing", "hint"), HINTS)
@pytest.mark.parametrize("place", ["desk", "shown", "caller", "called", "direct", "to", "calling"])
def test_a_number_without_its_country(written: str, dialing: str, hint: str, place: str) -> None:
    text = numbers_file(f"{{{dialing or 'deny: [+999]'}}}", **{place: written})
    found = [each for each in errors_of(text) if each.code != "dialing-forbidden"]
    assert found[0].message.startswith(f"{written!r} is not in E.164 form; ")
    assert found[0].message.endswith(hint)
    assert found[0].code == "bad-number"


SENT = ["+266696687", "+1555", "+19195550101234567", "+1" + "9" * 20, "+0123", "+99912345", "+44"]


@pytest.mark.parametrize("number", SENT)
def test_callers_may_be_numbers_that_are_not_possible(number: str) -> None:
    rules = read(numbers_file(caller=number, calling=number))
    (result,) = judge(rules, [NOON])
    assert result.passed, result.because
    assert {each.code for each in rules.warnings} <= {"impossible-number", "unassigned-number"}


@pytest.mark.parametrize("number", SENT)
@pytest.mark.parametrize("place", ["desk", "shown", "called", "direct", "to"])
def test_what_we_dial_or_own_must_be_possible(number: str, place: str) -> None:
    assert errors_of(numbers_file(**{place: number}))


def test_an_impossible_caller_is_warned_of_where_it_stands() -> None:
    rules = read(numbers_file(caller="+1415555012", calling="+1415555012"))
    first = rules.warnings[0]
    assert (first.path, first.code) == ("callers.vip[0]", "impossible-number")
    assert first.message == (
        "+1415555012 is too short for a number of country code +1; is it right?"
    )


URIS = [
    ("sip:Bob@Example.COM", "sip:Bob@example.com"),
    ("SIP:bob@example.com", "sip:bob@example.com"),
    ("bob@example.com", "sip:bob@example.com"),
    ("sips:bob@example.com", "sip:bob@example.com"),
    ("sip:bob@example.com:5060", "sip:bob@example.com"),
    ("sip:bob@example.com:5070", "sip:bob@example.com:5070"),
    ("sip:bob@example.com.", "sip:bob@example.com"),
    ("sip:bob@example.com;user=phone", "sip:bob@example.com"),
    ("sip:bob@example.com:5060;transport=TLS?subject=x", "sip:bob@example.com"),
    ('"Bob" <sip:bob@example.com>;tag=1', "sip:bob@example.com"),
    ("<sip:bob@example.com;user=phone>", "sip:bob@example.com"),
    ("sip:+1-919-555-0101@example.com;user=phone", "sip:+19195550101@example.com"),
    ("sip:+19195550101;npdi;rn=+1919@example.com", "sip:+19195550101@example.com"),
    ("sip:bob@[2001:DB8::1]:5060", "sip:bob@[2001:db8::1]"),
    ("sip:bob@[2001:db8::1]:5070", "sip:bob@[2001:db8::1]:5070"),
]


@pytest.mark.parametrize(("written", "uri"), URIS)
def test_a_sip_address_has_one_form(written: str, uri: str) -> None:
    assert normal_party(written) == uri
    assert normal_party(uri) == uri


@given(st.text(max_size=30) | st.text("sip:+019@a.<>;?*[] ", max_size=20))
def test_the_normal_form_is_its_own(text: str) -> None:
    once = normal_party(text)
    assert is_withheld(once) in {True, False}
    if "<" not in once:
        assert normal_party(once) == once


def test_parameters_of_a_destination_are_dialed_and_not_compared() -> None:
    uri = "sip:desk@PBX.example.com;transport=tcp"
    rules = read(numbers_file(desk=uri, rung="sip:desk@pbx.example.com", reached="desk"))
    assert rules.destinations["desk"].transfer_to == "sip:desk@pbx.example.com;transport=tcp"
    (result,) = judge(rules, [NOON])
    assert result.passed, result.because


def test_hosts_with_ports() -> None:
    every, one = caller_list(["sip:*@pbx.example.com"]), caller_list(["sip:*@pbx.example.com:5060"])
    six = caller_list(["sip:*@[2001:db8::1]"])
    for text, found in (
        ("sip:a@pbx.example.com", (True, True, False)),
        ("sip:a@pbx.example.com:5060", (True, True, False)),
        ("sip:a@pbx.example.com:5070;lr", (True, False, False)),
        ("sip:a@[2001:db8::1]:5070", (False, False, True)),
    ):
        party = normal_party(text)
        assert tuple(each.has(party, anonymous=False) for each in (every, one, six)) == found


NOBODY = [
    *("", "+", "-", "anonymous", "Anonymous", "ANONYMOUS", "Private", "Restricted", "Unknown"),
    *("No Caller Id", "no caller-id", "NO_CALLER_ID", "NoCallerID", "Blocked", "Withheld"),
    *("Unavailable", "Out of Area", "OUT-OF-AREA", "Private Number", "Unknown Caller", "null"),
    *("Number Withheld", "Caller ID unavailable", "N/A", "none", "undefined", "0", "0000000000"),
    *("sip:unavailable@example.com", "sip:restricted@10.0.0.1:5060", "SIP:Anonymous@Example.com"),
    *("sip:anonymous@anonymous.invalid", "sip:abc123@anonymous.invalid", "unknown@example.com"),
    *('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=9', "sip:no-caller-id@example.com"),
    *("sip:anonymous.invalid", "sip:anonymous", "Anonymous <>", "sip:@example.com", "<anonymous>"),
]
SOMEBODY = [
    *("+19195550101", "+266696687", "sip:bob@example.com", "sip:user@host", "sip:caller@host"),
    *("sip:x@caller.invalid", "sip:+19195550101@example.com", "Bob", "sip:private2@example.com"),
    *("sip:unknown.bob@example.com", "sip:0@example.com", "5551234", "sip:ana@restricted.example"),
    '"Unknown" <sip:+19195550101@example.com>',
]


@pytest.mark.parametrize("text", NOBODY)
def test_who_withholds_the_number(text: str) -> None:
    assert is_withheld(normal_party(text))


@pytest.mark.parametrize("text", ["Anonymous", "Unknown", "No Caller Id", "private"])
def test_in_the_rules_they_are_called_anonymous(text: str) -> None:
    for place, path in (("caller", "callers.vip[0]"), ("calling", "expect[0].from")):
        error = errors_of(numbers_file(**{place: text}))[0]
        assert (error.path, error.code) == (path, "bad-caller")
        assert error.message.endswith("did you mean 'anonymous'?")


@pytest.mark.parametrize("text", SOMEBODY)
def test_who_does_not(text: str) -> None:
    assert not is_withheld(normal_party(text))
