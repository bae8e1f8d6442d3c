"""What a quote promises, sealed into its id: `quo_` and the sealed JSON.

Only its own customer's requests open it, for two minutes, and only for the payment that
was asked about. Source: banking.md section 4.5.
"""

import binascii
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from app.auth import signing
from app.clock import Clock, rfc3339
from app.errors import NotFound, ValidationFailed
from app.ids import CustomerId
from app.money import Money
from app.payments import texts
from app.payments.errors import QuoteExpired
from app.payments.payee_check import PayeeCheck, PayeeMatch
from app.payments.payment import PaymentRequest
from app.vault import Unsealable, Vault

LIFE_S = 120
PREFIX = "quo_"
_SEALED = "quote"
_FIELD = ("quoteId",)
_LONGEST = 2000  # characters of an id; ours have about 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is promised.

    Args:
        expires_at: until when.
        rail: how the money goes.
        fee: of the payment.
        arrives_by: when the payee has it, as far as the rail tells.
        check: of the payee's name; None where nothing is to be checked.
    """

    expires_at: datetime
    rail: str
    fee: Money
    arrives_by: datetime | None
    check: PayeeCheck | None


class Offers:
    """Seals and opens offers.

    Args:
        clock: tells when one is too old.
        vault: seals them for one customer.
    """

    def __init__(self, *, clock: Clock, vault: Vault) -> None:
        self._clock = clock
        self._vault = vault

    def made(self, **promised: Any) -> Offer:  # noqa: ANN401  -- what an Offer has but its end
        """Make an offer that ends in two minutes."""
        ends = self._clock.now() + timedelta(seconds=LIFE_S)
        return Offer(expires_at=ends, **promised)

    def sealed(
        self, customer: CustomerId, request: PaymentRequest, offer: Offer
    ) -> str:
        """Give the id of an offer for one request of one customer."""
        check = offer.check
        kept = {
            "exp": rfc3339(offer.expires_at),
            "for": _asked(request),
            "rail": offer.rail,
            "fee": [offer.fee.minor, offer.fee.currency],
            "by": offer.arrives_by and rfc3339(offer.arrives_by),
            "check": check
            and [check.match, check.suggested_name, rfc3339(check.checked_at)],
        }
        sealed = self._vault.seal(_SEALED, str(customer), orjson.dumps(kept))
        return PREFIX + signing.b64u(sealed)

    def opened(self, customer: CustomerId, request: PaymentRequest) -> Offer | None:
        """Open the offer that a request names; None when it names none.

        Raises:
            NotFound: not an offer to this customer, or not one of ours.
            QuoteExpired: it is older than two minutes.
            ValidationFailed: it was made for another payment.
        """
        if request.quote is None:
            return None
        kept = self._unsealed(customer, request.quote)
        ends = datetime.fromisoformat(kept["exp"])
        if ends <= self._clock.now():
            raise QuoteExpired(field=_FIELD)
        if kept["for"] != _asked(request) or request.rail not in {None, kept["rail"]}:
            raise ValidationFailed("This quote is for another payment.", field=_FIELD)
        return Offer(
            expires_at=ends,
            rail=kept["rail"],
            fee=Money(*kept["fee"]),
            arrives_by=kept["by"] and datetime.fromisoformat(kept["by"]),
            check=kept["check"] and _check(*kept["check"]),
        )

    def _unsealed(self, customer: CustomerId, text: str) -> dict[str, Any]:
        if not text.startswith(PREFIX) or len(text) > _LONGEST:
            raise NotFound(field=_FIELD)
        try:
            sealed = signing.unb64u(text.removeprefix(PREFIX))
            opened = self._vault.open(_SEALED, str(customer), sealed)
        except (Unsealable, ValueError, binascii.Error):
            raise NotFound(field=_FIELD) from None
        found: dict[str, Any] = orjson.loads(opened)
        return found


def _asked(request: PaymentRequest) -> str:
    """Hash what an offer is for: account, payee and amount, whatever else is asked."""
    body = request.body()
    asked = {name: body[name] for name in ("amount", "fromAccountId", "to")}
    return texts.fingerprint(asked).hex()


def _check(match: str, suggested: str | None, at: str) -> PayeeCheck:
    return PayeeCheck(
        match=PayeeMatch(match),
        suggested_name=suggested,
        checked_at=datetime.fromisoformat(at),
    )
