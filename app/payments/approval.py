"""What the customer signs: the canonical payload of a payment (auth.md section 2.4)."""

from collections.abc import Mapping
from datetime import datetime

from app.auth.actor import Actor, FactorKind
from app.auth.challenge import ChallengeWish
from app.auth.signing import Purpose
from app.clock import rfc3339
from app.ids import ChallengeId
from app.money import Money
from app.payments.draft import PayeeFacts
from app.payments.payment import DestinationKind, Payment

_RISKY = (FactorKind.BIOMETRIC, FactorKind.MPIN)
_ORDINARY = (*_RISKY, FactorKind.WEBAUTHN)


def wish(
    actor: Actor, payment: Payment, payee: PayeeFacts, life_s: int, *, risky: bool
) -> ChallengeWish:
    """Ask for the challenge of a payment, for the caller's device.

    Args:
        actor: whose device answers, and in whose language the sentence is written.
        payment: what is approved.
        payee: the payee with the full address.
        life_s: seconds the challenge lives.
        risky: a passkey alone is too little, and so is a factor it has just set
            (auth.md 1.3).
    """

    def payload(challenge: ChallengeId, expires_at: datetime) -> Mapping[str, object]:
        return {
            "v": 1,
            "challengeId": str(challenge),
            "deviceId": str(actor.known_device),
            "paymentId": str(payment.id),
            "from": str(payment.from_account),
            "payee": payee.signed(),
            "amount": _money(payment.amount),
            "fee": _money(payment.fee),
            "executeOn": None,
            "expiresAt": rfc3339(expires_at),
            "summary": summary(payment, actor.locale),
        }

    return ChallengeWish(
        purpose=Purpose.PAYMENT,
        subject=str(payment.id),
        allowed=_RISKY if risky else _ORDINARY,
        life_s=life_s,
        payload=payload,
        full=risky,
    )


def summary(payment: Payment, locale: str) -> str:
    """Say in one sentence what is approved; it is inside the signature."""
    amount, name = payment.amount.formatted(locale), payment.destination.payee.name
    if payment.destination.kind is DestinationKind.OWN_ACCOUNT:
        return f"Move {amount} to your account {name}"
    return f"Pay {amount} to {name}"


def _money(amount: Money) -> Mapping[str, object]:
    return {
        "currency": amount.currency,
        "exponent": amount.exponent,
        "minorUnits": str(amount.minor),
    }
