"""What a payment request must fulfil before anything exists: every "no" in one place.

Amounts first, then whose account pays, whom it pays, currency, blocks, money. The
balance read here only spares the customer a signature: the core decides when it books.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.accounts.account import Account
from app.accounts.accounts import Accounts
from app.accounts.balances import Balances
from app.auth.actor import Actor
from app.auth.standing import Customers
from app.errors import NotFound, NotSupported, ValidationFailed
from app.ids import AccountId, BeneficiaryId, MalformedId
from app.money import MINOR_MAX, Money
from app.payments import texts
from app.payments.errors import (
    AccountBlocked,
    CurrencyMismatch,
    InsufficientFunds,
    PayeeRejected,
)
from app.payments.payees import Payees
from app.payments.payment import Destination, DestinationKind, Party, PaymentRequest

RAIL = "INTERNAL"
_FROM = ("fromAccountId",)
_OWN = ("to", "ownAccountId")
_SAVED = ("to", "beneficiaryId")


@dataclass(frozen=True, slots=True, kw_only=True)
class PayeeFacts:
    """The payee as the approval shows it: the full address (RTS Art. 5)."""

    address: str = field(repr=False)
    bank_code: str | None
    name: str
    scheme: str

    def signed(self) -> Mapping[str, object]:
        """Give the member `payee` of the canonical payload (auth.md section 2.4)."""
        return {
            "address": self.address,
            "bankCode": self.bank_code,
            "name": self.name,
            "scheme": self.scheme,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A request that may become a payment."""

    account: Account
    destination: Destination
    payee: PayeeFacts
    payee_key: str
    amount: Money
    reference: str | None
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """The paid account, before it is judged."""

    kind: DestinationKind
    account: AccountId
    ref: str
    currency: str
    can_credit: bool
    shown: Party
    payee: PayeeFacts
    key: str
    beneficiary: BeneficiaryId | None = None


class Intake:
    """Judges payment requests; writes nothing."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        balances: Balances,
        customers: Customers,
        payees: Payees,
    ) -> None:
        self._accounts = accounts
        self._balances = balances
        self._customers = customers
        self._payees = payees

    async def judged(self, actor: Actor, request: PaymentRequest) -> Draft:
        """Judge a request.

        Raises:
            ValidationFailed: amount, reference or note break a rule, or the money
                would go to where it comes from.
            NotFound: an account or payee is not the caller's.
            NotSupported: the rail does not reach this payee.
            CurrencyMismatch: amount and accounts are not of one currency.
            AccountBlocked: the account may not pay, or the own one not be paid to.
            PayeeRejected: the payee's account is gone or takes no money.
            InsufficientFunds: carries what is missing.
        """
        amount = _amount(request.amount)
        reference, note = texts.reference(request.reference), texts.note(request.note)
        account = await self._own(actor, request.from_account, _FROM)
        target = await self._target(actor, request)
        where = _OWN if target.beneficiary is None else _SAVED
        _pair(account, target, where)
        if request.rail not in {None, RAIL}:
            raise NotSupported("This payee is not reached that way.", field=["rail"])
        if amount.currency != account.currency:
            raise CurrencyMismatch(field=["amount", "currency"])
        if not account.can_debit:
            raise AccountBlocked(field=_FROM)
        await self._afforded(account, amount)
        profile = await self._customers.profile(actor.known_customer)
        return Draft(
            account=account,
            destination=Destination(
                kind=target.kind,
                account=target.account,
                beneficiary=target.beneficiary,
                payee=target.shown,
                payer=Party(name=profile.name, masked=account.masked_number),
                src=account.ref,
                dst=target.ref,
            ),
            payee=target.payee,
            payee_key=target.key,
            amount=amount,
            reference=reference,
            note=note,
        )

    async def payee_of(self, actor: Actor, destination: Destination) -> PayeeFacts:
        """Give the payee of a payment that exists, as its approval shows it.

        Raises:
            NotFound: the payee's row is gone altogether.
        """
        if destination.beneficiary is None:
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
            scheme=RAIL,
        )

    async def _target(self, actor: Actor, request: PaymentRequest) -> _Target:
        if request.own_account is not None:
            return _own_target(await self._own(actor, request.own_account, _OWN))
        return await self._saved(actor, request.beneficiary or "")

    async def _own(self, actor: Actor, text: str, field: tuple[str, ...]) -> Account:
        try:
            account = AccountId.parse(text)
            return (await self._accounts.owned(actor, [account]))[account]
        except (MalformedId, NotFound):
            raise NotFound(field=field) from None

    async def _saved(self, actor: Actor, text: str) -> _Target:
        try:
            beneficiary = BeneficiaryId.parse(text)
        except MalformedId:
            raise NotFound(field=_SAVED) from None
        found = await self._payees.address(actor.known_customer, beneficiary)
        if found is None:
            raise NotFound(field=_SAVED)
        payee, address = found
        account = await self._accounts.by_number(address.number, address.bank_code)
        if account is None:
            raise PayeeRejected(field=_SAVED)
        return _Target(
            kind=DestinationKind.BENEFICIARY,
            account=account.id,
            ref=account.ref,
            currency=account.currency,
            can_credit=account.can_credit,
            shown=Party(name=payee.name, masked=payee.masked_account),
            payee=PayeeFacts(
                address=address.number,
                bank_code=address.bank_code,
                name=payee.name,
                scheme=RAIL,
            ),
            key=address.key,
            beneficiary=beneficiary,
        )

    async def _afforded(self, account: Account, amount: Money) -> None:
        found = await self._balances.of([account])
        available = found[account.id].available
        if available < amount:
            raise InsufficientFunds(amount - available, field=["amount"])


def _amount(amount: Money) -> Money:
    if not 0 < amount.minor <= MINOR_MAX:
        raise ValidationFailed(
            "The amount must be greater than zero.", field=["amount", "minorUnits"]
        )
    return amount


def _pair(account: Account, target: _Target, field: tuple[str, ...]) -> None:
    if target.account == account.id:
        raise ValidationFailed("This is the account the money is on.", field=field)
    if target.currency != account.currency:
        raise CurrencyMismatch(field=field)
    if not target.can_credit and target.beneficiary is None:
        raise AccountBlocked(field=field)
    if not target.can_credit:
        raise PayeeRejected(field=field)


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
    return PayeeFacts(address=str(account), bank_code=None, name=name, scheme="OWN")
