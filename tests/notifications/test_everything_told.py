"""Whatever is announced is in the inbox, with its figures, in every language."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from app.auth.actor import Actor
from app.clock import Clock
from app.ids import CustomerId
from app.notifications.catalogue import LANGUAGES, Show, holes, sentences, told
from app.notifications.wording import Template
from app.payments.payment import StepDetail
from app.realtime import facts, log
from app.realtime.facts import NOTIFICATIONS, Fact, InboxAdded
from app.realtime.shots import (
    BalanceShot,
    CounterpartyShot,
    DeviceShot,
    PaymentShot,
    StepShot,
)
from tests.notifications.world import ACCOUNT, World, alarm, fates, money

HELD, RELEASED = StepDetail.HELD, StepDetail.RELEASED
Case = Callable[[CustomerId, Clock], Fact]


def failed(customer: CustomerId, clock: Clock) -> facts.PaymentChanged:
    """Say that a payment was not made."""
    return payment(customer, clock, "FAILED")


def held(customer: CustomerId, clock: Clock) -> facts.PaymentChanged:
    """Say that somebody looks at a payment."""
    return payment(customer, clock, "HELD_FOR_REVIEW", HELD)


def released(customer: CustomerId, clock: Clock) -> facts.PaymentChanged:
    """Say that a payment was looked at."""
    return payment(customer, clock, "AWAITING_AUTHORISATION", RELEASED)


def payment(
    customer: CustomerId, clock: Clock, status: str, detail: str | None = None
) -> facts.PaymentChanged:
    return facts.PaymentChanged(
        customer=customer,
        occurred_at=clock.now(),
        payment=PaymentShot(
            id="pay_1",
            status=status,
            reason="PARTNER_DECLINED",
            from_account=ACCOUNT,
            payee=CounterpartyShot(name="Zebulon"),
            amount=1050,
            fee=0,
            currency="INR",
            rail="INTERNAL",
            created_at=clock.now(),
        ),
        step=StepShot(at=clock.now(), status=status, source="CORE", detail=detail),
    )


def removed(customer: CustomerId, clock: Clock) -> facts.DeviceChanged:
    """Say that a phone was removed."""
    return facts.DeviceChanged(
        customer=customer,
        occurred_at=clock.now(),
        device=DeviceShot(
            id="dev_1",
            name="Old phone",
            platform="IOS",
            state="REVOKED",
            attestation="NONE",
            bound_at=clock.now(),
        ),
    )


def low(customer: CustomerId, clock: Clock) -> facts.BalanceChanged:
    """Say that a balance fell below its alert."""
    return facts.BalanceChanged(
        customer=customer,
        occurred_at=clock.now(),
        account=ACCOUNT,
        balance=BalanceShot(
            available=900,
            booked=900,
            held=0,
            currency="INR",
            as_of=clock.now(),
            version=2,
        ),
        low=1000,
    )


CASES: Mapping[Template, tuple[Case, str]] = {
    Template.MONEY_IN: (lambda who, at: money(who, at, "IN"), "98,76,54,321.09"),
    Template.MONEY_OUT: (money, "98,76,54,321.09"),
    Template.PAYMENT_FAILED: (failed, "10.50"),
    Template.PAYMENT_HELD: (held, "10.50"),
    Template.PAYMENT_RELEASED: (released, "10.50"),
    Template.LOW_BALANCE: (low, "9.00"),
    Template.DEVICE_REMOVED: (removed, "Old phone"),
    Template.SECURITY: (alarm, "The PIN of Planted was set."),
    Template.LOGIN_APPROVAL: (
        lambda who, at: replace(alarm(who, at), asked={"dev_1": "chl_1"}),
        "",
    ),
}
TOLD = [kind for kind in facts.FACTS.values() if "consumers" in vars(kind)]


def test_every_template_and_every_kind_of_fact_that_is_told_has_its_case(
    world: World, asha: CustomerId
) -> None:
    made = [case(asha, world.clock) for case, _figure in CASES.values()]

    assert set(CASES) == set(Template)
    assert {type(one) for one in made} == set(TOLD)
    assert {one.consumers for one in made} == {(NOTIFICATIONS,)}
    assert InboxAdded not in TOLD


@pytest.mark.parametrize("template", CASES)
async def test_what_is_announced_is_in_the_inbox_with_all_its_figures(
    world: World, asha: CustomerId, phone: Actor, template: Template
) -> None:
    case, figure = CASES[template]

    await world.tell(case(asha, world.clock))

    ((item,), more) = await world.inbox.page(asha, first=10)
    assert (item.template, more, await world.inbox.unread(asha)) == (template, False, 1)
    assert await fates(phone) == ["QUEUED"]
    (event,) = [
        one.fact
        for one in await log.read_after(asha, 0, 10)
        if isinstance(one.fact, InboxAdded)
    ]
    assert (event.item, event.unread_count) == (item.shot(), 1)
    for language in LANGUAGES:
        words = told(template, item.args, f"{language}-IN", Show.ALL)
        said = sentences(language)
        bodies = [one for one in said if one.startswith(f"push.{template}.body")]
        assert figure in words.body
        assert words.title == said[f"push.{template}.title"]
        assert not holes(words.body)
        bare = words.body == said[f"push.{template}.body"]
        assert bare is (len(bodies) == 1)  # only what has no figure says none
