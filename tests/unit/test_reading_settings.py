"""Each setting that cannot be meant is named in one line, which shows nothing of a secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings import Settings, from_environment
from settings_reader import SettingsError
from tests.tls import self_signed

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = "BANDWIDTH_API_TOKEN", "BANDWIDTH_API_SECRET", "CALLBACK_PASSWORD", "METRICS_TOKEN"
NAMES = (
    *SECRETS,
    *("BANDWIDTH_USER_ID", "BANDWIDTH_API_URL", "PUBLIC_URL", "CALLBACK_USERNAME"),
    *("CALLBACK_AUTH", "AUTO_ANSWER", "ROUTING_RULES", "RING_TONE_URL", "LEDGER_URL", "REDIS_URL"),
    *("REDIS_TLS", "LEDGER_DAYS", "LEDGER_COPIES", "CALLBACK_BUDGET", "DYNO", "PORT"),
    *("WEB_CONCURRENCY", "LOG_LEVEL", "LOG_NUMBERS"),
)


def refusal(**env: str) -> str:
    with pytest.raises(SettingsError) as refused:
        from_environment(env)
    line = str(refused.value)
    assert "\n" not in line
    assert line.isprintable()
    return line


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("inside", ["\n", "\r", "\t", "\0", "\x1b", "\udcff", "\u2028", "\xa0"])
def test_what_cannot_be_printed_is_refused_in_every_setting(name: str, inside: str) -> None:
    line = refusal(**{name: f"distinctive{inside}value"})
    assert line.startswith(f"{name} ")
    assert "distinctive" not in line
    assert "value" not in line


@pytest.mark.parametrize("name", SECRETS)
def test_a_line_break_at_the_end_is_what_files_have(name: str) -> None:
    field = name.removeprefix("BANDWIDTH_").lower()
    assert getattr(from_environment({name: " the value\n"}), field) == "the value"


class TestLedgerUrl:
    """Of the ledger's URL nothing at all is shown: any piece may be one of the password."""

    BAD = (
        *("postgres://h/x", "redis", "redis:", "redis:/h", "://h", "unix:///tmp/redis", "http://h"),
        *("redis://", "rediss://", "redis:///", "redis:////", "redis://:pass@", "redis://u:p@/0"),
        *("redis://h:port", "redis://h:0", "redis://h:70000", "redis://h:-1", "redis://h:6379:1"),
        *("redis://h:63 79", "redis://h:٦٣٧٩", "redis://:6379", "redis://[::1", "redis://[h]"),
        *("redis://h/x", "redis://h/0/1", "redis://h/-1", "redis://h/1.5", "redis://h/99999999999"),
        *("redis://h?foo=1", "redis://h/0?foo=1", "redis://h?db=x", "redis://h/1?db=1"),
        *("redis://h?db=1&db=2", "redis://h?max_connections=0", "redis://h?max_connections=1"),
        *("redis://h?max_connections=many", "redis://h?max_connections=1e3", "redis://h?db="),
        *("redis://h?socket_timeout=x", "redis://h?ssl_cert_reqs=none", "redis://h?ssl_ca_certs=x"),
        *("rediss://h?ssl_cert_reqs=maybe", "rediss://h?ssl_cert_reqs=", "redis://h?password=x"),
        *("redis://h#0", "redis://h/0#x", "redis://h o/0", "redis://h\\x/0", "redis://h,i/0"),
        *("redis://a..b/0", "redis://" + "a" * 64 + "/0", "redis://-h/0", "redis://h%zz/0"),
        *("redis://u:50%off@h", "redis://u:%@h", "redis://u:%0Ax@h", "redis://u%00:x@h"),
        *("sqlite://", "sqlite:///", "sqlite://x", "sqlite:///:memory:", "sqlite:///x?mode=ro"),
        *("sqlite:///x?ssl_cert_reqs=none", "sqlite:///x#y", "sqlite:///x/", "sqlite:////"),
        *("sqlite:////tmp", "sqlite:///u:secret@h/x", "sqlite:///redis://h/x", "sqlite:x"),
    )

    @pytest.mark.parametrize("name", ["LEDGER_URL", "REDIS_URL"])
    @pytest.mark.parametrize("value", BAD)
    def test_what_cannot_be_meant_is_refused_by_name(self, name: str, value: str) -> None:
        line = refusal(**{name: value})
        assert re.match(rf"{name}\b", line)
        assert "secret" not in line

    @pytest.mark.parametrize(
        "value",
        [
            *("redis://h", "redis://h/", "redis://h:6379", "redis://h:6379/0", "redis://h/15"),
            *("redis://:pass@h", "redis://user:pass@h:1/2", "redis://user@h", "redis://u:a:b@h"),
            *("redis://:p%40%2F%3F%23%25@h", "redis://u:!$&'()*+,;=-._~@h", "redis://ü:ß@h"),
            *("redis://[::1]:6379/0", "redis://[2001:db8::1]", "redis://127.0.0.1", "redis://h."),
            *("redis://red_is.internal", "redis://h?db=3", "redis://h?max_connections=20"),
            *("rediss://h?ssl_cert_reqs=none", "rediss://h?ssl_cert_reqs=required&db=1"),
            *("sqlite:///var/x.db", "sqlite:////tmp/never-made/x", "sqlite:///a b/c%20d@e"),
        ],
    )
    def test_what_can_is_taken_as_it_is(self, value: str) -> None:
        assert from_environment({"LEDGER_URL": value}).ledger_url == value
        assert from_environment({"REDIS_URL": value}).ledger_url == value

    def test_the_one_that_counts_is_named(self) -> None:
        assert refusal(LEDGER_URL="x", REDIS_URL="redis://h").startswith("LEDGER_URL ")
        assert refusal(LEDGER_URL="  ", REDIS_URL="x").startswith("REDIS_URL ")
        fine = from_environment({"LEDGER_URL": "redis://h", "REDIS_URL": "x"})
        assert fine.ledger_url == "redis://h"

    @given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=6))
    def test_a_raw_password_is_taken_whole_or_refused_without_a_piece_of_it(self, raw: str) -> None:
        password = f"q7{raw}w9"
        url = f"redis://user-x:{password}@host.example:6379/0"
        try:
            settings = from_environment({"LEDGER_URL": url})
        except SettingsError as error:
            line = str(error)
            assert line.startswith("LEDGER_URL ")
            words = re.split(r"[@/?#\s]", password)
            assert [word for word in words if len(word) > 3 and word in line] == []
            assert "user-x" not in line
            assert "q7" not in line
        else:
            assert settings.ledger_url == url
            assert not set(password) & set("@/?#[]%")
        quoted = f"redis://user-x:{quote(password, '')}@host.example:6379/0"
        if password.isprintable():
            assert from_environment({"LEDGER_URL": quoted}).ledger_url == quoted

    @pytest.mark.parametrize("raw", ["@", "/", "?", "#", "[", "]"])
    def test_how_a_special_character_is_written_is_said(self, raw: str) -> None:
        line = refusal(LEDGER_URL=f"redis://user:distinct{raw}ive@host/0")
        assert f"{raw} as {quote(raw, '')}" in line
        assert "distinct" not in line
        assert "ive@" not in line


