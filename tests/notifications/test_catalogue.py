"""Every sentence in every language, and no figure where anybody may read."""

import pytest

from app.notifications import catalogue
from app.notifications.catalogue import LANGUAGES, Args, Show, holes, told
from app.notifications.wording import Template

FIGURES: Args = {
    "amount": 98765432100,
    "currency": "INR",
    "account": "••0815",
    "counterparty": "Zebulon {amount} Planted",
    "device": "Planted phone",
    "limit": 500000,
    "title": "The PIN of Planted phone was set.",
    "reason": None,
}
SECRETS = ("Zebulon", "Planted", "0815", "5,000")


def test_every_language_has_every_sentence_and_none_that_nobody_says() -> None:
    ids = {language: set(catalogue.sentences(language)) for language in LANGUAGES}
    plain = {
        f"push.{template}.{part}" for template in Template for part in ("title", "body")
    }

    assert ids["en"] == ids["hi"]
    assert plain <= ids["en"]
    assert {".".join(one.split(".")[:3]) for one in ids["en"]} == plain


def test_every_sentence_holds_the_figures_its_id_names_in_every_language() -> None:
    for language in LANGUAGES:
        for name, text in catalogue.sentences(language).items():
            named = frozenset(name.split(".")[3:])
            assert holes(text) == named, (language, name)
            assert named <= Show.ALL.value


def test_the_plain_sentences_hold_no_figure_and_differ_between_languages() -> None:
    for template in Template:
        for locale in ("en-IN", "hi-IN"):
            words = told(template, FIGURES, locale)
            text = words.title + words.body

            assert not any(sign.isdigit() or sign in "{}%₹" for sign in text)
            assert not any(secret in text for secret in SECRETS)
        assert told(template, {}, "hi").body != told(template, {}, "en").body


def test_a_locked_screen_may_show_the_amount_and_never_a_name_or_a_number() -> None:
    texts = [told(template, FIGURES, "en-IN", Show.AMOUNT) for template in Template]

    assert told("money_in", FIGURES, "en-IN", Show.AMOUNT).body == (
        "₹98,76,54,321.00 arrived in your account."
    )
    for words in texts:
        assert not any(secret in words.title + words.body for secret in SECRETS)


@pytest.mark.parametrize(
    ("locale", "body"),
    [
        ("en-IN", "₹98,76,54,321.00 from {} arrived in account ••0815."),
        ("en-GB", "₹987,654,321.00 from {} arrived in account ••0815."),
        ("hi-IN", "{} से ₹98,76,54,321.00 खाते ••0815 में आए हैं।"),
        ("de-DE", "₹987,654,321.00 from {} arrived in account ••0815."),
        ("xx", "₹987,654,321.00 from {} arrived in account ••0815."),
    ],
)
def test_the_customer_reads_everything_in_her_own_way(locale: str, body: str) -> None:
    words = told("money_in", FIGURES, locale, Show.ALL)

    assert words.body == body.replace("{}", "Zebulon {amount} Planted")


def test_what_is_not_known_is_left_out_and_not_guessed() -> None:
    cash: Args = {"amount": 100, "currency": "INR", "counterparty": None}
    torn: Args = {"amount": 100, "currency": "no currency"}

    assert told("money_in", cash, "en-IN", Show.ALL).body == (
        "₹1.00 arrived in your account."
    )
    assert told("money_in", torn, "en-IN", Show.ALL).body == (
        "Money arrived in your account. Open the app to see it."
    )


def test_the_figures_of_other_currencies_keep_their_places() -> None:
    yen, dinar = (
        told("low_balance", {"amount": 1050, "currency": one}, "en", Show.AMOUNT).body
        for one in ("JPY", "KWD")
    )

    assert yen == "An account fell to ¥1,050, below the amount you chose."
    assert dinar == "An account fell to KWD1.050, below the amount you chose."
