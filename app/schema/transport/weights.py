"""What a client would rather have: headers with weights (RFC 9110 section 12.4.2)."""

import re
from collections.abc import Sequence

_WEIGHT = re.compile(r"q=(0(\.\d{0,3})?|1(\.0{0,3})?)")


def weights_of(lines: Sequence[str]) -> dict[str, float]:
    """Read the lines of an Accept header; a weight that cannot be read is 1."""
    found: dict[str, float] = {}
    for part in filter(str.strip, ",".join(lines).lower().split(",")):
        name, *parameters = (one.strip() for one in part.split(";"))
        told = [one[2:] for one in parameters if _WEIGHT.fullmatch(one)]
        weight = float(told[0]) if told else 1.0
        found[name] = max(weight, found.get(name, 0.0))
    return found
