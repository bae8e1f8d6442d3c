"""Rate buckets of sign-in and requests (graphql.md section 6).

A proven key is counted by its thumbprint and by nothing else, so neighbours behind one
carrier address cannot hurt it; addresses are counted only for callers without one.
"""

import ipaddress

from app.auth.actor import Actor, Level, Origin
from app.errors import RateLimited, TooManyRequests
from app.integrations.counters import Counters
from app.settings import Settings
from app.written import Rate

_V6_PREFIX = 64


class Throttle:
    """Asks the buckets.

    Args:
        settings: the rates and the factor that widens them in demo and test.
        counters: where they are counted.
    """

    def __init__(self, *, settings: Settings, counters: Counters) -> None:
        self._settings = settings
        self._counters = counters

    async def cost(self, actor: Actor, points: int) -> None:
        """Charge the price of a document to the caller's bucket.

        Raises:
            TooManyRequests: it is empty.
        """
        if actor.level is Level.ANONYMOUS or actor.proof is None:
            return
        name = f"cost:{actor.proof.jkt}"
        await self._request(name, self._settings.limit_cost, points)

    async def address(self, origin: Origin) -> None:
        """Count a request without a proven key.

        Raises:
            TooManyRequests: too many from this address.
        """
        name = f"requests:{block_of(origin.address)}"
        await self._request(name, self._settings.limit_address_requests)

    async def failed_proof(self, origin: Origin) -> None:
        """Count a proof or token that did not verify.

        Raises:
            TooManyRequests: too many from this address.
        """
        name = f"proofs:{block_of(origin.address)}"
        await self._request(name, self._settings.limit_address_proofs)

    async def handshake(self, jkt: str) -> None:
        """Count a socket of a proven key.

        Raises:
            TooManyRequests: too many of this key.
        """
        name = f"handshakes:{jkt}"
        await self._request(name, self._settings.limit_handshakes)

    async def login(self, jkt: str, origin: Origin, *, known: bool) -> None:
        """Count a sign-in field: by key, an unknown key by its address.

        Raises:
            RateLimited: too many.
        """
        if known:
            await self._field(f"login:{jkt}", self._settings.limit_login)
        else:
            name = f"login:{block_of(origin.address)}"
            await self._field(name, self._settings.limit_address_login)

    async def refresh(self, jkt: str) -> None:
        """Count a refresh of a proven key.

        Raises:
            RateLimited: too many.
        """
        await self._field(f"refresh:{jkt}", self._settings.limit_refresh)

    async def respond(self, actor: Actor) -> None:
        """Count an answer to a challenge.

        Raises:
            RateLimited: too many of this device.
        """
        name = f"respond:{actor.known_device}"
        await self._field(name, self._settings.limit_respond)

    async def push_set(self, actor: Actor) -> None:
        """Count a new push address.

        Raises:
            RateLimited: too many of this device today.
        """
        name = f"push-set:{actor.known_device}"
        await self._field(name, self._settings.limit_push_set)

    async def payee_check(self, actor: Actor) -> None:
        """Count a question about who is behind an account.

        Raises:
            RateLimited: too many of this customer.
        """
        name = f"payee-check:{actor.known_customer}"
        await self._field(name, self._settings.limit_payee_check)

    async def enrol_address(self, origin: Origin) -> None:
        """Count an enrolment that an address starts.

        Raises:
            RateLimited: too many.
        """
        name = f"enrol:{block_of(origin.address)}"
        await self._field(name, self._settings.limit_address_enrol)

    async def enrol(self, whose: str) -> None:
        """Count a code sent: 60 s apart, 3 in 10 minutes, 5 a day.

        Args:
            whose: the number's look-up value, or a customer with a right code.

        Raises:
            RateLimited: too many.
        """
        chosen = self._settings
        await self._field(f"resend:{whose}", chosen.limit_resend)
        await self._field(f"enrol:{whose}", chosen.limit_enrol)
        await self._field(f"enrol-day:{whose}", chosen.limit_enrol_day)

    async def _take(self, name: str, rate: Rate, cost: int) -> int:
        count = rate.count * self._settings.limit_factor
        return await self._counters.take(name, cost, count, rate.window_s)

    async def _request(self, name: str, rate: Rate, cost: int = 1) -> None:
        wait_s = await self._take(name, rate, cost)
        if wait_s:
            raise TooManyRequests(wait_s)

    async def _field(self, name: str, rate: Rate) -> None:
        wait_s = await self._take(name, rate, 1)
        if wait_s:
            raise RateLimited(wait_s)


def block_of(address: str) -> str:
    """Give what an address is counted by: itself, or the /64 of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(ipaddress.ip_network((found, _V6_PREFIX), strict=False))
