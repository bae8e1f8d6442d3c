"""The phone's SMS, read where the sandbox delivered them (realtime.md §13)."""

import math
import re
import time
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from mock_mobile_client.errors import Unreachable
from mock_mobile_client.lines import line
from mock_mobile_client.values import JsonObject

OTP = re.compile(r"^<#> (\d{6})\b")
WAIT_S = 15
SPARE_S = 10.0


@dataclass(frozen=True, slots=True)
class Sms:
    """One message as the phone shows it."""

    id: int
    at: str
    text: str

    @property
    def otp(self) -> str | None:
        """The six digits after the autofill mark, if it carries a code."""
        found = OTP.match(self.text)
        return None if found is None else found.group(1)


class Inbox:
    """The messages of one telephone number; remembers what was read."""

    def __init__(self, sandbox: str, number: str) -> None:
        self._address = f"{sandbox.rstrip('/')}/phones/{quote(number, safe='')}/inbox"
        self._after = 0

    async def skip(self) -> None:
        """Forget what has arrived so far, so that an old code is never read."""
        await self.arrivals(wait_s=0)

    async def arrivals(self, wait_s: int = WAIT_S) -> list[Sms]:
        """New messages; waits for the first at most `wait_s` seconds.

        Raises:
            Unreachable: the sandbox does not answer.
        """
        try:
            async with line(self._address, wait_s + SPARE_S) as http:
                asked = {"wait": wait_s, "after": self._after}
                response = await http.get(self._address, params=asked)
                response.raise_for_status()
                page: JsonObject = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unreachable(
                f"the SMS inbox {self._address} does not answer (option --sandbox)"
            ) from error
        self._after = int(page["next"])
        return [
            Sms(id=row["id"], at=row["at"], text=row["body"]["text"])
            for row in page["messages"]
            if row["kind"] == "sms"
        ]

    async def otp(self, wait_s: int = WAIT_S) -> str:
        """The next one-time code; other messages may come before it.

        Raises:
            Unreachable: no code came in time.
        """
        end, left_s = time.monotonic() + wait_s, wait_s
        while True:
            for message in reversed(await self.arrivals(left_s)):
                if message.otp is not None:
                    return message.otp
            left_s = math.ceil(end - time.monotonic())
            if left_s <= 0:
                break
        raise Unreachable(f"no SMS with a code came within {wait_s} s")
