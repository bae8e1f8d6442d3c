"""The INTERNAL rail: both accounts are of this bank, so the core books them at once."""

from typing import assert_never

from app.integrations.core_banking import (
    CoreBank,
    Narrative,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.outcome import Ok, OpRef, Outcome, PortCode, Rejected, Unknown
from app.integrations.rails import (
    PaymentOrder,
    RailAnswer,
    RailCaps,
    RailStatus,
    Settles,
)

RAIL = "INTERNAL"


class OnUs:
    """Own accounts and other customers of this bank: one `transfer` per payment."""

    def __init__(self, core: CoreBank) -> None:
        self.caps = RailCaps(
            rail=RAIL,
            schemes=frozenset({"OWN", RAIL}),
            settles=Settles.ATOMIC,
        )
        self._core = core

    async def submit(self, op: OpRef, order: PaymentOrder) -> Outcome[RailAnswer]:
        """Book the payment; the same op again gives the same answer."""
        text = Narrative(
            memo=order.memo,
            payment=order.payment,
            rail=RAIL,
            reference=order.reference,
            payer_name=order.payer_name,
            payer_masked=order.payer_masked,
            payee_name=order.payee_name,
            payee_masked=order.payee_masked,
        )
        outcome = await self._core.transfer(
            op, order.src, order.dst, order.amount, text
        )
        match outcome:
            case Ok(posting, provider_ref):
                return Ok(_settled(posting), provider_ref)
            case Rejected() | Unknown():
                return outcome
            case _:
                assert_never(outcome)

    async def status(self, op: OpRef, context: OpContext) -> Outcome[RailAnswer]:
        """Ask the core what became of the op.

        A core without native idempotency is not believed when it has never seen an op:
        the write may still be on its way (banking.md section 4.4).
        """
        outcome = await self._core.lookup(op, OpKind.TRANSFER, context)
        match outcome:
            case Ok(Posting() as posting, provider_ref):
                return Ok(_settled(posting), provider_ref)
            case Ok():
                return Unknown("the core answers a transfer without a posting")
            case Rejected(code=PortCode.NEVER_SEEN) if (
                not self._core.caps.native_idempotency
            ):
                return Unknown("never seen by a core that keeps no op ids")
            case Rejected() | Unknown():
                return outcome
            case _:
                assert_never(outcome)


def _settled(posting: Posting) -> RailAnswer:
    return RailAnswer(RailStatus.SETTLED, posting.booked_at)


async def connect(*, core: CoreBank) -> OnUs:
    """Open the rail over the core."""
    return OnUs(core)
