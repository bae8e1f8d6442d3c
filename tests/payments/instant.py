"""An instant rail to other banks in memory: it knows names, and settles at once."""

from datetime import timedelta

from app.clock import StoppedClock
from app.errors import NotFound, Outage
from app.integrations.core_banking import OpContext
from app.integrations.outcome import Ok, OpRef, Outcome, PortCode, Rejected
from app.integrations.rails import (
    Callback,
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
from app.integrations.rails.imps import wire
from app.integrations.webhooks import Forged
from app.money import zero

IFSC = "SAND0000001"
DEV, CLOSE, NOBODY, SILENT = (
    "409900000001",
    "409900000090",
    "409900000000",
    "4099000099",
)
NAMES = {DEV: "Dev Malhotra", CLOSE: "Closs Match"}


class Instant:
    """A rail that tests take away, and whose words they write themselves."""

    def __init__(self, clock: StoppedClock) -> None:
        self.caps = RailCaps(
            rail="IMPS",
            schemes=frozenset({"IMPS"}),
            settles=Settles.TWO_PHASE,
            max_minor=50_000_000,
            currency="INR",
        )
        self._clock = clock
        self.away = False
        self.mute = False  # no bank tells a name
        self.names = dict(NAMES)
        self.orders: dict[OpRef, PaymentOrder] = {}
        self.asked: list[PayeeAddress] = []
        self.events: list[RailEvent] = []

    def address_of(
        self, number: str, bank_code: str, *, ours: bool
    ) -> PayeeAddress | None:
        return wire.address_of(number, bank_code, ours=ours)

    async def resolve_payee(self, address: PayeeAddress) -> PayeeName:
        self.asked.append(address)
        if self.away or self.mute or address.number == SILENT:
            raise Outage("the payee's bank does not answer", component="TRANSFERS")
        if address.number not in self.names:
            raise NotFound
        name = self.names[address.number]
        return PayeeName(name=name, masked=f"{name[:2]}***", bank_name="Sandbox Bank")

    async def quote(self, order: PaymentOrder) -> RailQuote:
        if self.away:
            raise Outage("away", component="TRANSFERS")
        arrives = self._clock.now() + timedelta(seconds=30)
        return RailQuote(zero(order.amount.currency), arrives)

    async def submit(self, op: OpRef, order: PaymentOrder) -> Outcome[RailAnswer]:
        self.orders[op] = order
        return Ok(RailAnswer(RailStatus.ACCEPTED, self._clock.now()), "632612000001")

    async def status(self, op: OpRef, context: OpContext) -> Outcome[RailAnswer]:
        del context
        if op not in self.orders:
            return Rejected(PortCode.NEVER_SEEN)
        return Ok(RailAnswer(RailStatus.ACCEPTED, self._clock.now()), "632612000001")

    def parse_callback(self, callback: Callback) -> list[RailEvent]:
        if not self.events:
            raise Forged("nothing was said")
        del callback
        return self.events

    async def close(self) -> None:
        """Nothing is open."""
