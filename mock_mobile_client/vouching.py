"""Vouching for a new phone of the same customer: who asks, yes or no (auth.md §3.2)."""

import asyncio
from dataclasses import dataclass
from typing import Self

from mock_mobile_client import documents
from mock_mobile_client.enums import FactorKind
from mock_mobile_client.errors import NotAsIntended, NotSeen, Refused, SocketClosed
from mock_mobile_client.handset import Handset, Level
from mock_mobile_client.intents import VouchIntent
from mock_mobile_client.session import Session
from mock_mobile_client.values import ChallengeValue, JsonObject
from mock_mobile_client.wire import Wire

ONLY = "1"
NONCE = "USE_DPOP_NONCE"


@dataclass(frozen=True, slots=True)
class NewPhone:
    """A phone that asks to be let in, as the bank tells of it."""

    name: str
    platform: str
    model: str | None
    address: str | None
    asked_at: str
    challenge: ChallengeValue

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read one LoginApproval."""
        return cls(
            name=node["deviceName"],
            platform=node["platform"],
            model=node["model"],
            address=node["ip"],
            asked_at=node["requestedAt"],
            challenge=ChallengeValue.read(node["challenge"]),
        )

    @property
    def intent(self) -> VouchIntent:
        """What a person who saw this means by yes."""
        return VouchIntent(self.model, self.platform, self.address)


async def waiting(handset: Handset, for_s: float) -> NewPhone:
    """The phone that waits, or the next that asks; nobody need be signed in.

    Args:
        handset: An older phone; its key alone opens the socket.
        for_s: How long to listen.

    Raises:
        NotSeen: nobody asked in that time.
        Refused: the bank said no.
    """
    wire = await _opened(handset)
    try:
        await wire.subscribe(ONLY, documents.load("login_approval"), {})
        async with asyncio.timeout(for_s):
            async for frame in wire.frames():
                if frame.kind == "next" and isinstance(frame.payload, dict):
                    return NewPhone.read(frame.payload["data"]["loginApproval"])
                raise Refused("FORBIDDEN", f"the operation ended: {frame.kind}")
    except TimeoutError as error:
        raise NotSeen(f"no phone asked within {for_s:.0f} s") from error
    finally:
        await wire.close()
    raise NotSeen("the line ended")


async def _opened(handset: Handset) -> Wire:
    """Open a socket by the key alone; one that slept long learns the nonce first."""
    door, by_id = handset.socket_door, handset.api.by_id
    try:
        return await Wire.open(door, handset.init_payload(Level.DEVICE), by_id=by_id)
    except SocketClosed as closed:
        if closed.reason != NONCE:
            raise
    await handset.call("service_status", {}, Level.ANONYMOUS)
    return await Wire.open(door, handset.init_payload(Level.DEVICE), by_id=by_id)


async def approve(
    session: Session, asked: NewPhone, factor: FactorKind = FactorKind.MPIN
) -> None:
    """Say yes to exactly the phone that was shown.

    Raises:
        NotAsIntended: what is to be signed speaks of another phone.
        Refused: CHALLENGE_EXPIRED when another phone was faster.
    """
    answer = await session.answer(asked.challenge, asked.intent, factor=factor)
    said = await session.call("challenge_respond", {"input": answer})
    if not said["approved"]:
        raise NotAsIntended("it was signed, yet the bank did not take it")


async def refuse(session: Session, asked: NewPhone) -> None:
    """Say no: it asks for neither signature nor factor, and the other phone is out."""
    given = {"challengeId": asked.challenge.id, "approve": False}
    await session.call("challenge_respond", {"input": given})
