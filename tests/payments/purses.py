"""What the stories about limits ask and change."""

from datetime import timedelta

from app import database
from app.auth.errors import CoolingPeriod, StepUpRequired
from app.ids import PaymentId
from app.money import Money
from app.payments.errors import LimitExceeded
from app.payments.limit import Limit, LimitWindow
from app.payments.limits import Chosen
from app.payments.payment import Payment, PaymentRequest
from app.rows import Scalar
from tests.payments.handset import Phone
from tests.payments.town import Town

DAY = timedelta(days=1)


async def policy(scope: str, period: str, minor: int) -> None:
    """Let the bank set the amount of a rule for rupees."""
    await run(
        "UPDATE limit_rule SET max_minor = $3, ceiling_minor = $4 "
        "WHERE scope = $1 AND period = $2 AND currency = 'INR'",
        scope,
        period,
        minor,
        10 * minor,
    )


async def run(sql: str, *args: Scalar) -> None:
    """Run one statement past all rules."""

    async def work(tx: database.Tx) -> None:
        await tx.rows(sql, *args)

    await database.transaction(work, name="tests.policy")


async def limit_of(
    town: Town, window: LimitWindow = LimitWindow.DAY, phone: Phone | None = None
) -> Limit:
    """Give a limit as a phone shows it."""
    shown = await town.bank.limits.of((phone or town.asha).actor)
    return next(one for one in shown if one.window is window)


async def counted(town: Town) -> tuple[int, int]:
    """Give what is set aside and what is used, over all windows and rules."""
    rows = await database.read(
        "SELECT CAST(coalesce(sum(reserved), 0) AS BIGINT) AS reserved, "
        "CAST(coalesce(sum(used), 0) AS BIGINT) AS used FROM limit_use "
        "WHERE customer_id = $1",
        town.asha.actor.known_customer,
    )
    return rows[0].get("reserved", int), rows[0].get("used", int)


async def tried(town: Town, phone: Phone, request: PaymentRequest) -> Payment | None:
    """Create a payment; None when a limit or a waiting time says no."""
    try:
        return (await town.bank.transfers.create(phone.actor, request)).payment
    except (CoolingPeriod, LimitExceeded):
        return None


async def approved(town: Town, phone: Phone, payment: PaymentId) -> Payment:
    """Approve a payment that waits."""
    found = await town.bank.now(payment)
    challenge = await town.bank.challenge(phone, found)
    return await town.bank.transfers.approve(
        phone.actor, challenge.id, *phone.answer(challenge)
    )


async def chosen(
    town: Town, minor: int, phone: Phone | None = None, limit: Limit | None = None
) -> Chosen:
    """Set a limit, the day's if none is named, with the step-up it takes."""
    by = phone or town.asha
    wanted = limit or await limit_of(town, phone=by)
    subject, most = str(wanted.id), Money(minor, wanted.max.currency)
    try:
        return await town.bank.limits.choose(by.actor, subject, most)
    except StepUpRequired as needed:
        await town.bank.step_ups.answer(
            by.actor, needed.challenge.id, *by.answer(needed.challenge)
        )
    return await town.bank.limits.choose(by.actor, subject, most)
