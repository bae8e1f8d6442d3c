"""Balances before sign-in: on the very phone that was allowed to, and while it may."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

import pytest

from app.auth.actor import Actor
from app.database import Tx
from app.errors import Unauthenticated
from app.ids import DeviceId, SessionId
from tests.notifications.household import Household
from tests.notifications.test_guards import run
from tests.notifications.world import device_becomes, signed_out

QUICK = """{ quickBalance { accountId name available { minorUnits currency } asOf stale
} }"""
SET = """mutation Set($input: NotificationPreferenceSetInput!) {
  notificationPreferenceSet(input: $input) {
    settings {
      preferences { category channels threshold { minorUnits currency } mandatory }
      quietHours { from to } hideAmountsInPush quickBalanceAccounts { id name }
    }
    userErrors { code field }
  }
}"""
UPDATE = """mutation Update($input: AccountUpdateInput!) {
  accountUpdate(input: $input) {
    account { id name nickname lowBalanceAlert { minorUnits currency } }
    userErrors { code field }
  }
}"""


async def shown(home: Household, actor: Actor | None = None) -> list[str]:
    """Give the figures that a phone sees before sign-in."""
    answer = await home.asks(QUICK, actor=signed_out(actor or home.phone))
    return [one["available"]["minorUnits"] for one in answer]


async def allow(home: Household) -> None:
    """Let this phone show the current account."""
    await home.chooses(quick=[home.current.id])


async def test_only_chosen_accounts_are_shown_and_only_on_the_phone_that_chose(
    home: Household,
) -> None:
    second = (await home.bank.a_phone(home.asha)).actor
    ben = await home.bank.a_customer("Ben Okafor")
    stranger = (await home.bank.a_phone(ben)).actor
    forged = replace(stranger, device=home.phone.device)
    nothing = await shown(home)

    await allow(home)

    assert nothing == []
    assert await shown(home) == ["100000"]
    assert [await shown(home, one) for one in (second, stranger, forged)] == [[]] * 3
    assert await shown(home, replace(home.phone, device=DeviceId.new())) == []


async def test_signing_out_locking_and_removing_a_phone_end_it_for_good(
    home: Household,
) -> None:
    bell, phone, left = home.world.addresses, home.phone.known_device, []
    for ended in (bell.revoked, bell.signed_out):
        await allow(home)
        await home.in_transaction(partial(_hears, ended, phone))
        left.append(await home.bank.everything_of("quick_balance_optin"))
    await allow(home)

    await home.sessions.logout(home.phone)

    left.append(await home.bank.everything_of("quick_balance_optin"))
    assert left == [{"quick_balance_optin": 0}] * 3
    assert await shown(home) == []


async def _hears(
    bell: Callable[[Tx, DeviceId], Awaitable[None]], phone: DeviceId, tx: Tx
) -> None:
    await bell(tx, phone)


STOPPED = (
    "UPDATE customer SET status = 'LOCKED_BY_CUSTOMER' WHERE id = $1",
    (
        "UPDATE customer SET status = 'ACTIVE', "
        "blocked_until = '2027-01-01 00:00:00+00:00' WHERE id = $1"
    ),
)


async def test_a_phone_that_could_not_sign_in_shows_nothing_although_a_row_is_left(
    home: Household,
) -> None:
    await allow(home)
    seen = []
    for sql in STOPPED:
        await run(f"{sql} RETURNING id", home.asha)
        seen.append(await shown(home))
    await run(
        "UPDATE customer SET blocked_until = NULL WHERE id = $1 RETURNING id", home.asha
    )
    seen.append(await shown(home))
    for state in ("LOCKED", "REVOKED"):
        await device_becomes(home.phone, state)
        seen.append(await shown(home))

    assert seen == [[], [], ["100000"], [], []]
    assert await home.bank.everything_of("quick_balance_optin") == {
        "quick_balance_optin": 1
    }


async def test_a_suspended_phone_chooses_nothing(home: Household) -> None:
    await device_becomes(home.phone, "LOCKED")
    other = replace(home.phone, session=SessionId.new())

    for actor in (home.phone, other):
        with pytest.raises(Unauthenticated):
            await home.rooms.choices.change(actor, home.wish(quick=[home.current.id]))

    assert await home.bank.everything_of("quick_balance_optin") == {
        "quick_balance_optin": 0
    }


async def test_a_foreign_account_is_not_found_and_the_list_stays(
    home: Household,
) -> None:
    bens = await home.bank.an_account(await home.bank.a_customer("Ben Okafor"), 700)
    await allow(home)

    answers = [
        await home.asks(SET, {"quickBalanceAccountIds": [str(home.current.id), one]})
        for one in (str(bens.id), "acc_nonsense")
    ]

    for answer in answers:
        assert answer["settings"] is None
        assert answer["userErrors"][0]["code"] == "NOT_FOUND"
    assert await shown(home) == ["100000"]


async def test_a_phone_sets_everything_in_one_call_and_reads_it_back(
    home: Household,
) -> None:
    answer = await home.asks(
        SET,
        {
            "category": "MONEY_OUT",
            "channels": ["IN_APP"],
            "threshold": {"minorUnits": "50000", "currency": "INR"},
            "quietHours": {"from": "22:00", "to": "07:00"},
            "hideAmountsInPush": True,
            "quickBalanceAccountIds": [str(home.savings.id), str(home.current.id)],
        },
    )
    back = await home.asks(
        SET, {"category": "MONEY_OUT", "threshold": None, "quietHours": None}
    )

    assert answer["userErrors"] == []
    settings = answer["settings"]
    assert settings["quietHours"] == {"from": "22:00", "to": "07:00"}
    assert settings["hideAmountsInPush"] is True
    assert [one["name"] for one in settings["quickBalanceAccounts"]] == [
        "Current",
        "Savings",
    ]
    (out,) = (one for one in settings["preferences"] if one["category"] == "MONEY_OUT")
    assert out == {
        "category": "MONEY_OUT",
        "channels": ["IN_APP"],
        "threshold": {"minorUnits": "50000", "currency": "INR"},
        "mandatory": False,
    }
    (out,) = (
        one for one in back["settings"]["preferences"] if one["category"] == "MONEY_OUT"
    )
    assert (out["threshold"], back["settings"]["quietHours"]) == (None, None)
    assert out["channels"] == ["IN_APP"]


NOES: list[tuple[dict[str, object], str, str]] = [
    ({"category": "SECURITY", "channels": []}, "NOT_ALLOWED", "category"),
    ({"hideAmountsInPush": False}, "NOT_ALLOWED", "hideAmountsInPush"),
    ({"hideAmountsInPush": None}, "VALIDATION_FAILED", "hideAmountsInPush"),
    ({"channels": None}, "VALIDATION_FAILED", "channels"),
    ({"quickBalanceAccountIds": None}, "VALIDATION_FAILED", "quickBalanceAccountIds"),
    ({"quietHours": {"from": "7", "to": "22:00"}}, "VALIDATION_FAILED", "quietHours"),
    (
        {"category": "MONEY_IN", "threshold": {"minorUnits": 1, "currency": "EUR"}},
        "CURRENCY_MISMATCH",
        "threshold",
    ),
]


async def test_a_refusal_is_data_and_names_the_field(home: Household) -> None:
    for given, code, field in NOES:
        answer = await home.asks(SET, given)

        (no,) = answer["userErrors"]
        assert (no["code"], no["field"][0]) == (code, field)
        assert answer["settings"] is None


async def test_an_account_gets_a_name_and_an_alert_and_loses_them_again(
    home: Household,
) -> None:
    name = {"id": str(home.current.id)}
    alert = {"minorUnits": "500", "currency": "INR"}
    given = name | {"nickname": "  Rent\u0301  ", "lowBalanceAlert": alert}

    answers = [
        await home.asks(UPDATE, one)
        for one in (given, given, name, name | {"nickname": None})
    ]
    await home.moves(1, home.current, home.savings)
    gone = await home.asks(UPDATE, name | {"lowBalanceAlert": None})

    accounts = [one["account"] for one in answers]
    assert [one["nickname"] for one in accounts] == ["Rent\u0301"] * 3 + [None]
    assert {one["lowBalanceAlert"]["minorUnits"] for one in accounts} == {"500"}
    assert gone["account"]["lowBalanceAlert"] is None
    assert await home.entries("account.changed") == [
        ("OK", None, {"named": True, "lowBalance": "500 INR"}),
        ("OK", None, {"named": False, "lowBalance": "500 INR"}),
        ("OK", None, {"named": False, "lowBalance": "none"}),
    ]


BROKEN_RULES: list[dict[str, object]] = [
    {"nickname": " "},
    {"nickname": "x" * 41},
    {"nickname": "a\u202eb"},
    {"lowBalanceAlert": {"minorUnits": 0, "currency": "INR"}},
    {"lowBalanceAlert": {"minorUnits": 1, "currency": "EUR"}},
]


async def test_a_name_or_alert_that_breaks_its_rule_changes_nothing(
    home: Household,
) -> None:
    for given in BROKEN_RULES:
        answer = await home.asks(UPDATE, {"id": str(home.current.id)} | given)
        assert answer["userErrors"] == [
            {"code": "VALIDATION_FAILED", "field": list(given)}
        ]
    bens = await home.bank.an_account(await home.bank.a_customer("Ben Okafor"))
    foreign = await home.asks(UPDATE, {"id": str(bens.id), "nickname": "Mine"})

    assert [one["code"] for one in foreign["userErrors"]] == ["NOT_FOUND"]
    entries = await home.entries("account.changed")
    assert [entry[:2] for entry in entries] == [
        *[("DENIED", "VALIDATION_FAILED")] * 5,
        ("DENIED", "NOT_FOUND"),
    ]


async def test_what_happens_on_an_account_bears_the_name_its_owner_gave_it(
    home: Household,
) -> None:
    await home.asks(UPDATE, {"id": str(home.current.id), "nickname": "Rent"})

    await home.moves(1, home.current, home.savings)

    assert await home.named() == {"Current": "Rent", "Savings": None}
