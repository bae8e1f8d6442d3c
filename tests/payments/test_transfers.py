"""A payment's life, told from the phone's side."""

from dataclasses import replace

import orjson
import pytest

from app import database
from app.auth.actor import FactorKind
from app.errors import NotAllowed, Unauthenticated
from app.ids import PaymentId
from app.integrations.core_banking import TxnQuery
from app.payments.lifecycle import State, Status
from app.payments.payment import StepDetail, StepSource
from app.realtime.facts import BalanceChanged, PaymentChanged, TransactionPosted
from tests.payments.town import Town
from tests.payments.world import NOTHING_MOVED, a_key, facts_of


async def test_a_customer_pays_a_payee_and_both_balances_move_once(town: Town) -> None:
    created = await town.bank.transfers.create(
        town.asha.actor, town.to_ben(25_000, reference="Rent May")
    )
    assert created.payment.status is Status.AWAITING_AUTHORISATION
    assert await town.bank.available(town.current) == 100_000

    challenge = await town.bank.challenge(town.asha, created.payment)
    paid = await town.bank.transfers.approve(
        town.asha.actor, challenge.id, *town.asha.answer(challenge)
    )

    assert paid.status is Status.SETTLED
    assert paid.id == created.payment.id
    assert paid.settled_at == town.bank.clock.now()
    assert await town.bank.available(town.current) == 75_000
    assert await town.bank.available(town.bens) == 25_000
    assert len(town.bank.line.sent) == 1


async def test_the_timeline_tells_each_step_and_who_said_so(town: Town) -> None:
    paid = await town.bank.pay(town.asha, town.to_ben(100))

    timeline = (await town.bank.transfers.timelines([paid.id]))[paid.id]

    assert [(step.no, step.status, step.source, step.detail) for step in timeline] == [
        (1, Status.AWAITING_AUTHORISATION, StepSource.CUSTOMER, StepDetail.CREATED),
        (2, Status.SUBMITTED, StepSource.CUSTOMER, StepDetail.APPROVED),
        (3, Status.SUBMITTED, StepSource.CORE, StepDetail.HANDED_OVER),
        (4, Status.SETTLED, StepSource.CORE, StepDetail.BOOKED),
    ]


async def test_the_payers_phones_see_every_change_and_the_payee_the_credit(
    town: Town,
) -> None:
    paid = await town.bank.pay(town.asha, town.to_ben(25_000))

    ashas = await facts_of(paid.customer)
    bens = await facts_of(town.bens.customer)
    changes = [fact for fact in ashas if isinstance(fact, PaymentChanged)]
    assert [change.payment.status for change in changes] == [
        "AWAITING_AUTHORISATION",
        "SUBMITTED",
        "SUBMITTED",
        "SETTLED",
    ]
    assert changes[-1].payment.from_account.masked_number.startswith("••••")
    assert changes[-1].payment.payee.name == "Ben Okafor"
    credit = next(fact for fact in bens if isinstance(fact, TransactionPosted))
    assert credit.transaction.direction == "IN"
    assert credit.transaction.amount == 25_000
    assert credit.transaction.counterparty is not None
    assert credit.transaction.counterparty.name == "Asha Rao"
    balances = [fact for fact in bens if isinstance(fact, BalanceChanged)]
    assert balances[-1].balance.available == 25_000
    assert not any(isinstance(fact, PaymentChanged) for fact in bens)


async def test_a_move_between_own_accounts_is_approved_with_the_account_id(
    town: Town,
) -> None:
    created = await town.bank.transfers.create(
        town.asha.actor, town.to_savings(30_000, note="Holiday")
    )
    challenge = await town.bank.challenge(town.asha, created.payment)
    payload = orjson.loads(challenge.payload)
    paid = await town.bank.transfers.approve(
        town.asha.actor, challenge.id, *town.asha.answer(challenge)
    )

    assert payload["payee"] == {
        "address": str(town.savings.id),
        "bankCode": None,
        "name": "Savings",
        "scheme": "OWN",
    }
    assert payload["summary"] == "Move ₹300.00 to your account Savings"
    assert paid.status is Status.SETTLED
    assert await town.bank.available(town.savings) == 30_000


async def test_the_signed_payload_holds_every_fact_in_canonical_form(
    town: Town,
) -> None:
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(250_00))

    challenge = await town.bank.challenge(town.asha, created.payment)

    owner = replace(town.asha.actor, customer=town.bens.customer)
    numbers = await town.bank.accounts.numbers(owner, [town.bens.id])
    assert orjson.loads(challenge.payload) == {
        "v": 1,
        "challengeId": str(challenge.id),
        "deviceId": str(town.asha.actor.device),
        "paymentId": str(created.payment.id),
        "from": str(town.current.id),
        "payee": {
            "address": numbers[town.bens.id],
            "bankCode": "SIXP0000001",
            "name": "Ben Okafor",
            "scheme": "INTERNAL",
        },
        "amount": {"currency": "INR", "exponent": 2, "minorUnits": "25000"},
        "fee": {"currency": "INR", "exponent": 2, "minorUnits": "0"},
        "executeOn": None,
        "expiresAt": "2026-11-21T09:35:00.000Z",
        "summary": "Pay ₹250.00 to Ben Okafor",
    }
    row = await database.read_one(
        "SELECT payload_hash FROM payment WHERE id = $1", created.payment.id
    )
    assert row is not None
    assert row.get("payload_hash", bytes) == challenge.binding_hash
    assert challenge.allowed == (FactorKind.MPIN,)


