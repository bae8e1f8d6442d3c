"""The name of an account in the app, and its low-balance alert."""

import strawberry
from strawberry import UNSET

from app.accounts.changes import AccountChange
from app.ids import AccountId
from app.schema import guards
from app.schema.accounts.accounts import Account
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.refusals import UserError, answered
from app.schema.scalars import MoneyInput


@strawberry.input(
    description="Fields left out stay; null removes the nickname or the alert."
)
class AccountUpdateInput:
    """What is to be another way."""

    id: strawberry.ID
    nickname: str | None = UNSET
    low_balance_alert: MoneyInput | None = UNSET

    def change(self) -> AccountChange:
        """Give the change as the room knows it; rules are judged there.

        Raises:
            MalformedId: the id is none of an account.
        """
        alert = self.low_balance_alert
        return AccountChange(
            id=AccountId.parse(self.id),
            nickname=None if self.nickname is UNSET else self.nickname,
            no_nickname=self.nickname is None,
            alert=alert.amount() if alert else None,
            no_alert=alert is None,
        )


@strawberry.type
class AccountUpdatePayload:
    """The account as it is now."""

    account: Account | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class Mutation:
    """Changes what is the customer's of an account."""

    @guards.mutation(
        level=AuthLevel.LOGIN,
        cost=100,
        description=(
            "Name in the app and low-balance alert of one account. Changes only what "
            "is given."
        ),
    )
    async def account_update(
        self,
        info: Info,
        input: AccountUpdateInput,  # noqa: A002  -- the contract's name
    ) -> AccountUpdatePayload:
        """Change what is given."""
        return await answered(AccountUpdatePayload, _update(info.context, input))


async def _update(context: Context, given: AccountUpdateInput) -> AccountUpdatePayload:
    changed = await context.bank.account_changes.update(context.actor, given.change())
    return AccountUpdatePayload(account=Account.from_row(changed))
