"""The phones of a customer, as one of them sees and changes them (auth.md §3.8)."""

from mock_mobile_client.enums import DeviceState, FactorKind
from mock_mobile_client.errors import BadEntry
from mock_mobile_client.handset import Handset, Level
from mock_mobile_client.session import Session
from mock_mobile_client.values import DeviceRow, JsonObject, PanicValue


async def listed(session: Session) -> list[DeviceRow]:
    """Every phone of the customer, revoked ones of the last 90 days included."""
    rows = (await session.call("devices", {}))["devices"]
    return [DeviceRow.read(row) for row in rows]


async def find(session: Session, word: str) -> DeviceRow:
    """One phone by its name, any case, or by its id; a living one before a dead one.

    Raises:
        BadEntry: there is none.
    """
    rows = await listed(session)
    named = [one for one in rows if word == one.id or _same(one.name, word)]
    alive = [one for one in named if one.state is not DeviceState.REVOKED]
    if not named:
        known = ", ".join(one.name for one in rows)
        raise BadEntry(f"no phone is called {word!r}; there are {known}")
    return (alive or named)[0]


async def rename(session: Session, device_id: str, name: str) -> DeviceRow:
    """Call a phone otherwise; only the bank's list changes."""
    given = {"input": {"id": device_id, "name": name}}
    return _device(await session.call("device_rename", given))


async def revoke(
    session: Session, device_id: str, factor: FactorKind = FactorKind.MPIN
) -> DeviceRow:
    """End another phone for good, by step-up.

    Raises:
        Refused: COOLING_PERIOD while this phone is young.
    """
    return await _stepped(session, "device_revoke", "deviceRevoke", device_id, factor)


async def lock(
    session: Session, device_id: str, factor: FactorKind = FactorKind.MPIN
) -> DeviceRow:
    """Suspend another phone, by step-up; its keys stay."""
    return await _stepped(session, "device_lock", "deviceLock", device_id, factor)


async def unlock(
    session: Session, device_id: str, factor: FactorKind = FactorKind.MPIN
) -> DeviceRow:
    """End the suspension of another phone, by step-up.

    Raises:
        Refused: COOLING_PERIOD, or NOT_ALLOWED where staff or a panic set it.
    """
    return await _stepped(session, "device_unlock", "deviceUnlock", device_id, factor)


async def revoke_others(
    session: Session, factor: FactorKind = FactorKind.MPIN
) -> list[DeviceRow]:
    """End every other phone for good, by step-up."""
    answer = await session.step_up(
        "devices_revoke_others", "devicesRevokeOthers", None, factor
    )
    return [DeviceRow.read(row) for row in answer["revokedDevices"]]


async def forget(handset: Handset) -> None:
    """Let the bank forget this phone; its keys are erased with the answer."""
    await handset.call("device_forget", {}, Level.DEVICE)
    handset.unbind()


async def panic(handset: Handset) -> PanicValue:
    """Stop everything; needs no sign-in, and only a new enrolment lifts it."""
    answer = await handset.call("panic_lock", {}, Level.DEVICE)
    handset.keep(token=None, token_expires_at=None, refresh_token=None)
    return PanicValue.read(answer)


async def _stepped(
    session: Session, operation: str, field: str, device_id: str, factor: FactorKind
) -> DeviceRow:
    """A change of another phone that the person approves."""
    given: JsonObject = {"id": device_id}
    return _device(await session.step_up(operation, field, given, factor))


def _device(answer: JsonObject) -> DeviceRow:
    return DeviceRow.read(answer["device"])


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
