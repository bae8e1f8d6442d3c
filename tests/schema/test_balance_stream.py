"""The merged stream of balances as a phone sees it."""

from typing import Any, cast

import pytest

from app.accounts.account import shot
from app.ids import CustomerId
from app.realtime import newest
from app.schema.masking import Answer
from tests.realtime.patience import within
from tests.realtime.world import (
    balance_fact,
    record,
)
from tests.schema.follower import ANN, BALANCES, Phone, account_of


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pace, for tests whose story is another."""
    monkeypatch.setattr(newest, "_GAP_S", 0.05)


def versions(answer: Answer) -> tuple[str, str]:
    body = cast("dict[str, Any]", answer.body)["data"]["balanceChanged"]
    return body["account"]["id"], body["balance"]["version"]


@pytest.mark.usefixtures("hurried")
async def test_present_balances_come_first_then_newer_ones(phone: Phone) -> None:
    account = account_of(ANN)
    phone.bank.accounts.all = [account]

    async with phone.follow(BALANCES) as stream:
        first = await within(anext(stream))
        await record(balance_fact(ANN, 3, shot(account)))
        await record(balance_fact(ANN, 4, shot(account)))
        second = await within(anext(stream))

    assert versions(first) == (str(account.id), "3")
    assert versions(second) == (str(account.id), "4")


@pytest.mark.usefixtures("hurried")
async def test_only_the_named_accounts_of_the_caller_are_followed(phone: Phone) -> None:
    ours, other = account_of(ANN), account_of(ANN)
    foreign = account_of(CustomerId.new())
    phone.bank.accounts.all = [ours, other, foreign]
    ids = [str(ours.id), str(foreign.id), "acc_nonsense"]

    async with phone.follow(BALANCES, ids=ids) as stream:
        first = await within(anext(stream))
        await record(
            balance_fact(ANN, 9, shot(other)), balance_fact(ANN, 8, shot(ours))
        )
        second = await within(anext(stream))

    assert versions(first) == (str(ours.id), "3")
    assert versions(second) == (str(ours.id), "8")
