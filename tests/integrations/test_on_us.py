"""The INTERNAL rail says what the core says, and believes only what it can."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from app.clock import StoppedClock
from app.integrations.core_banking import (
    CoreBank,
    CoreCaps,
    Hold,
    Narrative,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.outcome import Ok, OpRef, Outcome, PortCode, Rejected, Unknown
from app.integrations.rails import (
    PayeeAddress,
    PayeeName,
    PaymentOrder,
    RailAnswer,
    RailStatus,
    Settles,
)
from app.integrations.rails.on_us import OnUs, Settings, connect
from app.money import Money

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
CLOCK = StoppedClock(AT)
OP = OpRef(UUID(int=1), b"\x01" * 32)
RENT = Money(250_00, "INR")
ORDER = PaymentOrder(
    payment=UUID(int=2),
    src="payer",
    dst="payee",
    amount=RENT,
    memo="Transfer",
    reference="Rent",
    payer_name="Asha Rao",
    payer_masked="••••1234",
    payee_name="Ben Okafor",
    payee_masked="••••5678",
)
BOOKED = Posting(UUID(int=3), AT)
CAPS = CoreCaps(
    local=True,
    joins_transaction=False,
    holds=True,
    partial_capture=True,
    native_idempotency=True,
    reverse=True,
)


class Core:
    """A core that answers what it is told, and remembers what it was asked."""

    def __init__(
        self, answer: Outcome[Posting | Hold | None], caps: CoreCaps = CAPS
    ) -> None:
        self.caps = caps
        self.answer = answer
        self.asked: list[object] = []

    async def transfer(
        self, op: OpRef, src: str, dst: str, amount: Money, text: Narrative
    ) -> Outcome[Posting | Hold | None]:
        self.asked.append((op, src, dst, amount, text))
        return self.answer

    async def lookup(
        self, op: OpRef, kind: OpKind, context: OpContext
    ) -> Outcome[Posting | Hold | None]:
        self.asked.append((op, kind, context))
        return self.answer


async def _holder(address: PayeeAddress) -> PayeeName | None:
    """Know one account only."""
    known = address.number == "50100000000001"
    return PayeeName(name="Ben Okafor", masked="Be• Ok••••") if known else None


async def over(core: Core) -> OnUs:
    """Open the rail over a core."""
    as_port: CoreBank = core  # type: ignore[assignment]  # the two calls this rail makes
    return await connect(Settings(), core=as_port, clock=CLOCK, names=_holder)


CONTEXT = OpContext("payer", "payee", RENT, AT)


async def test_it_books_at_once_and_reaches_own_and_other_accounts() -> None:
    rail = await over(Core(Ok(BOOKED)))

    assert rail.caps.settles is Settles.ATOMIC
    assert rail.caps.schemes == {"OWN", "INTERNAL"}
    assert (rail.caps.rail, rail.caps.undo_s) == ("INTERNAL", 0)


async def test_an_order_becomes_one_transfer_with_both_names() -> None:
    core = Core(Ok(BOOKED, "ref-1"))

    answer = await (await over(core)).submit(OP, ORDER)

    assert answer == Ok(RailAnswer(RailStatus.SETTLED, AT), "ref-1")
    text = Narrative(
        memo="Transfer",
        payment=UUID(int=2),
        rail="INTERNAL",
        reference="Rent",
        payer_name="Asha Rao",
        payer_masked="••••1234",
        payee_name="Ben Okafor",
        payee_masked="••••5678",
    )
    assert core.asked == [(OP, "payer", "payee", RENT, text)]


@pytest.mark.parametrize(
    "answer", [Rejected(PortCode.INSUFFICIENT_FUNDS), Unknown("lost")]
)
async def test_a_no_and_a_doubt_pass_through_unchanged(
    answer: Rejected | Unknown,
) -> None:
    rail = await over(Core(answer))

    assert await rail.submit(OP, ORDER) == answer
    assert await rail.status(OP, CONTEXT) == answer


async def test_asking_names_the_same_op_as_a_transfer() -> None:
    core = Core(Ok(BOOKED))

    answer = await (await over(core)).status(OP, CONTEXT)

    assert answer == Ok(RailAnswer(RailStatus.SETTLED, AT))
    assert core.asked == [(OP, OpKind.TRANSFER, CONTEXT)]


async def test_an_answer_that_is_no_posting_proves_nothing() -> None:
    rail = await over(Core(Ok(Hold(UUID(int=4), "payer", RENT))))

    assert isinstance(await rail.status(OP, CONTEXT), Unknown)


async def test_never_seen_is_passed_on_with_how_far_the_core_is_believed() -> None:
    unseen = Rejected(PortCode.NEVER_SEEN)
    forgetful = replace(CAPS, native_idempotency=False)

    keeps = await over(Core(unseen))
    forgets = await over(Core(unseen, forgetful))

    assert (keeps.caps.native_idempotency, forgets.caps.native_idempotency) == (
        True,
        False,
    )
    assert await keeps.status(OP, CONTEXT) == unseen
    assert await forgets.status(OP, CONTEXT) == unseen


def test_no_name_shows_in_the_repr_of_an_order() -> None:
    assert not any(name in repr(ORDER) for name in (ORDER.payer_name, ORDER.payee_name))
