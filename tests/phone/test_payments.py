"""Paying: what is approved, what is repeated, what is refused."""

from dataclasses import replace

import pytest

from mock_mobile_client import payments
from mock_mobile_client.enums import FactorKind, PaymentStatus
from mock_mobile_client.errors import BadEntry, NotAsIntended, NotSeen, Refused
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone, introduce
from tests.phone.conftest import Fake
from tests.phone.fake_parts import Caller, Node

FIVE = money("5.00 INR")


async def friends(fake: Fake) -> Phone:
    """Asha, signed in, with Ben as a payee."""
    asha = fake.phone("asha")
    async with fake.phone("ben") as ben:
        await asha.start()
        await ben.start()
        await introduce(asha, ben)
    return asha


def minor(fake: Fake) -> list[int]:
    return [a.minor for customer in fake.bank.customers for a in customer.accounts]


async def test_a_payment_is_approved_and_settles(fake: Fake) -> None:
    async with await friends(fake) as asha:
        paid = await asha.pay("ben", FIVE)

    assert (paid.status, paid.payee_name) == (PaymentStatus.SETTLED, "Ben")
    assert minor(fake) == [4_824_500, 12_000_000, 931_550]


async def test_a_payee_is_saved_once(fake: Fake) -> None:
    async with await friends(fake) as asha, fake.phone("Ben-2") as ben:
        await ben.start()
        payee, fresh = await introduce(asha, ben)

    assert (payee.nickname, fresh) == ("Ben", False)
    assert fake.bank.calls.count("BeneficiaryCreate") == 2


@pytest.mark.parametrize(
    "change",
    [
        {"amount": {"currency": "INR", "exponent": 2, "minorUnits": "50000"}},
        {"payee": {"name": "Eve", "address": "50100000009999"}},
    ],
)
async def test_a_payment_that_was_changed_is_not_approved(
    fake: Fake, change: Node
) -> None:
    async with await friends(fake) as asha:
        before = minor(fake)
        fake.bank.tamper = lambda payload: {**payload, **change}

        with pytest.raises(NotAsIntended):
            await asha.pay("ben", FIVE)

        assert "ChallengeRespond" not in fake.bank.calls[-2:]
        assert minor(fake) == before


async def test_a_lost_reply_of_payment_create_is_asked_for_again(fake: Fake) -> None:
    async with await friends(fake) as asha:
        order = await asha.order("ben", FIVE)

        call = await asha.payments.create_losing_reply(order)
        assert asha.handset.state.unanswered == (call,)
        payment = await asha.payments.send_again(call)

        assert payment.replayed
        assert len(fake.bank.payments) == 1
        assert len(asha.handset.state.unanswered) == 0


async def test_an_unanswered_call_survives_the_program(fake: Fake) -> None:
    async with await friends(fake) as asha:
        order = await asha.order("ben", FIVE)
        await asha.payments.create_losing_reply(order)
        await asha.restart()
        (call,) = asha.handset.state.unanswered
        payment = await asha.payments.send_again(call)

        answer = await asha.payments.approval(order, payment)
        await asha.payments.respond_losing_reply(order.key, answer)
        await asha.restart()
        (call,) = asha.handset.state.unanswered
        paid = await asha.payments.send_again(call)

        assert (paid.id, paid.status) == (payment.id, PaymentStatus.SETTLED)
        assert minor(fake) == [4_824_500, 12_000_000, 931_550]


async def test_the_same_order_again_is_the_same_payment(fake: Fake) -> None:
    async with await friends(fake) as asha:
        order = await asha.order("ben", FIVE)
        first = await asha.payments.settle(order)

        again = await asha.payments.create(order)

        assert (again.id, again.replayed) == (first.id, True)
        with pytest.raises(Refused, match="IDEMPOTENCY_KEY_REUSED"):
            await asha.payments.create(replace(order, amount=FIVE.times(2)))
        assert minor(fake) == [4_824_500, 12_000_000, 931_550]


async def test_more_than_there_is_is_refused_with_the_missing_amount(
    fake: Fake,
) -> None:
    async with await friends(fake) as asha:
        before = minor(fake)
        with pytest.raises(Refused) as told:
            await asha.pay("ben", money("99999.00 INR"))

    assert told.value.code == "INSUFFICIENT_FUNDS"
    short = told.value.facts["shortBy"]
    assert isinstance(short, dict)
    assert short["minorUnits"] == "5174900"
    assert minor(fake) == before


async def test_an_unknown_payee_or_factor_is_refused_on_the_phone(fake: Fake) -> None:
    async with await friends(fake) as asha:
        with pytest.raises(BadEntry, match="known are everyday, savings, ben"):
            await asha.order("eve", FIVE)
        with pytest.raises(BadEntry, match="WEBAUTHN"):
            await asha.pay("ben", FIVE, approve=FactorKind.WEBAUTHN)

    assert fake.bank.payments == {}


async def test_one_rupee_typed_without_decimals_is_one_rupee(fake: Fake) -> None:
    async with await friends(fake) as asha:
        order = await asha.order("savings", money("1 INR"))

    assert order.variables()["input"]["amount"]["minorUnits"] == "100"


async def test_a_payment_without_a_challenge_asks_for_one(fake: Fake) -> None:
    async with await friends(fake) as asha:
        order = await asha.order("ben", FIVE)
        created = await asha.payments.create(order)
        fake.bank.challenges.clear()
        fake.bank.payments[created.id]["challenge"] = None

        waiting = await asha.payments.by_id(created.id)
        paid = await asha.payments.approve(order, waiting)

    assert waiting.challenge is None
    assert paid.status is PaymentStatus.SETTLED
    assert minor(fake) == [4_824_500, 12_000_000, 931_550]


async def test_a_payment_on_its_way_is_waited_for(fake: Fake) -> None:
    settle = fake.bank.settle
    on_the_way: list[Node] = []

    def later(payment: Node) -> None:
        payment["status"], payment["challenge"] = "SUBMITTED", None
        on_the_way.append(payment)

    def ask(caller: Caller, given: Node) -> Node | None:
        if len(fake.bank.calls) > 30:
            settle(on_the_way.pop())
        return fake.bank.payments[given["id"]]

    fake.bank.settle = later  # type: ignore[method-assign]  # a slow core
    async with await friends(fake) as asha:
        fake.bank.payment = ask  # type: ignore[method-assign]  # seen while it moves
        paid = await asha.pay("ben", FIVE)

    assert paid.status is PaymentStatus.SETTLED
    assert fake.bank.calls.count("Payment") >= 2


async def test_what_the_bank_does_not_know_is_not_seen(fake: Fake) -> None:
    async with await friends(fake) as asha:
        with pytest.raises(NotSeen, match="pay_none"):
            await asha.payments.by_id("pay_none")
        with pytest.raises(NotSeen, match="chl_none"):
            await asha.payments.challenge("chl_none")
        assert await asha.payments.by_key("no-such-key") is None


async def test_a_request_that_never_arrives_is_given_up(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def blind(caller: Caller, given: Node) -> Node | None:
        assert (caller.token, given["idempotencyKey"]) != (None, "")
        return None

    monkeypatch.setattr(payments, "COMMITTED_S", 0.06)
    async with await friends(fake) as asha:
        order = await asha.order("ben", FIVE)
        fake.bank.payment = blind  # type: ignore[method-assign]  # never seen

        with pytest.raises(NotSeen, match="never saw"):
            await asha.payments.create_losing_reply(order)

        assert len(asha.handset.state.unanswered) == 1
    assert len(fake.bank.payments) <= 1
