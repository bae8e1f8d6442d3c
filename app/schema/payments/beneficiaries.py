"""Saved payees as the phone sees them."""

from datetime import UTC, datetime, timedelta

import strawberry
from strawberry import UNSET

from app.ids import BeneficiaryId
from app.payments import beneficiary as payees
from app.payments.payee_changes import PayeeChange
from app.realtime.shots import BeneficiaryShot
from app.schema import paging
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel, mutation
from app.schema.paging import Connection, Position
from app.schema.payments.batches import BENEFICIARY, PAYEE_LIMITS
from app.schema.payments.checks import PayeeCheck
from app.schema.payments.limits import Limit
from app.schema.refusals import UserError, answered
from app.schema.scalars import SENSITIVE, Money, MoneyInput, Node, field

_FIRST = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@strawberry.type
class Beneficiary(Node):
    """A saved payee; its full address is never shown again."""

    nickname: str = strawberry.field(directives=SENSITIVE)
    name: str = strawberry.field(
        description=(
            "Name as the payee's bank confirmed it, else as the customer wrote it."
        ),
        directives=SENSITIVE,
    )
    masked_account: str | None
    bank_code: str | None
    bank_name: str | None
    payee_check: PayeeCheck | None
    favourite: bool
    last_paid_at: datetime | None
    cools_until: strawberry.Private[datetime | None] = None

    @classmethod
    def of(cls, shot: BeneficiaryShot) -> "Beneficiary":
        """Show the payee of a fact."""
        check = shot.payee_check
        return cls(
            id=strawberry.ID(shot.id),
            nickname=shot.nickname,
            name=shot.name,
            masked_account=shot.masked_account,
            bank_code=shot.bank_code,
            bank_name=shot.bank_name,
            payee_check=None if check is None else PayeeCheck.of(check),
            favourite=shot.favourite,
            last_paid_at=shot.last_paid_at,
            cools_until=shot.cooling_until,
        )

    @classmethod
    def from_row(cls, found: payees.Beneficiary) -> "Beneficiary":
        """Show a payee of the room."""
        return cls.of(found.shot())

    @field(
        description=(
            "Until then only small amounts are allowed (24 h by default); null when "
            "over."
        )
    )
    def cooling_until(self, info: Info) -> datetime | None:
        """Give the end of the waiting time while it runs."""
        now = info.context.bank.clock.now()
        over = self.cools_until is None or self.cools_until <= now
        return None if over else self.cools_until

    @field(
        description=(
            "Largest amount per payment before `coolingUntil`; null when over."
        )
    )
    async def cooling_limit(self, info: Info) -> Money | None:
        """Read what is left of the allowance, together with the other payees'."""
        found = await PAYEE_LIMITS.find(info.context, BeneficiaryId.parse(self.id))
        left = None if found is None else found.cooling
        return None if left is None else Money.of(left)

    @field(description="The customer's own limit for this payee.")
    async def limit(self, info: Info) -> Limit | None:
        """Read the limit, together with those of the other payees."""
        found = await PAYEE_LIMITS.find(info.context, BeneficiaryId.parse(self.id))
        own = None if found is None else found.own
        return None if own is None else Limit.from_room(own)


@strawberry.type
class BeneficiaryFields:
    """What the customer's own object shows of the payee book."""

    @field()
    async def beneficiaries(
        self,
        info: Info,
        first: int | None = _FIRST,
        after: str | None = UNSET,
        search: str | None = UNSET,
    ) -> Connection[Beneficiary]:
        """Read one page of the payee book."""
        text = search or ""
        start = paging.decode(after or None, text)
        found, more = await info.context.bank.payees.page(
            info.context.actor,
            first=paging.size(first, _FIRST),
            after=None if start is None else BeneficiaryId(start.id),
            search=text,
        )
        return paging.page(
            found,
            shape=Beneficiary.from_row,
            at=lambda one: _position(one.id),
            has_next=more,
            after=after or None,
            filtered_by=text,
        )


@strawberry.input(description="Fields left out stay; `limit: null` removes the limit.")
class BeneficiaryUpdateInput:
    """What is changed of a payee."""

    id: strawberry.ID
    nickname: str | None = strawberry.field(default=UNSET, directives=SENSITIVE)
    favourite: bool | None = UNSET
    limit: MoneyInput | None = UNSET

    def change(self) -> PayeeChange:
        """Give the change as the room knows it; rules are judged there."""
        return PayeeChange(
            id=BeneficiaryId.parse(self.id),
            nickname=None if self.nickname is UNSET else self.nickname,
            favourite=None if self.favourite is UNSET else self.favourite,
            limit=self.limit.amount() if self.limit else None,
            unlimited=self.limit is None,
        )


@strawberry.type
class BeneficiaryUpdatePayload:
    """The payee as it is now."""

    user_errors: list[UserError]
    beneficiary: Beneficiary | None = None


@strawberry.type
class Mutation:
    """Changing payees."""

    @mutation(
        level=AuthLevel.LOGIN,
        scope="payments",
        cost=100,
        description=(
            "Raising or removing `limit` also answers STEP_UP_REQUIRED, on a device "
            "that is COOLING COOLING_PERIOD."
        ),
    )
    async def beneficiary_update(
        self,
        info: Info,
        input: BeneficiaryUpdateInput,  # noqa: A002  -- the contract's name
    ) -> BeneficiaryUpdatePayload:
        """Change a payee."""
        return await answered(BeneficiaryUpdatePayload, _update(info.context, input))


async def _update(
    context: Context, asked: BeneficiaryUpdateInput
) -> BeneficiaryUpdatePayload:
    changed = await context.bank.payee_changes.update(context.actor, asked.change())
    return BeneficiaryUpdatePayload(
        user_errors=[], beneficiary=Beneficiary.from_row(changed)
    )


async def beneficiary_node(
    context: Context, beneficiary: BeneficiaryId
) -> Beneficiary | None:
    """Give a payee of the caller; null for anybody else's, and when deleted."""
    found = await BENEFICIARY.find(context, beneficiary)
    return None if found is None else Beneficiary.from_row(found)


def _position(beneficiary: BeneficiaryId) -> Position:
    """Read the place in the list out of the id, whose head is its instant."""
    made = timedelta(milliseconds=beneficiary.value.int >> 80)
    return Position(_EPOCH + made, beneficiary.value)
