"""What an attacker sends: bytes and headers as he likes, without the phone's care."""

import base64
import json
from typing import Any

import httpx
import orjson

from mock_mobile_client.api import encode
from mock_mobile_client.dpop import Covered, make_proof
from mock_mobile_client.keys import DeviceKey
from mock_mobile_client.lines import line
from mock_mobile_client.phone import Phone
from mock_mobile_client.signing import b64url

TIMEOUT_S = 30.0
ME = encode("{ me { id } }", {})


async def post(
    door: str, body: bytes, token: str | None = None, proof: str | None = None
) -> httpx.Response:
    """Send these bytes to a door, with what was stolen or made."""
    headers = {"content-type": "application/json"}
    if token is not None:
        headers["authorization"] = f"DPoP {token}"
    if proof is not None:
        headers["dpop"] = proof
    async with line(door, TIMEOUT_S) as client:
        return await client.post(f"{door}/graphql", content=body, headers=headers)


def proof_for(
    phone: Phone, body: bytes, token: str | None = None, key: DeviceKey | None = None
) -> str:
    """Make a proof over these bytes, by the phone's key or another."""
    covered = Covered("POST", phone.handset.api.endpoint, body, token)
    return make_proof(key or phone.handset.key, covered, phone.handset.setting.clock())


def code_of(answer: httpx.Response) -> str | None:
    """Read the first error's code; None where there is no error."""
    errors = answer.json().get("errors")
    return str(errors[0]["extensions"]["code"]) if errors else None


def part(text: str) -> dict[str, Any]:
    """Read one part of a token."""
    found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert isinstance(found, dict)
    return found


def written(value: object) -> str:
    """Write one part of a token."""
    return b64url(orjson.dumps(value))
