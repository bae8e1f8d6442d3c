"""The notification drawer: listens at the push provider, awake or asleep.

The provider's wire is FCM's or APNs' as the sandbox plays it: one inbox per address,
read by long polling. The bank only learns the address; `push` says what it may send.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

import httpx

from mock_mobile_client.carriers import carrier_of
from mock_mobile_client.enums import Platform
from mock_mobile_client.errors import NotReady, NotSeen, Refused, Unreachable
from mock_mobile_client.handset import Handset, Level
from mock_mobile_client.lines import line
from mock_mobile_client.push import Push, PushText
from mock_mobile_client.values import JsonObject

APP_ID: Final = "app.sixpence.mock"
POLL_S, SPARE_S, PAUSE_S = 25, 10.0, 0.5
WAIT_S: Final = 15.0
DELIVERED, OPENED = "DELIVERED", "OPENED"


@dataclass(frozen=True, slots=True)
class Note:
    """One notification on the screen.

    Attributes:
        push: The newest message of its id.
        came: How many messages of this id came; it is shown once all the same.
        text: What the bank allowed to show; None until it answered.
        opened: The person tapped it.
    """

    push: Push
    came: int = 1
    text: PushText | None = None
    opened: bool = False


class Drawer:
    """The notifications of one phone.

    Attributes:
        carrier: Who brings its pushes.
        notes: What the screen shows, by notification id.
        pushes: Every message as it came.
        listener: Is told each notification, with its text where the bank gave one.
    """

    def __init__(self, handset: Handset, sandbox: str, platform: Platform) -> None:
        self.carrier = carrier_of(platform)
        self.notes: dict[str, Note] = {}
        self.pushes: list[Push] = []
        self.listener: Callable[[Note], None] = lambda _: None
        self._handset = handset
        self._sandbox = sandbox.rstrip("/")
        self._unsaid: dict[tuple[str, str], JsonObject] = {}
        self._changed = asyncio.Condition()
        self._ear: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the phone listens at the provider."""
        return self._ear is not None

    @property
    def installation(self) -> str:
        """The app's address at the provider; made once per install."""
        known = self._handset.state.installation
        if known is None or not self.carrier.form.fullmatch(known):
            known = self.carrier.make()
            self._handset.keep(installation=known)
        return known

    async def register(self) -> None:
        """Tell the bank where this phone gets pushes; needs no sign-in.

        Raises:
            Refused: the bank does not take the address.
        """
        kind, value = self.carrier.kind, self.installation
        address = {"kind": kind, "value": value, "appId": APP_ID}
        given = {"input": {"address": address}}
        await self._handset.call("device_push_set", given, Level.DEVICE)

    async def open(self) -> None:
        """Tell the bank, and listen until `close`."""
        await self.register()
        self.listen()

    def listen(self) -> None:
        """Listen at the provider, from where this phone left off."""
        if self._ear is None:
            self._ear = asyncio.create_task(self._listen())

    async def close(self) -> None:
        """Hear nothing any more; the bank is not told."""
        ear, self._ear = self._ear, None
        if ear is not None:
            ear.cancel()
            await asyncio.gather(ear, return_exceptions=True)

    async def until(
        self, met: Callable[[], bool], what: str, timeout_s: float = WAIT_S
    ) -> None:
        """Wait until something holds, looking after every message.

        Raises:
            NotSeen: it did not come in time.
            NotReady: nobody listens.
        """
        if self._ear is None:
            raise NotReady(f"{self._handset.name} does not listen for pushes")
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                while not met():
                    if self._ear.done():
                        self._ear.result()
                    await self._changed.wait()
        except TimeoutError as error:
            raise NotSeen(f"waited {timeout_s:.0f} s for {what}") from error

    async def until_note(self, met: Callable[[Push], bool], what: str) -> Note:
        """Wait for a notification with its text; one that came before counts."""

        def found() -> Note | None:
            return next((one for one in self.notes.values() if met(one.push)), None)

        def shown() -> bool:
            one = found()
            return one is not None and one.text is not None

        await self.until(shown, what)
        note = found()
        assert note is not None  # noqa: S101  -- awaited just now
        return note

    async def tap(self, note_id: str) -> Note:
        """Open a notification and tell the bank.

        Raises:
            NotReady: the screen shows none of this id.
        """
        if note_id not in self.notes:
            raise NotReady(f"no notification {note_id} is on the screen")
        self.notes[note_id] = replace(self.notes[note_id], opened=True)
        self._owe(note_id, OPENED)
        await self._say()
        return self.notes[note_id]

    async def _listen(self) -> None:
        """Hear the provider for as long as the phone is on; an end wakes who waits."""
        try:
            await self._poll()
        finally:
            await self._tell([])

    async def _poll(self) -> None:
        """Ask the provider again and again, each time for up to 25 s."""
        place, kind = quote(self.installation, safe=""), self.carrier.inbox_kind
        address = f"{self._sandbox}/phones/{place}/inbox"
        async with line(address, POLL_S + SPARE_S) as http:
            while True:
                asked = {"wait": POLL_S, "after": self._handset.state.delivered}
                try:
                    response = await http.get(address, params=asked)
                    response.raise_for_status()
                    page: JsonObject = response.json()
                except (httpx.HTTPError, ValueError):
                    await asyncio.sleep(PAUSE_S)  # the provider is away: again
                    continue
                rows = [row for row in page["messages"] if row["kind"] == kind]
                shown = [self._show(row) for row in rows]
                self._handset.keep(delivered=int(page["next"]))
                await self._say()
                await self._tell(shown)

    def _show(self, row: JsonObject) -> str:
        """Put a message on the screen; one of the same id is replaced."""
        push = Push.read(row, self._handset.setting.clock())
        self.pushes.append(push)
        known = self.notes.pop(push.id, None)
        if known is None:
            self.notes[push.id] = Note(push)
        else:
            self.notes[push.id] = replace(known, push=push, came=known.came + 1)
        self._owe(push.id, DELIVERED)
        return push.id

    def _owe(self, note_id: str, state: str) -> None:
        at = datetime.fromtimestamp(self._handset.setting.clock(), UTC)
        told = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        receipt = {"id": note_id, "state": state, "at": told}
        self._unsaid.setdefault((note_id, state), receipt)

    async def _say(self) -> None:
        """Report with the device key only; what fails is said with the next one."""
        said = dict(self._unsaid)
        if not said:
            return
        given = {"input": {"receipts": list(said.values())}}
        try:
            answer = await self._handset.call("events_ack", given, Level.DEVICE)
        except (Refused, Unreachable):
            return
        for place in said:
            self._unsaid.pop(place, None)
        for node in answer["items"]:
            text = PushText.read(node)
            if text.id in self.notes:
                self.notes[text.id] = replace(self.notes[text.id], text=text)

    async def _tell(self, shown: list[str]) -> None:
        """Wake whoever waits for something on the screen."""
        for note_id in shown:
            self.listener(self.notes[note_id])
        async with self._changed:
            self._changed.notify_all()
