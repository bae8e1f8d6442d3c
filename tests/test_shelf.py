"""What a process remembers has an end."""

from app.shelf import Shelf


def test_the_newest_value_of_a_key_is_given_back() -> None:
    shelf = Shelf[str, int](at_most=2)

    first, second = shelf.keep("asha", 1), shelf.keep("asha", 2)

    assert (first, second) == (1, 2)
    assert shelf.of("asha") == 2
    assert shelf.of("ben") is None


def test_what_was_kept_longest_ago_goes_first() -> None:
    shelf = Shelf[str, int](at_most=2)

    shelf.keep("asha", 1)
    shelf.keep("ben", 2)
    shelf.keep("asha", 3)
    shelf.keep("carla", 4)

    assert [shelf.of(name) for name in ("asha", "ben", "carla")] == [3, None, 4]


def test_what_is_dropped_is_forgotten() -> None:
    shelf = Shelf[str, int](at_most=2)
    shelf.keep("asha", 1)

    shelf.drop("asha")
    shelf.drop("ben")

    assert shelf.of("asha") is None
