"""What a customer wants to be told, and what this phone shows before sign-in."""

from collections.abc import Sequence

import strawberry
from strawberry import UNSET

from app.errors import ValidationFailed
from app.ids import AccountId
from app.notifications import preferences as room
from app.notifications.channels import Channel
from app.notifications.choices import Change
from app.notifications.preferences import Wishes
from app.notifications.quiet import MalformedHours
from app.notifications.quiet import QuietHours as Hours
from app.realtime.facts import Category
from app.schema import guards
from app.schema.accounts.accounts import Account
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.refusals import UserError, answered
from app.schema.scalars import Money, MoneyInput, field


@strawberry.type
class NotificationPreference:
    """What holds for one category."""

    category: Category
    channels: list[Channel]
    threshold: Money | None = strawberry.field(
        description="Amounts below it are not announced."
    )
    mandatory: bool = strawberry.field(
        description="True: `channels` cannot be reduced below what the bank sets."
    )

    @classmethod
    def of(cls, one: room.Preference) -> "NotificationPreference":
        """Show a preference of the room."""
        return cls(
            category=one.category,
            channels=[channel for channel in Channel if channel in one.channels],
            threshold=None if one.threshold is None else Money.of(one.threshold),
            mandatory=one.is_mandatory,
        )


@strawberry.type
class QuietHours:
    """When phones do not ring."""

    from_: str = strawberry.field(
        name="from",
        description="Local time HH:MM; SECURITY ignores quiet hours.",
    )
    to: str


@strawberry.input
class QuietHoursInput:
    """When phones are not to ring."""

    from_: str = strawberry.field(name="from")
    to: str

    def read(self) -> Hours:
        """Read both times.

        Raises:
            ValidationFailed: they are no two different times HH:MM.
        """
        try:
            return Hours.parse(self.from_, self.to)
        except MalformedHours:
            raise ValidationFailed(
                "Quiet hours are two different times, as 22:00 and 07:00.",
                field=["quietHours"],
            ) from None


@strawberry.type
class NotificationSettings:
    """Everything the customer chose."""

    preferences: list[NotificationPreference]
    quiet_hours: QuietHours | None
    hide_amounts_in_push: bool = strawberry.field(
        description=(
            "On by default: pushes carry a hint and no figures; the app fetches the "
            "rest."
        )
    )

    @classmethod
    def of(cls, wishes: Wishes) -> "NotificationSettings":
        """Show the choices of the room."""
        quiet = None
        if wishes.quiet is not None:
            start, end = wishes.quiet.texts
            quiet = QuietHours(from_=start, to=end)
        return cls(
            preferences=[NotificationPreference.of(one) for one in wishes.all()],
            quiet_hours=quiet,
            hide_amounts_in_push=wishes.hide_amounts,
        )

    @field(
        description=(
            "Accounts that quickBalance may show on this device before sign-in; empty "
            "by default. At most 50."
        )
    )
    async def quick_balance_accounts(self, info: Info) -> list[Account]:
        """List what this very phone may show."""
        context = info.context
        found = await context.bank.quick_balances.chosen(context.actor)
        return [Account.from_row(account) for account in found]


@strawberry.type
class CustomerFields:
    """What the customer's own object shows of this room."""

    @field()
    async def notification_settings(self, info: Info) -> NotificationSettings:
        """Read the caller's choices."""
        return await _settings(info.context)


@strawberry.input(
    description=(
        "`channels` and `threshold` belong to `category`; the others stand alone; "
        "`threshold: null` announces every amount. The low-balance amount is set by "
        "accountUpdate."
    )
)
class NotificationPreferenceSetInput:
    """What is to be another way."""

    category: Category | None = UNSET
    channels: list[Channel] | None = UNSET
    threshold: MoneyInput | None = UNSET
    quiet_hours: QuietHoursInput | None = strawberry.field(
        default=UNSET, description="null switches quiet hours off."
    )
    hide_amounts_in_push: bool | None = UNSET
    quick_balance_account_ids: list[strawberry.ID] | None = strawberry.field(
        default=UNSET,
        description=(
            "Replaces the list of accounts that quickBalance may show on this device."
        ),
    )

    def change(self) -> Change:
        """Give the change as the room knows it.

        Raises:
            ValidationFailed: null where nothing can be removed, or malformed times.
            MalformedId: an account id is none.
        """
        for name, given in (
            ("channels", self.channels),
            ("hideAmountsInPush", self.hide_amounts_in_push),
            ("quickBalanceAccountIds", self.quick_balance_account_ids),
        ):
            if given is None:
                raise ValidationFailed(field=[name])
        return Change(
            category=self.category or None,
            channels=frozenset(self.channels or ())
            if self.channels is not UNSET
            else None,
            threshold=self.threshold.amount() if self.threshold else None,
            no_threshold=self.threshold is None,
            quiet=self.quiet_hours.read() if self.quiet_hours else None,
            no_quiet=self.quiet_hours is None,
            hide_amounts=None
            if self.hide_amounts_in_push is UNSET
            else self.hide_amounts_in_push,
            quick=_ids(self.quick_balance_account_ids),
        )


@strawberry.type
class NotificationPreferenceSetPayload:
    """The choices as they are now."""

    settings: NotificationSettings | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class Mutation:
    """Changes what the customer is told."""

    @guards.mutation(
        level=AuthLevel.LOGIN,
        cost=100,
        description=(
            "Changes only what is given. Refusals: NOT_ALLOWED for a mandatory "
            "category."
        ),
    )
    async def notification_preference_set(
        self,
        info: Info,
        input: NotificationPreferenceSetInput,  # noqa: A002  -- the contract's name
    ) -> NotificationPreferenceSetPayload:
        """Change what is given."""
        return await answered(
            NotificationPreferenceSetPayload, _set(info.context, input)
        )


async def _set(
    context: Context, given: NotificationPreferenceSetInput
) -> NotificationPreferenceSetPayload:
    await context.bank.choices.change(context.actor, given.change())
    return NotificationPreferenceSetPayload(settings=await _settings(context))


async def _settings(context: Context) -> NotificationSettings:
    return NotificationSettings.of(await context.bank.choices.of(context.actor))


def _ids(given: Sequence[strawberry.ID] | None) -> tuple[AccountId, ...] | None:
    if given is UNSET or given is None:
        return None
    return tuple(AccountId.parse(one) for one in given)
