"""Reading ahead changes nothing but the time at which items are made."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from authopt.logs.read_ahead import ahead


def test_the_items_come_in_order_and_all_of_them() -> None:
    assert list(ahead(iter(range(20)))) == list(range(20))
    assert list(ahead(iter(()))) == []
    assert list(ahead(iter(range(20)), 7)) == list(range(20))
    assert list(ahead(iter(range(3)), 7)) == [0, 1, 2]


def test_the_next_item_is_made_while_one_is_in_use() -> None:
    made = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        made.set()
        yield 2

    coming = ahead(items())
    assert next(coming) == 1
    assert made.wait(10)
    assert list(coming) == [2]


@pytest.mark.parametrize("depth", [1, 4])
def test_no_more_items_are_made_ahead_than_asked_for(depth: int) -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for item in range(10):
            made.append(item)
            yield item

    for item in ahead(items(), depth):
        assert len(made) <= item + 1 + depth


def test_an_error_comes_where_its_item_would_have_come() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise RuntimeError("broken")

    coming = ahead(items())
    assert next(coming) == 1
    with pytest.raises(RuntimeError, match="broken"):
        next(coming)


def test_what_makes_the_items_is_closed_when_no_more_are_wanted() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.set()

    coming = ahead(items())
    next(coming)
    coming.close()
    del coming
    assert closed.wait(10)
