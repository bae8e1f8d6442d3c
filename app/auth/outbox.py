"""Text messages on their way: written with their cause, sent by the worker.

A code may not stand in the event log, and no network runs inside a transaction; both
number and text are sealed, and the text is erased once it is sent.
"""

import asyncio
from contextlib import suppress
from datetime import datetime

from app.clock import Clock
from app.database import Tx
from app.ids import uuid7
from app.vault import Vault

_LOOK_EVERY_S = 2.0


class Outbox:
    """Takes messages.

    Args:
        clock: the bank's clock.
        vault: seals number and text.
    """

    def __init__(self, *, clock: Clock, vault: Vault) -> None:
        self._clock = clock
        self._vault = vault
        self.wake = asyncio.Event()

    async def wait(self) -> None:
        """Sleep until a message was put, at most two seconds: a retry may be due."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_EVERY_S):
                await self.wake.wait()

    async def put(self, tx: Tx, to: str, text: str, expires_at: datetime) -> None:
        """Keep a message until it is sent or pointless; wakes the sender at commit."""
        message = uuid7()
        await tx.rows(
            "INSERT INTO sms_message (id, to_sealed, text_sealed, expires_at, due_at) "
            "VALUES ($1, $2, $3, $4, $5) RETURNING id",
            message,
            self._vault.seal("sms_message", f"{message}|to", to.encode()),
            self._vault.seal("sms_message", f"{message}|text", text.encode()),
            expires_at,
            self._clock.now(),
        )
        tx.after_commit(self.wake.set)

    async def put_nowhere(self, tx: Tx, text: str) -> None:
        """Do the work of a message that is not sent: an unknown number looks alike."""
        self._vault.seal("sms_message", "nowhere|to", text.encode())
        self._vault.seal("sms_message", "nowhere|text", text.encode())
        await tx.rows("SELECT id FROM sms_message WHERE id = $1", uuid7())
