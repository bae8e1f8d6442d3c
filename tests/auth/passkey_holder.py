"""A phone whose owner has a passkey: registering it, and answering with it."""

from dataclasses import dataclass, field
from typing import Any

from app.auth.actor import Actor
from app.auth.challenge import Challenge, FactorResponse
from app.auth.login import SignedIn
from app.auth.passkey import Passkey
from tests.auth.authenticator import Authenticator
from tests.auth.room import Person, Phone, Room


@dataclass
class Holder:
    """A phone and an authenticator in one hand."""

    phone: Phone
    authenticator: Authenticator = field(default_factory=Authenticator)

    @property
    def room(self) -> Room:
        return self.phone.room

    async def register(self, actor: Actor | None = None, **wrong: Any) -> Passkey:
        """Register, by default without a session, as a first factor."""
        caller = actor or await self.phone.as_device()
        opened = await self.room.passkeys.start(caller)
        made = self.authenticator.create(opened.options, **wrong)
        return await self.room.passkeys.finish(caller, opened.id, made)

    def answer(self, challenge: Challenge, **wrong: Any) -> tuple[str, FactorResponse]:
        """Sign a challenge with the device key, and prove the person by passkey."""
        options = challenge.webauthn_options or {"challenge": "none"}
        given = self.authenticator.get(options, **wrong)
        signature = self.phone.sign(self.phone.message(challenge))
        return signature, FactorResponse(webauthn=given)

    async def login(self, **wrong: Any) -> SignedIn:
        """Sign in by passkey."""
        challenge = await self.room.logins.start(await self.phone.as_device())
        signature, response = self.answer(challenge, **wrong)
        signed_in = await self.room.logins.finish(
            await self.phone.as_device(), challenge.id, signature, response
        )
        self.phone.token = signed_in.tokens.access_token
        return signed_in


async def a_holder(room: Room, person: Person, **own: Any) -> Holder:
    """Give a phone whose one factor is a passkey; `own` are the authenticator's."""
    phone = Phone(room)
    await phone.bind(await phone.prove(person))
    holder = Holder(phone, Authenticator(**own))
    await holder.register()
    return holder
