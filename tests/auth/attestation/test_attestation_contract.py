"""Attestations over GraphQL: what a phone sends to be bound, and what it reads."""

from typing import Any, cast

import pytest

from app import database
from app.auth.actor import Platform
from app.auth.attestation import AndroidChain, Evidence
from app.bank import Bank
from app.schema.context import Context
from app.schema.root import SCHEMA
from tests.auth.attestation.test_grading import POLICIES, SOFTWARE, under
from tests.auth.attestation.vendors import android_chain, app_attestation
from tests.auth.room import Person, Phone, Room, b64u
from tests.auth.test_enrolment import bound

BIND = """mutation Bind($input: DeviceBindInput!) { deviceBind(input: $input) {
  device { attestation state } userErrors { __typename code message field } } }"""
NO = {
    "__typename": "GenericError",
    "code": "ATTESTATION_REJECTED",
    "message": "This phone could not be verified.",
    "field": None,
}


def written(evidence: Evidence | None) -> dict[str, Any]:
    """Write a statement as the contract takes it."""
    if evidence is None:
        return {"none": {"reason": "an old phone"}}
    if isinstance(evidence, AndroidChain):
        return {"androidKey": {"chain": list(evidence.certificates)}}
    whole = {"keyId": evidence.key_id, "attestationObject": evidence.statement}
    return {"appAttest": whole}


async def sent(
    phone: Phone, nonce: bytes, attestation: dict[str, Any]
) -> dict[str, Any]:
    """Bind over the contract."""
    given = {
        "bindingNonce": b64u(nonce),
        "name": "Asha's phone",
        "jwk": phone.jwk,
        "signature": phone.bind_request(nonce).signature,
        "attestation": attestation,
    }
    context = Context(cast("Bank", phone.room), await phone.as_device(), "request")
    result = await SCHEMA.execute(BIND, {"input": given}, context_value=context)
    assert not result.errors, result.errors
    assert result.data is not None
    return cast("dict[str, Any]", result.data["deviceBind"])


@pytest.mark.parametrize(
    ("policy", "none", "software"),
    [
        ("off", "NONE", "BASIC"),
        ("prefer", "NONE", "BASIC"),
        ("require", None, None),
    ],
    ids=POLICIES,
)
@pytest.mark.parametrize("sends", ["none", "software", "hardware", "broken"])
async def test_each_policy_answers_each_kind_of_phone(
    room: Room,
    asha: Person,
    policy: str,
    none: str | None,
    software: str | None,
    sends: str,
) -> None:
    phone = Phone(await under(room, policy))
    nonce = await phone.prove(asha)
    statement: dict[str, Evidence | None] = {
        "none": None,
        "software": android_chain(phone, nonce, **SOFTWARE),
        "hardware": android_chain(phone, nonce),
        "broken": android_chain(phone, bytes(32)),
    }
    graded = {"none": none, "software": software, "hardware": "STRONG", "broken": None}

    answer = await sent(phone, nonce, written(statement[sends]))

    expected = graded[sends]
    if expected is None:
        assert answer == {"device": None, "userErrors": [NO]}
        assert await bound() == 0
    else:
        device = {"attestation": expected, "state": "COOLING"}
        assert answer == {"device": device, "userErrors": []}
        assert await bound() == 1


async def test_an_iphone_binds_with_its_app_attestation(
    room: Room, asha: Person
) -> None:
    phone = Phone(await under(room, "require"), platform=Platform.IOS)
    nonce = await phone.prove(asha)
    evidence, _ = app_attestation(phone, nonce)

    answer = await sent(phone, nonce, written(evidence))

    assert answer["device"] == {"attestation": "STRONG", "state": "COOLING"}


async def test_every_failed_check_reads_the_same(room: Room, asha: Person) -> None:
    phone = Phone(await under(room, "prefer"))
    nonce = await phone.prove(asha)
    offered: list[Evidence] = [
        AndroidChain(()),
        AndroidChain(("?", "?")),
        android_chain(phone, bytes(32)),
        android_chain(phone, nonce, software={709: None}),
        android_chain(phone, nonce, hardware={704: None}),
        app_attestation(phone, nonce)[0],
    ]

    for evidence in offered:
        answer = await sent(phone, nonce, written(evidence))
        assert answer == {"device": None, "userErrors": [NO]}

    rows = await database.read(
        "SELECT detail FROM audit_entry WHERE action = 'device.attestation_rejected' "
        "ORDER BY seq"
    )
    why = [row.get("detail", dict)["why"] for row in rows]
    assert why == ["CHAIN", "FORMAT", "CHALLENGE", "APP", "BOOT", "PLATFORM"]
    assert await bound() == 0
