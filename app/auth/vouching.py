"""OTHER_DEVICE: a phone of the customer answers for a new one (auth.md 3.2).

The new phone asks and asks again until it has its nonce. Each older ACTIVE phone gets a
challenge of its own that names model and network; it is answered, like everything
sensitive, with mPIN or biometric key. The first answer ends the others, a refusal ends
the enrolment, and an approval is used up only when the new phone is bound.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from app import audit, database
from app.auth import alerts, approval
from app.auth.actor import Actor, CustomerStatus
from app.auth.applicant import (
    Enrolment,
    EnrolmentState,
    OtherPhone,
    Proven,
    Reserved,
    find_live,
)
from app.auth.approval import Asking
from app.auth.challenge import Challenge, ChallengeState, FactorResponse
from app.auth.challenges import Challenges
from app.auth.directory import Directory, Listed
from app.auth.errors import (
    AnsweredByTwin,
    ChallengeExpired,
    EnrolmentExpired,
    InvalidCredential,
)
from app.auth.factors import take_turn
from app.auth.identification import Identification
from app.auth.otp import EnrolmentId
from app.auth.sessions import Sessions
from app.auth.signing import Purpose
from app.auth.throttle import Throttle
from app.clock import Clock
from app.database import Tx
from app.errors import RateLimited, Refusal
from app.ids import ChallengeId, CustomerId
from app.settings import Settings

_ENDED = {ChallengeState.CANCELLED, ChallengeState.FAILED}


class Vouching:
    """Carries the question from the new phone to the others, and the answer back.

    Args:
        clock: the bank's clock.
        settings: how long an approval may take.
        directory: finds the customer by number.
        identification: counts tries and gives nonces.
        challenges: makes and verifies what is signed.
        sessions: re-reads the session of the phone that answers.
        throttle: counts the answers.
    """

    def __init__(  # noqa: PLR0913  -- the composition root names them all
        self,
        *,
        clock: Clock,
        settings: Settings,
        directory: Directory,
        identification: Identification,
        challenges: Challenges,
        sessions: Sessions,
        throttle: Throttle,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._directory = directory
        self._identification = identification
        self._challenges = challenges
        self._sessions = sessions
        self._throttle = throttle

    # -------------------------------------------------------------- the new phone

    async def prove(
        self, actor: Actor, enrolment_id: EnrolmentId, given: OtherPhone
    ) -> Proven | None:
        """Ask the customer's other phones, or whether one has answered; None: not yet.

        Asking whether is no try. What nobody answered in its time may be asked again,
        as a further try.

        Raises:
            InvalidCredential: the number is wrong or does not fit the phone, no phone
                of the customer may vouch, or one refused: then the enrolment is over.
            RateLimited: they are asked for another new phone just now.
            EnrolmentExpired: too old, not that far, or three tries.
        """
        found = await find_live(
            enrolment_id,
            self._clock.now(),
            EnrolmentState.PHONE_PROVEN,
            EnrolmentState.IDENTITY_PROVEN,
            EnrolmentState.DEAD,
        )
        asked = self._identification.is_repeated(found, given)
        if found.state is EnrolmentState.DEAD:
            raise InvalidCredential if asked else EnrolmentExpired
        if asked and found.customer is not None:
            states = await approval.of_enrolment(
                found.customer, approval.name_of(found.id), self._clock.now()
            )
            if (said := states.get(ChallengeState.APPROVED)) is not None:
                ref = Reserved(kind=given.method.value, ref=said.value)
                return await self._identification.proven(
                    actor, found, given, found.customer, ref
                )
            if ChallengeState.PENDING in states:
                return None
            if _ENDED & states.keys():
                return await self._identification.not_proven(
                    actor, found, found.customer
                )
        return await self._ask(actor, found, given)

    # -------------------------------------------------------------- the other phones

    async def waiting(self, actor: Actor) -> list[Asking]:
        """Give the new phones that wait for this phone's answer, oldest first."""
        return await approval.of_device(actor.known_device, self._clock.now())

    async def answer(
        self,
        actor: Actor,
        challenge_id: ChallengeId,
        device_signature: str,
        response: FactorResponse,
    ) -> None:
        """Take the customer's yes; the other phones are asked no more.

        Raises:
            RateLimited: too many answers of this device.
            ChallengeExpired: too late, answered on another phone, or the new phone
                proved itself in another way.
            ChallengeFailed, InvalidCredential, CredentialLocked: as
                `Challenges.verify`.
        """
        await self._throttle.respond(actor)
        answer = await self._challenges.verify(
            actor,
            challenge_id,
            device_signature,
            response,
            purpose=Purpose.LOGIN_APPROVAL,
        )
        name = approval.named_in(answer.challenge)

        async def work(tx: Tx) -> None:
            await take_turn(tx, answer.customer)
            await self._sessions.require_live(tx, actor)
            await self._challenges.settle(tx, answer, ChallengeState.APPROVED)
            if await approval.waits_for(tx, answer.customer, name) is None:
                raise ChallengeExpired
            await approval.withdraw(tx, answer.customer, name)
            entry = actor.entry(
                "enrolment.approved_by_device",
                self._clock.now(),
                object=str(challenge_id),
            )
            audit.append(tx, entry)

        if not answer.repeated:
            with suppress(AnsweredByTwin):
                await database.transaction(work, name="auth.vouch")

    async def refuse(self, actor: Actor, challenge_id: ChallengeId) -> None:
        """Take the customer's no: the enrolment is over, on every phone.

        Raises:
            ChallengeExpired: it is not pending any more, or not this device's.
        """
        found = await self._challenges.find(actor, challenge_id)
        if found is None or found.purpose is not Purpose.LOGIN_APPROVAL:
            raise ChallengeExpired
        name = approval.named_in(found)

        async def work(tx: Tx) -> None:
            await take_turn(tx, actor.known_customer)
            # The enrolment before its challenges, as everywhere.
            waiting = await approval.waits_for(tx, actor.known_customer, name)
            if waiting is not None:
                await approval.end(tx, waiting)
            await self._challenges.refuse(tx, actor, challenge_id)
            await approval.withdraw(tx, actor.known_customer, name)
            entry = actor.entry(
                "enrolment.identity_failed",
                self._clock.now(),
                object=str(challenge_id),
                outcome=audit.Outcome.DENIED,
            )
            audit.append(tx, entry)

        await database.transaction(work, name="auth.vouch_refuse")

    # -------------------------------------------------------------- inside

    async def _ask(
        self, actor: Actor, found: Enrolment, given: OtherPhone
    ) -> Proven | None:
        attempts = await self._identification.charge(found)
        listed = await self._directory.by_number(given.customer_number)
        fits = listed is not None and self._directory.has_phone(listed, found.phone)
        customer = listed.id if listed is not None and fits else None
        if customer is not None and _is_open(listed):

            async def work(tx: Tx) -> Refusal | bool:
                return await self._ask_inside(tx, actor, found, given, customer)

            if await database.transaction(work, name="auth.vouch_ask"):
                return None
        return await self._identification.not_proven(
            actor, found, customer, attempts=attempts
        )

    async def _ask_inside(
        self,
        tx: Tx,
        actor: Actor,
        found: Enrolment,
        given: OtherPhone,
        customer: CustomerId,
    ) -> Refusal | bool:
        """Ask every phone that may vouch; False when there is none."""
        await take_turn(tx, customer)
        now, name = self._clock.now(), approval.name_of(found.id)
        busy = await approval.asked_until(tx, customer, now)
        if busy is not None:
            await _give_back(tx, found.id)
            wait_s = max(1, int((busy[1] - now).total_seconds()))
            return busy[0] == name or RateLimited(wait_s)
        phones = await approval.may_vouch(
            tx, actor, found, customer, (self._settings, now)
        )
        if not phones:
            return False
        mac = self._identification.fresh_mac(found.id, given)
        if not await approval.reserve(tx, found, customer, mac):
            raise EnrolmentExpired
        await approval.withdraw(tx, customer, name)
        ends_at = min(
            found.expires_at, now + timedelta(seconds=self._settings.approval_s)
        )
        made: list[Challenge] = []
        for holder, allowed in phones:
            wish = approval.wish(
                found,
                holder.known_device,
                actor.origin.address,
                int((ends_at - now).total_seconds()),
            )
            challenge_id = ChallengeId.new()
            challenge = self._challenges.made(challenge_id, holder, wish, allowed)
            if await self._challenges.insert(tx, holder, challenge, wish.intent_hash):
                made.append(challenge)
        _tell(tx, actor, customer, made, now)
        return True


def _is_open(listed: Listed | None) -> bool:
    """A lock of the customer ends by other proofs, not by a phone's word (6.5)."""
    return listed is not None and listed.status is CustomerStatus.ACTIVE


async def _give_back(tx: Tx, enrolment: EnrolmentId) -> None:
    """Undo the charge of a try: the number was right, and nobody else was asked."""
    await tx.rows(
        "UPDATE enrolment SET attempts = attempts - 1 WHERE id = $1 "
        "AND attempts > 0 RETURNING id",
        enrolment,
    )


def _tell(
    tx: Tx,
    actor: Actor,
    customer: CustomerId,
    made: list[Challenge],
    now: datetime,
) -> None:
    """Write what was asked down, and push it: only that something waits (11.3)."""
    entries = [
        audit.Entry(
            action="challenge.created",
            at=now,
            request_id=actor.origin.request_id,
            customer=customer,
            address=actor.origin.address,
            object=str(one.id),
            detail={"purpose": one.purpose.value},
        )
        for one in made
    ]
    first, *others = entries
    asked = {str(one.device): str(one.id) for one in made}
    alerts.tell(tx, first, "A new phone asks to be let in.", asked)
    for entry in others:
        audit.append(tx, entry)
