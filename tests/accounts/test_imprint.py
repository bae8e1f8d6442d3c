"""What a look leaves in the mirror and tells: once, in order, whoever looked."""

import pytest

from app import database
from app.accounts.row import TransactionStatus
from app.accounts.transactions import PageQuery
from app.clock import StoppedClock
from app.ids import CustomerId
from app.integrations.core_banking import AccountState, Narrative
from app.integrations.outcome import Ok
from app.money import Money
from app.realtime.facts import BalanceChanged, TransactionPosted, TransactionUpdated
from app.settings import Settings
from app.vault import Vault
from tests.accounts.far_world import FarRoom, a_far_room, cold, names_told, told
from tests.accounts.world import an_op

MINI = PageQuery(size=5)
SHOP = Narrative("Shop", payer_name="Asha Rao", payee_name="Shop", reference="42")


async def test_the_first_look_at_an_account_tells_nothing(far_room: FarRoom) -> None:
    asha = CustomerId.new()

    accounts = await cold(far_room, asha, 100)
    await far_room.balances.of(accounts)

    assert await told(asha) == []


async def test_a_payment_reaches_both_phones_without_a_poll(far_room: FarRoom) -> None:
    asha, ben = CustomerId.new(), CustomerId.new()
    payer = await far_room.an_account(1000, owner=asha)
    payee = await far_room.an_account(owner=ben)

    await far_room.pay(payer, payee, 250)

    out, less = await told(asha)
    came, more = await told(ben)
    assert isinstance(out, TransactionPosted)
    assert isinstance(less, BalanceChanged)
    assert isinstance(came, TransactionPosted)
    assert isinstance(more, BalanceChanged)
    assert out.transaction.counterparty is not None
    assert out.transaction.counterparty.name == "Ben Okafor"
    assert came.transaction.counterparty is not None
    assert came.transaction.counterparty.name == "Asha Rao"
    assert (less.balance.available, less.balance.version, less.moved) == (750, 2, -250)
    assert (more.balance.available, more.balance.version, more.moved) == (250, 2, 250)


