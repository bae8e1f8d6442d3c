"""What rails tell us unasked: believed, kept once, handled by a worker.

The web process verifies a call and stores it sealed; nothing moves there. A worker then
brings each word to the payment by the legal moves, so duplicates, late words and words
in another order do no harm. Source: banking.md sections 4.1 and 6.8.
"""

import base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

import orjson

from app import database, retention, telemetry
from app.clock import Clock, rfc3339
from app.database import Tx
from app.errors import NotFound
from app.ids import uuid7
from app.integrations.outcome import PortCode
from app.integrations.rails import (
    Callback,
    PaymentRail,
    RailAnswer,
    RailEvent,
    RailStatus,
)
from app.integrations.webhooks import Expired, Forged
from app.money import Money
from app.rows import Row
from app.vault import Vault

BATCH = 50
_AGAIN_S_MAX = 600
_SEALED = "inbound_event"
_FINAL = frozenset({RailStatus.SETTLED, RailStatus.REJECTED, RailStatus.RETURNED})


class Taken(StrEnum):
    """What became of a call."""

    TAKEN = "TAKEN"
    DUPLICATE = "DUPLICATE"


class Hears(Protocol):
    """What applies a rail's word to its payment, again and again without harm."""

    async def heard(self, event: RailEvent) -> None:
        """Apply one word."""
        ...

    async def disputed(self, event: RailEvent) -> None:
        """Call for staff: the word is about another amount than was asked for."""
        ...


