"""Paying over GraphQL: what a phone sends, and every word it gets back."""

import pytest

from app import database
from app.errors import BadRequest
from app.ids import BeneficiaryId, PaymentId
from app.realtime import facts
from app.schema.payments.beneficiaries import beneficiary_node
from app.schema.payments.payments import Payment, payment_node
from tests.payments.town import Town
from tests.payments.wire import (
    CREATE,
    HISTORY,
    PAYMENT,
    SCHEMA,
    call,
    context_of,
    to_ben,
)
from tests.payments.world import NOTHING_MOVED, facts_of


async def test_a_created_payment_shows_everything_the_phone_needs(town: Town) -> None:
    wish = to_ben(town, reference="Rent", note="May")

    answer = (await call(town, town.asha, CREATE, input=wish))["paymentCreate"]

    payment = answer["payment"]
    assert answer["userErrors"] == []
    assert answer["replayed"] is False
    assert answer["from"] == {"id": str(town.current.id)}
    assert payment.pop("challenge")["id"].startswith("chl_")
    assert PaymentId.parse(payment.pop("id")).value.version == 7
    assert payment == {
        "idempotencyKey": wish["idempotencyKey"],
        "status": "AWAITING_AUTHORISATION",
        "reason": None,
        "statusMessage": "Please approve this payment.",
        "reference": "Rent",
        "note": "May",
        "rail": "INTERNAL",
        "from": {"id": str(town.current.id)},
        "payee": {
            "name": "Ben Okafor",
            "maskedAccount": town.payee.masked_account,
            "bankName": None,
        },
        "destination": {"id": str(town.payee.id), "nickname": "Ben"},
        "amount": {"minorUnits": "25000", "currency": "INR"},
        "fee": {"minorUnits": "0"},
        "createdAt": "2026-11-21T09:30:00.000Z",
        "settledAt": None,
        "expectedBy": None,
        "expiresAt": "2026-11-21T09:45:00.000Z",
        "cancellableUntil": "2026-11-21T09:45:00.000Z",
        "timeline": [
            {
                "at": "2026-11-21T09:30:00.000Z",
                "status": "AWAITING_AUTHORISATION",
                "source": "CUSTOMER",
                "detail": "You created this payment.",
            }
        ],
    }


async def test_the_same_call_again_is_a_replay(town: Town) -> None:
    wish = to_ben(town)
    first = (await call(town, town.asha, CREATE, input=wish))["paymentCreate"]

    again = (await call(town, town.asha, CREATE, input=wish))["paymentCreate"]

    assert again["replayed"] is True
    assert again["payment"] == first["payment"]


async def test_a_refusal_is_data_with_its_facts_and_creates_nothing(
    town: Town,
) -> None:
    before = await town.bank.everything_of(*NOTHING_MOVED)

    answer = (await call(town, town.asha, CREATE, input=to_ben(town, "100050")))[
        "paymentCreate"
    ]

    assert answer == {
        "payment": None,
        "replayed": False,
        "from": None,
        "userErrors": [
            {
                "__typename": "InsufficientFundsError",
                "code": "INSUFFICIENT_FUNDS",
                "message": "There is not enough money on this account.",
                "field": ["amount"],
                "shortBy": {"minorUnits": "50", "currency": "INR"},
            }
        ],
    }
    assert await town.bank.everything_of(*NOTHING_MOVED) == before


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"fromAccountId": "acc_1"}, "NOT_FOUND", ["fromAccountId"]),
        ({"to": {"ownAccountId": "x"}}, "NOT_FOUND", ["to", "ownAccountId"]),
        ({"to": {"beneficiaryId": "x"}}, "NOT_FOUND", ["to", "beneficiaryId"]),
        ({"rail": "IMPS"}, "NOT_SUPPORTED", ["rail"]),
        ({"reference": "ü"}, "VALIDATION_FAILED", ["reference"]),
        (
            {"amount": {"minorUnits": 0, "currency": "INR"}},
            "VALIDATION_FAILED",
            ["amount", "minorUnits"],
        ),
        (
            {"amount": {"minorUnits": "1", "currency": "USD"}},
            "CURRENCY_MISMATCH",
            ["amount", "currency"],
        ),
    ],
)
async def test_each_refusal_points_at_its_field(
    town: Town, changes: dict[str, object], code: str, field: list[str]
) -> None:
    answer = (await call(town, town.asha, CREATE, input=to_ben(town, **changes)))[
        "paymentCreate"
    ]

    assert [(no["code"], no["field"]) for no in answer["userErrors"]] == [(code, field)]
    assert (await town.bank.everything_of("payment"))["payment"] == 0


async def test_a_destination_is_exactly_one(town: Town) -> None:
    for to in ({}, {"ownAccountId": "a", "beneficiaryId": "b"}, {"ownAccountId": None}):
        result = await SCHEMA.execute(
            CREATE,
            variable_values={"input": to_ben(town, to=to)},
            context_value=context_of(town, town.asha),
        )
        assert result.errors
    assert (await town.bank.everything_of("payment"))["payment"] == 0


