"""What a payment request must fulfil before anything exists: every "no" in one place.

Amounts first, then whose account pays, whom it pays, currency, blocks, money. The
balance read here only spares the customer a signature: the core decides when it books.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from uuid import UUID

from app.accounts.account import Account
from app.accounts.accounts import Accounts
from app.accounts.balances import Balances
from app.auth.actor import Actor
from app.auth.standing import Customers
from app.errors import NotFound, NotSupported, Refusal, ValidationFailed
from app.ids import AccountId, BeneficiaryId, MalformedId
from app.integrations.rails import (
    INTERNAL,
    OWN,
    PaymentOrder,
    PaymentRail,
    RailCaps,
)
from app.money import MINOR_MAX, Money, zero
from app.payments import fees, texts
from app.payments.draft import OWN_ACCOUNT, SAVED_PAYEE, Draft, PayeeFacts
from app.payments.errors import (
    AccountBlocked,
    CurrencyMismatch,
    InsufficientFunds,
    PayeeRejected,
)
from app.payments.offers import Offers
from app.payments.payee_check import PayeeCheck, PayeeMatch
from app.payments.payees import Payees
from app.payments.payment import Destination, DestinationKind, Party, PaymentRequest

_FROM = ("fromAccountId",)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """The paid account, before it is judged; of another bank little is known."""

    kind: DestinationKind
    account: AccountId | None
    ref: str
    currency: str | None
    can_credit: bool
    shown: Party
    payee: PayeeFacts
    key: str
    beneficiary: BeneficiaryId | None = None
    bank_name: str | None = None
    check: PayeeCheck | None = None


class Intake:
    """Judges payment requests; writes nothing."""

    def __init__(  # noqa: PLR0913  -- one argument per collaborator
        self,
        *,
        accounts: Accounts,
        balances: Balances,
        customers: Customers,
        payees: Payees,
        rails: Mapping[str, PaymentRail],
        offers: Offers,
        gate: Callable[[], None] = lambda: None,
    ) -> None:
        self._accounts = accounts
        self._balances = balances
        self._customers = customers
        self._payees = payees
        self._rails = rails
        self._offers = offers
        self._gate = gate

    def require_open(self) -> None:
        """Begin nothing while no postings are taken.

        Raises:
            Outage: postings are stopped; nothing happened.
        """
        self._gate()

    async def judged(self, actor: Actor, request: PaymentRequest) -> Draft:
        """Judge a request.

        Raises:
            Refusal: what `looked_at` raises, or the first of those it gives.
            Outage: the core or the rail is away, or postings are stopped.
        """
        draft, noes = await self.looked_at(actor, request)
        for no in noes:
            raise no
        return draft

    async def looked_at(
        self, actor: Actor, request: PaymentRequest
    ) -> tuple[Draft, list[Refusal]]:
        """Look at a request; gives the payment it would be, and what forbids it now.

        Raises:
            ValidationFailed: amount, reference or note break a rule, or the money
                would go to where it comes from, or the quote is for something else.
            NotFound: an account, payee or quote is not the caller's.
            NotSupported: the rail does not reach this payee.
            CurrencyMismatch: amount, accounts and rail are not of one currency.
            PayeeRejected: the payee's account is gone.
            QuoteExpired: the quote is too old.
            Outage: the core or the rail is away, or postings are stopped.
        """
        self.require_open()
        offer = self._offers.opened(actor.known_customer, request)
        amount = _amount(request.amount)
        reference, note = texts.reference(request.reference), texts.note(request.note)
        mine = await self._mine(actor, request)
        account = _own(mine, request.from_account, _FROM)
        target = await self._target(actor, request, mine)
        where = OWN_ACCOUNT if target.beneficiary is None else SAVED_PAYEE
        _pair(account, target, where)
        named = request.rail if offer is None else offer.rail
        rail = self._rail(named, target.payee.scheme)
        _carries(rail.caps, amount)
        if amount.currency != account.currency:
            raise CurrencyMismatch(field=["amount", "currency"])
        profile = await self._customers.profile(actor.known_customer)
        found = await self._balances.sure(account)
        draft = Draft(
            account=account,
            destination=Destination(
                kind=target.kind,
                account=target.account,
                beneficiary=target.beneficiary,
                payee=target.shown,
                payer=Party(name=profile.name, masked=account.masked_number),
                src=account.ref,
                dst=target.ref,
                bank_name=target.bank_name,
            ),
            payee=target.payee,
            payee_key=target.key,
            amount=amount,
            available=found.available,
            reference=reference,
            note=note,
            rail=rail.caps.rail,
            fee=zero(amount.currency),
            arrives_by=None,
            check=target.check,
        )
        told = await fees.quoted(rail, _order(draft))  # one that is away says so here
        fee, by, check, anew = told.fee, told.arrives_by, target.check, False
        if offer is not None:
            fee, by = offer.fee, offer.arrives_by
            check, anew = _newer(offer.check, target.check)
        draft = replace(draft, fee=fee, arrives_by=by, check=check, checked_anew=anew)
        return draft, _noes(draft, target, where, request)

    def _rail(self, named: str | None, scheme: str) -> PaymentRail:
        """Choose the first rail that reaches a scheme, or the one that was named."""
        for rail in self._rails.values():
            if scheme in rail.caps.schemes and named in {None, rail.caps.rail}:
                return rail
        raise NotSupported("This payee is not reached that way.", field=["rail"])

    async def payee_of(self, actor: Actor, destination: Destination) -> PayeeFacts:
        """Give the payee of a payment that exists, as its approval shows it.

        Raises:
            NotFound: the payee's row is gone altogether.
        """
        if destination.beneficiary is None:
            assert destination.account is not None  # noqa: S101  -- own ones are ours
            return _own_facts(destination.account, destination.payee.name)
        found = await self._payees.address(
            actor.known_customer, destination.beneficiary, deleted=True
        )
        if found is None:
            raise NotFound
        address = found[1]
        return PayeeFacts(
            address=address.number,
            bank_code=address.bank_code,
            name=destination.payee.name,
            scheme=address.scheme,
        )

    async def _mine(
        self, actor: Actor, request: PaymentRequest
    ) -> Mapping[AccountId, Account]:
        """Read those accounts of a request that are the caller's, all at once."""
        named: dict[AccountId, None] = {}
        for text in (request.from_account, request.own_account):
            with suppress(MalformedId):
                named |= {} if text is None else {AccountId.parse(text): None}
        return await self._accounts.found(actor, list(named))

    async def _target(
        self, actor: Actor, request: PaymentRequest, mine: Mapping[AccountId, Account]
    ) -> _Target:
        if request.own_account is not None:
            return _own_target(_own(mine, request.own_account, OWN_ACCOUNT))
        return await self._saved(actor, request.beneficiary or "")

    async def _saved(self, actor: Actor, text: str) -> _Target:
        try:
            beneficiary = BeneficiaryId.parse(text)
        except MalformedId:
            raise NotFound(field=SAVED_PAYEE) from None
        found = await self._payees.address(actor.known_customer, beneficiary)
        if found is None:
            raise NotFound(field=SAVED_PAYEE)
        payee, address = found
        target = _Target(
            kind=DestinationKind.BENEFICIARY,
            account=None,
            ref="",
            currency=None,
            can_credit=True,
            shown=Party(name=payee.name, masked=payee.masked_account),
            payee=PayeeFacts(
                address=address.number,
                bank_code=address.bank_code,
                name=payee.name,
                scheme=address.scheme,
            ),
            key=address.key,
            beneficiary=beneficiary,
            bank_name=payee.bank_name,
            check=payee.check,
        )
        if address.scheme != INTERNAL:
            return target
        account = await self._accounts.by_number(address.number, address.bank_code)
        if account is None:
            raise PayeeRejected(field=SAVED_PAYEE)
        return replace(
            target,
            account=account.id,
            ref=account.ref,
            currency=account.currency,
            can_credit=account.can_credit,
        )


