"""Commands and their keys: each key is worked through once, and answered for ever.

Source: the server's own command log. A key counts per action and entity; bodies are
not compared, nor is the path. What failed fails again: its key is burnt.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.fineract.refusals import Refusal, broken, conflict
from sandbox.fineract.server import Core
from sandbox.fineract.wire import Answer, written

REPLAYED = {"x-served-from-cache": "true"}
UNDER_PROCESSING = 425
OK = 200


@dataclass(frozen=True, slots=True)
class Order:
    """A command that came in.

    Args:
        action, entity: what it is, in the server's words.
        work: does it, given the command's id; refuses before it has any effect.
        account: the savings account it is about, if it is known by its id.
    """

    action: str
    entity: str
    work: Callable[[int], dict[str, object]]
    account: int | None = None


@dataclass(slots=True)
class Command:
    """A command in the log; `status` is None while it is worked on."""

    id: int
    action: str
    entity: str
    key: str
    made: str
    account: int | None = None
    status: int | None = None
    text: str = field(default="", repr=False)
    resource: int | None = None
    asked: str = field(default="", repr=False)
    queued: bool = False


class Commands:
    """The log of commands.

    Args:
        core: the bank they are worked in.
        keep: is called when a command has ended, before it is answered.
    """

    def __init__(self, core: Core, keep: Callable[[Command], None]) -> None:
        self._core = core
        self._keep = keep
        self.log: dict[int, Command] = {}
        self._keys: dict[tuple[str, str, str], Command] = {}

    def put(self, command: Command) -> None:
        """Take a command into the log."""
        self.log[command.id] = command
        self._keys[command.action, command.entity, command.key] = command

    async def run(self, order: Order, key: str | None, body: bytes = b"") -> Answer:
        """Work a command through, or give what its key has given before.

        `body` is kept for the record, which shows it.
        """
        number = next(reversed(self.log), 0) + 1
        key = key or f"none-{number}"  # the server makes one up
        known = self._keys.get((order.action, order.entity, key))
        if known is not None:
            if known.status is None:
                return Answer(UNDER_PROCESSING, b"", REPLAYED)
            return Answer(known.status, known.text.encode(), REPLAYED)
        made = self._core.clock.now().isoformat()
        command = Command(number, order.action, order.entity, key, made, order.account)
        command.asked = body.decode(errors="replace")
        self.put(command)
        await asyncio.sleep(self._core.knobs.workMs / 1000)
        return self._end(command, order)

    def _end(self, command: Command, order: Order) -> Answer:
        as_text = self._core.knobs.textDates
        if self._core.knobs.spend("stuck"):
            self._keep(command)
            died = broken("The server went down in the middle of the command.")
            return Answer(died.status, written(died.body, as_text=as_text))
        try:
            if self._core.knobs.spend("conflicts"):
                raise conflict(order.entity.lower())
            command.queued = self._core.knobs.spend("queued")
            done = self._done(command, order)
        except Refusal as refusal:
            command.status, body = refusal.status, refusal.body
        else:
            command.status, body = OK, done
            found = done.get("resourceId")
            command.resource = found if isinstance(found, int) else None
        text = written(body, as_text=as_text)
        command.text = text.decode()
        self._keep(command)
        return Answer(command.status, text)

    def _done(self, command: Command, order: Order) -> dict[str, object]:
        """Do what was ordered, or leave it to a checker: the server names no more."""
        return {"commandId": command.id} if command.queued else order.work(command.id)