class TestTls:
    @pytest.mark.parametrize(
        ("value", "meant"), [("verify", "verify"), ("OFF", "off"), ("", "verify"), (" off", "off")]
    )
    def test_words(self, value: str, meant: str) -> None:
        env = {"LEDGER_URL": "rediss://h", "REDIS_TLS": value}
        assert from_environment(env).ledger_tls == meant

    def test_a_file_with_certificates(self, tmp_path: Path) -> None:
        path = str(self_signed(tmp_path).certificate)
        env = {"REDIS_URL": "rediss://h", "REDIS_TLS": path}
        assert from_environment(env).ledger_tls == path
        env = {"REDIS_URL": f"rediss://h?ssl_ca_certs={quote(path)}"}
        assert from_environment(env).ledger_tls == path

    @pytest.mark.parametrize("value", ["/nowhere/ca.pem", __file__, "/dev/null", "/tmp", "none"])  # noqa: S108
    def test_what_holds_no_certificates_is_refused(self, value: str) -> None:
        line = refusal(REDIS_TLS=value)
        assert line.startswith("REDIS_TLS ")
        assert "verify, off" in line
        line = refusal(LEDGER_URL=f"rediss://h?ssl_ca_certs={value}")
        assert line.startswith("LEDGER_URL")

    def test_a_key_is_no_certificate(self, tmp_path: Path) -> None:
        assert refusal(REDIS_TLS=str(self_signed(tmp_path).key)).startswith("REDIS_TLS ")

    def test_by_the_url(self) -> None:
        for given_, meant in (("none", "off"), ("required", "verify")):
            env = {"LEDGER_URL": f"rediss://h?ssl_cert_reqs={given_}"}
            assert from_environment(env).ledger_tls == meant

    def test_not_twice(self) -> None:
        line = refusal(LEDGER_URL="rediss://h?ssl_cert_reqs=none", REDIS_TLS="verify")
        assert line.startswith("LEDGER_URL ")
        assert "REDIS_TLS" in line


