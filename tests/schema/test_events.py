"""What a phone is shown of each kind of fact, and what is withheld."""

from dataclasses import replace
from typing import Any

from app.accounts.account import Account, shot
from app.ids import CustomerId
from app.realtime import facts, log
from tests.realtime.world import (
    account_shot,
    balance_fact,
    cursor_at,
    record,
)
from tests.schema.follower import (
    ANN,
    EVENTS,
    SCHEMA,
    Phone,
    account_of,
    event_of,
    every_fact,
)

INBOX_ADDED = {
    "__typename": "InboxAdded",
    "item": {
        "id": "ntf_1",
        "category": "MONEY_OUT",
        "title": "Money sent",
        "body": "₹10.50 left account ••1234.",
        "deepLink": None,
        "createdAt": "2026-11-21T09:30:00.000Z",
        "readAt": None,
    },
    "unreadCount": 3,
}


def every_event(account: Account) -> list[dict[str, Any]]:
    """Give what a phone is shown of `every_fact`, in the same order."""
    return [
        {
            "__typename": "TransactionPosted",
            "transaction": {
                "id": "txn_1",
                "direction": "IN",
                "status": "BOOKED",
                "amount": {"minorUnits": "1050"},
                "account": {"id": str(account.id)},
            },
        },
        {
            "__typename": "TransactionUpdated",
            "transaction": {
                "id": "txn_1",
                "status": "BOOKED",
                "runningBalance": {"minorUnits": "2000"},
            },
        },
        {
            "__typename": "PaymentChanged",
            "payment": {"id": "pay_1", "status": "SETTLED"},
            "step": {
                "status": "SETTLED",
                "source": "CORE",
                "at": "2026-11-21T09:30:00.000Z",
            },
        },
        {
            "__typename": "BeneficiaryChanged",
            "beneficiary": {"id": "ben_1", "nickname": "Ben"},
            "beneficiaryId": "ben_1",
        },
        {
            "__typename": "BeneficiaryChanged",
            "beneficiary": None,
            "beneficiaryId": "ben_1",
        },
        {
            "__typename": "DeviceChanged",
            "device": {"id": "dev_1", "name": "Phone", "state": "ACTIVE"},
        },
        {
            "__typename": "LimitChanged",
            "limit": {
                "id": "lim_1",
                "window": "DAY",
                "remaining": {"minorUnits": "1000"},
                "pendingMax": None,
            },
        },
        {
            "__typename": "SecurityEvent",
            "entry": {
                "id": "aud_1",
                "at": "2026-11-21T09:30:00.000Z",
                "actor": "customer",
                "action": "login",
                "object": None,
                "outcome": "ok",
            },
            "title": "New sign-in",
            "actionUrl": None,
        },
        INBOX_ADDED,
    ]


async def test_a_balance_event_shows_its_snapshot(phone: Phone) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]

    async with phone.follow(EVENTS) as stream:
        ready = await event_of(stream)
        await record(balance_fact(ANN, 7, shot(account)))
        event = await event_of(stream)

    head = await log.head(ANN)
    assert ready["event"] == {
        "__typename": "StreamReady",
        "cursor": str(cursor_at(head, 0)),
        "missed": 0,
    }
    assert ready["category"] is None
    assert ready["sequence"] == "0"
    assert event == {
        "cursor": str(head),
        "sequence": "1",
        "occurredAt": "2026-11-21T09:30:00.000Z",
        "category": None,
        "event": {
            "__typename": "BalanceChanged",
            "account": {
                "id": str(account.id),
                "maskedNumber": "••1234",
                "currency": "INR",
            },
            "balance": {
                "available": {"minorUnits": "700", "currency": "INR", "exponent": 2},
                "version": "7",
                "stale": False,
            },
        },
    }


async def test_every_kind_of_fact_is_shown(phone: Phone) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]

    async with phone.follow(EVENTS) as stream:
        await event_of(stream)
        await record(*every_fact(account))
        shown = [await event_of(stream) for _ in range(9)]

    assert [one["category"] for one in shown] == [
        "MONEY_IN",
        None,
        "MONEY_OUT",
        None,
        None,
        "SECURITY",
        None,
        "SECURITY",
        "MONEY_OUT",
    ]
    assert [one["event"] for one in shown] == every_event(account)


async def test_each_kind_of_fact_has_its_member_of_the_union() -> None:
    members = {
        one.name
        for one in SCHEMA._schema.get_type("CustomerEvent").types  # type: ignore[union-attr]  # noqa: SLF001  -- the built union
    }

    assert set(facts.FACTS) <= members
    assert members - set(facts.FACTS) == {
        "StreamReady",
        "CaughtUp",
        "StreamReset",
        "EventWithheld",
    }


async def test_an_account_that_is_not_visible_is_withheld_and_keeps_its_number(
    phone: Phone,
) -> None:
    own = account_of(ANN)
    phone.bank.accounts.all = [own, account_of(CustomerId.new())]

    async with phone.follow(EVENTS) as stream:
        await event_of(stream)
        await record(
            balance_fact(ANN, 1, account_shot(phone.bank.accounts.all[1].id)),
            balance_fact(ANN, 2, shot(own)),
            balance_fact(ANN, 3, shot(own)),
            balance_fact(ANN, 4, replace(shot(own), id="acc_of another age")),
        )
        shown = [await event_of(stream) for _ in range(4)]

    assert shown[0]["event"] == {
        "__typename": "EventWithheld",
        "reason": "NOT_VISIBLE",
    }
    assert [one["sequence"] for one in shown] == ["1", "2", "3", "4"]
    assert [one["event"]["__typename"] for one in shown] == [
        "EventWithheld",
        "BalanceChanged",
        "BalanceChanged",
        "EventWithheld",
    ]
    assert phone.bank.accounts.asked == 2
