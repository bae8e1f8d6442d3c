"""Steps of the scenario about further factors and refresh tokens; Asha-1 plays them.

Each works any number of times on one database and leaves the balances as they were.
"""

from mock_mobile_client import passkeys
from mock_mobile_client.api import Api, Credentials
from mock_mobile_client.enums import FactorKind, PaymentStatus
from mock_mobile_client.errors import ProofFailed, expect
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.money import money
from mock_mobile_client.phone import introduce
from mock_mobile_client.proofs_sign_in import refresh_token_of, refusal
from mock_mobile_client.stage import Stage, everyday, moved

LENT = money("5.00 INR")
PASSKEY, FINGER = FactorKind.WEBAUTHN, FactorKind.BIOMETRIC


async def register_passkey(stage: Stage) -> str:
    """A passkey is made on the phone; the mPIN approves that it is added."""
    session = stage.asha.session
    known = await passkeys.held(session)
    passkey = known or await passkeys.register(session)
    state = "registered by step-up" if known is None else "already registered"
    return f"{passkey.label} {state}"


async def set_biometric_key(stage: Stage) -> str:
    """A second key that only a finger opens; the mPIN approves that it is set."""
    fresh = await stage.asha.set_biometric()
    state = "set by step-up" if fresh else "already set"
    return f"key behind {stage.asha.owner.finger} {state}"


async def sign_in_with_passkey(stage: Stage) -> str:
    """No PIN is typed: device key and passkey over one challenge."""
    return f"device key and passkey, {await _sign_in(stage, PASSKEY)}"


async def pay_with_passkey(stage: Stage) -> str:
    """The passkey signs the digest of amount and payee; then Ben pays back."""
    return await _pay_and_back(stage, PASSKEY)


async def use_biometric_key(stage: Stage) -> str:
    """No PIN is typed and no passkey asked: a finger signs in and approves."""
    signed_in = await _sign_in(stage, FINGER)
    return f"{signed_in}; {await _pay_and_back(stage, FINGER)}"


async def _sign_in(stage: Stage, factor: FactorKind) -> str:
    """Sign in anew; an open stream resumes by itself."""
    live = stage.asha_live
    connections = 0 if live is None else live.connections
    tokens = await stage.asha.login(factor)
    if live is not None:
        await live.until(lambda: live.connections > connections, "the stream to resume")
    return f"access until {tokens.expires_at[11:19]} UTC"


async def _pay_and_back(stage: Stage, factor: FactorKind) -> str:
    """One payment approved by this factor, and the same money back."""
    await introduce(stage.asha, stage.ben)
    await introduce(stage.ben, stage.asha)
    before = await everyday(stage.asha)
    paid = await stage.asha.pay(stage.ben.owner.name, LENT, factor)
    expect(f"approved by {factor}", PaymentStatus.SETTLED, paid.status)
    await moved(stage.asha, before, LENT.times(-1))
    back = await stage.ben.pay(stage.asha.owner.name, LENT)
    expect("paid back", PaymentStatus.SETTLED, back.status)
    await moved(stage.asha, before, LENT.times(0))
    return f"{paid.amount.formatted} to {paid.payee_name} and back"


async def refresh_tokens(stage: Stage) -> str:
    """Both tokens change; the session and the person are the same."""
    asha = stage.asha
    access, former = asha.handset.token, refresh_token_of(asha)
    tokens = await asha.session.refresh()
    if access == tokens.access_token or former == tokens.refresh_token:
        raise ProofFailed("tokens after a refresh", "new ones", "the former ones")
    await asha.home()
    return f"new tokens, access until {tokens.expires_at[11:19]} UTC"


async def copy_refresh_token(stage: Stage) -> str:
    """A thief gets nothing without the phone's key, and signs nobody out."""
    asha = stage.asha
    copied = refresh_token_of(asha)
    async with Api(asha.handset.bank) as thief:
        bare = await refusal(thief, copied, Credentials())
        keyed = await refusal(thief, copied, Credentials(DeviceKey.generate()))
    codes = ("DPOP_REQUIRED", "INVALID_CREDENTIAL")
    expect("without a key, with another key", codes, (bare.code, keyed.code))
    token = asha.handset.token
    await asha.home()
    expect("the session of the phone", token, asha.handset.token)
    return "DPOP_REQUIRED, then INVALID_CREDENTIAL; the session lives on"
