"""The fake bank's verdicts over a resume, its acknowledgements, and its pushes."""

import re
import secrets
from dataclasses import dataclass, field
from uuid import UUID

from typing_extensions import override

from tests.phone.fake_parts import NOW, Caller, Customer, Device, Fault, Node, refusal
from tests.phone.fake_sign_in import SignInBank

CURSOR = re.compile(r"ec1\.(\d{8})\.(\d+)\.\d{8}")
TOKEN = re.compile(r"[0-9a-f]{64}")
REPLAYED_MAX, KEPT_S = 500, 14 * 86_400
EPOCH = "abcdefgh"
TITLES = {
    "MONEY_IN": "Money received",
    "MONEY_OUT": "Money sent",
    "SECURITY": "Security",
    "LOW_BALANCE": "Low balance",
}


@dataclass
class FakePush:
    """One notification the bank owes a phone, and what the phone said of it."""

    device: Device
    category: str
    figure: str = ""
    read: bool = False
    said: list[str] = field(default_factory=list)
    id: str = field(default_factory=lambda: f"ntf_{secrets.token_hex(16)}")

    def text(self) -> Node:
        title = TITLES[self.category]
        return {"id": self.id, "category": self.category, "title": title, "body": title}

    def item(self) -> Node:
        """The item of the inbox behind it, and what became of it."""
        state = "OPENED" if self.read else (["SENT", *self.said])[-1]
        device = {"id": self.device.id, "name": self.device.owner.name}
        sent = {"channel": "PUSH", "state": state, "at": NOW, "device": device}
        return {
            **self.text(),
            "body": f"{self.figure} moved.",
            "createdAt": NOW,
            "readAt": NOW if self.read else None,
            "deliveries": [sent],
        }


