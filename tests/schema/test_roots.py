"""me, node and challengeRespond over a real bank: read, routed, refused."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import pytest

from app.auth.actor import Actor
from app.auth.signing import Purpose
from app.auth.standing import NewCustomer, Staff
from app.bank import Bank, open_bank
from app.ids import AccountId, ChallengeId, CustomerId, DeviceId
from app.schema import root
from app.schema.challenges import ROUTES
from app.schema.context import Context
from app.schema.execution import Call, Engine
from app.schema.masking import Answer
from app.schema.nodes import LOOK_UPS
from app.settings import Settings
from tests.schema.tiny import asha

pytestmark = pytest.mark.usefixtures("way")  # by plans, then by graphql-core

ME = """{ me {
  id streamPosition displayName maskedPhone locale timezone
  accounts { id } devices { id } payments { nodes { id } }
  beneficiaries { nodes { id } }
} }"""
RESPOND = """mutation Respond($input: ChallengeRespondInput!) {
  challengeRespond(input: $input) {
    approved payment { id } userErrors { code field }
  }
}"""
PROOF = {"mpinProof": "A" * 43}


@pytest.fixture
async def bank(settings: Settings) -> AsyncIterator[Bank]:
    """Open a whole bank."""
    async with open_bank(settings) as opened:
        yield opened


async def meera(bank: Bank) -> Actor:
    """Add a customer and give her as a signed-in caller."""
    new = NewCustomer(number="10000042", name="Meera Iyer", phone="+915550000042")
    added = await bank.customers.add(Staff(name="Test", reason="a test"), new)
    return replace(asha(), customer=added.id)


async def asked(bank: Bank, actor: Actor, text: str, **variables: object) -> Answer:
    engine = Engine(root.SCHEMA, bank.settings, bank.clock, bank.callers.charge)
    context = Context(bank, actor, actor.origin.request_id)
    return await engine.run(context, Call(text, variables=variables))


async def responded(bank: Bank, actor: Actor, **given: object) -> dict[str, Any]:
    answer = await asked(bank, actor, RESPOND, input=given)
    data = cast("dict[str, dict[str, Any]]", answer.body["data"])
    return data["challengeRespond"]


async def test_a_new_customer_sees_herself_with_nothing_yet(bank: Bank) -> None:
    caller = await meera(bank)

    answer = await asked(bank, caller, ME)

    shown = cast("dict[str, Any]", answer.body["data"])["me"]
    position = shown.pop("streamPosition")
    assert position.startswith("ec1.")
    assert shown == {
        "id": str(caller.customer),
        "displayName": "Meera Iyer",
        "maskedPhone": shown["maskedPhone"],
        "locale": "en-IN",
        "timezone": "Asia/Kolkata",
        "accounts": [],
        "devices": [],
        "payments": {"nodes": []},
        "beneficiaries": {"nodes": []},
    }
    assert "555" not in shown["maskedPhone"]


@pytest.mark.parametrize("prefix", sorted(LOOK_UPS))
async def test_an_id_that_never_existed_is_null_for_every_kind(
    bank: Bank, prefix: str
) -> None:
    caller = await meera(bank)
    unknown = f"{prefix}_{CustomerId.new().value.hex}"

    answer = await asked(
        bank, caller, "query ($id: ID!) { node(id: $id) { id } }", id=unknown
    )

    assert answer.body["data"] == {"node": None}


@pytest.mark.parametrize("text", ["", "acc", "acc_", "acc_XYZ", "zzz_" + "0" * 32])
async def test_what_is_no_id_looks_like_one_that_never_existed(
    bank: Bank, text: str
) -> None:
    answer = await asked(
        bank, asha(), "query ($id: ID!) { node(id: $id) { id } }", id=text
    )

    assert answer.body["data"] == {"node": None}


async def test_nodes_answers_a_hundred_ids_in_order_and_no_more(bank: Bank) -> None:
    ids = [str(AccountId.new()) for _ in range(101)]
    text = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"

    fine = await asked(bank, asha(), text, ids=ids[:100])
    many = await asked(bank, asha(), text, ids=ids)

    assert fine.body["data"] == {"nodes": [None] * 100}
    assert (many.status, many.is_refused) == (400, True)


def test_every_purpose_of_a_challenge_has_a_route_or_another_field() -> None:
    assert set(ROUTES) == set(Purpose)
    assert [one for one, route in ROUTES.items() if route is None] == [Purpose.LOGIN]


@pytest.mark.parametrize(
    "challenge",
    [str(ChallengeId.new()), str(DeviceId.new()), "nonsense", ""],
    ids=["never made", "a device", "nonsense", "nothing"],
)
async def test_a_challenge_that_never_existed_is_expired(
    bank: Bank, challenge: str
) -> None:
    given = {"deviceSignature": "AA", "response": PROOF}

    yes = await responded(bank, asha(), challengeId=challenge, **given)
    no = await responded(bank, asha(), challengeId=challenge, approve=False)

    expired = {
        "approved": False,
        "payment": None,
        "userErrors": [{"code": "CHALLENGE_EXPIRED", "field": None}],
    }
    assert (yes, no) == (expired, expired)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"response": PROOF}, "deviceSignature"),
        ({"deviceSignature": "AA"}, "response"),
    ],
)
async def test_a_yes_needs_signature_and_factor(
    bank: Bank, given: dict[str, object], field: str
) -> None:
    challenge = str(ChallengeId.new())

    answer = await responded(bank, asha(), challengeId=challenge, **given)

    assert answer["approved"] is False
    assert answer["userErrors"] == [{"code": "VALIDATION_FAILED", "field": [field]}]
