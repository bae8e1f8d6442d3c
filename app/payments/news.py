"""Telling the customer's phones and the audit chain what became of a payment."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from app import audit, telemetry
from app.auth.actor import Actor
from app.database import Tx
from app.payments.beneficiary import Beneficiary
from app.payments.payment import Payment, PaymentStep
from app.realtime import log
from app.realtime.facts import BeneficiaryChanged, PaymentChanged
from app.realtime.shots import AccountShot

_NOTHING: Mapping[str, str | int | bool | None] = MappingProxyType({})


def tell(tx: Tx, payment: Payment, step: PaymentStep, account: AccountShot) -> None:
    """Append the event of one move; it reaches the phones once this commits."""
    log.append(
        tx,
        PaymentChanged(
            customer=payment.customer,
            occurred_at=step.at,
            payment=payment.shot(account),
            step=step.shot(),
        ),
    )
    state = payment.state
    tx.after_commit(lambda: telemetry.payments_moved.labels(state).inc())


def payee_checked(tx: Tx, payee: Beneficiary, at: datetime) -> None:
    """Append the event of a payee whose name was checked anew."""
    fact = BeneficiaryChanged(
        customer=payee.customer,
        occurred_at=at,
        beneficiary=payee.shot(),
        beneficiary_id=str(payee.id),
    )
    log.append(tx, fact)


def by_customer(
    tx: Tx,
    actor: Actor,
    action: str,
    payment: Payment,
    at: datetime,
    *,
    more: Mapping[str, str | int | bool | None] = _NOTHING,
) -> None:
    """Write what a customer did to her payment into the audit chain."""
    detail: dict[str, str | int | bool | None] = {
        "amount": f"{payment.amount.minor} {payment.amount.currency}",
        "rail": payment.rail,
        **more,
    }
    entry = actor.entry(action, at, object=str(payment.id), detail=detail)
    audit.append(tx, entry)


def by_bank(tx: Tx, action: str, payment: Payment, at: datetime, cause: str) -> None:
    """Write what the bank did to a payment into the customer's audit chain.

    Args:
        tx: the move's transaction.
        action: name of the act, for example `payment.settled`.
        payment: which.
        at: when.
        cause: id of what led to it: an operation, or the job.
    """
    failed = payment.reason is not None
    audit.append(
        tx,
        audit.Entry(
            action=action,
            at=at,
            request_id=cause,
            customer=payment.customer,
            object=str(payment.id),
            outcome=audit.Outcome.FAILED if failed else audit.Outcome.OK,
            code=payment.reason,
            detail={"amount": f"{payment.amount.minor} {payment.amount.currency}"},
        ),
    )
