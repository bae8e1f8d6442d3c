"""The thief gets nothing from a right bank, and is noticed at a wrong one."""

from pathlib import Path

from mock_mobile_client.thief import Attempt, Thief
from tests.phone.conftest import Fake
from tests.phone.fake_parts import Caller, Device, Node
from tests.phone.test_commands import run


async def robbed(fake: Fake) -> dict[str, Attempt]:
    async with fake.phone("Asha-1") as phone:
        await phone.start()
        await phone.register_passkey()
        thief = Thief(phone)
        try:
            attempts = await thief.rob()
        finally:
            await thief.close()
        await phone.home()
    return {one.title: one for one in attempts}


async def test_a_thief_succeeds_nowhere_and_the_owner_stays_signed_in(
    fake: Fake,
) -> None:
    attempts = await robbed(fake)

    assert len(attempts) == 18
    assert [one.title for one in attempts.values() if one.refusal is None] == []
    replayed = attempts["a recorded request, sent again"]
    assert replayed.refusal == "DPOP_REPLAYED"
    assert fake.bank.customers[0].accounts[0].minor == 4_825_000


async def test_a_thief_is_noticed_at_a_bank_that_takes_any_key(fake: Fake) -> None:
    def anyone(caller: Caller) -> Device:
        del caller
        return next(iter(fake.bank.devices.values()))

    fake.bank.device = anyone  # type: ignore[method-assign]  # a wrong bank

    attempts = await robbed(fake)

    assert attempts["access token under his own key"].refusal is None


async def test_a_thief_is_noticed_at_a_bank_that_takes_any_pin(fake: Fake) -> None:
    finish = fake.bank.loginFinish

    def anything(caller: Caller, given: Node) -> Node:
        known = {"tokens": dict.fromkeys(("accessToken", "refreshToken"), "t")}
        return known if caller.jkt not in fake.bank.devices else finish(caller, given)

    fake.bank.loginFinish = anything  # type: ignore[method-assign]  # a wrong bank

    attempts = await robbed(fake)

    assert attempts["copied mPIN blob, right PIN, his own key"].refusal is None


async def test_a_decoy_that_names_a_passkey_of_nobody_stops_no_thief(
    fake: Fake,
) -> None:
    start = fake.bank.loginStart
    nobodys = {"type": "public-key", "id": "bm9ib2R5"}

    def decoy(caller: Caller, _: Node) -> Node:
        answer = start(caller, _)
        if caller.jkt not in fake.bank.devices:
            options = {"rpId": "localhost", "allowCredentials": [nobodys]}
            answer["challenge"]["webauthnOptions"] = options
        return answer

    fake.bank.loginStart = decoy  # type: ignore[method-assign]  # as a bank hides

    attempts = await robbed(fake)

    assert attempts["copied passkey, his own key"].refusal == "INVALID_CREDENTIAL"


async def test_the_command_prints_each_refusal_and_the_sum(
    fake: Fake, tmp_path: Path
) -> None:
    await run(fake, tmp_path, "enrol", "asha")

    ran = await run(fake, tmp_path, "thief")

    lines = ran.output.splitlines()
    assert ran.exit_code == 0, ran.output
    assert lines[-1] == "17 tried, 0 succeeded"
    assert all(line.startswith("✓") for line in lines[:-1])
