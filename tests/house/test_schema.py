"""The printed contract keeps the promises of the designed one."""

import re
from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_introspection_type,
    is_specified_scalar_type,
)

from tests.house import contract
from tests.house.printed import PAGES

ROOTS = ("Query", "Mutation", "Subscription")
LOGIN = {"LOGIN", "STEP_UP"}
# What belongs to a signed-in person. `loginFinish` gives `me` because it signs in.
BOOKS = {
    "Account",
    "AuditEntry",
    "Balance",
    "Beneficiary",
    "Customer",
    "InboxItem",
    "Node",
    "Payment",
    "Transaction",
}
SIGNS_IN = {("LoginFinishPayload", "me")}
CAP = re.compile(r"\bat most\b[^.]*\d|\bthe last \w+\b", re.IGNORECASE)
# Mutations that make something or move money carry the phone's key.
MAKES = {"paymentCreate", "beneficiaryCreate"}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    """Build the printed contract."""
    return contract.schema()


def roots(schema: GraphQLSchema) -> Iterator[tuple[str, str, GraphQLField]]:
    for owner in ROOTS:
        kind = schema.type_map.get(owner)
        if isinstance(kind, GraphQLObjectType):
            for name, field in kind.fields.items():
                yield owner, name, field


def marks(field: GraphQLField) -> dict[str, dict[str, str]]:
    """Read the directives of a field: `{"auth": {"level": "LOGIN"}, ...}`."""
    assert field.ast_node is not None
    return {
        one.name.value: {
            part.name.value: str(getattr(part.value, "value", ""))
            for part in one.arguments or ()
        }
        for one in field.ast_node.directives or ()
    }


def own_types(schema: GraphQLSchema) -> list[GraphQLNamedType]:
    return [
        kind
        for kind in schema.type_map.values()
        if not is_introspection_type(kind) and not is_specified_scalar_type(kind)
    ]


def objects(schema: GraphQLSchema) -> list[GraphQLObjectType | GraphQLInterfaceType]:
    return [
        kind
        for kind in own_types(schema)
        if isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType))
    ]


def is_list(kind: object) -> bool:
    while isinstance(kind, GraphQLNonNull):
        kind = kind.of_type
    return isinstance(kind, GraphQLList)


# ------------------------------------------------------------------ file and design


def test_the_committed_contract_is_what_the_code_prints() -> None:
    path, printed = PAGES["schema"]

    assert path.read_text() == printed(), "run `make schema`"


def test_nothing_is_exported_that_was_not_designed() -> None:
    strays = [name for name in contract.exported() if name not in contract.target()]

    assert strays == []


def test_every_exported_name_has_its_designed_shape() -> None:
    target = contract.target()
    other = {
        item.name: (item.shape, target[item.name].shape)
        for item in contract.exported().values()
        if item.name in target and item.shape != target[item.name].shape
    }

    assert other == {}


def test_nothing_of_a_later_build_is_exported() -> None:
    early = [
        name
        for name in contract.exported()
        if name in contract.target() and contract.target()[name].phase != "P0"
    ]

    assert early == []


def test_enum_values_stand_in_the_designed_order() -> None:
    """New values are added only at the end, so generated code keeps its numbers."""
    names = [name for name in contract.exported() if name in contract.target()]
    enums = {
        name.split(".")[0]
        for name in names
        if contract.exported()[name].shape.startswith("enum_type")
    }
    for enum in enums:
        mine = [name for name in names if name.startswith(f"{enum}.")]
        designed = [name for name in contract.target() if name in set(mine)]

        assert mine == designed


# ------------------------------------------------------------------ marks


def test_every_root_field_says_who_may_call_it_and_what_it_costs(
    schema: GraphQLSchema,
) -> None:
    bare = [
        f"{owner}.{name}"
        for owner, name, field in roots(schema)
        if not {"auth", "cost"} <= marks(field).keys()
    ]

    assert bare == []


def test_below_login_nothing_of_the_customers_books_is_reachable(
    schema: GraphQLSchema,
) -> None:
    found = []
    for owner, name, field in roots(schema):
        level = marks(field).get("auth", {}).get("level", "LOGIN")
        # `node` and the like check their own object: they are LOGIN fields.
        if level not in LOGIN:
            reach = reachable(schema, get_named_type(field.type))
            found += [(f"{owner}.{name}", kind) for kind in sorted(reach & BOOKS)]

    assert found == []


