"""Saved payees as the phone sees them."""

from datetime import UTC, datetime, timedelta

import strawberry
from strawberry import UNSET

from app.ids import BeneficiaryId
from app.payments import beneficiary as payees
from app.realtime.facts import BeneficiaryShot
from app.schema import paging
from app.schema.context import Context, Info
from app.schema.paging import Connection, Position
from app.schema.payments.batches import BENEFICIARY
from app.schema.scalars import SENSITIVE, Node, field

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
    favourite: bool
    last_paid_at: datetime | None
    cools_until: strawberry.Private[datetime | None] = None

    @classmethod
    def of(cls, shot: BeneficiaryShot) -> "Beneficiary":
        """Show the payee of a fact."""
        return cls(
            id=strawberry.ID(shot.id),
            nickname=shot.nickname,
            name=shot.name,
            masked_account=shot.masked_account,
            bank_code=shot.bank_code,
            bank_name=shot.bank_name,
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
