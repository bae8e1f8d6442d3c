"""The bank's central story: a payment is created, approved, carried out, ended.

    create    T1  key, payment, challenge, limits, risk      -> AWAITING_AUTHORISATION
    approve   T2  the try is given back, the challenge is
                  used up                                    -> APPROVED
    advance       over an atomic rail:
              T3  lease, TRANSFER PENDING                    -> SUBMITTING
                  the core books, outside any transaction
              T4  its outcome                                -> SETTLED | DECLINED
                  over a two-phase rail:
              T3  lease, HOLD PENDING                        -> HOLDING
              T4  its outcome, SUBMIT PENDING                -> SUBMITTING | DECLINED
              T5  the rail's word, CAPTURE|RELEASE PENDING   -> IN_FLIGHT, then
                                                                CAPTURING | RELEASING
              T6  its outcome                                -> SETTLED | FAILED

Each T is one transaction, but where the customer has no time to undo, T2 and T3 are
one. A crash between any two lines leaves a row with a lease, and whoever finds the
lease run out asks the core first. Rows are locked in one order: idempotency, payment,
challenge, phone, limits. Source: banking.md section 4.3.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Self

from app import database, telemetry
from app.auth import denials
from app.auth.actor import Actor
from app.auth.challenge import (
    Answer,
    Challenge,
    FactorResponse,
)
from app.auth.challenges import Challenges
from app.auth.errors import (
    AnsweredByTwin,
    ChallengeExpired,
    ChallengeFailed,
    InvalidCredential,
)
from app.auth.sessions import Sessions
from app.auth.signing import Purpose
from app.auth.throttle import Throttle
from app.clock import Clock
from app.database import Tx
from app.errors import NotAllowed
from app.ids import ChallengeId, PaymentId
from app.payments import approval, decisions, moves, news, records
from app.payments.creation import Creation
from app.payments.draft import PayeeFacts
from app.payments.endings import Endings
from app.payments.intake import Intake
from app.payments.lifecycle import Event, State, Status
from app.payments.limits import Limits
from app.payments.moves import Move
from app.payments.passage import Begun, Passage
from app.payments.payment import (
    Created,
    Payment,
    PaymentRequest,
    StepDetail,
    StepSource,
)
from app.payments.screening import Screening
from app.realtime.shots import AccountShot
from app.settings import Settings

_WAIT_S = 2.0  # how long a customer who approved waits for the end (banking.md 4.3)
_LOOK_S = 0.02  # how soon one looks at what another process is doing, then ever later
_LOOK_LONGEST_S = 0.25  # still seen within a blink


_Task = asyncio.Task[Payment | None]
_Tasks = dict[PaymentId, _Task]
Carry = Callable[[], Awaitable[Payment | None]]


class Transfers(Endings):
    """Payments of customers, from the wish to the end.

    An async context manager: it owns what carries approved payments out, and leaving it
    waits for what is under way.
    """

    def __init__(  # noqa: PLR0913  -- one argument per collaborator
        self,
        *,
        settings: Settings,
        clock: Clock,
        intake: Intake,
        screening: Screening,
        limits: Limits,
        passage: Passage,
        challenges: Challenges,
        sessions: Sessions,
        throttle: Throttle,
    ) -> None:
        super().__init__(
            clock=clock, passage=passage, challenges=challenges, sessions=sessions
        )
        self._settings = settings
        self._intake = intake
        self._limits = limits
        self._throttle = throttle
        self._creation = Creation(
            settings=settings,
            clock=clock,
            intake=intake,
            screening=screening,
            limits=limits,
            challenges=challenges,
            sessions=sessions,
        )
        self._under_way = asyncio.TaskGroup()
        self._running: _Tasks = {}
        self._watched: _Tasks = {}

    async def __aenter__(self) -> Self:
        await self._under_way.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._under_way.__aexit__(kind, failure, trace)

    # -------------------------------------------------------------- create

    async def create(self, actor: Actor, request: PaymentRequest) -> Created:
        """Create a payment that waits, for its customer or a review. Moves no money.

        Raises:
            IdempotencyKeyReused: the key was used with another body.
            Refusal: what `Intake.judged` and `Limits.reserve` say no to; nothing
                exists then.
            NotAllowed: this phone has no factor that could approve.
        """
        async with denials.kept(actor, "payment.created", self._clock):
            made = await self._creation.made(actor, request)
        if isinstance(made, PaymentId):
            return await self._replayed(made)
        return Created(made.payment, replayed=False, challenge=made.challenge)

    async def _replayed(self, payment: PaymentId) -> Created:
        found = await records.find(payment)
        assert found is not None, "the claim and its payment are one transaction"  # noqa: S101  -- our bug
        return Created(found, replayed=True)

    # -------------------------------------------------------------- approve

    async def approve(
        self,
        actor: Actor,
        challenge: ChallengeId,
        device_signature: str,
        response: FactorResponse,
        *,
        known: Challenge | None = None,
    ) -> Payment:
        """Take the customer's approval and carry the payment out.

        Waits up to two seconds for the end, then gives the payment as it is. The
        byte-identical answer again gives the payment as it is now and counts nothing.

        Args:
            actor: whose device answers.
            challenge: what is answered.
            device_signature: of the device key over `M`.
            response: exactly one factor.
            known: the challenge, where the caller has just read it.

        Raises:
            ChallengeExpired: too old, answered with other bytes, or not this device's.
            ChallengeFailed, InvalidCredential: wrong; the third one ends the payment.
            CredentialLocked: no try is left on this phone.
            RateLimited: too many answers of this device.
        """
        await self._throttle.respond(actor)
        payment = await self._subject(actor, challenge, known)
        account = await self._passage.account_of(payment)
        begun: list[tuple[Payment, _Task | None]] = []

        async def effect(answer: Answer) -> None:
            done, task = await self._approved(actor, payment, answer, account), None
            if done.taken is not None:  # though who asked may be gone by now
                carry = partial(self._passage.carry, done.taken, account)
                work = partial(self._carried, carry)
                task = self._begun(self._running, payment.id, work)
            begun.append((done.payment, task))

        try:
            answer = await self._challenges.verify(
                actor,
                challenge,
                device_signature,
                response,
                purpose=Purpose.PAYMENT,
                effect=effect,
            )
        except AnsweredByTwin:  # sent twice at once, and the other one was faster
            return await self._followed(payment.id)
        except (ChallengeFailed, InvalidCredential) as wrong:
            if not (isinstance(wrong, InvalidCredential) and wrong.repeated):
                await self._wrong(actor, payment, account)
            raise
        if answer.repeated:
            return await self._followed(payment.id)
        ((approved, task),) = begun
        if task is None:
            return approved
        return await _waited(task) or await self._now(payment.id)

    async def _approved(
        self, actor: Actor, payment: Payment, answer: Answer, account: AccountShot
    ) -> Begun:
        """T2, and T3 where there is no time to undo."""
        self._intake.require_open()
        now = self._clock.now()
        move = Move(
            event=Event.APPROVED,
            at=now,
            source=StepSource.CUSTOMER,
            detail=StepDetail.APPROVED,
        )

        async def work(tx: Tx) -> Begun:
            begun = await self._passage.begun(tx, payment, move, account)
            await self._sessions.require_live(tx, actor)
            await self._challenges.consume(tx, answer)
            if begun is None:
                raise ChallengeExpired
            news.by_customer(tx, actor, "payment.approved", payment, now)
            return begun

        return await database.transaction(work, name="payments.approve")

    async def _carried_out(self, payment: PaymentId, carry: Carry) -> Payment:
        """Carry a payment out; after two seconds it goes on without the customer."""
        left = await self._shared(self._running, payment, partial(self._carried, carry))
        return left or await self._now(payment)

    async def _carried(self, carry: Carry, payment: PaymentId) -> Payment | None:
        """Carry out in the background; what fails here is found by the worker."""
        try:
            return await carry()
        except Exception:  # noqa: BLE001  -- a loop's frame: one payment must not end the others
            telemetry.log.exception("payment_left_to_worker", payment=str(payment))
            return None

    async def _followed(self, payment: PaymentId) -> Payment:
        """Look on while somebody else carries the payment out, as long as a twin.

        One that nobody began to carry out, because the process before died, is begun.
        """
        found = await self._now(payment)
        if found.state is State.APPROVED or payment in self._running:
            advance = partial(self._passage.advance, payment)
            return await self._carried_out(payment, advance)
        if found.status is not Status.SUBMITTED:
            return found
        await self._shared(self._watched, payment, self._seen_through)
        return await self._now(payment)

    async def _seen_through(self, payment: PaymentId) -> None:
        """Look, ever later, at what another process does; one look serves all twins."""
        pause_s = _LOOK_S
        try:
            async with asyncio.timeout(_WAIT_S):
                while (await self._now(payment)).status is Status.SUBMITTED:
                    await asyncio.sleep(pause_s)
                    pause_s = min(pause_s * 2, _LOOK_LONGEST_S)
        except TimeoutError:
            return  # the customer is told that it is under way
        except Exception:  # noqa: BLE001  -- same frame as above
            telemetry.log.exception("payment_not_seen", payment=str(payment))

    async def _shared(
        self,
        tasks: _Tasks,
        payment: PaymentId,
        work: Callable[[PaymentId], Coroutine[None, None, Payment | None]],
    ) -> Payment | None:
        """Wait for the one task that twins of a payment share."""
        return await _waited(self._begun(tasks, payment, work))

    def _begun(
        self,
        tasks: _Tasks,
        payment: PaymentId,
        work: Callable[[PaymentId], Coroutine[None, None, Payment | None]],
    ) -> _Task:
        task = tasks.get(payment)
        if task is None:
            task = self._under_way.create_task(work(payment))
            tasks[payment] = task
            task.add_done_callback(lambda _done: tasks.pop(payment, None))
        return task

    # -------------------------------------------------------------- renew

    async def renew(self, actor: Actor, payment: str) -> Payment:
        """Mint a new challenge for an unchanged payment, for the caller's device.

        The old one is cancelled; wrong answers given before still count.

        Raises:
            NotFound: no such payment of this customer.
            NotAllowed: it waits for no approval any more, or this phone has nothing
                that could approve it.
            LimitExceeded, CoolingPeriod: this phone may pay less than the one before,
                or what could approve it is still young.
            RateLimited: too many challenges of this device.
        """
        await self._throttle.respond(actor)
        async with denials.kept(actor, "payment.renewed", self._clock, payment):
            found = await self._own(actor, payment)
            payee = await self._intake.payee_of(actor, found.destination)
            return await database.transaction(
                lambda tx: self._renewed(tx, actor, found.id, payee),
                name="payments.renew",
            )

    async def _renewed(
        self, tx: Tx, actor: Actor, payment: PaymentId, payee: PayeeFacts
    ) -> Payment:
        now = self._clock.now()
        await self._sessions.require_live(tx, actor)
        waiting = await moves.lock_waiting(tx, payment, now)
        if waiting is None or waiting.authorise_by is None:
            raise NotAllowed("This payment waits for no approval.", field=["id"])
        left_s = int((waiting.authorise_by - now).total_seconds())
        life_s = max(1, min(self._settings.approval_s, left_s))
        risky = await decisions.is_risky(tx, payment)
        wish = approval.wish(actor, waiting, payee, life_s, risky=risky)
        challenge = await self._challenges.create(tx, actor, wish)
        renewed = await moves.renew(
            tx, payment, actor.known_device, challenge.id, challenge.binding_hash
        )
        assert renewed is not None, "the row is locked"  # noqa: S101  -- our bug
        await self._limits.reserve(tx, actor, renewed, again=True)
        news.by_customer(tx, actor, "payment.renewed", renewed, now)
        return renewed


async def _waited(task: _Task) -> Payment | None:
    """Wait two seconds at most; the task goes on."""
    done, _ = await asyncio.wait({task}, timeout=_WAIT_S)
    return task.result() if done else None
