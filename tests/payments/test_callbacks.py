"""What a rail tells us unasked: believed, kept once, and only then acted upon."""

import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from typing_extensions import override

from app import database, webhooks
from app.clock import StoppedClock, rfc3339
from app.errors import Outage
from app.ids import uuid7
from app.integrations.rails import Callback, RailEvent, imps
from app.integrations.webhooks import BODY_BYTES_MAX
from app.integrations.webhooks.standard import signature
from app.payments.callbacks import Callbacks, prune
from app.payments.lifecycle import State
from app.payments.payment import Payment
from app.settings import Settings
from app.telemetry import registry
from app.vault import Vault
from tests.conftest import BROKEN
from tests.payments.abroad import Abroad, a_bank_abroad
from tests.payments.instant import Instant

KEY = bytes(range(32))
RRN = "632612000001"
UNREADABLE: list[dict[str, object]] = [
    {"id": "1"},
    {"rrn": None},
    {"rrn": "9" * 5000},
    {"currency": "USD"},
    {"currency": None},
    {"amount": "250.00"},
    {"amount": None},
    {"amount": True},
    {"amount": orjson.Fragment("1E+999999")},
    {"amount": orjson.Fragment("1E+" + "9" * 99)},
]
AGAIN = (
    "INSERT INTO inbound_event SELECT '00000000-0000-7000-8000-000000000000', "
    "provider, event_id, body_enc, received_at, due_at, tries, handled_at "
    "FROM inbound_event"
)


