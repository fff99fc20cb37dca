"""Items that are made while those before them are used."""

import threading
from collections.abc import Iterator

import pytest

from tutti.media.ahead import ahead


def test_all_items_come_in_order() -> None:
    assert list(ahead(iter([3, None, 1, 2]), most=1)) == [3, None, 1, 2]


def test_an_error_is_raised_where_its_item_would_be() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    made = ahead(items())
    assert next(made) == 1
    with pytest.raises(ValueError, match="broken"):
        next(made)


def test_no_more_than_so_many_are_made_and_closing_ends_the_thread() -> None:
    made: list[int] = []
    full, ended = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        try:
            for number in range(1000):
                made.append(number)
                if number == 5:
                    full.set()
                yield number
        finally:
            ended.set()

    some = ahead(items(), most=4)
    assert next(some) == 0
    assert full.wait(10)
    some.close()  # type: ignore[attr-defined]
    assert ended.wait(10)
    assert len(made) == 6  # one was taken, four wait, and one was being put
