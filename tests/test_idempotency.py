import asyncio
from datetime import UTC, datetime
from uuid import UUID

import pytest

from app import database, idempotency
from app.database import Tx
from app.errors import IdempotencyKeyReused, NotAllowed
from app.idempotency import Claim
from app.ids import CustomerId, PaymentId
from app.settings import Settings

ASHA, BEN = CustomerId(UUID(int=1)), CustomerId(UUID(int=2))
NOON = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
KEY = "6f1c4c7e-58b0-4f6a-9b57-0f6a3f0e7d11"
BODY, OTHER_BODY = b"a" * 32, b"b" * 32


async def claimed(
    body: bytes = BODY,
    *,
    customer: CustomerId = ASHA,
    operation: str = "paymentCreate",
    payment: PaymentId | None = None,
) -> Claim:
    """Claim the key in a transaction of its own."""

    async def work(tx: Tx) -> Claim:
        chosen = payment or PaymentId.new()
        return await idempotency.claim(
            tx, customer, operation, KEY, body, chosen, at=NOON
        )

    return await database.transaction(work, name="test.claim")


async def rows() -> int:
    found = await database.read_one("SELECT count(*) AS there FROM idempotency")
    assert found is not None
    return found.get("there", int)


async def test_a_new_key_is_fresh(bank_database: Settings) -> None:
    payment = PaymentId.new()

    claim = await claimed(payment=payment)

    assert claim == Claim(fresh=True, object_id=payment.value)
    assert await rows() == 1


async def test_a_repeat_gets_what_the_first_call_created(
    bank_database: Settings,
) -> None:
    first = await claimed()

    again = await claimed()

    assert again == Claim(fresh=False, object_id=first.object_id)
    assert await idempotency.seen(ASHA, "paymentCreate", KEY, BODY) == again
    assert await rows() == 1


async def test_a_key_never_seen_is_none(bank_database: Settings) -> None:
    assert await idempotency.seen(ASHA, "paymentCreate", KEY, BODY) is None


async def test_the_key_with_another_body_is_refused(bank_database: Settings) -> None:
    first = await claimed()

    with pytest.raises(IdempotencyKeyReused) as refused:
        await claimed(OTHER_BODY)
    with pytest.raises(IdempotencyKeyReused):
        await idempotency.seen(ASHA, "paymentCreate", KEY, OTHER_BODY)

    assert refused.value.field == ["idempotencyKey"]
    assert (await claimed()).object_id == first.object_id
    assert await rows() == 1


async def test_customers_and_operations_do_not_share_keys(
    bank_database: Settings,
) -> None:
    await claimed()

    assert (await claimed(OTHER_BODY, customer=BEN)).fresh
    assert (await claimed(OTHER_BODY, operation="beneficiaryCreate")).fresh
    assert await rows() == 3


async def test_of_20_claims_at_once_one_is_fresh(bank_database: Settings) -> None:
    claims = await asyncio.gather(*(claimed() for _ in range(20)))

    assert [claim.fresh for claim in claims].count(True) == 1
    assert len({claim.object_id for claim in claims}) == 1
    assert await rows() == 1


async def test_a_refusal_leaves_no_row_and_the_key_is_judged_afresh(
    bank_database: Settings,
) -> None:
    async def refused(tx: Tx) -> None:
        claim = await idempotency.claim(
            tx, ASHA, "paymentCreate", KEY, BODY, PaymentId.new(), at=NOON
        )
        assert claim.fresh
        raise NotAllowed

    with pytest.raises(NotAllowed):
        await database.transaction(refused, name="test.refused")

    assert await rows() == 0
    assert (await claimed(OTHER_BODY)).fresh