def _noes(
    draft: Draft,
    target: _Target,
    where: tuple[str, ...],
    request: PaymentRequest,
) -> list[Refusal]:
    """List what forbids a payment now, and may be otherwise later."""
    noes: list[Refusal] = []
    if not target.can_credit:
        own = target.beneficiary is None
        noes.append(AccountBlocked(field=where) if own else PayeeRejected(field=where))
    if not draft.account.can_debit:
        noes.append(AccountBlocked(field=_FROM))
    mismatch = draft.mismatch()
    if mismatch is not None and not request.risk_acknowledged:
        noes.append(mismatch)
    total = draft.amount + draft.fee
    if draft.available < total:
        noes.append(InsufficientFunds(total - draft.available, field=["amount"]))
    return noes


def _newer(
    quoted: PayeeCheck | None, kept: PayeeCheck | None
) -> tuple[PayeeCheck | None, bool]:
    """Choose between a quote's check and the payee's; tells whether it is news."""
    if quoted is None or (kept is not None and kept.checked_at >= quoted.checked_at):
        return kept, False
    told = quoted.match is not PayeeMatch.UNAVAILABLE
    return (quoted, told) if told or kept is None else (kept, False)


def _carries(caps: RailCaps, amount: Money) -> None:
    """Say what a rail does not carry at all."""
    if caps.currency not in {None, amount.currency}:
        raise CurrencyMismatch(field=["amount", "currency"])
    if caps.max_minor is not None and amount.minor > caps.max_minor:
        most = Money(caps.max_minor, amount.currency)
        raise ValidationFailed(
            f"One payment of this kind carries at most {most.formatted()}.",
            field=["amount", "minorUnits"],
        )


