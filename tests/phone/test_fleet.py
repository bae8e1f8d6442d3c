"""Many phones at once: what a fleet counts, and that it counts what is wrong."""

import asyncio
import io
from pathlib import Path

import orjson
import pytest
from typing_extensions import override

from app import demo_people
from mock_mobile_client.commands import Commands
from mock_mobile_client.commands_fleet import fleet as play
from mock_mobile_client.commands_fleet import judge
from mock_mobile_client.errors import BadEntry
from mock_mobile_client.fleet import Fleet, Wish
from mock_mobile_client.fleet_line import End, Line
from mock_mobile_client.fleet_phone import FleetPhone, State
from mock_mobile_client.fleet_tally import Tally, percentiles
from mock_mobile_client.people import numbered
from mock_mobile_client.phone import Phone
from mock_mobile_client.screen import Screen
from mock_mobile_client.values import JsonObject
from tests.phone.conftest import Fake
from tests.phone.fake_parts import Account, Customer

UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"


class Ear:
    """Notes what a line hands on."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.end: End | None = None
        self.line: Line | None = None

    def opened(self, line: Line) -> None:
        self.line = line
        self.texts.append(b"opened")

    def told(self, text: bytes) -> None:
        self.texts.append(text)

    def ended(self, end: End) -> None:
        self.end = end


class Wire(asyncio.Transport):
    """Notes what a line writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    @override
    def close(self) -> None:
        self.closed = True

    @override
    def abort(self) -> None:
        self.closed = True


def a_line() -> tuple[Line, Ear, Wire]:
    ear, wire = Ear(), Wire()
    line = Line(ear, b"GET /graphql HTTP/1.1\r\n\r\n")
    line.connection_made(wire)
    return line, ear, wire


def frame(kind: int, body: bytes) -> bytes:
    size = len(body)
    if size < 126:
        return bytes((0x80 | kind, size)) + body
    if size < 65536:
        return bytes((0x80 | kind, 126)) + size.to_bytes(2, "big") + body
    return bytes((0x80 | kind, 127)) + size.to_bytes(8, "big") + body


@pytest.mark.parametrize("packet", [1, 3, 4096])
def test_frames_of_every_length_come_whole_however_they_are_cut(packet: int) -> None:
    line, ear, wire = a_line()
    texts = [b"{}", b"a" * 125, b"b" * 126, b"c" * 65536]
    sent = UPGRADED + b"".join(frame(1, text) for text in texts)
    sent += frame(9, b"still there?") + frame(8, b"\x10\x6agone")

    for start in range(0, len(sent), packet):
        line.data_received(sent[start : start + packet])
    line.connection_lost(None)

    assert ear.texts == [b"opened", *texts]
    assert ear.line is line  # whoever opened it may not have it in hand yet
    assert ear.end == End(4202, "gone")
    assert wire.written[1:] == [
        b"\x8a\x8c\x00\x00\x00\x00still there?",
        b"\x88\x82\x00\x00\x00\x00\x10\x6a",
    ]
    assert wire.closed


