"""Time that tests move: the offset file which the server's clock reads as well."""

import os
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.intake import Refused, json_object, only, whole

OFFSET_S_MAX = 10 * 366 * 86_400  # ten years either way


def rfc3339(instant: datetime) -> str:
    """Write an instant as UTC with three decimals and `Z`."""
    text = instant.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


class WorldClock:
    """The time of the outside world: the machine's, moved by the offset file.

    The file is read at each look, so whoever writes it moves bank and world together.

    Args:
        file: holds seconds to add; None where the clock cannot be moved.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file

    def offset_s(self) -> float:
        """Give the seconds added at present; a missing or broken file adds none."""
        if self._file is None:
            return 0.0
        try:
            return float(self._file.read_text().strip() or 0)
        except (FileNotFoundError, ValueError):
            return 0.0

    def now(self) -> datetime:
        """Give the present instant in UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.offset_s())

    def move_to(self, offset_s: int) -> None:
        """Write the offset at once and whole: a reader sees the old or the new one.

        Raises:
            Refused: 409 where the sandbox was started without `--clock-file`.
        """
        if self._file is None:
            raise Refused(
                409, "NO_CLOCK_FILE", "Start the sandbox with --clock-file FILE."
            )
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft, name = tempfile.mkstemp(dir=self._file.parent, prefix=".clock-")
        with os.fdopen(draft, "w") as out:
            out.write(f"{offset_s}\n")
        Path(name).replace(self._file)

    async def show(self, _request: Request) -> Response:
        """`GET /_clock`: the offset in seconds and the time it gives."""
        return JSONResponse(self._shown())

    async def move(self, request: Request) -> Response:
        """`PUT /_clock {"offset_s": int}`: move bank and world; at most ten years."""
        body = await json_object(request)
        only(body, {"offset_s"})
        offset_s = body.get("offset_s")
        self.move_to(whole(offset_s, "offset_s", -OFFSET_S_MAX, OFFSET_S_MAX))
        return JSONResponse(self._shown())

    def _shown(self) -> dict[str, object]:
        offset_s = self.offset_s()
        whole_s: float = int(offset_s) if offset_s.is_integer() else offset_s
        return {
            "offset_s": whole_s,
            "now": rfc3339(self.now()),
            "movable": self._file is not None,
        }