class LiveBank(SignInBank):
    """What comes by socket and by push.

    Attributes:
        acked: The cursors phones said they had shown, in order.
        addresses: Whose phone listens at which installation.
        pushes: What was sent, by notification id.
        provider: What each installation was delivered.
        copies: How often the provider delivers each message.
        leak: What a careless bank would add to the data of a push.
    """

    def __init__(self, origin: str) -> None:
        super().__init__(origin)
        self.acked: list[str] = []
        self.addresses: dict[str, Device] = {}
        self.pushes: dict[str, FakePush] = {}
        self.provider: dict[str, list[Node]] = {}
        self.copies = 1
        self.leak: Node = {}
        self.pruned: dict[str, int] = {}

    @override
    def openings(self, customer: Customer, after: str | None) -> list[Node]:
        """The first frames of a subscription."""
        head = len(customer.events)
        if after is None:
            ready = {"__typename": "StreamReady", "missed": 0}
            return [self.envelope(customer, head, ready)]
        found = CURSOR.fullmatch(after)
        if found is None:
            raise Fault("BAD_REQUEST", 400)
        since, reason = int(found.group(2)), None
        if found.group(1) != customer.number:
            reason = "EPOCH_CHANGED"
        elif head - since > REPLAYED_MAX:
            reason = "TOO_FAR_BEHIND"
        elif since < min(head, self.kept_after(customer)):
            reason = "EXPIRED"
        if reason is not None:
            reset = {"__typename": "StreamReset", "reason": reason}
            return [self.envelope(customer, head, reset)]
        ready = {"__typename": "StreamReady", "missed": head - since}
        end = self.envelope(customer, head, {"__typename": "CaughtUp"})
        missed = customer.events[since:]
        return [self.envelope(customer, since, ready), *missed, end]

    def kept_after(self, customer: Customer) -> int:
        """Number of the newest event that is not kept any more."""
        if self.offset_s < KEPT_S:
            return 0
        return self.pruned.setdefault(customer.number, len(customer.events))

    def devicePushSet(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        device, address = self.device(caller), given["address"]
        if address["kind"] != (
            "APNS" if TOKEN.fullmatch(address["value"]) else "FCM_FID"
        ):
            return refusal("VALIDATION_FAILED")
        self.addresses[address["value"]] = device
        return {"device": {"id": device.id}}

    def eventsAck(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        if given.get("upTo"):
            self.acked.append(given["upTo"])
        texts = []
        for receipt in given.get("receipts") or []:
            push = self.pushes[receipt["id"]]
            assert push.device is self.device(caller)
            push.said.append(receipt["state"])
            texts.append(push.text())
        return {"acknowledged": given.get("upTo"), "items": texts}

    @override
    def append(self, customer: Customer, event: Node) -> None:
        super().append(customer, event)
        category = self.category(customer, event)
        if category is not None:
            self.push(customer, category, event)

    def push(self, customer: Customer, category: str, event: Node) -> None:
        """Notify every phone of a customer."""
        amount = event.get("transaction", {}).get("amount", {})
        for installation, device in self.addresses.items():
            if device.owner is customer:
                figure = amount.get("formatted", "")
                self.send(installation, FakePush(device, category, figure))

    @override
    def me(self, caller: Caller, given: Node) -> Node:
        owner = self.signed_in(caller).owner
        return super().me(caller, given) | self.inbox(owner)

    def inbox(self, customer: Customer) -> Node:
        """What `me` shows of it, the newest first; one page holds all."""
        told = [one for one in self.pushes.values() if one.device.owner is customer]
        return {
            "unreadCount": sum(not one.read for one in told),
            "inbox": {
                "nodes": [one.item() for one in reversed(told)],
                "pageInfo": {"hasNextPage": False, "endCursor": None},
            },
        }

    def inboxMarkRead(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        owner = self.signed_in(caller).owner
        known = {
            name: one for name, one in self.pushes.items() if one.device.owner is owner
        }
        left = self.inbox(owner)["unreadCount"]
        if not known.keys() >= set(given["ids"]):
            return refusal("NOT_FOUND") | {"items": [], "unreadCount": left}
        for name in given["ids"]:
            known[name].read = True
        items = [known[name].item() for name in given["ids"]]
        left = self.inbox(owner)["unreadCount"]
        return {"items": items, "unreadCount": left}

    def category(self, customer: Customer, event: Node) -> str | None:
        """What an event is pushed as; None where nobody need be told."""
        if event["__typename"] == "SecurityEvent":
            return "SECURITY"
        if event["__typename"] != "TransactionPosted" or self.is_live(customer):
            return None
        return f"MONEY_{event['transaction']['direction']}"

    def send(self, installation: str, push: FakePush) -> None:
        """Hand a message to the provider, which delivers it at once."""
        self.pushes[push.id] = push
        seq = str(len(push.device.owner.events))
        data = {"v": "1", "t": push.category, "n": push.id, "e": EPOCH, "s": seq}
        kind, body = _carried(installation, push, {**data, **self.leak})
        rows = self.provider.setdefault(installation, [])
        for _ in range(self.copies):
            rows.append({"id": len(rows) + 1, "kind": kind, "at": NOW, "body": body})

    @override
    def inbox_of(self, address: str) -> list[Node]:
        return self.provider.get(address) or super().inbox_of(address)


def _carried(installation: str, push: FakePush, data: Node) -> tuple[str, Node]:
    """Give what Apple's service hands to an iPhone, or Firebase to another phone."""
    title, text = (f"push.{push.category.lower()}.{part}" for part in ("title", "body"))
    if TOKEN.fullmatch(installation):
        alert = {"title-loc-key": title, "loc-key": text}
        return "apns", {
            "id": str(UUID(push.id.removeprefix("ntf_"))),
            "environment": "PRODUCTION",
            "topic": "app.sixpence.mock",
            "pushType": "alert",
            "priority": "10",
            "expiration": "1800000000",
            "collapseId": push.id,
            "payload": {"aps": {"alert": alert, "mutable-content": 1}, **data},
        }
    return "fcm", {
        "name": f"projects/fake/messages/0:{data['s']}",
        "data": data,
        "collapseKey": None,
        "ttl": "86400s",
        "priority": "HIGH",
        "tag": push.id,
        "titleKey": title,
        "bodyKey": text,
    }
