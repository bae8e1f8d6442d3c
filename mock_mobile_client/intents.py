"""What the person asked for, held against what a challenge says (auth.md §2.4).

The phone signs only after every fact of its own intent was found in the payload it
parsed itself; a hash from the bank is compared and never trusted.
"""

import re
from dataclasses import dataclass

from mock_mobile_client.enums import ChallengePurpose
from mock_mobile_client.errors import NotAsIntended
from mock_mobile_client.money import MoneyValue
from mock_mobile_client.signing import b64url, read_canonical, sha256
from mock_mobile_client.values import ChallengeValue, JsonObject

LAST_DIGITS = re.compile(r"\d+$")
SECRETS = frozenset({"pinSecret", "attestationObject", "credential"})


@dataclass(frozen=True, slots=True)
class SignInIntent:
    """The person wants to sign in on this phone."""

    purpose = ChallengePurpose.LOGIN

    def facts(self, challenge: ChallengeValue, device_id: str) -> JsonObject:
        """The whole payload a sign-in must have."""
        return {"v": 1, "challengeId": challenge.id, "deviceId": device_id}

    def check_whole(self, payload: JsonObject) -> None:
        """Refuse a payload with more in it."""
        if payload.keys() != {"v", "challengeId", "deviceId"}:
            raise NotAsIntended("a sign-in payload holds more than a sign-in")


@dataclass(frozen=True, slots=True)
class PaymentIntent:
    """The person wants to pay this amount to this payee.

    Attributes:
        payment_id: The payment that was created.
        amount: Exactly what leaves, apart from the fee.
        fee: The fee that was shown.
        from_account_id: The account it leaves.
        payee_name: Name of a beneficiary; None for an own account.
        payee_address: Own account id, or the digits an account number ends with.
    """

    payment_id: str
    amount: MoneyValue
    from_account_id: str
    payee_name: str | None
    payee_address: str
    fee: int = 0

    purpose = ChallengePurpose.PAYMENT

    def facts(self, challenge: ChallengeValue, device_id: str) -> JsonObject:
        """What the payload must say, payee apart."""
        return {
            "v": 1,
            "challengeId": challenge.id,
            "deviceId": device_id,
            "paymentId": self.payment_id,
            "from": self.from_account_id,
            "amount": self._amount(self.amount.minor_units),
            "fee": self._amount(self.fee),
        }

    def check_payee(self, payee: object) -> None:
        """Refuse a payload that pays somebody else."""
        if not isinstance(payee, dict):
            raise NotAsIntended("the payload names no payee")
        address = str(payee.get("address"))
        if self.payee_name is None:
            same = address == self.payee_address and payee.get("scheme") == "OWN"
        else:
            named = payee.get("name") == self.payee_name
            same = named and address.endswith(self.payee_address)
        if not same:
            raise NotAsIntended(
                f"the payload pays {payee.get('name')} at {address}, not "
                f"{self.payee_name or 'the own account'} at {self.payee_address}"
            )

    def _amount(self, minor_units: int) -> JsonObject:
        return {
            "currency": self.amount.currency,
            "exponent": self.amount.exponent,
            "minorUnits": str(minor_units),
        }


@dataclass(frozen=True, slots=True)
class StepUpIntent:
    """The person wants exactly this call to go through."""

    operation: str
    input: JsonObject

    purpose = ChallengePurpose.STEP_UP

    def facts(self, challenge: ChallengeValue, device_id: str) -> JsonObject:
        """What the payload must say, input apart."""
        return {
            "v": 1,
            "challengeId": challenge.id,
            "deviceId": device_id,
            "operation": self.operation,
        }

    def check_input(self, seen: object) -> None:
        """Refuse a payload whose input is not the one that was sent.

        A secret stands in it as the hash of its text (auth.md §2.4).
        """
        if _without_nulls(seen) != _without_nulls(_hashed(self.input)):
            raise NotAsIntended(f"the payload holds another input of {self.operation}")


@dataclass(frozen=True, slots=True)
class VouchIntent:
    """The person wants the new phone that was shown, and no other, to be let in."""

    model: str | None
    platform: str
    network: str | None

    purpose = ChallengePurpose.LOGIN_APPROVAL

    def facts(self, challenge: ChallengeValue, device_id: str) -> JsonObject:
        """What the payload must say."""
        return {
            "v": 1,
            "challengeId": challenge.id,
            "deviceId": device_id,
            "phoneModel": self.model,
            "platform": self.platform,
            "network": self.network,
        }


Intent = SignInIntent | PaymentIntent | StepUpIntent | VouchIntent


def check(challenge: ChallengeValue, intent: Intent, device_id: str) -> None:
    """Compare a challenge with the intent.

    Raises:
        NotAsIntended: another purpose, another fact, or a payload that is not the
            text its hash speaks of.
    """
    if challenge.purpose is not intent.purpose:
        raise NotAsIntended(f"the challenge is for {challenge.purpose}")
    if b64url(sha256(challenge.payload.encode())) != challenge.binding_hash:
        raise NotAsIntended("the payload is not the text its hash speaks of")
    payload = read_canonical(challenge.payload)
    for name, expected in intent.facts(challenge, device_id).items():
        if payload.get(name) != expected:
            seen = payload.get(name)
            raise NotAsIntended(f"{name} is {seen!r} in the payload, not {expected!r}")
    if isinstance(intent, PaymentIntent):
        intent.check_payee(payload.get("payee"))
    elif isinstance(intent, StepUpIntent):
        intent.check_input(payload.get("input"))
    elif isinstance(intent, SignInIntent):
        intent.check_whole(payload)


def last_digits(masked: str | None) -> str:
    """The readable end of a masked account number; empty when there is none."""
    found = LAST_DIGITS.search(masked or "")
    return "" if found is None else found.group()


def _hashed(given: JsonObject) -> JsonObject:
    """An input as a payload shows it."""
    shown = {}
    for name, member in given.items():
        secret = name in SECRETS and isinstance(member, str)
        shown[name] = {"sha256": b64url(sha256(member.encode()))} if secret else member
    return shown


def _without_nulls(value: object) -> object:
    """A field left out and a field that is null say the same."""
    if isinstance(value, dict):
        kept = {name: member for name, member in value.items() if member is not None}
        return {name: _without_nulls(member) for name, member in kept.items()}
    return value
