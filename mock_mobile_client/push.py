"""What a push may be: numbers and ids of events, sentence keys, no money; pure.

Source: realtime.md §11.3 and §11.5.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from mock_mobile_client.carriers import APNS, FCM
from mock_mobile_client.errors import ProofFailed, expect
from mock_mobile_client.values import JsonObject

DATA: Final = {
    "v": re.compile(r"1"),
    "t": re.compile(r"[A-Z][A-Z_]{2,30}"),
    "n": re.compile(r"ntf_[0-9a-f]{32}"),
    "e": re.compile(r"[a-z2-7]{8}"),
    "s": re.compile(r"[0-9]{1,19}"),
}
KEYS: Final = {
    "titleKey": re.compile(r"push\.[a-z_]{2,40}\.title"),
    "bodyKey": re.compile(r"push\.[a-z_]{2,40}\.body"),
}
AROUND: Final = {
    "name": re.compile(r"projects/[a-z0-9-]+/messages/[0-9a-z:%]+"),
    "collapseKey": re.compile(r"approve|service|news"),
    "ttl": re.compile(r"[0-9]{1,7}s"),
    "priority": re.compile(r"HIGH|NORMAL"),
    "tag": re.compile(r"[a-z]{3}_[0-9a-f]{32}"),
    **KEYS,
}
AROUND_APNS: Final = {
    "id": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "environment": re.compile(r"PRODUCTION|DEVELOPMENT"),
    "topic": re.compile(r"app\.sixpence\.[a-z]{2,20}"),
    "pushType": re.compile(r"alert"),
    "priority": re.compile(r"10|5"),
    "expiration": re.compile(r"[0-9]{10}"),
    "collapseId": re.compile(r"[a-z]{3}_[0-9a-f]{32}"),
    "mutable-content": re.compile(r"1"),
    **KEYS,
}


@dataclass(frozen=True, slots=True)
class Push:
    """One message of the provider, as it reached the phone.

    Attributes:
        service: Who carried it: FCM or APNs.
        id: `ntf_…`; the same id replaces itself on the screen.
        category: What kind of news.
        epoch: The stream, and with `sequence` the event it is about.
        key: Title the app looks up in its own language.
        at: When the provider delivered it, RFC 3339.
        came_at: The phone's own time of it, seconds since 1970.
        body: Everything the provider passed on.
    """

    service: str
    id: str
    category: str
    epoch: str
    sequence: int
    key: str
    at: str
    came_at: float
    body: JsonObject = field(repr=False)

    @classmethod
    def read(cls, row: JsonObject, came_at: float) -> Self:
        """Read one row of kind `fcm` or `apns` of the provider's inbox.

        Raises:
            ProofFailed: it says more, or something else, than a push may.
        """
        body: JsonObject = row["body"]
        data, around = _parts(row["kind"], body)
        expect("fields of a push", set(DATA), set(data))
        _expect_forms(data, DATA)
        return cls(
            service=APNS.name if row["kind"] == APNS.inbox_kind else FCM.name,
            id=data["n"],
            category=data["t"],
            epoch=data["e"],
            sequence=int(data["s"]),
            key=str(around.get("titleKey") or ""),
            at=row["at"],
            came_at=came_at,
            body=body,
        )

    def expect_bare(self) -> None:
        """Look whether the provider was told ids, numbers of events and keys only.

        Each value must be of its form and there is no other, so no amount, name or
        number of an account can be in it.

        Raises:
            ProofFailed: it was told more.
        """
        apple = self.service == APNS.name
        kind = APNS.inbox_kind if apple else FCM.inbox_kind
        forms = AROUND_APNS if apple else AROUND
        data, around = _parts(kind, self.body)
        expect("fields around a push", set(), set(around) - set(forms))
        _expect_forms(around, forms)
        _expect_forms(data, DATA)


@dataclass(frozen=True, slots=True)
class PushText:
    """What the bank lets a locked screen show for a push."""

    id: str
    category: str
    title: str
    body: str
    deep_link: str | None

    @classmethod
    def read(cls, node: JsonObject) -> Self:
        """Read one of `items` of eventsAck."""
        return cls(
            id=node["id"],
            category=node["category"],
            title=node["title"],
            body=node["body"],
            deep_link=node["deepLink"],
        )


def _parts(kind: str, body: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Part a message into the app's data and everything around it, flat."""
    if kind != APNS.inbox_kind:
        return body["data"], {name: one for name, one in body.items() if name != "data"}
    payload, around = dict(body["payload"]), dict(body)
    aps: JsonObject = payload.pop("aps", {})
    alert: JsonObject = aps.get("alert", {})
    del around["payload"]
    named = {"title-loc-key": "titleKey", "loc-key": "bodyKey"}
    around |= {name: one for name, one in aps.items() if name != "alert"}
    around |= {named.get(name, name): one for name, one in alert.items()}
    return payload, around


def _expect_forms(values: JsonObject, forms: Mapping[str, re.Pattern[str]]) -> None:
    """Each value that is there is of its form.

    Raises:
        ProofFailed: one is not.
    """
    for name, value in values.items():
        if value is not None and not forms[name].fullmatch(str(value)):
            raise ProofFailed(f"{name} of a push", forms[name].pattern, value)
