"""The slices of this room as a schema of their own, and what a phone sends to it."""

from typing import Any, cast

import strawberry

from app.bank import Bank as WholeBank
from app.schema import refusals, root
from app.schema.accounts.owned import CustomerFields as AccountFields
from app.schema.auth import challenges, passkeys
from app.schema.context import Context
from app.schema.payments import (
    beneficiaries,
    checks,
    limits,
    mutations,
    payments,
    quotes,
    rows,
)
from app.schema.payments.beneficiaries import BeneficiaryFields
from app.schema.payments.limits import LimitFields
from app.schema.payments.payments import PaymentFields
from app.schema.scalars import Node
from tests.payments.handset import Phone
from tests.payments.town import Town
from tests.payments.world import a_key


@strawberry.type
class Customer(Node, AccountFields, PaymentFields, BeneficiaryFields, LimitFields):
    """The part of the customer that these rooms show."""


@strawberry.type
class Me:
    """A root with nothing but the caller."""

    @strawberry.field
    def me(self) -> Customer:
        return Customer(id=strawberry.ID("cus_0"))


class Caller:
    """A slice of its own."""

    Query = Me


class Waiting:
    """The kind of refusal that another slice holds."""

    KINDS = passkeys.KINDS


SCHEMA = root.built(
    [
        *(refusals, challenges, checks, beneficiaries, payments, rows),
        *(limits, mutations, quotes, Waiting, Caller),
    ]
)
PAYMENT = """
  id idempotencyKey status reason statusMessage reference note rail
  from { id } payee { name maskedAccount bankName }
  destination { ... on Account { id } ... on Beneficiary { id nickname } }
  amount { minorUnits currency } fee { minorUnits }
  createdAt settledAt expectedBy expiresAt cancellableUntil
  challenge { id } timeline { at status source detail }
"""
ERRORS = """userErrors { __typename code message field
  ... on InsufficientFundsError { shortBy { minorUnits currency } } }"""
CREATE = (
    "mutation Create($input: PaymentCreateInput!) { paymentCreate(input: $input) { "
    f"payment {{ {PAYMENT} }} replayed from {{ id }} {ERRORS} }} }}"
)
HISTORY = f"""
query History($after: String, $status: [PaymentStatus!]) {{ me {{
  payments(first: 2, after: $after, status: $status) {{
    nodes {{ {PAYMENT} }} pageInfo {{ hasNextPage endCursor }} }} }} }}
"""


def context_of(town: Town, phone: Phone) -> Context:
    """Give the context of one call of a phone."""
    bank = cast("WholeBank", town.bank)
    return Context(bank=bank, actor=phone.actor, request_id="request")


async def call(
    town: Town, phone: Phone, document: str, **variables: object
) -> dict[str, Any]:
    """Send a document and give its data."""
    result = await SCHEMA.execute(
        document, variable_values=variables, context_value=context_of(town, phone)
    )
    assert result.errors is None, result.errors
    assert result.data is not None
    return result.data


def to_ben(town: Town, minor: object = "25000", **changes: object) -> dict[str, object]:
    """Write the input of a payment to Ben."""
    wish: dict[str, object] = {
        "idempotencyKey": a_key(),
        "fromAccountId": str(town.current.id),
        "to": {"beneficiaryId": str(town.payee.id)},
        "amount": {"minorUnits": minor, "currency": "INR"},
    }
    return wish | changes
