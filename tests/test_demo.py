"""The page that `make run` ends with: one line a customer, its columns apart."""

from typing import Any, cast

from app.demo import Row, as_page
from app.demo_people import Person, core_seed, people
from app.money import Money
from tests.conftest import settings_with

CODE = "73TM-H4AZ-5NWG"


def page_of(*minors: int) -> list[str]:
    """Print the start table with one customer who has so many accounts."""
    person = Person("Customer 4", "10000004", "+915550000004", CODE, ())
    names = ("Everyday", "Savings", "Travel")
    accounts = tuple(
        (name, Money(minor, "INR")) for name, minor in zip(names, minors, strict=False)
    )
    page = as_page(settings_with(), "http://127.0.0.1:8001", [Row(person, accounts)], 1)
    return page.splitlines()


def test_many_accounts_do_not_run_into_the_code() -> None:
    (line,) = [
        line for line in page_of(10_000_00, 20_000_00, 30_000_00) if CODE in line
    ]

    assert line.endswith(f"…  {CODE}")
    assert len(line) <= 100


def test_figures_that_fit_are_shown_whole() -> None:
    (line,) = [line for line in page_of(48_250_00, 1_20_000_00) if CODE in line]

    assert "Everyday ₹48,250.00, Savings ₹1,20,000.00" in line
    assert line.endswith(f"   {CODE}")


def test_the_seed_of_a_remote_core_has_the_same_people_and_money() -> None:
    seed = core_seed(people(4))

    clients = cast("list[dict[str, Any]]", seed["clients"])
    assert [one["number"] for one in clients] == [
        "10000001",
        "10000002",
        "10000003",
        "10000004",
    ]
    everyday, savings = clients[0]["accounts"]
    assert (everyday["product"], everyday["minor"]) == ("Everyday", 4825000)
    assert (savings["product"], savings["currency"]) == ("Savings", "INR")
    assert clients[3]["accounts"][2]["product"] == "Travel Savings"
    assert clients[3]["accounts"][0]["history"] == 10
    assert seed == core_seed(people(4))
