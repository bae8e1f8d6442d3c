"""Payees at other banks, quotes and payments to them, over the wire."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app import database, telemetry
from app.clock import StoppedClock
from app.ids import PaymentId
from app.payments import records
from app.payments.lifecycle import State
from app.realtime.facts import BeneficiaryChanged
from app.settings import Settings
from app.vault import Vault
from tests.payments.abroad import (
    CHECK,
    CREATE,
    QUOTE,
    RESOLVE,
    SAVE,
    Abroad,
    a_bank_abroad,
    codes,
)
from tests.payments.handset import Phone
from tests.payments.instant import CLOSE, DEV, IFSC, NOBODY, SILENT, Instant
from tests.payments.wire import call
from tests.payments.world import a_key, facts_of


@pytest.fixture
async def abroad(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> AsyncIterator[Abroad]:
    """Give Asha a bank that reaches others."""
    rail = Instant(clock)
    async with a_bank_abroad(bank_database, clock, vault, rail) as opened:
        yield opened


async def test_who_is_behind_an_account_is_told_masked(abroad: Abroad) -> None:
    def account(number: str, code: str | None = IFSC) -> dict[str, object]:
        return {"account": {"accountNumber": number, "bankCode": code}}

    known = await abroad.call(RESOLVE, **account(f"{DEV[:4]} {DEV[4:]}"))
    nobody = await abroad.call(RESOLVE, **account(NOBODY))
    silent = await abroad.call(RESOLVE, **account(SILENT))
    no_bank = await abroad.call(RESOLVE, **account(DEV, "DEUTDEFF"))

    assert known["payee"] == {
        "name": "De***",
        "bankName": "Sandbox Bank",
        "rails": ["IMPS"],
    }
    assert (codes(nobody), codes(no_bank)) == (["NOT_FOUND"], ["NOT_FOUND"])
    assert silent["userErrors"][0]["__typename"] == "ServiceUnavailableError"
    assert [one.number for one in abroad.rail.asked] == [DEV, NOBODY, SILENT]


async def test_names_are_told_twenty_times_an_hour_and_no_more(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    strict = bank_database.model_copy(update={"limit_factor": 1})
    rail, wish = Instant(clock), {"accountNumber": DEV, "bankCode": IFSC}

    async with a_bank_abroad(strict, clock, vault, rail) as abroad:
        # Asha's payee was asked for twice, for his bank did not tell.
        answers = [await abroad.call(RESOLVE, account=wish) for _ in range(20)]
        bens = await abroad.call_by(abroad.town.ben, RESOLVE, {"account": wish})
        clock.move(hours=1)
        later = await abroad.call(RESOLVE, account=wish)

    assert [codes(one) for one in answers] == [[]] * 18 + [["RATE_LIMITED"]] * 2
    assert (codes(bens), codes(later)) == ([], [])
    assert len(rail.asked) == 20


async def test_a_payee_at_another_bank_is_saved_with_what_the_check_found(
    abroad: Abroad,
) -> None:
    wish = abroad.payee(DEV, "dev malhotra")

    first = await abroad.call(SAVE, **wish)
    payee = await abroad.saved()
    close = await abroad.saved(CLOSE, "Close Match")
    again = await abroad.call(SAVE, **abroad.payee(DEV, "Dev Malhotra"))

    (asked,) = first["userErrors"]
    assert asked["challenge"]["display"]["summary"] == (
        f"Save dev malhotra, account {DEV} at {IFSC} (Sandbox Bank), as a payee"
    )
    listed = await call(
        abroad.town,
        abroad.town.asha,
        f"{{ me {{ beneficiaries {{ nodes {{ id bankCode bankName {CHECK} }} }} }} }}",
    )
    rows = {one["id"]: one for one in listed["me"]["beneficiaries"]["nodes"]}
    at = "2026-11-21T09:30:00.000Z"
    assert rows[payee] == {
        "id": payee,
        "bankCode": IFSC,
        "bankName": "Sandbox Bank",
        "payeeCheck": {"match": "MATCH", "suggestedName": None, "checkedAt": at},
    }
    assert rows[close]["payeeCheck"]["suggestedName"] == "Cl***"
    assert rows[close]["payeeCheck"]["match"] == "CLOSE_MATCH"
    assert codes(again) == ["CONFLICT"]
    sealed = await database.read_one(
        "SELECT address_enc, masked, scheme FROM beneficiary WHERE bank_code = $1 "
        "ORDER BY id LIMIT 1",
        IFSC,
    )
    assert sealed is not None
    assert DEV.encode() not in sealed.get("address_enc", bytes)
    assert sealed.get("masked", str) == "••••0001"
    assert sealed.get("scheme", str) == "IMPS"


async def test_another_name_has_to_be_acknowledged_to_save_and_to_pay(
    abroad: Abroad,
) -> None:
    wish = abroad.payee(DEV, "Meera Iyer")
    before = await abroad.rows()

    refused = await abroad.call(SAVE, **wish)
    nobody = await abroad.call(SAVE, **abroad.payee(NOBODY, "Dev"))
    unmoved = await abroad.rows()
    payee = await abroad.saved(DEV, "Meera Iyer")
    quoted = (await abroad.call(QUOTE, **abroad.to(payee)))["quote"]
    unseen = await abroad.call(
        CREATE, **abroad.to(payee, idempotencyKey=a_key(), quoteId=quoted["id"])
    )
    seen = await abroad.call(
        CREATE, **abroad.to(payee, idempotencyKey=a_key(), riskAcknowledged=True)
    )

    (no,) = refused["userErrors"]
    assert (no["__typename"], no["field"]) == ("PayeeNameMismatchError", ["name"])
    assert no["check"] == {"match": "NO_MATCH", "suggestedName": None}
    assert codes(nobody) == ["PAYEE_REJECTED"]
    assert unmoved == before
    assert [one["code"] for one in quoted["blockers"]] == ["PAYEE_NAME_MISMATCH"]
    assert quoted["payeeCheck"]["match"] == "NO_MATCH"
    assert codes(unseen) == ["PAYEE_NAME_MISMATCH"]
    assert seen["payment"]["rail"] == "IMPS"


async def test_a_bank_that_does_not_tell_names_is_no_refusal(abroad: Abroad) -> None:
    payee = await abroad.saved(SILENT, "Somebody")

    quoted = await abroad.call(QUOTE, **abroad.to(payee))

    assert quoted["quote"]["payeeCheck"]["match"] == "UNAVAILABLE"
    assert quoted["quote"]["blockers"] == []


async def test_a_bank_that_does_not_tell_today_takes_no_other_name_back(
    abroad: Abroad,
) -> None:
    payee = await abroad.saved(DEV, "Meera Iyer")
    abroad.town.bank.clock.move(hours=25)
    abroad.rail.mute = True
    before = await abroad.rows()

    quoted = (await abroad.call(QUOTE, **abroad.to(payee)))["quote"]
    noes = await tried(abroad, abroad.to(payee, quoteId=quoted["id"]))

    assert quoted["payeeCheck"]["match"] == "NO_MATCH"
    assert [one["code"] for one in quoted["blockers"]] == ["PAYEE_NAME_MISMATCH"]
    assert [code for code, _field in noes] == ["PAYEE_NAME_MISMATCH"]
    assert await abroad.rows() == before


async def test_what_a_quote_learns_of_a_name_is_judged_and_kept(
    abroad: Abroad,
) -> None:
    bank, payee = abroad.town.bank, await abroad.saved()
    bank.clock.move(hours=25)
    abroad.rail.names[DEV] = "Mule Person"

    quoted = (await abroad.call(QUOTE, **abroad.to(payee)))["quote"]
    quote_saw = bank.judge.seen[-1].name_check
    seen = {"riskAcknowledged": True, "quoteId": quoted["id"]}
    made = await abroad.call(CREATE, **abroad.to(payee, idempotencyKey=a_key(), **seen))
    rows = await abroad.rows()
    noes = await tried(abroad, abroad.to(payee))

    assert (quote_saw, codes(made)) == ("NO_MATCH", [])
    assert bank.judge.seen[-1].name_check == "NO_MATCH"
    assert noes == [("PAYEE_NAME_MISMATCH", ["to", "beneficiaryId"])]
    assert await abroad.rows() == rows
    told = [
        fact.beneficiary.payee_check.match
        for fact in await facts_of(abroad.town.asha.actor.known_customer)
        if isinstance(fact, BeneficiaryChanged)
        and fact.beneficiary is not None
        and fact.beneficiary.payee_check is not None
        and fact.beneficiary_id == payee
    ]
    assert told == ["MATCH", "NO_MATCH"]


def transactions() -> float:
    """Count the transactions of this process so far."""
    samples = next(iter(telemetry.transaction_seconds.collect())).samples
    return sum(one.value for one in samples if one.name.endswith("_count"))


async def test_a_quote_says_everything_and_writes_nothing(abroad: Abroad) -> None:
    payee = await abroad.saved()
    before, begun = await abroad.rows(), transactions()

    quoted = (await abroad.call(QUOTE, **abroad.to(payee)))["quote"]
    only_read = transactions() == begun
    own = (
        await abroad.call(
            QUOTE,
            **abroad.to(payee) | {"to": {"ownAccountId": str(abroad.town.savings.id)}},
        )
    )["quote"]
    poor = (await abroad.call(QUOTE, **abroad.to(payee, 5_000_01)))["quote"]

    at = "2026-11-21T09:30:00.000Z"
    assert quoted.pop("id").startswith("quo_")
    assert quoted == {
        "expiresAt": "2026-11-21T09:32:00.000Z",
        "fee": {"minorUnits": "0"},
        "total": {"minorUnits": "25000"},
        "rail": "IMPS",
        "arrivesBy": "2026-11-21T09:30:30.000Z",
        "payeeCheck": {"match": "MATCH", "suggestedName": None, "checkedAt": at},
        "limit": quoted["limit"],
        "allowed": ["MPIN"],
        "blockers": [],
    }
    assert int(quoted["limit"]["remaining"]["minorUnits"]) >= 250_00
    assert (own["rail"], own["payeeCheck"]) == ("INTERNAL", None)
    assert [one["code"] for one in poor["blockers"]] == [
        "INSUFFICIENT_FUNDS",
        "COOLING_PERIOD",
    ]
    assert await abroad.rows() == before
    assert only_read


async def test_what_is_quoted_is_what_is_paid(abroad: Abroad) -> None:
    payee = await abroad.saved()
    quoted = (await abroad.call(QUOTE, **abroad.to(payee)))["quote"]

    wish = abroad.to(payee, idempotencyKey=a_key(), quoteId=quoted["id"])
    made = await abroad.call(CREATE, **wish)
    abroad.town.bank.clock.move(seconds=121)
    again = await abroad.call(CREATE, **wish)

    assert made["userErrors"] == again["userErrors"] == []
    payment = made["payment"]
    assert again["payment"]["id"] == payment["id"]
    assert (payment["status"], payment["rail"]) == ("AWAITING_AUTHORISATION", "IMPS")
    assert payment["fee"] == quoted["fee"]
    assert payment["payee"] == {
        "name": "Dev Malhotra",
        "maskedAccount": "••••0001",
        "bankName": "Sandbox Bank",
    }
    assert payment["destination"] == {"id": payee}
    assert payment["challenge"]["display"]["payeeAddress"] == DEV
    found = await records.find(PaymentId.parse(payment["id"]))
    assert found is not None
    assert (found.destination.account, found.destination.dst) == (None, "")


async def tried(
    abroad: Abroad, wish: dict[str, Any], phone: Phone | None = None
) -> list[tuple[str, list[str]]]:
    """Try to pay; gives the refusals."""
    given = wish | {"idempotencyKey": a_key()}
    made = await abroad.call_by(phone or abroad.town.asha, CREATE, given)
    assert made["payment"] is None
    return [(no["code"], no["field"]) for no in made["userErrors"]]


async def test_a_quote_that_is_too_old_or_for_something_else_is_refused(
    abroad: Abroad,
) -> None:
    payee, at = await abroad.saved(), ["quoteId"]
    quote = (await abroad.call(QUOTE, **abroad.to(payee)))["quote"]["id"]
    before = await abroad.rows()
    to_ben = {"to": {"beneficiaryId": str(abroad.town.payee.id)}}

    others = [
        await tried(abroad, abroad.to(payee, 250_01, quoteId=quote)),
        await tried(abroad, abroad.to(payee, quoteId=quote, rail="INTERNAL")),
        await tried(abroad, abroad.to(payee, quoteId=quote) | to_ben),
    ]
    abroad.town.bank.clock.move(seconds=120)
    late = await tried(abroad, abroad.to(payee, quoteId=quote))

    assert others == [[("VALIDATION_FAILED", at)]] * 3
    assert late == [("QUOTE_EXPIRED", at)]
    assert await abroad.rows() == before


async def test_a_quote_that_was_changed_is_none_of_ours(abroad: Abroad) -> None:
    payee, at = await abroad.saved(), ["quoteId"]
    quote = (await abroad.call(QUOTE, **abroad.to(payee)))["quote"]["id"]
    before = await abroad.rows()
    middle = len(quote) // 2
    other = "A" if quote[middle] != "A" else "B"
    bent = quote[:middle] + other + quote[middle + 1 :]

    noes = [
        await tried(abroad, abroad.to(payee, quoteId=text))
        for text in (bent, quote[:-4], quote[4:], "quo_AAAA", "quo_!", "x" * 5000)
    ]

    assert noes == [[("NOT_FOUND", at)]] * 6
    assert await abroad.rows() == before


async def test_a_quote_opens_for_its_own_customer_only(abroad: Abroad) -> None:
    payee = await abroad.saved()
    quote = (await abroad.call(QUOTE, **abroad.to(payee)))["quote"]["id"]
    before = await abroad.rows()
    bens = {"fromAccountId": str(abroad.town.bens.id)}

    wish = abroad.to(payee, quoteId=quote)
    noes = [await tried(abroad, wish | more, abroad.town.ben) for more in (bens, {})]

    assert noes == [[("NOT_FOUND", ["quoteId"])]] * 2
    assert await abroad.rows() == before


async def test_a_rail_that_is_away_is_said_before_anything_exists(
    abroad: Abroad,
) -> None:
    payee = await abroad.saved()
    before = await abroad.rows()
    abroad.rail.away = True

    quoted = await abroad.call(QUOTE, **abroad.to(payee))
    made = await abroad.call(CREATE, **abroad.to(payee, idempotencyKey=a_key()))
    own = await abroad.call(QUOTE, **abroad.to(str(abroad.town.payee.id)))

    for answer in (quoted, made):
        (no,) = answer["userErrors"]
        assert no["__typename"] == "ServiceUnavailableError"
        assert no["component"] == "TRANSFERS"
    assert own["quote"]["rail"] == "INTERNAL"
    assert await abroad.rows() == before


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"rail": "INTERNAL"}, "NOT_SUPPORTED"),
        (
            {"amount": {"minorUnits": "50000001", "currency": "INR"}},
            "VALIDATION_FAILED",
        ),
        ({"amount": {"minorUnits": "100", "currency": "EUR"}}, "CURRENCY_MISMATCH"),
    ],
)
async def test_what_the_rail_does_not_carry_is_refused(
    abroad: Abroad, change: dict[str, object], code: str
) -> None:
    payee = await abroad.saved()

    made = await abroad.call(
        CREATE, **abroad.to(payee, idempotencyKey=a_key()) | change
    )

    assert codes(made) == [code]


async def test_an_approved_payment_is_handed_to_the_rail_with_the_full_address(
    abroad: Abroad,
) -> None:
    paid = await abroad.under_way()

    ((op, order),) = abroad.rail.orders.items()
    assert (order.payee_address, order.payee_bank_code) == (DEV, IFSC)
    assert (order.scheme, order.amount.minor) == ("IMPS", 250_00)
    assert DEV not in repr(order)
    assert op.id is not None
    assert paid.state is State.IN_FLIGHT
    assert await abroad.town.bank.available(abroad.town.current) == 100_000 - 250_00
