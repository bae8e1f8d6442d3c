"""Saved payees: created by step-up, listed, deleted.

A changed address is a new payee. What the customer approves holds the payee's name and
complete address, as a payment's approval does. Source: banking.md section 4.5.
"""

from collections.abc import Sequence
from datetime import timedelta

from app import audit, database, idempotency
from app.accounts.account import masked
from app.accounts.accounts import Accounts
from app.auth import cooling, denials
from app.auth.actor import Actor
from app.auth.sessions import Sessions
from app.auth.step_up import Grant, StepUps, StepUpWish
from app.clock import Clock
from app.database import Tx
from app.errors import Conflict, NotFound, Refusal, ValidationFailed
from app.ids import BeneficiaryId, CustomerId
from app.integrations.rails import INTERNAL, PayeeAddress
from app.payments import texts
from app.payments.address_book import AddressBook, Entry, place_of
from app.payments.beneficiary import (
    OPERATION,
    Address,
    Beneficiary,
    BeneficiaryRequest,
    Saved,
)
from app.payments.errors import PayeeNameMismatch, PayeeRejected
from app.payments.name_checks import Checked, NameChecks
from app.payments.payee_check import PayeeMatch
from app.realtime import log
from app.realtime.facts import BeneficiaryChanged
from app.settings import Settings

_CHECKS = {
    PayeeMatch.MATCH: "",
    PayeeMatch.CLOSE_MATCH: ". Its bank knows a name that is only nearly the same",
    PayeeMatch.NO_MATCH: ". The account is held under another name",
    PayeeMatch.UNAVAILABLE: ". The name could not be checked",
}
_NUMBER = ("payee", "account", "accountNumber")


