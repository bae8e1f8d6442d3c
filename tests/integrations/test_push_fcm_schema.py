"""Every message we can write, held against Google's own description of a message."""

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # ships no types
import pytest

from app.integrations.push import PushKind, PushMessage
from app.integrations.push.fcm import sdk
from tests.integrations.push_world import a_hint
from tests.sandbox.world import ROOT

PUBLISHED = json.loads((ROOT / "tests/data/fcm.v1.discovery.json").read_text())
DESCRIBES = {"description", "enumDescriptions", "deprecated", "id"}

MESSAGES = [
    a_hint("fid-1"),
    a_hint("token-1", kind=PushKind.FCM_TOKEN),
    a_hint("fid-1", high=False, collapse_key="news", thread="STATEMENT"),
    a_hint("fid-1", ttl_s=604800, environment="PRODUCTION", app_id="bank.example"),
    a_hint("fid-1", thread="x" * 65, ttl_s=0, data={}),
]


def published_schema() -> dict[str, Any]:
    """Write the discovery document's schemas as JSON Schema, unknown names refused."""
    return {
        "$ref": "#/$defs/SendMessageRequest",
        "$defs": {name: closed(part) for name, part in PUBLISHED["schemas"].items()},
    }


def closed(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in part:
        return {"$ref": f"#/$defs/{part['$ref']}"}
    found: dict[str, Any] = {k: part[k] for k in ("type", "enum") if k in part}
    if found.get("type") == "any":
        del found["type"]
    if "properties" in part:
        found["properties"] = {k: closed(v) for k, v in part["properties"].items()}
        found["additionalProperties"] = False
    if "additionalProperties" in part:
        found["additionalProperties"] = closed(part["additionalProperties"])
    if "items" in part:
        found["items"] = closed(part["items"])
    return found


def as_published(wire: Any) -> dict[str, Any]:
    """Give what the SDK would send, with names and words as the schema has them."""
    sent = json.loads(str(wire))
    android = sent["android"]
    if "collapse_key" in android:
        android["collapseKey"] = android.pop("collapse_key")
    android["priority"] = android["priority"].upper()
    return {"message": sent}


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_is_one_that_google_describes(message: PushMessage) -> None:
    body = as_published(sdk._wire(message, 1772452800))  # noqa: SLF001  -- what is sent

    jsonschema.validate(body, published_schema())


def test_the_check_would_see_a_name_that_google_does_not_know() -> None:
    body = as_published(sdk._wire(MESSAGES[0], 1772452800))  # noqa: SLF001  -- same
    body["message"]["android"]["tag"] = "pay_1"

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, published_schema())


def test_an_iphone_gets_an_alert_of_keys_and_nothing_of_the_money() -> None:
    body = as_published(sdk._wire(MESSAGES[0], 1772452800))  # noqa: SLF001  -- same

    assert body["message"]["apns"] == {
        "headers": {
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-expiration": "1772452800",
            "apns-collapse-id": "pay_1",
        },
        "payload": {
            "aps": {
                "alert": {
                    "title-loc-key": "push.money_in.title",
                    "loc-key": "push.money_in.body",
                },
                "mutable-content": 1,
            }
        },
    }
    assert "notification" not in body["message"]


def test_a_thread_that_apple_would_refuse_is_left_out() -> None:
    body = as_published(sdk._wire(MESSAGES[-1], 1772452800))  # noqa: SLF001  -- same

    assert "apns-collapse-id" not in body["message"]["apns"]["headers"]


def test_the_sandbox_checks_against_the_same_description() -> None:
    kept = json.loads((ROOT / "sandbox/fcm_messages.json").read_text())["schemas"]

    reached = {"SendMessageRequest"}
    while new := {name for part in reached for name in refs(part)} - reached:
        reached |= new
    assert kept == {name: plain(PUBLISHED["schemas"][name]) for name in reached}


def refs(name: str) -> set[str]:
    text = json.dumps(PUBLISHED["schemas"][name])
    parts = text.split('"$ref": "')[1:]
    return {part.split('"', 1)[0] for part in parts}


def plain(part: Any, *, names: bool = False) -> Any:
    """Leave out what only describes; `names` are properties, which may be called so."""
    if not isinstance(part, dict):
        return part
    return {
        key: plain(value, names=key == "properties" and not names)
        for key, value in part.items()
        if names or key not in DESCRIBES
    }
