"""Query, Mutation and Subscription joined from the slices; the one Schema object.

A slice takes part by standing in `_SLICES`: its classes `Query`, `Mutation` and
`Subscription` are joined, and its `KINDS` (types nothing refers to by name, as the
kinds of UserError) are added.
"""

from collections.abc import Sequence

import strawberry
from graphql import GraphQLSchema, Undefined, is_input_object_type
from strawberry.schema.config import StrawberryConfig

from app.schema import challenges, me, nodes, refusals, status
from app.schema.accounts import accounts, changes, quick
from app.schema.auth import (
    biometric,
    device_changes,
    devices,
    enrolment,
    factor_changes,
    passkeys,
    sign_in,
    totp,
    vouching,
)
from app.schema.auth import challenges as approvals
from app.schema.events import outages, progress, streams
from app.schema.notifications import addresses, inbox, preferences, receipts
from app.schema.payments import (
    beneficiaries,
    checks,
    limits,
    mutations,
    payments,
    quotes,
    rows,
)
from app.schema.scalars import SCALARS, Sensitive

_SLICES = (
    refusals,
    status,
    approvals,
    devices,
    device_changes,
    enrolment,
    passkeys,
    biometric,
    factor_changes,
    totp,
    vouching,
    sign_in,
    accounts,
    changes,
    quick,
    checks,
    beneficiaries,
    payments,
    rows,
    limits,
    mutations,
    quotes,
    nodes,
    me,
    challenges,
    streams,
    progress,
    outages,
    addresses,
    receipts,
    preferences,
    inbox,
)

_DESCRIPTIONS = {
    "Query": "Queries change nothing. Anything not found, or not the caller's, is "
    "null.",
    "Mutation": "One root field per document. Refusals listed with a field come "
    "besides those every field may give: VALIDATION_FAILED, RATE_LIMITED, "
    "APP_UPDATE_REQUIRED, SERVICE_UNAVAILABLE, and STEP_UP_REQUIRED where the level is "
    "STEP_UP. A DPoP proof sent with a mutation covers the body of the request (claim "
    "`bh`).",
    "Subscription": "WebSocket only (graphql-transport-ws). One root field per "
    "document, at most 10 live ones per socket.",
}


def built(slices: Sequence[object]) -> strawberry.Schema:
    """Build a schema from slices: modules, or whatever has their attributes."""
    query = _joined("Query", slices)
    assert query is not None, "a schema needs a Query"  # noqa: S101  -- our bug
    kinds = [kind for one in slices for kind in getattr(one, "KINDS", ())]
    schema = strawberry.Schema(
        query=query,
        mutation=_joined("Mutation", slices),
        subscription=_joined("Subscription", slices),
        types=[*kinds, Sensitive],
        config=StrawberryConfig(scalar_map=dict(SCALARS)),
    )
    _drop_null_defaults(schema._schema)  # noqa: SLF001  -- the library prints `= null` otherwise
    return schema


def _joined(name: str, slices: Sequence[object]) -> type | None:
    parts = tuple(vars(one)[name] for one in slices if name in vars(one))
    if not parts:
        return None
    joined = type(name, parts, {"__doc__": _DESCRIPTIONS[name]})
    return strawberry.type(joined, name=name, description=_DESCRIPTIONS[name])


def _drop_null_defaults(schema: GraphQLSchema) -> None:
    """Let what may be left out have no default: Python's None is not the contract's."""
    for one in schema.type_map.values():
        for field in getattr(one, "fields", {}).values():
            slots = [field] if is_input_object_type(one) else field.args.values()
            for slot in slots:
                if slot.default_value is None:
                    slot.default_value = Undefined


SCHEMA = built(_SLICES)


def sdl() -> str:
    """Print the contract, with its directives; the same text for the same code."""
    return SCHEMA.as_str() + "\n"