async def test_a_settled_payment_says_when_the_payee_was_last_paid(town: Town) -> None:
    assert town.payee.last_paid_at is None

    await town.bank.pay(town.asha, town.to_ben(100))

    found, _more = await town.bank.payees.page(town.asha.actor, first=10)
    assert found[0].last_paid_at == town.bank.clock.now()


async def test_both_sides_see_the_reference_and_each_other(town: Town) -> None:
    paid = await town.bank.pay(town.asha, town.to_ben(700, reference="Tea"))

    rows = await town.bank.core.transactions(
        [town.current.ref, town.bens.ref], TxnQuery(first=1)
    )
    mine, his = rows[town.current.ref][0], rows[town.bens.ref][0]
    assert (mine.counterparty_name, his.counterparty_name) == ("Ben Okafor", "Asha Rao")
    assert mine.reference == his.reference == "Tea"
    assert mine.payment == paid.id.value


# ------------------------------------------------------------------ who may


async def test_an_ended_session_creates_and_approves_nothing(town: Town) -> None:
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(500))
    challenge = await town.bank.challenge(town.asha, created.payment)
    await database.transaction(
        lambda tx: tx.rows(
            "UPDATE session SET ended_at = $2, ended_reason = 'LOGOUT' "
            "WHERE id = $1 RETURNING id",
            town.asha.actor.session,
            town.bank.clock.now(),
        ),
        name="tests.logout",
    )
    before = await town.bank.everything_of(*NOTHING_MOVED)

    with pytest.raises(Unauthenticated):
        await town.bank.transfers.create(town.asha.actor, town.to_ben(600))
    with pytest.raises(Unauthenticated):
        await town.bank.transfers.approve(
            town.asha.actor, challenge.id, *town.asha.answer(challenge)
        )

    assert await town.bank.everything_of(*NOTHING_MOVED) == before
    assert (await town.bank.now(created.payment.id)).state is (
        State.AWAITING_AUTHORISATION
    )
    assert await town.bank.available(town.current) == 100_000


async def test_a_phone_without_a_factor_creates_no_payment(town: Town) -> None:
    await database.transaction(
        lambda tx: tx.rows(
            "UPDATE mpin_secret SET state = 'LOCKED', sealed = NULL "
            "WHERE device_id = $1 RETURNING device_id",
            town.asha.actor.device,
        ),
        name="tests.lock",
    )
    before = await town.bank.everything_of(*NOTHING_MOVED)

    with pytest.raises(NotAllowed):
        await town.bank.transfers.create(town.asha.actor, town.to_ben(500))

    assert await town.bank.everything_of(*NOTHING_MOVED) == before


# ------------------------------------------------------------------ reading


async def test_a_payment_is_found_by_id_and_by_key_only_by_its_owner(
    town: Town,
) -> None:
    request = town.to_ben(500)
    created = (await town.bank.transfers.create(town.asha.actor, request)).payment
    find = town.bank.transfers.find

    assert await find(town.asha.actor, str(created.id)) == created
    assert await find(town.asha.actor, key=request.key) == created
    assert await find(town.asha.actor, key=a_key()) is None
    assert await find(town.asha.actor, str(PaymentId.new())) is None
    assert await find(town.ben.actor, str(created.id)) is None
    assert await find(town.ben.actor, key=request.key) is None


async def test_payments_are_listed_newest_first_page_by_page_and_by_status(
    town: Town,
) -> None:
    made = []
    for minor in (100, 200, 300):
        town.bank.clock.move(seconds=1)
        made.append(await town.bank.pay(town.asha, town.to_ben(minor)))
    waiting = (
        await town.bank.transfers.create(town.asha.actor, town.to_ben(400))
    ).payment
    page = town.bank.transfers.page

    first, more = await page(town.asha.actor, first=3)
    assert [one.id for one in first] == [waiting.id, made[2].id, made[1].id]
    assert more
    last = first[-1]
    rest, more = await page(
        town.asha.actor, first=3, after=(last.created_at, last.id.value)
    )
    assert ([one.id for one in rest], more) == ([made[0].id], False)
    settled, _ = await page(town.asha.actor, first=9, statuses=[Status.SETTLED])
    assert [one.amount.minor for one in settled] == [300, 200, 100]
    nothing, _ = await page(
        town.asha.actor,
        first=9,
        statuses=[Status.SUBMITTED, Status.PENDING_CONFIRMATION],
    )
    assert nothing == []
    assert await page(town.ben.actor, first=9) == ([], False)


async def test_only_the_device_that_may_answer_sees_the_challenge(town: Town) -> None:
    created = (
        await town.bank.transfers.create(town.asha.actor, town.to_ben(9))
    ).payment
    other = await town.bank.a_phone(town.current.customer)

    mine = await town.bank.transfers.challenge_of(town.asha.actor, created)
    theirs = await town.bank.transfers.challenge_of(other.actor, created)
    town.bank.clock.move(seconds=301)
    late = await town.bank.transfers.challenge_of(town.asha.actor, created)

    assert mine is not None
    assert (theirs, late) == (None, None)
