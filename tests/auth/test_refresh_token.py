"""The text of a refresh token: its known answer, its form, and what makes it ours."""

from dataclasses import replace

import pytest

from app.auth import refresh_token, signing
from app.auth.session import Session
from app.clock import StoppedClock
from app.ids import CustomerId, DeviceId, SessionId
from app.vault import Ring, Vault
from tests.conftest import NOON

SEED = bytes(range(0x40, 0x60))
PEPPER = bytes(range(0x60, 0x80))
VAULT = Vault(sealing=Ring({1: bytes(32)}), pepper=Ring({1: PEPPER}))
MAC = "hUST2bI7eeRZM0zakwE_XzisPWys_KdoyHJ60MdK02g"
NAME = f"ses_{'0' * 31}1"


def a_session(generation: int = 7) -> Session:
    now = StoppedClock(NOON).now()
    return Session(
        id=SessionId.new(),
        customer=CustomerId.new(),
        device=DeviceId.new(),
        jkt="A" * 43,
        seed=SEED,
        key_id=1,
        generation=generation,
        created_at=now,
        last_active_at=now,
        absolute_end=now,
        ended_at=None,
        factor="mpin",
        address="203.0.113.7",
    )


def is_ours(session: Session, text: str, vault: Vault = VAULT) -> bool:
    presented = refresh_token.read(text)
    return presented is not None and refresh_token.is_genuine(vault, presented, session)


def test_the_token_is_the_known_one() -> None:
    mac = VAULT.mac("mac/refresh", signing.refresh_message(SEED, "ses_1", 7))

    assert refresh_token.text_of(mac, "ses_1", 7) == f"rt1.ses_1.7.{MAC}"


def test_what_is_written_is_read_again_and_ours() -> None:
    session = a_session()

    presented = refresh_token.read(refresh_token.written(VAULT, session))

    assert presented is not None
    assert (presented.session, presented.generation) == (session.id, 7)
    assert refresh_token.is_genuine(VAULT, presented, session)
    assert not refresh_token.is_genuine(VAULT, presented, None)


def test_every_part_of_a_token_counts() -> None:
    session = a_session()
    text = refresh_token.written(VAULT, session)
    head, name, generation, mac = text.split(".")
    other = "B" if mac[0] == "A" else "A"

    assert is_ours(session, text)
    assert not is_ours(session, f"{head}.{SessionId.new()}.{generation}.{mac}")
    assert not is_ours(session, f"{head}.{name}.8.{mac}")
    assert not is_ours(session, f"{head}.{name}.{generation}.{other}{mac[1:]}")
    assert not is_ours(replace(session, seed=bytes(32)), text)


def test_a_token_is_ours_as_long_as_the_ring_holds_its_key() -> None:
    session = a_session()
    text = refresh_token.written(VAULT, session)
    rotated = Vault(sealing=VAULT.sealing, pepper=Ring({2: bytes(32), 1: PEPPER}))
    retired = Vault(sealing=VAULT.sealing, pepper=Ring({2: bytes(32)}))

    assert is_ours(session, text, rotated)
    assert refresh_token.written(rotated, session) == text
    assert not is_ours(session, text, retired)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rt1",
        f"rt1.{NAME}.7",
        f"rt2.{NAME}.7.{MAC}",
        f"rt1.ses_1.7.{MAC}",
        f"rt1.dev_{'0' * 32}.7.{MAC}",
        f"rt1.{NAME.upper()}.7.{MAC}",
        f"rt1.{NAME}.07.{MAC}",
        f"rt1.{NAME}.-1.{MAC}",
        f"rt1.{NAME}.+1.{MAC}",
        f"rt1.{NAME}.\u0667.{MAC}",
        f"rt1.{NAME}.1e1.{MAC}",
        f"rt1.{NAME}.9999999999.{MAC}",
        f"rt1.{NAME}.7.{MAC[:-1]}",
        f"rt1.{NAME}.7.{MAC[:-1]}h",
        f"rt1.{NAME}.7.{MAC}=",
        f"rt1.{NAME}.7.{MAC}\n",
        f" rt1.{NAME}.7.{MAC}",
        f"rt1.{NAME}.7.{MAC}.x",
    ],
)
def test_another_form_is_no_token(text: str) -> None:
    assert refresh_token.read(text) is None
