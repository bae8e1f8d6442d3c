"""Who is behind an address, and does the name fit: asked at the rail that reaches it.

Counted per customer, because who may ask without end can read a bank's book of names.
Source: banking.md section 4.5, graphql.md section 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from app.accounts.account import normal
from app.auth.actor import Actor
from app.auth.throttle import Throttle
from app.clock import Clock
from app.errors import NotFound, Outage
from app.ids import CustomerId
from app.integrations.rails import PayeeAddress, PayeeName, PaymentRail
from app.payments import payee_check
from app.payments.payee_check import PayeeCheck, PayeeMatch
from app.shelf import Shelf

_KEPT = timedelta(minutes=10)  # a step-up has to be answered and sent again by then
_KNOWN_MAX = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Who is behind an address, as its bank lets it be shown, and by which rails."""

    name: str
    bank_name: str | None
    rails: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A name check, with what else the payee's bank told.

    `holder`: the customer of ours whose account it is, where the rail knows.
    """

    check: PayeeCheck
    bank_name: str | None = None
    holder: CustomerId | None = None


class NameChecks:
    """Asks the rails.

    Args:
        clock: when a check was made.
        throttle: counts the checks of a customer.
        rails: by their names in the contract.
        bank_code: of this bank.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        throttle: Throttle,
        rails: Mapping[str, PaymentRail],
        bank_code: str,
    ) -> None:
        self._clock = clock
        self._throttle = throttle
        self._rails = rails
        self._bank_code = bank_code
        self._known = Shelf[tuple[CustomerId, PayeeAddress, str], Checked](_KNOWN_MAX)

    def address_of(self, number: str, bank_code: str | None) -> PayeeAddress | None:
        """Ask the rails, in order, whose an account is; None: no rail of ours pays it.

        Args:
            number: as typed; spaces and hyphens do not count.
            bank_code: as typed; None for this bank.
        """
        plain, code = normal(number), (bank_code or self._bank_code).strip().upper()
        ours = code == self._bank_code
        for rail in self._rails.values():
            found = rail.address_of(plain, code, ours=ours)
            if found is not None:
                return found
        return None

    async def resolve(
        self, actor: Actor, number: str, bank_code: str | None
    ) -> Resolved:
        """Name who is behind an account, masked by its bank.

        Raises:
            RateLimited: too many checks of this customer.
            NotFound: nobody, or by no rail of ours.
            Outage: the payee's bank does not tell at the moment.
        """
        await self._throttle.payee_check(actor)
        address = self.address_of(number, bank_code)
        rails = self._reaching(address.scheme) if address else ()
        if address is None or not rails:
            raise NotFound(field=["account"])
        try:
            found = await rails[0].resolve_payee(address)
        except NotFound:
            raise NotFound(field=["account"]) from None
        return Resolved(
            name=found.masked,
            bank_name=found.bank_name,
            rails=tuple(rail.caps.rail for rail in rails),
        )

    async def check(self, actor: Actor, address: PayeeAddress, name: str) -> Checked:
        """Compare a name with the one an account is held under.

        A bank that does not tell is no refusal: the check is UNAVAILABLE then. The same
        question within ten minutes, as a step-up asks it, is neither asked nor counted.

        Raises:
            RateLimited: too many checks of this customer.
            NotFound: nobody holds such an account.
        """
        now = self._clock.now()
        asked = (actor.known_customer, address, name)
        known = self._known.of(asked)
        if known is not None and now - known.check.checked_at < _KEPT:
            return known
        await self._throttle.payee_check(actor)
        found: PayeeName | None = None
        for rail in self._reaching(address.scheme)[:1]:
            try:
                found = await rail.resolve_payee(address)
            except Outage:
                found = None
        if found is None:
            check = PayeeCheck(match=PayeeMatch.UNAVAILABLE, checked_at=now)
            return Checked(check=check)
        match = payee_check.compared(name, found.name)
        close = match is PayeeMatch.CLOSE_MATCH
        suggested = found.masked if close else None
        check = PayeeCheck(match=match, suggested_name=suggested, checked_at=now)
        checked = Checked(check=check, bank_name=found.bank_name, holder=found.holder)
        return self._known.keep(asked, checked)

    def _reaching(self, scheme: str) -> tuple[PaymentRail, ...]:
        return tuple(
            rail for rail in self._rails.values() if scheme in rail.caps.schemes
        )
