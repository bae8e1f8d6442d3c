"""Calls of a partner to the bank: signed, at their time, and again until taken."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from sandbox import key_files
from sandbox.clock import WorldClock

LOOK_S = 0.05
TRIES = 6  # then the bank has to ask
AGAIN_AFTER_S = (0.2, 1, 2, 5, 15)
_ANSWER_S = 5.0
_KEY_BYTES = 32
_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Call:
    """One event to be told: its id, its body, when, and how often that was tried."""

    id: str
    body: Mapping[str, object]
    at: datetime
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Listener:
    """Where the bank listens, None for nowhere, and the key shared with it."""

    url: str | None = None
    key: bytes = field(default=b"", repr=False)


class Caller:
    """Tells the bank what happened, in the form of Standard Webhooks.

    Args:
        clock: the world's; a call goes out when its time has come there.
        listener: who is called.
    """

    def __init__(self, clock: WorldClock, listener: Listener) -> None:
        self._clock = clock
        self._url = listener.url
        self._key = listener.key
        self._due: list[Call] = []
        self._client = httpx.AsyncClient(timeout=_ANSWER_S, trust_env=False)

    def plan(self, call: Call) -> None:
        """Call at the time of the call."""
        if self._url is not None:
            self._due.append(call)

    @asynccontextmanager
    async def calling(self, _app: object) -> AsyncIterator[None]:
        """Make the calls that are due, as long as the world is open."""
        async with self._client, asyncio.TaskGroup() as group:
            task = group.create_task(self._run())
            try:
                yield
            finally:
                task.cancel()

    async def _run(self) -> None:
        while True:
            now = self._clock.now()
            due = [call for call in self._due if call.at <= now]
            for call in due:  # in the order in which they were planned
                self._due.remove(call)
                await self.make(call)
            await asyncio.sleep(LOOK_S)

    async def make(self, call: Call) -> None:
        """Call now; what is not taken is planned again, a few times."""
        if self._url is None:
            return
        body = json.dumps(call.body).encode()
        stamp = str(int(self._clock.now().timestamp()))
        headers = {
            "content-type": "application/json",
            "webhook-id": call.id,
            "webhook-timestamp": stamp,
            "webhook-signature": signature(self._key, call.id, stamp, body),
        }
        try:
            answer = await self._client.post(self._url, content=body, headers=headers)
            taken = answer.is_success
        except httpx.HTTPError:
            taken = False
        if not taken and call.tries + 1 < TRIES:
            later = timedelta(seconds=AGAIN_AFTER_S[call.tries])
            self.plan(replace(call, at=self._clock.now() + later, tries=call.tries + 1))


def signature(key: bytes, event: str, stamp: str, body: bytes) -> str:
    """Sign one call: version 1, HMAC-SHA256 over id.timestamp.body, base64."""
    signed = f"{event}.{stamp}.".encode() + body
    mac = hmac.digest(key, signed, hashlib.sha256)
    return "v1," + base64.b64encode(mac).decode()


def shared_key(file: Path) -> bytes:
    """Read the key shared with the bank; a missing file is made, mode 0600."""
    if not file.exists():
        text = _PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
        key_files.write_once(file, text + "\n")
    first = file.read_text().split()[0]
    return base64.b64decode(first.removeprefix(_PREFIX))
