"""What can go wrong for a phone, drawn as one tree.

PhoneError
├── Refused         the bank said no; nothing more to wait for
├── Unreachable     no answer; `sent` tells whether the bank may have acted
├── SocketClosed    the live socket ended with a close code of graphql.md §11
├── NotSeen         something awaited on the live stream did not come
├── NotAsIntended   a challenge says something the person did not ask for
├── NotReady        this phone lacks what the call needs: enrol or sign in first
├── PasskeyRefused  the phone's authenticator says no, by its WebAuthn name
├── FingerRefused   the phone's sensor does not know the finger
└── BadEntry        the person typed something the phone itself refuses
ProofFailed         a proof saw something else than it must
"""

from collections.abc import Mapping


class PhoneError(Exception):
    """Base of everything a phone raises on purpose."""


class Refused(PhoneError):
    """A "no" of the bank, from `userErrors` or from top-level `errors`.

    Attributes:
        code: An `ErrorCode` or a top-level code of graphql.md §3, as text.
        message: The sentence for the person.
        facts: Every further field of the error, for example `attemptsLeft`.
        request_id: The `X-Request-Id` of the answer, if it had one.
    """

    def __init__(
        self,
        code: str,
        message: str,
        facts: Mapping[str, object] | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.facts: Mapping[str, object] = facts or {}
        self.request_id = request_id

    @property
    def attempts_left(self) -> int | None:
        """Tries left, when the bank tells it (CredentialError)."""
        left = self.facts.get("attemptsLeft")
        return left if isinstance(left, int) else None

    @property
    def reason(self) -> str | None:
        """`extensions.reason` of UNAUTHENTICATED."""
        reason = self.facts.get("reason")
        return reason if isinstance(reason, str) else None


class Unreachable(PhoneError):
    """No answer came.

    Attributes:
        sent: True when the request may have reached the bank, so that only the
            same key or the same bytes may be sent again.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class SocketClosed(PhoneError):
    """The live socket ended.

    Attributes:
        code: The close code; 1006 when the line broke without one.
        reason: The text of the close frame.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"the live socket closed with {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class NotSeen(PhoneError):
    """What was awaited on the live stream did not come in time."""


class NotAsIntended(PhoneError):
    """The challenge does not say what the person asked for: nothing is signed.

    Source: auth.md §2.3, §3.10 (the phone shows and checks the payload itself).
    """


class NotReady(PhoneError):
    """The phone lacks a key, an mPIN or a session for this call."""


class PasskeyRefused(PhoneError):
    """The phone's authenticator makes or uses no passkey for these options.

    Attributes:
        name: The DOMException of WebAuthn Level 3 an app would see, for example
            SecurityError, InvalidStateError or NotAllowedError.
    """

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


class FingerRefused(PhoneError):
    """The phone's sensor does not know the finger: no key is opened."""


class BadEntry(PhoneError):
    """The phone refuses what was typed, before anything is sent."""


class ProofFailed(AssertionError):
    """A proof saw something else than it must."""

    def __init__(self, what: str, expected: object, seen: object) -> None:
        super().__init__(f"{what}: expected {expected}, saw {seen}")


def expect(what: str, expected: object, seen: object) -> None:
    """Compare, and say both sides when they differ.

    Raises:
        ProofFailed: they are not equal.
    """
    if expected != seen:
        raise ProofFailed(what, expected, seen)
