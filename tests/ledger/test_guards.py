"""Every guard and check of the ledger is in the catalogue, and none can be passed."""

from collections.abc import Callable
from uuid import UUID

import pytest

from app import database, upgrade
from app.database import Tx
from app.ids import uuid7
from app.ledger.book import Book
from app.ledger.holds import Holds
from app.ledger.tables import CONSTRAINTS
from tests.conftest import BROKEN
from tests.ledger.world import RENT, an_account, an_op, catalogue, inr, sizes

HELPERS = frozenset(  # indexes that speed up and forbid nothing
    (
        "ledger_owner",
        "hold_open",
        "journal_at",
        "line_newest",
        "line_payment",
        "line_journal",
    )
)
Violation = Callable[[UUID, UUID], str]
WHEN_BOOKED = "running_balance = 1, value_on = '2026-11-21', booked_at = created_at"


def balance(change: str) -> Violation:
    return lambda asha, _hold: (
        f"UPDATE ledger_balance SET {change} WHERE account_id = '{asha}'"  # noqa: S608  -- own text
    )


def account(change: str) -> Violation:
    return lambda asha, _hold: f"UPDATE ledger_account SET {change} WHERE id = '{asha}'"  # noqa: S608  -- own text


def hold(change: str) -> Violation:
    return lambda _asha, hold: f"UPDATE ledger_hold SET {change} WHERE id = '{hold}'"  # noqa: S608  -- own text


def a_posting(amount: str = "5", phase: str = "COMMITTED") -> Violation:
    return lambda asha, _hold: (
        f"INSERT INTO ledger_posting VALUES ('{uuid7()}', 1, '{asha}', "  # noqa: S608  -- own text
        f"'{phase}', {amount}, 5, 0, 99)"
    )


def a_line(change: str, status: str = "PENDING") -> Violation:
    return lambda _asha, _hold: (
        f"UPDATE ledger_line SET {change} WHERE status = '{status}'"  # noqa: S608  -- own text
    )


def a_copied_line(**columns: str) -> Violation:
    names = (
        "id",
        "account_id",
        "op_id",
        "journal_id",
        "direction",
        "amount",
        "kind",
        "status",
        "rail",
        "narration",
        "value_on",
        "search",
        "running_balance",
        "created_at",
        "booked_at",
    )
    chosen = ", ".join(columns.get(name, name) for name in names if name != "id")
    return lambda _asha, _hold: (
        f"INSERT INTO ledger_line ({', '.join(names)}) "  # noqa: S608  -- own text
        f"SELECT '{uuid7()}', {chosen} FROM ledger_line LIMIT 1"
    )


