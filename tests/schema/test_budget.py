"""The walk is linear and every limit refuses at its number."""

import pytest
from graphql import OperationDefinitionNode, parse

from app.errors import BadRequest, TooComplex
from app.schema.budget import (
    MANY,
    DocumentBudget,
    Sums,
    parsed,
    require_within,
)
from app.schema.execution import Call
from app.schema.guards import weight_of
from app.schema.prepare import Prepared, Rejection
from app.schema.values import require_flat
from tests.schema.tiny import SCHEMA, a_bank, an_engine

GRAPH = SCHEMA._schema  # noqa: SLF001  -- the budget reads graphql-core's schema


def measured(text: str, **variables: object) -> Sums:
    document = parse(text)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return DocumentBudget(GRAPH, document, weight_of, variables or None).operation(
        operation
    )


def chain(length: int, spreads: int = 2) -> str:
    """A document whose expanded size doubles with each fragment."""
    parts = ["{ row { ...F0 } }"]
    for one in range(length - 1):
        spread = f"...F{one + 1} " * spreads
        parts.append(f"fragment F{one} on Row {{ {spread} }}")
    parts.append(f"fragment F{length - 1} on Row {{ number }}")
    return "\n".join(parts)


def refusal_of(text: str, **chosen: object) -> tuple[str, object]:
    """Prepare a text and give code and budget of the first fault."""
    found = an_engine(a_bank(**chosen)).document(Call(text))
    assert isinstance(found, Rejection)
    fault = found.faults[0][0]
    return fault.code, fault.facts.get("budget")


def test_a_field_costs_its_weight_and_one_when_it_is_an_object() -> None:
    assert measured("{ ping }").cost == 1
    assert measured("{ row { number } }").cost == 2
    assert measured("{ row { below { number } } }").cost == 3


def test_a_plain_list_counts_ten_rows_and_a_page_as_many_as_it_asks_for() -> None:
    assert measured("{ row { beside { below { number } } } }").cost == 2 + 1 + 10
    assert measured("{ rows(first: 7) { nodes { below { number } } } }").cost == (
        2 + 7 * (1 + 1)
    )
    assert measured("{ rows { nodes { number } } }").cost == 2 + 25


def test_a_size_in_a_variable_is_priced_when_it_is_known() -> None:
    text = "query ($n: Int) { rows(first: $n) { nodes { number } } }"

    assert measured(text).cost == 2 + 1
    assert measured(text, n=60).cost == 2 + 60


def test_a_chain_of_doubling_fragments_takes_one_step_per_spread() -> None:
    document = parse(chain(28))
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    budget = DocumentBudget(GRAPH, document, weight_of)

    sums = budget.operation(operation)

    assert sums.fields == 2**27 + 1
    assert budget.steps == 2 + 27 * 2 + 1


def test_counts_saturate() -> None:
    sums = measured(chain(29, spreads=6))

    assert sums.fields == MANY


@pytest.mark.parametrize("length", [17, 29])
def test_a_fragment_chain_is_refused_for_its_expanded_fields(length: int) -> None:
    assert refusal_of(chain(length)) == ("TOO_COMPLEX", "fields")


def test_a_chain_of_ninety_fragments_is_refused_before_it_is_walked() -> None:
    assert refusal_of(chain(90)) == ("TOO_COMPLEX", "definitions")


def test_a_cycle_of_fragments_has_no_size_and_is_a_bad_request() -> None:
    text = "{ row { ...A } } fragment A on Row { ...B } fragment B on Row { ...A }"

    assert refusal_of(text) == ("BAD_REQUEST", None)


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("{" + "row {" + "below {" * 9 + "number" + "}" * 11, "depth"),
        ("{" + " ".join(f"a{one}: ping" for one in range(16)) + "}", "aliases"),
        ("{ ping " + "@skip(if: false) " * 21 + "}", "directives"),
        ("{ row {" + "number " * 401 + "} }", "fields"),
        ("{" + "... {" * 70 + "ping" + "}" * 71, "depth"),
        ("{" + "row {" * 400 + "number" + "}" * 401, "depth"),
        ("{ ping }" + " " * 15_000, "characters"),
        ("{" + " ping" * 1_000 + "}", "tokens"),
        ("{ rows(first: 100) { nodes { " + "beside { number } " * 20 + "} } }", "cost"),
        ('{ ping(text: "' + "x" * 15_000 + '") }', "characters"),
    ],
)
def test_each_attack_meets_its_limit(text: str, budget: str) -> None:
    assert refusal_of(text) == ("TOO_COMPLEX", budget)


def test_an_unused_fragment_is_measured_too() -> None:
    heavy = "fragment F on Row {" + "number " * 401 + "}"

    assert refusal_of("{ ping } " + heavy) == ("TOO_COMPLEX", "fields")


def test_what_is_just_within_the_limits_is_prepared() -> None:
    bank = a_bank()
    deepest = "{" + "row {" + "below {" * 8 + "number" + "}" * 10
    aliased = "{ row {" + " ".join(f"a{one}: number" for one in range(15)) + "} }"

    for text in (deepest, aliased):
        assert isinstance(an_engine(bank).document(Call(text)), Prepared)


@pytest.mark.parametrize(
    "text",
    [
        "{" + " ".join(f"a{one}: ping" for one in range(11)) + "}",
        "mutation { start eventsAck }",
        "mutation { a: start b: start }",
        "mutation { ...F } fragment F on Mutation { start eventsAck }",
        "subscription { ticks(upTo: 1) own }",
    ],
)
def test_too_many_root_fields_are_a_bad_request(text: str) -> None:
    assert refusal_of(text) == ("BAD_REQUEST", None)


def test_schema_queries_have_a_depth_of_their_own() -> None:
    sums = measured("{ __schema { types { fields { type { ofType { name } } } } } }")

    assert (sums.depth, sums.schema_depth, sums.cost) == (1, 6, 0)


def test_require_within_names_the_first_limit_that_was_passed() -> None:
    with pytest.raises(TooComplex) as refused:
        require_within(Sums(aliases=16, cost=3000), a_bank().settings)

    assert refused.value.facts == {"budget": "aliases"}


def test_deep_input_is_refused_as_too_deep_to_parse() -> None:
    text = "{ ping(text: " + "[" * 490 + "1" + "]" * 490 + ") }"

    with pytest.raises(TooComplex) as refused:
        parsed(text, a_bank().settings)

    assert refused.value.facts == {"budget": "depth"}


def test_variables_are_flat_and_their_lists_short() -> None:
    chosen = a_bank().settings
    deep: object = 1
    for _ in range(8):
        deep = [deep]

    require_flat({"list": [1] * 200}, chosen)
    with pytest.raises(BadRequest):
        require_flat({"list": [1] * 201}, chosen)
    with pytest.raises(BadRequest):
        require_flat({"deep": deep}, chosen)
