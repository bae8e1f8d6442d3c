"""The INTERNAL rail: both accounts are of this bank, so the core books them at once."""

from typing import assert_never

from pydantic_settings import BaseSettings, SettingsConfigDict

from app.clock import Clock
from app.errors import NotFound
from app.integrations.core_banking import (
    CoreBank,
    Narrative,
    OpContext,
    OpKind,
    Posting,
)
from app.integrations.outcome import Ok, OpRef, Outcome, Rejected, Unknown
from app.integrations.rails import (
    INTERNAL,
    OWN,
    Callback,
    Names,
    PayeeAddress,
    PayeeName,
    PaymentOrder,
    RailAnswer,
    RailCaps,
    RailEvent,
    RailQuote,
    RailStatus,
    Settles,
)
from app.integrations.webhooks import Forged
from app.money import Money

RAIL = "INTERNAL"


class Settings(BaseSettings):
    """The rail of the house needs none."""

    model_config = SettingsConfigDict(env_prefix="SIXPENCE_RAILS_ON_US_", frozen=True)


class OnUs:
    """Own accounts and other customers of this bank: one `transfer` per payment.

    Args:
        core: books both sides.
        clock: an order arrives at once.
        names: tells who holds an account of this bank.
    """

    def __init__(self, core: CoreBank, clock: Clock, names: Names) -> None:
        self.caps = RailCaps(
            rail=RAIL,
            schemes=frozenset({OWN, INTERNAL}),
            settles=Settles.ATOMIC,
            native_idempotency=core.caps.native_idempotency,
        )
        self._core = core
        self._clock = clock
        self._names = names

    def address_of(
        self, number: str, bank_code: str, *, ours: bool
    ) -> PayeeAddress | None:
        """Take every account of this bank, and no other."""
        if not ours:
            return None
        return PayeeAddress(scheme=INTERNAL, number=number, bank_code=bank_code)

    async def resolve_payee(self, address: PayeeAddress) -> PayeeName:
        """Name the holder of an account of this bank.

        Raises:
            NotFound: no such account here.
        """
        found = await self._names(address)
        if found is None:
            raise NotFound
        return found

    async def quote(self, order: PaymentOrder) -> RailQuote:
        """Free of charge, and there at once."""
        return RailQuote(Money(0, order.amount.currency), self._clock.now())

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

        A core without native idempotency may not have seen an op that is still on its
        way: so say this rail's `caps`, and who asks waits (banking.md section 4.4).
        """
        outcome = await self._core.lookup(op, OpKind.TRANSFER, context)
        match outcome:
            case Ok(Posting() as posting, provider_ref):
                return Ok(_settled(posting), provider_ref)
            case Ok():
                return Unknown("the core answers a transfer without a posting")
            case Rejected() | Unknown():
                return outcome
            case _:
                assert_never(outcome)

    def parse_callback(self, callback: Callback) -> list[RailEvent]:
        """Believe nobody: this rail answers at once and never calls.

        Raises:
            Forged: always.
        """
        del callback
        raise Forged("this rail never calls")

    async def close(self) -> None:
        """Nothing is open."""


def _settled(posting: Posting) -> RailAnswer:
    return RailAnswer(RailStatus.SETTLED, posting.booked_at)


async def connect(
    settings: Settings, *, core: CoreBank, clock: Clock, names: Names
) -> OnUs:
    """Open the rail over the core."""
    del settings
    return OnUs(core, clock, names)
