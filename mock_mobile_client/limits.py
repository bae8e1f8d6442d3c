"""How much this phone's customer may pay, and choosing it (graphql.md §3.3)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import BadEntry, NotSeen
from mock_mobile_client.money import MoneyValue
from mock_mobile_client.session import Session
from mock_mobile_client.store import Unanswered
from mock_mobile_client.values import JsonObject, read_money

LOOKS, PAUSE_S = 20, 0.2


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit, as it is on this phone."""

    id: str
    name: str
    window: str
    max: MoneyValue
    used: MoneyValue
    remaining: MoneyValue
    resets_at: str | None
    ceiling: MoneyValue
    pending: MoneyValue | None
    pending_from: str | None

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read the fragment LimitRow."""
        waits = node["pendingMax"]
        return cls(
            id=node["id"],
            name=node["name"],
            window=node["window"],
            max=read_money(node["max"]),
            used=read_money(node["used"]),
            remaining=read_money(node["remaining"]),
            resets_at=node["resetsAt"],
            ceiling=read_money(node["ceiling"]),
            pending=None if waits is None else read_money(waits),
            pending_from=node["pendingFrom"],
        )


@dataclass(frozen=True, slots=True)
class Allowed:
    """The limits, and what may be paid to each payee that is still new."""

    limits: tuple[LimitRow, ...]
    new_payees: Mapping[str, MoneyValue]

    def at_most(self, payee: str, currency: str) -> MoneyValue:
        """The largest payment to a payee that no limit refuses."""
        found = [one.remaining for one in self.limits]
        if payee in self.new_payees:
            found.append(self.new_payees[payee])
        same = [one for one in found if one.currency == currency]
        return min(same, key=lambda one: one.minor_units)


async def listed(session: Session) -> Allowed:
    """Ask for every limit."""
    seen = await session.call("limits", {})
    payees = {
        node["nickname"]: read_money(node["coolingLimit"])
        for node in seen["beneficiaries"]["nodes"]
        if node["coolingLimit"] is not None
    }
    return Allowed(tuple(LimitRow.read(row) for row in seen["limits"]), payees)


async def choose(
    session: Session,
    window: str,
    most: MoneyValue,
    factor: FactorKind = FactorKind.MPIN,
) -> tuple[LimitRow, str]:
    """Set a limit by step-up; gives it, and from when the choice counts.

    Args:
        session: of the phone that chooses.
        window: PER_TRANSACTION or DAY, in any case.
        most: the new amount.
        factor: what approves it; a raise takes mPIN or biometric key.

    Raises:
        BadEntry: there is no such limit in this currency.
        Refused: LIMIT_EXCEEDED above the ceiling; COOLING_PERIOD for a raise from a
            phone in its waiting time.
    """
    found = await of(session, window, most.currency)
    amount = most.at(found.max.exponent)
    given: JsonObject = {"id": found.id, "max": amount.as_input()}
    answer = await session.step_up("limit_set", "limitSet", given, factor)
    return LimitRow.read(answer["limit"]), answer["effectiveAt"]


async def choose_losing_reply(
    session: Session, found: LimitRow, most: MoneyValue
) -> Unanswered:
    """Set a limit, lose the answer, and wait until the bank has it.

    Raises:
        NotSeen: the limit never changed.
    """
    given: JsonObject = {"id": found.id, "max": most.as_input()}
    await session.approve_call("limit_set", "limitSet", given)
    call = Unanswered("limit_set", {"input": given})
    for _ in range(LOOKS):
        await session.handset.lose_reply(call)
        await asyncio.sleep(PAUSE_S)
        if (await of(session, found.window, most.currency)).max == most:
            return call
    raise NotSeen("the bank never saw a limitSet whose line closed")


async def of(session: Session, window: str, currency: str) -> LimitRow:
    """Ask for one limit.

    Raises:
        BadEntry: there is none.
    """
    for one in (await listed(session)).limits:
        if one.window == window.upper() and one.max.currency == currency:
            return one
    raise BadEntry(f"there is no limit {window!r} in {currency}")
