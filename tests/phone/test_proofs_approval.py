"""Proof 7 holds against a right bank and fails against wrong ones."""

from collections.abc import Callable

import pytest

from mock_mobile_client.errors import ProofFailed
from mock_mobile_client.handset import Setting
from mock_mobile_client.proofs_approval import proof_07
from tests.phone.conftest import ROUNDS, Fake
from tests.phone.fake_parts import Caller, Challenge, Node

pytestmark = pytest.mark.slow  # begun first: waits long

QUICK = Setting(iterations=ROUNDS)
AT_FIRST = [4_825_000, 12_000_000, 931_050]


def minor(fake: Fake) -> list[int]:
    return [a.minor for customer in fake.bank.customers for a in customer.accounts]


async def test_proof_seven_holds_and_leaves_the_balances(fake: Fake) -> None:
    told: list[str] = []

    await proof_07(fake.url, fake.url, QUICK, told.append)

    assert minor(fake) == AT_FIRST
    assert fake.bank.offset_s == 301
    assert len([line for line in told if "nothing moved" in line]) == 10
    assert "50 identical answers at once: equal results, one debit" in told


async def test_without_a_movable_clock_proof_seven_says_so(fake: Fake) -> None:
    told: list[str] = []
    fake.bank.movable = False

    await proof_07(fake.url, fake.url, QUICK, told.append)

    assert "after 300 s: needs a movable clock: skipped, partly" in told
    assert minor(fake) == AT_FIRST


async def test_no_forged_payment_waits_after_proof_seven(fake: Fake) -> None:
    await proof_07(fake.url, fake.url, QUICK)

    ends = [payment["status"] for payment in fake.bank.payments.values()]
    assert set(ends) == {"SETTLED", "CANCELLED", "DECLINED"}
    assert ends.count("DECLINED") == 1


def signs_anything(fake: Fake) -> None:
    """Forget to look at the device key's signature."""
    judge = fake.bank.judge

    def judged(challenge: Challenge, given: Node) -> Node | None:
        if challenge.purpose == "PAYMENT" and challenge.state == "PENDING":
            challenge.state, challenge.answer = "CONSUMED", given
            return None
        return judge(challenge, given)

    fake.bank.judge = judged  # type: ignore[method-assign]  # a wrong bank


def never_late(fake: Fake) -> None:
    """Let a challenge live for ever."""
    make = fake.bank.challenge

    def made(purpose: str, *rest: object) -> Challenge:
        challenge = make(purpose, *rest)  # type: ignore[arg-type]  # as it came
        challenge.made_at_s += 1_000
        return challenge

    fake.bank.challenge = made  # type: ignore[method-assign,assignment]  # a wrong bank


def pays_each_answer(fake: Fake) -> None:
    """Settle again whatever is answered again."""
    respond = fake.bank.challengeRespond

    def responded(caller: Caller, given: Node) -> Node:
        challenge = fake.bank.challenges[given["challengeId"]]
        if challenge.answer == given:
            fake.bank.settle(fake.bank.payments[challenge.subject])
        return respond(caller, given)

    fake.bank.challengeRespond = responded  # type: ignore[method-assign]  # a wrong bank


def takes_any_body(fake: Fake) -> None:
    """Forget to compare `bh`."""
    caller = fake.edge.caller

    def seen(request: object, _: bytes) -> Caller:
        token = request.headers.get("authorization")  # type: ignore[attr-defined]  # a request
        proof = request.headers.get("dpop")  # type: ignore[attr-defined]  # same
        if proof is None:
            return caller(request, b"")  # type: ignore[arg-type]  # same
        bare = token.partition(" ")[2] if token else None
        url = fake.url + "/graphql"
        return Caller(fake.edge.check("POST", url, proof, bare), bare)

    fake.edge.caller = seen  # type: ignore[method-assign,assignment]  # a wrong bank


@pytest.mark.parametrize(
    ("wrong", "seen"),
    [
        (signs_anything, "must not pass: expected a refusal, saw SETTLED"),
        (never_late, "must not pass: expected a refusal, saw SETTLED"),
        (pays_each_answer, "debits"),
        (takes_any_body, "`bh` of another body: expected a refusal"),
    ],
)
async def test_proof_seven_finds_a_wrong_bank(
    fake: Fake, wrong: Callable[[Fake], None], seen: str
) -> None:
    wrong(fake)

    with pytest.raises(ProofFailed, match=seen):
        await proof_07(fake.url, fake.url, QUICK)
