"""The vendors whom every test bank trusts, and phones they made."""

from typing import Any

from app.auth.attestation import AndroidChain, AppAttestation
from app.auth.attestation.roots import Roots
from app.written import AndroidApp
from tests.auth.attestation.apple_maker import TEAM_APP, Vendor, sha256
from tests.auth.attestation.apple_maker import Phone as IPhone
from tests.auth.attestation.foundry import DIGEST, PACKAGE, KeyStore, der, description
from tests.auth.room import Phone, b64u

GOOGLE = KeyStore()
APPLE = Vendor()
ROOTS = Roots(android=(GOOGLE.root.certificate(),), apple=(APPLE.root.certificate(),))
OUR_APPS: dict[str, Any] = {
    "android_apps": (AndroidApp(PACKAGE, DIGEST),),
    "ios_apps": (TEAM_APP,),
}


def android_chain(phone: Phone, nonce: bytes, **changed: Any) -> AndroidChain:
    """Attest a phone's device key for a binding."""
    challenge = sha256(b"sixpence/attest/v1\x00" + nonce)
    stated = description(challenge, **changed)
    chain = GOOGLE.chain(phone.key.public_key(), stated, with_root=False)
    return AndroidChain(tuple(b64u(one) for one in der(chain)))


def app_attestation(
    phone: Phone, nonce: bytes, **wrong: Any
) -> tuple[AppAttestation, IPhone]:
    """Vouch for a phone's device key with an App Attest key of its own."""
    iphone = IPhone(vendor=APPLE)
    bound = b"sixpence/bind/v1\x00" + nonce + phone.jkt.encode()
    made = iphone.attest(sha256(bound), **wrong)
    return AppAttestation(iphone.key_id, b64u(made)), iphone