async def test_two_processes_that_look_at_once_tell_once(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    asha = CustomerId.new()
    async with (
        a_far_room(clock, vault) as one,
        a_far_room(clock, vault, one.far) as other,
    ):
        account = await one.an_account(1000, owner=asha)
        for turn in range(5):
            clock.move(seconds=1)
            one.far.deposit(account.ref, 10 + turn)
            for room in (one, other, one):
                room.feed.soon([account], anew=True)
            await one.settled()
            await other.settled()

        posted = [fact for fact in await told(asha) if type(fact) is TransactionPosted]
        balances = [fact for fact in await told(asha) if type(fact) is BalanceChanged]

    assert [fact.transaction.amount for fact in posted] == [10, 11, 12, 13, 14]
    assert [fact.balance.version for fact in balances] == [2, 3, 4, 5, 6]
    assert [fact.balance.available for fact in balances] == [
        1010,
        1021,
        1033,
        1046,
        1060,
    ]


async def test_an_earlier_look_that_comes_late_changes_nothing(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    asha = CustomerId.new()
    account = await far_room.an_account(1000, owner=asha)
    before = far_room.far.kept[account.ref].rows[0]
    late = await far_room.far.look([account.ref], 20)
    asked_at = clock.now()
    clock.move(seconds=1)
    far_room.far.deposit(account.ref, 5)
    far_room.feed.soon([account])
    await far_room.settled()

    await far_room.feed.kept(account, late[0], asked_at)

    balance = (await far_room.balances.of([account]))[account.id]
    assert (balance.available.minor, balance.version) == (1005, 2)
    assert before.id != far_room.far.kept[account.ref].rows[0].id
    assert await names_told(asha) == ["TransactionPosted", "BalanceChanged"]


async def test_a_version_grows_only_when_a_figure_changes(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    account = await far_room.an_account(1000)
    for _ in range(3):
        clock.move(seconds=31)
        await far_room.balances.of([account])
        await far_room.settled()

    found = (await far_room.balances.of([account]))[account.id]

    assert (found.version, found.as_of) == (1, clock.now())
    assert await told(account.customer) == []


async def test_looks_that_say_the_same_are_two_statements_for_all_accounts(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    accounts = [await far_room.an_account(1000 + number) for number in range(9)]
    clock.move(seconds=31)

    async with database.watched_statements() as seen:
        far_room.feed.soon(accounts)
        await far_room.settled()

    assert len(seen) == 2
    found = await far_room.balances.of(accounts)
    assert {one.as_of for one in found.values()} == {clock.now()}
    assert [one.version for one in found.values()] == [1] * 9


async def test_a_hold_is_pending_and_its_release_declined(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    asha = CustomerId.new()
    account = await far_room.an_account(1000, owner=asha)
    made = await far_room.teller.hold(an_op(), account.ref, Money(300, "INR"), SHOP)
    assert isinstance(made, Ok)
    await far_room.settled()
    held = (await far_room.transactions.pages([account], MINI))[account.id].rows[0]
    clock.move(minutes=1)

    await far_room.teller.release(an_op(), made.value)
    await far_room.settled()

    row = (await far_room.transactions.pages([account], MINI))[account.id].rows[0]
    assert (held.status, row.status) == (
        TransactionStatus.PENDING,
        TransactionStatus.DECLINED,
    )
    assert (row.id, row.created_at) == (held.id, held.created_at)
    assert (row.reference, row.counterparty_name) == ("42", "Shop")
    facts = await told(asha)
    assert [type(fact) for fact in facts] == [
        TransactionPosted,
        BalanceChanged,
        TransactionUpdated,
        BalanceChanged,
    ]


@pytest.mark.parametrize("named", [True, False])
async def test_a_captured_hold_goes_on_as_the_same_row(
    far_room: FarRoom, *, named: bool
) -> None:
    far_room.far.names_holds = named
    asha = CustomerId.new()
    account = await far_room.an_account(1000, owner=asha)
    made = await far_room.teller.hold(an_op(), account.ref, Money(300, "INR"), SHOP)
    assert isinstance(made, Ok)
    await far_room.settled()
    held = (await far_room.transactions.pages([account], MINI))[account.id].rows[0]

    booked = await far_room.teller.capture(an_op(), made.value, None)
    await far_room.settled()

    rows = (await far_room.transactions.pages([account], MINI))[account.id].rows
    assert isinstance(booked, Ok)
    assert [row.status for row in rows] == [TransactionStatus.BOOKED] * 2
    assert (rows[0].id, rows[0].reference) == (held.id, "42")
    assert await names_told(asha) == [
        "TransactionPosted",
        "BalanceChanged",
        "TransactionUpdated",
        "BalanceChanged",
    ]


async def test_equal_holds_keep_their_own_words(far_room: FarRoom) -> None:
    account = await far_room.an_account(1000)
    held = Money(300, "INR")
    refused = Narrative("Refused", reference="0")
    await far_room.teller.hold(an_op(), account.ref, Money(3000, "INR"), refused)
    freed = await far_room.teller.hold(an_op(), account.ref, held, refused)
    assert isinstance(freed, Ok)
    await far_room.teller.release(an_op(), freed.value)
    await far_room.settled()

    for reference in ("1", "2"):
        words = Narrative("Shop", reference=reference)
        await far_room.teller.hold(an_op(), account.ref, held, words)
        await far_room.settled()

    rows = (await far_room.transactions.pages([account], MINI))[account.id].rows
    assert [row.reference for row in rows[:2]] == ["2", "1"]
    assert [row.status for row in rows[:2]] == [TransactionStatus.PENDING] * 2


async def test_a_hold_at_the_branch_has_no_words_of_ours(far_room: FarRoom) -> None:
    account = await far_room.an_account(1000)
    await far_room.far.hold(an_op(), account.ref, Money(300, "INR"), SHOP)
    far_room.feed.soon([account])
    await far_room.settled()

    row = (await far_room.transactions.pages([account], MINI))[account.id].rows[0]

    assert (row.status, row.reference) == (TransactionStatus.PENDING, None)


async def test_a_block_at_the_branch_is_shown(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    account = await far_room.an_account(1000)
    far_room.far.state(account.ref, AccountState.BLOCK_DEBIT)
    clock.move(seconds=31)

    await far_room.balances.of([account])
    await far_room.settled()

    found = (await far_room.accounts.of_customer(account.customer))[0]
    assert (found.can_debit, found.can_credit) == (False, True)


# ------------------------------------------------------------------ history


async def test_the_worker_fetches_the_whole_history_and_tells_none_of_it(
    far_room: FarRoom,
) -> None:
    asha = CustomerId.new()
    ref = far_room.far.open(asha.value.hex)
    for minor in range(1, 48):
        far_room.far.deposit(ref, minor)
    await far_room.link(asha)
    await far_room.settled()
    account = (await far_room.accounts.of_customer(asha))[0]
    shallow = await far_room.transactions.pages([account], PageQuery(size=100))

    while await far_room.feed.history():
        pass

    deep = await far_room.transactions.pages([account], PageQuery(size=100))
    assert len(shallow[account.id].rows) == 20
    found = [row.amount.minor for row in deep[account.id].rows]
    assert found == list(range(47, 0, -1))
    assert await told(asha) == []
    assert len(far_room.far.pages) == 6


async def test_more_news_than_a_look_shows_is_fetched_and_told_once(
    far_room: FarRoom, clock: StoppedClock
) -> None:
    asha = CustomerId.new()
    account = await far_room.an_account(1000, owner=asha)
    for minor in range(1, 31):
        far_room.far.deposit(account.ref, minor)
    clock.move(seconds=31)
    await far_room.balances.of([account])
    await far_room.settled()

    while await far_room.feed.history():
        pass

    posted = [
        fact.transaction.amount
        for fact in await told(asha)
        if isinstance(fact, TransactionPosted)
    ]
    assert sorted(posted) == list(range(1, 31))
    rows = (await far_room.transactions.pages([account], PageQuery(size=100)))[
        account.id
    ].rows
    assert len(rows) == 31