class Payees:
    """The payee book of every customer."""

    def __init__(  # noqa: PLR0913  -- one argument per collaborator
        self,
        *,
        settings: Settings,
        clock: Clock,
        book: AddressBook,
        accounts: Accounts,
        sessions: Sessions,
        step_ups: StepUps,
        checks: NameChecks,
    ) -> None:
        self._cooling = timedelta(seconds=settings.payee_cooling_s)
        self._clock = clock
        self._accounts = accounts
        self._sessions = sessions
        self._step_ups = step_ups
        self._book = book
        self._checks = checks

    async def create(self, actor: Actor, request: BeneficiaryRequest) -> Saved:
        """Save a payee, once the customer approved exactly these facts.

        Order: idempotency row, refusals, then the step-up, so that nobody signs for a
        "no" and a repeat needs no second approval (auth.md section 3.9).

        Raises:
            StepUpRequired: carries the challenge that the same call needs approved.
            CoolingPeriod: this phone is in its waiting time, and the bank's profile
                lets it save nobody.
            PayeeRejected: nobody holds this account, or no rail reaches its bank.
            PayeeNameMismatch: it is held under another name, and the customer has not
                seen that yet.
            RateLimited: too many names were asked for.
            ValidationFailed: a text breaks its rule, or it is an own account.
            Conflict: the customer has this payee already.
            IdempotencyKeyReused: the key was used with other facts.
        """
        customer = actor.known_customer
        async with denials.kept(actor, "beneficiary.created", self._clock):
            fingerprint = texts.fingerprint(request.coerced())
            earlier = await idempotency.seen(
                customer, OPERATION, request.key, fingerprint
            )
            if earlier is not None:
                return await self._replayed(customer, BeneficiaryId(earlier.object_id))
            try:
                await cooling.require_payees(actor, self._clock.now())
                entry = await self._judged(actor, request)
                grant = await self._step_ups.require(actor, _wish(request, entry))
            except Refusal:  # a twin may have saved it since the look-up
                twin = await idempotency.seen(
                    customer, OPERATION, request.key, fingerprint
                )
                if twin is None:
                    raise
                return await self._replayed(customer, BeneficiaryId(twin.object_id))
            saved = await self._saved(actor, request.key, entry, fingerprint, grant)
        if isinstance(saved, BeneficiaryId):
            return await self._replayed(customer, saved)
        return Saved(saved, replayed=False)

    async def delete(self, actor: Actor, beneficiary: str) -> BeneficiaryId:
        """Take a payee out of the book; payments made to it stay as they are.

        Deleting again changes nothing and tells nobody.

        Raises:
            NotFound: no such payee of this customer.
        """
        subject = BeneficiaryId.parse(beneficiary)
        customer = actor.known_customer
        async with denials.kept(actor, "beneficiary.deleted", self._clock, beneficiary):
            if await self._book.find(customer, subject, deleted=True) is None:
                raise NotFound(field=["id"])
            await database.transaction(
                lambda tx: self._deleted(tx, actor, subject),
                name="payments.payee_deleted",
            )
        return subject

    async def page(
        self,
        actor: Actor,
        *,
        first: int,
        after: BeneficiaryId | None = None,
        search: str | None = None,
    ) -> tuple[list[Beneficiary], bool]:
        """List payees, the newest first, and tell whether there are more.

        Args:
            actor: whose book.
            first: rows, 1 to 100.
            after: the last row of the page before.
            search: text that nickname, name or masked account contains.
        """
        customer = actor.known_customer
        found = await self._book.page(
            customer, limit=first + 1, after=after, search=search
        )
        return found[:first], len(found) > first

    async def by_ids(
        self, actor: Actor, ids: Sequence[BeneficiaryId]
    ) -> dict[BeneficiaryId, Beneficiary]:
        """Give the caller's payees by id; deleted and foreign ones are left out."""
        return await self._book.several(actor.known_customer, ids)

    async def address(
        self,
        customer: CustomerId,
        beneficiary: BeneficiaryId,
        *,
        deleted: bool = False,
    ) -> tuple[Beneficiary, Address] | None:
        """Open a payee's full address, to show it in an approval and to pay.

        Args:
            customer: whose payee.
            beneficiary: which.
            deleted: also one that was deleted: a payment to it may still wait.
        """
        return await self._book.find(customer, beneficiary, deleted=deleted)

    async def _judged(self, actor: Actor, request: BeneficiaryRequest) -> Entry:
        """Read the texts, find the account, and say every "no" there is to say."""
        customer = actor.known_customer
        nickname = texts.nickname(request.nickname)
        name = texts.name(request.name)
        number = texts.account_number(request.account_number)
        address = self._checks.address_of(number, request.bank_code)
        if address is None or address.bank_code is None:
            raise PayeeRejected(field=_NUMBER)
        place = place_of(address.scheme, address.number, address.bank_code)
        if await self._book.holds(customer, place):
            raise Conflict("You have this payee already.", field=_NUMBER)
        try:
            found = await self._checks.check(actor, address, name)
        except NotFound:
            raise PayeeRejected(field=_NUMBER) from None
        if await self._holder(address, found) == customer:
            raise ValidationFailed(
                "This is your own account: you can pay it without saving it.",
                field=_NUMBER,
            )
        differs = found.check.match is PayeeMatch.NO_MATCH
        if differs and not request.risk_acknowledged:
            raise PayeeNameMismatch(found.check, field=["name"])
        return Entry(
            id=BeneficiaryId.new(),
            customer=customer,
            nickname=nickname,
            name=name,
            scheme=address.scheme,
            number=address.number,
            masked=masked(address.number),
            bank_code=address.bank_code,
            bank_name=found.bank_name,
            check=found.check,
            cooling_until=self._clock.now() + self._cooling,
        )

    async def _holder(self, address: PayeeAddress, found: Checked) -> CustomerId | None:
        """Tell whose an account of this bank is; looked up only if no rail said it."""
        if address.scheme != INTERNAL or found.holder is not None:
            return found.holder
        account = await self._accounts.by_number(address.number)
        if account is None:
            raise PayeeRejected(field=_NUMBER)
        return account.customer

    async def _saved(
        self, actor: Actor, key: str, entry: Entry, fingerprint: bytes, grant: Grant
    ) -> Beneficiary | BeneficiaryId:
        """Write the payee and use the grant up, or name what a twin wrote."""
        now = self._clock.now()

        async def work(tx: Tx) -> Beneficiary | BeneficiaryId:
            claim = await idempotency.claim(
                tx, entry.customer, OPERATION, key, fingerprint, entry.id, at=now
            )
            if not claim.fresh:
                return BeneficiaryId(claim.object_id)
            await self._sessions.require_live(tx, actor)
            await self._step_ups.consume(tx, grant)
            saved = await self._book.insert(tx, entry)
            if saved is None:
                raise Conflict("You have this payee already.", field=_NUMBER)
            audit.append(
                tx, actor.entry("beneficiary.created", now, object=str(saved.id))
            )
            log.append(
                tx,
                BeneficiaryChanged(
                    customer=saved.customer,
                    occurred_at=now,
                    beneficiary=saved.shot(),
                    beneficiary_id=str(saved.id),
                ),
            )
            return saved

        return await database.transaction(work, name="payments.payee_created")

    async def _deleted(self, tx: Tx, actor: Actor, subject: BeneficiaryId) -> None:
        now, customer = self._clock.now(), actor.known_customer
        await self._sessions.require_live(tx, actor)
        if not await self._book.remove(tx, customer, subject, now):
            return
        audit.append(tx, actor.entry("beneficiary.deleted", now, object=str(subject)))
        log.append(
            tx,
            BeneficiaryChanged(
                customer=customer,
                occurred_at=now,
                beneficiary=None,
                beneficiary_id=str(subject),
            ),
        )

    async def _replayed(self, customer: CustomerId, earlier: BeneficiaryId) -> Saved:
        found = await self._book.find(customer, earlier, deleted=True)
        assert found is not None, "the claim and its payee are one transaction"  # noqa: S101  -- our bug
        return Saved(found[0], replayed=True)


def _wish(request: BeneficiaryRequest, entry: Entry) -> StepUpWish:
    return StepUpWish(
        operation=OPERATION,
        input=request.coerced(),
        summary=_summary(entry),
        sensitive=False,
    )


def _summary(entry: Entry) -> str:
    """Say who is saved, under which full address, and what the check found."""
    account = entry.number
    if entry.scheme != INTERNAL:
        bank = f" ({entry.bank_name})" if entry.bank_name else ""
        account = f"{entry.number} at {entry.bank_code}{bank}"
    said = "" if entry.check is None else _CHECKS[entry.check.match]
    return f"Save {entry.name}, account {account}, as a payee{said}"
