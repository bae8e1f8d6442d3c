"""A no is data all the way: a code, a sentence for people, a kind the phone reads."""

import inspect
import re
from importlib import import_module

import pytest

from app.errors import ErrorCode, Refusal, RequestFault
from app.schema import refusals as edge
from tests.house import contract
from tests.house.printed import ADVICE, faults, refusals

SENTENCE = re.compile(r"^[A-Z].*[.?!]$")
COMMON = {"args", "message", "field"}


@pytest.fixture(scope="module", autouse=True)
def every_slice() -> None:
    """Import the whole edge: a slice registers its kinds when it is imported."""
    import_module("app.schema.root")


def facts(kind: type[Refusal]) -> set[str]:
    """Name what a refusal tells besides its sentence: parameters of its own."""
    if "__init__" not in vars(kind):
        return set()
    return set(inspect.signature(kind).parameters) - {"sentence", "field"}


@pytest.mark.parametrize("kind", refusals(), ids=lambda kind: kind.__name__)
def test_a_refusal_has_a_code_and_a_sentence_for_people(kind: type[Refusal]) -> None:
    assert kind.code in ErrorCode
    assert SENTENCE.match(kind.sentence), kind.sentence
    assert kind.__doc__


@pytest.mark.parametrize("kind", refusals(), ids=lambda kind: kind.__name__)
def test_a_refusal_with_facts_has_a_kind_that_shows_them(kind: type[Refusal]) -> None:
    shapes = vars(edge)["_shapes"]

    if facts(kind):
        assert any(parent in shapes for parent in kind.__mro__), facts(kind)


def test_every_registered_kind_is_a_type_of_the_contract() -> None:
    kinds = {
        name.split(":")[0]
        for name in contract.exported()
        if name.endswith(":UserError")
    }

    assert {"GenericError", "CredentialError", "RateLimitedError"} <= kinds
    for shape in vars(edge)["_shapes"].values():
        shown = inspect.signature(shape).return_annotation
        name = getattr(shown, "__name__", str(shown)).split(".")[-1]
        assert name in kinds | {"UserError"}


def test_the_edge_and_the_rooms_have_the_same_codes_in_the_same_order() -> None:
    exported = [
        name.removeprefix("ErrorCode.")
        for name in contract.exported()
        if name.startswith("ErrorCode.")
    ]

    assert exported == [code.value for code in ErrorCode]
    assert [code.name for code in edge.ErrorCode] == exported


def test_every_code_says_what_the_app_does() -> None:
    top = {fault.code for fault in faults()}

    assert set(ADVICE) == {code.value for code in ErrorCode} | top | {"INTERNAL"}


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.__name__)
def test_a_fault_has_a_sentence_and_a_status(fault: type[RequestFault]) -> None:
    assert SENTENCE.match(fault.sentence)
    assert fault.status in {400, 401, 403, 429}
    assert re.fullmatch(r"[A-Z_]+", fault.code)
