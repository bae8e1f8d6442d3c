"""Whose account it is, what it is called, and who may read its number."""

import pytest

from app import database
from app.accounts.account import AccountStatus, masked, shot
from app.accounts.accounts import Accounts, Opening
from app.accounts.models import CONSTRAINTS
from app.accounts.models import Account as AccountModel
from app.database import Tx
from app.errors import NotFound, NotSupported, ValidationFailed
from app.ids import AccountId, CustomerId
from app.integrations.core_banking import AccountKind, AccountState, CoreBank
from app.integrations.outcome import Ok, PortCode, Rejected
from app.vault import Ring, Unsealable, Vault
from tests.accounts.world import BANK_CODE, Room, actor_of, an_op
from tests.conftest import BROKEN
from tests.ledger.world import catalogue

NUMBER = "50100012345678"
SAME_NUMBER = "number_lookup = (SELECT min(number_lookup) FROM account)"


async def count() -> int:
    return len(await database.read("SELECT id FROM account"))


async def test_a_customer_sees_his_accounts_in_the_order_they_were_opened(
    room: Room,
) -> None:
    asha = CustomerId.new()
    first = await room.an_account(owner=asha)
    second = await room.an_account(owner=asha, name="Savings")
    await room.an_account(owner=asha, name="Holiday", kind=AccountKind.POT)
    await room.an_account()

    found = await room.accounts.of_customer(asha)

    assert found == [first, second]
    assert [one.name for one in found] == ["Everyday", "Savings"]
    assert await room.accounts.of_customer(CustomerId.new()) == []


async def test_currencies_are_of_all_accounts_that_of_the_first_first(
    room: Room,
) -> None:
    asha = CustomerId.new()
    for currency in ("INR", "EUR", "INR"):
        await room.an_account(owner=asha, currency=currency)
    await room.an_account(owner=asha, kind=AccountKind.POT, currency="USD")
    await room.an_account(currency="GBP")

    assert await room.accounts.currencies(asha) == ["INR", "EUR"]
    assert await room.accounts.currencies(CustomerId.new()) == []


async def test_a_foreign_account_looks_like_none(room: Room) -> None:
    asha, ben = CustomerId.new(), CustomerId.new()
    own = await room.an_account(owner=asha)
    foreign = await room.an_account(owner=ben)
    actor = actor_of(asha)

    assert await room.accounts.owned(actor, [own.id, own.id]) == {own.id: own}
    assert await room.accounts.found(actor, [own.id, foreign.id]) == {own.id: own}
    assert await room.accounts.by_refs(actor, [foreign.ref, own.ref]) == {own.ref: own}
    for wanted in ([foreign.id], [own.id, foreign.id], [AccountId.new()]):
        with pytest.raises(NotFound):
            await room.accounts.owned(actor, wanted)


async def test_no_account_is_no_question(room: Room) -> None:
    actor = actor_of(CustomerId.new())

    async with database.watched_statements() as seen:
        assert await room.accounts.found(actor, []) == {}
        assert await room.accounts.by_refs(actor, []) == {}
        assert await room.accounts.numbers(actor, []) == {}
        assert await room.balances.of([]) == {}

    assert seen == []


async def test_only_the_owner_reads_the_full_number(room: Room) -> None:
    asha = CustomerId.new()
    own = await room.an_account(owner=asha, number="5010 0012-345678")
    foreign = await room.an_account()

    found = await room.accounts.numbers(actor_of(asha), [own.id, foreign.id])

    assert found == {own.id: NUMBER}
    assert own.masked_number == "••••5678"


async def test_a_number_is_nowhere_in_the_table(room: Room) -> None:
    await room.an_account(number=NUMBER)

    row = (await database.read("SELECT * FROM account"))[0]

    stored = [
        row.get("number_sealed", bytes),
        row.get("number_lookup", bytes),
        row.get("masked_number", str).encode(),
    ]
    assert all(NUMBER[:-4].encode() not in one for one in stored)


async def test_a_sealed_number_opens_only_in_its_own_row(room: Room) -> None:
    asha = CustomerId.new()
    first = await room.an_account(owner=asha, number=NUMBER)
    second = await room.an_account(owner=asha)

    async def swap(tx: Tx) -> None:
        await tx.rows(
            "UPDATE account SET number_sealed = (SELECT number_sealed FROM account "
            "WHERE id = $1) WHERE id = $2",
            first.id,
            second.id,
        )

    await database.transaction(swap, name="test.swap")

    with pytest.raises(Unsealable):
        await room.accounts.numbers(actor_of(asha), [second.id])


async def test_a_payee_is_found_by_number_however_it_is_typed(room: Room) -> None:
    account = await room.an_account(number=NUMBER)

    for typed in (NUMBER, "5010 0012 3456 78", "5010-0012-345678"):
        found = await room.accounts.by_number(typed)
        assert found is not None
        assert (found.id, found.customer) == (account.id, account.customer)
    named = await room.accounts.by_number(NUMBER, f" {BANK_CODE.lower()} ")
    assert named is not None
    assert (named.ref, named.currency, named.can_credit) == (account.ref, "INR", True)


async def test_another_number_or_another_bank_finds_nobody(room: Room) -> None:
    await room.an_account(number=NUMBER)

    assert await room.accounts.by_number("50100012345679") is None
    assert await room.accounts.by_number(NUMBER, "HDFC0001234") is None


