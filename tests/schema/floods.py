"""Documents that ask for much work: small texts whose size multiplies somewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def chain(length: int, spreads: int = 2, leaf: str = "number") -> str:
    """Write a document that grows `spreads`-fold with each of its fragments."""
    parts = ["{ row { ...F0 } }"]
    for one in range(length - 1):
        spread = f"...F{one + 1} " * spreads
        parts.append(f"fragment F{one} on Row {{ {spread} }}")
    parts.append(f"fragment F{length - 1} on Row {{ {leaf} }}")
    return "\n".join(parts)


def many(text: str, count: int) -> str:
    """Write a text many times, each with its number."""
    return " ".join(text.replace("%", str(one)) for one in range(count))


def web(size: int) -> str:
    """Write fragments that spread all those after them."""
    parts = ["{ row { ...F0 } }"]
    for one in range(size):
        rest = "".join(f"...F{other} " for other in range(one + 1, size))
        parts.append(f"fragment F{one} on Row {{ number {rest} }}")
    return "\n".join(parts)


RING = "{ row { ...F0 } } " + " ".join(
    f"fragment F{one} on Row {{ ...F{(one + 1) % 29} ...F{(one + 7) % 29} }}"
    for one in range(29)
)

# What is sent, the code it is refused with and the budget it passes.
FLOODS: dict[str, tuple[str, str, str | None]] = {
    "chain of 17": (chain(17), "TOO_COMPLEX", "fields"),
    "chain of 29": (chain(29), "TOO_COMPLEX", "fields"),
    "wide chain": (chain(29, 6), "TOO_COMPLEX", "fields"),
    "chain of 90": (chain(90), "TOO_COMPLEX", "definitions"),
    "chain to nowhere": (chain(29, 6, "...Nowhere"), "BAD_REQUEST", None),
    "chain in a ring": (chain(29, 6, "...F0"), "BAD_REQUEST", None),
    "ring": (RING, "BAD_REQUEST", None),
    "ring through a field": (
        "{ row { ...A } } fragment A on Row { below { ...A } }",
        "BAD_REQUEST",
        None,
    ),
    "ring that nothing spreads": (
        "{ ping } fragment A on Row { below { ...B } } fragment B on Row { ...A }",
        "BAD_REQUEST",
        None,
    ),
    "web": (web(28), "TOO_COMPLEX", "fields"),
    "hollow fragment": (
        "{ row {" + many("a%: below { ...E }", 15) + "} } fragment E on Row {"
        "" + "...X " * 400 + "}",
        "BAD_REQUEST",
        None,
    ),
    "unknown fragments": ("{ row {" + many("...Z%", 320) + "} }", "BAD_REQUEST", None),
    "aliases": ("{ row {" + many("a%: number", 300) + "} }", "TOO_COMPLEX", "aliases"),
    "mutations by alias": (
        "mutation {" + many("a%: start", 9) + "}",
        "BAD_REQUEST",
        None,
    ),
    "directives": (
        "{ ping " + "@skip(if: false) " * 160 + "}",
        "TOO_COMPLEX",
        "tokens",
    ),
    "duplicate fields": (
        "{ row {" + "number " * 900 + "} }",
        "TOO_COMPLEX",
        "fields",
    ),
    "just enough duplicates": (
        "{ row {" + "number " * 399 + "} }",
        "TOO_COMPLEX",
        "fields",
    ),
    "duplicate objects": (
        "{ row {" + "below { number } " * 190 + "} }",
        "TOO_COMPLEX",
        "fields",
    ),
    "duplicates below duplicates": (
        "{ row {" + "below { below { below { number } } } " * 44 + "} }",
        "TOO_COMPLEX",
        "fields",
    ),
    "duplicates by fragments": (
        "{ row {" + "... on Row { number } " * 150 + "} }",
        "TOO_COMPLEX",
        "fields",
    ),
    "unknown fields": ("{ row {" + many("x%", 395) + "} }", "BAD_REQUEST", None),
    "variables": (
        "query (" + many("$v%: Nowhere", 240) + ") { ping }",
        "BAD_REQUEST",
        None,
    ),
    "deep type": (
        "query ($v: " + "[" * 150 + "Int" + "]" * 150 + ") { ping }",
        "BAD_REQUEST",
        None,
    ),
    "deep list": (
        "{ ping(text: " + "[" * 150 + "1" + "]" * 150 + ") }",
        "TOO_COMPLEX",
        "depth",
    ),
    "deeper list": (
        "{ ping(text: " + "[" * 490 + "1" + "]" * 490 + ") }",
        "TOO_COMPLEX",
        "depth",
    ),
    "deep object": (
        "{ ping(text: " + "{a: " * 150 + "1" + "}" * 150 + ") }",
        "TOO_COMPLEX",
        "depth",
    ),
    "deep default": (
        "query ($v: String = " + "[" * 9 + "]" * 9 + ") { ping(text: $v) }",
        "TOO_COMPLEX",
        "depth",
    ),
    "long list": ("{ ping(text: [" + "1 " * 900 + "]) }", "TOO_COMPLEX", "items"),
    "long number": (
        "{ rows(first: " + "9" * 14_900 + ") { nodes { number } } }",
        "TOO_COMPLEX",
        "cost",
    ),
    "long negative number": (
        "{ rows(first: -" + "9" * 14_900 + ") { nodes { number } } }",
        "TOO_COMPLEX",
        "cost",
    ),
    "wide object": (
        "mutation { move(input: {" + many("f%: 1", 300) + "}) { __typename } }",
        "BAD_REQUEST",
        None,
    ),
    "deep selections": ("{" + "row {" * 400 + "a" + "}" * 401, "TOO_COMPLEX", "depth"),
    "deep inline": ("{" + "... {" * 70 + "ping" + "}" * 71, "TOO_COMPLEX", "depth"),
    "long name": ("{ " + "x" * 14_900 + " }", "BAD_REQUEST", None),
    "long variable": ("query ($" + "v" * 14_900 + ": A) { ping }", "BAD_REQUEST", None),
    "one operation 30 times": (many("query A { ping }", 30), "BAD_REQUEST", None),
    "unused fragments": (
        "{ ping } " + many("fragment F% on Row { number }", 29),
        "BAD_REQUEST",
        None,
    ),
    "schema in depth": (
        "{ __schema { types {"
        + "fields { type { " * 9
        + "name"
        + " } }" * 9
        + " } } }",
        "TOO_COMPLEX",
        "introspectionDepth",
    ),
    "too long": ("{ ping }" + " " * 15_000, "TOO_COMPLEX", "characters"),
    "too many tokens": ("{" + " ping" * 1_000 + "}", "TOO_COMPLEX", "tokens"),
}


class Work:
    """How many Python functions were called: the same on a busy machine."""

    calls = 0


@contextmanager
def counted() -> Iterator[Work]:
    """Count the calls of a block."""
    work, before = Work(), sys.getprofile()

    def note(_frame: Any, event: str, _argument: Any) -> None:
        if event == "call":
            work.calls += 1

    sys.setprofile(note)
    try:
        yield work
    finally:
        sys.setprofile(before)
