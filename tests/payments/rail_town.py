"""A town whose payments go over a two-phase rail, and what its stories look at."""

from dataclasses import dataclass
from uuid import UUID

from app import database
from app.ids import PaymentId
from app.integrations.rails import RailAnswer, RailStatus
from app.payments.ops import Kind
from app.payments.payment import Payment
from tests.payments.faults import Faults, Track
from tests.payments.town import Town

ALL = 100_000  # what Asha has, in minor units


@dataclass(frozen=True, slots=True, kw_only=True)
class RailTown:
    """Asha and Ben, a two-phase rail between them, and the faults of the way."""

    town: Town
    track: Track
    faults: Faults

    async def pay(self, minor: int = 10_000) -> Payment:
        """Create a payment and approve it; what happens to it is the test's."""
        return await self.town.bank.pay(self.town.asha, self.town.to_ben(minor))

    async def now(self, payment: Payment) -> Payment:
        """Give a payment as it stands."""
        return await self.town.bank.now(payment.id)

    async def order(self, payment: Payment) -> UUID:
        """Give the id of a payment's newest order."""
        return (await ops_of(payment.id, Kind.SUBMIT))[-1][2]

    async def hear(self, payment: Payment, status: RailStatus | None = None) -> None:
        """Let the rail call: with what it knows, or with any word."""
        op = await self.order(payment)
        answer = None
        if status is not None:
            answer = RailAnswer(status, self.town.bank.clock.now())
        await self.town.bank.passage.heard(self.track.event(op, answer))

    async def pass_time(self, seconds: float) -> None:
        """Move the clock and let the worker take its turn."""
        self.town.bank.clock.move(seconds=seconds)
        await self.town.bank.jobs.turn()

    async def carried_through(self, payment: Payment, turns: int = 12) -> Payment:
        """Let the worker look until the payment has ended; gives it as it is then."""
        for _ in range(turns):
            if (await self.now(payment)).is_final:
                break
            await self.pass_time(601)
        return await self.now(payment)

    async def free(self) -> int:
        """Give what Asha may spend."""
        return await self.town.bank.available(self.town.current)

    async def steps(self, payment: Payment) -> list[tuple[str, str]]:
        """Give the timeline: who said what."""
        found = await self.town.bank.transfers.timelines([payment.id])
        return [(one.source.value, str(one.detail)) for one in found[payment.id]]


async def ops_of(
    payment: PaymentId, kind: Kind | None = None
) -> list[tuple[str, str, UUID]]:
    """Give a payment's operations in order: kind, outcome, id."""
    rows = await database.read(
        "SELECT kind, outcome, id FROM payment_op WHERE payment_id = $1 "
        "ORDER BY CASE kind WHEN 'HOLD' THEN 1 WHEN 'SUBMIT' THEN 2 "
        "WHEN 'CREDIT_BACK' THEN 4 ELSE 3 END, attempt",
        payment,
    )
    found = [
        (row.get("kind", str), row.get("outcome", str), row.get("id", UUID))
        for row in rows
    ]
    return [one for one in found if kind is None or one[0] == kind]


async def counted() -> tuple[int, int]:
    """Give what each limit has set aside and used, in all its windows together."""
    row = await database.read_one(
        "SELECT CAST(max(r.reserved) AS BIGINT) AS reserved, "
        "CAST(max(r.used) AS BIGINT) AS used FROM (SELECT sum(reserved) AS reserved, "
        "sum(used) AS used FROM limit_use GROUP BY rule_id) r"
    )
    if row is None:
        return 0, 0
    return row.find("reserved", int) or 0, row.find("used", int) or 0


async def open_holds() -> int:
    """Count the holds of the whole book that are neither taken nor freed."""
    row = await database.read_one(
        "SELECT count(*) AS n FROM ledger_hold WHERE state = 'OPEN'"
    )
    return 0 if row is None else row.get("n", int)
