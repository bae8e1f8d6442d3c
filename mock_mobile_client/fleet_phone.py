"""One phone of a fleet: its line, its place in the stream, what it owes the bank.

It keeps no picture and no task of its own: what the app's `Live` does per phone, a
fleet does once for all.
"""

import time
from collections.abc import Callable
from datetime import datetime
from enum import Enum

import orjson
from typing_extensions import override

from mock_mobile_client import documents
from mock_mobile_client.fleet_line import Address, End, Line, Listener, connect
from mock_mobile_client.fleet_tally import Tally
from mock_mobile_client.phone import Phone
from mock_mobile_client.stream import CONTROL
from mock_mobile_client.values import JsonObject

EVENTS, ACK = "events", "ack"
MOVED_CLOCK_S = 1.0  # a bank whose clock is elsewhere: lag is told by its own


class State(Enum):
    """How a phone's stream stands."""

    CLOSED = "no line"
    OPENING = "a line, no stream yet"
    REPLAY = "told what it missed"
    LIVE = "told as it happens"


class FleetPhone(Listener):
    """A phone that is signed in.

    Attributes:
        phone: State, key and session.
        state: How its stream stands.
        sequence: Number of the last event it applied; None before the first stream.
        cursor: Its place, to resume from.
        attempt: Connections since the last stream that stood.
        used: The token its line was opened with.
    """

    def __init__(
        self,
        phone: Phone,
        tally: Tally,
        on_end: Callable[["FleetPhone", End], None],
    ) -> None:
        self.phone = phone
        self.state = State.CLOSED
        self.sequence: int | None = None
        self.cursor: str | None = None
        self.attempt = 0
        self.used = ""
        self._tally = tally
        self._on_end = on_end
        self._line: Line | None = None
        self._owes = False
        self._skew_s = 0.0
        self._asked = 0
        self._own_end = False

    async def open(self) -> None:
        """Connect; the stream follows by itself.

        Raises:
            OSError: nobody listens there.
        """
        self.state, self._own_end = State.OPENING, False
        self.used = self.phone.handset.token
        address = Address.of(self.phone.socket_door)
        await connect(address, self)

    def leave(self) -> None:
        """Go away by the book."""
        self._own_end = True
        if self._line is not None:
            self._line.leave()

    def cut(self) -> None:
        """Lose the line, as in a tunnel."""
        self._own_end = True
        if self._line is not None:
            self._line.cut()

    def acknowledge(self) -> None:
        """Tell the bank how far this phone has shown its stream, if it is owed."""
        if self._owes and self.state is State.LIVE:
            self._owes = False
            self._asked += 1
            told = {"input": {"upTo": self.cursor}}
            self._subscribe(f"{ACK}-{self._asked}", "events_ack", told)

    # -------------------------------------------------------------- Listener

    @override
    def opened(self, line: Line) -> None:
        """Say who calls."""
        self._line = line
        init = self.phone.handset.init_payload()
        self._say({"type": "connection_init", "payload": init})

    @override
    def told(self, text: bytes) -> None:
        """Take one message of the bank."""
        message: JsonObject = orjson.loads(text)
        match message["type"]:
            case "next" if message["id"] == EVENTS:
                self._event(message["payload"])
            case "ping":
                self._say({"type": "pong"})
            case "connection_ack":
                self._acknowledged(message.get("payload") or {})
            case "error":
                self._fault(message["payload"])
            case "next":
                errors = message["payload"].get("errors")
                if errors:
                    self._fault(errors)
            case _:
                pass  # `complete` of an acknowledgement

    @override
    def ended(self, end: End) -> None:
        """Let the fleet decide what follows."""
        if self.state in {State.LIVE, State.REPLAY}:
            self._tally.sockets -= 1
        self.state, self._line = State.CLOSED, None
        if not self._own_end:
            self._tally.closings[end.status or end.code] += 1
        self._on_end(self, end)

    # -------------------------------------------------------------- the stream

    def _acknowledged(self, ack: JsonObject) -> None:
        now = ack.get("serverTime")
        if now is not None:
            apart_s = datetime.fromisoformat(now).timestamp() - time.time()
            self._skew_s = apart_s if abs(apart_s) > MOVED_CLOCK_S else 0.0
        self._subscribe(EVENTS, "events", {"after": self.cursor})

    def _event(self, payload: JsonObject) -> None:
        if payload.get("errors"):
            self._fault(payload["errors"])
            return
        envelope = payload["data"]["events"]
        kind, number = envelope["event"]["__typename"], int(envelope["sequence"])
        if kind in CONTROL:
            self._control(kind, envelope["event"])
        elif not self._counts(number):
            return
        elif self.state is State.LIVE:
            happened = datetime.fromisoformat(envelope["occurredAt"]).timestamp()
            self._tally.lags.append(time.time() + self._skew_s - happened)
        self.sequence, self.cursor = number, envelope["cursor"]
        self._owes = self._owes or kind != "StreamReady"

    def _control(self, kind: str, event: JsonObject) -> None:
        """Stand where the bank says."""
        if kind == "CaughtUp":
            self.state = State.LIVE
            return
        self._tally.sockets += 1
        self.attempt = 0
        self.state = State.REPLAY if event.get("missed") else State.LIVE
        self._tally.resets += kind == "StreamReset"

    def _counts(self, number: int) -> bool:
        """Whether an event is new to this phone; a hole is noted."""
        if self.sequence is not None and number <= self.sequence:
            self._tally.doubles += 1
            return False
        if self.sequence is not None and number > self.sequence + 1:
            self._tally.gaps += 1
        self._tally.events += 1
        return True

    def _fault(self, errors: list[JsonObject]) -> None:
        code = errors[0].get("extensions", {}).get("code", "INTERNAL")
        self._tally.faults[str(code)] += 1

    def _subscribe(self, operation: str, name: str, variables: JsonObject) -> None:
        by_id = self.phone.handset.api.by_id
        payload = documents.load(name).request(variables, by_id=by_id)
        self._say({"id": operation, "type": "subscribe", "payload": payload})

    def _say(self, message: JsonObject) -> None:
        if self._line is not None:
            self._line.say(orjson.dumps(message))
