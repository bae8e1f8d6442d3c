"""Accounts of other banks: who is behind one, and what a payment would cost."""

from dataclasses import dataclass
from typing import Self

from mock_mobile_client.money import MoneyValue
from mock_mobile_client.payments import Order, new_key
from mock_mobile_client.session import Session
from mock_mobile_client.values import BeneficiaryValue, JsonObject, read_money


@dataclass(frozen=True, slots=True)
class Holder:
    """Who is behind an account, as its bank lets it be shown."""

    name: str
    bank_name: str | None
    rails: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Quote:
    """What the confirm screen shows before the payment exists."""

    id: str
    fee: MoneyValue
    total: MoneyValue
    rail: str
    match: str | None
    allowed: tuple[str, ...]
    blockers: tuple[str, ...]

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read `quote` of the operation Quote."""
        check = node["payeeCheck"]
        return cls(
            id=node["id"],
            fee=read_money(node["fee"]),
            total=read_money(node["total"]),
            rail=node["rail"],
            match=None if check is None else check["match"],
            allowed=tuple(node["allowed"]),
            blockers=tuple(one["code"] for one in node["blockers"]),
        )


def account_of(number: str, bank_code: str | None) -> JsonObject:
    """The input that names an account; without a code it is of this bank."""
    account: JsonObject = {"accountNumber": number}
    if bank_code is not None:
        account["bankCode"] = bank_code
    return {"account": account}


async def resolve(session: Session, number: str, bank_code: str | None) -> Holder:
    """Ask who is behind an account.

    Raises:
        Refused: NOT_FOUND, RATE_LIMITED, SERVICE_UNAVAILABLE.
    """
    asked = {"input": account_of(number, bank_code)}
    found = (await session.call("payee_resolve", asked))["payee"]
    return Holder(found["name"], found["bankName"], tuple(found["rails"]))


async def save(
    session: Session,
    nickname: str,
    name: str,
    account: tuple[str, str | None],
    *,
    acknowledged: bool = False,
) -> BeneficiaryValue:
    """Save a payee by step-up, with what the name check says.

    Args:
        session: of the phone.
        nickname: how the list shows the payee.
        name: as the person knows it.
        account: number, and the code of its bank; None: of this one.
        acknowledged: the person saw that the account has another name.

    Raises:
        Refused: PAYEE_NAME_MISMATCH, PAYEE_REJECTED, CONFLICT.
    """
    given: JsonObject = {
        "idempotencyKey": new_key(),
        "nickname": nickname,
        "name": name,
        "payee": account_of(*account),
        "riskAcknowledged": acknowledged,
    }
    saved = await session.step_up("beneficiary_create", "beneficiaryCreate", given)
    return BeneficiaryValue.read(saved["beneficiary"])


async def quote(session: Session, order: Order) -> Quote:
    """Ask what a payment would cost, and what stands in its way.

    Raises:
        Refused: nothing can be quoted.
    """
    asked = order.variables()["input"]
    names = ("fromAccountId", "to", "amount")
    given = {"input": {name: asked[name] for name in names}}
    return Quote.read((await session.call("quote", given))["quote"])
