"""Close codes of the socket in one table; each tells a phone to retry, refresh or stop.

Chosen against the common client library, which treats 1011 and 4500 as final: a phone
would stay dark after one hiccup, so they are never sent (realtime.md section 8.4).
"""

from enum import IntEnum


class Close(IntEnum):
    """Why the server ends a socket."""

    GOING = 1012
    TRY_LATER = 1013
    MALFORMED = 4400
    REVOKED = 4401
    REFUSED = 4403
    SUBPROTOCOL = 4406
    INIT_LATE = 4408
    ID_IN_USE = 4409
    SLOW = 4410
    TOO_MANY = 4413
    EXPIRED = 4419
    FLOOD = 4429
    SILENT = 4499


MEANING: dict[Close, tuple[str, str]] = {
    Close.GOING: ("deploy or drain", "reconnect after `retryAfterMs` with `after`"),
    Close.TRY_LATER: ("overload or internal error", "reconnect, backoff 0.5-30 s"),
    Close.MALFORMED: ("malformed message", "bug; stop"),
    Close.REVOKED: ("session ended, or subscribe before ack", "stop, sign in"),
    Close.REFUSED: ("token or proof refused at init", "refresh, reconnect"),
    Close.SUBPROTOCOL: ("wrong subprotocol", "bug; stop"),
    Close.INIT_LATE: ("no connection_init in time", "reconnect"),
    Close.ID_IN_USE: ("operation id in use", "bug; stop"),
    Close.SLOW: ("slow consumer", "reconnect with `after`"),
    Close.TOO_MANY: ("too many sockets of this phone or customer", "stop"),
    Close.EXPIRED: ("access token expired", "refresh, reconnect with `after`"),
    Close.FLOOD: ("second init, or message flood", "bug; stop"),
    Close.SILENT: ("no pong", "reconnect with `after`"),
}
