"""What a customer changes about the phones: name, lock, unlock, remove (auth.md 3.8).

Refusals come before the approval, so that nobody signs what will be refused, and are
asked again in the transaction of the effect. What is done already is answered as done:
a lost answer costs no second approval.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from app import audit, database
from app.auth import alerts, cooling
from app.auth.actor import Actor, DeviceState, LockReason
from app.auth.device import COLUMNS, Device, read_device
from app.auth.device_moves import DeviceMoves, Held, Phones, Telling
from app.auth.device_states import NOT_THE_CUSTOMERS, DeviceEvent
from app.auth.errors import TooManyDevices
from app.auth.sessions import Sessions
from app.auth.step_up import StepUps, StepUpWish
from app.clock import Clock
from app.database import Tx
from app.errors import NotAllowed, NotFound, ValidationFailed
from app.ids import DeviceId
from app.settings import Settings

_NAME_MAX = 64
_REMOVED = "This phone was removed."
_OWN = "This is the phone you are holding."

Effect = Callable[[Tx, Phones], Awaitable[None]]


class DeviceChanges:
    """Names, locks, unlocks and removes phones for their customer.

    Args:
        clock: the bank's clock.
        settings: how many phones there may be.
        moves: writes what happens to a phone.
        sessions: re-reads the caller's session where something moves.
        step_ups: asks for the approvals.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        settings: Settings,
        moves: DeviceMoves,
        sessions: Sessions,
        step_ups: StepUps,
    ) -> None:
        self._clock = clock
        self._places = settings.devices_max
        self._moves = moves
        self._sessions = sessions
        self._step_ups = step_ups

    async def rename(self, actor: Actor, device: DeviceId, name: str) -> Device:
        """Give a phone another name, 1..64 characters.

        Raises:
            ValidationFailed: the name is empty or too long.
            NotFound: no such phone of this customer.
            NotAllowed: it was removed.
        """
        chosen = name.strip()
        if not 0 < len(chosen) <= _NAME_MAX:
            raise ValidationFailed(field=["name"])
        _require_bound(await self._find(actor, device))

        async def work(tx: Tx) -> None:
            phones = await self._moves.hold(tx, actor.known_customer)
            await self._sessions.require_live(tx, actor)
            held = _among(phones, device)
            await tx.rows(
                "UPDATE device SET name = $2 WHERE id = $1 RETURNING id", device, chosen
            )
            renamed = replace(held, device=replace(held.device, name=chosen))
            await self._moves.write(tx, renamed, held.standing)
            audit.append(tx, self._teller(actor)("device.renamed", device, {}))

        await database.transaction(work, name="auth.device_rename")
        return await self._find(actor, device)

    async def lock(self, actor: Actor, device: DeviceId) -> Device:
        """Suspend another phone: sessions end, keys stay. A COOLING one may, too.

        Raises:
            NotFound: no such phone of this customer.
            NotAllowed: it is the caller's own, or was removed.
            StepUpRequired: the approval that is needed.
        """
        found = _require_bound(await self._other(actor, device))
        if found.state is DeviceState.LOCKED:
            return found

        async def effect(tx: Tx, phones: Phones) -> None:
            held = _among(phones, device)
            by = actor.known_device
            to = self._moves.moved(held, DeviceEvent.SUSPENDED, by)
            if to is None:
                return
            await self._moves.lock(tx, held, to)
            told = self._teller(actor)("device.locked", device, {"reason": "SUSPENDED"})
            alerts.tell(tx, told, f"{found.name} was locked from another phone.")

        await self._approved(actor, "deviceLock", f"Lock {found.name}", effect, device)
        return await self._find(actor, device)

    async def unlock(self, actor: Actor, device: DeviceId) -> Device:
        """End a lock of another phone; it goes on cooling where it did.

        Raises:
            NotFound: no such phone of this customer.
            NotAllowed: removed, or locked by the bank or the emergency stop.
            CoolingPeriod: the caller's own phone is COOLING.
            TooManyDevices: a replaced phone has no place any more.
            StepUpRequired: the approval that is needed.
        """
        found = _require_bound(await self._other(actor, device))
        if found.state is not DeviceState.LOCKED:
            return found
        if found.lock_reason in NOT_THE_CUSTOMERS:
            raise NotAllowed("Only the bank or a new enrolment ends this lock.")
        await cooling.require_cooled(actor, "deviceUnlock", self._clock.now())

        async def effect(tx: Tx, phones: Phones) -> None:
            await self._unlock(tx, actor, phones, _among(phones, device))

        title = f"Unlock {found.name}"
        await self._approved(actor, "deviceUnlock", title, effect, device, cooled=True)
        return await self._find(actor, device)

    async def revoke(self, actor: Actor, device: DeviceId) -> Device:
        """Remove another phone for good; a removed one is answered as it is.

        Raises:
            NotFound: no such phone of this customer.
            NotAllowed: it is the caller's own.
            CoolingPeriod: the caller's own phone is COOLING.
            StepUpRequired: the approval that is needed.
        """
        found = await self._other(actor, device)
        if found.state is DeviceState.REVOKED:
            return found
        await cooling.require_cooled(actor, "deviceRevoke", self._clock.now())

        async def effect(tx: Tx, phones: Phones) -> None:
            if device in phones:
                await self._revoke(tx, actor, phones, phones[device])

        title = f"Remove {found.name}"
        await self._approved(actor, "deviceRevoke", title, effect, device, cooled=True)
        return await self._find(actor, device)

    async def revoke_others(self, actor: Actor) -> list[Device]:
        """Remove every phone but the caller's; gives those that went.

        Raises:
            CoolingPeriod: the caller's own phone is COOLING.
            StepUpRequired: the approval that is needed.
        """
        own = actor.known_device
        rows = await database.read(
            "SELECT id FROM device WHERE customer_id = $1 AND id <> $2 "
            "AND state <> 'REVOKED'",
            actor.known_customer,
            own,
        )
        await cooling.require_cooled(actor, "devicesRevokeOthers", self._clock.now())
        if not rows:
            return []
        gone: list[Device] = []

        async def effect(tx: Tx, phones: Phones) -> None:
            names = [name for name in phones if name != own]
            gone[:] = [
                await self._revoke(tx, actor, phones, phones[name]) for name in names
            ]

        title = "Remove all other phones"
        await self._approved(actor, "devicesRevokeOthers", title, effect, cooled=True)
        return gone

    async def forget(self, actor: Actor) -> DeviceId:
        """Remove the caller's own phone: it only takes rights away."""
        own = actor.known_device

        async def work(tx: Tx) -> None:
            phones = await self._moves.hold(tx, actor.known_customer)
            if own in phones:
                await self._revoke(tx, actor, phones, phones[own], by_itself=True)

        await database.transaction(work, name="auth.device_forget")
        return own

    # -------------------------------------------------------------- inside

    async def _find(self, actor: Actor, device: DeviceId) -> Device:
        row = await database.read_one(
            f"SELECT {COLUMNS} FROM device WHERE id = $1 AND customer_id = $2",  # noqa: S608  -- our own column list
            device,
            actor.known_customer,
        )
        if row is None:
            raise NotFound(field=["id"])
        return read_device(row, self._clock.now())

    async def _other(self, actor: Actor, device: DeviceId) -> Device:
        found = await self._find(actor, device)
        if device == actor.known_device:
            raise NotAllowed(_OWN, field=["id"])
        return found

    async def _approved(
        self,
        actor: Actor,
        operation: str,
        summary: str,
        effect: Effect,
        device: DeviceId | None = None,
        *,
        cooled: bool = False,
    ) -> None:
        """Ask for the approval, use it up and do what was approved, all or nothing."""
        wish = StepUpWish(
            operation=operation,
            input={} if device is None else {"id": str(device)},
            summary=summary,
            sensitive=True,
        )
        grant = await self._step_ups.require(actor, wish)

        async def work(tx: Tx) -> None:
            phones = await self._moves.hold(tx, actor.known_customer)
            await self._step_ups.consume(tx, grant)
            if cooled:
                now = self._clock.now()
                await cooling.require_cooled_inside(tx, actor.known_device, now)
            await effect(tx, phones)

        await database.transaction(work, name=f"auth.{operation}")

    async def _unlock(self, tx: Tx, actor: Actor, phones: Phones, held: Held) -> None:
        to = self._moves.moved(held, DeviceEvent.UNLOCKED)
        if to is None and held.standing.is_locked_for(*NOT_THE_CUSTOMERS):
            raise NotAllowed("Only the bank or a new enrolment ends this lock.")
        if to is None:
            return
        taken = sum(one.counts for one in phones.values())
        if held.standing.is_locked_for(LockReason.REPLACED) and taken >= self._places:
            raise TooManyDevices
        device = await self._moves.write(tx, held, to)
        told = self._teller(actor)("device.unlocked", device.id, {})
        alerts.tell(tx, told, f"{device.name} was unlocked.")

    async def _revoke(
        self,
        tx: Tx,
        actor: Actor,
        phones: Phones,
        held: Held,
        *,
        by_itself: bool = False,
    ) -> Device:
        told = self._teller(actor)
        if by_itself:
            audit.append(tx, told("device.forgotten", held.device.id, {}))
        title = f"{held.device.name} was removed."
        return await self._moves.revoke(tx, phones, held, told, title)

    def _teller(self, actor: Actor) -> Telling:
        now = self._clock.now()

        def told(action: str, of: DeviceId, detail: Mapping[str, str]) -> audit.Entry:
            return actor.entry(action, now, object=str(of), detail=dict(detail))

        return told


def _require_bound(device: Device) -> Device:
    if device.state is DeviceState.REVOKED:
        raise NotAllowed(_REMOVED, field=["id"])
    return device


def _among(phones: Phones, device: DeviceId) -> Held:
    """Give a phone that was there a moment ago.

    Raises:
        NotAllowed: it was removed meanwhile.
    """
    held = phones.get(device)
    if held is None:
        raise NotAllowed(_REMOVED, field=["id"])
    return held