def _order(draft: Draft) -> PaymentOrder:
    """Show a rail a payment that does not exist."""
    to, payer = draft.destination, draft.destination.payer
    return PaymentOrder(
        payment=UUID(int=0),
        src=to.src,
        dst=to.dst,
        amount=draft.amount,
        memo="",
        reference=draft.reference,
        payer_name=payer.name,
        payer_masked=payer.masked,
        payee_name=to.payee.name,
        payee_masked=to.payee.masked,
        scheme=draft.payee.scheme,
        payee_address=draft.payee.address,
        payee_bank_code=draft.payee.bank_code,
    )


def _amount(amount: Money) -> Money:
    if not 0 < amount.minor <= MINOR_MAX:
        raise ValidationFailed(
            "The amount must be greater than zero.", field=["amount", "minorUnits"]
        )
    return amount


def _pair(account: Account, target: _Target, field: tuple[str, ...]) -> None:
    if target.account == account.id:
        raise ValidationFailed("This is the account the money is on.", field=field)
    if target.currency not in {None, account.currency}:
        raise CurrencyMismatch(field=field)


def _own(
    mine: Mapping[AccountId, Account], text: str, field: tuple[str, ...]
) -> Account:
    try:
        return mine[AccountId.parse(text)]
    except (MalformedId, KeyError):
        raise NotFound(field=field) from None


def _own_target(account: Account) -> _Target:
    name = account.nickname or account.name
    return _Target(
        kind=DestinationKind.OWN_ACCOUNT,
        account=account.id,
        ref=account.ref,
        currency=account.currency,
        can_credit=account.can_credit,
        shown=Party(name=name, masked=account.masked_number),
        payee=_own_facts(account.id, name),
        key=str(account.id),
    )


def _own_facts(account: AccountId, name: str) -> PayeeFacts:
    return PayeeFacts(address=str(account), bank_code=None, name=name, scheme=OWN)
