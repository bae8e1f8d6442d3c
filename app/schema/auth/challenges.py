"""What a phone is asked to sign, and what answers it."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import strawberry
from strawberry import UNSET

from app.auth import challenge as room
from app.auth import errors, signing
from app.ids import ChallengeId, MalformedId
from app.schema import refusals
from app.schema.auth.enums import ChallengeState, FactorKind, Purpose
from app.schema.context import Context
from app.schema.refusals import CredentialError, UserError
from app.schema.scalars import JSON, SENSITIVE, Money, Node


@strawberry.type
class DisplayLine:
    """One more fact of an approval."""

    label: str
    value: str


@strawberry.type
class ChallengeDisplay:
    """The facts of a payload, typed."""

    summary: str = strawberry.field(
        description=(
            "The server's sentence in the customer's language; also inside `payload`."
        )
    )
    amount: Money | None
    fee: Money | None
    total: Money | None = strawberry.field(description="Amount and fee.")
    payee_name: str | None
    payee_address: str | None = strawberry.field(
        description=("Full account number or address: the payer must see who is paid."),
        directives=SENSITIVE,
    )
    lines: list[DisplayLine] = strawberry.field(
        description=(
            "Further facts in order of importance, for example the new limit or the "
            "name of the new device."
        )
    )

    @classmethod
    def of(cls, facts: room.Display) -> "ChallengeDisplay":
        """Show the facts."""
        amount, fee, total = (
            None if one is None else Money.of(one)
            for one in (facts.amount, facts.fee, facts.total)
        )
        return cls(
            summary=facts.summary,
            amount=amount,
            fee=fee,
            total=total,
            payee_name=facts.payee_name,
            payee_address=facts.payee_address,
            lines=[DisplayLine(label=name, value=text) for name, text in facts.lines],
        )


@strawberry.type(
    description=(
        "Something the customer is asked to prove or approve. Single use, bound to one "
        "device, one purpose and one payload; no other device can read it. The app "
        "shows what `payload` says, hashes that text itself and signs M = "
        "'sixpence/<purpose>/v1', a zero byte, the 32 bytes of `nonce`, SHA-256 of "
        "`payload`; <purpose> is login, payment, step-up or login-approval. Every "
        "factor covers SHA-256 of M."
    )
)
class Challenge(Node):
    """The contract's view of a challenge."""

    purpose: Purpose
    state: ChallengeState
    nonce: str = strawberry.field(description="32 random bytes, b64url.")
    payload: str = strawberry.field(
        description=(
            "The exact UTF-8 text that is approved: JSON in RFC 8785 form, amounts as "
            "strings of minor units. A payment's payload holds payment, amount, fee, "
            "source account, payee with full address, device, expiry and the sentence "
            "that is shown; a step-up's payload holds the field and its whole input, a "
            "payee in full too. Only secrets stand there as their SHA-256."
        ),
        directives=SENSITIVE,
    )
    binding_hash: str = strawberry.field(
        description=(
            "SHA-256 of `payload`, b64url. For comparison with the app's own hash; "
            "never sign a hash that was only received."
        )
    )
    display: ChallengeDisplay = strawberry.field(
        description=(
            "The same facts as in `payload`, typed, for screens (dynamic linking: the "
            "customer sees what is signed)."
        )
    )
    action: str | None = strawberry.field(
        description=(
            "Field to be approved when the purpose is STEP_UP, for example "
            "beneficiaryCreate."
        )
    )
    allowed: list[FactorKind] = strawberry.field(
        description=(
            "Factors that may answer, best first, never empty. Risky payments and "
            "sensitive step-ups take MPIN or BIOMETRIC only; ordinary ones also a "
            "passkey. Besides the factor every approval carries a signature of the "
            "device key."
        )
    )
    attempts_left: int
    expires_at: datetime = strawberry.field(
        description="120 s after creation for LOGIN, 300 s otherwise."
    )
    webauthn_options: JSON | None = strawberry.field(
        description=(
            "PublicKeyCredentialRequestOptions as JSON when WEBAUTHN is allowed. Its "
            "challenge is SHA-256 of M."
        )
    )

    @classmethod
    def of(cls, found: room.Challenge) -> "Challenge":
        """Show a challenge of the room."""
        return cls(
            id=strawberry.ID(str(found.id)),
            purpose=found.purpose,
            state=found.state,
            nonce=signing.b64u(found.nonce),
            payload=found.payload,
            binding_hash=signing.b64u(found.binding_hash),
            display=ChallengeDisplay.of(found.display()),
            action=found.action,
            allowed=list(found.allowed),
            attempts_left=found.attempts_left,
            expires_at=found.expires_at,
            webauthn_options=cast("JSON | None", found.webauthn_options),
        )


