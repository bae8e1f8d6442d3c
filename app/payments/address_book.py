"""Rows of saved payees: the address sealed at rest, found again by its peppered hash.

Plain reads go through the ORM; what a condition guards is SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from tortoise.expressions import Q

from app import database
from app.auth.cooling import Statements
from app.database import Tx
from app.ids import BeneficiaryId, CustomerId
from app.integrations.rails import INTERNAL
from app.money import Money
from app.payments.beneficiary import Address, Beneficiary
from app.payments.limit_caps import PayeeTerms
from app.payments.models import BeneficiaryRow
from app.payments.payee_check import PayeeCheck, PayeeMatch
from app.rows import Row
from app.vault import Vault

_SEALED = "beneficiary"
_PURPOSE = "mac/payee"
_COLUMNS = (
    "id, customer_id, nickname, name, masked, bank_code, bank_name, cooling_until, "
    "favourite, last_paid_at, check_match, check_name, checked_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A payee about to be saved; `scheme` says by which rails it is reached."""

    id: BeneficiaryId
    customer: CustomerId
    nickname: str
    name: str
    scheme: str
    number: str = field(repr=False)
    masked: str
    bank_code: str
    cooling_until: datetime
    bank_name: str | None = None
    check: PayeeCheck | None = None

    @property
    def place(self) -> str:
        """Name the account: by its number here, with its bank's code elsewhere."""
        return place_of(self.scheme, self.number, self.bank_code)


class AddressBook:
    """The payees of every customer, as rows."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def hash(self, place: str) -> bytes:
        """Give the key of a payee: one byte of pepper id, then the peppered MAC."""
        key_id, mac = next(self._vault.macs(_PURPOSE, place.encode()))
        return bytes((key_id,)) + mac

    async def holds(self, customer: CustomerId, place: str) -> bool:
        """Tell whether a customer has this account already, under any pepper."""
        hashes = [
            bytes((key_id,)) + mac
            for key_id, mac in self._vault.macs(_PURPOSE, place.encode())
        ]
        return (
            await BeneficiaryRow.filter(
                customer_id=customer.value, deleted_at=None, address_hash__in=hashes
            )
            .using_db(database.orm())
            .exists()
        )

    async def insert(self, tx: Tx, entry: Entry) -> Beneficiary | None:
        """Save a payee; None when the customer has this number already."""
        made = await tx.one(
            "INSERT INTO beneficiary (id, customer_id, nickname, name, scheme, "
            "address_enc, address_hash, masked, bank_code, cooling_until, bank_name, "
            "check_match, check_name, checked_at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "
            "ON CONFLICT (customer_id, address_hash) WHERE deleted_at IS NULL "
            "DO NOTHING RETURNING id",
            entry.id,
            entry.customer,
            entry.nickname,
            entry.name,
            entry.scheme,
            self._vault.seal(_SEALED, str(entry.id), entry.place.encode()),
            self.hash(entry.place),
            entry.masked,
            entry.bank_code,
            entry.cooling_until,
            entry.bank_name,
            None if entry.check is None else entry.check.match,
            None if entry.check is None else entry.check.suggested_name,
            None if entry.check is None else entry.check.checked_at,
        )
        if made is None:
            return None
        return Beneficiary(
            id=entry.id,
            customer=entry.customer,
            nickname=entry.nickname,
            name=entry.name,
            masked_account=entry.masked,
            bank_code=entry.bank_code,
            bank_name=entry.bank_name,
            cooling_until=entry.cooling_until,
            check=entry.check,
        )

    async def remove(
        self, tx: Tx, customer: CustomerId, beneficiary: BeneficiaryId, at: datetime
    ) -> bool:
        """Mark a payee deleted; False when it was, or never was the customer's."""
        gone = await tx.one(
            "UPDATE beneficiary SET deleted_at = $3 "
            "WHERE id = $1 AND customer_id = $2 AND deleted_at IS NULL RETURNING id",
            beneficiary,
            customer,
            at,
        )
        return gone is not None

    async def paid(self, tx: Tx, beneficiary: BeneficiaryId, at: datetime) -> None:
        """Note when a payee was last paid."""
        await tx.one(
            "UPDATE beneficiary SET last_paid_at = $2 WHERE id = $1 RETURNING id",
            beneficiary,
            at,
        )

    async def find(
        self,
        customer: CustomerId,
        beneficiary: BeneficiaryId,
        *,
        deleted: bool = False,
    ) -> tuple[Beneficiary, Address] | None:
        """Read a customer's payee and open the full address.

        Args:
            customer: whose payee.
            beneficiary: which.
            deleted: also one that was deleted: a payment to it may still wait.
        """
        row = (
            await BeneficiaryRow.filter(
                id=beneficiary.value, customer_id=customer.value
            )
            .using_db(database.orm())
            .first()
        )
        if row is None or (row.deleted_at is not None and not deleted):
            return None
        place = self._vault.open(_SEALED, str(beneficiary), row.address_enc).decode()
        number, key = place.rpartition("/")[2], row.address_hash.hex()
        address = Address(
            number=number, bank_code=row.bank_code, key=key, scheme=row.scheme
        )
        return _value(row), address

    async def page(
        self,
        customer: CustomerId,
        *,
        limit: int,
        after: BeneficiaryId | None,
        search: str | None,
    ) -> list[Beneficiary]:
        """Read a customer's payees, the newest first, older than `after`."""
        found = BeneficiaryRow.filter(customer_id=customer.value, deleted_at=None)
        if after is not None:
            found = found.filter(id__lt=after.value)
        text = (search or "").strip()
        if text:
            found = found.filter(
                Q(nickname__icontains=text)
                | Q(name__icontains=text)
                | Q(masked__icontains=text)
            )
        rows = await found.order_by("-id").limit(limit).using_db(database.orm())
        return [_value(row) for row in rows]

    async def several(
        self, customer: CustomerId, ids: Sequence[BeneficiaryId]
    ) -> dict[BeneficiaryId, Beneficiary]:
        """Read a customer's payees by id; deleted and foreign ones are left out."""
        if not ids:
            return {}
        rows = await database.read(
            f"SELECT {_COLUMNS} FROM beneficiary "  # noqa: S608  -- our own columns
            "WHERE customer_id = $1 AND deleted_at IS NULL "
            f"AND id IN {database.placeholders(1, len(ids), 2)}",
            customer,
            *ids,
        )
        return {found.id: found for found in map(_read, rows)}


