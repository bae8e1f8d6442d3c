"""Every way in that a phone has, and what somebody put aside while it still worked."""

import asyncio
from dataclasses import dataclass

import pytest

from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import BadEntry, NotReady, Refused, SocketClosed
from mock_mobile_client.handset import Level
from mock_mobile_client.intents import SignInIntent
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import b64url
from mock_mobile_client.values import ChallengeValue, JsonObject
from mock_mobile_client.wire import Wire

KDF = "v=02;PBKDF2-HMAC-SHA256;i=600000;s=16"
FIRST_PIN = {"pinSecret": b64url(bytes(range(32))), "kdf": KDF}
SHUT = {4401, 4403}
WITHIN_S = 5


@dataclass(frozen=True)
class Kept:
    """What a phone had while it was signed in.

    Attributes:
        token: The access token.
        refresh: The refresh token.
        answers: Right answers to sign-ins that were begun, by factor.
        wire: An open socket.
    """

    token: str
    refresh: str
    answers: dict[FactorKind, JsonObject]
    wire: Wire


async def begun(phone: Phone, factor: FactorKind) -> JsonObject:
    """Begin a sign-in; gives the whole right answer."""
    started = await phone.handset.call("login_start", {"input": {}}, Level.DEVICE)
    asked = ChallengeValue.read(started["challenge"])
    return await phone.session.answer(asked, SignInIntent(), factor=factor)


async def keep(phone: Phone, *factors: FactorKind, door: str | None = None) -> Kept:
    """Put aside all that a signed-in phone can; the socket is at `door`."""
    refresh = phone.handset.state.refresh_token
    assert refresh is not None
    wire = await Wire.open(door or phone.socket_url, phone.init_payload())
    answers = {one: await begun(phone, one) for one in factors}
    return Kept(phone.handset.token, refresh, answers, wire)


async def until_closed(wire: Wire) -> int:
    """Wait until the bank ends a socket; gives the code."""

    async def drained() -> None:
        async for _ in wire.frames():
            continue

    with pytest.raises(SocketClosed) as end:
        await asyncio.wait_for(drained(), WITHIN_S)
    return end.value.code


async def new_ways(phone: Phone, kept: Kept) -> dict[str, str]:
    """Try whatever would give a token; says how each was refused."""
    found = {}
    for factor, answer in kept.answers.items():
        given = {"input": answer}
        found[f"{factor}, begun before"] = await _tried(phone, "login_finish", given)
        found[f"{factor}, begun now"] = await _signed_in(phone, factor)
    shown = {"input": {"refreshToken": kept.refresh}}
    found["refresh token"] = await _tried(phone, "token_refresh", shown)
    first = {"input": FIRST_PIN}
    found["another first factor"] = await _tried(phone, "mpin_set", first)
    found["first passkey"] = await _tried(phone, "passkey_register_start", {})
    return found


async def old_ways(phone: Phone, kept: Kept) -> dict[str, str]:
    """Try the token and a socket with it; says how each was refused."""
    phone.handset.keep(token=kept.token)
    found = {"access token": await _tried(phone, "home", {}, Level.LOGIN)}
    try:
        wire = await Wire.open(phone.socket_url, phone.init_payload())
    except SocketClosed as closed:
        found["socket"] = "shut" if closed.code in SHUT else str(closed.code)
    else:
        await wire.close()
        found["socket"] = "in"
    return found


async def _signed_in(phone: Phone, factor: FactorKind) -> str:
    try:
        await phone.login(factor)
    except Refused as no:
        return no.code
    except (BadEntry, NotReady):
        return "NOT_OFFERED"
    return "in"


async def _tried(
    phone: Phone, operation: str, given: JsonObject, level: Level = Level.DEVICE
) -> str:
    try:
        await phone.handset.call(operation, given, level)
    except Refused as no:
        return no.code
    return "in"
