"""Who may call and what it costs: `@auth` and `@cost`, once per document.

A slice declares root fields only through `query`, `mutation` and `subscription`, which
demand level and cost. The check runs before any resolver, on the levels the document
itself shows; a root field without marks is refused. Source: graphql.md section 4.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import strawberry
from graphql import GraphQLField
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

from app.auth.actor import Actor
from app.errors import DpopInvalid, DpopRequired, Forbidden, Unauthenticated

ONCE = "once"  # metadata of a root field


@strawberry.enum(
    description=(
        "How strongly the caller of one field must be known. Levels are ordered; a "
        "higher one includes the lower ones."
    )
)
class AuthLevel(Enum):
    """The levels of auth.md section 1.2, in order."""

    ANONYMOUS = strawberry.enum_value(
        "ANONYMOUS",
        description=(
            "No token. The field is protected by rate limits and by proofs inside its "
            "own input."
        ),
    )
    DEVICE = strawberry.enum_value(
        "DEVICE",
        description=(
            "A DPoP proof whose key is a bound device. No access token: the phone is "
            "known, the person is not."
        ),
    )
    LOGIN = strawberry.enum_value(
        "LOGIN",
        description=(
            "Access token and DPoP proof: device key and one of mPIN, biometric key or "
            "passkey were proven. Locks after 5 minutes without an operation of the "
            "user."
        ),
    )
    STEP_UP = strawberry.enum_value(
        "STEP_UP",
        description=(
            "Level of one call, never of a token: LOGIN plus an approval signed for "
            "exactly this field and this input. See StepUpRequiredError."
        ),
    )


_RANK = {level: rank for rank, level in enumerate(AuthLevel)}


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="auth",
    description=(
        "Every root field carries it; a build in which one does not fails its tests, "
        "and at run time a missing mark refuses the call. `scope` names a token scope "
        "that is needed besides LOGIN or STEP_UP."
    ),
)
class Auth:
    """The mark of the level; `scope` is left out of the print when there is none."""

    level: AuthLevel = AuthLevel.LOGIN
    scope: str | None = strawberry.UNSET


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="cost",
    description=(
        "Points this field adds to the price of a document (budget: 2000). Every root "
        "field carries it; objects cost 1 and lists multiply, see graphql.md."
    ),
)
class Cost:
    """The mark of the price."""

    weight: int


@dataclass(frozen=True, slots=True)
class Mark:
    """What `@auth` and `@cost` say about one root field."""

    level: AuthLevel
    scope: str | None
    weight: int


def query(
    *,
    level: AuthLevel,
    cost: int,
    description: str,
    scope: str | None = None,
    name: str | None = None,
    once: bool = False,
) -> Callable[[Callable[..., object]], Any]:
    """Declare a root field of Query; the resolver may be sync or async.

    `once`: it is counted or asks a partner, so no plan may begin what graphql-core
    might have to run again.
    """
    marks = _marks(level, scope, cost)

    def declare(resolver: Callable[..., object]) -> Any:  # noqa: ANN401  -- the library's field is untyped
        return strawberry.field(
            resolver=resolver,
            name=name,
            description=description,
            directives=marks,
            metadata={ONCE: once},
        )

    return declare


def mutation(
    *,
    level: AuthLevel,
    cost: int,
    description: str | None,
    scope: str | None = None,
    name: str | None = None,
) -> Callable[[Callable[..., Awaitable[object]]], Any]:
    """Declare a root field of Mutation; its one argument is called `input`."""
    marks = _marks(level, scope, cost)

    def declare(resolver: Callable[..., Awaitable[object]]) -> Any:  # noqa: ANN401  -- the library's field is untyped
        return strawberry.mutation(
            resolver=resolver, name=name, description=description, directives=marks
        )

    return declare


def subscription(
    *,
    level: AuthLevel,
    cost: int,
    description: str,
    scope: str | None = None,
    name: str | None = None,
) -> Callable[[Callable[..., AsyncIterator[object]]], Any]:
    """Declare a root field of Subscription; the resolver is an async generator."""
    marks = _marks(level, scope, cost)

    def declare(resolver: Callable[..., AsyncIterator[object]]) -> Any:  # noqa: ANN401  -- the library's field is untyped
        return strawberry.subscription(
            resolver=resolver, name=name, description=description, directives=marks
        )

    return declare


def priced(cost: int) -> list[object]:
    """Give the directives of a field below the root that costs more than its object."""
    return [Cost(weight=cost)]


def mark_of(field: GraphQLField) -> Mark | None:
    """Read the marks of a field; None when `@auth` or `@cost` is missing."""
    declared = field.extensions.get("strawberry-definition")
    directives = declared.directives if isinstance(declared, StrawberryField) else ()
    auth = next((one for one in directives if isinstance(one, Auth)), None)
    if auth is None or not any(isinstance(one, Cost) for one in directives):
        return None
    return Mark(auth.level, auth.scope or None, weight_of(field))


def weight_of(field: GraphQLField) -> int:
    """Read `@cost` of a field; 0 without it."""
    declared = field.extensions.get("strawberry-definition")
    directives = declared.directives if isinstance(declared, StrawberryField) else ()
    return sum(one.weight for one in directives if isinstance(one, Cost))


def highest(levels: Iterable[AuthLevel]) -> AuthLevel:
    """Give the highest of some levels; ANONYMOUS of none."""
    return max(levels, key=_RANK.__getitem__, default=AuthLevel.ANONYMOUS)


@dataclass(frozen=True, slots=True)
class Demand:
    """What one operation asks of its caller: the highest of its root fields.

    `unmarked` is true when a root field lacks its marks: nobody may call it.
    """

    level: AuthLevel = AuthLevel.ANONYMOUS
    scopes: frozenset[str] = frozenset()
    moves: bool = False
    unmarked: bool = False


def admit(actor: Actor, demand: Demand, *, signed_body: bool = True) -> None:
    """Let the caller in, or refuse before anything is read or written.

    Args:
        actor: as proven by headers or by `connection_init`.
        demand: of the operation that is about to run.
        signed_body: false for the mutations a socket allows, which stand under the
            proof of its `connection_init`.

    Raises:
        Unauthenticated, DpopRequired, Forbidden: level or scope too low.
        DpopInvalid: a mutation came with a proof that does not cover its body.
    """
    if demand.unmarked:
        raise Forbidden(requiredLevel=AuthLevel.STEP_UP.name)
    _require_level(actor, demand.level)
    missing = sorted(demand.scopes - actor.scopes)
    if missing:
        raise Forbidden(requiredScope=missing[0])
    proof = actor.proof
    if demand.moves and signed_body and proof is not None and not proof.covers_body:
        raise DpopInvalid


def _require_level(actor: Actor, level: AuthLevel) -> None:
    # An approval is asked for by the field itself; LOGIN is what a token can show.
    wanted = min(_RANK[level], _RANK[AuthLevel.LOGIN])
    if int(actor.level) >= wanted:
        return
    if actor.device is not None:
        raise Forbidden(requiredLevel=AuthLevel.LOGIN.name)
    if actor.proof is not None:
        raise Unauthenticated("DEVICE_UNKNOWN")
    if level is AuthLevel.DEVICE:
        raise DpopRequired
    raise Unauthenticated("TOKEN_MISSING")


def _marks(level: AuthLevel, scope: str | None, cost: int) -> list[object]:
    auth = Auth(level=level) if scope is None else Auth(level=level, scope=scope)
    return [auth, Cost(weight=cost)]
