"""Every refusal before a payment exists: the answer, and that nothing moved."""

from dataclasses import replace

import pytest

from app import audit, database
from app.errors import ErrorCode, NotFound, NotSupported, Refusal, ValidationFailed
from app.ids import AccountId, BeneficiaryId
from app.integrations.core_banking import AccountState
from app.money import MINOR_MAX, Money
from app.payments.errors import (
    AccountBlocked,
    CurrencyMismatch,
    InsufficientFunds,
    PayeeRejected,
)
from app.payments.payment import PaymentRequest
from tests.payments.town import Town
from tests.payments.world import NOTHING_MOVED, inr


async def refused(town: Town, request: PaymentRequest) -> Refusal:
    """Expect a refusal that leaves nothing but its audit entry."""
    before = await town.bank.everything_of(*NOTHING_MOVED)
    entries = (await town.bank.everything_of("audit_entry"))["audit_entry"]
    balances = await town.bank.available(town.current)

    with pytest.raises(Refusal) as caught:
        await town.bank.transfers.create(town.asha.actor, request)

    assert await town.bank.everything_of(*NOTHING_MOVED) == before
    assert await town.bank.available(town.current) == balances
    row = await database.read_one(
        "SELECT action, outcome, code FROM audit_entry WHERE chain = $1 "
        "ORDER BY seq DESC LIMIT 1",
        str(town.current.customer),
    )
    assert row is not None
    assert (row.get("action", str), row.get("outcome", audit.Outcome)) == (
        "payment.created",
        audit.Outcome.DENIED,
    )
    assert row.get("code", str) == caught.value.code
    assert (await town.bank.everything_of("audit_entry"))["audit_entry"] == entries + 1
    return caught.value


@pytest.mark.parametrize("minor", [0, -1, -(2**63), MINOR_MAX + 1, 2**80])
async def test_an_amount_that_is_none_is_refused_at_its_field(
    town: Town, minor: int
) -> None:
    no = await refused(town, town.to_ben(minor))

    assert isinstance(no, ValidationFailed)
    assert no.field == ["amount", "minorUnits"]


async def test_more_than_the_balance_is_refused_with_what_is_missing(
    town: Town,
) -> None:
    no = await refused(town, town.to_ben(100_001))

    assert isinstance(no, InsufficientFunds)
    assert no.short_by == inr(1)
    assert no.code is ErrorCode.INSUFFICIENT_FUNDS


async def test_the_largest_amount_that_exists_is_only_too_much(town: Town) -> None:
    no = await refused(town, town.to_ben(MINOR_MAX))

    assert isinstance(no, InsufficientFunds)
    assert no.short_by == inr(MINOR_MAX - 100_000)


async def test_the_whole_balance_can_be_paid(town: Town) -> None:
    await town.bank.pay(town.asha, town.to_ben(100_000))

    assert await town.bank.available(town.current) == 0


async def test_another_currency_than_the_accounts_is_refused(town: Town) -> None:
    no = await refused(town, town.to_ben(100, amount=Money(100, "EUR")))

    assert isinstance(no, CurrencyMismatch)
    assert no.field == ["amount", "currency"]


async def test_an_account_of_another_currency_is_no_destination(town: Town) -> None:
    euros = await town.bank.an_account(town.current.customer, currency="EUR")

    no = await refused(town, town.to_savings(100, own_account=str(euros.id)))

    assert isinstance(no, CurrencyMismatch)
    assert no.field == ["to", "ownAccountId"]


async def test_foreign_and_unknown_and_malformed_ids_all_look_the_same(
    town: Town,
) -> None:
    for wrong in (str(town.bens.id), str(AccountId.new()), "acc_1", "", "✓"):
        payer = await refused(town, town.to_ben(100, from_account=wrong))
        payee = await refused(town, town.to_savings(100, own_account=wrong))
        assert isinstance(payer, NotFound)
        assert payer.field == ["fromAccountId"]
        assert isinstance(payee, NotFound)
        assert payee.field == ["to", "ownAccountId"]
        assert payer.message == payee.message

    stranger = await town.bank.a_payee(town.ben, town.savings, name="Asha")
    for wrong in (str(stranger.id), str(BeneficiaryId.new()), "ben_1", "", "acc"):
        no = await refused(town, town.to_ben(100, beneficiary=wrong))
        assert isinstance(no, NotFound)
        assert no.field == ["to", "beneficiaryId"]