class Callbacks:
    """The calls of every rail.

    Args:
        clock: judges how old a call is.
        vault: seals the bodies at rest.
        rails: by their names in the contract; each verifies its own calls.
        hears: applies a word to its payment.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        vault: Vault,
        rails: Mapping[str, PaymentRail],
        hears: Hears,
    ) -> None:
        self._clock = clock
        self._vault = vault
        self._rails = rails
        self._hears = hears

    async def take(
        self, provider: str, headers: Mapping[str, str], body: bytes
    ) -> Taken:
        """Verify a call and keep it; the same event again changes nothing.

        Args:
            provider: name of the rail, as the contract has it.
            headers: names in lower case.
            body: as it came.

        Raises:
            NotFound: no such rail here.
            Forged: not signed by that rail, or not in its form; counted.
            Expired: signed too long ago; counted.
            Outage: the database is away: the rail calls again.
        """
        rail = self._rails.get(provider)
        if rail is None:
            raise NotFound
        now = self._clock.now()
        try:
            events = rail.parse_callback(Callback(headers, body, now))
        except (Forged, Expired) as no:
            why = "expired" if isinstance(no, Expired) else "forged"
            telemetry.callbacks.labels(provider, why).inc()
            telemetry.log.warning("callback_refused", partner=provider, cause=no.cause)
            raise
        fresh = await self._kept(provider, events, body, now) if events else False
        telemetry.callbacks.labels(provider, "taken" if fresh else "again").inc()
        return Taken.TAKEN if fresh else Taken.DUPLICATE

    async def turn(self) -> int:
        """Handle what is due; gives how many calls were looked at.

        Raises:
            Outage: the database is away; the next turn finds the same calls.
        """
        rows = await database.read(
            "SELECT id, provider, body_enc, tries FROM inbound_event "
            "WHERE handled_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT $2",
            self._clock.now(),
            BATCH,
        )
        for row in rows:
            await self._handled(row)
        return len(rows)

    async def _kept(
        self, provider: str, events: list[RailEvent], body: bytes, now: datetime
    ) -> bool:
        row = uuid7()
        told = {"body": _text(body), "events": [_written(one) for one in events]}
        sealed = self._vault.seal(_SEALED, str(row), orjson.dumps(told))

        async def work(tx: Tx) -> bool:
            made = await tx.one(
                "INSERT INTO inbound_event "
                "(id, provider, event_id, body_enc, received_at, due_at) "
                "VALUES ($1, $2, $3, $4, $5, $5) "
                "ON CONFLICT (provider, event_id) DO NOTHING RETURNING id",
                row,
                provider,
                events[0].event_id,
                sealed,
                now,
            )
            return made is not None

        return await database.transaction(work, name="payments.callback")

    async def _handled(self, row: Row) -> None:
        """Apply one call; one that fails waits, and keeps no other waiting."""
        number, tries = row.get("id", UUID), row.get("tries", int)
        try:
            sealed = row.get("body_enc", bytes)
            told = orjson.loads(self._vault.open(_SEALED, str(number), sealed))
            for event in map(_read, told["events"]):
                await self._brought(row.get("provider", str), event)
        except Exception:  # noqa: BLE001  -- the worker's loop: it is tried again later
            telemetry.log.exception("callback_failed", object=str(number))
            wait_s = min(_AGAIN_S_MAX, 2 ** min(tries, 10))
            await _put_off(number, self._clock.now() + timedelta(seconds=wait_s))
            return
        await _done(number, self._clock.now())

    async def _brought(self, provider: str, event: RailEvent) -> None:
        """Bring a word to its payment, if it is about an order of this rail."""
        asked = await _asked(provider, event.op)
        if asked is None:
            telemetry.log.error("callback_about_no_order", op_id=str(event.op))
        elif event.amount in {None, asked}:
            await self._hears.heard(event)
        else:
            telemetry.log.error("callback_names_another_amount", op_id=str(event.op))
            if event.answer.status in _FINAL:
                await self._hears.disputed(event)


async def prune(before: datetime, *, batch: int = retention.BATCH) -> int:
    """Forget calls that were handled before an instant, `batch` rows at a time.

    Gives how many went.
    """
    return await retention.forget(
        "DELETE FROM inbound_event WHERE id IN (SELECT id FROM inbound_event "
        "WHERE handled_at < $1 LIMIT $2) RETURNING id",
        before,
        name="payments.callbacks_pruned",
        batch=batch,
    )


async def _asked(provider: str, op: UUID) -> Money | None:
    """Give the amount of an order; None where this rail was given no such order."""
    row = await database.read_one(
        "SELECT p.amount, p.currency FROM payment_op o "
        "JOIN payment p ON p.id = o.payment_id WHERE o.id = $1 AND p.rail = $2",
        op,
        provider,
    )
    if row is None:
        return None
    return Money(row.get("amount", int), row.get("currency", str))


async def _done(number: UUID, at: datetime) -> None:
    async def work(tx: Tx) -> None:
        await tx.rows(
            "UPDATE inbound_event SET handled_at = $2 WHERE id = $1 RETURNING id",
            number,
            at,
        )

    await database.transaction(work, name="payments.callback_handled")


async def _put_off(number: UUID, until: datetime) -> None:
    async def work(tx: Tx) -> None:
        await tx.rows(
            "UPDATE inbound_event SET due_at = $2, tries = tries + 1 "
            "WHERE id = $1 RETURNING id",
            number,
            until,
        )

    await database.transaction(work, name="payments.callback_put_off")


# ------------------------------------------------------------------ kept words


def _text(body: bytes) -> str:
    """Keep the bytes as they came: a dispute may turn on them."""
    return base64.b64encode(body).decode()


def _written(event: RailEvent) -> dict[str, object]:
    answer = event.answer
    return {
        "op": str(event.op),
        "event_id": event.event_id,
        "status": answer.status,
        "at": rfc3339(answer.at),
        "expected_by": answer.expected_by and rfc3339(answer.expected_by),
        "code": answer.code,
        "provider_ref": event.provider_ref,
        "amount": event.amount and [event.amount.minor, event.amount.currency],
    }


def _read(kept: dict[str, str | None], /) -> RailEvent:
    amount, by = kept["amount"], kept["expected_by"]
    code = kept["code"]
    return RailEvent(
        op=UUID(kept["op"]),
        event_id=str(kept["event_id"]),
        answer=RailAnswer(
            RailStatus(str(kept["status"])),
            datetime.fromisoformat(str(kept["at"])),
            expected_by=None if by is None else datetime.fromisoformat(by),
            code=None if code is None else PortCode(code),
        ),
        provider_ref=kept["provider_ref"],
        amount=None if amount is None else Money(int(amount[0]), amount[1]),
    )
