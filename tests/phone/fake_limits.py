"""What the fake bank lets its customers pay."""

from tests.phone.fake_parts import NOW, Customer, Node, amount, refusal

TO_A_NEW_PAYEE = 500_000
CEILING = 200_000_000


def limit_of(owner: Customer) -> Node:
    """Give the one limit a customer has here."""
    return {
        "id": f"lim_{owner.number:0>32}",
        "name": "Payments a day",
        "window": "DAY",
        "max": amount(owner.limit),
        "used": amount(0),
        "remaining": amount(owner.limit),
        "resetsAt": NOW,
        "ceiling": amount(CEILING),
        "pendingMax": None if owner.pending is None else amount(owner.pending),
        "pendingFrom": None if owner.pending is None else NOW,
    }


def too_much(owner: Customer, given: Node) -> Node | None:
    """Refuse a payment that is more than the customer may pay."""
    minor = int(given["amount"]["minorUnits"])
    new = "beneficiaryId" in given["to"] and minor > TO_A_NEW_PAYEE
    if new and owner.limit >= TO_A_NEW_PAYEE:
        facts = {"endsAt": NOW, "allowedNow": amount(TO_A_NEW_PAYEE)}
        return refusal("COOLING_PERIOD", "CoolingPeriodError", **facts)
    if minor > owner.limit:
        return refusal("LIMIT_EXCEEDED", "LimitExceededError", limit=limit_of(owner))
    return None


def chosen(owner: Customer, minor: int) -> Node:
    """Lower a limit at once; a higher one waits."""
    if minor > CEILING:
        return refusal("LIMIT_EXCEEDED", "LimitExceededError", limit=limit_of(owner))
    if minor > owner.limit:
        owner.pending = minor
    else:
        owner.limit, owner.pending = minor, None
    return {"limit": limit_of(owner), "effectiveAt": NOW}
