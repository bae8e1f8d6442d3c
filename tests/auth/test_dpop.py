"""Proofs of the device key: each check, each attack, and nothing reaches the store."""

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from app.auth.actor import Level
from app.auth.dpop import Proofs, Request
from app.errors import (
    DpopInvalid,
    DpopReplayed,
    DpopRequired,
    TooManyRequests,
    Unauthenticated,
    UseDpopNonce,
)
from tests.auth.room import BODY, Phone, Room, b64u, origin
from tests.auth.wiring import open_room

# RFC 9449 section 4.1, figure 1 and 2: the example proof of a token request.
RFC_PROOF = (
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6Ik"
    "VDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR"
    "nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JE"
    "QSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIj"
    "oiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwia"
    "WF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg"
    "4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
)


async def check(room: Room, proof: str, **request: Any) -> None:
    await room.proofs.check([proof], Request(**({"body": BODY} | request)))


async def used(room: Room) -> int:
    return len(room.counters._known)  # noqa: SLF001  -- the store is looked into


async def test_a_good_proof_names_its_key(room: Room) -> None:
    phone = Phone(room)

    proof = await room.proofs.check([phone.proof()], Request(body=BODY))

    assert proof.jkt == phone.jkt
    assert proof.covers_body


async def test_the_example_of_the_rfc_verifies_but_for_its_address(room: Room) -> None:
    changed = RFC_PROOF[:-2] + "AA"

    proofs = Proofs(
        clock=room.clock,
        settings=room.settings.model_copy(
            update={"public_url": "https://server.example.com"}
        ),
        vault=room.vault,
        counters=room.counters,
    )
    head, _, _ = RFC_PROOF.split(".")
    jkt, _ = proofs._header(head)  # noqa: SLF001  -- the example's target is not ours

    assert jkt == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    for text in (RFC_PROOF, changed):
        with pytest.raises(DpopInvalid):
            await proofs.check([text], Request())
    assert await used(room) == 0


