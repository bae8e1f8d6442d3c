"""`payments unsure`, `ask`, `settled` and `failed` at a terminal."""

import asyncio
from uuid import UUID

import pytest

from app import database
from app.clock import Clock
from app.database import Tx
from app.ids import PaymentId, uuid7
from app.payments import ops
from app.payments.ops import Kind
from tests.behind import ask
from tests.terminal import WHO, Terminal, terminal

__all__ = ["terminal"]

PAYMENT = PaymentId(UUID("01a20000-0000-7000-8000-000000000001"))
DESTINATION = (
    '{"account":null,"bankName":null,"beneficiary":null,"dst":"",'
    '"payee":{"masked":"x1","name":"Dev"},"payer":{"masked":"x2","name":"Asha"},'
    '"src":"x"}'
)


async def a_doubt(terminal: Terminal) -> UUID:
    """Write a payment that nobody knows the outcome of; gives its order's id."""
    now, op = Clock().now(), uuid7()
    payment = (
        "INSERT INTO payment (id, customer_id, from_account_id, state, rail, "
        "dest_kind, dest_json, payee_key, amount, currency, fee, created_at, "
        "unsure_since, manual_since) VALUES ($1, $1, $1, 'IN_FLIGHT', 'IMPS', "
        "'BENEFICIARY', $2, 'k', 500, 'INR', 0, $3, $3, $3)"
    )
    order = (
        "INSERT INTO payment_op (id, payment_id, kind, attempt, fingerprint, "
        "outcome, provider_ref, first_sent_at, resolved_at, tries) "
        "VALUES ($1, $2, $3, 1, $4, 'OK', '123456789012', $5, $5, 293)"
    )

    async def work(tx: Tx) -> None:
        await tx.rows(payment, PAYMENT, DESTINATION, now)
        await tx.rows(order, op, PAYMENT, Kind.SUBMIT, b"f", now)

    async with database.open_database(terminal.settings):
        await database.transaction(work, name="tests.doubt")
        assert await ops.last(PAYMENT, Kind.SUBMIT) is not None
    return op


@pytest.mark.only("sqlite")
def test_the_list_names_what_staff_needs_and_says_who_looked(
    terminal: Terminal,
) -> None:
    nothing = terminal.type("payments", "unsure", *WHO)
    op = asyncio.run(a_doubt(terminal))

    listed = terminal.type("payments", "unsure", *WHO)
    nobody = terminal.type("payments", "unsure", "--by", " ", "--reason", "why")
    unknown = [
        terminal.type("payments", verb, "pay_1", *WHO)
        for verb in ("ask", "settled", "failed")
    ]

    assert (nothing.code, nothing.out) == (0, "Nobody has a doubt.\n")
    parts = listed.lines[0].split("  ")
    assert parts[:5] == [str(PAYMENT), "STAFF", "IN_FLIGHT", "500 INR", "IMPS"]
    assert parts[5] == f"SUBMIT {op}"
    assert parts[7:] == ["asked 293 times", "reference 123456789012"]
    assert nobody.code == 1
    assert [(one.code, one.error.split(":")[0]) for one in unknown] == [
        (1, "NOT_FOUND")
    ] * 3
    looked = ask(
        terminal.settings,
        "SELECT actor_id FROM audit_entry WHERE action = 'staff.doubts_listed'",
    )
    assert looked == [("Meera",), ("Meera",)]