def test_a_refused_handshake_and_a_broken_line_are_told_apart() -> None:
    refused, ear, _ = a_line()
    refused.data_received(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")
    refused.connection_lost(None)
    broken, other, _ = a_line()
    broken.data_received(UPGRADED)
    broken.connection_lost(None)

    assert ear.end == End(1006, "", 503)
    assert other.end == End(1006, "", 0)


def test_what_a_phone_says_is_masked_at_every_length() -> None:
    line, _, wire = a_line()
    for size in (1, 126, 65536):
        line.say(b"x" * size)

    heads = [bytes(part[:10]) for part in wire.written[1:]]
    assert heads[0] == b"\x81\x81\x00\x00\x00\x00x"
    assert heads[1] == b"\x81\xfe\x00\x7e\x00\x00\x00\x00xx"
    assert heads[2] == b"\x81\xff\x00\x00\x00\x00\x00\x01\x00\x00"


def a_phone() -> tuple[FleetPhone, Tally]:
    tally = Tally(phones=1)
    owner = numbered(4)
    phone = Phone(f"{owner.name}-1", "http://localhost:1", owner=owner)
    return FleetPhone(phone, tally, lambda _one, _end: None), tally


def told(phone: FleetPhone, kind: str, sequence: int, **more: JsonObject | int) -> None:
    envelope = {
        "cursor": f"ec1.abcdefgh.{sequence}.20260101",
        "sequence": str(sequence),
        "occurredAt": "2026-01-01T00:00:00Z",
        "category": None,
        "event": {"__typename": kind, **more},
    }
    data = {"data": {"events": envelope}}
    phone.told(orjson.dumps({"id": "events", "type": "next", "payload": data}))


def test_holes_doubles_and_new_beginnings_are_each_counted() -> None:
    phone, tally = a_phone()
    told(phone, "StreamReady", 7, missed=2)
    told(phone, "DeviceChanged", 8)
    assert (phone.state, len(tally.lags)) == (State.REPLAY, 0)
    told(phone, "DeviceChanged", 9)
    told(phone, "CaughtUp", 9)
    told(phone, "DeviceChanged", 9)
    told(phone, "DeviceChanged", 12)
    told(phone, "StreamReset", 40)

    assert (tally.gaps, tally.doubles, tally.resets, tally.events) == (1, 1, 1, 3)
    assert phone.cursor == "ec1.abcdefgh.40.20260101"
    assert len(tally.lags) == 1
    assert tally.broken(None) == [
        "1 gaps",
        "1 doubles",
        "1 streams had to begin anew",
        "-1 phones have no stream",
    ]


def test_a_late_event_breaks_only_the_bound_that_was_asked_for() -> None:
    tally = Tally()
    tally.lags.extend([0.010] * 98 + [0.2, 0.3])

    assert percentiles(tally.lags) == (0.010, 0.010, 0.3)
    assert tally.broken(None) == []
    assert tally.broken(250) == ["lag p99 300 ms is above 250 ms"]
    assert tally.lag() == "10/10/300 ms"


def test_the_numbered_customers_are_those_of_the_demo() -> None:
    seeded = demo_people.people(9)[3:]
    known = [numbered(place) for place in range(4, 10)]

    assert [(one.number, one.phone, one.code) for one in known] == [
        (one.number, one.phone, one.code) for one in seeded
    ]


async def test_a_fleet_pays_loses_its_lines_and_misses_nothing(fake: Fake) -> None:
    owners = [numbered(4), numbered(5)]
    fake.bank.customers += [
        Customer(
            one.name,
            one.number,
            one.phone,
            one.code,
            [
                Account("Everyday", f"5010{one.number}01", 100_000),
                Account("Savings", f"5010{one.number}02", 100_000),
            ],
        )
        for one in owners
    ]

    def phone(place: int, number: int) -> Phone:
        made = fake.phone("asha")
        owner = owners[place]
        return Phone(
            f"{owner.name}-{number}", fake.url, fake.url, made.handset.setting, owner
        )

    lines: list[str] = []
    fleet = Fleet(Wish(4, 1.5, pay=4, storm_s=0.6), phone, lines.append)

    assert await fleet.run() == []
    tally = fleet.tally
    assert (tally.phones, tally.gaps, tally.doubles, tally.missing) == (4, 0, 0, 0)
    assert tally.payments >= 4
    assert tally.events >= 2 * tally.payments
    assert tally.back_s is not None
    assert not tally.closings
    assert "4 of 4 phones signed in" in lines


async def test_a_bank_elsewhere_is_left_alone_unless_it_is_ones_own() -> None:
    screen = Screen(io.StringIO(), coloured=False)
    commands = Commands(
        "https://bank.example", "http://s", Path("phones"), None, screen
    )

    with pytest.raises(BadEntry, match="this-server-is-mine"):
        await play(commands, Wish(1, 1), mine=False)


def test_the_verdict_names_what_was_wrong() -> None:
    screen = Screen(io.StringIO(), coloured=False)
    tally = Tally(phones=3, sockets=3, events=1200, payments=7, back_s=1.25)
    tally.closings[1012] = 3

    judge(screen, tally, 60, ["2 gaps"])

    assert isinstance(screen.out, io.StringIO)
    assert screen.out.getvalue().splitlines() == [
        "3 phones, 60 s: 1,200 events, 7 payments, lag p50/p95/p99 0/0/0 ms",
        "all lines were cut; all were back 1.2 s later",
        "closed or refused: 1012 x 3",
        "✗ 2 gaps",
    ]
