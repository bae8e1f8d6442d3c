"""A phone of today reads answers of tomorrow."""

from mock_mobile_client.enums import FactorKind, PaymentStatus
from mock_mobile_client.values import BalanceValue, PaymentValue, TokenValue
from tests.phone.fake_parts import Account, amount

PAYMENT = {
    "id": "pay_1",
    "idempotencyKey": None,
    "status": "ON_THE_MOON",
    "reason": "A_NEW_REASON",
    "statusMessage": None,
    "amount": amount(100),
    "payee": {"name": "Ben"},
    "challenge": None,
}


def test_an_unknown_enum_value_is_read_as_unknown() -> None:
    payment = PaymentValue.read(PAYMENT)

    assert payment.status is PaymentStatus.UNKNOWN
    assert not payment.status.final
    assert payment.reason == "A_NEW_REASON"
    assert FactorKind("VOICE") is FactorKind.UNKNOWN


def test_figures_are_equal_whatever_their_text_and_age() -> None:
    node = Account("Everyday", "1", 100).balance()
    older = {**node, "asOf": "earlier", "stale": True}
    older["available"] = {**node["available"], "formatted": "₹1"}

    assert BalanceValue.read(node) == BalanceValue.read(older)
    newer = {**node, "version": "9"}
    assert BalanceValue.read(node) != BalanceValue.read(newer)


def test_a_token_does_not_show_when_it_is_printed() -> None:
    token = TokenValue("very-secret", "very-secret-too", "a", "b", "c")

    assert "very-secret" not in repr(token)
