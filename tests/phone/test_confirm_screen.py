"""What the person is asked for: more for a risky payment, nothing for a held one."""

from dataclasses import replace
from pathlib import Path

from mock_mobile_client.confirm_screen import payment_lines
from mock_mobile_client.enums import FactorKind, PaymentStatus
from mock_mobile_client.money import money
from mock_mobile_client.payments import factor_for
from mock_mobile_client.phone import introduce
from mock_mobile_client.values import ChallengeValue, PaymentValue
from tests.phone.conftest import Fake
from tests.phone.fake_parts import Caller, Node
from tests.phone.test_commands import run

CHALLENGE = ChallengeValue.read(
    {
        "id": "chl_1",
        "purpose": "PAYMENT",
        "state": "PENDING",
        "nonce": "AA",
        "payload": "{}",
        "bindingHash": "AA",
        "action": None,
        "allowed": ["MPIN"],
        "attemptsLeft": 3,
        "expiresAt": "2026-11-21T09:35:00.000Z",
        "webauthnOptions": None,
    }
)
PAYMENT = PaymentValue(
    id="pay_1",
    idempotency_key=None,
    status=PaymentStatus.AWAITING_AUTHORISATION,
    reason=None,
    status_message=None,
    amount=money("5.00 INR"),
    payee_name="Ben",
    challenge=CHALLENGE,
)
ANY = replace(CHALLENGE, allowed=(FactorKind.MPIN, FactorKind.WEBAUTHN))


def test_a_risky_payment_takes_the_mpin_whatever_the_person_wished_for() -> None:
    assert factor_for(CHALLENGE, FactorKind.WEBAUTHN) is FactorKind.MPIN
    assert factor_for(ANY, FactorKind.WEBAUTHN) is FactorKind.WEBAUTHN
    only = replace(CHALLENGE, allowed=(FactorKind.BIOMETRIC,))
    assert factor_for(only, FactorKind.WEBAUTHN) is FactorKind.WEBAUTHN


def test_the_screen_says_what_is_signed_and_that_it_takes_more() -> None:
    plain = payment_lines(replace(PAYMENT, challenge=ANY), FactorKind.WEBAUTHN)
    more = payment_lines(PAYMENT, FactorKind.WEBAUTHN)

    assert plain[1].endswith(f"device key and {FactorKind.WEBAUTHN}")
    assert more[1].endswith(
        f"device key and {FactorKind.MPIN}: this payment takes more"
    )


def test_the_screen_says_that_a_payment_is_held_and_how_to_stop_it() -> None:
    held = replace(
        PAYMENT,
        status=PaymentStatus.HELD_FOR_REVIEW,
        status_message="We look at this payment before it can go on.",
        challenge=None,
    )

    assert payment_lines(held, FactorKind.MPIN) == [
        "HELD_FOR_REVIEW          We look at this payment before it can go on.",
        f"  held: {held.amount.formatted} to Ben; `cancel pay_1` stops it",
    ]


def hold_all(fake: Fake) -> None:
    """Let the bank look at every payment first, and take back what is cancelled."""
    create = fake.bank.paymentCreate

    def held(caller: Caller, given: Node) -> Node:
        answer = create(caller, given)
        answer["payment"] |= {"status": "HELD_FOR_REVIEW", "challenge": None}
        return answer

    def cancelled(_caller: Caller, given: Node) -> Node:
        payment = fake.bank.payments[given["id"]]
        payment["status"] = "CANCELLED"
        return {"payment": payment}

    fake.bank.paymentCreate = held  # type: ignore[method-assign]  # the bank changes its mind
    fake.bank.paymentCancel = cancelled  # type: ignore[attr-defined]  # only here


async def test_a_held_payment_is_not_waited_for(fake: Fake) -> None:
    hold_all(fake)
    async with fake.phone("asha") as asha, fake.phone("ben") as ben:
        await asha.start()
        await ben.start()
        await introduce(asha, ben)

        paid = await asha.pay("ben", money("5.00 INR"))

    assert paid.status is PaymentStatus.HELD_FOR_REVIEW
    assert fake.bank.calls.count("ChallengeRespond") == 1  # of the payee alone


async def test_a_held_payment_is_shown_and_cancelled_by_hand(
    fake: Fake, tmp_path: Path
) -> None:
    hold_all(fake)
    for words in (
        ("enrol", "asha"),
        ("login", "--with", "mpin"),
        ("beneficiary", "add", "Ben", "Ben", "50100000002001"),
    ):
        assert (await run(fake, tmp_path, *words)).exit_code == 0

    paid = await run(fake, tmp_path, "pay", "Ben", "5.00", "INR")
    (payment,) = fake.bank.payments
    stopped = await run(fake, tmp_path, "cancel", payment)

    assert paid.exit_code == 1
    assert f"`cancel {payment}` stops it" in paid.output
    assert (stopped.exit_code, stopped.output.split()[0]) == (0, "CANCELLED")
