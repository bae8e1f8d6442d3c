"""challengeRespond: the customer's yes or no goes to the room that owns the subject.

A payment's challenge is answered through the payment, which goes on in the same
transaction; a step-up becomes a grant that the repeated call consumes, a word for a new
phone one that deviceBind does. A new kind of subject is one line in `ROUTES`; a test
demands a line for every purpose.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import strawberry

from app.auth import challenge as challenges
from app.auth.challenge import Challenge
from app.auth.errors import ChallengeExpired
from app.auth.signing import Purpose
from app.errors import ValidationFailed
from app.schema.auth.challenges import FactorResponse, challenge_id
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel, mutation
from app.schema.payments.payments import Payment
from app.schema.refusals import UserError, answered


@strawberry.input
class ChallengeRespondInput:
    """What the customer answers."""

    challenge_id: strawberry.ID
    approve: bool = strawberry.field(
        default=True,
        description=(
            "False: the customer refuses. A refused payment is CANCELLED; neither "
            "signature nor factor is needed."
        ),
    )
    device_signature: str | None = strawberry.field(
        default=None,
        description=(
            "Needed to approve: b64url raw ES256 signature (64 bytes) of the device "
            "key over M of the challenge."
        ),
    )
    response: FactorResponse | None = strawberry.field(
        default=None, description="Needed to approve."
    )


@strawberry.type
class ChallengeRespondPayload:
    """What became of the answer."""

    approved: bool = False
    payment: Payment | None = strawberry.field(
        default=None,
        description=(
            "With purpose PAYMENT: the payment after the answer, on its way or already "
            "final."
        ),
    )
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Approval:
    """A yes with what proves it."""

    device_signature: str
    response: challenges.FactorResponse


# From context, challenge and approval (None: the customer refuses) to the answer.
Route = Callable[
    [Context, Challenge, Approval | None], Awaitable[ChallengeRespondPayload]
]


@strawberry.type
class Mutation:
    """Approving."""

    @mutation(
        level=AuthLevel.LOGIN,
        cost=500,
        description=(
            "Answers any challenge but a sign-in. The identical answer sent again "
            "gives the same result and counts as no try. Refusals: "
            "INVALID_CREDENTIAL, CHALLENGE_FAILED, CHALLENGE_EXPIRED, "
            "CREDENTIAL_LOCKED."
        ),
    )
    async def challenge_respond(
        self,
        info: Info,
        input: ChallengeRespondInput,  # noqa: A002  -- the contract's name
    ) -> ChallengeRespondPayload:
        """Take the customer's answer to the owner of the subject."""
        return await answered(ChallengeRespondPayload, _respond(info.context, input))


async def _respond(
    context: Context, given: ChallengeRespondInput
) -> ChallengeRespondPayload:
    approval = _approval(given) if given.approve else None
    wanted = challenge_id(given.challenge_id)
    challenge = await context.bank.challenges.find(context.actor, wanted)
    route = None if challenge is None else ROUTES[challenge.purpose]
    if challenge is None or route is None:
        raise ChallengeExpired
    return await route(context, challenge, approval)


def _approval(given: ChallengeRespondInput) -> Approval:
    if not given.device_signature:
        raise ValidationFailed(field=["deviceSignature"])
    if given.response is None:
        raise ValidationFailed(field=["response"])
    return Approval(given.device_signature, given.response.given())


async def _payment(
    context: Context, asked: Challenge, approval: Approval | None
) -> ChallengeRespondPayload:
    transfers, actor = context.bank.transfers, context.actor
    if approval is None:
        refused = await transfers.refuse(actor, asked.id)
        return ChallengeRespondPayload(payment=Payment.from_row(refused))
    paid = await transfers.approve(
        actor,
        asked.id,
        approval.device_signature,
        approval.response,
        known=asked,
    )
    return ChallengeRespondPayload(approved=True, payment=Payment.from_row(paid))


async def _step_up(
    context: Context, asked: Challenge, approval: Approval | None
) -> ChallengeRespondPayload:
    step_ups, actor = context.bank.step_ups, context.actor
    if approval is None:
        await step_ups.refuse(actor, asked.id)
        return ChallengeRespondPayload()
    await step_ups.answer(actor, asked.id, approval.device_signature, approval.response)
    return ChallengeRespondPayload(approved=True)


async def _login_approval(
    context: Context, asked: Challenge, approval: Approval | None
) -> ChallengeRespondPayload:
    vouching, actor = context.bank.vouching, context.actor
    if approval is None:
        await vouching.refuse(actor, asked.id)
        return ChallengeRespondPayload()
    await vouching.answer(actor, asked.id, approval.device_signature, approval.response)
    return ChallengeRespondPayload(approved=True)


# None: answered elsewhere, a sign-in by loginFinish.
ROUTES: Mapping[Purpose, Route | None] = MappingProxyType(
    {
        Purpose.PAYMENT: _payment,
        Purpose.STEP_UP: _step_up,
        Purpose.LOGIN_APPROVAL: _login_approval,
        Purpose.LOGIN: None,
    }
)
