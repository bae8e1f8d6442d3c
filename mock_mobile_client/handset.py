"""The bare phone: its stored state, its key, and its line to the bank."""

import dataclasses
import time
from collections.abc import Callable
from enum import Enum
from typing import Any

from mock_mobile_client import documents
from mock_mobile_client.api import Api, Credentials
from mock_mobile_client.dpop import Covered
from mock_mobile_client.errors import NotReady, Unreachable
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.pin import ITERATIONS
from mock_mobile_client.store import MemoryStore, PhoneState, Store, Unanswered
from mock_mobile_client.values import JsonObject


class Level(Enum):
    """How much of itself the phone shows with a call (graphql.md §4)."""

    ANONYMOUS = "nothing"
    DEVICE = "a proof of the key"
    LOGIN = "the access token and a proof"


@dataclasses.dataclass(frozen=True, slots=True)
class Setting:
    """What may differ between phones, apart from the person.

    Attributes:
        store: Where the phone lies while its program is not running.
        iterations: PBKDF2 rounds of a new mPIN blob, at least 100,000.
        clock: The phone's own clock, seconds since 1970; may be wrong.
        door: Where packets go when that is not the public address, which every proof
            names all the same: one web process behind a balancer.
        by_id: Send ids of operations, not texts; the bank must have the app's list.
    """

    store: Store = dataclasses.field(default_factory=MemoryStore)
    iterations: int = ITERATIONS
    clock: Callable[[], float] = time.time
    door: str | None = None
    by_id: bool = False


class Handset:
    """One phone at one bank. Owns its HTTP connections; close it."""

    def __init__(self, name: str, url: str, setting: Setting) -> None:
        self.name = name
        self.bank = url.rstrip("/")
        self.setting = setting
        self.state: PhoneState = setting.store.load(self.bank, name)
        self.api = Api(self.bank, setting.clock, setting.door, by_id=setting.by_id)

    async def close(self) -> None:
        """Give the connections back; the state stays in the store."""
        await self.api.close()

    def keep(self, **changes: Any) -> None:  # noqa: ANN401  -- fields of PhoneState
        """Change the state and store it at once."""
        self.state = dataclasses.replace(self.state, **changes)
        self.setting.store.save(self.bank, self.name, self.state)

    def unbind(self) -> None:
        """Erase what belongs to the binding; passkeys and fingers are the person's."""
        self.keep(
            key_pem=None,
            device_id=None,
            blob=None,
            blob_next=None,
            hardware_key=None,
            bio_pem=None,
            token=None,
            token_expires_at=None,
            refresh_token=None,
            cursor=None,
            shown={},
            unanswered=(),
        )

    @property
    def key(self) -> DeviceKey:
        """The device key.

        Raises:
            NotReady: the phone was never enrolled.
        """
        if self.state.key_pem is None:
            raise NotReady(f"{self.name} has no device key: enrol it first")
        return DeviceKey.from_pem(self.state.key_pem)

    @property
    def device_id(self) -> str:
        """The bank's name of this phone.

        Raises:
            NotReady: the phone is not bound.
        """
        if self.state.device_id is None:
            raise NotReady(f"{self.name} is not bound: enrol it first")
        return self.state.device_id

    @property
    def token(self) -> str:
        """The access token of the last sign-in.

        Raises:
            NotReady: nobody signed in.
        """
        if self.state.token is None:
            raise NotReady(f"{self.name} is not signed in: log in first")
        return self.state.token

    def credentials(self, level: Level) -> Credentials:
        """What goes with a call of this level."""
        if level is Level.ANONYMOUS:
            return Credentials()
        if level is Level.DEVICE:
            return Credentials(self.key)
        return Credentials(self.key, self.token)

    async def call(
        self, operation: str, variables: JsonObject, level: Level = Level.LOGIN
    ) -> JsonObject:
        """Send a shipped operation; see `Api.call`."""
        document = documents.load(operation)
        return await self.api.call(document, variables, self.credentials(level))

    async def call_surely(
        self, operation: str, variables: JsonObject, level: Level = Level.LOGIN
    ) -> JsonObject:
        """Send a call that repeats safely; once more if its answer is lost.

        Raises:
            Unreachable: it was lost twice, or never left this phone.
        """
        try:
            return await self.call(operation, variables, level)
        except Unreachable as lost:
            if not lost.sent:
                raise
        return await self.call(operation, variables, level)

    async def lose_reply(self, call: Unanswered) -> None:
        """Note the call, send it, and close the line before any answer.

        The note survives the program, so that a restarted phone still knows what
        to send again.
        """
        if call not in self.state.unanswered:
            self.keep(unanswered=(*self.state.unanswered, call))
        document = documents.load(call.operation)
        body = self.api.body(document, call.variables)
        await self.api.send_losing_reply(body, self.credentials(Level.LOGIN))

    def answered(self, call: Unanswered) -> None:
        """Strike a call from the list of unanswered ones."""
        rest = tuple(one for one in self.state.unanswered if one != call)
        self.keep(unanswered=rest)

    def init_payload(self, level: Level = Level.LOGIN) -> JsonObject:
        """`connection_init` of a socket, at DEVICE by the key alone (auth.md §3.11)."""
        token = self.token if level is Level.LOGIN else None
        covered = Covered("GET", self.socket_url, None, token, self.api.nonce)
        proof = {"dpop": self.api.proof(covered, self.key)}
        return proof if token is None else {"accessToken": token, **proof}

    @property
    def socket_url(self) -> str:
        """The socket form of the bank's public address."""
        return "ws" + self.api.endpoint.removeprefix("http")

    @property
    def socket_door(self) -> str:
        """Where the socket is opened; the public address unless a door is named."""
        return "ws" + self.api.door.removeprefix("http")
