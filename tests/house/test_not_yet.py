from collections import Counter

from tests.house.contract import SHIPPED, exported, target
from tests.house.not_yet import listed

# It goes down with every name that is built, and never up.
CEILING = 1


def test_every_name_of_the_design_is_built_or_listed_and_none_is_both() -> None:
    shipped = {item.name for item in target().values() if item.phase == SHIPPED}
    built, waiting = set(exported()), set(listed())

    assert shipped - built - waiting == set(), "neither built nor in not_yet.txt"
    assert built & waiting == set(), "built: take it out of not_yet.txt"
    assert waiting - shipped == set(), "in not_yet.txt, but not designed"


def test_the_list_holds_no_name_twice_and_only_gets_shorter() -> None:
    waiting = listed()

    assert [name for name, count in Counter(waiting).items() if count > 1] == []
    assert len(waiting) <= CEILING


def test_the_marks_of_the_design_are_read_as_its_header_says() -> None:
    phases = {name: item.phase for name, item in target().items()}

    assert phases["Money.formatted(locale)"] == "P0"
    assert phases["ErrorCode.CARD_STATE_INVALID"] == "P1"
    assert phases["ErrorCode.KYC_REQUIRED"] == "P2"
    assert phases["FeedItem"] == "P1"
    assert phases["FeedItem.Transaction"] == "P1"
    assert phases["PaymentDestination.Biller"] == "P1"
    assert phases["PaymentDestination.Beneficiary"] == "P0"
    assert phases["ScheduledPayment.runs(first)"] == "P1"
    assert phases["Mutation.scheduledPaymentCreate(input)"] == "P1"
    assert phases["Mutation.paymentCreate(input)"] == "P0"
    assert phases["DestinationInput.vpa"] == "P1"
    assert phases["Session.ip"] == "P0"
