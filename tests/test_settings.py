from pathlib import Path
from typing import Any

import pytest

from app import settings
from app.settings import Environment, Misconfigured, Settings
from app.written import AndroidApp, Rate

SAFE: dict[str, Any] = {
    "env": "production",
    "public_url": "https://api.bank.example",
    "webauthn_rp_id": "bank.example",
    "sealing_keys_file": Path("/run/keys/sealing"),
    "pepper_file": Path("/run/keys/pepper"),
    "attestation": "require",
    "introspection": False,
}
RP_ID = "WEBAUTHN_RP_ID must be the host of PUBLIC_URL or a domain above it"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every setting of this machine away."""
    for name in Settings.model_fields:
        monkeypatch.delenv(settings.PREFIX + name.upper(), raising=False)


def test_production_starts_when_everything_it_demands_is_given() -> None:
    chosen = settings.load(**SAFE)

    assert chosen.env is Environment.PRODUCTION
    assert chosen.limit_factor == 1
    assert chosen.activation_reusable is False
    assert chosen.clock_offset_file is None
    assert chosen.documents == "trusted"


@pytest.mark.parametrize(
    ("unsafe", "sentence"),
    [
        ({"public_url": "http://bank.example"}, "PUBLIC_URL must be https"),
        ({"sealing_keys_file": None}, "SEALING_KEYS_FILE must be given"),
        ({"pepper_file": None}, "PEPPER_FILE must be given"),
        ({"attestation": "off"}, "ATTESTATION may not be off"),
        ({"activation_reusable": True}, "ACTIVATION_REUSABLE may not be on"),
        ({"clock_offset_file": Path("x")}, "CLOCK_OFFSET_FILE may not be set"),
        ({"limit_factor": 2}, "LIMIT_FACTOR must be 1"),
        ({"idle_s": 301}, "IDLE_S may not pass 300"),
        ({"introspection": True}, "INTROSPECTION must be off"),
        ({"documents": "open"}, "DOCUMENTS must be trusted"),
        ({"database_synchronous": "OFF"}, "DATABASE_SYNCHRONOUS must be FULL"),
        (
            {"bus_url": "redis://valkey"},
            "COUNTERS may not be memory beside a shared BUS_URL",
        ),
        ({"demo_customers": 3}, "DEMO_CUSTOMERS may not be set"),
        ({"webauthn_rp_id": "other.example"}, RP_ID),
        ({"webauthn_rp_id": "ank.example"}, RP_ID),
        ({"webauthn_rp_id": "www.api.bank.example"}, RP_ID),
        ({"webauthn_rp_id": ""}, RP_ID),
    ],
)
def test_production_refuses_to_start_unsafe(
    unsafe: dict[str, object], sentence: str
) -> None:
    with pytest.raises(Misconfigured) as refused:
        settings.load(**SAFE | unsafe)

    assert str(refused.value) == f"production: {sentence}"


@pytest.mark.parametrize("domain", ["api.bank.example", "bank.example"])
def test_passkeys_belong_to_the_public_host_or_a_domain_above_it(domain: str) -> None:
    chosen = settings.load(**SAFE | {"webauthn_rp_id": domain})

    assert chosen.webauthn_rp_id == domain


def test_production_names_everything_that_is_wrong_at_once() -> None:
    with pytest.raises(Misconfigured) as refused:
        settings.load(env="production")

    assert str(refused.value) == (
        "production: PUBLIC_URL must be https; SEALING_KEYS_FILE must be given; "
        "PEPPER_FILE must be given; ATTESTATION may not be off; "
        "INTROSPECTION must be off"
    )


def test_an_unknown_name_stops_the_start_with_the_nearest_known_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SIXPENCE_DATABSE_URL", "sqlite://x.db")

    with pytest.raises(Misconfigured) as refused:
        settings.load()

    assert str(refused.value) == (
        "unknown setting SIXPENCE_DATABSE_URL; did you mean SIXPENCE_DATABASE_URL?"
    )


def test_an_unknown_name_that_is_near_nothing_is_named_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SIXPENCE_ZZZZZZZZZZZZZZZZZZZZ", "1")

    with pytest.raises(Misconfigured) as refused:
        settings.load()

    assert str(refused.value) == "unknown setting SIXPENCE_ZZZZZZZZZZZZZZZZZZZZ"


def test_an_adapters_own_block_is_its_own_affair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SIXPENCE_SMS_HTTP_BASE_URL", "http://127.0.0.1:8001")

    assert settings.load().sms == "http"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENV", "staging"),
        ("PORT", "70000"),
        ("PORT", "eight"),
        ("LIMIT_LOGIN", "ten per minute"),
        ("DEVICES_MAX", "0"),
        ("EVENT_RETENTION_DAYS", "6"),
        ("DEMO_CUSTOMERS", "2"),
        ("DPOP_NONCE", "sometimes"),
        ("ATTESTATION", "maybe"),
        ("LIMIT_FACTOR", "0"),
    ],
)
def test_a_wrong_value_stops_the_start_and_names_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"SIXPENCE_{name}", value)

    with pytest.raises(Misconfigured) as refused:
        settings.load()

    assert str(refused.value).startswith(f"SIXPENCE_{name}: ")


@pytest.mark.parametrize(
    "url", ["bank.example", "https://bank.example/api", "https://"]
)
def test_the_public_url_is_a_scheme_and_a_host(url: str) -> None:
    with pytest.raises(Misconfigured, match="a scheme and a host, without a path"):
        settings.load(public_url=url)


@pytest.mark.parametrize("env", ["demo", "test"])
def test_a_demo_is_relaxed(env: str) -> None:
    chosen = settings.load(env=env)

    assert chosen.limit_factor == 1000
    assert chosen.activation_reusable is True


def test_a_demo_may_still_be_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIXPENCE_LIMIT_FACTOR", "1")

    chosen = settings.load(activation_reusable=False)

    assert chosen.limit_factor == 1
    assert chosen.activation_reusable is False


def test_only_the_demo_has_a_clock_file_by_itself() -> None:
    assert settings.load(env="demo").clock_offset_file == Path(".sixpence/clock")
    assert settings.load(env="test").clock_offset_file is None


def test_rates_and_lists_are_read_from_plain_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SIXPENCE_LIMIT_LOGIN", "7/30s")
    monkeypatch.setenv(
        "SIXPENCE_ALLOWED_ORIGINS", "https://a.example, https://b.example"
    )

    chosen = settings.load()

    assert chosen.limit_login == Rate(7, 30)
    assert chosen.allowed_origins == ("https://a.example", "https://b.example")
    assert settings.source_of("limit_login") == "environment"
    assert settings.source_of("limit_enrol") == "default"


def test_settings_do_not_change_after_the_start() -> None:
    chosen = settings.load()

    with pytest.raises(ValueError, match="frozen"):
        chosen.port = 1


def test_our_apps_are_named_with_what_signs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain, colons = "ab" * 32, ":".join(["CD"] * 32)
    monkeypatch.setenv("SIXPENCE_ANDROID_APPS", f"bank.one:{plain}, bank.two:{colons}")
    monkeypatch.setenv("SIXPENCE_IOS_APPS", "ABCDE12345.bank.one")

    chosen = settings.load()

    assert chosen.android_apps == (
        AndroidApp("bank.one", b"\xab" * 32),
        AndroidApp("bank.two", b"\xcd" * 32),
    )
    assert chosen.ios_apps == ("ABCDE12345.bank.one",)
    given = {"android_apps": chosen.android_apps}
    assert settings.load(**given).android_apps == chosen.android_apps


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ANDROID_APPS", "bank.one", "PACKAGE:SHA-256"),
        ("ANDROID_APPS", "bank.one:abcd", "PACKAGE:SHA-256"),
        ("ANDROID_APPS", "bank.one:" + "zz" * 32, "PACKAGE:SHA-256"),
        ("ANDROID_APPS", ":" + "ab" * 32, "PACKAGE:SHA-256"),
        ("IOS_APPS", "bank.one", "TEAM.BUNDLE"),
        ("IOS_APPS", "ABCDE12345.", "TEAM.BUNDLE"),
        ("ANDROID_PATCH_FLOOR", "2026", "greater than or equal"),
    ],
)
def test_an_app_or_a_patch_that_cannot_be_one_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(f"SIXPENCE_{name}", value)

    with pytest.raises(Misconfigured) as refused:
        settings.load()

    assert f"SIXPENCE_{name}" in str(refused.value)
    assert sentence in str(refused.value)
