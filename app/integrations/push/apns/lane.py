"""The one connection to an environment of APNs, and a message as it travels there.

HTTP/2 where the address is https. On this machine, without TLS, HTTP/1.1 does: the
sandbox's server speaks no more. The library replaces a connection that said GOAWAY with
the next message.
"""

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from app.integrations.push import PushMessage, Sent
from app.integrations.push.apns import answers
from app.integrations.push.apns.answers import Verdict

if TYPE_CHECKING:
    import httpx

PRODUCTION, DEVELOPMENT = "PRODUCTION", "DEVELOPMENT"
STREAMS_MAX = 100
PLAIN_CONNECTIONS_MAX = 20
CONNECT_S = 5.0
IDLE_S = 240.0  # below what firewalls keep a silent connection
COLLAPSE_ID_BYTES_MAX = 64
_OK = 200


@dataclass(slots=True)
class _Line:
    """An open connection, with those who use it; the last to leave closes it."""

    client: "httpx.AsyncClient"
    users: int = 0
    retired: bool = False

    async def leave(self) -> None:
        self.users -= 1
        await self.close_if_idle()

    async def close_if_idle(self) -> None:
        if self.retired and self.users == 0:
            await self.client.aclose()


class Lane:
    """One environment.

    Args:
        place: base URL without the version.
        trust: whose certificates count; the usual ones if None.
    """

    def __init__(self, place: str, trust: ssl.SSLContext | None) -> None:
        self._place = place
        self._trust = trust
        self._line: _Line | None = None
        self._opening = asyncio.Lock()
        self._secure = place.startswith("https:")
        self.streams = asyncio.Semaphore(
            STREAMS_MAX if self._secure else PLAIN_CONNECTIONS_MAX
        )

    async def send(self, message: PushMessage, headers: dict[str, str]) -> Verdict:
        """Send one message once and judge the answer; never raises for its failure."""
        line = await self._taken()
        try:
            return await self._asked(line.client, message, headers)
        finally:
            await line.leave()

    async def retire(self) -> None:
        """Use the connection no more; who is under way ends there."""
        line, self._line = self._line, None
        if line is not None:
            line.retired = True
            await line.close_if_idle()

    async def _asked(
        self, client: "httpx.AsyncClient", message: PushMessage, headers: dict[str, str]
    ) -> Verdict:
        import httpx  # noqa: PLC0415  -- is loaded

        address = quote(message.address, safe="")
        url = f"{self._place}/3/device/{address}"
        try:
            answer = await client.post(url, headers=headers, content=_payload(message))
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return answers.silence("connect", sent=False)
        except httpx.PoolTimeout:  # our own lane is full: no word of Apple's
            return Verdict(answers.silence("lane", sent=False).outcome, fine=None)
        except Exception as failure:  # noqa: BLE001  -- whatever the library lets out
            return answers.silence(type(failure).__name__, sent=True)
        if answer.status_code == _OK:
            return Verdict(Sent(answer.headers.get("apns-id", message.id)), fine=True)
        return answers.read(answer.status_code, answer.headers, answer.content)

    async def _taken(self) -> _Line:
        async with self._opening:
            if self._line is None:
                self._line = _Line(await asyncio.to_thread(self._made))
            self._line.users += 1
            return self._line

    def _made(self) -> "httpx.AsyncClient":
        """Make the client; the first time it takes a while, so run it in a thread."""
        import httpx  # noqa: PLC0415  -- not before the first message

        secure = self._secure
        connections = 1 if secure else PLAIN_CONNECTIONS_MAX
        return httpx.AsyncClient(
            http1=not secure,
            http2=True,
            verify=self._trust or ssl.create_default_context() if secure else False,
            trust_env=False,  # the environment is read by settings.py alone
            limits=httpx.Limits(max_connections=connections, keepalive_expiry=IDLE_S),
            # A silence on one stream is no failure of the others: the sender's deadline
            # ends it, not the library, which would end the connection.
            timeout=httpx.Timeout(None, connect=CONNECT_S, pool=CONNECT_S),
        )


def headers_of(message: PushMessage, topic: str, expires_at: int) -> dict[str, str]:
    """Give what stands around a message.

    Args:
        message: whose id, urgency and thread it has.
        topic: bundle id where the message names none.
        expires_at: Unix time after which the phone need not be told.
    """
    found = {
        "apns-id": message.id,
        "apns-topic": message.app_id or topic,
        "apns-push-type": "alert",
        "apns-priority": "10" if message.high else "5",
        "apns-expiration": str(expires_at),
        "content-type": "application/json",
    }
    if len(message.thread.encode()) <= COLLAPSE_ID_BYTES_MAX:
        found["apns-collapse-id"] = message.thread
    return found


def _payload(message: PushMessage) -> bytes:
    """Write an alert of keys that the phone looks up, and the bare data."""
    alert = {"title-loc-key": message.title_key, "loc-key": message.body_key}
    whole = {"aps": {"alert": alert, "mutable-content": 1}, **message.data}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()
