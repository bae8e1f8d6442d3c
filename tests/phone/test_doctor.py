"""Checks of a deployment."""

import pytest

from mock_mobile_client.doctor import Doctor
from mock_mobile_client.errors import Unreachable
from tests.phone.conftest import Fake


async def test_a_well_bank_passes_every_check(fake: Fake) -> None:
    findings = await Doctor(fake.url, fake.url).examine()

    assert [finding.name for finding in findings if not finding.good] == []
    assert len(findings) == 10
    assert fake.bank.devices == {}


async def test_an_address_that_is_not_the_public_one_is_found(fake: Fake) -> None:
    fake.edge.url = "https://bank.example"

    findings = await Doctor(fake.url, fake.url).examine()

    bad = {finding.name: finding for finding in findings if not finding.good}
    assert bad["signed request"].seen == "DPOP_INVALID"
    assert "PUBLIC_URL" in bad["signed request"].fix


async def test_a_missing_sandbox_has_a_hint(fake: Fake) -> None:
    findings = await Doctor(fake.url, "http://127.0.0.1:1").examine()

    (bad,) = [finding for finding in findings if not finding.good]
    assert (bad.name, "--sandbox" in bad.fix) == ("SMS inbox", True)


async def test_a_bank_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        await Doctor("http://127.0.0.1:1", "http://127.0.0.1:1").examine()
