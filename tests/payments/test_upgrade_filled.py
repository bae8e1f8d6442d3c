"""Down and up over a bank with a row in every table: guards, CHECKs and rows stay."""

from datetime import date, timedelta

import pytest

from app import database, upgrade
from app.clock import StoppedClock
from app.database import Tx
from app.ids import uuid7
from app.integrations.core_banking import Narrative
from app.integrations.outcome import Ok, OpRef
from app.realtime import log
from app.rows import Scalar
from app.settings import Settings
from app.vault import Vault
from tests.behind import ask, catalogue, guards_wanted, tables
from tests.conftest import NOON, broken_proofs
from tests.payments.town import Town
from tests.payments.world import Bank, inr, open_bank
from tests.test_upgrade import STEPS

LATER = NOON + timedelta(days=1)
OF_ALL_STEPS = {"schema_guard"}  # written anew by every migrate
A, B, C, D = uuid7(), uuid7(), uuid7(), uuid7()
# What the story below writes nothing into, in the order of their references.
ROWS: dict[str, dict[str, Scalar]] = {
    "proof_watermark": {"name": "ledger", "mark": NOON, "at": NOON},
    "event_floor": {"id": 1, "day": date(2026, 11, 1)},
    "service_report": {
        "process": "p",
        "component": "LOGIN",
        "state": "DEGRADED",
        "since": NOON,
        "share_ppm": 950_000,
        "p95_ms": 20,
        "until": LATER,
    },
    "event_work": {
        "id": A,
        "consumer": "push",
        "customer_id": B,
        "seq": 1,
        "due_at": NOON,
    },
    "ledger_control": {"id": 1},
    "activation_code": {
        "id": A,
        "customer_id": B,
        "kind": "ACTIVATION",
        "mac": b"m",
        "key_id": 1,
        "issued_by": "desk",
        "issued_at": NOON,
        "expires_at": LATER,
    },
    "otp_code": {
        "id": A,
        "enrolment_id": B,
        "code_mac": b"m",
        "key_id": 1,
        "sent_at": NOON,
        "expires_at": LATER,
    },
    "sms_message": {
        "id": A,
        "to_sealed": b"t",
        "text_sealed": b"t",
        "expires_at": LATER,
        "due_at": NOON,
    },
    "enrolment": {
        "id": A,
        "phone_lookup": b"p",
        "phone_key_id": 1,
        "platform": "IOS",
        "state": "STARTED",
        "code_first": False,
        "source": "phone",
        "created_at": NOON,
        "expires_at": LATER,
    },
    "signing_key": {
        "kid": "k",
        "sealed_private": b"s",
        "public_jwk": "{}",
        "state": "CURRENT",
        "made_at": NOON,
    },
    "passkey": {
        "id": A,
        "credential_id": b"c",
        "customer_id": B,
        "device_id": C,
        "cose_key": b"k",
        "sign_count": 0,
        "aaguid": D,
        "be": True,
        "bs": True,
        "transports": "internal",
        "label": "Phone",
        "state": "ACTIVE",
        "created_at": NOON,
    },
    "passkey_registration": {
        "id": A,
        "customer_id": B,
        "device_id": C,
        "challenge": b"c",
        "state": "PENDING",
        "created_at": NOON,
        "expires_at": LATER,
    },
    "totp_secret": {
        "customer_id": A,
        "id": B,
        "device_id": C,
        "sealed": b"s",
        "state": "ACTIVE",
        "set_at": NOON,
    },
    "recovery_code": {
        "customer_id": A,
        "slot": 0,
        "id": B,
        "mac": b"m",
        "key_id": 1,
        "made_at": NOON,
    },
    "audit_seal": {
        "hour": NOON,
        "heads": 1,
        "digest": b"d",
        "kid": "k",
        "signature": b"s",
    },
    "audit_sealed_head": {"chain": "bank.0", "seq": 1, "hash": b"h", "hour": NOON},
    "used_key": {"jkt": "k" * 43, "device_id": A, "at": NOON},
    "failure_day": {"customer_id": A, "device_id": B, "hour": NOON, "count": 1},
    "device_stream": {"device_id": A, "customer_id": B},
    "inbox_item": {
        "id": A,
        "customer_id": B,
        "seq": 1,
        "category": "MONEY_IN",
        "template": "money_in",
        "args": "{}",
        "created_at": NOON,
    },
    "notification_preference": {"customer_id": A, "category": "OFFER", "channels": 0},
    "notification_settings": {"customer_id": A, "quiet_from": 1320, "quiet_to": 420},
    "inbound_event": {
        "id": A,
        "provider": "IMPS",
        "event_id": "evt_1",
        "body_enc": b"b",
        "received_at": NOON,
        "due_at": NOON,
    },
    "push_address": {
        "id": A,
        "device_id": B,
        "customer_id": C,
        "kind": "FCM_TOKEN",
        "value": b"v",
        "value_hash": b"h",
        "environment": "PRODUCTION",
        "app_id": "app",
        "state": "ACTIVE",
        "set_at": NOON,
    },
    "mirror_balance": {
        "account_id": A,
        "booked": 5,
        "held": 0,
        "available": 5,
        "version": 1,
    },
    "mirror_cursor": {
        "account_id": A,
        "polled_at": NOON,
        "begun_at": NOON,
        "whole": True,
        "digest": b"d",
    },
    "mirror_transaction": {
        "account_id": A,
        "core_id": B,
        "id": C,
        "status": "BOOKED",
        "kind": "TRANSFER",
        "direction": "IN",
        "amount": 5,
        "rail": "INTERNAL",
        "search": "",
        "core_at": NOON,
        "created_at": NOON,
    },
    "mirror_words": {"op_id": A, "root": A, "rail": "INTERNAL", "at": NOON},
    "push_dispatch": {
        "id": A,
        "customer_id": B,
        "device_id": C,
        "address_id": A,
        "notification_id": A,
        "seq": 1,
        "category": "MONEY_IN",
        "thread": "t",
        "priority": "HIGH",
        "due_at": NOON,
        "expires_at": LATER,
        "state": "QUEUED",
    },
}