async def test_a_payment_is_looked_up_by_id_or_key_and_by_one_of_them(
    town: Town,
) -> None:
    wish = to_ben(town)
    made = (await call(town, town.asha, CREATE, input=wish))["paymentCreate"]["payment"]
    document = (
        "query One($id: ID, $key: IdempotencyKey) { payment(id: $id, "
        f"idempotencyKey: $key) {{ {PAYMENT} }} }}"
    )

    by_id = await call(town, town.asha, document, id=made["id"])
    by_key = await call(town, town.asha, document, key=wish["idempotencyKey"])
    foreign = await call(town, town.ben, document, id=made["id"])
    malformed = await call(town, town.asha, document, id="pay_1")

    assert by_id["payment"] == by_key["payment"] == made
    assert foreign["payment"] is malformed["payment"] is None
    for wrong in ({}, {"id": made["id"], "key": wish["idempotencyKey"]}):
        result = await SCHEMA.execute(
            document, variable_values=wrong, context_value=context_of(town, town.asha)
        )
        assert result.errors
        assert isinstance(result.errors[0].original_error, BadRequest)


async def test_the_history_is_paged_and_read_in_one_statement_per_kind(
    town: Town,
) -> None:
    for minor in (100, 200, 300):
        town.bank.clock.move(seconds=1)
        await town.bank.pay(town.asha, town.to_ben(minor))

    async with database.watched_statements() as seen:
        page = (await call(town, town.asha, HISTORY))["me"]["payments"]
    rest = (await call(town, town.asha, HISTORY, after=page["pageInfo"]["endCursor"]))[
        "me"
    ]["payments"]

    assert len(seen) == 4  # payments, accounts, payees, timelines
    assert [one["amount"]["minorUnits"] for one in page["nodes"]] == ["300", "200"]
    assert page["pageInfo"]["hasNextPage"] is True
    assert [one["amount"]["minorUnits"] for one in rest["nodes"]] == ["100"]
    assert page["nodes"][0]["statusMessage"] == "The payment is booked."
    assert page["nodes"][0]["challenge"] is None
    details = [step["detail"] for step in page["nodes"][0]["timeline"]]
    assert details[-1] == "The money was booked."
    nothing = await call(town, town.asha, HISTORY, status=["DECLINED"])
    assert nothing["me"]["payments"]["nodes"] == []


async def test_a_declined_payment_says_why(town: Town) -> None:
    made = (await call(town, town.asha, CREATE, input=to_ben(town)))["paymentCreate"]
    await town.bank.pay(town.asha, town.to_savings(90_000))
    waiting = await town.bank.transfers.find(town.asha.actor, made["payment"]["id"])
    assert waiting is not None
    challenge = await town.bank.challenge(town.asha, waiting)
    await town.bank.transfers.approve(
        town.asha.actor, challenge.id, *town.asha.answer(challenge)
    )

    me = (await call(town, town.asha, HISTORY, status=["DECLINED"]))["me"]

    (declined,) = me["payments"]["nodes"]
    assert (declined["status"], declined["reason"]) == (
        "DECLINED",
        "INSUFFICIENT_FUNDS",
    )
    assert declined["statusMessage"] == (
        "The payment was declined. No money moved. "
        "There was not enough money on the account."
    )


async def test_a_payment_is_renewed_and_cancelled_over_the_wire(town: Town) -> None:
    made = (await call(town, town.asha, CREATE, input=to_ben(town)))["paymentCreate"]
    payment = {"id": made["payment"]["id"]}
    renew = (
        "mutation R($input: PaymentChallengeInput!) { paymentChallenge(input: $input) "
        "{ payment { id challenge { id } } userErrors { code field } } }"
    )
    cancel = (
        "mutation C($input: PaymentCancelInput!) { paymentCancel(input: $input) "
        "{ payment { id status statusMessage challenge { id } cancellableUntil } "
        "userErrors { code field } } }"
    )

    renewed = (await call(town, town.asha, renew, input=payment))["paymentChallenge"]
    ended = (await call(town, town.asha, cancel, input=payment))["paymentCancel"]
    late = (await call(town, town.asha, renew, input=payment))["paymentChallenge"]
    foreign = (await call(town, town.ben, cancel, input=payment))["paymentCancel"]

    challenge = made["payment"]["challenge"]["id"]
    assert renewed["payment"]["id"] == payment["id"]
    assert renewed["payment"]["challenge"]["id"] != challenge
    assert ended["payment"] == {
        "id": payment["id"],
        "status": "CANCELLED",
        "statusMessage": "The payment was cancelled. No money moved.",
        "challenge": None,
        "cancellableUntil": None,
    }
    assert late == {
        "payment": None,
        "userErrors": [{"code": "NOT_ALLOWED", "field": ["id"]}],
    }
    assert foreign == {
        "payment": None,
        "userErrors": [{"code": "NOT_FOUND", "field": ["id"]}],
    }


async def test_a_fact_shows_the_same_payment_as_a_fresh_read(town: Town) -> None:
    paid = await town.bank.pay(town.asha, town.to_ben(100, reference="Tea"))
    changed = next(
        fact
        for fact in reversed(await facts_of(paid.customer))
        if isinstance(fact, facts.PaymentChanged)
    )

    shown = Payment.of(changed.payment)
    read = await payment_node(context_of(town, town.asha), paid.id)

    assert read is not None
    for name in ("id", "status", "reason", "amount", "payee", "settled_at", "rail"):
        assert getattr(shown, name) == getattr(read, name)
    assert await payment_node(context_of(town, town.ben), paid.id) is None


async def test_nodes_of_strangers_are_null(town: Town) -> None:
    context = context_of(town, town.ben)

    assert await beneficiary_node(context, town.payee.id) is None
    assert await beneficiary_node(context, BeneficiaryId.new()) is None
    assert await payment_node(context, PaymentId.new()) is None
