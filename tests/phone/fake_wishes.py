"""What the fake bank's customers choose to be told, and to show before sign-in."""

from typing_extensions import override

from tests.phone.fake_live import LiveBank
from tests.phone.fake_parts import (
    Account,
    Caller,
    Customer,
    Node,
    amount,
    refusal,
)

MANDATORY = ("SECURITY", "LOGIN_APPROVAL")
CATEGORIES = ("MONEY_IN", "MONEY_OUT", "LOW_BALANCE", *MANDATORY)


class WishBank(LiveBank):
    """A bank whose customers choose."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.chosen: dict[str, Node] = {}
        self.quick: dict[str, list[str]] = {}
        self.alerts: dict[str, int] = {}
        self.nicknames: dict[str, str] = {}
        self.before: dict[str, int] = {}

    @override
    def me(self, caller: Caller, given: Node) -> Node:
        device = self.signed_in(caller)
        settings = self.settings_of(device.owner, device.id)
        return {**super().me(caller, given), "notificationSettings": settings}

    def settings_of(self, owner: Customer, device: str) -> Node:
        """Everything a customer chose, as this phone sees it."""
        own = self.chosen.setdefault(owner.number, {})
        preferences = [
            {
                "category": one,
                "channels": own.get(one, {}).get("channels", ["PUSH", "IN_APP"]),
                "threshold": own.get(one, {}).get("threshold"),
                "mandatory": one in MANDATORY,
            }
            for one in CATEGORIES
        ]
        shown = self.quick.get(device, [])
        return {
            "preferences": preferences,
            "quietHours": own.get("quiet"),
            "hideAmountsInPush": own.get("hides", True),
            "quickBalanceAccounts": [
                {"id": one.id, "name": one.name}
                for one in owner.accounts
                if one.id in shown
            ],
        }

    def notificationPreferenceSet(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        own = self.chosen.setdefault(device.owner.number, {})
        category = given.get("category")
        if category in MANDATORY and given.get("channels") != ["PUSH", "IN_APP"]:
            return refusal("NOT_ALLOWED")
        if "quickBalanceAccountIds" in given:
            self.quick[device.id] = given["quickBalanceAccountIds"]
        if "quietHours" in given:
            own["quiet"] = given["quietHours"]
        if "hideAmountsInPush" in given:
            own["hides"] = given["hideAmountsInPush"]
        if category is not None:
            kept = own.setdefault(category, {})
            kept |= {
                name: _written(given[name])
                for name in ("channels", "threshold")
                if name in given
            }
        return {"settings": self.settings_of(device.owner, device.id)}

    def quickBalance(self, caller: Caller, _given: Node) -> list[Node]:  # noqa: N802  -- as above
        device = self.device(caller)
        shown = self.quick.get(device.id, [])
        return [
            {
                "accountId": one.id,
                "name": self.nicknames.get(one.id, one.name),
                **one.balance(),
            }
            for one in device.owner.accounts
            if one.id in shown
        ]

    def accountUpdate(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- as above
        owner = self.signed_in(caller).owner
        found = [one for one in owner.accounts if one.id == given["id"]]
        if not found:
            return refusal("NOT_FOUND")
        name = found[0].id
        if "nickname" in given:
            self.nicknames[name] = given["nickname"] or found[0].name
        if "lowBalanceAlert" in given:
            self.alerts.pop(name, None)
            if given["lowBalanceAlert"] is not None:
                self.alerts[name] = int(given["lowBalanceAlert"]["minorUnits"])
                self.before[name] = found[0].minor
        account = {
            "id": name,
            "name": found[0].name,
            "nickname": self.nicknames.get(name),
            "lowBalanceAlert": _written(given.get("lowBalanceAlert")),
        }
        return {"account": account}

    @override
    def publish(self, account: Account) -> None:
        super().publish(account)
        alert = self.alerts.get(account.id)
        was = self.before.get(account.id, account.minor)
        self.before[account.id] = account.minor
        if alert is not None and account.minor < alert <= was:
            self.push(self.owner(account), "LOW_BALANCE", {})


def _written(given: object) -> object:
    """Answer an amount as the bank writes it; anything else as it came."""
    if isinstance(given, dict):
        return amount(int(given["minorUnits"]))
    return given
