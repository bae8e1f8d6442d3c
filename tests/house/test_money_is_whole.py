"""No float ever meets money: in app a float is seconds or a share, and says so."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.tree import called, files, named, nodes

# Files whose floats are seconds, shares of answers or times between tries.
SECONDS_AND_SHARES = {
    "app/auth/revocations.py",  # seconds until an end was known
    "app/clock.py",  # an offset in seconds
    "app/complaints.py",  # waits between tries
    "app/demo.py",  # waits for the outside world
    "app/engines.py",  # longest wait for a connection
    "app/integrations/breaker.py",  # share of failed calls, seconds
    "app/integrations/counters/__init__.py",  # when the store is asked again
    "app/integrations/http.py",  # time-outs
    "app/integrations/push/apns/answers.py",  # rests of the provider, an instant
    "app/integrations/push/apns/sender.py",  # deadlines
    "app/integrations/push/fcm/answers.py",  # rests of the provider
    "app/integrations/push/fcm/sdk.py",  # life of a token
    "app/integrations/push/fcm/sender.py",  # deadlines
    "app/main.py",  # waits at the end
    "app/notifications/delivery.py",  # waits, seconds of life
    "app/notifications/due.py",  # age of a push
    "app/notifications/outcomes.py",  # pauses between tries
    "app/payments/limit_texts.py",  # hours in a sentence
    "app/payments/payee_check.py",  # how alike two names are
    "app/realtime/admission.py",  # tokens of a bucket refill by the second
    "app/realtime/dispatch.py",  # pauses between tries
    "app/realtime/newest.py",  # seconds until the next look
    "app/realtime/receipts.py",  # pauses between writes
    "app/realtime/relay.py",  # pauses between looks
    "app/realtime/sockets.py",  # spread of the pings
    "app/realtime/stream.py",  # seconds since the last read
    "app/schema/transport/http.py",  # weights of media types
    "app/schema/transport/packing.py",  # weights of encodings
    "app/schema/transport/weights.py",  # both
    "app/schema/transport/socket.py",  # a bucket for messages
    "app/settings.py",  # settings in seconds
    "app/access.py",  # same
    "app/status/health.py",  # share of good answers
    "app/status/pushes.py",  # how long a batch took
    "app/status/reports.py",  # share of good answers
    "app/telemetry.py",  # buckets of seconds
    "app/worker.py",  # pauses between rounds
}
SECONDS = ("_s", "_S")
MONEY = ("minor", "amount", "booked", "available", "held", "balance", "money", "fee")


def floats(file: Path) -> Iterator[ast.AST]:
    """Find float literals, `float(...)` and true division."""
    for node in nodes(file):
        if (
            (isinstance(node, ast.Constant) and isinstance(node.value, float))
            or (isinstance(node, ast.Call) and called(node) in {"float", "round"})
            or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div))
            or (isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div))
        ):
            yield node


def is_path(node: ast.AST) -> bool:
    """Tell whether a division joins paths: one side is text or a Path."""
    return isinstance(node, ast.BinOp) and any(
        isinstance(side, ast.JoinedStr)
        or (isinstance(side, ast.Constant) and isinstance(side.value, str))
        or "Path" in ast.dump(side)
        or (isinstance(side, ast.Name) and side.id.lower().endswith(("folder", "name")))
        for side in (node.left, node.right)
    )


def seconds_of(file: Path) -> set[int]:
    """Give the lines that name a time: `interval_s = 0.25`, `wait_s: float = 10.0`."""
    lines = file.read_text().splitlines()
    return {
        number
        for number, line in enumerate(lines, 1)
        if any(f"{mark}{end}" in line for mark in SECONDS for end in " =:,).")
    }


def test_no_float_is_near_money() -> None:
    found = [
        f"{named(file)}:{getattr(node, 'lineno', 0)}"
        for file in files("app")
        if named(file) not in SECONDS_AND_SHARES
        for node in floats(file)
        if not is_path(node) and getattr(node, "lineno", 0) not in seconds_of(file)
    ]

    assert found == []


def test_no_amount_is_divided_or_made_a_float_anywhere() -> None:
    found = []
    for file in files("app", "sandbox", "mock_mobile_client"):
        for node in floats(file):
            names = {
                part.id.lower() if isinstance(part, ast.Name) else part.attr.lower()
                for part in ast.walk(node)
                if isinstance(part, (ast.Name, ast.Attribute))
            }
            if any(word in name for name in names for word in MONEY):
                found.append(f"{named(file)}:{getattr(node, 'lineno', 0)}")

    assert found == []


def test_no_column_of_a_table_is_a_float() -> None:
    for file in files("app", migrations=True):
        if "migrations" in file.parts:
            text = file.read_text().upper()
            for word in ("REAL", "FLOAT", "DOUBLE", "NUMERIC", "DECIMAL"):
                assert f" {word}" not in text, named(file)
