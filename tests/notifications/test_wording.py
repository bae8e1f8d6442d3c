"""What a fact is called: keys, words without a figure, and how it travels."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.clock import StoppedClock
from app.ids import CustomerId, DeviceId, NotificationId
from app.notifications import wording
from app.notifications.wording import Template, note_of, urgency, words
from app.realtime.facts import Category, DeviceChanged, PaymentChanged
from app.realtime.shots import CounterpartyShot, DeviceShot, PaymentShot, StepShot
from tests.notifications.world import ACCOUNT, alarm, money

BEN = CustomerId.new()


def payment(clock: StoppedClock, status: str) -> PaymentChanged:
    return PaymentChanged(
        customer=BEN,
        occurred_at=clock.now(),
        payment=PaymentShot(
            id="pay_1",
            status=status,
            reason="INSUFFICIENT_FUNDS",
            from_account=ACCOUNT,
            payee=CounterpartyShot(name="Zebulon"),
            amount=100,
            fee=0,
            currency="INR",
            rail="INTERNAL",
            created_at=clock.now(),
        ),
        step=StepShot(at=clock.now(), status=status, source="CORE"),
    )


def device(clock: StoppedClock, state: str) -> DeviceChanged:
    return DeviceChanged(
        customer=BEN,
        occurred_at=clock.now(),
        device=DeviceShot(
            id="dev_1",
            name="Old phone",
            platform="IOS",
            state=state,
            attestation="NONE",
            bound_at=clock.now(),
        ),
    )


def test_every_template_has_generic_words_and_keys() -> None:
    for template in Template:
        said = words(template)

        assert said.title
        assert said.body.endswith(".")
        assert not any(sign.isdigit() or sign in "{%₹$€" for sign in said.body)
        assert wording.title_key(template) == f"push.{template.value}.title"
        assert wording.body_key(template) == f"push.{template.value}.body"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("AWAITING_AUTHORISATION", False),
        ("SUBMITTED", False),
        ("PENDING_CONFIRMATION", False),
        ("SETTLED", False),
        ("REVERSED", False),
        ("CANCELLED", False),
        ("EXPIRED", False),
        ("DECLINED", True),
        ("FAILED", True),
    ],
)
def test_a_payment_is_told_only_where_no_movement_tells_it(
    clock: StoppedClock, status: str, *, told: bool
) -> None:
    assert payment(clock, status).consumers == (("notifications",) if told else ())


def test_a_phone_is_told_of_only_where_no_alarm_tells_it(clock: StoppedClock) -> None:
    states = ("COOLING", "ACTIVE", "LOCKED", "REVOKED")

    owes = [bool(device(clock, state).consumers) for state in states]

    assert owes == [False, False, False, True]


def test_a_payment_that_failed_replaces_what_was_said_of_it(
    clock: StoppedClock,
) -> None:
    note = note_of(payment(clock, "FAILED"))

    assert note is not None
    assert (note.category, note.template) == (
        Category.MONEY_OUT,
        Template.PAYMENT_FAILED,
    )
    assert note.thread_of(NotificationId.new(), DeviceId.new()) == "pay_1"
    assert note.deep_link == "sixpence://payment/pay_1"
    assert "Zebulon" not in repr(note)


def test_what_came_in_leads_to_the_row_and_not_to_anothers_payment(
    clock: StoppedClock,
) -> None:
    fact = money(BEN, clock, "IN")
    row = replace(fact.transaction, payment_id="pay_1")

    came, went = (
        note_of(replace(fact, transaction=replace(row, direction=way)))
        for way in ("IN", "OUT")
    )

    assert came is not None
    assert went is not None
    assert came.thread == row.id
    assert came.deep_link == f"sixpence://transaction/{row.id}"
    assert (went.thread, went.deep_link) == ("pay_1", "sixpence://payment/pay_1")


def test_a_declined_row_is_no_movement(clock: StoppedClock) -> None:
    fact = money(BEN, clock)

    declined = replace(fact, transaction=replace(fact.transaction, status="DECLINED"))

    assert note_of(declined) is None


def test_security_travels_longest_and_stands_for_itself(clock: StoppedClock) -> None:
    note = note_of(alarm(BEN, clock))
    item = NotificationId.new()

    assert note is not None
    assert note.thread_of(item, DeviceId.new()) == str(item)
    assert urgency(note.category).life == timedelta(days=7)


def test_a_new_phone_that_asks_says_only_that_something_waits(
    clock: StoppedClock,
) -> None:
    note = note_of(replace(alarm(BEN, clock), asked={"dev_1": "chl_1"}))

    assert note is not None
    assert note.category is Category.LOGIN_APPROVAL
    assert note.is_security
    assert "chl_1" not in str(note.args)
    assert words(note.template).body == (
        "A new phone asks to be let in. Open the app to answer."
    )


def test_only_three_collapse_keys_exist_and_money_never_collapses() -> None:
    keys = {one: urgency(one).collapse_key for one in Category}

    assert {key for key in keys.values() if key} == {"approve", "service", "news"}
    assert keys[Category.MONEY_IN] is keys[Category.MONEY_OUT] is None
    assert [one for one in Category if not urgency(one).high] == [
        Category.SERVICE,
        Category.MESSAGE,
    ]


@pytest.mark.parametrize(
    ("status", "detail", "template"),
    [
        ("HELD_FOR_REVIEW", "held", Template.PAYMENT_HELD),
        ("AWAITING_AUTHORISATION", "released", Template.PAYMENT_RELEASED),
        ("DECLINED", "refused_by_bank", Template.PAYMENT_FAILED),
        ("EXPIRED", "not_decided_in_time", Template.PAYMENT_FAILED),
    ],
)
def test_a_review_is_told_when_it_begins_and_however_it_ends(
    clock: StoppedClock, status: str, detail: str, template: Template
) -> None:
    fact = payment(clock, status)
    fact = replace(fact, step=replace(fact.step, detail=detail, source="STAFF"))

    note = note_of(fact)

    assert fact.consumers == ("notifications",)
    assert note is not None
    assert (note.template, note.deep_link) == (template, "sixpence://payment/pay_1")
