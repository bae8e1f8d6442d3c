"""Every setting once, with `access.py` and `limits.py`: name, type, default, sentence.

Wrong ones stop the start. All names have the prefix `SIXPENCE_`; an unknown one stops
the start with the nearest known name. Secrets come as files. `docs/settings.md` is made
from these files.
"""

import difflib
import os
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import SettingsConfigDict

from app.access import Access
from app.limits import Limits
from app.written import Words, is_within

PREFIX = "SIXPENCE_"
# An adapter owns its own block: prefix, folder, file. Its Settings class checks it.
_ADAPTER_BLOCKS = (
    *("CORE_BANKING_", "RAILS_", "SMS_", "IDENTITY_", "COUNTERS_"),
    *("FRAUD_RULES_", "PUSH_APNS_", "PUSH_CONSOLE_", "PUSH_FCM_"),
)


class Misconfigured(Exception):
    """The settings do not fit together; the message is one sentence with the fix."""


class Environment(StrEnum):
    """Where this process runs; production refuses what the others allow."""

    DEMO = "demo"
    TEST = "test"
    PRODUCTION = "production"


class Settings(Access, Limits):
    """What a deployment may choose. Units stand in the names: `_S` is seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    # ---- base
    env: Environment = Field(Environment.DEMO, description="demo, test or production.")
    host: str = Field("127.0.0.1", description="Address the server binds.")
    port: int = Field(8000, description="Port the server binds.", ge=0, le=65535)
    public_url: str = Field(
        "http://localhost:8000",
        description="URL the phones call, no path; DPoP `htu` is compared with it.",
    )
    allowed_origins: Words = Field(
        (), description="Browser origins for the socket and CORS, besides our own."
    )
    trusted_proxies: int = Field(
        0, description="Hops of X-Forwarded-For that are ours and count.", ge=0
    )
    bank_code: str = Field(
        "SIXP0000001",
        description="What payers need besides a number: our IFSC, BIC or sort code.",
        max_length=16,
    )
    business_tz: str = Field(
        "Asia/Kolkata", description="IANA zone in which bank days turn."
    )
    clock_offset_file: Path | None = Field(
        None, description="File with seconds added to the clock; demo and test only."
    )
    demo_customers: int = Field(
        3, description="Customers the demo seed makes.", ge=3, le=100_000
    )
    sandbox_port: int = Field(
        8001, description="Port of the outside world in the demo.", ge=0, le=65535
    )
    min_app_version: str = Field(
        "0.0.0", description="Oldest app version that may sign in."
    )
    latest_app_version: str = Field(
        "1.0.0", description="App version that is in the stores."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="json in production."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least level that is written."
    )
    lb_delay_s: float = Field(
        5.0,
        description="Wait at shutdown until the balancer has seen /readyz fail; demo "
        "and test: 0.",
    )
    shutdown_jitter_s: float = Field(
        15.0, description="Longest spread of the phones' ends at shutdown, and returns."
    )
    drain_s: float = Field(
        20.0, description="Wait for open transactions at shutdown, seconds."
    )

    # ---- data
    database_url: str = Field(
        "sqlite://.sixpence/bank.db",
        description="sqlite://FILE or postgres://USER@HOST/NAME?sslmode=verify-full.",
        repr=False,
    )
    database_password_file: Path | None = Field(
        None, description="PostgreSQL: file with the password, read per connection."
    )
    database_synchronous: Literal["FULL", "NORMAL", "OFF"] = Field(
        "FULL", description="SQLite only: OFF is for tests, never for money."
    )
    database_wait_s: float = Field(
        10.0, description="SQLite: longest wait for the connection that writes, s."
    )
    database_pool_wait_s: float = Field(
        2.0, description="PostgreSQL: longest wait for a connection, seconds."
    )
    database_pool_min: int = Field(
        2, description="PostgreSQL: connections kept open.", ge=0, le=100
    )
    database_pool_max: int = Field(
        10, description="PostgreSQL: connections per process.", ge=1, le=100
    )
    bus_url: str = Field(
        "memory://",
        description="Where hints travel: memory:// in one process; redis:// or "
        "rediss:// of a Valkey or Redis.",
        repr=False,
    )

    # ---- partners, by the name of the adapter's file
    core_banking: str = Field("embedded", description="Adapter of the core bank.")
    rails: Words = Field(("on_us", "imps"), description="Rails, in order of choice.")
    sms: str = Field("http", description="Adapter that sends text messages.")
    identity: str = Field("embedded", description="Adapter of the identity proof.")
    counters: str = Field(
        "memory", description="Where rates and used proofs are counted."
    )
    redis_url: SecretStr | None = Field(
        None, description="redis:// or rediss:// URL of shared counters."
    )

    # ---- risk
    fraud: str = Field("rules", description="Adapter that judges payments.")
    fraud_deadline_s: float = Field(0.15, description="Wait for it, seconds.", gt=0)
    review_s: int = Field(
        86400,
        description="Longest wait for a review, and then for its customer, seconds.",
        gt=0,
    )

    # ---- push
    push: Words = Field(
        ("fcm", "apns"),
        description="Adapters that reach phones, each for its addresses.",
    )
    push_ack_window_s: float = Field(
        3.0, description="Wait for a live phone before it is pushed to, seconds.", ge=0
    )
    push_show_amounts: bool = Field(
        default=False,
        description="Whether a customer may let a locked phone show amounts.",
    )

    # ---- documents
    documents: Literal["open", "trusted"] = Field(
        "open",
        description="open runs any document; trusted, the default of production, runs "
        "those on the lists.",
    )
    documents_dir: Path = Field(
        Path("app/schema/documents"),
        description="Folder of the lists, one per app version; a relative one starts "
        "at the clone.",
    )
    introspection: bool = Field(
        default=True,
        description="Whether schema queries are answered; not in production.",
    )
    query_plans: bool = Field(
        default=True,
        description="Whether queries run by compiled plans. Off, graphql-core runs "
        "them all, more slowly: should an answer ever be wrong.",
    )

    # ---- keys
    sealing_keys_file: Path | None = Field(
        None, description="Lines `id base64(32 bytes)`; the first seals, all open."
    )
    pepper_file: Path | None = Field(
        None, description="Lines `id base64(32 bytes)`; the first is current."
    )

    # ---- audit
    audit_anchor_file: Path | None = Field(
        None, description="A worker adds hourly audit seals; never on the database."
    )

    # ---- stream and sockets
    event_retention_days: int = Field(14, description="Days events are kept.", ge=7)
    replay_max: int = Field(500, description="Most events a resume replays.")
    poll_s: float = Field(15.0, description="Each watch looks at its head this often.")
    sockets_max: int = Field(10000, description="Sockets per process.")
    sockets_anonymous_max: int = Field(
        500, description="Sockets per process that have not signed in."
    )
    sockets_per_device: int = Field(2, description="Sockets per device.")
    socket_operations: int = Field(10, description="Live operations per socket.")
    socket_admit_per_s: int = Field(250, description="Sockets admitted per second.")
    socket_init_s: float = Field(10.0, description="Wait for connection_init.")
    socket_ping_s: float = Field(25.0, description="Silence before we ping, seconds.")
    socket_pong_s: float = Field(20.0, description="Silence after a ping, seconds.")
    socket_stall_s: float = Field(10.0, description="A reader that does not read.")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.env is Environment.PRODUCTION:
            if "documents" not in self.model_fields_set:
                object.__setattr__(self, "documents", "trusted")
            _refuse_unsafe(self)
        elif self.clock_offset_file is None and self.env is Environment.DEMO:
            object.__setattr__(self, "clock_offset_file", Path(".sixpence/clock"))
        if not urlsplit(self.public_url).hostname or urlsplit(self.public_url).path:
            raise ValueError("PUBLIC_URL is a scheme and a host, without a path")
        return self


def _refuse_unsafe(chosen: Settings) -> None:
    """Say every setting that production does not allow, in one sentence."""
    rules = {
        "PUBLIC_URL must be https": not chosen.public_url.startswith("https://"),
        "SEALING_KEYS_FILE must be given": chosen.sealing_keys_file is None,
        "PEPPER_FILE must be given": chosen.pepper_file is None,
        "ATTESTATION may not be off": chosen.attestation == "off",
        "ACTIVATION_REUSABLE may not be on": chosen.activation_reusable,
        "CLOCK_OFFSET_FILE may not be set": chosen.clock_offset_file is not None,
        "LIMIT_FACTOR must be 1": chosen.limit_factor != 1,
        "IDLE_S may not pass 300": chosen.idle_s > 300,  # noqa: PLR2004  -- PSD2 RTS Art. 4
        "INTROSPECTION must be off": chosen.introspection,
        "DOCUMENTS must be trusted": chosen.documents != "trusted",
        "COUNTERS may not be memory beside a shared BUS_URL": (
            chosen.counters == "memory" and not chosen.bus_url.startswith("memory:")
        ),
        "DATABASE_SYNCHRONOUS must be FULL": chosen.database_synchronous != "FULL",
        "DATABASE_URL may hold no password: give DATABASE_PASSWORD_FILE": bool(
            urlsplit(chosen.database_url).password
        ),
        "DEMO_CUSTOMERS may not be set": "demo_customers" in chosen.model_fields_set,
        "WEBAUTHN_RP_ID must be the host of PUBLIC_URL or a domain above it": (
            not is_within(urlsplit(chosen.public_url).hostname, chosen.webauthn_rp_id)
        ),
    }
    broken = [sentence for sentence, wrong in rules.items() if wrong]
    if broken:
        raise ValueError("production: " + "; ".join(broken))


def load(**chosen: object) -> Settings:
    """Read the settings from the environment; `chosen` ones win.

    In demo and test rates are a thousand times wider, activation codes work again, no
    balancer is waited for and the risk rules may be slow, unless the environment says
    otherwise.

    Raises:
        Misconfigured: an unknown name, a wrong value or an unsafe combination.
    """
    _refuse_unknown()
    try:
        found = Settings(**chosen)  # type: ignore[arg-type]  # values are checked by pydantic
        if found.env is not Environment.PRODUCTION:
            relaxed = {
                "limit_factor": 1000,
                "activation_reusable": True,
                "lb_delay_s": 0,
                "fraud_deadline_s": 5,
            }
            missing = relaxed.keys() - found.model_fields_set
            if missing:
                chosen = {name: relaxed[name] for name in missing} | chosen
                found = Settings(**chosen)  # type: ignore[arg-type]  # same
    except ValidationError as wrong:
        raise Misconfigured(_sentence(wrong)) from None
    return found


def offer(name: str, value: str) -> None:
    """Give an adapter's setting a value unless the environment has one."""
    os.environ.setdefault(PREFIX + name, value)


def source_of(name: str) -> str:
    """Tell where a setting's value comes from: environment or default."""
    return "environment" if PREFIX + name.upper() in os.environ else "default"


def _refuse_unknown() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name in os.environ:
        if not name.startswith(PREFIX) or name in known:
            continue
        if any(name.startswith(PREFIX + block) for block in _ADAPTER_BLOCKS):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise Misconfigured(f"unknown setting {name}{hint}")


def _sentence(wrong: ValidationError) -> str:
    parts = []
    for fault in wrong.errors(include_input=False, include_url=False):
        name = ".".join(str(step) for step in fault["loc"])
        where = f"{PREFIX}{name.upper()}: " if name else ""
        parts.append(where + fault["msg"].removeprefix("Value error, "))
    return "; ".join(parts)
