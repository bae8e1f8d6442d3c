"""In which language a caller is spoken to: asked for, else the customer's own."""

from dataclasses import replace

from app import database
from app.auth.actor import Origin
from app.database import Tx
from tests.auth.room import BODY, Phone, Room, origin


async def test_what_is_asked_for_counts_and_else_the_customers_own_language(
    room: Room, phone: Phone
) -> None:
    await phone.login()
    token = phone.token

    async def spoken(sent: Origin, *, signed_in: bool) -> str:
        proof = phone.proof(token=token if signed_in else None)
        shown = f"DPoP {token}" if signed_in else None
        return (await room.callers.http(sent, shown, [proof], BODY)).locale

    own = [await spoken(origin(), signed_in=one) for one in (False, True)]
    hindi = replace(origin(), language="hi-IN")
    asked = [await spoken(hindi, signed_in=one) for one in (False, True)]
    nobody = (await room.callers.http(origin(), None, [], BODY)).locale

    async def moves(tx: Tx) -> None:
        await tx.rows("UPDATE customer SET locale = 'de-DE' RETURNING id")

    await database.transaction(moves, name="tests.moves")
    own.append(await spoken(origin(), signed_in=False))
    room.clock.move(seconds=301)
    own.append(await spoken(origin(), signed_in=False))

    assert own == ["en-IN", "en-IN", "en-IN", "de-DE"]
    assert (asked, nobody) == (["hi-IN"] * 2, "en")
