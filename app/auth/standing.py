"""Customers as the bank's staff knows them: added, given codes, unlocked.

Phone, number and name are sealed; look-ups go through peppered values. Every staff act
carries the person's name and reason and is an audit entry of the customer.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app import audit, database, ids
from app.auth import alerts
from app.auth.device import COLUMNS, read_device
from app.auth.directory import NUMBER, PHONE, Directory, Listed, tidy
from app.clock import Clock
from app.database import Tx
from app.errors import Conflict, NotFound, ValidationFailed
from app.ids import CustomerId
from app.integrations.identity import CodeKind, IdentityProof
from app.realtime import log
from app.realtime.facts import DeviceChanged
from app.shelf import Shelf
from app.vault import Vault

_HANDLE_BYTES = 32
_NUMBER_DIGITS = 9
_NAME_MAX = 80
_NAME_KEPT = 64
_WORDS_MAX = 200
_SHOWN_DIGITS = 4
_PROFILE_KEPT_S = 30
_PROFILES_MAX = 10_000
IMPORT_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """Who acts at the desk, and why; both stand in the audit entry."""

    name: str
    reason: str

    def entry(
        self,
        action: str,
        at: datetime,
        *,
        customer: CustomerId | None = None,
        object: str | None = None,  # noqa: A002  -- the column's name
        code: str | None = None,
        detail: Mapping[str, str | int | bool | None] | None = None,
    ) -> audit.Entry:
        """Start an audit entry of this person's act; the reason stands in it.

        Args:
            action: name of the act, for example `staff.unlock`.
            at: the clock's instant.
            customer: whose chain it goes to; None is the bank's own.
            object: outside id of what was touched.
            code: why, where the act ended something.
            detail: ids and figures besides, never a secret or a name.
        """
        return audit.Entry(
            action=action,
            at=at,
            request_id=ids.request_id(),
            customer=customer,
            actor_kind=audit.ActorKind.STAFF,
            actor_id=self.name[:_NAME_KEPT],
            object=object,
            code=code,
            detail={"reason": self.reason, **(detail or {})},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCustomer:
    """A person to be added.

    Args:
        name: as it is shown to the customer, 1..80 characters.
        phone: E.164.
        number: the customer number; made when left out.
        locale: BCP 47 tag.
    """

    name: str = field(repr=False)
    phone: str = field(repr=False)
    number: str | None = field(default=None, repr=False)
    locale: str = "en-IN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A customer who was added, with the number on the letter."""

    id: CustomerId
    number: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a customer sees of herself."""

    id: CustomerId
    name: str = field(repr=False)
    masked_phone: str
    locale: str


class Customers:
    """The staff's side of this room.

    Args:
        clock: the bank's clock.
        vault: seals what is personal.
        directory: finds customers by number.
        identity: issues activation codes.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        vault: Vault,
        directory: Directory,
        identity: IdentityProof,
    ) -> None:
        self._clock = clock
        self._vault = vault
        self._directory = directory
        self._identity = identity
        # Every home screen greets by name; a name changes hardly ever (auth.md 11).
        self._profiles = Shelf[CustomerId, tuple[float, Profile]](_PROFILES_MAX)

    async def add(self, staff: Staff, new: NewCustomer) -> Added:
        """Add one customer.

        Raises:
            ValidationFailed: staff, name, phone, number or locale are not as described.
            Conflict: the number is taken.
        """
        return (await self.add_all(staff, [new]))[0]

    async def add_all(self, staff: Staff, news: Sequence[NewCustomer]) -> list[Added]:
        """Add customers, all or none; at most 10,000 at once.

        Raises:
            ValidationFailed, Conflict: the sentence names the line, from 1.
        """
        require_staff(staff)
        if not 0 < len(news) <= IMPORT_MAX:
            raise ValidationFailed(f"Give 1 to {IMPORT_MAX} customers.")
        for line, new in enumerate(news, start=1):
            _require_valid(new, line)
        await self._require_free(news)

        async def work(tx: Tx) -> list[Added]:
            return [
                await self._add(tx, staff, new, line)
                for line, new in enumerate(news, start=1)
            ]

        return await database.transaction(work, name="auth.customers_add")

    async def code(self, staff: Staff, number: str, code: str | None = None) -> str:
        """Issue an activation code; the one before it dies.

        Args:
            staff: who and why.
            number: the customer number.
            code: chosen by the demo's seed; refused in production.

        Returns:
            The code as it is printed.

        Raises:
            NotFound: no such customer.
            ValidationFailed: staff gave no name or reason.
        """
        require_staff(staff)
        listed = await self._listed(number)
        now = self._clock.now()

        async def work(tx: Tx) -> str:
            printed = await self._identity.issue(
                tx, listed.id, by=staff.name, at=now, code=code
            )
            audit.append(tx, _entry(staff, "staff.code", listed.id, now))
            entry = _entry(staff, "activation_code.issued", listed.id, now)
            alerts.tell(tx, entry, "An activation code was made for you.")
            return printed

        return await database.transaction(work, name="auth.code")

    async def reset_factors(self, staff: Staff, number: str) -> str:
        """Issue a reset code; the code before it dies.

        Used in an enrolment, it stands in for every other proof and removes
        authenticator app, recovery codes and passkeys; the phone cools longer.

        Returns:
            The code as it is printed.

        Raises:
            NotFound: no such customer.
            ValidationFailed: staff gave no name or reason.
        """
        require_staff(staff)
        listed = await self._listed(number)
        now = self._clock.now()

        async def work(tx: Tx) -> str:
            printed = await self._identity.issue(
                tx, listed.id, by=staff.name, at=now, code=None, kind=CodeKind.RESET
            )
            audit.append(tx, _entry(staff, "staff.reset_factors", listed.id, now))
            entry = _entry(staff, "reset_code.issued", listed.id, now)
            alerts.tell(tx, entry, "A code to reset your sign-in was made for you.")
            return printed

        return await database.transaction(work, name="auth.reset_code")

    async def unlock(self, staff: Staff, number: str) -> int:
        """End blocks and locks of a customer and of the phones; gives how many phones.

        A locked mPIN stays to be set again.

        Raises:
            NotFound: no such customer.
            ValidationFailed: staff gave no name or reason.
        """
        require_staff(staff)
        listed = await self._listed(number)
        now = self._clock.now()

        async def work(tx: Tx) -> int:
            await tx.rows(
                "UPDATE customer SET status = 'ACTIVE', blocked_until = NULL, "
                "block_step = 0 WHERE id = $1 RETURNING id",
                listed.id,
            )
            await tx.rows(
                "DELETE FROM failure_day WHERE customer_id = $1 RETURNING customer_id",
                listed.id,
            )
            rows = await tx.rows(
                "UPDATE device SET failed = 0, lock_reason = NULL, "  # noqa: S608  -- our own column list
                "lock_before = NULL, locked_by = NULL, locks_under = NULL, "
                "state = CASE "
                "WHEN cooling_until > $2 THEN 'COOLING' ELSE 'ACTIVE' END "
                "WHERE customer_id = $1 AND state = 'LOCKED' "
                f"RETURNING {COLUMNS}",
                listed.id,
                now,
            )
            for row in rows:
                shot = read_device(row, now).shot()
                fact = DeviceChanged(customer=listed.id, occurred_at=now, device=shot)
                log.append(tx, fact)
            entry = _entry(staff, "staff.unlock", listed.id, now)
            alerts.tell(tx, entry, "The bank unlocked your access.")
            return len(rows)

        return await database.transaction(work, name="auth.unlock")

    async def profile(self, customer: CustomerId) -> Profile:
        """Give what a customer sees of herself; at most 30 s old.

        Raises:
            NotFound: no such customer.
        """
        now = self._clock.monotonic()
        read_at, kept = self._profiles.of(customer) or (now, None)
        if kept is not None and now - read_at < _PROFILE_KEPT_S:
            return kept
        found = await self._read_profile(customer)
        self._profiles.keep(customer, (now, found))
        return found

    async def _read_profile(self, customer: CustomerId) -> Profile:
        row = await database.read_one(
            "SELECT name_sealed, phone_sealed, locale FROM customer WHERE id = $1",
            customer,
        )
        if row is None:
            raise NotFound
        name = row.get("name_sealed", bytes)
        phone = self._open(customer, "phone", row.get("phone_sealed", bytes))
        return Profile(
            id=customer,
            name=self._open(customer, "name", name),
            masked_phone=_masked(phone),
            locale=row.get("locale", str),
        )

    async def find(self, number: str) -> CustomerId | None:
        """Find a customer by number: for seeds and imports that run again."""
        listed = await self._directory.by_number(number)
        return None if listed is None else listed.id

    # -------------------------------------------------------------- inside

    async def _listed(self, number: str) -> Listed:
        listed = await self._directory.by_number(number)
        if listed is None:
            raise NotFound("No customer has that number.")
        return listed

    async def _require_free(self, news: Sequence[NewCustomer]) -> None:
        """Look under every key of the ring, and for doubles among the lines."""
        seen: set[str] = set()
        for line, new in enumerate(news, start=1):
            if new.number is None:
                continue
            number = tidy(new.number)
            if number in seen or await self._directory.by_number(number):
                raise Conflict(f"Line {line}: that customer number is taken.")
            seen.add(number)

    async def _add(self, tx: Tx, staff: Staff, new: NewCustomer, line: int) -> Added:
        customer = CustomerId.new()
        number = tidy(new.number) if new.number else _new_number()
        phone_key, phone = self._directory.phone_value(new.phone)
        number_key, looked_up = self._directory.number_value(number)
        now = self._clock.now()
        row = await tx.one(
            "INSERT INTO customer (id, handle, name_sealed, phone_lookup, "
            "phone_key_id, phone_sealed, number_lookup, number_key_id, number_sealed, "
            "locale, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
            "ON CONFLICT DO NOTHING RETURNING id",
            customer,
            secrets.token_bytes(_HANDLE_BYTES),
            self._seal(customer, "name", new.name.strip()),
            phone,
            phone_key,
            self._seal(customer, "phone", new.phone),
            looked_up,
            number_key,
            self._seal(customer, "number", number),
            new.locale,
            now,
        )
        if row is None:
            raise Conflict(f"Line {line}: that customer number is taken.")
        audit.append(tx, _entry(staff, "staff.customer_added", customer, now))
        return Added(id=customer, number=number)

    def _seal(self, customer: CustomerId, what: str, text: str) -> bytes:
        return self._vault.seal("customer", f"{customer}|{what}", text.encode())

    def _open(self, customer: CustomerId, what: str, sealed: bytes) -> str:
        return self._vault.open("customer", f"{customer}|{what}", sealed).decode()


