"""The attacks of this folder meet compiled queries, and with `make test` none, too."""

import httpx
import pytest

from mock_mobile_client.phone import Phone
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
BY_CORE = 'sixpence_plan_fallback_total{why="asked"}'


async def test_the_attacked_bank_answers_queries_in_the_chosen_way(
    attacked: BankProcess, asha: Phone, *, plans: bool
) -> None:
    await asha.session.call("home", {})

    async with httpx.AsyncClient() as line:
        told = (await line.get(f"{attacked.url}/metrics")).text

    assert (BY_CORE in told) is not plans