def reachable(schema: GraphQLSchema, start: GraphQLNamedType) -> set[str]:
    """Walk every type that a selection can reach from one."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        kind = todo.pop()
        if kind.name in seen:
            continue
        seen.add(kind.name)
        if isinstance(kind, (GraphQLUnionType, GraphQLInterfaceType)):
            todo += schema.get_possible_types(kind)
        if isinstance(kind, (GraphQLObjectType, GraphQLInterfaceType)):
            todo += [
                get_named_type(field.type)
                for name, field in kind.fields.items()
                if (kind.name, name) not in SIGNS_IN
            ]
    return seen


# ------------------------------------------------------------------ shapes


def test_every_payload_can_say_no(schema: GraphQLSchema) -> None:
    mute = [
        kind.name
        for kind in objects(schema)
        if kind.name.endswith("Payload")
        and str(getattr(kind.fields.get("userErrors"), "type", "")) != "[UserError!]!"
    ]

    assert mute == []


def test_a_mutation_takes_its_input_and_gives_its_payload(
    schema: GraphQLSchema,
) -> None:
    other = []
    for owner, name, field in roots(schema):
        if owner == "Mutation":
            stem = name[0].upper() + name[1:]
            taken = {arg: str(given.type) for arg, given in field.args.items()}
            if str(field.type) != f"{stem}Payload!" or taken not in (
                {},
                {"input": f"{stem}Input!"},
            ):
                other.append(name)

    assert other == []


def test_what_creates_carries_the_phones_key(schema: GraphQLSchema) -> None:
    keyless = []
    for name in MAKES:
        stem = name[0].upper() + name[1:]
        given, answer = (
            schema.type_map[f"{stem}Input"],
            schema.type_map[f"{stem}Payload"],
        )
        assert isinstance(given, GraphQLInputObjectType)
        assert isinstance(answer, GraphQLObjectType)
        key = given.fields.get("idempotencyKey")
        if str(getattr(key, "type", "")) != "IdempotencyKey!":
            keyless.append(f"{stem}Input")
        if str(getattr(answer.fields.get("replayed"), "type", "")) != "Boolean!":
            keyless.append(f"{stem}Payload")

    assert keyless == []


def test_every_list_is_paged_or_says_its_cap(schema: GraphQLSchema) -> None:
    """Lists of connections, payloads and enums are bounded by what holds them."""
    open_ended = []
    for kind in objects(schema):
        if kind.name.endswith(("Connection", "Payload")):
            continue
        for name, field in kind.fields.items():
            named = get_named_type(field.type)
            bounded = {"first", "last"} & field.args.keys()
            composite = isinstance(named, (GraphQLObjectType, GraphQLInterfaceType))
            if is_list(field.type) and composite and not bounded:
                said = f"{field.description or ''} {named.description or ''}"
                if not CAP.search(said):
                    open_ended.append(f"{kind.name}.{name}")

    assert open_ended == sorted(BOUNDED_BY_NATURE & set(open_ended))


# Lists whose length is fixed by an enum of the contract or by one sentence of the bank.
BOUNDED_BY_NATURE = {
    "ChallengeDisplay.lines",
    "Customer.factors",
    "Device.factors",
    "NotificationSettings.preferences",
    "PaymentQuote.allowed",
    "PaymentQuote.blockers",
    "Query.serviceStatus",
    "ResolvedPayee.rails",
}


def test_every_connection_is_a_keyset_page(schema: GraphQLSchema) -> None:
    for kind in objects(schema):
        for name, field in kind.fields.items():
            if get_named_type(field.type).name.endswith("Connection"):
                assert {"first", "after"} <= field.args.keys(), f"{kind.name}.{name}"


def test_every_type_is_reachable_from_a_root(schema: GraphQLSchema) -> None:
    reached: set[str] = set()
    for _owner, _name, field in roots(schema):
        reached |= reachable(schema, get_named_type(field.type))
        for given in field.args.values():
            reached |= inputs(get_named_type(given.type))
    for kind in objects(schema):
        for field in kind.fields.values():
            if kind.name in reached:
                for given in field.args.values():
                    reached |= inputs(get_named_type(given.type))
    reached |= {"Customer", *ROOTS}
    of_directives = {"AuthLevel"}
    unreached = {kind.name for kind in own_types(schema)} - reached - of_directives

    assert unreached == set()


def inputs(start: GraphQLNamedType) -> set[str]:
    seen: set[str] = set()
    todo = [start]
    while todo:
        kind = todo.pop()
        if kind.name not in seen:
            seen.add(kind.name)
            if isinstance(kind, GraphQLInputObjectType):
                todo += [get_named_type(entry.type) for entry in kind.fields.values()]
    return seen
