"""For every coordinate that names something: how it is asked with a name of another."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mock_mobile_client.handset import Level
from mock_mobile_client.payments import new_key
from mock_mobile_client.values import JsonObject

REFUSED = "userErrors { __typename code message field }"
PAGE = "nodes { id } pageInfo { hasNextPage hasPreviousPage endCursor }"
NULL = "null"
CLARAS = "50101000000301"
HEAD = frozenset({"stream_head"})
UNKNOWN = "NOT_FOUND"
ANSWERED = "answered"

# What names nobody's object, and why.
NAMES_NOBODY: Mapping[str, str] = dict.fromkeys(
    (
        "Mutation.enrolmentResendOtp(input.enrolmentId)",
        "Mutation.enrolmentVerifyOtp(input.enrolmentId)",
        "Mutation.enrolmentProveIdentity(input.enrolmentId)",
    ),
    "128 random bits, shown once to the phone that began and to nobody else: who has "
    "them is that phone, known or not (auth.md 3.1); guessing is a row of its own",
)


@dataclass(frozen=True)
class Own:
    """What the attacker's calls need of the attacker's own things."""

    account: str
    payee: str
    answer: JsonObject


@dataclass(frozen=True)
class Case:
    """One coordinate.

    Attributes:
        text: The document; its variables are `$name`, or `$input`.
        names: Kinds of names that are tried, as `Named` has them.
        says: The answer: null, a code, or that it is an answer like any other.
        given: The input, with `None` where the name stands.
        level: What the attacker shows of himself.
        adds: Tables that grow by what the attacker himself got.
        changes: Tables with rows that move by it.
        owner: Whether the owner asks, too, and is told something else.
    """

    text: str
    names: tuple[str, ...]
    says: str = NULL
    given: JsonObject = field(default_factory=dict)
    level: Level = Level.LOGIN
    adds: frozenset[str] = frozenset()
    changes: frozenset[str] = HEAD
    owner: bool = False


def _changes(name: str, kind: str, more: str = "") -> str:
    return (
        f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {more} {REFUSED} }} }}"
    )


def _page(name: str) -> str:
    page = f"{name}(first: 5, after: $name) {{ {PAGE} }}"
    return f"query($name: String) {{ me {{ {page} }} }}"


def _rows(arguments: str) -> str:
    return (
        "query($name: String, $own: ID!) { me { account(id: $own) { "
        f"transactions({arguments}) {{ {PAGE} }} }} }} }}"
    )


def _payment(own: Own, **changed: object) -> JsonObject:
    """Write a payment that would be right but for what is changed."""
    return {
        "idempotencyKey": new_key(),
        "fromAccountId": own.account,
        "to": {"beneficiaryId": own.payee},
        "amount": {"minorUnits": "100", "currency": "INR"},
    } | changed


NODES = (
    *("account", "transaction", "paid payment", "waiting payment", "challenge"),
    *("payee", "device", "passkey", "audit entry", "notification"),
)
OTHERS = (
    *("customer", "session", "registration"),
    *("enrolment", "sign-in challenge", "limit"),
)
PAYMENT = "payment { id } replayed"


def cases(own: Own) -> dict[str, Case]:
    """Give every case, keyed by its coordinate."""
    reads = _reads(own) | _quotes(own)
    return {**reads, **_payments(own), **_sign_in(own), **_phones(), **_streams()}


def _reads(own: Own) -> dict[str, Case]:
    node = "query($name: ID!) { node(id: $name) { id __typename } }"
    nodes = "query($name: ID!) { nodes(ids: [$name]) { id __typename } }"
    by_id = "query($name: ID) { payment(id: $name) { id status } }"
    by_key = "query($name: IdempotencyKey) { payment(idempotencyKey: $name) { id } }"
    account = "query($name: ID!) { me { account(id: $name) { id } } }"
    return {
        "Query.node(id)": Case(node, NODES, owner=True),
        "Query.nodes(ids)": Case(nodes, (*NODES, *OTHERS)),
        "Query.payment(id)": Case(
            by_id, ("paid payment", "waiting payment"), owner=True
        ),
        "Query.payment(idempotencyKey)": Case(
            by_key, ("key of a payment",), owner=True
        ),
        "Customer.account(id)": Case(account, ("account",), owner=True),
        "Account.transactions(after)": Case(
            _rows("first: 5, after: $name"),
            ("place in the rows",),
            ANSWERED,
            {"own": own.account},
        ),
        "Account.transactions(before)": Case(
            _rows("last: 5, before: $name"),
            ("place in the rows",),
            ANSWERED,
            {"own": own.account},
        ),
        "Customer.payments(after)": Case(
            _page("payments"), ("place in the payments",), ANSWERED
        ),
        "Customer.beneficiaries(after)": Case(
            _page("beneficiaries"), ("place in the payees",), ANSWERED
        ),
        "Customer.securityLog(after)": Case(
            _page("securityLog"), ("place in the log",), ANSWERED
        ),
        "Customer.inbox(after)": Case(
            _page("inbox"), ("place in the inbox",), ANSWERED
        ),
    }


def _quotes(own: Own) -> dict[str, Case]:
    ask = f"query($input: QuoteInput!) {{ quote(input: $input) {{ {REFUSED} }} }}"

    def given(**changed: object) -> JsonObject:
        asked = _payment(own, **changed)
        del asked["idempotencyKey"]
        return asked

    return {
        "Query.quote(input.fromAccountId)": Case(
            ask, ("account",), UNKNOWN, given(fromAccountId=None)
        ),
        "Query.quote(input.to.ownAccountId)": Case(
            ask, ("account",), UNKNOWN, given(to={"ownAccountId": None})
        ),
        "Query.quote(input.to.beneficiaryId)": Case(
            ask, ("payee",), UNKNOWN, given(to={"beneficiaryId": None})
        ),
    }


def _payments(own: Own) -> dict[str, Case]:
    create = _changes("paymentCreate", "PaymentCreateInput", PAYMENT)
    renew = _changes("paymentChallenge", "PaymentChallengeInput", "payment { id }")
    cancel = _changes("paymentCancel", "PaymentCancelInput", "payment { id }")
    save = _changes("beneficiaryCreate", "BeneficiaryCreateInput", "replayed")
    forget = _changes(
        "beneficiaryDelete", "BeneficiaryDeleteInput", "deletedBeneficiaryId"
    )
    payee = {
        "idempotencyKey": None,
        "nickname": "Somebody",
        "name": "Clara Stein",
        "payee": {"account": {"accountNumber": CLARAS}},
    }
    waiting = ("waiting payment", "paid payment")
    own_made = frozenset({"payment", "payment_step", "challenge", "idempotency"})
    own_made |= {"limit_use", "limit_reservation", "risk_decision"}
    choose = _changes("limitSet", "LimitSetInput", "effectiveAt")
    return {
        "Mutation.paymentCreate(input.idempotencyKey)": Case(
            create,
            ("another key",),
            ANSWERED,
            _payment(own, idempotencyKey=None),
            adds=own_made | {"customer_event", "event_work"} | HEAD,
            changes=HEAD | {"limit_use"},
        ),
        "Mutation.paymentCreate(input.fromAccountId)": Case(
            create, ("account",), UNKNOWN, _payment(own, fromAccountId=None)
        ),
        "Mutation.paymentCreate(input.to.ownAccountId)": Case(
            create, ("account",), UNKNOWN, _payment(own, to={"ownAccountId": None})
        ),
        "Mutation.paymentCreate(input.to.beneficiaryId)": Case(
            create, ("payee",), UNKNOWN, _payment(own, to={"beneficiaryId": None})
        ),
        "Mutation.paymentCreate(input.quoteId)": Case(
            create, ("quote",), UNKNOWN, _payment(own, quoteId=None)
        ),
        "Mutation.paymentChallenge(input.id)": Case(
            renew, waiting, UNKNOWN, {"id": None}
        ),
        "Mutation.paymentCancel(input.id)": Case(
            cancel, waiting, UNKNOWN, {"id": None}
        ),
        "Mutation.beneficiaryCreate(input.idempotencyKey)": Case(
            save,
            ("key of a payment",),
            "STEP_UP_REQUIRED",
            payee,
            adds=frozenset({"challenge"}),
        ),
        "Mutation.limitSet(input.id)": Case(
            choose,
            ("limit",),
            UNKNOWN,
            {"id": None, "max": {"minorUnits": "100", "currency": "INR"}},
        ),
        "Mutation.beneficiaryUpdate(input.id)": Case(
            _changes("beneficiaryUpdate", "BeneficiaryUpdateInput"),
            ("payee",),
            UNKNOWN,
            {"id": None, "nickname": "Mine"},
        ),
        "Mutation.beneficiaryDelete(input.id)": Case(
            forget, ("payee",), UNKNOWN, {"id": None}
        ),
    }


def _sign_in(own: Own) -> dict[str, Case]:
    begin = _changes(
        "loginStart",
        "LoginStartInput",
        "challenge { purpose allowed attemptsLeft state webauthnOptions }",
    )
    finish = _changes("loginFinish", "LoginFinishInput", "tokens { expiresAt }")
    respond = _changes("challengeRespond", "ChallengeRespondInput", "approved")
    end = _changes("sessionRevoke", "SessionRevokeInput", "")
    keep = _changes(
        "passkeyRegisterFinish", "PasskeyRegisterFinishInput", "passkey { id }"
    )
    challenges = ("challenge", "sign-in challenge")
    signed = own.answer | {"challengeId": None}
    credential = {"registrationId": None, "credential": {"id": "AA"}, "label": "x"}
    return {
        "Mutation.loginStart(input.deviceId)": Case(
            begin, ("device",), ANSWERED, {"deviceId": None}, Level.DEVICE
        ),
        "Mutation.loginFinish(input.challengeId)": Case(
            finish, challenges, "CHALLENGE_EXPIRED", signed, Level.DEVICE
        ),
        "Mutation.challengeRespond(input.challengeId)": Case(
            respond, challenges, "CHALLENGE_EXPIRED", signed
        ),
        "Mutation.sessionRevoke(input.id)": Case(
            end, ("session",), UNKNOWN, {"id": None}
        ),
        "Mutation.passkeyRegisterFinish(input.registrationId)": Case(
            keep, ("registration",), "CHALLENGE_EXPIRED", credential
        ),
    }


def _phones() -> dict[str, Case]:
    found = {
        f"Mutation.{name}(input.id)": Case(
            _changes(name, f"{name[0].upper()}{name[1:]}Input", "device { id }"),
            ("device",),
            UNKNOWN,
            {"id": None} | more,
        )
        for name, more in (
            ("deviceRename", {"name": "Mine"}),
            ("deviceLock", {}),
            ("deviceUnlock", {}),
            ("deviceRevoke", {}),
        )
    }
    for name, shows, more in (
        ("passkeyRename", "passkey { id }", {"label": "Mine"}),
        ("passkeyRemove", "removedPasskeyId", {}),
    ):
        kind = f"{name[0].upper()}{name[1:]}Input"
        found[f"Mutation.{name}(input.id)"] = Case(
            _changes(name, kind, shows), ("passkey",), UNKNOWN, {"id": None} | more
        )
    bind = _changes("deviceBind", "DeviceBindInput", "device { id }")
    given: JsonObject = {
        "bindingNonce": "A" * 43,
        "name": "Mine",
        "jwk": {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43},
        "signature": "A" * 86,
        "attestation": {"none": {"reason": "none"}},
        "replaceDeviceIds": [None],
    }
    found["Mutation.deviceBind(input.replaceDeviceIds)"] = Case(
        bind, ("device",), "CHALLENGE_FAILED", given, Level.DEVICE
    )
    return found


def _streams() -> dict[str, Case]:
    acked = "acknowledged items { id title body }"
    receipt = {"state": "DELIVERED", "at": "2026-11-21T09:30:00.000Z", "id": None}
    ack = _changes("eventsAck", "EventsAckInput", acked)
    events = (
        "subscription($name: EventCursor) { events(after: $name) { category event "
        "{ __typename ... on StreamReset { resetReason: reason } } } }"
    )
    balances = (
        "subscription($name: ID!) { balanceChanged(accountIds: [$name]) { account "
        "{ id } balance { version } } }"
    )
    progress = "subscription($name: ID!) { paymentProgress(paymentId: $name) { id } }"
    read = _changes("inboxMarkRead", "InboxMarkReadInput", "items { id } unreadCount")
    choose = _changes(
        "notificationPreferenceSet",
        "NotificationPreferenceSetInput",
        "settings { quickBalanceAccounts { id } }",
    )
    call = _changes("accountUpdate", "AccountUpdateInput", "account { id nickname }")
    return {
        "Mutation.notificationPreferenceSet(input.quickBalanceAccountIds)": Case(
            choose, ("account",), UNKNOWN, {"quickBalanceAccountIds": [None]}
        ),
        "Mutation.accountUpdate(input.id)": Case(
            call, ("account",), UNKNOWN, {"id": None, "nickname": "Mine"}
        ),
        "Mutation.inboxMarkRead(input.ids)": Case(
            read, ("notification",), UNKNOWN, {"ids": [None]}
        ),
        "Mutation.eventsAck(input.upTo)": Case(
            ack, ("place in the stream",), ANSWERED, {"upTo": None}
        ),
        "Mutation.eventsAck(input.receipts.id)": Case(
            ack, ("notification",), ANSWERED, {"receipts": [receipt]}
        ),
        "Subscription.events(after)": Case(
            events, ("place in the stream",), "EPOCH_CHANGED"
        ),
        "Subscription.balanceChanged(accountIds)": Case(
            balances, ("account",), "silence"
        ),
        "Subscription.paymentProgress(paymentId)": Case(
            progress, ("paid payment", "waiting payment"), "silence", owner=True
        ),
    }
