"""FCM's answers as bytes: what the sandbox does not say, and what must not pass."""

import json

import pytest

from app.integrations.push import (
    AddressDead,
    AddressSuspect,
    ConfigError,
    PayloadError,
    Retry,
    Unknown,
)
from app.integrations.push.fcm import answers
from app.integrations.push.fcm.answers import Verdict

FCM = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD = "type.googleapis.com/google.rpc.BadRequest"


def an_error(
    status: str,
    message: str = "",
    code: str | None = None,
    fields: tuple[str, ...] = (),
) -> bytes:
    details: list[dict[str, object]] = []
    if code:
        details.append({"@type": FCM, "errorCode": code})
    if fields:
        violations = [{"field": field, "description": message} for field in fields]
        details.append({"@type": BAD, "fieldViolations": violations})
    error = {"status": status, "message": message, "details": details}
    return json.dumps({"error": error}).encode()


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (
            404,
            an_error("NOT_FOUND", code="UNREGISTERED"),
            Verdict(AddressDead(), fine=True),
        ),
        (
            400,
            an_error("INVALID_ARGUMENT", "Invalid registration token", "X"),
            Verdict(AddressDead(), fine=True),
        ),
        (
            400,
            an_error("INVALID_ARGUMENT", "no", fields=("message.token",)),
            Verdict(AddressDead(), fine=True),
        ),
        (
            400,
            an_error("INVALID_ARGUMENT", "no", fields=("message.fid",)),
            Verdict(AddressDead(), fine=True),
        ),
        (
            400,
            an_error("INVALID_ARGUMENT", "fid", fields=("message.android.ttl",)),
            Verdict(PayloadError("INVALID_ARGUMENT message.android.ttl"), fine=True),
        ),
        (
            403,
            an_error("PERMISSION_DENIED", code="SENDER_ID_MISMATCH"),
            Verdict(AddressSuspect(), fine=True),
        ),
        (
            403,
            an_error("PERMISSION_DENIED"),
            Verdict(ConfigError("PERMISSION_DENIED"), fine=False),
        ),
        (404, b"<html>no such page", Verdict(ConfigError("status 404"), fine=False)),
        (
            401,
            an_error("UNAUTHENTICATED", code="APNS_AUTH_ERROR"),
            Verdict(ConfigError("THIRD_PARTY_AUTH_ERROR"), fine=False),
        ),
        (
            401,
            an_error("UNAUTHENTICATED"),
            Verdict(ConfigError("UNAUTHENTICATED"), fine=False, stranger=True),
        ),
        (408, b"", Verdict(Retry(), fine=False)),
        (500, an_error("INTERNAL"), Verdict(Retry(), fine=False)),
        (502, b"[]", Verdict(Retry(), fine=False)),
        (413, b'{"error": 5}', Verdict(PayloadError("status 413"), fine=True)),
    ],
)
def test_an_answer_has_its_verdict(status: int, body: bytes, verdict: Verdict) -> None:
    assert answers.read(status, {}, body) == verdict


@pytest.mark.parametrize(
    ("header", "pause_s"),
    [
        (None, 60.0),
        ("5", 60.0),
        ("120", 120.0),
        ("9999", 3600.0),
        ("99999", 60.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 60.0),
    ],
)
def test_a_quota_rests_at_least_a_minute_and_at_most_an_hour(
    header: str | None, pause_s: float
) -> None:
    headers = {} if header is None else {"retry-after": header}

    found = answers.read(429, headers, an_error("X", code="QUOTA_EXCEEDED"))

    assert found == Verdict(Retry(pause_s), fine=None, pause_s=pause_s)


def test_an_outage_says_when_to_come_back() -> None:
    found = answers.read(503, {"retry-after": "30"}, b"")

    assert found == Verdict(Retry(30.0), fine=False)


def test_what_an_answer_repeats_of_us_is_not_kept() -> None:
    address = "secret-address"
    body = an_error(address + "!", address, fields=(f"{address} {address}",))

    found = answers.read(400, {}, body)

    assert found == Verdict(PayloadError("status 400"), fine=True)


def test_silence_before_sending_is_no_doubt() -> None:
    assert answers.silence("x", sent=False).outcome == Retry()
    assert answers.silence("x", sent=True).outcome == Unknown("x")
