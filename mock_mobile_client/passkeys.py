"""A passkey of the person on one phone: registered once, then used (auth.md §4)."""

from mock_mobile_client.authenticator import origin_of
from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import NotReady
from mock_mobile_client.factors import authenticator_of
from mock_mobile_client.handset import Handset
from mock_mobile_client.session import Session
from mock_mobile_client.values import JsonObject, PasskeyValue


async def listed(session: Session) -> list[PasskeyValue]:
    """The passkeys the bank knows of the customer."""
    rows = (await session.call("passkeys", {}))["passkeys"]
    return [PasskeyValue.read(row) for row in rows]


async def held(session: Session) -> PasskeyValue | None:
    """The passkey of this phone that the bank knows, too."""
    here = {one.passkey_id for one in session.handset.state.passkeys}
    return next((one for one in await listed(session) if one.id in here), None)


async def register(
    session: Session,
    label: str | None = None,
    factor: FactorKind = FactorKind.MPIN,
    *,
    synced: bool = True,
) -> PasskeyValue:
    """Make a passkey on this phone and give its public key to the bank.

    Args:
        session: Who is signed in.
        label: What the customer calls it; the phone's name if None.
        factor: What approves it, where a factor exists already.
        synced: The person's provider may copy it to other phones.

    Raises:
        PasskeyRefused: InvalidStateError when this phone has one of the bank already;
            SecurityError when the bank's rpId is not its own host.
        Refused: COOLING_PERIOD, PASSKEY_REJECTED, CHALLENGE_EXPIRED.
    """
    handset = session.handset
    started = await session.step_up(
        "passkey_register_start", "passkeyRegisterStart", None, factor
    )
    options = started["options"]
    credential = authenticator_of(handset).create(
        options, origin_of(handset.bank), synced=synced
    )
    given: JsonObject = {
        "registrationId": started["registrationId"],
        "credential": credential,
        "label": label or handset.name,
    }
    finished = await handset.call_surely("passkey_register_finish", {"input": given})
    passkey = PasskeyValue.read(finished["passkey"])
    authenticator_of(handset).note(credential["id"], passkey.id)
    return passkey


async def remove(
    session: Session, passkey_id: str, factor: FactorKind = FactorKind.MPIN
) -> None:
    """Take a passkey back at the bank, by step-up; what a phone holds of it is dead.

    Raises:
        Refused: COOLING_PERIOD while this phone is young; NOT_ALLOWED when a phone
            would be left without a factor.
    """
    given: JsonObject = {"id": passkey_id}
    await session.step_up("passkey_remove", "passkeyRemove", given, factor)


def sync(source: Handset, target: Handset) -> int:
    """Copy the passkeys that may be synced to another phone of the same person.

    Answers how many the other phone received.

    Raises:
        NotReady: the phone holds none that may be copied.
    """
    given = authenticator_of(source).give()
    if not given:
        raise NotReady(f"{source.name} holds no passkey that may be synced")
    return authenticator_of(target).take(given)