def require_staff(staff: Staff) -> None:
    """Let nobody act without a name and a reason.

    Raises:
        ValidationFailed: one is missing, or longer than 200 characters.
    """
    for name, words in (("by", staff.name), ("reason", staff.reason)):
        if not 0 < len(words.strip()) <= _WORDS_MAX:
            raise ValidationFailed(f"Say --{name}: it stands in the audit entry.")


def _require_valid(new: NewCustomer, line: int) -> None:
    wrong = {
        "name": not 0 < len(new.name.strip()) <= _NAME_MAX,
        "phone": not PHONE.fullmatch(new.phone),
        "number": new.number is not None and not NUMBER.fullmatch(tidy(new.number)),
        "locale": not 1 < len(new.locale) <= 35,  # noqa: PLR2004  -- RFC 5646 4.4.1
    }
    for name, is_wrong in wrong.items():
        if is_wrong:
            raise ValidationFailed(f"Line {line}: the {name} is not valid.")


def _entry(
    staff: Staff, action: str, customer: CustomerId, now: datetime
) -> audit.Entry:
    return staff.entry(action, now, customer=customer, object=str(customer))


def _new_number() -> str:
    return str(10 ** (_NUMBER_DIGITS - 1) + secrets.randbelow(9 * 10**8))


def _masked(phone: str) -> str:
    hidden = len(phone) - 1 - _SHOWN_DIGITS
    return f"+{'*' * hidden}{phone[-_SHOWN_DIGITS:]}"