async def test_a_deleted_payee_cannot_be_paid(town: Town) -> None:
    await town.bank.payees.delete(town.asha.actor, str(town.payee.id))

    no = await refused(town, town.to_ben(100))

    assert isinstance(no, NotFound)


async def test_money_does_not_go_to_where_it_comes_from(town: Town) -> None:
    no = await refused(town, town.to_savings(100, own_account=str(town.current.id)))

    assert isinstance(no, ValidationFailed)
    assert no.field == ["to", "ownAccountId"]


@pytest.mark.parametrize(
    "state", [AccountState.BLOCK_DEBIT, AccountState.BLOCKED, AccountState.CLOSED]
)
async def test_a_blocked_account_does_not_pay(town: Town, state: AccountState) -> None:
    if state is AccountState.CLOSED:  # the book closes only what is empty
        await town.bank.pay(town.asha, town.to_savings(100_000))
    await town.bank.block(town.current, state)

    no = await refused(town, town.to_ben(100))

    assert isinstance(no, AccountBlocked)
    assert no.field == ["fromAccountId"]


async def test_a_blocked_destination_is_named_only_when_it_is_ones_own(
    town: Town,
) -> None:
    await town.bank.block(town.savings, AccountState.BLOCK_CREDIT)
    await town.bank.block(town.bens, AccountState.BLOCKED)

    mine = await refused(town, town.to_savings(100))
    his = await refused(town, town.to_ben(100))

    assert isinstance(mine, AccountBlocked)
    assert mine.field == ["to", "ownAccountId"]
    assert isinstance(his, PayeeRejected)
    assert his.field == ["to", "beneficiaryId"]


async def test_another_rail_than_the_banks_own_is_not_offered(town: Town) -> None:
    no = await refused(town, town.to_ben(100, rail="IMPS"))

    assert isinstance(no, NotSupported)
    assert no.field == ["rail"]


@pytest.mark.parametrize(
    "text",
    ["x" * 36, "Zahlung für Miete", "a//b", "/a", "a/", "two\nlines", "€5", "a\x00b"],
)
async def test_a_reference_outside_the_sepa_set_is_refused(
    town: Town, text: str
) -> None:
    no = await refused(town, town.to_ben(100, reference=text))

    assert isinstance(no, ValidationFailed)
    assert no.field == ["reference"]


@pytest.mark.parametrize("text", ["x" * 141, "a\x07b", "a\u202eb"])
async def test_a_note_that_is_no_line_is_refused(town: Town, text: str) -> None:
    no = await refused(town, town.to_ben(100, note=text))

    assert isinstance(no, ValidationFailed)
    assert no.field == ["note"]


async def test_a_text_that_is_no_unicode_is_refused_before_anything(
    town: Town,
) -> None:
    no = await refused(town, town.to_ben(100, note="\ud800"))

    assert isinstance(no, ValidationFailed)


async def test_the_core_has_the_last_word_when_the_balance_went_meanwhile(
    town: Town,
) -> None:
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(60_000))
    await town.bank.pay(town.asha, town.to_savings(60_000))
    challenge = await town.bank.challenge(town.asha, created.payment)

    ended = await town.bank.transfers.approve(
        town.asha.actor, challenge.id, *town.asha.answer(challenge)
    )

    assert (ended.status.value, ended.reason) == (
        "DECLINED",
        ErrorCode.INSUFFICIENT_FUNDS,
    )
    assert await town.bank.available(town.current) == 40_000
    assert await town.bank.available(town.bens) == 0


async def test_a_payees_account_blocked_after_creation_declines_the_payment(
    town: Town,
) -> None:
    created = await town.bank.transfers.create(town.asha.actor, town.to_ben(100))
    await town.bank.block(town.bens, AccountState.BLOCKED)
    challenge = await town.bank.challenge(town.asha, created.payment)

    ended = await town.bank.transfers.approve(
        town.asha.actor, challenge.id, *town.asha.answer(challenge)
    )

    assert (ended.status.value, ended.reason) == ("DECLINED", ErrorCode.ACCOUNT_BLOCKED)
    assert await town.bank.available(town.current) == 100_000


async def test_blank_texts_are_none(town: Town) -> None:
    request = replace(town.to_ben(100), reference="  ", note=" ")

    created = await town.bank.transfers.create(town.asha.actor, request)

    assert (created.payment.reference, created.payment.note) == (None, None)
