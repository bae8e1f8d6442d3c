"""The auth room: customers, their phones, what they prove and where they signed in."""

from tortoise.migrations.migration import Migration as Base
from tortoise.migrations.operations import RunPython
from tortoise.migrations.schema_editor.base import BaseSchemaEditor

TYPES = {
    "sqlite": {
        "uuid": "CHAR(36)",
        "instant": "TIMESTAMP",
        "bytes": "BLOB",
        "bool": "INT",
    },
    "postgres": {
        "uuid": "UUID",
        "instant": "TIMESTAMPTZ",
        "bytes": "BYTEA",
        "bool": "BOOLEAN",
    },
}

TABLES = {
    "customer": """
        id {uuid} NOT NULL PRIMARY KEY,
        handle {bytes} NOT NULL,
        name_sealed {bytes} NOT NULL,
        phone_lookup {bytes} NOT NULL,
        phone_key_id SMALLINT NOT NULL,
        phone_sealed {bytes} NOT NULL,
        number_lookup {bytes} NOT NULL,
        number_key_id SMALLINT NOT NULL,
        number_sealed {bytes} NOT NULL,
        status VARCHAR(24) NOT NULL DEFAULT 'ACTIVE',
        blocked_until {instant},
        block_step INT NOT NULL DEFAULT 0,
        recovery_failed INT NOT NULL DEFAULT 0,
        recovery_paused_until {instant},
        locale VARCHAR(35) NOT NULL,
        created_at {instant} NOT NULL,
        CONSTRAINT customer_status CHECK
            (status IN ('ACTIVE', 'LOCKED_BY_CUSTOMER', 'HARD_LOCKED',
                        'BLOCKED_BY_STAFF'))
    """,
    "device": """
        id {uuid} NOT NULL PRIMARY KEY,
        customer_id {uuid} NOT NULL,
        jkt VARCHAR(43) NOT NULL,
        jwk TEXT NOT NULL,
        platform VARCHAR(8) NOT NULL,
        model VARCHAR(64),
        name VARCHAR(64) NOT NULL,
        app_version VARCHAR(32),
        attestation VARCHAR(8) NOT NULL,
        attestation_summary TEXT,
        attestation_until {instant},
        attest_key TEXT,
        attest_counter BIGINT,
        state VARCHAR(8) NOT NULL,
        lock_reason VARCHAR(16),
        lock_before VARCHAR(8),
        locked_by {uuid},
        cooling_until {instant},
        cooling_profile VARCHAR(16),
        bound_at {instant} NOT NULL,
        bound_from VARCHAR(64),
        first_factor_until {instant},
        last_seen_at {instant},
        failed INT NOT NULL DEFAULT 0,
        bio_jkt VARCHAR(43),
        bio_jwk TEXT,
        bio_failed INT NOT NULL DEFAULT 0,
        bio_paused_until {instant},
        bio_full_from {instant},
        CONSTRAINT device_platform CHECK (platform IN ('IOS', 'ANDROID', 'WEB')),
        CONSTRAINT device_attestation CHECK
            (attestation IN ('NONE', 'BASIC', 'STRONG')),
        CONSTRAINT device_state CHECK
            (state IN ('COOLING', 'ACTIVE', 'LOCKED', 'REVOKED')),
        CONSTRAINT device_lock_reason CHECK
            (lock_reason IN ('FAILURES', 'SUSPENDED', 'REPLACED', 'PANIC', 'STAFF')),
        CONSTRAINT device_lock CHECK ((state = 'LOCKED') = (lock_reason IS NOT NULL)),
        CONSTRAINT device_failed CHECK (failed BETWEEN 0 AND 10),
        CONSTRAINT device_two_keys CHECK (bio_jkt IS NULL OR jkt <> bio_jkt)
    """,
    "mpin_secret": """
        device_id {uuid} NOT NULL PRIMARY KEY,
        sealed {bytes},
        kdf VARCHAR(80) NOT NULL,
        failed INT NOT NULL DEFAULT 0,
        state VARCHAR(8) NOT NULL,
        set_at {instant} NOT NULL,
        full_from {instant} NOT NULL,
        CONSTRAINT mpin_state CHECK (state IN ('ACTIVE', 'LOCKED')),
        CONSTRAINT mpin_failed CHECK (failed BETWEEN 0 AND 5),
        CONSTRAINT mpin_erased CHECK ((state = 'LOCKED') = (sealed IS NULL))
    """,
    "activation_code": """
        id {uuid} NOT NULL PRIMARY KEY,
        customer_id {uuid} NOT NULL,
        kind VARCHAR(12) NOT NULL,
        mac {bytes} NOT NULL,
        key_id SMALLINT NOT NULL,
        tries INT NOT NULL DEFAULT 0,
        issued_by VARCHAR(64) NOT NULL,
        issued_at {instant} NOT NULL,
        expires_at {instant} NOT NULL,
        used_at {instant},
        CONSTRAINT activation_kind CHECK (kind IN ('ACTIVATION', 'RESET')),
        CONSTRAINT activation_tries CHECK (tries BETWEEN 0 AND 10)
    """,
    "otp_code": """
        id {uuid} NOT NULL PRIMARY KEY,
        enrolment_id {uuid} NOT NULL,
        code_mac {bytes} NOT NULL,
        key_id SMALLINT NOT NULL,
        attempts INT NOT NULL DEFAULT 0,
        sent_at {instant} NOT NULL,
        expires_at {instant} NOT NULL,
        used_at {instant},
        CONSTRAINT otp_attempts CHECK (attempts >= 0)
    """,
    "sms_message": """
        id {uuid} NOT NULL PRIMARY KEY,
        to_sealed {bytes},
        text_sealed {bytes},
        expires_at {instant} NOT NULL,
        due_at {instant} NOT NULL,
        attempts INT NOT NULL DEFAULT 0,
        lease_until {instant},
        sent_at {instant},
        CONSTRAINT sms_erased CHECK ((sent_at IS NOT NULL) = (text_sealed IS NULL))
    """,
    "enrolment": """
        id {uuid} NOT NULL PRIMARY KEY,
        phone_lookup {bytes} NOT NULL,
        phone_key_id SMALLINT NOT NULL,
        customer_id {uuid},
        platform VARCHAR(8) NOT NULL,
        model VARCHAR(64),
        app_version VARCHAR(32),
        state VARCHAR(16) NOT NULL,
        code_first {bool} NOT NULL,
        proof_kind VARCHAR(16),
        proof_ref {uuid},
        proof_mac {bytes},
        proof_key_id SMALLINT,
        nonce_hash {bytes},
        attempts INT NOT NULL DEFAULT 0,
        source VARCHAR(64) NOT NULL,
        device_id {uuid},
        created_at {instant} NOT NULL,
        expires_at {instant} NOT NULL,
        CONSTRAINT enrolment_state CHECK
            (state IN ('STARTED', 'PHONE_PROVEN', 'IDENTITY_PROVEN', 'DONE', 'DEAD')),
        CONSTRAINT enrolment_attempts CHECK (attempts >= 0),
        CONSTRAINT enrolment_bound CHECK ((state = 'DONE') = (device_id IS NOT NULL))
    """,
    "challenge": """
        id {uuid} NOT NULL PRIMARY KEY,
        purpose VARCHAR(16) NOT NULL,
        customer_id {uuid} NOT NULL,
        device_id {uuid} NOT NULL,
        session_id {uuid},
        subject VARCHAR(64),
        nonce {bytes} NOT NULL,
        payload TEXT NOT NULL,
        payload_hash {bytes} NOT NULL,
        intent_hash {bytes},
        allowed VARCHAR(64) NOT NULL,
        step VARCHAR(8) NOT NULL DEFAULT 'PERSON',
        attempts INT NOT NULL DEFAULT 0,
        state VARCHAR(12) NOT NULL,
        answer_hash {bytes},
        outcome_sealed {bytes},
        outcome_until {instant},
        created_at {instant} NOT NULL,
        expires_at {instant} NOT NULL,
        evidence TEXT,
        CONSTRAINT challenge_purpose CHECK
            (purpose IN ('login', 'payment', 'step-up', 'login-approval')),
        CONSTRAINT challenge_step CHECK (step IN ('PERSON', 'TOTP')),
        CONSTRAINT challenge_state CHECK
            (state IN ('PENDING', 'APPROVED', 'CONSUMED', 'CANCELLED', 'FAILED')),
        CONSTRAINT challenge_attempts CHECK (attempts BETWEEN 0 AND 3)
    """,
    "session": """
        id {uuid} NOT NULL PRIMARY KEY,
        customer_id {uuid} NOT NULL,
        device_id {uuid} NOT NULL,
        jkt VARCHAR(43) NOT NULL,
        seed {bytes} NOT NULL,
        key_id SMALLINT NOT NULL,
        generation INT NOT NULL DEFAULT 0,
        rotated_at {instant},
        created_at {instant} NOT NULL,
        last_active_at {instant} NOT NULL,
        absolute_end {instant} NOT NULL,
        ended_at {instant},
        ended_reason VARCHAR(16),
        alerted_at {instant},
        amr VARCHAR(32) NOT NULL,
        ip VARCHAR(64) NOT NULL,
        agent VARCHAR(200),
        CONSTRAINT session_generation CHECK (generation >= 0),
        CONSTRAINT session_end CHECK ((ended_at IS NULL) = (ended_reason IS NULL))
    """,
    "signing_key": """
        kid VARCHAR(32) NOT NULL PRIMARY KEY,
        sealed_private {bytes} NOT NULL,
        public_jwk TEXT NOT NULL,
        state VARCHAR(8) NOT NULL,
        made_at {instant} NOT NULL,
        CONSTRAINT signing_key_state CHECK (state IN ('NEXT', 'CURRENT', 'RETIRED'))
    """,
}


async def make(_apps: object, editor: BaseSchemaEditor) -> None:
    for name, columns in TABLES.items():
        sql = f"CREATE TABLE {name} ({columns.format(**TYPES[editor.client.capabilities.dialect])})"
        await editor.client.execute_query(sql)


async def drop(_apps: object, editor: BaseSchemaEditor) -> None:
    for name in reversed(TABLES):
        await editor.client.execute_query(f"DROP TABLE {name}")


class Migration(Base):
    dependencies = [("bank", "0003_accounts")]
    operations = [RunPython(make, drop)]
