"""The emergency stop: nothing of a customer works until a new enrolment (auth.md 3.8).

It needs a phone's key and no sign-in, because it only takes rights away; a phone that
is COOLING or LOCKED may call it too. Money under way stops through a port, because the
rooms of money stand above this one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from app import audit, database
from app.auth import alerts
from app.auth.actor import Actor
from app.auth.device_moves import DeviceMoves, Phones
from app.auth.device_states import DeviceEvent
from app.clock import Clock
from app.database import Tx

_TOLD = "Everything was locked: the emergency stop was used on one of your phones."


class Halt(Protocol):
    """A room that stops what a customer has under way."""

    async def halt(self, actor: Actor) -> int:
        """Stop it, after the customer was locked; gives how many things."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What the emergency stop did.

    Args:
        at: when.
        sessions: sign-ins that ended.
        devices: phones that stand locked by it now.
        payments: payments that waited for an approval and were cancelled.
    """

    at: datetime
    sessions: int
    devices: int
    payments: int


class Panics:
    """Locks a customer, every phone and every session.

    Args:
        clock: the bank's clock.
        moves: locks the phones.
        money: cancels the payments that wait.
    """

    def __init__(self, *, clock: Clock, moves: DeviceMoves, money: Halt) -> None:
        self._clock = clock
        self._moves = moves
        self._money = money

    async def lock(self, actor: Actor) -> Stopped:
        """Stop everything; again it changes nothing more.

        What waits for an approval cannot be approved from the commit on: its challenge
        is cancelled there. The payments themselves end right after.
        """
        now = self._clock.now()

        async def work(tx: Tx) -> tuple[int, int]:
            phones = await self._moves.hold(tx, actor.known_customer)
            await self._stop_customer(tx, actor)
            ended, fresh = await self._stop_phones(tx, phones)
            detail = {"phones": len(phones), "sessions": ended}
            self._tell(tx, actor, now, detail, fresh=fresh)
            return ended, len(phones)

        ended, locked = await database.transaction(work, name="auth.panic")
        payments = await self._money.halt(actor)
        return Stopped(at=now, sessions=ended, devices=locked, payments=payments)

    async def _stop_customer(self, tx: Tx, actor: Actor) -> None:
        """Lock the customer; a stronger lock of the bank's stays as it is."""
        await tx.rows(
            "UPDATE customer SET status = 'LOCKED_BY_CUSTOMER' "
            "WHERE id = $1 AND status = 'ACTIVE' RETURNING id",
            actor.known_customer,
        )
        # Whoever proved to be the customer before must do so again.
        await tx.rows(
            "UPDATE enrolment SET state = 'DEAD' WHERE customer_id = $1 "
            "AND state = 'IDENTITY_PROVEN' RETURNING id",
            actor.known_customer,
        )

    async def _stop_phones(self, tx: Tx, phones: Phones) -> tuple[int, bool]:
        """Lock every phone, the caller's too; gives ended sessions, and if any was."""
        ended, fresh = 0, False
        for held in phones.values():
            to = self._moves.moved(held, DeviceEvent.PANIC)
            if to is not None:
                ended += (await self._moves.lock(tx, held, to))[1]
                fresh = True
        return ended, fresh

    def _tell(
        self,
        tx: Tx,
        actor: Actor,
        now: datetime,
        detail: Mapping[str, int],
        *,
        fresh: bool,
    ) -> None:
        entry = actor.entry("customer.panic_locked", now, detail=dict(detail))
        if fresh:
            alerts.tell(tx, entry, _TOLD)
        else:
            audit.append(tx, entry)
