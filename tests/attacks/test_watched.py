"""Somebody watched the screen-lock code and took the phone: the passkey opens for him.

He does not know the mPIN. With the passkey he can choose one of his own; it is young,
and counts no more than the passkey that bought it.
"""

import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mock_mobile_client import devices
from mock_mobile_client.enums import FactorKind, PaymentStatus
from mock_mobile_client.errors import Refused
from mock_mobile_client.handset import Level
from mock_mobile_client.intents import StepUpIntent
from mock_mobile_client.money import money
from mock_mobile_client.phone import Phone
from mock_mobile_client.pin import ITERATIONS_MIN, PinBlob
from mock_mobile_client.signing import b64url, sha256
from mock_mobile_client.values import ChallengeValue, JsonObject
from tests.attacks.aged import Aged
from tests.attacks.second_web import a_second_web

pytestmark = pytest.mark.slow

HIS_PIN = "864209"
SENSITIVE = (
    *("devicesRevokeOthers", "passkeyRegisterStart", "totpEnrolStart"),
    "mpinRemove",
)


# Rules that find every payment risky: what then stops him is tried here; that ours
# find a drained account risky, in tests/payments/test_screening.py.
STRICT = """
actions = { step_up = 200, hold = 300 }
units = { INR = 100 }
[[rules]]
name = "any"
feature = "device_age"
edges = [1]
weights = [200, 200]
reason = "any_phone"
"""


@pytest.fixture
def strict_door(aged: Aged, tmp_path: Path) -> Iterator[str]:
    """Give a door of that bank behind which every payment is risky."""
    rules = tmp_path / "strict.toml"
    rules.write_text(STRICT)
    more = {"FRAUD_RULES_FILE": str(rules), "LIMIT_FACTOR": "1000"}
    with a_second_web(aged.bank, **more) as door:
        yield door


@pytest.fixture
async def taken(aged: Aged) -> AsyncIterator[Phone]:
    """Give an old phone with mPIN and passkey whose screen lock is known to a thief."""
    async with aged.phone("asha-5") as phone, aged.phone("asha") as other:
        await other.start()
        await phone.bind_anew()
        await phone.set_mpin()
        await phone.login()
        await phone.register_passkey()
        await aged.grow_up(phone, other)
        await phone.login(FactorKind.WEBAUTHN)
        yield phone
        await devices.forget(phone.handset)


async def asked(phone: Phone, field: str) -> tuple[str, ChallengeValue | None]:
    """Ask for a change that has no input; gives refusal and challenge."""
    more = "... on StepUpRequiredError { challenge { id purpose state nonce payload "
    more += "bindingHash action allowed attemptsLeft expiresAt webauthnOptions } }"
    text = f"mutation {{ {field} {{ userErrors {{ code {more} }} }} }}"
    answer = await phone.ask(text, {}, Level.LOGIN)
    assert answer.data is not None, answer
    (error,) = answer.data[field]["userErrors"]
    found = error.get("challenge")
    return error["code"], ChallengeValue.read(found) if found else None


async def his_own_pin(phone: Phone) -> None:
    """Set another mPIN, approved with the passkey alone."""
    handset = phone.handset
    hardware, salt = secrets.token_bytes(32), secrets.token_bytes(16)
    secret = secrets.token_bytes(32)
    blob = PinBlob.seal(HIS_PIN, secret, salt, ITERATIONS_MIN, hardware)
    text = b64url(secret)
    given: JsonObject = {"pinSecret": text, "kdf": blob.kdf}
    shown = given | {"pinSecret": {"sha256": b64url(sha256(text.encode()))}}
    with pytest.raises(Refused) as no:
        await handset.call("mpin_set", {"input": given})
    wanted = no.value.facts["challenge"]
    assert isinstance(wanted, dict)
    signed = await phone.session.answer(
        ChallengeValue.read(wanted),
        StepUpIntent("mpinSet", shown),
        factor=FactorKind.WEBAUTHN,
    )
    await handset.call("challenge_respond", {"input": signed})
    await handset.call("mpin_set", {"input": given})
    handset.keep(blob=b64url(blob.packed()), hardware_key=b64url(hardware))
    phone.session.pin = HIS_PIN


@pytest.mark.attack("watched screen-lock code")
async def test_a_passkey_buys_a_pin_and_the_pin_buys_nothing_for_a_day(
    aged: Aged, taken: Phone
) -> None:
    # The owner's own mPIN is asked for; the passkey may not answer.
    code, challenge = await asked(taken, "devicesRevokeOthers")
    assert challenge is not None
    assert (code, challenge.allowed) == ("STEP_UP_REQUIRED", (FactorKind.MPIN,))

    await his_own_pin(taken)
    intent = StepUpIntent("devicesRevokeOthers", {})
    early = await taken.session.answer(challenge, intent)
    with pytest.raises(Refused) as no:
        await taken.handset.call("challenge_respond", {"input": early})
    with_passkey = [(await asked(taken, one))[0] for one in SENSITIVE]
    await taken.login()
    with_his_pin = [(await asked(taken, one))[0] for one in SENSITIVE]

    assert no.value.code == "CHALLENGE_EXPIRED"
    assert with_passkey == with_his_pin == ["COOLING_PERIOD"] * len(SENSITIVE)
    await aged.grow_up(taken)
    code, challenge = await asked(taken, "devicesRevokeOthers")
    assert challenge is not None
    assert (code, challenge.allowed) == ("STEP_UP_REQUIRED", (FactorKind.MPIN,))


@pytest.mark.attack("watched screen-lock code")
async def test_a_risky_payment_waits_until_his_pin_is_a_day_old(
    aged: Aged, taken: Phone, strict_door: str
) -> None:
    async with aged.phone("asha-5", door=strict_door) as phone:
        await phone.login(FactorKind.WEBAUTHN)
        before = [one.balance for one in (await phone.home()).accounts]
        order = await phone.order("Savings", money("1.00 INR"))
        asked = await phone.payments.create(order)
        assert asked.challenge is not None
        assert asked.challenge.allowed == (FactorKind.MPIN,)

        await his_own_pin(phone)
        with pytest.raises(Refused) as answered:
            await phone.payments.approve(order, asked)
        with pytest.raises(Refused) as renewed:
            await phone.payments.renewed(asked)
        second = await phone.order("Savings", money("2.00 INR"))
        held = await phone.payments.create(second)
        released = aged.bank.command(
            *("app", "review", "release", held.id),
            *("--by", "desk", "--reason", "a caller with a good voice"),
        )
        with pytest.raises(Refused) as after:
            await phone.payments.approval(second, await phone.payments.by_id(held.id))

        assert answered.value.code == "CHALLENGE_EXPIRED"
        assert renewed.value.code == "COOLING_PERIOD"
        assert (held.status, held.challenge) == (PaymentStatus.HELD_FOR_REVIEW, None)
        assert released.returncode == 0, released.stderr
        assert after.value.code == "COOLING_PERIOD"
        assert [one.balance for one in (await phone.home()).accounts] == before
        await aged.grow_up(phone)
        ripe = await phone.payments.create(await phone.order("Savings", order.amount))
        assert ripe.challenge is not None
        assert ripe.challenge.allowed == (FactorKind.MPIN,)
        await phone.payments.refuse(ripe)