VIOLATIONS: dict[str, Violation] = {
    "ledger_account_kind": account("kind = 'PIGGY'"),
    "ledger_account_owner": account("owner_id = NULL"),
    "ledger_account_state": account("state = 'HALF'"),
    "balance_pending_out_sign": balance("pending_out = 1"),
    "balance_pending_in_sign": balance("pending_in = -1"),
    "balance_floor": balance("committed = 99"),
    "balance_range": balance("committed = 4000000000000000001"),
    "balance_state": balance("state = 'HALF'"),
    "ledger_op_outcome": lambda _a, _h: "UPDATE ledger_op SET outcome = 'MAYBE'",
    "posting_amount": a_posting(amount="0"),
    "posting_phase": a_posting(phase="LATER"),
    "hold_amount": hold("amount = 0"),
    "hold_captured": hold("captured = 101, state = 'CAPTURED'"),
    "hold_state": hold("state = 'CAPTURED'"),
    "line_amount": a_copied_line(amount="0"),
    "line_direction": a_copied_line(direction="'UP'"),
    "line_kind": a_copied_line(kind="'GIFT'"),
    "line_status": a_copied_line(
        status="'LOST'", running_balance="NULL", booked_at="NULL"
    ),
    "line_booked": a_copied_line(running_balance="NULL"),
    "ledger_control_one": lambda _a, _h: "INSERT INTO ledger_control (id) VALUES (2)",
    "ledger_code_once": lambda _a, _h: (
        "UPDATE ledger_account SET code = 'cash.nostro.INR' "
        "WHERE code = 'income.fee.INR'"
    ),
    "posting_version_once": lambda asha, _h: (
        "INSERT INTO ledger_posting SELECT "  # noqa: S608  -- own text
        f"'{uuid7()}', no, account_id, phase, amount, after_committed, "
        f"after_pending_out, version FROM ledger_posting WHERE account_id = '{asha}'"
    ),
    "posting_append_only": lambda _a, _h: "UPDATE ledger_posting SET amount = 1",
    "posting_append_only_delete": lambda _a, _h: "DELETE FROM ledger_posting",
    "journal_append_only": lambda _a, _h: "UPDATE ledger_journal SET memo = 'y'",
    "journal_append_only_delete": lambda _a, _h: "DELETE FROM ledger_journal",
    "posting_before_seal": lambda _a, _h: (
        "INSERT INTO ledger_posting SELECT journal_id, no + 10, account_id, phase, "
        "amount, after_committed, after_pending_out, version + 90 FROM ledger_posting"
    ),
    "line_moves": a_line("status = 'DECLINED'", status="BOOKED"),
    "line_stays": lambda _a, _h: "DELETE FROM ledger_line",
}
JOURNALS = {  # the rest needs postings that seal, then fails at the journal itself
    "journal_kind",
    "journal_hold",
    "journal_reverses",
    "journal_seal",
    "journal_op_once",
    "journal_reversed_once",
    "hold_resolved_once",
}


async def run(sql: str) -> None:
    async def work(tx: Tx) -> None:
        await tx.rows(sql)

    await database.transaction(work, name="test.violation")


async def filled(book: Book, holds: Holds) -> tuple[UUID, UUID]:
    """Give an account and its open hold of 100, with booked rows beside it."""
    asha, ben = await an_account(book, 1000), await an_account(book)
    await book.transfer(an_op(), asha, ben, inr(50), RENT)
    op = an_op()
    await holds.hold(op, asha, inr(100), RENT)
    return asha, op.id


@pytest.mark.usefixtures("bank_database")
async def test_every_name_is_in_the_catalogue() -> None:
    there = await catalogue()

    missing = [name for name in CONSTRAINTS if name not in there]

    assert missing == []


def test_both_engines_carry_the_same_guards() -> None:
    def names(dialect: str) -> set[str]:
        found = {name for _kind, name, _table in upgrade.guard_names(dialect)}
        return found & set(CONSTRAINTS)

    assert names("sqlite") == names("postgres")


def test_every_name_has_its_violation() -> None:
    assert set(CONSTRAINTS) == set(VIOLATIONS) | JOURNALS | HELPERS


@pytest.mark.parametrize("name", VIOLATIONS)
async def test_what_a_guard_forbids_does_not_happen(
    book: Book, holds: Holds, name: str
) -> None:
    asha, hold_id = await filled(book, holds)
    before = await sizes()

    with pytest.raises(BROKEN) as caught:
        await run(VIOLATIONS[name](asha, hold_id))

    unique = name.endswith("_once")
    said = str(caught.value)
    assert name.removesuffix("_delete") in said or (unique and "UNIQUE" in said)
    assert await sizes() == before


def legs(journal: UUID, asha: UUID, *amounts: int, phase: str = "COMMITTED") -> str:
    house = "(SELECT id FROM ledger_account WHERE code = 'cash.nostro.INR')"
    sides = [f"'{asha}'", house, house, house]
    rows = [
        f"('{journal}', {number}, {sides[number]}, '{phase}', {amount}, 0, 0, "
        f"{90 + number})"
        for number, amount in enumerate(amounts)
    ]
    return f"INSERT INTO ledger_posting VALUES {', '.join(rows)}"  # noqa: S608  -- own text