@strawberry.input(
    one_of=True,
    description=(
        "Exactly one. What answers a challenge besides the signature of the device key."
    ),
)
class FactorResponse:
    """What proves the person."""

    mpin_proof: str | None = strawberry.field(
        default=UNSET,
        description=(
            "b64url HMAC-SHA256 with pinSecret over 'sixpence/mpin/v1', the device id "
            "and SHA-256 of M. Looked at only after the device signature verified, so "
            "a stranger cannot use up tries."
        ),
        directives=SENSITIVE,
    )
    webauthn: JSON | None = strawberry.field(
        default=UNSET,
        description="PublicKeyCredential.toJSON() of the assertion.",
        directives=SENSITIVE,
    )
    device_signature: str | None = strawberry.field(
        default=UNSET,
        description=(
            "b64url raw ES256 signature (64 bytes) of the biometric key over M."
        ),
        directives=SENSITIVE,
    )
    totp: str | None = strawberry.field(default=UNSET, directives=SENSITIVE)

    def given(self) -> room.FactorResponse:
        """Give the answer as the room knows it."""
        webauthn = cast("Mapping[str, object] | None", self.webauthn or None)
        return room.FactorResponse(
            mpin_proof=self.mpin_proof or None,
            webauthn=webauthn,
            device_signature=self.device_signature or None,
            totp=self.totp or None,
        )


@strawberry.type(
    description=(
        "Answer `challenge` with challengeRespond, then send the same mutation with "
        "the same input again within 5 minutes. The approval is used once and covers "
        "only this field and input; a changed input gets a new challenge, the same "
        "input the one that is pending. It comes only when nothing else stands in the "
        "way: all other refusals are given first."
    )
)
class StepUpRequiredError(UserError):
    """The call needs an approval."""

    challenge: Challenge


KINDS = (StepUpRequiredError,)


@refusals.kind(errors.StepUpRequired)
def _step_up_required(no: errors.StepUpRequired) -> UserError:
    return StepUpRequiredError(
        **refusals.facts(no), challenge=Challenge.of(no.challenge)
    )


@refusals.kind(errors.InvalidCredential)
def _invalid_credential(no: errors.InvalidCredential) -> UserError:
    return CredentialError(
        **refusals.facts(no),
        attempts_left=no.attempts_left,
        locked_until=no.locked_until,
    )


@refusals.kind(errors.CredentialLocked)
def _credential_locked(no: errors.CredentialLocked) -> UserError:
    return CredentialError(
        **refusals.facts(no),
        attempts_left=no.attempts_left,
        locked_until=no.locked_until,
    )


def challenge_id(text: str) -> ChallengeId:
    """Read a challenge id; a malformed one never existed.

    Raises:
        ChallengeExpired: not an id.
    """
    try:
        return ChallengeId.parse(text)
    except MalformedId:
        raise errors.ChallengeExpired from None


async def challenge_node(context: Context, challenge: ChallengeId) -> Challenge | None:
    """Give one challenge of the caller's own device, or null."""
    found = await context.bank.challenges.find(context.actor, challenge)
    return None if found is None else Challenge.of(found)
