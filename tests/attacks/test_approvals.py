"""Approvals that are bent, borrowed, repeated, or asked for until somebody says yes.

What is counted is counted at the strict door: SIXPENCE_LIMIT_FACTOR=1.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mock_mobile_client import documents
from mock_mobile_client.api import encode
from mock_mobile_client.enums import ChallengePurpose, FactorKind, PaymentStatus
from mock_mobile_client.errors import Refused
from mock_mobile_client.forgeries import FORGERIES, Forgery, answer
from mock_mobile_client.handset import Level
from mock_mobile_client.intents import SignInIntent, StepUpIntent
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.money import money
from mock_mobile_client.payments import Order, new_key
from mock_mobile_client.phone import Phone
from mock_mobile_client.values import ChallengeValue, JsonObject, PaymentValue
from tests.attacks.conftest import figures, setting
from tests.attacks.foreign_cases import CLARAS
from tests.attacks.thief import post, proof_for
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

VOID = {"INVALID_CREDENTIAL", "CHALLENGE_FAILED"}
LOGIN = Forgery("purpose sign-in", purpose=ChallengePurpose.LOGIN)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def second(attacked: BankProcess, phones_folder: Path) -> AsyncIterator[Phone]:
    """Give another phone of Asha's own, signed in."""
    world = (attacked.url, attacked.sandbox, setting(phones_folder))
    async with Phone("asha-3", *world) as phone:
        await phone.start()
        yield phone


async def waiting(phone: Phone, amount: str = "1.00 INR") -> tuple[Order, PaymentValue]:
    order = await phone.order("Ben", money(amount))
    return order, await phone.payments.create(order)


async def refused(phone: Phone, operation: str, given: JsonObject) -> str:
    level = Level.DEVICE if operation == "login_finish" else Level.LOGIN
    with pytest.raises(Refused) as no:
        await phone.handset.call(operation, {"input": given}, level)
    return no.value.code


async def sign_in(phone: Phone) -> JsonObject:
    """Begin a sign-in; gives the whole right answer."""
    begun = await phone.handset.call("login_start", {"input": {}}, Level.DEVICE)
    asked = ChallengeValue.read(begun["challenge"])
    return await phone.session.answer(asked, SignInIntent())


def a_payee(nickname: str) -> JsonObject:
    return {
        "idempotencyKey": new_key(),
        "nickname": nickname,
        "name": "Clara Stein",
        "payee": {"account": {"accountNumber": CLARAS}},
        "riskAcknowledged": True,
    }


async def asked_to_approve(phone: Phone, given: JsonObject) -> ChallengeValue:
    """Ask for a payee; gives what must be approved first."""
    with pytest.raises(Refused) as no:
        await phone.handset.call("beneficiary_create", {"input": given})
    assert no.value.code == "STEP_UP_REQUIRED"
    asked = no.value.facts["challenge"]
    assert isinstance(asked, dict)
    return ChallengeValue.read(asked)


# ------------------------------------------------------------------ bent


@pytest.mark.attack("payment changed after signing")
@pytest.mark.parametrize("forgery", [*FORGERIES, LOGIN], ids=lambda one: one.name)
async def test_a_signature_over_something_else_approves_nothing(
    asha: Phone, forgery: Forgery
) -> None:
    order, payment = await waiting(asha)
    assert payment.challenge is not None
    before = await figures(asha)

    bent = await answer(asha, payment.challenge, forgery, FactorKind.MPIN)
    code = await refused(asha, "challenge_respond", bent)

    assert code in VOID
    assert await figures(asha) == before
    still = await asha.payments.by_id(payment.id)
    assert still.status is PaymentStatus.AWAITING_AUTHORISATION
    paid = await asha.payments.final(await asha.payments.approve(order, payment))
    assert paid.status is PaymentStatus.SETTLED