class TestUrls:
    PLACES = ("PUBLIC_URL", "BANDWIDTH_API_URL", "RING_TONE_URL")

    @pytest.mark.parametrize("name", PLACES)
    @pytest.mark.parametrize(
        "value",
        [
            *("https://user:distinctive@h", "https://user@h/x", "https://:distinctive@h"),
            *("https://u:dist/inctive@h", "https://u:dist?inctive@h", "https://u:dist#inctive@h"),
            *("https://u:12/distinctive@h", "https://h:port", "https://h:0", "https://h:99999"),
            *("https://", "https:///x", "https://?x", "h.example.com", "://h", "ftp://h", "//h"),
            *("https://h o", "https://h\\x", "https://[::1", "https://[h]/", "https://h/%zz"),
            *(
                "https://a..b/",
                "https://-/",
                "https://h/x#distinctive",
                "https://h#",
                "https://ü.de",
            ),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, name: str, value: str) -> None:
        line = refusal(**{name: value})
        assert line.startswith(f"{name} ")
        assert "https://host/path" in line
        assert "inctive" not in line
        assert "dist" not in line

    @pytest.mark.parametrize("name", PLACES[:2])
    @pytest.mark.parametrize("value", ["https://h/x?a=1", "https://h?", "https://h/?token=abc#d"])
    def test_a_query_belongs_to_no_base(self, name: str, value: str) -> None:
        assert refusal(**{name: value}).startswith(f"{name} ")

    def test_a_tone_may_have_one(self) -> None:
        tone = "https://h/tone.wav?token=abc"
        assert from_environment({"RING_TONE_URL": tone}).tone_url == tone

    @pytest.mark.parametrize(
        ("value", "meant"),
        [
            ("https://h/", "https://h"),
            ("HTTPS://h:8443/x/", "HTTPS://h:8443/x"),
            ("http://[::1]:5000", "http://[::1]:5000"),
            ("https://a_b.example.com/%C3%BC", "https://a_b.example.com/%C3%BC"),
        ],
    )
    def test_what_can_be_is_taken(self, value: str, meant: str) -> None:
        assert from_environment({"PUBLIC_URL": value}).public_url == meant


@pytest.mark.parametrize("name", ["CALLBACK_USERNAME", "BANDWIDTH_API_TOKEN"])
def test_a_colon_would_end_a_user_name(name: str) -> None:
    line = refusal(**{name: "distinct:ive"})
    assert line.startswith(f"{name} ")
    assert "ive" not in line.partition(" has ")[0]
    assert "distinct" not in line


@pytest.mark.parametrize("name", ["ROUTING_RULES", "LEDGER_COPIES"])
def test_a_folder_is_no_file(name: str, tmp_path: Path) -> None:
    assert refusal(**{name: str(tmp_path)}).startswith(f"{name} is a folder")


@pytest.mark.parametrize("name", ["PORT", "WEB_CONCURRENCY"])
@pytest.mark.parametrize(
    "value", ["auto", "0", "-1", "1.5", "1e2", "9" * 5000, "²", "redis://:x@h"]
)
def test_a_number_must_be_one(name: str, value: str) -> None:
    line = refusal(**{name: value})
    assert line.startswith(f"{name} is ")
    assert len(line) < 100
    assert ":x@" not in line


def test_gunicorn_takes_no_empty_number() -> None:
    assert refusal(WEB_CONCURRENCY=" ").startswith("WEB_CONCURRENCY is empty")


def test_what_is_shown_of_settings_is_no_secret() -> None:
    settings = Settings(
        api_token="distinctive",
        api_secret="distinctive",
        callback_password="distinctive",
        metrics_token="distinctive",
        public_url="https://u:distinctive@h",
        api_url="https://u:distinctive@h",
        ring_tone_url="https://h/x?token=distinctive",
        ledger_url="redis://u:distinctive@h",
    )
    assert "distinctive" not in repr(settings)
    assert "distinctive" not in str(settings)
    assert "distinctive@h" not in Settings(public_url="https://u:distinctive@h").tone_url
    url = settings.leg_callback_url("t") or ""
    assert "distinctive@h" in url  # the callback's password, once
    assert url.count("@") == 1


class TestDoubts:
    def test_credentials_in_the_open(self) -> None:
        open_ = from_environment({"PUBLIC_URL": "http://h", "BANDWIDTH_API_URL": "http://h/v1"})
        assert set(open_.doubts()) == {"PUBLIC_URL", "BANDWIDTH_API_URL"}

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9:80", "[::1]:1", "localhost:5000"])
    def test_not_on_this_host(self, host: str) -> None:
        url = f"http://{host}"
        assert from_environment({"PUBLIC_URL": url, "BANDWIDTH_API_URL": url}).doubts() == {}

    def test_no_credentials_no_doubt(self) -> None:
        assert from_environment({"PUBLIC_URL": "http://h", "CALLBACK_AUTH": "off"}).doubts() == {}

    def test_a_dyno_forgets_its_files(self) -> None:
        assert set(from_environment({"DYNO": "web.1"}).doubts()) == {"LEDGER_URL"}
        assert from_environment({"DYNO": "web.1", "REDIS_URL": "redis://h"}).doubts() == {}
        assert from_environment({}).doubts() == {}

    @pytest.mark.parametrize("dyno", ["run.1234", "release.7", "scheduler.4711", "web.2", "w.1"])
    def test_another_dyno_has_other_files(self, dyno: str) -> None:
        assert from_environment({"DYNO": dyno}).has_other_disk
        assert not from_environment({"DYNO": dyno, "REDIS_URL": "redis://h"}).has_other_disk
        assert not from_environment({"DYNO": "web.1"}).has_other_disk