async def held(
    tx: Tx, customer: CustomerId, beneficiary: BeneficiaryId
) -> Beneficiary | None:
    """Read a live payee of a customer in a transaction that changes it."""
    row = await tx.one(
        f"SELECT {_COLUMNS} FROM beneficiary "  # noqa: S608  -- our own columns
        "WHERE id = $1 AND customer_id = $2 AND deleted_at IS NULL",
        beneficiary,
        customer,
    )
    return None if row is None else _read(row)


async def change(tx: Tx, payee: Beneficiary, limit: Money | None) -> None:
    """Write what a customer may change of a payee."""
    await tx.rows(
        "UPDATE beneficiary SET nickname = $2, favourite = $3, limit_minor = $4, "
        "limit_currency = $5 WHERE id = $1 RETURNING id",
        payee.id,
        payee.nickname,
        payee.favourite,
        None if limit is None else limit.minor,
        None if limit is None else limit.currency,
    )


async def keep_check(
    tx: Tx, customer: CustomerId, beneficiary: BeneficiaryId, check: PayeeCheck
) -> Beneficiary | None:
    """Keep a newer check with its payee; None when a later one is there already."""
    row = await tx.one(
        "UPDATE beneficiary SET check_match = $3, check_name = $4, checked_at = $5 "  # noqa: S608  -- our own columns
        "WHERE id = $1 AND customer_id = $2 AND deleted_at IS NULL "
        f"AND (checked_at IS NULL OR checked_at < $5) RETURNING {_COLUMNS}",
        beneficiary,
        customer,
        check.match,
        check.suggested_name,
        check.checked_at,
    )
    return None if row is None else _read(row)


async def terms(
    ask: Statements, customer: CustomerId, payees: Sequence[BeneficiaryId]
) -> list[PayeeTerms]:
    """Read what payments to a customer's payees meet; foreign ones are left out.

    Args:
        ask: reads, inside a transaction or outside.
        customer: whose payees.
        payees: which, deleted ones too: a payment to one may still wait.
    """
    rows = await ask(
        "SELECT id, cooling_until, limit_minor, limit_currency FROM beneficiary "  # noqa: S608  -- placeholders only
        f"WHERE customer_id = $1 AND id IN {database.placeholders(1, len(payees), 2)}",
        customer,
        *payees,
    )
    return [
        PayeeTerms(
            id=row.get("id", BeneficiaryId),
            cooling_until=row.get("cooling_until", datetime),
            limit=_limit_of(row),
        )
        for row in rows
    ]


def _limit_of(row: Row) -> Money | None:
    minor = row.find("limit_minor", int)
    return None if minor is None else Money(minor, row.get("limit_currency", str))


def _read(row: Row) -> Beneficiary:
    return Beneficiary(
        id=row.get("id", BeneficiaryId),
        customer=row.get("customer_id", CustomerId),
        nickname=row.get("nickname", str),
        name=row.get("name", str),
        masked_account=row.get("masked", str),
        bank_code=row.find("bank_code", str),
        bank_name=row.find("bank_name", str),
        check=_check(
            row.find("check_match", str),
            row.find("check_name", str),
            row.find("checked_at", datetime),
        ),
        cooling_until=row.get("cooling_until", datetime),
        favourite=row.get("favourite", bool),
        last_paid_at=row.find("last_paid_at", datetime),
    )


def _value(row: BeneficiaryRow) -> Beneficiary:
    return Beneficiary(
        id=BeneficiaryId(row.id),
        customer=CustomerId(row.customer_id),
        nickname=row.nickname,
        name=row.name,
        masked_account=row.masked,
        bank_code=row.bank_code,
        bank_name=row.bank_name,
        check=_check(row.check_match, row.check_name, row.checked_at),
        cooling_until=row.cooling_until,
        favourite=row.favourite,
        last_paid_at=row.last_paid_at,
    )


def _check(
    match: str | None, suggested: str | None, at: datetime | None
) -> PayeeCheck | None:
    if match is None or at is None:
        return None
    return PayeeCheck(match=PayeeMatch(match), suggested_name=suggested, checked_at=at)


def place_of(scheme: str, number: str, bank_code: str | None) -> str:
    """Name an account among those of all banks; one of ours by its number alone."""
    return number if scheme == INTERNAL else f"{bank_code}/{number}"