@pytest.mark.attack("challenge used elsewhere")
async def test_a_sign_in_and_a_payment_do_not_answer_each_other(asha: Phone) -> None:
    order, payment = await waiting(asha)
    approval = await asha.payments.approval(order, payment)
    signed_in = await sign_in(asha)
    before = await figures(asha)
    name = "challengeId"

    codes = [
        await refused(asha, "login_finish", approval),
        await refused(asha, "challenge_respond", signed_in),
        await refused(asha, "login_finish", approval | {name: signed_in[name]}),
        await refused(asha, "challenge_respond", signed_in | {name: approval[name]}),
    ]

    assert codes[:2] == ["CHALLENGE_EXPIRED"] * 2
    assert set(codes[2:]) <= VOID
    assert await figures(asha) == before
    await asha.payments.refuse(payment)


@pytest.mark.attack("challenge used elsewhere")
@pytest.mark.parametrize("purpose", ChallengePurpose)
async def test_a_signature_for_another_purpose_signs_nobody_in_and_grants_nothing(
    asha: Phone, purpose: ChallengePurpose
) -> None:
    given = a_payee("Cross")
    grant = await asked_to_approve(asha, given)
    begun = await asha.handset.call("login_start", {"input": {}}, Level.DEVICE)
    sign_in = ChallengeValue.read(begun["challenge"])
    other = Forgery("another purpose", purpose=purpose)

    for asked, operation in (
        (grant, "challenge_respond"),
        (sign_in, "login_finish"),
    ):
        if asked.purpose is not purpose:
            bent = await answer(asha, asked, other, FactorKind.MPIN)
            assert await refused(asha, operation, bent) in VOID

    assert await refused(asha, "beneficiary_create", given) == "STEP_UP_REQUIRED"
    await asha.login()


@pytest.mark.attack("challenge used elsewhere")
async def test_another_phone_of_the_same_person_cannot_answer(
    asha: Phone, second: Phone
) -> None:
    order, payment = await waiting(asha)
    assert payment.challenge is not None
    approval = await asha.payments.approval(order, payment)
    own = await answer(second, payment.challenge, Forgery("none"), FactorKind.MPIN)
    before = await figures(asha)

    borrowed = await refused(second, "challenge_respond", approval)
    with_its_key = await refused(second, "challenge_respond", own)
    text = "query($id: ID!) { node(id: $id) { id } }"
    seen = await second.ask(text, {"id": payment.challenge.id}, Level.LOGIN)
    given = {"challengeId": payment.challenge.id, "approve": False}
    stopped = await refused(second, "challenge_respond", given)

    assert borrowed == with_its_key == stopped == "CHALLENGE_EXPIRED"
    assert seen.data == {"node": None}
    assert await figures(asha) == before
    await asha.payments.refuse(payment)


@pytest.mark.attack("challenge used elsewhere")
async def test_the_key_of_another_phone_signs_nothing(asha: Phone) -> None:
    order, payment = await waiting(asha)
    assert payment.challenge is not None
    before = await figures(asha)

    thief = DeviceKey.generate()
    with_it = await answer(
        asha, payment.challenge, Forgery("none"), FactorKind.MPIN, thief
    )
    code = await refused(asha, "challenge_respond", with_it)

    assert code in VOID
    assert await figures(asha) == before
    await asha.payments.refuse(payment)
    assert (await asha.payments.by_key(order.key)) is not None


# ------------------------------------------------------------------ repeated


@pytest.mark.attack("approved twice")
async def test_fifty_approvals_at_once_are_one_debit(asha: Phone) -> None:
    order, payment = await waiting(asha)
    approval = await asha.payments.approval(order, payment)
    source = order.source.id
    before = (await figures(asha))[source][0]

    ends = await asyncio.gather(
        *(
            asha.handset.call("challenge_respond", {"input": approval})
            for _ in range(50)
        ),
        return_exceptions=True,
    )
    paid = await asha.payments.final(await asha.payments.by_id(payment.id))

    codes = {one.code for one in ends if isinstance(one, Refused)}
    assert not [one for one in ends if not isinstance(one, (dict, Refused))]
    assert codes <= {"CONFLICT", "UNAVAILABLE"}
    assert paid.status is PaymentStatus.SETTLED
    assert int(before) - int((await figures(asha))[source][0]) == 100


