"""Tables of the mirror: names of every guard.

All of them are written under a condition, so all is raw SQL and there is no model.
"""

CONSTRAINTS = (
    "mirror_balance_version",
    "mirror_transaction_status",
    "mirror_transaction_direction",
    "mirror_transaction_amount",
    "mirror_transaction_once",
    "mirror_transaction_newest",
    "mirror_transaction_open",
    "mirror_transaction_payment",
    "mirror_cursor_polled",
    "mirror_cursor_used",
    "mirror_cursor_dirty",
    "mirror_cursor_history",
    "mirror_words_journal",
    "mirror_words_held",
    "mirror_words_idle",
)
