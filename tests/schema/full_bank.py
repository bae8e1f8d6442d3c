"""A bank in which much has happened, and two engines before it: with plans and without.

Time stands still there and nothing but questions comes in, so both see the same.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

import pytest

from app import bank as whole
from app import database, telemetry
from app.accounts.changes import AccountChange
from app.auth.actor import Actor
from app.clock import StoppedClock
from app.database import Tx
from app.ids import PasskeyId
from app.integrations.fraud import RiskAction
from app.integrations.push import PushKind
from app.integrations.rails import RailStatus
from app.money import Money
from app.notifications.addresses import AddressWish
from app.notifications.choices import Change
from app.notifications.quiet import QuietHours
from app.realtime.facts import Category
from app.schema import root
from app.schema.context import Context
from app.schema.execution import Call, Engine
from app.schema.library import Documents
from app.schema.masking import Answer
from app.settings import Settings
from tests.payments.faults import REFUSES, Faults, Outside, Track, Word
from tests.payments.town import Town, a_town
from tests.payments.world import open_bank
from tests.schema.query_values import Known

BOUNDLESS: dict[str, object] = dict.fromkeys(
    (
        "max_depth",
        "max_cost",
        "max_aliases",
        "max_fields",
        "max_directives",
        "max_query_roots",
        "max_operation_s",
    ),
    10**9,
)
_PAGE = "pageInfo { endCursor startCursor }"
_NAMES = f"""{{ me {{
  id
  accounts {{ id transactions(first: 3) {{ nodes {{ id }} {_PAGE} }} }}
  payments(first: 3) {{ nodes {{ id idempotencyKey challenge {{ id }} }} {_PAGE} }}
  rest: payments {{ nodes {{ id idempotencyKey }} }}
  beneficiaries(first: 1) {{ nodes {{ id }} {_PAGE} }}
  securityLog(first: 2) {{ nodes {{ id }} {_PAGE} }}
  inbox(first: 2) {{ nodes {{ id }} {_PAGE} }}
  devices {{ id }} sessions {{ id }} passkeys {{ id }}
}} }}"""
_ID = re.compile(r"([a-z]{3})_[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class FullBank:
    """Asha before a bank with a past, by two ways to the same answer."""

    bank: whole.Bank
    asha: Actor
    planned: Engine
    core: Engine
    known: Known

    async def ask(self, call: Call, engine: Engine | None = None) -> Answer:
        """Ask as Asha; by plans unless told otherwise."""
        return await (engine or self.planned).run(self.context_of(self.asha), call)

    def context_of(self, actor: Actor) -> Context:
        """Give the context of one operation of a caller."""
        return Context(self.bank, actor, "0123456789abcdef")


def fallbacks() -> dict[str, float]:
    """Give how many queries of this process graphql-core had to run, by why."""
    return {
        sample.labels["why"]: sample.value
        for metric in telemetry.plan_fallbacks.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }


@asynccontextmanager
async def a_full_bank(
    settings: Settings, clock: StoppedClock, patch: pytest.MonkeyPatch
) -> AsyncIterator[FullBank]:
    """Open a bank whose clock stands, and let much happen in it first."""
    patch.setattr(whole, "Clock", lambda *_: clock)
    async with whole.open_bank(settings, frozenset()) as bank:
        town = await _paying(settings, clock, bank)
        await _choosing(bank, town)
        while await bank.relay.turn():
            pass
        planned, core = engines(bank, settings)
        known = Known()
        for actor in (town.asha.actor, town.ben.actor):
            asked = Context(bank, actor, "0123456789abcdef")
            answer = await core.run(asked, Call(_NAMES))
            assert "errors" not in answer.body, answer.body
            _note(known, answer.body["data"], own=actor is town.asha.actor)
        assert not set(known.foreign) & set(known.ids)
        yield FullBank(
            bank=bank, asha=town.asha.actor, planned=planned, core=core, known=known
        )


def engines(bank: whole.Bank, settings: Settings) -> tuple[Engine, Engine]:
    """Give two for which nothing is too dear: QUERY_PLANS is on, then off."""
    chosen = settings.model_copy(update=BOUNDLESS)

    async def toll(_actor: Actor, _points: int) -> None:
        return None

    documents = Documents(root.SCHEMA._schema, chosen)  # noqa: SLF001  -- as an engine makes them
    off = chosen.model_copy(update={"query_plans": False})
    first, second = (
        Engine(root.SCHEMA, one, bank.clock, toll, documents) for one in (chosen, off)
    )
    return first, second


# ------------------------------------------------------------------ the past


async def _paying(settings: Settings, clock: StoppedClock, bank: whole.Bank) -> Town:
    """Let Asha and Ben pay, so that payments stand in every state there is."""
    async with open_bank(settings, clock, bank.vault) as rooms:
        town = await a_town(rooms)
        asha, ben = town.asha.actor, town.ben.actor
        wish = AddressWish(kind=PushKind.FCM_FID, value="fid", app_id="bank.app")
        await bank.addresses.set(asha, wish)
        await rooms.an_account(asha.known_customer, 123_456, name="Yen", currency="JPY")
        await rooms.a_phone(asha.known_customer, cools_for=timedelta(hours=5))
        others = await rooms.an_account(ben.known_customer, 9_000, name="Other")
        hers = await rooms.a_payee(town.ben, town.current, "Asha Rao")
        for minor in (100, 2_500):
            clock.move(seconds=1)
            await rooms.pay(town.asha, town.to_ben(minor, reference="Rent", note="May"))
        await rooms.pay(town.asha, town.to_savings(12_345))
        from_ben = {"from_account": str(others.id), "beneficiary": str(hers.id)}
        await rooms.pay(town.ben, town.to_ben(70, **from_ben))
        await rooms.transfers.create(town.asha.actor, town.to_ben(999))
        clock.move(minutes=16)
        await rooms.jobs.turn()
        stopped = await rooms.transfers.create(asha, town.to_ben(77))
        await rooms.transfers.cancel(asha, str(stopped.payment.id))
        rooms.judge.always(RiskAction.HOLD, 300)
        await rooms.transfers.create(asha, town.to_ben(50_00))
        rooms.judge.verdict = None
        await rooms.transfers.create(asha, town.to_ben(888, note="rent, too"))
    track = Track(clock, Faults())
    outside = Outside(core=lambda core: core, rails={track.caps.rail: track})
    async with open_bank(settings, clock, bank.vault, outside) as rooms:
        late = replace(town, bank=rooms)
        for fate in (REFUSES, (Word(10**6, RailStatus.SETTLED),)):
            track.fate = fate
            await rooms.pay(late.asha, late.to_ben(321))
    return town


async def _choosing(bank: whole.Bank, town: Town) -> None:
    """Let Asha choose what can be chosen, and give her a passkey."""
    asha = town.asha.actor
    alert = AccountChange(
        id=town.current.id,
        nickname="Daily",
        no_nickname=False,
        alert=Money(5_000, "INR"),
        no_alert=False,
    )
    await bank.account_changes.update(asha, alert)
    quick = (town.current.id, town.savings.id)
    quiet = QuietHours.parse("22:00", "07:00")
    await bank.choices.change(asha, Change(quick=quick, quiet=quiet))
    threshold = Change(category=Category.MONEY_OUT, threshold=Money(100, "INR"))
    await bank.choices.change(asha, threshold)

    async def a_passkey(tx: Tx) -> None:
        await tx.rows(
            "INSERT INTO passkey (id, credential_id, customer_id, device_id, cose_key, "
            "sign_count, aaguid, be, bs, transports, label, state, created_at) VALUES "
            "($1, $2, $3, $4, $2, 0, $1, $5, $5, 'internal', 'Phone', 'ACTIVE', $6)",
            PasskeyId.new(),
            b"key",
            asha.known_customer,
            asha.known_device,
            True,  # noqa: FBT003  -- a column
            bank.clock.now(),
        )

    await database.transaction(a_passkey, name="tests.passkey")


# ------------------------------------------------------------------ names


def _note(known: Known, data: object, *, own: bool) -> None:
    """Keep everything of an answer that can be named in a question."""
    for key, name, text in _texts(data, ""):
        found = _ID.fullmatch(text)
        if found is not None and own:
            known.own.setdefault(found[1], []).append(text)
        elif found is not None:
            known.foreign.append(text)
        elif name == "idempotencyKey":
            known.keys.append(text)
        elif name.endswith("Cursor"):
            known.cursors.setdefault(key, []).append(text)


def _texts(data: object, key: str) -> Iterator[tuple[str, str, str]]:
    """Give the texts of an answer with their names, and those of their pages."""
    if isinstance(data, list):
        for one in data:
            yield from _texts(one, key)
    elif isinstance(data, dict):
        for name, one in cast("dict[str, object]", data).items():
            if isinstance(one, str):
                yield key, name, one
            else:
                yield from _texts(one, key if name == "pageInfo" else name)