class Signed(Instant):
    """The rail in memory, whose calls are judged as those of the real one."""

    def __init__(self, clock: StoppedClock, judge: imps.Imps) -> None:
        super().__init__(clock)
        self._judge = judge

    @override
    def parse_callback(self, callback: Callback) -> list[RailEvent]:
        return self._judge.parse_callback(callback)


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A bank with a payment under way, and the door that its rail knocks at."""

    abroad: Abroad
    door: httpx.AsyncClient
    paid: Payment

    def said(self, status: str, **changes: object) -> dict[str, object]:
        """Give what the rail says of the order."""
        ((op, _order),) = self.abroad.rail.orders.items()
        return {
            "id": str(op.id),
            "status": status,
            "rrn": RRN,
            "at": rfc3339(self.abroad.town.bank.clock.now()),
            "amount": 250.0,
            "currency": "INR",
        } | changes

    async def call(
        self, event: str, data: object, *, key: bytes = KEY, age_s: int = 0
    ) -> int:
        """Knock at the door as the rail does; gives the status of the answer."""
        body = orjson.dumps({"type": "payment.updated", "data": data})
        at = self.abroad.town.bank.clock.now() - timedelta(seconds=age_s)
        stamp = str(int(at.timestamp()))
        mac = base64.b64encode(signature(key, event, stamp, body)).decode()
        headers = {
            "Webhook-Id": event,
            "Webhook-Timestamp": stamp,
            "Webhook-Signature": f"v1,{mac}",
        }
        answer = await self.door.post("/callbacks/imps", content=body, headers=headers)
        return answer.status_code

    async def state(self) -> State:
        """Give where the payment stands."""
        return (await self.abroad.town.bank.now(self.paid.id)).state

    async def kept(self) -> int:
        """Count the calls that were kept."""
        return (await self.abroad.town.bank.everything_of("inbound_event"))[
            "inbound_event"
        ]


def counted(outcome: str) -> float:
    """Read the counter of calls."""
    labels = {"partner": "IMPS", "outcome": outcome}
    return registry.get_sample_value("sixpence_callbacks_total", labels) or 0.0


@pytest.fixture
async def called(
    bank_database: Settings, clock: StoppedClock, vault: Vault, tmp_path: Path
) -> AsyncIterator[Called]:
    """Pay Dev, and open the door."""
    secrets = tmp_path / "secrets"
    secrets.write_text(f"whsec_{base64.b64encode(KEY).decode()}\n")
    chosen = imps.Settings(callback_secrets_file=secrets)
    judge = await imps.connect(chosen, core=None, clock=clock, names=None)  # type: ignore[arg-type]  # not asked for either
    rail = Signed(clock, judge)
    async with a_bank_abroad(bank_database, clock, vault, rail) as abroad:
        app = Starlette(routes=webhooks.ROUTES)
        app.state.bank = abroad.town.bank
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://b") as door:
            yield Called(abroad=abroad, door=door, paid=await abroad.under_way())


async def test_a_call_is_kept_sealed_and_a_worker_settles_the_payment(
    called: Called,
) -> None:
    bank = called.abroad.town.bank

    answered = await called.call("evt_1", called.said("SETTLED"))
    before = await called.state()
    handled = [await bank.callbacks.turn(), await bank.callbacks.turn()]

    assert (answered, before, handled) == (202, State.IN_FLIGHT, [1, 0])
    assert await called.state() is State.SETTLED
    assert await bank.available(called.abroad.town.current) == 100_000 - 250_00
    row = await database.read_one("SELECT body_enc FROM inbound_event")
    assert row is not None
    assert RRN.encode() not in row.get("body_enc", bytes)


async def test_twice_late_stale_or_otherwise_a_call_settles_once(
    called: Called,
) -> None:
    bank = called.abroad.town.bank
    settled = called.said("SETTLED")

    answers = [await called.call("evt_1", settled) for _ in range(2)]
    answers.append(await called.call("evt_2", settled))
    await bank.callbacks.turn()
    journals = await bank.everything_of("ledger_journal")
    answers.append(await called.call("evt_0", called.said("ACCEPTED")))
    other = called.said("REJECTED", reason="ACCOUNT_CLOSED")
    answers.append(await called.call("evt_3", other))
    bank.clock.move(seconds=299)
    replayed = await called.call("evt_1", settled, age_s=299)
    await bank.callbacks.turn()

    assert (answers, replayed) == ([202] * 5, 202)
    assert await called.kept() == 4
    assert await called.state() is State.SETTLED
    assert await bank.everything_of("ledger_journal") == journals
    assert await bank.available(called.abroad.town.current) == 100_000 - 250_00
    row = await database.read_one(
        "SELECT conflict FROM payment WHERE id = $1", called.paid.id
    )
    assert row is not None
    assert row.get("conflict", bool)


async def test_a_forged_call_is_refused_counted_and_moves_nothing(
    called: Called,
) -> None:
    bank, before = called.abroad.town.bank, counted("forged")
    settled = called.said("SETTLED")

    bent: list[object] = ["settled", called.said("PAID")]
    bent += [called.said("SETTLED", **change) for change in UNREADABLE]

    answers = [await called.call("evt_1", settled, key=b"x" * 32)]
    answers += [await called.call("evt_1", data) for data in bent]
    plain = await called.door.post("/callbacks/imps", json=settled)
    await bank.callbacks.turn()

    assert [*answers, plain.status_code] == [401] * 14
    assert counted("forged") == before + 14
    assert (await called.kept(), await called.state()) == (0, State.IN_FLIGHT)


async def test_an_old_call_is_refused_and_counted(called: Called) -> None:
    before = counted("expired")

    answer = await called.call("evt_1", called.said("SETTLED"), age_s=301)

    assert (answer, counted("expired")) == (401, before + 1)
    assert (await called.kept(), await called.state()) == (0, State.IN_FLIGHT)


async def test_too_much_or_for_nobody_is_not_even_judged(called: Called) -> None:
    long = b" " * (BODY_BYTES_MAX + 1)

    answers = [
        await called.door.post("/callbacks/imps", content=long),
        await called.door.post("/callbacks/upi", content=b"{}"),
        await called.door.get("/callbacks/imps"),
    ]

    assert [one.status_code for one in answers] == [413, 404, 405]
    assert await called.kept() == 0


async def test_a_word_about_no_order_of_this_rail_moves_nothing(
    called: Called,
) -> None:
    town = called.abroad.town
    booked = await town.bank.pay(town.asha, town.to_ben(100))
    row = await database.read_one(
        "SELECT id FROM payment_op WHERE payment_id = $1", booked.id
    )
    assert row is not None
    before = await called.abroad.rows()

    answers = [
        await called.call("evt_1", called.said("SETTLED", id=str(uuid7()))),
        await called.call(
            "evt_2", called.said("RETURNED", id=str(row.get("id", UUID)))
        ),
    ]
    handled = [await town.bank.callbacks.turn(), await town.bank.callbacks.turn()]

    assert (answers, handled) == ([202, 202], [2, 0])
    assert await called.state() is State.IN_FLIGHT
    assert not (await town.bank.now(booked.id)).conflict
    assert await called.abroad.rows() == before


async def test_a_final_word_about_another_amount_moves_nothing_and_calls_for_staff(
    called: Called,
) -> None:
    bank = called.abroad.town.bank
    conflicts = registry.get_sample_value("sixpence_payments_conflicts_total") or 0.0

    await called.call("evt_1", called.said("ACCEPTED", amount=250.01))
    await bank.callbacks.turn()
    on_the_way = await bank.now(called.paid.id)
    await called.call("evt_2", called.said("SETTLED"))
    await bank.callbacks.turn()
    before = await called.abroad.rows()
    wrong = called.said("RETURNED", amount=1, reason="RETURNED_BY_PAYEE_BANK")
    await called.call("evt_3", wrong)
    handled = [await bank.callbacks.turn(), await bank.callbacks.turn()]

    assert (on_the_way.state, on_the_way.conflict) == (State.IN_FLIGHT, False)
    found = await bank.now(called.paid.id)
    assert (found.state, found.conflict, handled) == (State.SETTLED, True, [1, 0])
    assert await called.abroad.rows() == before
    assert await bank.available(called.abroad.town.current) == 100_000 - 250_00
    alarmed = registry.get_sample_value("sixpence_payments_conflicts_total")
    assert alarmed == conflicts + 1


class Deaf:
    """Hears nothing, because something it needs is away."""

    async def heard(self, event: RailEvent) -> None:
        raise Outage(f"away for {event.event_id}")

    async def disputed(self, event: RailEvent) -> None:
        await self.heard(event)


async def test_a_call_that_cannot_be_handled_waits_and_keeps_no_other_waiting(
    called: Called,
) -> None:
    bank = called.abroad.town.bank
    deaf = Callbacks(clock=bank.clock, vault=bank.vault, rails=bank.rails, hears=Deaf())
    await called.call("evt_1", called.said("SETTLED"))

    first = [await deaf.turn(), await deaf.turn()]
    bank.clock.move(seconds=2)
    again = await bank.callbacks.turn()
    await prune(bank.clock.now() + timedelta(seconds=1))

    assert (first, again) == ([1, 0], 1)
    assert await called.state() is State.SETTLED
    assert await called.kept() == 0


async def test_handled_calls_are_forgotten_batch_by_batch_and_open_ones_kept(
    called: Called,
) -> None:
    bank = called.abroad.town.bank
    for number in range(5):
        await called.call(f"evt_{number}", called.said("ACCEPTED"))
    await bank.callbacks.turn()
    kept_until = bank.clock.now() + timedelta(seconds=1)
    bank.clock.move(seconds=2)
    await called.call("evt_later", called.said("ACCEPTED"))
    await bank.callbacks.turn()
    await called.call("evt_open", called.said("SETTLED"))

    async with database.watched_statements() as seen:
        gone = await prune(kept_until, batch=2)
    again = await prune(kept_until, batch=2)

    deletes = [one for one in seen if one.startswith("DELETE FROM inbound_event")]
    assert (gone, again, len(deletes)) == (5, 0, 4)
    left = await database.read("SELECT event_id FROM inbound_event ORDER BY event_id")
    assert [row.get("event_id", str) for row in left] == ["evt_later", "evt_open"]


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("UPDATE inbound_event SET tries = -1", "inbound_event_tries"),
        (AGAIN, "inbound_event"),
    ],
)
async def test_the_books_themselves_keep_a_call_once(
    called: Called, sql: str, name: str
) -> None:
    await called.call("evt_1", called.said("SETTLED"))

    async def careless(tx: database.Tx) -> None:
        await tx.rows(sql)

    with pytest.raises(BROKEN, match=name):
        await database.transaction(careless, name="tests.careless")

    assert await called.kept() == 1