async def test_a_number_is_found_after_the_pepper_was_rotated(
    room: Room, vault: Vault
) -> None:
    account = await room.an_account(number=NUMBER)
    rotated = Vault(
        sealing=vault.sealing, pepper=Ring({2: bytes(32), **vault.pepper.keys})
    )
    later = Accounts(
        core=room.core, core_name="embedded", vault=rotated, bank_code=BANK_CODE
    )

    found = await later.by_number(NUMBER)

    assert found is not None
    assert found.id == account.id
    with pytest.raises(ValidationFailed):
        await later.open_account(an_opening(number=NUMBER))


def an_opening(
    *,
    account: AccountId | None = None,
    name: str = "Everyday",
    currency: str = "INR",
    number: str = NUMBER,
) -> Opening:
    return Opening(
        customer=CustomerId.new(),
        kind=AccountKind.CURRENT,
        name=name,
        currency=currency,
        number=number,
        id=account,
    )


async def test_an_opening_that_comes_twice_is_one_account(room: Room) -> None:
    opening = an_opening(account=AccountId.new())

    first = await room.accounts.open_account(opening)
    second = await room.accounts.open_account(opening)

    assert second == first
    assert await count() == 1


@pytest.mark.parametrize(
    "opening",
    [
        an_opening(number="12345"),
        an_opening(number="1" * 35),
        an_opening(number="५०१०००१२३४"),
        an_opening(currency="rupee"),
        an_opening(name=" "),
        an_opening(name="x" * 81),
    ],
)
async def test_an_opening_without_form_opens_nothing(
    room: Room, opening: Opening
) -> None:
    with pytest.raises(ValidationFailed):
        await room.accounts.open_account(opening)

    assert await count() == 0
    assert await database.read("SELECT id FROM ledger_account") == []


async def test_a_number_in_use_is_not_given_twice(room: Room) -> None:
    await room.an_account(number=NUMBER)

    with pytest.raises(ValidationFailed) as caught:
        await room.accounts.open_account(an_opening())

    assert caught.value.field == ["number"]
    assert await count() == 1


async def test_a_core_that_opens_its_own_accounts_is_not_asked(
    vault: Vault, room: Room
) -> None:
    class Foreign:
        """A core without CanSeed."""

        caps = room.core.caps

    foreign: CoreBank = Foreign()  # type: ignore[assignment]  # it is never called
    accounts = Accounts(core=foreign, core_name="tcs", vault=vault, bank_code=BANK_CODE)

    with pytest.raises(NotSupported):
        await accounts.open_account(an_opening())

    assert await count() == 0


@pytest.mark.parametrize(
    ("state", "status", "debit", "credit"),
    [
        (AccountState.OPEN, AccountStatus.ACTIVE, True, True),
        (AccountState.BLOCK_DEBIT, AccountStatus.BLOCKED, False, True),
        (AccountState.BLOCK_CREDIT, AccountStatus.BLOCKED, True, False),
        (AccountState.BLOCKED, AccountStatus.BLOCKED, False, False),
        (AccountState.CLOSED, AccountStatus.CLOSED, False, False),
    ],
)
async def test_what_may_move_follows_from_the_state(
    room: Room, state: AccountState, status: AccountStatus, *, debit: bool, credit: bool
) -> None:
    account = await room.an_account()
    if state is not AccountState.OPEN:
        assert await room.accounts.set_state(an_op(), account, state) == Ok(None)

    found = (await room.accounts.of_customer(account.customer))[0]

    assert (found.status, found.can_debit, found.can_credit) == (status, debit, credit)
    told = shot(found)
    assert (told.status, told.can_debit, told.can_credit) == (status, debit, credit)
    assert told.id == str(account.id)


async def test_a_state_the_core_refuses_is_not_shown(room: Room) -> None:
    account = await room.an_account(100)

    outcome = await room.accounts.set_state(an_op(), account, AccountState.CLOSED)

    assert outcome == Rejected(PortCode.VALIDATION)
    assert await room.accounts.of_customer(account.customer) == [account]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("account_kind", "kind = 'PIGGY'"),
        ("account_state", "state = 'HALF'"),
        ("account_low_balance", "low_balance_minor = -1"),
        ("account_core_once", "core_ref = 'same'"),
        (
            "account_number_once",
            SAME_NUMBER,
        ),
    ],
)
async def test_what_a_guard_forbids_does_not_happen(
    room: Room, name: str, change: str
) -> None:
    await room.an_account()
    await room.an_account()

    async def work(tx: Tx) -> None:
        await tx.rows(f"UPDATE account SET {change}")  # noqa: S608  -- own text

    says = f"{name}|UNIQUE" if name.endswith("_once") else name
    with pytest.raises(BROKEN, match=says):
        await database.transaction(work, name="test.violation")

    assert name in CONSTRAINTS


async def test_every_name_is_in_the_catalogue_and_the_model_fits_the_table(
    room: Room,
) -> None:
    account = await room.an_account()

    known = await catalogue()

    assert [name for name in CONSTRAINTS if name not in known] == []
    row = await AccountModel.get(using_db=database.orm(), id=account.id.value)
    assert (row.name, row.masked_number) == (account.name, account.masked_number)


def test_a_mask_shows_four_characters() -> None:
    assert masked("GB29 NWBK 6016 1331 9268 19") == "••••6819"