@pytest.fixture
async def filled(settings: Settings, clock: StoppedClock, vault: Vault) -> Settings:
    """Give a bank in which a payment was made, closed, with rows in the rest too."""
    async with database.open_database(settings):
        log.open_log(clock, lambda _announcement: None)
        async with open_bank(settings, clock, vault) as bank:
            await one_payment(bank)
        await database.transaction(the_rest, name="test")
        assert await broken_proofs() == []
    return settings


async def one_payment(bank: Bank) -> None:
    """Let Asha pay Ben, and hold some money of hers."""
    asha, ben = await bank.a_customer("Asha Rao"), await bank.a_customer("Ben Okafor")
    current = await bank.an_account(asha, 100_000)
    savings, bens = await bank.an_account(asha), await bank.an_account(ben)
    phone = await bank.a_phone(asha)
    town = Town(
        bank=bank,
        asha=phone,
        current=current,
        savings=savings,
        ben=await bank.a_phone(ben),
        bens=bens,
        payee=await bank.a_payee(phone, bens),
    )
    await bank.pay(phone, town.to_ben(500))
    op, text = OpRef(uuid7(), bytes(32)), Narrative(memo="Hold", payment=uuid7())
    assert isinstance(await bank.core.hold(op, current.ref, inr(100), text), Ok)


async def the_rest(tx: Tx) -> None:
    """Write a row into each table that is empty."""
    for table, row in ROWS.items():
        if (await tx.one(f"SELECT 1 AS one FROM {table}")) is None:  # noqa: S608  -- our own names
            await tx.rows(
                f"INSERT INTO {table} ({', '.join(row)}) "  # noqa: S608  -- same
                f"VALUES {database.placeholders(1, len(row))}",
                *row.values(),
            )
    await tx.rows(
        "INSERT INTO quick_balance_optin (device_id, account_id, customer_id) "
        "SELECT $1, id, customer_id FROM account",
        A,
    )


def counts(settings: Settings) -> dict[str, object]:
    """Count the rows of every table there is."""
    names = sorted(tables(settings) - OF_ALL_STEPS)
    each = (f"SELECT '{name}', count(*) FROM {name}" for name in names)  # noqa: S608  -- same
    return {str(name): count for name, count in ask(settings, " UNION ALL ".join(each))}


async def test_every_table_has_a_row_before_the_walk(filled: Settings) -> None:
    assert [table for table, count in counts(filled).items() if not count] == []


@pytest.mark.slow
async def test_each_step_down_and_up_keeps_rows_and_every_guard(
    filled: Settings,
) -> None:
    whole, before = catalogue(filled), counts(filled)

    for step, lower in reversed(list(enumerate(STEPS[:-1], start=1))):
        assert await upgrade.migrate(filled, target=lower) == STEPS[: step - 1 : -1]
        left = counts(filled)
        assert left == {table: before[table] for table in left}
        assert await upgrade.migrate(filled) == STEPS[step:]

        assert catalogue(filled) == whole
        assert guards_wanted(filled) <= whole
        await upgrade.require_head(filled)
        again = counts(filled)
        assert {table: again[table] for table in left} == left
