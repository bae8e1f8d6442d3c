"""Rows of payments, read as frozen values. Written by `moves.py`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import orjson

from app import database
from app.errors import ErrorCode
from app.ids import (
    AccountId,
    BeneficiaryId,
    ChallengeId,
    CustomerId,
    DeviceId,
    PaymentId,
)
from app.money import Money
from app.payments import lifecycle
from app.payments.lifecycle import State, Status
from app.payments.payment import (
    Destination,
    DestinationKind,
    Party,
    Payment,
    PaymentStep,
    StepDetail,
    StepSource,
)
from app.rows import Row, Scalar

COLUMNS = (
    "id, customer_id, from_account_id, state, rail, dest_kind, dest_json, amount, "
    "currency, fee, reference, note, challenge_id, unsure_since, expected_by, "
    "not_before, decline_code, authorise_by, failed_answers, idempotency_key, "
    "device_id, created_at, settled_at, manual_since, conflict"
)


async def find(
    payment: PaymentId, customer: CustomerId | None = None
) -> Payment | None:
    """Read one payment; with a customer, only if it is hers."""
    row = await database.read_one(
        f"SELECT {COLUMNS} FROM payment WHERE id = $1",  # noqa: S608  -- our own columns
        payment,
    )
    found = None if row is None else payment_of(row)
    return found if customer is None or (found and found.customer == customer) else None


async def several(payments: Sequence[PaymentId]) -> dict[PaymentId, Payment]:
    """Read payments by id in one statement; unknown ones are left out."""
    if not payments:
        return {}
    rows = await database.read(
        f"SELECT {COLUMNS} FROM payment "  # noqa: S608  -- our own columns
        f"WHERE id IN {database.placeholders(1, len(payments))}",
        *payments,
    )
    return {found.id: found for found in map(payment_of, rows)}


async def page(
    customer: CustomerId,
    statuses: Sequence[Status],
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Payment]:
    """Read a customer's payments, newest first, older than `after`."""
    where, args = ["customer_id = $1"], list[Scalar]([customer])
    if after is not None:
        where.append("(created_at < $2 OR (created_at = $2 AND id < $3))")
        args += after
    if statuses:
        where.append(_by_status(statuses, args))
    args.append(limit)
    rows = await database.read(
        f"SELECT {COLUMNS} FROM payment "  # noqa: S608  -- our own columns and numbers
        f"WHERE {' AND '.join(where)} "
        f"ORDER BY created_at DESC, id DESC LIMIT ${len(args)}",
        *args,
    )
    return [payment_of(row) for row in rows]


def _by_status(statuses: Sequence[Status], args: list[Scalar]) -> str:
    parts = []
    for unsure, test in (
        (False, "unsure_since IS NULL"),
        (True, "unsure_since IS NOT NULL"),
    ):
        states = frozenset[State]().union(
            *(lifecycle.states_shown_as(status, unsure=unsure) for status in statuses)
        )
        if states:
            start = len(args) + 1
            args += sorted(states)
            named = database.placeholders(1, len(states), start)
            parts.append(f"({test} AND state IN {named})")
    return f"({' OR '.join(parts)})"


async def steps(
    payments: Sequence[PaymentId],
) -> Mapping[PaymentId, list[PaymentStep]]:
    """Read the timelines of payments in one statement, oldest line first."""
    found: dict[PaymentId, list[PaymentStep]] = {payment: [] for payment in payments}
    if not payments:
        return found
    rows = await database.read(
        "SELECT payment_id, no, at, status, source, detail FROM payment_step "  # noqa: S608  -- our own columns
        f"WHERE payment_id IN {database.placeholders(1, len(payments))} "
        "ORDER BY payment_id, no",
        *payments,
    )
    for row in rows:
        found[row.get("payment_id", PaymentId)].append(
            PaymentStep(
                no=row.get("no", int),
                at=row.get("at", datetime),
                status=row.get("status", Status),
                source=row.get("source", StepSource),
                detail=row.find("detail", StepDetail),
            )
        )
    return found


