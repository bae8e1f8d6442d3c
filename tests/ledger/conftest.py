"""A book over the test's own database."""

import pytest

from app.clock import StoppedClock
from app.ledger.book import Book
from app.ledger.holds import Holds
from app.settings import Settings


@pytest.fixture
def book(bank_database: Settings, clock: StoppedClock) -> Book:
    """Give an empty book."""
    del bank_database
    return Book(clock)


@pytest.fixture
def holds(book: Book) -> Holds:
    """Give the holds of the book."""
    return Holds(book)
