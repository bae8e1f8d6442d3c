"""What is told, to which phones, and when, as the customer chose."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from app import database
from app.auth.standing import Staff
from app.desk import customers_zone
from app.errors import NotAllowed, NotFound, Unauthenticated, ValidationFailed
from app.ids import AccountId, uuid7
from app.integrations.push import Retry, Sent
from app.money import Money
from app.notifications import preferences
from app.notifications.channels import MANDATORY, Channel
from app.notifications.choices import Change
from app.notifications.preferences import ALL
from app.notifications.quiet import QuietHours
from app.payments.errors import CurrencyMismatch
from app.realtime.facts import Category
from app.rows import Row
from app.settings import Settings
from tests.conftest import BROKEN
from tests.notifications.household import Household
from tests.notifications.test_guards import run
from tests.notifications.world import (
    alarm,
    device_becomes,
    fates,
    money,
    pushes,
)

IN_APP = frozenset({Channel.IN_APP})
NIGHT = QuietHours.parse("22:00", "07:00")


def said(wishes: preferences.Wishes) -> dict[str, tuple[str, bool]]:
    """Write what holds for each category."""
    return {
        one.category: (" ".join(sorted(one.channels)), one.is_mandatory)
        for one in wishes.all()
    }


async def test_without_a_choice_everything_is_told_and_two_are_mandatory(
    home: Household,
) -> None:
    wishes = await home.rooms.choices.of(home.phone)

    assert said(wishes) == {
        category: ("IN_APP PUSH", category in {"SECURITY", "LOGIN_APPROVAL"})
        for category in Category
    }
    assert (wishes.quiet, wishes.hide_amounts) == (None, True)


async def test_a_category_is_told_by_the_channels_and_from_the_amount_chosen(
    home: Household,
) -> None:
    clock, tell = home.world.clock, home.world.tell
    told, least = [], Money(98765432109, "INR")

    await home.chooses(category=Category.MONEY_OUT, channels=IN_APP)
    await tell(money(home.asha, clock))
    told.append(await home.told())
    await home.chooses(category=Category.MONEY_OUT, channels=frozenset())
    await tell(money(home.asha, clock))
    told.append(await home.told())
    await home.chooses(category=Category.MONEY_IN, threshold=least)
    await tell(money(home.asha, clock, "IN"))
    told.append(await home.told())
    await home.chooses(category=Category.MONEY_IN, threshold=least + Money(1, "INR"))
    await tell(money(home.asha, clock, "IN"))
    told.append(await home.told())
    await home.chooses(category=Category.MONEY_IN, no_threshold=True)
    await tell(money(home.asha, clock, "IN"))

    assert [*told, await home.told()] == [1, 1, 2, 2, 3]
    assert await fates(home.phone) == ["SUPPRESSED:PREFERENCE", "QUEUED", "QUEUED"]


async def test_at_night_a_push_waits_for_the_morning_or_stays_in_the_inbox(
    home: Household,
) -> None:
    await home.chooses(quiet=NIGHT)
    await home.at("2026-11-22T02:00:00+00:00")  # 07:30 in India: the day has begun
    await home.world.tell(money(home.asha, home.world.clock))
    await home.at("2026-11-22T18:00:00+00:00")  # 23:30 there
    clock = home.world.clock
    await home.world.tell(money(home.asha, clock), alarm(home.asha, clock))
    desk = Staff(name="Desk", reason="a letter")
    await customers_zone(home.bank, desk, home.number, "America/New_York")
    await home.world.tell(money(home.asha, clock))

    due = [row.get("due_at", datetime).isoformat() for row in await pushes(home.phone)]
    assert due == [
        "2026-11-22T02:00:00+00:00",
        "2026-11-23T01:30:00+00:00",  # 07:00 in India
        "2026-11-22T18:00:00+00:00",  # security knows no night
        "2026-11-22T18:00:00+00:00",  # 13:00 in New York
    ]
    assert await fates(home.phone) == ["QUEUED"] * 4
    assert [entry[2] for entry in await home.entries("staff.zone_set")] == [
        {"reason": "a letter", "zone": "America/New_York"}
    ]
    for number, zone in ((home.number, "Mars/Olympus"), ("0", "Europe/Berlin")):
        with pytest.raises((NotFound, ValidationFailed)):
            await customers_zone(home.bank, desk, number, zone)


async def test_what_is_worth_nothing_in_the_morning_stays_in_the_inbox(
    home: Household,
) -> None:
    old = replace(
        money(home.asha, home.world.clock),
        occurred_at=home.world.clock.now() - timedelta(hours=22),
    )
    await home.chooses(quiet=QuietHours.parse("14:00", "18:00"))

    await home.world.tell(old, money(home.asha, home.world.clock))  # 15:00 in India

    assert await home.told() == 2
    assert await fates(home.phone) == ["SUPPRESSED:QUIET", "QUEUED"]


async def test_what_is_chosen_by_the_time_of_sending_counts(home: Household) -> None:
    world, clock = home.world, home.world.clock
    await home.at("2026-11-22T16:29:00+00:00")  # 21:59 in India
    await home.chooses(quiet=NIGHT)
    await world.tell(money(home.asha, clock), money(home.asha, clock, "IN"))
    world.provider.answer = lambda _message: Retry(120)

    await world.send()
    tried = len(world.provider.got)
    world.provider.answer = lambda message: Sent(message.id)
    world.later(121)
    async with database.watched_statements() as seen:
        await world.send()
    await home.chooses(category=Category.MONEY_IN, channels=IN_APP)
    held = [await fates(home.phone), len(world.provider.got)]
    await home.at("2026-11-23T01:30:00+00:00")  # 07:00 there
    await world.send()

    assert (tried, held) == (2, [["QUEUED:RETRY", "QUEUED:RETRY"], 2])
    assert sum("due_at = COALESCE" in sql for sql in seen) == 1  # for both
    assert await fates(home.phone) == ["SENT", "SUPPRESSED:PREFERENCE"]
    assert [row.get("attempts", int) for row in await pushes(home.phone)] == [1, 0]


async def test_a_muted_phone_says_so_before_it_says_what_was_chosen(
    home: Household,
) -> None:
    await home.chooses(category=Category.MONEY_OUT, channels=IN_APP)
    await device_becomes(home.phone, "LOCKED")

    await home.world.tell(money(home.asha, home.world.clock))

    assert await fates(home.phone) == ["SUPPRESSED:MUTED"]


async def test_a_forged_row_takes_no_security_away(home: Household) -> None:
    names = ["customer_id", "category", "channels", "threshold_minor", "currency"]
    forged = [
        Row(dict(zip(names, (home.asha.value, category, 0, None, None), strict=True)))
        for category in ("SECURITY", "LOGIN_APPROVAL", "MONEY_OUT", "OF_TOMORROW")
    ]

    wishes = preferences.wishes_of(None, forged)
    for category in ("SECURITY", "LOGIN_APPROVAL"):
        with pytest.raises(BROKEN):
            await run(
                "INSERT INTO notification_preference VALUES ($1, $2, 0, NULL, NULL) "
                "RETURNING category",
                home.asha,
                category,
            )

    assert [wishes.of(one).channels for one in Category] == [
        frozenset() if one is Category.MONEY_OUT else ALL for one in Category
    ]


async def test_nothing_at_all_stops_security_on_both_phones_at_night(
    home: Household,
) -> None:
    second = await home.world.phone(home.asha, "fid-asha-2")
    for category in set(Category) - MANDATORY:
        await home.chooses(category=category, channels=frozenset())
    await home.chooses(quiet=QuietHours.parse("00:00", "23:59"))

    await home.world.tell(
        money(home.asha, home.world.clock), alarm(home.asha, home.world.clock)
    )

    assert await home.told() == 1
    assert [await fates(one) for one in (home.phone, second)] == [["QUEUED"]] * 2


REFUSED = [
    (Change(category=Category.SECURITY, channels=IN_APP), NotAllowed, "category"),
    (
        Change(category=Category.LOGIN_APPROVAL, channels=frozenset()),
        NotAllowed,
        "category",
    ),
    (
        Change(category=Category.SECURITY, threshold=Money(1, "INR")),
        NotAllowed,
        "category",
    ),
    (
        Change(category=Category.MONEY_IN, channels=frozenset({Channel.PUSH})),
        ValidationFailed,
        "channels",
    ),
    (Change(channels=IN_APP), ValidationFailed, "category"),
    (Change(no_threshold=True), ValidationFailed, "category"),
    (
        Change(category=Category.LOW_BALANCE, threshold=Money(1, "INR")),
        ValidationFailed,
        "threshold",
    ),
    (
        Change(category=Category.MONEY_IN, threshold=Money(0, "INR")),
        ValidationFailed,
        "threshold",
    ),
    (
        Change(category=Category.MONEY_IN, threshold=Money(1, "EUR")),
        CurrencyMismatch,
        "threshold",
    ),
    (Change(hide_amounts=False), NotAllowed, "hideAmountsInPush"),
    (Change(quick=[AccountId.new()]), NotFound, "quickBalanceAccountIds"),
    (
        Change(quick=[AccountId.new()] * 51),
        ValidationFailed,
        "quickBalanceAccountIds",
    ),
]


async def test_a_no_changes_nothing_and_is_written_down(home: Household) -> None:
    for change, refusal, field in REFUSED:
        with pytest.raises(refusal) as no:
            await home.rooms.choices.change(home.phone, change)
        assert (no.value.field or [""])[0] == field

    assert await home.entries("notifications.changed") == [
        ("DENIED", refusal.code.value, {}) for _change, refusal, _field in REFUSED
    ]
    assert (await home.rooms.choices.of(home.phone)) == preferences.Wishes()
    tables = ("notification_preference", "notification_settings", "quick_balance_optin")
    assert set((await home.bank.everything_of(*tables)).values()) == {0}


async def test_each_change_is_audited_once_and_a_repeat_changes_nothing(
    home: Household,
) -> None:
    wanted = {
        "category": Category.MONEY_IN,
        "channels": IN_APP,
        "threshold": Money(500, "INR"),
        "quiet": NIGHT,
        "quick": [home.current.id],
    }

    first = await home.chooses(**wanted)
    again = await home.chooses(**wanted)
    await home.chooses(category=Category.SECURITY, channels=ALL)
    await home.chooses()

    assert first == again
    assert await home.entries("notifications.changed") == [
        (
            "OK",
            None,
            {
                "category": "MONEY_IN",
                "channels": "IN_APP",
                "threshold": "500 INR",
                "quietHours": "22:00-07:00",
                "hideAmounts": True,
                "quickBalance": 1,
            },
        )
    ]


async def test_a_session_that_ended_changes_nothing(home: Household) -> None:
    await home.sessions.logout(home.phone)

    with pytest.raises(Unauthenticated):
        await home.chooses(quiet=NIGHT)

    assert await home.bank.everything_of("notification_settings") == {
        "notification_settings": 0
    }


async def test_the_database_keeps_whole_choices_only(bank_database: Settings) -> None:
    for values in (
        "'MONEY_IN', 1, NULL, NULL",
        "'MONEY_IN', 4, NULL, NULL",
        "'MONEY_IN', 3, 100, NULL",
        "'MONEY_IN', 3, NULL, 'INR'",
        "'MONEY_IN', 3, 0, 'INR'",
        "'LOW_BALANCE', 3, 100, 'INR'",
        "'SECURITY', 3, NULL, NULL",
    ):
        with pytest.raises(BROKEN, match="notification_preference_"):
            await run(
                f"INSERT INTO notification_preference VALUES ($1, {values}) "  # noqa: S608  -- our own words
                "RETURNING category",
                uuid7(),
            )
    for hours in ("60, NULL", "NULL, 60", "60, 60", "-1, 60", "60, 1440"):
        with pytest.raises(BROKEN, match="notification_settings_quiet"):
            await run(
                "INSERT INTO notification_settings "  # noqa: S608  -- our own words
                f"(customer_id, quiet_from, quiet_to) VALUES ($1, {hours}) "
                "RETURNING customer_id",
                uuid7(),
            )
