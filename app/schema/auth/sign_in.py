"""Signing in and out."""

from datetime import datetime

import strawberry
from strawberry import UNSET

from app.auth import session
from app.ids import DeviceId, SessionId
from app.schema import guards
from app.schema.auth.challenges import Challenge, FactorResponse, challenge_id
from app.schema.auth.enums import FactorKind
from app.schema.context import Context, Info
from app.schema.guards import AuthLevel
from app.schema.refusals import UserError, answered
from app.schema.scalars import SENSITIVE


@strawberry.type(
    description=(
        "Sent once. The access token goes into `Authorization: DPoP <token>`; both "
        "tokens work only with the key of the device. A session always has level LOGIN."
    )
)
class TokenPair:
    """What a sign-in gives."""

    access_token: str = strawberry.field(directives=SENSITIVE)
    refresh_token: str = strawberry.field(
        description=(
            "Changes with every refresh. The one before stays good, and gives the same "
            "successor again, until that successor is used itself; an older one ends "
            "the session."
        ),
        directives=SENSITIVE,
    )
    expires_at: datetime = strawberry.field(
        description="End of the access token, 5 minutes after issue."
    )
    idle_expires_at: datetime = strawberry.field(
        description=(
            "The session locks when no operation of the user comes before this (5 "
            "minutes). Queries and mutations the app sends count, over HTTP or a "
            "socket; subscriptions, pings and everything the server sends do not."
        )
    )
    session_expires_at: datetime = strawberry.field(
        description="Hard end of the session (12 hours)."
    )

    @classmethod
    def of(cls, pair: session.TokenPair) -> "TokenPair":
        """Show a pair of the room."""
        return cls(
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            expires_at=pair.expires_at,
            idle_expires_at=pair.idle_expires_at,
            session_expires_at=pair.session_expires_at,
        )


@strawberry.input(
    description=(
        "`deviceId`: only checked against the key of the proof, never needed. "
        "`factor`: what the app means to use; the challenge may allow others too."
    )
)
class LoginStartInput:
    """Asks for a challenge."""

    device_id: strawberry.ID | None = UNSET
    factor: FactorKind | None = UNSET


@strawberry.type
class LoginStartPayload:
    """A challenge; a stranger's cannot be answered."""

    challenge: Challenge | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class LoginFinishInput:
    """Answers a challenge."""

    challenge_id: strawberry.ID
    device_signature: str = strawberry.field(
        description=(
            "b64url raw ES256 signature (64 bytes) of the device key over M of the "
            "challenge. Checked before `response`."
        )
    )
    response: FactorResponse


@strawberry.input
class TokenRefreshInput:
    """Shows a refresh token."""

    refresh_token: str = strawberry.field(directives=SENSITIVE)


@strawberry.type
class TokenRefreshPayload:
    """The successor of the refresh token, and a new access token."""

    tokens: TokenPair | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.input
class SessionRevokeInput:
    """Names one of the customer's sessions."""

    id: strawberry.ID


@strawberry.type
class SessionRevokePayload:
    """Which session is over now."""

    revoked_session_id: strawberry.ID | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class LogoutPayload:
    """Whether this device has no session now."""

    logged_out: bool = False
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class Mutation:
    """In and out."""

    @guards.mutation(
        level=AuthLevel.ANONYMOUS,
        cost=500,
        description=(
            "Asks for a sign-in challenge; the key of the DPoP proof names the device. "
            "An unknown device gets one too, which nobody can answer."
        ),
    )
    async def login_start(
        self,
        info: Info,
        input: LoginStartInput,  # noqa: A002  -- the contract's name
    ) -> LoginStartPayload:
        """Make a challenge."""
        return await answered(LoginStartPayload, _start(info.context, input))

    @guards.mutation(
        level=AuthLevel.ANONYMOUS,
        cost=100,
        description=(
            "New tokens, for the refresh token and the DPoP proof of the device. The "
            "proof is checked by the field itself and not by the guard, so that a "
            "copied token under a foreign key is recognised. Refusals: SESSION_LOCKED, "
            "SESSION_ENDED, INVALID_CREDENTIAL (wrong token, or the key of another "
            "device: the session lives on and the customer is told)."
        ),
    )
    async def token_refresh(
        self,
        info: Info,
        input: TokenRefreshInput,  # noqa: A002  -- the contract's name
    ) -> TokenRefreshPayload:
        """Give the next tokens."""
        return await answered(TokenRefreshPayload, _refresh(info.context, input))

    @guards.mutation(
        level=AuthLevel.LOGIN,
        scope="security",
        cost=100,
        description=(
            "Ends a session of the customer and its sockets, this one or another."
        ),
    )
    async def session_revoke(
        self,
        info: Info,
        input: SessionRevokeInput,  # noqa: A002  -- the contract's name
    ) -> SessionRevokePayload:
        """End that session."""
        return await answered(SessionRevokePayload, _revoke(info.context, input))

    @guards.mutation(
        level=AuthLevel.DEVICE,
        cost=100,
        description=(
            "Ends the session of this device and its sockets. The device stays bound. "
            "Works without a token, also after the session ended."
        ),
    )
    async def logout(self, info: Info) -> LogoutPayload:
        """End the session."""
        return await answered(LogoutPayload, _logout(info.context))


async def signed_in(context: Context, given: LoginFinishInput) -> TokenPair:
    """Judge an answer and go on as the session it made.

    Raises:
        Refusal, TotpAsked: as `Logins.finish`.
    """
    done = await context.bank.logins.finish(
        context.actor,
        challenge_id(given.challenge_id),
        given.device_signature,
        given.response.given(),
    )
    context.sign_in(done.actor)
    return TokenPair.of(done.tokens)


async def _start(context: Context, given: LoginStartInput) -> LoginStartPayload:
    device = DeviceId.parse(given.device_id) if given.device_id else None
    challenge = await context.bank.logins.start(context.actor, device)
    return LoginStartPayload(challenge=Challenge.of(challenge))


async def _refresh(context: Context, given: TokenRefreshInput) -> TokenRefreshPayload:
    pair = await context.bank.refreshes.refresh(context.actor, given.refresh_token)
    return TokenRefreshPayload(tokens=TokenPair.of(pair))


async def _revoke(context: Context, given: SessionRevokeInput) -> SessionRevokePayload:
    await context.bank.sessions.revoke(context.actor, SessionId.parse(given.id))
    return SessionRevokePayload(revoked_session_id=given.id)


async def _logout(context: Context) -> LogoutPayload:
    await context.bank.sessions.logout(context.actor)
    return LogoutPayload(logged_out=True)
