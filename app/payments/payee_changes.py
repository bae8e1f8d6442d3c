"""Saved payees changed: nickname, favourite, and the customer's own limit for them.

A limit is set or lowered at once. Raising or removing one takes an approval that shows
the payee in full, and no phone in its waiting time may do it. The same call again finds
nothing left to change, so a lost answer costs no second approval (banking.md 4.5).
"""

from dataclasses import dataclass, replace

from app import audit, database
from app.accounts.accounts import Accounts
from app.auth import alerts, denials, factors
from app.auth.actor import Actor
from app.auth.cooling import Statements, trust_of
from app.auth.errors import CoolingPeriod
from app.auth.sessions import Sessions
from app.auth.step_up import Grant, StepUps, StepUpWish
from app.clock import Clock
from app.database import Tx
from app.errors import Conflict, NotFound, ValidationFailed
from app.ids import BeneficiaryId
from app.money import Money
from app.payments import address_book, limit_caps, limit_rules, texts
from app.payments.address_book import AddressBook
from app.payments.beneficiary import Address, Beneficiary
from app.payments.errors import CurrencyMismatch, LimitExceeded, PayeeRejected
from app.realtime import log
from app.realtime.facts import BeneficiaryChanged
from app.settings import Settings

UPDATE = "beneficiaryUpdate"
_LIMIT = ("limit",)


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeChange:
    """What a phone asks for; None leaves a part as it is.

    Args:
        id: which payee.
        nickname: 1 to 40 characters.
        favourite: whether it stands first.
        limit: the customer's own limit for one payment.
        unlimited: take that limit away.
    """

    id: BeneficiaryId
    nickname: str | None = None
    favourite: bool | None = None
    limit: Money | None = None
    unlimited: bool = False

    def raises(self, now: Money | None) -> bool:
        """Tell whether more could be paid than before."""
        if now is None or (self.limit is None and not self.unlimited):
            return False
        return self.limit is None or self.limit.minor > now.minor

    def coerced(self) -> dict[str, object]:
        """Give the GraphQL input as the customer approves it."""
        limit = self.limit
        given: dict[str, object] = {"id": str(self.id)}
        given |= {} if self.nickname is None else {"nickname": self.nickname}
        given |= {} if self.favourite is None else {"favourite": self.favourite}
        if limit is not None:
            figure = {"currency": limit.currency, "minorUnits": str(limit.minor)}
            given["limit"] = figure
        elif self.unlimited:
            given["limit"] = None
        return given

    def made_to(self, payee: Beneficiary) -> Beneficiary:
        """Give the payee as it will be."""
        changed = payee
        if self.nickname is not None:
            changed = replace(changed, nickname=texts.nickname(self.nickname))
        if self.favourite is not None:
            changed = replace(changed, favourite=self.favourite)
        return changed

    def limit_after(self, now: Money | None) -> Money | None:
        """Give the limit as it will be."""
        return self.limit or (None if self.unlimited else now)


