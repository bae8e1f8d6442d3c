"""Counts in Valkey or Redis, shared by all web processes: one round trip each.

The store's own clock refills the buckets, so processes whose clocks differ count alike.
"""

from collections.abc import Awaitable
from typing import cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.clock import Clock
from app.integrations.counters import CountersDown
from app.settings import Misconfigured, Settings

_PREFIX = "sx:"
_ANSWER_S = 0.25
_TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local cost, count = tonumber(ARGV[1]), tonumber(ARGV[2])
local window = tonumber(ARGV[3])
local kept = redis.call('HMGET', KEYS[1], 'left', 'at')
local left, at = tonumber(kept[1]) or count, tonumber(kept[2]) or now
left = math.min(count, left + math.max(0, now - at) * count / window)
local wait = 0
if cost <= left then
  left = left - cost
else
  wait = math.max(1, math.ceil((cost - left) * window / count))
end
redis.call('HSET', KEYS[1], 'left', string.format('%.6f', left),
  'at', string.format('%.6f', now))
redis.call('EXPIRE', KEYS[1], window + 1)
return wait
"""


class RedisCounters:
    """Fits the Counters port.

    Args:
        store: a client of the shared store.
    """

    def __init__(self, store: Redis) -> None:
        self._store = store
        self._take = store.register_script(_TAKE)

    async def take(self, bucket: str, cost: int, count: int, window_s: int) -> int:
        """Take `cost` from a bucket of `count` that refills within `window_s`.

        Raises:
            CountersDown: the store does not answer within a quarter of a second.
        """
        asked = self._take(keys=[_PREFIX + bucket], args=[cost, count, window_s])
        return int(cast("int", await _answer(cast("Awaitable[object]", asked))))

    async def first_time(self, key: str, keep_s: int) -> bool:
        """Remember a key for a while; False when it was known already.

        Raises:
            CountersDown: the store does not answer within a quarter of a second.
        """
        asked = self._store.set(_PREFIX + key, b"1", nx=True, ex=keep_s)
        return bool(await _answer(cast("Awaitable[object]", asked)))

    async def close(self) -> None:
        """Give the connections back."""
        await self._store.aclose()


async def _answer(asked: Awaitable[object]) -> object:
    try:
        return await asked
    except (RedisError, OSError) as away:
        raise CountersDown(type(away).__name__) from None


async def connect(settings: Settings, clock: Clock) -> RedisCounters:
    """Open the shared counters; the store is asked for the first time when counting.

    Raises:
        Misconfigured: REDIS_URL is missing or is not one.
    """
    del clock  # the store's own clock counts
    if settings.redis_url is None:
        raise Misconfigured("REDIS_URL must be given with COUNTERS=redis")
    try:
        store = Redis.from_url(
            settings.redis_url.get_secret_value(),
            socket_timeout=_ANSWER_S,
            socket_connect_timeout=_ANSWER_S,
            # Once more at once: a connection may have died while it was idle.
            retry=Retry(NoBackoff(), 1),
        )
    except ValueError:
        raise Misconfigured("REDIS_URL is not a redis:// or rediss:// URL") from None
    return RedisCounters(store)
