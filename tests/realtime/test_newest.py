"""The merged stream of balances: snapshot first, newest wins, at most two a second."""

import asyncio
from collections.abc import Iterable
from contextlib import aclosing

import pytest

from app.clock import Clock, StoppedClock
from app.ids import CustomerId
from app.realtime import newest
from app.realtime.facts import BalanceChanged
from app.realtime.newest import newest_balances
from app.realtime.shots import AccountShot
from app.settings import Settings
from tests.realtime.world import (
    account_shot,
    balance_fact,
    next_of,
    record,
    running_hub,
)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pace, for tests whose story is another."""
    monkeypatch.setattr(newest, "_GAP_S", 0.05)


class Core:
    """Answers the present balances, as often as it is asked."""

    def __init__(self, *facts: BalanceChanged) -> None:
        self.facts = facts

    async def present(self) -> Iterable[BalanceChanged]:
        return self.facts


def versions(facts: Iterable[BalanceChanged]) -> list[int]:
    return [fact.balance.version for fact in facts]


@pytest.mark.usefixtures("hurried")
async def test_the_snapshot_comes_first_and_only_newer_versions_follow(
    bank_database: Settings, clock: StoppedClock
) -> None:
    customer, account = CustomerId.new(), account_shot()
    core = Core(balance_fact(customer, 5, account))

    async with running_hub(bank_database, clock) as hub:
        stream = newest_balances(hub, Clock(), customer, core.present)
        async with aclosing(stream):
            first = await next_of(stream)
            await record(balance_fact(customer, 4, account))
            await record(balance_fact(customer, 5, account))
            await record(balance_fact(customer, 6, account))
            second = await next_of(stream)

    assert versions([first, second]) == [5, 6]


async def test_a_burst_is_merged_into_its_newest_and_paced(
    bank_database: Settings, clock: StoppedClock
) -> None:
    customer, account = CustomerId.new(), account_shot()
    core = Core(balance_fact(customer, 1, account))
    seen: list[BalanceChanged] = []
    loop = asyncio.get_running_loop()

    async with running_hub(bank_database, clock) as hub:
        stream = newest_balances(hub, Clock(), customer, core.present)
        async with aclosing(stream):
            began = loop.time()
            seen.append(await next_of(stream))
            for version in range(2, 21):
                await record(balance_fact(customer, version, account))
            while seen[-1].balance.version < 20:
                seen.append(await next_of(stream))
            took_s = loop.time() - began

    assert versions(seen) == sorted(set(versions(seen)))
    assert len(seen) - 1 <= took_s / 0.5


@pytest.mark.usefixtures("hurried")
async def test_accounts_outside_the_snapshot_and_other_facts_stay_silent(
    bank_database: Settings, clock: StoppedClock
) -> None:
    customer, ours = CustomerId.new(), account_shot()
    core = Core(balance_fact(customer, 1, ours))

    async with running_hub(bank_database, clock) as hub:
        stream = newest_balances(hub, Clock(), customer, core.present)
        async with aclosing(stream):
            await next_of(stream)
            await record(balance_fact(customer, 9, account_shot()))
            await record(balance_fact(customer, 2, ours))
            second = await next_of(stream)

    assert second.account == ours


@pytest.mark.usefixtures("hurried")
async def test_a_change_between_registration_and_snapshot_is_not_lost(
    bank_database: Settings, clock: StoppedClock
) -> None:
    customer, account = CustomerId.new(), account_shot()

    async def present() -> Iterable[BalanceChanged]:
        old = balance_fact(customer, 1, account)
        await record(balance_fact(customer, 2, account))
        return [old]

    async with running_hub(bank_database, clock) as hub:
        stream = newest_balances(hub, Clock(), customer, present)
        async with aclosing(stream):
            seen = [await next_of(stream), await next_of(stream)]

    assert versions(seen) == [1, 2]


@pytest.mark.slow
@pytest.mark.usefixtures("hurried")
async def test_a_reader_who_fell_a_thousand_behind_gets_the_snapshot_again(
    bank_database: Settings, clock: StoppedClock
) -> None:
    customer, account = CustomerId.new(), account_shot()
    other: AccountShot = account_shot()
    core = Core(balance_fact(customer, 1, account))

    async with running_hub(bank_database, clock) as hub:
        stream = newest_balances(hub, Clock(), customer, core.present)
        async with aclosing(stream):
            await next_of(stream)
            for _ in range(3):
                await record(*(balance_fact(customer, 1, other) for _ in range(340)))
            core.facts = (balance_fact(customer, 7, account),)
            await asyncio.sleep(0.1)
            again = await next_of(stream)

        assert hub.readers == 0

    assert versions([again]) == [7]