class PayeeChanges:
    """Changes payees for their customer.

    Args:
        settings: what phones must say about themselves.
        clock: the bank's clock.
        book: the payees.
        accounts: in which currency a payee is paid.
        sessions: re-reads the caller's session where something moves.
        step_ups: asks for the approval of a higher limit.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        book: AddressBook,
        accounts: Accounts,
        sessions: Sessions,
        step_ups: StepUps,
    ) -> None:
        self._policy = settings.attestation
        self._clock = clock
        self._book = book
        self._accounts = accounts
        self._sessions = sessions
        self._step_ups = step_ups

    async def update(self, actor: Actor, change: PayeeChange) -> Beneficiary:
        """Change a payee; what is so already changes nothing and tells nobody.

        Raises:
            NotFound: no such payee of this customer.
            ValidationFailed: the nickname breaks its rule, or the limit is not
                greater than zero.
            CurrencyMismatch: the payee is paid in another currency.
            PayeeRejected: its account is gone: a limit has no currency any more.
            LimitExceeded: more than one payment may ever be.
            CoolingPeriod: a higher limit, and this phone is in its waiting time.
            StepUpRequired: a higher limit must be approved.
            Conflict: another change came first.
        """
        name = str(change.id)
        async with denials.kept(actor, "beneficiary.changed", self._clock, name):
            found = await self._book.find(actor.known_customer, change.id)
            if found is None:
                raise NotFound(field=["id"])
            change.made_to(found[0])
            await self._require_limit(actor, change, found[1])
            grant = await self._grant(actor, change, found)
            return await database.transaction(
                lambda tx: self._written(tx, actor, change, grant),
                name="payments.payee_changed",
            )

    async def _require_limit(
        self, actor: Actor, change: PayeeChange, address: Address
    ) -> None:
        if change.limit is None:
            return
        if change.limit.minor <= 0:
            raise ValidationFailed(
                "The limit must be greater than zero.", field=[*_LIMIT, "minorUnits"]
            )
        account = await self._accounts.by_number(address.number, address.bank_code)
        if account is None:
            raise PayeeRejected(field=["id"])
        if account.currency != change.limit.currency:
            raise CurrencyMismatch(field=[*_LIMIT, "currency"])
        rules = await limit_rules.in_force(
            database.read, actor.known_customer, [account.currency], self._clock.now()
        )
        ceiling = limit_caps.ceiling_of(rules, change.limit)
        if ceiling is not None and ceiling < change.limit:
            shown = limit_caps.payee_limit(change.id, ceiling, ceiling)
            raise LimitExceeded(shown, field=_LIMIT)

    async def _grant(
        self, actor: Actor, change: PayeeChange, found: tuple[Beneficiary, Address]
    ) -> Grant | None:
        """Ask for the approval where more could be paid than before."""
        if not change.raises(await self._limit(database.read, actor, change)):
            return None
        payee, address = found
        most = "no limit" if change.limit is None else change.limit.formatted()
        summary = f"{payee.name}, account {address.number}: {most} for one payment"
        return await self._step_ups.require(
            actor,
            StepUpWish(operation=UPDATE, input=change.coerced(), summary=summary),
        )

    async def _limit(
        self, ask: Statements, actor: Actor, change: PayeeChange
    ) -> Money | None:
        """Read the limit there is; a phone that cools stops here before a raise."""
        terms = await address_book.terms(ask, actor.known_customer, [change.id])
        limit = terms[0].limit
        now = self._clock.now()
        trust = await trust_of(ask, actor.known_device, self._policy, now)
        if change.raises(limit) and trust.cooling_until is not None:
            raise CoolingPeriod(trust.cooling_until, field=_LIMIT)
        return limit

    async def _written(
        self, tx: Tx, actor: Actor, change: PayeeChange, grant: Grant | None
    ) -> Beneficiary:
        await factors.take_turn(tx, actor.known_customer)
        await self._sessions.require_live(tx, actor)
        before = await address_book.held(tx, actor.known_customer, change.id)
        if before is None:
            raise NotFound(field=["id"])
        limit = await self._limit(tx.rows, actor, change)
        raised = change.raises(limit)
        if raised and grant is None:
            raise Conflict
        if raised and grant is not None:
            await self._step_ups.consume(tx, grant)
        after, limit_after = change.made_to(before), change.limit_after(limit)
        if (after, limit_after) == (before, limit):
            return before
        await address_book.change(tx, after, limit_after)
        self._tell(tx, actor, after, limit_after, raised=raised)
        return after

    def _tell(
        self,
        tx: Tx,
        actor: Actor,
        payee: Beneficiary,
        limit: Money | None,
        *,
        raised: bool,
    ) -> None:
        now, name = self._clock.now(), str(payee.id)
        most = "none" if limit is None else f"{limit.minor} {limit.currency}"
        entry = actor.entry(
            "beneficiary.changed", now, object=name, detail={"limit": most}
        )
        if raised:
            alerts.tell(tx, entry, f"The limit for {payee.name} was raised.")
        else:
            audit.append(tx, entry)
        fact = BeneficiaryChanged(
            customer=payee.customer,
            occurred_at=now,
            beneficiary=payee.shot(),
            beneficiary_id=name,
        )
        log.append(tx, fact)