def seal(journal: UUID, kind: str, *, op: str, hold: str, reverses: str) -> str:
    return (
        f"INSERT INTO ledger_journal VALUES ('{journal}', {op}, '{kind}', {hold}, "  # noqa: S608  -- own text
        f"{reverses}, 'x', '2026-11-21', '2026-11-21 00:00:00')"
    )


async def journalled(
    asha: UUID, *amounts: int, phase: str = "COMMITTED", **of: str
) -> None:
    journal = uuid7()
    facts = {"op": f"'{uuid7()}'", "hold": "NULL", "reverses": "NULL"} | of
    kind = facts.pop("kind", "TRANSFER")

    async def work(tx: Tx) -> None:
        if amounts:
            await tx.rows(legs(journal, asha, *amounts, phase=phase))
        await tx.rows(seal(journal, kind, **facts))

    await database.transaction(work, name="test.journal")


@pytest.mark.parametrize(
    ("amounts", "phase"),
    [
        ((), "COMMITTED"),
        ((5,), "COMMITTED"),
        ((-5, 6), "COMMITTED"),
        ((-5, -5), "PENDING_OUT"),
    ],
)
async def test_a_journal_that_does_not_sum_to_zero_is_not_sealed(
    book: Book, holds: Holds, amounts: tuple[int, ...], phase: str
) -> None:
    asha, _hold = await filled(book, holds)
    before = await sizes()

    with pytest.raises(BROKEN, match="journal_seal"):
        await journalled(asha, *amounts, phase=phase)

    assert await sizes() == before


async def test_a_journal_over_two_currencies_is_not_sealed(
    book: Book, holds: Holds
) -> None:
    await filled(book, holds)
    clara = await an_account(book, 10, currency="EUR")

    with pytest.raises(BROKEN, match="journal_seal"):
        await journalled(clara, -5, 5)


async def test_postings_without_a_journal_are_not_committed(
    book: Book, holds: Holds
) -> None:
    asha, _hold = await filled(book, holds)
    before = await sizes()

    with pytest.raises(BROKEN, match=r"(?i)foreign key"):
        await run(legs(uuid7(), asha, -5, 5))

    assert await sizes() == before


async def test_an_operation_a_hold_and_a_reversal_have_one_journal_each(
    book: Book, holds: Holds
) -> None:
    asha, hold_id = await filled(book, holds)
    await holds.release(an_op(), hold_id, "INR")
    wrong = await book.deposit(an_op(), asha, inr(5), "Cash")
    assert wrong.journal is not None
    await book.reverse(an_op(), wrong.journal, "wrong")
    before = await sizes()
    doubles = (
        {"op": "(SELECT op_id FROM ledger_journal LIMIT 1)"},
        {"kind": "CAPTURE", "hold": f"'{hold_id}'"},
        {"kind": "REVERSAL", "reverses": f"'{wrong.journal}'"},
    )

    for double in doubles:
        with pytest.raises(BROKEN, match=r"(?i)unique"):
            await journalled(asha, -5, 5, **double)

    assert await sizes() == before


@pytest.mark.parametrize(
    "change",
    [
        f"status = 'BOOKED', amount = 101, {WHEN_BOOKED}",
        f"status = 'REVERSED', {WHEN_BOOKED}",
        "direction = 'IN'",
        "narration = 'other words'",
    ],
)
async def test_a_pending_row_only_turns_booked_or_declined(
    book: Book, holds: Holds, change: str
) -> None:
    asha, hold_id = await filled(book, holds)

    with pytest.raises(BROKEN, match="line_moves"):
        await run(a_line(change)(asha, hold_id))


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("journal_kind", {"kind": "GIFT"}),
        ("journal_hold", {"kind": "CAPTURE"}),
        ("journal_reverses", {"kind": "REVERSAL"}),
    ],
)
async def test_a_journal_says_what_it_is_and_what_it_ends(
    book: Book, holds: Holds, name: str, facts: dict[str, str]
) -> None:
    asha, _hold = await filled(book, holds)
    before = await sizes()

    with pytest.raises(BROKEN, match=name):
        await journalled(asha, -5, 5, **facts)

    assert await sizes() == before
