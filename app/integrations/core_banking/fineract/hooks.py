"""The core's hooks: unsigned, sent once, never repeated; so a secret address, a hint.

Source: banking.md section 6.2.
"""

import hmac
import re
from pathlib import Path

from app.errors import NotFound
from app.integrations.core_banking.fineract import wire
from app.integrations.exchange import from_json
from app.integrations.outcome import ContractBroken
from app.settings import Misconfigured

_SECRET = re.compile(r"[A-Za-z0-9_-]{32,128}")


def secret_of(file: Path) -> str:
    """Read the last part of the address that hooks call.

    Raises:
        Misconfigured: there is none to read, or it has another form.
    """
    try:
        found = file.read_text("utf-8").strip()
    except (OSError, ValueError):
        found = ""
    if not _SECRET.fullmatch(found):
        raise Misconfigured(
            "CORE_BANKING_FINERACT_HOOK_SECRET_FILE: it has no line of 32 to 128 "
            "letters, digits, - and _"
        )
    return found


def account_of(secret: str | None, given: str, body: bytes) -> str | None:
    """Name the savings account that a call is about; None: it names none.

    Args:
        secret: the right one; None: no hook is heard.
        given: the one of the address that was called.
        body: what came with it.

    Raises:
        NotFound: another secret.
    """
    if secret is None or not hmac.compare_digest(secret.encode(), given.encode()):
        raise NotFound
    try:
        told = from_json(body)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    try:
        return str(wire.number(told.get("savingsId"), "a hook's account"))
    except ContractBroken:
        return None
