"""Asking the small contract one operation, and reading the errors of its answer."""

from typing import Any, cast

from app.auth.actor import Actor
from app.schema.execution import Call, Channel
from app.schema.masking import Answer
from tests.schema.tiny import FakeBank, a_bank, a_context, an_engine

MOVE = """mutation Move($input: MoveInput!) {
  move(input: $input) {
    moved { minorUnits currency exponent }
    userErrors {
      __typename code message field
      ... on RateLimitedError { retryAfterSeconds }
      ... on ServiceUnavailableError { component wait: retryAfterSeconds }
    }
  }
}"""
KEY = "0198a000-0000-7000-8000-000000000001"


async def asked(
    text: str, actor: Actor | None = None, bank: FakeBank | None = None, **rest: Any
) -> Answer:
    used = bank or a_bank()
    over = rest.pop("over", Channel.HTTP)
    call = Call(text, **rest)
    return await an_engine(used).run(a_context(used, actor), call, over=over)


def codes(answer: Answer) -> list[str]:
    errors = cast("list[dict[str, Any]]", answer.body["errors"])
    return [error["extensions"]["code"] for error in errors]


def facts(answer: Answer) -> dict[str, object]:
    errors = cast("list[dict[str, Any]]", answer.body["errors"])
    return dict(errors[0]["extensions"])


def move_input(**parts: object) -> dict[str, object]:
    amount = {"minorUnits": "1050", "currency": "INR"}
    return {"input": {"idempotencyKey": KEY, "amount": amount} | parts}
