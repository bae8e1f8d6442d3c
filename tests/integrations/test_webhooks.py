"""Every adapter believes its partner's calls, and nobody else's."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app import adapters
from app.integrations.webhooks import (
    BODY_BYTES_MAX,
    Expired,
    Forged,
    WebhookVerifier,
)
from app.integrations.webhooks.standard import signature
from app.settings import Misconfigured

PORT = "app.integrations.webhooks"
# The example of the specification (Standard Webhooks 1.0.0, libraries' own tests).
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT, STAMP = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"
BODY = b'{"test": 2432232314}'
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
AT = datetime.fromtimestamp(int(STAMP), UTC)
HEADERS = {
    "webhook-id": EVENT,
    "webhook-timestamp": STAMP,
    "webhook-signature": SIGNED,
}


@pytest.fixture(params=adapters.choices(PORT))
def verifier(request: pytest.FixtureRequest, tmp_path: Path) -> WebhookVerifier:
    """Open each adapter of the folder with the secret of the example."""
    assert request.param == "standard", "give the new adapter its own example"
    file = tmp_path / "secrets"
    file.write_text(f"{SECRET}\n")
    found: WebhookVerifier = adapters.load(PORT, request.param).connect(file)
    return found


def without(name: str) -> Mapping[str, str]:
    """Leave one header out."""
    return {key: value for key, value in HEADERS.items() if key != name}


def test_a_call_of_the_partner_is_believed(verifier: WebhookVerifier) -> None:
    event = verifier.verify(HEADERS, BODY, AT + timedelta(minutes=5))

    assert (event.id, event.body) == (EVENT, BODY)
    assert "2432232314" not in repr(event)


def test_one_of_several_signatures_is_enough(verifier: WebhookVerifier) -> None:
    others = f"v1a,{SIGNED[3:]} v1,!! v1,{'A' * 43}= {SIGNED}"

    event = verifier.verify(HEADERS | {"webhook-signature": others}, BODY, AT)

    assert event.id == EVENT


@pytest.mark.parametrize(
    "headers",
    [
        without("webhook-id"),
        without("webhook-timestamp"),
        without("webhook-signature"),
        HEADERS | {"webhook-id": "msg_other"},
        HEADERS | {"webhook-id": "msg\nlong"},
        HEADERS | {"webhook-timestamp": "1614265331"},
        HEADERS | {"webhook-timestamp": "-1614265330"},
        HEADERS | {"webhook-timestamp": "\u0661\u0666"},
        HEADERS | {"webhook-signature": SIGNED.replace("v1,", "v2,")},
        HEADERS | {"webhook-signature": "v1," + "A" * 43 + "="},
        HEADERS | {"webhook-signature": " ".join(["v1,AAAA"] * 10 + [SIGNED])},
    ],
)
def test_a_call_that_is_not_signed_by_the_partner_is_forged(
    verifier: WebhookVerifier, headers: Mapping[str, str]
) -> None:
    with pytest.raises(Forged):
        verifier.verify(headers, BODY, AT)


def test_other_bytes_are_forged_and_so_is_too_much(verifier: WebhookVerifier) -> None:
    with pytest.raises(Forged):
        verifier.verify(HEADERS, BODY + b" ", AT)
    with pytest.raises(Forged):
        verifier.verify(HEADERS, b" " * (BODY_BYTES_MAX + 1), AT)


@pytest.mark.parametrize("seconds", [301, -301])
def test_a_call_signed_too_long_ago_or_ahead_of_time_has_expired(
    verifier: WebhookVerifier, seconds: int
) -> None:
    with pytest.raises(Expired):
        verifier.verify(HEADERS, BODY, AT + timedelta(seconds=seconds))


def test_while_keys_change_both_count(tmp_path: Path) -> None:
    new = bytes(range(32))
    file = tmp_path / "secrets"
    file.write_text(f"whsec_{base64.b64encode(new).decode()}\n\n{SECRET}\n")
    verifier = adapters.load(PORT, "standard").connect(file)
    mac = base64.b64encode(signature(new, EVENT, STAMP, BODY)).decode()
    by_new = HEADERS | {"webhook-signature": f"v1,{mac}"}

    assert verifier.verify(HEADERS, BODY, AT).id == EVENT
    assert verifier.verify(by_new, BODY, AT).id == EVENT


def test_without_secrets_nobody_is_believed() -> None:
    verifier = adapters.load(PORT, "standard").connect(None)

    with pytest.raises(Forged):
        verifier.verify(HEADERS, BODY, AT)


@pytest.mark.parametrize(
    "text", ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAAA", "whsec_***"]
)
def test_a_file_that_holds_no_secret_is_said_at_the_start(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "secrets"
    file.write_text(text)

    with pytest.raises(Misconfigured, match="whsec_"):
        adapters.load(PORT, "standard").connect(file)
    with pytest.raises(Misconfigured):
        adapters.load(PORT, "standard").connect(tmp_path / "missing")
