"""What the customer wants to be told, and what this phone shows before sign-in.

Balances before sign-in are asked with the device's key alone: the phone is known, the
person is not (graphql.md §4).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from mock_mobile_client.errors import BadEntry
from mock_mobile_client.handset import Handset, Level
from mock_mobile_client.money import MoneyValue
from mock_mobile_client.session import Session
from mock_mobile_client.values import JsonObject, read_money


@dataclass(frozen=True, slots=True)
class PreferenceValue:
    """What holds for one category."""

    category: str
    channels: tuple[str, ...]
    mandatory: bool
    threshold: MoneyValue | None

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read one of `preferences`."""
        least = node["threshold"]
        return cls(
            category=node["category"],
            channels=tuple(node["channels"]),
            mandatory=node["mandatory"],
            threshold=None if least is None else read_money(least),
        )


@dataclass(frozen=True, slots=True)
class SettingsValue:
    """Everything the customer chose; `quick` names accounts by id."""

    preferences: tuple[PreferenceValue, ...]
    quiet: tuple[str, str] | None
    hides_amounts: bool
    quick: tuple[str, ...]

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read the fragment SettingsParts."""
        quiet = node["quietHours"]
        return cls(
            preferences=tuple(map(PreferenceValue.read, node["preferences"])),
            quiet=None if quiet is None else (quiet["from"], quiet["to"]),
            hides_amounts=node["hideAmountsInPush"],
            quick=tuple(one["id"] for one in node["quickBalanceAccounts"]),
        )

    def of(self, category: str) -> PreferenceValue:
        """Give what holds for a category.

        Raises:
            BadEntry: the bank has none of that name.
        """
        for one in self.preferences:
            if one.category == category.upper():
                return one
        raise BadEntry(f"there is no category {category!r}")


@dataclass(frozen=True, slots=True)
class QuickValue:
    """One balance as the locked phone shows it."""

    account_id: str
    name: str
    available: MoneyValue
    stale: bool

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read one of `quickBalance`."""
        return cls(
            account_id=node["accountId"],
            name=node["name"],
            available=read_money(node["available"]),
            stale=node["stale"],
        )


async def settings(session: Session) -> SettingsValue:
    """Ask for everything that was chosen."""
    me = await session.call("notification_settings", {})
    return SettingsValue.read(me["notificationSettings"])


async def choose(session: Session, given: JsonObject) -> SettingsValue:
    """Change what is given, as NotificationPreferenceSetInput has it.

    Raises:
        Refused: NOT_ALLOWED where a category is mandatory.
    """
    answer = await session.call("notification_preference_set", {"input": given})
    return SettingsValue.read(answer["settings"])


async def show_quickly(session: Session, accounts: Sequence[str]) -> SettingsValue:
    """Let this phone, and no other, show these accounts before sign-in."""
    return await choose(session, {"quickBalanceAccountIds": list(accounts)})


async def quick(handset: Handset) -> tuple[QuickValue, ...]:
    """Ask for the balances this phone may show, with its key alone."""
    answer = await handset.call("quick_balance", {}, Level.DEVICE)
    return tuple(map(QuickValue.read, answer["quickBalance"]))


async def call_account(
    session: Session, account: str, nickname: str | None
) -> str | None:
    """Give an account a name of its own; None takes it away."""
    given = {"id": account, "nickname": nickname}
    answer = await session.call("account_update", {"input": given})
    name: str | None = answer["account"]["nickname"]
    return name


async def warn_below(
    session: Session, account: str, amount: MoneyValue | None
) -> MoneyValue | None:
    """Be told when an account falls below an amount; None: never."""
    least = None if amount is None else amount.as_input()
    given = {"id": account, "lowBalanceAlert": least}
    answer = await session.call("account_update", {"input": given})
    kept = answer["account"]["lowBalanceAlert"]
    return None if kept is None else read_money(kept)
