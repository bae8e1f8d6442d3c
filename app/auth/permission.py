"""Who may set a factor of a phone, and from when it counts in full (auth.md 1.3, 2.6).

The first factor is free for fifteen minutes after binding; later ones need a session
and an approval. What a passkey alone approved is young, and ends what was asked before.
"""

from datetime import datetime, timedelta

from app import database
from app.auth import factors
from app.auth.actor import Actor, Level
from app.auth.device import Device
from app.auth.step_up import Grant, StepUps, StepUpWish
from app.clock import Clock
from app.database import Tx
from app.errors import Forbidden, NotAllowed
from app.settings import Settings


class Permission:
    """Lets a factor be set: freely on a new phone, else by an approval.

    Args:
        clock: the bank's clock.
        settings: how long a factor set by a passkey alone is young.
        step_ups: asks for the approval.
    """

    def __init__(self, *, clock: Clock, settings: Settings, step_ups: StepUps) -> None:
        self._clock = clock
        self._young = timedelta(seconds=settings.cooling_s)
        self._step_ups = step_ups

    async def is_free(self, actor: Actor, device: Device) -> bool:
        """Tell whether this set would be the free first one.

        Ask before looking whether the same factor is set already: a twin of this call
        that commits in between is then recognised by that look.

        Args:
            actor: the phone, with or without a session.
            device: the same phone.
        """
        first = await database.read_one(factors.ANY, device.id) is None
        return first and (self._in_time(device) or actor.level < Level.LOGIN)

    async def grant(
        self, actor: Actor, wish: StepUpWish, *, free: bool
    ) -> Grant | None:
        """Decide between the two faces: the free first set, or an approved change.

        Args:
            actor: the phone, with or without a session.
            wish: the call, if it needs an approval.
            free: what `is_free` said.

        Raises:
            Forbidden: a factor exists and there is no session.
            StepUpRequired: the approval that is needed.
        """
        if free:
            return None
        if actor.level < Level.LOGIN:
            raise Forbidden(requiredLevel="LOGIN")
        return await self._step_ups.require(actor, wish)

    async def use(self, tx: Tx, device: Device, grant: Grant | None) -> datetime:
        """Use it up in the transaction that sets; gives when the factor counts in full.

        Args:
            tx: the transaction; the customer's turn is taken.
            device: the phone.
            grant: what `grant` gave; None is the free first set, looked at again here.

        Raises:
            Forbidden: another factor was faster.
            NotAllowed: the time for a first one is over.
            ChallengeExpired: the approval is too old or was used.
        """
        if grant is None:
            await self._require_first(tx, device)
            return self._clock.now()
        await factors.hold_wishes(tx, grant.actor.known_session)
        by = await self._step_ups.consume(tx, grant)
        now = self._clock.now()
        full_from = await factors.full_from(tx, device.id, by, now, self._young)
        await factors.void_wishes(tx, device.id, full_from, now)
        return full_from

    async def _require_first(self, tx: Tx, device: Device) -> None:
        if await factors.has_any(tx, device.id):
            raise Forbidden(requiredLevel="LOGIN")
        if not self._in_time(device):
            raise NotAllowed("Please enrol this phone again.")

    def _in_time(self, device: Device) -> bool:
        until = device.first_factor_until
        return until is not None and until > self._clock.now()
