"""How a payment that waits for its customer ends without moving money.

Refused, cancelled, three wrong answers, or out of time: each is one transaction that
moves the payment, cancels its challenge and tells the customer's phones.
"""

from app import database, telemetry
from app.auth import denials
from app.auth.actor import Actor
from app.auth.challenges import Challenges
from app.auth.errors import ChallengeExpired
from app.auth.sessions import Sessions
from app.clock import Clock
from app.database import Tx
from app.errors import ErrorCode
from app.ids import ChallengeId, PaymentId
from app.payments import moves, news, records
from app.payments.errors import TooLate
from app.payments.history import History
from app.payments.lifecycle import Event, State
from app.payments.moves import Move
from app.payments.passage import Passage
from app.payments.payment import Payment, StepDetail, StepSource
from app.realtime.shots import AccountShot

_TRIES = 3  # wrong answers to all challenges of one payment (banking.md 4.1)


class Endings(History):
    """Ends waiting payments. Rows are locked payment first, then challenge."""

    def __init__(
        self,
        *,
        clock: Clock,
        passage: Passage,
        challenges: Challenges,
        sessions: Sessions,
    ) -> None:
        super().__init__(challenges=challenges)
        self._clock = clock
        self._passage = passage
        self._sessions = sessions

    async def refuse(self, actor: Actor, challenge: ChallengeId) -> Payment:
        """Let the customer say no to the approval: CANCELLED.

        Raises:
            ChallengeExpired: it is not pending any more, or not this device's.
        """
        payment = await self._subject(actor, challenge)
        if payment.state is State.CANCELLED:
            return payment
        account = await self._passage.account_of(payment)
        move = self._cancelling(StepDetail.REFUSED)

        async def work(tx: Tx) -> None:
            waiting = await moves.lock_waiting(tx, payment.id, move.at)
            await self._challenges.refuse(tx, actor, challenge)
            if waiting is None or not await self._moved(tx, waiting, move, account):
                raise ChallengeExpired
            news.by_customer(tx, actor, "payment.refused", waiting, move.at)

        await database.transaction(work, name="payments.refuse")
        return await self._now(payment.id)

    async def cancel(self, actor: Actor, payment: str) -> Payment:
        """Stop a payment before its approval, or soon after; again gives the same end.

        Raises:
            NotFound: no such payment of this customer.
            TooLate: it is on its way, or it ended otherwise.
        """
        async with denials.kept(actor, "payment.cancelled", self._clock, payment):
            found = await self._own(actor, payment)
            if found.state is State.CANCELLED:
                return found
            account = await self._passage.account_of(found)
            move = self._cancelling(StepDetail.CANCELLED)

            async def work(tx: Tx) -> None:
                await self._sessions.require_live(tx, actor)
                waiting = await moves.lock_cancellable(tx, found.id, move.at)
                if waiting is None:
                    raise TooLate(field=["id"])
                await self._challenges.cancel(tx, str(found.id))
                await self._moved(tx, waiting, move, account)
                news.by_customer(tx, actor, "payment.cancelled", waiting, move.at)

            await database.transaction(work, name="payments.cancel")
        return await self._now(found.id)

    async def halt(self, actor: Actor) -> int:
        """Cancel whatever waits, also for a review, of one who stopped everything.

        It could not be approved any more: the emergency stop cancelled the challenges
        and ended the sessions. One payment that fails keeps no other: what is left of
        it ends by its time, or when its turn comes. Gives how many payments ended.

        Raises:
            Outage: the database is away; again ends what is left.
        """
        ended = 0
        for payment in await records.waiting(actor.known_customer):
            try:
                ended += await self._halted(actor, payment)
            except Exception:  # noqa: BLE001  -- a loop's frame: one payment must not keep the others
                telemetry.log.exception("payment_not_halted", payment=str(payment))
        return ended

    async def _halted(self, actor: Actor, payment: PaymentId) -> bool:
        account = await self._passage.account_of(await self._now(payment))
        move = self._cancelling(StepDetail.CANCELLED)

        async def work(tx: Tx) -> bool:
            waiting = await moves.lock_cancellable(tx, payment, move.at)
            if waiting is None:
                return False
            await self._challenges.cancel(tx, str(payment))
            await self._moved(tx, waiting, move, account)
            news.by_customer(tx, actor, "payment.cancelled", waiting, move.at)
            return True

        return await database.transaction(work, name="payments.halt")

    async def expire(self, payment: PaymentId) -> None:
        """End a payment nobody approved, or decided about, in time; else nothing."""
        found = await self._now(payment)
        account = await self._passage.account_of(found)
        now = self._clock.now()

        async def work(tx: Tx) -> None:
            late = await moves.lock_late(tx, payment, now)
            if late is None:
                return
            held = late.state is State.HELD_FOR_REVIEW
            move = Move(
                event=Event.TIME_RAN_OUT,
                at=now,
                source=StepSource.CLOCK,
                detail=StepDetail.NOT_DECIDED_IN_TIME
                if held
                else StepDetail.NOT_APPROVED_IN_TIME,
            )
            await self._challenges.cancel(tx, str(payment))
            await self._moved(tx, late, move, account)
            news.by_bank(tx, "payment.expired", late, now, "payments.expiry")

        await database.transaction(work, name="payments.expire")

    def _cancelling(self, detail: StepDetail) -> Move:
        return Move(
            event=Event.CANCELLED,
            at=self._clock.now(),
            source=StepSource.CUSTOMER,
            detail=detail,
        )

    async def _wrong(
        self, actor: Actor, payment: Payment, account: AccountShot
    ) -> None:
        """Count a wrong answer; the third over all challenges ends the payment."""
        now = self._clock.now()
        move = Move(
            event=Event.ANSWERS_FAILED,
            at=now,
            source=StepSource.CUSTOMER,
            detail=StepDetail.TOO_MANY_ANSWERS,
            code=ErrorCode.CHALLENGE_FAILED,
        )

        async def work(tx: Tx) -> None:
            counted = await moves.count_failed_answer(tx, payment.id)
            if counted is None or counted.failed_answers < _TRIES:
                return
            await self._challenges.cancel(tx, str(payment.id))
            await self._moved(tx, counted, move, account)
            news.by_customer(tx, actor, "payment.declined", counted, now)

        await database.transaction(work, name="payments.wrong_answer")

    async def _moved(
        self, tx: Tx, payment: Payment, move: Move, account: AccountShot
    ) -> bool:
        """Make a move and tell it; False when the payment is elsewhere by now."""
        moved = await moves.move(tx, payment, move)
        if moved is not None:
            news.tell(tx, *moved, account)
        return moved is not None