@pytest.mark.parametrize(
    "changed",
    [
        {"header_typ": "jwt"},
        {"header_alg": "none"},
        {"header_alg": "HS256"},
        {"header_crit": ["exp"]},
        {"header_jwk": None},
        {"header_jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}},
        {"htm": "GET"},
        {"htm": None},
        {"htu": "http://localhost:8000/other"},
        {"htu": "http://evil.example/graphql"},
        {"htu": "https://localhost:8000/graphql"},
        {"htu": "http://localhost:99999/graphql"},
        {"htu": None},
        {"iat": None},
        {"iat": True},
        {"iat": "1"},
        {"jti": "short"},
        {"jti": "x" * 65},
        {"jti": None},
        {"ath": "taken-off-another-request"},
        {"bh": "A" * 43},
        {"bh": 7},
    ],
)
async def test_a_proof_with_one_wrong_part_is_refused(
    room: Room, changed: dict[str, Any]
) -> None:
    phone = Phone(room)

    with pytest.raises(DpopInvalid):
        await check(room, phone.proof(**changed))

    assert await used(room) == 0


@pytest.mark.parametrize(
    "htu",
    [
        "http://localhost:8000/graphql?x=1#y",
        "HTTP://LOCALHOST:8000/graphql",
    ],
)
async def test_an_address_is_compared_in_one_form(room: Room, htu: str) -> None:
    await check(room, Phone(room).proof(htu=htu))


@pytest.mark.parametrize("count", [0, 2])
async def test_exactly_one_header_is_taken(room: Room, count: int) -> None:
    proof = Phone(room).proof()

    with pytest.raises(DpopInvalid):
        await room.proofs.check([proof] * count, Request(body=BODY))


@pytest.mark.parametrize(
    "proof", ["", "a.b", "a.b.c.d", "é.b.c", "x" * 3000, "W10.W10.AA", "!.!.!"]
)
async def test_what_is_no_proof_is_refused(room: Room, proof: str) -> None:
    with pytest.raises(DpopInvalid):
        await check(room, proof)


async def test_claims_under_another_signature_are_refused(room: Room) -> None:
    one, other = Phone(room).proof().split("."), Phone(room).proof().split(".")

    for mixed in (
        [one[0], other[1], one[2]],
        [one[0], one[1], other[2]],
        [one[0], one[1], b64u(bytes(64))],
        [one[0], one[1], "AA"],
        [one[0], b64u(b"[]"), one[2]],
    ):
        with pytest.raises(DpopInvalid):
            await check(room, ".".join(mixed))

    assert await used(room) == 0


async def test_the_same_proof_twice_is_a_replay(room: Room) -> None:
    proof = Phone(room).proof()

    await check(room, proof)
    with pytest.raises(DpopReplayed):
        await check(room, proof)


@pytest.mark.parametrize(("offset", "good"), [(-60, 1), (-61, 0), (10, 1), (11, 0)])
async def test_a_proof_lives_a_minute(room: Room, offset: int, good: int) -> None:
    now = int(room.clock.now().timestamp())
    proof = Phone(room).proof(iat=now + offset)

    if good:
        await check(room, proof)
    else:
        with pytest.raises(UseDpopNonce):
            await check(room, proof)


async def test_a_phone_with_a_wrong_clock_works_with_the_servers_nonce(
    room: Room,
) -> None:
    phone = Phone(room)
    wrong = int((room.clock.now() - timedelta(hours=1)).timestamp())
    with pytest.raises(UseDpopNonce):
        await check(room, phone.proof(iat=wrong))
    nonce = room.callers.nonce()

    await check(room, phone.proof(iat=wrong, nonce=nonce))

    room.clock.move(seconds=120)
    await check(room, phone.proof(iat=wrong, nonce=nonce))
    room.clock.move(seconds=120)
    with pytest.raises(UseDpopNonce):
        await check(room, phone.proof(iat=wrong, nonce=nonce))
    with pytest.raises(UseDpopNonce):
        await check(room, phone.proof(nonce="made up"))
    with pytest.raises(UseDpopNonce):
        await check(room, phone.proof(nonce=5))


async def test_the_nonce_of_answers_is_one_for_a_window_and_another_in_the_next(
    room: Room,
) -> None:
    first, again = room.callers.nonce(), room.callers.nonce()
    room.clock.move(seconds=120)
    later = room.callers.nonce()

    assert first == again
    assert later != first
    assert room.proofs.is_current(first)
    assert room.proofs.is_current(later)


async def test_a_bank_may_demand_its_nonce(room: Room) -> None:
    strict = room.settings.model_copy(update={"dpop_nonce": "required"})
    asking = await open_room(strict, room.clock, room.vault)
    phone = Phone(asking)

    with pytest.raises(UseDpopNonce):
        await check(asking, phone.proof())
    await check(asking, phone.proof(nonce=asking.callers.nonce()))


async def test_a_swapped_body_is_refused(room: Room) -> None:
    phone = Phone(room)
    swapped = BODY.replace(b"anything", b"anythink")

    for body in (swapped, BODY + b" ", json.dumps(json.loads(BODY), indent=1).encode()):
        with pytest.raises(DpopInvalid):
            await check(room, phone.proof(), body=body)
    with pytest.raises(DpopInvalid):
        await check(room, phone.proof(), body=None)

    assert await used(room) == 0


async def test_a_proof_without_body_hash_says_so(room: Room) -> None:
    phone = Phone(room)

    proof = await room.proofs.check([phone.proof(body=None)], Request(body=BODY))

    assert not proof.covers_body


async def test_a_token_with_another_key_is_refused(room: Room, phone: Phone) -> None:
    await phone.login()
    thief = Phone(room)
    stolen = phone.token
    assert stolen is not None

    with pytest.raises(DpopInvalid):
        await room.callers.http(
            origin(), f"DPoP {stolen}", [thief.proof(token=stolen)], BODY
        )
    with pytest.raises(DpopRequired):
        await room.callers.http(origin(), f"DPoP {stolen}", [], BODY)
    with pytest.raises(DpopInvalid):
        await room.callers.http(origin(), f"DPoP {stolen}", [phone.proof()], BODY)


async def test_a_proof_for_one_token_does_not_carry_another_of_the_same_phone(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    former = phone.token
    room.clock.move(seconds=1)
    await phone.login()
    assert former != phone.token

    with pytest.raises(DpopInvalid):
        await room.callers.http(
            origin(), f"DPoP {phone.token}", [phone.proof(token=former)], BODY
        )


async def test_more_phones_than_headers_are_kept_are_all_heard(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.auth.dpop._HEADERS_MAX", 2)
    phones = [Phone(room) for _ in range(4)]

    for phone in [*phones, *phones]:
        proof = await room.proofs.check([phone.proof()], Request(body=BODY))
        assert proof.jkt == phone.jkt

    assert len(room.proofs._headers) == 2  # noqa: SLF001  -- what is kept has an end


async def test_taking_the_token_off_does_not_lower_the_level(
    room: Room, phone: Phone
) -> None:
    await phone.login()

    with pytest.raises(DpopInvalid):
        await room.callers.http(origin(), None, [phone.proof(token=phone.token)], BODY)


@pytest.mark.parametrize("scheme", ["Bearer ", "dpop ", ""])
async def test_another_scheme_is_refused(room: Room, phone: Phone, scheme: str) -> None:
    await phone.login()

    with pytest.raises(Unauthenticated) as refused:
        await room.callers.http(
            origin(), f"{scheme}{phone.token}", [phone.proof(token=phone.token)], BODY
        )

    assert refused.value.reason == "TOKEN_INVALID"


async def test_an_unbound_key_is_anonymous_with_its_proof(room: Room) -> None:
    stranger = Phone(room)

    actor = await stranger.as_device()

    assert actor.level is Level.ANONYMOUS
    assert actor.proof is not None
    assert actor.proof.jkt == stranger.jkt
    assert actor.device is None


async def test_a_socket_is_recognised_by_its_first_message(
    room: Room, phone: Phone
) -> None:
    signed_in = await phone.login()
    target: dict[str, Any] = {
        "htm": "GET",
        "htu": "ws://localhost:8000/graphql",
        "body": None,
    }

    actor, ends_at = await room.callers.socket(
        origin(),
        {"accessToken": phone.token, "dpop": phone.proof(token=phone.token, **target)},
    )
    device, no_end = await room.callers.socket(
        origin(), {"dpop": phone.proof(**target)}
    )
    anonymous, _ = await room.callers.socket(origin(), {})

    assert actor.session == signed_in.actor.session
    assert ends_at == signed_in.tokens.expires_at
    assert (device.level, no_end) == (Level.DEVICE, None)
    assert anonymous.level is Level.ANONYMOUS
    with pytest.raises(Unauthenticated):
        await room.callers.socket(origin(), {"accessToken": 7})
    with pytest.raises(DpopInvalid):
        await room.callers.socket(origin(), {"dpop": phone.proof()})


async def test_a_key_opens_thirty_sockets_a_minute(room: Room, phone: Phone) -> None:
    narrow = room.settings.model_copy(update={"limit_factor": 1})
    tight = await open_room(narrow, room.clock, room.vault)
    url = "ws://localhost:8000/graphql"

    async def opened() -> Level:
        proof = phone.proof(htm="GET", htu=url, body=None)
        return (await tight.callers.socket(origin(), {"dpop": proof}))[0].level

    levels = [await opened() for _ in range(30)]
    with pytest.raises(TooManyRequests):
        await opened()
    room.clock.move(seconds=61)

    assert levels == [Level.DEVICE] * 30
    assert await opened() is Level.DEVICE


async def test_bad_proofs_of_one_address_are_counted(room: Room) -> None:
    narrow = room.settings.model_copy(update={"limit_factor": 1})
    tight = await open_room(narrow, room.clock, room.vault)

    for _ in range(600):
        with pytest.raises(DpopInvalid):
            await tight.callers.http(origin("2001:db8::1"), None, ["a.b.c"], BODY)
    with pytest.raises(TooManyRequests):
        await tight.callers.http(origin("2001:db8::2"), None, ["a.b.c"], BODY)
    with pytest.raises(DpopInvalid):
        await tight.callers.http(origin("2001:db8:1::1"), None, ["a.b.c"], BODY)
    # A good proof from the same block is not hurt by its neighbours.
    good = Phone(tight)
    actor = await tight.callers.http(origin("2001:db8::2"), None, [good.proof()], BODY)
    assert actor.proof is not None


async def test_the_cost_bucket_is_the_keys_own(room: Room, phone: Phone) -> None:
    narrow = room.settings.model_copy(update={"limit_factor": 1})
    tight = await open_room(narrow, room.clock, room.vault)
    phone.room = tight
    actor = await phone.as_device()

    await tight.callers.charge(actor, 20_000)
    with pytest.raises(TooManyRequests) as refused:
        await tight.callers.charge(actor, 2_000)

    assert refused.value.retry_after_s == 1
    room.clock.move(seconds=1)
    await tight.callers.charge(actor, 2_000)


def test_base64_of_the_tests_is_the_rfcs() -> None:
    padded = RFC_PROOF.split(".", maxsplit=1)[0]

    found = json.loads(base64.urlsafe_b64decode(padded + "=" * (-len(padded) % 4)))
    assert found["typ"] == "dpop+jwt"
