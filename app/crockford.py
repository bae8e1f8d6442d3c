"""Codes people type from paper: Crockford's base32, thirty-two letters and digits.

Without I, L, O and U; what looks like 0 or 1 is read as such (auth.md 2.11).
"""

import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_GROUP = 4
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", " ": None, "-": None})


def made(length: int) -> str:
    """Draw a code of so many characters, five bits each."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def plain(text: str) -> str:
    """Bring a typed code into its one form: `7k2m-q9xt` is `7K2MQ9XT`."""
    return text.upper().translate(_READ_AS)


def printed(code: str) -> str:
    """Write a code in groups of four: `7K2M-Q9XT`."""
    return "-".join(
        code[start : start + _GROUP] for start in range(0, len(code), _GROUP)
    )
