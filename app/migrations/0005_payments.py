"""Tables of the payments room: payments, their operations and steps, payees."""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

TYPES = {
    "sqlite": {
        "uuid": "CHAR(36)",
        "instant": "TIMESTAMP",
        "bytes": "BLOB",
        "bool": "INT",
        "no": "0",
    },
    "postgres": {
        "uuid": "UUID",
        "instant": "TIMESTAMPTZ",
        "bytes": "BYTEA",
        "bool": "BOOLEAN",
        "no": "FALSE",
    },
}

TABLES = {
    "payment": """
        id {uuid} NOT NULL PRIMARY KEY,
        customer_id {uuid} NOT NULL,
        from_account_id {uuid} NOT NULL,
        state VARCHAR(24) NOT NULL,
        rail VARCHAR(16) NOT NULL,
        dest_kind VARCHAR(16) NOT NULL,
        dest_json TEXT NOT NULL,
        payee_key VARCHAR(120) NOT NULL,
        amount BIGINT NOT NULL,
        currency VARCHAR(3) NOT NULL,
        fee BIGINT NOT NULL,
        reference VARCHAR(35),
        note VARCHAR(140),
        payload_hash {bytes},
        challenge_id {uuid},
        quote_json TEXT,
        schedule_id {uuid},
        unsure_since {instant},
        expected_by {instant},
        not_before {instant},
        lease_by VARCHAR(64),
        lease_until {instant},
        decline_code VARCHAR(40),
        conflict {bool} NOT NULL DEFAULT {no},
        authorise_by {instant},
        failed_answers SMALLINT NOT NULL DEFAULT 0,
        idempotency_key VARCHAR(64),
        device_id {uuid},
        created_at {instant} NOT NULL,
        settled_at {instant},
        CONSTRAINT payment_state CHECK (state IN
            ('HELD_FOR_REVIEW', 'AWAITING_AUTHORISATION', 'APPROVED', 'HOLDING',
             'SUBMITTING', 'IN_FLIGHT', 'CAPTURING', 'RELEASING', 'SETTLED',
             'DECLINED', 'FAILED', 'REVERSED', 'CANCELLED', 'EXPIRED')),
        CONSTRAINT payment_rail CHECK (rail IN
            ('INTERNAL', 'IMPS', 'UPI', 'NEFT', 'RTGS', 'CARD', 'BILL',
             'SEPA_INSTANT', 'FASTER_PAYMENTS')),
        CONSTRAINT payment_dest_kind CHECK (dest_kind IN
            ('OWN_ACCOUNT', 'BENEFICIARY', 'VPA', 'BILL')),
        CONSTRAINT payment_amount CHECK (amount > 0),
        CONSTRAINT payment_fee CHECK (fee >= 0),
        CONSTRAINT payment_failed_answers CHECK (failed_answers BETWEEN 0 AND 3),
        CONSTRAINT payment_settled CHECK
            ((state IN ('SETTLED', 'REVERSED')) = (settled_at IS NOT NULL)),
        CONSTRAINT payment_lease CHECK ((lease_by IS NULL) = (lease_until IS NULL))
    """,
    "payment_op": """
        id {uuid} NOT NULL PRIMARY KEY,
        payment_id {uuid} NOT NULL REFERENCES payment (id),
        kind VARCHAR(12) NOT NULL,
        attempt SMALLINT NOT NULL,
        fingerprint {bytes} NOT NULL,
        outcome VARCHAR(8) NOT NULL,
        code VARCHAR(40),
        provider_ref VARCHAR(80),
        tries INT NOT NULL DEFAULT 0,
        next_ask_at {instant},
        first_sent_at {instant},
        resolved_at {instant},
        CONSTRAINT payment_op_kind CHECK (kind IN
            ('HOLD', 'TRANSFER', 'SUBMIT', 'CAPTURE', 'RELEASE', 'CREDIT_BACK')),
        CONSTRAINT payment_op_outcome CHECK
            (outcome IN ('PENDING', 'OK', 'REJECTED', 'UNKNOWN')),
        CONSTRAINT payment_op_resolved CHECK
            ((outcome IN ('OK', 'REJECTED')) = (resolved_at IS NOT NULL))
    """,
    "payment_step": """
        payment_id {uuid} NOT NULL REFERENCES payment (id),
        no SMALLINT NOT NULL,
        at {instant} NOT NULL,
        status VARCHAR(24) NOT NULL,
        source VARCHAR(8) NOT NULL,
        detail VARCHAR(40),
        PRIMARY KEY (payment_id, no),
        CONSTRAINT payment_step_no CHECK (no BETWEEN 1 AND 50),
        CONSTRAINT payment_step_status CHECK (status IN
            ('AWAITING_AUTHORISATION', 'HELD_FOR_REVIEW', 'SUBMITTED',
             'PENDING_CONFIRMATION', 'SETTLED', 'DECLINED', 'FAILED', 'REVERSED',
             'CANCELLED', 'EXPIRED')),
        CONSTRAINT payment_step_source CHECK (source IN
            ('CUSTOMER', 'RISK', 'CORE', 'RAIL', 'STAFF', 'CLOCK'))
    """,
    "beneficiary": """
        id {uuid} NOT NULL PRIMARY KEY,
        customer_id {uuid} NOT NULL,
        nickname VARCHAR(40) NOT NULL,
        name VARCHAR(140) NOT NULL,
        scheme VARCHAR(16) NOT NULL,
        address_enc {bytes} NOT NULL,
        address_hash {bytes} NOT NULL,
        masked VARCHAR(40) NOT NULL,
        bank_code VARCHAR(20),
        check_match VARCHAR(12),
        checked_at {instant},
        cooling_until {instant} NOT NULL,
        limit_minor BIGINT,
        favourite {bool} NOT NULL DEFAULT {no},
        last_paid_at {instant},
        deleted_at {instant},
        CONSTRAINT beneficiary_scheme CHECK (scheme IN
            ('INTERNAL', 'IMPS', 'UPI', 'NEFT', 'RTGS', 'SEPA_INSTANT',
             'FASTER_PAYMENTS')),
        CONSTRAINT beneficiary_check_match CHECK (check_match IN
            ('MATCH', 'CLOSE_MATCH', 'NO_MATCH', 'UNAVAILABLE')),
        CONSTRAINT beneficiary_limit CHECK (limit_minor >= 0)
    """,
}


async def make(_apps: object, editor: BaseSchemaEditor) -> None:
    types = TYPES[editor.client.capabilities.dialect]
    for name, columns in TABLES.items():
        sql = f"CREATE TABLE {name} ({columns.format(**types)})"
        await editor.client.execute_query(sql)


async def drop(_apps: object, editor: BaseSchemaEditor) -> None:
    for name in reversed(TABLES):
        await editor.client.execute_query(f"DROP TABLE {name}")


class Migration(Base):
    dependencies = [("bank", "0004_auth")]
    operations = [RunPython(make, drop)]
