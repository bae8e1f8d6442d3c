"""The phone as authenticator app, and recovery codes on paper."""

from pathlib import Path

import pytest

from mock_mobile_client import totp
from mock_mobile_client.errors import BadEntry, NotAsIntended, NotReady, Refused
from mock_mobile_client.handset import Setting
from mock_mobile_client.phone import Phone
from tests.phone.conftest import ROUNDS, Fake

RFC_SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238 appendix B, in base32


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_rfc(second: int, code: str) -> None:
    assert totp.code_at(RFC_SEED, second // totp.STEP_S) == code


def test_a_scanned_address_gives_its_seed() -> None:
    uri = f"otpauth://totp/Bank:10000001?secret={RFC_SEED}&issuer=Bank&digits=6"

    assert totp.scan(uri) == RFC_SEED


@pytest.mark.parametrize(
    "uri",
    [
        f"otpauth://hotp/Bank:1?secret={RFC_SEED}",
        f"otpauth://totp/Bank:1?secret={RFC_SEED}&digits=8",
        f"otpauth://totp/Bank:1?secret={RFC_SEED}&period=60",
        "otpauth://totp/Bank:1?issuer=Bank",
        f"https://totp/Bank:1?secret={RFC_SEED}",
    ],
)
def test_an_address_of_other_codes_is_refused(uri: str) -> None:
    with pytest.raises(NotAsIntended):
        totp.scan(uri)


def test_a_seed_that_is_not_base32_is_refused() -> None:
    with pytest.raises(NotAsIntended, match="base32"):
        totp.code_at("not base32!", 1)


async def test_each_code_is_shown_once(fake: Fake) -> None:
    setting = Setting(iterations=ROUNDS, clock=lambda: 59.0)
    async with Phone("Asha-1", fake.url, fake.url, setting) as phone:
        phone.handset.keep(totp_secret=RFC_SEED)

        first = totp.show(phone.handset)
        with pytest.raises(NotReady, match="shows in 1 s"):
            totp.show(phone.handset)

    assert first == "287082"


async def test_a_phone_without_a_seed_is_no_authenticator(fake: Fake) -> None:
    async with fake.phone("Asha-1") as phone:
        with pytest.raises(NotReady, match="nobody's authenticator"):
            totp.show(phone.handset)


async def test_enrolled_it_gives_ten_codes_and_one_of_them_enrols_again(
    fake: Fake,
) -> None:
    async with fake.phone("Asha-1") as phone:
        await phone.start()
        codes = await totp.enrol(phone.session)
        with pytest.raises(Refused, match="INVALID_CREDENTIAL"):
            await phone.bind_anew()  # the activation code alone is not enough now
        await phone.bind_anew({"recoveryCode": codes[0]})
        with pytest.raises(Refused, match="INVALID_CREDENTIAL"):
            await phone.bind_anew({"recoveryCode": codes[0]})

    assert len(codes) == 10
    assert codes[0] not in fake.bank.paper["10000001"]


async def test_removed_it_is_gone_on_both_sides(fake: Fake) -> None:
    async with fake.phone("Asha-1") as phone:
        await phone.start()
        await totp.enrol(phone.session)

        await totp.remove(phone.session)

        assert phone.handset.state.totp_secret is None
        assert fake.bank.seeds == {}


async def test_new_codes_replace_the_old_ones(fake: Fake) -> None:
    async with fake.phone("Asha-1") as phone:
        await phone.start()
        old = await totp.enrol(phone.session)

        new = await totp.regenerate(phone.session)

    assert not set(old) & set(new)
    assert list(new) == fake.bank.paper["10000001"]


def test_the_paper_is_for_its_owner_only_and_codes_are_struck_out(
    tmp_path: Path,
) -> None:
    paper = totp.Paper(tmp_path / "home", "Asha")
    paper.write(("one", "two", "three"))

    paper.strike("two")

    assert paper.read() == ("one", "three")
    assert paper.place.stat().st_mode & 0o777 == 0o600


def test_no_paper_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadEntry, match="written down"):
        totp.Paper(tmp_path, "Asha").read()