@pytest.mark.attack("approved twice")
async def test_an_approval_again_is_the_same_and_one_byte_off_is_refused(
    asha: Phone,
) -> None:
    order, payment = await waiting(asha)
    approval = await asha.payments.approval(order, payment)
    paid = await asha.handset.call("challenge_respond", {"input": approval})
    await asha.payments.final(asha.payments.read_answer(paid))
    before = await figures(asha)

    again = await asha.handset.call("challenge_respond", {"input": approval})
    text = approval["deviceSignature"]
    bent = approval | {"deviceSignature": ("B" if text[0] == "A" else "A") + text[1:]}
    code = await refused(asha, "challenge_respond", bent)

    assert again["payment"]["id"] == payment.id
    assert code == "CHALLENGE_EXPIRED"
    assert await figures(asha) == before


@pytest.mark.attack("approved twice")
async def test_an_approval_of_one_wish_grants_no_other(
    asha: Phone, second: Phone
) -> None:
    given = a_payee("Grant")
    asked = await asked_to_approve(asha, given)
    signed = await asha.session.answer(asked, StepUpIntent("beneficiaryCreate", given))
    await asha.handset.call("challenge_respond", {"input": signed})
    other = given | {"nickname": "Other"}
    before = len(await asha.payees())

    codes = [
        await refused(asha, "beneficiary_create", other),
        await refused(second, "beneficiary_create", given),
    ]
    unused = len(await asha.payees())
    saved = await asha.handset.call("beneficiary_create", {"input": given})
    fresh = given | {"idempotencyKey": new_key(), "nickname": "Grant again"}
    codes.append(await refused(asha, "beneficiary_create", fresh))

    assert codes[:2] == ["STEP_UP_REQUIRED"] * 2
    assert codes[2] in {"STEP_UP_REQUIRED", "CONFLICT"}
    assert unused == before
    assert saved["replayed"] is False
    removal = "mutation($i: BeneficiaryDeleteInput!) { beneficiaryDelete(input: $i) "
    gone = {"i": {"id": saved["beneficiary"]["id"]}}
    told = await asha.ask(removal + "{ userErrors { code } } }", gone, Level.LOGIN)
    assert told.data == {"beneficiaryDelete": {"userErrors": []}}


@pytest.mark.attack("approval fatigue")
async def test_the_fourth_question_is_not_asked_not_even_at_once(
    asha: Phone, strict: str, attacked: BankProcess
) -> None:
    await asha.login()  # what a session was asked ends with it
    token = asha.handset.token
    sql = (
        "SELECT count(*) FROM challenge WHERE state = 'PENDING' "
        "AND intent_hash IS NOT NULL"
    )
    before = attacked.books.one(sql)

    async def nag(number: int) -> str:
        document = documents.load("beneficiary_create")
        given = {"input": a_payee(f"Nag {number}")}
        body = encode(document.text, given, document.name)
        proof = proof_for(asha, body, token)
        said = (await post(strict, body, token, proof)).json()
        return str(said["data"][document.field]["userErrors"][0]["code"])

    codes = Counter(await asyncio.gather(*(nag(number) for number in range(12))))

    assert codes == {"STEP_UP_REQUIRED": 3, "RATE_LIMITED": 9}
    assert attacked.books.one(sql) - before <= 3
    await asha.login()


@pytest.mark.attack("approval fatigue")
async def test_the_same_question_is_asked_once(asha: Phone) -> None:
    await asha.login()
    given = a_payee("Once")

    asked = [await asked_to_approve(asha, given) for _ in range(5)]

    assert len({one.id for one in asked}) == 1
    await asha.login()


# ------------------------------------------------------------------ sessions


@pytest.mark.attack("session fixation")
async def test_a_sign_in_gives_a_new_session_and_ends_the_old_one(
    asha: Phone,
) -> None:
    old = asha.handset.token
    _, body, _ = old.split(".")

    await asha.login()
    new = asha.handset.token
    asha.handset.keep(token=old)
    with pytest.raises(Refused) as no:
        await asha.handset.call("home", {})
    asha.handset.keep(token=new)

    assert no.value.reason in {"SESSION_ENDED", "TOKEN_INVALID"}
    assert body != new.split(".")[1]
    await asha.home()
