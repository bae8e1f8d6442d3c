"""Each proof finds what it is there to find, in full and since a watermark."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from app import database
from app.clock import StoppedClock
from app.database import Tx
from app.ids import uuid7
from app.ledger import coherence, statement
from app.ledger.book import Book
from app.ledger.holds import Holds
from app.ledger.statement import StatementBroken, StatementRow
from tests.conftest import broken_proofs
from tests.ledger.world import RENT, an_account, an_op, figures, inr, off

EDIT_POSTING = "off posting_append_only"
EDIT_JOURNAL = "off journal_append_only"
LATE_POSTING = "off posting_before_seal"
ONE_MORE = (
    "INSERT INTO ledger_posting SELECT journal_id, 9, account_id, phase, 7, 7, 0, 77 "
    "FROM ledger_posting LIMIT 1"
)
NEW_VERSIONS = "off posting_version_once"


@pytest.fixture
async def mended(book: Book) -> AsyncIterator[None]:
    """Put a broken book right again, so that the proofs after the test are clean."""
    del book
    yield
    for table in (
        "ledger_posting",
        "ledger_journal",
        "ledger_hold",
        "ledger_balance",
    ):
        for trigger in ("posting_append_only_delete", "journal_append_only_delete"):
            await run(f"off {trigger}")
        await run(f"DELETE FROM {table}")  # noqa: S608  -- own names


async def run(*statements: str) -> None:
    async def work(tx: Tx) -> None:
        for sql in statements:
            word, _, guard = sql.partition(" ")
            await tx.rows(off(guard) if word == "off" else sql)

    await database.transaction(work, name="test.break")


async def filled(book: Book, holds: Holds) -> tuple[UUID, UUID]:
    asha, ben = await an_account(book, 1000), await an_account(book)
    await book.transfer(an_op(), asha, ben, inr(50), RENT)
    op = an_op()
    await holds.hold(op, asha, inr(100), RENT)
    return asha, op.id


async def found_since(clock: StoppedClock) -> list[str]:
    mark = clock.now() - timedelta(seconds=5)
    return [
        proof.name[:2]
        for proof in coherence.proofs()
        if await database.read(proof.since, mark)
    ]


async def found() -> list[str]:
    return [name[:2] for name in await broken_proofs()]


async def test_a_sound_book_is_found_sound(
    book: Book, holds: Holds, clock: StoppedClock
) -> None:
    await filled(book, holds)

    assert await found() == []
    assert await found_since(clock) == []
    assert all(proof.freezes for proof in coherence.proofs())


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize(
    ("proof", "breaking"),
    [
        (
            "C1",
            (
                EDIT_POSTING,
                "UPDATE ledger_posting SET amount = amount + 1 WHERE version = 1",
            ),
        ),
        (
            "C1",
            (
                LATE_POSTING,
                ONE_MORE,
            ),
        ),
        (
            "C2",
            ("UPDATE ledger_balance SET committed = committed + 1 WHERE version = 3",),
        ),
        (
            "C2",
            ("UPDATE ledger_balance SET pending_in = 101 WHERE pending_in = 100",),
        ),
        (
            "C3",
            ("UPDATE ledger_balance SET version = version + 1 WHERE version = 3",),
        ),
        (
            "C3",
            (
                EDIT_POSTING,
                NEW_VERSIONS,
                "UPDATE ledger_posting SET version = 1 WHERE version = 2",
            ),
        ),
        ("C4", ("UPDATE ledger_hold SET amount = 99",)),
        ("C4", ("DELETE FROM ledger_hold",)),
        ("C7", ("UPDATE ledger_hold SET state = 'RELEASED'",)),
    ],
)
async def test_what_is_broken_by_hand_is_found(
    book: Book,
    holds: Holds,
    clock: StoppedClock,
    proof: str,
    breaking: tuple[str, ...],
) -> None:
    await filled(book, holds)

    await run(*breaking)

    assert proof in await found()
    assert proof in await found_since(clock)


@pytest.mark.usefixtures("mended")
async def test_a_hold_both_captured_and_released_is_found(
    book: Book, holds: Holds, clock: StoppedClock
) -> None:
    asha, hold = await filled(book, holds)
    await holds.capture(an_op(), hold, "INR", None)
    other = await book.deposit(an_op(), asha, inr(5), "Cash")

    await run(
        EDIT_JOURNAL,
        "off hold_resolved_once",
        f"UPDATE ledger_journal SET kind = 'RELEASE', hold_id = '{hold}' "  # noqa: S608  -- own text
        f"WHERE id = '{other.journal}'",
    )

    assert await found() == ["C7"]
    assert await found_since(clock) == ["C7"]


async def test_a_statement_opens_adds_up_and_closes(book: Book, holds: Holds) -> None:
    asha, hold = await filled(book, holds)
    await holds.capture(an_op(), hold, "INR", inr(70))

    whole = await statement.statement(asha, 0, 4)
    later = await statement.statement(asha, 2, 4)

    assert (whole.opening, whole.closing) == (0, 880)
    assert [(row.version, row.amount, row.balance) for row in whole.rows] == [
        (1, 1000, 1000),
        (2, -50, 950),
        (4, -70, 880),
    ]
    assert (later.opening, later.closing) == (950, 880)
    assert [type(row) for row in later.rows] == [StatementRow]
    assert (await figures(asha))[0] == whole.closing


async def test_a_statement_of_versions_that_are_not_there_is_not_made(
    book: Book, holds: Holds
) -> None:
    asha, _hold = await filled(book, holds)

    with pytest.raises(StatementBroken, match="version 9 is missing"):
        await statement.statement(asha, 0, 9)
    with pytest.raises(StatementBroken, match="version 3 is missing"):
        await statement.statement(uuid7(), 2, 3)


@pytest.mark.usefixtures("mended")
@pytest.mark.parametrize(
    ("breaking", "says"),
    [
        ("UPDATE ledger_posting SET amount = -51 WHERE version = 2", "2 does not"),
        ("UPDATE ledger_posting SET version = 7 WHERE version = 2", "2 is missing"),
        (
            "UPDATE ledger_posting SET after_committed = 0 WHERE version = 1",
            "1 does not",
        ),
    ],
)
async def test_a_statement_that_does_not_add_up_is_not_made(
    book: Book, holds: Holds, breaking: str, says: str
) -> None:
    asha, _hold = await filled(book, holds)
    await run(EDIT_POSTING, breaking)

    with pytest.raises(StatementBroken, match=says):
        await statement.statement(asha, 0, 3)
