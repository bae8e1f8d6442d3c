"""What the bank told the customer, kept for ever: items, badge, and receipts.

A push is only a hint to an item; the words with every figure stand here, behind the
sign-in (realtime.md §11).
"""

import asyncio
from dataclasses import dataclass
from typing import Self

from mock_mobile_client.errors import NotSeen
from mock_mobile_client.session import Session
from mock_mobile_client.values import JsonObject

PAGE = 25
PUSH = "PUSH"
LOOKS, PAUSE_S = 150, 0.1
FORWARD = ("QUEUED", "SENT", "DELIVERED", "OPENED")


@dataclass(frozen=True, slots=True)
class DeliveryValue:
    """What became of an item on one phone, by one way."""

    channel: str
    state: str
    at: str
    reason: str | None
    device_id: str | None
    device: str | None

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read one of `deliveries`."""
        device = node["device"] or {}
        return cls(
            channel=node["channel"],
            state=node["state"],
            at=node["at"],
            reason=node["reason"],
            device_id=device.get("id"),
            device=device.get("name"),
        )


@dataclass(frozen=True, slots=True)
class ItemValue:
    """One item; `deliveries` is empty where they were not asked for."""

    id: str
    category: str
    title: str
    body: str
    deep_link: str | None
    created_at: str
    read_at: str | None
    deliveries: tuple[DeliveryValue, ...]

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read the fragment InboxRow, and `deliveries` where they are there."""
        return cls(
            id=node["id"],
            category=node["category"],
            title=node["title"],
            body=node["body"],
            deep_link=node["deepLink"],
            created_at=node["createdAt"],
            read_at=node["readAt"],
            deliveries=tuple(
                DeliveryValue.read(one) for one in node.get("deliveries") or ()
            ),
        )

    def pushed_to(self, device_id: str | None) -> DeliveryValue | None:
        """What became of its push on a phone; None where there was none."""
        for one in self.deliveries:
            if one.channel == PUSH and one.device_id == device_id:
                return one
        return None


@dataclass(frozen=True, slots=True)
class Page:
    """Some items, the newest first, and the badge."""

    items: tuple[ItemValue, ...]
    unread: int
    next: str | None


class BankInbox:
    """The inbox as this phone sees it.

    Args:
        session: of the phone.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def page(self, first: int = PAGE, after: str | None = None) -> Page:
        """Items from the newest on, or behind a page's `next`."""
        asked = {"first": first, "after": after}
        answer = await self._session.call("inbox", asked)
        found = answer["inbox"]
        more = found["pageInfo"]
        return Page(
            items=tuple(ItemValue.read(node) for node in found["nodes"]),
            unread=answer["unreadCount"],
            next=more["endCursor"] if more["hasNextPage"] else None,
        )

    async def mark_read(self, ids: list[str]) -> int:
        """Mark items read on every phone of the customer; gives the badge.

        Raises:
            Refused: NOT_FOUND where one is not the customer's.
        """
        given = {"input": {"ids": ids}}
        answer = await self._session.call("inbox_mark_read", given)
        return int(answer["unreadCount"])

    async def read_all(self, most: int = 100) -> int:
        """Mark the newest unread items read; gives the badge."""
        page = await self.page(most)
        unread = [one.id for one in page.items if one.read_at is None]
        return await self.mark_read(unread) if unread else page.unread

    async def until_unread(self, count: int) -> None:
        """Look until the badge shows so much, or more.

        Raises:
            NotSeen: it never did.
        """
        for _ in range(LOOKS):
            if (await self.page(first=1)).unread >= count:
                return
            await asyncio.sleep(PAUSE_S)
        raise NotSeen(f"the badge never showed {count}")

    async def until_push(self, item: str, state: str) -> DeliveryValue:
        """Look until the push of an item to this phone came so far.

        Raises:
            NotSeen: it did not, or it was not sent at all.
        """
        device, seen = self._session.handset.device_id, "no push"
        for _ in range(LOOKS):
            for one in (await self.page()).items:
                found = one.pushed_to(device) if one.id == item else None
                seen = seen if found is None else found.state
                if found is not None and _reached(found.state, state):
                    return found
            await asyncio.sleep(PAUSE_S)
        raise NotSeen(f"the push of {item} never became {state}; it is {seen}")


def _reached(state: str, wanted: str) -> bool:
    if state not in FORWARD:
        return False
    return FORWARD.index(state) >= FORWARD.index(wanted)


def receipt(sent: DeliveryValue) -> str:
    """One line about one delivery."""
    why = f" ({sent.reason})" if sent.reason else ""
    at = sent.at[11:19]
    return f"{sent.channel:<7} {sent.device or '-':<12} {sent.state}{why} {at}"
