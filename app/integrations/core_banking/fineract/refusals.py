"""What a "no" of Fineract means in our words, by its inner code. Pure.

The status alone says too little: 403 is a lacking permission and a rule of banking
alike. Source: banking.md section 6.2 and the exceptions of Apache Fineract 1.15.
"""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus

from app.integrations.exchange import Answer
from app.integrations.outcome import PortCode

ALREADY = "interop.transfer.already."  # there under this name; the core swaps the two
MISSING = "interop.onhold.transfer.missing"  # never held, freed, or booked
_PAGE_SAYS = "userMessageGlobalisationCode"
# Matched in this order, as a part of the code: the rest differs with the product.
_CODES: Sequence[tuple[str, int, PortCode]] = (
    ("insufficient.account.balance", 403, PortCode.INSUFFICIENT_FUNDS),
    ("account.blocked.transaction.not.allowed", 403, PortCode.ACCOUNT_BLOCKED),
    ("account.debit.transaction.not.allowed", 403, PortCode.ACCOUNT_BLOCKED),
    ("account.credit.transaction.not.allowed", 403, PortCode.ACCOUNT_BLOCKED),
    ("interop.transaction.not.allowed", 403, PortCode.ACCOUNT_CLOSED),
    ("transaction.account.is.not.active", 403, PortCode.ACCOUNT_CLOSED),
    ("account.is.not.active", 400, PortCode.ACCOUNT_CLOSED),
    ("different.currencies", 403, PortCode.CURRENCY_MISMATCH),
    (ALREADY, 403, PortCode.VALIDATION),
    (MISSING, 404, PortCode.VALIDATION),
    ("error.msg.resource.not.found", 404, PortCode.ACCOUNT_NOT_FOUND),
    ("error.msg.platform.service.", 409, PortCode.CONFLICT_RETRY),
    ("validation.msg.", 400, PortCode.VALIDATION),
)
_OURS = frozenset({PortCode.VALIDATION, PortCode.PERMISSION})


def codes_of(body: object) -> Iterator[str]:
    """Give the codes that an error names, the innermost first."""
    if not isinstance(body, Mapping):
        return
    inner = body.get("errors")
    for one in inner if isinstance(inner, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get(_PAGE_SAYS), str):
            yield one[_PAGE_SAYS]
    outer = body.get(_PAGE_SAYS)
    if isinstance(outer, str):
        yield outer


def meaning_of(answer: Answer) -> PortCode | None:
    """Put a 4xx to a write into our words; None where the table has no line for it.

    A 403 without a known code is a permission that our user of the core lacks, as long
    as it is Fineract that speaks: a page of a proxy has no code and means nothing.
    """
    codes = list(codes_of(answer.body))
    for part, status, code in _CODES:
        if status == answer.status and any(part in one for one in codes):
            return code
    if answer.status == HTTPStatus.FORBIDDEN and codes:
        return PortCode.PERMISSION
    return None


def is_ours(code: PortCode) -> bool:
    """Tell whether our request, or what our user may do, is wrong: staff mends it."""
    return code in _OURS


def says(answer: Answer, part: str) -> bool:
    """Tell whether an error names a code with this part."""
    return any(part in code for code in codes_of(answer.body))
