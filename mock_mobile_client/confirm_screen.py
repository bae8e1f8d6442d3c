"""What the phone shows of one state of a payment, and asks of the person."""

from mock_mobile_client.enums import FactorKind, PaymentStatus
from mock_mobile_client.payments import factor_for
from mock_mobile_client.values import PaymentValue


def payment_lines(payment: PaymentValue, approve: FactorKind) -> list[str]:
    """One state of a payment, and what the person is asked for.

    Args:
        payment: As it is now.
        approve: What the person wants to approve with.
    """
    again = "already done (replayed)" if payment.replayed else ""
    waits = payment.status is PaymentStatus.AWAITING_AUTHORISATION
    held = payment.status is PaymentStatus.HELD_FOR_REVIEW
    note = payment.id if waits else payment.status_message or payment.reason
    lines = [f"{payment.status:<24} {note or ''}  {again}".rstrip()]
    text = f"{payment.amount.formatted} to {payment.payee_name}"
    if waits:
        challenge = payment.challenge
        factor = factor_for(challenge, approve) if challenge else approve
        more = "" if factor is approve else ": this payment takes more"
        lines.append(f"  sign: {text}, device key and {factor}{more}")
    elif held:
        lines.append(f"  held: {text}; `cancel {payment.id}` stops it")
    return lines
