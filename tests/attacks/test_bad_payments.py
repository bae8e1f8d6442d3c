"""Malformed, foreign and impossible payments: a typed answer, and nothing moves."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from mock_mobile_client.api import encode
from mock_mobile_client.errors import Refused
from mock_mobile_client.handset import Level
from mock_mobile_client.money import money
from mock_mobile_client.payments import new_key
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import b64url, sha256
from mock_mobile_client.values import JsonObject
from tests.attacks.conftest import figures
from tests.attacks.thief import post

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
Change = Callable[[JsonObject], None]


def amount(minor: str, currency: str = "INR") -> Change:
    def change(given: JsonObject) -> None:
        given["amount"] = {"minorUnits": minor, "currency": currency}

    return change


def source(account: str) -> Change:
    def change(given: JsonObject) -> None:
        given["fromAccountId"] = account

    return change


def payee(destination: JsonObject) -> Change:
    def change(given: JsonObject) -> None:
        given["to"] = destination

    return change


NOBODY = "0" * 32
REFUSED: dict[str, tuple[Change, str]] = {
    "nothing at all": (amount("0"), "VALIDATION_FAILED"),
    "less than nothing": (amount("-100"), "VALIDATION_FAILED"),
    "all a book can hold": (amount(str(2**63 - 1)), "INSUFFICIENT_FUNDS"),
    "more than a book can hold": (amount(str(2**63)), "BAD_REQUEST"),
    "more than there is": (amount("99999999"), "INSUFFICIENT_FUNDS"),
    "another currency": (amount("100", "EUR"), "CURRENCY_MISMATCH"),
    "no such currency": (amount("100", "XXQ"), "CURRENCY_MISMATCH"),
    "from nobody": (source(f"acc_{NOBODY}"), "NOT_FOUND"),
    "from what is no account": (source("pay_1"), "NOT_FOUND"),
    "to a payee of nobody": (payee({"beneficiaryId": f"ben_{NOBODY}"}), "NOT_FOUND"),
    "to an account of nobody": (payee({"ownAccountId": f"acc_{NOBODY}"}), "NOT_FOUND"),
}


async def order_input(phone: Phone) -> JsonObject:
    order = await phone.order("Ben", money("1.00 INR"))
    return copy.deepcopy(order.variables()["input"])


@pytest.mark.parametrize("name", REFUSED)
async def test_an_impossible_payment_gets_its_typed_answer(
    asha: Phone, name: str
) -> None:
    change, code = REFUSED[name]
    given = await order_input(asha)
    change(given)
    before = await figures(asha)

    with pytest.raises(Refused) as refused:
        await asha.session.call("payment_create", {"input": given})

    assert refused.value.code == code
    assert await figures(asha) == before
    assert await asha.payments.by_key(given["idempotencyKey"]) is None


@pytest.mark.attack("ids of another customer")
async def test_somebody_elses_account_looks_like_none(asha: Phone, ben: Phone) -> None:
    theirs = (await ben.account("Everyday")).id
    given = await order_input(asha)
    given["fromAccountId"] = theirs
    before, before_ben = await figures(asha), await figures(ben)

    with pytest.raises(Refused) as refused:
        await asha.session.call("payment_create", {"input": given})

    assert refused.value.code == "NOT_FOUND"
    assert await figures(asha) == before
    assert await figures(ben) == before_ben


@pytest.mark.attack("ids of another customer")
async def test_somebody_elses_objects_are_null_by_id(asha: Phone, ben: Phone) -> None:
    account = (await ben.account("Everyday")).id
    text = "query($id: ID!) { node(id: $id) { id } }"

    own = await ben.ask(text, {"id": account}, Level.LOGIN)
    foreign = await asha.ask(text, {"id": account}, Level.LOGIN)
    never = await asha.ask(text, {"id": f"acc_{NOBODY}"}, Level.LOGIN)

    assert own.data == {"node": {"id": account}}
    assert foreign.data == never.data == {"node": None}


async def test_a_key_with_another_body_moves_nothing(asha: Phone) -> None:
    given = await order_input(asha)
    await asha.session.call("payment_create", {"input": given})
    other = copy.deepcopy(given) | {"amount": {"minorUnits": "200", "currency": "INR"}}
    before = await figures(asha)

    with pytest.raises(Refused) as refused:
        await asha.session.call("payment_create", {"input": other})

    assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"
    assert await figures(asha) == before


@pytest.mark.attack("payment changed after signing")
async def test_a_changed_amount_voids_the_approval(asha: Phone) -> None:
    """The phone signs what it is shown; signing another amount is refused."""
    order = await asha.order("Ben", money("1.00 INR"))
    payment = await asha.payments.create(order)
    assert payment.challenge is not None
    text = payment.challenge.payload.replace('"minorUnits":"100"', '"minorUnits":"900"')
    digest = b64url(sha256(text.encode()))
    shown = replace(payment.challenge, payload=text, binding_hash=digest)
    bent = replace(payment, challenge=shown)
    dearer = replace(order, amount=money("9.00 INR"))
    before = await figures(asha)

    with pytest.raises(Refused) as refused:
        await asha.payments.approve(dearer, bent)

    assert refused.value.code == "CHALLENGE_FAILED"
    assert await figures(asha) == before


@pytest.mark.parametrize(
    "text",
    [
        "mutation { a: logout { loggedOut } b: logout { loggedOut } }",
        "{ me { noSuchField } }",
        "{ me ",
    ],
)
async def test_a_document_that_may_not_run_is_a_bad_request(
    asha: Phone, text: str
) -> None:
    given = await order_input(asha) | {"idempotencyKey": new_key()}
    before = await figures(asha)

    reply = await asha.ask(text, {"i": given}, Level.LOGIN)

    assert reply.data is None
    assert reply.errors[0]["extensions"]["code"] == "BAD_REQUEST"
    assert reply.errors[0]["extensions"]["requestId"]
    assert await figures(asha) == before


async def test_an_oversized_body_is_turned_away(asha: Phone) -> None:
    before = await figures(asha)

    body = encode("{ me { id } }", {"padding": "x" * 70_000})
    answer = await post(asha.handset.bank, body)

    assert answer.status_code == 413
    assert await figures(asha) == before
