"""node and nodes: any object by its id; the prefix names the room that knows it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import strawberry

from app.errors import BadRequest
from app.ids import (
    AccountId,
    AuditId,
    BeneficiaryId,
    ChallengeId,
    DeviceId,
    MalformedId,
    NotificationId,
    PasskeyId,
    PaymentId,
    TransactionId,
)
from app.schema import guards
from app.schema.accounts.owned import account_node, transaction_node
from app.schema.auth.challenges import challenge_node
from app.schema.auth.devices import device_node
from app.schema.auth.passkeys import passkey_node
from app.schema.auth.security_log import audit_node
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.notifications.inbox import inbox_node
from app.schema.payments.beneficiaries import beneficiary_node
from app.schema.payments.payments import payment_node
from app.schema.scalars import Node

IDS_MAX = 100

LookUp = Callable[[Context, str], Awaitable[Node | None]]

LOOK_UPS: Mapping[str, LookUp] = MappingProxyType(
    {
        AccountId.prefix: lambda context, text: account_node(
            context, AccountId.parse(text)
        ),
        TransactionId.prefix: lambda context, text: transaction_node(
            context, TransactionId.parse(text)
        ),
        PaymentId.prefix: lambda context, text: payment_node(
            context, PaymentId.parse(text)
        ),
        BeneficiaryId.prefix: lambda context, text: beneficiary_node(
            context, BeneficiaryId.parse(text)
        ),
        DeviceId.prefix: lambda context, text: device_node(
            context, DeviceId.parse(text)
        ),
        PasskeyId.prefix: lambda context, text: passkey_node(
            context, PasskeyId.parse(text)
        ),
        NotificationId.prefix: lambda context, text: inbox_node(
            context, NotificationId.parse(text)
        ),
        AuditId.prefix: lambda context, text: audit_node(context, AuditId.parse(text)),
        ChallengeId.prefix: lambda context, text: challenge_node(
            context, ChallengeId.parse(text)
        ),
    }
)


@strawberry.type
class Query:
    """Fetching again."""

    @guards.query(
        level=AuthLevel.LOGIN,
        cost=1,
        description=(
            "Any object by id, for cache refresh. A challenge only on the device it is "
            "bound to."
        ),
    )
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002  -- the contract's name
        """Give one object of the caller, or null."""
        return await _found(info.context, id)

    @guards.query(
        level=AuthLevel.LOGIN,
        cost=50,
        description="At most 100 ids; the answer keeps their order.",
    )
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        """Give objects of the caller, null where there is none."""
        if len(ids) > IDS_MAX:
            raise BadRequest("`ids` has at most 100 ids.")
        found = (_found(info.context, one) for one in ids)
        return list(await asyncio.gather(*found))


async def _found(context: Context, text: str) -> Node | None:
    """Look one id up; what is not an id of ours looks like one that never existed."""
    look_up = LOOK_UPS.get(text.partition("_")[0])
    if look_up is None:
        return None
    try:
        return await look_up(context, text)
    except MalformedId:
        return None
