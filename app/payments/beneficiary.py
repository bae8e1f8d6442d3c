"""A saved payee as the other rooms and the edge see it: frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.ids import BeneficiaryId, CustomerId
from app.payments.payee_check import PayeeCheck
from app.realtime import shots

OPERATION = "beneficiaryCreate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beneficiary:
    """A saved payee; its full address stays sealed in the room.

    `cooling_until` is the end of its waiting time, also when that is over.
    """

    id: BeneficiaryId
    customer: CustomerId
    nickname: str
    name: str
    masked_account: str
    bank_code: str | None
    cooling_until: datetime
    bank_name: str | None = None
    check: PayeeCheck | None = None
    favourite: bool = False
    last_paid_at: datetime | None = None

    def shot(self) -> shots.BeneficiaryShot:
        """Give the snapshot that goes into an event."""
        return shots.BeneficiaryShot(
            id=str(self.id),
            nickname=self.nickname,
            name=self.name,
            masked_account=self.masked_account,
            bank_code=self.bank_code,
            bank_name=self.bank_name,
            payee_check=None if self.check is None else self.check.shot(),
            cooling_until=self.cooling_until,
            favourite=self.favourite,
            last_paid_at=self.last_paid_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BeneficiaryRequest:
    """What a phone asks for.

    Args:
        key: the phone's IdempotencyKey.
        nickname: what the customer calls the payee, 1 to 40 characters.
        name: the payee's name, 1 to 70 characters.
        account_number: full number of an account.
        bank_code: code of its bank; None: it is of this bank.
        risk_acknowledged: the customer saw a warning and goes on.
    """

    key: str
    nickname: str
    name: str
    account_number: str = field(repr=False)
    bank_code: str | None = None
    risk_acknowledged: bool = False

    def coerced(self) -> Mapping[str, object]:
        """Give the GraphQL input in full, as the customer approves it."""
        account: dict[str, object] = {"accountNumber": self.account_number}
        if self.bank_code is not None:
            account["bankCode"] = self.bank_code
        return {
            "idempotencyKey": self.key,
            "name": self.name,
            "nickname": self.nickname,
            "payee": {"account": account},
            "riskAcknowledged": self.risk_acknowledged,
        }


@dataclass(frozen=True, slots=True)
class Saved:
    """The payee, and whether the key was seen before and nothing new happened."""

    beneficiary: Beneficiary
    replayed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a saved payee is paid: opened only to show it in an approval and to pay.

    `key` is the same for the same address of one customer, and names nobody. `scheme`
    is INTERNAL for an account of this bank, else that of the rail that reaches it.
    """

    number: str = field(repr=False)
    bank_code: str | None
    key: str
    scheme: str
