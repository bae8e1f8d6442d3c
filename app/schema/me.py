"""The signed-in person: `me`, joined from the rooms, and the sign-in that answers it.

`loginFinish` stands here and not with the other sign-in fields, because its payload
shows Customer and types refer only downwards. It is the one way to the customer's books
below LOGIN: null without tokens, and read as the session that same answer made
(graphql.md section 4).
"""

import strawberry
from graphql import (
    FieldNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionSetNode,
)

from app.auth.totp_step import TotpAsked
from app.realtime import log
from app.schema import guards
from app.schema.accounts.owned import CustomerFields as AccountFields
from app.schema.auth.challenges import Challenge
from app.schema.auth.devices import CustomerFields as DeviceFields
from app.schema.auth.factor_changes import CustomerFields as FactorFields
from app.schema.auth.passkeys import CustomerFields as PasskeyFields
from app.schema.auth.security_log import CustomerFields as LogFields
from app.schema.auth.sign_in import LoginFinishInput, TokenPair, signed_in
from app.schema.auth.totp import CustomerFields as RecoveryFields
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.notifications.inbox import CustomerFields as InboxFields
from app.schema.notifications.preferences import CustomerFields as WishFields
from app.schema.payments.beneficiaries import BeneficiaryFields
from app.schema.payments.limits import LimitFields
from app.schema.payments.payments import PaymentFields
from app.schema.refusals import UserError, answered
from app.schema.scalars import SENSITIVE, EventCursor, Node, field


@strawberry.type(
    description=(
        "The signed-in person. Everything a home screen needs hangs here, so one "
        "document loads it."
    )
)
class Customer(
    AccountFields,
    BeneficiaryFields,
    PaymentFields,
    LimitFields,
    PasskeyFields,
    FactorFields,
    RecoveryFields,
    DeviceFields,
    LogFields,
    InboxFields,
    WishFields,
    Node,
):
    """One customer, as herself."""

    stream_position: EventCursor = strawberry.field(
        description=(
            "Position of the event stream, read before any other field of the same "
            "document: subscribe with `events(after: streamPosition)` and no change is "
            "missed."
        )
    )
    display_name: str = strawberry.field(directives=SENSITIVE)
    masked_phone: str | None
    locale: str = strawberry.field(description="BCP 47.")

    @field(description="IANA name.")
    async def timezone(self, info: Info) -> str:
        """Give the zone the customer lives in, else the bank's."""
        bank = info.context.bank
        wishes = await bank.choices.of(info.context.actor)
        return wishes.zone_or(bank.clock.zone).key


@strawberry.type
class LoginFinishPayload:
    """The tokens of the new session, and what it may see."""

    tokens: TokenPair | None = None
    me: Customer | None = strawberry.field(
        default=None,
        description=(
            "Read as the new session, so that the home screen needs no second request. "
            "Null without `tokens`."
        ),
    )
    challenge: Challenge | None = strawberry.field(
        default=None,
        description=(
            "Policy asks for TOTP too: the same challenge with `allowed` reduced to "
            "it; answer again with loginFinish. `tokens` is null then. Only for "
            "customers whose TOTP is active."
        ),
    )
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class Query:
    """The one who asks."""

    @guards.query(level=AuthLevel.LOGIN, cost=1, description="The signed-in customer.")
    async def me(self, info: Info) -> Customer:
        """Give the caller."""
        asked = _asked_of(info, {"unreadCount", "streamPosition"})
        return await customer_of(
            info.context,
            counts="unreadCount" in asked,
            placed="streamPosition" in asked,
        )


@strawberry.type
class Mutation:
    """Signing in."""

    @guards.mutation(
        level=AuthLevel.ANONYMOUS,
        cost=500,
        description=(
            "Signs in. Refusals: INVALID_CREDENTIAL, CREDENTIAL_LOCKED, "
            "DEVICE_BLOCKED, DEVICE_LOCKED, CHALLENGE_EXPIRED, APP_UPDATE_REQUIRED."
        ),
    )
    async def login_finish(
        self,
        info: Info,
        input: LoginFinishInput,  # noqa: A002  -- the contract's name
    ) -> LoginFinishPayload:
        """Judge the answer and show the customer to the session it made."""
        return await answered(LoginFinishPayload, _finish(info.context, input))


async def customer_of(
    context: Context, *, counts: bool = False, placed: bool = True
) -> Customer:
    """Give the customer of the context's session.

    The stream's position is read first, before anything a client could compare with it;
    the unread count comes with it in one statement where it is asked for.

    Args:
        context: of the operation.
        counts: whether the document asks for the count.
        placed: whether it asks for the position.
    """
    customer = context.actor.known_customer
    unread, position = None, EventCursor("")
    if counts:
        standing = await context.bank.inbox.standing(customer)
        position, unread = EventCursor(str(standing.position)), standing.unread
    elif placed:
        position = EventCursor(str(await log.head(customer)))
    profile = await context.bank.customers.profile(customer)
    return Customer(
        unread=unread,
        id=strawberry.ID(str(profile.id)),
        stream_position=position,
        display_name=profile.name,
        masked_phone=profile.masked_phone,
        locale=profile.locale,
    )


async def _finish(context: Context, given: LoginFinishInput) -> LoginFinishPayload:
    try:
        tokens = await signed_in(context, given)
    except TotpAsked as asked:
        return LoginFinishPayload(challenge=Challenge.of(asked.challenge))
    return LoginFinishPayload(tokens=tokens, me=await customer_of(context))


def _asked_of(info: Info, names: set[str]) -> set[str]:
    """Tell which of these fields the document asks any root field for.

    Of all root fields, under any condition: what one of them reads first is read before
    anything that another shows.
    """
    raw = info._raw_info  # noqa: SLF001  -- the library's own view reads the whole document
    asked: set[str] = set()
    waiting: list[tuple[SelectionSetNode | None, int]]
    waiting = [(raw.operation.selection_set, 0)]
    while waiting:
        found, depth = waiting.pop()
        for one in () if found is None else found.selections:
            if isinstance(one, FragmentSpreadNode):
                waiting.append((raw.fragments[one.name.value].selection_set, depth))
            elif isinstance(one, InlineFragmentNode):
                waiting.append((one.selection_set, depth))
            elif isinstance(one, FieldNode) and depth == 0:
                waiting.append((one.selection_set, 1))
            elif isinstance(one, FieldNode):
                asked.add(one.name.value)
    return asked & names
