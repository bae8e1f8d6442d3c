"""The scenario's steps about further factors and refresh tokens, twice on one bank."""

from contextlib import AsyncExitStack

import pytest

from mock_mobile_client import journeys_sign_in as steps
from mock_mobile_client.errors import ProofFailed
from mock_mobile_client.stage import Stage
from mock_mobile_client.store import MemoryStore
from tests.phone.conftest import Fake
from tests.phone.fake_parts import Caller, Node

ORDER = (
    steps.register_passkey,
    steps.sign_in_with_passkey,
    steps.pay_with_passkey,
    steps.refresh_tokens,
    steps.copy_refresh_token,
    steps.set_biometric_key,
    steps.use_biometric_key,
)


async def play(fake: Fake, store: MemoryStore) -> list[str]:
    async with (
        fake.phone("Asha-1", store) as asha,
        fake.phone("Ben-1", store) as ben,
        AsyncExitStack() as open_streams,
    ):
        await asha.start()
        await ben.start()
        stage = Stage(asha, ben, open_streams)
        stage.asha_live = await open_streams.enter_async_context(asha.live())
        return [await step(stage) for step in ORDER]


async def test_the_steps_pass_twice_and_leave_the_balances(fake: Fake) -> None:
    store = MemoryStore()

    first = await play(fake, store)
    second = await play(fake, store)

    assert first[0] == "Asha-1 registered by step-up"
    assert second[0] == "Asha-1 already registered"
    assert second[4].endswith("the session lives on")
    assert first[5] == "key behind Asha's right thumb set by step-up"
    assert second[5] == "key behind Asha's right thumb already set"
    assert second[6].endswith("5.00 INR to Ben and back")
    accounts = [a for customer in fake.bank.customers for a in customer.accounts]
    assert [a.minor for a in accounts] == [4_825_000, 12_000_000, 931_050]
    assert len(fake.bank.passkeys) == 1


async def test_a_bank_that_gives_the_same_tokens_again_ends_the_scenario(
    fake: Fake,
) -> None:
    def lazy(caller: Caller, given: Node) -> Node:
        device = fake.bank.devices[caller.jkt or ""]
        session = fake.bank.session_of(device)
        assert session is not None
        return {"tokens": fake.bank.pair(session, device.token or "")}

    fake.bank.tokenRefresh = lazy  # type: ignore[method-assign]  # a wrong bank

    with pytest.raises(ProofFailed, match="new ones"):
        await play(fake, MemoryStore())
