"""A hand-written bank for the phone's tests: the documents' contract, from memory."""

import hashlib
import hmac
import secrets
from collections.abc import Callable

from tests.phone.fake_limits import TO_A_NEW_PAYEE, chosen, limit_of, too_much
from tests.phone.fake_parts import (
    NOW,
    Account,
    Caller,
    Challenge,
    Customer,
    Device,
    Fault,
    Node,
    amount,
    b64u,
    canonical,
    new_id,
    refusal,
    unb64u,
    verified,
)


class FakeBank:
    """All state of the bank, and one method for each root field it offers."""

    def __init__(self) -> None:
        everyday = Account("Everyday", "50100000001001", 4_825_000)
        savings = Account("Savings", "50100000001002", 12_000_000)
        bens = Account("Everyday", "50100000002001", 931_050)
        self.customers = [
            Customer(
                "Asha", "10000001", "+9155500001", "7Q2M-K9XT-4HWA", [everyday, savings]
            ),
            Customer("Ben", "10000002", "+9155500002", "4K9T-2RWB-8EN1", [bens]),
        ]
        self.devices: dict[str, Device] = {}
        self.enrolments: dict[str, Customer] = {}
        self.bindings: dict[str, Customer] = {}
        self.challenges: dict[str, Challenge] = {}
        self.payments: dict[str, Node] = {}
        self.by_key: dict[tuple[str, str], tuple[Node, Node]] = {}
        self.grants: set[str] = set()
        self.ended: list[tuple[str, int]] = []
        self.calls: list[str] = []
        self.shown_first: list[Node] = []
        self.offset_s = 0
        self.movable = True
        self.tamper: Callable[[Node], Node] = lambda payload: payload
        self.on_event: Callable[[Customer, Node], None] = lambda _c, _e: None
        self.on_end: Callable[[str, int], None] = lambda _t, _c: None
        self.is_live: Callable[[Customer], bool] = lambda _: False

    def device(self, caller: Caller) -> Device:
        device = self.devices.get(caller.jkt or "")
        if device is None:
            raise Fault("UNAUTHENTICATED", 401, reason="DEVICE_UNKNOWN")
        return device

    def signed_in(self, caller: Caller) -> Device:
        if caller.token is None:
            raise Fault("UNAUTHENTICATED", 401, reason="TOKEN_MISSING")
        device = self.device(caller)
        if device.token != caller.token:
            raise Fault("UNAUTHENTICATED", 401, reason="SESSION_ENDED")
        return device

    def enrolmentStart(self, _: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        enrolment = new_id("enr")
        if "activation" in given:
            self.shown_first.append(given["activation"])
        for customer in self.customers:
            if customer.phone == given["phone"]:
                self.enrolments[enrolment] = customer
                text = f'<#> 482913 adds phone "{given["model"]}" to your bank.'
                row = {"id": len(customer.sms) + 1, "kind": "sms", "at": NOW}
                customer.sms.append({**row, "body": {"text": text}})
        return {"enrolmentId": enrolment}

    def enrolmentVerifyOtp(self, _: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        if given["otp"] != "482913" or given["enrolmentId"] not in self.enrolments:
            return refusal("INVALID_CREDENTIAL", "CredentialError")
        return {"methods": ["ACTIVATION_CODE"]}

    def enrolmentProveIdentity(self, _: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        customer = self.enrolments[given["enrolmentId"]]
        right = {
            "customerNumber": customer.number,
            "proof": {"activationCode": customer.code},
        }
        if {name: given[name] for name in right} != right:
            return refusal("INVALID_CREDENTIAL", "CredentialError")
        nonce = b64u(secrets.token_bytes(32))
        self.bindings[nonce] = customer
        return {"bindingNonce": nonce}

    def deviceBind(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        customer = self.bindings[given["bindingNonce"]]
        jkt = caller.jkt or ""
        nonce = unb64u(given["bindingNonce"])
        message = b"sixpence/bind/v1\0" + nonce + jkt.encode()
        if not verified(given["jwk"], given["signature"], message):
            return refusal("CHALLENGE_FAILED")
        bound = [d for d in self.devices.values() if d.owner is customer]
        if len(bound) >= 3:
            return refusal("TOO_MANY_DEVICES")
        device = self.devices[jkt] = Device(customer, given["jwk"])
        node = {"id": device.id, "name": given["name"], "state": "COOLING"}
        return {"device": node}

    def mpinSet(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.device(caller)
        if device.secret is not None:
            raise Fault("FORBIDDEN", 403, requiredLevel="LOGIN")
        device.secret = unb64u(given["pinSecret"])
        return {"device": {"id": device.id, "state": "COOLING"}}

    def loginStart(self, caller: Caller, _: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.devices.get(caller.jkt or "", Device(self.customers[0], {}))
        challenge = self.challenge("LOGIN", device, {}, "")
        return {"challenge": challenge.node()}

    def loginFinish(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        if caller.jkt not in self.devices:
            return refusal("INVALID_CREDENTIAL", "CredentialError")
        device = self.devices[caller.jkt]
        wrong = self.judge(self.challenges[given["challengeId"]], given)
        if wrong is not None:
            return wrong
        if device.token is not None:
            self.end(device, 4419)
        device.token = secrets.token_urlsafe(24)
        times = ("expiresAt", "idleExpiresAt", "sessionExpiresAt")
        tokens = {"accessToken": device.token} | dict.fromkeys(times, NOW)
        return {"tokens": tokens}

    def logout(self, caller: Caller, _: Node) -> Node:
        device = self.device(caller)
        if device.token is not None:
            self.end(device, 4401)
        return {"loggedOut": True}

    def me(self, caller: Caller, _: Node) -> Node:
        owner = self.signed_in(caller).owner
        return {
            "streamPosition": owner.cursor(len(owner.events)),
            "displayName": owner.name,
            "accounts": [account.node() for account in owner.accounts],
            "beneficiaries": {"nodes": owner.payees},
            "limits": [limit_of(owner)],
        }

    def node(self, caller: Caller, given: Node) -> Node | None:
        device = self.signed_in(caller)
        for account in device.owner.accounts:
            if account.id == given["id"]:
                return account.node()
        challenge = self.challenges.get(given["id"])
        return challenge.node() if challenge and challenge.device is device else None

    def payment(self, caller: Caller, given: Node) -> Node | None:
        owner = self.signed_in(caller).owner
        if given.get("id"):
            return self.payments.get(given["id"])
        known = self.by_key.get((owner.number, given["idempotencyKey"]))
        return known[1] if known else None

    def beneficiaryCreate(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        intent = canonical([device.id, given])
        if intent not in self.grants:
            facts = {"operation": "beneficiaryCreate", "input": given}
            challenge = self.challenge("STEP_UP", device, facts, intent)
            return refusal(
                "STEP_UP_REQUIRED", "StepUpRequiredError", challenge=challenge.node()
            )
        self.grants.discard(intent)
        number = given["payee"]["account"]["accountNumber"]
        payee = {
            "id": new_id("ben"),
            "nickname": given["nickname"],
            "name": given["name"],
            "maskedAccount": "••••" + number[-4:],
            "number": number,
            "coolingLimit": amount(TO_A_NEW_PAYEE),
        }
        device.owner.payees.append(payee)
        return {"beneficiary": payee, "replayed": False}

    def payeeResolve(self, caller: Caller, _: Node) -> Node:  # noqa: N802  -- the field's public name
        self.signed_in(caller)
        return refusal("NOT_FOUND")  # it reaches no other bank

    def limitSet(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        intent = canonical([device.id, given])
        if intent not in self.grants:
            facts = {"operation": "limitSet", "input": given}
            asked = self.challenge("STEP_UP", device, facts, intent).node()
            return refusal("STEP_UP_REQUIRED", "StepUpRequiredError", challenge=asked)
        return chosen(device.owner, int(given["max"]["minorUnits"]))

    def paymentCreate(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        place = (device.owner.number, given["idempotencyKey"])
        if place in self.by_key:
            before, payment = self.by_key[place]
            if before != given:
                return refusal("IDEMPOTENCY_KEY_REUSED")
            return {"payment": payment, "replayed": True}
        source = self.account(given["fromAccountId"])
        minor = int(given["amount"]["minorUnits"])
        if source.minor < minor:
            short = amount(minor - source.minor)
            return refusal(
                "INSUFFICIENT_FUNDS", "InsufficientFundsError", shortBy=short
            )
        no = too_much(device.owner, given)
        if no is not None:
            return no
        payee = self.payee(device.owner, given["to"])
        payment = {
            "id": new_id("pay"),
            "idempotencyKey": given["idempotencyKey"],
            "status": "AWAITING_AUTHORISATION",
            "amount": amount(minor),
            "payee": {"name": payee["name"], "maskedAccount": None},
            "createdAt": NOW,
            "plan": (source, self.target(payee), minor),
        }
        plain = {"currency": "INR", "exponent": 2}
        facts = {
            "amount": {**plain, "minorUnits": str(minor)},
            "fee": {**plain, "minorUnits": "0"},
            "from": source.id,
            "payee": payee,
            "paymentId": payment["id"],
            "executeOn": None,
        }
        payment["facts"] = facts
        challenge = self.challenge("PAYMENT", device, facts, payment["id"])
        payment["challenge"] = challenge.node()
        self.payments[payment["id"]] = payment
        self.by_key[place] = (given, payment)
        self.changed(source, payment)
        return {"payment": payment, "replayed": False}

    def challengeRespond(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        self.signed_in(caller)
        challenge = self.challenges[given["challengeId"]]
        payment = self.payments.get(challenge.subject)
        if challenge.answer == given:
            return {"approved": True, "payment": payment}
        wrong = self.judge(challenge, given)
        if wrong is not None:
            return wrong
        if payment is None:
            self.grants.add(challenge.subject)
        else:
            self.settle(payment)
        return {"approved": True, "payment": payment}

    def paymentChallenge(self, caller: Caller, given: Node) -> Node:  # noqa: N802  -- the field's public name
        device = self.signed_in(caller)
        payment = self.payments[given["id"]]
        challenge = self.challenge("PAYMENT", device, payment["facts"], payment["id"])
        payment["challenge"] = challenge.node()
        return {"payment": payment}

    def serviceStatus(self, _: Caller, __: Node) -> list[Node]:  # noqa: N802  -- the field's public name
        return [{"component": "LOGIN", "state": "OPERATIONAL", "since": NOW}]

    def appPolicy(self, _: Caller, __: Node) -> Node:  # noqa: N802  -- the field's public name
        return {"minVersion": "1.0.0", "latestVersion": "1.0.0", "mustUpgrade": False}

    def challenge(
        self, purpose: str, device: Device, facts: Node, subject: str
    ) -> Challenge:
        name = new_id("chl")
        payload = {"v": 1, "challengeId": name, "deviceId": device.id, **facts}
        text = canonical(self.tamper(payload))
        made = Challenge(purpose, device, text, subject, name)
        self.challenges[name] = made
        return made

    def judge(self, challenge: Challenge, given: Node) -> Node | None:
        """Check device key, then mPIN; None when both are right."""
        device, message = challenge.device, challenge.message()
        if challenge.state != "PENDING":
            return refusal("CHALLENGE_EXPIRED")
        if not verified(device.jwk, given["deviceSignature"], message):
            return refusal("INVALID_CREDENTIAL", "CredentialError")
        digest = hashlib.sha256(message).digest()
        text = b"sixpence/mpin/v1" + device.id.encode() + digest
        proof = hmac.digest(device.secret or b"", text, "sha256")
        if given["response"] != {"mpinProof": b64u(proof)}:
            device.failed += 1
            left = 5 - device.failed
            return refusal("INVALID_CREDENTIAL", "CredentialError", attemptsLeft=left)
        device.failed = 0
        challenge.state, challenge.answer = "CONSUMED", given
        return None

    def account(self, account_id: str) -> Account:
        accounts = (a for customer in self.customers for a in customer.accounts)
        return next(a for a in accounts if a.id == account_id)

    def target(self, payee: Node) -> Account:
        accounts = [a for customer in self.customers for a in customer.accounts]
        return next(a for a in accounts if payee["address"] in {a.id, a.number})

    def payee(self, owner: Customer, to: Node) -> Node:
        if "ownAccountId" in to:
            account = self.account(to["ownAccountId"])
            return {"name": account.name, "address": account.id, "scheme": "OWN"}
        saved = next(p for p in owner.payees if p["id"] == to["beneficiaryId"])
        payee = {"name": saved["name"], "address": saved["number"]}
        return {**payee, "scheme": "INTERNAL", "bankCode": None}

    def settle(self, payment: Node) -> None:
        source, target, minor = payment["plan"]
        payment["challenge"] = None
        if source.minor < minor:
            payment["status"], payment["reason"] = "DECLINED", "INSUFFICIENT_FUNDS"
            self.changed(source, payment)
            return
        payment["status"] = "SUBMITTED"
        self.changed(source, payment)
        self.changed(source, payment)
        payment["status"] = "SETTLED"
        for account, change in ((source, -minor), (target, minor)):
            account.minor += change
            account.version += 1
            row = {
                "__typename": "Transaction",
                "id": new_id("txn"),
                "status": "BOOKED",
                "direction": "OUT" if change < 0 else "IN",
                "amount": amount(minor),
                "runningBalance": amount(account.minor),
                "createdAt": NOW,
                "counterparty": {"name": payment["payee"]["name"]},
            }
            account.rows.insert(0, row)
            self.append(self.owner(account), posted(row, account))
            self.publish(account)
        self.changed(source, payment)

    def changed(self, source: Account, payment: Node) -> None:
        event = {"__typename": "PaymentChanged", "payment": dict(payment)}
        self.append(self.owner(source), event)

    def owner(self, account: Account) -> Customer:
        return next(c for c in self.customers if account in c.accounts)

    def publish(self, account: Account) -> None:
        node = {"account": account.node(), "balance": account.balance()}
        self.append(self.owner(account), {"__typename": "BalanceChanged", **node})

    def append(self, customer: Customer, event: Node) -> None:
        seq = len(customer.events) + 1
        envelope = self.envelope(customer, seq, event)
        customer.events.append(envelope)
        self.on_event(customer, envelope)

    def envelope(self, customer: Customer, seq: int, event: Node) -> Node:
        place = {"cursor": customer.cursor(seq), "sequence": str(seq)}
        category = "SECURITY" if event["__typename"] == "SecurityEvent" else None
        return {**place, "occurredAt": NOW, "category": category, "event": event}

    def end(self, device: Device, code: int) -> None:
        token, device.token = device.token or "", None
        self.on_end(token, code)

    def openings(self, customer: Customer, after: str | None) -> list[Node]:
        """The first frames of a subscription; `fake_live` judges cursors."""
        raise NotImplementedError

    def inbox_of(self, address: str) -> list[Node]:
        """What the outside world delivered to a telephone number."""
        customers = (c for c in self.customers if c.phone == address)
        return next((customer.sms for customer in customers), [])


def posted(row: Node, account: Account) -> Node:
    """A movement as an event."""
    named = {"id": account.id, "name": account.name}
    return {"__typename": "TransactionPosted", "transaction": {**row, "account": named}}