async def waiting(customer: CustomerId) -> list[PaymentId]:
    """List payments of a customer that wait for her, a review or their undo time."""
    rows = await database.read(
        "SELECT id FROM payment WHERE customer_id = $1 AND (state IN "
        "('HELD_FOR_REVIEW', 'AWAITING_AUTHORISATION') "
        "OR state = 'APPROVED' AND not_before IS NOT NULL) ORDER BY created_at, id",
        customer,
    )
    return [row.get("id", PaymentId) for row in rows]


async def held(now: datetime, limit: int) -> list[Payment]:
    """Read payments that a person should look at, the oldest first."""
    rows = await database.read(
        f"SELECT {COLUMNS} FROM payment "  # noqa: S608  -- our own columns
        "WHERE state = 'HELD_FOR_REVIEW' AND authorise_by > $1 "
        "ORDER BY created_at, id LIMIT $2",
        now,
        limit,
    )
    return [payment_of(row) for row in rows]


async def out_of_time(now: datetime, limit: int) -> list[PaymentId]:
    """List payments that waited too long: for their customer or for a review.

    One that could not be ended just now has a lease, and comes again after it.
    """
    rows = await database.read(
        "SELECT id FROM payment "
        "WHERE state IN ('HELD_FOR_REVIEW', 'AWAITING_AUTHORISATION') "
        "AND authorise_by <= $1 AND (lease_until IS NULL OR lease_until <= $1) "
        "ORDER BY authorise_by LIMIT $2",
        now,
        limit,
    )
    return [row.get("id", PaymentId) for row in rows]


# ------------------------------------------------------------------ shape


def text_of(destination: Destination) -> str:
    """Write a destination as the JSON of its column."""
    beneficiary, account = destination.beneficiary, destination.account
    return orjson.dumps(
        {
            "account": None if account is None else str(account),
            "bankName": destination.bank_name,
            "beneficiary": None if beneficiary is None else str(beneficiary),
            "dst": destination.dst,
            "payee": {
                "masked": destination.payee.masked,
                "name": destination.payee.name,
            },
            "payer": {
                "masked": destination.payer.masked,
                "name": destination.payer.name,
            },
            "src": destination.src,
        }
    ).decode()


def _destination(kind: DestinationKind, text: str) -> Destination:
    found = orjson.loads(text)
    beneficiary, account = found["beneficiary"], found["account"]
    return Destination(
        kind=kind,
        account=AccountId.parse(account) if account else None,
        beneficiary=BeneficiaryId.parse(beneficiary) if beneficiary else None,
        payee=Party(**found["payee"]),
        payer=Party(**found["payer"]),
        src=found["src"],
        dst=found["dst"],
        bank_name=found["bankName"],
    )


def payment_of(row: Row) -> Payment:
    """Read a row of `COLUMNS`."""
    currency = row.get("currency", str)
    return Payment(
        id=row.get("id", PaymentId),
        customer=row.get("customer_id", CustomerId),
        device=row.find("device_id", DeviceId),
        idempotency_key=row.find("idempotency_key", str),
        state=row.get("state", State),
        unsure_since=row.find("unsure_since", datetime),
        reason=row.find("decline_code", ErrorCode),
        from_account=row.get("from_account_id", AccountId),
        destination=_destination(
            row.get("dest_kind", DestinationKind), row.get("dest_json", str)
        ),
        amount=Money(row.get("amount", int), currency),
        fee=Money(row.get("fee", int), currency),
        rail=row.get("rail", str),
        reference=row.find("reference", str),
        note=row.find("note", str),
        challenge=row.find("challenge_id", ChallengeId),
        failed_answers=row.get("failed_answers", int),
        authorise_by=row.find("authorise_by", datetime),
        not_before=row.find("not_before", datetime),
        expected_by=row.find("expected_by", datetime),
        created_at=row.get("created_at", datetime),
        settled_at=row.find("settled_at", datetime),
        manual_since=row.find("manual_since", datetime),
        conflict=row.get("conflict", bool),
    )
