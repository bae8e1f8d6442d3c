"""The worker's loop to the providers: claim, leave the transaction, send, record.

At least once: a worker that dies between sending and recording leaves the row with its
lease, and the next one sends it again under the same notification id and thread, which
replaces itself on the phone. Each provider has a loop of its own, so that one who is
slow or broken holds up its own kinds only; and a batch that waits for one slow answer
does not hold up the next.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from app import telemetry
from app.clock import Clock
from app.errors import Outage
from app.integrations.push import (
    PayloadError,
    PushMessage,
    PushOutcome,
    PushProvider,
    Retry,
    Unknown,
)
from app.notifications import addresses, due, outcomes, wording
from app.notifications.due import Due, Lane
from app.notifications.outcomes import Answered, name_of
from app.vault import Unsealable, Vault

_LOOK_EVERY_S = 0.5
_BATCHES_AT_ONCE = 2  # of each provider
_VERSION = "1"


class Delivery:
    """Sends what is due.

    Args:
        clock: due times, leases, pauses.
        vault: opens addresses for the moment of sending.
        providers: which kinds can be reached; a kind without one fails.
    """

    def __init__(
        self, *, clock: Clock, vault: Vault, providers: Sequence[PushProvider]
    ) -> None:
        self._clock = clock
        self._vault = vault
        self._providers = {
            kind: provider for provider in providers for kind in provider.kinds
        }
        self._woken: dict[Lane, asyncio.Event] = {
            Lane(provider.kinds): asyncio.Event() for provider in providers
        }
        self._woken[Lane(frozenset(self._providers), others=True)] = asyncio.Event()

    def wake(self) -> None:
        """Look at once; called after a commit of this process. Never waits."""
        for woken in self._woken.values():
            woken.set()

    async def run(self) -> None:
        """Send what is due, now, at every wake and twice a second."""
        async with asyncio.TaskGroup() as group:
            for lane in self._woken:
                group.create_task(self._serve(lane))

    async def _serve(self, lane: Lane) -> None:
        """Carry one provider's batches, a few at once; the last lane is nobody's."""
        woken, room = self._woken[lane], asyncio.Semaphore(_BATCHES_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            while True:
                woken.clear()
                await room.acquire()
                if claimed := await due.claim(self._clock, lane):
                    carrying = group.create_task(self._carried(claimed))
                    carrying.add_done_callback(lambda _: room.release())
                    continue
                room.release()
                if lane.others:
                    telemetry.push_due_oldest.set(await due.oldest_s(self._clock))
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        await woken.wait()

    async def _carried(self, claimed: Sequence[Due]) -> None:
        """Send a batch; where the database is away, its lease brings it back."""
        try:
            await self._shared_out(claimed)
        except* Outage as lost:
            telemetry.log.warning("push_unrecorded", rows=len(claimed), cause=str(lost))

    async def turn(self) -> int:
        """Claim one batch and send it; gives how many were tried.

        Raises:
            Outage: the database is away; what was sent unrecorded is sent again when
                its lease ends.
        """
        claimed = await due.claim(self._clock)
        await self._shared_out(claimed)
        return len(claimed)

    async def _shared_out(self, claimed: Sequence[Due]) -> None:
        """Give each provider its share."""
        shares: defaultdict[PushProvider | None, list[Due]] = defaultdict(list)
        for one in claimed:
            shares[self._provider_of(one)].append(one)
        async with asyncio.TaskGroup() as group:
            for provider, share in shares.items():
                group.create_task(self._carry(provider, share))

    def _provider_of(self, one: Due) -> PushProvider | None:
        return self._providers.get(one.address.kind) if one.address else None

    async def _carry(self, provider: PushProvider | None, share: Sequence[Due]) -> None:
        """Send one provider's share and record what became of it."""
        if provider is None:
            await outcomes.give_up(share, "NO_PROVIDER")
            return
        answers = await self._send(provider, share)
        reach = "+".join(sorted(kind.value for kind in provider.kinds))
        for one in answers:
            telemetry.push_outcomes.labels(reach, name_of(one.outcome)).inc()
        await outcomes.record(self._clock, answers)

    async def _send(
        self, provider: PushProvider, batch: Sequence[Due]
    ) -> list[Answered]:
        now = self._clock.now()
        messages = [self._message(one, now) for one in batch]
        ready = [message for message in messages if message is not None]
        sent = iter(await _asked(provider, ready) if ready else [])
        return [
            Answered(one, PayloadError("UNSEALABLE") if message is None else next(sent))
            for one, message in zip(batch, messages, strict=True)
        ]

    def _message(self, one: Due, now: datetime) -> PushMessage | None:
        """Write the hint; None where the address cannot be opened any more."""
        address = one.address
        assert address is not None  # noqa: S101  -- sorted out by the claim
        try:
            value = addresses.opened(self._vault, address.id, address.sealed)
        except Unsealable:
            telemetry.log.error("push_address_unsealable", object=str(address.id))
            return None
        return PushMessage(
            id=str(one.id),
            kind=address.kind,
            address=value,
            data=payload(one),
            title_key=wording.title_key(one.template),
            body_key=wording.body_key(one.template),
            thread=one.thread,
            collapse_key=wording.urgency(one.category).collapse_key,
            ttl_s=max(1, int((one.expires_at - now).total_seconds())),
            high=one.high,
            environment=address.environment,
            app_id=address.app_id,
            proven=address.proven,
        )


def payload(one: Due) -> dict[str, str]:
    """Write all that a provider is told besides a generic sentence: no figure, no name.

    Version, category, notification, epoch and number of the event.
    """
    return {
        "v": _VERSION,
        "t": one.category.value,
        "n": str(one.notification),
        "e": one.epoch,
        "s": str(one.seq),
    }


async def _asked(
    provider: PushProvider, batch: Sequence[PushMessage]
) -> list[PushOutcome]:
    """Send a batch; whatever breaks in an adapter, nothing is known of its messages."""
    try:
        found = await provider.send(batch)
    except Outage as down:
        telemetry.log.warning("push_provider_down", cause=down.cause)
        return [Retry(down.retry_after_s) for _ in batch]
    except Exception as bug:  # noqa: BLE001  -- our own adapter; the loop goes on
        telemetry.log.exception("push_provider_failed", rows=len(batch))
        return [Unknown(type(bug).__name__) for _ in batch]
    if len(found) != len(batch):
        telemetry.log.error("push_outcomes_missing", rows=len(batch) - len(found))
        return [Unknown("OUTCOMES") for _ in batch]
    return list(found)
