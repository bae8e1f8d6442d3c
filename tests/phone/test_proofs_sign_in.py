"""Proof 5 holds against a right bank and fails against three wrong ones."""

import pytest

from mock_mobile_client.errors import PhoneError, ProofFailed
from mock_mobile_client.handset import Setting
from mock_mobile_client.proofs_sign_in import proof_05
from tests.phone.conftest import ROUNDS, Fake
from tests.phone.fake_live import FakePush
from tests.phone.fake_parts import Caller, Fault, Node

QUICK = Setting(iterations=ROUNDS)


async def test_proof_five_holds_and_the_phone_is_signed_in_after_it(fake: Fake) -> None:
    told: list[str] = []

    await proof_05(fake.url, fake.url, QUICK, told.append)

    assert [line[:3] for line in told] == ["(a)", "(b)", "(c)", "(d)"]
    assert "told and pushed once" in told[1]
    assert "240 s later" in told[2]
    assert fake.bank.offset_s == 240


async def test_without_a_movable_clock_proof_five_says_so(fake: Fake) -> None:
    told: list[str] = []
    fake.bank.movable = False

    await proof_05(fake.url, fake.url, QUICK, told.append)

    assert "(c) 240 s later: needs a movable clock: skipped, partly" in told


async def test_a_bank_without_pushes_passes_partly(fake: Fake) -> None:
    told: list[str] = []

    def none(caller: Caller, given: Node) -> Node:
        raise Fault("NOT_SUPPORTED", 400)

    fake.bank.devicePushSet = none  # type: ignore[method-assign]  # a bank without them

    await proof_05(fake.url, fake.url, QUICK, told.append)

    assert told[0].startswith("push to all devices: NOT_SUPPORTED")
    assert "told once" in told[2]


async def test_proof_five_finds_a_bank_that_pushes_twice(fake: Fake) -> None:
    send = fake.bank.send

    def twice(installation: str, push: FakePush) -> None:
        send(installation, push)
        send(installation, FakePush(push.device, push.category))

    fake.bank.send = twice  # type: ignore[method-assign]  # a wrong bank

    with pytest.raises(ProofFailed, match="notifications on"):
        await proof_05(fake.url, fake.url, QUICK)


async def test_without_a_sandbox_clock_the_phones_still_need_their_sms(
    fake: Fake,
) -> None:
    with pytest.raises(PhoneError, match="inbox"):
        await proof_05(fake.url, "http://127.0.0.1:1", QUICK)


async def test_proof_five_finds_a_bank_that_signs_out_for_a_copy(fake: Fake) -> None:
    refresh = fake.bank.tokenRefresh

    def frightened(caller: Caller, given: Node) -> Node:
        if caller.jkt not in fake.bank.devices:
            session = fake.bank.sessions[given["refreshToken"].split(".")[1]]
            fake.bank.alert(session, "session.foreign_key")
            fake.bank.end(session.device, 4401)
            return refresh(caller, {"refreshToken": "rt1.none.0.mac"})
        return refresh(caller, given)

    fake.bank.tokenRefresh = frightened  # type: ignore[method-assign]  # a wrong bank

    with pytest.raises(ProofFailed):
        await proof_05(fake.url, fake.url, QUICK)


async def test_proof_five_finds_a_bank_that_tells_every_try(fake: Fake) -> None:
    refresh = fake.bank.tokenRefresh

    def noisy(caller: Caller, given: Node) -> Node:
        answer = refresh(caller, given)
        for session in fake.bank.sessions.values():
            session.alerted = False
        return answer

    fake.bank.tokenRefresh = noisy  # type: ignore[method-assign]  # a wrong bank

    with pytest.raises(ProofFailed, match="alerts"):
        await proof_05(fake.url, fake.url, QUICK)


async def test_proof_five_finds_a_bank_that_takes_any_key(fake: Fake) -> None:
    refresh = fake.bank.tokenRefresh

    def careless(caller: Caller, given: Node) -> Node:
        session = fake.bank.sessions[given["refreshToken"].split(".")[1]]
        (jkt,) = (k for k, d in fake.bank.devices.items() if d is session.device)
        return refresh(Caller(jkt), given)

    fake.bank.tokenRefresh = careless  # type: ignore[method-assign]  # a wrong bank

    with pytest.raises(ProofFailed, match="must not pass"):
        await proof_05(fake.url, fake.url, QUICK)


async def test_proof_five_finds_a_bank_that_forgets_the_successor(fake: Fake) -> None:
    refresh = fake.bank.tokenRefresh

    def forgetful(caller: Caller, given: Node) -> Node:
        parts = given["refreshToken"].split(".")
        session = fake.bank.sessions[parts[1]]
        if int(parts[2]) == session.generation - 1:
            session.generation += 1
            parts[2] = str(session.generation)
        return refresh(caller, {"refreshToken": ".".join(parts)})

    fake.bank.tokenRefresh = forgetful  # type: ignore[method-assign]  # a wrong bank

    with pytest.raises(ProofFailed, match="successor"):
        await proof_05(fake.url, fake.url, QUICK)
