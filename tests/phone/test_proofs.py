"""The proofs hold against a right bank and fail against a wrong one."""

import pytest

from mock_mobile_client.errors import PhoneError, ProofFailed
from mock_mobile_client.handset import Setting
from mock_mobile_client.proofs import proof_01, proof_02
from mock_mobile_client.world_clock import SKIPPED
from tests.phone.conftest import ROUNDS, Fake
from tests.phone.fake_parts import Caller, Node

pytestmark = pytest.mark.slow  # begun first: waits long

QUICK = Setting(iterations=ROUNDS)
AT_FIRST = [4_825_000, 12_000_000, 931_050]


def minor(fake: Fake) -> list[int]:
    return [a.minor for customer in fake.bank.customers for a in customer.accounts]


async def test_proof_one_holds_and_leaves_the_balances(fake: Fake) -> None:
    told: list[str] = []

    await proof_01(fake.url, fake.url, QUICK, told.append)

    assert len(told) == 3
    assert minor(fake) == AT_FIRST


async def test_proof_two_holds_and_leaves_the_balances(fake: Fake) -> None:
    told: list[str] = []

    await proof_02(fake.url, fake.url, QUICK, told.append)

    assert [line[:3] for line in told] == ["(a)", "(b)", "(c)"]
    assert minor(fake) == AT_FIRST


async def test_a_phone_that_cools_where_time_stands_proves_only_a_part(
    fake: Fake,
) -> None:
    fake.bank.movable = False
    told: list[str] = []

    await proof_01(fake.url, fake.url, QUICK, told.append)
    await proof_02(fake.url, fake.url, QUICK, told.append)

    assert [line.endswith(SKIPPED) for line in told] == [
        *(False, False, True),
        *(False, True, False),
    ]
    assert minor(fake) == AT_FIRST


async def test_proof_one_finds_a_bank_that_forgets_its_keys(fake: Fake) -> None:
    create = fake.bank.paymentCreate

    def forgetful(caller: Caller, given: Node) -> Node:
        fake.bank.by_key.clear()
        return create(caller, given)

    fake.bank.paymentCreate = forgetful  # type: ignore[method-assign]  # a wrong bank

    with pytest.raises(ProofFailed, match="replayed"):
        await proof_01(fake.url, fake.url, QUICK)


async def test_proof_two_finds_a_bank_that_overdraws(fake: Fake) -> None:
    settle = fake.bank.settle

    def generous(payment: Node) -> None:
        source, _, amount = payment["plan"]
        lent = max(0, amount - source.minor)
        source.minor += lent
        settle(payment)
        source.minor -= lent

    fake.bank.settle = generous  # type: ignore[method-assign]  # a wrong bank

    with pytest.raises(ProofFailed, match="settled, refused"):
        await proof_02(fake.url, fake.url, QUICK)


async def test_proof_two_finds_a_bank_that_takes_another_amount(fake: Fake) -> None:
    create = fake.bank.paymentCreate

    def careless(caller: Caller, given: Node) -> Node:
        for (_, key), (before, payment) in fake.bank.by_key.items():
            if key == given["idempotencyKey"] and before != given:
                return {"payment": payment, "replayed": True}
        return create(caller, given)

    fake.bank.paymentCreate = careless  # type: ignore[method-assign]  # a wrong bank

    with pytest.raises((ProofFailed, PhoneError), match="one key, another amount"):
        await proof_02(fake.url, fake.url, QUICK)
