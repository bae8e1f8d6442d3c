"""Rotation of the keys that sign tokens: in several processes, nobody signed out."""

import asyncio

import pytest

from app import database
from app.auth.signing_ring import OUTLIVED, PUBLISHED, SIGNS_FOR, Rotation, SigningRing
from app.auth.tokens import AccessTokens
from app.clock import StoppedClock
from app.database import Tx
from app.errors import Conflict, NotAllowed, Outage, Unauthenticated
from app.settings import Misconfigured, Settings
from app.vault import Ring, Vault
from tests.auth.room import Phone, Room
from tests.auth.wiring import open_room

MEERA = Rotation(by="Meera", reason="every month", staff=True)


@pytest.fixture
async def ring(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> SigningRing:
    """Give an opened ring whose next key is published long enough."""
    found = SigningRing(clock, vault)
    await found.open()
    clock.move(seconds=PUBLISHED.total_seconds() + 1)
    return found


async def another(clock: StoppedClock, vault: Vault) -> SigningRing:
    """Open the ring as one more process."""
    found = SigningRing(clock, vault)
    await found.open()
    return found


async def states() -> dict[str, str]:
    """Read the state of every key."""
    rows = await database.read("SELECT kid, state FROM signing_key")
    return {row.get("kid", str): row.get("state", str) for row in rows}


def published(ring: SigningRing) -> set[str]:
    """Name the keys of the JWK set."""
    return {key["kid"] for key in ring.jwks()["keys"]}


async def test_the_next_key_signs_and_a_new_one_follows(ring: SigningRing) -> None:
    old = ring.current[0]
    (following,) = published(ring) - {old}

    kid = await ring.rotate(MEERA)

    assert kid == following == ring.current[0]
    found = await states()
    assert (found[old], found[following]) == ("RETIRED", "CURRENT")
    assert sorted(found.values()) == ["CURRENT", "NEXT", "RETIRED"]
    assert published(ring) == set(found)


async def test_a_rotation_erases_the_private_half_and_is_written_down(
    ring: SigningRing,
) -> None:
    old = ring.current[0]

    kid = await ring.rotate(MEERA)

    row = await database.read_one(
        "SELECT sealed_private FROM signing_key WHERE kid = $1", old
    )
    entry = await database.read_one(
        "SELECT * FROM audit_entry WHERE action = 'signing_key.rotated'"
    )
    assert row is not None
    assert row.get("sealed_private", bytes) == b""
    assert entry is not None
    assert (entry.get("actor_kind", str), entry.get("actor_id", str)) == (
        "STAFF",
        "Meera",
    )
    assert entry.get("object", str) == kid
    assert entry.get("detail", dict) == {"retired": old, "reason": "every month"}


async def test_a_key_that_nobody_may_know_yet_does_not_sign(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    ring = await another(clock, vault)
    before = await states()

    with pytest.raises(NotAllowed):
        await ring.rotate(MEERA)

    assert await states() == before
    assert await database.read("SELECT id FROM audit_entry") == []


async def test_a_leaked_key_is_replaced_at_once(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    ring = await another(clock, vault)
    old = ring.current[0]
    leaked = Rotation(by="Meera", reason="it leaked", staff=True, at_once=True)

    await ring.rotate(leaked)
    kid = await ring.rotate(leaked)

    assert kid == ring.current[0] != old
    assert sorted((await states()).values()) == [
        "CURRENT",
        "NEXT",
        "RETIRED",
        "RETIRED",
    ]


async def test_of_rotations_at_once_one_happens(
    ring: SigningRing, clock: StoppedClock, vault: Vault
) -> None:
    rings = [ring, *[await another(clock, vault) for _ in range(3)]]

    done = await asyncio.gather(
        *(one.rotate(MEERA) for one in rings), return_exceptions=True
    )

    assert len([one for one in done if isinstance(one, str)]) == 1
    others = [one for one in done if not isinstance(one, str)]
    assert all(isinstance(one, (Conflict, NotAllowed)) for one in others)
    assert sorted((await states()).values()) == ["CURRENT", "NEXT", "RETIRED"]


async def test_first_starts_at_once_make_one_key_that_signs(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    rings = await asyncio.gather(*(another(clock, vault) for _ in range(4)))

    assert len({one.current[0] for one in rings}) == 1
    assert sorted((await states()).values()) == ["CURRENT", "NEXT"]


async def test_a_bank_of_before_gets_its_next_key(
    ring: SigningRing, clock: StoppedClock, vault: Vault
) -> None:
    async def as_before(tx: Tx) -> None:
        await tx.rows("DELETE FROM signing_key WHERE state = 'NEXT'")

    await database.transaction(as_before, name="test.before")

    later = await another(clock, vault)

    assert later.current[0] == ring.current[0]
    assert len(published(later)) == 2


async def test_another_process_hears_by_its_poll(
    ring: SigningRing, clock: StoppedClock, vault: Vault
) -> None:
    other = await another(clock, vault)

    kid = await ring.rotate(MEERA)
    await other.poll()

    assert other.current[0] == kid
    assert published(other) == published(ring)


async def test_the_loop_polls_and_outlives_an_outage(
    ring: SigningRing,
    clock: StoppedClock,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = await another(clock, vault)
    kid = await ring.rotate(MEERA)
    turns: list[float] = []

    async def slept(seconds: float) -> None:
        turns.append(seconds)
        if len(turns) == 3:
            raise asyncio.CancelledError

    async def lost() -> None:
        raise Outage("the database is away", component="ACCOUNTS")

    reading = other.poll
    monkeypatch.setattr("app.auth.signing_ring.asyncio.sleep", slept)
    monkeypatch.setattr(other, "poll", lambda: lost() if len(turns) == 0 else reading())
    with pytest.raises(asyncio.CancelledError):
        await other.run()

    assert turns == [5.0, 5.0, 5.0]
    assert other.current[0] == kid


async def test_an_unknown_id_is_looked_for_once_a_second(
    ring: SigningRing, clock: StoppedClock, vault: Vault
) -> None:
    other = await another(clock, vault)
    async with database.watched_statements() as seen:
        await other.look_for("0" * 16)
        await other.look_for("1" * 16)
        await other.look_for("../../etc/passwd")
        await other.look_for(other.current[0])
    assert len(seen) == 1
    at_once = Rotation(by="Meera", reason="it leaked", at_once=True)
    await ring.rotate(at_once)
    kid = await ring.rotate(at_once)
    (unknown,) = published(ring) - published(other) - {kid}
    assert other.find(unknown) is None

    clock.move(seconds=1)
    await other.look_for(unknown)

    assert other.find(unknown) is not None
    assert other.current[0] == kid


async def test_a_retired_key_verifies_until_its_last_token_has_ended(
    ring: SigningRing, clock: StoppedClock, vault: Vault
) -> None:
    old = ring.current[0]
    await ring.rotate(MEERA)

    clock.move(seconds=OUTLIVED.total_seconds() - 1)
    await ring.poll()
    assert ring.find(old) is not None
    clock.move(seconds=1)
    await ring.poll()

    assert ring.find(old) is None
    assert old not in published(ring)
    assert old not in {one.kid for one in await ring.listed()}
    assert (await another(clock, vault)).find(old) is None


async def test_each_key_retires_in_its_own_turn(
    ring: SigningRing, clock: StoppedClock
) -> None:
    eldest = ring.current[0]
    second = await ring.rotate(MEERA)
    clock.move(seconds=OUTLIVED.total_seconds())

    await ring.rotate(MEERA)

    assert ring.find(eldest) is None
    assert ring.find(second) is not None
    (listed,) = [one for one in await ring.listed() if one.kid == second]
    assert listed.retired_at == clock.now()


async def test_a_key_signs_for_thirty_days_and_then_rotates_by_itself(
    ring: SigningRing, clock: StoppedClock
) -> None:
    old = ring.current[0]
    assert await ring.rotate_when_due() is None

    clock.move(seconds=SIGNS_FOR.total_seconds())
    kid = await ring.rotate_when_due()

    assert kid == ring.current[0] != old
    assert await ring.rotate_when_due() is None


async def test_no_ring_no_rotation(
    bank_database: Settings, clock: StoppedClock, vault: Vault
) -> None:
    ring = SigningRing(clock, vault)

    assert await ring.rotate_when_due() is None
    with pytest.raises(Conflict):
        await ring.rotate(MEERA)


async def test_tokens_of_both_keys_are_good_in_every_process(
    room: Room, phone: Phone, vault: Vault
) -> None:
    other = await open_room(room.settings, room.clock, vault)
    await phone.login()
    before = phone.token
    room.clock.move(seconds=PUBLISHED.total_seconds() + 1)
    await phone.login()
    shortly_before = phone.token
    await room.ring.rotate(MEERA)
    await phone.login()
    after = phone.token
    assert before is not None
    assert shortly_before is not None
    assert after is not None

    here = room.tokens.verify(shortly_before), room.tokens.verify(after)
    there = (
        await other.tokens.verified(shortly_before),
        await other.tokens.verified(after),
    )

    assert here == there
    with pytest.raises(Unauthenticated):
        room.tokens.verify(before)


async def test_a_token_of_a_key_made_meanwhile_is_looked_up(
    room: Room, phone: Phone, vault: Vault
) -> None:
    other = await open_room(room.settings, room.clock, vault)
    at_once = Rotation(by="Meera", reason="it leaked", at_once=True)
    await room.ring.rotate(at_once)
    await room.ring.rotate(at_once)
    await phone.login()
    token = phone.token
    assert token is not None
    with pytest.raises(Unauthenticated):
        other.tokens.verify(token)

    claims = await other.tokens.verified(token)

    assert claims == room.tokens.verify(token)


@pytest.mark.parametrize(
    "token", ["", ".", "W10.W10.AA", "!.!.!", "A" * 200, "eyJraWQiOjF9.e30.AA"]
)
async def test_what_is_no_token_costs_no_look(room: Room, token: str) -> None:
    async with database.watched_statements() as seen:
        with pytest.raises(Unauthenticated):
            await room.tokens.verified(token)

    assert seen == []


async def test_a_forged_kid_is_refused_after_one_look(room: Room, phone: Phone) -> None:
    await phone.login()
    assert phone.token is not None
    good = AccessTokens(clock=room.clock, settings=room.settings, ring=room.ring)
    stranger = SigningRing(room.clock, room.vault)
    stranger._current = ("ab" * 8, room.ring.current[1])  # noqa: SLF001  -- a forged id
    forger = AccessTokens(clock=room.clock, settings=room.settings, ring=stranger)
    forged = forger.sign(good.verify(phone.token))

    with pytest.raises(Unauthenticated) as no:
        await room.tokens.verified(forged)

    assert no.value.reason == "TOKEN_INVALID"


async def test_a_retired_key_is_known_for_ever_to_whoever_looks_at_old_seals(
    ring: SigningRing, clock: StoppedClock
) -> None:
    old, before = ring.current[0], await ring.ever()
    await ring.rotate(MEERA)
    clock.move(seconds=OUTLIVED.total_seconds() + 1)
    await ring.poll()

    after = await ring.ever()

    assert published(ring) == set(after) - {old}
    assert {kid: after[kid] for kid in before} == before


async def test_a_ring_whose_seal_was_lost_stops_the_start_with_the_way_out(
    ring: SigningRing, clock: StoppedClock, vault: Vault
) -> None:
    other = Vault(sealing=Ring({2: bytes(32)}), pepper=vault.pepper)

    with pytest.raises(Misconfigured, match="SIXPENCE_SEALING_KEYS_FILE"):
        await another(clock, other)

    assert (await another(clock, vault)).current[0] == ring.current[0]
