"""How far the phone has shown its stream, told to the bank once a second.

While a phone is awake and says so, the bank need not wake it by push (realtime.md §11).
"""

import asyncio

from mock_mobile_client import documents
from mock_mobile_client.api import Reply, unpack
from mock_mobile_client.errors import Refused
from mock_mobile_client.wire import Frame, Wire

PAUSE_S = 1.0
PREFIX = "ack-"


class Acks:
    """One stream's acknowledgements; they go over its socket.

    A bank that refuses one is asked again with the next event: nothing is lost but a
    push that need not have come.

    Attributes:
        acknowledged: Newest cursor the bank took note of.
        sent: How often it was told.
        refused: What the bank said against it last.
    """

    def __init__(self, pause_s: float = PAUSE_S) -> None:
        self.acknowledged: str | None = None
        self.sent = 0
        self.refused: Refused | None = None
        self._pause_s = pause_s
        self._newest: str | None = None
        self._owed = asyncio.Event()

    def owe(self, cursor: str) -> None:
        """Everything up to this cursor is shown now."""
        self._newest = cursor
        self._owed.set()

    async def run(self, wire: Wire) -> None:
        """Tell the newest cursor, at most once a second, until cancelled.

        Raises:
            SocketClosed: the line is gone; what is owed is told on the next one.
        """
        if self._newest != self.acknowledged:
            self._owed.set()
        document = documents.load("events_ack")
        while True:
            await self._owed.wait()
            await asyncio.sleep(self._pause_s)
            self._owed.clear()
            self.sent += 1
            told = {"input": {"upTo": self._newest}}
            await wire.subscribe(f"{PREFIX}{self.sent}", document, told)

    def take(self, frame: Frame) -> bool:
        """Read the answer to one of them; False when the frame is none."""
        if not frame.operation.startswith(PREFIX):
            return False
        if frame.kind != "complete":
            try:
                answer = unpack(_reply(frame), "eventsAck")
                self.acknowledged = answer.get("acknowledged") or self.acknowledged
            except Refused as refused:
                self.refused = refused
        return True


def _reply(frame: Frame) -> Reply:
    """The frame as the answer of a call."""
    payload = frame.payload
    if isinstance(payload, list):
        return Reply(None, tuple(payload), None)
    body = payload or {}
    return Reply(body.get("data"), tuple(body.get("errors") or ()), None)
