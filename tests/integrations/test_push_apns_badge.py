"""The provider token: how long it is shown, and when another is signed."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from app.clock import StoppedClock
from app.integrations.push.apns.badge import Badge, NoKey
from sandbox.apns_key import write_key

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    write_key(tmp_path / "key.p8")
    return tmp_path / "key.p8"


@pytest.fixture
def clock() -> StoppedClock:
    return StoppedClock(NOON)


@pytest.fixture
def badge(key_file: Path, clock: StoppedClock) -> Badge:
    found = Badge(key_file, "KEY4567890", "TEAM567890", clock)
    found.load()
    return found


def test_a_token_names_key_team_and_moment(badge: Badge, key_file: Path) -> None:
    found = jwt.decode(
        badge.token().get_secret_value(),
        ECKey.import_key(key_file.read_bytes()),
        algorithms=["ES256"],
    )

    assert found.header == {"alg": "ES256", "kid": "KEY4567890", "typ": "JWT"}
    assert found.claims == {"iss": "TEAM567890", "iat": int(NOON.timestamp())}


def test_a_token_is_shown_for_40_minutes_and_then_another(
    badge: Badge, clock: StoppedClock
) -> None:
    first = badge.token()
    clock.move(minutes=39)
    later = badge.token()
    clock.move(minutes=2)
    second = badge.token()
    clock.move(minutes=39)

    assert first == later
    assert first != second == badge.token()


def test_a_token_of_the_future_is_not_shown(badge: Badge, clock: StoppedClock) -> None:
    first = badge.token()
    clock.move(days=-1)

    assert badge.token() != first


def test_a_refused_token_is_replaced_at_most_every_20_minutes(
    badge: Badge, clock: StoppedClock
) -> None:
    first = badge.token()
    clock.move(minutes=19)
    early = badge.renew(first)
    clock.move(minutes=1)
    due = badge.renew(first)
    second = badge.token()

    assert (early, due) == (False, True)
    assert second != first
    assert badge.renew(first)  # somebody replaced it already
    assert badge.token() == second


def test_nothing_is_signed_for_20_minutes_after_too_many(
    badge: Badge, clock: StoppedClock
) -> None:
    first = badge.token()
    clock.move(minutes=30)
    badge.hold()
    held = badge.renew(first)
    clock.move(minutes=19)
    old = badge.token()
    clock.move(minutes=1)

    assert (held, old) == (False, first)
    assert badge.token() != first


def test_only_a_private_key_of_p_256_is_one(tmp_path: Path) -> None:
    others = {
        "rsa": RSAKey.generate_key(2048).as_pem(private=True),
        "p-384": ECKey.generate_key("P-384").as_pem(private=True),
        "public": ECKey.generate_key("P-256").as_pem(private=False),
    }

    for name, pem in others.items():
        (tmp_path / name).write_bytes(pem)
        with pytest.raises(NoKey):
            Badge(tmp_path / name, "K", "T", StoppedClock(NOON)).load()
    with pytest.raises(NoKey):
        Badge(tmp_path / "none", "K", "T", StoppedClock(NOON)).load()


def test_neither_key_nor_token_is_in_what_is_printed(
    badge: Badge, key_file: Path
) -> None:
    token = badge.token().get_secret_value()
    held = repr((badge, vars(badge)))
    key = ECKey.import_key(key_file.read_bytes()).as_dict(private=True)

    assert token[-20:] not in held
    assert key_file.read_text().splitlines()[1][-20:] not in held
    assert str(key["d"]) not in held
