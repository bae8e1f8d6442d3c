"""Factors renamed and removed; a phone keeps at least one (auth.md 1.3, 3.9, 6.3).

A COOLING phone removes none. What is removed is removed once: the same call of the same
session is told so again for five minutes, and the person approves nothing twice.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from app import audit, database
from app.auth import alerts, cooling, factors
from app.auth.actor import Actor, FactorKind
from app.auth.device import Device, of_caller
from app.auth.outcomes import Outcomes
from app.auth.passkey import COLUMNS as PASSKEY_COLUMNS
from app.auth.passkey import Passkey, read_passkey
from app.auth.sessions import Sessions
from app.auth.step_up import StepUps, StepUpWish
from app.clock import Clock
from app.database import Tx
from app.errors import NotAllowed, NotFound, ValidationFailed
from app.ids import PasskeyId

_LABEL_MAX = 64
_LAST = "This is the last way to sign in on a phone. Set another one first."

Step = Callable[[Tx], Awaitable[None]]


class FactorChanges:
    """Renames passkeys, and removes passkeys, mPINs and biometric keys.

    Args:
        clock: the bank's clock.
        sessions: re-reads the session where something moves.
        step_ups: asks for the approvals.
        outcomes: gives a lost answer again.
    """

    def __init__(
        self, *, clock: Clock, sessions: Sessions, step_ups: StepUps, outcomes: Outcomes
    ) -> None:
        self._clock = clock
        self._sessions = sessions
        self._step_ups = step_ups
        self._outcomes = outcomes

    async def rename_passkey(
        self, actor: Actor, passkey: PasskeyId, label: str
    ) -> Passkey:
        """Give a passkey another label, 1..64 characters.

        Raises:
            ValidationFailed: the label is empty or too long.
            NotFound: no such passkey of this customer.
        """
        chosen = label.strip()
        if not 0 < len(chosen) <= _LABEL_MAX:
            raise ValidationFailed(field=["label"])

        async def work(tx: Tx) -> Passkey:
            await self._sessions.require_live(tx, actor)
            row = await tx.one(
                "UPDATE passkey SET label = $3 WHERE id = $1 AND customer_id = $2 "  # noqa: S608  -- our own column list
                f"RETURNING {PASSKEY_COLUMNS}",
                passkey,
                actor.known_customer,
                chosen,
            )
            if row is None:
                raise NotFound(field=["id"])
            now, name = self._clock.now(), str(passkey)
            audit.append(tx, actor.entry("passkey.renamed", now, object=name))
            return read_passkey(row)

        return await database.transaction(work, name="auth.passkey_rename")

    async def remove_passkey(self, actor: Actor, passkey: PasskeyId) -> PasskeyId:
        """Remove a passkey of the customer; gives its id.

        Raises:
            NotFound: no such passkey of this customer.
            NotAllowed: a phone of the customer would be left without a factor.
            CoolingPeriod: this phone is COOLING.
            StepUpRequired: it must be approved, by mPIN or biometric key.
        """
        found = await self._passkey(actor, passkey)
        wish = _wish(
            "passkeyRemove",
            "Remove a passkey" if found is None else f"Remove passkey {found.label}",
            {"id": str(passkey)},
        )
        if found is None and await self._outcomes.find(actor, wish) is None:
            raise NotFound(field=["id"])

        async def require(tx: Tx) -> None:
            left = await factors.without_passkey(
                tx, actor.known_customer, passkey, self._clock.now()
            )
            if not left:
                raise NotAllowed(_LAST, field=["id"])

        async def effect(tx: Tx) -> None:
            gone = await tx.one(
                "DELETE FROM passkey WHERE id = $1 AND customer_id = $2 "
                "RETURNING label",
                passkey,
                actor.known_customer,
            )
            if gone is None:
                raise NotFound(field=["id"])
            entry = actor.entry("passkey.removed", self._clock.now())
            title = f"A passkey was removed: {gone.get('label', str)}."
            alerts.tell(tx, replace(entry, object=str(passkey)), title)

        await self._removed(actor, wish, require, effect)
        return passkey

    async def remove_mpin(self, actor: Actor) -> Device:
        """Remove the mPIN of the caller's phone, a locked one too.

        Raises:
            NotAllowed: there is none, or it is the last factor of this phone.
            CoolingPeriod: this phone is COOLING.
            StepUpRequired: it must be approved, by mPIN or biometric key.
        """
        device = await of_caller(actor, self._clock.now())

        async def effect(tx: Tx) -> None:
            gone = await tx.one(
                "DELETE FROM mpin_secret WHERE device_id = $1 RETURNING device_id",
                device.id,
            )
            if gone is None:
                raise NotAllowed("This phone has no PIN.")
            await _end_first_set(tx, device)
            entry = actor.entry("mpin.removed", self._clock.now())
            title = f"The PIN of {device.name} was removed."
            alerts.tell(tx, replace(entry, object=str(device.id)), title)

        wish = _wish("mpinRemove", f"Remove the PIN of {device.name}")
        require = self._require_other(actor, FactorKind.MPIN, "This phone has no PIN.")
        await self._removed(actor, wish, require, effect)
        return device

    async def remove_biometric(self, actor: Actor) -> Device:
        """Remove the biometric key of the caller's phone.

        Raises:
            NotAllowed: there is none, or it is the last factor of this phone.
            CoolingPeriod: this phone is COOLING.
            StepUpRequired: it must be approved, by mPIN or biometric key.
        """
        device = await of_caller(actor, self._clock.now())
        none = "Finger or face is not switched on for this phone."

        async def effect(tx: Tx) -> None:
            gone = await tx.one(
                "UPDATE device SET bio_jkt = NULL, bio_jwk = NULL, bio_failed = 0, "
                "bio_paused_until = NULL, bio_full_from = NULL, bio_set_at = NULL "
                "WHERE id = $1 AND bio_jkt IS NOT NULL RETURNING id",
                device.id,
            )
            if gone is None:
                raise NotAllowed(none)
            await _end_first_set(tx, device)
            entry = actor.entry("biometric_key.removed", self._clock.now())
            title = f"Finger or face was switched off for {device.name}."
            alerts.tell(tx, replace(entry, object=str(device.id)), title)

        wish = _wish(
            "biometricKeyRemove", f"Stop using finger or face on {device.name}"
        )
        require = self._require_other(actor, FactorKind.BIOMETRIC, none)
        await self._removed(actor, wish, require, effect)
        return device

    # -------------------------------------------------------------- inside

    async def _removed(
        self, actor: Actor, wish: StepUpWish, require: Step, effect: Step
    ) -> None:
        """Ask for the approval and do it once; the same call again is done already."""

        async def asked(tx: Tx) -> None:
            now = self._clock.now()
            await cooling.require_cooled_inside(tx, actor.known_device, now)
            await require(tx)

        async def act() -> Mapping[str, object]:
            await cooling.require_cooled(actor, wish.operation, self._clock.now())
            await database.transaction(asked, name=f"auth.{wish.operation}_ask")
            grant = await self._step_ups.require(actor, wish)

            async def work(tx: Tx) -> None:
                await factors.take_turn(tx, actor.known_customer)
                await self._step_ups.consume(tx, grant)
                await asked(tx)
                await effect(tx)
                await self._outcomes.keep(tx, grant, {})

            await database.transaction(work, name=f"auth.{wish.operation}")
            return {}

        await self._outcomes.once(actor, wish, act)

    def _require_other(self, actor: Actor, kind: FactorKind, none: str) -> Step:
        """Make the step that refuses to take the last factor, or one there is not."""

        async def require(tx: Tx) -> None:
            now, device = self._clock.now(), actor.known_device
            there = await factors.of_phone(tx, actor.known_customer, device, now)
            if kind not in there.kinds:
                raise NotAllowed(none)
            if not there.signing_in - {kind}:
                raise NotAllowed(_LAST)

        return require

    async def _passkey(self, actor: Actor, passkey: PasskeyId) -> Passkey | None:
        row = await database.read_one(
            f"SELECT {PASSKEY_COLUMNS} FROM passkey "  # noqa: S608  -- our own column list
            "WHERE id = $1 AND customer_id = $2",
            passkey,
            actor.known_customer,
        )
        return None if row is None else read_passkey(row)


def _wish(
    operation: str, summary: str, given: Mapping[str, object] | None = None
) -> StepUpWish:
    return StepUpWish(
        operation=operation, input=given or {}, summary=summary, sensitive=True
    )


async def _end_first_set(tx: Tx, device: Device) -> None:
    """Close the free way: a phone that removed a factor is no new one any more."""
    await tx.rows(
        "UPDATE device SET first_factor_until = NULL WHERE id = $1 RETURNING id",
        device.id,
    )
