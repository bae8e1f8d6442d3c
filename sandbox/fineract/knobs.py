"""Knobs: how this server differs from the next, and what it is to fail at."""

from dataclasses import asdict, dataclass, fields
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sandbox.intake import Refused, only, whole

COUNT_MAX = 1_000_000
WORK_MS_MAX = 60_000


@dataclass(slots=True)
class Knobs:
    """What `PUT /_fineract/knobs` may set.

    Args:
        timezone: of the tenant; its date is the business day.
        textDates: dates as "2026-11-22" instead of [2026, 11, 22].
        offsetIsRows: `offset` of the search counts rows; the real server takes it for
            the number of a page of `limit` rows.
        stockBatches: a batch serves only what the server's own source knows there;
            else every route of the double.
        readOnly: writes are answered 405.
        workMs: how long a command works before it has any effect.
        conflicts: so many of the next commands end in 409.
        stuck: so many of the next commands die midway: 500, no effect, and the key
            stays "under processing" for ever.
        queued: so many of the next commands wait for a checker, who never comes: 200
            with the command's number alone, and no effect.
    """

    timezone: str = "Asia/Kolkata"
    textDates: bool = False  # noqa: N815  -- a name of the wire
    offsetIsRows: bool = False  # noqa: N815  -- same
    stockBatches: bool = False  # noqa: N815  -- same
    readOnly: bool = False  # noqa: N815  -- same
    workMs: int = 0  # noqa: N815  -- same
    conflicts: int = 0
    stuck: int = 0
    queued: int = 0

    def turn(self, body: dict[str, object]) -> None:
        """Turn the knobs that are named.

        Raises:
            Refused: 422, a name or a value nobody knows; nothing is turned.
        """
        only(body, [one.name for one in fields(self)])
        read = {name: self._read(name, value) for name, value in body.items()}
        for name, value in read.items():
            setattr(self, name, value)

    def shown(self) -> dict[str, object]:
        """Give how they stand."""
        return asdict(self)

    def spend(self, name: str) -> bool:
        """Say whether a counted fault is due, and count it."""
        left: int = getattr(self, name)
        setattr(self, name, max(0, left - 1))
        return left > 0

    def _read(self, name: str, value: object) -> object:
        present = getattr(self, name)
        if isinstance(present, bool):
            if isinstance(value, bool):
                return value
            raise Refused(422, "OUT_OF_RANGE", f"{name} must be true or false.")
        if isinstance(present, int):
            most = WORK_MS_MAX if name == "workMs" else COUNT_MAX
            return whole(value, name, 0, most)
        try:
            return ZoneInfo(str(value)).key
        except (ZoneInfoNotFoundError, ValueError):
            raise Refused(
                422, "OUT_OF_RANGE", f"{name} must name a time zone."
            ) from None
