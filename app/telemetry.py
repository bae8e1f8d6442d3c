"""Logs and metrics: one event name, facts from an allowlist, nothing secret ever.

A key that is not on the list is dropped and counted, so that a new fact in a log is a
decision and not an accident.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_FACTS = frozenset(
    """
    account adapter attempt attempts bytes cause challenge code codes component
    consumer count customer device document duration_ms env epoch error event
    exception field fields file kind level logger method ms name object op_id
    operation outcome partner path payment port process proof reason request_id
    room route rows seq session setting signal since sqlstate stage state status
    subscribers timestamp topic transaction url version where why
    """.split()  # noqa: SIM905  -- one word a line break keeps the diff of a new fact small
)

registry = CollectorRegistry()
log_keys_dropped = Counter(
    "sixpence_log_keys_dropped", "Log facts off the allowlist.", registry=registry
)
errors_total = Counter(
    "sixpence_errors", "Top-level errors by code.", ["code"], registry=registry
)
refusals_total = Counter(
    "sixpence_refusals", "Refusals by code.", ["code"], registry=registry
)
transaction_seconds = Histogram(
    "sixpence_transaction_seconds",
    "Time of a transaction by name.",
    ["name"],
    registry=registry,
)
transaction_retries = Counter(
    "sixpence_transaction_retries",
    "Transactions tried again, by sqlstate.",
    ["sqlstate"],
    registry=registry,
)
transactions_open = Gauge(
    "sixpence_transactions_open", "Shielded transactions in flight.", registry=registry
)
database_connections = Gauge(
    "sixpence_database_connections",
    "Connections to the database: open, and idle among them.",
    ["state"],
    registry=registry,
)
sockets_open = Gauge("sixpence_sockets_open", "Live sockets.", registry=registry)
socket_closes = Counter(
    "sixpence_socket_closes", "Closed sockets by code.", ["code"], registry=registry
)
counters_down = Counter(
    "sixpence_counters_down",
    "Times the shared counters did not answer; this process counts alone then.",
    registry=registry,
)
payments_moved = Counter(
    "sixpence_payments",
    "Payments by the state they reached.",
    ["state"],
    registry=registry,
)
risk_decisions = Counter(
    "sixpence_risk_decisions",
    "Payments by what the risk rules said; `why` is set when no rule could say it.",
    ["action", "why"],
    registry=registry,
)
reviews = Counter(
    "sixpence_payment_reviews",
    "Payments a person released or refused.",
    ["truth"],
    registry=registry,
)
callbacks = Counter(
    "sixpence_callbacks",
    "Calls of partners: taken, again, forged, expired, too_long.",
    ["partner", "outcome"],
    registry=registry,
)
payments_conflicts = Counter(
    "sixpence_payments_conflicts",
    "Payments of which a partner gave two different final answers.",
    registry=registry,
)
payments_unsure_oldest = Gauge(
    "sixpence_payments_unsure_oldest_seconds",
    "Age of the oldest payment whose outcome nobody knows.",
    registry=registry,
)
payments_with_staff = Gauge(
    "sixpence_payments_with_staff",
    "Payments that 48 hours of asking did not resolve.",
    registry=registry,
)
idempotency_replays = Counter(
    "sixpence_idempotency_replays",
    "Calls answered from an earlier one.",
    ["operation"],
    registry=registry,
)
coherent = Gauge(
    "sixpence_coherent", "1 while a proof holds, else 0.", ["proof"], registry=registry
)
operations_total = Counter(
    "sixpence_operations", "GraphQL operations by kind.", ["kind"], registry=registry
)
documents_refused = Counter(
    "sixpence_documents_refused",
    "Documents refused, by why.",
    ["why"],
    registry=registry,
)
events_recorded = Counter(
    "sixpence_events_recorded",
    "Events written to the log, by type.",
    ["type"],
    registry=registry,
)
hub_lag = Histogram(
    "sixpence_hub_lag_seconds",
    "From the fact to the readers of this process; every eighth is taken.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 15),
    registry=registry,
)
slow_replays = Counter(
    "sixpence_slow_replays",
    "Reads of the log for live readers whom the tail ran away from.",
    registry=registry,
)
hub_reads = Counter(
    "sixpence_hub_reads",
    "Reads of the event log by cause.",
    ["cause"],
    registry=registry,
)
projector_fallbacks = Counter(
    "sixpence_projector_fallback",
    "Events of a subscription that graphql-core had to do, by why.",
    ["why"],
    registry=registry,
)
plan_fallbacks = Counter(
    "sixpence_plan_fallback",
    "Queries that graphql-core had to run, by why.",
    ["why"],
    registry=registry,
)
hub_lost_hints = Counter(
    "sixpence_hub_lost_hints",
    "Changes that the safety poll found and no hint told; alarm above one a minute.",
    registry=registry,
)
hub_watches = Gauge(
    "sixpence_hub_watches",
    "Customers whose stream somebody follows.",
    registry=registry,
)
bus_up = Gauge(
    "sixpence_bus_up", "1 while hints of others are heard.", registry=registry
)
bus_reconnects = Counter(
    "sixpence_bus_reconnects",
    "Times hints may have been lost and every stream was looked at again.",
    registry=registry,
)
revocation_seconds = Histogram(
    "sixpence_revocation_seconds",
    "From the end of a session in another process to the end of its sockets here.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 5),
    registry=registry,
)
stream_resumes = Counter(
    "sixpence_stream_resumes", "Resumes by verdict.", ["verdict"], registry=registry
)
announcer_dropped = Counter(
    "sixpence_announcer_dropped", "Hints dropped; the poll repairs.", registry=registry
)
event_work_oldest = Gauge(
    "sixpence_event_work_oldest_seconds",
    "Age of the oldest due work row by consumer; alarm above 30.",
    ["consumer"],
    registry=registry,
)
event_work_parked = Counter(
    "sixpence_event_work_parked",
    "Work rows given up after 24 hours; alarm above 0.",
    ["consumer"],
    registry=registry,
)
push_outcomes = Counter(
    "sixpence_push_outcomes",
    "Answers of push providers; alarm when outcome CONFIG grows.",
    ["provider", "outcome"],
    registry=registry,
)
push_latency = Histogram(
    "sixpence_push_latency_seconds",
    "From the fact to the provider's acceptance.",
    buckets=(0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 60, 600),
    registry=registry,
)
push_due_oldest = Gauge(
    "sixpence_push_due_oldest_seconds",
    "Age of the oldest due push.",
    registry=registry,
)
addresses_pruned = Counter(
    "sixpence_addresses_pruned",
    "Push addresses given up by reason.",
    ["reason"],
    registry=registry,
)


# What the database says about values: PostgreSQL tells the whole row after DETAIL, its
# driver the argument that did not fit. It ends where a chain's next failure begins.
_VALUES = re.compile(
    r"(DETAIL:|invalid input for query argument \$\d+:).*?"
    r"(?=\n[\s|+-]*(?:Traceback|During handling|The above exception)|\Z)",
    re.DOTALL,
)


def _without_values(
    _logger: object, _method: str, facts: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Cut names and notes of customers out of what the database complains about."""
    for key in ("exception", "cause", "error"):
        told = facts.get(key)
        if isinstance(told, str):
            facts[key] = _VALUES.sub(r"\1 [cut]", told)
    return facts


def _allow(
    _logger: object, _method: str, facts: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key in [key for key in facts if key not in _FACTS]:
        del facts[key]
        log_keys_dropped.inc()
    return facts


def configure(form: str = "console", level: str = "info") -> None:
    """Send logs to stderr, as lines for people or as JSON. Called once at start."""
    # The library's own tracebacks for people show every local value: never here.
    plain = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        exception_formatter=structlog.dev.plain_traceback,
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_values,
            _allow,
            structlog.processors.JSONRenderer() if form == "json" else plain,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            getattr(logging, level.upper())
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # At DEBUG the ORM and SQLite's driver print the values of every statement.
    for library in ("tortoise.db_client", "tortoise", "aiosqlite"):
        logging.getLogger(library).setLevel(logging.INFO)
    # These print the URLs and headers of what we ask: addresses and tokens stand there.
    for library in ("httpx", "httpcore", "hpack"):
        logging.getLogger(library).setLevel(logging.WARNING)


log: structlog.stdlib.BoundLogger = structlog.get_logger()
