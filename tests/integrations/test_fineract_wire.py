"""The words of Fineract put into ours, and answers that no proper core would give."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from app.integrations.core_banking import (
    AccountKind,
    AccountState,
)
from app.integrations.core_banking.fineract import refusals, wire
from app.integrations.core_banking.fineract.rows import (
    Book,
    Detail,
    detail_of,
    op_of,
    row_of,
)
from app.integrations.exchange import Answer, from_json
from app.integrations.outcome import (
    ContractBroken,
    PortCode,
)
from app.money import Money
from tests.integrations.fineract_answers import (
    AT,
    HOLD,
    INDIA,
    a_row,
)
from tests.integrations.fineract_world import RENT, an_op

# ------------------------------------------------------------------ single values


@pytest.mark.parametrize(
    ("raw", "currency", "minor"),
    [
        ("500.000000", "INR", 500_00),
        ("0.290000", "INR", 29),
        ("12", "INR", 12_00),
        ("-1.5", "INR", -1_50),
        ("9999999999999.99", "INR", 999_999_999_999_999),
        ("7.000000", "JPY", 7),
        ("1.234000", "KWD", 1234),
        ("5E+2", "INR", 500_00),
    ],
)
def test_an_amount_is_read_exactly(raw: str, currency: str, minor: int) -> None:
    read = wire.money(from_json(raw.encode()), currency, "it")

    assert read == Money(minor, currency)


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        (Decimal("0.001"), "INR"),
        (Decimal("0.5"), "JPY"),
        (Decimal("NaN"), "INR"),
        (Decimal("1E+999"), "INR"),
        (Decimal("1E-999"), "INR"),
        (2**63, "INR"),
        (True, "INR"),
        ("1.00", "INR"),
        (None, "INR"),
    ],
)
def test_what_is_no_amount_is_out_of_contract(value: object, currency: str) -> None:
    with pytest.raises(ContractBroken):
        wire.money(value, currency, "it")


@pytest.mark.parametrize(
    "value", [[2026, 11, 22], "2026-11-22", [2026, 11, 22, 9, 30], "2026-11-22T09:30"]
)
def test_a_day_is_read_in_both_forms(value: object) -> None:
    assert wire.day(value, "it") == date(2026, 11, 22)


@pytest.mark.parametrize("value", [[2026, 13, 1], [2026, 11], "22/11/2026", 5, None])
def test_what_is_no_day_is_out_of_contract(value: object) -> None:
    with pytest.raises(ContractBroken):
        wire.day(value, "it")


def test_the_day_of_the_core_is_not_ours() -> None:
    assert wire.today(AT, INDIA) == date(2026, 11, 23)
    assert wire.midnight(date(2026, 11, 23), INDIA) < AT


def test_a_tag_is_found_again_and_fits_into_the_core() -> None:
    op = an_op()

    assert wire.tagged(wire.memo_of(op, RENT)) == (op.id, "Rent")
    assert wire.tagged(wire.tag(op.id, "")) == (op.id, "")
    assert len(wire.tag(op.id, "x" * 500)) == wire.DESCRIPTION_MAX
    assert wire.tagged("6p:not-an-op Rent") is None
    assert wire.tagged(f"a 6p:{op.id} inside") is None
    assert wire.tagged(5) is None


@pytest.mark.parametrize(
    ("status", "block", "state"),
    [
        ({"active": True}, {"none": True}, AccountState.OPEN),
        ({"active": True}, None, AccountState.OPEN),
        ({"active": True}, {"dormant": True}, AccountState.OPEN),
        ({"active": True}, {"block": True}, AccountState.BLOCKED),
        ({"active": True}, {"escheat": True}, AccountState.BLOCKED),
        ({"active": True}, {"blockDebit": True}, AccountState.BLOCK_DEBIT),
        ({"active": True}, {"blockCredit": True}, AccountState.BLOCK_CREDIT),
        ({"closed": True}, {"none": True}, AccountState.CLOSED),
        ({"transferOnHold": True}, None, AccountState.BLOCKED),
    ],
)
def test_a_state_is_read_from_status_and_block(
    status: dict[str, object], block: object, state: AccountState
) -> None:
    assert wire.state_of({"status": status, "subStatus": block}) is state


@pytest.mark.parametrize(
    ("status", "form", "shown"),
    [
        ({"active": True}, "depositAccountType.savingsDeposit", True),
        ({"closed": True}, None, True),
        ({"active": True}, "depositAccountType.fixedDeposit", False),
        ({"submittedAndPendingApproval": True}, None, False),
        ({"rejected": True}, None, False),
    ],
)
def test_only_accounts_that_were_opened_are_shown(
    status: object,
    form: str | None,
    shown: bool,  # noqa: FBT001  -- a table
) -> None:
    assert wire.is_shown({"status": status, "depositType": {"code": form}}) is shown


def test_the_kind_follows_from_the_product() -> None:
    assert wire.kind_of({"productName": "My SAVINGS plus"}) is AccountKind.SAVINGS
    assert wire.kind_of({"productName": "Everyday"}) is AccountKind.CURRENT


@pytest.mark.parametrize(
    ("status", "codes", "code"),
    [
        (403, ["error.msg.savingsaccount.transaction.insufficient.account.balance"],
         PortCode.INSUFFICIENT_FUNDS),
        (403, ["error.msg.x.insufficient.account.balance.withdraw"],
         PortCode.INSUFFICIENT_FUNDS),
        (403, ["error.msg.saving.account.blocked.transaction.not.allowed"],
         PortCode.ACCOUNT_BLOCKED),
        (403, ["error.msg.savingsaccount.transaction.account.is.not.active"],
         PortCode.ACCOUNT_CLOSED),
        (400, ["error.msg.savingsaccount.transaction.account.is.not.active"],
         PortCode.ACCOUNT_CLOSED),
        (404, ["error.msg.saving.account.id.invalid", "error.msg.resource.not.found"],
         PortCode.ACCOUNT_NOT_FOUND),
        (409, ["error.msg.platform.service.savingsaccount.conflict"],
         PortCode.CONFLICT_RETRY),
        (400, ["validation.msg.accounttransfer.x.cannot.be.blank"],
         PortCode.VALIDATION),
        (403, ["error.msg.not.authorized"], PortCode.PERMISSION),
        (409, ["error.msg.something.else"], None),
        (404, ["error.msg.something.else"], None),
        (403, [], None),
    ],
)  # fmt: skip
def test_a_refusal_means_what_its_inner_code_says(
    status: int, codes: list[str], code: PortCode | None
) -> None:
    *inner, outer = codes or [""]
    body = {
        "errors": [{"userMessageGlobalisationCode": one} for one in inner],
        "userMessageGlobalisationCode": outer,
    }

    assert refusals.meaning_of(Answer(status, body if codes else None)) is code


# ------------------------------------------------------------------ rows


def test_a_backdated_row_stands_where_it_was_written() -> None:
    shown = Book("default", INDIA).shown("7", row_of(a_row()), Detail())

    assert shown.created_at == wire.midnight(date(2026, 11, 22), INDIA) + timedelta(
        microseconds=12
    )
    assert shown.value_on == date(2026, 11, 20)


def test_a_hold_is_named_where_the_core_names_it() -> None:
    hold = a_row(
        transactionType={"id": 20},
        paymentDetailData={"receiptNumber": str(HOLD.id)},
    )

    open_one, freed = row_of(hold), row_of({**hold, "releaseTransactionId": 13})

    assert op_of(open_one, Detail()) == HOLD.id
    assert (open_one.is_shown, freed.is_shown) == (True, False)
    shown = Book("default", INDIA).shown("7", open_one, Detail())
    assert (shown.status, shown.booked_at, shown.direction) == ("PENDING", None, "OUT")


def test_the_other_side_of_a_transfer_is_told_where_the_core_tells_it() -> None:
    detail = detail_of(
        {
            "transfer": {
                "id": 5,
                "transferDescription": f"6p:{HOLD.id} Rent",
                "fromClient": {"displayName": "Asha Rao"},
                "toClient": {"displayName": "Ben Okafor"},
                "fromAccount": {"accountNo": "000000011"},
                "toAccount": {"accountNo": 22_334_455},
            }
        }
    )

    shown = Book("default", INDIA).shown("7", row_of(a_row()), detail)

    assert shown.counterparty_name == "Ben Okafor"
    assert shown.counterparty_masked == "••••4455"
    assert not any(word in repr(detail) for word in ("Ben Okafor", "22334455"))
    assert (shown.op, shown.kind, shown.narration) == (HOLD.id, "TRANSFER", "Rent")


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "12"},
        {"amount": None},
        {"currency": None},
        {"transactionType": None},
        {"date": None},
    ],
)
def test_a_row_out_of_contract_is_not_guessed_at(wrong: dict[str, object]) -> None:
    with pytest.raises(ContractBroken):
        row_of(a_row(**wrong))
