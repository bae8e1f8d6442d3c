"""How the book says no, and that it is stopped."""

from app.errors import Outage
from app.ledger.posting import No


class Refused(Exception):
    """The book refuses an operation; nothing moved.

    Args:
        no: why.
        stored: the refusal is an answer that was given before.
    """

    def __init__(self, no: No, *, stored: bool = False) -> None:
        super().__init__(no.value)
        self.no = no
        self.stored = stored


class Frozen(Outage):
    """Postings are stopped until the bank has found out which sum is wrong."""

    def __init__(self) -> None:
        super().__init__("LEDGER_FROZEN", component="TRANSFERS", retry_after_s=None)
